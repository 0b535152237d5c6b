//! `clw-bench explain`: an entry of the dictionary, as text.

use clw_core::verdict::{
    CloseCodeEntry, Entry, ErrorCodeEntry, ResetClass, ResetEntry, Side, Verdict, close_codes,
    close_codes_of, entry, error_code, error_codes, reset_entry,
};
use std::fmt::Write as _;
use thiserror::Error;

/// Narrowest width that texts are wrapped to; below it lines would hold single words.
const MIN_WIDTH: usize = 40;

/// A topic that the dictionary does not have; suggests what was perhaps meant.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", self.words())]
pub struct UnknownTopic {
    /// What was asked for, printable and cut.
    pub topic: String,
    /// Names like it, the nearest first.
    pub suggestions: Vec<String>,
}

impl UnknownTopic {
    fn words(&self) -> String {
        let mut words = format!("nothing is known of `{}`", self.topic);
        if self.suggestions.is_empty() {
            words.push_str(
                "; give a verdict (auth-failed), a close code (1008), an error code (AUTH_TOKEN_MISMATCH) or a \
                 reset class (injected)",
            );
        } else {
            let _ = write!(words, "; did you mean {}?", self.suggestions.join(", "));
        }
        words
    }
}

/// Explains a topic: a verdict with or without `clw-`, a WebSocket close code, an error code of the wire, or a class
/// of RST. Plain text, wrapped to `width` columns (at least 40), ending in a line feed.
///
/// # Errors
/// [`UnknownTopic`] with similar names, if the dictionary has no such topic.
pub fn render(topic: &str, width: usize) -> Result<String, UnknownTopic> {
    let mut page = Page::new(width);
    let trimmed = topic.trim();
    let lower = trimmed.to_ascii_lowercase();
    let verdict = Verdict::from_name(&lower).or_else(|| Verdict::from_name(&format!("clw-{lower}")));
    if let Some(verdict) = verdict {
        write_entry(&mut page, entry(verdict));
    } else if let Some(known) = error_code(trimmed) {
        write_error_code(&mut page, known);
    } else if let Some(class) = reset_class(&lower) {
        write_reset(&mut page, reset_entry(class));
    } else {
        let codes: Vec<_> = lower
            .parse::<u16>()
            .map_or_else(|_| Vec::new(), |code| close_codes_of(code).collect());
        if codes.is_empty() {
            return Err(unknown(trimmed));
        }
        write_close_code(&mut page, &codes);
    }
    Ok(page.text)
}

/// `injected`, `rst injected` or `rst-injected`.
pub(crate) fn reset_class(lower: &str) -> Option<ResetClass> {
    let name = lower
        .strip_prefix("rst")
        .map_or(lower, |rest| rest.trim_start_matches(['-', ' ', ':']));
    ResetClass::from_name(name)
}

/// Text that is filled line by line.
struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn new(width: usize) -> Self {
        Self {
            text: String::new(),
            width: width.max(MIN_WIDTH),
        }
    }

    fn heading(&mut self, name: &str) {
        let _ = writeln!(self.text, "\n{name}");
    }

    /// A paragraph whose first line begins with `first` and the others with as many spaces.
    fn paragraph(&mut self, first: &str, text: &str) {
        let indent = first.chars().count();
        self.text.push_str(first);
        let mut column = indent;
        let mut fresh = true;
        for word in text.split_whitespace() {
            let length = word.chars().count();
            if !fresh && column + 1 + length > self.width {
                self.text.push('\n');
                self.text.extend(std::iter::repeat_n(' ', indent));
                column = indent;
                fresh = true;
            }
            if !fresh {
                self.text.push(' ');
                column += 1;
            }
            self.text.push_str(word);
            column += length;
            fresh = false;
        }
        self.text.push('\n');
    }

    fn list(&mut self, items: &[&str]) {
        for item in items {
            self.paragraph("  - ", item);
        }
    }

    fn section(&mut self, name: &str, items: &[&str]) {
        if !items.is_empty() {
            self.heading(name);
            self.list(items);
        }
    }
}

fn write_entry(page: &mut Page, entry: &Entry) {
    page.paragraph("", &format!("{} - {}", entry.verdict, entry.title));
    page.text.push('\n');
    page.paragraph("  Cause  ", entry.cause_line);
    page.paragraph("  Fix    ", entry.fix_line);
    page.section("Symptoms", entry.symptoms);
    page.section("Causes", entry.causes);
    page.section("Evidence in a capture", entry.evidence.capture);
    page.section("Evidence at the client", entry.evidence.client);
    page.section("Evidence in the gateway's log", entry.evidence.gateway_log);
    page.section("Fixes", entry.fixes);
    page.heading("Reproduce");
    page.paragraph("  ", entry.fault);
    let codes: Vec<String> = close_codes()
        .iter()
        .filter(|code| code.verdict == Some(entry.verdict))
        .map(|code| code.code.to_string())
        .collect();
    let errors: Vec<&str> = error_codes()
        .iter()
        .filter(|code| code.verdict == Some(entry.verdict))
        .map(|code| code.code)
        .collect();
    page.heading("See also");
    also(
        page,
        "  verdicts     ",
        entry.related.iter().map(ToString::to_string),
    );
    also(page, "  close codes  ", codes);
    also(page, "  error codes  ", errors.into_iter().map(str::to_owned));
    also(
        page,
        "  dialects     ",
        entry.dialects.iter().map(ToString::to_string),
    );
    also(
        page,
        "  also called  ",
        entry.seed_names.iter().map(ToString::to_string),
    );
}

fn also(page: &mut Page, label: &str, names: impl IntoIterator<Item = String>) {
    let mut unique: Vec<String> = Vec::new();
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    if !unique.is_empty() {
        page.paragraph(label, &unique.join(", "));
    }
}

fn write_close_code(page: &mut Page, entries: &[&CloseCodeEntry]) {
    if let Some(first) = entries.first() {
        page.paragraph(
            "",
            &format!(
                "WebSocket close code {} - what it means depends on dialect, side and stage",
                first.code
            ),
        );
    }
    for entry in entries {
        let dialect = entry
            .dialect
            .map_or_else(|| "any WebSocket".to_owned(), |dialect| dialect.to_string());
        let by = entry.by.map_or("either side", Side::name);
        let mut whence = format!("{dialect}, from {by}, {}", entry.stage.name());
        match entry.reason {
            Some("") => whence.push_str(", empty reason"),
            Some(reason) => {
                let _ = write!(whence, ", \"{reason}\"");
            }
            None => {}
        }
        page.text.push('\n');
        page.paragraph("  ", &whence);
        page.paragraph("    ", entry.meaning);
        if let Some(verdict) = entry.verdict {
            page.paragraph("    -> ", verdict.name());
        }
    }
}

fn write_error_code(page: &mut Page, known: &ErrorCodeEntry) {
    page.paragraph("", &format!("{} - error code of {}", known.code, known.dialect));
    page.text.push('\n');
    page.paragraph("  Means    ", known.meaning);
    page.paragraph("  Fix      ", known.fix);
    match known.verdict {
        Some(verdict) => {
            page.paragraph("  Verdict  ", verdict.name());
            page.paragraph("  More     ", &format!("clw-bench explain {}", verdict.name()));
        }
        None => page.paragraph("  Verdict  ", "none: the session goes on"),
    }
}

fn write_reset(page: &mut Page, known: &ResetEntry) {
    page.paragraph("", &format!("{} - class of RST", known.class));
    page.text.push('\n');
    page.paragraph("  Means  ", known.meaning);
    page.paragraph("  Test   ", known.test);
    page.paragraph("  Do     ", known.fix);
}

/// The error for a topic that is not there, with up to three similar names.
fn unknown(topic: &str) -> UnknownTopic {
    const SHOWN_CHARS: usize = 40;
    let shown: String = topic
        .chars()
        .take(SHOWN_CHARS)
        .flat_map(char::escape_debug)
        .collect();
    let wanted: Vec<char> = topic
        .to_lowercase()
        .trim_start_matches("clw-")
        .chars()
        .take(SHOWN_CHARS)
        .collect();
    let verdicts = Verdict::ALL.iter().map(|verdict| verdict.name().to_owned());
    let errors = error_codes().iter().map(|known| known.code.to_owned());
    let resets = ResetClass::ALL.iter().map(|class| class.name().to_owned());
    let codes = close_codes().iter().map(|known| known.code.to_string());
    let mut near: Vec<(usize, String)> = Vec::new();
    for name in verdicts.chain(errors).chain(resets).chain(codes) {
        let lower = name.to_lowercase();
        let bare: Vec<char> = lower.trim_start_matches("clw-").chars().collect();
        let whole: String = wanted.iter().collect();
        let distance = if wanted.len() >= 3 && lower.contains(&whole) {
            1
        } else {
            edit_distance(&wanted, &bare)
        };
        let close_enough = distance <= (bare.len() / 3).max(1) && distance < bare.len();
        if close_enough && !near.iter().any(|(_, known)| *known == name) {
            near.push((distance, name));
        }
    }
    near.sort_by_key(|&(distance, _)| distance);
    UnknownTopic {
        topic: shown,
        suggestions: near.into_iter().take(3).map(|(_, name)| name).collect(),
    }
}

/// Levenshtein's distance.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(b) {
            let above = *cell;
            let here = (diagonal + usize::from(from != to)).min(above + 1).min(left + 1);
            diagonal = above;
            left = here;
            *cell = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_verdict_is_explained_with_and_without_its_prefix() {
        for verdict in Verdict::ALL {
            let text = render(verdict.name(), 80).unwrap();
            assert!(text.starts_with(verdict.name()), "{text}");
            for section in ["Symptoms", "Causes", "Fixes", "Reproduce", "See also"] {
                assert!(text.contains(&format!("\n{section}\n")), "{verdict}: {section}");
            }
            let bare = verdict.name().trim_start_matches("clw-").to_uppercase();
            assert_eq!(render(&bare, 80).unwrap(), text);
        }
    }

    #[test]
    fn close_codes_error_codes_and_reset_classes_are_topics() {
        let code = render("4001", 80).unwrap();
        assert!(code.contains("clw-session-revoked") && code.contains("clw-session-replaced"));
        let error = render("auth_token_mismatch", 80).unwrap();
        assert!(error.contains("clw-auth-failed"), "{error}");
        let reset = render("rst-half-open", 80).unwrap();
        assert!(reset.starts_with("half-open"), "{reset}");
        assert_eq!(render("half-open", 80).unwrap(), reset);
        for known in error_codes() {
            assert!(render(known.code, 80).unwrap().starts_with(known.code));
        }
    }

    #[test]
    fn text_is_wrapped_to_the_width_unless_a_word_is_longer() {
        for width in [40, 60, 80, 120] {
            for verdict in Verdict::ALL {
                for line in render(verdict.name(), width).unwrap().lines() {
                    let words = line
                        .split_whitespace()
                        .filter(|word| !matches!(*word, "-" | "->"));
                    let fits = line.chars().count() <= width;
                    // A label of up to two words, and one that cannot be broken.
                    assert!(fits || words.count() <= 3, "{width}: {line}");
                    assert_eq!(line.trim_end(), line);
                }
            }
        }
    }

    #[test]
    fn a_slip_of_the_finger_gets_the_right_suggestion() {
        for (slip, meant) in [
            ("clw-auth-faild", "clw-auth-failed"),
            ("heartbeat", "clw-heartbeat-miss"),
            ("AUTH_TOKEN_MISSMATCH", "AUTH_TOKEN_MISMATCH"),
            ("1018", "1008"),
            ("injekted", "injected"),
        ] {
            let error = render(slip, 80).unwrap_err();
            assert!(error.suggestions.iter().any(|s| s == meant), "{slip}: {error}");
            assert!(error.to_string().contains("did you mean"));
        }
        let error = render("xyzzy-plugh", 80).unwrap_err();
        assert!(
            error.suggestions.is_empty() && error.to_string().contains("1008"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn any_topic_and_width_give_a_text_or_a_printable_error(topic in any::<String>(), width in 0_usize..300) {
            match render(&topic, width) {
                Ok(text) => prop_assert!(text.ends_with('\n')),
                Err(error) => prop_assert!(!error.to_string().contains(|c: char| c.is_control())),
            }
        }

        #[test]
        fn distance_is_zero_for_equals_and_symmetric(a in "[a-d]{0,8}", b in "[a-d]{0,8}") {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            prop_assert_eq!(edit_distance(&a, &a), 0);
            prop_assert_eq!(edit_distance(&a, &b), edit_distance(&b, &a));
        }
    }
}

//! Text for the terminal: wrapping, and taming what a peer wrote.

use clw_core::units::show_duration;
use std::time::Duration;

/// Columns that a text takes. Everything printed here is one column a character.
pub(crate) fn width(text: &str) -> usize {
    text.chars().count()
}

/// A peer's text without what could steer the terminal: control characters and bidirectional overrides become `·`.
pub(crate) fn tame(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { '·' } else { c }).collect()
}

/// Cut to `limit` columns, with `…` for what is missing.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    if limit > 0 {
        kept.push('…');
    }
    kept
}

/// Breaks `text` at spaces into lines of at most `limit` columns; a longer word stands alone.
pub(crate) fn wrap(text: &str, limit: usize) -> Vec<String> {
    wrap_pieces(text.split_whitespace(), " ", limit)
}

/// Joins pieces with `joint` into lines of at most `limit` columns. A piece is never broken.
pub(crate) fn wrap_pieces<T: AsRef<str>>(
    pieces: impl IntoIterator<Item = T>,
    joint: &str,
    limit: usize,
) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces {
        let piece = piece.as_ref();
        match lines.last_mut() {
            Some(line) if width(line) + width(joint) + width(piece) <= limit => {
                line.push_str(joint);
                line.push_str(piece);
            }
            _ => lines.push(piece.to_owned()),
        }
    }
    lines
}

/// Microseconds for people.
pub(crate) fn us(micros: u64) -> String {
    show_duration(Duration::from_micros(micros))
}

/// A percentage with the digits that matter: more of them near 0 and near 100, and never rounded to these.
pub(crate) fn pct(value: f64) -> String {
    for digits in 2..=5_usize {
        let text = format!("{value:.digits$}");
        let rounded: f64 = text.parse().unwrap_or(value);
        let (lost_low, lost_high) = (value > 0.0 && rounded <= 0.0, value < 100.0 && rounded >= 100.0);
        if !lost_low && !lost_high {
            return format!("{text} %");
        }
    }
    if value < 50.0 {
        "<0.00001 %".to_owned()
    } else {
        ">99.99999 %".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_peers_text_cannot_steer_the_terminal() {
        assert_eq!(tame("a\x1b[31mb\u{202e}c\r\n"), "a·[31mb·c··");
    }

    #[test]
    fn a_percentage_never_rounds_to_all_or_nothing() {
        for (value, shown) in [
            (100.0, "100.00 %"),
            (99.9999, "99.9999 %"),
            (99.95, "99.95 %"),
            (0.0, "0.00 %"),
            (0.001, "0.001 %"),
            (99.999_999_9, ">99.99999 %"),
            (1e-9, "<0.00001 %"),
        ] {
            assert_eq!(pct(value), shown);
        }
    }

    proptest! {
        #[test]
        fn wrapped_lines_hold_all_words_and_fit(text in "([a-z]{1,9} ){0,30}", limit in 10_usize..60) {
            let lines = wrap(&text, limit);
            prop_assert!(lines.iter().all(|line| width(line) <= limit));
            prop_assert_eq!(lines.join(" "), text.trim_end());
        }

        #[test]
        fn cut_text_fits(text in ".{0,40}", limit in 0_usize..50) {
            prop_assert!(width(&cut(&text, limit)) <= limit);
        }
    }
}

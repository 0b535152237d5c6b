//! The whole dictionary as one page of Markdown: docs/endings.md.

use clw_core::verdict::{Entry, ResetClass, Side, Verdict, close_codes, entry, error_codes, reset_entry};
use std::fmt::Write as _;

const HEAD: &str = "\
# The dictionary of endings

Every ending has one name, whoever looks: the load generator, the packets, the gateway, the dashboard. The first rule that
holds, in the order of this page, gives the verdict. `clw-bench explain NAME` prints one entry, `clw-bench reproduce NAME` causes it.

This page is generated: `clw-bench explain --markdown > docs/endings.md`.
";

/// The page.
pub(crate) fn markdown() -> String {
    let mut page = HEAD.to_owned();
    contents(&mut page);
    page.push_str("\n## Verdicts\n");
    for verdict in Verdict::ALL {
        verdict_section(&mut page, entry(verdict));
    }
    close_code_table(&mut page);
    error_code_table(&mut page);
    page.push_str(
        "\n## Classes of RST\n\nFrom header evidence alone; the tests in this order.\n\n\
         | class | what it is | how it is told | what to do |\n|---|---|---|---|\n",
    );
    for class in ResetClass::ALL {
        let known = reset_entry(class);
        row(
            &mut page,
            &[&code(class.name()), known.meaning, known.test, known.fix],
        );
    }
    page
}

fn contents(page: &mut String) {
    page.push_str("\n| verdict | in plain words | first thing to do |\n|---|---|---|\n");
    for verdict in Verdict::ALL {
        let entry = entry(verdict);
        let link = format!("[{verdict}](#{})", verdict.name());
        row(page, &[&link, entry.title, entry.fix_line]);
    }
    page.push_str("\nAlso here: [close codes](#close-codes), [error codes](#error-codes), [classes of RST](#classes-of-rst).\n");
}

fn verdict_section(page: &mut String, entry: &Entry) {
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "\n### {}\n\n**{}.** {}\n",
        entry.verdict,
        entry.title,
        sentence(entry.cause_line)
    );
    let lists = [
        ("Symptoms", entry.symptoms),
        ("Causes", entry.causes),
        ("Evidence in a capture", entry.evidence.capture),
        ("Evidence at the client", entry.evidence.client),
        ("Evidence in the gateway's log", entry.evidence.gateway_log),
        ("Fixes", entry.fixes),
    ];
    for (name, items) in lists {
        if !items.is_empty() {
            let _ = write!(page, "\n{name}:\n\n");
            for item in items {
                let _ = writeln!(page, "- {}", escaped(item));
            }
        }
    }
    let dialects: Vec<_> = entry.dialects.iter().map(|dialect| dialect.name()).collect();
    let _ = write!(page, "\nReproduce: {}", escaped(entry.fault));
    let _ = write!(page, "\n\nDialects: {}.", dialects.join(", "));
    if !entry.related.is_empty() {
        let related: Vec<_> = entry
            .related
            .iter()
            .map(|verdict| format!("[{verdict}](#{})", verdict.name()))
            .collect();
        let _ = write!(page, " Related: {}.", related.join(", "));
    }
    if !entry.seed_names.is_empty() {
        let _ = write!(page, " Also called: {}.", escaped(&entry.seed_names.join("; ")));
    }
    page.push('\n');
}

fn close_code_table(page: &mut String) {
    page.push_str(
        "\n## Close codes\n\nRead the direction and the stage before the number: from each side it means something else.\n\n\
         | code | who speaks what | from | stage | reason | means | verdict |\n|---|---|---|---|---|---|---|\n",
    );
    for known in close_codes() {
        let dialect = known.dialect.map_or("any WebSocket", |dialect| dialect.name());
        let reason = match known.reason {
            None => String::new(),
            Some("") => "empty".to_owned(),
            Some(reason) => format!("“{reason}”"),
        };
        row(
            page,
            &[
                &known.code.to_string(),
                dialect,
                known.by.map_or("either", Side::name),
                known.stage.name(),
                &reason,
                known.meaning,
                &known
                    .verdict
                    .map(|verdict| code(verdict.name()))
                    .unwrap_or_default(),
            ],
        );
    }
}

fn error_code_table(page: &mut String) {
    page.push_str(
        "\n## Error codes\n\n| code | dialect | means | what to do | verdict |\n|---|---|---|---|---|\n",
    );
    for known in error_codes() {
        let verdict = known.verdict.map_or_else(
            || "the session goes on".to_owned(),
            |verdict| code(verdict.name()),
        );
        row(
            page,
            &[
                &code(known.code),
                known.dialect.name(),
                known.meaning,
                known.fix,
                &verdict,
            ],
        );
    }
}

fn row(page: &mut String, cells: &[&str]) {
    for cell in cells {
        let _ = write!(page, "| {} ", escaped(cell));
    }
    page.push_str("|\n");
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// The texts are plain: what Markdown would take for its own is kept from it.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*")
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    let rest = letters.as_str().trim_end_matches('.');
    format!(
        "{}{}.",
        first.map(String::from_iter).unwrap_or_default(),
        escaped(rest)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_docs_is_what_the_dictionary_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/endings.md");
        let kept = std::fs::read_to_string(path).unwrap();
        assert!(
            kept == markdown(),
            "docs/endings.md is old: clw-bench explain --markdown > docs/endings.md"
        );
    }

    #[test]
    fn nothing_of_the_dictionary_is_left_out() {
        let page = markdown();
        for verdict in Verdict::ALL {
            assert!(page.contains(&format!("\n### {verdict}\n")), "{verdict}");
        }
        for known in error_codes() {
            assert!(page.contains(&code(known.code)), "{}", known.code);
        }
        assert_eq!(
            page.lines().filter(|line| line.starts_with("| 1")).count()
                + page.lines().filter(|line| line.starts_with("| 4")).count(),
            close_codes().len()
        );
    }
}

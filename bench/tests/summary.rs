//! What people see.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod fixture;

use clw_bench::compare::{compare, text};
use clw_bench::output::text::{Look, summary};
use clw_bench::output::{Color, Paint};
use clw_core::report::{Report, RunInfo};
use clw_core::snapshot::Totals;
use clw_core::verdict::Verdict;

fn explain(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::AuthFailed => (
            "the gateway refused the credentials: wrong, revoked or missing token, or a signature over a stale nonce",
            "compare the token with gateway.auth.token; check the clock if identities sign",
        ),
        Verdict::ServerOverloaded => (
            "more connections waited for their login than the gateway's budget allows",
            "start more slowly: --ramp or --rate",
        ),
        Verdict::AuthDisconnected => (
            "a ready session ended without a word",
            "look at the gateway's log at that second",
        ),
        _ => ("", ""),
    }
}

fn look(width: usize, paint: Paint) -> Look<'static> {
    Look {
        width,
        paint,
        explain: &explain,
    }
}

#[test]
fn the_summary_at_80_columns() {
    insta::assert_snapshot!(summary(&fixture::report(), look(80, Paint::PLAIN)));
}

#[test]
fn the_summary_at_120_columns() {
    insta::assert_snapshot!(summary(&fixture::report(), look(120, Paint::PLAIN)));
}

/// The generator in trouble, the server's text hostile, the run interrupted.
fn troubled() -> Report {
    let mut report = fixture::report();
    report.interrupted = true;
    report.generator.fell_behind = true;
    report.generator.skipped_starts = 42;
    report.generator.errors.insert("EMFILE".to_owned(), 3);
    report.generator.lost.workers = 1;
    report.generator.lost.sessions = 120;
    report.target.server_version = Some("1.0\x1b[2J\u{202e}".to_owned());
    report
        .warnings
        .push("source addresses: only 127.0.0.1 could be used".to_owned());
    report
}

#[test]
fn the_summary_of_a_run_in_trouble() {
    insta::assert_snapshot!(summary(&troubled(), look(80, Paint::PLAIN)));
}

#[test]
fn the_summary_of_a_run_that_never_started() {
    let report = Report::new(&Totals::default(), RunInfo::default());
    insta::assert_snapshot!(summary(&report, look(80, Paint::PLAIN)));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [72, 80, 100, 108, 120, 160] {
        for report in [fixture::report(), troubled()] {
            for line in summary(&report, look(width, Paint::PLAIN)).lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn a_servers_words_cannot_steer_the_terminal() {
    let text = summary(&troubled(), look(80, Paint::PLAIN));
    assert!(!text.contains('\x1b') && !text.contains('\u{202e}'));
}

#[test]
fn colours_change_nothing_but_colours() {
    let coloured = summary(&fixture::report(), look(80, Color::Always.paint(false, None)));
    assert!(coloured.contains("\x1b[31m"));
    let mut plain = String::new();
    for (i, part) in coloured.split("\x1b[").enumerate() {
        plain.push_str(if i == 0 {
            part
        } else {
            part.split_once('m').unwrap().1
        });
    }
    assert_eq!(plain, summary(&fixture::report(), look(80, Paint::PLAIN)));
}

#[test]
fn the_comparison_at_80_columns() {
    let before = fixture::share(0, 2);
    let mut totals = fixture::share(1, 2).totals();
    totals.counters.verdicts[Verdict::AuthFailed.index()] += 200;
    totals.counters.verdicts[Verdict::Ok.index()] -= 200;
    let info = RunInfo {
        target: before.target.clone(),
        plan: before.plan.clone(),
        tool_version: before.tool_version.clone(),
        ..RunInfo::default()
    };
    let comparison = compare(&before, &Report::new(&totals, info));
    assert!(comparison.worse);
    insta::assert_snapshot!(text(&comparison, 80, Paint::PLAIN));
}

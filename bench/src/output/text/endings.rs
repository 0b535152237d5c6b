//! How sessions ended, most frequent first, each with its cause and its fix.

use super::{Explain, Page};
use crate::output::style::Role;
use crate::output::words::{cut, pct, tame};
use clw_core::report::Report;
use clw_core::units::show_count;
use clw_core::uptime::percent;
use clw_core::verdict::Verdict;

/// How many endings are explained; the rest is listed.
const EXPLAINED: usize = 6;
const NAME: usize = 28;

pub(super) fn write(page: &mut Page, report: &Report, explain: Explain<'_>) {
    let ranked = report.ranked_verdicts();
    let drops = report.ranked_drops();
    if ranked.is_empty() && drops.is_empty() {
        return;
    }
    page.title("Endings");
    let mut explained = 0;
    for &(verdict, count) in &ranked {
        line(page, verdict, count, report.sessions.started);
        if verdict.is_error() && explained < EXPLAINED {
            explained += 1;
            reasons(page, report, verdict, explain);
        }
    }
    if drops.is_empty() {
        return;
    }
    let total = drops
        .iter()
        .fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    page.line(&format!(
        "  {:<NAME$}  {:>9}",
        "followed by a reconnect",
        show_count(total)
    ));
    let note = "Connections that ended and were tried again; no session ended by them.";
    page.labelled("", 4, Role::Dim, note);
    for &(verdict, count) in &drops {
        let name = page.paint.role(
            role(verdict),
            &format!("{:<width$}", verdict.name(), width = NAME - 2),
        );
        page.line(&format!("    {name}  {:>9}", show_count(count)));
        if verdict.is_error() && explained < EXPLAINED && report.verdicts[verdict.index()] == 0 {
            explained += 1;
            reasons(page, report, verdict, explain);
        }
    }
}

fn role(verdict: Verdict) -> Role {
    match verdict {
        Verdict::Ok => Role::Good,
        Verdict::Open | Verdict::Incomplete => Role::Warn,
        _ => Role::Bad,
    }
}

fn line(page: &mut Page, verdict: Verdict, count: u64, started: u64) {
    let share = percent(count, started);
    let room = page.width.saturating_sub(NAME + 29).min(40);
    let name = page
        .paint
        .role(role(verdict), &format!("{:<NAME$}", verdict.name()));
    let bar = page.paint.role(Role::Dim, &bar(share, room));
    page.line(&format!(
        "  {name}  {:>9}  {:>11}  {bar}",
        show_count(count),
        pct(share)
    ));
}

/// A bar of eighths; anything above nothing shows.
fn bar(share: f64, room: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let most = room * 8;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most a few hundred, not negative"
    )]
    let eighths = ((share / 100.0 * most as f64).round() as usize).clamp(usize::from(share > 0.0), most);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

fn reasons(page: &mut Page, report: &Report, verdict: Verdict, explain: Explain<'_>) {
    let (cause, fix) = explain(verdict);
    for (label, text) in [("why", cause), ("fix", fix)] {
        if !text.is_empty() {
            let label = format!("    {label}");
            page.labelled(&label, 10, Role::Plain, text);
        }
    }
    if let Some(text) = report.samples.get(verdict.name()).and_then(|texts| texts.first()) {
        let shown = cut(&tame(text), (page.width - 10) * 2);
        page.labelled("    seen", 10, Role::Dim, &shown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_the_smallest_share_and_fills_at_the_whole() {
        assert_eq!(bar(0.0, 10), "");
        assert_eq!(bar(0.000_1, 10), "▏");
        assert_eq!(bar(50.0, 10), "█████");
        assert_eq!(bar(100.0, 10), "██████████");
    }
}

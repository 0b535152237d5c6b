//! What happened in live sessions, and how the generator itself was.

use super::{Written, micros};
use crate::output::text::errno_hint;
use clw_core::html::escaped;
use clw_core::report::Report;
use clw_core::units::{show_bytes, show_count};
use std::fmt::Write as _;

fn facts(out: &mut String, title: &str, facts: &[(String, String)]) -> Written {
    if facts.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h2>{title}</h2>\n<dl class=\"facts\">")?;
    for (name, value) in facts {
        writeln!(out, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(value))?;
    }
    writeln!(out, "</dl>")
}

pub(super) fn section(out: &mut String, r: &Report) -> Written {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push((name.to_owned(), value));
    let h = r.heartbeat.counts;
    if h.sent > 0 {
        let mut text = format!(
            "{} sent, {} answered, {} missed",
            show_count(h.sent),
            show_count(h.answered),
            show_count(h.missed)
        );
        if r.heartbeat.rtt_us.count > 0 {
            let rtt = r.heartbeat.rtt_us;
            let _ = write!(
                text,
                "; answered in {} (p50), {} (p99)",
                micros(rtt.p50),
                micros(rtt.p99)
            );
        }
        line("heartbeats", text);
    }
    let gap = r.heartbeat.tick_gap_us;
    if gap.count > 0 {
        line(
            "server\u{2019}s ticks",
            format!(
                "{} seen, {} apart (p50), {} at the most",
                show_count(gap.count),
                micros(gap.p50),
                micros(gap.max)
            ),
        );
    }
    let c = r.reconnect.counts;
    if c.attempts > 0 {
        let mut text = format!(
            "{} tried, {} ready again",
            show_count(c.attempts),
            show_count(c.succeeded)
        );
        let again = r.reconnect.time_to_ready_us;
        if again.count > 0 {
            let _ = write!(
                text,
                "; after {} (p50), {} (p99), back-off included",
                micros(again.p50),
                micros(again.p99)
            );
        }
        line("reconnects", text);
    }
    if r.refresh.done + r.refresh.refused > 0 {
        line(
            "token refreshes",
            format!(
                "{} done, {} refused",
                show_count(r.refresh.done),
                show_count(r.refresh.refused)
            ),
        );
    }
    if r.notifications.new > 0 {
        line(
            "signals",
            format!(
                "{} told once, {} copies left out",
                show_count(r.notifications.new),
                show_count(r.notifications.duplicates)
            ),
        );
    }
    if r.broadcasts_lost > 0 {
        line(
            "broadcasts",
            format!("{} lost (a jump in seq)", show_count(r.broadcasts_lost)),
        );
    }
    for (call, errors) in &r.calls {
        line(
            &format!("call {call}"),
            format!(
                "{} answered with an error, {} not answered",
                show_count(errors.failed),
                show_count(errors.unanswered)
            ),
        );
    }
    line(
        "traffic",
        format!(
            "{} sent in {} frames, {} received in {}",
            show_bytes(r.bytes.sent),
            show_count(r.frames.sent),
            show_bytes(r.bytes.received),
            show_count(r.frames.received)
        ),
    );
    facts(out, "While they were up", &lines)
}

pub(super) fn generator(out: &mut String, r: &Report) -> Written {
    let g = &r.generator;
    let mut lines = vec![
        (
            "CPU".to_owned(),
            match g.workers {
                0 | 1 => format!("{:.2} s", g.cpu_s),
                n => format!("{:.2} s in {} workers", g.cpu_s, show_count(n)),
            },
        ),
        ("memory".to_owned(), show_bytes(g.rss_peak_bytes)),
        (
            "starts late by".to_owned(),
            format!(
                "{} (p99), {} at the most{}",
                micros(g.schedule_lag_us.p99),
                micros(g.schedule_lag_us.max),
                if g.fell_behind {
                    ": it FELL BEHIND its schedule; lower the rate, use --ramp, or more cores with --workers"
                } else {
                    ""
                }
            ),
        ),
    ];
    if g.skipped_starts > 0 {
        lines.push((
            "starts skipped".to_owned(),
            format!(
                "{}: -c allows no more sessions at once; they are in no other figure",
                show_count(g.skipped_starts)
            ),
        ));
    }
    for (name, count) in &g.errors {
        lines.push((
            name.clone(),
            format!("{} times: {}", show_count(*count), errno_hint(name)),
        ));
    }
    for lost in &g.lost_workers {
        lines.push(("worker lost".to_owned(), lost.clone()));
    }
    facts(out, "This generator", &lines)
}

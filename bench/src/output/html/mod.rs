//! `--html`: a run as one page that can be sent to somebody, read without a network or scripts, and printed.
//!
//! Everything in it comes from the result, but for the course over time, which a result does not keep. Server versions, close
//! reasons, names of calls and the like are a peer's words: all of it is escaped.

mod course;
mod endings;
mod latency;
mod life;
mod over_time;
mod plan;

pub use course::Course;

use clw_core::html::{begin, end, escaped};
use clw_core::report::Report;
use clw_core::units::{show_count, show_duration};
use std::fmt::Write as _;
use std::time::Duration;

type Written = std::fmt::Result;

/// What a page is of.
#[derive(Clone, Copy, Debug)]
pub enum Of<'a> {
    /// A run that is over.
    Run(&'a Course),
    /// A run that goes on: what a reader finds if its end never comes.
    SoFar(&'a Course),
    /// So many results, joined.
    Joined(usize),
}

/// The page of a result.
pub fn render(report: &Report, of: Of<'_>) -> String {
    let mut out = begin(&format!("{} {}", report.target.dialect, report.target.url));
    // Writing to a String cannot fail.
    let _ = body(&mut out, report, of);
    out.push_str(&end(&format!(
        "clw-bench {}. A verdict in full: clw-bench explain NAME. How each figure comes about: docs/metrics.md.",
        report.tool_version
    )));
    out
}

fn body(out: &mut String, r: &Report, of: Of<'_>) -> Written {
    asked(out, r, of)?;
    missing(out, r, of)?;
    figures(out, r)?;
    thresholds(out, r)?;
    endings::section(out, r)?;
    match of {
        Of::Run(course) | Of::SoFar(course) => over_time::section(out, course)?,
        Of::Joined(_) => {}
    }
    latency::section(out, r)?;
    life::section(out, r)?;
    life::generator(out, r)?;
    plan::section(out, r, of)
}

fn seconds(s: f64) -> String {
    show_duration(Duration::try_from_secs_f64(s).unwrap_or_default())
}

fn micros(us: u64) -> String {
    show_duration(Duration::from_micros(us))
}

fn asked(out: &mut String, r: &Report, of: Of<'_>) -> Written {
    write!(out, "<p>")?;
    if let Of::Joined(results) = of {
        write!(out, "{results} results joined. ")?;
    }
    if let Some(asked) = plan::headline(r) {
        write!(out, "Asked: {}. ", escaped(&asked))?;
    }
    write!(
        out,
        "Ran {} of {} sessions in {}, from {}",
        show_count(r.sessions.started),
        show_count(r.sessions.planned),
        seconds(r.duration_s),
        escaped(&r.started_at)
    )?;
    match &r.target.server_version {
        Some(version) => writeln!(out, ", on server {}.</p>", escaped(version)),
        None => writeln!(out, ".</p>"),
    }
}

/// What a reader must know before the figures.
fn missing(out: &mut String, r: &Report, of: Of<'_>) -> Written {
    let mut lines = Vec::new();
    if r.interrupted {
        lines.push(match of {
            Of::SoFar(_) => "The run was still going on when this page was written; if there is no later one, its end never came.".to_owned(),
            _ => "The run was cut short: all figures are of what ran.".to_owned(),
        });
        let never = r.sessions.planned.saturating_sub(r.sessions.started);
        if never > 0 {
            lines.push(format!(
                "{} planned sessions were never started.",
                show_count(never)
            ));
        }
        if let Some(of) = plan::length(r) {
            lines.push(format!(
                "It ran {} of {}.",
                seconds(r.duration_s),
                show_duration(of)
            ));
        }
        let ended: u64 = r.verdicts.values().sum();
        let unknown = r.sessions.started.saturating_sub(ended);
        if unknown > 0 {
            lines.push(format!(
                "{} started sessions had not ended: no verdict counts them.",
                show_count(unknown)
            ));
        }
    }
    if r.generator.lost_sessions > 0 {
        lines.push(format!(
            "{} sessions were lost with a worker: how they ended is not known.",
            show_count(r.generator.lost_sessions)
        ));
    }
    if r.generator.fell_behind {
        lines.push("The generator fell behind its schedule: these latencies are partly its own.".to_owned());
    }
    lines.extend(r.warnings.iter().cloned());
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "<div class=\"note fair\">")?;
    for line in lines {
        writeln!(out, "<p>{}</p>", escaped(&line))?;
    }
    writeln!(out, "</div>")
}

/// As many decimals as say something.
fn percent(pct: f64) -> String {
    let text = format!("{pct:.3}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    format!("{short} %")
}

fn figures(out: &mut String, r: &Report) -> Written {
    let s = &r.sessions;
    let ready = r.latency_us.ready;
    let mut cards = vec![
        (
            "uptime",
            percent(r.uptime_pct),
            "of the time meant to be ready".to_owned(),
            if r.uptime_pct >= 99.9 { "good" } else { "fair" },
        ),
        (
            "errors",
            percent(r.error_rate_pct),
            format!("{} of {} sessions", show_count(r.errors()), show_count(s.started)),
            if r.errors() == 0 { "good" } else { "bad" },
        ),
    ];
    if ready.count > 0 {
        cards.push((
            "ready, p99",
            micros(ready.p99),
            format!("p50 {}", micros(ready.p50)),
            "dim",
        ));
    }
    cards.push((
        "open at once",
        show_count(s.peak_open),
        format!("{} became ready", show_count(s.ready)),
        "dim",
    ));
    if s.dropped > 0 {
        cards.push((
            "drops",
            show_count(s.dropped),
            format!("{} times ready again", show_count(s.reconnected)),
            "fair",
        ));
    }
    if !r.thresholds.is_empty() {
        let held = r.thresholds.iter().filter(|t| t.passed).count();
        cards.push((
            "thresholds",
            format!("{held} of {}", r.thresholds.len()),
            if r.passed { "all held" } else { "not all held" }.to_owned(),
            if r.passed { "good" } else { "bad" },
        ));
    }
    write!(out, "<dl class=\"figures\">")?;
    for (name, value, words, class) in cards {
        write!(
            out,
            "<div class=\"{class}\"><dt>{name}</dt><dd>{value}</dd><dd>{words}</dd></div>"
        )?;
    }
    writeln!(out, "</dl>")
}

fn thresholds(out: &mut String, r: &Report) -> Written {
    if r.thresholds.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h2>Thresholds</h2>\n<div class=\"wide\"><table>\n<thead><tr><th></th><th>asked</th><th>observed</th></tr></thead>\n<tbody>"
    )?;
    for t in &r.thresholds {
        let (sign, class, word) = if t.passed {
            ("\u{2713}", "good", "held")
        } else {
            ("\u{2717}", "bad", "crossed")
        };
        writeln!(
            out,
            "<tr><td class=\"{class}\">{sign} {word}</td><td><code>{}</code></td><td>{}</td></tr>",
            escaped(&t.expr),
            escaped(&t.says)
        )?;
    }
    writeln!(out, "</tbody>\n</table></div>")
}

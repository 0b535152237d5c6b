//! `--html`: one file that can be sent to somebody and read without a network, in light and dark.
//!
//! Everything that came from the capture is escaped. Memory does not grow with the capture: endings are counted in at most
//! a few hundred slots, and a few sessions of each verdict are shown.

mod timeline;

pub use timeline::Timeline;

use crate::output::text::STAGES;
use crate::output::text::incidents::{endings_of, greatest, length, missed, pace, usual};
use crate::record::Record;
use crate::source::CaptureSummary;
use crate::totals::{Totals, ender, is_error};
use clw_core::html::{self, escaped};
use clw_core::report::ThresholdResult;
use clw_core::units::{show_bytes, show_count, show_duration};
use clw_core::verdict::{Verdict, entry};
use std::fmt::Write as _;
use std::time::Duration;

/// Incidents shown, and silences.
const INCIDENTS: usize = 20;
/// Sessions shown.
const WORTH_A_LOOK: usize = 60;
/// Warnings shown.
const WARNINGS: usize = 40;

type Written = std::fmt::Result;

/// The page.
pub fn render(
    capture: &CaptureSummary,
    totals: &Totals,
    timeline: &Timeline,
    thresholds: &[ThresholdResult],
    evicted: u64,
) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = page(&mut out, capture, totals, timeline, thresholds, evicted);
    out
}

fn page(
    out: &mut String,
    capture: &CaptureSummary,
    totals: &Totals,
    timeline: &Timeline,
    thresholds: &[ThresholdResult],
    evicted: u64,
) -> Written {
    let files = match capture.files.as_slice() {
        [one] => one.clone(),
        files => format!("{} files", files.len()),
    };
    out.push_str(&html::begin(&files));
    head(out, capture, totals)?;
    incidents(out, totals)?;
    out.push_str(&timeline.svg());
    endings(out, totals)?;
    figures(out, totals)?;
    held(out, thresholds)?;
    sessions(out, totals)?;
    limits(out, capture, evicted)?;
    out.push_str(&html::end(concat!(
        "clw-analyze ",
        env!("CARGO_PKG_VERSION"),
        ". Frame numbers are those of Wireshark for a single file."
    )));
    Ok(())
}

fn head(out: &mut String, capture: &CaptureSummary, totals: &Totals) -> Written {
    let s = &totals.summary;
    write!(
        out,
        "<p>{} packets, {}",
        show_count(capture.packets),
        show_bytes(capture.bytes)
    )?;
    if let (Some(first), Some(last)) = (capture.first_ns, capture.last_ns) {
        let length = show_duration(Duration::from_nanos(last.saturating_sub(first)));
        write!(out, ", {length} from {}", crate::judge::rfc3339(first))?;
    }
    writeln!(out, ".</p>")?;
    let bad = totals.errors();
    let dialects: Vec<_> = s
        .by_dialect
        .iter()
        .map(|(name, n)| format!("{} {name}", show_count(*n)))
        .collect();
    writeln!(
        out,
        "<dl class=\"figures\"><div class=\"{}\"><dt>errors</dt><dd>{} %</dd><dd>{} of {} sessions</dd></div>\
         <div><dt>connections</dt><dd>{}</dd><dd>{}</dd></div><div><dt>heartbeat gaps</dt><dd>{}</dd></div></dl>",
        if bad > 0 { "bad" } else { "good" },
        s.error_rate_pct,
        show_count(bad),
        show_count(s.sessions),
        show_count(s.connections),
        escaped(&dialects.join(", ")),
        show_count(s.heartbeat_gaps)
    )
}

fn is_bad(name: &str) -> bool {
    Verdict::from_name(name).is_some_and(is_error)
}

fn incidents(out: &mut String, totals: &Totals) -> Written {
    let (incidents, silences) = (&totals.summary.incidents, &totals.summary.silences);
    if incidents.is_empty() && silences.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h2>What happened</h2>\n<ul class=\"incidents\">")?;
    for incident in greatest(incidents, INCIDENTS, |incident| incident.sessions) {
        write!(
            out,
            "<li><b>{} sessions</b> of {} ended <b>{}</b> ",
            show_count(incident.sessions),
            incident.server,
            endings_of(incident),
        )?;
        let (length, at) = (length(incident), escaped(&incident.at));
        if incident.is_lasting {
            let until = escaped(&incident.until);
            write!(out, "over {length}, {}, from {at} to {until}", pace(incident))?;
        } else {
            write!(out, "within {length}, at {at}")?;
        }
        if let Some(usual) = usual(incident) {
            write!(out, ", {usual}")?;
        }
        writeln!(out, ": {}.</li>", escaped(&incident.cause))?;
    }
    if incidents.len() > INCIDENTS {
        writeln!(out, "<li>… and {} smaller ones</li>", incidents.len() - INCIDENTS)?;
    }
    for silence in greatest(silences, INCIDENTS, |silence| silence.gaps) {
        write!(out, "<li><b>{}</b>", missed(silence))?;
        let until = escaped(&silence.until);
        if silence.is_lasting {
            let (gaps, last) = (show_count(silence.gaps), escaped(&silence.last_until));
            write!(out, " in {gaps} silences, which ended from {until} to {last},")?;
        } else {
            write!(out, ", until {until},")?;
        }
        writeln!(out, " and went on: {}.</li>", escaped(silence.cause))?;
    }
    if silences.len() > INCIDENTS {
        writeln!(
            out,
            "<li>… and {} smaller silences</li>",
            silences.len() - INCIDENTS
        )?;
    }
    writeln!(out, "</ul>")
}

fn endings(out: &mut String, totals: &Totals) -> Written {
    let s = &totals.summary;
    let mut ranked: Vec<_> = s.by_verdict.iter().collect();
    ranked.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), **name));
    writeln!(
        out,
        "<h2>How sessions ended</h2>\n<div class=\"wide\"><table>\n<thead><tr><th class=\"number\">sessions</th>\
         <th class=\"number\">share</th><th>ending</th><th>by</th><th>cause and fix</th></tr></thead>\n<tbody>"
    )?;
    for (name, count) in ranked {
        let Some(verdict) = Verdict::from_name(name) else {
            continue;
        };
        let share = *count as f64 * 100.0 / s.sessions.max(1) as f64;
        let class = if is_error(verdict) { "bad" } else { "good" };
        write!(
            out,
            "<tr><td class=\"number\">{}</td><td class=\"number\">{share:.2} %</td><td class=\"{class}\">{name}</td><td>{}</td><td>",
            show_count(*count),
            Some(ender(totals.enders.get(name)))
                .filter(|by| *by != "unknown")
                .unwrap_or_default()
        )?;
        if is_error(verdict) {
            explained(out, verdict)?;
        }
        writeln!(out, "</td></tr>")?;
    }
    writeln!(out, "</tbody>\n</table></div>")
}

fn explained(out: &mut String, verdict: Verdict) -> Written {
    let entry = entry(verdict);
    write!(
        out,
        "{}<br><i>{}</i><details><summary>more</summary>",
        escaped(entry.cause_line),
        escaped(entry.fix_line)
    )?;
    for (title, lines) in [
        ("Causes", entry.causes),
        ("In a capture", entry.evidence.capture),
        ("Fixes", entry.fixes),
    ] {
        write!(out, "<h3>{title}</h3><ul>")?;
        for line in lines {
            write!(out, "<li>{}</li>", escaped(line))?;
        }
        write!(out, "</ul>")?;
    }
    write!(out, "</details>")
}

fn figures(out: &mut String, totals: &Totals) -> Written {
    let s = &totals.summary;
    let list = |pairs: Vec<String>| {
        if pairs.is_empty() {
            "none".to_owned()
        } else {
            pairs.join(", ")
        }
    };
    let codes = list(
        s.by_close_code
            .iter()
            .map(|(code, n)| format!("{code} × {}", show_count(*n)))
            .collect(),
    );
    let resets = list(
        s.by_rst_class
            .iter()
            .map(|(class, n)| format!("{class} × {}", show_count(*n)))
            .collect(),
    );
    writeln!(
        out,
        "<h2>Figures</h2>\n<dl class=\"facts\"><dt>close codes</dt><dd>{codes} <small>(1005: empty close frame; 1006: none came)</small></dd>\
         <dt>resets</dt><dd>{resets}</dd>"
    )?;
    let us = |us: u64| show_duration(Duration::from_micros(us));
    for (name, words) in STAGES {
        if let Some(took) = s.stages_us.get(name) {
            writeln!(
                out,
                "<dt>{words}</dt><dd>p50 {}, p90 {}, p99 {}, max {} <small>({} sessions)</small></dd>",
                us(took.p50),
                us(took.p90),
                us(took.p99),
                us(took.max),
                show_count(took.count)
            )?;
        }
    }
    writeln!(out, "</dl>")
}

fn held(out: &mut String, thresholds: &[ThresholdResult]) -> Written {
    if thresholds.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h2>Thresholds</h2>\n<ul>")?;
    for t in thresholds {
        let (sign, class) = if t.passed { ("✓", "good") } else { ("✗", "bad") };
        writeln!(
            out,
            "<li class=\"{class}\">{sign} <code>{}</code> {}</li>",
            escaped(&t.expr),
            escaped(&t.says)
        )?;
    }
    writeln!(out, "</ul>")
}

fn sessions(out: &mut String, totals: &Totals) -> Written {
    let mut worth: Vec<&Record> = totals
        .examples
        .iter()
        .filter(|(name, _)| is_bad(name) || **name == Verdict::Incomplete.name())
        .flat_map(|(_, records)| records)
        .collect();
    if worth.is_empty() {
        return Ok(());
    }
    worth.sort_by_key(|record| {
        std::cmp::Reverse(totals.summary.by_verdict.get(record.verdict.unwrap_or_default()))
    });
    writeln!(
        out,
        "<h2>Worth a look</h2>\n<div class=\"wide\"><table>\n<thead><tr><th class=\"number\">#</th><th>client</th><th>server</th>\
         <th>start</th><th class=\"number\">length</th><th>ending</th><th>evidence</th></tr></thead>\n<tbody>"
    )?;
    for record in worth.into_iter().take(WORTH_A_LOOK) {
        let evidence: Vec<_> = record.evidence.iter().map(|line| escaped(line)).collect();
        writeln!(
            out,
            "<tr><td class=\"number\">{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"number\">{}</td><td>{}<br><small>confidence {:.2}</small></td><td>{}</td></tr>",
            record.id,
            record.client,
            record.server,
            escaped(&record.start),
            show_duration(Duration::from_secs_f64(record.duration_ms / 1e3)),
            record.verdict.unwrap_or_default(),
            record.confidence,
            evidence.join("<br>")
        )?;
    }
    writeln!(out, "</tbody>\n</table></div>")
}

fn limits(out: &mut String, capture: &CaptureSummary, evicted: u64) -> Written {
    let mut lines = Vec::new();
    if capture.truncated_packets > 0 {
        lines.push(format!(
            "{} packets were cut by a snap length",
            show_count(capture.truncated_packets)
        ));
    }
    if let Some(dropped) = capture.dropped().filter(|dropped| *dropped > 0) {
        lines.push(format!(
            "{} packets were dropped by the capture itself",
            show_count(dropped)
        ));
    }
    if evicted > 0 {
        lines.push(format!(
            "{} connections were given up: too many were open",
            show_count(evicted)
        ));
    }
    for (reason, count) in &capture.skipped {
        lines.push(format!("{} packets skipped: {reason}", show_count(*count)));
    }
    for warning in capture.warnings.iter().take(WARNINGS) {
        lines.push(capture.describe(warning));
    }
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h2>What the capture lacks</h2>\n<ul>")?;
    for line in lines {
        writeln!(out, "<li>{}</li>", escaped(&line))?;
    }
    writeln!(out, "</ul>")
}

//! The report for people.

pub(super) mod incidents;

use crate::join::Joins;
use crate::join::peer::Comparison;
use crate::record::Record;
use crate::source::CaptureSummary;
use crate::totals::{Totals, ender, is_error};
use clw_core::report::ThresholdResult;
use clw_core::text::{Paint, Role, fold};
use clw_core::units::{show_bytes, show_count, show_duration};
use clw_core::verdict::{Verdict, entry};
use std::fmt::Write as _;
use std::time::Duration;

/// Sessions shown as worth a look.
const WORTH_A_LOOK: usize = 6;
/// Lines of evidence shown of each.
const EVIDENCE: usize = 5;
/// Warnings shown.
const WARNINGS: usize = 6;

type Written = std::fmt::Result;

/// How the report looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Colours.
    pub paint: Paint,
    /// Columns.
    pub width: usize,
    /// More sessions, with all of their evidence.
    pub is_verbose: bool,
}

/// The whole report.
pub fn render(
    capture: &CaptureSummary,
    totals: &Totals,
    joins: &Joins,
    thresholds: &[ThresholdResult],
    evicted: u64,
    look: &Look,
) -> String {
    let mut out = String::new();
    let paint = look.paint;
    // Writing to a String cannot fail.
    let _ = head(&mut out, capture, totals, paint);
    let _ = incidents::incidents(&mut out, totals, paint);
    let _ = endings(&mut out, totals, paint);
    let _ = stages(&mut out, totals, paint);
    let _ = sessions(&mut out, totals, look);
    let _ = joined(&mut out, joins, paint);
    let _ = limits(&mut out, capture, totals, evicted, paint);
    let _ = held(&mut out, thresholds, paint);
    let _ = next(&mut out, capture, totals, paint);
    fold(&out, look.width)
}

fn heading(out: &mut String, paint: Paint, text: &str) -> Written {
    writeln!(out, "\n{}", paint.paint(Role::Heading, text))
}

fn head(out: &mut String, capture: &CaptureSummary, totals: &Totals, paint: Paint) -> Written {
    let files = match capture.files.as_slice() {
        [one] => one.clone(),
        files => format!("{} files", files.len()),
    };
    writeln!(out, "{}", paint.paint(Role::Heading, &files))?;
    write!(
        out,
        "captured  {} packets, {}",
        show_count(capture.packets),
        show_bytes(capture.bytes)
    )?;
    if let (Some(first), Some(last)) = (capture.first_ns, capture.last_ns) {
        let length = Duration::from_nanos(last.saturating_sub(first));
        write!(
            out,
            ", {} from {}",
            show_duration(length),
            crate::judge::rfc3339(first)
        )?;
    }
    let s = &totals.summary;
    let dialects: Vec<_> = s
        .by_dialect
        .iter()
        .map(|(name, n)| format!("{} {name}", show_count(*n)))
        .collect();
    writeln!(out)?;
    let list = if dialects.is_empty() {
        String::new()
    } else {
        format!(": {}", dialects.join(", "))
    };
    writeln!(out, "contains  {} connections{list}", show_count(s.connections))?;
    let rate = format!("{:>6} %", s.error_rate_pct);
    let role = if s.error_rate_pct > 0.0 {
        Role::Bad
    } else {
        Role::Good
    };
    writeln!(
        out,
        "errors  {}   {} of {} sessions",
        paint.paint(role, &rate),
        show_count(totals.errors()),
        show_count(s.sessions)
    )?;
    if s.helpers > 0 {
        writeln!(
            out,
            "helpers   {} left before connect: harmless, not counted as errors",
            show_count(s.helpers)
        )?;
    }
    let resets: Vec<_> = s
        .by_rst_class
        .iter()
        .map(|(class, n)| format!("{n} {class}"))
        .collect();
    if !resets.is_empty() {
        writeln!(out, "resets    {}", resets.join(", "))?;
    }
    if s.heartbeat_gaps > 0 {
        writeln!(out, "gaps      {} in heartbeats", show_count(s.heartbeat_gaps))?;
    }
    if s.one_way_losses > 0 {
        let count = show_count(s.one_way_losses);
        writeln!(
            out,
            "one-way   {count} with UDP heartbeats that went out and were not answered; the stream lived"
        )?;
    }
    Ok(())
}

fn is_bad(name: &str) -> bool {
    Verdict::from_name(name).is_some_and(is_error)
}

fn endings(out: &mut String, totals: &Totals, paint: Paint) -> Written {
    let s = &totals.summary;
    if s.by_verdict.is_empty() {
        return Ok(());
    }
    heading(out, paint, "How sessions ended")?;
    let mut ranked: Vec<_> = s.by_verdict.iter().collect();
    ranked.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), **name));
    for (name, count) in ranked {
        let Some(verdict) = Verdict::from_name(name) else {
            continue;
        };
        let share = *count as f64 * 100.0 / s.sessions.max(1) as f64;
        let role = if is_error(verdict) { Role::Bad } else { Role::Good };
        let by = match ender(totals.enders.get(name)) {
            "unknown" => String::new(),
            side => format!("by {side}"),
        };
        writeln!(
            out,
            "{:>9}  {share:>6.2} %  {} {by}",
            show_count(*count),
            paint.paint(role, &format!("{name:<26}"))
        )?;
        if is_error(verdict) {
            let entry = entry(verdict);
            writeln!(out, "                     why  {}", entry.cause_line)?;
            writeln!(out, "                     fix  {}", entry.fix_line)?;
        }
    }
    let codes: Vec<_> = s
        .by_close_code
        .iter()
        .map(|(code, n)| format!("{code} × {}", show_count(*n)))
        .collect();
    if !codes.is_empty() {
        writeln!(out, "  close codes: {}", codes.join(", "))?;
    }
    Ok(())
}

/// What each stage of the handshake took, in the order of the handshake.
pub(super) const STAGES: [(&str, &str); 4] = [
    ("upgrade", "request to 101"),
    ("challenge", "101 to challenge"),
    ("auth", "first message to hello"),
    ("ready", "first packet to ready"),
];

fn stages(out: &mut String, totals: &Totals, paint: Paint) -> Written {
    let took = &totals.summary.stages_us;
    if took.is_empty() {
        return Ok(());
    }
    heading(out, paint, "How long the handshake took")?;
    writeln!(
        out,
        "  {:<24}{:>9}{:>11}{:>11}{:>11}",
        "", "sessions", "p50", "p90", "max"
    )?;
    for (name, words) in STAGES {
        if let Some(h) = took.get(name) {
            let us = |us: u64| show_duration(Duration::from_micros(us));
            writeln!(
                out,
                "  {words:<24}{:>9}{:>11}{:>11}{:>11}",
                show_count(h.count),
                us(h.p50),
                us(h.p90),
                us(h.max)
            )?;
        }
    }
    Ok(())
}

fn sessions(out: &mut String, totals: &Totals, look: &Look) -> Written {
    let (each, most, lines) = if look.is_verbose {
        (usize::MAX, usize::MAX, usize::MAX)
    } else {
        (1, WORTH_A_LOOK, EVIDENCE)
    };
    let mut bad: Vec<&Record> = totals
        .examples
        .iter()
        .filter(|(name, _)| is_bad(name) || **name == Verdict::Incomplete.name())
        .flat_map(|(_, records)| records.iter().take(each))
        .collect();
    if bad.is_empty() {
        return Ok(());
    }
    bad.sort_by_key(|record| {
        std::cmp::Reverse(totals.summary.by_verdict.get(record.verdict.unwrap_or_default()))
    });
    heading(out, look.paint, "Worth a look")?;
    for record in bad.into_iter().take(most) {
        let title = format!(
            "  #{} {} → {}, {}, {}",
            record.id,
            record.client,
            record.server,
            show_duration(Duration::from_secs_f64(record.duration_ms / 1e3)),
            record.verdict.unwrap_or_default()
        );
        writeln!(out, "{title} (confidence {:.2})", record.confidence)?;
        for line in record.evidence.iter().take(lines) {
            writeln!(out, "      {line}")?;
        }
    }
    Ok(())
}

fn joined(out: &mut String, joins: &Joins, paint: Paint) -> Written {
    if let Some(peer) = &joins.peer {
        compared(out, peer, paint)?;
    }
    let agreements = [("journal", &joins.journal), ("log", &joins.log)];
    for (name, a) in agreements
        .iter()
        .filter_map(|(name, a)| Some((name, a.as_ref()?)))
    {
        heading(out, paint, &format!("Joined with the {name}"))?;
        let sign = if a.disagree == 0 {
            paint.paint(Role::Good, "✓")
        } else {
            paint.paint(Role::Bad, "✗")
        };
        writeln!(
            out,
            "  {sign} {} of {} sessions agree, {} disagree, of {} the capture or the {name} says too little",
            show_count(a.agree),
            show_count(a.joined),
            show_count(a.disagree),
            show_count(a.undecided)
        )?;
        if a.only_other + a.only_wire > 0 {
            writeln!(
                out,
                "    {} only in the {name}, {} only in the capture",
                show_count(a.only_other),
                show_count(a.only_wire)
            )?;
        }
        for d in a.disagreements.iter().take(5) {
            writeln!(
                out,
                "    #{} {}: the wire shows {}, the {name} says {}",
                d.id, d.client, d.wire, d.other
            )?;
            for line in d.wire_evidence.iter().take(2) {
                writeln!(out, "        wire: {line}")?;
            }
            for line in d.other_evidence.iter().take(2) {
                writeln!(out, "        {name}: {line}")?;
            }
        }
    }
    Ok(())
}

fn compared(out: &mut String, peer: &Comparison, paint: Paint) -> Written {
    heading(out, paint, "Compared with the other side")?;
    let Some(here) = peer.here else {
        return writeln!(
            out,
            "  no packet is in both captures: other sessions, a proxy, or a NAT whose SYNs were not captured"
        );
    };
    writeln!(
        out,
        "  this capture is the {}'s side; {} connections are in both ({} through a NAT), {} only here",
        here.name(),
        show_count(peer.joined),
        show_count(peer.translated),
        show_count(peer.only_here)
    )?;
    if let (Some(path), Some(offset)) = (peer.one_way_ms, peer.clock_offset_ms) {
        writeln!(
            out,
            "  {path:.2} ms apart at the least; the other clock is {offset:+.2} ms off"
        )?;
    }
    if peer.is_partial {
        writeln!(
            out,
            "  the other capture is too large to tell losses packet by packet"
        )?;
    } else {
        writeln!(
            out,
            "  lost on the way: {} of the {}'s packets, {} of the other side's",
            show_count(peer.lost_outgoing),
            here.name(),
            show_count(peer.lost_incoming)
        )?;
    }
    for finding in peer.findings.iter().take(10) {
        writeln!(out, "  {}", paint.paint(Role::Bad, finding))?;
    }
    Ok(())
}

fn limits(
    out: &mut String,
    capture: &CaptureSummary,
    totals: &Totals,
    evicted: u64,
    paint: Paint,
) -> Written {
    let mut lines = Vec::new();
    let unheard = totals.summary.unheard;
    for (side, count) in [("client", unheard.client), ("server", unheard.server)] {
        if count > 0 {
            lines.push(format!(
                "{} connections without any packet of the {side}: one direction was captured; a capture at the {side} would tell (--peer)",
                show_count(count)
            ));
        }
    }
    if capture.truncated_packets > 0 {
        lines.push(format!(
            "{} packets were cut by a snap length; capture with `tcpdump -s 0` to see all of them",
            show_count(capture.truncated_packets)
        ));
    }
    if let Some(dropped) = capture.dropped().filter(|dropped| *dropped > 0) {
        lines.push(format!(
            "{} packets were dropped by the capture itself; give tcpdump a larger buffer (-B)",
            show_count(dropped)
        ));
    }
    if evicted > 0 {
        lines.push(format!(
            "{} connections were given up because too many were open at once; raise --max-open",
            show_count(evicted)
        ));
    }
    for (reason, count) in &capture.skipped {
        lines.push(format!("{} packets skipped: {reason}", show_count(*count)));
    }
    for warning in capture.warnings.iter().take(WARNINGS) {
        lines.push(capture.describe(warning));
    }
    let more = capture.warnings.len().saturating_sub(WARNINGS) as u64 + capture.warnings_not_kept();
    if more > 0 {
        lines.push(format!(
            "… and {} warnings more (--json has them)",
            show_count(more)
        ));
    }
    if lines.is_empty() {
        return Ok(());
    }
    heading(out, paint, "What the capture lacks")?;
    for line in lines {
        writeln!(out, "  {}", paint.paint(Role::Warn, &line))?;
    }
    Ok(())
}

fn held(out: &mut String, thresholds: &[ThresholdResult], paint: Paint) -> Written {
    if thresholds.is_empty() {
        return Ok(());
    }
    heading(out, paint, "Thresholds")?;
    for threshold in thresholds {
        let (sign, role) = if threshold.passed {
            ("✓", Role::Good)
        } else {
            ("✗", Role::Bad)
        };
        writeln!(
            out,
            "  {} {:<28} {}",
            paint.paint(role, sign),
            threshold.expr,
            threshold.says
        )?;
    }
    Ok(())
}

fn next(out: &mut String, capture: &CaptureSummary, totals: &Totals, paint: Paint) -> Written {
    let worst = totals
        .examples
        .iter()
        .filter(|(name, _)| is_bad(name))
        .max_by_key(|(name, _)| totals.summary.by_verdict.get(*name))
        .and_then(|(_, records)| records.first());
    let Some(record) = worst else { return Ok(()) };
    heading(out, paint, "Next")?;
    let file = capture.files.first().map_or("FILE", String::as_str);
    writeln!(
        out,
        "  clw-analyze {file} --conn {}   its packets in order",
        record.id
    )?;
    writeln!(
        out,
        "  clw-bench explain {}   symptoms, causes, evidence, fixes",
        record.verdict.unwrap_or_default()
    )
}

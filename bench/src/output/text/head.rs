//! What was asked, how it went, the two figures that matter.

use super::Page;
use crate::output::style::Role;
use crate::output::words::{pct, tame};
use clw_core::report::Report;
use clw_core::units::{show_count, show_duration};
use serde_json::Value;
use std::time::Duration;

const LABEL: usize = 10;

pub(super) fn write(page: &mut Page, report: &Report) {
    let target = &report.target;
    let version = target
        .server_version
        .as_ref()
        .map(|version| format!("gateway {}", tame(version)));
    let url = tame(&target.url);
    page.pieces(
        "target",
        LABEL,
        [
            Some(url).filter(|url| !url.is_empty()),
            Some(target.dialect.to_string()),
            version,
        ]
        .into_iter()
        .flatten(),
    );
    let asked = asked(&report.plan);
    if !asked.is_empty() {
        page.pieces("asked", LABEL, asked);
    }
    page.pieces("ran", LABEL, ran(report));
    if report.interrupted {
        page.labelled(
            "",
            LABEL,
            Role::Warn,
            "interrupted: the plan was not done; the figures are of what ran",
        );
    }
    page.blank();
    if report.sessions.started == 0 {
        let text = "none was started, so there is no uptime and no error rate";
        page.labelled("sessions", 12, Role::Bad, text);
        return;
    }
    let uptime = if report.uptime_pct >= 99.9 {
        Role::Good
    } else if report.uptime_pct >= 99.0 {
        Role::Warn
    } else {
        Role::Bad
    };
    let errors = if report.errors() == 0 {
        Role::Good
    } else {
        Role::Bad
    };
    let (uptime, errors) = (
        page.paint.role(uptime, &pct(report.uptime_pct)),
        page.paint.role(errors, &pct(report.error_rate_pct)),
    );
    let uptime_us = &report.uptime_us;
    let basis = if uptime_us.meant == 0 {
        "share of sessions that became ready; nothing was held".to_owned()
    } else {
        let meant = session_time(uptime_us.meant);
        match uptime_us.meant.saturating_sub(uptime_us.ready) {
            0 => format!("ready for all of {meant} session-time"),
            missing => format!("not ready for {} of {meant} session-time", session_time(missing)),
        }
    };
    page.line(&format!(
        "{:<12}{uptime}   {}",
        "uptime",
        page.paint.role(Role::Dim, &basis)
    ));
    let failed = format!(
        "{} of {} sessions ended in an error",
        show_count(report.errors()),
        show_count(report.sessions.started)
    );
    page.line(&format!(
        "{:<12}{errors}   {}",
        "error rate",
        page.paint.role(Role::Dim, &failed)
    ));
    let sessions = &report.sessions;
    let mut counts = vec![
        ("started", sessions.started),
        ("ready", sessions.ready),
        ("completed", sessions.completed),
    ];
    counts.push(("failed", sessions.failed));
    let rare = [
        ("dropped", sessions.dropped),
        ("reconnected", sessions.reconnected),
    ];
    counts.extend(rare.into_iter().filter(|(_, count)| *count > 0));
    counts.push(("most open at once", sessions.peak_open));
    page.pieces(
        "sessions",
        12,
        counts
            .into_iter()
            .map(|(name, count)| format!("{name} {}", show_count(count))),
    );
}

fn ran(report: &Report) -> Vec<String> {
    let mut pieces = vec![seconds(report.duration_s)];
    if !report.started_at.is_empty() {
        pieces.push(format!("started {}", tame(&report.started_at)));
    }
    if report.duration_s > 0.0 {
        pieces.push(format!(
            "{:.0} sessions/s ready",
            report.sessions.ready as f64 / report.duration_s
        ));
    }
    pieces
}

fn seconds(value: f64) -> String {
    show_duration(Duration::try_from_secs_f64(value.max(0.0)).unwrap_or_default())
}

/// Session-time: `1h 20m` of one session or of many are the same.
fn session_time(micros: u64) -> String {
    show_duration(Duration::from_micros(micros))
}

/// Keys of a plan that lead, with the words for them.
const FIRST: [(&str, &str); 7] = [
    ("total", "sessions in all"),
    ("sessions", "at once"),
    ("rate", "a second"),
    ("duration_s", "for"),
    ("ramp_s", "ramp"),
    ("hold_s", "hold"),
    ("seed", "seed"),
];

/// The plan in pieces. Its text field `asked`, where it has one, says it all; otherwise its plain fields are listed.
fn asked(plan: &Value) -> Vec<String> {
    if let Some(text) = plan.get("asked").and_then(Value::as_str) {
        return text.split(" · ").map(tame).collect();
    }
    let Some(fields) = plan.as_object() else {
        return Vec::new();
    };
    let mut pieces = Vec::new();
    for (key, words) in FIRST {
        let Some(value) = fields.get(key) else { continue };
        match (key, value.as_u64(), value.as_f64()) {
            ("seed", Some(seed), _) => pieces.push(format!("seed {seed}")),
            ("total" | "sessions" | "rate", Some(count), _) => {
                pieces.push(format!("{} {words}", show_count(count)));
            }
            ("total" | "sessions" | "rate", _, Some(number)) => pieces.push(format!("{number} {words}")),
            (_, _, Some(time)) => pieces.push(format!("{words} {}", seconds(time))),
            _ => {}
        }
    }
    let rest = fields
        .iter()
        .filter(|(key, _)| FIRST.iter().all(|(first, _)| first != key));
    pieces.extend(rest.filter_map(|(key, value)| {
        let shown = match value {
            Value::String(text) if !text.is_empty() => tame(text),
            Value::Number(number) => number.to_string(),
            Value::Bool(true) => return Some(tame(key)),
            _ => return None,
        };
        match key.strip_suffix("_s").zip(value.as_f64()) {
            Some((name, time)) => Some(format!("{} {}", tame(name), seconds(time))),
            None => Some(format!("{} {shown}", tame(key))),
        }
    }));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plan_reads_as_people_ask_it() {
        let plan = json!({"seed": 7, "sessions": 500, "total": 10_000, "hold_s": 1.5, "role": "operator",
            "reconnect": true, "shard": null, "timeout_s": 10});
        assert_eq!(
            asked(&plan).join(" · "),
            "10 000 sessions in all · 500 at once · hold 1.50 s · seed 7 · reconnect · role operator · timeout 10.0 s"
        );
        assert_eq!(asked(&json!({"asked": "a · b", "total": 1})), ["a", "b"]);
        assert!(asked(&Value::Null).is_empty());
    }
}

//! Judging a result.

use super::metric::{Stat, Subject, Unit};
use super::parse::{Operator, Threshold};
use crate::histogram::Summary;
use crate::report::Report;
use crate::units::{show_count, show_duration};
use crate::uptime::percent;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A threshold and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Judged {
    /// The expression.
    pub expr: String,
    /// What was measured; `None` if there is nothing to compare.
    pub observed: Option<f64>,
    /// The unit of `observed`, `bound` and `margin`.
    pub unit: Unit,
    /// What it had to hold against.
    pub bound: f64,
    /// Whether it held. Without data it did not.
    pub passed: bool,
    /// How far `observed` is from the bound: positive with room to spare, negative where it was crossed.
    pub margin: Option<f64>,
    /// Why there is nothing to compare, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Threshold {
    /// Judges a result.
    pub fn evaluate(&self, report: &Report) -> Judged {
        let (observed, note) = match self.subject.observe(report) {
            Ok(observed) => (Some(observed), None),
            Err(note) => (None, Some(note)),
        };
        Judged {
            expr: self.expr.clone(),
            observed,
            unit: self.unit(),
            bound: self.bound,
            passed: observed.is_some_and(|observed| self.operator.holds(observed, self.bound)),
            margin: observed.map(|observed| self.operator.margin(observed, self.bound)),
            note,
        }
    }
}

impl Operator {
    fn holds(self, observed: f64, bound: f64) -> bool {
        let equal = (observed - bound).abs() < 1e-9;
        match self {
            Self::Less => observed < bound && !equal,
            Self::AtMost => observed < bound || equal,
            Self::Greater => observed > bound && !equal,
            Self::AtLeast => observed > bound || equal,
            Self::Equal => equal,
            Self::NotEqual => !equal,
        }
    }

    fn margin(self, observed: f64, bound: f64) -> f64 {
        match self {
            Self::Less | Self::AtMost => bound - observed,
            Self::Greater | Self::AtLeast => observed - bound,
            Self::Equal => -(observed - bound).abs(),
            Self::NotEqual => (observed - bound).abs(),
        }
    }
}

impl Subject {
    /// The observed value, or why there is none.
    fn observe(&self, report: &Report) -> Result<f64, String> {
        let started = |value: f64| {
            if report.sessions.started == 0 {
                Err("no session was started".to_owned())
            } else {
                Ok(value)
            }
        };
        match self {
            Self::Uptime => started(report.uptime_pct),
            Self::ErrorRate => started(report.error_rate_pct),
            Self::ReconnectSuccess if report.reconnect.attempts == 0 => {
                Err("no reconnect was attempted".to_owned())
            }
            Self::ReconnectSuccess => Ok(percent(report.reconnect.succeeded, report.reconnect.attempts)),
            Self::Latency(name, stat) => match report.histograms.get(name) {
                Some(histogram) => Ok(stat.of(&histogram.summary())),
                None => Err(format!(
                    "nothing was recorded for {name}{}",
                    known_calls(name, report)
                )),
            },
            Self::Verdict(verdict) => Ok(report.endings(*verdict) as f64),
            Self::Close(code) => Ok(report.close_codes.get(*code) as f64),
            Self::RpcErrors(call) => rpc(report, call, |counts| counts.errors),
            Self::RpcUnanswered(call) => rpc(report, call, |counts| counts.unanswered),
            Self::Count(name) => Ok(count(report, name) as f64),
        }
    }
}

impl Stat {
    fn of(self, summary: &Summary) -> f64 {
        match self {
            Self::Min => summary.min as f64,
            Self::Mean => summary.mean,
            Self::P50 => summary.p50 as f64,
            Self::P75 => summary.p75 as f64,
            Self::P90 => summary.p90 as f64,
            Self::P95 => summary.p95 as f64,
            Self::P99 => summary.p99 as f64,
            Self::P999 => summary.p999 as f64,
            Self::Max => summary.max as f64,
        }
    }
}

fn rpc(report: &Report, call: &str, pick: impl Fn(&crate::tally::RpcCounts) -> u64) -> Result<f64, String> {
    let counts = report.rpc.get(call);
    counts.map(|counts| pick(counts) as f64).ok_or_else(|| {
        let name = format!("rpc.{call}");
        format!("the scenario has no call `{call}`{}", known_calls(&name, report))
    })
}

fn known_calls(name: &str, report: &Report) -> String {
    if !name.starts_with("rpc") {
        return String::new();
    }
    let calls: Vec<&str> = report.rpc.keys().take(20).map(String::as_str).collect();
    if calls.is_empty() {
        " (the run had no calls)".to_owned()
    } else {
        format!(" (calls: {})", calls.join(", "))
    }
}

fn count(report: &Report, name: &str) -> u64 {
    let sessions = &report.sessions;
    match name {
        "planned" => sessions.planned,
        "started" => sessions.started,
        "ready" => sessions.ready,
        "completed" => sessions.completed,
        "failed" => sessions.failed,
        "dropped" => sessions.dropped,
        "reconnected" => sessions.reconnected,
        "ended" => sessions.ended,
        "peak_open" => sessions.peak_open,
        "skipped_starts" => report.generator.skipped_starts,
        "heartbeats_sent" => report.heartbeat.sent,
        "heartbeats_answered" => report.heartbeat.answered,
        "heartbeats_missed" => report.heartbeat.missed,
        "reconnect_attempts" => report.reconnect.attempts,
        "refreshes_done" => report.refreshes.done,
        "refreshes_refused" => report.refreshes.refused,
        "generator_errors" => report
            .generator
            .errors
            .values()
            .fold(0, |sum, n| sum.saturating_add(*n)),
        "workers_lost" => report.generator.lost.workers,
        "bytes_sent" => report.bytes.sent,
        "bytes_received" => report.bytes.received,
        // `errors`, the last of the list.
        _ => report.errors(),
    }
}

/// A value of a threshold for people: `99.95 %`, `312 ms`, `3`. Negative values (margins) keep their sign.
pub fn show(value: f64, unit: Unit) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    let size = value.abs();
    match unit {
        Unit::Percent => {
            // Near the ends of the scale the digits after the nines are what matters.
            let digits = if size > 0.0 && (size < 0.1 || (99.9..100.0).contains(&size)) {
                3
            } else {
                2
            };
            format!("{sign}{size:.digits$} %")
        }
        Unit::Micros => format!(
            "{sign}{}",
            show_duration(Duration::try_from_secs_f64(size / 1e6).unwrap_or_default())
        ),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative; the cast saturates"
        )]
        Unit::Count => format!("{sign}{}", show_count(size.round() as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::Histogram;
    use crate::report::RunInfo;
    use crate::snapshot::Totals;
    use crate::verdict::Verdict;

    fn report() -> Report {
        let mut totals = Totals::default();
        totals.counters.sessions.started = 100;
        totals.counters.verdicts[Verdict::Ok.index()] = 98;
        totals.counters.verdicts[Verdict::AuthFailed.index()] = 2;
        totals.counters.drops[Verdict::HeartbeatMiss.index()] = 1;
        totals.counters.uptime.ready_us = 999;
        totals.counters.uptime.meant_us = 1000;
        totals.counters.close_codes.add(1006, 3);
        totals
            .counters
            .rpc
            .insert("health".to_owned(), crate::tally::RpcCounts::default());
        let mut ready = Histogram::new();
        (1..=100).for_each(|ms| ready.record_us(ms * 1000));
        totals.histograms.insert("ready", ready);
        Report::new(&totals, RunInfo::default())
    }

    fn judge(expr: &str) -> Judged {
        expr.parse::<Threshold>().unwrap().evaluate(&report())
    }

    #[test]
    fn what_holds_passes_and_what_does_not_fails() {
        for (expr, passed) in [
            ("uptime>=99.9%", true),
            ("uptime>99.9%", false),
            ("error_rate<=2%", true),
            ("error_rate<2%", false),
            ("ready_p99<500ms", true),
            ("ready_p99<50ms", false),
            ("clw-auth-failed==2", true),
            ("clw-heartbeat-miss==0", false),
            ("clw-conn-refused==0", true),
            ("close_1006==3", true),
            ("close_1012!=0", false),
            ("errors<=2", true),
            ("started>=100", true),
            ("skipped_starts==0", true),
            ("rpc.health_errors==0", true),
        ] {
            assert_eq!(judge(expr).passed, passed, "{expr}");
        }
    }

    #[test]
    fn margins_are_positive_with_room_and_negative_when_crossed() {
        let margin = |expr| judge(expr).margin.unwrap();
        assert!((margin("error_rate<5%") - 3.0).abs() < 1e-9);
        assert!((margin("error_rate<1%") + 1.0).abs() < 1e-9);
        assert!((margin("started>=90") - 10.0).abs() < 1e-9);
        assert!((margin("close_1006==0") + 3.0).abs() < 1e-9);
    }

    #[test]
    fn what_was_not_measured_fails_with_words_unless_it_is_a_count() {
        for (expr, words) in [
            ("reconnect_success>=99%", "no reconnect was attempted"),
            ("tls_p99<1s", "nothing was recorded for tls"),
            ("rpc.helth_p95<1s", "(calls: health)"),
            ("rpc.helth_errors==0", "has no call `helth`"),
        ] {
            let judged = judge(expr);
            assert!(!judged.passed && judged.observed.is_none(), "{expr}");
            assert!(judged.note.unwrap().contains(words), "{expr}");
        }
        let empty = Report::new(&Totals::default(), RunInfo::default());
        assert!(!"uptime>=0%".parse::<Threshold>().unwrap().evaluate(&empty).passed);
        assert!(
            "clw-auth-failed==0"
                .parse::<Threshold>()
                .unwrap()
                .evaluate(&empty)
                .passed
        );
    }

    #[test]
    fn every_plain_count_is_read_from_its_own_field() {
        let mut report = report();
        report.sessions.planned = 11;
        report.bytes.received = 12;
        report.generator.lost.workers = 13;
        for (name, value) in [
            ("planned", 11),
            ("bytes_received", 12),
            ("workers_lost", 13),
            ("errors", 2),
        ] {
            assert_eq!(count(&report, name), value, "{name}");
        }
    }

    #[test]
    fn values_show_in_their_unit() {
        assert_eq!(show(99.95, Unit::Percent), "99.950 %");
        assert_eq!(show(-0.5, Unit::Percent), "-0.50 %");
        assert_eq!(show(312_000.0, Unit::Micros), "312 ms");
        assert_eq!(show(10_000.0, Unit::Count), "10 000");
    }
}

//! Thresholds: expressions over a result that a run must hold.

use crate::histogram::Summary;
use crate::report::{Report, ThresholdResult};
use crate::units::{parse_duration, show_duration};
use crate::verdict::Verdict;
use std::time::Duration;
use thiserror::Error;

/// A condition on a [`Report`], e.g. `ready_p99<500ms`.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    text: String,
    metric: Metric,
    operator: Operator,
    limit: f64,
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ThresholdError {
    /// No `<`, `<=`, `>`, `>=`, `==` or `!=`.
    #[error("`{0}` compares nothing: write METRIC<LIMIT, with one of < <= > >= == !=")]
    NoOperator(String),
    /// The metric is not known.
    #[error("`{metric}` is no metric{}; there are: {KNOWN}", near.map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default())]
    UnknownMetric {
        /// As written.
        metric: String,
        /// The nearest name.
        near: Option<&'static str>,
    },
    /// The limit cannot be read.
    #[error("`{limit}` is no limit for {metric}: write {expected}")]
    Limit {
        /// Metric.
        metric: String,
        /// As written.
        limit: String,
        /// What would do.
        expected: &'static str,
    },
}

const KNOWN: &str = "uptime, error_rate, reconnect_success (percent); any verdict of the dictionary, close_CODE, planned, started, \
ready, completed, failed, dropped, reconnected, peak_open, skipped_starts, generator_errors, heartbeat_missed, udp_lost, one_way (counts); \
tcp_connect, tls, upgrade, challenge, auth, ready, ready_service, rpc.METHOD, heartbeat_rtt, udp_rtt, tick_gap, time_to_ready, \
schedule_lag, each with _min, _mean, _p50, _p75, _p90, _p95, _p99, _p999 or _max (durations)";

const RATES: [&str; 3] = ["uptime", "error_rate", "reconnect_success"];
const COUNTS: [&str; 13] = [
    "planned",
    "started",
    "ready",
    "completed",
    "failed",
    "dropped",
    "reconnected",
    "peak_open",
    "skipped_starts",
    "generator_errors",
    "heartbeat_missed",
    "udp_lost",
    "one_way",
];
const LATENCIES: [&str; 12] = [
    "tcp_connect",
    "tls",
    "upgrade",
    "challenge",
    "auth",
    "ready",
    "ready_service",
    "heartbeat_rtt",
    "udp_rtt",
    "tick_gap",
    "time_to_ready",
    "schedule_lag",
];
const STATISTICS: [&str; 9] = ["min", "mean", "p50", "p75", "p90", "p95", "p99", "p999", "max"];

#[derive(Clone, Debug, PartialEq)]
enum Metric {
    Rate(&'static str),
    Count(&'static str),
    Verdict(Verdict),
    CloseCode(String),
    Latency { name: String, statistic: &'static str },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// Longer signs first, so that `<=` is not read as `<`.
const OPERATORS: [(&str, Operator); 6] = [
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

impl Threshold {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, ThresholdError> {
        let found = text.char_indices().find_map(|(at, _)| {
            OPERATORS
                .iter()
                .find(|(sign, _)| text[at..].starts_with(sign))
                .map(|o| (at, *o))
        });
        let Some((at, (sign, operator))) = found else {
            return Err(ThresholdError::NoOperator(text.to_owned()));
        };
        let name = text[..at].trim();
        let limit_text = text[at + sign.len()..].trim();
        let metric = Metric::parse(name)?;
        let limit = metric
            .parse_limit(limit_text)
            .map_err(|expected| ThresholdError::Limit {
                metric: name.to_owned(),
                limit: limit_text.to_owned(),
                expected,
            })?;
        Ok(Self {
            text: text.to_owned(),
            metric,
            operator,
            limit,
        })
    }

    /// Holds it against a result. Without data a latency has not held: nothing proves that it did.
    pub fn evaluate(&self, report: &Report) -> ThresholdResult {
        let observed = self.metric.observe(report);
        let passed = observed.is_some_and(|value| match self.operator {
            Operator::Less => value < self.limit,
            Operator::LessOrEqual => value <= self.limit,
            Operator::Greater => value > self.limit,
            Operator::GreaterOrEqual => value >= self.limit,
            Operator::Equal => (value - self.limit).abs() < 1e-9,
            Operator::NotEqual => (value - self.limit).abs() >= 1e-9,
        });
        let says = match observed {
            None => "no data".to_owned(),
            Some(value) => {
                let margin = (value - self.limit).abs();
                let side = if value > self.limit { "above" } else { "below" };
                if margin < 1e-9 {
                    format!("{}, right at the limit", self.metric.show(value))
                } else {
                    format!(
                        "{}, {} {side} the limit",
                        self.metric.show(value),
                        self.metric.show(margin)
                    )
                }
            }
        };
        ThresholdResult {
            expr: self.text.clone(),
            observed,
            passed,
            says,
        }
    }
}

impl Metric {
    fn parse(name: &str) -> Result<Self, ThresholdError> {
        if let Some(rate) = RATES.iter().find(|r| **r == name.trim_end_matches("_pct")) {
            return Ok(Self::Rate(rate));
        }
        if let Some(count) = COUNTS.iter().find(|c| **c == name) {
            return Ok(Self::Count(count));
        }
        if let Some(verdict) = Verdict::from_name(name) {
            return Ok(Self::Verdict(verdict));
        }
        if let Some(code) = name.strip_prefix("close_").filter(|c| c.parse::<u16>().is_ok()) {
            return Ok(Self::CloseCode(code.to_owned()));
        }
        if let Some((base, end)) = name.rsplit_once('_')
            && let Some(statistic) = STATISTICS.iter().find(|s| **s == end)
            && (LATENCIES.contains(&base) || base.strip_prefix("rpc.").is_some_and(|m| !m.is_empty()))
        {
            return Ok(Self::Latency {
                name: base.to_owned(),
                statistic,
            });
        }
        let names = RATES
            .iter()
            .chain(&COUNTS)
            .copied()
            .chain(Verdict::ALL.iter().map(|v| v.name()));
        let near = names
            .chain(LATENCIES)
            .map(|n| (distance(name, n), n))
            .min()
            .filter(|(d, _)| *d <= 3);
        Err(ThresholdError::UnknownMetric {
            metric: name.to_owned(),
            near: near.map(|(_, n)| n),
        })
    }

    fn parse_limit(&self, text: &str) -> Result<f64, &'static str> {
        match self {
            Self::Rate(_) => text
                .trim_end_matches('%')
                .trim()
                .parse::<f64>()
                .ok()
                .filter(|v| (0.0..=100.0).contains(v))
                .ok_or("percent, such as 99.9%"),
            Self::Latency { .. } => parse_duration(text)
                .map(|d| d.as_micros() as f64)
                .map_err(|_| "a duration, such as 500ms"),
            _ => text
                .parse::<u64>()
                .map(|n| n as f64)
                .map_err(|_| "a whole number, such as 0"),
        }
    }

    fn observe(&self, report: &Report) -> Option<f64> {
        let sessions = &report.sessions;
        Some(match self {
            Self::Rate("uptime") => report.uptime_pct,
            Self::Rate("error_rate") => report.error_rate_pct,
            Self::Rate(_) => {
                let counts = report.reconnect.counts;
                if counts.attempts == 0 {
                    return None;
                }
                counts.succeeded as f64 * 100.0 / counts.attempts as f64
            }
            Self::Count(name) => {
                let count = match *name {
                    "planned" => sessions.planned,
                    "started" => sessions.started,
                    "ready" => sessions.ready,
                    "completed" => sessions.completed,
                    "failed" => sessions.failed,
                    "dropped" => sessions.dropped,
                    "reconnected" => sessions.reconnected,
                    "peak_open" => sessions.peak_open,
                    "skipped_starts" => report.generator.skipped_starts,
                    "generator_errors" => report.generator.errors.values().sum(),
                    "udp_lost" => report.heartbeat.counts.udp.lost,
                    "one_way" => report.heartbeat.counts.udp.one_way,
                    _ => report.heartbeat.counts.missed,
                };
                count as f64
            }
            // A session that was dropped and came back has met that ending too.
            Self::Verdict(verdict) => {
                let of = |map: &std::collections::BTreeMap<String, u64>| {
                    map.get(verdict.name()).copied().unwrap_or(0)
                };
                (of(&report.verdicts) + of(&report.drops)) as f64
            }
            Self::CloseCode(code) => report.close_codes.get(code).copied().unwrap_or(0) as f64,
            Self::Latency { name, statistic } => {
                let summary = report.histograms.get(name).filter(|h| !h.is_empty())?.summary();
                statistic_of(&summary, statistic)
            }
        })
    }

    fn show(&self, value: f64) -> String {
        match self {
            Self::Rate(_) => format!("{}%", trim_zeros(format!("{value:.3}"))),
            Self::Latency { .. } => show_duration(Duration::from_secs_f64((value / 1e6).max(0.0))),
            _ => format!("{value:.0}"),
        }
    }
}

fn statistic_of(summary: &Summary, statistic: &str) -> f64 {
    match statistic {
        "min" => summary.min as f64,
        "mean" => summary.mean,
        "p50" => summary.p50 as f64,
        "p75" => summary.p75 as f64,
        "p90" => summary.p90 as f64,
        "p95" => summary.p95 as f64,
        "p99" => summary.p99 as f64,
        "p999" => summary.p999 as f64,
        _ => summary.max as f64,
    }
}

fn trim_zeros(text: String) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Levenshtein distance, for names that are nearly right.
pub fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let next = (diagonal + usize::from(x != y))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::Histogram;

    fn report() -> Report {
        let mut report = Report {
            uptime_pct: 99.95,
            error_rate_pct: 0.5,
            ..Report::default()
        };
        report.verdicts.insert("clw-heartbeat-miss".to_owned(), 2);
        report.close_codes.insert("1006".to_owned(), 7);
        let mut ready = Histogram::new();
        for ms in 1..=100 {
            ready.record(Duration::from_millis(ms));
        }
        report.histograms.insert("ready".to_owned(), ready);
        report
    }

    #[test]
    fn thresholds_hold_or_do_not() {
        for (text, passed) in [
            ("uptime>=99.9%", true),
            ("uptime >= 99.99%", false),
            ("error_rate<1%", true),
            ("error_rate<0.5%", false),
            ("ready_p99<500ms", true),
            ("ready_p50<10ms", false),
            ("clw-heartbeat-miss==0", false),
            ("clw-heartbeat-miss<=2", true),
            ("close_1006!=7", false),
            ("close_4001==0", true),
            ("dropped<=3", true),
            ("reconnect_success>=99%", false),
            ("auth_p99<1s", false),
        ] {
            let result = Threshold::parse(text).unwrap().evaluate(&report());
            assert_eq!(result.passed, passed, "{text}: {result:?}");
        }
    }

    #[test]
    fn a_latency_without_data_has_not_held() {
        let result = Threshold::parse("rpc.health_p95<50ms")
            .unwrap()
            .evaluate(&report());
        assert_eq!(
            (result.observed, result.passed, result.says.as_str()),
            (None, false, "no data")
        );
    }

    #[test]
    fn wrong_expressions_say_what_would_do() {
        let says = |text| Threshold::parse(text).unwrap_err().to_string();
        assert!(says("uptime").contains("compares nothing"));
        assert!(says("uptme>1%").contains("did you mean `uptime`"));
        assert!(says("uptime>=1000%").contains("99.9%"));
        assert!(says("ready_p99<fast").contains("500ms"));
        assert!(says("dropped<1.5").contains("whole number"));
    }
}

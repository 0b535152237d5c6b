//! What a threshold can be about.

use crate::tally::Metric;
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};

/// What a number of a threshold counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Percent, 0 to 100.
    #[serde(rename = "%")]
    Percent,
    /// Microseconds.
    #[serde(rename = "us")]
    Micros,
    /// A number of things.
    #[default]
    #[serde(rename = "count")]
    Count,
}

/// Which figure of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stat {
    /// The smallest value.
    Min,
    /// The mean.
    Mean,
    /// The 50th percentile.
    P50,
    /// The 75th percentile.
    P75,
    /// The 90th percentile.
    P90,
    /// The 95th percentile.
    P95,
    /// The 99th percentile.
    P99,
    /// The 99.9th percentile.
    P999,
    /// The largest value.
    Max,
}

impl Stat {
    const ALL: [(&'static str, Self); 9] = [
        ("min", Self::Min),
        ("mean", Self::Mean),
        ("p50", Self::P50),
        ("p75", Self::P75),
        ("p90", Self::P90),
        ("p95", Self::P95),
        ("p99", Self::P99),
        ("p999", Self::P999),
        ("max", Self::Max),
    ];
}

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Uptime,
    ErrorRate,
    ReconnectSuccess,
    /// A histogram by name, and which figure of it.
    Latency(String, Stat),
    /// Endings of connections with this verdict, final or followed by a reconnect.
    Verdict(Verdict),
    /// Connections that ended with this close code.
    Close(u16),
    /// Calls answered with an error.
    RpcErrors(String),
    /// Calls without an answer.
    RpcUnanswered(String),
    /// One of [`COUNTS`].
    Count(&'static str),
}

/// Plain counts of a result.
pub(super) const COUNTS: [&str; 21] = [
    "planned",
    "started",
    "ready",
    "completed",
    "failed",
    "errors",
    "dropped",
    "reconnected",
    "ended",
    "peak_open",
    "skipped_starts",
    "heartbeats_sent",
    "heartbeats_answered",
    "heartbeats_missed",
    "reconnect_attempts",
    "refreshes_done",
    "refreshes_refused",
    "generator_errors",
    "workers_lost",
    "bytes_sent",
    "bytes_received",
];

const PERCENTAGES: [&str; 3] = ["uptime", "error_rate", "reconnect_success"];

impl Subject {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "uptime" => return Some(Self::Uptime),
            "error_rate" => return Some(Self::ErrorRate),
            "reconnect_success" => return Some(Self::ReconnectSuccess),
            _ => {}
        }
        if let Some(verdict) = Verdict::from_name(name) {
            return Some(Self::Verdict(verdict));
        }
        if let Some(count) = COUNTS.into_iter().find(|count| *count == name) {
            return Some(Self::Count(count));
        }
        if let Some(code) = name.strip_prefix("close_") {
            return code
                .parse()
                .ok()
                .filter(|code| (1000..5000).contains(code))
                .map(Self::Close);
        }
        let (base, last) = name.rsplit_once('_')?;
        if let Some(call) = base.strip_prefix("rpc.").filter(|call| !call.is_empty()) {
            match last {
                "errors" => return Some(Self::RpcErrors(call.to_owned())),
                "unanswered" => return Some(Self::RpcUnanswered(call.to_owned())),
                _ => {}
            }
        }
        let (_, stat) = Stat::ALL.into_iter().find(|(name, _)| *name == last)?;
        let call = base
            .strip_prefix("rpc.")
            .or_else(|| base.strip_prefix("rpc_service."));
        let known = Metric::FIXED.iter().any(|metric| metric.name() == base);
        (known || call.is_some_and(|call| !call.is_empty())).then(|| Self::Latency(base.to_owned(), stat))
    }

    pub(super) fn unit(&self) -> Unit {
        match self {
            Self::Uptime | Self::ErrorRate | Self::ReconnectSuccess => Unit::Percent,
            Self::Latency(..) => Unit::Micros,
            Self::Verdict(_)
            | Self::Close(_)
            | Self::RpcErrors(_)
            | Self::RpcUnanswered(_)
            | Self::Count(_) => Unit::Count,
        }
    }
}

/// Every name, with one example for each family that has no end.
pub(super) fn known_names() -> Vec<String> {
    let mut names: Vec<String> = PERCENTAGES
        .iter()
        .chain(&COUNTS)
        .map(|&name| name.to_owned())
        .collect();
    for metric in Metric::FIXED {
        names.extend(
            Stat::ALL
                .iter()
                .map(|(stat, _)| format!("{}_{stat}", metric.name())),
        );
    }
    names.extend(Verdict::ALL.iter().map(|verdict| verdict.name().to_owned()));
    names.extend(
        [1000, 1001, 1002, 1005, 1006, 1008, 1011, 1012, 1013, 4001].map(|code| format!("close_{code}")),
    );
    names
}

/// The families of names in one text, for people.
pub(super) fn families() -> String {
    let metrics: Vec<&str> = Metric::FIXED.iter().map(|metric| metric.name()).collect();
    let stats: Vec<&str> = Stat::ALL.iter().map(|(name, _)| *name).collect();
    format!(
        "{}; LATENCY_STAT with LATENCY one of {}, rpc.CALL, rpc_service.CALL and STAT one of {}; a verdict such as \
         clw-auth-failed; close_CODE; rpc.CALL_errors, rpc.CALL_unanswered; {}",
        PERCENTAGES.join(", "),
        metrics.join(", "),
        stats.join(", "),
        COUNTS.join(", ")
    )
}

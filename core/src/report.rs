//! The result of a run (`clw.bench/1`).

use crate::Stage;
use crate::histogram::{Histogram, Summary};
use crate::snapshot::{Aggregate, Target};
use crate::tally::{CallErrors, Heartbeats, Notifications, Pairings, Reconnects, Refreshes, Traffic};
use crate::uptime::{error_rate_pct, uptime_pct};
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The schema's name.
pub const SCHEMA: &str = "clw.bench/1";
/// A schedule lag over this at the 99th percentile means that the generator fell behind: the figures are its own.
pub const FELL_BEHIND_US: u64 = 100_000;

/// A run's result. Units are in the keys; docs/metrics.md says how each figure comes about.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// Release of clw-bench.
    pub tool_version: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// From the first scheduled start to the last ending.
    pub duration_s: f64,
    /// The run was cut short, or the file was written while it went on.
    pub interrupted: bool,
    /// What was loaded.
    pub target: Target,
    /// What was asked, with secrets as fingerprints.
    pub plan: serde_json::Value,
    /// Sessions by fate.
    pub sessions: Sessions,
    /// Ready session-time ÷ session-time that was meant to be ready, in percent.
    pub uptime_pct: f64,
    /// Sessions that ended in anything but `ok` ÷ sessions started, in percent.
    pub error_rate_pct: f64,
    /// Final verdicts of sessions.
    pub verdicts: BTreeMap<String, u64>,
    /// Verdicts of connections that a reconnect followed.
    pub drops: BTreeMap<String, u64>,
    /// Connections by the furthest stage they reached.
    pub stages: BTreeMap<String, u64>,
    /// Close codes as applications are told them.
    pub close_codes: BTreeMap<String, u64>,
    /// Latencies in microseconds.
    pub latency_us: Latency,
    /// Heartbeats.
    pub heartbeat: HeartbeatReport,
    /// Reconnects.
    pub reconnect: ReconnectReport,
    /// Token refreshes.
    pub refresh: Refreshes,
    /// Devices and their tokens.
    #[serde(default)]
    pub pairing: Pairings,
    /// Notifications.
    #[serde(default)]
    pub notifications: Notifications,
    /// Calls that failed, by method.
    pub calls: BTreeMap<String, CallErrors>,
    /// Bytes.
    pub bytes: Traffic,
    /// Frames.
    pub frames: Traffic,
    /// Broadcasts that a jump in `seq` shows to be lost.
    pub broadcasts_lost: u64,
    /// The generator's own health.
    pub generator: Generator,
    /// Thresholds.
    pub thresholds: Vec<ThresholdResult>,
    /// Every threshold held.
    pub passed: bool,
    /// What a reader should know before believing the figures.
    pub warnings: Vec<String>,
    /// A few endings in words, by verdict.
    pub samples: BTreeMap<String, Vec<Vec<String>>>,
    /// The histograms themselves (HdrHistogram V2, base64), so that results can be merged exactly.
    pub histograms: BTreeMap<String, Histogram>,
    /// Uptime's sums, for merging.
    pub uptime: crate::tally::Uptime,
}

/// Sessions by fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sessions {
    /// Meant to be run.
    pub planned: u64,
    /// Begun.
    pub started: u64,
    /// Accepted by the server at least once.
    pub ready: u64,
    /// Ended `ok`.
    pub completed: u64,
    /// Ended in an error without ever having been ready.
    pub failed: u64,
    /// Connections that ended in an error after ready.
    pub dropped: u64,
    /// Times a session became ready again after a drop.
    pub reconnected: u64,
    /// Most connections open at once.
    pub peak_open: u64,
    /// Helpers that left before connect, which is no error.
    pub helpers: u64,
}

/// Latencies by what was waited for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// TCP handshake.
    pub tcp_connect: Summary,
    /// TLS handshake.
    pub tls: Summary,
    /// Request to 101.
    pub upgrade: Summary,
    /// 101 to challenge.
    pub challenge: Summary,
    /// First message to acceptance.
    pub auth: Summary,
    /// Scheduled start to ready: response time.
    pub ready: Summary,
    /// Connect call to ready: service time.
    pub ready_service: Summary,
    /// Calls by method, from their scheduled instants.
    pub rpc: BTreeMap<String, Summary>,
    /// Calls by method, from the instant they were sent.
    pub rpc_service: BTreeMap<String, Summary>,
}

/// Heartbeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeartbeatReport {
    /// Sent, answered, missed.
    #[serde(flatten)]
    pub counts: Heartbeats,
    /// Round trips.
    pub rtt_us: Summary,
    /// Round trips of those that were datagrams.
    pub udp_rtt_us: Summary,
    /// Time between two ticks of the server.
    pub tick_gap_us: Summary,
}

/// Reconnects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReconnectReport {
    /// Attempts and successes.
    #[serde(flatten)]
    pub counts: Reconnects,
    /// From the drop to ready again.
    pub time_to_ready_us: Summary,
}

/// The generator's own health.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Generator {
    /// CPU time of all its processes, without the embedded gateway's.
    pub cpu_s: f64,
    /// Largest resident memory, summed over its processes.
    pub rss_peak_bytes: u64,
    /// Real start minus scheduled start.
    pub schedule_lag_us: Summary,
    /// Starts left out because the open model's limit was reached.
    pub skipped_starts: u64,
    /// Worker processes (or 1).
    pub workers: u64,
    /// This machine's own errors: EMFILE, EADDRNOTAVAIL …
    pub errors: BTreeMap<String, u64>,
    /// Workers that died, in words.
    pub lost_workers: Vec<String>,
    /// Sessions whose endings died with them.
    pub lost_sessions: u64,
    /// The generator could not keep its schedule: the figures are its own, not the gateway's.
    pub fell_behind: bool,
}

/// A threshold's outcome.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ThresholdResult {
    /// As it was given.
    pub expr: String,
    /// What the run had, in the unit the result uses; `null` if there was no data.
    pub observed: Option<f64>,
    /// Whether it held.
    pub passed: bool,
    /// For people: observed against limit.
    pub says: String,
}

/// What a report needs to know beside the counts.
#[derive(Clone, Debug, Default)]
pub struct RunFacts {
    /// Release of clw-bench.
    pub tool_version: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// The run was cut short.
    pub interrupted: bool,
    /// The plan, with secrets as fingerprints.
    pub plan: serde_json::Value,
    /// Sessions planned, where that is a number.
    pub planned: Option<u64>,
    /// Workers.
    pub workers: u64,
    /// Workers that died, in words.
    pub lost_workers: Vec<String>,
    /// Sessions whose endings died with them.
    pub lost_sessions: u64,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

impl Report {
    /// The result of what was added up so far.
    pub fn new(facts: RunFacts, aggregate: &Aggregate) -> Self {
        let counters = aggregate.counters();
        let gauges = aggregate.gauges();
        let usage = aggregate.usage();
        let (s, duration_us) = (counters.sessions, aggregate.elapsed_us());
        let mut report = Self {
            schema: SCHEMA.to_owned(),
            tool_version: facts.tool_version,
            started_at: facts.started_at,
            duration_s: duration_us as f64 / 1e6,
            interrupted: facts.interrupted,
            target: aggregate.target().clone(),
            plan: facts.plan,
            sessions: Sessions {
                planned: facts.planned.unwrap_or(s.started + s.skipped_starts),
                started: s.started,
                ready: s.ready,
                completed: s.completed,
                failed: s.failed,
                dropped: s.dropped,
                reconnected: s.reconnected,
                peak_open: gauges.peak_open,
                helpers: s.helpers,
            },
            verdicts: named(&counters.verdicts),
            drops: named(&counters.drops),
            stages: Stage::ALL
                .iter()
                .filter(|stage| counters.stages[**stage as usize] > 0)
                .map(|stage| (stage.name().to_owned(), counters.stages[*stage as usize]))
                .collect(),
            close_codes: counters
                .close_codes
                .iter()
                .map(|(c, n)| (c.to_string(), *n))
                .collect(),
            heartbeat: HeartbeatReport {
                counts: counters.heartbeat,
                ..HeartbeatReport::default()
            },
            reconnect: ReconnectReport {
                counts: counters.reconnect,
                ..ReconnectReport::default()
            },
            refresh: counters.refreshes,
            pairing: counters.pairing,
            notifications: counters.notifications,
            calls: counters.calls,
            bytes: counters.bytes,
            frames: counters.frames,
            broadcasts_lost: counters.broadcasts_lost,
            generator: Generator {
                cpu_s: usage.cpu_us as f64 / 1e6,
                rss_peak_bytes: usage.rss_peak_bytes,
                skipped_starts: s.skipped_starts,
                workers: facts.workers,
                errors: counters.generator_errors,
                lost_workers: facts.lost_workers,
                lost_sessions: facts.lost_sessions,
                ..Generator::default()
            },
            passed: true,
            warnings: facts.warnings,
            samples: counters.samples,
            histograms: aggregate.totals().clone(),
            uptime: counters.uptime,
            ..Self::default()
        };
        report.derive();
        report
    }

    /// Computes everything that follows from counts and histograms.
    pub fn derive(&mut self) {
        let started = self.sessions.started;
        let counted = crate::tally::Sessions {
            started,
            ready: self.sessions.ready,
            ..crate::tally::Sessions::default()
        };
        self.uptime_pct = uptime_pct(self.uptime, counted);
        self.error_rate_pct = error_rate_pct(self.errors(), started);
        let of = |name: &str| {
            self.histograms
                .get(name)
                .map(Histogram::summary)
                .unwrap_or_default()
        };
        let calls = |prefix: &str| {
            self.histograms
                .iter()
                .filter_map(|(name, h)| Some((name.strip_prefix(prefix)?.to_owned(), h.summary())))
                .collect()
        };
        self.latency_us = Latency {
            tcp_connect: of("tcp_connect"),
            tls: of("tls"),
            upgrade: of("upgrade"),
            challenge: of("challenge"),
            auth: of("auth"),
            ready: of("ready"),
            ready_service: of("ready_service"),
            rpc: calls("rpc."),
            rpc_service: calls("rpc_service."),
        };
        self.heartbeat.rtt_us = of("heartbeat_rtt");
        self.heartbeat.udp_rtt_us = of("udp_rtt");
        self.heartbeat.tick_gap_us = of("tick_gap");
        self.reconnect.time_to_ready_us = of("time_to_ready");
        self.generator.schedule_lag_us = of("schedule_lag");
        self.generator.fell_behind = self.generator.schedule_lag_us.p99 > FELL_BEHIND_US;
    }

    /// Sessions that ended in an error; helpers that left before connect are none.
    pub fn errors(&self) -> u64 {
        let errors: u64 = self
            .verdicts
            .iter()
            .filter(|(name, _)| Verdict::from_name(name).is_none_or(Verdict::is_error))
            .map(|(_, count)| count)
            .sum();
        errors.saturating_sub(self.sessions.helpers)
    }
}

fn named(counts: &[u64; Verdict::COUNT]) -> BTreeMap<String, u64> {
    Verdict::ALL
        .iter()
        .filter(|v| counts[v.index()] > 0)
        .map(|v| (v.name().to_owned(), counts[v.index()]))
        .collect()
}

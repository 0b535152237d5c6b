//! What a result holds, key by key. The page `docs/metrics.md` says what each means.

use crate::histogram::{Named, Summary};
use crate::snapshot::{FormatError, Name, Tag, Target, read};
use crate::tally::{Bytes, CloseCodes, RefreshCounts, RpcCounts, SessionCounts, Uptime, sparse};
use crate::threshold::Judged;
use crate::verdict::{ResetClass, Verdict};
use crate::{Stage, verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The schema of a result.
pub const SCHEMA: &str = "clw.bench/1";
/// Its version, as a number.
pub const SCHEMA_VERSION: u32 = 1;
/// A longer file is not read as a result.
pub const MAX_REPORT_BYTES: usize = 64 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct BenchName;

impl Name for BenchName {
    const NAME: &'static str = SCHEMA;
}

/// `sessions`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionsReport {
    /// How many the plan asks for; 0 where the plan is a duration.
    pub planned: u64,
    /// Whose first connect was begun.
    pub started: u64,
    /// That became ready at least once.
    pub ready: u64,
    /// That ended as they were meant to.
    pub completed: u64,
    /// That ended in an error.
    pub failed: u64,
    /// Ready connections that ended although they were meant to stay.
    pub dropped: u64,
    /// That became ready again after a drop.
    pub reconnected: u64,
    /// That have a final verdict.
    pub ended: u64,
    /// The most connections open at once.
    pub peak_open: u64,
}

impl SessionsReport {
    pub(super) fn new(counts: &SessionCounts, peak_open: u64) -> Self {
        Self {
            planned: counts.planned,
            started: counts.started,
            ready: counts.ready,
            completed: counts.completed,
            failed: counts.failed,
            dropped: counts.dropped,
            reconnected: counts.reconnected,
            ended: counts.ended,
            peak_open,
        }
    }
}

/// `latency_us`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// From the connect call to the connection.
    pub tcp_connect: Summary,
    /// The TLS handshake.
    pub tls: Summary,
    /// From the upgrade request to the 101.
    pub upgrade: Summary,
    /// From the 101 to the challenge.
    pub challenge: Summary,
    /// From the client's first message to the acceptance.
    pub auth: Summary,
    /// From the scheduled instant to ready (response time).
    pub ready: Summary,
    /// From the connect call to ready (service time).
    pub ready_service: Summary,
    /// Calls, from the scheduled instant to the answer.
    pub rpc: BTreeMap<String, Summary>,
    /// Calls, from the instant sent to the answer.
    pub rpc_service: BTreeMap<String, Summary>,
}

/// `heartbeat`
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeartbeatReport {
    /// Heartbeats sent.
    pub sent: u64,
    /// Answered in time.
    pub answered: u64,
    /// Given up.
    pub missed: u64,
    /// From a heartbeat to its answer.
    pub rtt_us: Summary,
    /// Between two heartbeats (ticks) of the server.
    pub tick_gap_us: Summary,
}

/// `reconnect`
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReconnectReport {
    /// Connects begun after a drop.
    pub attempts: u64,
    /// Those that became ready.
    pub succeeded: u64,
    /// From the drop to ready again.
    pub time_to_ready_us: Summary,
}

/// Workers that went away before the end of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LostWorkers {
    /// How many.
    pub workers: u64,
    /// Sessions that they had started and not ended: their endings are unknown, and in no count of verdicts.
    pub sessions: u64,
}

/// `generator`: whether the load generator itself can be trusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GeneratorHealth {
    /// CPU time, user and system, of all workers.
    pub cpu_s: f64,
    /// The most resident memory, summed over workers.
    pub rss_peak_bytes: u64,
    /// From the scheduled start of a session to its real start.
    pub schedule_lag_us: Summary,
    /// Starts left out because the schedule could not be kept.
    pub skipped_starts: u64,
    /// Its own errors by name; never the gateway's.
    pub errors: BTreeMap<String, u64>,
    /// Workers that went away.
    pub lost: LostWorkers,
    /// Starts were skipped, or one in a hundred came later than [`super::FELL_BEHIND_LAG_US`].
    pub fell_behind: bool,
}

/// A result. Made by [`Report::new`], read by [`Report::parse`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    pub(super) schema: Tag<BenchName>,
    /// [`SCHEMA_VERSION`]
    pub schema_version: u32,
    /// The release that wrote it.
    pub tool_version: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// From the first scheduled start to the end of the last session.
    pub duration_s: f64,
    /// The run was stopped before its plan was done.
    pub interrupted: bool,
    /// What was loaded.
    pub target: Target,
    /// What was asked.
    pub plan: serde_json::Value,
    /// What became of the sessions.
    pub sessions: SessionsReport,
    /// Ready session-time ÷ session-time meant to be ready, in percent.
    pub uptime_pct: f64,
    /// Sessions that ended in an error ÷ sessions started, in percent.
    pub error_rate_pct: f64,
    /// The two sides of uptime, so that results can be merged.
    pub uptime_us: UptimeReport,
    /// Final verdicts of sessions.
    #[serde(with = "sparse::verdicts")]
    pub verdicts: [u64; Verdict::COUNT],
    /// Endings of connections that a reconnect followed.
    #[serde(with = "sparse::verdicts")]
    pub drops: [u64; Verdict::COUNT],
    /// Stage reached at each ending of a connection.
    #[serde(with = "sparse::stages")]
    pub endings_by_stage: [u64; Stage::ALL.len()],
    /// The same, of endings in an error.
    #[serde(with = "sparse::stages")]
    pub errors_by_stage: [u64; Stage::ALL.len()],
    /// Close codes of connections.
    pub close_codes: CloseCodes,
    /// Resets by class.
    #[serde(with = "sparse::resets")]
    pub reset_classes: [u64; ResetClass::ALL.len()],
    /// Percentiles by stage and call.
    pub latency_us: Latency,
    /// Heartbeats.
    pub heartbeat: HeartbeatReport,
    /// Reconnects.
    pub reconnect: ReconnectReport,
    /// Token refreshes.
    pub refreshes: RefreshCounts,
    /// Calls of the scenario.
    pub rpc: BTreeMap<String, RpcCounts>,
    /// Bytes on the transport.
    pub bytes: Bytes,
    /// WebSocket frames.
    pub frames: Bytes,
    /// The generator's own health.
    pub generator: GeneratorHealth,
    /// What had to hold, and whether it did.
    pub thresholds: Vec<Judged>,
    /// Every threshold held.
    pub passed: bool,
    /// What a reader must know to read the figures right.
    pub warnings: Vec<String>,
    /// Up to three evidence texts for each verdict.
    pub samples: BTreeMap<String, Vec<String>>,
    /// What the summaries are made from, so that results can be merged exactly.
    pub histograms: Named,
}

/// `uptime_us`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UptimeReport {
    /// How long sessions were ready.
    pub ready: u64,
    /// How long they were meant to be.
    pub meant: u64,
}

impl From<Uptime> for UptimeReport {
    fn from(uptime: Uptime) -> Self {
        Self {
            ready: uptime.ready_us,
            meant: uptime.meant_us,
        }
    }
}

impl Report {
    /// Reads a result. Unknown fields are ignored.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        let length = text.len();
        if length > MAX_REPORT_BYTES {
            return Err(FormatError::TooLong {
                expected: SCHEMA,
                length,
                limit: MAX_REPORT_BYTES,
            });
        }
        read(text, SCHEMA)
    }

    /// Final verdicts that came, most frequent first; equals in the order of the rules.
    pub fn ranked_verdicts(&self) -> Vec<(Verdict, u64)> {
        ranked(&self.verdicts)
    }

    /// Endings that a reconnect followed, most frequent first.
    pub fn ranked_drops(&self) -> Vec<(Verdict, u64)> {
        ranked(&self.drops)
    }

    /// How often connections ended so, for good or with a reconnect after it.
    pub fn endings(&self, verdict: verdict::Verdict) -> u64 {
        self.verdicts[verdict.index()].saturating_add(self.drops[verdict.index()])
    }

    /// Sessions that ended in an error.
    pub fn errors(&self) -> u64 {
        let errors = Verdict::ALL.into_iter().filter(|verdict| verdict.is_error());
        errors.fold(0, |sum, verdict| {
            sum.saturating_add(self.verdicts[verdict.index()])
        })
    }
}

fn ranked(counts: &[u64; Verdict::COUNT]) -> Vec<(Verdict, u64)> {
    let mut all: Vec<_> = Verdict::ALL.into_iter().zip(counts.iter().copied()).collect();
    all.retain(|&(_, count)| count > 0);
    all.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    all
}

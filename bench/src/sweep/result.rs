//! What a sweep has measured: `clw.sweep/1`.

use super::axis::{Axis, Condition, Range};
use super::cliff::Cliff;
use crate::args::without_secrets;
use clw_core::report::Report;
use serde::Serialize;
use std::collections::BTreeMap;

/// The schema's name.
pub const SCHEMA: &str = "clw.sweep/1";

/// Flags of clw-bench, as they were given. They may hold a token: what is shown and written has its fingerprint.
#[derive(Clone, Debug)]
pub struct Flags(pub Vec<String>);

impl std::fmt::Display for Flags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&without_secrets(&self.0).join(" "))
    }
}

impl Serialize for Flags {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        without_secrets(&self.0).serialize(serializer)
    }
}

/// A whole sweep.
#[derive(Clone, Debug, Serialize)]
pub struct Sweep {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// This release.
    pub tool_version: &'static str,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// Cut short: what was measured is here.
    pub interrupted: bool,
    /// What made the conditions: `netem` (the kernel, on the wire's packets) or `impair` (inside the process, on the
    /// session's bytes).
    pub by: &'static str,
    /// Why not netem, where it was not.
    pub note: String,
    /// What all cells were called with.
    pub flags: Flags,
    /// The client's settings, by name.
    pub clients: BTreeMap<String, Flags>,
    /// Seed of all cells.
    pub seed: u64,
    /// Sessions of a cell.
    pub sessions: u32,
    /// Length of a cell, seconds.
    pub cell_s: f64,
    /// Across.
    pub x: Option<Axis>,
    /// Down.
    pub y: Option<Axis>,
    /// The grid, in the order in which it ran.
    pub cells: Vec<Cell>,
    /// The searches.
    pub cliffs: Vec<Found>,
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// The network.
    pub condition: Condition,
    /// The same in words.
    pub network: String,
    /// The client's settings, by name.
    pub client: String,
    /// What was measured; `None`: see `error`.
    pub figures: Option<Figures>,
    /// Why nothing was measured.
    pub error: Option<String>,
}

/// A run's key figures.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Uptime, percent.
    pub uptime_pct: f64,
    /// Error rate, percent.
    pub error_rate_pct: f64,
    /// Sessions started.
    pub started: u64,
    /// Endings by verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// Heartbeats sent and missed.
    pub heartbeats_sent: u64,
    /// Heartbeats without an answer in time.
    pub heartbeats_missed: u64,
    /// Reconnects tried.
    pub reconnects: u64,
    /// 99th percentile of the time to ready, microseconds.
    pub ready_p99_us: u64,
}

impl Figures {
    /// From a run's result.
    pub fn of(report: &Report) -> Self {
        Self {
            uptime_pct: report.uptime_pct,
            error_rate_pct: report.error_rate_pct,
            started: report.sessions.started,
            verdicts: report.verdicts.clone(),
            heartbeats_sent: report.heartbeat.counts.sent,
            heartbeats_missed: report.heartbeat.counts.missed,
            reconnects: report.reconnect.counts.attempts,
            ready_p99_us: report.latency_us.ready.p99,
        }
    }
}

/// A cliff and where it was looked for.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// What was varied, and how far.
    pub range: Range,
    /// The rest of the network.
    pub condition: Condition,
    /// The client's settings, by name.
    pub client: String,
    /// What had to hold.
    pub holds: String,
    /// Where it stopped.
    pub cliff: Cliff,
    /// Why the search ended before it was over.
    pub error: Option<String>,
}

impl Found {
    /// In words.
    pub fn words(&self) -> String {
        let show = |value: f64| {
            format!(
                "{} {}",
                self.range.dimension.name(),
                self.range.dimension.show(value)
            )
        };
        let base = match (self.cliff.holds_up_to, self.cliff.breaks_at) {
            (Some(good), Some(bad)) => format!("holds up to {}, breaks at {}", show(good), show(bad)),
            (Some(good), None) => format!("holds up to {}, the end of the range", show(good)),
            (None, Some(bad)) => format!("breaks already at {}", show(bad)),
            (None, None) => "was not measured".to_owned(),
        };
        let doubt = if self.cliff.is_monotone {
            ""
        } else {
            " (not monotone: it broke at a smaller value than one at which it held)"
        };
        let cut = self
            .error
            .as_ref()
            .map(|error| format!(" (the search ended early: {error})"));
        base + doubt + &cut.unwrap_or_default()
    }
}

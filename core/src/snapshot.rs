//! The immutable telemetry snapshot and its JSON-lines form.
//!
//! A worker hands out a [`Snapshot`] once an interval; an [`Aggregate`] adds snapshots of many workers (threads, processes,
//! machines) up. Dashboard, progress line and result read nothing else, so every source looks the same.

use crate::Dialect;
use crate::histogram::Histogram;
use crate::journal::SessionRecord;
use crate::report::ThresholdResult;
use crate::tally::{Counters, Gauges};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// The schema that this release writes.
pub const SCHEMA: &str = "clw.snapshot/1";
const SCHEMA_FAMILY: &str = "clw.snapshot/";

/// Where a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Sessions are started and held.
    #[default]
    Running,
    /// No more are started; those that are up log out.
    Draining,
    /// Over.
    Done,
}

impl Phase {
    /// The name used in snapshots.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Done => "done",
        }
    }
}

/// What is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Target {
    /// URL without credentials.
    pub url: String,
    /// Dialect.
    pub dialect: Dialect,
    /// As the server told it.
    pub server_version: Option<String>,
}

/// The generator's own use of its machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// CPU time, user and system, in microseconds.
    pub cpu_us: u64,
    /// Largest resident memory so far, in bytes.
    pub rss_peak_bytes: u64,
}

/// What one source has counted so far, and timed in the last interval.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// [`SCHEMA`].
    pub schema: String,
    /// Who tells: unique among the sources of a run.
    pub source: String,
    /// Counts the source's snapshots from 0.
    pub seq: u64,
    /// Since the run's start, in microseconds.
    pub elapsed_us: u64,
    /// The run's start by the clock on the wall, in microseconds since 1970; 0: not told.
    #[serde(skip_serializing_if = "is_zero")]
    pub began_unix_us: u64,
    /// How long the interval was, in microseconds.
    pub interval_us: u64,
    /// Where the run is.
    pub phase: Phase,
    /// What is loaded.
    pub target: Target,
    /// What is open now.
    pub gauges: Gauges,
    /// Counters since the start.
    pub counters: Counters,
    /// Histograms of the interval, by metric; those without a value are left out.
    pub interval: BTreeMap<String, Histogram>,
    /// The source's own process.
    pub usage: Usage,
    /// What is being done to the network on purpose, in the words of the tool that does it; empty: nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// The run's thresholds with what they are at; empty where none were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<ThresholdResult>,
    /// A few connections that ended in errors in the interval, by the order of their ends: at most
    /// [`RECENT_PER_VERDICT`] of each kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<SessionRecord>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands fields over by reference"
)]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// How many connections of one ending an interval tells of.
pub const RECENT_PER_VERDICT: usize = 3;

/// Adds a connection to those that an interval tells of, if there is room for one of its kind.
pub fn keep_recent(recent: &mut Vec<SessionRecord>, verdict: &str, record: impl FnOnce() -> SessionRecord) {
    if recent.iter().filter(|r| r.verdict == verdict).count() < RECENT_PER_VERDICT {
        recent.push(record());
    }
}

/// A line that is no snapshot this release can read.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// Not JSON, or JSON of another kind.
    #[error("not telemetry of clw-bench: {0}")]
    NotTelemetry(String),
    /// The line ends in the middle.
    #[error("the line is cut off at byte {0}")]
    Cut(usize),
    /// Telemetry of another release.
    #[error("telemetry of schema {found}, this release reads {SCHEMA}: use the same release on both sides")]
    Schema {
        /// What the line says.
        found: String,
    },
}

impl Snapshot {
    /// One line of JSON, without the newline.
    pub fn to_line(&self) -> String {
        // Maps have string keys throughout, so this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a line. Fields that this release does not know are ignored.
    pub fn parse_line(line: &str) -> Result<Self, SnapshotError> {
        #[derive(Deserialize)]
        struct Head {
            schema: Option<String>,
        }
        let not = |e: &dyn std::fmt::Display| SnapshotError::NotTelemetry(e.to_string());
        let head: Head = match serde_json::from_str(line) {
            Ok(head) => head,
            Err(e) if e.is_eof() && !line.trim().is_empty() => return Err(SnapshotError::Cut(line.len())),
            Err(e) => return Err(not(&e)),
        };
        match head.schema {
            Some(schema) if schema == SCHEMA => serde_json::from_str(line).map_err(|e| not(&e)),
            Some(found) if found.starts_with(SCHEMA_FAMILY) => Err(SnapshotError::Schema { found }),
            Some(other) => Err(not(&format_args!("schema {other}"))),
            None => Err(not(&"no schema")),
        }
    }
}

/// Snapshots of many sources, added up exactly and in any order.
#[derive(Clone, Debug, Default)]
pub struct Aggregate {
    sources: BTreeMap<String, Source>,
    totals: BTreeMap<String, Histogram>,
    interval: BTreeMap<String, Histogram>,
    recent: Vec<SessionRecord>,
    target: Target,
    peak_open: u64,
    seq: u64,
    last_us: u64,
}

#[derive(Clone, Debug)]
struct Source {
    seq: u64,
    elapsed_us: u64,
    phase: Phase,
    counters: Counters,
    gauges: Gauges,
    usage: Usage,
    lost: bool,
}

impl Aggregate {
    /// Adds a snapshot. One that was already added (or that is older than the source's last) changes nothing.
    pub fn absorb(&mut self, snapshot: Snapshot) {
        if self
            .sources
            .get(&snapshot.source)
            .is_some_and(|s| snapshot.seq <= s.seq)
        {
            return;
        }
        for (name, histogram) in &snapshot.interval {
            self.totals.entry(name.clone()).or_default().add(histogram);
            self.interval.entry(name.clone()).or_default().add(histogram);
        }
        for record in snapshot.recent {
            let verdict = record.verdict.clone();
            keep_recent(&mut self.recent, &verdict, || record);
        }
        if self.target.url.is_empty() {
            self.target = snapshot.target.clone();
        }
        if let Some(version) = snapshot.target.server_version {
            self.target.server_version = Some(version);
        }
        self.sources.insert(
            snapshot.source,
            Source {
                seq: snapshot.seq,
                elapsed_us: snapshot.elapsed_us,
                phase: snapshot.phase,
                counters: snapshot.counters,
                gauges: snapshot.gauges,
                usage: snapshot.usage,
                lost: false,
            },
        );
        let open = self.gauges().open;
        self.peak_open = self.peak_open.max(open);
    }

    /// A source is gone without having finished. Its counts stay; returns how many of its sessions had not ended.
    pub fn lose(&mut self, source: &str) -> u64 {
        let Some(gone) = self.sources.get_mut(source) else {
            return 0;
        };
        gone.lost = true;
        let unfinished = gone
            .counters
            .sessions
            .started
            .saturating_sub(gone.counters.sessions.ended);
        gone.gauges = Gauges {
            peak_open: gone.gauges.peak_open,
            ..Gauges::default()
        };
        unfinished
    }

    /// Counters of all sources together.
    pub fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for source in self.sources.values() {
            sum.add(&source.counters);
        }
        sum
    }

    /// Gauges of all sources together. The peak is exact for one source; for several it is the largest sum seen.
    pub fn gauges(&self) -> Gauges {
        let mut sum = Gauges::default();
        for source in self.sources.values() {
            sum.add(&source.gauges);
        }
        if self.sources.len() > 1 {
            sum.peak_open = self.peak_open.max(sum.open);
        }
        sum
    }

    /// Histograms of the whole run, by metric.
    pub fn totals(&self) -> &BTreeMap<String, Histogram> {
        &self.totals
    }

    /// How far the run is, in microseconds: the furthest of its sources.
    pub fn elapsed_us(&self) -> u64 {
        self.sources.values().map(|s| s.elapsed_us).max().unwrap_or(0)
    }

    /// What is loaded.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// CPU time of all sources together; memory likewise, as each is a process of its own.
    pub fn usage(&self) -> Usage {
        self.sources.values().fold(Usage::default(), |sum, s| Usage {
            cpu_us: sum.cpu_us + s.usage.cpu_us,
            rss_peak_bytes: sum.rss_peak_bytes + s.usage.rss_peak_bytes,
        })
    }

    /// The run as one source: its histograms are those since the last call.
    pub fn snapshot(&mut self, source: &str) -> Snapshot {
        let elapsed_us = self.elapsed_us();
        let live = || self.sources.values().filter(|s| !s.lost);
        // Before the first source has told anything the run has not ended, it begins.
        let phase = if !self.sources.is_empty() && live().all(|s| s.phase == Phase::Done) {
            Phase::Done
        } else if self.sources.is_empty() || live().any(|s| s.phase == Phase::Running) {
            Phase::Running
        } else {
            Phase::Draining
        };
        let snapshot = Snapshot {
            schema: SCHEMA.to_owned(),
            source: source.to_owned(),
            seq: self.seq,
            elapsed_us,
            began_unix_us: 0,
            interval_us: elapsed_us.saturating_sub(self.last_us),
            phase,
            target: self.target.clone(),
            gauges: self.gauges(),
            counters: self.counters(),
            interval: std::mem::take(&mut self.interval),
            usage: self.usage(),
            condition: String::new(),
            thresholds: Vec::new(),
            recent: std::mem::take(&mut self.recent),
        };
        self.seq += 1;
        self.last_us = elapsed_us;
        snapshot
    }
}

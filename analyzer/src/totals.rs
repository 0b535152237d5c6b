//! What a whole capture comes to: counts, a few examples, incidents.

mod silences;
mod storms;
mod waves;

pub use silences::Silence;
pub use storms::Incident;

use crate::judge::Judged;
use crate::record::{Record, Sides};
use clw_core::histogram::Histogram;
use clw_core::report::Report;
use clw_core::verdict::{Side, Verdict};
use clw_core::{Dialect, Stage};
use serde::Serialize;
use silences::Silences;
use std::collections::BTreeMap;
use std::time::Duration;
use storms::Storms;

/// Examples kept of each verdict.
const EXAMPLES: usize = 3;

/// Counts of the result's `summary`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Connections in all.
    pub connections: u64,
    /// Those that are sessions: everything but plain HTTP.
    pub sessions: u64,
    /// Sessions that ended in an error ÷ sessions, in percent.
    pub error_rate_pct: f64,
    /// Sessions by verdict.
    pub by_verdict: BTreeMap<&'static str, u64>,
    /// Connections by dialect.
    pub by_dialect: BTreeMap<&'static str, u64>,
    /// Sessions by the furthest stage.
    pub by_stage: BTreeMap<&'static str, u64>,
    /// WebSockets by close code as applications are told: 1005 for an empty body, 1006 where no close frame came.
    pub by_close_code: BTreeMap<u16, u64>,
    /// RSTs by class.
    pub by_rst_class: BTreeMap<&'static str, u64>,
    /// Silences where heartbeats were due.
    pub heartbeat_gaps: u64,
    /// Connections whose heartbeats as datagrams went one way only.
    pub one_way_losses: u64,
    /// Time that the stages of the handshake took, microseconds: `upgrade`, `challenge`, `auth`, and `ready` from the first packet on.
    pub stages_us: BTreeMap<&'static str, clw_core::histogram::Summary>,
    /// Connections of which no packet of that side was captured.
    pub unheard: Sides<u64>,
    /// Helpers that left before connect: harmless, and not counted as errors.
    pub helpers: u64,
    /// Many sessions that ended together.
    pub incidents: Vec<Incident>,
    /// Many sessions that heard nothing at the same time, and lived through it.
    pub silences: Vec<Silence>,
}

/// Adds connections up as they are judged.
#[derive(Debug, Default)]
pub struct Totals {
    /// Counts.
    pub summary: Summary,
    /// The first few of each verdict.
    pub examples: BTreeMap<&'static str, Vec<Record>>,
    /// Who ended sessions of each verdict.
    pub enders: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// First packet to ready.
    pub ready: Histogram,
    /// Upgrade, challenge, auth.
    stages: [Histogram; 3],
    errors: u64,
    storms: Storms,
    silences: Silences,
}

impl Totals {
    /// Adds a connection.
    pub fn add(&mut self, judged: &Judged) {
        let record = &judged.record;
        let summary = &mut self.summary;
        summary.connections += 1;
        *summary.by_dialect.entry(record.dialect.name()).or_default() += 1;
        for rst in &record.ending.rst {
            *summary.by_rst_class.entry(rst.class).or_default() += 1;
        }
        let Some(verdict) = judged.verdict else { return };
        summary.sessions += 1;
        summary.heartbeat_gaps += record.heartbeats.gaps.len() as u64;
        let udp = record.heartbeats.udp.as_ref();
        summary.one_way_losses += u64::from(udp.is_some_and(|udp| udp.one_way.is_some()));
        *summary.by_verdict.entry(verdict.name()).or_default() += 1;
        *summary.by_stage.entry(record.stage.name()).or_default() += 1;
        let by = self.enders.entry(verdict.name()).or_default();
        *by.entry(record.ending.by.name()).or_default() += 1;
        let ended = !matches!(verdict, Verdict::Open | Verdict::Incomplete);
        if let Some(close) = record.ending.ws_close.as_ref().filter(|close| !close.after_end) {
            *summary.by_close_code.entry(close.code).or_default() += 1;
        } else if ended && record.stage >= Stage::Challenge && record.dialect != Dialect::Tls {
            *summary.by_close_code.entry(1006).or_default() += 1;
        }
        let took = |ms: f64| Duration::from_secs_f64(ms / 1e3);
        if let Some(ready_ms) = record.stages_ms.ready {
            self.ready.record(took(ready_ms));
        }
        let stages = record.stages_ms;
        let stages = [stages.upgrade, stages.challenge, stages.auth];
        for (histogram, ms) in self.stages.iter_mut().zip(stages) {
            if let Some(ms) = ms {
                histogram.record(took(ms));
            }
        }
        if record.stage > Stage::Tcp || record.bytes != Sides::default() {
            summary.unheard.client += u64::from(record.packets.client == 0);
            summary.unheard.server += u64::from(record.packets.server == 0);
        }
        if judged.is_error {
            self.errors += 1;
            self.storms.add(judged, verdict);
        } else if record.helper && is_error(verdict) {
            summary.helpers += 1;
        }
        self.silences.add(judged);
        let examples = self.examples.entry(verdict.name()).or_default();
        if examples.len() < EXAMPLES {
            examples.push(record.clone());
        }
    }

    /// Whether the next connection with this verdict becomes an example.
    pub fn wants_example(&self, verdict: Verdict) -> bool {
        self.examples
            .get(verdict.name())
            .is_none_or(|examples| examples.len() < EXAMPLES)
    }

    /// Sessions that count as errors.
    pub const fn errors(&self) -> u64 {
        self.errors
    }

    /// The capture is over: rates and incidents.
    pub fn finish(&mut self) {
        let sessions = self.summary.sessions;
        if sessions > 0 {
            self.summary.error_rate_pct = (self.errors as f64 * 1e5 / sessions as f64).round() / 1e3;
        }
        let names = ["upgrade", "challenge", "auth", "ready"];
        let histograms = self.stages.iter().chain([&self.ready]);
        for (name, histogram) in names.into_iter().zip(histograms).filter(|(_, h)| !h.is_empty()) {
            self.summary.stages_us.insert(name, histogram.summary());
        }
        self.summary.incidents = std::mem::take(&mut self.storms).incidents();
        self.summary.silences = std::mem::take(&mut self.silences).all();
    }

    /// The capture as a run of sessions, so that thresholds mean the same here as in a load test.
    pub fn as_report(&self) -> Report {
        let mut report = Report {
            error_rate_pct: self.summary.error_rate_pct,
            ..Report::default()
        };
        report.sessions.started = self.summary.sessions;
        report.sessions.ready = self
            .summary
            .by_stage
            .get(Stage::Ready.name())
            .copied()
            .unwrap_or(0);
        report.sessions.completed = self.summary.by_verdict.get("ok").copied().unwrap_or(0);
        report.sessions.failed = self.errors;
        let named = self.summary.by_verdict.iter();
        report.verdicts = named.map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let codes = self.summary.by_close_code.iter();
        report.close_codes = codes.map(|(code, count)| (code.to_string(), *count)).collect();
        report.heartbeat.counts.missed = self.summary.heartbeat_gaps;
        report.latency_us.ready = self.ready.summary();
        report
    }
}

/// Whether a session that ended so is one that went wrong.
pub fn is_error(verdict: Verdict) -> bool {
    verdict.is_error()
}

/// Who ended most sessions of a verdict.
pub fn ender(by: Option<&BTreeMap<&'static str, u64>>) -> &'static str {
    by.and_then(|by| by.iter().max_by_key(|(_, count)| **count))
        .map_or(Side::Unknown.name(), |(name, _)| name)
}

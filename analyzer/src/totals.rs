//! What a whole capture comes to: counts, a few examples, incidents.

use crate::judge::Judged;
use crate::record::Record;
use clw_core::histogram::Histogram;
use clw_core::report::Report;
use clw_core::verdict::{Side, Verdict};
use clw_core::{Dialect, Stage};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Examples kept of each verdict.
const EXAMPLES: usize = 3;
/// Endings that are closer together than this belong to one storm.
const STORM_GAP_NS: u64 = 1_000_000_000;
/// So many endings make one.
const STORM_SESSIONS: u64 = 5;
/// Endings are put in slots of so many nanoseconds.
const SLOT_NS: u64 = 100_000_000;
/// Slots remembered; past it the capture is too long for storms this fine, and later ones are not told.
const MAX_SLOTS: usize = 200_000;

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
    /// Many sessions that ended together.
    pub incidents: Vec<Incident>,
}

/// Sessions of one server that ended alike, at once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Incident {
    /// The server.
    pub server: SocketAddr,
    /// How they ended.
    pub verdict: &'static str,
    /// When the first one ended, RFC 3339 in UTC.
    pub at: String,
    /// The same, nanoseconds since the Unix epoch.
    pub at_unix_ns: u64,
    /// From the first ending to the last, milliseconds.
    pub length_ms: f64,
    /// How many.
    pub sessions: u64,
    /// What most likely did it.
    pub cause: String,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    sessions: u64,
    first_ns: u64,
    last_ns: u64,
    wordless: u64,
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
    errors: u64,
    slots: BTreeMap<(SocketAddr, Verdict), BTreeMap<u64, Slot>>,
    slot_count: usize,
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
        *summary.by_verdict.entry(verdict.name()).or_default() += 1;
        *summary.by_stage.entry(record.stage.name()).or_default() += 1;
        let by = self.enders.entry(verdict.name()).or_default();
        *by.entry(record.ending.by.name()).or_default() += 1;
        let ended = !matches!(verdict, Verdict::Open | Verdict::Incomplete);
        if let Some(close) = &record.ending.ws_close {
            *summary.by_close_code.entry(close.code).or_default() += 1;
        } else if ended && record.stage >= Stage::Challenge && record.dialect != Dialect::Tls {
            *summary.by_close_code.entry(1006).or_default() += 1;
        }
        if let Some(ready_ms) = record.stages_ms.ready {
            self.ready.record(Duration::from_secs_f64(ready_ms / 1e3));
        }
        if is_error(verdict) {
            self.errors += 1;
            self.remember(judged, verdict);
        }
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

    fn remember(&mut self, judged: &Judged, verdict: Verdict) {
        let slots = self.slots.entry((judged.record.server, verdict)).or_default();
        let at = judged.ended_ns / SLOT_NS;
        if !slots.contains_key(&at) {
            if self.slot_count >= MAX_SLOTS {
                return;
            }
            self.slot_count += 1;
        }
        let slot = slots.entry(at).or_default();
        if slot.sessions == 0 {
            slot.first_ns = judged.ended_ns;
        }
        slot.sessions += 1;
        slot.first_ns = slot.first_ns.min(judged.ended_ns);
        slot.last_ns = slot.last_ns.max(judged.ended_ns);
        slot.wordless += u64::from(judged.record.ending.ws_close.is_none());
    }

    /// The capture is over: rates and incidents.
    pub fn finish(&mut self) {
        let sessions = self.summary.sessions;
        if sessions > 0 {
            self.summary.error_rate_pct = (self.errors as f64 * 1e5 / sessions as f64).round() / 1e3;
        }
        let mut incidents = Vec::new();
        for ((server, verdict), slots) in &self.slots {
            let mut storm: Option<Slot> = None;
            for slot in slots.values() {
                match &mut storm {
                    Some(open) if slot.first_ns.saturating_sub(open.last_ns) <= STORM_GAP_NS => {
                        open.sessions += slot.sessions;
                        open.wordless += slot.wordless;
                        open.last_ns = slot.last_ns;
                    }
                    _ => {
                        incidents.extend(storm.take().and_then(|s| incident(*server, *verdict, &s)));
                        storm = Some(slot.clone());
                    }
                }
            }
            incidents.extend(storm.and_then(|s| incident(*server, *verdict, &s)));
        }
        incidents.sort_by_key(|incident| incident.at_unix_ns);
        self.summary.incidents = incidents;
        self.slots.clear();
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

fn incident(server: SocketAddr, verdict: Verdict, slot: &Slot) -> Option<Incident> {
    if slot.sessions < STORM_SESSIONS {
        return None;
    }
    Some(Incident {
        server,
        verdict: verdict.name(),
        at: crate::judge::rfc3339(slot.first_ns),
        at_unix_ns: slot.first_ns,
        length_ms: crate::record::ms(slot.last_ns - slot.first_ns),
        sessions: slot.sessions,
        cause: cause(verdict, slot).to_owned(),
    })
}

/// What ends many sessions alike at one instant.
fn cause(verdict: Verdict, slot: &Slot) -> &'static str {
    let is_instant = slot.last_ns - slot.first_ns <= STORM_GAP_NS;
    let all_wordless = slot.wordless == slot.sessions;
    match verdict {
        Verdict::ServerRestart => "the gateway was stopped or restarted in order",
        Verdict::AuthDisconnected | Verdict::PromptDisconnected if is_instant && all_wordless => {
            "the gateway process died: no close frames, all at one instant"
        }
        Verdict::HeartbeatMiss => "the network was cut, or the gateway's event loop stood still",
        Verdict::InjectedReset => {
            "a middlebox reset the connections: a failover, a flushed state table or a policy"
        }
        Verdict::ConnTimeout | Verdict::ConnRefused => {
            "the gateway was not listening, or could not be reached"
        }
        Verdict::ServerOverloaded => "more connections at once than the gateway takes before authentication",
        Verdict::HandshakeTimeout => {
            "the gateway's event loop was busy, or clients went quiet before connect"
        }
        Verdict::AuthFailed => "credentials changed on one side only",
        Verdict::SessionRevoked => "the shared token was rotated in the configuration",
        _ => "one cause for all of them: see the evidence of any",
    }
}

/// Who ended most sessions of a verdict.
pub fn ender(by: Option<&BTreeMap<&'static str, u64>>) -> &'static str {
    by.and_then(|by| by.iter().max_by_key(|(_, count)| **count))
        .map_or(Side::Unknown.name(), |(name, _)| name)
}

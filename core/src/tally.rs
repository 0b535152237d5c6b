//! The counters and histograms that a worker owns and writes.
//!
//! One thread writes a [`Tally`]; nothing in it is shared. Counters run on, histograms belong to an interval and leave with
//! its snapshot, so adding up snapshots gives the totals exactly.

mod counts;

pub use counts::{
    CallErrors, Heartbeats, Notifications, Pairings, Reconnects, Refreshes, Sessions, Traffic, UdpHeartbeats,
    Uptime,
};

use crate::Stage;
use crate::histogram::Histogram;
use crate::verdict::{EndingKind, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Codes kept apart at most; a hostile server may send any.
const MAX_CLOSE_CODES: usize = 64;
/// Evidence kept per verdict.
const MAX_SAMPLES: usize = 3;

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// TCP handshake.
    TcpConnect,
    /// TLS handshake.
    Tls,
    /// From the request to the 101.
    Upgrade,
    /// From the 101 to the challenge.
    Challenge,
    /// From the first message to the acceptance.
    Auth,
    /// From the scheduled start to ready: the response time.
    Ready,
    /// From the connect call to ready: the service time.
    ReadyService,
    /// From a heartbeat to its answer.
    HeartbeatRtt,
    /// The same for heartbeats as datagrams.
    UdpRtt,
    /// Between two ticks of the server.
    TickGap,
    /// From a drop to ready again.
    TimeToReady,
    /// From the scheduled start to the real one: the generator's own lateness.
    ScheduleLag,
    /// A call's response time.
    Rpc(u16),
    /// A call's service time.
    RpcService(u16),
}

/// Metrics that are not of a call, with their names in results.
const FIXED: [(Metric, &str); 12] = [
    (Metric::TcpConnect, "tcp_connect"),
    (Metric::Tls, "tls"),
    (Metric::Upgrade, "upgrade"),
    (Metric::Challenge, "challenge"),
    (Metric::Auth, "auth"),
    (Metric::Ready, "ready"),
    (Metric::ReadyService, "ready_service"),
    (Metric::HeartbeatRtt, "heartbeat_rtt"),
    (Metric::TickGap, "tick_gap"),
    (Metric::TimeToReady, "time_to_ready"),
    (Metric::ScheduleLag, "schedule_lag"),
    (Metric::UdpRtt, "udp_rtt"),
];

/// Everything that only grows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Sessions.
    pub sessions: Sessions,
    /// Final verdicts of sessions.
    #[serde(with = "by_verdict")]
    pub verdicts: [u64; Verdict::COUNT],
    /// Verdicts of connections that a reconnect followed.
    #[serde(with = "by_verdict")]
    pub drops: [u64; Verdict::COUNT],
    /// The furthest stage of each connection that ended.
    pub stages: [u64; Stage::ALL.len()],
    /// How the transports of connections that were established ended: `fin`, `rst`, `silent`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ends: BTreeMap<String, u64>,
    /// What applications would have been told: 1005 for an empty close frame, 1006 for none. 0 collects the rest when a
    /// server sends too many different ones.
    pub close_codes: BTreeMap<u16, u64>,
    /// Heartbeats.
    pub heartbeat: Heartbeats,
    /// Reconnects.
    pub reconnect: Reconnects,
    /// Token refreshes.
    pub refreshes: Refreshes,
    /// Devices and their tokens.
    pub pairing: Pairings,
    /// Notifications.
    pub notifications: Notifications,
    /// Calls that failed, by method.
    pub calls: BTreeMap<String, CallErrors>,
    /// Bytes of WebSocket and HTTP, without TLS and TCP.
    pub bytes: Traffic,
    /// Frames.
    pub frames: Traffic,
    /// Broadcasts that a jump in `seq` shows to be lost.
    pub broadcasts_lost: u64,
    /// Uptime.
    pub uptime: Uptime,
    /// This machine's own errors by name: they are nobody's verdict.
    pub generator_errors: BTreeMap<String, u64>,
    /// A few endings in words, by verdict.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub samples: BTreeMap<String, Vec<Vec<String>>>,
}

impl Counters {
    /// Sessions that ended in errors, by verdict: helpers that left before connect are none.
    pub fn errors(&self) -> [u64; Verdict::COUNT] {
        let mut errors = [0; Verdict::COUNT];
        for verdict in Verdict::ALL.into_iter().filter(|v| v.is_error()) {
            errors[verdict.index()] = self.verdicts[verdict.index()];
        }
        let left = &mut errors[Verdict::ClosedBeforeConnect.index()];
        *left = left.saturating_sub(self.sessions.helpers);
        errors
    }

    /// Adds another worker's.
    pub fn add(&mut self, other: &Self) {
        let (a, b) = (&mut self.sessions, &other.sessions);
        for (to, from) in [
            (&mut a.planned, b.planned),
            (&mut a.started, b.started),
            (&mut a.ready, b.ready),
            (&mut a.completed, b.completed),
            (&mut a.failed, b.failed),
            (&mut a.dropped, b.dropped),
            (&mut a.reconnected, b.reconnected),
            (&mut a.ended, b.ended),
            (&mut a.skipped_starts, b.skipped_starts),
            (&mut a.helpers, b.helpers),
            (&mut self.pairing.asked, other.pairing.asked),
            (&mut self.pairing.approved, other.pairing.approved),
            (&mut self.pairing.tokens, other.pairing.tokens),
            (&mut self.pairing.fallbacks, other.pairing.fallbacks),
            (&mut self.pairing.unkept, other.pairing.unkept),
            (&mut self.heartbeat.sent, other.heartbeat.sent),
            (&mut self.heartbeat.answered, other.heartbeat.answered),
            (&mut self.heartbeat.missed, other.heartbeat.missed),
            (&mut self.reconnect.attempts, other.reconnect.attempts),
            (&mut self.reconnect.succeeded, other.reconnect.succeeded),
            (&mut self.refreshes.done, other.refreshes.done),
            (&mut self.refreshes.refused, other.refreshes.refused),
            (&mut self.notifications.new, other.notifications.new),
            (&mut self.notifications.duplicates, other.notifications.duplicates),
            (&mut self.bytes.sent, other.bytes.sent),
            (&mut self.bytes.received, other.bytes.received),
            (&mut self.frames.sent, other.frames.sent),
            (&mut self.frames.received, other.frames.received),
            (&mut self.broadcasts_lost, other.broadcasts_lost),
            (&mut self.uptime.ready_us, other.uptime.ready_us),
            (&mut self.uptime.meant_us, other.uptime.meant_us),
        ] {
            *to += from;
        }
        self.heartbeat.udp.add(&other.heartbeat.udp);
        for (to, from) in [
            (&mut self.verdicts, &other.verdicts),
            (&mut self.drops, &other.drops),
        ] {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
        self.stages
            .iter_mut()
            .zip(&other.stages)
            .for_each(|(to, from)| *to += from);
        for (end, count) in &other.ends {
            *self.ends.entry(end.clone()).or_default() += count;
        }
        for (code, count) in &other.close_codes {
            *self.close_codes.entry(*code).or_default() += count;
        }
        for (method, errors) in &other.calls {
            let sum = self.calls.entry(method.clone()).or_default();
            sum.failed += errors.failed;
            sum.unanswered += errors.unanswered;
        }
        for (name, count) in &other.generator_errors {
            *self.generator_errors.entry(name.clone()).or_default() += count;
        }
        for (verdict, samples) in &other.samples {
            let kept = self.samples.entry(verdict.clone()).or_default();
            let room = MAX_SAMPLES.saturating_sub(kept.len());
            kept.extend(samples.iter().take(room).cloned());
        }
    }
}

/// What is open now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gauges {
    /// Connections, in any stage.
    pub open: u64,
    /// Connections not yet ready.
    pub connecting: u64,
    /// Ready sessions.
    pub ready: u64,
    /// Sessions waiting to connect again.
    pub reconnecting: u64,
    /// Most connections open at once so far.
    pub peak_open: u64,
    /// Sessions (or slots) that have not ended.
    pub active: u64,
}

impl Gauges {
    /// Adds another worker's. The sum of peaks is an upper bound unless the caller tracks the peak of the sum.
    pub fn add(&mut self, other: &Self) {
        self.open += other.open;
        self.connecting += other.connecting;
        self.ready += other.ready;
        self.reconnecting += other.reconnecting;
        self.peak_open += other.peak_open;
        self.active += other.active;
    }
}

/// What one worker counts and times.
#[derive(Debug)]
pub struct Tally {
    /// Counters, from the start on.
    pub counters: Counters,
    /// Gauges.
    pub gauges: Gauges,
    calls: Vec<String>,
    histograms: Vec<Histogram>,
}

impl Tally {
    /// For a worker whose calls have these names; [`Metric::Rpc`] counts them from 0.
    pub fn new(calls: &[String]) -> Self {
        Self {
            counters: Counters::default(),
            gauges: Gauges::default(),
            calls: calls.to_vec(),
            histograms: vec![Histogram::new(); FIXED.len() + 2 * calls.len()],
        }
    }

    /// Records a time. A call that is not there is ignored.
    pub fn record(&mut self, metric: Metric, took: Duration) {
        let index = match metric {
            Metric::Rpc(call) => FIXED.len() + 2 * usize::from(call),
            Metric::RpcService(call) => FIXED.len() + 2 * usize::from(call) + 1,
            Metric::TcpConnect => 0,
            Metric::Tls => 1,
            Metric::Upgrade => 2,
            Metric::Challenge => 3,
            Metric::Auth => 4,
            Metric::Ready => 5,
            Metric::ReadyService => 6,
            Metric::HeartbeatRtt => 7,
            Metric::TickGap => 8,
            Metric::TimeToReady => 9,
            Metric::ScheduleLag => 10,
            Metric::UdpRtt => 11,
        };
        if let Some(histogram) = self.histograms.get_mut(index) {
            histogram.record(took);
        }
    }

    /// A connection was begun.
    pub fn opened(&mut self) {
        let gauges = &mut self.gauges;
        gauges.open += 1;
        gauges.connecting += 1;
        gauges.peak_open = gauges.peak_open.max(gauges.open);
    }

    /// A connection is over; it had been ready or not.
    pub fn closed(&mut self, was_ready: bool) {
        let gauges = &mut self.gauges;
        gauges.open = gauges.open.saturating_sub(1);
        let gauge = if was_ready {
            &mut gauges.ready
        } else {
            &mut gauges.connecting
        };
        *gauge = gauge.saturating_sub(1);
    }

    /// Counts a close code as applications are told it.
    pub fn close_code(&mut self, code: u16) {
        let codes = &mut self.counters.close_codes;
        let code = if codes.len() < MAX_CLOSE_CODES || codes.contains_key(&code) {
            code
        } else {
            0
        };
        *codes.entry(code).or_default() += 1;
    }

    /// Counts how an established transport ended.
    pub fn transport_end(&mut self, ending: EndingKind) {
        let name = match ending {
            EndingKind::Fin => "fin",
            EndingKind::Rst => "rst",
            EndingKind::Silent => "silent",
            EndingKind::Open => return,
        };
        match self.counters.ends.get_mut(name) {
            Some(count) => *count += 1,
            None => drop(self.counters.ends.insert(name.to_owned(), 1)),
        }
    }

    /// Counts an error of this machine, by its errno's name or in words that are the same for all sessions.
    pub fn generator_error(&mut self, name: &str) {
        match self.counters.generator_errors.get_mut(name) {
            Some(count) => *count += 1,
            None => drop(self.counters.generator_errors.insert(name.to_owned(), 1)),
        }
    }

    /// A call was answered with an error.
    pub fn rpc_failed(&mut self, call: u16) {
        if let Some(method) = self.calls.get(usize::from(call)) {
            self.counters.calls.entry(method.clone()).or_default().failed += 1;
        }
    }

    /// A call was not answered in time.
    pub fn rpc_unanswered(&mut self, call: u16) {
        if let Some(method) = self.calls.get(usize::from(call)) {
            self.counters.calls.entry(method.clone()).or_default().unanswered += 1;
        }
    }

    /// Keeps an ending in words, if there are not enough of its kind yet.
    pub fn sample(&mut self, verdict: Verdict, words: impl FnOnce() -> Vec<String>) {
        match self.counters.samples.get_mut(verdict.name()) {
            Some(kept) if kept.len() >= MAX_SAMPLES => {}
            Some(kept) => kept.push(words()),
            None => drop(
                self.counters
                    .samples
                    .insert(verdict.name().to_owned(), vec![words()]),
            ),
        }
    }

    /// The interval's histograms that are not empty, by name; the interval begins anew.
    pub fn take_histograms(&mut self) -> BTreeMap<String, Histogram> {
        let names = FIXED.iter().map(|(_, name)| (*name).to_owned()).chain(
            self.calls
                .iter()
                .flat_map(|c| [format!("rpc.{c}"), format!("rpc_service.{c}")]),
        );
        let mut taken: BTreeMap<String, Histogram> = BTreeMap::new();
        for (name, histogram) in names.zip(&mut self.histograms) {
            if !histogram.is_empty() {
                // Two mixes may have a call of the same name.
                taken.entry(name).or_default().add(histogram);
                histogram.clear();
            }
        }
        taken
    }
}

/// Counters by verdict as a map of those that are not zero.
mod by_verdict {
    use super::Verdict;
    use serde::de::Deserialize as _;
    use serde::{Deserializer, Serializer};
    use std::collections::BTreeMap;

    pub(super) fn serialize<S: Serializer>(
        counts: &[u64; Verdict::COUNT],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            Verdict::ALL
                .iter()
                .filter(|v| counts[v.index()] > 0)
                .map(|v| (v.name(), counts[v.index()])),
        )
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u64; Verdict::COUNT], D::Error> {
        let map = BTreeMap::<String, u64>::deserialize(deserializer)?;
        let mut counts = [0; Verdict::COUNT];
        for (name, count) in map {
            // A verdict of a later release is not lost: it is told as what it is here, an ending of unknown kind.
            let verdict = Verdict::from_name(&name).unwrap_or(Verdict::Incomplete);
            counts[verdict.index()] += count;
        }
        Ok(counts)
    }
}

//! Packets in, snapshots out: the analyzer's engine behind the dashboard's telemetry.
//!
//! Time is the capture's own. Whoever feeds it says when an interval is over.

use super::{Narrow, tell};
use clw_analyzer::decode::{Decoded, Decoder, FragmentLimits};
use clw_analyzer::engine::{Engine, Live, Options};
use clw_analyzer::judge::Judged;
use clw_analyzer::source::Frame;
use clw_analyzer::stream::beats::Kind;
use clw_core::histogram::Histogram;
use clw_core::journal::SessionRecord;
use clw_core::snapshot::{Phase, SCHEMA, Snapshot, Target};
use clw_core::tally::{Counters, Gauges, Heartbeats};
use clw_core::verdict::Verdict;
use clw_core::{Dialect, Stage, openclaw};
use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

/// A connection that is over waits so long for stragglers before it is named, in nanoseconds.
pub const LINGER_NS: u64 = 1_500_000_000;
/// Gateways remembered at most; a capture may be hostile.
const MAX_GATEWAYS: usize = 4096;
/// The kernel's losses, as the dashboard's generator panel names them.
const DROPPED: &str = "packets the kernel dropped";

/// Follows the sessions of a capture and counts what becomes of them.
pub struct Ledger {
    engine: Engine,
    decoder: Decoder,
    source: String,
    /// Every connection counts, and not only those of gateways.
    all: bool,
    /// Addresses at which sessions were seen: their refused and silent connections count too.
    gateways: HashSet<SocketAddr>,
    target: Target,
    /// What ended.
    ended: Counters,
    recent: Vec<SessionRecord>,
    begun_ns: Option<u64>,
    told_ns: u64,
    now_ns: u64,
    seq: u64,
    packets: u64,
    peak_open: u64,
}

/// Of the connections that are open now.
#[derive(Default)]
struct Open {
    gauges: Gauges,
    /// Over, but not judged yet.
    lingering: u64,
    /// Were ready at some time, lingering ones among them.
    ready: u64,
    heartbeat: Heartbeats,
    interval: BTreeMap<String, Histogram>,
}

impl Open {
    fn add(&mut self, is_ready: bool) {
        self.gauges.open += 1;
        self.gauges.active += 1;
        if is_ready {
            self.ready += 1;
            self.gauges.ready += 1;
        } else {
            self.gauges.connecting += 1;
        }
    }
}

impl Ledger {
    /// Nothing seen yet.
    pub fn new(source: impl Into<String>, narrow: Narrow) -> Self {
        Self {
            engine: Engine::new(Options {
                port: narrow.port,
                dialect: narrow.dialect,
                linger_ns: LINGER_NS,
                ..Options::default()
            }),
            decoder: Decoder::new(FragmentLimits::default()),
            source: source.into(),
            all: narrow.port.is_some(),
            gateways: HashSet::new(),
            target: Target::default(),
            ended: Counters::default(),
            recent: Vec::new(),
            begun_ns: None,
            told_ns: 0,
            now_ns: 0,
            seq: 0,
            packets: 0,
            peak_open: 0,
        }
    }

    /// The capture's clock, nanoseconds since the Unix epoch; `None` before the first packet.
    pub fn now_ns(&self) -> Option<u64> {
        self.begun_ns.map(|_| self.now_ns)
    }

    /// When the last snapshot was taken, nanoseconds since the Unix epoch.
    pub const fn told_ns(&self) -> u64 {
        self.told_ns
    }

    /// Packets so far.
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// The clock begins, if it has not: an interface may stay quiet.
    pub fn begin(&mut self, at_ns: u64) {
        if self.begun_ns.is_none() {
            self.begun_ns = Some(at_ns);
            self.told_ns = at_ns;
            self.now_ns = at_ns;
        }
    }

    /// TLS secrets that the capture brings along.
    pub fn secrets(&mut self, text: &[u8]) {
        self.engine.keys().add(text);
    }

    /// The kernel had no room for so many packets, in all.
    pub fn dropped(&mut self, packets: u64) {
        if packets > 0 {
            self.ended.generator_errors.insert(DROPPED.to_owned(), packets);
        }
    }

    /// Takes a packet.
    pub fn feed(&mut self, frame: &Frame<'_>) {
        self.begin(frame.at_ns);
        self.packets += 1;
        self.now_ns = self.now_ns.max(frame.at_ns);
        let Self { engine, decoder, .. } = self;
        let mut done = Vec::new();
        match decoder.decode(frame) {
            Decoded::Tcp(segment) => engine.feed(&segment, &mut |judged| done.push(judged)),
            Decoded::Udp(datagram) => drop(engine.feed_datagram(&datagram)),
            Decoded::Other(_) => {}
        }
        for judged in done {
            self.take(&judged);
        }
    }

    /// An interval is over at `at_ns`: what is known now.
    pub fn tell(&mut self, at_ns: u64) -> Snapshot {
        self.begin(at_ns);
        self.now_ns = self.now_ns.max(at_ns);
        let mut done = Vec::new();
        self.engine.advance(self.now_ns, &mut |judged| done.push(judged));
        for judged in done {
            self.take(&judged);
        }
        let open = self.open();
        self.snapshot(open, Phase::Running)
    }

    /// The capture is over: what had not ended in it stays open.
    pub fn end(&mut self) -> Snapshot {
        let mut open = Open {
            interval: self.open().interval,
            ..Open::default()
        };
        let mut done = Vec::new();
        self.engine.end(&mut |judged| done.push(judged));
        for judged in done {
            let record = &judged.record;
            if judged.verdict == Some(Verdict::Open) && self.counts(record.dialect, record.server) {
                let is_ready = record.stage == Stage::Ready;
                open.add(is_ready);
                let beats = &record.heartbeats;
                open.heartbeat.sent += beats.ws_ping + beats.ticks;
                open.heartbeat.answered += beats.ws_pong;
                open.heartbeat.missed += beats.gaps.len() as u64;
                open.heartbeat.udp.add(&tell::datagrams(beats));
            }
            self.take(&judged);
        }
        self.snapshot(open, Phase::Done)
    }

    fn snapshot(&mut self, open: Open, phase: Phase) -> Snapshot {
        let begun_ns = self.begun_ns.unwrap_or(self.now_ns);
        let mut counters = self.ended.clone();
        let sessions = &mut counters.sessions;
        sessions.started = sessions.ended + open.gauges.open + open.lingering;
        sessions.ready += open.ready;
        sessions.planned = sessions.started;
        counters.heartbeat.sent += open.heartbeat.sent;
        counters.heartbeat.answered += open.heartbeat.answered;
        counters.heartbeat.missed += open.heartbeat.missed;
        counters.heartbeat.udp.add(&open.heartbeat.udp);
        self.peak_open = self.peak_open.max(open.gauges.open);
        let snapshot = Snapshot {
            schema: SCHEMA.to_owned(),
            source: self.source.clone(),
            seq: self.seq,
            elapsed_us: self.now_ns.saturating_sub(begun_ns) / 1000,
            began_unix_us: begun_ns / 1000,
            interval_us: self.now_ns.saturating_sub(self.told_ns) / 1000,
            phase,
            target: self.target.clone(),
            gauges: Gauges {
                peak_open: self.peak_open,
                ..open.gauges
            },
            counters,
            interval: open.interval,
            recent: std::mem::take(&mut self.recent),
            ..Snapshot::default()
        };
        self.seq += 1;
        self.told_ns = self.now_ns;
        snapshot
    }

    /// Whether a connection is one that the dashboard is about.
    fn counts(&mut self, dialect: Dialect, server: SocketAddr) -> bool {
        let is_session = matches!(
            dialect,
            Dialect::Openclaw | Dialect::Clw | Dialect::Clawchat | Dialect::Websocket
        );
        if is_session && self.gateways.len() < MAX_GATEWAYS {
            self.gateways.insert(server);
        }
        // A request that never asked for an upgrade is somebody looking at a page.
        dialect != Dialect::Http
            && (is_session
                || self.all
                || server.port() == openclaw::DEFAULT_PORT
                || self.gateways.contains(&server))
    }

    fn take(&mut self, judged: &Judged) {
        let record = &judged.record;
        let Some(verdict) = judged.verdict else { return };
        if !self.counts(record.dialect, record.server) || verdict == Verdict::Open {
            return;
        }
        tell::add(&mut self.ended, record, verdict, judged.is_error);
        if judged.is_error {
            let begun_ns = self.begun_ns.unwrap_or(0);
            clw_core::snapshot::keep_recent(&mut self.recent, verdict.name(), || {
                tell::session_record(judged, begun_ns)
            });
        }
    }

    fn open(&mut self) -> Open {
        let mut open = Open::default();
        let engine = std::mem::replace(&mut self.engine, Engine::new(Options::default()));
        for live in engine.connections() {
            self.add_open(live, &mut open);
        }
        self.engine = engine;
        open
    }

    fn add_open(&mut self, live: &Live, open: &mut Open) {
        let server = live.connection.server;
        let session = live.session.as_deref();
        let dialect = session.map_or(Dialect::Unknown, |s| s.dialect(server.port(), None));
        if !self.counts(dialect, server) {
            return;
        }
        if dialect != Dialect::Unknown {
            self.aim(
                dialect,
                server,
                session.and_then(|s| s.facts.identity.server_version.as_deref()),
            );
        }
        let facts = session.map(|s| &s.facts);
        let ready_ns = facts.and_then(|f| {
            // Nothing to log in to: a plain WebSocket is ready when it is one, and one that was there before is ready.
            let plain = (dialect == Dialect::Websocket).then_some(f.upgraded_ns).flatten();
            let before = f.began_in_the_middle.then_some(live.connection.first_ns);
            f.ready_ns.or(plain).or(before)
        });
        if let Some(facts) = facts {
            let first = live.connection.first_ns;
            for (name, from, to) in [
                ("upgrade", facts.requested_ns, facts.upgraded_ns),
                ("challenge", facts.upgraded_ns, facts.challenged_ns),
                ("auth", facts.first_message_ns, facts.ready_ns),
                (
                    "ready",
                    Some(first),
                    facts.ready_ns.filter(|_| live.connection.has_syn),
                ),
            ] {
                if let (Some(from), Some(to)) = (from, to)
                    && to > self.told_ns
                    && to <= self.now_ns
                {
                    let took = Duration::from_nanos(to.saturating_sub(from));
                    open.interval.entry(name.to_owned()).or_default().record(took);
                }
            }
            open.heartbeat.sent += facts.beats.count(Kind::Ping) + facts.beats.count(Kind::Tick);
            open.heartbeat.answered += facts.beats.count(Kind::Pong);
            open.heartbeat.missed += facts.beats.gaps().len() as u64;
            if let Some(beside) = &facts.beside {
                let seen = beside.seen();
                let one_way = seen.one_way.is_some();
                open.heartbeat
                    .udp
                    .add(&tell::udp(seen.pings, seen.pongs, one_way));
            }
        }
        let is_ready = ready_ns.is_some() || facts.is_some_and(|f| f.stage == Stage::Ready);
        if live.is_over() {
            open.lingering += 1;
            open.ready += u64::from(is_ready);
        } else {
            open.add(is_ready);
        }
    }

    /// What the header calls the target: the gateway seen last, and how many others there are.
    fn aim(&mut self, dialect: Dialect, server: SocketAddr, version: Option<&str>) {
        let others = self.gateways.len().saturating_sub(1);
        if self.target.url.is_empty() || self.target.dialect == Dialect::Unknown {
            self.target.dialect = dialect;
            self.target.url = format!("ws://{server}");
        }
        if others > 0
            && let Some(first) = self.target.url.split(" and ").next()
        {
            self.target.url = format!("{first} and {others} more");
        }
        if let Some(version) = version {
            self.target.server_version = Some(version.chars().filter(|c| !c.is_control()).take(40).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clw_analyzer::source::LinkType;

    #[test]
    fn packets_that_the_kernel_dropped_are_the_viewers_own_trouble_and_quiet_is_told_too() {
        let mut ledger = Ledger::new("lo", Narrow::default());
        assert_eq!(ledger.now_ns(), None);
        ledger.begin(5_000_000_000);
        ledger.dropped(0);
        let quiet = ledger.tell(6_000_000_000);
        assert_eq!(
            (quiet.elapsed_us, quiet.counters.generator_errors.len()),
            (1_000_000, 0)
        );
        ledger.dropped(17);
        let told = ledger.tell(7_000_000_000);
        assert_eq!(told.counters.generator_errors.get(DROPPED), Some(&17));
        assert_eq!((told.seq, told.interval_us), (1, 1_000_000));
        assert_eq!(told.counters.sessions.started, 0);
    }

    #[test]
    fn noise_is_no_session_and_does_no_harm() {
        let mut ledger = Ledger::new(
            "-",
            Narrow {
                port: Some(1),
                dialect: None,
            },
        );
        let bytes: Vec<u8> = (0..2000u32).map(|i| (i * 7919 % 251) as u8).collect();
        for length in 0..bytes.len() {
            ledger.feed(&Frame {
                number: length as u64 + 1,
                at_ns: if length % 7 == 0 { u64::MAX } else { length as u64 },
                interface: 0,
                link: LinkType::RAW,
                data: &bytes[..length],
                original_len: u32::MAX,
                file: 0,
            });
        }
        let last = ledger.end();
        assert_eq!(last.counters.sessions.started, 0);
        assert!(crate::source::within_bounds(&last));
    }
}

//! Many sessions of a server that ended alike, at once or one after another: one incident with its cause.

use super::waves::{Sum, Wave, Waves};
use crate::judge::Judged;
use clw_core::verdict::{Side, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Endings that are no further apart were one instant's.
const INSTANT_NS: u64 = 1_000_000_000;

/// Sessions of one server that ended alike, at once or one after another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Incident {
    /// The server.
    pub server: SocketAddr,
    /// How most of them ended.
    pub verdict: &'static str,
    /// How many ended how.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// When the first one ended, RFC 3339 in UTC.
    pub at: String,
    /// The same, nanoseconds since the Unix epoch.
    pub at_unix_ns: u64,
    /// From the first ending to the last, milliseconds.
    pub length_ms: f64,
    /// When the last one ended, RFC 3339 in UTC.
    pub until: String,
    /// They ended one after another, and it went on: no single instant's doing.
    pub is_lasting: bool,
    /// How many.
    pub sessions: u64,
    /// How many a second; what took less than a second is taken for a second's.
    pub per_second: f64,
    /// The most in one second.
    pub most_per_second: f64,
    /// What ended likewise in a second all the time, and what these stand out from.
    pub usual_per_second: f64,
    /// What most likely did it.
    pub cause: String,
}

/// What is known of endings, added up.
#[derive(Clone, Debug, Default)]
struct Facts {
    /// Without a close frame before the end.
    wordless: u64,
    by_server: u64,
    by_client: u64,
    /// A restart was announced, and an end without one.
    restarts: u64,
    stops: u64,
    /// The last silence before the end was a cut path's, and a program's that stood still.
    cut: u64,
    stalled: u64,
    verdicts: BTreeMap<&'static str, u64>,
}

impl Facts {
    fn of(judged: &Judged, verdict: Verdict) -> Self {
        let ending = &judged.record.ending;
        let cause = judged.record.heartbeats.gaps.last().map_or("", |gap| gap.cause);
        Self {
            wordless: u64::from(is_wordless(judged)),
            by_server: u64::from(ending.by == Side::Server),
            by_client: u64::from(ending.by == Side::Client),
            restarts: u64::from(judged.shutdown_announced == Some(true)),
            stops: u64::from(judged.shutdown_announced == Some(false)),
            cut: u64::from(cause.starts_with("path cut") || cause.starts_with("one-way")),
            stalled: u64::from(cause.starts_with("stalled")),
            verdicts: [(verdict.name(), 1)].into(),
        }
    }
}

impl Sum for Facts {
    fn add(&mut self, other: Self) {
        self.wordless += other.wordless;
        self.by_server += other.by_server;
        self.by_client += other.by_client;
        self.restarts += other.restarts;
        self.stops += other.stops;
        self.cut += other.cut;
        self.stalled += other.stalled;
        for (verdict, count) in other.verdicts {
            *self.verdicts.entry(verdict).or_default() += count;
        }
    }
}

fn is_wordless(judged: &Judged) -> bool {
    let close = judged.record.ending.ws_close.as_ref();
    close.is_none_or(|close| close.after_end)
}

/// Endings, gathered by server and kind.
#[derive(Debug, Default)]
pub(super) struct Storms {
    endings: Waves<(SocketAddr, Verdict), Facts>,
}

impl Storms {
    /// Adds a session that ended in an error.
    pub(super) fn add(&mut self, judged: &Judged, verdict: Verdict) {
        // Whether a request was open is chance: what cut the one cut the other.
        let kind = match verdict {
            Verdict::PromptDisconnected if is_wordless(judged) => Verdict::AuthDisconnected,
            other => other,
        };
        let key = (judged.record.server, kind);
        let _ = self.endings.add(key, judged.ended_ns, Facts::of(judged, verdict));
    }

    /// The incidents, in the order of time.
    pub(super) fn incidents(self) -> Vec<Incident> {
        let waves = self.endings.finish().into_iter();
        let mut incidents: Vec<_> = waves
            .map(|((server, kind), wave)| incident(server, kind, wave))
            .collect();
        incidents.sort_by_key(|incident| incident.at_unix_ns);
        incidents
    }
}

fn incident(server: SocketAddr, kind: Verdict, wave: Wave<Facts>) -> Incident {
    let most = wave.sum.verdicts.iter().max_by_key(|(_, count)| **count);
    let cause = if wave.is_lasting {
        lasting_cause(kind, &wave)
    } else {
        None
    };
    Incident {
        server,
        verdict: most.map_or(kind.name(), |(name, _)| name),
        at: crate::judge::rfc3339(wave.first_ns),
        at_unix_ns: wave.first_ns,
        length_ms: crate::record::ms(wave.length_ns()),
        until: crate::judge::rfc3339(wave.last_ns),
        is_lasting: wave.is_lasting,
        sessions: wave.count,
        per_second: rounded(wave.per_second()),
        most_per_second: rounded(wave.most_per_second),
        usual_per_second: rounded(wave.usual_per_second),
        cause: cause.unwrap_or_else(|| instant_cause(kind, &wave)).to_owned(),
        verdicts: wave.sum.verdicts,
    }
}

/// A rate, to a thousandth.
fn rounded(rate: f64) -> f64 {
    (rate * 1e3).round() / 1e3
}

/// What ends sessions alike one after another, where that is something else than what ends them at once.
fn lasting_cause(verdict: Verdict, wave: &Wave<Facts>) -> Option<&'static str> {
    let most = |count: u64| 2 * count > wave.count;
    Some(match verdict {
        Verdict::HeartbeatMiss if most(wave.sum.cut) => {
            "one after another: what was sent was acknowledged too late or not at all: loss, delay or jitter of the network"
        }
        Verdict::HeartbeatMiss if most(wave.sum.stalled) => {
            "one after another: programs that stand still, or a network whose delay is longer than the heartbeats' time-out"
        }
        Verdict::HeartbeatMiss => {
            "one after another: heartbeats come later than their time-out allows (delay, jitter, loss), or clients fall silent"
        }
        Verdict::AuthDisconnected if most(wave.sum.by_client) => {
            "one after another: clients leave without a word, or give up on a slow network"
        }
        Verdict::AuthDisconnected => {
            "one after another: network, proxy timers or clients; no gateway that died"
        }
        Verdict::InjectedReset => {
            "one after another: a middlebox resets connections, by an idle timer or a policy"
        }
        _ => return None,
    })
}

/// What ends many sessions alike at one instant.
fn instant_cause(verdict: Verdict, wave: &Wave<Facts>) -> &'static str {
    let sum = &wave.sum;
    let is_instant = wave.length_ns() <= INSTANT_NS;
    let all_wordless = sum.wordless == wave.count;
    let most = |count: u64| 2 * count > wave.count;
    match verdict {
        Verdict::ServerRestart if sum.restarts > sum.stops => "the gateway was restarted in order",
        Verdict::ServerRestart if sum.stops > 0 => {
            "the gateway was stopped in order; it announced no restart"
        }
        Verdict::ServerRestart => "the gateway was stopped or restarted in order",
        Verdict::AuthDisconnected if is_instant && all_wordless && most(sum.by_server) => {
            "the gateway process died: no close frames, all at one instant"
        }
        Verdict::AuthDisconnected if is_instant && all_wordless && most(sum.by_client) => {
            "the clients left without a word, all at one instant: their process or host ended"
        }
        Verdict::HeartbeatMiss | Verdict::AuthDisconnected if most(sum.cut) => {
            "the network was cut: what was sent was not acknowledged any more"
        }
        Verdict::HeartbeatMiss if most(sum.stalled) => {
            "a program stood still while its kernel went on acknowledging: a blocked event loop, or a stopped process"
        }
        Verdict::HeartbeatMiss => "the network was cut, or the gateway's event loop stood still",
        Verdict::InjectedReset => {
            "a middlebox reset the connections: a failover, a flushed state table or a policy"
        }
        Verdict::ConnTimeout | Verdict::ConnRefused => {
            "the gateway was not listening, or could not be reached"
        }
        Verdict::ServerOverloaded => "more connections at once than the gateway takes before authentication",
        Verdict::ServerUnavailable => "the gateway was starting, restarting or suspended",
        Verdict::HandshakeTimeout => {
            "the gateway's event loop was busy, or clients went quiet before connect"
        }
        Verdict::ClosedBeforeConnect if most(sum.by_client) => {
            "the clients left before they had logged in: their own timeout, or a script that only connects"
        }
        Verdict::ClosedBeforeConnect if most(sum.by_server) => {
            "the server cut them before they had logged in, without a word: it died, or a proxy did it"
        }
        Verdict::AuthFailed => "credentials changed on one side only",
        Verdict::RateLimited => {
            "too many failed logins locked an address out; the right credential is refused too"
        }
        Verdict::SessionRevoked => {
            "authority was withdrawn: the shared token was rotated, or devices were removed"
        }
        Verdict::SessionReplaced => "several processes use one device id and take over from each other",
        _ => "one cause for all of them: see the evidence of any",
    }
}

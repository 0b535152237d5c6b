//! Many sessions of a server that ended together: one incident with its cause.

use crate::judge::Judged;
use clw_core::verdict::{Side, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Endings that are closer together than this belong to one storm.
pub(super) const STORM_GAP_NS: u64 = 1_000_000_000;
/// So many endings make one.
pub(super) const STORM_SESSIONS: u64 = 5;
/// Endings are put in slots of so many nanoseconds.
pub(super) const SLOT_NS: u64 = 100_000_000;
/// Slots remembered; past it the capture is too long for storms this fine, and later ones are not told.
pub(super) const MAX_SLOTS: usize = 200_000;

/// Sessions of one server that ended alike, at once.
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

impl Slot {
    fn add(&mut self, judged: &Judged, verdict: Verdict) {
        let at_ns = judged.ended_ns;
        if self.sessions == 0 {
            self.first_ns = at_ns;
        }
        self.sessions += 1;
        self.first_ns = self.first_ns.min(at_ns);
        self.last_ns = self.last_ns.max(at_ns);
        let ending = &judged.record.ending;
        self.wordless += u64::from(is_wordless(judged));
        self.by_server += u64::from(ending.by == Side::Server);
        self.by_client += u64::from(ending.by == Side::Client);
        self.restarts += u64::from(judged.shutdown_announced == Some(true));
        self.stops += u64::from(judged.shutdown_announced == Some(false));
        let cause = judged.record.heartbeats.gaps.last().map_or("", |gap| gap.cause);
        self.cut += u64::from(cause.starts_with("path cut") || cause.starts_with("one-way"));
        self.stalled += u64::from(cause.starts_with("stalled"));
        *self.verdicts.entry(verdict.name()).or_default() += 1;
    }

    fn join(&mut self, next: &Self) {
        self.sessions += next.sessions;
        self.last_ns = next.last_ns;
        self.wordless += next.wordless;
        self.by_server += next.by_server;
        self.by_client += next.by_client;
        self.restarts += next.restarts;
        self.stops += next.stops;
        self.cut += next.cut;
        self.stalled += next.stalled;
        for (verdict, count) in &next.verdicts {
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
    slots: BTreeMap<(SocketAddr, Verdict), BTreeMap<u64, Slot>>,
    slot_count: usize,
}

impl Storms {
    /// Adds a session that ended in an error.
    pub(super) fn add(&mut self, judged: &Judged, verdict: Verdict) {
        // Whether a request was open is chance: what cut the one cut the other.
        let kind = match verdict {
            Verdict::PromptDisconnected if is_wordless(judged) => Verdict::AuthDisconnected,
            other => other,
        };
        let slots = self.slots.entry((judged.record.server, kind)).or_default();
        let at = judged.ended_ns / SLOT_NS;
        if !slots.contains_key(&at) {
            if self.slot_count >= MAX_SLOTS {
                return;
            }
            self.slot_count += 1;
        }
        slots.entry(at).or_default().add(judged, verdict);
    }

    /// The incidents, in the order of time.
    pub(super) fn incidents(self) -> Vec<Incident> {
        let mut incidents = Vec::new();
        for ((server, kind), slots) in self.slots {
            let mut storm: Option<Slot> = None;
            for slot in slots.into_values() {
                match &mut storm {
                    Some(open) if slot.first_ns.saturating_sub(open.last_ns) <= STORM_GAP_NS => {
                        open.join(&slot);
                    }
                    _ => incidents.extend(storm.replace(slot).and_then(|s| incident(server, kind, s))),
                }
            }
            incidents.extend(storm.and_then(|s| incident(server, kind, s)));
        }
        incidents.sort_by_key(|incident| incident.at_unix_ns);
        incidents
    }
}

fn incident(server: SocketAddr, kind: Verdict, slot: Slot) -> Option<Incident> {
    if slot.sessions < STORM_SESSIONS {
        return None;
    }
    let most = slot.verdicts.iter().max_by_key(|(_, count)| **count);
    Some(Incident {
        server,
        verdict: most.map_or(kind.name(), |(name, _)| name),
        at: crate::judge::rfc3339(slot.first_ns),
        at_unix_ns: slot.first_ns,
        length_ms: crate::record::ms(slot.last_ns - slot.first_ns),
        sessions: slot.sessions,
        cause: cause(kind, &slot).to_owned(),
        verdicts: slot.verdicts,
    })
}

/// What ends many sessions alike at one instant.
fn cause(verdict: Verdict, slot: &Slot) -> &'static str {
    let is_instant = slot.last_ns - slot.first_ns <= STORM_GAP_NS;
    let all_wordless = slot.wordless == slot.sessions;
    let most = |count: u64| 2 * count > slot.sessions;
    match verdict {
        Verdict::ServerRestart if slot.restarts > slot.stops => "the gateway was restarted in order",
        Verdict::ServerRestart if slot.stops > 0 => {
            "the gateway was stopped in order; it announced no restart"
        }
        Verdict::ServerRestart => "the gateway was stopped or restarted in order",
        Verdict::AuthDisconnected if is_instant && all_wordless && most(slot.by_server) => {
            "the gateway process died: no close frames, all at one instant"
        }
        Verdict::AuthDisconnected if is_instant && all_wordless && most(slot.by_client) => {
            "the clients left without a word, all at one instant: their process or host ended"
        }
        Verdict::HeartbeatMiss | Verdict::AuthDisconnected if most(slot.cut) => {
            "the network was cut: what was sent was not acknowledged any more"
        }
        Verdict::HeartbeatMiss if most(slot.stalled) => {
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
        Verdict::ClosedBeforeConnect if most(slot.by_client) => {
            "the clients left before they had logged in: their own timeout, or a script that only connects"
        }
        Verdict::ClosedBeforeConnect if most(slot.by_server) => {
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

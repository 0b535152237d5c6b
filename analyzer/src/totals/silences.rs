//! Many sessions of a server that heard nothing at the same time: a stall or an outage that they lived through.

use super::storms::{MAX_SLOTS, SLOT_NS, STORM_GAP_NS, STORM_SESSIONS};
use crate::judge::Judged;
use clw_core::verdict::Side;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Sessions whose heartbeats came back together after a silence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Silence {
    /// The server.
    pub server: SocketAddr,
    /// Whose heartbeats were missing.
    pub side: Side,
    /// When the first session heard again, RFC 3339 in UTC.
    pub until: String,
    /// The same, nanoseconds since the Unix epoch.
    pub until_unix_ns: u64,
    /// The longest silence, milliseconds.
    pub length_ms: f64,
    /// How many sessions.
    pub sessions: u64,
    /// What most of them show.
    pub cause: &'static str,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    sessions: u64,
    first_ns: u64,
    last_ns: u64,
    longest_us: u64,
    causes: BTreeMap<&'static str, u64>,
}

/// Silences that sessions lived through, by server, side and the time at which they were over.
#[derive(Debug, Default)]
pub(super) struct Silences {
    slots: BTreeMap<(SocketAddr, Side), BTreeMap<u64, Slot>>,
    slot_count: usize,
}

impl Silences {
    /// Adds a session's gaps, but for the one that ended it, or that the capture's end left open.
    pub(super) fn add(&mut self, judged: &Judged) {
        for gap in &judged.gaps {
            let until_ns = gap.to_ns;
            let length_ns = until_ns.saturating_sub(gap.from_ns);
            let is_the_end = judged.is_error && until_ns >= judged.ended_ns;
            if is_the_end || gap.is_open {
                continue;
            }
            let server = judged.record.server;
            let slots = self.slots.entry((server, gap.side)).or_default();
            let at = until_ns / SLOT_NS;
            if !slots.contains_key(&at) {
                if self.slot_count >= MAX_SLOTS {
                    return;
                }
                self.slot_count += 1;
            }
            let slot = slots.entry(at).or_default();
            if slot.sessions == 0 {
                slot.first_ns = until_ns;
            }
            slot.sessions += 1;
            slot.first_ns = slot.first_ns.min(until_ns);
            slot.last_ns = slot.last_ns.max(until_ns);
            slot.longest_us = slot.longest_us.max(length_ns / 1000);
            *slot.causes.entry(gap.cause.name()).or_default() += 1;
        }
    }

    /// The silences of many, in the order of time.
    pub(super) fn all(self) -> Vec<Silence> {
        let mut silences = Vec::new();
        for ((server, side), slots) in self.slots {
            let mut open: Option<Slot> = None;
            for slot in slots.into_values() {
                match &mut open {
                    Some(open) if slot.first_ns.saturating_sub(open.last_ns) <= STORM_GAP_NS => {
                        open.sessions += slot.sessions;
                        open.last_ns = slot.last_ns;
                        open.longest_us = open.longest_us.max(slot.longest_us);
                        for (cause, count) in slot.causes {
                            *open.causes.entry(cause).or_default() += count;
                        }
                    }
                    _ => silences.extend(open.replace(slot).and_then(|s| silence(server, side, s))),
                }
            }
            silences.extend(open.and_then(|s| silence(server, side, s)));
        }
        silences.sort_by_key(|silence| silence.until_unix_ns);
        silences
    }
}

fn silence(server: SocketAddr, side: Side, slot: Slot) -> Option<Silence> {
    if slot.sessions < STORM_SESSIONS {
        return None;
    }
    let most = slot.causes.into_iter().max_by_key(|(_, count)| *count)?;
    Some(Silence {
        server,
        side,
        until: crate::judge::rfc3339(slot.first_ns),
        until_unix_ns: slot.first_ns,
        length_ms: slot.longest_us as f64 / 1000.0,
        sessions: slot.sessions,
        cause: most.0,
    })
}

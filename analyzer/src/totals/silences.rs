//! Many sessions of a server that heard nothing at the same time: a stall or an outage that they lived through.

use super::waves::{Sum, Wave, Waves};
use crate::judge::Judged;
use clw_core::verdict::Side;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A session that ended so soon after a silence did not live through it.
const LAST_WORDS_NS: u64 = 1_000_000_000;

/// Sessions whose heartbeats came back together, or one after another, after a silence.
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
    /// When the last one did, RFC 3339 in UTC.
    pub last_until: String,
    /// The silences were over one after another, and it went on: no single stall or outage.
    pub is_lasting: bool,
    /// The longest silence, milliseconds.
    pub length_ms: f64,
    /// How many silences.
    pub gaps: u64,
    /// How many sessions; of lasting ones, how many at most.
    pub sessions: u64,
    /// What most of them show.
    pub cause: &'static str,
}

/// What is known of silences, added up.
#[derive(Clone, Debug, Default)]
struct Facts {
    longest_us: u64,
    causes: BTreeMap<&'static str, u64>,
}

impl Sum for Facts {
    fn add(&mut self, other: Self) {
        self.longest_us = self.longest_us.max(other.longest_us);
        for (cause, count) in other.causes {
            *self.causes.entry(cause).or_default() += count;
        }
    }
}

/// Silences that sessions lived through, by server, side and the time at which they were over.
#[derive(Debug, Default)]
pub(super) struct Silences {
    gaps: Waves<(SocketAddr, Side), Facts>,
    /// Sessions that had any.
    sessions: BTreeMap<(SocketAddr, Side), u64>,
}

impl Silences {
    /// Adds a session's gaps, but for the one that ended it, or that the capture's end left open.
    pub(super) fn add(&mut self, judged: &Judged) {
        let mut sides = Vec::new();
        for gap in &judged.gaps {
            // What ended a session need not be what it heard last.
            let is_the_end = judged.is_error && gap.to_ns.saturating_add(LAST_WORDS_NS) >= judged.ended_ns;
            if is_the_end || gap.is_open {
                continue;
            }
            let key = (judged.record.server, gap.side);
            let length_ns = gap.to_ns.saturating_sub(gap.from_ns);
            let known = Facts {
                longest_us: length_ns / 1000,
                causes: [(gap.cause.name(), 1)].into(),
            };
            if self.gaps.add(key, gap.to_ns, known) && !sides.contains(&gap.side) {
                sides.push(gap.side);
                *self.sessions.entry(key).or_default() += 1;
            }
        }
    }

    /// The silences of many, in the order of time.
    pub(super) fn all(self) -> Vec<Silence> {
        let waves = self.gaps.finish().into_iter();
        let mut silences: Vec<_> = waves
            .filter_map(|(key, wave)| {
                let sessions = self.sessions.get(&key).copied().unwrap_or_default();
                silence(key, &wave, sessions)
            })
            .collect();
        silences.sort_by_key(|silence| silence.until_unix_ns);
        silences
    }
}

fn silence((server, side): (SocketAddr, Side), wave: &Wave<Facts>, sessions: u64) -> Option<Silence> {
    let most = wave.sum.causes.iter().max_by_key(|(_, count)| **count)?;
    Some(Silence {
        server,
        side,
        until: crate::judge::rfc3339(wave.first_ns),
        until_unix_ns: wave.first_ns,
        last_until: crate::judge::rfc3339(wave.last_ns),
        is_lasting: wave.is_lasting,
        length_ms: wave.sum.longest_us as f64 / 1000.0,
        gaps: wave.count,
        sessions: wave.count.min(sessions),
        cause: most.0,
    })
}

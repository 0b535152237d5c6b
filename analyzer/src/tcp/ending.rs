//! How a connection ended, by its packets.

use super::{Connection, Way};
use clw_core::verdict::{EndingKind, ResetClass, Side};

/// A side that was sent the same again and again for so long, and did not acknowledge it, does not hear.
const DEAF_NS: u64 = 5_000_000_000;

/// How a connection ended, by its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// FIN, RST, silence, or not at all.
    pub kind: EndingKind,
    /// Who.
    pub by: Side,
    /// When; the last packet's time where nothing ended it.
    pub at_ns: u64,
    /// In which frame.
    pub frame: Option<u64>,
    /// Index of the RST that did it.
    pub reset: Option<usize>,
    /// How long neither side had sent data before it, in nanoseconds.
    pub idle_ns: Option<u64>,
}

impl Connection {
    /// How it ended.
    pub fn end(&self) -> End {
        let fin = [Way::Up, Way::Down]
            .into_iter()
            .filter_map(|way| self.half(way).fin.map(|(at, frame)| (at, frame, way)))
            .min_by_key(|(at, frame, _)| (*at, *frame));
        let rst = self
            .resets
            .iter()
            .enumerate()
            .filter(|(_, reset)| !reset.survived)
            .min_by_key(|(_, reset)| (reset.at_ns, reset.frame));
        match (fin, rst) {
            (fin, Some((index, reset)))
                if fin.is_none_or(|(at, frame, _)| (reset.at_ns, reset.frame) < (at, frame)) =>
            {
                let by = match (reset.class, reset.by) {
                    (ResetClass::Injected, _) => Side::Middlebox,
                    (_, 0) => Side::Client,
                    _ => Side::Server,
                };
                End {
                    kind: EndingKind::Rst,
                    by,
                    at_ns: reset.at_ns,
                    frame: Some(reset.frame),
                    reset: Some(index),
                    idle_ns: reset.idle_ns,
                }
            }
            (Some((at_ns, frame, way)), _) => End {
                kind: EndingKind::Fin,
                by: way.sender(),
                at_ns,
                frame: Some(frame),
                reset: None,
                idle_ns: self.idle_at_fin_ns,
            },
            _ => {
                let mute = [Way::Up, Way::Down].into_iter().find(|way| {
                    let half = self.half(*way);
                    let deaf =
                        half.unacknowledged >= 3 && self.last_ns.saturating_sub(half.last_data_ns) >= DEAF_NS;
                    (half.unanswered >= 3 || deaf) && half.has_unacknowledged()
                });
                End {
                    kind: if mute.is_some() {
                        EndingKind::Silent
                    } else {
                        EndingKind::Open
                    },
                    by: mute.map_or(Side::Unknown, |way| way.back().sender()),
                    at_ns: self.last_ns,
                    frame: None,
                    reset: None,
                    idle_ns: None,
                }
            }
        }
    }
}

//! The connection that used the same ports before: what of it comes late must not be taken for its successor's.

use super::{Half, Seq};

/// Packets may come so late. Linux keeps ports from being used again for as long (TIME-WAIT).
const LATE_NS: u64 = 60_000_000_000;
/// The old connection may have sent so much that was not captured.
const UNSEEN: u32 = 1 << 16;
/// A side of the new connection may be so far ahead of what was captured of it.
const AHEAD: i32 = 1 << 24;

/// Where both sides of the connection before had been.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    /// First and last position of each side, by [`super::Way`].
    ranges: [Option<(Seq, Seq)>; 2],
}

impl Before {
    /// Where these were.
    pub(super) fn of(halves: &[Half; 2]) -> Self {
        let range = |half: &Half| {
            let last = half.sent?;
            Some((half.isn.unwrap_or(Seq(last.0.wrapping_sub(UNSEEN))), last))
        };
        Self {
            ranges: [range(&halves[0]), range(&halves[1])],
        }
    }

    /// Where they had been, as the server's kernel shows: it still has the old connection, and answers the new one's SYN with an
    /// acknowledgement of that (RFC 9293 section 3.10.7.4, "challenge ACK").
    pub(super) fn shown_by(seq: Seq, ack: Seq) -> Self {
        let range = |last: Seq| Some((Seq(last.0.wrapping_sub(UNSEEN)), last));
        Self {
            ranges: [range(ack), range(seq)],
        }
    }

    /// The sides turned round.
    pub(super) const fn swapped(self) -> Self {
        let [up, down] = self.ranges;
        Self { ranges: [down, up] }
    }

    /// Whether a packet with this sequence number, `age_ns` after the new connection's first, is the old one's: it lies where the
    /// old connection was, and not where the new one is.
    pub(super) fn has(&self, way: usize, seq: Seq, new: &Half, age_ns: u64) -> bool {
        let Some((first, last)) = self.ranges.get(way).copied().flatten() else {
            return false;
        };
        let was_there = !seq.is_before(first) && !last.plus(UNSEEN).is_before(seq);
        let is_here = new.sent.is_some_and(|sent| {
            let first = new.isn.unwrap_or(Seq(sent.0.wrapping_sub(UNSEEN)));
            !seq.is_before(first) && sent.to(seq) < AHEAD
        });
        was_there && !is_here && age_ns <= LATE_NS
    }
}

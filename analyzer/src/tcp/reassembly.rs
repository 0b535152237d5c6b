//! One direction's bytes in order, whatever the segments do.

use super::Seq;
use std::collections::VecDeque;

/// Most bytes that wait for a hole to be filled.
const MAX_WAITING_BYTES: usize = 256 * 1024;
/// Most pieces that wait.
const MAX_WAITING_PIECES: usize = 1024;
/// A segment further ahead than any window allows (RFC 7323: 1 GiB) belongs to something else.
const MAX_AHEAD: i32 = 1 << 30;

/// The next bytes of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes as captured.
    Bytes(&'a [u8]),
    /// Bytes that had to wait for those before them.
    Late(&'a [u8], Stamp),
    /// So many bytes were sent, but are not in the capture.
    Missing(u32),
}

/// Where in the capture a segment was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// When.
    pub at_ns: u64,
    /// In which frame.
    pub frame: u64,
}

/// Puts one direction's segments in order. Bytes that are in order are handed on where they lie; the rest waits, within limits.
#[derive(Debug, Default)]
pub struct Reassembly {
    next: Option<Seq>,
    /// Most streams never have any: then it takes no room.
    held: Option<Box<Held>>,
}

/// What waits for a hole to be filled, in order; never empty.
#[derive(Debug, Default)]
struct Held {
    pieces: VecDeque<Waiting>,
    bytes: usize,
    since_ns: u64,
}

#[derive(Debug)]
struct Waiting {
    seq: Seq,
    /// What the IP header says; more than `bytes` in a truncated packet.
    len: u32,
    bytes: Vec<u8>,
    stamp: Stamp,
}

impl Reassembly {
    /// The first byte's position: after a SYN, or wherever a capture begins.
    pub fn start(&mut self, seq: Seq) {
        if self.next.is_none() {
            self.next = Some(seq);
        }
    }

    /// The position of the next byte in order.
    pub const fn next(&self) -> Option<Seq> {
        self.next
    }

    /// Whether something waits for a hole to be filled.
    pub fn has_hole(&self) -> bool {
        self.held.is_some()
    }

    /// Since when, in nanoseconds; 0 if nothing waits.
    pub fn waiting_since_ns(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.since_ns)
    }

    /// Bytes that wait.
    pub fn waiting_bytes(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.bytes)
    }

    fn first_waiting(&self) -> Option<Seq> {
        Some(self.held.as_ref()?.pieces.front()?.seq)
    }

    /// Takes a segment's payload of `len` bytes at `seq`, of which `bytes` were captured, and hands on what is in order.
    /// Returns how many bytes of it were new.
    pub fn push(
        &mut self,
        seq: Seq,
        bytes: &[u8],
        len: u32,
        stamp: Stamp,
        on: &mut impl FnMut(Piece<'_>),
    ) -> u32 {
        if len == 0 {
            return 0;
        }
        let next = *self.next.get_or_insert(seq);
        let ahead = next.to(seq);
        if ahead > MAX_AHEAD {
            return 0;
        }
        if ahead > 0 {
            return self.wait(
                Waiting {
                    seq,
                    len,
                    bytes: bytes.to_vec(),
                    stamp,
                },
                on,
            );
        }
        let old = ahead.unsigned_abs();
        if old >= len {
            return 0;
        }
        self.deliver(bytes, old, len, None, on);
        self.drain(on);
        len - old
    }

    /// Nothing will fill the holes any more: hands on what waits, with what is missing named.
    pub fn give_up(&mut self, on: &mut impl FnMut(Piece<'_>)) {
        while let (Some(next), Some(first)) = (self.next, self.first_waiting()) {
            let hole = next.to(first).max(0).cast_unsigned();
            if hole > 0 {
                on(Piece::Missing(hole));
                self.next = Some(first);
            }
            self.drain(on);
        }
    }

    fn wait(&mut self, piece: Waiting, on: &mut impl FnMut(Piece<'_>)) -> u32 {
        let held = self.held.get_or_insert_with(|| {
            Box::new(Held {
                since_ns: piece.stamp.at_ns,
                ..Held::default()
            })
        });
        let place = held.pieces.partition_point(|w| !piece.seq.is_before(w.seq));
        let end = piece.seq.plus(piece.len);
        let has_all = |w: &Waiting| !piece.seq.is_before(w.seq) && !w.seq.plus(w.len).is_before(end);
        if place > 0 && has_all(&held.pieces[place - 1]) {
            return 0;
        }
        let new = piece.len;
        held.bytes += piece.bytes.len();
        held.pieces.insert(place, piece);
        if held.bytes > MAX_WAITING_BYTES || held.pieces.len() > MAX_WAITING_PIECES {
            self.give_up(on);
        }
        new
    }

    fn drain(&mut self, on: &mut impl FnMut(Piece<'_>)) {
        while let (Some(next), Some(held)) = (self.next, &mut self.held) {
            let Some(first) = held.pieces.front() else {
                self.held = None;
                return;
            };
            let ahead = next.to(first.seq);
            if ahead > 0 {
                return;
            }
            let Some(piece) = held.pieces.pop_front() else {
                return;
            };
            held.bytes -= piece.bytes.len();
            let old = ahead.unsigned_abs();
            if old < piece.len {
                self.deliver(&piece.bytes, old, piece.len, Some(piece.stamp), on);
            }
        }
    }

    /// Hands on a payload without its first `old` bytes.
    fn deliver(
        &mut self,
        bytes: &[u8],
        old: u32,
        len: u32,
        waited: Option<Stamp>,
        on: &mut impl FnMut(Piece<'_>),
    ) {
        let captured = bytes.get(old as usize..).unwrap_or_default();
        if !captured.is_empty() {
            on(waited.map_or(Piece::Bytes(captured), |stamp| Piece::Late(captured, stamp)));
        }
        let missing = (len - old).saturating_sub(u32::try_from(captured.len()).unwrap_or(u32::MAX));
        if missing > 0 {
            on(Piece::Missing(missing));
        }
        self.next = self.next.map(|next| next.plus(len - old));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn collect(pushes: &[(u32, &[u8])]) -> (Vec<u8>, u32) {
        let mut stream = Reassembly::default();
        stream.start(Seq(100));
        let (mut out, mut missing) = (Vec::new(), 0);
        let mut on = |piece: Piece<'_>| match piece {
            Piece::Bytes(bytes) | Piece::Late(bytes, _) => out.extend_from_slice(bytes),
            Piece::Missing(n) => missing += n,
        };
        for (seq, bytes) in pushes {
            stream.push(
                Seq(*seq),
                bytes,
                u32::try_from(bytes.len()).unwrap(),
                Stamp::default(),
                &mut on,
            );
        }
        stream.give_up(&mut on);
        (out, missing)
    }

    #[test]
    fn late_repeated_and_overlapping_segments_make_one_stream() {
        let (out, missing) = collect(&[
            (103, b"def"),
            (100, b"ab"),
            (101, b"bcd"),
            (104, b"efgh"),
            (100, b"abc"),
        ]);
        assert_eq!((out.as_slice(), missing), (&b"abcdefgh"[..], 0));
    }

    #[test]
    fn a_hole_is_named_when_nothing_will_fill_it() {
        assert_eq!(collect(&[(100, b"ab"), (105, b"fg")]), (b"abfg".to_vec(), 3));
    }

    #[test]
    fn a_truncated_segment_leaves_a_hole_of_known_size() {
        let mut stream = Reassembly::default();
        let mut pieces = Vec::new();
        let mut on = |piece: Piece<'_>| {
            pieces.push(match piece {
                Piece::Bytes(bytes) | Piece::Late(bytes, _) => bytes.len(),
                Piece::Missing(n) => 1000 + n as usize,
            });
        };
        stream.push(Seq(7), b"abcd", 10, Stamp::default(), &mut on);
        stream.push(Seq(17), b"x", 1, Stamp::default(), &mut on);
        assert_eq!(pieces, [4, 1006, 1]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut stream = Reassembly::default();
        stream.start(Seq(0));
        let (mut bytes, mut most) = (0, 0);
        for n in 0..4000u32 {
            stream.push(
                Seq(10 + 2000 * n),
                &[7; 1000],
                1000,
                Stamp::default(),
                &mut |piece| {
                    if let Piece::Bytes(b) | Piece::Late(b, _) = piece {
                        bytes += b.len();
                    }
                },
            );
            most = most.max(stream.waiting_bytes());
        }
        assert!(most <= MAX_WAITING_BYTES + 1000, "{most}");
        assert!(bytes > 3_000_000, "{bytes}");
    }

    proptest! {
        #[test]
        fn any_cut_order_repetition_and_overlap_gives_the_same_stream(
            text in prop::collection::vec(any::<u8>(), 1..300),
            start: u32,
            cuts in prop::collection::vec((any::<prop::sample::Index>(), 1usize..80), 0..60),
            order: u64,
        ) {
            let mut parts: Vec<(usize, usize)> = (0..text.len()).step_by(40).map(|at| (at, 40)).collect();
            parts.extend(cuts.iter().map(|(at, len)| (at.index(text.len()), *len)));
            // A fixed shuffle of the parts, from the seed.
            let mut state = order | 1;
            for i in (1..parts.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                parts.swap(i, usize::try_from(state >> 33).unwrap() % (i + 1));
            }
            let mut stream = Reassembly::default();
            stream.start(Seq(start));
            let mut out = Vec::new();
            let mut on = |piece: Piece<'_>| match piece {
                Piece::Bytes(bytes) | Piece::Late(bytes, _) => out.extend_from_slice(bytes),
                Piece::Missing(n) => panic!("{n} bytes missing"),
            };
            for (at, len) in parts {
                let bytes = &text[at..(at + len).min(text.len())];
                let seq = Seq(start).plus(u32::try_from(at).unwrap());
                stream.push(seq, bytes, u32::try_from(bytes.len()).unwrap(), Stamp::default(), &mut on);
            }
            stream.give_up(&mut on);
            prop_assert_eq!(out, text);
        }

        #[test]
        fn hostile_segments_never_panic(segments in prop::collection::vec((any::<u32>(), any::<u32>(), 0usize..20), 0..200)) {
            let mut stream = Reassembly::default();
            for (seq, len, captured) in segments {
                let len = len % 100_000;
                let captured = captured.min(len as usize);
                stream.push(Seq(seq), &vec![1; captured], len, Stamp::default(), &mut |_| {});
            }
            stream.give_up(&mut |_| {});
        }
    }
}

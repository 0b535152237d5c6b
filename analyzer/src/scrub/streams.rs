//! The first pass: every stream put in order and blanked, and for each frame the place of its payload in it.

use super::direction::{Blanked, Direction};
use super::json::{BLANK, blank_reason};
use crate::segment::Segment;
use crate::tcp::{Piece, Reassembly, Seq, Stamp};
use clw_core::clw::{Datagram, SessionKey};
use std::collections::HashMap;
use std::net::SocketAddr;

/// Where a frame's payload belongs.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In a stream, from this byte on.
    Stream { flow: u32, at: i64 },
    /// The text of a RST (RFC 9293 3.5.3).
    Reset,
    /// Nowhere.
    None,
}

/// All streams of a capture, blanked.
#[derive(Debug, Default)]
pub(super) struct Streams {
    newest: HashMap<(SocketAddr, SocketAddr), u32>,
    flows: Vec<Flow>,
    /// One for each TCP segment of the capture, in its order.
    places: Vec<Place>,
    kept_bytes: u64,
    /// CLW sessions by their ids, and what has taken their place.
    sessions: HashMap<SessionKey, SessionKey>,
}

#[derive(Debug)]
struct Flow {
    initial: Option<u32>,
    reassembly: Reassembly,
    direction: Direction,
    /// Position of the next byte in order.
    next: i64,
    chunks: Vec<Chunk>,
}

/// Blanked bytes without a hole.
#[derive(Debug)]
struct Chunk {
    at: i64,
    bytes: Vec<u8>,
}

impl Streams {
    /// Takes the next segment.
    pub(super) fn feed(&mut self, segment: &Segment<'_>) {
        let place = if segment.flags.rst() {
            Place::Reset
        } else {
            self.follow(segment)
        };
        self.places.push(place);
    }

    fn follow(&mut self, segment: &Segment<'_>) -> Place {
        let key = (segment.source, segment.destination);
        let index = match self.newest.get(&key) {
            // The same ports again are another connection.
            Some(&known)
                if !segment.flags.syn() || self.flows[known as usize].initial == Some(segment.seq) =>
            {
                known
            }
            _ => self.begin(key, segment),
        };
        if segment.payload_len == 0 {
            return Place::None;
        }
        let flow = &mut self.flows[index as usize];
        let seq = Seq(segment.seq).plus(u32::from(segment.flags.syn()));
        flow.reassembly.start(seq);
        let at = flow.next + flow.reassembly.next().map_or(0, |next| i64::from(next.to(seq)));
        let stamp = Stamp {
            at_ns: segment.at_ns,
            frame: segment.number,
        };
        let Flow {
            reassembly,
            direction,
            next,
            chunks,
            ..
        } = flow;
        let kept = &mut self.kept_bytes;
        reassembly.push(seq, segment.payload, segment.payload_len, stamp, &mut |piece| {
            *kept += take(direction, next, chunks, &piece);
        });
        Place::Stream { flow: index, at }
    }

    fn begin(&mut self, key: (SocketAddr, SocketAddr), segment: &Segment<'_>) -> u32 {
        let other = self.newest.get(&(key.1, key.0));
        let is_from_its_start =
            segment.flags.syn() || other.is_some_and(|other| self.flows[*other as usize].initial.is_some());
        let mut reassembly = Reassembly::default();
        if segment.flags.syn() {
            reassembly.start(Seq(segment.seq).plus(1));
        }
        let index = u32::try_from(self.flows.len()).unwrap_or(u32::MAX);
        self.flows.push(Flow {
            initial: segment.flags.syn().then_some(segment.seq),
            reassembly,
            direction: Direction::new(is_from_its_start, index),
            next: 0,
            chunks: Vec::new(),
        });
        self.newest.insert(key, index);
        index
    }

    /// The capture is over: what waits is decided.
    pub(super) fn finish(&mut self) {
        for flow in &mut self.flows {
            let Flow {
                reassembly,
                direction,
                next,
                chunks,
                ..
            } = flow;
            reassembly.give_up(&mut |piece| {
                take(direction, next, chunks, &piece);
            });
            let out = last(chunks, *next);
            direction.finish(out);
            self.sessions.extend(direction.sessions());
        }
    }

    /// Blanks a datagram. Of a heartbeat of a session of this capture, what it is and its number stay.
    pub(super) fn blank_datagram(&self, payload: &mut [u8]) {
        let known = Datagram::read(payload).and_then(|heartbeat| {
            let session = *self.sessions.get(&heartbeat.session)?;
            Some(Datagram { session, ..heartbeat })
        });
        match known {
            Some(heartbeat) => payload.copy_from_slice(&heartbeat.write()),
            None => payload.fill(BLANK),
        }
    }

    /// Bytes that are remembered.
    pub(super) const fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    /// Segments taken.
    pub(super) fn segments(&self) -> usize {
        self.places.len()
    }

    /// What was blanked, over all streams.
    pub(super) fn blanked(&self) -> Blanked {
        let mut sum = Blanked::default();
        for flow in &self.flows {
            sum.texts += flow.direction.blanked.texts;
            sum.messages += flow.direction.blanked.messages;
            sum.unknown_bytes += flow.direction.blanked.unknown_bytes;
        }
        sum
    }

    /// Replaces the payload of the capture's segment number `index`. What belongs to no stream is blanked whole.
    pub(super) fn replace(&self, index: usize, payload: &mut [u8]) {
        match self.places.get(index) {
            Some(Place::Stream { flow, at }) => {
                payload.fill(BLANK);
                if let Some(flow) = self.flows.get(*flow as usize) {
                    flow.copy_to(*at, payload);
                }
            }
            Some(Place::Reset) => blank_reason(payload),
            Some(Place::None) | None => payload.fill(BLANK),
        }
    }
}

impl Flow {
    fn copy_to(&self, at: i64, payload: &mut [u8]) {
        let end = at.saturating_add_unsigned(payload.len() as u64);
        let first = self.chunks.partition_point(|chunk| chunk.end() <= at);
        for chunk in self.chunks[first..].iter().take_while(|chunk| chunk.at < end) {
            let from = at.max(chunk.at);
            let to = end.min(chunk.end());
            let index = |position: i64, origin: i64| usize::try_from(position - origin).unwrap_or(0);
            payload[index(from, at)..index(to, at)]
                .copy_from_slice(&chunk.bytes[index(from, chunk.at)..index(to, chunk.at)]);
        }
    }
}

impl Chunk {
    fn end(&self) -> i64 {
        self.at.saturating_add_unsigned(self.bytes.len() as u64)
    }
}

/// The chunk that grows at `at`.
fn last(chunks: &mut Vec<Chunk>, at: i64) -> &mut Vec<u8> {
    if chunks.is_empty() {
        chunks.push(Chunk {
            at,
            bytes: Vec::new(),
        });
    }
    let last = chunks.len() - 1;
    &mut chunks[last].bytes
}

/// Takes a piece of a stream; returns how many bytes it had.
fn take(direction: &mut Direction, next: &mut i64, chunks: &mut Vec<Chunk>, piece: &Piece<'_>) -> u64 {
    match *piece {
        Piece::Bytes(bytes) | Piece::Late(bytes, _) => {
            let out = last(chunks, *next);
            direction.bytes(bytes, out);
            *next = next.saturating_add_unsigned(bytes.len() as u64);
            bytes.len() as u64
        }
        Piece::Missing(count) => {
            let out = last(chunks, *next);
            direction.missing(u64::from(count), out);
            *next += i64::from(count);
            chunks.push(Chunk {
                at: *next,
                bytes: Vec::new(),
            });
            0
        }
    }
}

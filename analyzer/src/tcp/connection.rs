//! Both sides of a connection.

use super::half::{Copy, MAX_TAIL};
use super::reassembly::Stamp;
use super::reset::{Later, Scene};
use super::{Before, Half, Piece, Reset, Seq, Way};
use crate::segment::{Flags, Segment};
use clw_core::verdict::ResetClass;
use std::net::SocketAddr;

/// RSTs kept of one connection.
const MAX_RESETS: usize = 8;
/// Of these, those that the connection before it sent.
const MAX_STRAYS: usize = 4;
/// A hole whose bytes the other side has acknowledged is given up after this: the capture lost them.
const HOLE_PATIENCE_NS: u64 = 200_000_000;
/// A late segment that fills a hole so soon was overtaken; later it was sent again.
const REORDERED_NS: u64 = 3_000_000;
/// Without an IP ID, a packet that comes again so soon is a copy: no stack sends again as fast.
const COPIED_NS: u64 = 1_000_000;
/// Packets of an attempt to connect are no further apart than the first few that nobody answers, and no later than that.
const ATTEMPT_NS: u64 = 10_000_000_000;
/// Ephemeral ports begin somewhere above this on every system.
const EPHEMERAL: u16 = 32_768;

/// A TCP connection as captured.
#[derive(Debug)]
pub struct Connection {
    /// Who opened it.
    pub client: SocketAddr,
    /// Who accepted it.
    pub server: SocketAddr,
    /// When its first packet was captured.
    pub first_ns: u64,
    /// Its first frame.
    pub first_frame: u64,
    /// When its last packet was captured.
    pub last_ns: u64,
    /// What each side sent, by [`Way`].
    pub halves: [Half; 2],
    /// RSTs, the first few.
    pub resets: Vec<Reset>,
    /// Packets that were on two interfaces, or twice in the capture.
    pub duplicates: u64,
    /// The connection between the same ports that this one follows.
    before: Option<Before>,
    /// How long neither side had sent data when the first FIN came, in nanoseconds.
    pub(super) idle_at_fin_ns: Option<u64>,
    /// The client's SYN was captured.
    pub has_syn: bool,
    /// A SYN-ACK was captured, or data that proves that there was one.
    pub is_established: bool,
    interface: u32,
}

impl Connection {
    /// A connection that begins with this segment. Without a SYN, the side with a service's port is taken for the server.
    pub fn new(segment: &Segment<'_>) -> Self {
        let (source, destination) = (segment.source, segment.destination);
        let by_client = if segment.flags.syn() {
            !segment.flags.ack()
        } else {
            !(source.port() < EPHEMERAL && destination.port() >= EPHEMERAL)
        };
        let (client, server) = if by_client {
            (source, destination)
        } else {
            (destination, source)
        };
        Self {
            client,
            server,
            first_ns: segment.at_ns,
            first_frame: segment.number,
            last_ns: segment.at_ns,
            halves: [Half::default(), Half::default()],
            resets: Vec::new(),
            duplicates: 0,
            before: None,
            idle_at_fin_ns: None,
            has_syn: false,
            is_established: false,
            interface: segment.interface,
        }
    }

    /// The same, after `before` between the same ports.
    #[must_use]
    pub fn after(mut self, before: Option<&Self>) -> Self {
        self.before = before.map(|before| {
            let positions = Before::of(&before.halves);
            if before.client == self.client {
                positions
            } else {
                positions.swapped()
            }
        });
        self
    }

    /// What `side` sent.
    pub const fn half(&self, way: Way) -> &Half {
        &self.halves[way as usize]
    }

    /// Packets of both sides.
    pub const fn packets(&self) -> u64 {
        self.halves[0].packets + self.halves[1].packets
    }

    /// Whether the transport is over, and only stragglers can follow.
    pub fn is_over(&self) -> bool {
        let closed = self.halves.iter().all(|half| half.fin.is_some());
        closed || self.resets.iter().any(|reset| !reset.survived)
    }

    /// Whether `segment` opens another connection between the same ports.
    pub fn is_succeeded_by(&self, segment: &Segment<'_>) -> bool {
        let flags = segment.flags;
        if !flags.syn() || flags.ack() || flags.rst() {
            return false;
        }
        let same_side = segment.source == self.client;
        let way = if same_side { Way::Up } else { Way::Down };
        let known = self.half(way).isn;
        if self.is_of_before(segment, way) {
            return false;
        }
        // An attempt that nobody answered is sent again with its own number. Long after it, another number is another attempt.
        let is_unanswered = self.half(way.back()).packets == 0;
        let is_late = segment.at_ns.saturating_sub(self.last_ns) > ATTEMPT_NS;
        known != Some(Seq(segment.seq))
            && (self.is_over() || self.is_established || !same_side || (is_unanswered && is_late))
    }

    /// Turns the sides round: what the bytes say proves that the server was taken for the client.
    pub fn swap_sides(&mut self) {
        std::mem::swap(&mut self.client, &mut self.server);
        self.halves.swap(0, 1);
        self.before = self.before.map(Before::swapped);
        for reset in &mut self.resets {
            reset.by = 1 - reset.by;
        }
    }

    /// Takes the next packet and hands on what it brings in order.
    pub fn feed(&mut self, segment: &Segment<'_>, on: &mut impl FnMut(Way, Piece<'_>)) {
        let way = if segment.source == self.client {
            Way::Up
        } else {
            Way::Down
        };
        if self.is_challenge(segment, way) {
            self.before = Some(Before::shown_by(Seq(segment.seq), Seq(segment.ack)));
        }
        if self.is_of_before(segment, way) {
            if segment.flags.rst() && self.resets.len() < MAX_STRAYS {
                self.resets.push(Reset::of_before(segment, way as usize));
            }
            return;
        }
        let is_first = self.packets() == 0 && self.resets.is_empty();
        if self.is_copy(segment, way) {
            self.duplicates += 1;
            return;
        }
        self.last_ns = self.last_ns.max(segment.at_ns);
        self.interface = segment.interface;
        if segment.flags.rst() {
            self.reset(segment, way, is_first);
            return;
        }
        if segment.flags.syn() {
            self.syn(segment, way);
        }
        self.acknowledge(segment, way);
        self.data(segment, way, on);
        self.fill(segment.at_ns, way.back(), on);
    }

    /// Bytes that wait for those before them.
    pub fn waiting_bytes(&self) -> usize {
        self.halves.iter().map(|half| half.stream.waiting_bytes()).sum()
    }

    /// Nothing waits any longer for missing bytes: hands on what did.
    pub fn give_up_holes(&mut self, on: &mut impl FnMut(Way, Piece<'_>)) {
        for way in [Way::Up, Way::Down] {
            let half = &mut self.halves[way as usize];
            let missing = &mut half.missing_bytes;
            half.stream.give_up(&mut |piece| {
                count_missing(missing, &piece);
                on(way, piece);
            });
        }
    }

    /// The capture is over, or the connection forgotten: hands on what waited for missing bytes.
    pub fn finish(&mut self, on: &mut impl FnMut(Way, Piece<'_>)) {
        for way in [Way::Up, Way::Down] {
            let half = &mut self.halves[way as usize];
            let missing = &mut half.missing_bytes;
            half.stream.give_up(&mut |piece| {
                count_missing(missing, &piece);
                on(way, piece);
            });
            let tail = half.missing_tail();
            if tail > 0 {
                half.missing_bytes += u64::from(tail);
                on(way, Piece::Missing(tail));
            }
        }
    }

    /// Whether the connection between the same ports before this one sent it.
    fn is_of_before(&self, segment: &Segment<'_>, way: Way) -> bool {
        let age_ns = segment.at_ns.saturating_sub(self.first_ns);
        self.before
            .is_some_and(|before| before.has(way as usize, Seq(segment.seq), self.half(way), age_ns))
    }

    /// Whether the server answers the SYN with an acknowledgement of something else.
    fn is_challenge(&self, segment: &Segment<'_>, way: Way) -> bool {
        if self.is_established || way == Way::Up || self.half(Way::Down).packets > 0 {
            return false;
        }
        let (Some(isn), sent) = (self.half(Way::Up).isn, self.half(Way::Up).sent) else {
            return false;
        };
        let is_bare = segment.flags.0 == Flags::ACK && segment.payload_len == 0;
        let acknowledged = isn.to(Seq(segment.ack));
        is_bare && sent == Some(isn.plus(1)) && !(0..MAX_TAIL).contains(&acknowledged)
    }

    fn is_copy(&mut self, segment: &Segment<'_>, way: Way) -> bool {
        let copy = Copy {
            seq: segment.seq,
            ack: segment.ack,
            flags: segment.flags.0,
            payload_len: segment.payload_len,
            ip_id: segment.ip_id,
            timestamps: segment.options.timestamps,
        };
        let others = self.packets();
        let half = &mut self.halves[way as usize];
        let same = half.last_copy.replace(copy) == Some(copy);
        if !same {
            return false;
        }
        // Sent again, a packet gets another IP ID; without one, another interface or the time between shows a copy.
        if segment.interface != self.interface || segment.ip_id.is_some_and(|id| id != 0) {
            return true;
        }
        // Acknowledgements and RSTs do repeat themselves, unless everything else comes twice too.
        let is_repeatable = segment.payload_len == 0 && segment.flags.0 & (Flags::SYN | Flags::FIN) == 0;
        segment.at_ns.saturating_sub(half.last_ns) <= COPIED_NS
            && (!is_repeatable || self.duplicates * 2 >= others)
    }

    fn syn(&mut self, segment: &Segment<'_>, way: Way) {
        let half = &mut self.halves[way as usize];
        let isn = Seq(segment.seq);
        half.isn.get_or_insert(isn);
        half.stream.start(isn.plus(1));
        half.window_scale = segment.options.window_scale;
        if way == Way::Up && !segment.flags.ack() {
            self.has_syn = true;
        }
        if way == Way::Down {
            self.is_established = true;
        }
    }

    fn acknowledge(&mut self, segment: &Segment<'_>, way: Way) {
        if !segment.flags.ack() {
            return;
        }
        let ack = Seq(segment.ack);
        let other = &mut self.halves[way.back() as usize];
        if way == Way::Up && self.has_syn && other.packets == 0 {
            // The SYN-ACK was not captured, and where the server's bytes begin is known all the same.
            other.stream.start(ack);
        }
        other.answered(segment.at_ns);
        other.infer_fin(ack, segment.at_ns, segment.number);
        other.acknowledge(ack);
        other.rtt.acknowledged(ack, segment.at_ns);
    }

    fn data(&mut self, segment: &Segment<'_>, way: Way, on: &mut impl FnMut(Way, Piece<'_>)) {
        let (flags, len) = (segment.flags, segment.payload_len);
        let at_ns = segment.at_ns;
        if flags.fin() && self.halves.iter().all(|half| half.fin.is_none()) {
            self.idle_at_fin_ns = self.idle_ns(at_ns).filter(|_| len == 0);
        }
        let was_asked_again = self.half(way.back()).retransmissions > 0;
        let half = &mut self.halves[way as usize];
        let accepts = flags.syn() && flags.ack() && half.sent.is_none();
        half.packets += 1;
        half.bytes += u64::from(len);
        half.last_ns = at_ns;
        half.habits.learn(segment);
        if len > 0 || flags.fin() {
            half.last_wanting_ns = at_ns;
            half.retract_fin();
        }
        let seq = Seq(segment.seq).plus(u32::from(flags.syn()));
        let end = seq.plus(len).plus(u32::from(flags.fin()));
        let is_probe = len <= 1
            && flags.0 & (Flags::SYN | Flags::FIN) == 0
            && half.sent.is_some_and(|sent| seq.plus(1) == sent);
        let mut is_new = false;
        if is_probe {
            half.keepalives += 1;
            half.went_unanswered(at_ns);
        } else if len > 0 {
            self.is_established = true;
            let waited =
                half.stream.has_hole() && at_ns.saturating_sub(half.stream.waiting_since_ns()) > REORDERED_NS;
            let was_sent = half.sent.is_some_and(|sent| seq.is_before(sent));
            let stamp = Stamp {
                at_ns,
                frame: segment.number,
            };
            let missing = &mut half.missing_bytes;
            let new = half.stream.push(seq, segment.payload, len, stamp, &mut |piece| {
                count_missing(missing, &piece);
                on(way, piece);
            });
            if new == 0 || (was_sent && waited) {
                half.retransmissions += 1;
                half.unacknowledged += 1;
                half.went_unanswered(at_ns);
                half.rtt.retransmitted();
            }
            is_new = new > 0;
            if is_new {
                half.last_data_ns = at_ns;
            }
        } else if flags.syn() && half.sent.is_some() {
            half.retransmissions += 1;
            half.unacknowledged += 1;
            half.went_unanswered(at_ns);
            half.rtt.retransmitted();
        }
        let advances = half.sent.is_none_or(|sent| sent.is_before(end));
        if advances {
            half.sent = Some(end);
            if len > 0 || flags.syn() || flags.fin() {
                half.rtt.sent(end, at_ns);
            }
        }
        if flags.fin() && half.fin.is_none() {
            half.fin = Some((at_ns, segment.number));
            half.end_seq = Some(seq.plus(len));
        }
        half.window(segment.window == 0 && !flags.syn(), at_ns);
        let speaks = is_new && advances;
        let ack = flags.ack().then_some(Seq(segment.ack));
        let later = Later {
            at_ns,
            frame: segment.number,
            ack,
            // A kernel that has reset a connection does not close it either.
            new_end: (speaks || (flags.fin() && advances)).then_some(end),
            accepts,
            was_asked_again,
        };
        for reset in &mut self.resets {
            if reset.by == way.back() as usize {
                reset.lived_through(at_ns, ack, speaks);
                reset.heard(seq, end);
            } else {
                if ack.is_some() {
                    reset.heard_again(at_ns, ack);
                }
                reset.followed(later);
            }
        }
    }

    /// How long neither side has sent data.
    fn idle_ns(&self, at_ns: u64) -> Option<u64> {
        let last_ns = self.halves.iter().map(|half| half.last_wanting_ns).max()?;
        (last_ns > 0).then(|| at_ns.saturating_sub(last_ns))
    }

    /// Gives up a hole in what `way` sent when the other side has shown that it is no loss of the network's.
    fn fill(&mut self, at_ns: u64, way: Way, on: &mut impl FnMut(Way, Piece<'_>)) {
        let half = &mut self.halves[way as usize];
        if !half.stream.has_hole() || at_ns.saturating_sub(half.stream.waiting_since_ns()) < HOLE_PATIENCE_NS
        {
            return;
        }
        let (Some(next), Some(acknowledged)) = (half.stream.next(), half.acknowledged) else {
            return;
        };
        if next.is_before(acknowledged) {
            let missing = &mut half.missing_bytes;
            half.stream.give_up(&mut |piece| {
                count_missing(missing, &piece);
                on(way, piece);
            });
            let tail = half.missing_tail();
            if tail > 0 {
                half.missing_bytes += u64::from(tail);
                on(way, Piece::Missing(tail));
            }
        }
    }

    fn reset(&mut self, segment: &Segment<'_>, way: Way, is_first: bool) {
        let scene = Scene {
            own: &self.halves[way as usize],
            other: &self.halves[way.back() as usize],
            before: &self.resets,
            is_first,
        };
        let mut reset = Reset::judge(segment, way as usize, &scene);
        reset.idle_ns = self.idle_ns(segment.at_ns);
        for before in &mut self.resets {
            if before.is_volley_with(&reset) {
                before.in_volley(reset.frame);
                reset.in_volley(before.frame);
            }
        }
        if segment.flags.ack() && reset.class == ResetClass::Abort {
            self.halves[way.back() as usize].was_received(Seq(segment.ack));
        }
        let half = &mut self.halves[way as usize];
        half.packets += 1;
        half.last_ns = segment.at_ns;
        // An endpoint's RST stands where its data ended, if that lies within reach.
        let ahead = half.stream.next().map_or(0, |next| next.to(Seq(segment.seq)));
        if reset.class != ResetClass::Injected && (1..MAX_TAIL).contains(&ahead) {
            half.end_seq.get_or_insert(Seq(segment.seq));
        }
        if self.resets.len() < MAX_RESETS {
            self.resets.push(reset);
        }
    }
}

fn count_missing(missing: &mut u64, piece: &Piece<'_>) {
    if let Piece::Missing(bytes) = piece {
        *missing += u64::from(*bytes);
    }
}

//! A client's heartbeats as datagrams: when they are due, which came back, and whether the way back is dead.

use super::datagram::{Datagram, SessionKey};
use super::{DATAGRAM_BYTES, Opcode};
use crate::heartbeat::after;
use crate::time::{Instant, earliest};
use crate::verdict::{DatagramBeats, OneWay};
use std::collections::VecDeque;
use std::time::Duration;

/// So many pings in a row without a pong, while the stream lives, are no chance: at 5 % loss each way one in a thousand.
const ONE_WAY_AFTER: u64 = 3;
/// Pings that may wait for their pongs at once, whatever period and timeout are; while there is no room none is sent.
const MAX_WAITING: usize = 16;

/// Pongs of pings before so many others are old news.
const LATEST: u32 = 64;

/// The heartbeats of one session. The stream stays authoritative: nothing here ends it.
#[derive(Debug)]
pub(super) struct UdpBeats {
    session: SessionKey,
    period: Duration,
    timeout: Duration,
    next: Instant,
    seq: u32,
    /// Pings that wait for their pongs: seq and when it was sent, oldest first.
    waiting: VecDeque<(u32, Instant)>,
    seen: DatagramBeats,
    /// Pings lost since the last pong, and when the first of them was sent.
    row: Option<(u64, Instant)>,
    is_one_way: bool,
}

/// What is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// Pings that were given up.
    pub(super) lost: u64,
    /// The way back is found to be dead.
    pub(super) one_way: bool,
    /// A ping to send.
    pub(super) ping: Option<[u8; DATAGRAM_BYTES]>,
}

impl UdpBeats {
    /// The first ping is due at `first`.
    pub(super) fn new(session: SessionKey, period: Duration, timeout: Duration, first: Instant) -> Self {
        Self {
            session,
            period,
            timeout,
            next: first,
            seq: 0,
            waiting: VecDeque::new(),
            seen: DatagramBeats::default(),
            row: None,
            is_one_way: false,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let expiry = self.waiting.front().map(|(_, sent)| *sent + self.timeout);
        earliest(expiry, Some(self.next))
    }

    /// What is due by now; `heard` is when the stream last brought anything.
    pub(super) fn poll(&mut self, now: Instant, heard: Instant) -> Due {
        let mut due = Due::default();
        while let Some((_, sent)) = self
            .waiting
            .front()
            .copied()
            .filter(|(_, at)| now >= *at + self.timeout)
        {
            self.waiting.pop_front();
            due.lost += 1;
            let (lost, since) = self.row.unwrap_or((0, sent));
            self.row = Some((lost + 1, since));
            // A stream that brought nothing since may be as dead as the datagrams' way: that is for its own heartbeats to say.
            if lost + 1 >= ONE_WAY_AFTER && heard > sent {
                due.one_way |= !self.is_one_way;
                self.is_one_way = true;
            }
            self.note_one_way(now);
        }
        if now >= self.next {
            // Beats that were slept through are left out, as on the stream.
            self.next = after(self.next, self.period, now);
            if self.waiting.len() < MAX_WAITING {
                self.seq = self.seq.wrapping_add(1);
                self.waiting.push_back((self.seq, now));
                self.seen.pings += 1;
                let (opcode, seq, session) = (Opcode::AuthPing, self.seq, self.session);
                due.ping = Some(Datagram { opcode, seq, session }.write());
            }
        }
        due
    }

    /// A datagram came; the round trip, if it is the pong of a ping that waits.
    ///
    /// A pong that is too late for that still shows that the way back is open.
    pub(super) fn receive(&mut self, now: Instant, bytes: &[u8]) -> Option<Duration> {
        let pong = Datagram::read(bytes)
            .filter(|datagram| datagram.opcode == Opcode::AuthPong && datagram.session == self.session)?;
        let at = self.waiting.iter().position(|(seq, _)| *seq == pong.seq);
        let is_late = self.seq.wrapping_sub(pong.seq) < self.seq.min(LATEST);
        if at.is_some() || is_late {
            self.row = None;
            self.is_one_way = false;
        }
        let (_, sent) = self.waiting.remove(at?)?;
        self.seen.pongs += 1;
        Some(now.since(sent))
    }

    /// What they came to.
    pub(super) fn seen(&self) -> DatagramBeats {
        self.seen
    }

    /// Keeps the longest loss.
    fn note_one_way(&mut self, now: Instant) {
        let Some((lost, since)) = self.row.filter(|_| self.is_one_way) else {
            return;
        };
        if self.seen.one_way.is_none_or(|longest| longest.lost < lost) {
            let lasted = now.since(since);
            self.seen.one_way = Some(OneWay { lost, lasted });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clw::SessionId;
    use proptest::prelude::*;

    const PERIOD: Duration = Duration::from_secs(2);
    const TIMEOUT: Duration = Duration::from_secs(3);

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn beats() -> UdpBeats {
        UdpBeats::new(SessionId(1).key(), PERIOD, TIMEOUT, at(0) + PERIOD)
    }

    fn pong(seq: u32) -> [u8; DATAGRAM_BYTES] {
        let (opcode, session) = (Opcode::AuthPong, SessionId(1).key());
        Datagram { opcode, seq, session }.write()
    }

    #[test]
    fn a_pong_gives_the_round_trip_once_and_only_for_a_ping_that_waits() {
        let mut beats = beats();
        assert_eq!(beats.deadline(), Some(at(2000)));
        assert!(beats.poll(at(2000), at(0)).ping.is_some());
        assert_eq!(beats.receive(at(2030), &pong(2)), None);
        let mut other = pong(1);
        other[23] = b'2';
        assert_eq!(beats.receive(at(2030), &other), None);
        assert_eq!(beats.receive(at(2040), &pong(1)), Some(Duration::from_millis(40)));
        assert_eq!(beats.receive(at(2041), &pong(1)), None);
        assert_eq!((beats.seen().pings, beats.seen().pongs), (1, 1));
    }

    #[test]
    fn three_in_a_row_are_one_way_while_the_stream_lives_and_a_pong_ends_it() {
        let mut beats = beats();
        let mut found = Vec::new();
        for second in 1..=10 {
            let now = at(second * 1000);
            if beats.poll(now, now).one_way {
                found.push(second);
            }
        }
        // Sent after 2, 4 and 6 s; the third was given up after 9.
        assert_eq!(found, [9]);
        let one_way = beats.seen().one_way.unwrap();
        assert_eq!((one_way.lost, one_way.lasted), (3, Duration::from_secs(7)));
        // Late, and all the same a sign: the next loss is counted anew.
        assert_eq!(beats.receive(at(10_500), &pong(1)), None);
        for second in 11..=14 {
            assert!(
                !beats.poll(at(second * 1000), at(second * 1000)).one_way,
                "{second}"
            );
        }
        assert!(beats.poll(at(15_000), at(15_000)).one_way);
    }

    #[test]
    fn a_stream_that_brings_nothing_either_is_not_one_way() {
        let mut beats = beats();
        for second in 1..=30 {
            assert!(!beats.poll(at(second * 1000), at(1500)).one_way);
        }
        assert_eq!(beats.seen().one_way, None);
    }

    proptest! {
        /// Whatever comes back and whenever the clock strikes: one ping a period, none lost and answered, bounded memory.
        #[test]
        fn every_ping_is_answered_or_lost_once(
            period in 10u64..5000, timeout in 1u64..60_000,
            steps in prop::collection::vec((0u64..20_000, 0u32..8, any::<bool>()), 1..200),
        ) {
            let (period, timeout) = (Duration::from_millis(period), Duration::from_millis(timeout));
            let mut beats = UdpBeats::new(SessionId(1).key(), period, timeout, at(0) + period);
            let (mut now, mut lost, mut answered) = (at(0), 0, 0);
            for (millis, back, heard) in steps {
                now += Duration::from_millis(millis);
                let due = beats.poll(now, if heard { now } else { at(0) });
                lost += due.lost;
                prop_assert!(!due.one_way || lost >= ONE_WAY_AFTER);
                prop_assert!(beats.deadline().is_some_and(|next| next > now));
                answered += u64::from(beats.receive(now, &pong(beats.seq.wrapping_sub(back))).is_some());
                prop_assert!(beats.waiting.len() <= MAX_WAITING);
                let seen = beats.seen();
                prop_assert_eq!(seen.pings, lost + answered + beats.waiting.len() as u64);
                prop_assert_eq!(seen.pongs, answered);
                prop_assert!(seen.one_way.is_none_or(|one_way| one_way.lost <= lost));
                prop_assert!(u128::from(seen.pings) <= u128::from(now.as_micros()) / period.as_micros());
            }
        }
    }
}

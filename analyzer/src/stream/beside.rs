//! CLW's heartbeats as datagrams, beside a stream that offered them.

use clw_core::clw::{Datagram, Opcode, SessionKey};
use clw_core::verdict::{DatagramBeats, OneWay};
use std::time::Duration;

/// So many pings in a row without a pong are no chance (as the client counts them).
const ONE_WAY_AFTER: u64 = 3;
/// A pong may take so long (protocol page, timers).
const PONG_TIMEOUT_NS: u64 = 3_000_000_000;

/// A session's datagrams in a capture.
#[derive(Debug)]
pub struct Beside {
    /// The server's UDP port.
    pub port: u16,
    /// The session's id in them.
    pub session: SessionKey,
    /// Nobody has taken notice of it yet.
    pub is_new: bool,
    seen: DatagramBeats,
    /// The last ping's and the last pong's seq: a packet may be captured twice.
    last: [Option<u32>; 2],
    row: Option<Row>,
}

/// Pings since the last pong.
#[derive(Clone, Copy, Debug)]
struct Row {
    pings: u64,
    first_ns: u64,
    last_ns: u64,
}

impl Beside {
    /// As AUTH_OK offers it.
    pub fn new(port: u16, session: SessionKey) -> Self {
        Self {
            port,
            session,
            is_new: true,
            seen: DatagramBeats::default(),
            last: [None; 2],
            row: None,
        }
    }

    /// A datagram of this session; `heard_ns` is when the stream's last packet of the server came.
    pub fn see(&mut self, datagram: &Datagram, at_ns: u64, heard_ns: u64) {
        let is_pong = datagram.opcode == Opcode::AuthPong;
        if self.last[usize::from(is_pong)].replace(datagram.seq) == Some(datagram.seq) {
            return;
        }
        if is_pong {
            self.seen.pongs += 1;
            self.row = None;
            return;
        }
        self.judge(heard_ns);
        self.seen.pings += 1;
        let row = self.row.get_or_insert(Row {
            pings: 0,
            first_ns: at_ns,
            last_ns: at_ns,
        });
        row.pings += 1;
        row.last_ns = at_ns;
    }

    /// What they came to so far.
    pub fn seen(&self) -> DatagramBeats {
        self.seen
    }

    /// What they came to when the session, or the capture, ended at `ended_ns`; `None`: there were none.
    pub fn finish(&mut self, ended_ns: u64, heard_ns: u64) -> Option<DatagramBeats> {
        if let Some(row) = &mut self.row
            && ended_ns < row.last_ns.saturating_add(PONG_TIMEOUT_NS)
        {
            // The last one may still be answered.
            row.pings -= 1;
        }
        self.judge(heard_ns);
        (self.seen.pings + self.seen.pongs > 0).then_some(self.seen)
    }

    /// Keeps the longest loss while the stream lived.
    fn judge(&mut self, heard_ns: u64) {
        let Some(row) = self
            .row
            .filter(|row| row.pings >= ONE_WAY_AFTER && heard_ns > row.first_ns)
        else {
            return;
        };
        if self.seen.one_way.is_none_or(|longest| longest.lost < row.pings) {
            self.seen.one_way = Some(OneWay {
                lost: row.pings,
                lasted: Duration::from_nanos(row.last_ns.saturating_sub(row.first_ns)),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clw_core::clw::SessionId;

    const SECOND: u64 = 1_000_000_000;

    fn datagram(opcode: Opcode, seq: u32) -> Datagram {
        let session = SessionId(1).key();
        Datagram { opcode, seq, session }
    }

    #[test]
    fn pings_without_pongs_are_one_way_while_the_stream_lives() {
        for (heard_s, expected) in [(100, Some(5)), (0, None)] {
            let mut beside = Beside::new(1, SessionId(1).key());
            beside.see(&datagram(Opcode::AuthPing, 1), SECOND, SECOND);
            beside.see(&datagram(Opcode::AuthPong, 1), SECOND + 5, SECOND);
            for seq in 2..7 {
                let at = u64::from(seq) * 2 * SECOND;
                // Once more, as `-i any` shows it.
                beside.see(&datagram(Opcode::AuthPing, seq), at, heard_s * SECOND);
                beside.see(&datagram(Opcode::AuthPing, seq), at + 1, heard_s * SECOND);
            }
            let seen = beside.finish(60 * SECOND, heard_s * SECOND).unwrap();
            assert_eq!((seen.pings, seen.pongs), (6, 1));
            assert_eq!(seen.one_way.map(|one_way| one_way.lost), expected);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_breaks_nothing() {
        let mut beside = Beside::new(1, SessionId(1).key());
        for (seq, second) in [(1, 9), (2, 5), (3, 1)] {
            beside.see(&datagram(Opcode::AuthPing, seq), second * SECOND, 20 * SECOND);
        }
        let one_way = beside.finish(60 * SECOND, 20 * SECOND).unwrap().one_way.unwrap();
        assert_eq!((one_way.lost, one_way.lasted), (3, Duration::ZERO));
    }

    #[test]
    fn a_last_ping_that_may_still_be_answered_is_not_lost() {
        let mut beside = Beside::new(1, SessionId(1).key());
        for seq in 1..4 {
            beside.see(
                &datagram(Opcode::AuthPing, seq),
                u64::from(seq) * SECOND,
                9 * SECOND,
            );
        }
        assert_eq!(beside.finish(4 * SECOND, 9 * SECOND).unwrap().one_way, None);
        assert!(Beside::new(1, SessionId(1).key()).finish(0, 0).is_none());
    }
}

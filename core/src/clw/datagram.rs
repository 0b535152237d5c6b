//! Heartbeats as datagrams, beside the stream (protocol page, Optional UDP heartbeat path): their bytes, and who answers them.

use super::wire::{HEADER_BYTES, header};
use super::{Frame, Opcode, SessionId};
use std::collections::HashMap;
use std::net::IpAddr;

/// What a session is called in a datagram: the 16 bytes of its id as AUTH_OK tells it.
pub type SessionKey = [u8; 16];

/// A datagram's length: a header and a session's id. An answer is as long as what it answers, so that nothing is amplified.
pub const DATAGRAM_BYTES: usize = HEADER_BYTES + size_of::<SessionKey>();

/// An AUTH_PING or AUTH_PONG that travels beside the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// [`Opcode::AuthPing`] or [`Opcode::AuthPong`].
    pub opcode: Opcode,
    /// Counted for itself, from 1; a pong repeats its ping's.
    pub seq: u32,
    /// Whose heartbeat it is.
    pub session: SessionKey,
}

impl Datagram {
    /// Reads a datagram; `None` for what is no heartbeat. Flags are ignored, as on the stream.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != DATAGRAM_BYTES {
            return None;
        }
        let frame = Frame::read(bytes).ok()?;
        let opcode = frame.known_opcode().ok()?;
        matches!(opcode, Opcode::AuthPing | Opcode::AuthPong).then_some(())?;
        Some(Self {
            opcode,
            seq: frame.seq,
            session: bytes[HEADER_BYTES..].try_into().ok()?,
        })
    }

    /// Its bytes.
    pub fn write(&self) -> [u8; DATAGRAM_BYTES] {
        let mut bytes = [0; DATAGRAM_BYTES];
        bytes[..HEADER_BYTES].copy_from_slice(&header(self.opcode, self.seq));
        bytes[HEADER_BYTES..].copy_from_slice(&self.session);
        bytes
    }
}

impl SessionId {
    /// The id as datagrams have it.
    pub fn key(self) -> SessionKey {
        let mut key = [0; 16];
        for (digit, byte) in key.iter_mut().zip(self.to_string().bytes()) {
            *digit = byte;
        }
        key
    }
}

/// What a session's datagrams came to, as its server counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatagramCounts {
    /// AUTH_PINGs that came.
    pub pings: u64,
    /// AUTH_PONGs that went out.
    pub pongs: u64,
}

/// The live sessions that take heartbeats as datagrams, and the answers to these.
///
/// A ping is answered only for a session that is live, and only to the host at the other end of its stream: whoever forges
/// a source address makes the server talk to nobody but the session's own client.
#[derive(Clone, Debug, Default)]
pub struct Responder {
    live: HashMap<SessionKey, Live>,
}

#[derive(Clone, Copy, Debug)]
struct Live {
    peer: IpAddr,
    counts: DatagramCounts,
    loses_pings: bool,
    loses_pongs: bool,
}

impl Responder {
    /// The answer to a datagram that came from `from`; `None`: it gets none.
    pub fn answer(&mut self, from: IpAddr, bytes: &[u8]) -> Option<[u8; DATAGRAM_BYTES]> {
        let ping = Datagram::read(bytes).filter(|datagram| datagram.opcode == Opcode::AuthPing)?;
        let live = self.live.get_mut(&ping.session)?;
        if live.loses_pings || live.peer != from.to_canonical() {
            return None;
        }
        live.counts.pings += 1;
        if live.loses_pongs {
            return None;
        }
        live.counts.pongs += 1;
        let opcode = Opcode::AuthPong;
        Some(Datagram { opcode, ..ping }.write())
    }

    /// How many sessions take datagrams now.
    pub fn sessions(&self) -> usize {
        self.live.len()
    }

    /// The session is live; its stream comes from `peer`.
    pub(super) fn open(&mut self, session: SessionId, peer: IpAddr) {
        let live = Live {
            peer: peer.to_canonical(),
            counts: DatagramCounts::default(),
            loses_pings: false,
            loses_pongs: false,
        };
        self.live.insert(session.key(), live);
    }

    /// The session is over. What its datagrams came to, if it took any.
    pub(super) fn close(&mut self, session: SessionId) -> Option<DatagramCounts> {
        self.live.remove(&session.key()).map(|live| live.counts)
    }

    pub(super) fn counts(&self, session: SessionId) -> Option<DatagramCounts> {
        self.live.get(&session.key()).map(|live| live.counts)
    }

    /// From now on the session's pings never arrive (a fault).
    pub(super) fn lose_pings(&mut self, session: SessionId) {
        if let Some(live) = self.live.get_mut(&session.key()) {
            live.loses_pings = true;
        }
    }

    /// From now on the answers to the session's pings are lost (a fault).
    pub(super) fn lose_pongs(&mut self, session: SessionId) {
        if let Some(live) = self.live.get_mut(&session.key()) {
            live.loses_pongs = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn ping(session: u64, seq: u32) -> Datagram {
        Datagram {
            opcode: Opcode::AuthPing,
            seq,
            session: SessionId(session).key(),
        }
    }

    #[test]
    fn a_ping_is_these_bytes() {
        let bytes = ping(0xAB, 7).write();
        assert_eq!(bytes, *b"\x0A\x04\x00\x00\x00\x00\x00\x0700000000000000ab");
        assert_eq!(Datagram::read(&bytes), Some(ping(0xAB, 7)));
    }

    #[test]
    fn only_the_pings_of_live_sessions_from_their_own_host_are_answered() {
        let mut responder = Responder::default();
        responder.open(SessionId(1), "::ffff:127.0.0.1".parse().unwrap());
        let answer = responder.answer(HERE, &ping(1, 9).write()).unwrap();
        let pong = Datagram {
            opcode: Opcode::AuthPong,
            ..ping(1, 9)
        };
        assert_eq!(Datagram::read(&answer), Some(pong));
        assert_eq!(
            responder.answer(HERE, &ping(2, 9).write()),
            None,
            "no such session"
        );
        assert_eq!(responder.answer(HERE, &pong.write()), None, "a pong");
        let elsewhere = "192.0.2.1".parse().unwrap();
        assert_eq!(responder.answer(elsewhere, &ping(1, 9).write()), None);
        let once = DatagramCounts { pings: 1, pongs: 1 };
        assert_eq!(responder.close(SessionId(1)), Some(once));
        assert_eq!(responder.answer(HERE, &ping(1, 9).write()), None, "it is over");
        assert_eq!((responder.sessions(), responder.close(SessionId(1))), (0, None));
    }

    #[test]
    fn lost_pings_are_not_counted_and_lost_pongs_are_not_sent() {
        let mut responder = Responder::default();
        responder.open(SessionId(1), HERE);
        responder.lose_pongs(SessionId(1));
        assert_eq!(responder.answer(HERE, &ping(1, 1).write()), None);
        responder.lose_pings(SessionId(1));
        assert_eq!(responder.answer(HERE, &ping(1, 2).write()), None);
        let seen = DatagramCounts { pings: 1, pongs: 0 };
        assert_eq!(responder.counts(SessionId(1)), Some(seen));
    }

    proptest! {
        #[test]
        fn no_answer_is_longer_than_its_question_and_none_is_answered_again(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..64),
                (0xA00u16..0xA0B, any::<u32>(), 0u64..3).prop_map(|(opcode, seq, session)| {
                    let key = SessionId(session).key();
                    [&opcode.to_be_bytes()[..], &[0, 0], &seq.to_be_bytes(), &key].concat()
                }),
            ],
        ) {
            let mut responder = Responder::default();
            responder.open(SessionId(1), HERE);
            if let Some(answer) = responder.answer(HERE, &bytes) {
                prop_assert_eq!(answer.len(), bytes.len());
                prop_assert_eq!(&answer[4..], &bytes[4..]);
                // Two servers that are pointed at each other do not talk for ever.
                prop_assert_eq!(responder.answer(HERE, &answer), None);
            }
            prop_assert_eq!(responder.sessions(), 1);
        }
    }
}

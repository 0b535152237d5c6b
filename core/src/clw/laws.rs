//! What holds whatever a peer sends and whenever the clock strikes.

use super::harness::{HOST, SECRET, account, backend};
use super::*;
use crate::session::{ClientDialect, ClientEvent, Message, Outbox, ServerDialect};
use crate::time::Instant;
use crate::ws::{Decoder, Incoming, Peer};
use proptest::prelude::*;
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// One thing that happens to a machine.
#[derive(Clone, Debug)]
enum Happens {
    Message(Vec<u8>),
    Text(String),
    Datagram(Vec<u8>),
    /// So many milliseconds pass.
    Time(u64),
    LogOut,
    /// The connection is replaced by a new one of the same account.
    Reconnect,
}

/// Messages that make sense now and then, and some that never do.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let seq = prop_oneof![0u32..12, Just(REFUSED_REFRESH_SEQ), any::<u32>()];
    let text = "[a-z\"{}]{0,12}";
    let ok =
        (seq.clone(), 0u64..400, 0u64..5000, any::<bool>()).prop_map(|(seq, ttl_s, heartbeat_ms, udp)| {
            let session = Cow::Borrowed("00000000000000ab");
            let server_version = Cow::Borrowed("2.2.0");
            let grace_ms = 5000;
            let udp_port = udp.then_some(4433);
            encode(
                Opcode::AuthOk,
                seq,
                &AuthOk {
                    session,
                    server_version,
                    ttl_s,
                    heartbeat_ms,
                    grace_ms,
                    udp_port,
                },
            )
        });
    let hello = (seq.clone(), 0u64..4).prop_map(|(seq, k)| {
        let token = derived_token(&crate::secret::Secret::new(SECRET), "a", k);
        encode(
            Opcode::AuthHello,
            seq,
            &Hello {
                token: Cow::Borrowed(token.expose()),
                client_version: Cow::Borrowed("2.2.0"),
                client_id: Cow::Borrowed("a"),
                resume: None,
            },
        )
    });
    let refresh = (seq.clone(), 0u64..4).prop_map(|(seq, k)| {
        let token = derived_token(&crate::secret::Secret::new(SECRET), "a", k);
        let token = Cow::Borrowed(token.expose());
        encode(Opcode::AuthRefresh, seq, &Refresh { token })
    });
    let refresh_ok = (seq.clone(), 0u64..400)
        .prop_map(|(seq, ttl_s)| encode(Opcode::RefreshOk, seq, &RefreshOk { ttl_s }));
    let error = (seq.clone(), text).prop_map(|(seq, code)| {
        let code = Cow::Owned(code);
        let message = Cow::Borrowed("no");
        encode(Opcode::AuthError, seq, &AuthError { code, message })
    });
    let bare = (0u16..12, seq, prop::collection::vec(any::<u8>(), 0..30)).prop_map(|(opcode, seq, rest)| {
        [
            &(0xA00 + opcode).to_be_bytes()[..],
            &[0, 0],
            &seq.to_be_bytes(),
            &rest,
        ]
        .concat()
    });
    let empty = (0u16..10, 0u32..12).prop_map(|(opcode, seq)| {
        [&(0xA00 + opcode).to_be_bytes()[..], &[0, 0], &seq.to_be_bytes()].concat()
    });
    prop_oneof![
        4 => ok, 3 => hello, 3 => refresh, 4 => refresh_ok, 3 => error, 1 => bare, 4 => empty,
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

/// Pongs that may fit, pings, and bytes that are neither.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop_oneof![4 => Just(Opcode::AuthPong), 1 => Just(Opcode::AuthPing)];
    let session = prop_oneof![4 => Just(0xAB), 1 => 0u64..3];
    prop_oneof![
        6 => (opcode, 0u32..12, session).prop_map(|(opcode, seq, session)| {
            let session = SessionId(session).key();
            Datagram { opcode, seq, session }.write().to_vec()
        }),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

fn happenings() -> impl Strategy<Value = Vec<Happens>> {
    let one = prop_oneof![
        10 => message().prop_map(Happens::Message),
        1 => ".{0,10}".prop_map(Happens::Text),
        4 => datagram().prop_map(Happens::Datagram),
        6 => prop_oneof![0u64..3000, 0u64..300_000].prop_map(Happens::Time),
        1 => Just(Happens::LogOut),
        3 => Just(Happens::Reconnect),
    ];
    prop::collection::vec(one, 1..60)
}

/// The binary messages in an outbox's bytes.
fn messages(bytes: &mut [u8], peer: Peer) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    Decoder::new(peer, 1 << 20)
        .decode(bytes, |incoming| {
            if let Incoming::Binary(message) = incoming {
                found.push(message.to_vec());
            }
            true
        })
        .unwrap();
    found
}

/// What a connection's events say of its datagrams, and what they may never say.
#[derive(Default)]
struct Beside {
    is_offered: bool,
    sent: u64,
    answered: u64,
    lost: u64,
    is_over: bool,
}

impl Beside {
    fn tell(&mut self, event: &ClientEvent) -> Result<(), TestCaseError> {
        match event {
            ClientEvent::DatagramsOffered { .. } => {
                prop_assert!(!self.is_offered, "offered once a connection");
                self.is_offered = true;
            }
            ClientEvent::Datagram(bytes) => {
                prop_assert!(self.is_offered && !self.is_over);
                self.sent += 1;
                let ping = Datagram::read(bytes).unwrap();
                prop_assert_eq!((ping.opcode, u64::from(ping.seq)), (Opcode::AuthPing, self.sent));
            }
            ClientEvent::DatagramAnswered { .. } => self.answered += 1,
            ClientEvent::DatagramsLost(lost) => self.lost += lost,
            ClientEvent::OneWayLoss => prop_assert!(self.lost >= 3, "one-way after so few losses"),
            ClientEvent::HeartbeatMissed => self.is_over = true,
            _ => {}
        }
        prop_assert!(self.answered + self.lost <= self.sent);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// No sequence of frames and timers starts two refreshes at once, presents a token twice, or sends without bound.
    #[test]
    fn a_client_never_presents_a_token_twice_nor_refreshes_twice_at_once(steps in happenings()) {
        let account = account("a");
        let config = Arc::new(ClientConfig::default());
        let mut out = Outbox::client(1);
        let mut now = Instant::ORIGIN;
        let mut presented = HashSet::new();
        let mut asked: Option<u32> = None;
        let mut udp = Beside::default();
        let mut client = Client::new(config.clone(), account.clone());
        client.upgraded(now, &mut out);
        for step in steps {
            if let Happens::Message(bytes) = &step
                && let Ok(frame) = Frame::read(bytes)
                && (frame.seq == REFUSED_REFRESH_SEQ || Some(frame.seq) == asked)
                && matches!(frame.known_opcode(), Ok(Opcode::RefreshOk | Opcode::AuthError))
            {
                // Whatever could be the answer ends the wait for it.
                asked = None;
            }
            match &step {
                Happens::Message(bytes) => client.message(now, Message::Binary(bytes), &mut out),
                Happens::Text(text) => client.message(now, Message::Text(text), &mut out),
                Happens::Datagram(bytes) => {
                    let before = (client.is_ready(), client.expires_at(), out.bytes.len());
                    client.datagram(now, bytes, &mut out);
                    let after = (client.is_ready(), client.expires_at(), out.bytes.len());
                    prop_assert_eq!(after, before, "the stream is left alone");
                    prop_assert!(out.closed.is_none());
                }
                Happens::Time(millis) => {
                    let until = now + Duration::from_millis(*millis);
                    let mut calls = 0;
                    while let Some(at) = client.deadline().filter(|at| *at <= until) {
                        now = now.max(at);
                        client.timer(now, &mut out);
                        calls += 1;
                        prop_assert!(calls <= 8 * millis / 100 + 40, "timers without progress");
                    }
                    now = until;
                }
                Happens::LogOut => client.log_out(now, &mut out),
                Happens::Reconnect => {
                    client = Client::new(config.clone(), account.clone());
                    asked = None;
                    udp = Beside::default();
                    client.upgraded(now, &mut out);
                }
            }
            for event in out.events.drain(..) {
                udp.tell(&event)?;
            }
            udp.is_over |= out.closed.is_some();
            for message in messages(&mut out.bytes, Peer::Client) {
                let frame = Frame::read(&message).unwrap();
                prop_assert_ne!(frame.seq, REFUSED_REFRESH_SEQ);
                match frame.known_opcode().unwrap() {
                    Opcode::AuthHello => {
                        let hello: Hello<'_> = frame.payload().unwrap();
                        prop_assert!(presented.insert(hello.token.into_owned()));
                    }
                    Opcode::AuthRefresh => {
                        let refresh: Refresh<'_> = frame.payload().unwrap();
                        prop_assert!(presented.insert(refresh.token.into_owned()));
                        prop_assert_eq!(asked, None, "two refreshes at once");
                        asked = Some(frame.seq);
                    }
                    opcode => prop_assert!(matches!(opcode, Opcode::AuthPing | Opcode::AuthLogout)),
                }
            }
            prop_assert!(out.closed.is_none() || client.deadline().is_none());
            out.clear();
        }
    }

    /// Whatever a client sends, a server answers with a bounded number of bytes and keeps what it promised.
    #[test]
    fn a_server_is_never_confused_by_its_client(steps in happenings()) {
        let backend = backend(|_| {});
        let mut out = Outbox::server();
        let mut now = Instant::ORIGIN;
        let mut server = Server::new(backend.clone(), SessionId(1));
        server.offer_datagrams(4433, HOST);
        let mut accepted = 0;
        let mut is_over = false;
        for step in steps {
            let mut most = 1024;
            match &step {
                Happens::Message(bytes) => server.message(now, Message::Binary(bytes), &mut out),
                Happens::Text(text) => server.message(now, Message::Text(text), &mut out),
                Happens::Datagram(bytes) => {
                    let answer = backend.datagrams().answer(HOST, bytes);
                    prop_assert!(answer.is_none() || (accepted == 1 && !is_over));
                    prop_assert!(answer.is_none_or(|answer| answer.len() == bytes.len()));
                    most = 0;
                }
                Happens::Time(millis) => {
                    let until = now + Duration::from_millis(*millis);
                    while let Some(at) = server.deadline().filter(|at| *at <= until) {
                        now = now.max(at);
                        server.timer(now, &mut out);
                        prop_assert!(server.deadline().is_none_or(|next| next > now));
                    }
                    now = until;
                }
                Happens::LogOut => server.stop(now, crate::session::Stop::Stop, &mut out),
                Happens::Reconnect => {
                    server = Server::new(backend.clone(), SessionId(1));
                    server.offer_datagrams(4433, HOST);
                    accepted = 0;
                    is_over = false;
                    most = 0;
                }
            }
            prop_assert!(out.bytes.len() <= most);
            for message in messages(&mut out.bytes, Peer::Server) {
                let frame = Frame::read(&message).unwrap();
                let opcode = frame.known_opcode().unwrap();
                prop_assert_eq!(opcode.sender(), crate::verdict::Side::Server);
                accepted += usize::from(opcode == Opcode::AuthOk);
                prop_assert!(accepted == 1 || !matches!(opcode, Opcode::AuthPong | Opcode::RefreshOk));
            }
            prop_assert_eq!(server.is_ready(), accepted == 1);
            prop_assert!(out.closed.is_none() || server.deadline().is_none());
            is_over |= out.closed.is_some();
            prop_assert!(backend.datagrams().sessions() <= usize::from(accepted == 1 && !is_over));
            out.clear();
        }
    }

    /// Any bytes at all, in any state.
    #[test]
    fn hostile_payloads_never_panic(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 1..10), opcode in 0u16..10,
    ) {
        let mut server = Server::new(backend(|_| {}), SessionId(1));
        let mut client = Client::new(Arc::default(), account("a"));
        let (mut to_server, mut to_client) = (Outbox::client(1), Outbox::server());
        for payload in payloads {
            let message = [&(0xA00 + opcode).to_be_bytes()[..], &[0; 6], &payload].concat();
            server.message(Instant::ORIGIN, Message::Binary(&message), &mut to_client);
            client.message(Instant::ORIGIN, Message::Binary(&message), &mut to_server);
            server.message(Instant::ORIGIN, Message::Binary(&payload), &mut to_client);
            client.message(Instant::ORIGIN, Message::Binary(&payload), &mut to_server);
        }
        prop_assert!(to_client.bytes.len() < 1024 && to_server.bytes.len() < 1024);
    }
}

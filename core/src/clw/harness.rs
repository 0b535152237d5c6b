//! A client and a server wired to each other through bytes, with the clock turned by hand.

use super::{
    Account, AuthQueue, Backend, Client, ClientConfig, DATAGRAM_BYTES, Frame, Opcode, Server, ServerConfig,
    SessionId, TokenAuthority,
};
use crate::secret::Secret;
use crate::session::{
    self, Admission, ClientConnection, ClientEvent, Finish, Outbox, ServerConnection, ServerEvent,
};
use crate::time::{Instant, earliest};
use crate::verdict::{EndingKind, Observation, Side, Verdict, classify};
use crate::ws::{Decoder, Incoming, Peer, UpgradeRequest};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

pub(super) const SECRET: &str = "s3cret";
/// The client's.
pub(super) const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(super) const UDP_PORT: u16 = 4433;
const LATENCY: Duration = Duration::from_millis(5);

/// A message that went over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) at: Instant,
    pub(super) by: Side,
    pub(super) opcode: Opcode,
    pub(super) seq: u32,
    pub(super) payload: String,
}

enum Parcel {
    Bytes(Vec<u8>),
    Datagram([u8; DATAGRAM_BYTES]),
    End(EndingKind),
}

pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) client: ClientConnection,
    pub(super) server: ServerConnection<Server>,
    pub(super) client_events: Vec<ClientEvent>,
    pub(super) server_events: Vec<ServerEvent>,
    pub(super) said: Vec<Said>,
    /// What the server sends is lost on the way from now on.
    pub(super) one_way: bool,
    /// Of its datagrams: pings, pongs.
    pub(super) loses_datagrams: (bool, bool),
    backend: Backend,
    client_out: Outbox<ClientEvent>,
    server_out: Outbox<ServerEvent>,
    taps: [Tap; 2],
    under_way: VecDeque<(Instant, Side, Parcel)>,
}

/// Reads one direction along.
struct Tap {
    head: Option<Vec<u8>>,
    decoder: Decoder,
}

impl Tap {
    fn new(peer: Peer) -> Self {
        Self {
            head: Some(Vec::new()),
            decoder: Decoder::new(peer, 1 << 20),
        }
    }

    fn read(&mut self, at: Instant, by: Side, bytes: &[u8], said: &mut Vec<Said>) {
        let mut bytes = bytes.to_vec();
        if let Some(head) = &mut self.head {
            head.extend_from_slice(&bytes);
            let Some(end) = head.windows(4).position(|w| w == b"\r\n\r\n") else {
                return;
            };
            bytes = head.split_off(end + 4);
            self.head = None;
        }
        self.decoder
            .decode(&mut bytes, |incoming| {
                if let Incoming::Binary(message) = incoming {
                    let frame = Frame::read(message).unwrap();
                    if let Ok(opcode) = frame.known_opcode() {
                        said.push(Said {
                            at,
                            by,
                            opcode,
                            seq: frame.seq,
                            payload: String::from_utf8_lossy(&message[8..]).into_owned(),
                        });
                    }
                }
                true
            })
            .unwrap();
    }
}

pub(super) fn backend(change: impl FnOnce(&mut ServerConfig)) -> Backend {
    let mut config = ServerConfig::default();
    change(&mut config);
    Backend::new(
        config,
        TokenAuthority::new(Secret::new(SECRET)),
        AuthQueue::default(),
    )
}

pub(super) fn account(client_id: &str) -> Arc<Account> {
    Arc::new(Account::derived(client_id.into(), Arc::new(Secret::new(SECRET))))
}

pub(super) fn client(change: impl FnOnce(&mut ClientConfig)) -> Arc<ClientConfig> {
    let mut config = ClientConfig::default();
    change(&mut config);
    Arc::new(config)
}

impl Pair {
    /// A connection that begins at `now`; `prepare` may arm the server's faults.
    pub(super) fn connect(
        now: Instant,
        config: Arc<ClientConfig>,
        account: &Arc<Account>,
        backend: &Backend,
        session: u64,
        prepare: impl FnOnce(&mut Server),
    ) -> Self {
        let mut dialect = Server::new(backend.clone(), SessionId(session));
        prepare(&mut dialect);
        let admit = move |_: Instant, _: &UpgradeRequest| Admission::Accept(dialect);
        let connection = session::ClientConfig {
            host: "localhost".to_owned(),
            target: super::PATH.to_owned(),
            user_agent: "test".to_owned(),
            origin: None,
            timeout: Duration::from_secs(20),
            max_message_bytes: 1 << 16,
            handshake_timeout: None,
            answer_pings: true,
        };
        let client = Client::new(config, account.clone());
        let mut pair = Self {
            now,
            client: ClientConnection::new(Arc::new(connection), Box::new(client), now),
            server: ServerConnection::accept(now, Arc::new(session::ServerConfig::clw()), Box::new(admit)),
            client_events: Vec::new(),
            server_events: Vec::new(),
            said: Vec::new(),
            one_way: false,
            loses_datagrams: (false, false),
            backend: backend.clone(),
            client_out: Outbox::client(session),
            server_out: Outbox::server(),
            taps: [Tap::new(Peer::Client), Tap::new(Peer::Server)],
            under_way: VecDeque::new(),
        };
        pair.client.connected(now, [7; 16], &mut pair.client_out);
        pair.flush();
        pair
    }

    /// A usual client and server, ready.
    pub(super) fn ready(change_client: impl FnOnce(&mut ClientConfig), backend: &Backend) -> Self {
        let mut pair = Self::connect(
            Instant::ORIGIN,
            client(change_client),
            &account("bench-1"),
            backend,
            1,
            |_| {},
        );
        pair.run_for(Duration::from_millis(100));
        assert!(pair.client.is_ready() && pair.server.is_ready());
        pair
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// Lets everything happen that is due up to `until`.
    pub(super) fn run_until(&mut self, until: Instant) {
        loop {
            let parcel = self.under_way.front().map(|(at, ..)| *at);
            let timers = earliest(self.client.deadline(), self.server.deadline());
            let Some(next) = earliest(parcel, timers).filter(|at| *at <= until) else {
                break;
            };
            self.now = self.now.max(next);
            if parcel.is_some_and(|at| at <= self.now) {
                self.deliver();
            } else {
                if self.client.deadline().is_some_and(|at| at <= self.now) {
                    self.client.timer(self.now, &mut self.client_out);
                }
                if self.server.deadline().is_some_and(|at| at <= self.now) {
                    self.server.timer(self.now, &mut self.server_out);
                }
            }
            self.flush();
        }
        self.now = until;
    }

    pub(super) fn log_out(&mut self) {
        self.client.log_out(self.now, &mut self.client_out);
        self.flush();
    }

    /// Makes the server do something.
    pub(super) fn on_server(&mut self, act: impl FnOnce(&mut Server, Instant, &mut Outbox<ServerEvent>)) {
        let now = self.now;
        self.server
            .with_dialect(now, &mut self.server_out, |server, out| act(server, now, out))
            .unwrap();
        self.flush();
    }

    /// Ends the server's transport without a word.
    pub(super) fn cut(&mut self, how: Finish) {
        self.server.close_transport(self.now, how, &mut self.server_out);
        self.flush();
    }

    /// Sends the client's bytes as if the machine had made them.
    pub(super) fn client_sends(&mut self, write: impl FnOnce(&mut Outbox<ClientEvent>)) {
        write(&mut self.client_out);
        self.client_out.closed = None;
        self.flush();
    }

    /// Sends the server's bytes as if the machine had made them.
    pub(super) fn server_sends(&mut self, write: impl FnOnce(&mut Outbox<ServerEvent>)) {
        write(&mut self.server_out);
        self.flush();
    }

    pub(super) fn observations(&self) -> [Observation; 2] {
        [
            self.client.observation(self.now),
            self.server.observation(self.now),
        ]
    }

    /// The verdict, which must be the same from both ends.
    pub(super) fn verdict(&self) -> Verdict {
        let [client, server] = self.observations();
        let (by_client, by_server) = (classify(&client), classify(&server));
        assert_eq!(
            by_client.verdict, by_server.verdict,
            "{client:#?}\n{server:#?}\n{:#?}",
            self.said
        );
        by_client.verdict
    }

    pub(super) fn count(&self, opcode: Opcode) -> usize {
        self.said.iter().filter(|said| said.opcode == opcode).count()
    }

    pub(super) fn events(&self, event: &ClientEvent) -> usize {
        self.client_events.iter().filter(|e| *e == event).count()
    }

    fn deliver(&mut self) {
        let Some((_, by, parcel)) = self.under_way.pop_front() else {
            return;
        };
        match (by, parcel) {
            (Side::Client, Parcel::Datagram(ping)) if !self.loses_datagrams.0 => {
                let answer = self.backend.datagrams().answer(HOST, &ping);
                if let Some(pong) = answer.filter(|_| !self.loses_datagrams.1) {
                    let arrival = self.now + LATENCY;
                    self.under_way
                        .push_back((arrival, Side::Server, Parcel::Datagram(pong)));
                }
            }
            (Side::Server, Parcel::Datagram(pong)) => {
                self.client.datagram(self.now, &pong, &mut self.client_out);
            }
            (_, Parcel::Datagram(_)) => {}
            (Side::Client, Parcel::Bytes(mut bytes)) => {
                self.server.receive(self.now, &mut bytes, &mut self.server_out);
            }
            (Side::Client, Parcel::End(kind)) => {
                self.server.end_of_stream(self.now, kind, by);
                self.server_out.finish(Finish::Fin);
            }
            (_, Parcel::Bytes(mut bytes)) => {
                self.client.receive(self.now, &mut bytes, &mut self.client_out);
            }
            (_, Parcel::End(kind)) => {
                self.client.transport_ended(self.now, kind, by);
                self.client_out.finish(Finish::Fin);
            }
        }
    }

    /// Sends what the machines have written.
    fn flush(&mut self) {
        let (now, arrival) = (self.now, self.now + LATENCY);
        let [from_client, from_server] = &mut self.taps;
        let out = &mut self.client_out;
        for event in &out.events {
            if let ClientEvent::Datagram(bytes) = event {
                self.under_way
                    .push_back((arrival, Side::Client, Parcel::Datagram(*bytes)));
            }
        }
        self.client_events.append(&mut out.events);
        if !out.bytes.is_empty() {
            from_client.read(now, Side::Client, &out.bytes, &mut self.said);
            let parcel = Parcel::Bytes(std::mem::take(&mut out.bytes));
            self.under_way.push_back((arrival, Side::Client, parcel));
        }
        if let Some(how) = out.finish {
            self.under_way
                .push_back((arrival, Side::Client, Parcel::End(ending(how))));
        }
        out.clear();
        let out = &mut self.server_out;
        self.server_events.append(&mut out.events);
        if !out.bytes.is_empty() {
            from_server.read(now, Side::Server, &out.bytes, &mut self.said);
            let parcel = Parcel::Bytes(std::mem::take(&mut out.bytes));
            if !self.one_way {
                self.under_way.push_back((arrival, Side::Server, parcel));
            }
        }
        if let Some(how) = out.finish
            && !self.one_way
        {
            self.under_way
                .push_back((arrival, Side::Server, Parcel::End(ending(how))));
        }
        out.clear();
    }
}

fn ending(how: Finish) -> EndingKind {
    match how {
        Finish::Fin => EndingKind::Fin,
        Finish::Rst => EndingKind::Rst,
    }
}

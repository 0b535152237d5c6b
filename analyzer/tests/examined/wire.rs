//! One connection, written packet by packet.

use clw_analyzer::engine::{Engine, Options};
use clw_analyzer::judge::Judged;
use clw_analyzer::segment::{self, Flags, Segment};
use std::net::SocketAddr;

/// A second.
pub const S: u64 = 1_000_000_000;
/// A millisecond.
pub const MS: u64 = 1_000_000;
const EPOCH_NS: u64 = 1_795_000_000 * S;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Client,
    Server,
}
use By::{Client, Server};

/// A connection and the engine that watches it.
pub struct Wire {
    pub engine: Engine,
    pub judged: Vec<Judged>,
    pub client: SocketAddr,
    pub server: SocketAddr,
    /// Now, nanoseconds since the capture began.
    pub now: u64,
    /// What each side sends next.
    pub next: [u32; 2],
    frame: u64,
    /// Payload bytes that a snap length leaves.
    pub snap: usize,
    /// Packets of this side are not captured.
    pub unheard: Option<By>,
}

impl Wire {
    /// Nothing sent yet; the server has this port.
    pub fn new(port: u16) -> Self {
        Self {
            engine: Engine::new(Options::default()),
            judged: Vec::new(),
            client: SocketAddr::from(([10, 0, 0, 1], 40_000)),
            server: SocketAddr::from(([10, 0, 0, 2], port)),
            now: 0,
            next: [1000, 9000],
            frame: 0,
            snap: usize::MAX,
            unheard: None,
        }
    }

    /// Another client of the same server.
    pub fn of_client(&mut self, number: u8) {
        self.client = SocketAddr::from(([10, 0, 0, number], 40_000 + u16::from(number)));
        self.next = [1000, 9000];
    }

    /// A packet as given, which moves nothing.
    pub fn packet(
        &mut self,
        from: By,
        flags: u8,
        (seq, ack): (u32, u32),
        payload: &[u8],
        ttl: u8,
        window: u16,
    ) {
        self.frame += 1;
        if self.unheard == Some(from) {
            return;
        }
        let (source, destination) = match from {
            Client => (self.client, self.server),
            Server => (self.server, self.client),
        };
        let segment = Segment {
            number: self.frame,
            at_ns: EPOCH_NS + self.now,
            interface: 0,
            source,
            destination,
            ttl,
            ip_id: Some(0),
            seq,
            ack,
            flags: Flags(flags),
            window,
            options: segment::Options::default(),
            payload: &payload[..payload.len().min(self.snap)],
            payload_len: u32::try_from(payload.len()).expect("small"),
        };
        let judged = &mut self.judged;
        self.engine.feed(&segment, &mut |done| judged.push(done));
    }

    /// Sends `payload` in order, with what the sender has received acknowledged.
    pub fn send(&mut self, from: By, payload: &[u8]) {
        let (seq, ack) = self.at(from);
        self.packet(from, Flags::ACK | Flags::PSH, (seq, ack), payload, 64, 500);
        self.moved(from, u32::try_from(payload.len()).expect("small"));
    }

    /// The same again, unanswered.
    pub fn again(&mut self, from: By, payload: &[u8]) {
        let (seq, ack) = self.at(from);
        let seq = seq.wrapping_sub(u32::try_from(payload.len()).expect("small"));
        self.packet(from, Flags::ACK | Flags::PSH, (seq, ack), payload, 64, 500);
    }

    /// Acknowledges everything.
    pub fn ack(&mut self, from: By) {
        let (seq, ack) = self.at(from);
        self.packet(from, Flags::ACK, (seq, ack), b"", 64, 500);
    }

    /// Acknowledges everything with a closed window.
    pub fn full(&mut self, from: By) {
        let (seq, ack) = self.at(from);
        self.packet(from, Flags::ACK, (seq, ack), b"", 64, 0);
    }

    /// A FIN in order.
    pub fn fin(&mut self, from: By) {
        let (seq, ack) = self.at(from);
        self.packet(from, Flags::ACK | Flags::FIN, (seq, ack), b"", 64, 500);
        self.moved(from, 1);
    }

    /// Three packets that open it.
    pub fn open(&mut self) {
        let (seq, _) = self.at(Client);
        self.packet(Client, Flags::SYN, (seq, 0), b"", 64, 500);
        self.moved(Client, 1);
        let (seq, ack) = self.at(Server);
        self.packet(Server, Flags::SYN | Flags::ACK, (seq, ack), b"", 64, 500);
        self.moved(Server, 1);
        self.ack(Client);
    }

    /// A text frame.
    pub fn text(&mut self, from: By, text: &str) {
        self.frame(from, 0x81, text.as_bytes());
    }

    /// Any frame, masked with zeros by the client.
    pub fn frame(&mut self, from: By, first: u8, payload: &[u8]) {
        let bytes = frame(from, first, payload);
        self.send(from, &bytes);
    }

    /// Everything up to the challenge of an OpenClaw gateway.
    pub fn upgrade(&mut self) {
        self.open();
        self.send(
            Client,
            b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        );
        self.send(
            Server,
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        );
    }

    /// A live OpenClaw session.
    pub fn ready(&mut self) {
        self.upgrade();
        self.text(
            Server,
            r#"{"type":"event","event":"connect.challenge","payload":{"nonce":"n","ts":1}}"#,
        );
        self.text(
            Client,
            r#"{"type":"req","id":"c1","method":"connect","params":{"minProtocol":4,"maxProtocol":4,"role":"operator","client":{"id":"cli","version":"1"}}}"#,
        );
        self.text(
            Server,
            r#"{"type":"res","id":"c1","ok":true,"payload":{"type":"hello-ok","protocol":4,"server":{"version":"1"},"policy":{"tickIntervalMs":30000}}}"#,
        );
        self.ack(Client);
    }

    /// The capture is over.
    pub fn end(mut self) -> Vec<Judged> {
        let judged = &mut self.judged;
        self.engine.end(&mut |done| judged.push(done));
        self.judged
    }

    /// The capture is over, and had one connection.
    pub fn only(self) -> Judged {
        let mut all = self.end();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    /// What `from` sends next, and what it acknowledges.
    pub fn at(&self, from: By) -> (u32, u32) {
        match from {
            Client => (self.next[0], self.next[1]),
            Server => (self.next[1], self.next[0]),
        }
    }

    fn moved(&mut self, from: By, by: u32) {
        let next = &mut self.next[usize::from(from == Server)];
        *next = next.wrapping_add(by);
    }
}

/// A frame's bytes.
pub fn frame(from: By, first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = if from == Client { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match u8::try_from(payload.len()) {
        Ok(short) if short < 126 => bytes.push(mask | short),
        _ => {
            bytes.push(mask | 0x7E);
            bytes.extend_from_slice(&u16::try_from(payload.len()).expect("small").to_be_bytes());
        }
    }
    if from == Client {
        bytes.extend_from_slice(&[0; 4]);
    }
    bytes.extend_from_slice(payload);
    bytes
}

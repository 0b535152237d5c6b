//! Any script of segments over a few connections, through engine, frames, dialects and judge: no panic, no memory beyond
//! the limits, and every connection judged once.
//!
//! A script is a list of `op, length, bytes`. Most bytes that fuzzing invents are no WebSocket: some ops say valid things.

#![no_main]

use clw_analyzer::engine::{Engine, Options};
use clw_analyzer::segment::{Flags, Segment};
use libfuzzer_sys::fuzz_target;
use std::net::SocketAddr;

const CONNECTIONS: usize = 4;
const REQUEST: &[u8] = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
const ANSWER: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n";
const TEXTS: [&str; 6] = [
    r#"{"type":"event","event":"connect.challenge","payload":{"nonce":"n","ts":1}}"#,
    r#"{"type":"req","id":"c1","method":"connect","params":{}}"#,
    r#"{"type":"res","id":"c1","ok":true,"payload":{"type":"hello-ok","protocol":4}}"#,
    r#"{"version":"2","event":"connect.challenge","trace_id":"challenge","emitted_at":1,"payload":{"nonce":"n"}}"#,
    r#"{"version":"2","event":"connect","trace_id":"t","emitted_at":1,"payload":{"token":"t","nonce":"n"}}"#,
    r#"{"version":"2","event":"hello-ok","trace_id":"t","emitted_at":1,"payload":{}}"#,
];

#[derive(Clone, Copy, Default)]
struct Side {
    next: u32,
    heard: u32,
}

struct Script {
    engine: Engine,
    sides: [[Side; 2]; CONNECTIONS],
    at_ns: u64,
    number: u64,
    judged: usize,
}

impl Script {
    fn send(&mut self, connection: usize, up: bool, flags: u8, seq: u32, payload: &[u8], cut: usize) {
        let end = |side: bool| -> SocketAddr {
            let port = if side { 40_000 + connection as u16 } else { 18_789 };
            SocketAddr::from(([10, 0, 0, if side { 1 } else { 2 }], port))
        };
        self.number += 1;
        let side = self.sides[connection][usize::from(up)];
        let segment = Segment {
            number: self.number,
            at_ns: self.at_ns,
            interface: 0,
            source: end(up),
            destination: end(!up),
            ttl: 64,
            ip_id: Some(self.number as u16),
            seq,
            ack: side.heard,
            flags: Flags(flags),
            window: 512,
            options: Default::default(),
            payload: &payload[..payload.len().saturating_sub(cut)],
            payload_len: payload.len() as u32,
        };
        let judged = &mut self.judged;
        self.engine.feed(&segment, &mut |done| {
            *judged += 1;
            assert!((0.0..=1.0).contains(&done.record.confidence));
        });
    }

    /// Sends at the end of what the side has sent, and moves that end.
    fn go_on(&mut self, connection: usize, up: bool, flags: u8, payload: &[u8], cut: usize) {
        let seq = self.sides[connection][usize::from(up)].next;
        self.send(connection, up, flags | Flags::ACK, seq, payload, cut);
        let control = u32::from(flags & (Flags::SYN | Flags::FIN) != 0);
        let next = seq.wrapping_add(payload.len() as u32).wrapping_add(control);
        self.sides[connection][usize::from(up)].next = next;
        self.sides[connection][usize::from(!up)].heard = next;
    }

    fn frame(opcode: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x80 | opcode];
        let mask = if masked { 0x80 } else { 0 };
        match payload.len() {
            short @ ..126 => frame.push(mask | short as u8),
            long => {
                frame.push(mask | 126);
                frame.extend_from_slice(&(long as u16).to_be_bytes());
            }
        }
        if masked {
            frame.extend_from_slice(&[0; 4]);
        }
        frame.extend_from_slice(payload);
        frame
    }

    fn op(&mut self, op: u8, bytes: &[u8]) {
        let connection = usize::from(op >> 6);
        let up = op & 0x20 != 0;
        let first = bytes.first().copied().unwrap_or(0);
        match op & 0x0f {
            0 => self.go_on(connection, up, Flags::SYN, &[], 0),
            1 => self.go_on(connection, true, 0, REQUEST, 0),
            2 => self.go_on(connection, false, 0, ANSWER, 0),
            3 => self.go_on(connection, up, 0, bytes, 0),
            4 => self.go_on(connection, up, 0, &Self::frame(first & 0x0f, up, bytes), 0),
            5 => {
                let text = TEXTS[usize::from(first) % TEXTS.len()];
                self.go_on(connection, up, 0, &Self::frame(1, up, text.as_bytes()), 0);
            }
            6 => self.go_on(connection, up, Flags::FIN, bytes, 0),
            7 => self.go_on(connection, up, Flags::RST, &[], 0),
            // Sent again, or from before: overlaps.
            8 => {
                let seq = self.sides[connection][usize::from(up)].next.wrapping_sub(u32::from(first));
                self.send(connection, up, Flags::ACK, seq, bytes, 0);
            }
            // Ahead: something before it was lost, or comes later.
            9 => {
                let seq = self.sides[connection][usize::from(up)].next.wrapping_add(u32::from(first));
                self.send(connection, up, Flags::ACK, seq, bytes, 0);
            }
            10 => {
                let gap = u32::from(first) * 7;
                let side = &mut self.sides[connection][usize::from(up)];
                side.next = side.next.wrapping_add(gap);
            }
            // Cut by a snap length.
            11 => self.go_on(connection, up, 0, bytes, usize::from(first)),
            12 => self.at_ns += u64::from(first) * 1_000_000_000,
            13 => self.at_ns = self.at_ns.saturating_sub(u64::from(first) * 1_000_000),
            14 => self.send(connection, up, first, u32::from(first), bytes, 0),
            _ => self.at_ns += u64::from(first) * 1_000,
        }
        self.at_ns += 1_000;
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script {
        engine: Engine::new(Options {
            max_open: 3,
            ..Options::default()
        }),
        sides: Default::default(),
        at_ns: 1_700_000_000_000_000_000,
        number: 0,
        judged: 0,
    };
    let mut rest = bytes;
    while let [op, length, more @ ..] = rest {
        let (now, later) = more.split_at(usize::from(*length).min(more.len()));
        script.op(*op, now);
        rest = later;
        assert!(script.engine.open() <= 3, "more open connections than allowed");
    }
    let mut judged = script.judged;
    script.engine.end(&mut |_| judged += 1);
    assert!(judged as u64 <= script.number);
});

//! Captures of OpenClaw sessions, made up: whole logins, requests with answers, ticks, pings, and orderly ends. Every packet with
//! data is acknowledged by one without, as on a network slower than the delayed acknowledgement.

use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::Path;

const CLIENT: usize = 0;
const SERVER: usize = 1;
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
/// Time between two packets.
const STEP_US: u64 = 20;

/// What a capture holds.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// File name, and what it is.
    pub name: &'static str,
    /// Packets, to within a session's end.
    pub packets: u64,
    /// Sessions open at the same time.
    pub open: usize,
    /// Exchanges of a session between its login and its close; none for sessions that stay until the capture ends.
    pub exchanges: Option<u64>,
}

/// Writes a capture; the same shape gives the same bytes.
pub fn write(path: &Path, shape: Shape) -> Result<()> {
    let mut out = Packets {
        out: BufWriter::with_capacity(1 << 20, File::create(path)?),
        count: 0,
        payload: Vec::new(),
    };
    // pcap, little endian, microseconds, Ethernet.
    out.out.write_all(&[
        0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
    ])?;
    let mut begun = 0;
    let mut next = || {
        begun += 1;
        Session::new(begun)
    };
    let mut open: Vec<Session> = (0..shape.open).map(|_| next()).collect();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    while out.count < shape.packets {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let slot = usize::try_from(random >> 33).unwrap_or_default() % open.len();
        if let Some(session) = open.get_mut(slot)
            && !session.step(&mut out, shape.exchanges)?
        {
            *session = next();
        }
    }
    out.out.flush()
}

struct Packets {
    out: BufWriter<File>,
    count: u64,
    payload: Vec<u8>,
}

/// One session on its way from SYN to FIN.
struct Session {
    number: u64,
    done: u64,
    /// Next byte, by side.
    seq: [u32; 2],
    ip_id: [u16; 2],
}

impl Session {
    fn new(number: u64) -> Self {
        let isn = u32::try_from(number.wrapping_mul(2_654_435_761) & 0xffff_ffff).unwrap_or_default();
        Self {
            number,
            done: 0,
            seq: [isn, !isn],
            ip_id: [1, 1],
        }
    }

    /// The next exchange; whether another one follows.
    fn step(&mut self, out: &mut Packets, exchanges: Option<u64>) -> Result<bool> {
        const LOGIN: u64 = 6;
        let step = self.done;
        self.done += 1;
        let id = self.done;
        match step {
            0 => {
                self.packet(out, CLIENT, SYN, &[])?;
                self.packet(out, SERVER, SYN | ACK, &[])?;
                self.packet(out, CLIENT, ACK, &[])?;
            }
            1 => self.data(out, CLIENT, b"GET / HTTP/1.1\r\nHost: gateway:18789\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: PYjsBqZ42kcaoXsk0XOBbA==\r\n\r\n")?,
            2 => self.data(out, SERVER, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: jq1+49gVmu45zDxZ+XXuy5eU3jE=\r\n\r\n")?,
            3 => self.text(out, SERVER, r#"{"type":"event","event":"connect.challenge","payload":{"nonce":"a5d5f98c-0850-434f-8763-02e693c0cf9c","ts":1795208497168}}"#)?,
            4 => self.text(out, CLIENT, r#"{"type":"req","id":"c1","method":"connect","params":{"minProtocol":4,"maxProtocol":4,"client":{"id":"gateway-client","version":"1.0.0","platform":"linux","mode":"backend"},"role":"operator","scopes":["operator.read"],"caps":[],"auth":{"token":"not-a-real-token"}}}"#)?,
            5 => {
                let features = r#""sessions.list","#.repeat(60);
                self.text(out, SERVER, &format!(r#"{{"type":"res","id":"c1","ok":true,"payload":{{"type":"hello-ok","protocol":4,"server":{{"version":"2026.9.6","connId":"d5c88934"}},"features":{{"methods":[{features}"health"],"events":["tick"]}},"auth":{{"role":"operator","scopes":["operator.read"]}},"policy":{{"maxPayload":26214400,"maxBufferedBytes":52428800,"tickIntervalMs":30000}}}}}}"#))?;
            }
            _ if exchanges.is_some_and(|exchanges| step >= LOGIN + exchanges) => {
                self.frame(out, CLIENT, 8, &1000u16.to_be_bytes())?;
                self.frame(out, SERVER, 8, &1000u16.to_be_bytes())?;
                self.packet(out, SERVER, FIN | ACK, &[])?;
                self.packet(out, CLIENT, FIN | ACK, &[])?;
                self.packet(out, SERVER, ACK, &[])?;
                return Ok(false);
            }
            _ => match step % 8 {
                0..4 => {
                    self.text(out, CLIENT, &format!(r#"{{"type":"req","id":"h{id}","method":"sessions.list","params":{{"limit":20,"includeGlobal":true}}}}"#))?;
                    let rows = r#"{"key":"agent:main:main","kind":"direct","updatedAt":1795208458749},"#
                        .repeat(usize::try_from(step % 7).unwrap_or_default());
                    self.text(out, SERVER, &format!(r#"{{"type":"res","id":"h{id}","ok":true,"payload":{{"ts":1795208458749,"count":7,"sessions":[{rows}null]}}}}"#))?;
                }
                4 => {
                    self.frame(out, SERVER, 9, &[])?;
                    self.frame(out, CLIENT, 10, &[])?;
                }
                _ => self.text(out, SERVER, &format!(r#"{{"type":"event","event":"tick","payload":{{"ts":17952084{id:05}}},"seq":{id}}}"#))?,
            },
        }
        Ok(true)
    }

    fn text(&mut self, out: &mut Packets, by: usize, text: &str) -> Result<()> {
        self.frame(out, by, 1, text.as_bytes())
    }

    fn frame(&mut self, out: &mut Packets, by: usize, opcode: u8, body: &[u8]) -> Result<()> {
        let mut bytes = std::mem::take(&mut out.payload);
        bytes.clear();
        bytes.push(0x80 | opcode);
        let masked = if by == CLIENT { 0x80 } else { 0 };
        if let Ok(length @ 0..=125) = u8::try_from(body.len()) {
            bytes.push(masked | length);
        } else {
            bytes.push(masked | 0x7e);
            bytes.extend_from_slice(&u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
        if by == CLIENT {
            let mask = self.seq[CLIENT].wrapping_mul(0x9e37_79b1).to_be_bytes();
            bytes.extend_from_slice(&mask);
            bytes.extend(
                body.iter()
                    .zip(mask.iter().cycle())
                    .map(|(byte, mask)| byte ^ mask),
            );
        } else {
            bytes.extend_from_slice(body);
        }
        self.data(out, by, &bytes)?;
        out.payload = bytes;
        Ok(())
    }

    /// A segment with data and its acknowledgement.
    fn data(&mut self, out: &mut Packets, by: usize, bytes: &[u8]) -> Result<()> {
        self.packet(out, by, PSH | ACK, bytes)?;
        self.packet(out, 1 - by, ACK, &[])
    }

    fn packet(&mut self, out: &mut Packets, by: usize, flags: u8, payload: &[u8]) -> Result<()> {
        let mut header = [0; 66];
        let length = header.len() + payload.len();
        let at_us = 1_795_000_000_000_000 + out.count * STEP_US;
        let [_, _, high, low] = u32::try_from(self.number / 50_000)
            .unwrap_or_default()
            .to_be_bytes();
        let port = u16::try_from(10_000 + self.number % 50_000).unwrap_or_default();
        let ends = [([10, 1, high, low], port), ([10, 0, 0, 2], 18_789)];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            header[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0]);
        put(&u16::try_from(length - 14).unwrap_or(u16::MAX).to_be_bytes());
        put(&self.ip_id[by].to_be_bytes());
        put(&[0x40, 0, 64, 6, 0, 0]);
        put(&ends[by].0);
        put(&ends[1 - by].0);
        put(&ends[by].1.to_be_bytes());
        put(&ends[1 - by].1.to_be_bytes());
        put(&self.seq[by].to_be_bytes());
        put(&(if flags & ACK == 0 { 0 } else { self.seq[1 - by] }).to_be_bytes());
        put(&[0x80, flags, 2, 0, 0, 0, 0, 0, 1, 1, 8, 10]);
        put(&u32::try_from(out.count & 0xffff_ffff)
            .unwrap_or_default()
            .to_be_bytes());
        put(&[0, 0, 0, 2]);
        self.ip_id[by] = self.ip_id[by].wrapping_add(1);
        self.seq[by] = self.seq[by]
            .wrapping_add(u32::try_from(payload.len()).unwrap_or_default())
            .wrapping_add(u32::from(flags & (SYN | FIN) != 0));
        for field in [at_us / 1_000_000, at_us % 1_000_000, length as u64, length as u64] {
            out.out
                .write_all(&u32::try_from(field).unwrap_or_default().to_le_bytes())?;
        }
        out.out.write_all(&header)?;
        out.out.write_all(payload)?;
        out.count += 1;
        Ok(())
    }
}

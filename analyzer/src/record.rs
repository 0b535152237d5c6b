//! A connection in the result (`clw.analyze/1`).

use clw_core::histogram::Summary;
use clw_core::verdict::{EndingKind, Side};
use clw_core::{Dialect, Stage};
use serde::Serialize;
use std::net::SocketAddr;

/// Something that each side has its own of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Sides<T> {
    /// The client's.
    pub client: T,
    /// The server's.
    pub server: T,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// From 1, in the order of first packets.
    pub id: u64,
    /// Who opened it.
    pub client: SocketAddr,
    /// Who accepted it.
    pub server: SocketAddr,
    /// When its first packet was captured, RFC 3339 in UTC.
    pub start: String,
    /// The same, nanoseconds since the Unix epoch.
    pub start_unix_ns: u64,
    /// First to last packet, milliseconds.
    pub duration_ms: f64,
    /// What was spoken.
    pub dialect: Dialect,
    /// The furthest stage.
    pub stage: Stage,
    /// Packets, duplicates not counted.
    pub packets: Sides<u64>,
    /// Payload bytes.
    pub bytes: Sides<u64>,
    /// Packets whose data had been sent before.
    pub retransmissions: Sides<u32>,
    /// TCP keepalive probes.
    pub keepalives: Sides<u32>,
    /// Times a window was closed.
    pub zero_windows: Sides<u32>,
    /// Bytes that were sent, but are not in the capture.
    pub missing_bytes: Sides<u64>,
    /// Packets that were captured twice.
    pub duplicates: u64,
    /// Round trips of the far side: the longer of the two below.
    pub rtt_us: Summary,
    /// Round trips between the capture point and each side.
    pub rtt_by_side_us: Sides<Summary>,
    /// How it ended.
    pub ending: Ending,
    /// Heartbeats.
    pub heartbeats: Heartbeats,
    /// TLS.
    pub tls: Option<Tls>,
    /// The upgrade.
    pub http: Option<Http>,
    /// Who the session is, without its secrets.
    pub identity: Identity,
    /// The client calls itself a helper: leaving before connect is its habit, and no error.
    pub helper: bool,
    /// From one stage to the next, milliseconds.
    pub stages_ms: StagesMs,
    /// WebSocket frames.
    pub frames: Sides<u64>,
    /// The same by opcode.
    pub opcodes: Sides<Opcodes>,
    /// Requests of the client without an answer at the end.
    pub pending_requests: u32,
    /// The dictionary's name; `null` for HTTP that is no session.
    pub verdict: Option<&'static str>,
    /// 0 to 1.
    pub confidence: f64,
    /// What speaks for it, one checkable fact a line.
    pub evidence: Vec<String>,
}

/// WebSocket frames by opcode (RFC 6455, section 11.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Opcodes {
    /// 0.
    pub continuation: u32,
    /// 1.
    pub text: u32,
    /// 2.
    pub binary: u32,
    /// 8.
    pub close: u32,
    /// 9.
    pub ping: u32,
    /// 10.
    pub pong: u32,
    /// All others, which nobody may send.
    pub reserved: u32,
}

impl Opcodes {
    /// From counts by number.
    pub fn of(counts: &[u32; 16]) -> Self {
        let [continuation, text, binary, _, _, _, _, _, close, ping, pong, ..] = *counts;
        let known = [continuation, text, binary, close, ping, pong];
        Self {
            continuation,
            text,
            binary,
            close,
            ping,
            pong,
            reserved: counts.iter().sum::<u32>() - known.iter().sum::<u32>(),
        }
    }
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ending {
    /// FIN, RST, silence, or not at all.
    pub kind: EndingKind,
    /// Who.
    pub by: Side,
    /// The first close frame.
    pub ws_close: Option<WsClose>,
    /// Every RST.
    pub rst: Vec<Rst>,
    /// When, milliseconds after the first packet.
    pub at_ms: f64,
}

/// A WebSocket close frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WsClose {
    /// Its code; 1005 for an empty body.
    pub code: u16,
    /// Its reason.
    pub reason: String,
    /// Who sent it.
    pub by: Side,
    /// In which frame of the capture.
    pub frame: u64,
    /// The other side's code, if it answered.
    pub echo: Option<u16>,
    /// It was said into a connection that had ended: it ended nothing.
    pub after_end: bool,
}

/// A RST.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rst {
    /// Who sent it, or in whose name.
    pub by: Side,
    /// What it was.
    pub class: &'static str,
    /// 0 to 1.
    pub confidence: f64,
    /// Why.
    pub evidence: String,
    /// In which frame of the capture.
    pub frame: u64,
    /// When, milliseconds after the first packet.
    pub at_ms: f64,
    /// The text it carried.
    pub reason: Option<String>,
    /// The connection went on after it.
    pub survived: bool,
}

/// Heartbeats.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Heartbeats {
    /// WebSocket pings of both sides.
    pub ws_ping: u64,
    /// WebSocket pongs of both sides.
    pub ws_pong: u64,
    /// The dialect's own beats of both sides.
    pub ticks: u64,
    /// The usual period, milliseconds.
    pub period_ms: Option<f64>,
    /// Silences.
    pub gaps: Vec<Gap>,
    /// Those that were datagrams (CLW), if there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp: Option<UdpHeartbeats>,
}

/// Heartbeats as datagrams.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UdpHeartbeats {
    /// AUTH_PINGs.
    pub pings: u64,
    /// AUTH_PONGs.
    pub pongs: u64,
    /// Pings went out and no pongs came back, while the stream lived: the longest such time.
    pub one_way: Option<OneWayLoss>,
}

/// A way that is open in one direction only.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OneWayLoss {
    /// Pings in a row without a pong.
    pub pings: u64,
    /// From the first to the last of them.
    pub length_ms: f64,
}

/// A silence where heartbeats were due.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gap {
    /// The last beat before it, milliseconds after the first packet.
    pub from_ms: f64,
    /// How long.
    pub length_ms: f64,
    /// Whose beats were missing.
    pub side: Side,
    /// Why.
    pub cause: &'static str,
}

/// TLS around a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tls {
    /// `TLS 1.3` …
    pub version: Option<String>,
    /// Server name asked for.
    pub server_name: Option<String>,
    /// ALPN chosen, where it is visible.
    pub alpn: Option<String>,
    /// Cipher suite.
    pub cipher_suite: Option<String>,
    /// An earlier session was resumed.
    pub resumed: bool,
    /// Keys were found.
    pub decrypted: bool,
}

/// The upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Http {
    /// Method.
    pub method: String,
    /// Target without its query.
    pub path: String,
    /// Status of the answer.
    pub status: Option<u16>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `X-Forwarded-For` and the like.
    pub forwarded_for: Option<String>,
}

/// Who a session is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Role asked for or granted.
    pub role: Option<String>,
    /// The client's name for itself.
    pub client_id: Option<String>,
    /// The client's release.
    pub client_version: Option<String>,
    /// The server's release.
    pub server_version: Option<String>,
    /// Protocol agreed on.
    pub protocol: Option<String>,
    /// Kinds of credential.
    pub auth: Vec<&'static str>,
}

/// Time spent in each stage, milliseconds; `null` where it was not reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct StagesMs {
    /// Request to 101.
    pub upgrade: Option<f64>,
    /// 101 to challenge.
    pub challenge: Option<f64>,
    /// Client's first message to acceptance.
    pub auth: Option<f64>,
    /// First packet to ready.
    pub ready: Option<f64>,
}

/// Nanoseconds as milliseconds, to the microsecond.
pub fn ms(ns: u64) -> f64 {
    (ns / 1000) as f64 / 1000.0
}

//! What somebody saw of one session: the facts that the rules judge.
//!
//! A client, a server and a packet reader each fill in what they can know and leave the rest at its default; the same
//! rules then run over all three.

use crate::{Dialect, Stage};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Who did something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The side that opened the connection.
    Client,
    /// The gateway.
    Server,
    /// Neither: a NAT, firewall or load balancer between them.
    Middlebox,
    /// Not to be told from what was seen.
    #[default]
    Unknown,
}

impl Side {
    /// The name used in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Middlebox => "middlebox",
            Self::Unknown => "unknown",
        }
    }
}

/// Whose eyes these are: it decides how evidence is worded and what cannot be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Viewpoint {
    /// The client's own sockets.
    #[default]
    Client,
    /// The gateway's own sockets.
    Server,
    /// A capture.
    Wire,
}

/// How the TCP connect went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connect {
    /// The three-way handshake was done (always so for a server).
    #[default]
    Established,
    /// SYN answered by RST (`ECONNREFUSED`).
    Refused,
    /// No SYN-ACK in time (`ETIMEDOUT`, or the client's own limit).
    TimedOut,
    /// The network said there is no way there (`EHOSTUNREACH`, `ENETUNREACH`).
    Unreachable,
}

/// How the transport ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndingKind {
    /// A FIN (end of stream).
    Fin,
    /// A RST.
    Rst,
    /// Nothing any more, with data unacknowledged (`ETIMEDOUT` on an established connection).
    Silent,
    /// It had not ended.
    #[default]
    Open,
}

/// The first WebSocket close frame of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// Who sent it.
    pub by: Side,
    /// The status code; `None` for a close frame with an empty body (1005 to applications).
    pub code: Option<u16>,
    /// The reason text, at most 123 bytes.
    pub reason: String,
}

/// Why a server refused to authenticate, as told in the dialect's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it means to the dictionary.
    pub class: RefusalClass,
    /// The most specific code on the wire: `AUTH_TOKEN_MISMATCH`, `authentication failed` …
    pub code: String,
    /// The text for people.
    pub message: String,
}

/// The dictionary's classes of refusal. Each dialect maps its error codes to these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalClass {
    /// The server is too busy, or its connection budget is used up.
    Overloaded,
    /// Starting, restarting or suspended.
    Unavailable,
    /// Locked out after too many failures.
    RateLimited,
    /// The device or node must be approved first.
    PairingRequired,
    /// Protocol versions do not meet.
    VersionMismatch,
    /// Token, password, signature, scope or device not accepted.
    Credentials,
    /// The auth backend is down (ClawChat).
    AuthUnavailable,
    /// The message itself was wrong: bad field, wrong first message.
    Protocol,
}

/// CLW's DISCONNECT_AUTH reasons (protocol page, opcode 0xA03).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disconnect {
    /// The auth queue is full.
    Overload,
    /// The token's lifetime ended.
    TokenExpired,
    /// The token was revoked.
    TokenRevoked,
    /// Client and server versions do not meet.
    VersionMismatch,
    /// The server missed the client's heartbeats.
    HeartbeatTimeout,
    /// The server is going down.
    Shutdown,
    /// A reason that this release does not know.
    #[serde(other)]
    Other,
}

/// Heartbeats stopped for longer than the grace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatLoss {
    /// Whose heartbeats (or answers to them) went missing.
    pub missing_from: Side,
    /// How long the silence lasted when it was given up.
    pub silence: Duration,
}

/// CLW's heartbeats as datagrams, beside the stream. They never end a session, so no rule asks for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatagramBeats {
    /// AUTH_PINGs: those sent (client, capture), those that came (server).
    pub pings: u64,
    /// AUTH_PONGs: those that came in time (client), those sent (server), those seen (capture).
    pub pongs: u64,
    /// Pings went out and no pongs came back, while the stream lived: the longest such time.
    pub one_way: Option<OneWay>,
}

/// A way that is open in one direction only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneWay {
    /// Pings in a row without a pong.
    pub lost: u64,
    /// From the first of them until the last was given up.
    pub lasted: Duration,
}

/// Somebody broke the protocol: a frame that cannot be read, or that may not come here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Who sent it.
    pub by: Side,
    /// What was wrong, in words.
    pub what: String,
}

/// The facts of one session, from one viewpoint. Everything defaults to "not seen".
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// Whose eyes.
    pub viewpoint: Viewpoint,
    /// What was spoken.
    pub dialect: Dialect,
    /// The furthest stage.
    pub stage: Stage,
    /// From the first SYN (client: the start of connect; server: accept) to the end.
    pub duration: Duration,
    /// From the 101 (or accept, if there was none) to the end: what a server's handshake timeout measures.
    pub since_upgrade: Duration,
    /// The server's handshake timeout, if known; otherwise the dialect's default is assumed.
    pub handshake_timeout: Option<Duration>,
    /// How the TCP connect went.
    pub connect: Connect,
    /// TLS failed before its handshake was done: alert, close or bytes that are no TLS.
    pub tls_failure: Option<String>,
    /// The status of the HTTP answer to the upgrade; `None` when none came.
    pub http_status: Option<u16>,
    /// The refusal told before ready.
    pub refusal: Option<Refusal>,
    /// The first close frame.
    pub close: Option<CloseFrame>,
    /// CLW DISCONNECT_AUTH, if it came.
    pub disconnect: Option<Disconnect>,
    /// CLW AUTH_LOGOUT was sent.
    pub logged_out: bool,
    /// A `shutdown` event announced the end: `Some(true)` if it said that a restart follows.
    pub shutdown_announced: Option<bool>,
    /// How the transport ended.
    pub ending: EndingKind,
    /// Who sent the first FIN or the RST, as far as the viewpoint can tell.
    pub ended_by: Side,
    /// Class of the RST that ended it, where headers were seen.
    pub reset: Option<super::ResetClass>,
    /// Confidence of that class, 0 to 1.
    pub reset_confidence: f32,
    /// Heartbeats were given up.
    pub heartbeat_loss: Option<HeartbeatLoss>,
    /// CLW's heartbeats as datagrams, if there were any.
    pub datagrams: Option<DatagramBeats>,
    /// How long the oldest unanswered ws ping of the server had been waiting at the end (captures, servers).
    pub unanswered_server_ping: Option<Duration>,
    /// Requests of the client without an answer at the end.
    pub pending_requests: u32,
    /// Somebody broke the protocol.
    pub violation: Option<Violation>,
    /// The server gave up on a client that did not read.
    pub slow_consumer: bool,
    /// The session's token had run out (or its last refresh was refused) when it ended.
    pub token_expired: bool,
    /// The client is a helper (its user agent says so): ending before connect is its habit.
    pub helper: bool,
    /// The server told in the dialect that its handshake timeout ended it (a server knows; others infer).
    pub handshake_timed_out: bool,
    /// From the client's first message to the end, if it sent one and the time is known: tells a close that answers
    /// an unreadable first message from one that does not.
    pub since_first_message: Option<Duration>,
    /// What was not captured, in words. Anything here can make the verdict `incomplete`.
    pub missing: Vec<&'static str>,
}

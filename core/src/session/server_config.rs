//! What a server's connections have in common, and who may come in.

use super::ServerDialect;
use crate::Dialect;
use crate::time::Instant;
use crate::ws::{HttpRequest, UpgradeRequest};
use std::time::Duration;

/// Limits and timers of a server, shared by all its connections.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// What is spoken after the upgrade.
    pub dialect: Dialect,
    /// The only path that is upgraded; `None` upgrades any.
    pub path: Option<&'static str>,
    /// Which subprotocol is chosen.
    pub protocols: Subprotocols,
    /// Refuse requests with a forwarding header (HTTP 403), as a gateway without trusted proxies does.
    pub refuse_forwarded: bool,
    /// From accept until the HTTP head is whole; then FIN, without an answer.
    pub head_timeout: Duration,
    /// From the 101 until ready; `None` waits for ever.
    pub handshake_timeout: Option<Duration>,
    /// What is sent when that has passed; `None` ends the transport without a close frame.
    pub handshake_close: Option<HandshakeClose>,
    /// Largest message before ready, bytes.
    pub max_message_before_ready: usize,
    /// Largest message from ready on, bytes.
    pub max_message_after_ready: usize,
    /// Period of the server's ws pings from ready on; `None` sends none.
    pub ping_every: Option<Duration>,
    /// How long a pong may take; `None`: one period.
    pub pong_wait: Option<Duration>,
    /// How long the echo of the server's own close frame is awaited before the transport is cut.
    pub close_grace: Duration,
}

impl ServerConfig {
    /// The OpenClaw gateway's values (protocol page, sections 1, 8 and 9).
    pub fn openclaw() -> Self {
        Self {
            dialect: Dialect::Openclaw,
            path: None,
            protocols: Subprotocols::FirstOffered,
            refuse_forwarded: true,
            head_timeout: Duration::from_secs(15),
            handshake_timeout: Some(Duration::from_secs(15)),
            handshake_close: Some(HandshakeClose {
                code: Some(1000),
                reason: "",
            }),
            max_message_before_ready: 64 * 1024,
            max_message_after_ready: 25 * 1024 * 1024,
            ping_every: Some(Duration::from_secs(25)),
            pong_wait: None,
            close_grace: Duration::from_secs(1),
        }
    }

    /// The CLW auth server's values: no ws pings (the protocol has its own), 5 s for the login.
    pub fn clw() -> Self {
        Self {
            dialect: Dialect::Clw,
            path: Some("/clw/auth"),
            protocols: Subprotocols::OneOf(&["clw.auth.v2", "clw.auth.v1"]),
            refuse_forwarded: false,
            head_timeout: Duration::from_secs(5),
            handshake_timeout: Some(Duration::from_secs(5)),
            handshake_close: Some(HandshakeClose {
                code: Some(1008),
                reason: "auth timeout",
            }),
            max_message_after_ready: 64 * 1024,
            ping_every: None,
            ..Self::openclaw()
        }
    }

    /// The ClawChat server's values (protocol page, Transport, Handshake and Heartbeat): pings every 30 s, and the end
    /// 70 s after the last sign of life.
    pub fn clawchat() -> Self {
        Self {
            dialect: Dialect::Clawchat,
            path: Some("/ws"),
            protocols: Subprotocols::OneOf(&[]),
            refuse_forwarded: false,
            head_timeout: Duration::from_secs(10),
            handshake_timeout: Some(Duration::from_secs(10)),
            handshake_close: None,
            max_message_after_ready: 8 * 1024 * 1024,
            ping_every: Some(Duration::from_secs(30)),
            pong_wait: Some(Duration::from_secs(40)),
            ..Self::openclaw()
        }
    }
}

/// The close frame of a handshake timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeClose {
    /// Status code; `None` sends an empty close frame.
    pub code: Option<u16>,
    /// Reason text.
    pub reason: &'static str,
}

/// How a server picks a subprotocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subprotocols {
    /// The first one offered, whatever it is; none is needed.
    FirstOffered,
    /// The first of these that was offered (the server's preference counts); without one the upgrade goes on without.
    OneOf(&'static [&'static str]),
}

impl Subprotocols {
    /// The choice among what a client offers.
    pub fn choose<'a>(&self, offered: &'a [String]) -> Option<&'a str> {
        match self {
            Self::FirstOffered => offered.first(),
            Self::OneOf(known) => known.iter().find_map(|k| offered.iter().find(|o| o == k)),
        }
        .map(String::as_str)
    }
}

/// Decides on one connection's upgrade and makes its dialect. A closure
/// `FnOnce(Instant, &UpgradeRequest) -> Admission<D>` is one.
pub trait Admit<D: ServerDialect> {
    /// The request is a valid WebSocket upgrade; take it or not.
    fn admit(self: Box<Self>, now: Instant, request: &UpgradeRequest) -> Admission<D>;

    /// Whether a plain HTTP request of this method and path is for [`Admit::answer`].
    fn takes(&self, method: &str, path: &str) -> bool {
        let _ = (method, path);
        false
    }

    /// Answers a plain HTTP request that [`Admit::takes`] wanted, once its body is whole: status and JSON.
    fn answer(self: Box<Self>, now: Instant, request: &HttpRequest, body: &[u8]) -> HttpAnswer {
        let _ = (now, request, body);
        HttpAnswer {
            status: 404,
            json: "{}".to_owned(),
            delay: Duration::ZERO,
            is_lost: false,
        }
    }

    /// What `GET /readyz` is told.
    fn is_ready(&self) -> bool {
        true
    }
}

impl<D, F> Admit<D> for F
where
    D: ServerDialect,
    F: FnOnce(Instant, &UpgradeRequest) -> Admission<D>,
{
    fn admit(self: Box<Self>, now: Instant, request: &UpgradeRequest) -> Admission<D> {
        self(now, request)
    }
}

/// The decision on an upgrade.
#[derive(Debug)]
pub enum Admission<D> {
    /// Answer 101 and let this dialect speak.
    Accept(D),
    /// Answer with an HTTP error.
    Reject(Rejection),
}

/// The answer to a plain HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub json: String,
    /// It is sent so much later.
    pub delay: Duration,
    /// The connection is reset instead.
    pub is_lost: bool,
}

/// An HTTP error instead of the 101.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// HTTP status, e.g. 503.
    pub status: u16,
    /// Plain text for the body.
    pub body: String,
    /// `Retry-After`, whole seconds.
    pub retry_after: Option<Duration>,
}

impl Rejection {
    /// The gateway's answer when the budget of sockets before hello-ok is used up (protocol page, section 7).
    pub fn over_budget() -> Self {
        Self {
            status: 503,
            body: "Too many unauthenticated sockets".to_owned(),
            retry_after: None,
        }
    }
}

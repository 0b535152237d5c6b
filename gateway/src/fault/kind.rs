//! The table of faults.

use super::Moment;
use std::time::Duration;

/// A fault with its value.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Decided when the upgrade is asked for: how the session's machine behaves.
    ChallengeDelay(Duration),
    /// No challenge.
    NoChallenge,
    /// Handshake timeout of this length.
    HandshakeTimeout(Duration),
    /// HTTP answer other than 101.
    UpgradeStatus(u16),
    /// Bytes that are no HTTP.
    Garbage,
    /// At most so many sockets that are not ready.
    Budget(u32),
    /// The connect is refused as overloaded.
    Overload,
    /// Refused as locked out.
    RateLimit,
    /// Refused until approved.
    Pairing,
    /// Refused credentials.
    AuthFailed,
    /// Refused versions.
    VersionMismatch,
    /// Refused as starting.
    Unavailable,
    /// Token lifetime.
    TokenExpire(Duration),
    /// Refreshes are refused.
    RefuseRefresh,
    /// TLS is closed before its handshake is done.
    TlsClose,
    /// Nothing listens.
    NotListening,
    /// SYNs are not answered.
    SynDrop,
    /// Something that happens at a moment.
    At(Action),
}

/// What happens to a connection at a moment.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// RST.
    Rst,
    /// FIN without a close frame.
    Fin,
    /// FIN of the sending side only; goes on reading.
    HalfClose,
    /// Reads and writes no more.
    Silence,
    /// A close frame.
    Close(u16, String),
    /// Bytes that are no HTTP, then FIN.
    NotHttp,
    /// A frame with a reserved opcode.
    Malformed,
    /// A text that is no UTF-8.
    BadUtf8,
    /// A frame header that announces so many bytes.
    Oversized(u64),
    /// No more ticks (CLW: no more pongs).
    TickStall,
    /// Client pings are not answered.
    PongLoss,
    /// The event loop stands still, for everybody.
    Stall(Duration),
    /// The gateway says that it restarts.
    Restart,
    /// The token is revoked.
    Revoke,
    /// The client counts as too slow a reader.
    SlowConsumer,
    /// Requests are not answered any more.
    Mute,
}

/// A row of the table.
pub struct FaultInfo {
    /// Name in `--fault`.
    pub name: &'static str,
    /// `=VALUE`: what it takes; empty: nothing.
    pub value: &'static str,
    /// One line.
    pub says: &'static str,
    /// When it happens unless `@MOMENT` says otherwise; `None`: it has no moment.
    pub moment: Option<Moment>,
    /// Reads the value.
    pub read: fn(&str) -> Option<Kind>,
}

/// Every fault.
pub const FAULTS: &[FaultInfo] = &[
    row("rst", "", "cuts the connection with RST", READY, |_| {
        at(Action::Rst)
    }),
    row(
        "fin",
        "",
        "closes the connection without a close frame",
        READY,
        |_| at(Action::Fin),
    ),
    row("half-close", "", "sends FIN and goes on reading", READY, |_| {
        at(Action::HalfClose)
    }),
    row("silence", "", "neither reads nor writes any more", READY, |_| {
        at(Action::Silence)
    }),
    row("close", "=CODE[/REASON]", "sends this close frame", READY, |v| {
        let (code, reason) = v.split_once('/').unwrap_or((v, ""));
        at(Action::Close(
            code.parse().ok().filter(|c| (1000..5000).contains(c))?,
            reason.to_owned(),
        ))
    }),
    row("server-error", "", "closes with 1011", READY, |_| {
        at(Action::Close(1011, "internal error".to_owned()))
    }),
    row(
        "unavailable",
        "",
        "refuses with UNAVAILABLE and 1013",
        None,
        |_| Some(Kind::Unavailable),
    ),
    row(
        "restart",
        "",
        "announces a restart and closes with 1012 (clw: shutdown)",
        READY,
        |_| at(Action::Restart),
    ),
    row(
        "revoke",
        "",
        "withdraws authority: 4001 (clw: token_revoked)",
        READY,
        |_| at(Action::Revoke),
    ),
    row(
        "malformed",
        "",
        "sends a frame with a reserved opcode",
        READY,
        |_| at(Action::Malformed),
    ),
    row(
        "bad-utf8",
        "",
        "sends a text frame that is no UTF-8",
        READY,
        |_| at(Action::BadUtf8),
    ),
    row(
        "oversized",
        "=BYTES",
        "announces a frame of that size",
        READY,
        |v| at(Action::Oversized(v.parse().ok()?)),
    ),
    row(
        "slow-consumer",
        "",
        "treats the client as one that does not read",
        READY,
        |_| at(Action::SlowConsumer),
    ),
    row("mute", "", "answers no requests any more", READY, |_| {
        at(Action::Mute)
    }),
    row("tick-stall", "", "stops the ticks", READY, |_| {
        at(Action::TickStall)
    }),
    row(
        "pong-loss",
        "",
        "answers no pings of the client any more",
        READY,
        |_| at(Action::PongLoss),
    ),
    row(
        "stall",
        "=T",
        "stops the whole event loop for T, for everybody",
        READY,
        |v| at(Action::Stall(clw_core::units::parse_duration(v).ok()?)),
    ),
    row(
        "challenge-delay",
        "=T",
        "sends the challenge so late",
        None,
        |v| Some(Kind::ChallengeDelay(clw_core::units::parse_duration(v).ok()?)),
    ),
    row("no-challenge", "", "sends no challenge", None, |_| {
        Some(Kind::NoChallenge)
    }),
    row(
        "handshake-timeout",
        "=T",
        "waits only so long for the client's login, and does not hear it",
        None,
        |v| Some(Kind::HandshakeTimeout(clw_core::units::parse_duration(v).ok()?)),
    ),
    row(
        "upgrade-status",
        "=CODE",
        "answers the upgrade with this HTTP status",
        None,
        |v| {
            v.parse()
                .ok()
                .filter(|s| (300..600).contains(s))
                .map(Kind::UpgradeStatus)
        },
    ),
    row(
        "garbage",
        "",
        "answers the upgrade with bytes that are no HTTP",
        None,
        |_| Some(Kind::Garbage),
    ),
    row(
        "budget",
        "=N",
        "allows so many sockets before ready, then HTTP 503",
        None,
        |v| v.parse().ok().map(Kind::Budget),
    ),
    row(
        "overload",
        "",
        "refuses as too busy (clw: auth queue overflow)",
        None,
        |_| Some(Kind::Overload),
    ),
    row(
        "rate-limit",
        "",
        "refuses as locked out after too many failures",
        None,
        |_| Some(Kind::RateLimit),
    ),
    row(
        "pairing",
        "",
        "refuses until the device is approved",
        None,
        |_| Some(Kind::Pairing),
    ),
    row("refuse", "", "refuses the credentials", None, |_| {
        Some(Kind::AuthFailed)
    }),
    row(
        "version-mismatch",
        "",
        "refuses the protocol version",
        None,
        |_| Some(Kind::VersionMismatch),
    ),
    row("token-expire", "=T", "tokens live so long (clw)", None, |v| {
        Some(Kind::TokenExpire(clw_core::units::parse_duration(v).ok()?))
    }),
    row(
        "refuse-refresh",
        "",
        "refuses to refresh tokens (clw)",
        None,
        |_| Some(Kind::RefuseRefresh),
    ),
    row(
        "tls-close",
        "",
        "closes when a TLS handshake begins",
        None,
        |_| Some(Kind::TlsClose),
    ),
    row(
        "not-listening",
        "",
        "binds the port and does not listen: connects are refused",
        None,
        |_| Some(Kind::NotListening),
    ),
    row(
        "syn-drop",
        "",
        "keeps its backlog full: connects time out",
        None,
        |_| Some(Kind::SynDrop),
    ),
];

const READY: Option<Moment> = Some(Moment::Ready);

const fn row(
    name: &'static str,
    value: &'static str,
    says: &'static str,
    moment: Option<Moment>,
    read: fn(&str) -> Option<Kind>,
) -> FaultInfo {
    FaultInfo {
        name,
        value,
        says,
        moment,
        read,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the rows' readers may fail")]
fn at(action: Action) -> Option<Kind> {
    Some(Kind::At(action))
}

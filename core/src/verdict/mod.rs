//! The dictionary of endings: one set of names and rules for client, server, packets and dashboard.

mod bands;
mod classify;
mod close_code;
mod entries;
mod entry;
mod evidence;
mod observation;
mod reason;
mod reset;

pub use bands::{DurationBand, default_handshake_timeout};
pub use classify::{classify, counts_as_error, is_helper};
pub use close_code::{CloseCodeEntry, CloseStage, close_code, close_codes, close_codes_of};
pub use entry::{
    Entry, ErrorCodeEntry, EvidenceSources, ResetEntry, entry, error_code, error_codes, reset_entry,
};
pub use evidence::{evidence, idle_timer};

pub use observation::{
    CloseFrame, Connect, DatagramBeats, Disconnect, EndingKind, HeartbeatLoss, Observation, OneWay, Refusal,
    RefusalClass, Side, Viewpoint, Violation,
};

pub use reset::ResetClass;

use serde::{Deserialize, Serialize};

/// How a session ended. The order is the order of the rules: the first that holds gives the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Verdict {
    /// SYN answered by RST.
    #[serde(rename = "clw-conn-refused")]
    ConnRefused,
    /// SYN unanswered, or the client's connect timeout.
    #[serde(rename = "clw-conn-timeout")]
    ConnTimeout,
    /// TLS alert or close before the TLS handshake was done.
    #[serde(rename = "clw-tls-failed")]
    TlsFailed,
    /// HTTP answer other than 101 (503 counts as overload).
    #[serde(rename = "clw-upgrade-rejected")]
    UpgradeRejected,
    /// DISCONNECT_AUTH `overload`, HTTP 503, busy answers, connection budget.
    #[serde(rename = "clw-server-overloaded")]
    ServerOverloaded,
    /// Close 1013 or UNAVAILABLE.
    #[serde(rename = "clw-server-unavailable")]
    ServerUnavailable,
    /// Authentication refused for too many failures.
    #[serde(rename = "clw-rate-limited")]
    RateLimited,
    /// Authentication refused until the device or node is approved.
    #[serde(rename = "clw-pairing-required")]
    PairingRequired,
    /// Protocol versions do not meet.
    #[serde(rename = "clw-version-mismatch")]
    VersionMismatch,
    /// Credentials refused before ready.
    #[serde(rename = "clw-auth-failed")]
    AuthFailed,
    /// ClawChat: the auth backend is down.
    #[serde(rename = "clw-auth-unavailable")]
    AuthUnavailable,
    /// Malformed or oversized frame, wrong first message.
    #[serde(rename = "clw-protocol-error")]
    ProtocolError,
    /// The server ended it before ready, after its handshake timeout.
    #[serde(rename = "clw-handshake-timeout")]
    HandshakeTimeout,
    /// Ended before ready with no error told.
    #[serde(rename = "clw-closed-before-connect")]
    ClosedBeforeConnect,
    /// Authority withdrawn from a live session.
    #[serde(rename = "clw-session-revoked")]
    SessionRevoked,
    /// ClawChat: another connection of the same device took over.
    #[serde(rename = "clw-session-replaced")]
    SessionReplaced,
    /// The token's lifetime ended and the server said so.
    #[serde(rename = "clw-session-expired")]
    SessionExpired,
    /// The server dropped a client that did not read.
    #[serde(rename = "clw-slow-consumer")]
    SlowConsumer,
    /// Close 1001 or 1012 by the server, or DISCONNECT_AUTH `shutdown`.
    #[serde(rename = "clw-server-restart")]
    ServerRestart,
    /// Close 1011 by the server after ready.
    #[serde(rename = "clw-server-error")]
    ServerError,
    /// An RST that neither endpoint sent.
    #[serde(rename = "clw-injected-reset")]
    InjectedReset,
    /// Heartbeats stopped for longer than the grace.
    #[serde(rename = "clw-heartbeat-miss")]
    HeartbeatMiss,
    /// Ended abruptly with a request unanswered.
    #[serde(rename = "clw-prompt-disconnected")]
    PromptDisconnected,
    /// Any other end after ready without a graceful word.
    #[serde(rename = "clw-auth-disconnected")]
    AuthDisconnected,
    /// Graceful.
    #[serde(rename = "ok")]
    Ok,
    /// The run or the capture ended while the session was healthy.
    #[serde(rename = "open")]
    Open,
    /// Too little was captured to tell.
    #[serde(rename = "incomplete")]
    Incomplete,
}

impl Verdict {
    /// How many verdicts there are.
    pub const COUNT: usize = Self::ALL.len();

    /// All verdicts, in the order of the rules.
    pub const ALL: [Self; 27] = [
        Self::ConnRefused,
        Self::ConnTimeout,
        Self::TlsFailed,
        Self::UpgradeRejected,
        Self::ServerOverloaded,
        Self::ServerUnavailable,
        Self::RateLimited,
        Self::PairingRequired,
        Self::VersionMismatch,
        Self::AuthFailed,
        Self::AuthUnavailable,
        Self::ProtocolError,
        Self::HandshakeTimeout,
        Self::ClosedBeforeConnect,
        Self::SessionRevoked,
        Self::SessionReplaced,
        Self::SessionExpired,
        Self::SlowConsumer,
        Self::ServerRestart,
        Self::ServerError,
        Self::InjectedReset,
        Self::HeartbeatMiss,
        Self::PromptDisconnected,
        Self::AuthDisconnected,
        Self::Ok,
        Self::Open,
        Self::Incomplete,
    ];

    /// The name of the dictionary, e.g. `clw-auth-failed`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConnRefused => "clw-conn-refused",
            Self::ConnTimeout => "clw-conn-timeout",
            Self::TlsFailed => "clw-tls-failed",
            Self::UpgradeRejected => "clw-upgrade-rejected",
            Self::ServerOverloaded => "clw-server-overloaded",
            Self::ServerUnavailable => "clw-server-unavailable",
            Self::RateLimited => "clw-rate-limited",
            Self::PairingRequired => "clw-pairing-required",
            Self::VersionMismatch => "clw-version-mismatch",
            Self::AuthFailed => "clw-auth-failed",
            Self::AuthUnavailable => "clw-auth-unavailable",
            Self::ProtocolError => "clw-protocol-error",
            Self::HandshakeTimeout => "clw-handshake-timeout",
            Self::ClosedBeforeConnect => "clw-closed-before-connect",
            Self::SessionRevoked => "clw-session-revoked",
            Self::SessionReplaced => "clw-session-replaced",
            Self::SessionExpired => "clw-session-expired",
            Self::SlowConsumer => "clw-slow-consumer",
            Self::ServerRestart => "clw-server-restart",
            Self::ServerError => "clw-server-error",
            Self::InjectedReset => "clw-injected-reset",
            Self::HeartbeatMiss => "clw-heartbeat-miss",
            Self::PromptDisconnected => "clw-prompt-disconnected",
            Self::AuthDisconnected => "clw-auth-disconnected",
            Self::Ok => "ok",
            Self::Open => "open",
            Self::Incomplete => "incomplete",
        }
    }

    /// The verdict of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.name() == name)
    }

    /// Position in [`Verdict::ALL`], for counters kept in arrays.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether a session that ended so counts into the error rate.
    pub const fn is_error(self) -> bool {
        !matches!(self, Self::Ok | Self::Open | Self::Incomplete)
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What the rules say of one session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// The name of the ending.
    pub verdict: Verdict,
    /// How sure the rule is, 0 to 1.
    pub confidence: f32,
    /// Who ended the session.
    pub by: Side,
}

//! How far a session came.

use serde::{Deserialize, Serialize};

/// The stages of a session, in order. A session's stage is the furthest one it entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Connecting, or connected without a byte of TLS or HTTP.
    #[default]
    Tcp,
    /// The TLS handshake has begun.
    Tls,
    /// The HTTP upgrade was asked for, no 101 yet.
    Upgrade,
    /// 101 was answered; where the dialect has a challenge, it is awaited or has come.
    Challenge,
    /// The client has sent its first message.
    Auth,
    /// The server has accepted the client (hello-ok, AUTH_OK).
    Ready,
}

impl Stage {
    /// All stages, in order.
    pub const ALL: [Self; 6] = [
        Self::Tcp,
        Self::Tls,
        Self::Upgrade,
        Self::Challenge,
        Self::Auth,
        Self::Ready,
    ];

    /// The name used in results: `tcp`, `tls`, `upgrade`, `challenge`, `auth`, `ready`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Upgrade => "upgrade",
            Self::Challenge => "challenge",
            Self::Auth => "auth",
            Self::Ready => "ready",
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

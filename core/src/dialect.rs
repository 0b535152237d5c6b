//! The protocols that a connection may speak.

use serde::{Deserialize, Serialize};

/// What a connection speaks. The three dialects authenticate; the others are what a capture may also hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// The OpenClaw gateway protocol: JSON over WebSocket with a challenge and Ed25519 device identities.
    #[default]
    Openclaw,
    /// The CLW auth protocol: binary opcodes over WebSocket.
    Clw,
    /// ClawChat protocol v2: JSON envelopes over WebSocket.
    Clawchat,
    /// WebSocket with anything else inside.
    Websocket,
    /// HTTP that was never upgraded.
    Http,
    /// TLS without the keys to look inside.
    Tls,
    /// None of these, or too little to tell.
    Unknown,
}

impl Dialect {
    /// The name used in flags and results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Openclaw => "openclaw",
            Self::Clw => "clw",
            Self::Clawchat => "clawchat",
            Self::Websocket => "websocket",
            Self::Http => "http",
            Self::Tls => "tls",
            Self::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

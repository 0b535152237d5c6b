//! What a client is told to do.

use super::WireVersion;
use std::time::Duration;

/// How often a client sends AUTH_PING.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beats {
    /// As AUTH_OK says.
    #[default]
    AsServerSays,
    /// With this period.
    Every(Duration),
    /// Never.
    Off,
}

/// A client's mistake, made on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Never sends AUTH_HELLO.
    NoHello,
    /// Sends a payload that is no JSON.
    NotJson,
    /// Sends AUTH_PING before AUTH_HELLO.
    WrongFirst,
}

/// What is the same for all sessions of a kind (defaults: protocol page, Timers and limits).
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Wire version: which subprotocol is offered, and whether heartbeats carry `token_id`.
    pub wire: WireVersion,
    /// Release told in AUTH_HELLO.
    pub client_version: String,
    /// Heartbeats.
    pub beats: Beats,
    /// How long an AUTH_PONG may take.
    pub pong_timeout: Duration,
    /// A token is refreshed so long before its end, at the earliest after half its life; `None`: never.
    pub refresh_lead: Option<Duration>,
    /// Ask for the session that was lost when connecting again.
    pub resume: bool,
    /// Send heartbeats as datagrams too, where the server offers it.
    pub datagrams: bool,
    /// What it does wrong on purpose.
    pub flaw: Option<Flaw>,
}

impl ClientConfig {
    /// The defaults for a wire version.
    pub fn new(wire: WireVersion) -> Self {
        Self {
            wire,
            client_version: wire.release().to_owned(),
            beats: Beats::Every(Duration::from_secs(2)),
            pong_timeout: Duration::from_secs(3),
            refresh_lead: Some(Duration::from_secs(30)),
            resume: true,
            datagrams: true,
            flaw: None,
        }
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self::new(WireVersion::default())
    }
}

//! The JSON objects that messages carry (protocol page, Opcodes). Unknown fields are ignored.

use crate::verdict::Disconnect;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// AUTH_HELLO. Holds a secret: `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello<'a> {
    /// The token.
    #[serde(borrow)]
    pub token: Cow<'a, str>,
    /// Release of the client, e.g. `2.1.4`; its first two numbers are its wire version.
    #[serde(borrow)]
    pub client_version: Cow<'a, str>,
    /// Who connects.
    #[serde(borrow)]
    pub client_id: Cow<'a, str>,
    /// The session that this one goes on with.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<Cow<'a, str>>,
}

impl fmt::Debug for Hello<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello")
            .field("client_version", &self.client_version)
            .field("client_id", &self.client_id)
            .field("resume", &self.resume)
            .finish_non_exhaustive()
    }
}

/// AUTH_OK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthOk<'a> {
    /// The session's id, to resume it with.
    #[serde(borrow)]
    pub session: Cow<'a, str>,
    /// Release of the server.
    #[serde(borrow, default)]
    pub server_version: Cow<'a, str>,
    /// How long the token lives, seconds.
    #[serde(default = "default_ttl_s")]
    pub ttl_s: u64,
    /// The heartbeat period that the server wants, milliseconds; 0 for none.
    #[serde(default = "default_heartbeat_ms")]
    pub heartbeat_ms: u64,
    /// How long the server waits for a heartbeat, milliseconds; 0 for ever.
    #[serde(default = "default_grace_ms")]
    pub grace_ms: u64,
    /// Where heartbeats are taken as datagrams too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub udp_port: Option<u16>,
}

const fn default_ttl_s() -> u64 {
    300
}

const fn default_heartbeat_ms() -> u64 {
    2000
}

const fn default_grace_ms() -> u64 {
    5000
}

/// DISCONNECT_AUTH.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisconnectAuth {
    /// Why.
    pub reason: Disconnect,
}

/// AUTH_PING.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping<'a> {
    /// First eight hex digits of the token's SHA-256; not in wire 2.1.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<Cow<'a, str>>,
}

/// REFRESH_NEEDED.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshNeeded {
    /// Time until the token runs out, milliseconds.
    pub expires_in_ms: u64,
}

/// AUTH_REFRESH. Holds a secret: no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh<'a> {
    /// The new token.
    #[serde(borrow)]
    pub token: Cow<'a, str>,
}

/// REFRESH_OK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshOk {
    /// How long the new token lives, seconds.
    pub ttl_s: u64,
}

/// AUTH_ERROR.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthError<'a> {
    /// An error name, e.g. `clw-auth-failed`.
    #[serde(borrow)]
    pub code: Cow<'a, str>,
    /// For people.
    #[serde(borrow, default)]
    pub message: Cow<'a, str>,
}

//! The entries themselves, by the part of a session's life that they belong to.

mod connecting;
mod credentials;
mod ending;
mod error_codes;
mod handshake;
mod live;
mod resets;
mod server;

pub(super) use error_codes::ERROR_CODES;
pub(super) use resets::RESETS;

use super::{Entry, Verdict};
use crate::Dialect;

/// Every dialect that authenticates.
const ALL: &[Dialect] = &[Dialect::Openclaw, Dialect::Clw, Dialect::Clawchat];
/// Every dialect that authenticates, and what a capture may show of others.
const ANY: &[Dialect] = &[
    Dialect::Openclaw,
    Dialect::Clw,
    Dialect::Clawchat,
    Dialect::Websocket,
    Dialect::Http,
    Dialect::Tls,
    Dialect::Unknown,
];

/// In the order of [`Verdict::ALL`].
pub(super) static ENTRIES: [&Entry; Verdict::COUNT] = [
    &connecting::CONN_REFUSED,
    &connecting::CONN_TIMEOUT,
    &connecting::TLS_FAILED,
    &connecting::UPGRADE_REJECTED,
    &server::SERVER_OVERLOADED,
    &server::SERVER_UNAVAILABLE,
    &credentials::RATE_LIMITED,
    &credentials::PAIRING_REQUIRED,
    &handshake::VERSION_MISMATCH,
    &credentials::AUTH_FAILED,
    &credentials::AUTH_UNAVAILABLE,
    &handshake::PROTOCOL_ERROR,
    &handshake::HANDSHAKE_TIMEOUT,
    &handshake::CLOSED_BEFORE_CONNECT,
    &live::SESSION_REVOKED,
    &live::SESSION_REPLACED,
    &live::SESSION_EXPIRED,
    &live::SLOW_CONSUMER,
    &server::SERVER_RESTART,
    &server::SERVER_ERROR,
    &ending::INJECTED_RESET,
    &live::HEARTBEAT_MISS,
    &ending::PROMPT_DISCONNECTED,
    &ending::AUTH_DISCONNECTED,
    &ending::OK,
    &ending::OPEN,
    &ending::INCOMPLETE,
];

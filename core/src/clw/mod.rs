//! The CLW auth protocol: binary opcodes over WebSocket, heartbeats, refreshed tokens.
//!
//! - [`Frame`], [`Opcode`] and the payload types: the bytes;
//! - [`Client`]: one connection's client, with what outlives it in an [`Account`];
//! - [`Server`]: one connection's server, with what all share in a [`Backend`];
//! - [`TokenSource`] and [`TokenAuthority`]: both ends of a token's life. No token is ever presented twice by a client;
//! - [`Datagram`] and [`Responder`]: heartbeats over UDP, which the stream offers and which never end it.
//!
//! The handshake timeout and the close handshake are the connection's ([`crate::session`]), not the dialect's.

mod account;
mod auth_queue;
mod authority;
mod backend;
mod client;
mod client_config;
mod client_refresh;
mod client_udp;
mod datagram;
mod error_code;
mod faults;
mod opcode;
mod payload;
mod resumable;
mod server;
mod server_login;
mod server_udp;
mod token;
mod udp_beats;
mod version;
mod wire;

#[cfg(test)]
mod harness;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod login_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod udp_tests;

pub use account::Account;
pub use auth_queue::{AuthQueue, QueueFull};
pub use authority::{Grant, TokenAuthority, TokenRefusal};
pub use backend::{Backend, ServerConfig};
pub use client::Client;
pub use client_config::{Beats, ClientConfig, Flaw};
pub use datagram::{DATAGRAM_BYTES, Datagram, DatagramCounts, Responder, SessionKey};
pub use error_code::{code_of, refusal_class};
pub use opcode::Opcode;
pub use payload::{AuthError, AuthOk, DisconnectAuth, Hello, Ping, Refresh, RefreshNeeded, RefreshOk};
pub use resumable::{Resumable, SessionId};
pub use server::Server;
pub use token::{TokenId, TokenSource, derived_token};
pub use version::WireVersion;
pub use wire::{Frame, HEADER_BYTES, REFUSED_REFRESH_SEQ, WireError, encode};

/// Default port (protocol page, Transport).
pub const DEFAULT_PORT: u16 = 4433;
/// The only path (protocol page, Transport).
pub const PATH: &str = "/clw/auth";

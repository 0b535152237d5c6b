//! ClawChat protocol v2: JSON envelopes over WebSocket, bearer tokens refreshed over REST.
//!
//! - [`Envelope`] and [`Event`]: what is on the wire;
//! - [`Client`]: one connection's client, with what outlives it in an [`Account`];
//! - [`Server`]: one connection's server, with what all share in a [`Backend`];
//! - [`Lifecycle`]: when a client may refresh its tokens and how often it may come back because of it;
//! - [`RefreshAnswer`]: what the REST endpoint says, and [`Authority`], which decides it.
//!
//! Two behaviours differ between generations of clients, and both can be had: how a `hello-fail` is read ([`Reading`]) and
//! how a client keeps its connection alive ([`Beats`]).

mod account;
mod authority;
mod backend;
mod client;
mod client_config;
mod envelope;
mod hello_fail;
mod lifecycle;
mod refresh;
mod seen;
mod server;
mod token;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

pub use account::{Account, RefreshCall};
pub use authority::{Authority, RefreshFault};
pub use backend::{Backend, ServerConfig};
pub use client::Client;
pub use client_config::{Beats, ClientConfig, Flaw, Reading};
pub use envelope::{Envelope, Event, event_name};
pub use hello_fail::{Class, HelloFail, refusal_class};
pub use lifecycle::{Advice, Lifecycle, Outcome};
pub use refresh::{MAX_REFRESH_BODY_BYTES, RefreshAnswer, RefreshRequest};
pub use server::{Server, SessionId};
pub use token::{Claims, Tokens, derived_tokens};

/// The port of the install guides' examples; there is no well-known one (protocol page, Transport).
pub const DEFAULT_PORT: u16 = 39002;
/// The WebSocket's path (protocol page, Transport).
pub const PATH: &str = "/ws";
/// The REST endpoint that renews tokens (protocol page, Token and refresh).
pub const REFRESH_PATH: &str = "/v1/auth/refresh";

//! One connection as a state machine: bytes and instants in, bytes and events out.
//!
//! A dialect plugs in by implementing [`ClientDialect`] and [`ServerDialect`]; everything around it (upgrade, frames,
//! close handshake, what was observed) is the same for all.

mod client;
mod dialect;
mod outbox;
mod server;
mod server_config;
mod server_http;
#[cfg(test)]
mod server_tests;

pub use client::{ClientConfig, ClientConnection};
pub use dialect::{ClientDialect, Message, ServerDialect, Stop};
pub use outbox::{ClientEvent, Finish, Outbox, ServerEvent};
pub use server::ServerConnection;
pub use server_config::{
    Admission, Admit, HandshakeClose, HttpAnswer, Rejection, ServerConfig, Subprotocols,
};

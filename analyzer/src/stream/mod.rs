//! What a connection's bytes say: HTTP upgrade, WebSocket, dialect.

pub mod beats;
mod beside;
mod clawchat;
mod clw;
pub mod facts;
pub mod frames;
mod glance;
pub(crate) mod inflate;
mod mask;
mod openclaw;
mod said;
pub mod session;
pub(crate) mod sniff;
mod upgrade;
mod words;

pub use beside::Beside;
pub use facts::Facts;
pub use session::{Moment, Session, Shared};

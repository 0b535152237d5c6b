//! What the clw tools agree on.
//!
//! - [`verdict`]: the dictionary of endings and the rules that give a session its name;
//! - [`session`]: one connection as a state machine, and the seam where a dialect plugs in;
//! - [`openclaw`], [`clw`], [`clawchat`]: the dialects;
//! - [`ws`]: frames and upgrade.
//!
//! Nothing here opens a socket, reads a clock, starts a task or writes to a terminal: machines take bytes and
//! [`time::Instant`]s and return actions. Input may be anything; no function panics on it, and what is kept of a peer's
//! input is bounded.
#![forbid(unsafe_code)]

pub mod clawchat;
pub mod clw;
mod dialect;
pub mod heartbeat;
pub mod histogram;
pub mod html;
pub mod impair;
pub mod journal;
pub mod openclaw;
pub mod pacing;
pub mod reconnect;
pub mod report;
pub mod secret;
pub mod session;
pub mod snapshot;
mod stage;
pub mod tally;
pub mod text;
pub mod threshold;
pub mod time;
pub mod units;
pub mod uptime;
pub mod verdict;
pub mod ws;

pub use dialect::Dialect;
pub use stage::Stage;

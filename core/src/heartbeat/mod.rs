//! Heartbeats: one's own with their answers ([`Heartbeat`]), and the gaps in somebody else's ([`GapTracker`]).

mod beats;
mod gaps;

pub use beats::{Action, Heartbeat};
pub use gaps::GapTracker;

pub(crate) use beats::after;

//! When sessions start: schedules as pure functions from a start's number to its instant.
//!
//! - closed model: a number of *slots*; each slot runs one session after the other. Only the first start of a slot is
//!   timed; the next one comes when the slot is free, so a slow server slows the load down.
//! - open model: a rate of starts, whether or not earlier sessions have finished.
//! - [`Share`]: one process's part of either. The shares of a plan add up to exactly the plan.
//!
//! Instants are computed from the start's number, never from the instant before: a schedule does not drift.

mod load;
mod profile;
mod schedule;
pub mod seconds;
mod shard;

pub use load::{Amount, Arrivals, Load, LoadError, MAX_RATE, MAX_SESSIONS, MAX_TOTAL, Stage, Target};
pub use schedule::{Schedule, Start, Starts, Window};
pub use shard::{Shard, ShardError, Share};

//! What the dashboard knows: pure data and arithmetic over snapshots, without a terminal, a socket or a clock.
//!
//! A [`Model`] is fed with snapshots and with the state of the links they come through; everything that a panel shows is
//! read from it. Time is whatever the caller hands in, so a replay and a test get the same picture every time.

mod canary;
mod delta;
mod feed;
mod history;
mod incident;
#[cfg(test)]
mod incident_tests;
mod moments;
mod ranking;
mod records;
mod spread;
mod watch;
mod whole;
#[cfg(test)]
mod whole_tests;
mod window;

pub use canary::{Canary, LABEL as PROBE_LABEL};
pub use delta::Delta;
pub use feed::{Feed, Link};
pub use history::{History, Point, State, Times};
pub use incident::{Change, Incident, Incidents, Kind};
pub use moments::{Level, Moment, Moments};
pub use ranking::{Ranked, Trend, rank};
pub use records::Records;
pub use spread::{Bin, spread};
pub use whole::{Freshness, Model, Whole};
pub use window::{Window, connections_begun, errors_of};

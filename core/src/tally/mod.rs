//! The counters and histograms that a worker owns and writes.
//!
//! One worker, one thread, one [`Tally`]: nothing is shared and nothing is locked. Counters are cumulative; histograms
//! are handed out by the interval. Recording allocates nothing once the run has warmed up.

mod codes;
mod counters;
mod metric;
mod recorder;
pub(crate) mod sparse;

pub use codes::{CloseCodes, MAX_CLOSE_CODES};
pub use counters::{
    Bytes, Counters, Gauges, HeartbeatCounts, ReconnectCounts, RefreshCounts, RpcCounts, SessionCounts,
    Uptime,
};
pub use metric::{MAX_CALLS, Metric};
pub use recorder::{Interval, MAX_SAMPLE_CHARS, MAX_SAMPLES, Tally};

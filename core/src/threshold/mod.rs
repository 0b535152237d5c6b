//! Thresholds: expressions over a result that a run must hold.
//!
//! `METRIC OPERATOR VALUE`, e.g. `uptime>=99.9%`, `ready_p99<500ms`, `clw-heartbeat-miss==0`.

mod evaluate;
mod metric;
mod parse;

pub use evaluate::{Judged, show};
pub use metric::{Stat, Unit};
pub use parse::{Operator, Threshold, ThresholdError};

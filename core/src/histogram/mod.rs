//! Latency histograms: recorded in microseconds, merged exactly, summarised for results.
//!
//! An HDR histogram with three significant digits from 1 µs to one hour: a value read back is at most 0.1 % above the
//! one recorded. Latencies are measured from the *scheduled* instant, which corrects coordinated omission once; so
//! there is no `record_correct` here, which would correct it a second time.

mod decode;
mod names;
mod recorded;
mod summary;

pub use decode::HistogramError;
pub use names::{MAX_HISTOGRAMS, Named};
pub use recorded::{HIGHEST, Histogram};
pub use summary::Summary;

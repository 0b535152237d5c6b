//! Latency histograms: recorded in microseconds, merged exactly, summarised for results.

use crate::time::micros;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2Serializer};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use thiserror::Error;

/// An hour: longer times are recorded as this.
const MAX_US: u64 = 3_600_000_000;
/// Three significant digits: a value is off by 0.1 % at most.
const DIGITS: u8 = 3;

/// Times in microseconds with three significant digits, in memory that does not grow with their number.
#[derive(Clone, Debug)]
pub struct Histogram(hdrhistogram::Histogram<u64>);

/// A text that is no histogram.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("not an HDR histogram (V2, base64): {0}")]
pub struct HistogramError(String);

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// An empty one.
    #[expect(
        clippy::missing_panics_doc,
        clippy::expect_used,
        reason = "the bounds are constants that are in range"
    )]
    pub fn new() -> Self {
        Self(hdrhistogram::Histogram::new_with_bounds(1, MAX_US, DIGITS).expect("constant bounds"))
    }

    /// Records a time; under a microsecond counts as one, over an hour as an hour.
    pub fn record(&mut self, took: Duration) {
        self.0.saturating_record(micros(took).clamp(1, MAX_US));
    }

    /// Number of values.
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// Adds all of `other`, exactly.
    pub fn add(&mut self, other: &Self) {
        // Both have the same bounds, so every value fits.
        let _ = self.0.add(&other.0);
    }

    /// The value at a quantile from 0 to 1, in microseconds; 0 if empty.
    pub fn at_quantile_us(&self, quantile: f64) -> u64 {
        if self.is_empty() {
            0
        } else {
            self.0.value_at_quantile(quantile).min(self.0.max())
        }
    }

    /// The histogram behind it, for logs in HDR formats.
    pub fn inner(&self) -> &hdrhistogram::Histogram<u64> {
        &self.0
    }

    /// How many values are at most `us`.
    pub fn count_at_most_us(&self, us: u64) -> u64 {
        if us == 0 {
            0
        } else {
            self.0.count_between(1, us.min(MAX_US))
        }
    }

    /// How many values lie between neighbours of `bounds_us`, which ascend: at most the first, at most the second and above the
    /// first, and so on; the last count is of the values above all bounds. One pass, whatever the number of bounds.
    pub fn counts_between_us(&self, bounds_us: &[u64]) -> Vec<u64> {
        let mut counts = vec![0; bounds_us.len() + 1];
        for step in self.0.iter_recorded() {
            // As in `count_at_most_us`, values that the histogram cannot tell apart stand on the bound's side.
            let us = self.0.lowest_equivalent(step.value_iterated_to());
            counts[bounds_us.partition_point(|bound| *bound < us)] += step.count_at_value();
        }
        counts
    }

    /// All values added up, in microseconds; as exact as the values.
    pub fn sum_us(&self) -> f64 {
        self.0.mean() * self.len() as f64
    }

    /// The contract's summary.
    pub fn summary(&self) -> Summary {
        if self.is_empty() {
            return Summary::default();
        }
        Summary {
            count: self.len(),
            min: self.0.min(),
            mean: round(self.0.mean()),
            stdev: round(self.0.stdev()),
            p50: self.at_quantile_us(0.50),
            p75: self.at_quantile_us(0.75),
            p90: self.at_quantile_us(0.90),
            p95: self.at_quantile_us(0.95),
            p99: self.at_quantile_us(0.99),
            p999: self.at_quantile_us(0.999),
            max: self.0.max(),
        }
    }

    /// HdrHistogram's V2 form in base64.
    pub fn to_base64(&self) -> String {
        let mut bytes = Vec::new();
        // Writing to a Vec cannot fail, and the counts fit the format.
        let _ = V2Serializer::new().serialize(&self.0, &mut bytes);
        STANDARD.encode(bytes)
    }

    /// Reads [`Histogram::to_base64`]'s form. A histogram with other bounds is refused: merging would not be exact.
    pub fn from_base64(text: &str) -> Result<Self, HistogramError> {
        let bytes = STANDARD.decode(text).map_err(|e| HistogramError(e.to_string()))?;
        // Cookie, payload length, normalising offset, digits, lowest, highest (HdrHistogram V2): the header says how
        // much memory will be taken, so it is read before the memory is.
        let header = |at: usize| {
            bytes
                .get(at..at + 8)
                .and_then(|b| b.try_into().ok())
                .map(u64::from_be_bytes)
        };
        let digits = bytes
            .get(12..16)
            .and_then(|b| b.try_into().ok())
            .map(u32::from_be_bytes);
        if (digits, header(16), header(24)) != (Some(u32::from(DIGITS)), Some(1), Some(MAX_US)) {
            return Err(HistogramError("other bounds than this release's".to_owned()));
        }
        let inner: hdrhistogram::Histogram<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|e| HistogramError(e.to_string()))?;
        Ok(Self(inner))
    }
}

/// Three decimals are more than three significant digits carry.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

impl Serialize for Histogram {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_base64())
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_base64(&text).map_err(serde::de::Error::custom)
    }
}

/// What results say of a histogram; all in microseconds but `count`. Zeros if it was empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// How many values.
    pub count: u64,
    /// Least.
    pub min: u64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub stdev: f64,
    /// Median.
    pub p50: u64,
    /// 75th percentile.
    pub p75: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 95th percentile.
    pub p95: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// Greatest.
    pub max: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_between_bounds_are_the_differences_of_counts_up_to_them(
            times in prop::collection::vec(0u64..4_000_000_000, 0..200),
            bounds in prop::collection::btree_set(1u64..4_000_000_000, 0..20),
        ) {
            let mut histogram = Histogram::new();
            for us in &times {
                histogram.record(Duration::from_micros(*us));
            }
            let bounds: Vec<_> = bounds.into_iter().collect();
            let counts = histogram.counts_between_us(&bounds);
            prop_assert_eq!(counts.len(), bounds.len() + 1);
            let mut so_far = 0;
            for (bound, count) in bounds.iter().zip(&counts) {
                so_far += count;
                prop_assert_eq!(so_far, histogram.count_at_most_us(*bound));
            }
            prop_assert_eq!(counts.iter().sum::<u64>(), times.len() as u64);
        }
    }
}

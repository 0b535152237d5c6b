//! The histogram itself.

use super::decode::{self, HistogramError};
use super::summary::Summary;
use crate::time::micros;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer, V2Serializer};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// Longest value kept apart; longer ones are recorded as this.
pub const HIGHEST: Duration = Duration::from_secs(3600);

pub(super) const HIGHEST_US: u64 = 3_600_000_000;
pub(super) const DIGITS: u8 = 3;

/// Above this many values a merge is refused silently rather than let sums overflow (4.6 × 10^18 values).
const MOST_VALUES: u64 = 1 << 62;

/// Durations counted by size, in microseconds. Equal histograms hold equal counts.
#[derive(Clone, PartialEq)]
pub struct Histogram(pub(super) hdrhistogram::Histogram<u64>);

impl Histogram {
    /// An empty histogram (190 KB of address space, touched only where values fall).
    pub fn new() -> Self {
        Self(
            hdrhistogram::Histogram::new_with_bounds(1, HIGHEST_US, DIGITS)
                .unwrap_or_else(|_| unreachable!("1 µs to 1 h with three digits are valid bounds")),
        )
    }

    /// Counts one duration; under 1 µs counts as 1 µs, over an hour as an hour. Does not allocate.
    pub fn record(&mut self, duration: Duration) {
        self.record_us(micros(duration));
    }

    /// Counts one duration given in microseconds.
    pub fn record_us(&mut self, us: u64) {
        self.0.saturating_record(us.clamp(1, HIGHEST_US));
    }

    /// Adds all values of `other`. Exact: the result is as if they had been recorded here.
    pub fn merge(&mut self, other: &Self) {
        if self.count().saturating_add(other.count()) > MOST_VALUES {
            return;
        }
        // Same bounds on both sides, so there is nothing that could not be added.
        let _ = self.0.add(&other.0);
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets all values and keeps the memory.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// The value in microseconds that the share `quantile` (0 to 1) of all values does not exceed; 0 when empty.
    pub fn quantile_us(&self, quantile: f64) -> u64 {
        self.0.value_at_quantile(quantile.clamp(0.0, 1.0)).min(HIGHEST_US)
    }

    /// The value of the `rank`-th smallest value (1 is the smallest), in microseconds; 0 when empty.
    pub fn at_rank_us(&self, rank: u64) -> u64 {
        let mut seen = 0_u64;
        let mut last = 0;
        for step in self.0.iter_recorded() {
            seen = seen.saturating_add(step.count_at_value());
            last = step.value_iterated_to();
            if seen >= rank {
                break;
            }
        }
        last.min(HIGHEST_US)
    }

    /// What results show of it.
    pub fn summary(&self) -> Summary {
        Summary::of(self)
    }

    /// Text form: the HdrHistogram V2 encoding in base64 (not deflated), which other HDR tools read.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.to_v2())
    }

    /// Reads [`Histogram::to_base64`]. Anything but a histogram of the same bounds is refused, and no more memory is
    /// taken than one histogram and the text need.
    pub fn from_base64(text: &str) -> Result<Self, HistogramError> {
        if text.len() > decode::LONGEST_TEXT {
            return Err(HistogramError::TooLong { length: text.len() });
        }
        let bytes = STANDARD.decode(text).map_err(|_| HistogramError::NotBase64)?;
        decode::from_v2(&bytes)
    }

    /// The deflated V2 encoding in base64 (`HISTF…`): what interval logs hold, because other readers take no other.
    pub fn to_log_base64(&self) -> String {
        let mut bytes = Vec::new();
        // As for `to_v2`: nothing that is recorded here fails.
        let _ = V2DeflateSerializer::new().serialize(&self.0, &mut bytes);
        STANDARD.encode(bytes)
    }

    /// The HdrHistogram V2 encoding.
    fn to_v2(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Fails for counts above 2^63 only, which MOST_VALUES excludes.
        let _ = V2Serializer::new().serialize(&self.0, &mut bytes);
        bytes
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Histogram({} values, p50 {} µs)",
            self.count(),
            self.quantile_us(0.5)
        )
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_base64())
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Histogram;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an HdrHistogram in base64")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Histogram, E> {
                Histogram::from_base64(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        for &value in values {
            histogram.record_us(value);
        }
        histogram
    }

    #[test]
    fn out_of_range_values_are_recorded_at_the_bounds() {
        let mut histogram = Histogram::new();
        histogram.record(Duration::ZERO);
        histogram.record(Duration::from_secs(86_400));
        let summary = histogram.summary();
        assert_eq!((summary.count, summary.min, summary.max), (2, 1, HIGHEST_US));
    }

    #[test]
    fn ranks_walk_the_sorted_values() {
        let histogram = filled(&[30, 10, 20, 20]);
        let ranks: Vec<u64> = (1..=5).map(|rank| histogram.at_rank_us(rank)).collect();
        assert_eq!(ranks, [10, 20, 20, 30, 30]);
        assert_eq!(Histogram::new().at_rank_us(1), 0);
    }

    proptest! {
        #[test]
        fn merging_equals_recording_in_one_place(
            a in prop::collection::vec(0_u64..5_000_000_000, 0..60),
            b in prop::collection::vec(0_u64..5_000_000_000, 0..60),
        ) {
            let mut merged = filled(&a);
            merged.merge(&filled(&b));
            let mut reverse = filled(&b);
            reverse.merge(&filled(&a));
            let together = filled(&[a, b].concat());
            prop_assert_eq!(&merged, &together);
            prop_assert_eq!(merged.summary(), reverse.summary());
            prop_assert_eq!(merged.summary(), together.summary());
        }

        #[test]
        fn the_text_form_loses_nothing(values in prop::collection::vec(0_u64..5_000_000_000, 0..200)) {
            let histogram = filled(&values);
            let read = Histogram::from_base64(&histogram.to_base64()).unwrap();
            prop_assert_eq!(read.summary(), histogram.summary());
            prop_assert_eq!(read.to_base64(), histogram.to_base64());
            let json = serde_json::to_string(&histogram).unwrap();
            prop_assert_eq!(serde_json::from_str::<Histogram>(&json).unwrap(), histogram);
        }

        #[test]
        fn quantiles_are_within_a_thousandth(mut values in prop::collection::vec(1_u64..3_000_000_000, 1..100)) {
            let histogram = filled(&values);
            values.sort_unstable();
            let exact = values[values.len().div_ceil(2) - 1];
            let shown = histogram.quantile_us(0.5);
            prop_assert!(shown >= exact && shown as f64 <= exact as f64 * 1.001 + 1.0);
        }
    }
}

//! What results show of a histogram.

use super::recorded::{HIGHEST_US, Histogram};
use serde::{Deserialize, Serialize};

/// The `H` of results: microseconds but for `count`. All zero for a histogram without values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// How many values.
    pub count: u64,
    /// The smallest, to three digits.
    pub min: u64,
    /// Arithmetic mean, to 0.01 µs.
    pub mean: f64,
    /// Standard deviation of the values (not of the mean), to 0.01 µs.
    pub stdev: f64,
    /// Half of all values are at most this.
    pub p50: u64,
    /// 75 % of all values are at most this.
    pub p75: u64,
    /// 90 % of all values are at most this.
    pub p90: u64,
    /// 95 % of all values are at most this.
    pub p95: u64,
    /// 99 % of all values are at most this.
    pub p99: u64,
    /// 99.9 % of all values are at most this.
    pub p999: u64,
    /// The largest, to three digits.
    pub max: u64,
}

impl Summary {
    /// Summarises a histogram.
    pub fn of(histogram: &Histogram) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let round = |value: f64| (value * 100.0).round() / 100.0;
        let hdr = &histogram.0;
        Self {
            count: hdr.len(),
            min: hdr.min(),
            mean: round(hdr.mean()),
            stdev: round(hdr.stdev()),
            p50: histogram.quantile_us(0.5),
            p75: histogram.quantile_us(0.75),
            p90: histogram.quantile_us(0.9),
            p95: histogram.quantile_us(0.95),
            p99: histogram.quantile_us(0.99),
            p999: histogram.quantile_us(0.999),
            max: hdr.max().min(HIGHEST_US),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_histogram_is_all_zero() {
        assert_eq!(Histogram::new().summary(), Summary::default());
        let json = serde_json::to_value(Summary::default()).unwrap();
        let keys = [
            "count", "min", "mean", "stdev", "p50", "p75", "p90", "p95", "p99", "p999", "max",
        ];
        assert!(keys.iter().all(|key| json[key].is_number()), "{json}");
        assert_eq!(json.as_object().unwrap().len(), keys.len());
    }

    #[test]
    fn percentiles_of_one_to_a_thousand_are_what_they_say() {
        let mut histogram = Histogram::new();
        (1..=1000).for_each(|us| histogram.record_us(us));
        let summary = histogram.summary();
        assert_eq!((summary.p50, summary.p99, summary.p999), (500, 990, 999));
        assert_eq!((summary.min, summary.max, summary.count), (1, 1000, 1000));
        assert!((summary.mean - 500.5).abs() < 0.01 && (summary.stdev - 288.67).abs() < 0.01);
    }
}

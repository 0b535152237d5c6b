//! How the values of a histogram are spread, in bins that grow as 1, 2, 5, 10: an outlier does not flatten the picture.

use clw_core::histogram::Histogram;

/// Bins shown at most: beyond these, the ends are gathered.
const MAX_BINS: usize = 12;
/// An hour, the longest time that is recorded.
const LAST_US: u64 = 3_600_000_000;

/// One bin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bin {
    /// Values up to this many microseconds (and over the bin before's) are in it.
    pub up_to_us: u64,
    /// How many.
    pub count: u64,
}

/// The bins from the first to the last that holds anything.
pub fn spread(histogram: &Histogram) -> Vec<Bin> {
    let mut bins = Vec::new();
    let mut below = 0;
    for decade in 0..10 {
        for step in [1, 2, 5] {
            let up_to_us = (step * 10u64.pow(decade)).min(LAST_US);
            let count = histogram.count_at_most_us(up_to_us);
            bins.push(Bin {
                up_to_us,
                count: count.saturating_sub(below),
            });
            below = below.max(count);
        }
    }
    let last = bins.iter().rposition(|b| b.count > 0).map_or(0, |i| i + 1);
    bins.truncate(last);
    let first = bins.iter().position(|b| b.count > 0).unwrap_or(0);
    let keep_from = first.max(bins.len().saturating_sub(MAX_BINS));
    let gathered: u64 = bins[..keep_from].iter().map(|b| b.count).sum();
    let mut kept = bins.split_off(keep_from);
    if let Some(first) = kept.first_mut() {
        first.count += gathered;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_value_is_in_one_bin() {
        let mut histogram = Histogram::new();
        assert!(spread(&histogram).is_empty());
        for us in [3, 900, 1000, 1001, 29_000_000, 31_000_000, 3_600_000_000] {
            histogram.record(Duration::from_micros(us));
        }
        let bins = spread(&histogram);
        assert_eq!(bins.iter().map(|b| b.count).sum::<u64>(), 7);
        assert!(bins.len() <= MAX_BINS);
        assert!(bins.windows(2).all(|w| w[0].up_to_us < w[1].up_to_us));
    }

    #[test]
    fn a_regular_tick_is_one_bin() {
        let mut histogram = Histogram::new();
        for _ in 0..100 {
            histogram.record(Duration::from_secs(30));
        }
        let bin = Bin {
            up_to_us: 50_000_000,
            count: 100,
        };
        assert_eq!(spread(&histogram), [bin]);
    }
}

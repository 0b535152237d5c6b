//! How the values of a histogram are spread: in bins that grow as 1, 2, 5, 10, so that an outlier does not flatten the
//! picture; or, where all values are of one size, in equal bins, so that a late tick can be told from one in time.

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

/// Equal bins that a narrow spread is cut into, about.
const EQUAL_BINS: u64 = 8;
/// The narrowest bin, as a part of the values: labels of three digits tell them apart.
const NARROWEST: u64 = 100;

/// The bins from the first to the last that holds anything.
pub fn spread(histogram: &Histogram) -> Vec<Bin> {
    let summary = histogram.summary();
    if summary.count > 0 && summary.min > 0 && summary.max <= summary.min.saturating_mul(2) {
        return equal(histogram, summary.min, summary.max);
    }
    growing(histogram)
}

fn equal(histogram: &Histogram, least: u64, most: u64) -> Vec<Bin> {
    let width = round_up(((most - least) / EQUAL_BINS).max(least / NARROWEST).max(1));
    let mut bins = Vec::new();
    let (mut up_to_us, mut below) = (least / width * width, 0);
    while below < histogram.len() && up_to_us <= most {
        up_to_us += width;
        let count = if up_to_us >= most {
            histogram.len()
        } else {
            histogram.count_at_most_us(up_to_us)
        };
        bins.push(Bin {
            up_to_us,
            count: count.saturating_sub(below),
        });
        below = below.max(count);
    }
    bins
}

/// The next of 1, 2, 5, 10, 20, …
fn round_up(value: u64) -> u64 {
    let mut decade = 1u64;
    loop {
        for step in [1, 2, 5] {
            let round = decade.saturating_mul(step);
            if round >= value {
                return round;
            }
        }
        decade = decade.saturating_mul(10);
    }
}

fn growing(histogram: &Histogram) -> Vec<Bin> {
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
    fn a_regular_tick_is_one_bin_and_a_late_one_another() {
        let mut histogram = Histogram::new();
        for _ in 0..100 {
            histogram.record(Duration::from_secs(30));
        }
        let [bin] = spread(&histogram)[..] else {
            panic!("{:?}", spread(&histogram))
        };
        assert_eq!(bin.count, 100);
        histogram.record(Duration::from_secs(34));
        let bins = spread(&histogram);
        assert!(bins.len() > 2, "{bins:?}");
        assert_eq!(bins.iter().map(|b| b.count).sum::<u64>(), 101);
        assert_eq!(bins.last().map(|b| b.count), Some(1));
    }

    #[test]
    fn any_narrow_spread_is_cut_into_a_dozen_bins_at_most() {
        for (least, most) in [
            (1, 1),
            (1, 2),
            (999, 1998),
            (30_000_000, 59_999_999),
            (LAST_US / 2, LAST_US),
        ] {
            let mut histogram = Histogram::new();
            for us in [least, most] {
                histogram.record(Duration::from_micros(us));
            }
            let bins = spread(&histogram);
            assert_eq!(bins.iter().map(|b| b.count).sum::<u64>(), 2, "{bins:?}");
            assert!(bins.len() <= MAX_BINS, "{bins:?}");
        }
    }
}

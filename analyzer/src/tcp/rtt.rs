//! Round trips: from a segment with data to the acknowledgement that covers it, as the capture point sees both.

use super::Seq;
use clw_core::histogram::Summary;

/// Samples kept; beyond it every other one goes, so that what is kept is spread over the whole connection.
const KEPT: usize = 64;
/// Room for so many is made at the first.
const FIRST: usize = 16;

/// The round trips between the capture point and one side.
#[derive(Clone, Debug, Default)]
pub struct Rtt {
    waiting: Option<(Seq, u64)>,
    samples_us: Vec<u32>,
    /// Every how many-th sample is kept.
    stride: u32,
    skipped: u32,
    count: u64,
    min_us: u32,
    max_us: u32,
    sum_us: u64,
    sum_squares: f64,
}

impl Rtt {
    /// A segment that ends at `end` was sent towards the side for the first time.
    pub fn sent(&mut self, end: Seq, at_ns: u64) {
        if self.waiting.is_none() {
            self.waiting = Some((end, at_ns));
        }
    }

    /// Something was sent again: which of the copies an acknowledgement answers cannot be told (Karn).
    pub fn retransmitted(&mut self) {
        self.waiting = None;
    }

    /// The side acknowledged everything before `ack`.
    pub fn acknowledged(&mut self, ack: Seq, at_ns: u64) {
        if let Some((end, sent_ns)) = self.waiting
            && !ack.is_before(end)
        {
            self.waiting = None;
            self.record(u32::try_from(at_ns.saturating_sub(sent_ns) / 1000).unwrap_or(u32::MAX));
        }
    }

    fn record(&mut self, us: u32) {
        if self.count == 0 {
            (self.min_us, self.max_us, self.stride) = (us, us, 1);
        }
        self.count += 1;
        self.min_us = self.min_us.min(us);
        self.max_us = self.max_us.max(us);
        self.sum_us += u64::from(us);
        self.sum_squares += f64::from(us) * f64::from(us);
        self.skipped += 1;
        if self.skipped < self.stride {
            return;
        }
        self.skipped = 0;
        if self.samples_us.len() == KEPT {
            let mut index = 0;
            self.samples_us.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride *= 2;
        }
        if self.samples_us.is_empty() {
            // Grown one by one, the first few would be moved as often.
            self.samples_us.reserve_exact(FIRST);
        }
        self.samples_us.push(us);
    }

    /// The least round trip, in microseconds.
    pub fn min_us(&self) -> Option<u32> {
        (self.count > 0).then_some(self.min_us)
    }

    /// Count, mean, deviation and extremes are exact; quantiles come from the samples kept.
    pub fn summary(&self) -> Summary {
        if self.count == 0 {
            return Summary::default();
        }
        let mut sorted = self.samples_us.clone();
        sorted.sort_unstable();
        let quantile = |per_mille: usize| {
            let rank = (sorted.len() * per_mille)
                .div_ceil(1000)
                .clamp(1, sorted.len().max(1));
            sorted.get(rank - 1).map_or(0, |us| u64::from(*us))
        };
        let mean = self.sum_us as f64 / self.count as f64;
        Summary {
            count: self.count,
            min: u64::from(self.min_us),
            mean,
            stdev: (self.sum_squares / self.count as f64 - mean * mean)
                .max(0.0)
                .sqrt(),
            p50: quantile(500),
            p75: quantile(750),
            p90: quantile(900),
            p95: quantile(950),
            p99: quantile(990),
            p999: quantile(999),
            max: u64::from(self.max_us),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_ends_with_the_acknowledgement_that_covers_it() {
        let mut rtt = Rtt::default();
        rtt.sent(Seq(10), 1_000_000);
        rtt.acknowledged(Seq(9), 2_000_000);
        rtt.acknowledged(Seq(10), 3_500_000);
        assert_eq!(rtt.summary().count, 1);
        assert_eq!(rtt.summary().max, 2500);
    }

    #[test]
    fn a_retransmission_makes_a_round_trip_worthless() {
        let mut rtt = Rtt::default();
        rtt.sent(Seq(10), 0);
        rtt.retransmitted();
        rtt.acknowledged(Seq(10), 3_500_000);
        assert_eq!(rtt.summary().count, 0);
    }

    #[test]
    fn many_round_trips_cost_no_more_than_a_few() {
        let mut rtt = Rtt::default();
        for n in 0..100_000u32 {
            rtt.sent(Seq(n + 1), 0);
            rtt.acknowledged(Seq(n + 1), u64::from(n % 1000) * 1000);
        }
        let summary = rtt.summary();
        assert_eq!((summary.count, summary.min, summary.max), (100_000, 0, 999));
        assert!(summary.p50.abs_diff(500) < 150, "{}", summary.p50);
        assert!(rtt.samples_us.capacity() <= 2 * KEPT);
    }
}

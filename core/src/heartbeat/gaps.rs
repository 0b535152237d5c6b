//! Gaps in a peer's heartbeats, against the period that they have shown.

use crate::time::{Instant, micros};
use std::time::Duration;

/// Intervals that the period is learned from.
const REMEMBERED: usize = 5;
/// Fewer say nothing about a period.
const ENOUGH: usize = 3;

/// Finds silences that are longer than a factor times the usual period.
///
/// The period is the median of the last five intervals: a gap does not move it, and a period that really changed is
/// learned after three beats. Until three intervals were seen, the period told to [`GapTracker::expecting`] counts; without
/// one nothing is a gap.
#[derive(Clone, Copy, Debug)]
pub struct GapTracker {
    factor: f64,
    last: Option<Instant>,
    told: Option<Duration>,
    /// Whole microseconds, capped at 71 minutes: no heartbeat is slower.
    intervals_us: [u32; REMEMBERED],
    seen: u8,
    at: u8,
}

impl GapTracker {
    /// The factor of the analyzer's `--heartbeat-factor`.
    pub const DEFAULT_FACTOR: f64 = 1.5;

    /// A silence of more than `factor` periods is a gap. Factors under 1 (and no number) are taken as 1.
    pub fn new(factor: f64) -> Self {
        Self {
            factor: if factor >= 1.0 { factor } else { 1.0 },
            last: None,
            told: None,
            intervals_us: [0; REMEMBERED],
            seen: 0,
            at: 0,
        }
    }

    /// The same, with the period that the peer has announced, used until enough was seen.
    pub fn expecting(factor: f64, period: Duration) -> Self {
        Self {
            told: Some(period).filter(|period| !period.is_zero()),
            ..Self::new(factor)
        }
    }

    /// The usual period, as far as it is known.
    pub fn period(&self) -> Option<Duration> {
        let seen = usize::from(self.seen);
        if seen < ENOUGH {
            return self.told;
        }
        let mut sorted = self.intervals_us;
        let sorted = sorted.get_mut(..seen)?;
        sorted.sort_unstable();
        sorted
            .get(seen / 2)
            .map(|&micros| Duration::from_micros(micros.into()))
    }

    /// A heartbeat came: the silence before it, if that was a gap.
    pub fn seen(&mut self, now: Instant) -> Option<Duration> {
        let gap = self.silence(now);
        if let Some(last) = self.last {
            if now < last {
                return None;
            }
            let interval = u32::try_from(micros(now.since(last))).unwrap_or(u32::MAX);
            if let Some(slot) = self.intervals_us.get_mut(usize::from(self.at)) {
                *slot = interval;
            }
            self.at = (self.at + 1) % 5;
            self.seen = (self.seen + 1).min(5);
        }
        self.last = Some(now);
        gap
    }

    /// The silence that is going on, if it is a gap already (at the end of a capture or a session).
    pub fn silence(&self, now: Instant) -> Option<Duration> {
        let silence = now.since(self.last?);
        let limit_us = self.period()?.as_micros() as f64 * self.factor;
        (silence.as_micros() as f64 > limit_us).then_some(silence)
    }
}

impl Default for GapTracker {
    fn default() -> Self {
        Self::new(Self::DEFAULT_FACTOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn beat(tracker: &mut GapTracker, second: u64) -> Option<Duration> {
        tracker.seen(Instant::from_millis(second * 1000))
    }

    #[test]
    fn a_gap_is_told_once_and_does_not_move_the_period() {
        let mut tracker = GapTracker::default();
        for second in [0, 2, 4, 6, 8] {
            assert_eq!(beat(&mut tracker, second), None);
        }
        assert_eq!(tracker.silence(Instant::from_millis(11_000)), None);
        assert_eq!(
            tracker.silence(Instant::from_millis(11_001)),
            Some(Duration::from_millis(3001))
        );
        assert_eq!(beat(&mut tracker, 20), Some(Duration::from_secs(12)));
        assert_eq!(tracker.period(), Some(Duration::from_secs(2)));
        assert_eq!(beat(&mut tracker, 22), None);
    }

    #[test]
    fn a_period_that_changed_is_learned() {
        let mut tracker = GapTracker::default();
        for second in [0, 2, 4, 6, 8] {
            assert_eq!(beat(&mut tracker, second), None);
        }
        let gaps = (1..=5)
            .filter(|n| beat(&mut tracker, 8 + n * 10).is_some())
            .count();
        assert_eq!(gaps, 3);
        assert_eq!(tracker.period(), Some(Duration::from_secs(10)));
    }

    #[test]
    fn an_announced_period_counts_from_the_first_beat() {
        let mut tracker = GapTracker::expecting(1.5, Duration::from_secs(30));
        assert_eq!(beat(&mut tracker, 0), None);
        assert_eq!(beat(&mut tracker, 46), Some(Duration::from_secs(46)));
        let mut ignorant = GapTracker::default();
        assert_eq!(beat(&mut ignorant, 0), None);
        assert_eq!(beat(&mut ignorant, 46), None);
    }

    #[test]
    fn a_hundred_thousand_of_them_are_a_few_megabytes() {
        assert!(size_of::<GapTracker>() <= 64);
        assert!(size_of::<super::super::Heartbeat>() <= 64);
    }

    proptest! {
        #[test]
        fn steady_beats_with_jitter_have_no_gaps(
            period_ms in 10u64..100_000,
            jitter_percent in prop::collection::vec(0u64..20, 1..100),
        ) {
            let mut tracker = GapTracker::default();
            for (n, jitter) in (0u64..).zip(jitter_percent) {
                let at = Instant::from_micros((n * 100 + jitter) * period_ms * 10);
                prop_assert_eq!(tracker.seen(at), None);
            }
        }

        #[test]
        fn whatever_comes_a_gap_is_longer_than_the_period(
            times in prop::collection::vec(any::<u64>(), 0..50),
            factor in prop::num::f64::ANY,
        ) {
            let mut tracker = GapTracker::new(factor);
            for micros in times {
                let period = tracker.period();
                if let Some(gap) = tracker.seen(Instant::from_micros(micros)) {
                    prop_assert!(period.is_some_and(|period| gap > period), "{gap:?} {period:?}");
                }
            }
        }
    }
}

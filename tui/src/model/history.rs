//! The past, second by second, in memory that does not grow without bound.

use super::Delta;
use clw_core::histogram::Histogram;
use clw_core::tally::Gauges;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Two hours: what a person scrolls through at an incident. Older seconds are dropped.
const KEPT_SECONDS: usize = 7200;
/// Metrics kept apart in one second; a hostile source may send any number.
const MAX_METRICS: usize = 48;

/// Four points of a latency distribution, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Values behind it.
    pub count: u64,
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// Greatest.
    pub max: u64,
}

impl Times {
    /// Of a histogram.
    pub fn of(histogram: &Histogram) -> Self {
        Self {
            count: histogram.len(),
            p50: histogram.at_quantile_us(0.50),
            p90: histogram.at_quantile_us(0.90),
            p99: histogram.at_quantile_us(0.99),
            max: histogram.at_quantile_us(1.0),
        }
    }
}

/// One second of all sources together.
#[derive(Clone, Debug, Default)]
pub struct Point {
    /// Seconds since the first source's run began.
    pub second: u64,
    /// How many seconds it stands for (more than one where snapshots were missed).
    pub covers: u64,
    /// What happened in it.
    pub delta: Delta,
    /// What was open at its end.
    pub gauges: Gauges,
    /// What was being done to the network on purpose; empty: nothing.
    pub condition: Arc<str>,
    /// Latencies of the second, by metric.
    pub times: BTreeMap<Arc<str>, Times>,
}

/// What held at the end of a second.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// What was open.
    pub gauges: Gauges,
    /// What was being done to the network on purpose; empty: nothing.
    pub condition: Arc<str>,
}

impl From<Gauges> for State {
    fn from(gauges: Gauges) -> Self {
        Self {
            gauges,
            ..Self::default()
        }
    }
}

/// Points in order of time.
#[derive(Clone, Debug, Default)]
pub struct History {
    points: VecDeque<Point>,
    /// Histograms of the newest second, so that several sources merge exactly.
    newest: BTreeMap<Arc<str>, Histogram>,
}

impl History {
    /// Adds what a source saw up to `second`. Sources that lag a little find their second again; their latencies go to
    /// the newest.
    pub fn add(
        &mut self,
        second: u64,
        covers: u64,
        delta: &Delta,
        state: State,
        interval: &BTreeMap<String, Histogram>,
    ) {
        if self.points.back().is_none_or(|p| p.second < second) {
            self.points.push_back(Point {
                second,
                ..Point::default()
            });
            self.newest.clear();
            if self.points.len() > KEPT_SECONDS {
                self.points.pop_front();
            }
        }
        for (name, histogram) in interval {
            if let Some(sum) = self.newest.get_mut(name.as_str()) {
                sum.add(histogram);
            } else if self.newest.len() < MAX_METRICS {
                self.newest.insert(Arc::from(name.as_str()), histogram.clone());
            }
        }
        let at = self.points.iter().rposition(|p| p.second <= second).unwrap_or(0);
        let last = self.points.len().saturating_sub(1);
        if let Some(point) = self.points.get_mut(at) {
            point.delta.add(delta);
            // A gap that is longer than the history is as good as one of its length.
            point.covers = point.covers.max(covers).clamp(1, KEPT_SECONDS as u64);
            if at == last {
                point.gauges = state.gauges;
                point.condition = state.condition;
            }
        }
        if !interval.is_empty()
            && let Some(point) = self.points.back_mut()
        {
            point.times = self
                .newest
                .iter()
                .map(|(name, histogram)| (Arc::clone(name), Times::of(histogram)))
                .collect();
        }
    }

    /// All points, the oldest first.
    pub fn points(&self) -> impl DoubleEndedIterator<Item = &Point> + ExactSizeIterator {
        self.points.iter()
    }

    /// The newest.
    pub fn last(&self) -> Option<&Point> {
        self.points.back()
    }

    /// The newest second; 0 without any.
    pub fn now(&self) -> u64 {
        self.last().map_or(0, |p| p.second)
    }

    /// Points of seconds after `from` and up to `to`, the newest first. From 0 is from the beginning, second 0 included.
    pub fn between(&self, from: u64, to: u64) -> impl Iterator<Item = &Point> {
        let end = self.points.partition_point(|p| p.second <= to);
        let start = self
            .points
            .partition_point(|p| from > 0 && p.second <= from)
            .min(end);
        self.points.range(start..end).rev()
    }

    /// The newest point that is not after `second`.
    pub fn at(&self, second: u64) -> Option<&Point> {
        let end = self.points.partition_point(|p| p.second <= second);
        self.points.get(end.checked_sub(1)?)
    }

    /// The point that `second` belongs to: its own, or a later one that covers it.
    pub fn covering(&self, second: u64) -> Option<&Point> {
        let at = self.points.partition_point(|p| p.second < second);
        self.points
            .get(at)
            .filter(|p| p.second.saturating_sub(p.covers) < second || p.second == second)
    }

    /// The latest times of a metric, with the second they are of.
    pub fn latest(&self, metric: &str) -> Option<(u64, Times)> {
        self.points
            .iter()
            .rev()
            .find_map(|p| Some((p.second, *p.times.get(metric)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn timed(ms: u64) -> BTreeMap<String, Histogram> {
        let mut h = Histogram::new();
        h.record(Duration::from_millis(ms));
        BTreeMap::from([("auth".to_owned(), h)])
    }

    #[test]
    fn two_sources_of_one_second_merge_exactly() {
        let mut history = History::default();
        for ms in [10, 30] {
            history.add(5, 1, &Delta::default(), State::default(), &timed(ms));
        }
        let times = history.last().unwrap().times["auth"];
        assert_eq!(times.count, 2);
        assert!((29_900..=30_100).contains(&times.max), "{times:?}");
        assert_eq!(history.points().len(), 1);
    }

    #[test]
    fn a_late_source_finds_its_second_again() {
        let mut history = History::default();
        let delta = Delta {
            begun: 1,
            ..Delta::default()
        };
        for second in [1, 2, 1] {
            history.add(second, 1, &delta, State::default(), &BTreeMap::new());
        }
        let begun: Vec<_> = history.points().map(|p| (p.second, p.delta.begun)).collect();
        assert_eq!(begun, [(1, 2), (2, 1)]);
    }

    #[test]
    fn a_point_covers_the_seconds_that_were_missed_before_it() {
        let mut history = History::default();
        history.add(1, 1, &Delta::default(), State::default(), &BTreeMap::new());
        history.add(5, 3, &Delta::default(), State::default(), &BTreeMap::new());
        assert_eq!(history.covering(3).map(|p| p.second), Some(5));
        assert_eq!(history.covering(2).map(|p| p.second), None);
        assert_eq!(history.covering(6).map(|p| p.second), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut history = History::default();
        for second in 0..10_000 {
            history.add(second, 1, &Delta::default(), State::default(), &BTreeMap::new());
        }
        assert_eq!(history.points().len(), KEPT_SECONDS);
        assert_eq!(history.now(), 9999);
    }
}

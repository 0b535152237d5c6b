//! One source: its runs, its gaps, the link to it.

use super::Delta;
use clw_core::histogram::Histogram;
use clw_core::snapshot::{Phase, Snapshot};
use clw_core::tally::Counters;
use std::collections::BTreeMap;
use std::time::Duration;

/// The way to a source, as far as the dashboard knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// Not reached yet.
    #[default]
    Connecting,
    /// Reached.
    Up,
    /// Lost, and tried again; why.
    Lost(String),
    /// It is there but tells nothing that can be read; why.
    Unreadable(String),
    /// There will be no more: the end of a file.
    Ended,
}

/// What one source has told.
#[derive(Clone, Debug)]
pub struct Feed {
    /// How the source is called on the screen.
    pub label: String,
    /// The way to it.
    pub link: Link,
    /// The newest snapshot, without its histograms.
    pub last: Option<Snapshot>,
    /// When that came, on the dashboard's clock.
    pub arrived: Duration,
    /// Which run of the source this is, from 1; it grows when the source is restarted.
    pub run: u32,
    /// Snapshots of the run that were never seen.
    pub missed: u64,
    /// Whether the run was seen from its start.
    pub from_start: bool,
    /// The latest of the dashboard's seconds in which the gateway answered a heartbeat.
    pub answered: Option<u64>,
    /// The latest in which a session ended badly, a heartbeat went missing, or its answer took `SLOW_US`.
    pub troubled: Option<u64>,
    /// Histograms of the run as far as it was seen.
    totals: BTreeMap<String, Histogram>,
    /// Added to the run's elapsed time to get the dashboard's, in microseconds.
    offset_us: i64,
    /// How far from whole seconds this source's snapshots come, from minus to plus half a second.
    phase_us: i64,
}

/// What a snapshot adds to the history.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) delta: Delta,
    pub(super) second: u64,
    pub(super) covers: u64,
    /// The source was restarted since the snapshot before.
    pub(super) restarted: bool,
    /// This is the first snapshot of a run; counters from before it are history, not news.
    pub(super) joined_late: bool,
    /// Snapshots missed just before it.
    pub(super) missed: u64,
}

/// An answer to a heartbeat that takes so long is none of a gateway that is well, in microseconds.
pub const SLOW_US: u64 = 1_000_000;

/// Longer than any run, and far from where sums overflow.
const CENTURY_US: u64 = 3_155_760_000_000_000;
/// Metrics kept apart; a hostile source may send any number.
const MAX_METRICS: usize = 48;

impl Feed {
    /// A source that is not reached yet.
    pub fn new(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            link: Link::Connecting,
            last: None,
            arrived: Duration::ZERO,
            run: 0,
            missed: 0,
            from_start: false,
            answered: None,
            troubled: None,
            totals: BTreeMap::new(),
            offset_us: 0,
            phase_us: 0,
        }
    }

    /// When the dashboard's second 0 was by the clock on the wall, in seconds since 1970; `None` where the source does
    /// not tell.
    pub fn began_unix_s(&self) -> Option<u64> {
        let told = self.last.as_ref().map(|l| l.began_unix_us).filter(|us| *us > 0)?;
        u64::try_from(signed(told).saturating_sub(self.offset_us).max(0) / 1_000_000).ok()
    }

    /// Histograms of the run as far as it was seen.
    pub fn totals(&self) -> &BTreeMap<String, Histogram> {
        &self.totals
    }

    /// Where the source's run is.
    pub fn phase(&self) -> Option<Phase> {
        self.last.as_ref().map(|s| s.phase)
    }

    /// Takes a snapshot in. `base_us` is the dashboard's time at which a new run is placed; `None` lets the run's own
    /// time be the dashboard's. A snapshot that was seen before is nothing.
    pub(super) fn absorb(
        &mut self,
        mut snapshot: Snapshot,
        base_us: Option<u64>,
        now: Duration,
    ) -> Option<(Step, BTreeMap<String, Histogram>)> {
        let interval = std::mem::take(&mut snapshot.interval);
        // What a hostile source sends is cut to a hundred years.
        snapshot.elapsed_us = snapshot.elapsed_us.min(CENTURY_US);
        snapshot.interval_us = snapshot.interval_us.min(CENTURY_US);
        let same = self
            .last
            .as_ref()
            .is_some_and(|l| l.seq == snapshot.seq && l.elapsed_us == snapshot.elapsed_us);
        self.link = Link::Up;
        if same {
            return None;
        }
        let continues = self
            .last
            .as_ref()
            .is_some_and(|l| snapshot.seq > l.seq && snapshot.elapsed_us >= l.elapsed_us);
        let elapsed = signed(snapshot.elapsed_us);
        if !continues {
            self.run += 1;
            self.missed = 0;
            self.totals.clear();
            self.offset_us = base_us.map_or(0, |base| signed(base) - elapsed);
            self.phase_us = (elapsed + self.offset_us + 500_000).rem_euclid(1_000_000) - 500_000;
            // The first interval, give or take: everything counted until now happened in it.
            self.from_start = snapshot.elapsed_us <= snapshot.interval_us.saturating_mul(2).max(1_500_000);
        }
        let empty = Counters::default();
        let (before, missed, gap_us) = match (&self.last, continues) {
            (Some(last), true) => (
                &last.counters,
                snapshot.seq - last.seq - 1,
                snapshot.elapsed_us.saturating_sub(last.elapsed_us),
            ),
            (_, _) if self.from_start => (&empty, 0, snapshot.elapsed_us),
            _ => (&snapshot.counters, 0, snapshot.interval_us),
        };
        let delta = Delta::between(before, &snapshot.counters);
        self.missed = self.missed.saturating_add(missed);
        for (name, histogram) in &interval {
            if let Some(sum) = self.totals.get_mut(name) {
                sum.add(histogram);
            } else if self.totals.len() < MAX_METRICS {
                self.totals.insert(name.clone(), histogram.clone());
            }
        }
        let base = elapsed + self.offset_us - self.phase_us;
        let step = Step {
            delta,
            second: u64::try_from((base + 500_000).div_euclid(1_000_000).max(0)).unwrap_or(0),
            covers: (gap_us + 500_000).div_euclid(1_000_000).max(1),
            restarted: !continues && self.run > 1,
            joined_late: !continues && !self.from_start,
            missed,
        };
        let beats = (&snapshot.counters.heartbeat, &before.heartbeat);
        if beats.0.answered > beats.1.answered {
            self.answered = Some(step.second);
        }
        let slow = interval
            .get("heartbeat_rtt")
            .is_some_and(|rtt| rtt.at_quantile_us(1.0) >= SLOW_US);
        if slow || step.delta.errors() > 0 || step.delta.beats_missed > 0 {
            self.troubled = Some(step.second);
        }
        self.last = Some(snapshot);
        self.arrived = now;
        Some((step, interval))
    }
}

fn signed(us: u64) -> i64 {
    i64::try_from(us.min(CENTURY_US)).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(seq: u64, elapsed_ms: u64, started: u64) -> Snapshot {
        let mut s = Snapshot {
            seq,
            elapsed_us: elapsed_ms * 1000,
            interval_us: 1_000_000,
            ..Snapshot::default()
        };
        s.counters.sessions.started = started;
        s
    }

    fn step(feed: &mut Feed, snapshot: Snapshot) -> Step {
        feed.absorb(snapshot, Some(7_000_000), Duration::ZERO).unwrap().0
    }

    #[test]
    fn jitter_does_not_move_snapshots_into_other_seconds() {
        let mut feed = Feed::new("a");
        let seconds: Vec<_> = [499, 1501, 2380, 3620, 4500]
            .into_iter()
            .enumerate()
            .map(|(seq, ms)| {
                feed.absorb(snapshot(seq as u64, ms, 0), None, Duration::ZERO)
                    .unwrap()
                    .0
                    .second
            })
            .collect();
        assert_eq!(seconds, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_first_snapshot_of_a_run_that_goes_on_is_no_news() {
        let mut feed = Feed::new("a");
        let first = step(&mut feed, snapshot(100, 100_000, 5000));
        assert!(first.joined_late);
        assert_eq!(first.delta.begun, 0);
        assert_eq!(step(&mut feed, snapshot(101, 101_000, 5010)).delta.begun, 10);
    }

    #[test]
    fn snapshots_that_were_missed_are_counted_and_their_counters_are_not_lost() {
        let mut feed = Feed::new("a");
        step(&mut feed, snapshot(0, 1000, 10));
        let next = step(&mut feed, snapshot(4, 5000, 50));
        assert_eq!((next.missed, next.covers, next.delta.begun), (3, 4, 40));
        assert_eq!(feed.missed, 3);
    }

    #[test]
    fn answers_and_trouble_are_known_by_their_second() {
        let mut feed = Feed::new("a");
        let at = |seq: u64, answered: u64, missed: u64| {
            let mut s = snapshot(seq, seq * 1000, 3);
            s.counters.heartbeat.answered = answered;
            s.counters.heartbeat.missed = missed;
            s
        };
        for s in [at(1, 3, 0), at(2, 6, 0), at(3, 6, 0)] {
            feed.absorb(s, None, Duration::ZERO);
        }
        assert_eq!((feed.answered, feed.troubled), (Some(2), None));
        feed.absorb(at(4, 6, 3), None, Duration::ZERO);
        assert_eq!((feed.answered, feed.troubled), (Some(2), Some(4)));
        let mut slow = at(5, 7, 3);
        let mut rtt = Histogram::new();
        rtt.record(Duration::from_secs(2));
        slow.interval.insert("heartbeat_rtt".to_owned(), rtt);
        feed.absorb(slow, None, Duration::ZERO);
        assert_eq!((feed.answered, feed.troubled), (Some(5), Some(5)));
    }

    #[test]
    fn a_restarted_source_begins_anew() {
        let mut feed = Feed::new("a");
        step(&mut feed, snapshot(50, 50_000, 500));
        let again = step(&mut feed, snapshot(0, 900, 7));
        assert!(again.restarted && !again.joined_late);
        assert_eq!((again.delta.begun, feed.run), (7, 2));
    }

    #[test]
    fn a_snapshot_seen_before_changes_nothing() {
        let mut feed = Feed::new("a");
        step(&mut feed, snapshot(3, 4000, 9));
        assert!(feed.absorb(snapshot(3, 4000, 9), None, Duration::ZERO).is_none());
    }

    #[test]
    fn absurd_times_do_no_harm() {
        let mut feed = Feed::new("a");
        let mut absurd = snapshot(u64::MAX, 0, u64::MAX);
        absurd.elapsed_us = u64::MAX;
        absurd.interval_us = u64::MAX;
        step(&mut feed, absurd);
        step(&mut feed, snapshot(0, 0, 0));
    }
}

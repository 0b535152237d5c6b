//! A run over time, in memory that does not grow with its length.

use clw_core::snapshot::Snapshot;

/// Instants kept at most. Twice as many are thinned to half.
const MOST: usize = 240;

/// The run at one instant: counts since the start, and what was open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Counts the snapshots from 1.
    number: u64,
    /// Since the start.
    pub at_us: u64,
    /// Connections not yet ready.
    pub connecting: u64,
    /// Ready sessions.
    pub ready: u64,
    /// Sessions waiting to connect again.
    pub reconnecting: u64,
    /// Sessions begun.
    pub started: u64,
    /// Sessions that ended.
    pub ended: u64,
    /// Those that ended in an error.
    pub errors: u64,
    /// Ready connections that ended although they were meant to stay.
    pub dropped: u64,
    /// Times a session became ready again.
    pub reconnected: u64,
}

/// The run at up to `MOST` instants, evenly spaced, and now.
#[derive(Clone, Debug, Default)]
pub struct Course {
    samples: Vec<Sample>,
    count: u64,
    /// Every how many snapshots one is kept, as a power of two.
    thinned: u32,
}

impl Course {
    /// Adds the run's state.
    pub fn add(&mut self, s: &Snapshot) {
        self.count += 1;
        // The latest is always there, whether or not it is one to keep.
        if self.samples.last().is_some_and(|last| !self.keeps(last.number)) {
            self.samples.pop();
        }
        let c = &s.counters;
        self.samples.push(Sample {
            number: self.count,
            at_us: s.elapsed_us,
            connecting: s.gauges.connecting,
            ready: s.gauges.ready,
            reconnecting: s.gauges.reconnecting,
            started: c.sessions.started,
            ended: c.sessions.ended,
            errors: c.errors().iter().sum(),
            dropped: c.sessions.dropped,
            reconnected: c.sessions.reconnected,
        });
        if self.samples.len() > MOST {
            self.thinned += 1;
            let latest = self.count;
            let kept = std::mem::take(&mut self.samples);
            self.samples = kept
                .into_iter()
                .filter(|sample| self.keeps(sample.number) || sample.number == latest)
                .collect();
        }
    }

    const fn keeps(&self, number: u64) -> bool {
        number.is_multiple_of(1 << self.thinned)
    }

    /// The samples by time, without those that stand at the same instant as the next.
    pub fn samples(&self) -> Vec<Sample> {
        let mut samples: Vec<Sample> = Vec::with_capacity(self.samples.len());
        for sample in &self.samples {
            if samples.last().is_some_and(|last| last.at_us >= sample.at_us) {
                samples.pop();
            }
            samples.push(*sample);
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Snapshot {
        let mut snapshot = Snapshot {
            elapsed_us: seconds * 1_000_000,
            ..Snapshot::default()
        };
        snapshot.counters.sessions.ended = seconds;
        snapshot.gauges.ready = seconds;
        snapshot
    }

    #[test]
    fn a_long_run_keeps_few_samples_evenly_spaced_and_its_last() {
        let mut course = Course::default();
        for second in 1..=100_000 {
            course.add(&at(second));
            assert!(course.samples.len() <= MOST);
        }
        let samples = course.samples();
        assert!(samples.len() > MOST / 2 - 2, "{}", samples.len());
        assert_eq!(samples.last().map(|s| s.ended), Some(100_000));
        let gaps: Vec<_> = samples
            .windows(2)
            .map(|pair| pair[1].at_us - pair[0].at_us)
            .collect();
        let (last, even) = gaps.split_last().unwrap();
        assert!(
            even.iter().all(|gap| *gap == even[0]) && *last <= even[0],
            "{gaps:?}"
        );
    }

    #[test]
    fn two_states_of_one_instant_are_one_the_later() {
        let mut course = Course::default();
        for seconds in [1, 2, 2] {
            course.add(&at(seconds));
        }
        let mut later = at(2);
        later.counters.sessions.ended = 5;
        course.add(&later);
        let ended: Vec<_> = course.samples().iter().map(|s| s.ended).collect();
        assert_eq!(ended, [1, 5]);
    }
}

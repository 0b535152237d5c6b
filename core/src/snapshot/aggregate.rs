//! Many sources as one.

use super::line::{Generator, Snapshot, Stamp};
use crate::histogram::Named;
use crate::tally::{Counters, Gauges, MAX_SAMPLES};
use std::collections::{BTreeMap, BTreeSet};

/// How many sources are taken in.
pub const MAX_SOURCES: usize = 4096;

/// How far out of order snapshots of a source may come and still be counted.
const WINDOW: usize = 1024;

/// What became of a snapshot that was given to an [`Aggregate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absorbed {
    /// It was counted.
    Counted,
    /// One with this number of this source was counted before (or is too old to tell): nothing changed.
    Repeated,
    /// There are [`MAX_SOURCES`] sources already: nothing changed.
    TooManySources,
}

#[derive(Clone, Debug, Default)]
struct Source {
    /// All numbers below this are settled.
    floor: u64,
    /// Numbers from `floor` on that have come.
    seen: BTreeSet<u64>,
    latest: Option<u64>,
    elapsed_us: u64,
    counters: Counters,
    gauges: Gauges,
    generator: Generator,
    lost: bool,
}

impl Source {
    /// Whether `seq` comes for the first time.
    fn admit(&mut self, seq: u64) -> bool {
        if seq < self.floor || !self.seen.insert(seq) {
            return false;
        }
        if self.seen.len() > WINDOW
            && let Some(oldest) = self.seen.first()
        {
            self.floor = *oldest;
        }
        while self.seen.remove(&self.floor) {
            self.floor = self.floor.saturating_add(1);
        }
        true
    }
}

/// Sources that went away before their sessions ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Their names.
    pub sources: Vec<String>,
    /// Sessions that they had started and not ended: their endings are unknown.
    pub sessions: u64,
}

/// The whole, as a report needs it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// The longest time that a source has run.
    pub elapsed_us: u64,
    /// Sums of each source's latest.
    pub counters: Counters,
    /// Sums of each living source's latest (`peak_open`: of all sources).
    pub gauges: Gauges,
    /// All intervals together.
    pub histograms: Named,
    /// Sums of each source's latest.
    pub generator: Generator,
    /// Up to three evidence texts for each verdict.
    pub samples: BTreeMap<String, Vec<String>>,
    /// Sources that went away.
    pub lost: Lost,
    /// The server's version, where one was told.
    pub server_version: Option<String>,
}

/// Adds up the snapshots of many sources (worker processes, shards). The order in which they come does not matter, and
/// one that comes twice counts once.
#[derive(Clone, Debug, Default)]
pub struct Aggregate {
    sources: BTreeMap<String, Source>,
    totals: Named,
    pending: Named,
    samples: BTreeMap<String, Vec<String>>,
    notes: Vec<String>,
    server_version: Option<String>,
}

impl Aggregate {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a snapshot in.
    pub fn absorb(&mut self, snapshot: &Snapshot) -> Absorbed {
        if !self.sources.contains_key(&snapshot.source) && self.sources.len() >= MAX_SOURCES {
            return Absorbed::TooManySources;
        }
        let source = self.sources.entry(snapshot.source.clone()).or_default();
        if !source.admit(snapshot.seq) {
            return Absorbed::Repeated;
        }
        if source.latest.is_none_or(|latest| latest < snapshot.seq) {
            source.latest = Some(snapshot.seq);
            source.elapsed_us = snapshot.elapsed_us;
            source.counters = snapshot.counters.clone();
            source.gauges = snapshot.gauges;
            source.generator = snapshot.generator;
        }
        self.totals.merge(&snapshot.histograms);
        self.pending.merge(&snapshot.histograms);
        merge_samples(&mut self.samples, &snapshot.samples);
        let room = MAX_NOTES.saturating_sub(self.notes.len());
        self.notes.extend(snapshot.notes.iter().take(room).cloned());
        if let Some(version) = &snapshot.target.server_version {
            // Any of them would do; the smallest makes the order of arrival irrelevant.
            if self.server_version.as_ref().is_none_or(|own| version < own) {
                self.server_version = Some(version.clone());
            }
        }
        Absorbed::Counted
    }

    /// A source went away. What it had reported stays; its sessions are no longer open. Returns how many it had started
    /// and not ended, as of its last snapshot (0 for a source that never reported).
    pub fn lost(&mut self, source: &str) -> u64 {
        self.sources.get_mut(source).map_or(0, |source| {
            source.lost = true;
            source.counters.sessions.unfinished()
        })
    }

    /// The whole as a snapshot: what has come since the last call makes its histograms and notes.
    pub fn merged(&mut self, stamp: Stamp) -> Snapshot {
        let totals = self.totals_without_histograms();
        let mut snapshot = Snapshot::stamped(stamp);
        snapshot.counters = totals.counters;
        snapshot.gauges = totals.gauges;
        snapshot.generator.merge(&totals.generator);
        snapshot.histograms = std::mem::take(&mut self.pending);
        snapshot.samples = totals.samples;
        snapshot.notes.append(&mut self.notes);
        if snapshot.target.server_version.is_none() {
            snapshot.target.server_version = totals.server_version;
        }
        snapshot
    }

    /// The whole, from the start of the run.
    pub fn totals(&self) -> Totals {
        Totals {
            histograms: self.totals.clone(),
            ..self.totals_without_histograms()
        }
    }

    fn totals_without_histograms(&self) -> Totals {
        let mut totals = Totals {
            samples: self.samples.clone(),
            server_version: self.server_version.clone(),
            ..Totals::default()
        };
        for (name, source) in &self.sources {
            totals.elapsed_us = totals.elapsed_us.max(source.elapsed_us);
            totals.counters.merge(&source.counters);
            totals.generator.cpu_us = totals.generator.cpu_us.saturating_add(source.generator.cpu_us);
            if source.lost {
                totals.gauges.peak_open = totals.gauges.peak_open.saturating_add(source.gauges.peak_open);
                let peak = &mut totals.generator.rss_peak_bytes;
                *peak = peak.saturating_add(source.generator.rss_peak_bytes);
                totals.lost.sources.push(name.clone());
                let unfinished = source.counters.sessions.unfinished();
                totals.lost.sessions = totals.lost.sessions.saturating_add(unfinished);
            } else {
                totals.gauges.merge(&source.gauges);
                totals.generator.merge(&Generator {
                    cpu_us: 0,
                    ..source.generator
                });
            }
        }
        totals
    }
}

/// Notes kept between two calls of [`Aggregate::merged`].
const MAX_NOTES: usize = 100;

/// Keeps the smallest [`MAX_SAMPLES`] texts of each verdict, so that the order of merging does not matter.
pub(crate) fn merge_samples(to: &mut BTreeMap<String, Vec<String>>, from: &BTreeMap<String, Vec<String>>) {
    for (verdict, texts) in from {
        if crate::verdict::Verdict::from_name(verdict).is_none() {
            continue;
        }
        let kept = to.entry(verdict.clone()).or_default();
        kept.extend(texts.iter().cloned());
        kept.sort();
        kept.dedup();
        kept.truncate(MAX_SAMPLES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::Histogram;
    use proptest::prelude::*;

    /// A source's snapshots: each interval starts one session more and records some values.
    fn stream(source: &str, intervals: &[Vec<u64>]) -> Vec<Snapshot> {
        let mut counters = Counters::default();
        let number = |(seq, values): (u64, &Vec<u64>)| {
            let mut histogram = Histogram::new();
            for us in values {
                histogram.record_us(*us);
            }
            counters.sessions.started += values.len() as u64;
            counters.sessions.ended += 1.min(values.len() as u64);
            counters
                .close_codes
                .add(1000 + u16::try_from(seq % 3).unwrap(), 1);
            let mut snapshot = Snapshot::stamped(Stamp {
                source: source.to_owned(),
                seq,
                elapsed_us: seq * 1_000_000,
                ..Stamp::default()
            });
            snapshot.counters = counters.clone();
            snapshot.gauges.open = values.len() as u64;
            snapshot.gauges.peak_open = seq;
            snapshot.generator.cpu_us = seq * 10;
            snapshot.histograms.insert("ready", histogram);
            let text = format!("evidence {source} {seq}");
            snapshot.samples.insert("clw-auth-failed".to_owned(), vec![text]);
            snapshot
        };
        (1..).zip(intervals).map(number).collect()
    }

    fn absorb_all<'a>(snapshots: impl IntoIterator<Item = &'a Snapshot>) -> Aggregate {
        let mut aggregate = Aggregate::new();
        for snapshot in snapshots {
            aggregate.absorb(snapshot);
        }
        aggregate
    }

    #[test]
    fn a_lost_source_keeps_what_it_had_reported() {
        let a = stream("a", &[vec![10, 20, 30]]);
        let b = stream("b", &[vec![40; 5]]);
        let mut aggregate = absorb_all(a.iter().chain(&b));
        let before = aggregate.totals();
        assert_eq!(aggregate.lost("b"), 4);
        assert_eq!(aggregate.lost("nobody"), 0);
        let after = aggregate.totals();
        assert_eq!(after.counters, before.counters);
        assert_eq!(after.histograms, before.histograms);
        assert_eq!(after.gauges.open, 3);
        assert_eq!(after.gauges.peak_open, before.gauges.peak_open);
        assert_eq!(
            after.lost,
            Lost {
                sources: vec!["b".to_owned()],
                sessions: 4
            }
        );
    }

    #[test]
    fn a_source_that_floods_numbers_takes_bounded_memory() {
        let mut source = Source::default();
        for seq in (0..1_000_000_u64).step_by(2) {
            assert!(source.admit(seq + 7));
        }
        assert!(source.seen.len() <= WINDOW);
        assert!(!source.admit(7));
    }

    #[test]
    fn more_sources_than_a_run_has_are_turned_away() {
        let mut aggregate = Aggregate::new();
        let named = |i: usize| {
            Snapshot::stamped(Stamp {
                source: format!("s{i}"),
                ..Stamp::default()
            })
        };
        for i in 0..MAX_SOURCES {
            assert_eq!(aggregate.absorb(&named(i)), Absorbed::Counted);
        }
        assert_eq!(aggregate.absorb(&named(MAX_SOURCES)), Absorbed::TooManySources);
    }

    fn intervals() -> impl Strategy<Value = Vec<Vec<u64>>> {
        prop::collection::vec(prop::collection::vec(1_u64..1_000_000, 0..5), 0..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn order_and_repetition_do_not_matter(
            a in intervals(), b in intervals(), order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let all: Vec<Snapshot> = [stream("a", &a), stream("b", &b)].concat();
            let straight = absorb_all(&all);
            // A random walk over the snapshots, then all of them backwards: every one comes, some more than once.
            let walk = order.iter().filter(|_| !all.is_empty()).map(|index| index.get(&all));
            let mixed = absorb_all(walk.chain(all.iter().rev()));
            prop_assert_eq!(mixed.totals(), straight.totals());
            let values: u64 = a.iter().chain(&b).map(|v| v.len() as u64).sum();
            prop_assert_eq!(straight.totals().histograms.summary("ready").count, values);
            prop_assert_eq!(straight.totals().counters.sessions.started, values);
        }

        #[test]
        fn aggregates_of_aggregates_equal_one_aggregate(a in intervals(), b in intervals(), c in intervals()) {
            let (a, b, c) = (stream("a", &a), stream("b", &b), stream("c", &c));
            let flat = absorb_all(a.iter().chain(&b).chain(&c)).totals();
            let mut shard = Aggregate::new();
            let mut upper = Aggregate::new();
            for (seq, snapshot) in (1..).zip(a.iter().chain(&b)) {
                shard.absorb(snapshot);
                let elapsed_us = shard.totals().elapsed_us;
                let line = shard.merged(Stamp { source: "shard".to_owned(), seq, elapsed_us, ..Stamp::default() });
                upper.absorb(&Snapshot::parse_line(&line.to_line()).unwrap());
            }
            for snapshot in &c {
                upper.absorb(snapshot);
            }
            prop_assert_eq!(upper.totals(), flat);
        }
    }
}

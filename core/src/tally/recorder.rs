//! What one worker writes into.

use super::counters::{Counters, Gauges};
use super::metric::{MAX_CALLS, Metric};
use crate::histogram::{Histogram, Named};
use crate::verdict::Verdict;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many evidence texts are kept for each verdict.
pub const MAX_SAMPLES: usize = 3;
/// How long such a text may be, in characters.
pub const MAX_SAMPLE_CHARS: usize = 300;

/// Counters and histograms of one worker. Not shared; see the module's head.
#[derive(Debug)]
pub struct Tally {
    /// Cumulative counters.
    pub counters: Counters,
    /// What is the case now.
    pub gauges: Gauges,
    calls: Box<[String]>,
    fixed: [Histogram; Metric::FIXED.len()],
    rpc: Box<[Histogram]>,
    rpc_service: Box<[Histogram]>,
    samples: BTreeMap<Verdict, Vec<String>>,
}

/// The histograms of one interval, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interval {
    /// Those with values.
    pub histograms: Named,
}

impl Tally {
    /// For a scenario with these calls (at most [`MAX_CALLS`] of them have histograms).
    pub fn new(calls: &[String]) -> Self {
        let histograms = || calls.iter().take(MAX_CALLS).map(|_| Histogram::new()).collect();
        let mut counters = Counters::default();
        for call in calls {
            counters.rpc.insert(call.clone(), super::RpcCounts::default());
        }
        Self {
            counters,
            gauges: Gauges::default(),
            calls: calls.into(),
            fixed: std::array::from_fn(|_| Histogram::new()),
            rpc: histograms(),
            rpc_service: histograms(),
            samples: BTreeMap::new(),
        }
    }

    /// Records a duration. Calls that the scenario does not have are ignored.
    pub fn record(&mut self, metric: Metric, duration: Duration) {
        let histogram = match metric {
            Metric::Rpc(call) => self.rpc.get_mut(usize::from(call)),
            Metric::RpcService(call) => self.rpc_service.get_mut(usize::from(call)),
            fixed => fixed.fixed_index().and_then(|i| self.fixed.get_mut(i)),
        };
        if let Some(histogram) = histogram {
            histogram.record(duration);
        }
    }

    /// A request was answered: counts it and records both of its times.
    pub fn rpc_answered(&mut self, call: u16, response: Duration, service: Duration, ok: bool) {
        self.record(Metric::Rpc(call), response);
        self.record(Metric::RpcService(call), service);
        if let Some(counts) = self.rpc_counts(call) {
            counts.answered += 1;
            counts.errors += u64::from(!ok);
        }
    }

    /// A request got no answer.
    pub fn rpc_unanswered(&mut self, call: u16) {
        if let Some(counts) = self.rpc_counts(call) {
            counts.unanswered += 1;
        }
    }

    fn rpc_counts(&mut self, call: u16) -> Option<&mut super::RpcCounts> {
        let name = self.calls.get(usize::from(call))?;
        self.counters.rpc.get_mut(name)
    }

    /// Keeps the evidence of an ending if fewer than [`MAX_SAMPLES`] of its verdict are kept; the text is made only then.
    pub fn sample(&mut self, verdict: Verdict, text: impl FnOnce() -> String) {
        let kept = self.samples.entry(verdict).or_default();
        if kept.len() < MAX_SAMPLES {
            let text: String = text().chars().take(MAX_SAMPLE_CHARS).collect();
            if !kept.contains(&text) {
                kept.push(text);
            }
        }
    }

    /// The evidence texts kept so far.
    pub fn samples(&self) -> &BTreeMap<Verdict, Vec<String>> {
        &self.samples
    }

    /// Hands out the histograms since the last call, and starts new ones.
    pub fn interval(&mut self) -> Interval {
        let mut histograms = Named::new();
        for (metric, histogram) in Metric::FIXED.iter().zip(&mut self.fixed) {
            take(&mut histograms, metric.name(), histogram);
        }
        for (prefix, all) in [("rpc", &mut self.rpc), ("rpc_service", &mut self.rpc_service)] {
            for (call, histogram) in self.calls.iter().zip(all) {
                if !histogram.is_empty() {
                    take(&mut histograms, &format!("{prefix}.{call}"), histogram);
                }
            }
        }
        Interval { histograms }
    }
}

/// A new histogram costs zeroed pages that are touched one by one; clearing the old one after a copy would touch all.
fn take(into: &mut Named, name: &str, histogram: &mut Histogram) {
    if !histogram.is_empty() {
        into.insert(name, std::mem::take(histogram));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn an_interval_holds_what_was_recorded_since_the_last() {
        let mut tally = Tally::new(&["health".to_owned()]);
        for (i, metric) in (1..).zip(Metric::FIXED) {
            tally.record(metric, MS * i);
        }
        tally.rpc_answered(0, MS * 3, MS * 2, true);
        tally.rpc_answered(0, MS * 4, MS * 2, false);
        tally.rpc_unanswered(0);
        tally.rpc_answered(7, MS, MS, true);
        let interval = tally.interval().histograms;
        assert_eq!(interval.iter().count(), Metric::FIXED.len() + 2);
        assert_eq!(interval.summary("rpc.health").count, 2);
        assert_eq!(interval.summary("rpc_service.health").max, 2000);
        assert_eq!(interval.summary("schedule_lag").p50, 11_007);
        assert!(tally.interval().histograms.is_empty());
        let counts = tally.counters.rpc["health"];
        assert_eq!((counts.answered, counts.errors, counts.unanswered), (2, 1, 1));
    }

    #[test]
    fn evidence_is_kept_three_times_and_no_more() {
        let mut tally = Tally::new(&[]);
        for i in 0..10 {
            tally.sample(Verdict::AuthFailed, || format!("{i}{}", "x".repeat(400)));
        }
        tally.sample(Verdict::Ok, || "same".to_owned());
        tally.sample(Verdict::Ok, || "same".to_owned());
        let kept = &tally.samples()[&Verdict::AuthFailed];
        assert_eq!(kept.len(), MAX_SAMPLES);
        assert!(kept.iter().all(|text| text.chars().count() == MAX_SAMPLE_CHARS));
        assert_eq!(tally.samples()[&Verdict::Ok].len(), 1);
    }
}

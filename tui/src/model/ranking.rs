//! Endings in the order in which they matter now.

use super::History;
use clw_core::tally::Counters;
use clw_core::verdict::Verdict;

/// Seconds over which a trend is judged, against as many before.
const TREND_SECONDS: u64 = 10;
/// Seconds that decide the order.
const ORDER_SECONDS: u64 = 60;

/// Where an ending is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trend {
    /// Seen for the first time in the last seconds.
    New,
    /// More than before.
    Rising,
    /// As before.
    Steady,
    /// Less than before.
    Falling,
    /// None in the last seconds, some in the last minute.
    Stopped,
    /// None in the last minute.
    Past,
}

impl Trend {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Rising => "rising",
            Self::Steady => "steady",
            Self::Falling => "falling",
            Self::Stopped => "stopped",
            Self::Past => "past",
        }
    }

    /// As a sign.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::New => "*",
            Self::Rising => "↑",
            Self::Steady => "→",
            Self::Falling => "↓",
            Self::Stopped => "–",
            Self::Past => "·",
        }
    }
}

/// One line of the ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// Which ending.
    pub verdict: Verdict,
    /// How many connections ended so in the run.
    pub count: u64,
    /// In the last minute.
    pub last_minute: u64,
    /// A second, over the last 10 s.
    pub per_second: f64,
    /// Where it is going.
    pub trend: Trend,
}

/// All endings that were met: errors first, by the last minute and then by the run; what is no error after them.
pub fn rank(counters: &Counters, history: &History) -> Vec<Ranked> {
    let now = history.now();
    let in_seconds = |verdict: Verdict, from: u64, to: u64| -> u64 {
        history
            .between(from, to)
            .map(|p| p.delta.endings[verdict.index()])
            .sum()
    };
    let mut ranked: Vec<Ranked> = Verdict::ALL
        .into_iter()
        .filter_map(|verdict| {
            let count = counters.verdicts[verdict.index()] + counters.drops[verdict.index()];
            if count == 0 {
                return None;
            }
            let middle = now.saturating_sub(TREND_SECONDS);
            let recent = in_seconds(verdict, middle, now);
            let before = in_seconds(verdict, middle.saturating_sub(TREND_SECONDS), middle);
            let last_minute = in_seconds(verdict, now.saturating_sub(ORDER_SECONDS), now);
            let covered = TREND_SECONDS.min(now).max(1);
            Some(Ranked {
                verdict,
                count,
                last_minute,
                per_second: recent as f64 / covered as f64,
                trend: trend(recent, before, last_minute, count),
            })
        })
        .collect();
    ranked.sort_by_key(|r| {
        (
            !r.verdict.is_error(),
            std::cmp::Reverse((r.last_minute, r.count)),
            r.verdict,
        )
    });
    ranked
}

/// Differences within the noise of counting (two standard deviations) are steady.
fn trend(recent: u64, before: u64, last_minute: u64, count: u64) -> Trend {
    let noise = 2.0 * ((recent + before) as f64).sqrt();
    let difference = recent as f64 - before as f64;
    if last_minute == 0 {
        Trend::Past
    } else if recent == 0 {
        Trend::Stopped
    } else if recent == count && before == 0 {
        Trend::New
    } else if difference.abs() <= noise {
        Trend::Steady
    } else if difference > 0.0 {
        Trend::Rising
    } else {
        Trend::Falling
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Delta;
    use clw_core::tally::Gauges;
    use std::collections::BTreeMap;

    fn ranked(per_second: &[(Verdict, &[u64])]) -> Vec<Ranked> {
        let mut history = History::default();
        let mut counters = Counters::default();
        let length = per_second.iter().map(|(_, c)| c.len()).max().unwrap_or(0);
        for second in 0..length {
            let mut delta = Delta::default();
            for (verdict, counts) in per_second {
                let count = counts.get(second).copied().unwrap_or(0);
                delta.endings[verdict.index()] = count;
                counters.verdicts[verdict.index()] += count;
            }
            history.add(
                second as u64 + 1,
                1,
                &delta,
                Gauges::default().into(),
                &BTreeMap::new(),
            );
        }
        rank(&counters, &history)
    }

    #[test]
    fn what_happens_now_stands_above_what_happened_long_ago() {
        let mut old = vec![1000];
        old.extend([0; 99]);
        let mut new = vec![0; 98];
        new.extend([5, 5]);
        let ranked = ranked(&[
            (Verdict::AuthFailed, &old),
            (Verdict::ServerRestart, &new),
            (Verdict::Ok, &[9; 100]),
        ]);
        let order: Vec<_> = ranked.iter().map(|r| (r.verdict, r.trend)).collect();
        assert_eq!(
            order,
            [
                (Verdict::ServerRestart, Trend::New),
                (Verdict::AuthFailed, Trend::Past),
                (Verdict::Ok, Trend::Steady)
            ]
        );
    }

    #[test]
    fn a_trend_is_more_than_noise() {
        let steady: Vec<u64> = (0..20).map(|s| 5 + s % 2).collect();
        let mut rising = vec![1; 10];
        rising.extend([10; 10]);
        let falling: Vec<u64> = rising.iter().rev().copied().collect();
        for (counts, trend) in [
            (steady, Trend::Steady),
            (rising, Trend::Rising),
            (falling, Trend::Falling),
            ([[9; 20], [0; 20]].concat(), Trend::Stopped),
        ] {
            assert_eq!(ranked(&[(Verdict::AuthFailed, &counts)])[0].trend, trend);
        }
    }
}

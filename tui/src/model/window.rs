//! Error rates over a window of time.
//!
//! A rate is the share of the connections exposed in the window that ended in an error. Exposed are those that were open
//! when the window began and those that began in it. Over a whole run without reconnects this is the error rate of
//! clw-bench's result: errors ÷ sessions started.

use super::History;
use clw_core::tally::Counters;
use clw_core::verdict::Verdict;

/// What happened in the last seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// How long it is: less than was asked for where the past is shorter.
    pub seconds: u64,
    /// Connections that ended in an error.
    pub errors: u64,
    /// Connections that could have.
    pub exposed: u64,
}

impl Window {
    /// The last `seconds` up to `to`.
    pub fn ending(history: &History, to: u64, seconds: u64) -> Self {
        let from = to.saturating_sub(seconds);
        let mut window = Self::default();
        for point in history.between(from, to) {
            window.errors += point.delta.errors();
            window.exposed += point.delta.begun;
            window.seconds += point.covers.max(1);
        }
        let known = history.at(from).filter(|_| from > 0);
        window.exposed += match (known, history.points().next()) {
            (Some(point), _) => point.gauges.open,
            // Before all that is known: what the first second found open, where the dashboard came in mid-run.
            (None, Some(first)) => {
                let ended: u64 = first.delta.endings.iter().sum();
                (first.gauges.open + ended).saturating_sub(first.delta.begun)
            }
            (None, None) => 0,
        };
        window
    }

    /// The worst second after `from` and up to `to`: its rate in percent; `None` where nothing was exposed or seen.
    pub fn worst_second(history: &History, from: u64, to: u64) -> Option<f64> {
        let seen = |second| {
            let point = history.covering(second)?;
            let seconds = point.covers.max(1);
            Self::ending(history, point.second, seconds).rate_pct()
        };
        (from + 1..=to).filter_map(seen).max_by(f64::total_cmp)
    }

    /// A whole run, from its counters.
    pub fn whole(counters: &Counters, elapsed_us: u64) -> Self {
        let errors = counters.errors().iter().sum::<u64>() + errors_of(&counters.drops);
        Self {
            seconds: elapsed_us / 1_000_000,
            errors,
            exposed: connections_begun(counters),
        }
    }

    /// Errors among the exposed, in percent; `None` where nothing was exposed.
    pub fn rate_pct(&self) -> Option<f64> {
        (self.exposed > 0).then(|| (self.errors as f64 * 100.0 / self.exposed as f64).min(100.0))
    }

    /// Errors a second.
    pub fn per_second(&self) -> f64 {
        self.errors as f64 / self.seconds.max(1) as f64
    }
}

/// Endings that count as errors.
pub fn errors_of(endings: &[u64; Verdict::COUNT]) -> u64 {
    Verdict::ALL
        .iter()
        .filter(|v| v.is_error())
        .map(|v| endings[v.index()])
        .sum()
}

/// Sessions begun and reconnects.
pub fn connections_begun(counters: &Counters) -> u64 {
    counters.sessions.started + counters.reconnect.attempts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Delta;
    use clw_core::tally::Gauges;
    use std::collections::BTreeMap;

    fn history(seconds: &[(u64, u64, u64)]) -> History {
        let mut history = History::default();
        for (second, (open, begun, errors)) in (1..).zip(seconds) {
            let mut delta = Delta {
                begun: *begun,
                ..Delta::default()
            };
            delta.endings[Verdict::AuthFailed.index()] = *errors;
            let gauges = Gauges {
                open: *open,
                ..Gauges::default()
            };
            history.add(second, 1, &delta, gauges.into(), &BTreeMap::new());
        }
        history
    }

    #[test]
    fn held_sessions_that_drop_are_a_share_of_those_open() {
        let history = history(&[(100, 100, 0), (100, 0, 0), (50, 0, 50)]);
        let now = Window::ending(&history, 3, 1);
        assert_eq!((now.errors, now.exposed, now.rate_pct()), (50, 100, Some(50.0)));
    }

    #[test]
    fn short_sessions_that_fail_are_a_share_of_those_begun() {
        let history = history(&[(0, 20, 1), (0, 20, 3)]);
        let both = Window::ending(&history, 2, 10);
        assert_eq!((both.seconds, both.errors, both.exposed), (2, 4, 40));
        assert!((both.per_second() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn sessions_that_were_up_before_the_dashboard_came_are_exposed() {
        let history = history(&[(80, 0, 0), (70, 0, 10)]);
        let minute = Window::ending(&history, 2, 60);
        assert_eq!((minute.errors, minute.exposed), (10, 80));
    }

    #[test]
    fn nothing_exposed_is_no_rate() {
        assert_eq!(Window::ending(&History::default(), 0, 10).rate_pct(), None);
    }

    #[test]
    fn the_whole_run_agrees_with_the_result_of_the_generator() {
        let mut counters = Counters::default();
        counters.sessions.started = 200;
        counters.verdicts[Verdict::AuthFailed.index()] = 7;
        counters.verdicts[Verdict::Ok.index()] = 193;
        let rate = Window::whole(&counters, 5_000_000).rate_pct().unwrap();
        assert!((rate - clw_core::uptime::error_rate_pct(7, 200)).abs() < 1e-9);
    }
}

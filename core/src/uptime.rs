//! Uptime and error-rate arithmetic.

use crate::tally::Counters;
use crate::verdict::Verdict;

/// Ready session-time ÷ session-time that was meant to be ready, in percent.
///
/// Where no session was meant to stay (no hold), it is the share of started sessions that became ready; where none was
/// started, it is 100.
pub fn uptime_pct(counters: &Counters) -> f64 {
    let uptime = counters.uptime;
    if uptime.meant_us > 0 {
        percent(uptime.ready_us, uptime.meant_us)
    } else if counters.sessions.started > 0 {
        percent(counters.sessions.ready, counters.sessions.started)
    } else {
        100.0
    }
}

/// Sessions that ended in an error ÷ sessions started, in percent; 0 where none was started.
///
/// `ok` and `open` are no errors, `incomplete` neither. A drop that a reconnect made good is no ending.
pub fn error_rate_pct(counters: &Counters) -> f64 {
    if counters.sessions.started == 0 {
        0.0
    } else {
        percent(errors(counters), counters.sessions.started)
    }
}

/// Sessions that ended in an error.
pub fn errors(counters: &Counters) -> u64 {
    Verdict::ALL
        .into_iter()
        .filter(|verdict| verdict.is_error())
        .map(|verdict| counters.verdicts[verdict.index()])
        .fold(0, u64::saturating_add)
}

/// `part` of `whole` in percent, from 0 to 100; 0 of 0 is 0.
pub fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        (part as f64 / whole as f64 * 100.0).min(100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counters(started: u64, ready: u64, ready_us: u64, meant_us: u64) -> Counters {
        let mut counters = Counters::default();
        counters.sessions.started = started;
        counters.sessions.ready = ready;
        counters.uptime.ready_us = ready_us;
        counters.uptime.meant_us = meant_us;
        counters
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn without_hold_uptime_is_the_share_that_became_ready() {
        assert!(close(uptime_pct(&counters(10, 9, 0, 0)), 90.0));
        assert!(close(uptime_pct(&counters(0, 0, 0, 0)), 100.0));
        assert!(close(uptime_pct(&counters(10, 10, 75, 100)), 75.0));
    }

    #[test]
    fn sessions_that_stay_open_are_no_errors() {
        let mut counters = counters(4, 4, 0, 0);
        counters.verdicts[Verdict::Open.index()] = 2;
        counters.verdicts[Verdict::Ok.index()] = 1;
        counters.verdicts[Verdict::AuthFailed.index()] = 1;
        counters.drops[Verdict::HeartbeatMiss.index()] = 5;
        assert!(close(error_rate_pct(&counters), 25.0));
    }

    proptest! {
        #[test]
        fn both_are_percentages(started in 0..u64::MAX, ready in 0..u64::MAX, a in 0..u64::MAX, b in 0..u64::MAX,
            verdicts in prop::array::uniform27(0..u64::MAX)) {
            let mut counters = counters(started, ready, a, b);
            counters.verdicts = verdicts;
            for value in [uptime_pct(&counters), error_rate_pct(&counters)] {
                prop_assert!((0.0..=100.0).contains(&value), "{value}");
            }
        }

        #[test]
        fn more_ready_time_never_lowers_uptime(meant in 1..u64::MAX / 2, a in 0..u64::MAX / 2, more in 0..1000_u64) {
            prop_assert!(uptime_pct(&counters(1, 1, a, meant)) <= uptime_pct(&counters(1, 1, a + more, meant)));
        }

        #[test]
        fn uptime_of_a_whole_lies_between_its_parts(
            m1 in 1..1_000_000_u64, m2 in 1..1_000_000_u64, r1 in 0..1_000_000_u64, r2 in 0..1_000_000_u64,
        ) {
            let (a, b) = (counters(1, 1, r1.min(m1), m1), counters(1, 1, r2.min(m2), m2));
            let mut whole = a.clone();
            whole.merge(&b);
            let (a, b, whole) = (uptime_pct(&a), uptime_pct(&b), uptime_pct(&whole));
            prop_assert!(whole >= a.min(b) - 1e-9 && whole <= a.max(b) + 1e-9);
        }
    }
}

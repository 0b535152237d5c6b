//! Uptime and error-rate arithmetic.

use crate::tally::{Sessions, Uptime};

/// Ready session-time as a percentage of the session-time that was meant to be ready.
///
/// Where nothing was meant to be ready (sessions without a hold), it is the share of started sessions that became ready;
/// without any session it is 100.
pub fn uptime_pct(uptime: Uptime, sessions: Sessions) -> f64 {
    if uptime.meant_us > 0 {
        percent(uptime.ready_us.min(uptime.meant_us), uptime.meant_us)
    } else if sessions.started > 0 {
        percent(sessions.ready.min(sessions.started), sessions.started)
    } else {
        100.0
    }
}

/// Sessions that ended in an error, as a percentage of those that were started.
pub fn error_rate_pct(errors: u64, started: u64) -> f64 {
    if started == 0 {
        0.0
    } else {
        percent(errors.min(started), started)
    }
}

/// Six decimals: enough to tell one in ten million, and the same on every machine.
fn percent(part: u64, whole: u64) -> f64 {
    (part as f64 * 1e8 / whole as f64).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_a_hold_uptime_is_the_share_that_became_ready() {
        let sessions = Sessions {
            started: 4,
            ready: 3,
            ..Sessions::default()
        };
        assert!((uptime_pct(Uptime::default(), sessions) - 75.0).abs() < 1e-9);
        assert!((uptime_pct(Uptime::default(), Sessions::default()) - 100.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn percentages_stay_between_0_and_100(a: u64, b: u64, c: u64, d: u64) {
            let sessions = Sessions { started: c, ready: d, ..Sessions::default() };
            let up = uptime_pct(Uptime { ready_us: a, meant_us: b }, sessions);
            prop_assert!((0.0..=100.0).contains(&up));
            prop_assert!((0.0..=100.0).contains(&error_rate_pct(a, b)));
        }

        #[test]
        fn uptime_is_the_ratio_of_its_sums(ready in 0u64..1_000_000, extra in 1u64..1_000_000) {
            let up = uptime_pct(Uptime { ready_us: ready, meant_us: ready + extra }, Sessions::default());
            prop_assert!((up - ready as f64 * 100.0 / (ready + extra) as f64).abs() < 1e-5);
        }
    }
}

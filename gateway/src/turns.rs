//! Who may send when all want to at once.

use clw_core::time::Instant;
use std::time::Duration;

/// A crowd smaller than the spread is for goes at this pace: a thousand sessions have their turn within half a second.
const LEAST_PER_MS: f64 = 2.0;

/// Hands out instants at a limited rate, so that the ticks of twenty thousand sessions, all due at the same instant, do not
/// hold up whoever connects in that moment.
#[derive(Debug)]
pub(crate) struct Turns {
    spread: Duration,
    next: Instant,
}

impl Turns {
    /// Turns that are all over within `spread`; zero lets all go at once.
    pub(crate) fn new(spread: Duration) -> Self {
        Self {
            spread,
            next: Instant::ORIGIN,
        }
    }

    /// The instant at which the next of `open` sessions may send; `now` when there is no crowd.
    pub(crate) fn take(&mut self, now: Instant, open: u64) -> Instant {
        if self.spread.is_zero() {
            return now;
        }
        let per_second = (open as f64 / self.spread.as_secs_f64()).max(LEAST_PER_MS * 1000.0);
        let turn = self.next.max(now);
        self.next = turn + Duration::from_secs_f64(1.0 / per_second).max(Duration::from_micros(1));
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_lonely_session_sends_at_once_and_without_a_spread_all_do() {
        let mut turns = Turns::new(Duration::from_secs(3));
        for second in 1..10 {
            let now = Instant::from_millis(second * 1000);
            assert_eq!(turns.take(now, 1), now);
        }
        let mut turns = Turns::new(Duration::ZERO);
        let now = Instant::from_millis(1);
        assert!((0..1000).all(|_| turns.take(now, 1000) == now));
    }

    proptest! {
        #[test]
        fn a_crowd_has_had_its_turns_within_the_spread(open in 1u64..20_000, spread_ms in 50u64..10_000) {
            let mut turns = Turns::new(Duration::from_millis(spread_ms));
            let now = Instant::from_millis(5);
            let last = (0..open).map(|_| turns.take(now, open)).last().unwrap();
            prop_assert!(last.since(now) <= Duration::from_millis(spread_ms));
            prop_assert!(last.since(now) <= Duration::from_millis(open / 2 + 1));
        }
    }
}

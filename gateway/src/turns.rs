//! Who may send when all want to at once.

use clw_core::time::{Instant, micros};
use std::time::Duration;

/// Sends a millisecond that leave a core time for handshakes; 20 000 ticks take 1.3 s of their 30.
const USUAL_PER_MS: u64 = 16;
/// However short the period, all have had their turn in this part of it.
const PART_OF_PERIOD: u64 = 4;

/// Hands out instants at a limited rate, so that the ticks of twenty thousand sessions, all due at the same instant, do not
/// hold up whoever connects in that moment.
#[derive(Debug)]
pub(crate) struct Turns {
    period_ms: u64,
    next: Instant,
}

impl Turns {
    /// For timers of this period.
    pub(crate) fn new(period: Duration) -> Self {
        Self {
            period_ms: (micros(period) / 1000).max(1),
            next: Instant::ORIGIN,
        }
    }

    /// The instant at which the next of `open` sessions may send; `now` when there is no crowd.
    pub(crate) fn take(&mut self, now: Instant, open: u64) -> Instant {
        let per_ms = USUAL_PER_MS.max(open.saturating_mul(PART_OF_PERIOD) / self.period_ms);
        let turn = self.next.max(now);
        self.next = turn + Duration::from_nanos(1_000_000 / per_ms.max(1)).max(Duration::from_micros(1));
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_lonely_session_sends_at_once() {
        let mut turns = Turns::new(Duration::from_secs(30));
        for second in 1..10 {
            let now = Instant::from_millis(second * 1000);
            assert_eq!(turns.take(now, 1), now);
        }
    }

    proptest! {
        #[test]
        fn a_crowd_has_had_its_turns_in_good_time(open in 1u64..20_000, period_ms in 100u64..60_000) {
            let mut turns = Turns::new(Duration::from_millis(period_ms));
            let now = Instant::from_millis(5);
            let last = (0..open).map(|_| turns.take(now, open)).last().unwrap();
            let took = last.since(now);
            prop_assert!(took <= Duration::from_millis(period_ms / 3 + 10), "{:?}", took);
            prop_assert!(took <= Duration::from_millis(open / USUAL_PER_MS + 1));
        }
    }
}

//! Period, answers and misses.

use crate::time::Instant;
use std::time::Duration;

/// What a heartbeat wants done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send one.
    Send,
    /// The answer did not come in time.
    Missed {
        /// How long the peer has been silent.
        silence: Duration,
    },
    /// Nothing.
    Nothing,
}

/// One side's heartbeats: at most one is unanswered at a time.
///
/// Beats keep to the grid of their first one. Where the answer takes longer than a period, or the caller was late by
/// more than one, the beats that were passed over are left out: a peer that was slow is not made slower by a burst.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    period: Option<Duration>,
    timeout: Duration,
    next: Option<Instant>,
    unanswered: Option<Instant>,
}

impl Heartbeat {
    /// Every `period` (never, if `None` or zero), with `timeout` for the answer.
    pub fn new(period: Option<Duration>, timeout: Duration) -> Self {
        Self {
            period: period.filter(|period| !period.is_zero()),
            timeout,
            next: None,
            unanswered: None,
        }
    }

    /// The first is due a period from now; an answer that is still out is no longer waited for.
    pub fn start(&mut self, now: Instant) {
        self.unanswered = None;
        self.next = self.period.map(|period| now + period);
    }

    /// None is due any more, and no answer is waited for.
    pub fn stop(&mut self) {
        self.unanswered = None;
        self.next = None;
    }

    /// When [`Heartbeat::poll`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.unanswered.map(|sent| sent + self.timeout).or(self.next)
    }

    /// What is due. After [`Action::Send`] one is taken as sent; after [`Action::Missed`] it stops by itself.
    pub fn poll(&mut self, now: Instant) -> Action {
        if let Some(sent) = self.unanswered {
            if now < sent + self.timeout {
                return Action::Nothing;
            }
            self.stop();
            return Action::Missed {
                silence: now.since(sent),
            };
        }
        match (self.next, self.period) {
            (Some(next), Some(period)) if now >= next => {
                self.unanswered = Some(now);
                self.next = Some(after(next, period, now));
                Action::Send
            }
            _ => Action::Nothing,
        }
    }

    /// An answer came; its round trip, if one was waited for.
    pub fn answered(&mut self, now: Instant) -> Option<Duration> {
        let sent = self.unanswered.take()?;
        if let (Some(next), Some(period)) = (self.next, self.period)
            && next <= now
        {
            self.next = Some(after(next, period, now));
        }
        Some(now.since(sent))
    }

    /// Since when an answer is waited for.
    pub fn unanswered_since(&self) -> Option<Instant> {
        self.unanswered
    }
}

/// The first point of the grid `from + n × period` that is later than `now`.
pub(crate) fn after(from: Instant, period: Duration, now: Instant) -> Instant {
    let period_us = crate::time::micros(period).max(1);
    let passed = crate::time::micros(now.since(from)) / period_us + 1;
    from + Duration::from_micros(period_us.saturating_mul(passed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PERIOD: Duration = Duration::from_secs(2);
    const TIMEOUT: Duration = Duration::from_secs(3);

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn started() -> Heartbeat {
        let mut heartbeat = Heartbeat::new(Some(PERIOD), TIMEOUT);
        heartbeat.start(at(0));
        heartbeat
    }

    #[test]
    fn the_first_is_due_after_a_period_and_its_round_trip_is_told() {
        let mut heartbeat = started();
        assert_eq!(heartbeat.deadline(), Some(at(2000)));
        assert_eq!(heartbeat.poll(at(1999)), Action::Nothing);
        assert_eq!(heartbeat.poll(at(2000)), Action::Send);
        assert_eq!(heartbeat.answered(at(2040)), Some(Duration::from_millis(40)));
        assert_eq!(heartbeat.answered(at(2041)), None, "only once");
        assert_eq!(heartbeat.deadline(), Some(at(4000)));
    }

    #[test]
    fn a_miss_tells_the_silence_and_stops() {
        let mut heartbeat = started();
        assert_eq!(heartbeat.poll(at(2000)), Action::Send);
        assert_eq!(heartbeat.poll(at(4999)), Action::Nothing);
        assert_eq!(heartbeat.poll(at(5000)), Action::Missed { silence: TIMEOUT });
        assert_eq!(heartbeat.deadline(), None);
        assert_eq!(heartbeat.poll(at(9000)), Action::Nothing);
    }

    #[test]
    fn beats_that_were_passed_over_are_left_out() {
        let mut heartbeat = started();
        assert_eq!(heartbeat.poll(at(9100)), Action::Send);
        assert_eq!(heartbeat.answered(at(9200)), Some(Duration::from_millis(100)));
        assert_eq!(heartbeat.poll(at(9200)), Action::Nothing);
        assert_eq!(heartbeat.deadline(), Some(at(10_000)));
        assert_eq!(heartbeat.poll(at(10_000)), Action::Send);
        assert_eq!(heartbeat.answered(at(12_500)), Some(Duration::from_millis(2500)));
        assert_eq!(heartbeat.poll(at(12_500)), Action::Nothing);
        assert_eq!(heartbeat.deadline(), Some(at(14_000)));
    }

    #[test]
    fn stopping_and_starting_forget_the_answer_that_was_out() {
        let mut heartbeat = started();
        assert_eq!(heartbeat.poll(at(2000)), Action::Send);
        heartbeat.stop();
        assert_eq!((heartbeat.deadline(), heartbeat.unanswered_since()), (None, None));
        heartbeat.start(at(10_000));
        assert_eq!(heartbeat.answered(at(10_001)), None);
        assert_eq!(heartbeat.deadline(), Some(at(12_000)));
    }

    proptest! {
        #[test]
        fn a_disabled_one_never_fires(times in prop::collection::vec(0u64..u64::MAX, 1..20), zero: bool) {
            let mut heartbeat = Heartbeat::new(zero.then_some(Duration::ZERO), TIMEOUT);
            heartbeat.start(at(0));
            for micros in times {
                prop_assert_eq!(heartbeat.poll(Instant::from_micros(micros)), Action::Nothing);
                prop_assert_eq!(heartbeat.deadline(), None);
            }
        }

        /// Against a list of what was sent and answered.
        #[test]
        fn at_most_one_is_unanswered_and_no_two_share_a_period(
            steps in prop::collection::vec((0u64..6000, any::<bool>()), 1..200),
        ) {
            let mut heartbeat = started();
            let mut now = at(0);
            let mut waiting: Option<Instant> = None;
            let mut slot = 0;
            for (millis, answer) in steps {
                now += Duration::from_millis(millis);
                let due = heartbeat.deadline();
                match heartbeat.poll(now) {
                    Action::Send => {
                        prop_assert!(waiting.is_none());
                        prop_assert!(due.is_some_and(|due| due <= now));
                        let this = now.as_micros() / 2_000_000;
                        prop_assert!(this > slot);
                        slot = this;
                        waiting = Some(now);
                    }
                    Action::Missed { silence } => {
                        prop_assert_eq!(Some(silence), waiting.map(|sent| now.since(sent)));
                        prop_assert!(silence >= TIMEOUT);
                        waiting = None;
                        heartbeat = Heartbeat::new(Some(PERIOD), TIMEOUT);
                        now = at(now.as_micros() / 2_000_000 * 2000);
                        heartbeat.start(now);
                        slot = now.as_micros() / 2_000_000;
                    }
                    Action::Nothing => prop_assert!(heartbeat.deadline().is_none_or(|due| due > now)),
                }
                if answer {
                    prop_assert_eq!(heartbeat.answered(now), waiting.take().map(|sent| now.since(sent)));
                }
                prop_assert_eq!(heartbeat.unanswered_since(), waiting);
            }
        }
    }
}

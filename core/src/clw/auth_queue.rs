//! The server's queue of logins that wait to be checked.

use crate::time::Instant;
use std::collections::VecDeque;
use std::time::Duration;

/// The queue has no room: the login is answered with DISCONNECT_AUTH `overload`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

/// A first-in, first-out queue in front of one checker, as arithmetic on instants: a login is told on entry when it will
/// have been checked. A client that goes away meanwhile keeps its place, as work that was begun does.
#[derive(Clone, Debug)]
pub struct AuthQueue {
    capacity: usize,
    service: Duration,
    /// When the logins that wait, or are being checked, will be done: ascending, at most `capacity`.
    done: VecDeque<Instant>,
    /// The checker does nothing before this.
    busy_until: Instant,
}

impl AuthQueue {
    /// Capacity of an unhardened server (article).
    pub const DEFAULT_CAPACITY: usize = 1024;

    /// Room for `capacity` logins, each of which takes `service` (zero: checked at once, never full).
    pub fn new(capacity: usize, service: Duration) -> Self {
        Self {
            capacity,
            service,
            done: VecDeque::new(),
            busy_until: Instant::ORIGIN,
        }
    }

    /// A login came: when it will have been checked.
    pub fn enter(&mut self, now: Instant) -> Result<Instant, QueueFull> {
        self.settle(now);
        let done = self.busy_until.max(now) + self.service;
        if done == now {
            return Ok(now);
        }
        if self.done.len() >= self.capacity {
            return Err(QueueFull);
        }
        self.busy_until = done;
        self.done.push_back(done);
        Ok(done)
    }

    /// Logins that wait or are being checked.
    pub fn pending(&mut self, now: Instant) -> usize {
        self.settle(now);
        self.done.len()
    }

    /// The checker stands still until then (a fault): whoever enters meanwhile waits.
    pub fn stall(&mut self, until: Instant) {
        self.busy_until = self.busy_until.max(until);
    }

    /// How long a check takes from now on.
    pub fn set_service(&mut self, service: Duration) {
        self.service = service;
    }

    fn settle(&mut self, now: Instant) {
        while self.done.front().is_some_and(|done| *done <= now) {
            self.done.pop_front();
        }
    }
}

impl Default for AuthQueue {
    fn default() -> Self {
        Self::new(Self::DEFAULT_CAPACITY, Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_one_past_the_capacity_is_turned_away_and_room_comes_with_time() {
        let mut queue = AuthQueue::new(1024, Duration::from_millis(1));
        let now = Instant::from_millis(10);
        for n in 1..=1024 {
            assert_eq!(queue.enter(now), Ok(now + Duration::from_millis(n)));
        }
        assert_eq!(queue.enter(now), Err(QueueFull));
        let later = now + Duration::from_millis(1);
        assert_eq!(queue.pending(later), 1023);
        assert_eq!(queue.enter(later), Ok(now + Duration::from_millis(1025)));
    }

    #[test]
    fn without_service_time_nobody_waits() {
        let mut queue = AuthQueue::new(0, Duration::ZERO);
        for micros in 0..10_000 {
            let now = Instant::from_micros(micros / 100);
            assert_eq!(queue.enter(now), Ok(now));
        }
    }

    #[test]
    fn a_stalled_checker_lets_them_wait() {
        let mut queue = AuthQueue::new(2, Duration::ZERO);
        queue.stall(Instant::from_millis(500));
        let now = Instant::from_millis(100);
        assert_eq!(queue.enter(now), Ok(Instant::from_millis(500)));
        assert_eq!(queue.enter(now), Ok(Instant::from_millis(500)));
        assert_eq!(queue.enter(now), Err(QueueFull));
        assert_eq!(queue.pending(Instant::from_millis(500)), 0);
    }

    proptest! {
        #[test]
        fn it_is_served_in_order_and_never_over_its_capacity(
            gaps in prop::collection::vec(0u64..5000, 1..300), capacity in 0usize..20, service_us in 0u64..5000,
        ) {
            let mut queue = AuthQueue::new(capacity, Duration::from_micros(service_us));
            let mut now = Instant::ORIGIN;
            let mut last = Instant::ORIGIN;
            for gap in gaps {
                now += Duration::from_micros(gap);
                if let Ok(done) = queue.enter(now) {
                    prop_assert!(done >= now + Duration::from_micros(service_us));
                    prop_assert!(done >= last);
                    last = done;
                } else {
                    prop_assert_eq!(queue.pending(now), capacity);
                }
                prop_assert!(queue.pending(now) <= capacity);
            }
        }
    }
}

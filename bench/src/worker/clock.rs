//! The one place where a worker reads the time.

use clw_core::time::Instant;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A run's clock: core instants count from its origin. It follows tokio's clock, so tests can pause it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: tokio::time::Instant,
    epoch_ms: u64,
}

impl Clock {
    /// A clock whose origin is now.
    pub fn start() -> Self {
        Self::starting_in(Duration::ZERO)
    }

    /// A clock whose origin is `ahead` from now: all workers of a run begin together.
    pub fn starting_in(ahead: Duration) -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + ahead;
        Self {
            origin: tokio::time::Instant::now() + ahead,
            epoch_ms: u64::try_from(epoch.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Milliseconds from 1970 to the origin.
    pub fn epoch_ms(self) -> u64 {
        self.epoch_ms
    }

    /// The present instant.
    pub fn now(self) -> Instant {
        Instant::ORIGIN + self.origin.elapsed()
    }

    /// Whether `instant` has come. Before the origin [`Clock::now`] reads as the origin: it cannot tell.
    pub fn has_come(self, instant: Instant) -> bool {
        tokio::time::Instant::now() >= self.at(instant)
    }

    /// The same instant for tokio's timers.
    pub fn at(self, instant: Instant) -> tokio::time::Instant {
        self.origin + Duration::from_micros(instant.as_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nothing_is_due_before_the_origin() {
        let clock = Clock::starting_in(Duration::from_millis(200));
        assert_eq!(clock.now(), Instant::ORIGIN);
        assert!(!clock.has_come(Instant::ORIGIN));
        tokio::time::advance(Duration::from_millis(200)).await;
        assert!(clock.has_come(Instant::ORIGIN));
        assert!(!clock.has_come(Instant::from_micros(1000)));
    }
}

//! The one place where a worker reads the time.

use clw_core::time::Instant;
use std::time::Duration;

/// A run's clock: core instants count from its origin. It follows tokio's clock, so tests can pause it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: tokio::time::Instant,
}

impl Clock {
    /// A clock whose origin is now.
    pub fn start() -> Self {
        Self {
            origin: tokio::time::Instant::now(),
        }
    }

    /// A clock whose origin is `ahead` from now: all workers of a run begin together.
    pub fn starting_in(ahead: Duration) -> Self {
        Self {
            origin: tokio::time::Instant::now() + ahead,
        }
    }

    /// The present instant.
    pub fn now(self) -> Instant {
        Instant::ORIGIN + self.origin.elapsed()
    }

    /// The same instant for tokio's timers.
    pub fn at(self, instant: Instant) -> tokio::time::Instant {
        self.origin + Duration::from_micros(instant.as_micros())
    }
}

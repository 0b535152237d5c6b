//! Heartbeats: period, answers, misses and gaps.

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
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    period: Option<Duration>,
    timeout: Duration,
    next: Option<Instant>,
    unanswered: Option<Instant>,
}

impl Heartbeat {
    /// Every `period` (never, if `None`), with `timeout` for the answer.
    pub fn new(period: Option<Duration>, timeout: Duration) -> Self {
        Self {
            period,
            timeout,
            next: None,
            unanswered: None,
        }
    }

    /// The first is due a period from now.
    pub fn start(&mut self, now: Instant) {
        self.next = self.period.map(|period| now + period);
    }

    /// When [`Heartbeat::poll`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.unanswered.map(|sent| sent + self.timeout).or(self.next)
    }

    /// What is due.
    pub fn poll(&mut self, now: Instant) -> Action {
        if let Some(sent) = self.unanswered {
            if now >= sent + self.timeout {
                self.unanswered = None;
                self.next = None;
                return Action::Missed {
                    silence: now.since(sent),
                };
            }
            return Action::Nothing;
        }
        match (self.next, self.period) {
            (Some(next), Some(period)) if now >= next => {
                self.unanswered = Some(now);
                self.next = Some((next + period).max(now));
                Action::Send
            }
            _ => Action::Nothing,
        }
    }

    /// An answer came; its round trip, if one was due.
    pub fn answered(&mut self, now: Instant) -> Option<Duration> {
        self.unanswered.take().map(|sent| now.since(sent))
    }
}

//! When tokens may be renewed, and how often that may bring a client back (protocol page, Reconnect; Token and refresh).

use super::Class;
use crate::time::Instant;
use std::time::Duration;

/// So many re-entries in a window may be driven by a refresh; after that there is only backoff.
const REENTRIES: u32 = 3;
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// Between two attempts for the same token.
const MIN_INTERVAL: Duration = Duration::from_secs(30);

/// What to do after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Renew the tokens, then come back with the new ones.
    Refresh,
    /// Come back later with the same token.
    Backoff,
    /// Do not come back: there is nothing to renew the token with, or the client was logged out.
    Stop,
}

/// What became of a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The new tokens are kept and in use.
    Replaced,
    /// The old ones are gone for good: both were blanked, and there are no reconnects.
    LoggedOut,
    /// Nothing has changed; try again later.
    Later {
        /// Why, in words.
        what: String,
    },
}

/// What is carried over all connections of a client, so that a server that rotates and rejects cannot make it run in
/// circles.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lifecycle {
    depth: u32,
    window: Option<Instant>,
    is_refreshing: bool,
    /// The token last tried to renew (by number), and when.
    last: Option<(u64, Instant)>,
    is_logged_out: bool,
}

/// What is known of the token when a refusal comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// Its number.
    pub(super) token: u64,
    /// There is a refresh token.
    pub(super) has_refresh: bool,
    /// Its end is near, by its own word.
    pub(super) is_near_end: bool,
    /// How unknown reasons are read.
    pub(super) generic_refreshes: bool,
}

impl Lifecycle {
    /// A client that was refused at its login.
    pub(super) fn refused(&self, now: Instant, class: Class, held: Held) -> Advice {
        if self.is_logged_out {
            return Advice::Stop;
        }
        let wants = match class {
            Class::TokenRejected => true,
            Class::AuthUnavailable => false,
            Class::Generic => held.generic_refreshes && held.is_near_end,
        };
        match class {
            Class::TokenRejected if !held.has_refresh => Advice::Stop,
            _ if wants && held.has_refresh && self.may_refresh(now, held.token) => Advice::Refresh,
            _ => Advice::Backoff,
        }
    }

    /// Whether a refresh of this token may begin: one at a time, not too soon after the last, not too often.
    pub(super) fn may_refresh(&self, now: Instant, token: u64) -> bool {
        let is_soon = self
            .last
            .is_some_and(|(tried, at)| tried == token && now.since(at) < MIN_INTERVAL);
        !self.is_logged_out && !self.is_refreshing && !is_soon && self.depth < REENTRIES
    }

    pub(super) fn begin(&mut self, now: Instant, token: u64) -> bool {
        let may = self.may_refresh(now, token);
        if may {
            self.is_refreshing = true;
            self.last = Some((token, now));
        }
        may
    }

    pub(super) fn finish(&mut self, outcome: &Outcome) {
        self.is_refreshing = false;
        self.is_logged_out |= *outcome == Outcome::LoggedOut;
    }

    /// The client comes back, after a refresh or a wait. Only here an old window is left behind.
    pub(super) fn reenter(&mut self, now: Instant) {
        match self.window {
            Some(from) if now.since(from) < WINDOW => self.depth = self.depth.saturating_add(1),
            _ => {
                self.window = Some(now);
                self.depth = 1;
            }
        }
    }

    /// Both tokens are gone.
    pub fn is_logged_out(&self) -> bool {
        self.is_logged_out
    }

    /// A refresh is under way.
    pub fn is_refreshing(&self) -> bool {
        self.is_refreshing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: Held = Held {
        token: 1,
        has_refresh: true,
        is_near_end: false,
        generic_refreshes: true,
    };

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    #[test]
    fn each_class_has_its_advice() {
        let fresh = Lifecycle::default();
        let advice = |class, held| fresh.refused(at(0), class, held);
        assert_eq!(advice(Class::TokenRejected, HELD), Advice::Refresh);
        assert_eq!(advice(Class::AuthUnavailable, HELD), Advice::Backoff);
        assert_eq!(advice(Class::Generic, HELD), Advice::Backoff);
        let near = Held {
            is_near_end: true,
            ..HELD
        };
        assert_eq!(advice(Class::Generic, near), Advice::Refresh);
        assert_eq!(advice(Class::AuthUnavailable, near), Advice::Backoff);
        let bare = Held {
            has_refresh: false,
            ..near
        };
        assert_eq!(advice(Class::TokenRejected, bare), Advice::Stop);
        assert_eq!(advice(Class::Generic, bare), Advice::Backoff);
        let current = Held {
            generic_refreshes: false,
            ..near
        };
        assert_eq!(advice(Class::Generic, current), Advice::Backoff);
    }

    #[test]
    fn the_fourth_reentry_in_five_minutes_does_not_refresh_and_the_window_ends_at_a_reentry_only() {
        let mut lifecycle = Lifecycle::default();
        for round in 0..3 {
            assert!(lifecycle.begin(at(round), round));
            lifecycle.finish(&Outcome::Replaced);
            lifecycle.reenter(at(round));
        }
        let held = Held { token: 9, ..HELD };
        assert_eq!(
            lifecycle.refused(at(4), Class::TokenRejected, held),
            Advice::Backoff
        );
        // Five minutes later the check still looks at the depth alone …
        assert_eq!(
            lifecycle.refused(at(301), Class::TokenRejected, held),
            Advice::Backoff
        );
        // … until the client has come back.
        lifecycle.reenter(at(302));
        assert_eq!(
            lifecycle.refused(at(303), Class::TokenRejected, held),
            Advice::Refresh
        );
    }

    #[test]
    fn one_token_is_not_tried_twice_within_half_a_minute() {
        let mut lifecycle = Lifecycle::default();
        assert!(lifecycle.begin(at(0), 1));
        assert!(!lifecycle.begin(at(0), 2), "one at a time");
        lifecycle.finish(&Outcome::Later { what: String::new() });
        assert!(!lifecycle.begin(at(29), 1));
        assert!(lifecycle.begin(at(30), 1));
    }
}

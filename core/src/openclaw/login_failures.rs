//! What failed logins cost: a growing delay, or a lock-out (protocol page, section 8).

use crate::time::Instant;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

/// Which rule holds for failed logins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailurePolicy {
    /// None: answers come at once, however many fail.
    Open,
    /// The gateway's default on loopback: the answer is held back 250 ms, doubling to 5 s.
    #[default]
    Penalty,
    /// The gateway's default elsewhere: ten failures in 60 s lock the address out for 5 minutes.
    LockOut,
}

/// The kinds of credential that are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// Shared token or password.
    Shared,
    /// A device's own token.
    Device,
    /// From a setup code.
    Bootstrap,
}

/// Failed logins by address and kind. Ages out after a minute; never more than [`LoginFailures::MAX_ENTRIES`].
#[derive(Debug)]
pub struct LoginFailures {
    policy: FailurePolicy,
    entries: HashMap<(IpAddr, CredentialKind), Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    /// When the last failures were, oldest first.
    recent: VecDeque<Instant>,
    /// Delayed answers of this address go out together then.
    release_at: Option<Instant>,
    locked_until: Option<Instant>,
}

const WINDOW: Duration = Duration::from_secs(60);
const MAX_ATTEMPTS: usize = 10;
const LOCK_OUT: Duration = Duration::from_secs(300);
const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

impl LoginFailures {
    /// Addresses remembered at once; beyond that the one whose failures are oldest is forgotten.
    pub const MAX_ENTRIES: usize = 4096;

    /// Nothing failed yet.
    pub fn new(policy: FailurePolicy) -> Self {
        Self {
            policy,
            entries: HashMap::new(),
        }
    }

    /// How much longer `address` is locked out; the right credential is refused as well.
    pub fn locked_out(&self, now: Instant, address: IpAddr, kind: CredentialKind) -> Option<Duration> {
        let until = self.entries.get(&(address, kind))?.locked_until?;
        (until > now).then(|| until - now)
    }

    /// A login failed; returns how long its answer is held back.
    pub fn failed(&mut self, now: Instant, address: IpAddr, kind: CredentialKind) -> Duration {
        if self.policy == FailurePolicy::Open {
            return Duration::ZERO;
        }
        self.make_room(now, (address, kind));
        let entry = self.entries.entry((address, kind)).or_default();
        while entry.recent.front().is_some_and(|at| now - *at > WINDOW) {
            entry.recent.pop_front();
        }
        entry.recent.push_back(now);
        if entry.recent.len() > MAX_ATTEMPTS {
            entry.recent.pop_front();
        }
        match self.policy {
            FailurePolicy::LockOut => {
                if entry.recent.len() >= MAX_ATTEMPTS {
                    entry.locked_until = Some(now + LOCK_OUT);
                    entry.recent.clear();
                }
                Duration::ZERO
            }
            FailurePolicy::Penalty if kind == CredentialKind::Shared => {
                if let Some(at) = entry.release_at.filter(|at| *at > now) {
                    return at - now;
                }
                let doublings = u32::try_from(entry.recent.len() - 1).unwrap_or(u32::MAX).min(8);
                let delay = (FIRST_DELAY * (1 << doublings)).min(LONGEST_DELAY);
                entry.release_at = Some(now + delay);
                delay
            }
            FailurePolicy::Penalty | FailurePolicy::Open => Duration::ZERO,
        }
    }

    /// A login of `address` succeeded: its history is forgotten.
    pub fn succeeded(&mut self, address: IpAddr, kind: CredentialKind) {
        if !self.entries.is_empty() {
            self.entries.remove(&(address, kind));
        }
    }

    fn make_room(&mut self, now: Instant, key: (IpAddr, CredentialKind)) {
        if self.entries.len() < Self::MAX_ENTRIES || self.entries.contains_key(&key) {
            return;
        }
        self.entries.retain(|_, entry| {
            entry.locked_until.is_some_and(|until| until > now)
                || entry.recent.back().is_some_and(|at| now - *at <= WINDOW)
        });
        if self.entries.len() >= Self::MAX_ENTRIES {
            let oldest = self
                .entries
                .iter()
                .min_by_key(|(_, entry)| (entry.locked_until, entry.recent.back().copied()))
                .map(|(key, _)| *key);
            if let Some(oldest) = oldest {
                self.entries.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn delays_double_to_five_seconds_and_age_out() {
        let mut failures = LoginFailures::new(FailurePolicy::Penalty);
        let mut now = Instant::ORIGIN;
        let mut delays = Vec::new();
        for _ in 0..7 {
            let delay = failures.failed(now, HERE, CredentialKind::Shared);
            delays.push(u64::try_from(delay.as_millis()).unwrap());
            now += delay;
        }
        assert_eq!(delays, [250, 500, 1000, 2000, 4000, 5000, 5000]);
        now += Duration::from_secs(61);
        assert_eq!(
            failures.failed(now, HERE, CredentialKind::Shared),
            Duration::from_millis(250)
        );
    }

    #[test]
    fn waiting_failures_of_one_address_are_released_together() {
        let mut failures = LoginFailures::new(FailurePolicy::Penalty);
        let first = failures.failed(Instant::ORIGIN, HERE, CredentialKind::Shared);
        let later = Instant::from_millis(100);
        let second = failures.failed(later, HERE, CredentialKind::Shared);
        assert_eq!(later + second, Instant::ORIGIN + first);
        let elsewhere = IpAddr::from([127, 0, 0, 9]);
        assert_eq!(
            failures.failed(later, elsewhere, CredentialKind::Shared),
            FIRST_DELAY
        );
    }

    #[test]
    fn ten_failures_lock_out_for_five_minutes_per_kind() {
        let mut failures = LoginFailures::new(FailurePolicy::LockOut);
        for second in 0..10 {
            let now = Instant::from_millis(second * 1000);
            assert_eq!(failures.locked_out(now, HERE, CredentialKind::Shared), None);
            assert_eq!(failures.failed(now, HERE, CredentialKind::Shared), Duration::ZERO);
        }
        let now = Instant::from_millis(9000);
        assert_eq!(
            failures.locked_out(now, HERE, CredentialKind::Shared),
            Some(LOCK_OUT)
        );
        assert_eq!(failures.locked_out(now, HERE, CredentialKind::Device), None);
        assert_eq!(
            failures.locked_out(now + LOCK_OUT, HERE, CredentialKind::Shared),
            None
        );
    }

    #[test]
    fn open_mode_forgives_everything() {
        let mut failures = LoginFailures::new(FailurePolicy::Open);
        for _ in 0..100 {
            assert_eq!(
                failures.failed(Instant::ORIGIN, HERE, CredentialKind::Shared),
                Duration::ZERO
            );
        }
        assert_eq!(
            failures.locked_out(Instant::ORIGIN, HERE, CredentialKind::Shared),
            None
        );
    }

    #[test]
    fn memory_is_bounded_however_many_addresses_fail() {
        let mut failures = LoginFailures::new(FailurePolicy::LockOut);
        for i in 0..10_000u32 {
            failures.failed(
                Instant::ORIGIN,
                IpAddr::from(i.to_be_bytes()),
                CredentialKind::Shared,
            );
        }
        assert!(failures.entries.len() <= LoginFailures::MAX_ENTRIES);
    }
}

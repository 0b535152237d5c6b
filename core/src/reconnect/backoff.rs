//! When to connect again: exponential backoff with full jitter.

use super::credential::kills_credential;
use crate::verdict::Verdict;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// Ready for this long, a session has recovered: the next drop starts with a short wait again.
const STABLE: Duration = Duration::from_secs(5);

/// What a dropped session does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How often it connects again in a row; 0: never.
    pub attempts: u32,
    /// Upper bound of the first wait.
    pub backoff: Duration,
    /// Upper bound of any wait.
    pub backoff_max: Duration,
}

impl Policy {
    /// Never connects again.
    pub const OFF: Self = Self {
        attempts: 0,
        backoff: Duration::ZERO,
        backoff_max: Duration::ZERO,
    };
}

/// One session's reconnects: exponential backoff with full jitter (a wait between 0 and the bound, so that sessions
/// dropped together do not come back together).
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    policy: Policy,
    tried: u32,
    /// Waits drawn in all, so that a session that recovered does not draw the same ones again.
    drawn: u32,
    seed: u64,
}

impl Backoff {
    /// A session's state; the same seed gives the same waits.
    pub fn new(policy: Policy, seed: u64) -> Self {
        Self {
            policy,
            tried: 0,
            drawn: 0,
            seed,
        }
    }

    /// How long to wait before connecting again after a connection that ended with `verdict`, or `None` to give up.
    /// `fresh_credentials`: the session's token source has another token than the one just used.
    pub fn after(
        &mut self,
        verdict: Verdict,
        ready_for: Duration,
        fresh_credentials: bool,
    ) -> Option<Duration> {
        if !worth_retrying(verdict, fresh_credentials) {
            return None;
        }
        if ready_for >= STABLE {
            self.tried = 0;
        }
        if self.tried >= self.policy.attempts {
            return None;
        }
        let bound = self
            .policy
            .backoff
            .saturating_mul(1u32.checked_shl(self.tried).unwrap_or(u32::MAX));
        self.tried += 1;
        // One generator a draw costs less than a generator kept by each of 100 000 sessions.
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.drawn.into());
        self.drawn = self.drawn.wrapping_add(1);
        Some(bound.min(self.policy.backoff_max).mul_f64(rng.random::<f64>()))
    }

    /// Retries since the session was last stable.
    pub fn tried(&self) -> u32 {
        self.tried
    }
}

/// Whether trying again can help. A credential that was refused, revoked or expired is dead: it is never presented again.
pub fn worth_retrying(verdict: Verdict, fresh_credentials: bool) -> bool {
    match verdict {
        // Nothing to mend, or what was said cannot be said better a second time.
        Verdict::Ok
        | Verdict::Open
        | Verdict::Incomplete
        | Verdict::UpgradeRejected
        | Verdict::PairingRequired
        | Verdict::VersionMismatch
        | Verdict::ProtocolError
        | Verdict::TlsFailed
        | Verdict::SessionReplaced => false,
        dead if kills_credential(dead) => fresh_credentials,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICY: Policy = Policy {
        attempts: 3,
        backoff: Duration::from_secs(1),
        backoff_max: Duration::from_secs(30),
    };

    #[test]
    fn a_dead_credential_is_not_presented_again() {
        for verdict in [
            Verdict::AuthFailed,
            Verdict::SessionRevoked,
            Verdict::SessionExpired,
        ] {
            assert_eq!(
                Backoff::new(POLICY, 1).after(verdict, Duration::ZERO, false),
                None
            );
            assert!(
                Backoff::new(POLICY, 1)
                    .after(verdict, Duration::ZERO, true)
                    .is_some()
            );
        }
    }

    #[test]
    fn a_stable_session_starts_over() {
        let mut backoff = Backoff::new(POLICY, 1);
        for _ in 0..10 {
            assert!(backoff.after(Verdict::AuthDisconnected, STABLE, true).is_some());
        }
    }

    #[test]
    fn off_means_off() {
        assert_eq!(
            Backoff::new(Policy::OFF, 1).after(Verdict::ServerRestart, STABLE, true),
            None
        );
    }

    #[test]
    fn waits_are_spread_over_the_whole_bound() {
        let waits: Vec<f64> = (0..1000)
            .filter_map(|seed| Backoff::new(POLICY, seed).after(Verdict::ServerRestart, Duration::ZERO, true))
            .map(|wait| wait.as_secs_f64())
            .collect();
        let mean = waits.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert!(waits.iter().any(|w| *w < 0.05) && waits.iter().any(|w| *w > 0.95));
    }

    #[test]
    fn a_session_that_recovered_draws_other_waits() {
        let mut backoff = Backoff::new(POLICY, 1);
        let first = backoff.after(Verdict::ServerRestart, Duration::ZERO, true);
        let again = backoff.after(Verdict::ServerRestart, STABLE, true);
        assert_ne!(first, again);
        assert_eq!(backoff.tried(), 1);
    }

    proptest! {
        #[test]
        fn attempts_are_bounded_and_waits_capped(attempts in 0u32..40, base_ms in 0u64..100_000, seed: u64) {
            let policy = Policy {
                attempts,
                backoff: Duration::from_millis(base_ms),
                backoff_max: Duration::from_secs(30),
            };
            let mut backoff = Backoff::new(policy, seed);
            let mut again = Backoff::new(policy, seed);
            let mut count = 0;
            while let Some(wait) = backoff.after(Verdict::ServerRestart, Duration::ZERO, true) {
                prop_assert!(wait <= policy.backoff_max);
                prop_assert!(wait <= policy.backoff.saturating_mul(1 << count.min(31)));
                prop_assert_eq!(Some(wait), again.after(Verdict::ServerRestart, Duration::ZERO, true));
                count += 1;
            }
            prop_assert_eq!(count, attempts);
        }
    }
}

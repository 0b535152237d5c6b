//! What has become of a credential, and whether it may be presented (again).

use crate::verdict::Verdict;

/// How long a credential that was accepted stays good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Until it is refused, revoked or expired (OpenClaw's shared and device tokens).
    UntilDead,
    /// For one connection: after that it is never used again (CLW).
    Never,
}

/// One credential's life. There is no way back from [`CredentialState::Dead`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CredentialState {
    /// May be presented.
    #[default]
    Fresh,
    /// A connection is using it.
    Presented,
    /// Never to be presented again.
    Dead,
}

impl CredentialState {
    /// Presents it. `false`: it must not be shown, because it is dead or in use.
    #[must_use]
    pub fn present(&mut self) -> bool {
        let may = *self == Self::Fresh;
        if may {
            *self = Self::Presented;
        }
        may
    }

    /// The connection that used it has ended.
    pub fn ended(&mut self, verdict: Verdict, reuse: Reuse) {
        let dead = *self == Self::Dead || kills_credential(verdict) || reuse == Reuse::Never;
        *self = if dead { Self::Dead } else { Self::Fresh };
    }
}

/// Whether a connection that ended so leaves its credential dead: refused, revoked or expired.
pub const fn kills_credential(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::AuthFailed | Verdict::SessionRevoked | Verdict::SessionExpired
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_verdict() -> impl Strategy<Value = Verdict> {
        prop::sample::select(Verdict::ALL.to_vec())
    }

    #[test]
    fn a_refused_credential_is_dead_whatever_the_rule() {
        for reuse in [Reuse::UntilDead, Reuse::Never] {
            let mut state = CredentialState::default();
            assert!(state.present());
            state.ended(Verdict::AuthFailed, reuse);
            assert_eq!(state, CredentialState::Dead);
            assert!(!state.present());
        }
    }

    #[test]
    fn one_that_may_be_reused_survives_a_restart() {
        let mut state = CredentialState::default();
        assert!(state.present());
        assert!(!state.present(), "one connection at a time");
        state.ended(Verdict::ServerRestart, Reuse::UntilDead);
        assert!(state.present());
    }

    proptest! {
        #[test]
        fn no_sequence_of_endings_brings_a_dead_credential_back(
            endings in prop::collection::vec(any_verdict(), 1..30), never: bool,
        ) {
            let reuse = if never { Reuse::Never } else { Reuse::UntilDead };
            let mut state = CredentialState::default();
            let mut died = false;
            for verdict in endings {
                prop_assert_eq!(state.present(), !died);
                state.ended(verdict, reuse);
                died |= kills_credential(verdict) || never;
            }
        }
    }
}

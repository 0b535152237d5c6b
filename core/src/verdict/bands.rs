//! The `durationMs` bands: what the age of a connection that never got ready says by itself.
//!
//! The gateway logs `durationMs` for every socket that ends before hello-ok. Where it falls relative to the handshake
//! timeout narrows the search: at once points to the network, at the timeout to a client that went quiet.

use super::Observation;
use crate::Dialect;
use std::time::Duration;

/// Ends earlier than this point to the network or a firewall.
const AT_ONCE: Duration = Duration::from_millis(100);

/// The handshake timeout of a dialect's server as shipped; `None` where there is no server that we know.
///
/// Sources: OpenClaw protocol page section 8 (15 s), ClawChat page, handshake (about 10 s), CLW page, timers (5 s).
pub const fn default_handshake_timeout(dialect: Dialect) -> Option<Duration> {
    match dialect {
        Dialect::Openclaw => Some(Duration::from_secs(15)),
        Dialect::Clawchat => Some(Duration::from_secs(10)),
        Dialect::Clw => Some(Duration::from_secs(5)),
        Dialect::Websocket | Dialect::Http | Dialect::Tls | Dialect::Unknown => None,
    }
}

/// Where the age of a session that ended before ready falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DurationBand {
    /// Under 100 ms: the network, a firewall, or an answer that needed no thought.
    AtOnce,
    /// Between that and the handshake timeout: a slow handshake, or a refusal held back.
    Slow,
    /// At the handshake timeout, from 2 % before it on.
    AtTimeout,
    /// Well past the timeout: not that timeout, or it is set higher than assumed.
    PastTimeout,
}

impl DurationBand {
    /// The band of `elapsed` under a handshake timeout, if one is known or assumed.
    pub fn of(elapsed: Duration, timeout: Option<Duration>) -> Self {
        let Some(timeout) = timeout else {
            return if elapsed < AT_ONCE {
                Self::AtOnce
            } else {
                Self::Slow
            };
        };
        if reaches(elapsed, timeout) {
            if elapsed > timeout.saturating_mul(3) / 2 + Duration::from_secs(1) {
                Self::PastTimeout
            } else {
                Self::AtTimeout
            }
        } else if elapsed < AT_ONCE {
            Self::AtOnce
        } else {
            Self::Slow
        }
    }

    /// What the band points to, in words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::AtOnce => "under 100 ms: look at the network, a firewall, or what answered at once",
            Self::Slow => "under the handshake timeout: a slow handshake, or an answer held back",
            Self::AtTimeout => "at the handshake timeout: nobody finished the handshake in time",
            Self::PastTimeout => {
                "well past the handshake timeout: it is set higher, or something else ended it"
            }
        }
    }
}

/// Whether `elapsed` is at least 98 % of `timeout`: timers are checked coarsely, and the two ends start counting at
/// slightly different instants.
pub(super) fn reaches(elapsed: Duration, timeout: Duration) -> bool {
    !timeout.is_zero() && elapsed.saturating_mul(100) >= timeout.saturating_mul(98)
}

/// What the server's handshake timer measured: time since the upgrade, or since accept if that is all there is.
pub(super) fn handshake_elapsed(seen: &Observation) -> Duration {
    if seen.since_upgrade.is_zero() {
        seen.duration
    } else {
        seen.since_upgrade
    }
}

/// The handshake timeout to judge by: the one observed, else the dialect's default.
pub(super) fn handshake_timeout(seen: &Observation) -> Option<Duration> {
    seen.handshake_timeout
        .or_else(|| default_handshake_timeout(seen.dialect))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_split_at_100_ms_and_around_the_timeout() {
        let timeout = Some(Duration::from_secs(15));
        for (ms, band) in [
            (0, DurationBand::AtOnce),
            (99, DurationBand::AtOnce),
            (100, DurationBand::Slow),
            (14_699, DurationBand::Slow),
            (14_700, DurationBand::AtTimeout),
            (15_103, DurationBand::AtTimeout),
            (23_500, DurationBand::AtTimeout),
            (23_501, DurationBand::PastTimeout),
        ] {
            assert_eq!(DurationBand::of(Duration::from_millis(ms), timeout), band, "{ms}");
        }
    }

    #[test]
    fn a_timeout_under_100_ms_is_still_a_timeout() {
        let timeout = Some(Duration::from_millis(50));
        assert_eq!(
            DurationBand::of(Duration::from_millis(50), timeout),
            DurationBand::AtTimeout
        );
    }

    #[test]
    fn without_a_timeout_there_are_two_bands() {
        assert_eq!(
            DurationBand::of(Duration::from_secs(99), None),
            DurationBand::Slow
        );
        assert_eq!(DurationBand::of(Duration::ZERO, None), DurationBand::AtOnce);
    }
}

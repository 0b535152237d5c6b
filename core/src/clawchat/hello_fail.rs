//! What the reason of a `hello-fail` means (protocol page, hello-fail).

use super::Reading;
use crate::verdict::RefusalClass;

/// The complete set of reasons that the server gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloFail {
    /// The token was not accepted.
    AuthenticationFailed,
    /// The service that knows the tokens is down.
    AuthUnavailable,
    /// The nonce is not the challenge's.
    NonceMismatch,
    /// The first message was no `connect`.
    InvalidEvent,
    /// `connect` lacks a field, or is no object.
    InvalidPayload,
}

impl HelloFail {
    /// The reason, byte for byte.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::AuthenticationFailed => "authentication failed",
            Self::AuthUnavailable => "remote auth service unavailable",
            Self::NonceMismatch => "nonce mismatch",
            Self::InvalidEvent => "invalid connect event",
            Self::InvalidPayload => "invalid connect payload",
        }
    }
}

/// What a client makes of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Refresh the token, then come back with the new one.
    TokenRejected,
    /// Come back later with the same token; never refresh, never log out.
    AuthUnavailable,
    /// Anything else.
    Generic,
}

const UNAVAILABLE: &[&str] = &["auth service unavailable", "temporarily unavailable"];
/// What clients of the seed's generation take for a refused token.
const REJECTED: &[&str] = &[
    "authentication failed",
    "auth failed",
    "invalid token",
    "token expired",
    "unauthorized",
    "invalid credentials",
];

impl Class {
    /// The class of a reason, tests in the order of the page: unavailable first, then rejected.
    pub fn of(reason: &str, reading: Reading) -> Self {
        let rejected = match reading {
            Reading::Seed => contains_any(reason, REJECTED),
            Reading::Current => reason == HelloFail::AuthenticationFailed.reason(),
        };
        if contains_any(reason, UNAVAILABLE) {
            Self::AuthUnavailable
        } else if rejected {
            Self::TokenRejected
        } else {
            Self::Generic
        }
    }
}

/// The dictionary's class of a reason: `invalid connect …` is a broken protocol, everything else unknown is about
/// credentials.
pub fn refusal_class(reason: &str) -> RefusalClass {
    if contains_any(reason, UNAVAILABLE) {
        RefusalClass::AuthUnavailable
    } else if contains_any(reason, &["invalid connect"]) {
        RefusalClass::Protocol
    } else {
        RefusalClass::Credentials
    }
}

/// Whether one of `texts` (ASCII, lower case) is somewhere in `reason`, ASCII case aside.
fn contains_any(reason: &str, texts: &[&str]) -> bool {
    texts.iter().any(|text| {
        reason
            .as_bytes()
            .windows(text.len())
            .any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_five_reasons_have_their_classes_in_both_generations() {
        for reading in [Reading::Seed, Reading::Current] {
            let class = |fail: HelloFail| Class::of(fail.reason(), reading);
            assert_eq!(class(HelloFail::AuthenticationFailed), Class::TokenRejected);
            assert_eq!(class(HelloFail::AuthUnavailable), Class::AuthUnavailable);
            assert_eq!(class(HelloFail::NonceMismatch), Class::Generic);
            assert_eq!(class(HelloFail::InvalidEvent), Class::Generic);
            assert_eq!(class(HelloFail::InvalidPayload), Class::Generic);
        }
    }

    #[test]
    fn only_the_seeds_generation_reads_between_the_lines() {
        assert_eq!(
            Class::of("Token EXPIRED (401)", Reading::Seed),
            Class::TokenRejected
        );
        assert_eq!(Class::of("Token EXPIRED (401)", Reading::Current), Class::Generic);
        // Unavailable is asked for first.
        let both = "unauthorized: temporarily unavailable";
        assert_eq!(Class::of(both, Reading::Seed), Class::AuthUnavailable);
    }

    #[test]
    fn the_dictionary_tells_a_broken_connect_from_a_refused_token() {
        assert_eq!(refusal_class("invalid connect payload"), RefusalClass::Protocol);
        assert_eq!(refusal_class("nonce mismatch"), RefusalClass::Credentials);
        assert_eq!(
            refusal_class("Remote auth service unavailable"),
            RefusalClass::AuthUnavailable
        );
    }

    proptest! {
        #[test]
        fn any_reason_has_a_class(reason in ".{0,64}") {
            for reading in [Reading::Seed, Reading::Current] {
                let unavailable = Class::of(&reason, reading) == Class::AuthUnavailable;
                prop_assert_eq!(unavailable, refusal_class(&reason) == RefusalClass::AuthUnavailable);
            }
        }
    }
}

//! AUTH_ERROR codes: names of the dictionary, from and to the classes of refusal.

use crate::verdict::{RefusalClass, Verdict};

/// The code that tells a refusal of this class.
pub const fn code_of(class: RefusalClass) -> &'static str {
    match class {
        RefusalClass::Overloaded => Verdict::ServerOverloaded,
        RefusalClass::Unavailable => Verdict::ServerUnavailable,
        RefusalClass::RateLimited => Verdict::RateLimited,
        RefusalClass::PairingRequired => Verdict::PairingRequired,
        RefusalClass::VersionMismatch => Verdict::VersionMismatch,
        RefusalClass::Credentials => Verdict::AuthFailed,
        RefusalClass::AuthUnavailable => Verdict::AuthUnavailable,
        RefusalClass::Protocol => Verdict::ProtocolError,
    }
    .name()
}

/// What a code means to the dictionary when it comes instead of AUTH_OK. A code that is not known refuses a login all the
/// same: credentials.
pub fn refusal_class(code: &str) -> RefusalClass {
    match Verdict::from_name(code) {
        Some(Verdict::ServerOverloaded) => RefusalClass::Overloaded,
        Some(Verdict::ServerUnavailable | Verdict::ServerRestart) => RefusalClass::Unavailable,
        Some(Verdict::RateLimited) => RefusalClass::RateLimited,
        Some(Verdict::PairingRequired) => RefusalClass::PairingRequired,
        Some(Verdict::VersionMismatch) => RefusalClass::VersionMismatch,
        Some(Verdict::AuthUnavailable) => RefusalClass::AuthUnavailable,
        Some(Verdict::ProtocolError) => RefusalClass::Protocol,
        _ => RefusalClass::Credentials,
    }
}

/// What people are told.
pub(super) const fn message_of(class: RefusalClass) -> &'static str {
    match class {
        RefusalClass::Overloaded => "the server is too busy: try again later",
        RefusalClass::Unavailable => "the server is not available: try again later",
        RefusalClass::RateLimited => "too many failed logins: wait before the next",
        RefusalClass::PairingRequired => "this client must be approved first",
        RefusalClass::VersionMismatch => "client and server versions do not meet: update the older one",
        RefusalClass::Credentials => "the token was not accepted: use another one",
        RefusalClass::AuthUnavailable => "tokens cannot be checked at the moment: try again later",
        RefusalClass::Protocol => "the message breaks the protocol",
    }
}

/// The close code that follows a refusal.
pub(super) const fn close_code_of(class: RefusalClass) -> u16 {
    match class {
        RefusalClass::Protocol => 1002,
        RefusalClass::Overloaded | RefusalClass::Unavailable => 1013,
        _ => 1008,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_means_the_class_that_it_was_made_from() {
        for class in [
            RefusalClass::Overloaded,
            RefusalClass::Unavailable,
            RefusalClass::RateLimited,
            RefusalClass::PairingRequired,
            RefusalClass::VersionMismatch,
            RefusalClass::Credentials,
            RefusalClass::AuthUnavailable,
            RefusalClass::Protocol,
        ] {
            assert_eq!(refusal_class(code_of(class)), class);
        }
        assert_eq!(refusal_class("clw-session-expired"), RefusalClass::Credentials);
        assert_eq!(refusal_class("something else"), RefusalClass::Credentials);
    }
}

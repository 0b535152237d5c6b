//! Close reasons that say more than their code.
//!
//! The OpenClaw gateway answers nearly everything before ready with 1008; only the reason text tells a wrong token from
//! a bad frame (protocol page, section 7).

/// What a close reason means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReasonClass {
    /// Protocol versions do not meet.
    VersionMismatch,
    /// The client's message was wrong.
    Protocol,
    /// Locked out.
    RateLimited,
    /// Token, device proof, origin not accepted.
    Credentials,
    /// Not approved yet.
    PairingRequired,
    /// The handshake timer ran out.
    HandshakeTimeout,
    /// The client does not read.
    SlowConsumer,
    /// Starting, restarting, suspended.
    Unavailable,
}

/// Beginnings of reason texts, the more specific before the more general.
const BEGINNINGS: &[(&str, ReasonClass)] = &[
    ("protocol mismatch", ReasonClass::VersionMismatch),
    ("client version mismatch", ReasonClass::VersionMismatch),
    ("invalid request frame", ReasonClass::Protocol),
    ("invalid handshake", ReasonClass::Protocol),
    ("invalid-handshake", ReasonClass::Protocol),
    ("invalid connect", ReasonClass::Protocol),
    ("invalid role", ReasonClass::Protocol),
    ("preauth payload too large", ReasonClass::Protocol),
    ("too many pending handshake frames", ReasonClass::Protocol),
    ("unauthorized: too many", ReasonClass::RateLimited),
    ("unauthorized", ReasonClass::Credentials),
    ("device ", ReasonClass::Credentials),
    ("origin not allowed", ReasonClass::Credentials),
    ("gateway ingress attribution required", ReasonClass::Credentials),
    ("pairing required", ReasonClass::PairingRequired),
    ("handshake timeout", ReasonClass::HandshakeTimeout),
    ("auth timeout", ReasonClass::HandshakeTimeout),
    ("slow consumer", ReasonClass::SlowConsumer),
    ("gateway message handler loading", ReasonClass::Unavailable),
];

/// The class of a reason text, if its beginning is known. ASCII case does not matter.
pub(super) fn class_of(reason: &str) -> Option<ReasonClass> {
    BEGINNINGS
        .iter()
        .find(|(beginning, _)| begins_with(reason, beginning))
        .map(|&(_, class)| class)
}

/// Whether `text` begins with `beginning`, ASCII case aside; allocates nothing.
pub(super) fn begins_with(text: &str, beginning: &str) -> bool {
    text.as_bytes()
        .get(..beginning.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(beginning.as_bytes()))
}

/// Whether the reason says that a token or session has run out.
pub(super) fn says_expired(reason: &str) -> bool {
    ["token expired", "token_expired", "session expired"]
        .iter()
        .any(|text| begins_with(reason, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_out_is_found_before_the_general_refusal() {
        assert_eq!(
            class_of("unauthorized: too many failed attempts"),
            Some(ReasonClass::RateLimited)
        );
        assert_eq!(
            class_of("Unauthorized: gateway token mismatch"),
            Some(ReasonClass::Credentials)
        );
    }

    #[test]
    fn a_cut_or_foreign_text_has_no_class() {
        for text in ["", "unauth", "\u{e9}\u{e9}", "done"] {
            assert_eq!(class_of(text), None, "{text}");
        }
    }
}

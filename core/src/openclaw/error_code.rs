//! What the gateway's refusals are called and what they mean (protocol page, sections 6 and 7).
//!
//! One table for both sides: the server sends from it, the client reads with [`refusal_of`] and [`refusal_of_close`].

use super::wire::{ErrorDetails, ResponseError};
use crate::verdict::{Refusal, RefusalClass};

/// One way to be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// `error.details.code`.
    pub details: &'static str,
    /// `error.code`.
    pub error: &'static str,
    /// What it means to the dictionary.
    pub class: RefusalClass,
    /// `error.message`, and the close frame's reason where nothing else is said.
    pub message: &'static str,
    /// `details.authReason` (credentials) or `details.reason` (device proof).
    pub reason: Option<&'static str>,
    /// `details.recommendedNextStep`.
    pub next_step: Option<&'static str>,
    /// The close frame's code.
    pub close: u16,
}

const fn credential(
    details: &'static str,
    message: &'static str,
    reason: &'static str,
    next_step: &'static str,
) -> ErrorCode {
    ErrorCode {
        details,
        error: "INVALID_REQUEST",
        class: RefusalClass::Credentials,
        message,
        reason: Some(reason),
        next_step: Some(next_step),
        close: 1008,
    }
}

const fn device(details: &'static str, message: &'static str, reason: &'static str) -> ErrorCode {
    ErrorCode {
        next_step: None,
        ..credential(details, message, reason, "")
    }
}

const UPDATE: &str = "update_auth_credentials";
const REVIEW: &str = "review_auth_configuration";
const CONFIGURE: &str = "update_auth_configuration";

/// Wrong shared token.
pub const AUTH_TOKEN_MISMATCH: ErrorCode = credential(
    "AUTH_TOKEN_MISMATCH",
    "unauthorized: gateway token mismatch (provide gateway auth token)",
    "token_mismatch",
    UPDATE,
);
/// No token where one is needed.
pub const AUTH_TOKEN_MISSING: ErrorCode = credential(
    "AUTH_TOKEN_MISSING",
    "unauthorized: gateway token missing (provide gateway auth token)",
    "token_missing",
    CONFIGURE,
);
/// Wrong shared password.
pub const AUTH_PASSWORD_MISMATCH: ErrorCode = credential(
    "AUTH_PASSWORD_MISMATCH",
    "unauthorized: gateway password mismatch (provide gateway auth password)",
    "password_mismatch",
    UPDATE,
);
/// No password where one is needed.
pub const AUTH_PASSWORD_MISSING: ErrorCode = credential(
    "AUTH_PASSWORD_MISSING",
    "unauthorized: gateway password missing (provide gateway auth password)",
    "password_missing",
    CONFIGURE,
);
/// Unknown, revoked or foreign device token.
pub const AUTH_DEVICE_TOKEN_MISMATCH: ErrorCode = credential(
    "AUTH_DEVICE_TOKEN_MISMATCH",
    "unauthorized: device token mismatch (rotate or reissue device token)",
    "device_token_mismatch",
    UPDATE,
);
/// The device token does not cover the scopes or the role.
pub const AUTH_SCOPE_MISMATCH: ErrorCode = credential(
    "AUTH_SCOPE_MISMATCH",
    "unauthorized: device token scope mismatch (request fewer scopes or pair again)",
    "scope_mismatch",
    REVIEW,
);
/// Setup code wrong, used or expired.
pub const AUTH_BOOTSTRAP_TOKEN_INVALID: ErrorCode = credential(
    "AUTH_BOOTSTRAP_TOKEN_INVALID",
    "unauthorized: bootstrap token invalid or expired (scan a fresh setup code)",
    "bootstrap_token_invalid",
    REVIEW,
);
/// Refused without a closer reason.
pub const AUTH_UNAUTHORIZED: ErrorCode =
    credential("AUTH_UNAUTHORIZED", "unauthorized", "unauthorized", UPDATE);
/// Locked out after too many failures.
pub const AUTH_RATE_LIMITED: ErrorCode = ErrorCode {
    class: RefusalClass::RateLimited,
    ..credential(
        "AUTH_RATE_LIMITED",
        "unauthorized: too many failed authentication attempts (retry later)",
        "rate_limited",
        "wait_then_retry",
    )
};
/// A device is needed and none was shown.
pub const DEVICE_IDENTITY_REQUIRED: ErrorCode = ErrorCode {
    details: "DEVICE_IDENTITY_REQUIRED",
    error: "NOT_PAIRED",
    class: RefusalClass::Credentials,
    message: "device identity required",
    reason: None,
    next_step: None,
    close: 1008,
};
/// The device id does not follow from the key.
pub const DEVICE_AUTH_DEVICE_ID_MISMATCH: ErrorCode = device(
    "DEVICE_AUTH_DEVICE_ID_MISMATCH",
    "device identity mismatch",
    "device-id-mismatch",
);
/// Signed too long ago, or in the future.
pub const DEVICE_AUTH_SIGNATURE_EXPIRED: ErrorCode = device(
    "DEVICE_AUTH_SIGNATURE_EXPIRED",
    "device signature expired",
    "device-signature-stale",
);
/// A blank nonce.
pub const DEVICE_AUTH_NONCE_REQUIRED: ErrorCode = device(
    "DEVICE_AUTH_NONCE_REQUIRED",
    "device nonce required",
    "device-nonce-missing",
);
/// Another challenge's nonce.
pub const DEVICE_AUTH_NONCE_MISMATCH: ErrorCode = device(
    "DEVICE_AUTH_NONCE_MISMATCH",
    "device nonce mismatch",
    "device-nonce-mismatch",
);
/// The signature does not fit.
pub const DEVICE_AUTH_SIGNATURE_INVALID: ErrorCode = device(
    "DEVICE_AUTH_SIGNATURE_INVALID",
    "device signature invalid",
    "device-signature",
);
/// The device waits for approval.
pub const PAIRING_REQUIRED: ErrorCode = ErrorCode {
    details: "PAIRING_REQUIRED",
    error: "NOT_PAIRED",
    class: RefusalClass::PairingRequired,
    message: "pairing required: device is not approved yet",
    reason: Some("not-paired"),
    next_step: None,
    close: 1008,
};
/// Protocol versions do not meet.
pub const PROTOCOL_MISMATCH: ErrorCode = ErrorCode {
    details: "PROTOCOL_MISMATCH",
    error: "INVALID_REQUEST",
    class: RefusalClass::VersionMismatch,
    message: "protocol mismatch",
    reason: None,
    next_step: None,
    close: 1002,
};
/// The page that asks is not one of the gateway's.
pub const CONTROL_UI_ORIGIN_NOT_ALLOWED: ErrorCode = ErrorCode {
    reason: None,
    next_step: None,
    ..credential(
        "CONTROL_UI_ORIGIN_NOT_ALLOWED",
        "origin not allowed (open the Control UI from the gateway host or allow it in gateway.controlUi.allowedOrigins)",
        "",
        "",
    )
};

/// The codes with fixed texts, as this project's server sends them.
pub const SENT: [ErrorCode; 17] = [
    AUTH_TOKEN_MISMATCH,
    AUTH_TOKEN_MISSING,
    AUTH_PASSWORD_MISMATCH,
    AUTH_PASSWORD_MISSING,
    AUTH_DEVICE_TOKEN_MISMATCH,
    AUTH_SCOPE_MISMATCH,
    AUTH_BOOTSTRAP_TOKEN_INVALID,
    AUTH_UNAUTHORIZED,
    AUTH_RATE_LIMITED,
    DEVICE_IDENTITY_REQUIRED,
    DEVICE_AUTH_DEVICE_ID_MISMATCH,
    DEVICE_AUTH_SIGNATURE_EXPIRED,
    DEVICE_AUTH_NONCE_REQUIRED,
    DEVICE_AUTH_NONCE_MISMATCH,
    DEVICE_AUTH_SIGNATURE_INVALID,
    PAIRING_REQUIRED,
    PROTOCOL_MISMATCH,
];

/// `details.reason` of `UNAVAILABLE` while the gateway starts.
pub const STARTUP_SIDECARS: &str = "startup-sidecars";
/// `details.reason` of `UNAVAILABLE` while it goes down.
pub const GATEWAY_RESTARTING: &str = "gateway-restarting";

impl ErrorCode {
    /// The code of that `details.code`, among those in [`SENT`].
    pub fn by_name(details: &str) -> Option<Self> {
        SENT.into_iter().find(|code| code.details == details)
    }

    /// The error to send.
    pub fn error(&self) -> ResponseError {
        let mut details = ErrorDetails {
            code: Some(self.details.to_owned()),
            recommended_next_step: self.next_step.map(str::to_owned),
            ..ErrorDetails::default()
        };
        let reason = self.reason.map(str::to_owned);
        if self.details.starts_with("AUTH_") {
            details.auth_reason = reason;
            details.can_retry_with_device_token = Some(false);
        } else {
            details.reason = reason;
        }
        ResponseError {
            code: self.error.to_owned(),
            message: self.message.to_owned(),
            details: Some(details),
            ..ResponseError::default()
        }
    }
}

/// What a refused connect means: by `details.code`, for `UNAVAILABLE` by itself, and for anything newer by its shape.
pub fn refusal_of(error: &ResponseError) -> Refusal {
    let details = error.details.as_ref();
    let detail_code = details.and_then(|d| d.code.as_deref()).unwrap_or_default();
    let reason = details.and_then(|d| d.reason.as_deref()).unwrap_or_default();
    let class = class_of(&error.code, detail_code, reason, &error.message);
    let code = [detail_code, reason, error.code.as_str()]
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or("error");
    Refusal {
        class,
        code: code.to_owned(),
        message: error.message.clone(),
    }
}

fn class_of(code: &str, detail: &str, reason: &str, message: &str) -> RefusalClass {
    match detail {
        "AUTH_RATE_LIMITED" => RefusalClass::RateLimited,
        "PAIRING_REQUIRED" => RefusalClass::PairingRequired,
        "PROTOCOL_MISMATCH" | "CLIENT_VERSION_MISMATCH" | "CONTROL_UI_BUILD_MISMATCH" => {
            RefusalClass::VersionMismatch
        }
        "AUTHENTICATED_PROFILE_UNAVAILABLE" => RefusalClass::AuthUnavailable,
        _ if code == "UNAVAILABLE" => {
            // "The server is busy" is too many at once; starting, restarting and suspended are not.
            if reason.contains("busy") || reason.contains("overload") || message.contains("busy") {
                RefusalClass::Overloaded
            } else {
                RefusalClass::Unavailable
            }
        }
        "" if code == "INVALID_REQUEST" => {
            if message.starts_with("unauthorized") || message.starts_with("origin not allowed") {
                RefusalClass::Credentials
            } else {
                // A schema error carries no details.
                RefusalClass::Protocol
            }
        }
        "" if code == "NOT_PAIRED" && !message.contains("identity required") => RefusalClass::PairingRequired,
        // Every other code with details, and FORBIDDEN without: who the client is was not accepted.
        _ => RefusalClass::Credentials,
    }
}

/// What a close frame before ready says by itself, where no answer came before it; `None` if it tells nothing
/// (1000, 1001, 1012 and the like).
pub fn refusal_of_close(code: Option<u16>, reason: &str) -> Option<Refusal> {
    let class = match (code?, reason) {
        (1008, r) if r.starts_with("unauthorized: too many failed") => RefusalClass::RateLimited,
        (1008, r) if r.starts_with("pairing required") => RefusalClass::PairingRequired,
        (1008, r) if r.starts_with("client version mismatch") => RefusalClass::VersionMismatch,
        (1008, r)
            if r.starts_with("unauthorized")
                || r.starts_with("device ")
                || r.starts_with("origin not allowed") =>
        {
            RefusalClass::Credentials
        }
        (1008, r) if r.starts_with("invalid") || r.starts_with("too many pending") => RefusalClass::Protocol,
        (1002, "protocol mismatch") => RefusalClass::VersionMismatch,
        (1002 | 1003 | 1007 | 1009, _) => RefusalClass::Protocol,
        (1013, _) => RefusalClass::Unavailable,
        _ => return None,
    };
    Some(Refusal {
        class,
        code: code.map_or_else(String::new, |c| format!("close {c}")),
        message: reason.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_sends_the_client_reads_back() {
        for code in SENT {
            let refusal = refusal_of(&code.error());
            assert_eq!(refusal.class, code.class, "{}", code.details);
            assert_eq!(refusal.code, code.details);
            assert_eq!(ErrorCode::by_name(code.details), Some(code));
            let close = refusal_of_close(Some(code.close), code.message);
            assert_eq!(close.map(|r| r.class), Some(code.class), "{}", code.details);
        }
    }

    #[test]
    fn real_answers_are_read_as_captured() {
        for (json, class, code) in [
            (
                r#"{"code":"INVALID_REQUEST","message":"invalid handshake: first request must be connect"}"#,
                RefusalClass::Protocol,
                "INVALID_REQUEST",
            ),
            (
                r#"{"code":"INVALID_REQUEST","message":"protocol mismatch","details":{"code":"PROTOCOL_MISMATCH","clientMinProtocol":2,"clientMaxProtocol":3,"expectedProtocol":4,"minimumProbeProtocol":3}}"#,
                RefusalClass::VersionMismatch,
                "PROTOCOL_MISMATCH",
            ),
            (
                r#"{"code":"NOT_PAIRED","message":"device identity required","details":{"code":"DEVICE_IDENTITY_REQUIRED"}}"#,
                RefusalClass::Credentials,
                "DEVICE_IDENTITY_REQUIRED",
            ),
            (
                r#"{"code":"UNAVAILABLE","message":"gateway starting","details":{"reason":"startup-sidecars"},"retryable":true,"retryAfterMs":500}"#,
                RefusalClass::Unavailable,
                "startup-sidecars",
            ),
            (
                r#"{"code":"UNAVAILABLE","message":"The server is busy. Try again.","retryable":true}"#,
                RefusalClass::Overloaded,
                "UNAVAILABLE",
            ),
            (
                r#"{"code":"INVALID_REQUEST","message":"?","details":{"code":"AUTH_SOMETHING_NEW"}}"#,
                RefusalClass::Credentials,
                "AUTH_SOMETHING_NEW",
            ),
            (
                r#"{"code":"NOT_PAIRED","message":"device identity required"}"#,
                RefusalClass::Credentials,
                "NOT_PAIRED",
            ),
            (
                r#"{"code":"NOT_PAIRED","message":"pairing required"}"#,
                RefusalClass::PairingRequired,
                "NOT_PAIRED",
            ),
            ("{}", RefusalClass::Credentials, "error"),
        ] {
            let refusal = refusal_of(&serde_json::from_str(json).unwrap());
            assert_eq!((refusal.class, refusal.code.as_str()), (class, code), "{json}");
        }
    }

    #[test]
    fn a_close_alone_tells_what_it_can() {
        let class = |code, reason| refusal_of_close(code, reason).map(|r| r.class);
        assert_eq!(
            class(Some(1013), "gateway starting"),
            Some(RefusalClass::Unavailable)
        );
        assert_eq!(
            class(Some(1008), "invalid request frame"),
            Some(RefusalClass::Protocol)
        );
        assert_eq!(class(Some(1008), "invalid role"), Some(RefusalClass::Protocol));
        assert_eq!(class(Some(1009), ""), Some(RefusalClass::Protocol));
        for (code, reason) in [
            (Some(1000), ""),
            (Some(1012), "service restart"),
            (None, ""),
            (Some(1008), "slow consumer"),
        ] {
            assert_eq!(class(code, reason), None);
        }
    }
}

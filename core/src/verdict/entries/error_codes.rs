//! Error codes on the wire: OpenClaw's `error.details.code` (protocol page, section 6) and ClawChat's hello-fail
//! reasons.

use crate::Dialect;
use crate::verdict::{ErrorCodeEntry, RefusalClass};

const fn openclaw(
    code: &'static str,
    class: RefusalClass,
    meaning: &'static str,
    fix: &'static str,
) -> ErrorCodeEntry {
    ErrorCodeEntry {
        code,
        dialect: Dialect::Openclaw,
        class: Some(class),
        meaning,
        fix,
    }
}

const fn clawchat(
    code: &'static str,
    class: RefusalClass,
    meaning: &'static str,
    fix: &'static str,
) -> ErrorCodeEntry {
    ErrorCodeEntry {
        code,
        dialect: Dialect::Clawchat,
        class: Some(class),
        meaning,
        fix,
    }
}

use RefusalClass::{
    AuthUnavailable, Credentials, PairingRequired, Protocol, RateLimited, Unavailable, VersionMismatch,
};

#[rustfmt::skip]
pub(in crate::verdict) static ERROR_CODES: &[ErrorCodeEntry] = &[
    openclaw("AUTH_TOKEN_MISMATCH", Credentials, "wrong shared token, in auth.token or auth.password", "update the client's token (--token-file, CLW_TOKEN); with a device its deviceToken may still work"),
    openclaw("AUTH_TOKEN_MISSING", Credentials, "the gateway wants a token and none was sent", "send auth.token (--token-file, CLW_TOKEN)"),
    openclaw("AUTH_TOKEN_NOT_CONFIGURED", Credentials, "token mode, but the gateway has no token", "set the token in the gateway's configuration"),
    openclaw("AUTH_PASSWORD_MISMATCH", Credentials, "wrong password", "update the client's password (--password)"),
    openclaw("AUTH_PASSWORD_MISSING", Credentials, "the gateway wants a password and none was sent", "send auth.password (--password)"),
    openclaw("AUTH_PASSWORD_NOT_CONFIGURED", Credentials, "password mode, but the gateway has no password", "set the password in the gateway's configuration"),
    openclaw("AUTH_DEVICE_TOKEN_MISMATCH", Credentials, "device token unknown, revoked, or of another device", "connect with the shared token to get a new deviceToken"),
    openclaw("AUTH_SCOPE_MISMATCH", Credentials, "the device token does not cover the scopes or the role asked for", "ask for fewer scopes, or have the wider ones approved"),
    openclaw("AUTH_BOOTSTRAP_TOKEN_INVALID", Credentials, "setup code wrong, used already, or older than 10 minutes", "make a new setup code; each works once"),
    openclaw("AUTH_RATE_LIMITED", RateLimited, "locked out after 10 failures in 60 s; the right token is refused too", "stop the client that fails, wait retryAfterMs; gateway.auth.rateLimit.* sets the limits"),
    openclaw("AUTH_UNAUTHORIZED", Credentials, "refused, no closer reason given", "check the gateway's auth mode and the credential sent"),
    openclaw("AUTH_REQUIRED", Credentials, "no credential was sent", "send a token, password or device token"),
    openclaw("AUTH_IDENTITY_HEADER_REQUIRED", Credentials, "trusted-proxy mode, and the proxy's identity header is missing", "connect through the proxy, and let it set the header"),
    openclaw("AUTH_VERIFIED_USER_REQUIRED", Credentials, "the proxy did not vouch for a user", "log in at the proxy"),
    openclaw("AUTHENTICATED_PROFILE_UNAVAILABLE", Credentials, "the profile of the authenticated user could not be had", "check the gateway's identity provider"),
    openclaw("DEVICE_IDENTITY_REQUIRED", Credentials, "a node without device, or an operator with neither credential nor device", "send a device proof (--identity ed25519), or a shared token"),
    openclaw("DEVICE_AUTH_DEVICE_ID_MISMATCH", Credentials, "device.id is not the SHA-256 of the raw public key, or the key is malformed", "derive the id from the 32 raw bytes, lower-case hex"),
    openclaw("DEVICE_AUTH_SIGNATURE_EXPIRED", Credentials, "signedAt is more than 120 s off the gateway's clock", "use the challenge's ts as signedAt; run NTP"),
    openclaw("DEVICE_AUTH_SIGNATURE_INVALID", Credentials, "the signature does not match the fields sent", "sign exactly what is sent: scopes in order, token, platform in lower case"),
    openclaw("DEVICE_AUTH_NONCE_REQUIRED", Credentials, "the nonce is blank", "copy the nonce of connect.challenge"),
    openclaw("DEVICE_AUTH_NONCE_MISMATCH", Credentials, "the nonce is not that of this connection's challenge", "use the nonce of this connection; never a stored one"),
    openclaw("DEVICE_AUTH_PUBLIC_KEY_INVALID", Credentials, "the public key cannot be read", "base64url without padding of the 32 raw bytes"),
    openclaw("DEVICE_AUTH_INVALID", Credentials, "the device proof is not valid", "compare it with the protocol page's test vector"),
    openclaw("PAIRING_REQUIRED", PairingRequired, "the device or node waits for approval (details.requestId)", "device.pair.approve {\"requestId\"} by an operator with operator.pairing"),
    openclaw("NOT_PAIRED", PairingRequired, "error.code of PAIRING_REQUIRED and DEVICE_IDENTITY_REQUIRED; read details.code", "approve the device, or send one"),
    openclaw("PROTOCOL_MISMATCH", VersionMismatch, "minProtocol..maxProtocol does not include what the gateway speaks", "offer details.expectedProtocol (4)"),
    openclaw("CLIENT_VERSION_MISMATCH", VersionMismatch, "an old node on the gateway's own host", "update the node to the gateway's release"),
    openclaw("CONTROL_UI_BUILD_MISMATCH", VersionMismatch, "the browser runs a page of another build", "reload the page"),
    openclaw("CONTROL_UI_ORIGIN_NOT_ALLOWED", Credentials, "the Origin header is not accepted", "add it to gateway.controlUi.allowedOrigins, or send none"),
    openclaw("CONTROL_UI_DEVICE_IDENTITY_REQUIRED", Credentials, "the browser UI must prove a device", "use HTTPS or localhost, so that the browser can make a key"),
    openclaw("INVALID_REQUEST", Protocol, "a field of the request is wrong or unknown; the message says where", "fix the field named, e.g. /client/id"),
    openclaw("UNAVAILABLE", Unavailable, "starting, restarting, suspended; details.reason says which", "try again after retryAfterMs"),
    openclaw("startup-sidecars", Unavailable, "connect came while the gateway starts", "wait for GET /readyz 200; retry after 500 ms"),
    openclaw("gateway-restarting", Unavailable, "connect came while the gateway goes down", "retry after 1000 ms, with backoff"),
    ErrorCodeEntry { code: "MISSING_SCOPE", dialect: Dialect::Openclaw, class: None, meaning: "a call after hello-ok needs a scope that the session does not have; the session stays open", fix: "ask for the scope in connect, and have it approved" },
    ErrorCodeEntry { code: "FORBIDDEN", dialect: Dialect::Openclaw, class: None, meaning: "error.code of MISSING_SCOPE; more than 10 such calls in a row may end the session (1008)", fix: "do not repeat a call that is forbidden" },
    clawchat("authentication failed", Credentials, "hello-fail: the token was rejected", "refresh once and connect with the new token; refused again: log in anew"),
    clawchat("remote auth service unavailable", AuthUnavailable, "hello-fail: the auth backend is down", "back off with the same token; never refresh, never log out"),
    clawchat("nonce mismatch", Credentials, "hello-fail: the nonce is not that of this connection's challenge", "echo the nonce of this connection"),
    clawchat("invalid connect event", Protocol, "hello-fail: the first frame was not a connect event", "send connect first, version \"2\""),
    clawchat("invalid connect payload", Protocol, "hello-fail: the payload of connect is wrong", "token and nonce are required strings"),
];

//! Error codes on the wire: OpenClaw's `error.details.code` (protocol page, section 6), CLW's reasons of DISCONNECT_AUTH,
//! ClawChat's hello-fail reasons, its refresh endpoint's codes and those of `message.error`.

use crate::Dialect;
use crate::verdict::ErrorCodeEntry;
use crate::verdict::Verdict::{
    self, AuthFailed, AuthUnavailable, HeartbeatMiss, PairingRequired, ProtocolError, RateLimited,
    ServerOverloaded, ServerRestart, ServerUnavailable, SessionExpired, SessionRevoked, VersionMismatch,
};

const fn openclaw(
    code: &'static str,
    verdict: Verdict,
    meaning: &'static str,
    fix: &'static str,
) -> ErrorCodeEntry {
    ErrorCodeEntry {
        verdict: Some(verdict),
        ..goes_on(Dialect::Openclaw, code, meaning, fix)
    }
}

const fn clw(
    code: &'static str,
    verdict: Verdict,
    meaning: &'static str,
    fix: &'static str,
) -> ErrorCodeEntry {
    ErrorCodeEntry {
        verdict: Some(verdict),
        ..goes_on(Dialect::Clw, code, meaning, fix)
    }
}

const fn clawchat(
    code: &'static str,
    verdict: Verdict,
    meaning: &'static str,
    fix: &'static str,
) -> ErrorCodeEntry {
    ErrorCodeEntry {
        verdict: Some(verdict),
        ..goes_on(Dialect::Clawchat, code, meaning, fix)
    }
}

/// A code that ends nothing.
const fn goes_on(
    dialect: Dialect,
    code: &'static str,
    meaning: &'static str,
    fix: &'static str,
) -> ErrorCodeEntry {
    ErrorCodeEntry {
        code,
        dialect,
        verdict: None,
        meaning,
        fix,
    }
}

#[rustfmt::skip]
pub(in crate::verdict) static ERROR_CODES: &[ErrorCodeEntry] = &[
    openclaw("AUTH_TOKEN_MISMATCH", AuthFailed, "wrong shared token, in auth.token or auth.password", "update the client's token (--token-file, CLW_TOKEN); with a device its deviceToken may still work"),
    openclaw("AUTH_TOKEN_MISSING", AuthFailed, "the gateway wants a token and none was sent", "send auth.token (--token-file, CLW_TOKEN)"),
    openclaw("AUTH_TOKEN_NOT_CONFIGURED", AuthFailed, "token mode, but the gateway has no token", "set the token in the gateway's configuration"),
    openclaw("AUTH_PASSWORD_MISMATCH", AuthFailed, "wrong password", "update the client's password (--password)"),
    openclaw("AUTH_PASSWORD_MISSING", AuthFailed, "the gateway wants a password and none was sent", "send auth.password (--password)"),
    openclaw("AUTH_PASSWORD_NOT_CONFIGURED", AuthFailed, "password mode, but the gateway has no password", "set the password in the gateway's configuration"),
    openclaw("AUTH_DEVICE_TOKEN_MISMATCH", AuthFailed, "device token unknown, revoked, or of another device", "connect with the shared token to get a new deviceToken"),
    openclaw("AUTH_SCOPE_MISMATCH", AuthFailed, "the device token does not cover the scopes or the role asked for", "ask for fewer scopes, or have the wider ones approved"),
    openclaw("AUTH_BOOTSTRAP_TOKEN_INVALID", AuthFailed, "setup code wrong, used already, or older than 10 minutes", "make a new setup code; each works once"),
    openclaw("AUTH_RATE_LIMITED", RateLimited, "locked out after 10 failures in 60 s; the right token is refused too", "stop the client that fails, wait retryAfterMs; gateway.auth.rateLimit.* sets the limits"),
    openclaw("AUTH_UNAUTHORIZED", AuthFailed, "refused, no closer reason given", "check the gateway's auth mode and the credential sent"),
    openclaw("AUTH_REQUIRED", AuthFailed, "no credential was sent", "send a token, password or device token"),
    openclaw("AUTH_TAILSCALE_IDENTITY_MISSING", AuthFailed, "tailscale mode, and the request carries no Tailscale identity", "connect through Tailscale Serve, or send a token"),
    openclaw("AUTH_TAILSCALE_PROXY_MISSING", AuthFailed, "tailscale mode, and the request did not come through its proxy", "connect through Tailscale Serve, or send a token"),
    openclaw("AUTH_TAILSCALE_WHOIS_FAILED", AuthFailed, "Tailscale could not tell who the peer is", "check that tailscaled runs on the gateway's host (tailscale status)"),
    openclaw("AUTH_TAILSCALE_IDENTITY_MISMATCH", AuthFailed, "Tailscale names another user than the request", "log in to Tailscale as the user that the request names"),
    openclaw("AUTH_IDENTITY_HEADER_REQUIRED", AuthFailed, "trusted-proxy mode, and the proxy's identity header is missing", "connect through the proxy, and let it set the header"),
    openclaw("AUTH_VERIFIED_USER_REQUIRED", AuthFailed, "the proxy did not vouch for a user", "log in at the proxy"),
    openclaw("AUTHENTICATED_PROFILE_UNAVAILABLE", AuthUnavailable, "the profile of the authenticated user could not be had", "check the gateway's identity provider"),
    openclaw("DEVICE_IDENTITY_REQUIRED", AuthFailed, "a node without device, or an operator with neither credential nor device", "send a device proof (--identity ed25519), or a shared token"),
    openclaw("DEVICE_AUTH_DEVICE_ID_MISMATCH", AuthFailed, "device.id is not the SHA-256 of the raw public key, or the key is malformed", "derive the id from the 32 raw bytes, lower-case hex"),
    openclaw("DEVICE_AUTH_SIGNATURE_EXPIRED", AuthFailed, "signedAt is more than 120 s off the gateway's clock", "use the challenge's ts as signedAt; run NTP"),
    openclaw("DEVICE_AUTH_SIGNATURE_INVALID", AuthFailed, "the signature does not match the fields sent", "sign exactly what is sent: scopes in order, token, platform in lower case"),
    openclaw("DEVICE_AUTH_NONCE_REQUIRED", AuthFailed, "the nonce is blank", "copy the nonce of connect.challenge"),
    openclaw("DEVICE_AUTH_NONCE_MISMATCH", AuthFailed, "the nonce is not that of this connection's challenge", "use the nonce of this connection; never a stored one"),
    openclaw("DEVICE_AUTH_PUBLIC_KEY_INVALID", AuthFailed, "the public key cannot be read", "base64url without padding of the 32 raw bytes"),
    openclaw("DEVICE_AUTH_INVALID", AuthFailed, "the device proof is not valid", "compare it with the protocol page's test vector"),
    openclaw("PAIRING_REQUIRED", PairingRequired, "the device or node waits for approval (details.requestId)", "device.pair.approve {\"requestId\"} by an operator with operator.pairing"),
    openclaw("NOT_PAIRED", PairingRequired, "error.code of PAIRING_REQUIRED and DEVICE_IDENTITY_REQUIRED; read details.code", "approve the device, or send one"),
    openclaw("PROTOCOL_MISMATCH", VersionMismatch, "minProtocol..maxProtocol does not include what the gateway speaks", "offer details.expectedProtocol (4)"),
    openclaw("CLIENT_VERSION_MISMATCH", VersionMismatch, "an old node on the gateway's own host", "update the node to the gateway's release"),
    openclaw("CONTROL_UI_BUILD_MISMATCH", VersionMismatch, "the browser runs a page of another build", "reload the page"),
    openclaw("CONTROL_UI_ORIGIN_NOT_ALLOWED", AuthFailed, "the Origin header is not accepted", "add it to gateway.controlUi.allowedOrigins, or send none"),
    openclaw("CONTROL_UI_DEVICE_IDENTITY_REQUIRED", AuthFailed, "the browser UI must prove a device", "use HTTPS or localhost, so that the browser can make a key"),
    openclaw("INVALID_REQUEST", ProtocolError, "a field of the request is wrong or unknown; the message says where", "fix the field named, e.g. /client/id"),
    openclaw("UNAVAILABLE", ServerUnavailable, "starting, restarting, suspended; details.reason says which", "try again after retryAfterMs"),
    openclaw("startup-sidecars", ServerUnavailable, "connect came while the gateway starts", "wait for GET /readyz 200; retry after 500 ms"),
    openclaw("gateway-restarting", ServerUnavailable, "connect came while the gateway goes down", "retry after 1000 ms, with backoff"),
    goes_on(Dialect::Openclaw, "MISSING_SCOPE", "a call after hello-ok needs a scope that the session does not have; the session stays open", "ask for the scope in connect, and have it approved"),
    goes_on(Dialect::Openclaw, "FORBIDDEN", "error.code of MISSING_SCOPE; more than 10 such calls in a row may end the session (1008)", "do not repeat a call that is forbidden"),
    goes_on(Dialect::Openclaw, "APPROVAL_NOT_FOUND", "the request to be approved or refused is not pending any more", "ask device.pair.list for what is pending now"),
    clw("overload", ServerOverloaded, "DISCONNECT_AUTH: more logins wait than the auth queue holds (1024; hardened 2048)", "start slower (--ramp, --rate), or enlarge the queue (clw-gateway --clw-queue)"),
    clw("token_expired", SessionExpired, "DISCONNECT_AUTH: the token's lifetime ended without a refresh", "refresh 30 s before ttl_s is over, with a token that was never presented"),
    clw("token_revoked", SessionRevoked, "DISCONNECT_AUTH: the token was withdrawn, or AUTH_PING carried a stale token_id", "ask the token source for a new one; never present the old one again"),
    clw("version_mismatch", VersionMismatch, "DISCONNECT_AUTH: a 2.1 client's AUTH_PING has no token_id, and a 2.2 server wants one", "update the client to 2.2, or run the server with compatibility on"),
    clw("heartbeat_timeout", HeartbeatMiss, "DISCONNECT_AUTH: no AUTH_PING came within the server's grace (5 s)", "see who went silent: a blocked loop, a cut path, a period longer than the grace"),
    clw("shutdown", ServerRestart, "DISCONNECT_AUTH: the server stops or restarts", "reconnect with jittered backoff and a new token"),
    clawchat("authentication failed", AuthFailed, "hello-fail: the token was rejected", "refresh once and connect with the new token; refused again: log in anew"),
    clawchat("remote auth service unavailable", AuthUnavailable, "hello-fail: the auth backend is down", "back off with the same token; never refresh, never log out"),
    clawchat("nonce mismatch", AuthFailed, "hello-fail: the nonce is not that of this connection's challenge", "echo the nonce of this connection"),
    clawchat("invalid connect event", ProtocolError, "hello-fail: the first frame was not a connect event", "send connect first, version \"2\""),
    clawchat("invalid connect payload", ProtocolError, "hello-fail: the payload of connect is wrong", "token and nonce are required strings"),
    goes_on(Dialect::Clawchat, "10003", "refresh: the refresh token is unknown, revoked, expired, used already, or of another device: permanent", "log in anew; if the answer to the last refresh was lost, the pair was rotated away: keep a pair before using it"),
    goes_on(Dialect::Clawchat, "400", "refresh: bad body, or X-Device-Id missing or too long: permanent", "send {\"refresh_token\"} and the device id used at agents/connect"),
    goes_on(Dialect::Clawchat, "1", "refresh: the endpoint cannot answer now; nothing was rotated", "retry after 1 s, doubling to 30 s; never log out for it"),
    goes_on(Dialect::Clawchat, "chat_not_found", "message.error: there is no such conversation", "check chat_id; final for this message"),
    goes_on(Dialect::Clawchat, "not_member", "message.error: the sender is no member of the conversation", "join it first; final for this message"),
    goes_on(Dialect::Clawchat, "bad_request", "message.error: the payload is wrong", "compare it with the protocol page; final for this message"),
    goes_on(Dialect::Clawchat, "unsupported_version", "message.error: the envelope's version is not \"2\"", "send version \"2\""),
    goes_on(Dialect::Clawchat, "message_too_large", "message.error: larger than the server takes", "split it, or upload it as media"),
    goes_on(Dialect::Clawchat, "message_id_too_long", "message.error: message_id over 512 bytes", "use msg- and 26 characters"),
    goes_on(Dialect::Clawchat, "capability_missing", "message.error: the connection did not ask for that capability", "name it in connect's capabilities"),
];

//! Endings in which the server refused who the client says it is.

use super::ALL;
use crate::Dialect;
use crate::verdict::{Entry, EvidenceSources, Verdict};

pub(super) static RATE_LIMITED: Entry = Entry {
    verdict: Verdict::RateLimited,
    title: "Locked out after failed logins",
    cause_line: "too many failed logins from this address: even the right credential is refused for a while",
    fix_line: "stop the client with the wrong credential, wait retryAfterMs (5 min), then log in again",
    symptoms: &[
        "a credential that is right is refused, and works from another address",
        "began after a series of clw-auth-failed",
    ],
    causes: &[
        "10 failures within 60 s lock an address out for 5 min, per kind of credential (OpenClaw defaults)",
        "a forgotten client retries a rotated token in a loop",
        "many clients share one address behind a NAT or proxy",
    ],
    evidence: EvidenceSources {
        capture: &[
            "answer to connect with details.code AUTH_RATE_LIMITED, then close 1008 `unauthorized: …`",
        ],
        client: &["AUTH_RATE_LIMITED, retryable, retryAfterMs, recommendedNextStep wait_then_retry"],
        gateway_log: &[
            "`[ws] unauthorized …` again and again from one `remote=`, the first ten with reason=token_mismatch",
        ],
    },
    fixes: &[
        "find the offender: count `unauthorized` lines by remote=",
        "clients: on AUTH_TOKEN_MISMATCH stop instead of retrying; obey retryAfterMs",
        "limits: `gateway.auth.rateLimit.{maxAttempts,windowMs,lockoutMs}`",
        "loopback is exempt (answers are only held back 250 ms to 5 s) unless `…rateLimit.exemptLoopback:false`",
    ],
    related: &[Verdict::AuthFailed, Verdict::ServerOverloaded],
    seed_names: &["RateLimited"],
    dialects: &[Dialect::Openclaw],
    fault: "`clw-gateway --fault clw-rate-limited` answers connect with AUTH_RATE_LIMITED",
};

pub(super) static PAIRING_REQUIRED: Entry = Entry {
    verdict: Verdict::PairingRequired,
    title: "Device or node must be approved first",
    cause_line: "the credential is right, but this device or node is not approved for that role or those scopes",
    fix_line: "approve it: `device.pair.list`, then `device.pair.approve {\"requestId\"}`; connect again",
    symptoms: &[
        "every attempt of one device fails with the same requestId",
        "others with the same token get in",
    ],
    causes: &[
        "first connect of this device from a non-loopback address (reason not-paired)",
        "it asks for another role or more scopes than approved (role-upgrade, scope-upgrade)",
        "its stored key was lost, so it looks like a new device",
        "a proxied or non-local Host header makes a local client count as remote",
    ],
    evidence: EvidenceSources {
        capture: &["answer NOT_PAIRED / PAIRING_REQUIRED, close 1008 `pairing required: … (requestId: …)`"],
        client: &["PAIRING_REQUIRED with details.requestId and details.reason"],
        gateway_log: &["`closed before connect … code=1008 reason=pairing required: …`"],
    },
    fixes: &[
        "an operator session with scope operator.pairing approves the requestId; then the device gets its deviceToken",
        "local development: `gateway.nodes.pairing.autoApproveLocal` is true by default, for loopback only",
        "keep the device's private key across restarts; a new key is a new device",
        "load tests: client gateway-client/backend needs no pairing",
    ],
    related: &[Verdict::AuthFailed],
    seed_names: &["PairingRequired"],
    dialects: &[Dialect::Openclaw],
    fault: "`clw-gateway --fault clw-pairing-required` answers connect with PAIRING_REQUIRED and a requestId",
};

pub(super) static AUTH_FAILED: Entry = Entry {
    verdict: Verdict::AuthFailed,
    title: "Credentials refused",
    cause_line: "token, password, device signature, scope or origin not accepted before ready",
    fix_line: "look at details.code (clw-bench explain CODE); usually the token differs from the gateway's",
    symptoms: &[
        "close 1008 `unauthorized: …` or `device …` 0.25-5 s after the upgrade; never ready",
        "all clients with one credential fail, others do not",
    ],
    causes: &[
        "wrong, rotated or revoked token or password (AUTH_TOKEN_MISMATCH, AUTH_PASSWORD_MISMATCH)",
        "no credential and no device at all (DEVICE_IDENTITY_REQUIRED)",
        "device token does not cover role or scopes asked for (AUTH_SCOPE_MISMATCH)",
        "clock off by more than 120 s (DEVICE_AUTH_SIGNATURE_EXPIRED), or fields signed differ from fields sent",
        "Origin not in gateway.controlUi.allowedOrigins",
        "ClawChat: hello-fail `authentication failed`; CLW: AUTH_ERROR 0xA09",
    ],
    evidence: EvidenceSources {
        capture: &[
            "OpenClaw: res with ok:false and error.details.code, then close 1008",
            "ClawChat: hello-fail with payload.reason, FIN without a close frame; a later RST is noise (after-close)",
        ],
        client: &[
            "details.code and recommendedNextStep; 1006 alone (ClawChat) says nothing, read the hello-fail",
        ],
        gateway_log: &[
            "`[ws] unauthorized conn=… auth=token … reason=token_mismatch`, then `closed before connect … cause=unauthorized`",
        ],
    },
    fixes: &[
        "compare fingerprints, not tokens: `printf %s \"$TOKEN\" | sha256sum`; a trailing newline is a classic",
        "pass it by `--token-file F` or env `CLW_TOKEN`; OpenClaw takes the shared secret in token or password",
        "device proof: sign v3|deviceId|client.id|mode|role|scopes|signedAt|token|nonce|platform|family, ts of the challenge",
        "run NTP on the client when signatures expire",
        "stop retrying on a mismatch: 10 failures in 60 s lock the address out (clw-rate-limited)",
    ],
    related: &[
        Verdict::RateLimited,
        Verdict::PairingRequired,
        Verdict::AuthUnavailable,
    ],
    seed_names: &["clw-auth-failed", "Failed Ed25519 pairing"],
    dialects: ALL,
    fault: "`clw-gateway --token A` and a client with another token; or `--fault clw-auth-failed`",
};

pub(super) static AUTH_UNAVAILABLE: Entry = Entry {
    verdict: Verdict::AuthUnavailable,
    title: "Auth backend down",
    cause_line: "the server could not ask its auth backend; the token was neither accepted nor refused",
    fix_line: "back off with the same token; never refresh it, never log out; repair the auth service",
    symptoms: &[
        "all logins fail from one instant on, open sessions stay",
        "ends by itself when the backend is back",
    ],
    causes: &["the remote auth service is down, slow or unreachable from the server"],
    evidence: EvidenceSources {
        capture: &["hello-fail `remote auth service unavailable`, server FIN without a close frame"],
        client: &["the hello-fail reason contains `auth service unavailable`"],
        gateway_log: &["the server's calls to its auth backend fail at the same time"],
    },
    fixes: &[
        "clients: 500 ms doubling to 15 s with jitter, same token",
        "a client that refreshes or logs out here turns an outage into lost logins: fix its classes of hello-fail",
        "check the auth service and the server's route to it",
    ],
    related: &[Verdict::AuthFailed, Verdict::ServerUnavailable],
    seed_names: &["auth service unavailable"],
    dialects: &[Dialect::Clawchat],
    fault: "a ClawChat server that answers hello-fail `remote auth service unavailable`",
};

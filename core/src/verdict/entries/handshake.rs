//! Endings between the upgrade and ready that no credential explains.

use super::ALL;
use crate::Dialect;
use crate::verdict::{Entry, EvidenceSources, Verdict};

pub(super) static VERSION_MISMATCH: Entry = Entry {
    verdict: Verdict::VersionMismatch,
    title: "Protocol versions do not meet",
    cause_line: "client and server have no protocol version in common, often after one of them was updated",
    fix_line: "update the older side; OpenClaw needs 4 within minProtocol..maxProtocol, CLW 2.2 a token_id",
    symptoms: &[
        "every client of one release fails, others work",
        "began with an update of the server or the client",
    ],
    causes: &[
        "OpenClaw: connect's range does not include 4 (3 only for nodes in mode node, and probes)",
        "CLW: a 2.1.x client against a 2.2.x server: its AUTH_PING has no token_id and is answered by 0xA03",
        "an old node on the gateway's own host (CLIENT_VERSION_MISMATCH), or an old page of the browser UI",
    ],
    evidence: EvidenceSources {
        capture: &[
            "server close 1002 `protocol mismatch`; the answer before it has details.expectedProtocol",
            "CLW: AUTH_OK, first AUTH_PING, then 0xA03 version_mismatch",
        ],
        client: &["PROTOCOL_MISMATCH, or DISCONNECT_AUTH version_mismatch one heartbeat (2 s) after login"],
        gateway_log: &["`[ws] protocol mismatch conn=… min=2 max=3 expected=4`"],
    },
    fixes: &[
        "update the client, or offer a range: `minProtocol:3, maxProtocol:4`",
        "CLW: offer subprotocol clw.auth.v2 and send token_id; or run the server with compatibility on",
        "update servers first, and keep compatibility on until the clients have followed",
    ],
    related: &[Verdict::ProtocolError, Verdict::AuthFailed],
    seed_names: &["Version Mismatch v2.1.4 / v2.2.0"],
    dialects: &[Dialect::Openclaw, Dialect::Clw],
    fault: "`clw-gateway --fault clw-version-mismatch` expects a version that the client does not speak",
};

pub(super) static PROTOCOL_ERROR: Entry = Entry {
    verdict: Verdict::ProtocolError,
    title: "Protocol broken",
    cause_line: "a malformed, oversized or misplaced message: close 1002, 1003, 1007, 1009, or 1008 for a frame",
    fix_line: "the reason names the field or the limit; fix the sender (first message must be connect)",
    symptoms: &[
        "fails within milliseconds of one message, every time",
        "one client release only",
    ],
    causes: &[
        "first message is not connect, no JSON, or has an unknown or wrong field (OpenClaw's objects are closed)",
        "client.id or client.mode not in the gateway's list; your own name goes into displayName or userAgent",
        "message too large: OpenClaw 64 KiB before hello-ok, 25 MiB after; ClawChat 64 KiB, then 8 MiB",
        "frames without mask, bad UTF-8, reserved bits; a proxy that rewrites bytes",
    ],
    evidence: EvidenceSources {
        capture: &[
            "close 1002, 1007, 1009, or 1008 `invalid connect params: at /client/id: …`, `invalid request frame`",
            "OpenClaw: server close 1000 with empty reason a few ms after the first message: it was no JSON",
        ],
        client: &[
            "INVALID_REQUEST without details; or an error of the WebSocket library about the server's frame",
        ],
        gateway_log: &[
            "`[ws] invalid handshake`, `[gateway] parse/handle error`, `Max payload size exceeded`",
        ],
    },
    fixes: &[
        "read the path in the reason: `at /client/id` is params.client.id",
        "split or shrink messages over the limit (hello-ok's policy.maxPayload tells it)",
        "a healthy client breaks through one proxy only: compare captures from both sides of it",
    ],
    related: &[
        Verdict::VersionMismatch,
        Verdict::HandshakeTimeout,
        Verdict::AuthFailed,
    ],
    seed_names: &["1002 Protocol error"],
    dialects: ALL,
    fault: "`clw-gateway --fault clw-protocol-error` sends a malformed frame",
};

pub(super) static HANDSHAKE_TIMEOUT: Entry = Entry {
    verdict: Verdict::HandshakeTimeout,
    title: "Handshake timed out at the server",
    cause_line: "the client did not finish the handshake within the server's limit (OpenClaw 15 s)",
    fix_line: "find who waits: no connect sent, or a stalled loop; then OPENCLAW_HANDSHAKE_TIMEOUT_MS",
    symptoms: &[
        "sessions end before ready after exactly 15.0 s (ClawChat about 10 s, CLW 5 s)",
        "close 1000 with an empty reason, 1008, or a bare FIN: the code says nothing",
        "durationMs in the log equals the timeout",
    ],
    causes: &[
        "the client waits for something that does not come, or never sends connect (port scans, health probes)",
        "the client's event loop is blocked, or thousands of connects start at once",
        "the gateway's event loop is blocked, so that its answers come too late",
        "packets to the server are lost after the upgrade (path MTU, one-way firewall)",
    ],
    evidence: EvidenceSources {
        capture: &[
            "101, connect.challenge, then nothing from the client until the server's close at 15.0-15.1 s",
        ],
        client: &[
            "close 1000 or 1006 before hello-ok at about the timeout; check whether connect was written",
        ],
        gateway_log: &[
            "`[ws] handshake timeout conn=… peer=… phase=ws_upgrade_started`, then `closed before connect … durationMs=15006`",
        ],
    },
    fixes: &[
        "phase tells who is late: ws_upgrade_started = no connect came; auth_credentials_received or later = the gateway",
        "generator: fewer at once, `--ramp 30s`; see schedule_lag_us in the result",
        "gateway: raise env `OPENCLAW_HANDSHAKE_TIMEOUT_MS` (default 15000, no config key)",
        "use GET /healthz for probes instead of a bare WebSocket",
    ],
    related: &[
        Verdict::ClosedBeforeConnect,
        Verdict::ServerOverloaded,
        Verdict::ProtocolError,
    ],
    seed_names: &["handshake timeout", "durationMs = timeout"],
    dialects: ALL,
    fault: "`clw-gateway --fault clw-handshake-timeout` leaves the handshake unfinished until its timeout",
};

pub(super) static CLOSED_BEFORE_CONNECT: Entry = Entry {
    verdict: Verdict::ClosedBeforeConnect,
    title: "Closed before connect",
    cause_line: "ended before ready without an error told; `by` says which side left",
    fix_line: "by client: its own timeout, or a helper (harmless); by server: its log has cause= and phase=",
    symptoms: &[
        "`closed before connect` in the log, often in numbers",
        "no error at either side but a 1006 or 1000",
    ],
    causes: &[
        "the client gave up: its timeout is shorter than the handshake takes under load",
        "helpers, probes and port scans connect and leave (a helper's user agent is marked, not counted)",
        "the client process ended, or the page was left",
        "the network or a firewall cut it: typically under 100 ms, by RST",
    ],
    evidence: EvidenceSources {
        capture: &[
            "FIN, RST or close 1000/1001 before hello-ok; the first close frame, else the first FIN or RST, says who",
        ],
        client: &["close before hello-ok; its own timer if it ended the session itself"],
        gateway_log: &[
            "`[ws] closed before connect conn=… code=… phase=… cause=… durationMs=… handshake=… ua=…`",
        ],
    },
    fixes: &[
        "durationMs: under 100 ms look at network and firewall; up to the timeout at a slow handshake",
        "client limit too short: raise `--timeout` (an OpenClaw connect takes 1.7 s with 1000 at once)",
        "noise from helpers: filter by ua=",
        "RST under 100 ms: capture both sides, and see the RST's class (clw-bench explain injected)",
    ],
    related: &[
        Verdict::HandshakeTimeout,
        Verdict::InjectedReset,
        Verdict::TlsFailed,
    ],
    seed_names: &["closed before connect", "noisy helpers"],
    dialects: ALL,
    fault: "`clw-gateway --fault clw-closed-before-connect` sends FIN after the upgrade",
};

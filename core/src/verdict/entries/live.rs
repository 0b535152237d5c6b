//! Endings of live sessions with a reason of their own.

use super::ALL;
use crate::Dialect;
use crate::verdict::{Entry, EvidenceSources, Verdict};

pub(super) static SESSION_REVOKED: Entry = Entry {
    verdict: Verdict::SessionRevoked,
    title: "Session revoked",
    cause_line: "authority was withdrawn from a live session: token rotated, device removed, policy changed",
    fix_line: "get the new token or approval; the old one is dead, so do not retry with it",
    symptoms: &[
        "a group of live sessions ends at one instant; their reconnects then fail with clw-auth-failed",
    ],
    causes: &[
        "the shared token was rotated in the gateway's configuration (`gateway auth changed`)",
        "a device or client was invalidated (`client invalidated: …`), or `gateway policy changed`",
        "CLW: DISCONNECT_AUTH token_revoked, or a stale token_id in AUTH_PING",
    ],
    evidence: EvidenceSources {
        capture: &["server close 4001 after hello-ok (OpenClaw); opcode 0xA03 token_revoked (CLW)"],
        client: &["4001 with its reason; the same number from a ClawChat server is a takeover"],
        gateway_log: &["`→ close code=4001`, next to a configuration reload or a device.* call"],
    },
    fixes: &[
        "planned rotation: hand the new token to the clients first, then rotate",
        "not planned: who changed the configuration or removed the device, and when",
        "clients: on 4001 fetch credentials anew, then reconnect once",
    ],
    related: &[
        Verdict::AuthFailed,
        Verdict::SessionReplaced,
        Verdict::SessionExpired,
    ],
    seed_names: &["Administrative session revocation"],
    dialects: &[Dialect::Openclaw, Dialect::Clw],
    fault: "`clw-gateway --fault clw-session-revoked` closes 4001 after ready (clw: 0xA03 token_revoked)",
};

pub(super) static SESSION_REPLACED: Entry = Entry {
    verdict: Verdict::SessionReplaced,
    title: "Replaced by another connection",
    cause_line: "the same user and device connected again, and the newer connection took over",
    fix_line: "run one process for each device id; give every copy a device id of its own",
    symptoms: &[
        "two processes push each other out in turn, every 0.5 s to 15 s",
        "the token is still good",
    ],
    causes: &[
        "two processes share one device id (copied state, two containers, a forgotten daemon)",
        "a client reconnected before the server noticed that its old connection was dead (harmless, once)",
    ],
    evidence: EvidenceSources {
        capture: &[
            "server close 4001 after hello-ok; another connection with the same device_id began just before",
        ],
        client: &[
            "4001 (or 4002 with retry_after_ms) from the server; 4001 sent by the client itself is no takeover",
        ],
        gateway_log: &["two sessions with one (user, device) overlap"],
    },
    fixes: &[
        "find the second process by its address in the capture or log, and stop it",
        "Hermes: set `CLAWCHAT_DEVICE_ID` (must begin `hermes-`) apart for each process",
        "clients: wait at least 5 s after 4001; more than 3 takeovers in 10 s are slowed by the server",
    ],
    related: &[Verdict::SessionRevoked, Verdict::AuthDisconnected],
    seed_names: &["Concurrent session limits exceeded"],
    dialects: &[Dialect::Clawchat],
    fault: "two ClawChat sessions with one device id",
};

pub(super) static SESSION_EXPIRED: Entry = Entry {
    verdict: Verdict::SessionExpired,
    title: "Token lifetime ended",
    cause_line: "the token ran out during the session and was not refreshed in time; the server said so",
    fix_line: "refresh 30 s before expiry (CLW ttl_s 300), and check why the last refresh did not work",
    symptoms: &[
        "sessions end at the same age, e.g. 300 s after login",
        "short sessions are never affected",
    ],
    causes: &[
        "the client does not refresh, or not early enough for its round trip",
        "the refresh was refused (AUTH_ERROR with seq 0xFF) or its answer was lost",
        "the client's clock runs slow, or the machine slept",
    ],
    evidence: EvidenceSources {
        capture: &["CLW: REFRESH_NEEDED 0xA06, then 0xA03 token_expired without a REFRESH_OK 0xA08 between"],
        client: &["`Token refresh failed, seq=0xFF`, or no refresh at all before ttl_s"],
        gateway_log: &["the close or DISCONNECT_AUTH at login time + ttl"],
    },
    fixes: &[
        "arm the refresh at every AUTH_OK and REFRESH_OK, 30 s before ttl_s runs out, by a monotonic clock",
        "on refusal get a new token from its source; a token that ended is never used again",
        "raise the lifetime if sessions are longer by design",
    ],
    related: &[Verdict::SessionRevoked, Verdict::AuthFailed],
    seed_names: &["clw-session-expired"],
    dialects: &[Dialect::Clw],
    fault: "`clw-gateway --dialect clw --fault clw-session-expired` lets tokens run out and refuses the refresh",
};

pub(super) static SLOW_CONSUMER: Entry = Entry {
    verdict: Verdict::SlowConsumer,
    title: "Client did not read",
    cause_line: "the client reads more slowly than the server sends, and the server's buffer for it overflowed",
    fix_line: "make the client read all the time; ask for fewer events; look at its CPU and its network",
    symptoms: &[
        "one client loses its session under load, others do not",
        "its receive window stays at zero for long",
    ],
    causes: &[
        "the client's loop is blocked (synchronous work, a debugger, swapping)",
        "the path is too slow for what is broadcast (presence and health events go to every session)",
        "the client is stopped or asleep with its connection open",
    ],
    evidence: EvidenceSources {
        capture: &[
            "tcp.window_size == 0 from the client (TCP ZeroWindow) before server close 1008 `slow consumer`",
            "or a RST by the server while that window is closed: OpenClaw 2026.9.6 cuts without a word",
        ],
        client: &["1008 `slow consumer`, or 1006 if it never read the close frame"],
        gateway_log: &[
            "with --verbose: `→ close code=1006 cause=outbound-buffer-exceeded …`",
            "`→ close code=1008 reason=slow consumer … bufferedBytes=52428800` or more",
        ],
    },
    fixes: &[
        "read in a task of its own, and drop or coalesce events that are not needed",
        "OpenClaw's limit of 50 MiB for a client is fixed (hello-ok policy.maxBufferedBytes)",
        "avoid presence clients by the thousand: each change is sent to every session",
    ],
    related: &[Verdict::HeartbeatMiss, Verdict::AuthDisconnected],
    seed_names: &[],
    dialects: ALL,
    fault: "`clw-gateway --fault clw-slow-consumer` closes 1008 as if the client did not read",
};

pub(super) static HEARTBEAT_MISS: Entry = Entry {
    verdict: Verdict::HeartbeatMiss,
    title: "Heartbeats stopped",
    cause_line: "one side heard no heartbeat for longer than its grace and gave the session up",
    fix_line: "see who went silent: blocked loop, cut path, or an idle timer shorter than the period",
    symptoms: &[
        "sessions end after a silence of fixed length: CLW 3 s, OpenClaw 50 or 75 s after hello-ok, ClawChat 70 s",
        "client close 4000, ClawChat's Hermes 1011; or a FIN by the server without a close frame",
    ],
    causes: &[
        "an event loop is blocked: TCP acknowledges, the application does not answer",
        "the path is cut, or a NAT forgot the connection: retransmissions stay unanswered",
        "one direction only is cut: pings go out, pongs do not come back (of CLW datagrams alone: a one-way loss, which ends nothing)",
        "the client does not answer ws pings (a library without automatic pong, or nobody reads)",
        "heartbeat timeout too short for the round trip (CLW needs under 1000 ms)",
    ],
    evidence: EvidenceSources {
        capture: &[
            "OpenClaw: ws ping of the server unanswered for 25 s or 50 s, then FIN without a close frame",
            "ACKs go on but data does not: stalled application; retransmissions unanswered: path cut",
        ],
        client: &[
            "no tick for 2 x tickIntervalMs (2 x 30 s), or no pong in its own limit; its close 4000 or 1011",
        ],
        gateway_log: &["with --verbose: `→ close code=1006 cause=heartbeat-timeout durationMs=75047 …`"],
    },
    fixes: &[
        "idle timers on the way (60 s, 350 s): heartbeat more often than the shortest, `--heartbeat 20s`",
        "answer pings in the reading task, never behind application work",
        "long stalls on both sides at once: the gateway's event loop; look at its CPU and tick gaps",
        "CLW: heartbeat_ms 2000, timeout 3000 ms, grace 5000 ms; raise the timeout on slow paths",
        "OpenClaw's 25 s ping and 30 s tick are fixed",
    ],
    related: &[
        Verdict::SlowConsumer,
        Verdict::InjectedReset,
        Verdict::AuthDisconnected,
    ],
    seed_names: &["clw-heartbeat-miss", "Heartbeat timeout after 3000ms"],
    dialects: ALL,
    fault: "`clw-gateway --fault clw-heartbeat-miss` stops reading and answering after ready",
};

//! Endings that the server's state explains: too busy, not there yet, going down, broken.

use super::ALL;
use crate::Dialect;
use crate::verdict::{Entry, EvidenceSources, Verdict};

pub(super) static SERVER_OVERLOADED: Entry = Entry {
    verdict: Verdict::ServerOverloaded,
    title: "Server overloaded",
    cause_line: "a budget is used up: unauthenticated sockets per address (503), or the auth queue",
    fix_line: "start slower (--ramp, --rate), spread source addresses (--bind), or raise the server's limit",
    symptoms: &[
        "a burst of connects fails at once while open sessions stay healthy",
        "the same load succeeds when it starts more slowly",
    ],
    causes: &[
        "OpenClaw: more than 32 sockets of one client address before hello-ok; further upgrades get HTTP 503",
        "all clients come through one NAT or proxy, so they share one budget",
        "CLW: more than 1024 logins wait in the auth queue (2048 hardened): DISCONNECT_AUTH overload",
        "OpenClaw: 256 operator requests or 50 MiB wait to start: UNAVAILABLE, \"The server is busy\"",
    ],
    evidence: EvidenceSources {
        capture: &[
            "HTTP 503 `Too many unauthenticated sockets` instead of 101",
            "CLW: opcode 0xA03 with reason overload",
        ],
        client: &["`Unexpected server response: 503`; connects under way at that moment: 32 or more"],
        gateway_log: &[
            "no `closed before connect` for refused upgrades; those that hold the budget log it later",
        ],
    },
    fixes: &[
        "keep at most 32 connects under way an address: `--ramp 30s` or `--rate 100` in clw-bench",
        "more source addresses: `--bind 127.0.0.2-127.0.0.9` (all of 127.0.0.0/8 is local)",
        "gateway: env `OPENCLAW_MAX_PREAUTH_CONNECTIONS_PER_IP=1024`, restart",
        "find what holds sockets before hello-ok: many clw-handshake-timeout from one address use the budget up",
        "CLW: raise the auth queue from 1024 to 2048; let clients back off with jitter",
    ],
    related: &[
        Verdict::HandshakeTimeout,
        Verdict::ServerUnavailable,
        Verdict::RateLimited,
    ],
    seed_names: &["Server Overload", "auth queue > 1024"],
    dialects: ALL,
    fault: "`clw-gateway --fault clw-server-overloaded` answers 503 at the upgrade (clw: 0xA03 overload)",
};

pub(super) static SERVER_UNAVAILABLE: Entry = Entry {
    verdict: Verdict::ServerUnavailable,
    title: "Server unavailable, try again later",
    cause_line: "the gateway is starting, restarting or suspended: close 1013 or UNAVAILABLE",
    fix_line: "retry with backoff; wait for GET /readyz 200 before sending traffic",
    symptoms: &[
        "connects are refused for some seconds around a start or restart, then succeed",
        "TCP and the upgrade work; the refusal comes as the answer to connect",
    ],
    causes: &[
        "the gateway listens before it accepts connects (reason startup-sidecars)",
        "a restart is under way (gateway-restarting)",
        "the gateway was suspended by its operator",
    ],
    evidence: EvidenceSources {
        capture: &[
            "close 1013 `gateway starting`, `gateway restart in progress` or `gateway suspension in progress`",
            "HTTP 503 `Gateway websocket admission closed` instead of 101: it is going down",
        ],
        client: &["error UNAVAILABLE, details.reason, retryAfterMs 500 or 1000"],
        gateway_log: &["`closed before connect … code=1013`, next to the lines of its start or stop"],
    },
    fixes: &[
        "health checks: use `/readyz` (accepts connects), not `/healthz` (listens)",
        "clients: obey retryAfterMs; `--reconnect on --backoff 1s --backoff-max 30s`",
        "if it lasts longer than 30 s: the gateway is stuck in its start, read its log",
    ],
    related: &[
        Verdict::ServerRestart,
        Verdict::ConnRefused,
        Verdict::ServerOverloaded,
    ],
    seed_names: &["maintenance"],
    dialects: &[Dialect::Openclaw],
    fault: "`clw-gateway --fault clw-server-unavailable` answers connect with UNAVAILABLE and closes 1013",
};

pub(super) static SERVER_RESTART: Entry = Entry {
    verdict: Verdict::ServerRestart,
    title: "Server stopped or restarted",
    cause_line: "the server went down in order and said so: close 1012 or 1001, or DISCONNECT_AUTH shutdown",
    fix_line: "reconnect with jittered backoff; if it was not planned, ask who restarted it",
    symptoms: &[
        "all sessions end within the same second, then new connects meet 1013 or refusals for 3-5 s",
        "sessions before ready get the close without any event",
    ],
    causes: &[
        "deployment, update, configuration reload, SIGTERM",
        "OpenClaw sends 1012 for stop and restart alike; `node capabilities changed` concerns one node only",
        "a supervisor or OOM policy that stops it again and again",
        "close 1001 may also come from a proxy in front that is being replaced",
    ],
    evidence: EvidenceSources {
        capture: &[
            "server close 1012 `service restart`; before it event `shutdown`: restartExpectedMs only with a restart",
            "CLW: opcode 0xA03 with reason shutdown",
        ],
        client: &[
            "1012 with the shutdown event's restartExpectedMs; server.bootId differs after the reconnect",
        ],
        gateway_log: &["its own stop and start lines; `→ close code=1012` for every session"],
    },
    fixes: &[
        "clients: reconnect after restartExpectedMs plus jitter, not all at once: `--backoff 1s --backoff-max 30s`",
        "plan restarts for quiet hours; watch the reconnect burst against the pre-auth budget of 32 an address",
        "unplanned: look for SIGTERM, the supervisor's log, `dmesg` for the OOM killer",
    ],
    related: &[
        Verdict::ServerUnavailable,
        Verdict::ServerOverloaded,
        Verdict::AuthDisconnected,
    ],
    seed_names: &["server restarts", "maintenance"],
    dialects: ALL,
    fault: "`clw-gateway --fault clw-server-restart` closes 1012 (clw: 0xA03 shutdown); so does its SIGTERM",
};

pub(super) static SERVER_ERROR: Entry = Entry {
    verdict: Verdict::ServerError,
    title: "Server reported an internal error",
    cause_line: "the server closed a live session with 1011: it failed, not the client",
    fix_line: "read the gateway's log at that instant; restart it if its installation changed",
    symptoms: &[
        "sessions drop one by one or in groups after some action",
        "the reconnect usually succeeds",
    ],
    causes: &[
        "an exception in the gateway while it handled a message",
        "OpenClaw `gateway install changed; run: …`: the package was updated under a running gateway",
        "OpenClaw `gateway message handler unavailable`",
        "a 1011 sent by the client is something else: its own keepalive ran out (clw-heartbeat-miss)",
    ],
    evidence: EvidenceSources {
        capture: &["websocket.payload.close.status_code == 1011 in a frame from the server"],
        client: &["close code 1011 received, with the reason"],
        gateway_log: &["`[gateway] parse/handle error: …` or a stack trace just before `→ close code=1011`"],
    },
    fixes: &[
        "install changed: restart the gateway after every update",
        "reproducible by one request: leave that request out of the scenario and report it with the log",
        "clients may reconnect at once, with backoff from the second time on",
    ],
    related: &[
        Verdict::HeartbeatMiss,
        Verdict::ServerRestart,
        Verdict::ProtocolError,
    ],
    seed_names: &["1011 Internal error"],
    dialects: ALL,
    fault: "`clw-gateway --fault clw-server-error` closes 1011 after ready",
};

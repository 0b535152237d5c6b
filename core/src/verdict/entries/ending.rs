//! Endings that say little by themselves, and the good ones.

use super::{ALL, ANY};
use crate::verdict::{Entry, EvidenceSources, Verdict};

pub(super) static INJECTED_RESET: Entry = Entry {
    verdict: Verdict::InjectedReset,
    title: "Reset by neither endpoint",
    cause_line: "a middlebox (NAT, firewall, load balancer) sent an RST in the name of an endpoint",
    fix_line: "find its idle timer or rule, heartbeat below it; capture both sides to prove who sent it",
    symptoms: &[
        "both ends report `connection reset by peer`, each blaming the other",
        "often after a fixed idle time (60 s, 270 s, 350 s), or always at one kind of message",
    ],
    causes: &[
        "an idle timer of a NAT, firewall or load balancer ran out",
        "a load balancer's backend was drained or failed over",
        "deep packet inspection or an intrusion prevention rule matched",
    ],
    evidence: EvidenceSources {
        capture: &[
            "RST whose TTL is off that side's habit by 2 or more, or after which the same side goes on sending",
            "two or more RSTs within 2 s with stepped sequence numbers",
            "a reason carried as data in the RST, e.g. `BIG-IP: …`",
            "absent from the capture at its alleged sender (`clw-analyze --peer`): the proof",
        ],
        client: &["ECONNRESET only: a client's socket cannot tell an injected RST from a real one"],
        gateway_log: &["`→ close code=1006`, no error of its own"],
    },
    fixes: &[
        "heartbeat more often than the idle timer: `--heartbeat 20s`; TCP keepalive below it as well",
        "raise the idle timer at the middlebox for this port, or exempt it from inspection",
        "meanwhile: `--reconnect on` with backoff",
    ],
    related: &[
        Verdict::HeartbeatMiss,
        Verdict::AuthDisconnected,
        Verdict::ConnRefused,
    ],
    seed_names: &["Firewall/NAT"],
    dialects: ANY,
    fault: "needs a third host (or namespace) that forges RSTs; only a capture can name it, so no gateway fault does",
};

pub(super) static PROMPT_DISCONNECTED: Entry = Entry {
    verdict: Verdict::PromptDisconnected,
    title: "Connection lost with a request unanswered",
    cause_line: "a live session was cut with no word while the client waited for an answer",
    fix_line: "ask again after the reconnect if that is safe (same id); then find what cut it",
    symptoms: &[
        "a prompt hangs, then fails with `connection lost`",
        "users notice it: work is lost",
    ],
    causes: &[
        "the gateway process died or was killed while it worked on the request",
        "the network was cut, or an idle timer ran out while the answer took long",
        "the request itself brings the server down (the same request each time)",
    ],
    evidence: EvidenceSources {
        capture: &[
            "a req without its res (ClawChat: message.send without message.ack), then FIN or RST, no close frame",
        ],
        client: &["1006 with requests pending"],
        gateway_log: &["`→ close code=1006`, or nothing at all when the process died"],
    },
    fixes: &[
        "give each request its own timeout, and an id by which the server can tell a repeat",
        "long answers over a path with idle timers: heartbeat below them, `--heartbeat 20s`",
        "all sessions at one instant: the gateway died; look for its exit, `dmesg`, the supervisor",
    ],
    related: &[
        Verdict::AuthDisconnected,
        Verdict::HeartbeatMiss,
        Verdict::ServerRestart,
    ],
    seed_names: &["clw-prompt-disconnected"],
    dialects: ALL,
    fault: "`clw-gateway --fault clw-prompt-disconnected` resets the connection instead of answering a request",
};

pub(super) static AUTH_DISCONNECTED: Entry = Entry {
    verdict: Verdict::AuthDisconnected,
    title: "Live session lost without a goodbye",
    cause_line: "after ready the connection ended by EOF, RST, 1006, 1008 or DISCONNECT_AUTH, no logout",
    fix_line: "all at one instant: the gateway died; one by one: network, proxy timers, or client exits",
    symptoms: &[
        "1006 at clients, `code=1006` in the log",
        "sessions vanish and come back after a reconnect",
    ],
    causes: &[
        "the gateway process was killed (its kernel sends FIN, not RST, and no close frame)",
        "a client process ended without closing, or a laptop slept",
        "a proxy or load balancer in front was reloaded or timed out",
        "1008 `repeated unauthorized calls`: over 10 calls in a row beyond the role",
        "ClawChat: a kick, close without a code (backpressure, missing acks)",
        "CLW: the client closed without AUTH_LOGOUT",
    ],
    evidence: EvidenceSources {
        capture: &[
            "FIN or RST without a close frame after hello-ok or AUTH_OK; note who sent it first",
            "no unanswered ping before it (else clw-heartbeat-miss); the RST's class tells abort from injected",
        ],
        client: &["1006, `unexpected EOF`, ECONNRESET"],
        gateway_log: &["`→ close code=1006 durationMs=…`; a gap in the log itself when the process died"],
    },
    fixes: &[
        "sort endings by time: one instant = process or host; spread = network or clients",
        "gateway died: `journalctl`, `dmesg -T | grep -i oom`, exit code at the supervisor",
        "one proxy in front of all of them: compare its idle and maximum connection times with durationMs",
        "clients: reconnect with full jitter (`--reconnect on --backoff 1s`), fresh token for CLW; log out before exit",
    ],
    related: &[
        Verdict::PromptDisconnected,
        Verdict::HeartbeatMiss,
        Verdict::InjectedReset,
        Verdict::ServerRestart,
    ],
    seed_names: &["clw-auth-disconnected"],
    dialects: ALL,
    fault: "`clw-gateway --fault clw-auth-disconnected` cuts live sessions without a close frame",
};

pub(super) static OK: Entry = Entry {
    verdict: Verdict::Ok,
    title: "Ended gracefully",
    cause_line: "the client said goodbye after ready: close 1000, 1001 or without a code; CLW: AUTH_LOGOUT",
    fix_line: "nothing to fix",
    symptoms: &["none: this is how a session should end"],
    causes: &["the client was done, the page was left, or a fresh token needed a new session"],
    evidence: EvidenceSources {
        capture: &["client close 1000 (or 1001, or empty) after ready, echoed; CLW: opcode 0xA02"],
        client: &["its own close"],
        gateway_log: &["`→ close code=1000`"],
    },
    fixes: &["none needed; who sends the first FIN after the close handshake is a race and means nothing"],
    related: &[Verdict::Open, Verdict::ClosedBeforeConnect],
    seed_names: &["CLW_AUTH_LOGOUT", "1000"],
    dialects: ALL,
    fault: "no fault: `clw-bench -c 10 -n 100` ends so",
};

pub(super) static OPEN: Entry = Entry {
    verdict: Verdict::Open,
    title: "Still open",
    cause_line: "the run or the capture ended while the session was healthy",
    fix_line: "nothing to fix; capture longer if you want to see its end",
    symptoms: &["none"],
    causes: &["the observation ended before the session did"],
    evidence: EvidenceSources {
        capture: &["no FIN, no RST, heartbeats up to the last packet"],
        client: &["the run was interrupted or ended while sessions were held"],
        gateway_log: &["no close line yet"],
    },
    fixes: &["for clw-bench: a `--hold` that fits into `--duration` lets sessions end by themselves"],
    related: &[Verdict::Ok, Verdict::Incomplete],
    seed_names: &[],
    dialects: ANY,
    fault: "no fault: end a run or a capture while sessions are up",
};

pub(super) static INCOMPLETE: Entry = Entry {
    verdict: Verdict::Incomplete,
    title: "Too little was seen to tell",
    cause_line: "packets, a direction or TLS keys are missing, so the ending cannot be named honestly",
    fix_line: "capture again: full packets, both directions, from the start; add --keylog for TLS",
    symptoms: &["the evidence lists what was not captured"],
    causes: &[
        "the capture began or ended in the middle of a session, or lost packets",
        "one direction only (asymmetric route, one-sided mirror port)",
        "packets cut by a snap length; TLS without keys",
    ],
    evidence: EvidenceSources {
        capture: &[
            "ACKs for data never seen (tcp.analysis.ack_lost_segment), packets shorter than their length field",
        ],
        client: &["does not happen at an endpoint"],
        gateway_log: &["join it with `clw-analyze --log`: it may know what the capture does not"],
    },
    fixes: &[
        "`tcpdump -i any -s 0 -B 65536 -w out.pcap port 18789`, started before the sessions",
        "TLS: SSLKEYLOGFILE at the client (clw-bench: `--keylog F`), then `clw-analyze --keylog F`",
        "capture at both ends and use `--peer`",
    ],
    related: &[Verdict::Open],
    seed_names: &[],
    dialects: ANY,
    fault: "no fault: cut a capture in the middle of a handshake",
};

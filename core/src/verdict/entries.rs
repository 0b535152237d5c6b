//! The texts of the dictionary, in the order of [`Verdict::ALL`].

use super::Verdict as V;
use super::{Entry, Verdict};

/// Every entry.
pub(super) const ENTRIES: [Entry; Verdict::COUNT] = [
    Entry {
        verdict: V::ConnRefused,
        title: "The connection was refused",
        cause: "nothing listens on that port: the gateway is down, starting, or on another port or address",
        fix: "start the gateway, or correct host and port; openclaw listens on 127.0.0.1:18789 by default",
        symptoms: &[
            "ECONNREFUSED at once",
            "all sessions at the same moment when the gateway goes down",
        ],
        causes: &[
            "the gateway process is not running, or between stop and start of a restart (about 3 to 5 s)",
            "it is bound to 127.0.0.1 (`gateway.bind` loopback) and reached from another machine",
            "a firewall that rejects instead of dropping",
        ],
        evidence: &[
            "capture: SYN answered by RST+ACK with ACK = ISN+1, no SYN-ACK after it (class refused)",
            "on the gateway's host: `ss -ltn` shows no listener on the port",
        ],
        fixes: &[
            "start the gateway and wait for GET /readyz to answer 200",
            "set `gateway.bind` to the address that clients use",
            "clients: reconnect with backoff; a restart is over in seconds",
        ],
        related: &[V::ConnTimeout, V::ServerRestart],
    },
    Entry {
        verdict: V::ConnTimeout,
        title: "No TCP connection in time",
        cause: "the SYN was not answered: a firewall drops it, no route, or the accept queue is full",
        fix: "check the path and the firewall; on the gateway's host look at the accept queue (ss -ltn)",
        symptoms: &[
            "connects hang until the client's timeout",
            "some get through after 1, 3 or 7 s (SYN retries)",
        ],
        causes: &[
            "a firewall or security group that drops",
            "the gateway's event loop is busy and its accept queue is full: the kernel drops SYNs",
            "wrong address, or a host that is down",
        ],
        evidence: &[
            "capture: SYN repeated at 1, 3, 7 s with no SYN-ACK",
            "on the gateway's host: `nstat -az TcpExtListenDrops TcpExtListenOverflows` grows",
        ],
        fixes: &[
            "open the port on the path",
            "raise net.core.somaxconn, and find what keeps the event loop busy",
            "start fewer sessions at once: --ramp or --rate",
        ],
        related: &[V::ConnRefused, V::HandshakeTimeout],
    },
    Entry {
        verdict: V::TlsFailed,
        title: "TLS failed before its handshake was done",
        cause: "wss:// to a plain port (or the reverse), or a certificate that the client does not trust",
        fix: "use the scheme that the port speaks; trust the CA with --tls-ca or pin it with --pin-sha256",
        symptoms: &[
            "certificate errors",
            "a close or alert right after the ClientHello",
        ],
        causes: &[
            "the port speaks plain WebSocket (`gateway.tls` is off)",
            "self-signed or expired certificate, or another name in it",
            "no protocol version or cipher in common",
        ],
        evidence: &[
            "capture: an alert, or FIN, before the first application data record",
            "`openssl s_client -connect HOST:PORT` shows the certificate",
        ],
        fixes: &[
            "ws:// for plain ports, wss:// for TLS",
            "--tls-ca FILE, --pin-sha256 HEX, or --insecure against a gateway of your own",
            "renew the certificate with the name that clients use",
        ],
        related: &[V::UpgradeRejected, V::ClosedBeforeConnect],
    },
    Entry {
        verdict: V::UpgradeRejected,
        title: "HTTP answered, but not with 101",
        cause: "the address is no WebSocket endpoint, or a proxy or the gateway refuses the upgrade",
        fix: "check path and proxy; 403 proxy_attribution_required: set gateway.trustedProxies",
        symptoms: &["HTTP 400, 403, 404 or 502 instead of a session"],
        causes: &[
            "wrong path, or a web server on that port",
            "a proxy that does not pass Upgrade and Connection headers on",
            "forwarding headers without `gateway.trustedProxies` (HTTP 403)",
        ],
        evidence: &[
            "capture: the status line that answers the GET",
            "the body usually says why",
        ],
        fixes: &[
            "openclaw upgrades on any path; clw on /clw/auth",
            "in the proxy: HTTP/1.1, `Upgrade` and `Connection` passed on",
            "list the proxy in `gateway.trustedProxies`",
        ],
        related: &[V::ServerOverloaded, V::ProtocolError],
    },
    Entry {
        verdict: V::ServerOverloaded,
        title: "The server has too much to do",
        cause: "too many sockets before ready (32 an address by default), or the auth queue is full",
        fix: "connect slower (--ramp, --rate) or raise OPENCLAW_MAX_PREAUTH_CONNECTIONS_PER_IP",
        symptoms: &[
            "HTTP 503 \u{201c}Too many unauthenticated sockets\u{201d}",
            "DISCONNECT_AUTH overload",
            "in bursts, while others get in",
        ],
        causes: &[
            "openclaw: more than 32 connects of one address under way at once",
            "clw: more than 1024 logins pending (hardened: 2048)",
            "slow logins: an event loop that is busy lets them pile up",
        ],
        evidence: &[
            "capture: HTTP 503 in answer to the upgrade; clw: opcode 0xA03 with reason overload",
            "gateway log: `closed before connect` in bursts",
        ],
        fixes: &[
            "env OPENCLAW_MAX_PREAUTH_CONNECTIONS_PER_IP on the gateway",
            "at most 32 connects under way per source address: --ramp T, --rate N, or more addresses with --bind A-B",
            "clients: back off with jitter, so that they do not all come back at once",
        ],
        related: &[V::RateLimited, V::ServerUnavailable, V::HandshakeTimeout],
    },
    Entry {
        verdict: V::ServerUnavailable,
        title: "The server says: try again later",
        cause: "the gateway is starting, restarting or suspended (close 1013, UNAVAILABLE)",
        fix: "wait until GET /readyz answers 200, and reconnect with backoff (retryAfterMs says how long)",
        symptoms: &[
            "close 1013 \u{201c}gateway starting\u{201d}",
            "goes away by itself after seconds",
        ],
        causes: &[
            "start-up (`startup-sidecars`)",
            "a restart under way (`gateway-restarting`)",
            "suspension",
        ],
        evidence: &[
            "client: error.code UNAVAILABLE with details.reason",
            "capture: close 1013 by the server",
        ],
        fixes: &[
            "health-check /readyz before sending traffic",
            "honour retryAfterMs",
            "--reconnect on",
        ],
        related: &[V::ServerRestart, V::ServerOverloaded],
    },
    Entry {
        verdict: V::RateLimited,
        title: "Locked out after too many failed logins",
        cause: "ten failures in a minute from this address: locked for five minutes, the right token too",
        fix: "stop whoever fails, wait retryAfterMs; tune gateway.auth.rateLimit",
        symptoms: &["AUTH_RATE_LIMITED although the token is right"],
        causes: &[
            "a client with an old token that reconnects for ever",
            "many clients behind one NAT address, one of them wrong",
        ],
        evidence: &[
            "client: details.code AUTH_RATE_LIMITED, retryAfterMs",
            "gateway log: `unauthorized` lines of that address before",
        ],
        fixes: &[
            "find the failing client in the log and stop it",
            "`gateway.auth.rateLimit.{maxAttempts,windowMs,lockoutMs,exemptLoopback}`",
            "clients: never present a refused token again",
        ],
        related: &[V::AuthFailed],
    },
    Entry {
        verdict: V::PairingRequired,
        title: "The device must be approved first",
        cause: "a device or node that the gateway does not know, or that asks for more than it was granted",
        fix: "approve it: device.pair.list, then device.pair.approve with its requestId",
        symptoms: &[
            "close 1008 \u{201c}pairing required\u{201d}",
            "the same requestId at every try",
        ],
        causes: &[
            "new device without auto-approval (not loopback, or `autoApproveLocal` off)",
            "role, scope or metadata upgrade of a known device",
            "the gateway's state directory was lost: all devices are new",
        ],
        evidence: &["client: NOT_PAIRED / PAIRING_REQUIRED with details.requestId and details.reason"],
        fixes: &[
            "an admin session with operator.pairing: device.pair.approve {\"requestId\"}",
            "`gateway.nodes.pairing.autoApproveLocal` for devices on the gateway's own host",
            "keep the device's key: a new key is a new device",
        ],
        related: &[V::AuthFailed],
    },
    Entry {
        verdict: V::VersionMismatch,
        title: "Protocol versions do not meet",
        cause: "client and gateway are of different generations",
        fix: "update the older side; openclaw speaks 4 (nodes and probes also 3), clw 2.2 wants token_id",
        symptoms: &[
            "PROTOCOL_MISMATCH, close 1002",
            "clw: drops at the first heartbeat after login",
        ],
        causes: &[
            "minProtocol..maxProtocol does not include what the gateway expects",
            "clw client 2.1.x against server 2.2.x: pings without token_id",
        ],
        evidence: &[
            "client: details.expectedProtocol",
            "gateway log: `protocol mismatch conn=\u{2026} min=2 max=3 expected=4`",
            "clw: opcode 0xA03 with version_mismatch right after the first AUTH_PING",
        ],
        fixes: &[
            "update the client",
            "clw: run the server with compatibility on until all clients are updated",
        ],
        related: &[V::ProtocolError],
    },
    Entry {
        verdict: V::AuthFailed,
        title: "The credentials were refused",
        cause: "wrong, missing or revoked token, a bad or stale signature, or scopes that were not granted",
        fix: "compare the token's fingerprint on both sides; check the clock (signatures: 120 s)",
        symptoms: &[
            "close 1008 \u{201c}unauthorized: \u{2026}\u{201d}",
            "the answer comes 250 ms to 5 s late: that is the gateway's penalty",
        ],
        causes: &[
            "AUTH_TOKEN_MISMATCH: another token in the gateway's config",
            "DEVICE_AUTH_SIGNATURE_EXPIRED: clocks more than 120 s apart",
            "DEVICE_AUTH_SIGNATURE_INVALID: fields signed differ from fields sent",
            "DEVICE_IDENTITY_REQUIRED: a node, or no credential, without a device",
        ],
        evidence: &[
            "client: error.details.code and recommendedNextStep",
            "gateway log: `[ws] unauthorized conn=\u{2026} reason=token_mismatch`",
        ],
        fixes: &[
            "give the gateway's token: --token-file, or CLW_TOKEN",
            "synchronise clocks; sign the challenge's ts",
            "never present a refused token again: ten failures lock the address out",
        ],
        related: &[V::RateLimited, V::PairingRequired, V::SessionRevoked],
    },
    Entry {
        verdict: V::AuthUnavailable,
        title: "The auth backend is down",
        cause: "clawchat's server could not ask its auth service",
        fix: "back off with the same token; never refresh and never log out for this",
        symptoms: &["hello-fail \u{201c}remote auth service unavailable\u{201d}"],
        causes: &["the auth service behind the chat server is down or slow"],
        evidence: &["capture: hello-fail with that reason, then FIN without a close frame"],
        fixes: &["wait with backoff", "alert the operator of the auth service"],
        related: &[V::AuthFailed, V::ServerUnavailable],
    },
    Entry {
        verdict: V::ProtocolError,
        title: "Somebody broke the protocol",
        cause: "a malformed or oversized frame, bad UTF-8, or a wrong first message",
        fix: "look at the close reason: it names the field; limits are 64 KiB before and 25 MiB after ready",
        symptoms: &[
            "close 1002, 1003, 1007 or 1009",
            "1008 \u{201c}invalid connect params: at /\u{2026}\u{201d}",
        ],
        causes: &[
            "a client that sends something before connect, or unknown fields",
            "a message over the limit",
            "a proxy that damages frames",
        ],
        evidence: &[
            "the close reason by the side that noticed",
            "capture: the last message before the close frame",
            "gateway log: `parse/handle error`, `Max payload size exceeded`",
        ],
        fixes: &[
            "correct the field that the reason names",
            "split large messages",
            "take the proxy out of the path to compare",
        ],
        related: &[V::VersionMismatch, V::UpgradeRejected],
    },
    Entry {
        verdict: V::HandshakeTimeout,
        title: "Not ready within the server's handshake timeout",
        cause: "the client did not log in within 15 s (openclaw), or a busy event loop did not hear it",
        fix: "find which side was slow; OPENCLAW_HANDSHAKE_TIMEOUT_MS widens the time",
        symptoms: &[
            "close 1000 with an empty reason at 15 s",
            "durationMs equals the timeout",
        ],
        causes: &[
            "a client that is slow, suspended, or waits for something else first",
            "the gateway's event loop is blocked: challenge or answer come late for everybody",
            "packet loss on the way of the first messages",
        ],
        evidence: &[
            "durationMs: under 100 ms network or firewall; up to the timeout a slow handshake; at the timeout this",
            "gateway log: `handshake timeout conn=\u{2026}`",
            "capture: was the challenge late (server) or the connect (client)?",
        ],
        fixes: &[
            "env OPENCLAW_HANDSHAKE_TIMEOUT_MS on the gateway",
            "connect fewer at once: --ramp, --rate",
            "take blocking work off the gateway's event loop",
        ],
        related: &[V::ClosedBeforeConnect, V::ServerOverloaded],
    },
    Entry {
        verdict: V::ClosedBeforeConnect,
        title: "Ended before ready, and nobody said why",
        cause: "a client that left or gave up, a probe or helper, or something on the path cut it",
        fix: "see who sent the first FIN or RST; by client: its timeout or its crash, by server: its log",
        symptoms: &[
            "`closed before connect` in the gateway's log",
            "1006 in the client",
        ],
        causes: &[
            "the client's own timeout (clw-bench: --timeout)",
            "port scanners, health checks and helpers that connect and leave",
            "the gateway died while sessions were logging in",
        ],
        evidence: &[
            "who ended it (`by`)",
            "durationMs band",
            "user agent: helpers say so",
        ],
        fixes: &[
            "raise the client's timeout over the gateway's slowest login",
            "ignore helpers; find who they are by user agent",
        ],
        related: &[V::HandshakeTimeout, V::ConnTimeout],
    },
    Entry {
        verdict: V::SessionRevoked,
        title: "Authority was withdrawn from a live session",
        cause: "the shared token was changed, or the device or client was removed (close 4001)",
        fix: "give the client the new token; do not reconnect with the old one",
        symptoms: &["many sessions end at once with 4001 \u{201c}gateway auth changed\u{201d}"],
        causes: &[
            "token rotation in the gateway's config",
            "a device revoked by an administrator",
            "clw: token_revoked",
        ],
        evidence: &[
            "capture: close 4001 by the server after hello-ok",
            "clw: opcode 0xA03 token_revoked",
        ],
        fixes: &[
            "distribute the new token before the old one dies",
            "clients: drop the dead token, ask the source",
        ],
        related: &[V::AuthFailed, V::SessionExpired],
    },
    Entry {
        verdict: V::SessionReplaced,
        title: "Another connection of the same device took over",
        cause: "two processes use one device id (clawchat 4001 or 4002 from the server)",
        fix: "one device id per process; wait at least 5 s before coming back",
        symptoms: &["two clients throw each other out in turn"],
        causes: &[
            "a second instance with the same stored device id",
            "a reconnect that overtakes the old connection's end",
        ],
        evidence: &["capture: close 4001 on the older connection just after hello-ok on the newer one"],
        fixes: &["give each process an id of its own", "back off on 4001"],
        related: &[V::SessionRevoked],
    },
    Entry {
        verdict: V::SessionExpired,
        title: "The token's lifetime ended",
        cause: "the token was not refreshed in time (clw: 300 s, refresh due 30 s before)",
        fix: "refresh proactively; check why the last refresh was refused",
        symptoms: &[
            "sessions end a fixed time after login",
            "\u{201c}Token refresh failed, seq=0xFF\u{201d}",
        ],
        causes: &[
            "a client without refresh (--no-refresh)",
            "the token source gave a token that was refused",
            "REFRESH_NEEDED was lost or ignored",
        ],
        evidence: &["capture: opcode 0xA03 token_expired; REFRESH_NEEDED (0xA06) 30 s before it"],
        fixes: &[
            "handle REFRESH_NEEDED, or refresh 30 s before expiry",
            "never reuse a dead token: ask the source for a new one",
        ],
        related: &[V::SessionRevoked, V::AuthFailed],
    },
    Entry {
        verdict: V::SlowConsumer,
        title: "The client did not read fast enough",
        cause: "more than 50 MiB waited for this client, so the gateway dropped it",
        fix: "read without blocking; subscribe to less; find what stalls the client",
        symptoms: &[
            "close 1008 \u{201c}slow consumer\u{201d}",
            "memory of the gateway grows before",
        ],
        causes: &[
            "a client whose event loop is blocked",
            "a link slower than the broadcasts",
        ],
        evidence: &[
            "capture: zero windows of the client before the end",
            "hello-ok policy.maxBufferedBytes",
        ],
        fixes: &[
            "take work off the client's read loop",
            "narrow scopes, so that fewer events are sent",
        ],
        related: &[V::HeartbeatMiss],
    },
    Entry {
        verdict: V::ServerRestart,
        title: "The gateway stopped or restarted in order",
        cause: "somebody stopped or restarted it: close 1012 \u{201c}service restart\u{201d} (or 1001, clw shutdown)",
        fix: "reconnect with backoff and jitter; the shutdown event tells a restart from a stop",
        symptoms: &[
            "all sessions end within the same second",
            "back after 3 to 5 s if it was a restart",
        ],
        causes: &[
            "a deployment, update or configuration change",
            "systemd or a supervisor",
            "SIGUSR2 or gateway.restart.request",
        ],
        evidence: &[
            "capture: event `shutdown` with restartExpectedMs (restart) or without (stop), then close 1012",
            "hello-ok server.bootId differs afterwards",
        ],
        fixes: &[
            "--reconnect on, with full jitter so that the herd does not come back at once",
            "announce restarts; restart in quiet hours",
        ],
        related: &[V::ServerUnavailable, V::AuthDisconnected],
    },
    Entry {
        verdict: V::ServerError,
        title: "The server ended it with an internal error",
        cause: "close 1011: an exception in the gateway, or its installation changed under it",
        fix: "read the gateway's log at that second; restart it after an update",
        symptoms: &[
            "single sessions end with 1011",
            "reason \u{201c}gateway install changed\u{201d} after an update",
        ],
        causes: &["a bug in a handler", "files replaced while the gateway runs"],
        evidence: &[
            "capture: close 1011 by the server",
            "gateway log: the stack trace at that time",
        ],
        fixes: &["restart the gateway after updating it", "report the trace"],
        related: &[V::ServerRestart, V::AuthDisconnected],
    },
    Entry {
        verdict: V::InjectedReset,
        title: "A reset that neither endpoint sent",
        cause: "a firewall, NAT or other middlebox between them sent the RST",
        fix: "find the box: capture on both sides, compare TTL; keep the connection from idling out",
        symptoms: &[
            "resets after a fixed idle time",
            "both sides say the other one did it",
        ],
        causes: &[
            "idle time-out of a NAT or load balancer (60, 270, 350 s)",
            "a security appliance",
            "a policy change that kills flows",
        ],
        evidence: &[
            "capture: TTL, IP ID or options off that side's habit; data of the same side after its RST",
            "only a capture can tell",
        ],
        fixes: &[
            "heartbeats shorter than the idle time-out: --heartbeat 20s",
            "raise the time-out on the box",
        ],
        related: &[V::AuthDisconnected, V::HeartbeatMiss],
    },
    Entry {
        verdict: V::HeartbeatMiss,
        title: "Heartbeats stopped, and that ended it",
        cause: "one side was silent for longer than the grace: a dead path, or a stalled event loop",
        fix: "see whether ACKs went on (stalled application) or not (dead path); tune period and grace",
        symptoms: &[
            "client closes with 4000",
            "server cuts 50 or 75 s after hello-ok without a close frame",
        ],
        causes: &[
            "packet loss or an outage longer than the timeout",
            "an event loop that stalls: ACKs go on, pongs do not",
            "a client that does not answer the gateway's pings (they come every 25 s)",
            "a NAT that dropped one direction",
        ],
        evidence: &[
            "capture: the unanswered ping; ACKs after it mean a stalled application, retransmissions a dead path",
            "gateway log: `cause=heartbeat-timeout`",
        ],
        fixes: &[
            "answer every ws ping; do not block the read loop",
            "--heartbeat and --heartbeat-timeout: period under half the shortest idle time-out on the path",
            "--reconnect on",
        ],
        related: &[V::AuthDisconnected, V::SlowConsumer],
    },
    Entry {
        verdict: V::PromptDisconnected,
        title: "Lost with a request unanswered",
        cause: "the connection ended abruptly while the client waited for an answer",
        fix: "make requests safe to repeat; find the cause as for clw-auth-disconnected",
        symptoms: &[
            "a prompt hangs and then fails",
            "\u{201c}connection disconnected\u{201d} in the middle of an answer",
        ],
        causes: &[
            "the gateway crashed on that request",
            "network cut or idle time-out while it worked",
            "a restart without a word",
        ],
        evidence: &[
            "capture: a request without its response before FIN or RST",
            "gateway log at the request's time",
        ],
        fixes: &[
            "repeat idempotent requests after reconnecting",
            "long work: progress events keep the path alive",
        ],
        related: &[V::AuthDisconnected, V::ServerRestart],
    },
    Entry {
        verdict: V::AuthDisconnected,
        title: "A ready session ended without a graceful word",
        cause: "FIN or RST without a close frame (1006): gateway killed, proxy or network cut it",
        fix: "many at one instant: the gateway died (look for OOM); single ones: the path; --reconnect on",
        symptoms: &["1006 in clients", "ECONNRESET"],
        causes: &[
            "the gateway was killed (kill -9, out of memory): FIN from the kernel, no close frame",
            "a proxy that restarts or times out",
            "an RST by the server with unread data",
        ],
        evidence: &[
            "all sessions at one instant: the process died",
            "capture: who sent the first FIN or RST, and its class",
            "on the host: `journalctl -k | grep -i oom`",
        ],
        fixes: &[
            "--reconnect on, heartbeats shorter than idle time-outs",
            "memory limits and a supervisor for the gateway",
        ],
        related: &[V::ServerRestart, V::HeartbeatMiss, V::InjectedReset],
    },
    Entry {
        verdict: V::Ok,
        title: "Ended gracefully",
        cause: "the client said goodbye: close 1000 or 1001, or AUTH_LOGOUT",
        fix: "nothing to mend",
        symptoms: &["none"],
        causes: &["the client was done"],
        evidence: &[
            "capture: the client's close frame, echoed",
            "clw: opcode 0xA02 before the end",
        ],
        fixes: &["nothing to mend"],
        related: &[],
    },
    Entry {
        verdict: V::Open,
        title: "Still healthy when the watching ended",
        cause: "the run or the capture ended first",
        fix: "nothing to mend; run longer, or give sessions longer to log out (--drain)",
        symptoms: &["none"],
        causes: &["the run was interrupted twice, or --drain was too short"],
        evidence: &["no end in the capture"],
        fixes: &["--drain T"],
        related: &[V::Ok],
    },
    Entry {
        verdict: V::Incomplete,
        title: "Too little was captured to tell",
        cause: "the capture lacks the start, the end, one direction or the bytes",
        fix: "capture both directions with a large enough snap length, from before the sessions start",
        symptoms: &["none"],
        causes: &[
            "capture started late or stopped early",
            "snap length",
            "asymmetric routing",
        ],
        evidence: &["what is missing is named beside the verdict"],
        fixes: &[
            "tcpdump -s 0 on the gateway's host",
            "add the other side's capture",
        ],
        related: &[V::Open],
    },
];

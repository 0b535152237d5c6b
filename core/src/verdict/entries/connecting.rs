//! Endings before there was a WebSocket.

use super::{ALL, ANY};
use crate::verdict::{Entry, EvidenceSources, Verdict};

pub(super) static CONN_REFUSED: Entry = Entry {
    verdict: Verdict::ConnRefused,
    title: "TCP connection refused",
    cause_line: "nothing listens on that address and port, or a firewall answers with RST",
    fix_line: "start the gateway, or correct host and port (OpenClaw 18789, CLW 4433)",
    symptoms: &[
        "ECONNREFUSED within a round trip, every time or for some 3-5 s during a restart",
        "no line in the gateway's log: the connection never reached it",
    ],
    causes: &[
        "the gateway is not running, or is between stop and start",
        "wrong port, or the gateway is bound to 127.0.0.1 (its default) and the client is elsewhere",
        "a firewall rule rejects with tcp-reset",
        "IPv6 is tried first and the gateway listens on IPv4 only (or the reverse)",
    ],
    evidence: EvidenceSources {
        capture: &[
            "SYN, then RST+ACK with ACK = ISN + 1, and no SYN-ACK after it: tcp.flags.reset==1 && tcp.ack==1",
        ],
        client: &["ECONNREFUSED (Connection refused)"],
        gateway_log: &["nothing; check the time of its last \"listening\" line"],
    },
    fixes: &[
        "on the gateway's host: `ss -ltnp | grep 18789` shows who listens, and on which address",
        "OpenClaw listens on loopback only by default: set `gateway.bind`, or tunnel to it",
        "during restarts let clients retry: `--reconnect on --retries 10 --backoff 1s`",
        "if a SYN-ACK follows the RST, a middlebox forged it: see clw-injected-reset",
    ],
    related: &[
        Verdict::ConnTimeout,
        Verdict::ServerUnavailable,
        Verdict::InjectedReset,
    ],
    seed_names: &[],
    dialects: ANY,
    fault: "`clw-bench reproduce clw-conn-refused` loads a loopback port on which nothing listens",
};

pub(super) static CONN_TIMEOUT: Entry = Entry {
    verdict: Verdict::ConnTimeout,
    title: "TCP connection timed out",
    cause_line: "SYN unanswered: packets dropped, host down, or the gateway's accept queue is full",
    fix_line: "check route and firewall to that port; then the accept queue (ss -ltn, net.core.somaxconn)",
    symptoms: &[
        "connects hang until the client's limit, then ETIMEDOUT (or EHOSTUNREACH, ENETUNREACH)",
        "connects that do succeed take 1 s, 3 s or 7 s longer: SYN was retransmitted",
    ],
    causes: &[
        "a firewall or security group drops the SYN without an answer",
        "the accept queue overflows under a burst of connects, and Linux drops the last ACK or SYN",
        "the host is down or the address is not routed",
        "the NAT between them has no free port, or its conntrack table is full",
    ],
    evidence: EvidenceSources {
        capture: &[
            "SYN retransmitted after 1, 3, 7 s (tcp.analysis.retransmission && tcp.flags.syn==1), no SYN-ACK",
            "SYN-ACK seen at the gateway and not at the client: the way back is cut",
        ],
        client: &["ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, or the client's own connect limit (--timeout)"],
        gateway_log: &[
            "nothing; `nstat -az TcpExtListenOverflows TcpExtListenDrops` counts a full accept queue",
        ],
    },
    fixes: &[
        "`tcpdump -ni any 'tcp[tcpflags] & tcp-syn != 0 and port 18789'` on both hosts: does the SYN arrive?",
        "full accept queue: raise net.core.somaxconn, and start slower: `--ramp 30s` or `--rate 200`",
        "full conntrack table: `sysctl net.netfilter.nf_conntrack_count` against `nf_conntrack_max`",
        "CLW: connect timeout is 5000 ms by default, 3000 ms hardened; a lossy path needs room for one SYN retry",
    ],
    related: &[Verdict::ConnRefused, Verdict::HandshakeTimeout],
    seed_names: &["Initial TCP SYN timeout"],
    dialects: ANY,
    fault: "`clw-bench reproduce clw-conn-timeout` connects to a socket that never answers a SYN",
};

pub(super) static TLS_FAILED: Entry = Entry {
    verdict: Verdict::TlsFailed,
    title: "TLS handshake failed",
    cause_line: "TLS alert or close before its handshake was done: certificate, name, version, or no TLS there",
    fix_line: "`openssl s_client -connect HOST:PORT -servername HOST` names it; plain ports need ws://",
    symptoms: &[
        "fails at once, before any HTTP",
        "every client of one kind fails, others do not",
    ],
    causes: &[
        "the certificate is self-signed, expired, or for another name",
        "wss:// to a plain port (the answer is no TLS record), or ws:// to a TLS port",
        "no common TLS version or cipher; or a client certificate is asked for",
        "a TLS-inspecting proxy whose CA the client does not know",
    ],
    evidence: EvidenceSources {
        capture: &[
            "tls.alert_message before the handshake is done: the sender is the side that refused",
            "ClientHello answered by `HTTP/1.1 400`: a plain port",
            "ClientHello, then RST or FIN at once: SNI filtered, or TLS not configured",
        ],
        client: &["certificate verify failed, UnknownIssuer, NotValidForName, InvalidContentType"],
        gateway_log: &["TLS errors are logged before any `[ws]` line, if at all; no `closed before connect`"],
    },
    fixes: &[
        "trust the right CA; for a test with a self-signed certificate pin it by SHA-256, or use `--insecure`",
        "renew or reissue the certificate with the name that clients use (`subjectAltName`)",
        "match scheme and port: OpenClaw speaks TLS only with `gateway.tls` set",
    ],
    related: &[Verdict::ClosedBeforeConnect, Verdict::UpgradeRejected],
    seed_names: &["TLS errors"],
    dialects: ANY,
    fault: "`clw-bench reproduce clw-tls-failed` speaks TLS to a port that does not",
};

pub(super) static UPGRADE_REJECTED: Entry = Entry {
    verdict: Verdict::UpgradeRejected,
    title: "HTTP upgrade rejected",
    cause_line: "the server or a proxy answered the upgrade with an HTTP status other than 101",
    fix_line: "read the status: 401/403 proxy or origin, 404 wrong path or host, 400/426 upgrade headers lost",
    symptoms: &[
        "connect fails with a status: `Unexpected server response: 403`",
        "HTTP health checks work",
    ],
    causes: &[
        "a reverse proxy that does not pass Upgrade and Connection on",
        "wrong path or virtual host (404), or the address of another service (200 with HTML)",
        "OpenClaw answers 403 `proxy_attribution_required` to X-Forwarded-For without `gateway.trustedProxies`",
        "a proxy that wants its own login (401, 407)",
    ],
    evidence: EvidenceSources {
        capture: &["http.response.code != 101 as the answer to the GET with `Upgrade: websocket`"],
        client: &["the status; 503 is not here but in clw-server-overloaded"],
        gateway_log: &[
            "`closed before connect` with phase=ws_upgrade_started, or nothing when a proxy answered",
        ],
    },
    fixes: &[
        "connect to the gateway without the proxy: if that works, the proxy is at fault",
        "nginx: `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;`",
        "OpenClaw behind a proxy: list its address in `gateway.trustedProxies`",
        "paths: OpenClaw any, CLW /clw/auth, ClawChat /ws",
    ],
    related: &[Verdict::ServerOverloaded, Verdict::TlsFailed, Verdict::AuthFailed],
    seed_names: &[],
    dialects: ALL,
    fault: "`clw-gateway --fault clw-upgrade-rejected` answers upgrades with HTTP 403",
};

//! What WebSocket close codes mean, by dialect, side and stage.
//!
//! Data only; the rules are in `classify`, and a test holds the two together. Sources: OpenClaw protocol page section 7,
//! ClawChat page "Ways a session ends", CLW page "Transport", RFC 6455 section 7.4.1 and the IANA registry.

use super::{Side, Verdict};
use crate::Dialect;

/// Codes that an API reports when there was no close frame at all; never on the wire (RFC 6455, 7.4.1).
pub(super) const PSEUDO_NO_CLOSE: [u16; 2] = [1006, 1015];

/// At which part of a session's life an entry applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseStage {
    /// Before the server accepted the client.
    BeforeReady,
    /// From ready on.
    Ready,
    /// At any stage.
    Any,
}

impl CloseStage {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BeforeReady => "before ready",
            Self::Ready => "after ready",
            Self::Any => "at any stage",
        }
    }

    const fn covers(self, ready: bool) -> bool {
        match self {
            Self::BeforeReady => !ready,
            Self::Ready => ready,
            Self::Any => true,
        }
    }
}

/// One meaning of one close code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseCodeEntry {
    /// The code; 1005, 1006 and 1015 are what APIs report and never on the wire.
    pub code: u16,
    /// The dialect that gives it this meaning; `None` for every WebSocket.
    pub dialect: Option<Dialect>,
    /// Who sends it; `None` for either side.
    pub by: Option<Side>,
    /// At which part of the session's life.
    pub stage: CloseStage,
    /// How the reason text begins, where that matters; `Some("")` means that it is empty.
    pub reason: Option<&'static str>,
    /// What it means.
    pub meaning: &'static str,
    /// What the session is most likely called; `None` where the code alone does not tell.
    pub verdict: Option<Verdict>,
}

const fn row(
    code: u16,
    dialect: Option<Dialect>,
    by: Option<Side>,
    stage: CloseStage,
    reason: Option<&'static str>,
    meaning: &'static str,
    verdict: Option<Verdict>,
) -> CloseCodeEntry {
    CloseCodeEntry {
        code,
        dialect,
        by,
        stage,
        reason,
        meaning,
        verdict,
    }
}

const OPENCLAW: Option<Dialect> = Some(Dialect::Openclaw);
const CLAWCHAT: Option<Dialect> = Some(Dialect::Clawchat);
const CLW: Option<Dialect> = Some(Dialect::Clw);
const SERVER: Option<Side> = Some(Side::Server);
const CLIENT: Option<Side> = Some(Side::Client);

use CloseStage::{Any, BeforeReady, Ready};

#[rustfmt::skip]
static TABLE: &[CloseCodeEntry] = &[
    // OpenClaw
    row(1000, OPENCLAW, SERVER, BeforeReady, Some(""), "the handshake timeout; or, within milliseconds of the first message, that message was no JSON", Some(Verdict::HandshakeTimeout)),
    row(1000, OPENCLAW, CLIENT, Ready, None, "the client said goodbye", Some(Verdict::Ok)),
    row(1002, OPENCLAW, SERVER, Any, Some("protocol mismatch"), "minProtocol..maxProtocol of connect does not include what the gateway speaks", Some(Verdict::VersionMismatch)),
    row(1002, OPENCLAW, SERVER, Any, Some(""), "broken WebSocket frame: opcode, or a client frame without mask", Some(Verdict::ProtocolError)),
    row(1007, OPENCLAW, SERVER, Any, Some(""), "a text message that is not UTF-8", Some(Verdict::ProtocolError)),
    row(1008, OPENCLAW, SERVER, BeforeReady, Some("unauthorized"), "a credential was refused; the answer before it says which", Some(Verdict::AuthFailed)),
    row(1008, OPENCLAW, SERVER, BeforeReady, Some("device identity required"), "no device proof where this role or client needs one", Some(Verdict::AuthFailed)),
    row(1008, OPENCLAW, SERVER, BeforeReady, Some("device identity mismatch"), "device.id is not the SHA-256 of the public key, or the key is malformed", Some(Verdict::AuthFailed)),
    row(1008, OPENCLAW, SERVER, BeforeReady, Some("device signature invalid"), "the Ed25519 signature does not match what was sent", Some(Verdict::AuthFailed)),
    row(1008, OPENCLAW, SERVER, BeforeReady, Some("device signature expired"), "signedAt is more than 120 s off the gateway's clock", Some(Verdict::AuthFailed)),
    row(1008, OPENCLAW, SERVER, BeforeReady, Some("device nonce mismatch"), "the nonce signed is not the challenge's", Some(Verdict::AuthFailed)),
    row(1008, OPENCLAW, SERVER, BeforeReady, Some("device nonce required"), "the nonce is blank", Some(Verdict::AuthFailed)),
    row(1008, OPENCLAW, SERVER, BeforeReady, Some("origin not allowed"), "the Origin header is not in gateway.controlUi.allowedOrigins", Some(Verdict::AuthFailed)),
    row(1008, OPENCLAW, SERVER, BeforeReady, Some("gateway ingress attribution required"), "the gateway cannot tell who is behind a proxy", Some(Verdict::AuthFailed)),
    row(1008, OPENCLAW, SERVER, BeforeReady, Some("pairing required"), "the device or node waits for approval; the requestId is in the reason", Some(Verdict::PairingRequired)),
    row(1008, OPENCLAW, SERVER, BeforeReady, Some("client version mismatch"), "an old node on the gateway's own host", Some(Verdict::VersionMismatch)),
    row(1008, OPENCLAW, SERVER, Any, Some("invalid request frame"), "the message is no request frame", Some(Verdict::ProtocolError)),
    row(1008, OPENCLAW, SERVER, BeforeReady, Some("invalid handshake"), "the first request was not connect", Some(Verdict::ProtocolError)),
    row(1008, OPENCLAW, SERVER, BeforeReady, Some("invalid connect params"), "a field of connect is wrong or unknown; the reason says where", Some(Verdict::ProtocolError)),
    row(1008, OPENCLAW, SERVER, BeforeReady, Some("invalid role"), "role is neither operator nor node", Some(Verdict::ProtocolError)),
    row(1008, OPENCLAW, SERVER, BeforeReady, Some("invalid-handshake"), "role worker on the path for clients", Some(Verdict::ProtocolError)),
    row(1008, OPENCLAW, SERVER, BeforeReady, Some("too many pending handshake frames"), "more than 15 messages sent before hello-ok", Some(Verdict::ProtocolError)),
    row(1008, OPENCLAW, SERVER, BeforeReady, Some("gateway message handler loading"), "the gateway is still starting", Some(Verdict::ServerUnavailable)),
    row(1008, OPENCLAW, SERVER, Ready, Some("slow consumer"), "more than 50 MiB wait for this client, which does not read", Some(Verdict::SlowConsumer)),
    row(1008, OPENCLAW, SERVER, Ready, Some("repeated unauthorized calls"), "more than 10 calls in a row that this role may not make", Some(Verdict::AuthDisconnected)),
    row(1009, OPENCLAW, SERVER, Any, None, "message over 64 KiB before hello-ok, or over 25 MiB after", Some(Verdict::ProtocolError)),
    row(1011, OPENCLAW, SERVER, Ready, None, "internal error: message handler unavailable, or the installation changed under it", Some(Verdict::ServerError)),
    row(1012, OPENCLAW, SERVER, Any, Some("service restart"), "orderly end of the gateway, stop and restart alike; the shutdown event before it tells which", Some(Verdict::ServerRestart)),
    row(1012, OPENCLAW, SERVER, Any, Some("node capabilities changed"), "the node must connect again, at once", Some(Verdict::ServerRestart)),
    row(1012, OPENCLAW, SERVER, Any, Some("browser identity route changed"), "the browser must connect again, at once", Some(Verdict::ServerRestart)),
    row(1013, OPENCLAW, SERVER, Any, None, "starting, restarting or suspended: try again later", Some(Verdict::ServerUnavailable)),
    row(4000, OPENCLAW, CLIENT, Ready, None, "the client heard no tick for two tick periods", Some(Verdict::HeartbeatMiss)),
    row(4001, OPENCLAW, SERVER, Ready, None, "authority withdrawn: shared token rotated, client invalidated, policy changed", Some(Verdict::SessionRevoked)),
    // ClawChat
    row(1000, CLAWCHAT, CLIENT, Ready, None, "the client stops, or has a fresh token and connects again with it", Some(Verdict::Ok)),
    row(1005, CLAWCHAT, CLIENT, Ready, None, "close frame without a code: chat-sdk's ordinary goodbye", Some(Verdict::Ok)),
    row(1005, CLAWCHAT, SERVER, Ready, None, "kick: backpressure, no ack for 120-150 s, over 4096 unacked, or device.cursor.reset", Some(Verdict::AuthDisconnected)),
    row(1009, CLAWCHAT, SERVER, Any, None, "first frame over 64 KiB, or a later one over 8 MiB", Some(Verdict::ProtocolError)),
    row(1011, CLAWCHAT, CLIENT, Ready, None, "the client's own keepalive ran out; no server error", Some(Verdict::HeartbeatMiss)),
    row(4000, CLAWCHAT, CLIENT, Ready, None, "no pong within 10 s, or a send failed", Some(Verdict::HeartbeatMiss)),
    row(4001, CLAWCHAT, SERVER, Ready, None, "takeover: the same user and device connected again; the token is still good", Some(Verdict::SessionReplaced)),
    row(4001, CLAWCHAT, CLIENT, BeforeReady, None, "the plugin tears down after a hello-fail; no takeover", None),
    row(4002, CLAWCHAT, SERVER, Ready, None, "a duplicate session was refused; wait retry_after_ms", Some(Verdict::SessionReplaced)),
    row(4002, CLAWCHAT, CLIENT, Any, None, "the client saw a protocol error, such as a hello with another trace_id", Some(Verdict::ProtocolError)),
    row(4003, CLAWCHAT, CLIENT, BeforeReady, None, "the client could not send connect", Some(Verdict::ClosedBeforeConnect)),
    // CLW
    row(1000, CLW, CLIENT, Ready, None, "after AUTH_LOGOUT the graceful end; without it a disconnect", None),
    row(1002, CLW, SERVER, Any, None, "short message, unknown opcode before AUTH_OK, or a payload that is no JSON object", Some(Verdict::ProtocolError)),
    row(1011, CLW, SERVER, Ready, None, "internal error of the server", Some(Verdict::ServerError)),
    // Every WebSocket
    row(1000, None, SERVER, BeforeReady, None, "closed before ready with no error told", Some(Verdict::ClosedBeforeConnect)),
    row(1000, None, CLIENT, BeforeReady, None, "the client gave up before ready", Some(Verdict::ClosedBeforeConnect)),
    row(1000, None, SERVER, Ready, None, "the server ended a live session without telling why", None),
    row(1000, None, None, Any, None, "normal closure", None),
    row(1001, None, SERVER, Any, None, "going away: the server stops", Some(Verdict::ServerRestart)),
    row(1001, None, CLIENT, BeforeReady, None, "the page was left before ready", Some(Verdict::ClosedBeforeConnect)),
    row(1001, None, CLIENT, Ready, None, "the page was left", None),
    row(1002, None, None, Any, None, "protocol error in the frames of the other side", Some(Verdict::ProtocolError)),
    row(1003, None, None, Any, None, "a kind of data that the other side does not take", Some(Verdict::ProtocolError)),
    row(1005, None, None, Any, None, "pseudo code: a close frame came, without a code", None),
    row(1006, None, None, BeforeReady, None, "pseudo code: the transport ended, and no close frame came", None),
    row(1006, None, None, Ready, None, "pseudo code: the transport ended, and no close frame came", Some(Verdict::AuthDisconnected)),
    row(1007, None, None, Any, None, "text that is not UTF-8, or data that does not fit its type", Some(Verdict::ProtocolError)),
    row(1008, None, SERVER, BeforeReady, None, "the server's policy refused the client; the reason says why", Some(Verdict::AuthFailed)),
    row(1008, None, SERVER, Ready, None, "the server's policy ended a live session; the reason says why", Some(Verdict::AuthDisconnected)),
    row(1009, None, None, Any, None, "a message too big for the other side", Some(Verdict::ProtocolError)),
    row(1010, None, CLIENT, Any, None, "the client needs an extension that the server did not take", None),
    row(1011, None, SERVER, Ready, None, "internal error of the server", Some(Verdict::ServerError)),
    row(1011, None, CLIENT, Any, None, "internal error of the client; with \"keepalive ping timeout\" a missed heartbeat", None),
    row(1011, None, SERVER, BeforeReady, None, "internal error of the server during the handshake", Some(Verdict::ClosedBeforeConnect)),
    row(1012, None, SERVER, Any, None, "the service restarts", Some(Verdict::ServerRestart)),
    row(1013, None, SERVER, Any, None, "try again later", Some(Verdict::ServerUnavailable)),
    row(1014, None, SERVER, Any, None, "a gateway or proxy got a bad answer from behind it", None),
    row(1015, None, None, Any, None, "pseudo code: the TLS handshake failed", Some(Verdict::TlsFailed)),
];

/// The whole table: dialects first, then what holds for every WebSocket; the more specific rows come first.
pub fn close_codes() -> &'static [CloseCodeEntry] {
    TABLE
}

/// Every meaning of one code.
pub fn close_codes_of(code: u16) -> impl Iterator<Item = &'static CloseCodeEntry> {
    TABLE.iter().filter(move |entry| entry.code == code)
}

/// What a close frame means here. `code` is `None` for an empty body (looked up as 1005); `ready` says whether the
/// server had accepted the client.
pub fn close_code(
    dialect: Dialect,
    by: Side,
    ready: bool,
    code: Option<u16>,
    reason: &str,
) -> Option<&'static CloseCodeEntry> {
    close_codes_of(code.unwrap_or(1005)).find(|entry| {
        entry.dialect.is_none_or(|d| d == dialect)
            && entry.by.is_none_or(|side| side == by)
            && entry.stage.covers(ready)
            && entry.reason.is_none_or(|beginning| {
                if beginning.is_empty() {
                    reason.is_empty()
                } else {
                    super::reason::begins_with(reason, beginning)
                }
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stage;
    use crate::verdict::{CloseFrame, EndingKind, Observation, classify};
    use Dialect::{Clawchat, Openclaw};
    use std::time::Duration;

    #[test]
    fn the_rules_give_the_verdict_that_the_table_promises() {
        for entry in TABLE {
            let Some(expected) = entry.verdict else { continue };
            if PSEUDO_NO_CLOSE.contains(&entry.code) {
                continue;
            }
            for ready in [false, true].into_iter().filter(|&r| entry.stage.covers(r)) {
                for by in [Side::Server, Side::Client] {
                    if entry.by.is_some_and(|side| side != by) {
                        continue;
                    }
                    let timed_out = expected == Verdict::HandshakeTimeout;
                    let seen = Observation {
                        dialect: entry.dialect.unwrap_or_default(),
                        stage: if ready { Stage::Ready } else { Stage::Challenge },
                        duration: Duration::from_secs(if timed_out { 15 } else { 1 }),
                        close: Some(CloseFrame {
                            by,
                            code: Some(entry.code),
                            reason: entry.reason.unwrap_or("because").to_owned(),
                        }),
                        ending: EndingKind::Fin,
                        ended_by: by,
                        ..Observation::default()
                    };
                    assert_eq!(classify(&seen).verdict, expected, "{entry:?}");
                }
            }
        }
    }

    #[test]
    fn the_same_number_means_different_things_from_each_side() {
        let meaning = |dialect, by, ready, code| {
            close_code(dialect, by, ready, Some(code), "").and_then(|entry| entry.verdict)
        };
        assert_eq!(
            meaning(Openclaw, Side::Server, true, 4001),
            Some(Verdict::SessionRevoked)
        );
        assert_eq!(
            meaning(Clawchat, Side::Server, true, 4001),
            Some(Verdict::SessionReplaced)
        );
        assert_eq!(meaning(Clawchat, Side::Client, false, 4001), None);
        assert_eq!(
            meaning(Clawchat, Side::Client, true, 1011),
            Some(Verdict::HeartbeatMiss)
        );
        assert_eq!(
            meaning(Clawchat, Side::Server, true, 1011),
            Some(Verdict::ServerError)
        );
    }

    #[test]
    fn a_known_reason_is_found_before_the_bare_code() {
        let entry = close_code(
            Dialect::Openclaw,
            Side::Server,
            false,
            Some(1008),
            "Pairing required: x",
        )
        .unwrap();
        assert_eq!(entry.verdict, Some(Verdict::PairingRequired));
        let entry = close_code(Dialect::Openclaw, Side::Server, true, None, "").unwrap();
        assert_eq!(entry.code, 1005);
        assert!(close_code(Dialect::Openclaw, Side::Server, true, Some(3000), "").is_none());
    }

    #[test]
    fn no_row_is_hidden_by_an_earlier_one() {
        for (i, entry) in TABLE.iter().enumerate() {
            let dialect = entry.dialect.unwrap_or(Dialect::Unknown);
            let found = [Side::Server, Side::Client].into_iter().any(|by| {
                [false, true].into_iter().any(|ready| {
                    let reason = entry.reason.unwrap_or("\u{1}");
                    close_code(dialect, by, ready, Some(entry.code), reason)
                        .is_some_and(|f| std::ptr::eq(f, entry))
                })
            });
            // The bare 1000 row is the last resort for a side that is unknown.
            let last_resort = entry.by.is_none() && entry.code == 1000;
            assert!(found || last_resort, "row {i}: {entry:?}");
        }
    }

    #[test]
    fn meanings_fit_on_one_line() {
        for entry in TABLE {
            assert!(entry.meaning.len() <= 100, "{}", entry.meaning);
        }
    }
}

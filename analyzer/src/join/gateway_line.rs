//! One line of the gateway's log that tells of a connection's end (OpenClaw protocol page, section 11).
//!
//! clw-gateway writes its verdict; of the real gateway's words the facts are taken, and the dictionary judges them as it
//! judges everything else.

use super::gateway_log::peer;
use clw_core::verdict::{
    CloseFrame, Connect, EndingKind, HeartbeatLoss, Observation, Refusal, RefusalClass, Side, Verdict,
    Viewpoint, classify, counts_as_error, is_helper,
};
use clw_core::{Dialect, Stage};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

/// What applications are told where no close frame came.
const NO_CLOSE_FRAME: u16 = 1006;
/// What they are told of an empty one.
const NO_CODE: u16 = 1005;
/// Texts of a peer are kept up to so many characters.
const MAX_TEXT_CHARS: usize = 200;

/// A connection's end, as the gateway tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayEnding {
    /// The gateway's name for the connection.
    pub conn: String,
    /// Client and server, where the line names them.
    pub peer: Option<(SocketAddr, SocketAddr)>,
    /// The close code.
    pub code: Option<u16>,
    /// The close frame's text.
    pub reason: String,
    /// The gateway's word for the cause.
    pub cause: String,
    /// How long the connection lasted.
    pub duration: Duration,
    /// The furthest stage that can be told from the line.
    pub stage: Stage,
    /// The dictionary's name.
    pub verdict: Verdict,
    /// How sure, 0 to 1.
    pub confidence: f32,
    /// Who ended it.
    pub by: Side,
    /// It counts into the error rate: a helper that leaves before connect does not.
    pub is_error: bool,
}

impl GatewayEnding {
    /// Reads a line; `None` where it does not tell of an end.
    pub fn parse(line: &str) -> Option<Self> {
        let line = &*plain(line);
        let was_ready = line.contains("[ws] \u{2192} close ") || line.contains("[ws] -> close ");
        if !was_ready && !line.contains("[ws] closed before connect ") {
            return None;
        }
        let text = |key| word(line, key).filter(|t| *t != "n/a");
        // A socket that ends before hello-ok gets both lines; the other one says more.
        if was_ready && text("handshake=").is_some_and(|handshake| handshake != "connected") {
            return None;
        }
        let code = text("code=").and_then(|c| c.parse().ok());
        let reason: String = reason(line).chars().take(MAX_TEXT_CHARS).collect();
        let cause = text("cause=").unwrap_or_default().to_owned();
        let duration = text("durationMs=").and_then(|d| d.parse().ok());
        let duration = Duration::from_millis(duration.unwrap_or(0));
        let stage = if was_ready {
            Stage::Ready
        } else {
            stage_of(text("phase=").unwrap_or_default())
        };
        let own = text("verdict=").and_then(Verdict::from_name);
        let seen = Observation {
            helper: is_helper(user_agent(line)),
            ..observation(code, &reason, &cause, duration, stage)
        };
        let mut judged = classify(&seen);
        if let Some(own) = own {
            (judged.verdict, judged.confidence) = (own, 1.0);
        }
        Some(Self {
            conn: text("conn=")
                .unwrap_or_default()
                .chars()
                .take(MAX_TEXT_CHARS)
                .collect(),
            peer: peer(line),
            code,
            reason,
            cause,
            duration,
            stage,
            verdict: judged.verdict,
            confidence: judged.confidence,
            by: judged.by,
            is_error: counts_as_error(&seen, &judged),
        })
    }
}

/// What the client calls itself: words of its own, up to the next field.
fn user_agent(line: &str) -> &str {
    let (_, rest) = line.split_once(" ua=").unwrap_or_default();
    rest.split_once(" code=").map_or(rest, |(agent, _)| agent)
}

/// A line without the colours that the real gateway writes into files too, and without other control characters.
pub(super) fn plain(line: &str) -> Cow<'_, str> {
    if !line.contains(|c: char| c.is_control()) {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            // ESC [ … letter
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else if !c.is_control() {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// The word after `key`.
fn word<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let at = line
        .match_indices(key)
        .map(|(at, _)| at)
        .find(|at| *at == 0 || line[..*at].ends_with(' '))?;
    line[at + key.len()..].split_whitespace().next()
}

/// A reason has blanks: it goes on to the next `key=`.
fn reason(line: &str) -> String {
    let Some((_, rest)) = line.split_once(" reason=") else {
        return String::new();
    };
    let words: Vec<&str> = rest
        .split(' ')
        .take_while(|w| !w.split_once('=').is_some_and(|(key, _)| is_key(key)))
        .collect();
    let text = words.join(" ");
    if text == "n/a" { String::new() } else { text }
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphabetic())
}

fn stage_of(phase: &str) -> Stage {
    match phase {
        "tcp_accepted" => Stage::Upgrade,
        "ws_upgrade_started" => Stage::Challenge,
        _ => Stage::Auth,
    }
}

fn observation(
    code: Option<u16>,
    reason: &str,
    cause: &str,
    duration: Duration,
    stage: Stage,
) -> Observation {
    let refusal = match cause {
        "unauthorized" if reason.contains("rate_limited") => Some(RefusalClass::RateLimited),
        "unauthorized" | "device-auth-invalid" => Some(RefusalClass::Credentials),
        "pairing-required" => Some(RefusalClass::PairingRequired),
        "protocol-mismatch" => Some(RefusalClass::VersionMismatch),
        "invalid-handshake" => Some(RefusalClass::Protocol),
        _ => None,
    };
    Observation {
        viewpoint: Viewpoint::Server,
        dialect: Dialect::Openclaw,
        stage,
        duration,
        since_upgrade: duration,
        connect: Connect::Established,
        http_status: (stage >= Stage::Challenge).then_some(101),
        refusal: refusal.map(|class| Refusal {
            class,
            code: cause.to_owned(),
            message: reason.to_owned(),
        }),
        close: code.filter(|c| *c != NO_CLOSE_FRAME).map(|code| CloseFrame {
            // A client says 1000, 1001 or nothing; everything else is the gateway's.
            by: if matches!(code, 1000 | 1001 | NO_CODE) {
                Side::Client
            } else {
                Side::Server
            },
            code: (code != NO_CODE).then_some(code),
            reason: reason.to_owned(),
        }),
        ending: EndingKind::Fin,
        heartbeat_loss: (cause == "heartbeat-timeout").then_some(HeartbeatLoss {
            missing_from: Side::Client,
            silence: duration,
        }),
        slow_consumer: matches!(cause, "slow-consumer" | "outbound-buffer-exceeded"),
        handshake_timed_out: cause == "handshake-timeout",
        ..Observation::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_that_leaves_before_connect_is_no_error() {
        for (agent, is_error) in [
            ("clw-bench/0.1.0", true),
            ("Mozilla/5.0 (X11) OpenClaw Helper/1.2", false),
            ("n/a", true),
        ] {
            let line = format!(
                "2026-11-26T14:14:41.237+00:00 [ws] closed before connect conn=a peer=127.0.0.1:5->127.0.0.1:18789 remote=127.0.0.1 fwd=n/a \
                 origin=n/a host=127.0.0.1:18789 ua={agent} code=1005 reason=n/a phase=challenge_sent cause=n/a durationMs=41 handshake=pending"
            );
            let ending = GatewayEnding::parse(&line).unwrap();
            assert_eq!(
                (ending.verdict, ending.is_error),
                (Verdict::ClosedBeforeConnect, is_error),
                "{agent}"
            );
        }
    }

    fn verdict(line: &str) -> Verdict {
        GatewayEnding::parse(line).unwrap().verdict
    }

    #[test]
    fn the_real_gateways_lines_are_judged_by_the_dictionary() {
        let before = |rest: &str| {
            format!(
                "2026-11-21T05:00:00Z [ws] closed before connect conn=ab peer=127.0.0.12:40983->127.0.0.1:18789 remote=x {rest}"
            )
        };
        for (rest, expected) in [
            (
                "code=1008 reason=unauthorized: token mismatch phase=auth_credentials_received cause=unauthorized durationMs=266",
                Verdict::AuthFailed,
            ),
            (
                "code=1000 reason=n/a phase=ws_upgrade_started cause=handshake-timeout durationMs=10004",
                Verdict::HandshakeTimeout,
            ),
            (
                "code=1008 reason=pairing required phase=auth_validated cause=pairing-required durationMs=9",
                Verdict::PairingRequired,
            ),
            (
                "code=1002 reason=protocol mismatch phase=auth_credentials_received cause=protocol-mismatch durationMs=9",
                Verdict::VersionMismatch,
            ),
        ] {
            assert_eq!(verdict(&before(rest)), expected, "{rest}");
        }
        for (rest, expected) in [
            (
                "code=1006 cause=heartbeat-timeout durationMs=75047 pingWriteState=completed endpoint=x",
                Verdict::HeartbeatMiss,
            ),
            ("code=1000 reason=n/a durationMs=5000", Verdict::Ok),
            (
                "code=1012 reason=service restart durationMs=5000",
                Verdict::ServerRestart,
            ),
            ("code=1006 reason=n/a durationMs=5000", Verdict::AuthDisconnected),
        ] {
            assert_eq!(
                verdict(&format!("[ws] \u{2192} close {rest} conn=0aa…f7d")),
                expected,
                "{rest}"
            );
        }
    }

    #[test]
    fn clw_gateways_own_verdict_counts_and_words_are_kept_apart() {
        let line = "[ws] closed before connect conn=n/a peer=127.0.0.1:5->127.0.0.1:6 remote=127.0.0.1 fwd=n/a ua=n/a \
                    code=1008 reason=unauthorized: gateway token mismatch (set it) phase=ws_upgrade_started cause=close durationMs=3 verdict=clw-rate-limited";
        let ending = GatewayEnding::parse(line).unwrap();
        assert_eq!(ending.verdict, Verdict::RateLimited);
        assert_eq!(ending.reason, "unauthorized: gateway token mismatch (set it)");
        assert_eq!((ending.code, ending.cause.as_str()), (Some(1008), "close"));
        assert_eq!(ending.peer.unwrap().0.port(), 5);
    }

    #[test]
    fn the_real_gateways_colours_and_endpoints_are_read() {
        let line = "\u{1b}[90m2026-11-26T07:55:20.893+00:00\u{1b}[39m \u{1b}[36m[ws]\u{1b}[39m \u{1b}[36m\u{2192} close code=1006 \
                    cause=heartbeat-timeout durationMs=50004 handshake=connected endpoint=127.6.0.15:42325->127.0.0.1:18801 conn=2f91c71a\u{1b}[39m";
        let ending = GatewayEnding::parse(line).unwrap();
        assert_eq!(ending.verdict, Verdict::HeartbeatMiss);
        assert_eq!(ending.peer.unwrap().0.port(), 42325);
        let pending = line.replace("handshake=connected", "handshake=pending");
        assert_eq!(
            GatewayEnding::parse(&pending),
            None,
            "`closed before connect` tells it"
        );
    }

    #[test]
    fn other_lines_tell_of_no_end() {
        for line in [
            "",
            "[ws] handshake timeout conn=a peer=x",
            "[gateway] listening",
            "[ws] unauthorized conn=a",
            "code=1006",
        ] {
            assert_eq!(GatewayEnding::parse(line), None, "{line}");
        }
    }
}

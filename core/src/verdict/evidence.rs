//! Evidence in words: what a reader can check in a log or in Wireshark.
//!
//! Texts of the peer are shown as they came, cut and with control characters escaped. Nothing of a credential is in an
//! observation, so nothing of one can be shown.

use super::bands::{DurationBand, handshake_elapsed, handshake_timeout};
use super::{
    CloseFrame, Connect, DatagramBeats, Disconnect, EndingKind, Judgement, Observation, OneWay, ResetClass,
    Side, Verdict, Viewpoint, close_code,
};
use crate::units::show_duration;
use crate::{Dialect, Stage};
use std::time::Duration;

/// Longest text of a peer that is shown, in characters.
const SHOWN_CHARS: usize = 160;

/// Idle timers of well-known middleboxes; a session cut after exactly such a silence was probably cut by one.
const IDLE_TIMERS: &[(u64, &str)] = &[
    (60, "nginx proxy_read_timeout, AWS ALB"),
    (100, "Cloudflare"),
    (240, "Azure load balancer"),
    (270, "some NATs and firewalls"),
    (300, "F5 BIG-IP"),
    (350, "AWS NLB and NAT gateway"),
    (600, "Google Cloud's connection tracking"),
    (3600, "Cisco ASA"),
];

/// What speaks for the verdict, one checkable fact a line, the strongest first; then what could not be seen.
pub fn evidence(seen: &Observation, judgement: &Judgement) -> Vec<String> {
    let mut lines = Vec::new();
    opening(seen, &mut lines);
    words(seen, &mut lines);
    signs(seen, &mut lines);
    transport(seen, judgement.verdict, &mut lines);
    if seen.stage < Stage::Ready && seen.connect == Connect::Established {
        timing(seen, judgement.verdict, &mut lines);
    }
    limits(seen, &mut lines);
    lines
}

/// What happened before there was a WebSocket.
fn opening(seen: &Observation, lines: &mut Vec<String>) {
    let after = || show_duration(seen.duration);
    match seen.connect {
        Connect::Refused => lines.push(format!("SYN answered by RST after {}", after())),
        Connect::TimedOut => lines.push(format!("no SYN-ACK within {}", after())),
        Connect::Unreachable => {
            lines.push("the network answered that the address cannot be reached".to_owned());
        }
        Connect::Established => {}
    }
    if let Some(failure) = &seen.tls_failure {
        lines.push(format!("TLS handshake not done: {}", shown(failure)));
    }
    if let Some(status) = seen.http_status.filter(|&status| status != 101) {
        lines.push(format!("HTTP {status} instead of 101"));
    }
}

/// What the sides said about the end.
fn words(seen: &Observation, lines: &mut Vec<String>) {
    if let Some(refusal) = &seen.refusal {
        let code = shown(&refusal.code);
        if refusal.message.is_empty() || refusal.message == refusal.code {
            lines.push(format!("refused by the server: {code}"));
        } else {
            lines.push(format!(
                "refused by the server: {code} \"{}\"",
                shown(&refusal.message)
            ));
        }
    }
    if let Some(reason) = seen.disconnect {
        lines.push(format!(
            "DISCONNECT_AUTH (0xA03) reason {}",
            disconnect_name(reason)
        ));
    }
    if seen.logged_out {
        lines.push("AUTH_LOGOUT (0xA02) sent by the client".to_owned());
    }
    if let Some(restart) = seen.shutdown_announced {
        let what = if restart {
            "a restart follows"
        } else {
            "no restart announced"
        };
        lines.push(format!("shutdown event before the end: {what}"));
    }
    if let Some(close) = &seen.close {
        lines.push(close_words(seen, close));
        let meaning = close_code(
            seen.dialect,
            close.by,
            seen.stage == Stage::Ready,
            close.code,
            &close.reason,
        );
        if let Some(entry) = meaning {
            lines.push(format!("{} here: {}", code_words(close.code), entry.meaning));
        }
    }
}

fn close_words(seen: &Observation, close: &CloseFrame) -> String {
    let reason = if close.reason.is_empty() {
        "empty reason".to_owned()
    } else {
        format!("\"{}\"", shown(&close.reason))
    };
    let by = close.by.name();
    let at = format!("{} {}", show_duration(seen.duration), since_what(seen.viewpoint));
    match close.code {
        Some(code) if close.by == Side::Unknown => {
            format!("close {code} {reason} of one side or the other, ended {at}")
        }
        None if close.by == Side::Unknown => format!("a close frame whose code is not known, ended {at}"),
        Some(1006) => format!("no close frame came (1006), ended {at}"),
        Some(code) => format!("{by} close {code} {reason}, ended {at}"),
        None => format!("{by} close frame without a code (1005), ended {at}"),
    }
}

fn code_words(code: Option<u16>) -> String {
    code.map_or_else(|| "a close without a code".to_owned(), |code| code.to_string())
}

const fn since_what(viewpoint: Viewpoint) -> &'static str {
    match viewpoint {
        Viewpoint::Client => "after the connect began",
        Viewpoint::Server => "after accept",
        Viewpoint::Wire => "after the first packet",
    }
}

/// Signs of what went wrong, other than words.
fn signs(seen: &Observation, lines: &mut Vec<String>) {
    if let Some(violation) = &seen.violation {
        lines.push(format!(
            "protocol broken by the {}: {}",
            violation.by.name(),
            shown(&violation.what)
        ));
    }
    if let Some(loss) = seen.heartbeat_loss {
        lines.push(format!(
            "no heartbeat from the {} for {}",
            loss.missing_from.name(),
            show_duration(loss.silence)
        ));
    }
    if let Some(beats) = seen.datagrams {
        datagrams(seen.viewpoint, beats, lines);
    }
    if let Some(waited) = seen.unanswered_server_ping {
        lines.push(format!(
            "a ws ping of the server was unanswered for {}",
            show_duration(waited)
        ));
    }
    if seen.slow_consumer {
        lines.push("the client did not read; the server gave it up".to_owned());
    }
    if seen.token_expired {
        lines.push("the session's token had run out, or its last refresh was refused".to_owned());
    }
    if seen.pending_requests > 0 {
        let plural = if seen.pending_requests == 1 { "" } else { "s" };
        lines.push(format!(
            "{} request{plural} unanswered at the end",
            seen.pending_requests
        ));
    }
    if seen.helper {
        lines.push("the user agent is a helper's: leaving before connect is its habit".to_owned());
    }
}

/// What the heartbeats beside the stream tell.
fn datagrams(viewpoint: Viewpoint, beats: DatagramBeats, lines: &mut Vec<String>) {
    let DatagramBeats {
        pings,
        pongs,
        one_way,
    } = beats;
    if let Some(OneWay { lost, lasted }) = one_way {
        lines.push(format!(
            "one-way heartbeat loss: {lost} AUTH_PING datagrams in a row went out within {} and no AUTH_PONG came back, \
             while the stream lived (a NAT or firewall that lets one direction through)",
            show_duration(lasted)
        ));
    }
    let verb = match viewpoint {
        Viewpoint::Client => ("sent", "came back in time"),
        Viewpoint::Server => ("came", "sent"),
        Viewpoint::Wire => ("seen", "seen"),
    };
    if pongs < pings {
        lines.push(format!(
            "heartbeats over UDP: {pings} AUTH_PING {}, {pongs} AUTH_PONG {}",
            verb.0, verb.1
        ));
    }
}

/// How the transport ended.
fn transport(seen: &Observation, verdict: Verdict, lines: &mut Vec<String>) {
    if seen.connect != Connect::Established {
        return;
    }
    let by = match seen.ended_by {
        Side::Unknown => String::new(),
        side => format!(" by the {}", side.name()),
    };
    let no_close = seen.close.is_none() && seen.stage >= Stage::Challenge && seen.dialect != Dialect::Tls;
    let without = if no_close {
        ", no close frame (1006 to applications)"
    } else {
        ""
    };
    let at = format!("{} {}", show_duration(seen.duration), since_what(seen.viewpoint));
    match seen.ending {
        EndingKind::Fin => lines.push(format!("FIN{by} {at}{without}")),
        EndingKind::Rst => lines.push(format!("RST{by} {at}{without}")),
        EndingKind::Silent => lines.push(format!("silent at {at}: sent data is not acknowledged{without}")),
        EndingKind::Open if verdict == Verdict::Open => {
            lines.push(format!("still open {at}"));
        }
        EndingKind::Open => lines.push(format!("the transport was still open {at}")),
    }
    if let Some(class) = seen.reset {
        let confidence = if seen.reset_confidence > 0.0 {
            format!(", confidence {:.2}", seen.reset_confidence.min(1.0))
        } else {
            String::new()
        };
        lines.push(format!(
            "the RST is {}{confidence}: {}",
            class.name(),
            reset_words(class)
        ));
    }
    // Right after a whole-second idle time a middlebox's timer is likelier than chance.
    let was_cut = matches!(seen.ending, EndingKind::Fin | EndingKind::Rst);
    if was_cut
        && matches!(verdict, Verdict::InjectedReset | Verdict::HeartbeatMiss)
        && let Some(idle) = seen.heartbeat_loss.map(|loss| loss.silence)
        && let Some(named) = idle_timer(idle)
    {
        lines.push(format!("that silence fits the idle timer of {named}"));
    }
}

/// Whose idle timer a silence fits, to half a second; `None` if it is nobody's that we know.
pub fn idle_timer(idle: Duration) -> Option<&'static str> {
    IDLE_TIMERS
        .iter()
        .find(|(seconds, _)| Duration::from_secs(*seconds).abs_diff(idle) <= Duration::from_millis(500))
        .map(|&(_, name)| name)
}

const fn reset_words(class: ResetClass) -> &'static str {
    match class {
        ResetClass::Stray => "it belongs to no known connection",
        ResetClass::Refused => "it answers a SYN",
        ResetClass::Injected => "neither endpoint sent it; a middlebox did",
        ResetClass::Keepalive => "it follows probes or retransmissions that nobody answered",
        ResetClass::AfterClose => "it answers data that came after its sender had closed; noise",
        ResetClass::HalfOpen => "its sender no longer knew the connection",
        ResetClass::Abort => "an endpoint aborted the connection",
    }
}

/// The `durationMs` bands, for every end before ready.
fn timing(seen: &Observation, verdict: Verdict, lines: &mut Vec<String>) {
    if seen.ending == EndingKind::Open && seen.close.is_none() && seen.disconnect.is_none() {
        return;
    }
    let elapsed = handshake_elapsed(seen);
    let since = if seen.stage < Stage::Challenge || seen.since_upgrade.is_zero() {
        since_what(seen.viewpoint)
    } else {
        "after the 101"
    };
    let timeout = handshake_timeout(seen);
    let band = DurationBand::of(elapsed, timeout);
    let limit = timeout.map_or_else(String::new, |limit| {
        let assumed = if seen.handshake_timeout.is_some() {
            ""
        } else {
            " (the default; not seen)"
        };
        format!("; handshake timeout {}{assumed}", show_duration(limit))
    });
    lines.push(format!(
        "ended before ready, in stage {}, {} {since}: {}{limit}",
        seen.stage,
        show_duration(elapsed),
        band.meaning(),
    ));
    let held_back = verdict == Verdict::AuthFailed
        && seen.dialect == Dialect::Openclaw
        && band == DurationBand::Slow
        && elapsed <= Duration::from_millis(5_500);
    if held_back {
        lines.push(
            "OpenClaw holds the answer to a wrong shared secret back for 250 ms to 5 s: this is no network delay"
                .to_owned(),
        );
    }
    if let Some(since) = seen.since_first_message {
        lines.push(format!(
            "{} after the client's first message",
            show_duration(since)
        ));
    }
    if seen.handshake_timed_out {
        lines.push("the server says that its handshake timeout ended it".to_owned());
    }
}

/// What could not be seen from here.
fn limits(seen: &Observation, lines: &mut Vec<String>) {
    if seen.dialect == Dialect::Tls {
        lines.push(
            "TLS without keys: a close code and its reason cannot be seen (--keylog would show them)"
                .to_owned(),
        );
    }
    if seen.ending == EndingKind::Rst && seen.reset.is_none() {
        match seen.viewpoint {
            Viewpoint::Client => lines.push(
                "the client's side cannot tell the server's RST from a middlebox's; a capture at the gateway would"
                    .to_owned(),
            ),
            Viewpoint::Server => lines.push(
                "the server's side cannot tell the client's RST from a middlebox's; a capture at the client would"
                    .to_owned(),
            ),
            Viewpoint::Wire => {}
        }
    }
    let bare_fin = seen.ending == EndingKind::Fin && seen.close.is_none() && seen.stage == Stage::Ready;
    if bare_fin && seen.viewpoint == Viewpoint::Client && seen.disconnect.is_none() && !seen.logged_out {
        lines.push(
            "a killed gateway sends FIN too: if all its sessions ended at this instant, the process died"
                .to_owned(),
        );
    }
    for missing in &seen.missing {
        lines.push(format!("not captured: {missing}"));
    }
}

/// The wire name of a DISCONNECT_AUTH reason (CLW protocol page, opcode 0xA03).
const fn disconnect_name(reason: Disconnect) -> &'static str {
    match reason {
        Disconnect::Overload => "overload",
        Disconnect::TokenExpired => "token_expired",
        Disconnect::TokenRevoked => "token_revoked",
        Disconnect::VersionMismatch => "version_mismatch",
        Disconnect::HeartbeatTimeout => "heartbeat_timeout",
        Disconnect::Shutdown => "shutdown",
        Disconnect::Other => "unknown to this release",
    }
}

/// A peer's text, fit for a terminal: cut, with everything unprintable escaped.
fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(SHOWN_CHARS));
    let mut chars = text.chars();
    for c in chars.by_ref().take(SHOWN_CHARS) {
        match c {
            '\'' => out.push(c),
            _ => out.extend(c.escape_debug()),
        }
    }
    if chars.next().is_some() {
        out.push('\u{2026}');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{HeartbeatLoss, classify};

    fn told(seen: &Observation) -> String {
        evidence(seen, &classify(seen)).join("\n")
    }

    fn closed(code: u16, reason: &str, stage: Stage, ms: u64) -> Observation {
        Observation {
            stage,
            duration: Duration::from_millis(ms),
            close: Some(CloseFrame {
                by: Side::Server,
                code: Some(code),
                reason: reason.to_owned(),
            }),
            ending: EndingKind::Fin,
            ended_by: Side::Server,
            ..Observation::default()
        }
    }

    #[test]
    fn a_wrong_token_shows_its_close_and_that_the_delay_is_the_gateways() {
        let mut seen = closed(1008, "unauthorized: gateway token mismatch", Stage::Auth, 268);
        seen.viewpoint = Viewpoint::Server;
        let text = told(&seen);
        assert!(
            text.contains(
                "server close 1008 \"unauthorized: gateway token mismatch\", ended 268 ms after accept"
            ),
            "{text}"
        );
        assert!(text.contains("no network delay"), "{text}");
    }

    #[test]
    fn a_handshake_timeout_names_the_timeout_and_whether_it_was_assumed() {
        let mut seen = closed(1000, "", Stage::Challenge, 15_006);
        let text = told(&seen);
        assert!(text.contains("at the handshake timeout"), "{text}");
        assert!(text.contains("15.0 s (the default; not seen)"), "{text}");
        seen.handshake_timeout = Some(Duration::from_secs(15));
        assert!(!told(&seen).contains("not seen"));
    }

    #[test]
    fn control_characters_of_a_peer_do_not_reach_the_terminal() {
        let seen = closed(1008, "\u{1b}[2J\u{202e}evil\nline", Stage::Auth, 5);
        let text = evidence(&seen, &classify(&seen));
        assert!(
            text.iter()
                .all(|line| !line.contains(['\u{1b}', '\u{202e}', '\n']))
        );
        assert!(text[0].contains("\\u{1b}[2J"), "{}", text[0]);
    }

    #[test]
    fn long_texts_are_cut() {
        let text = shown(&"x".repeat(1000));
        assert_eq!(text.chars().count(), SHOWN_CHARS + 1);
        assert!(text.ends_with('\u{2026}'));
    }

    #[test]
    fn tls_without_keys_says_that_the_code_is_unknown() {
        let seen = Observation {
            viewpoint: Viewpoint::Wire,
            dialect: Dialect::Tls,
            stage: Stage::Tls,
            ending: EndingKind::Fin,
            ..Observation::default()
        };
        assert_eq!(classify(&seen).verdict, Verdict::Incomplete);
        assert!(told(&seen).contains("TLS without keys"));
    }

    #[test]
    fn a_client_admits_that_it_cannot_tell_whose_reset_it_was() {
        let mut seen = Observation {
            stage: Stage::Ready,
            ending: EndingKind::Rst,
            ..Observation::default()
        };
        assert!(told(&seen).contains("cannot tell"));
        seen.reset = Some(ResetClass::Abort);
        seen.reset_confidence = 0.95;
        let text = told(&seen);
        assert!(
            !text.contains("cannot tell") && text.contains("abort, confidence 0.95"),
            "{text}"
        );
    }

    #[test]
    fn a_silence_as_long_as_a_known_idle_timer_names_it() {
        let seen = Observation {
            stage: Stage::Ready,
            ending: EndingKind::Rst,
            heartbeat_loss: Some(HeartbeatLoss {
                missing_from: Side::Server,
                silence: Duration::from_millis(350_100),
            }),
            ..Observation::default()
        };
        assert!(told(&seen).contains("AWS NLB"));
    }

    #[test]
    fn what_was_not_captured_is_named() {
        let seen = Observation {
            viewpoint: Viewpoint::Wire,
            stage: Stage::Auth,
            missing: vec!["the server's direction"],
            ..Observation::default()
        };
        assert!(told(&seen).contains("not captured: the server's direction"));
    }
}

//! Why a verdict, in words that a reader can check.

use super::classify::assumed_handshake_timeout;
use super::{Connect, EndingKind, Judgement, Observation, Side, Verdict, Viewpoint};
use crate::Stage;
use crate::units::show_duration;

/// The evidence for a judgement, most telling first. Never empty for an error.
pub fn evidence(seen: &Observation, judgement: &Judgement) -> Vec<String> {
    let mut words = Vec::new();
    match seen.connect {
        Connect::Established => {}
        Connect::Refused => {
            words.push("the SYN was answered by RST: nothing listens on that port".to_owned());
        }
        Connect::TimedOut => {
            words.push(format!(
                "no TCP connection after {}",
                show_duration(seen.duration)
            ));
        }
        Connect::Unreachable => {
            words.push("the network says that there is no route to the address".to_owned());
        }
    }
    if let Some(what) = &seen.tls_failure {
        words.push(format!("TLS: {}", shown(what)));
    }
    if let Some(status) = seen.http_status.filter(|s| *s != 101) {
        words.push(format!("HTTP {status} instead of 101"));
    }
    if let Some(refusal) = &seen.refusal {
        words.push(format!(
            "refused with {}: {}",
            shown(&refusal.code),
            shown(&refusal.message)
        ));
    }
    if let Some(reason) = seen.disconnect {
        let name = serde_json::to_value(reason).ok();
        let name = name.as_ref().and_then(|v| v.as_str()).unwrap_or("other");
        words.push(format!("DISCONNECT_AUTH (0xA03) {name} by the server"));
    }
    if let Some(violation) = &seen.violation {
        words.push(format!(
            "protocol broken by the {}: {}",
            violation.by.name(),
            shown(&violation.what)
        ));
    }
    if let Some(loss) = seen.heartbeat_loss {
        let silence = show_duration(loss.silence);
        words.push(format!(
            "no heartbeat from the {} for {silence}",
            loss.missing_from.name()
        ));
    }
    if let Some(close) = &seen.close {
        let code = close.code.map_or("without a code".to_owned(), |c| c.to_string());
        let reason = if close.reason.is_empty() {
            String::new()
        } else {
            format!(" \u{201c}{}\u{201d}", shown(&close.reason))
        };
        words.push(format!(
            "close {code}{reason} by the {}, {} after the start",
            close.by.name(),
            show_duration(seen.duration)
        ));
    } else if seen.http_status == Some(101) && seen.ending != EndingKind::Open {
        let by = if seen.ended_by == Side::Unknown {
            String::new()
        } else {
            format!(" by the {}", seen.ended_by.name())
        };
        let how = match seen.ending {
            EndingKind::Fin => "FIN",
            EndingKind::Rst => "RST",
            _ => "silence",
        };
        words.push(format!(
            "{how}{by} without a close frame (1006), after {}",
            show_duration(seen.duration)
        ));
    } else if words.is_empty() && seen.ending != EndingKind::Open {
        words.push(format!(
            "ended by the {} in stage {} after {}",
            seen.ended_by.name(),
            seen.stage,
            show_duration(seen.duration)
        ));
    }
    if seen.logged_out {
        words.push("AUTH_LOGOUT by the client".to_owned());
    }
    if let Some(class) = seen.reset {
        words.push(format!(
            "RST of class {} ({:.0} % sure)",
            class.name(),
            seen.reset_confidence * 100.0
        ));
    } else if seen.ending == EndingKind::Rst && seen.viewpoint == Viewpoint::Client {
        words.push("a socket cannot tell the server's RST from a middlebox's: a capture would".to_owned());
    }
    if seen.pending_requests > 0 {
        words.push(format!("{} requests unanswered", seen.pending_requests));
    }
    if seen.stage != Stage::Ready && judgement.verdict.is_error() && seen.http_status == Some(101) {
        let limit = assumed_handshake_timeout(seen);
        let known = if seen.handshake_timeout.is_some() {
            ""
        } else {
            "the default "
        };
        let band = if seen.duration.as_millis() < 100 {
            "under 100 ms: refused at once, or network or firewall".to_owned()
        } else if seen.since_upgrade >= limit.mul_f32(0.98) {
            format!("at {known}handshake timeout of {}", show_duration(limit))
        } else {
            format!("before {known}handshake timeout of {}", show_duration(limit))
        };
        words.push(format!(
            "durationMs {} in stage {}, {band}",
            seen.duration.as_millis(),
            seen.stage
        ));
    }
    if let Some(restart) = seen.shutdown_announced {
        words.push(format!(
            "a shutdown event came first: the gateway {}",
            if restart { "restarts" } else { "stops" }
        ));
    }
    for missing in &seen.missing {
        words.push(format!("not captured: {missing}"));
    }
    if words.is_empty() {
        words.push(match judgement.verdict {
            Verdict::Open => "still healthy when the watching ended".to_owned(),
            _ => format!("stage {}", seen.stage),
        });
    }
    words
}

/// A peer's text: cut, and without control characters.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(160).flat_map(char::escape_debug).collect();
    cut.replace("\\'", "'").replace("\\\"", "\"")
}

//! Evidence: what the rules saw, and where in the capture to look.

use super::nanos;
use crate::stream::Facts;
use crate::stream::beats::Cause;
use crate::tcp::{Connection, End, Way};
use clw_core::Stage;
use clw_core::verdict::{
    EndingKind, Judgement, Observation, ResetClass, Side, Verdict, evidence, idle_timer,
};
use std::fmt::Write as _;
use std::time::Duration;

/// A refusal that took so long, in milliseconds, was held back by the gateway (OpenClaw protocol page, section 8).
const PENALTY_MS: std::ops::RangeInclusive<u64> = 250..=5_500;

/// So many packets in a row without any answer: nothing came from the other side at all.
const DEAF: u32 = 3;
/// A window that was closed for less was only full for a moment.
pub(super) const LEAST_UNREAD: Duration = Duration::from_secs(1);

/// The evidence of the rules, and where in the capture to look.
pub(super) fn words(
    connection: &Connection,
    facts: &Facts,
    end: &End,
    seen: &Observation,
    judgement: Judgement,
) -> Vec<String> {
    let mut lines = evidence(seen, &judgement);
    // Whose silence has a cause that the packets show needs no timer to explain it.
    if facts
        .beats
        .gaps()
        .last()
        .is_some_and(|gap| gap.cause != Cause::Unknown)
    {
        lines.retain(|line| !line.contains("idle timer"));
    }
    if let Some(says) = &facts.http_says {
        lines.push(format!("the server's answer says {says:?}"));
    }
    if let Some(close) = &facts.close {
        let mut line = format!("frame {}: close frame", close.frame);
        match close.echo {
            _ if close.is_echo && close.by == Side::Server => {
                line += " of the client, an answer: only servers say this code, and its own was not captured";
            }
            _ if close.is_echo => line += ", perhaps an answer: the other side's frames were not captured",
            _ => {
                let _ = write!(line, " of the {}", close.by.name());
            }
        }
        match close.echo {
            _ if close.is_echo => {}
            Some(echo) if echo != close.code => {
                let _ = write!(line, ", answered with another code: {}", echo.unwrap_or(1005));
            }
            Some(_) => line += ", answered with the same code",
            None => line += ", not answered",
        }
        if close.at_ns > end.at_ns {
            line += "; the connection had ended before";
        }
        lines.push(line);
    }
    if let (EndingKind::Fin, Some(frame)) = (end.kind, end.frame) {
        let is_unseen = connection
            .halves
            .iter()
            .any(|half| half.is_fin_unseen && half.fin == Some((end.at_ns, frame)));
        lines.push(if is_unseen {
            format!(
                "frame {frame} acknowledges a FIN of the {} that was not captured",
                end.by.name()
            )
        } else {
            format!("frame {frame}: first FIN, by the {}", end.by.name())
        });
    }
    for reset in &connection.resets {
        let from = if reset.by == 0 {
            connection.client
        } else {
            connection.server
        };
        let mut line = format!(
            "frame {}: RST from {from}, {}: {}",
            reset.frame, reset.class, reset.evidence
        );
        if let Some(reason) = &reset.reason {
            let _ = write!(line, "; it says {reason:?}");
        }
        if reset.survived {
            line += "; the connection survived it";
        }
        lines.push(line);
    }
    lines.extend(deaf(connection, end));
    lines.extend(idle(facts, end, seen, &lines));
    lines.extend(unread(connection, seen));
    for gap in facts.beats.gaps().iter().take(3) {
        lines.push(format!(
            "heartbeats of the {} missing for {:.1} s, from {:.1} s on: {}",
            gap.side.name(),
            (gap.to_ns - gap.from_ns) as f64 / 1e9,
            gap.from_ns.saturating_sub(connection.first_ns) as f64 / 1e9,
            gap.cause.name()
        ));
    }
    if let (Some(first), Some(_)) = (facts.first_message_ns, &facts.refusal) {
        let held = seen
            .duration
            .saturating_sub(nanos(first.saturating_sub(connection.first_ns)));
        let held = u64::try_from(held.as_millis()).unwrap_or(u64::MAX);
        if judgement.verdict == Verdict::AuthFailed && PENALTY_MS.contains(&held) {
            lines.push(format!(
                "the refusal took {held} ms: the gateway's own penalty, not the network"
            ));
        }
    }
    if let Some(what) = facts.forgiven {
        lines.push(format!("against RFC 6455: {what}"));
    }
    if let Some(why) = facts.tls.as_deref().and_then(|tls| tls.no_keys.as_ref()) {
        lines.push(format!(
            "TLS is not decrypted ({why}): close codes and heartbeats are unseen; give --keylog"
        ));
    }
    if facts.began_in_the_middle {
        lines.push("the capture begins after the upgrade".to_owned());
    }
    for gap in seen
        .missing
        .iter()
        .filter(|gap| !lines.iter().any(|line| line.contains(*gap)))
        .collect::<Vec<_>>()
    {
        lines.push(format!("not captured: {gap}"));
    }
    if seen.stage >= Stage::Challenge && connection.duplicates > 0 {
        lines.push(format!(
            "{} packets were captured twice and counted once",
            connection.duplicates
        ));
    }
    lines
}

/// The side that went silent still sent packets: only what it was sent did not reach it.
fn deaf(connection: &Connection, end: &End) -> Option<String> {
    let speaker = match end.by {
        Side::Client => Way::Down,
        Side::Server => Way::Up,
        _ => return None,
    };
    let half = connection.half(speaker);
    (end.kind == EndingKind::Silent && half.unanswered < DEAF).then(|| {
        format!(
            "one-way: packets of the {} came, and did not acknowledge what it was sent again and again",
            end.by.name()
        )
    })
}

/// How long a connection that was cut without a word had been idle, and whose timer that is.
fn idle(facts: &Facts, end: &End, seen: &Observation, lines: &[String]) -> Option<String> {
    let idle = nanos(end.idle_ns?);
    let is_noise = matches!(seen.reset, Some(ResetClass::AfterClose | ResetClass::Refused));
    if seen.close.is_some() || facts.disconnect.is_some() || facts.logged_out || is_noise {
        return None;
    }
    // Before ready, only a silence of some length is news.
    if seen.stage < Stage::Ready && idle < LEAST_UNREAD {
        return None;
    }
    let mut line = format!("no data was sent for {:.1} s before the end", idle.as_secs_f64());
    let is_told = lines.iter().any(|line| line.contains("idle timer"));
    if let Some(named) = idle_timer(idle).filter(|_| !is_told) {
        let _ = write!(line, ": that fits the idle timer of {named}");
    }
    Some(line)
}

/// A side that keeps its window closed does not read.
fn unread(connection: &Connection, seen: &Observation) -> Option<String> {
    let (side, closed_ns) = [Way::Up, Way::Down]
        .into_iter()
        .find_map(|way| Some((way.sender(), connection.half(way).window_closed_ns()?)))?;
    let ended_ns = connection
        .first_ns
        .saturating_add(u64::try_from(seen.duration.as_nanos()).ok()?);
    let closed = nanos(ended_ns.saturating_sub(closed_ns));
    (closed >= LEAST_UNREAD).then(|| {
        format!(
            "the {}'s receive window was closed for the last {:.1} s: it did not read",
            side.name(),
            closed.as_secs_f64()
        )
    })
}

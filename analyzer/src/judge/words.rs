//! Evidence: what the rules saw, and where in the capture to look.

use super::nanos;
use crate::stream::Facts;
use crate::tcp::{Connection, End};
use clw_core::Stage;
use clw_core::verdict::{EndingKind, Judgement, Observation, Verdict, evidence};
use std::fmt::Write as _;

/// A refusal that took so long, in milliseconds, was held back by the gateway (OpenClaw protocol page, section 8).
const PENALTY_MS: std::ops::RangeInclusive<u64> = 250..=5_500;

/// The evidence of the rules, and where in the capture to look.
pub(super) fn words(
    connection: &Connection,
    facts: &Facts,
    end: &End,
    seen: &Observation,
    judgement: Judgement,
) -> Vec<String> {
    let mut lines = evidence(seen, &judgement);
    if let Some(close) = &facts.close {
        let mut line = format!("frame {}: close frame of the {}", close.frame, close.by.name());
        match close.echo {
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
        lines.push(format!("frame {frame}: first FIN, by the {}", end.by.name()));
    }
    for reset in &connection.resets {
        let from = if reset.by == 0 {
            connection.client
        } else {
            connection.server
        };
        let after = reset.at_ns.saturating_sub(last_before(connection, reset.at_ns));
        let mut line = format!(
            "frame {}: RST from {from}, {}: {}",
            reset.frame, reset.class, reset.evidence
        );
        if after > 0 && Some(reset.frame) == end.frame {
            let _ = write!(line, "; {:.1} s after the last data", after as f64 / 1e9);
        }
        if let Some(reason) = &reset.reason {
            let _ = write!(line, "; it says {reason:?}");
        }
        if reset.survived {
            line += "; the connection survived it";
        }
        lines.push(line);
    }
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
    if let Some(why) = &facts.no_keys {
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

/// When either side last sent data before `at_ns`.
fn last_before(connection: &Connection, at_ns: u64) -> u64 {
    connection
        .halves
        .iter()
        .map(|half| half.last_data_ns)
        .filter(|last| *last <= at_ns)
        .max()
        .unwrap_or(at_ns)
}

//! The facts that the dictionary judges, from packets and bytes.

use super::words::LEAST_UNREAD;
use super::{CLW_PONG_TIMEOUT, PONG_TIMEOUT, SLACK, nanos};
use crate::stream::Facts;
use crate::stream::beats::{Cause, Gap, Kind};
use crate::tcp::{Connection, End, Way};
use clw_core::Dialect;
use clw_core::openclaw::refusal_of_http;
use clw_core::verdict::{
    CloseFrame, Connect, EndingKind, HeartbeatLoss, Observation, Refusal, ResetClass, Side, Viewpoint,
};
use std::time::Duration;

/// A server of CLW waits so long for an AUTH_PING (protocol page, timers).
const CLW_GRACE: Duration = Duration::from_secs(5);
/// A ping that the end overtook says nothing.
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// The RST of an endpoint that has gone follows what it answers within so many nanoseconds.
const GONE_NS: u64 = 1_000_000_000;
/// So many periods without a beat, and the capture's end: the heartbeats have stopped.
const SILENT_PERIODS: u32 = 2;
/// No SYN is sent again sooner.
const LEAST_RETRY: Duration = Duration::from_millis(200);
/// One direction that has this many packets while the other has none was captured alone.
const ONE_WAY_PACKETS: u64 = 3;

/// What else is known of a connection.
#[derive(Clone, Copy)]
pub(super) struct View {
    /// What was spoken.
    pub(super) dialect: Dialect,
    /// Frames were lost for good.
    pub(super) is_lost: bool,
    /// Frames of the client were.
    pub(super) is_client_lost: bool,
    /// Packets of its server are missing in other connections too: only one direction was captured.
    pub(super) is_server_unheard: bool,
    /// Its server answers others.
    pub(super) is_server_up: bool,
    /// When it ended.
    pub(super) ended_ns: u64,
    /// Until when it was watched.
    pub(super) watched_ns: u64,
}

pub(super) fn observe(connection: &Connection, facts: &Facts, end: &End, view: View) -> Observation {
    let View {
        dialect,
        ended_ns,
        watched_ns,
        ..
    } = view;
    let since = |from_ns: u64| nanos(ended_ns.saturating_sub(from_ns));
    let reset = end.reset.and_then(|index| connection.resets.get(index));
    let refused = connection
        .resets
        .iter()
        .any(|reset| reset.class == ResetClass::Refused);
    let connect = if refused {
        Connect::Refused
    } else if is_unanswered(connection) && !view.is_server_unheard && !is_cut_short(connection, view) {
        Connect::TimedOut
    } else {
        Connect::Established
    };
    let spoke_first = facts.close.as_ref().is_some_and(|close| close.at_ns <= end.at_ns);
    Observation {
        viewpoint: Viewpoint::Wire,
        dialect,
        stage: facts.stage,
        duration: since(connection.first_ns),
        since_upgrade: since(facts.upgraded_ns.unwrap_or(connection.first_ns)),
        connect,
        tls_failure: facts.tls.as_deref().and_then(|tls| tls.failure.clone()),
        http_status: facts.http.as_ref().and_then(|http| http.status),
        refusal: facts
            .refusal
            .as_deref()
            .cloned()
            .or_else(|| refused_by_http(facts)),
        // What was said into a closed connection ended nothing.
        close: facts
            .close
            .as_ref()
            .filter(|_| spoke_first)
            .map(|close| CloseFrame {
                // A code that was not captured says nothing of who ended it, and why.
                by: if close.is_cut { Side::Unknown } else { close.by },
                code: close.code,
                reason: close.reason.clone(),
            }),
        disconnect: facts.disconnect,
        logged_out: facts.logged_out,
        shutdown_announced: facts.shutdown_announced,
        ending: if connect == Connect::Established {
            end.kind
        } else {
            EndingKind::Open
        },
        ended_by: end.by,
        reset: reset.map(|reset| reset.class),
        reset_confidence: reset.map_or(0.0, |reset| reset.confidence),
        heartbeat_loss: heartbeat_loss(
            facts,
            dialect,
            end,
            ended_ns,
            watched_ns,
            reset.map(|reset| reset.class),
        ),
        unanswered_server_ping: facts
            .beats
            .waiting_since_ns(Way::Down, Kind::Ping)
            .map(since)
            .filter(|waited| *waited >= LEAST_WAIT && !view.is_client_lost),
        pending_requests: facts.pending_requests(),
        violation: facts.violation.as_deref().cloned(),
        slow_consumer: is_slow_consumer(connection, facts, end, ended_ns),
        token_expired: facts.token_expires_ns.is_some_and(|at| ended_ns >= at),
        helper: facts.helper,
        handshake_timed_out: false,
        since_first_message: facts.first_message_ns.map(since),
        missing: missing(connection, facts, view),
        handshake_timeout: None,
        datagrams: None,
    }
}

/// An answer repeats the code: where the other side's frames are `unseen`, by way, who said it first shows at most in the code.
pub(super) fn settle_close(facts: &mut Facts, unseen: [bool; 2]) {
    let Some(close) = &mut facts.close else { return };
    let other = if close.by == Side::Client {
        Way::Down
    } else {
        Way::Up
    };
    if close.echo.is_some() || !unseen[other as usize] {
        return;
    }
    match (close.by, close.code) {
        // Only servers say these by themselves, and only clients this.
        (Side::Server, Some(1002 | 1003 | 1007..=1009 | 1012 | 1013 | 4001)) | (Side::Client, Some(4000)) => {
        }
        (_, code) => {
            close.is_echo = true;
            close.by = match code {
                Some(1008 | 1012 | 1013) => Side::Server,
                _ => Side::Unknown,
            };
        }
    }
}

/// Heartbeats that stopped and ended the session, or that the capture ends without.
fn heartbeat_loss(
    facts: &Facts,
    dialect: Dialect,
    end: &End,
    ended_ns: u64,
    watched_ns: u64,
    reset: Option<ResetClass>,
) -> Option<HeartbeatLoss> {
    facts.ready_ns?;
    let is_wordless = facts.close.is_none() && facts.disconnect.is_none() && !facts.logged_out;
    if !is_wordless {
        return None;
    }
    // Who answers what comes at last with a RST had gone before, in the silence.
    let was_gone = matches!(reset, Some(ResetClass::HalfOpen | ResetClass::AfterClose));
    let since_gap_ns = if was_gone { GONE_NS } else { 0 };
    let last_gap = |is_wanted: &dyn Fn(&Gap) -> bool| {
        let gap = facts.beats.gaps().iter().rfind(|gap| is_wanted(gap))?;
        (gap.to_ns.saturating_add(since_gap_ns) >= ended_ns).then(|| HeartbeatLoss {
            missing_from: gap.side,
            silence: nanos(gap.to_ns - gap.from_ns),
        })
    };
    if matches!(end.kind, EndingKind::Open | EndingKind::Silent) {
        let period = nanos(facts.beats.period_ns()?);
        return [Side::Server, Side::Client].into_iter().find_map(|side| {
            let gap = facts.beats.gaps().iter().rfind(|gap| gap.side == side)?;
            let silence = nanos(gap.to_ns.saturating_sub(gap.from_ns));
            let stopped =
                gap.is_open && gap.to_ns >= watched_ns && silence >= period.saturating_mul(SILENT_PERIODS);
            stopped.then_some(HeartbeatLoss {
                missing_from: side,
                silence,
            })
        });
    }
    let (side, least) = match (end.by, dialect) {
        (Side::Client, Dialect::Clw) => (Side::Server, CLW_PONG_TIMEOUT),
        (Side::Server, Dialect::Clw) => (Side::Client, CLW_GRACE),
        // A client that gives up on its pings closes; some only cut.
        (Side::Client, _) => (Side::Server, PONG_TIMEOUT),
        // A server's pings are judged by their own rule, which knows its beats.
        _ => return None,
    };
    last_gap(&|gap| gap.side == side || gap.cause == Cause::PathCut)
        .filter(|loss| loss.silence >= least.mul_f64(SLACK))
}

/// Nothing came back for a SYN.
fn is_unanswered(connection: &Connection) -> bool {
    !connection.is_established && connection.has_syn && connection.half(Way::Down).packets == 0
}

/// The capture ends so soon after the SYN that a server which answers others may still answer this one.
fn is_cut_short(connection: &Connection, view: View) -> bool {
    let watched = nanos(view.watched_ns.saturating_sub(connection.first_ns));
    view.is_server_up && connection.half(Way::Up).packets == 1 && watched < LEAST_RETRY
}

/// The server ended a session whose client had stopped reading, and gave no other reason.
fn is_slow_consumer(connection: &Connection, facts: &Facts, end: &End, ended_ns: u64) -> bool {
    let is_wordless = facts
        .close
        .as_ref()
        .is_none_or(|close| close.by == Side::Server && close.code.is_none());
    let closed_ns = connection.half(Way::Up).window_closed_ns();
    is_wordless
        && facts.disconnect.is_none()
        && end.kind != EndingKind::Open
        && end.by == Side::Server
        && end.reset.is_none_or(|index| {
            connection
                .resets
                .get(index)
                // A socket that is cut with data unsent may say so only when it is spoken to.
                .is_some_and(|reset| matches!(reset.class, ResetClass::Abort | ResetClass::HalfOpen))
        })
        && closed_ns.is_some_and(|at| nanos(ended_ns.saturating_sub(at)) >= LEAST_UNREAD)
}

/// What the capture lacks, where it matters to the verdict.
fn missing(connection: &Connection, facts: &Facts, view: View) -> Vec<&'static str> {
    let (dialect, is_lost) = (view.dialect, view.is_lost);
    let mut missing = Vec::new();
    if is_unanswered(connection) && view.is_server_unheard {
        missing.push("the server's packets were not captured");
    }
    if is_unanswered(connection) && is_cut_short(connection, view) {
        missing.push("the answer to the SYN: the capture ends just after it");
    }
    let (up, down) = (connection.half(Way::Up), connection.half(Way::Down));
    if connection.is_established && down.packets == 0 && up.packets >= ONE_WAY_PACKETS {
        missing.push("the server's packets were not captured");
    }
    if up.packets == 0 && down.packets >= ONE_WAY_PACKETS {
        missing.push("the client's packets were not captured");
    }
    if facts
        .close
        .as_ref()
        .is_some_and(|close| close.by == Side::Unknown)
    {
        missing.push("whose close frame was the first");
    }
    if facts.close.as_ref().is_some_and(|close| close.is_cut) {
        missing.push("the close frame's code");
    }
    if is_lost {
        missing.push("packets with frames were not captured whole");
    }
    let is_blind = matches!(dialect, Dialect::Unknown);
    if !connection.has_syn && is_blind {
        missing.push("the beginning of the connection was not captured");
    }
    if facts.began_in_the_middle && facts.ready_ns.is_none() {
        missing.push("the upgrade and the login were not captured");
    } else if facts.ready_ns.is_none() && (facts.has_holes || up.missing_bytes + down.missing_bytes > 0) {
        missing.push("a part of the login was not captured");
    }
    missing
}

/// What the words of an HTTP answer refuse.
fn refused_by_http(facts: &Facts) -> Option<Refusal> {
    let status = facts.http.as_ref()?.status?;
    refusal_of_http(status, facts.http_says.as_deref()?.as_bytes())
}

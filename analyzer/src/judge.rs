//! From a connection's packets and bytes to the dictionary's verdict.

use crate::engine::Live;
use crate::record::{
    Ending, Gap, Heartbeats, Http, Identity, Record, Rst, Sides, StagesMs, Tls, WsClose, ms,
};
use crate::stream::beats::{Kind, Signs};
use crate::stream::{Facts, Session};
use crate::tcp::{Connection, End, Way};
use clw_core::verdict::{
    CloseFrame, Connect, EndingKind, HeartbeatLoss, Judgement, Observation, ResetClass, Side, Verdict,
    Viewpoint, classify, evidence,
};
use clw_core::{Dialect, Stage};
use std::time::Duration;

/// A client of CLW gives an AUTH_PONG so long (protocol page, timers).
const CLW_PONG_TIMEOUT: Duration = Duration::from_secs(3);
/// A server of CLW waits so long for an AUTH_PING.
const CLW_GRACE: Duration = Duration::from_secs(5);
/// Clients of the other dialects give a pong at least so long.
const PONG_TIMEOUT: Duration = Duration::from_secs(5);
/// So many periods without a beat, and the capture's end: the heartbeats have stopped.
const SILENT_PERIODS: u64 = 2;
/// Timers fire a little early or late.
const SLACK: f64 = 0.95;
/// One direction that has this many packets while the other has none was captured alone.
const ONE_WAY_PACKETS: u64 = 3;
/// A refusal that took so long was held back by the gateway (protocol page, section 8).
const PENALTY: std::ops::RangeInclusive<u64> = 250..=5_500;

/// A connection with its verdict.
#[derive(Clone, Debug)]
pub struct Judged {
    /// As it stands in the result.
    pub record: Record,
    /// The verdict; `None` for HTTP that is no session.
    pub verdict: Option<Verdict>,
    /// When it ended, nanoseconds since the Unix epoch.
    pub ended_ns: u64,
    /// What was said and sent, if a timeline was asked for.
    pub notes: Option<Vec<crate::stream::session::Note>>,
}

/// Judges a connection that is over, or that the capture's end at `now_ns` cut off.
pub fn judge(live: Live, now_ns: u64) -> Judged {
    let Live {
        id,
        connection,
        session,
        ..
    } = live;
    let mut session = session.unwrap_or_else(|| Box::new(Session::new(connection.has_syn, None, 1.5, false)));
    let dialect = session.dialect(connection.server.port());
    let is_lost = session.is_lost();
    let opcodes = session.opcodes().unwrap_or_default();
    let tls = session.tls_info().map(|info| Tls {
        version: info.version.map(|version| version.to_string()),
        server_name: info.server_name.clone(),
        alpn: info.alpn_selected.clone(),
        cipher_suite: info.cipher_suite.map(|suite| suite.to_string()),
        resumed: info.resumed == Some(true),
        decrypted: info.is_decrypted(),
    });
    let facts = &mut session.facts;
    let end = end_of(&connection, facts);
    if dialect == Dialect::Websocket && (facts.upgraded_ns.is_some() || facts.began_in_the_middle) {
        // Nothing to log in to: a WebSocket is ready when it is one.
        facts.ready(facts.upgraded_ns.unwrap_or(connection.first_ns));
    }
    let ended_ns = facts
        .close
        .as_ref()
        .map_or(end.at_ns, |close| close.at_ns.min(end.at_ns));
    let watched_ns = if end.kind == EndingKind::Open && facts.close.is_none() {
        now_ns.max(ended_ns)
    } else {
        ended_ns
    };
    finish_beats(&connection, facts, watched_ns);
    let seen = observe(&connection, facts, dialect, is_lost, &end, ended_ns, watched_ns);
    let judgement = classify(&seen);
    // A plain request was never meant to be a session.
    let is_session = dialect != Dialect::Http;
    let lines = words(&connection, facts, &end, &seen, &judgement);
    let record = Record {
        id,
        client: connection.client,
        server: connection.server,
        start: rfc3339(connection.first_ns),
        start_unix_ns: connection.first_ns,
        duration_ms: ms(connection.last_ns.saturating_sub(connection.first_ns)),
        dialect,
        stage: facts.stage,
        packets: both(&connection, |half| half.packets),
        bytes: both(&connection, |half| half.bytes),
        retransmissions: both(&connection, |half| half.retransmissions),
        keepalives: both(&connection, |half| half.keepalives),
        zero_windows: both(&connection, |half| half.zero_windows),
        missing_bytes: both(&connection, |half| half.missing_bytes),
        duplicates: connection.duplicates,
        rtt_us: round_trips(&connection),
        rtt_by_side_us: Sides {
            client: connection.half(Way::Down).rtt.summary(),
            server: connection.half(Way::Up).rtt.summary(),
        },
        ending: ending(&connection, facts, &end),
        heartbeats: heartbeats(&connection, facts),
        tls,
        http: facts.http.as_ref().map(|http| Http {
            method: http.method.clone(),
            path: http.path.clone(),
            status: http.status,
            user_agent: http.user_agent.clone(),
            forwarded_for: http.forwarded_for.clone(),
        }),
        identity: Identity {
            role: facts.identity.role.take(),
            client_id: facts.identity.client_id.take(),
            client_version: facts.identity.client_version.take(),
            server_version: facts.identity.server_version.take(),
            protocol: facts.identity.protocol.take(),
            auth: std::mem::take(&mut facts.identity.auth),
        },
        stages_ms: stages(&connection, facts),
        frames: Sides {
            client: opcodes[0].iter().map(|n| u64::from(*n)).sum(),
            server: opcodes[1].iter().map(|n| u64::from(*n)).sum(),
        },
        pending_requests: facts.pending_requests(),
        verdict: is_session.then(|| judgement.verdict.name()),
        confidence: (f64::from(judgement.confidence) * 100.0).round() / 100.0,
        evidence: lines,
    };
    Judged {
        record,
        verdict: is_session.then_some(judgement.verdict),
        ended_ns,
        notes: session.notes.take(),
    }
}

/// The first close_notify ends a TLS session as a FIN does; TLS that ends before its handshake has failed.
fn end_of(connection: &Connection, facts: &mut Facts) -> End {
    let mut end = connection.end();
    if let Some((at_ns, frame, by)) = facts.close_notify
        && at_ns <= end.at_ns
    {
        end = End {
            kind: EndingKind::Fin,
            by,
            at_ns,
            frame: Some(frame),
            reset: None,
        };
    }
    let is_unfinished = facts.stage == Stage::Tls && !facts.tls_done && connection.has_syn;
    if is_unfinished && end.kind != EndingKind::Open {
        let what = format!("ended by the {} before the TLS handshake was done", end.by.name());
        facts.tls_failure.get_or_insert(what);
    }
    end
}

fn both<T>(connection: &Connection, of: impl Fn(&crate::tcp::Half) -> T) -> Sides<T> {
    Sides {
        client: of(connection.half(Way::Up)),
        server: of(connection.half(Way::Down)),
    }
}

/// Seen from one end, the far side's round trips are the path's.
fn round_trips(connection: &Connection) -> clw_core::histogram::Summary {
    let to_client = connection.half(Way::Down).rtt.summary();
    let to_server = connection.half(Way::Up).rtt.summary();
    if to_client.mean > to_server.mean {
        to_client
    } else {
        to_server
    }
}

fn finish_beats(connection: &Connection, facts: &mut Facts, end_ns: u64) {
    let signs = [Way::Up, Way::Down].map(|way| Signs {
        last_packet_ns: connection.half(way).last_ns.min(end_ns),
        unanswered: connection.half(way.back()).unanswered,
    });
    facts.beats.finish(end_ns, signs);
    for (way, kind) in [
        (Way::Up, Kind::Ping),
        (Way::Up, Kind::Tick),
        (Way::Down, Kind::Ping),
    ] {
        let timeout = if facts.dialect == Dialect::Clw {
            CLW_PONG_TIMEOUT
        } else {
            PONG_TIMEOUT
        };
        if let Some(asked_ns) = facts.beats.waiting_since_ns(way, kind)
            && nanos(end_ns.saturating_sub(asked_ns)) >= timeout.mul_f64(SLACK)
        {
            facts
                .beats
                .given_up(way, asked_ns, end_ns, signs[way.back() as usize]);
        }
    }
}

fn nanos(ns: u64) -> Duration {
    Duration::from_nanos(ns)
}

fn observe(
    connection: &Connection,
    facts: &Facts,
    dialect: Dialect,
    is_lost: bool,
    end: &End,
    ended_ns: u64,
    watched_ns: u64,
) -> Observation {
    let since = |from_ns: u64| nanos(ended_ns.saturating_sub(from_ns));
    let reset = end.reset.and_then(|index| connection.resets.get(index));
    let refused = connection
        .resets
        .iter()
        .any(|reset| reset.class == ResetClass::Refused);
    let connect = if refused {
        Connect::Refused
    } else if !connection.is_established && connection.has_syn && connection.half(Way::Down).packets == 0 {
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
        tls_failure: facts.tls_failure.clone(),
        http_status: facts.http.as_ref().and_then(|http| http.status),
        refusal: facts.refusal.clone(),
        // What was said into a closed connection ended nothing.
        close: facts
            .close
            .as_ref()
            .filter(|_| spoke_first)
            .map(|close| CloseFrame {
                by: close.by,
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
        heartbeat_loss: heartbeat_loss(facts, dialect, end, ended_ns, watched_ns),
        unanswered_server_ping: facts.beats.waiting_since_ns(Way::Down, Kind::Ping).map(since),
        pending_requests: facts.pending_requests(),
        violation: facts.violation.clone(),
        slow_consumer: false,
        token_expired: facts.token_expires_ns.is_some_and(|at| ended_ns >= at),
        helper: facts.helper,
        handshake_timed_out: false,
        since_first_message: facts.first_message_ns.map(since),
        missing: missing(connection, facts, dialect, is_lost),
        handshake_timeout: None,
    }
}

/// Heartbeats that stopped and ended the session, or that the capture ends without.
fn heartbeat_loss(
    facts: &Facts,
    dialect: Dialect,
    end: &End,
    ended_ns: u64,
    watched_ns: u64,
) -> Option<HeartbeatLoss> {
    facts.ready_ns?;
    let is_wordless = facts.close.is_none() && facts.disconnect.is_none() && !facts.logged_out;
    if !is_wordless {
        return None;
    }
    let silence_of = |side: Side| {
        let gap = facts.beats.gaps().iter().rfind(|gap| gap.side == side)?;
        (gap.to_ns >= ended_ns).then(|| nanos(gap.to_ns - gap.from_ns))
    };
    if matches!(end.kind, EndingKind::Open | EndingKind::Silent) {
        let period = nanos(facts.beats.period_ns()?);
        return [Side::Server, Side::Client].into_iter().find_map(|side| {
            let gap = facts.beats.gaps().iter().rfind(|gap| gap.side == side)?;
            let silence = nanos(gap.to_ns.saturating_sub(gap.from_ns));
            let stopped = gap.to_ns >= watched_ns
                && silence >= period.saturating_mul(u32::try_from(SILENT_PERIODS).unwrap_or(2));
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
    let silence = silence_of(side)?;
    (silence >= least.mul_f64(SLACK)).then_some(HeartbeatLoss {
        missing_from: side,
        silence,
    })
}

/// What the capture lacks, where it matters to the verdict.
fn missing(connection: &Connection, facts: &Facts, dialect: Dialect, is_lost: bool) -> Vec<&'static str> {
    let mut missing = Vec::new();
    let (up, down) = (connection.half(Way::Up), connection.half(Way::Down));
    if connection.is_established && down.packets == 0 && up.packets >= ONE_WAY_PACKETS {
        missing.push("the server's packets were not captured");
    }
    if up.packets == 0 && down.packets >= ONE_WAY_PACKETS {
        missing.push("the client's packets were not captured");
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
    }
    missing
}

fn ending(connection: &Connection, facts: &Facts, end: &End) -> Ending {
    let close = facts.close.as_ref();
    let side = |by: usize| if by == 0 { Side::Client } else { Side::Server };
    let since = |at_ns: u64| ms(at_ns.saturating_sub(connection.first_ns));
    Ending {
        kind: end.kind,
        // Who sends the first FIN after a close handshake is a race; the close frame came first.
        by: close
            .filter(|close| close.at_ns <= end.at_ns)
            .map_or(end.by, |close| close.by),
        ws_close: close.map(|close| WsClose {
            code: close.code.unwrap_or(1005),
            reason: close.reason.clone(),
            by: close.by,
            frame: close.frame,
            echo: close.echo.map(|code| code.unwrap_or(1005)),
        }),
        rst: connection
            .resets
            .iter()
            .map(|reset| Rst {
                by: if reset.class == ResetClass::Injected {
                    Side::Middlebox
                } else {
                    side(reset.by)
                },
                class: reset.class.name(),
                confidence: (f64::from(reset.confidence) * 100.0).round() / 100.0,
                evidence: reset.evidence.clone(),
                frame: reset.frame,
                at_ms: since(reset.at_ns),
                reason: reset.reason.clone(),
                survived: reset.survived,
            })
            .collect(),
        at_ms: since(end.at_ns),
    }
}

fn heartbeats(connection: &Connection, facts: &Facts) -> Heartbeats {
    Heartbeats {
        ws_ping: facts.beats.count(Kind::Ping),
        ws_pong: facts.beats.count(Kind::Pong),
        ticks: facts.beats.count(Kind::Tick),
        period_ms: facts.beats.period_ns().map(ms),
        gaps: facts
            .beats
            .gaps()
            .iter()
            .map(|gap| Gap {
                from_ms: ms(gap.from_ns.saturating_sub(connection.first_ns)),
                length_ms: ms(gap.to_ns.saturating_sub(gap.from_ns)),
                side: gap.side,
                cause: gap.cause.name(),
            })
            .collect(),
    }
}

fn stages(connection: &Connection, facts: &Facts) -> StagesMs {
    let between = |from: Option<u64>, to: Option<u64>| Some(ms(to?.saturating_sub(from?)));
    StagesMs {
        upgrade: between(facts.requested_ns, facts.upgraded_ns),
        challenge: between(facts.upgraded_ns, facts.challenged_ns),
        auth: between(
            facts.first_message_ns,
            facts.ready_ns.filter(|_| !facts.began_in_the_middle),
        ),
        ready: between(
            Some(connection.first_ns),
            facts.ready_ns.filter(|_| connection.has_syn),
        ),
    }
}

/// The evidence of the rules, and where in the capture to look.
fn words(
    connection: &Connection,
    facts: &Facts,
    end: &End,
    seen: &Observation,
    judgement: &Judgement,
) -> Vec<String> {
    let mut lines = evidence(seen, judgement);
    if let Some(close) = &facts.close {
        let mut line = format!("frame {}: close frame of the {}", close.frame, close.by.name());
        match close.echo {
            Some(echo) if echo != close.code => {
                line += &format!(", answered with another code: {}", echo.unwrap_or(1005));
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
            line += &format!("; {:.1} s after the last data", after as f64 / 1e9);
        }
        if let Some(reason) = &reset.reason {
            line += &format!("; it says {reason:?}");
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
        if judgement.verdict == Verdict::AuthFailed && PENALTY.contains(&held) {
            lines.push(format!(
                "the refusal took {held} ms: the gateway's own penalty, not the network"
            ));
        }
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

/// RFC 3339 in UTC, to the microsecond.
pub fn rfc3339(at_ns: u64) -> String {
    let time = std::time::UNIX_EPOCH + nanos(at_ns);
    humantime::format_rfc3339_micros(time).to_string()
}

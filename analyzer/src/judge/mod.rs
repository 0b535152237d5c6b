//! From a connection's packets and bytes to the dictionary's verdict.

mod fields;
mod observe;
mod words;

use crate::engine::Live;
use crate::record::{Http, Identity, Opcodes, Record, Sides, Tls, ms};
use crate::stream::beats::{Kind, Signs};
use crate::stream::{Facts, Session};
use crate::tcp::{Connection, End, Way};
use clw_core::verdict::{EndingKind, Verdict, classify};
use clw_core::{Dialect, Stage};
use fields::{both, ending, far_side, heartbeats, stages};
use observe::observe;
use std::time::Duration;
use words::words;

/// A client of CLW gives an AUTH_PONG so long (protocol page, timers).
const CLW_PONG_TIMEOUT: Duration = Duration::from_secs(3);
/// Clients of the other dialects give a pong at least so long.
const PONG_TIMEOUT: Duration = Duration::from_secs(5);
/// Timers fire a little early or late.
const SLACK: f64 = 0.95;

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

/// Judges a connection that is over, or that the capture's end at `now_ns` cut off. Its evidence is put into words only
/// where `wants_evidence` says so of its verdict.
pub fn judge(mut live: Box<Live>, now_ns: u64, wants_evidence: impl FnOnce(Verdict) -> bool) -> Judged {
    let session = live.session.take();
    let (id, connection) = (live.id, &live.connection);
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
    let end = end_of(connection, facts);
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
    finish_beats(connection, facts, watched_ns);
    let seen = observe(connection, facts, dialect, is_lost, &end, ended_ns, watched_ns);
    let judgement = classify(&seen);
    // A plain request was never meant to be a session.
    let is_session = dialect != Dialect::Http;
    let lines = if wants_evidence(judgement.verdict) {
        words(connection, facts, &end, &seen, judgement)
    } else {
        Vec::new()
    };
    let rtt = Sides {
        client: connection.half(Way::Down).rtt.summary(),
        server: connection.half(Way::Up).rtt.summary(),
    };
    let record = Record {
        id,
        client: connection.client,
        server: connection.server,
        start: rfc3339(connection.first_ns),
        start_unix_ns: connection.first_ns,
        duration_ms: ms(connection.last_ns.saturating_sub(connection.first_ns)),
        dialect,
        stage: facts.stage,
        packets: both(connection, |half| half.packets),
        bytes: both(connection, |half| half.bytes),
        retransmissions: both(connection, |half| half.retransmissions),
        keepalives: both(connection, |half| half.keepalives),
        zero_windows: both(connection, |half| half.zero_windows),
        missing_bytes: both(connection, |half| half.missing_bytes),
        duplicates: connection.duplicates,
        rtt_us: far_side(&rtt),
        rtt_by_side_us: rtt,
        ending: ending(connection, facts, &end),
        heartbeats: heartbeats(connection, facts),
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
        stages_ms: stages(connection, facts),
        frames: Sides {
            client: opcodes[0].iter().map(|n| u64::from(*n)).sum(),
            server: opcodes[1].iter().map(|n| u64::from(*n)).sum(),
        },
        opcodes: Sides {
            client: Opcodes::of(&opcodes[0]),
            server: Opcodes::of(&opcodes[1]),
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
    if let Some((at_ns, frame, by)) = facts.close_notify.as_deref().copied()
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

/// RFC 3339 in UTC, to the microsecond.
pub fn rfc3339(at_ns: u64) -> String {
    let time = std::time::UNIX_EPOCH + nanos(at_ns);
    humantime::format_rfc3339_micros(time).to_string()
}

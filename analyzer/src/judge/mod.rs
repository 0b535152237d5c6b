//! From a connection's packets and bytes to the dictionary's verdict.

mod fields;
mod observe;
mod words;

use crate::engine::Live;
use crate::record::{Http, Identity, Opcodes, Record, Sides, Tls, ms};
use crate::stream::beats::{Gap, Kind, Signs};
use crate::stream::{Facts, Session};
use crate::tcp::{Connection, End, Way};
use clw_core::verdict::{EndingKind, Observation, Side, Verdict, classify, counts_as_error};
use clw_core::{Dialect, Stage};
use fields::{both, ending, far_side, heartbeats, stages};
use observe::{View, observe, settle_close};
use std::time::Duration;
use words::words;

/// A client of CLW gives an AUTH_PONG so long (protocol page, timers).
const CLW_PONG_TIMEOUT: Duration = Duration::from_secs(3);
/// Clients of the other dialects give a pong at least so long.
const PONG_TIMEOUT: Duration = Duration::from_secs(5);
/// What was not captured may hold the reason.
const DOUBTFUL: f32 = 0.6;
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
    /// It counts into the error rate.
    pub is_error: bool,
    /// A shutdown of the server was announced: whether a restart follows.
    pub shutdown_announced: Option<bool>,
    /// Its heartbeat gaps.
    pub gaps: Vec<Gap>,
    /// What was said and sent, if a timeline was asked for.
    pub notes: Option<Vec<crate::stream::session::Note>>,
}

/// Judges a connection that is over, or that the capture's end at `now_ns` cut off. Its evidence is put into words only
/// where `wants_evidence` says so of its verdict.
pub fn judge(mut live: Box<Live>, now_ns: u64, wants_evidence: impl FnOnce(Verdict) -> bool) -> Judged {
    let session = live.session.take();
    let (id, connection) = (live.id, &live.connection);
    let (is_server_unheard, server_speaks) = (live.is_server_unheard, live.server_speaks);
    let mut session = session.unwrap_or_else(|| Box::new(Session::new(connection.has_syn, None, 1.5, false)));
    let dialect = session.dialect(connection.server.port(), server_speaks);
    // A side without any packet was not captured; its words are as lost as those of a side whose frames were lost. One that sent
    // nothing but acknowledgements has said nothing, but for a client that must have asked for the upgrade.
    let is_upgraded = session.facts.upgraded_ns.is_some();
    let lost = [Way::Up, Way::Down].map(|way| {
        let half = connection.half(way);
        if way == Way::Up && is_upgraded && half.bytes == 0 {
            return true;
        }
        half.packets == 0 || (half.bytes + half.missing_bytes > 0 && session.is_lost_way(way))
    });
    let is_lost = connection.is_established && lost.contains(&true);
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
    let began_in_the_middle = facts.began_in_the_middle;
    settle_close(
        facts,
        [Way::Up, Way::Down].map(|way| {
            lost[way as usize]
                || (began_in_the_middle && opcodes[way as usize].iter().all(|count| *count == 0))
        }),
    );
    let mut end = end_of(connection, facts);
    let is_one_sided = connection.halves.iter().any(|half| half.packets == 0);
    if is_one_sided && end.kind == EndingKind::Fin {
        // Whose FIN came first cannot be seen from one side.
        end.by = Side::Unknown;
    }
    if end.kind != EndingKind::Open && end.by == Side::Client {
        facts.forget_after(end.at_ns);
    }
    let missing = connection.half(Way::Up).missing_bytes + connection.half(Way::Down).missing_bytes;
    let is_whole = connection.has_syn && missing == 0 && !is_lost && !facts.has_holes;
    let is_foreign = facts.is_foreign || is_whole;
    if dialect == Dialect::Websocket
        && is_foreign
        && (facts.upgraded_ns.is_some() || facts.began_in_the_middle)
    {
        // Nothing to log in to: a WebSocket is ready when it is one.
        facts.ready(facts.upgraded_ns.unwrap_or(connection.first_ns));
    }
    if facts.began_in_the_middle && facts.beats.count(Kind::Ping) > 0 && facts.refusal.is_none() {
        // Nobody pings before the login.
        facts.ready(connection.first_ns);
    }
    let ended_ns = facts
        .close
        .as_ref()
        .map_or(end.at_ns, |close| close.at_ns.min(end.at_ns));
    let is_without_end = matches!(end.kind, EndingKind::Open | EndingKind::Silent);
    let watched_ns = if is_without_end && facts.close.is_none() {
        now_ns.max(ended_ns)
    } else {
        ended_ns
    };
    finish_beats(connection, facts, watched_ns, lost);
    if end.kind == EndingKind::Silent && facts.ready_ns.is_some() {
        fall_silent(connection, facts, &end, watched_ns);
    }
    let view = View {
        dialect,
        is_lost,
        is_client_lost: lost[Way::Up as usize],
        is_server_unheard,
        is_server_up: server_speaks.is_some(),
        ended_ns,
        watched_ns,
    };
    let heard_ns = connection.half(Way::Down).last_ns;
    let datagrams = facts
        .beside
        .as_deref_mut()
        .and_then(|beside| beside.finish(watched_ns, heard_ns));
    let seen = Observation {
        datagrams,
        ..observe(connection, facts, &end, view)
    };
    let mut judgement = classify(&seen);
    let doubt = doubt(connection, facts, &seen, judgement.verdict);
    if doubt.is_some() {
        judgement.confidence = judgement.confidence.min(DOUBTFUL);
    }
    // A plain request was never meant to be a session.
    let is_session = dialect != Dialect::Http;
    let lines = if wants_evidence(judgement.verdict) {
        let mut lines = words(connection, facts, &end, &seen, judgement);
        lines.extend(doubt);
        lines
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
        heartbeats: heartbeats(connection, facts, datagrams),
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
        helper: facts.helper,
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
        is_error: is_session && counts_as_error(&seen, &judgement),
        shutdown_announced: facts.shutdown_announced,
        gaps: facts.beats.gaps().to_vec(),
        notes: session.notes.take().map(|notes| notes.0),
    }
}

/// The first close_notify ends a TLS session as a FIN does; TLS that ends before its handshake has failed.
fn end_of(connection: &Connection, facts: &mut Facts) -> End {
    let mut end = connection.end();
    if let Some((at_ns, frame, by)) = facts.tls.as_deref().and_then(|tls| tls.close_notify)
        && at_ns <= end.at_ns
    {
        end = End {
            kind: EndingKind::Fin,
            by,
            at_ns,
            frame: Some(frame),
            reset: None,
            idle_ns: None,
        };
    }
    let is_all_there = connection
        .halves
        .iter()
        .all(|half| half.packets > 0 && half.missing_bytes == 0);
    let is_done = facts.tls.as_deref().is_some_and(|tls| tls.is_done);
    let is_unfinished = facts.stage == Stage::Tls && !is_done && connection.has_syn && is_all_there;
    if is_unfinished && end.kind != EndingKind::Open {
        let what = format!("ended by the {} before the TLS handshake was done", end.by.name());
        facts.tls.get_or_insert_default().failure.get_or_insert(what);
    }
    end
}

/// `lost`: whose frames were not captured, by way; what cannot be seen is not missed.
fn finish_beats(connection: &Connection, facts: &mut Facts, end_ns: u64, lost: [bool; 2]) {
    let signs = [Way::Up, Way::Down].map(|way| Signs {
        last_packet_ns: connection.half(way).last_ns.min(end_ns),
        unanswered: connection.half(way.back()).unanswered,
        unacknowledged: connection.half(way.back()).unacknowledged,
        missing_bytes: connection.half(way).missing_bytes,
        stuck_ns: connection.half(way).stuck_ns(end_ns),
    });
    facts.beats.finish(end_ns, signs, lost);
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
            && !lost[way.back() as usize]
            && nanos(end_ns.saturating_sub(asked_ns)) >= timeout.mul_f64(SLACK)
        {
            facts
                .beats
                .given_up(way, Some(kind), asked_ns, end_ns, signs[way.back() as usize]);
        }
    }
}

/// A side that acknowledges nothing owes its beats too, whether any had come before or not.
fn fall_silent(connection: &Connection, facts: &mut Facts, end: &End, watched_ns: u64) {
    let speaker = if end.by == Side::Server {
        Way::Up
    } else {
        Way::Down
    };
    let (half, mute) = (connection.half(speaker), connection.half(speaker.back()));
    let silence_ns = watched_ns.saturating_sub(half.last_data_ns);
    if facts.beats.period_ns().is_some_and(|period| silence_ns > period) {
        let signs = Signs {
            last_packet_ns: mute.last_ns,
            unanswered: half.unanswered,
            unacknowledged: half.unacknowledged,
            ..Signs::default()
        };
        facts
            .beats
            .given_up(speaker, None, half.last_data_ns, watched_ns, signs);
    }
}

/// Why an end without a word may have had a reason that was not captured: a request, its answer, a ping.
fn doubt(connection: &Connection, facts: &Facts, seen: &Observation, verdict: Verdict) -> Option<String> {
    let is_bare = matches!(
        verdict,
        Verdict::AuthDisconnected
            | Verdict::PromptDisconnected
            | Verdict::HandshakeTimeout
            | Verdict::ClosedBeforeConnect
    ) && seen.close.is_none()
        && seen.disconnect.is_none();
    if !is_bare {
        return None;
    }
    let missing = [Way::Up, Way::Down].map(|way| connection.half(way).missing_bytes);
    if missing != [0, 0] {
        let [up, down] = missing;
        return Some(format!(
            "{up} bytes of the client and {down} of the server were not captured: what they said may have been the reason"
        ));
    }
    if connection.halves.iter().any(|half| half.is_fin_unseen) {
        return Some("a FIN was not captured: which came first may be wrong".to_owned());
    }
    facts
        .began_in_the_middle
        .then(|| "what was said before the capture began may have been the reason".to_owned())
}

fn nanos(ns: u64) -> Duration {
    Duration::from_nanos(ns)
}

/// RFC 3339 in UTC, to the microsecond.
pub fn rfc3339(at_ns: u64) -> String {
    let time = std::time::UNIX_EPOCH + nanos(at_ns);
    humantime::format_rfc3339_micros(time).to_string()
}

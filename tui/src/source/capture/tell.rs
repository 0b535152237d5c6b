//! A judged connection in the words of telemetry.

use clw_analyzer::judge::Judged;
use clw_analyzer::record::{Heartbeats, Record};
use clw_core::Stage;
use clw_core::journal::{Close, SessionRecord};
use clw_core::tally::{Counters, UdpHeartbeats};
use clw_core::time::micros;
use clw_core::verdict::{EndingKind, Verdict};
use std::time::Duration;

/// Close codes kept apart at most; a hostile server may send any.
const MAX_CLOSE_CODES: usize = 64;
/// What browsers and libraries report where no close frame came.
const NO_CLOSE_FRAME: u16 = 1006;
/// Facts of an ending that are kept.
const MAX_FACTS: usize = 8;
/// Endings in words, for each verdict.
const MAX_SAMPLES: usize = 3;

/// Heartbeats as datagrams: what was not answered counts as lost.
pub(super) fn udp(pings: u64, pongs: u64, one_way: bool) -> UdpHeartbeats {
    UdpHeartbeats {
        sent: pings,
        answered: pongs,
        lost: pings.saturating_sub(pongs),
        one_way: u64::from(one_way),
    }
}

/// The same of a connection that was judged.
pub(super) fn datagrams(beats: &Heartbeats) -> UdpHeartbeats {
    let of = |seen: &clw_analyzer::record::UdpHeartbeats| udp(seen.pings, seen.pongs, seen.one_way.is_some());
    beats.udp.as_ref().map(of).unwrap_or_default()
}

/// Adds a connection that is over.
pub(super) fn add(counters: &mut Counters, record: &Record, verdict: Verdict, is_error: bool) {
    let sessions = &mut counters.sessions;
    sessions.ended += 1;
    let was_ready = record.stage == Stage::Ready;
    sessions.ready += u64::from(was_ready);
    sessions.completed += u64::from(verdict == Verdict::Ok);
    sessions.failed += u64::from(is_error && !was_ready);
    sessions.dropped += u64::from(is_error && was_ready);
    sessions.helpers += u64::from(verdict.is_error() && !is_error);
    counters.verdicts[verdict.index()] += 1;
    counters.stages[record.stage as usize] += 1;
    let ending = &record.ending;
    let upgraded = record.stage >= Stage::Challenge;
    let code = match &ending.ws_close {
        Some(close) => Some(close.code),
        None => upgraded.then_some(NO_CLOSE_FRAME),
    };
    if let Some(code) = code {
        let known = counters.close_codes.contains_key(&code) || counters.close_codes.len() < MAX_CLOSE_CODES;
        *counters
            .close_codes
            .entry(if known { code } else { 0 })
            .or_default() += 1;
    }
    // The class of a reset says who and why, where `rst` alone would not.
    let reset = ending.rst.iter().find(|r| !r.survived);
    let end = match (ending.kind, reset) {
        (EndingKind::Rst, Some(reset)) => format!("RST {} by {}", reset.class, reset.by.name()),
        (EndingKind::Rst, None) => "rst".to_owned(),
        (EndingKind::Fin, _) => "fin".to_owned(),
        (EndingKind::Silent, _) => "silent".to_owned(),
        (EndingKind::Open, _) => "open".to_owned(),
    };
    *counters.ends.entry(end).or_default() += 1;
    let beats = &record.heartbeats;
    counters.heartbeat.sent += beats.ws_ping + beats.ticks;
    counters.heartbeat.answered += beats.ws_pong;
    counters.heartbeat.missed += beats.gaps.len() as u64;
    counters.heartbeat.udp.add(&datagrams(beats));
    counters.bytes.sent += record.bytes.client;
    counters.bytes.received += record.bytes.server;
    counters.frames.sent += record.frames.client;
    counters.frames.received += record.frames.server;
    if is_error {
        let samples = counters.samples.entry(verdict.name().to_owned()).or_default();
        if samples.len() < MAX_SAMPLES {
            samples.push(facts(record));
        }
    }
}

fn facts(record: &Record) -> Vec<String> {
    let peer = format!("{} to {}", record.client, record.server);
    std::iter::once(peer)
        .chain(record.evidence.iter().take(MAX_FACTS).cloned())
        .collect()
}

/// A connection as a journal tells of it; offsets are from `begun_ns`.
pub(super) fn session_record(judged: &Judged, begun_ns: u64) -> SessionRecord {
    let record = &judged.record;
    let since_us = |ns: u64| ns.saturating_sub(begun_ns) / 1000;
    let started_us = since_us(record.start_unix_ns);
    let ready = record
        .stages_ms
        .ready
        .and_then(|after_ms| Duration::try_from_secs_f64(after_ms / 1000.0).ok())
        .map(|after| started_us.saturating_add(micros(after)));
    let identity = &record.identity;
    SessionRecord {
        session: record.id,
        attempt: 0,
        identity: identity.client_id.clone().unwrap_or_else(|| "unknown".to_owned()),
        role: identity.role.clone().unwrap_or_default(),
        client: Some(record.client),
        server: record.server,
        scheduled_us: started_us,
        stages_us: [(Stage::Tcp, Some(started_us)), (Stage::Ready, ready)]
            .into_iter()
            .filter_map(|(stage, at)| Some((stage, at?)))
            .collect(),
        ended_us: since_us(judged.ended_ns),
        stage: record.stage,
        verdict: record.verdict.unwrap_or_default().to_owned(),
        confidence: hundredths(record.confidence),
        by: record.ending.by,
        ending: record.ending.kind,
        close: record.ending.ws_close.as_ref().map(|close| Close {
            code: Some(close.code),
            reason: close.reason.clone(),
            by: close.by,
        }),
        evidence: record.evidence.iter().take(MAX_FACTS).cloned().collect(),
        heartbeats_sent: record.heartbeats.ws_ping + record.heartbeats.ticks,
        heartbeats_missed: record.heartbeats.gaps.len() as u64,
        retry_after_us: None,
    }
}

/// A confidence, which the analyzer gives in hundredths.
#[allow(clippy::cast_possible_truncation, reason = "0 to 1 in hundredths fits")]
const fn hundredths(confidence: f64) -> f32 {
    confidence as f32
}

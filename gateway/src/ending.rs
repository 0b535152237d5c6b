//! A connection's end: its record for the summary and its lines in the log.

use crate::shared::Shared;
use crate::summary::EndingRecord;
use clw_core::Stage;
use clw_core::verdict::{Judgement, Observation, Verdict, classify};
use clw_core::ws::UpgradeRequest;
use std::net::SocketAddr;

/// Names the end, logs it, and makes its record.
pub(crate) fn record(
    shared: &Shared,
    seen: &Observation,
    peer: SocketAddr,
    conn_id: Option<String>,
    request: Option<&UpgradeRequest>,
) -> EndingRecord {
    let judgement = classify(seen);
    if shared.log.is_on() {
        log(shared, seen, judgement, peer, conn_id, request);
    }
    EndingRecord {
        peer: peer.to_string(),
        verdict: judgement.verdict,
        by: judgement.by,
        stage: seen.stage,
        duration_ms: u64::try_from(seen.duration.as_millis()).unwrap_or(u64::MAX),
        close_code: seen.close.as_ref().and_then(|close| close.code),
    }
}

/// The real gateway's lines, with our verdict at their end.
fn log(
    shared: &Shared,
    seen: &Observation,
    judgement: Judgement,
    peer: SocketAddr,
    conn_id: Option<String>,
    request: Option<&UpgradeRequest>,
) {
    let conn = conn_id.unwrap_or_else(|| "n/a".to_owned());
    let at = format!("conn={conn} peer={peer}->{} remote={}", shared.address, peer.ip());
    if let Some(what) = &seen.tls_failure {
        let what = word(what);
        shared
            .log
            .line(format!("[gateway] tls handshake failed {at} reason={what}"));
    }
    if seen.handshake_timed_out {
        let phase = phase(seen.stage);
        shared
            .log
            .line(format!("[ws] handshake timeout {at} phase={phase}"));
    }
    let code = seen
        .close
        .as_ref()
        .and_then(|close| close.code)
        .map_or("1006".to_owned(), |code| code.to_string());
    let reason = seen
        .close
        .as_ref()
        .map_or_else(|| "n/a".to_owned(), |close| word(&close.reason));
    let duration = seen.duration.as_millis();
    let cause = cause(seen, judgement.verdict);
    let verdict = judgement.verdict;
    if seen.stage == Stage::Ready {
        shared.log.line(format!(
            "[ws] \u{2192} close code={code} reason={reason} cause={cause} durationMs={duration} {at} verdict={verdict}"
        ));
        return;
    }
    let header = |value: Option<&String>| value.map_or_else(|| "n/a".to_owned(), |text| word(text));
    let forwarded = header(request.and_then(|r| r.forwarded.as_ref()));
    let origin = header(request.and_then(|r| r.origin.as_ref()));
    let host = header(request.map(|r| &r.host));
    let agent = header(request.and_then(|r| r.user_agent.as_ref()));
    let phase = phase(seen.stage);
    shared.log.line(format!(
        "[ws] closed before connect {at} fwd={forwarded} origin={origin} host={host} ua={agent} code={code} \
         reason={reason} phase={phase} cause={cause} durationMs={duration} handshake=failed verdict={verdict}"
    ));
}

/// The phases' names in the real gateway's log.
const fn phase(stage: Stage) -> &'static str {
    match stage {
        Stage::Tcp | Stage::Tls | Stage::Upgrade => "tcp_accepted",
        Stage::Challenge => "ws_upgrade_started",
        Stage::Auth => "auth_credentials_received",
        Stage::Ready => "ready",
    }
}

/// What the real gateway's log calls the cause.
fn cause(seen: &Observation, verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::HandshakeTimeout => "handshake-timeout",
        Verdict::AuthFailed | Verdict::RateLimited => "unauthorized",
        Verdict::PairingRequired => "pairing-required",
        Verdict::VersionMismatch => "protocol-mismatch",
        Verdict::HeartbeatMiss => "heartbeat-timeout",
        Verdict::SlowConsumer => "slow-consumer",
        Verdict::ServerRestart => "service-restart",
        _ if seen.close.is_some() => "close",
        _ => "socket-closed",
    }
}

/// A peer's words on one line, cut and without control characters.
fn word(text: &str) -> String {
    if text.is_empty() {
        return "n/a".to_owned();
    }
    text.escape_debug().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_words_stay_on_their_line_and_are_cut() {
        assert_eq!(word("a\nb"), "a\\nb");
        assert_eq!(word(""), "n/a");
        assert!(word(&"\u{1b}".repeat(500)).len() <= 120);
    }
}

//! Rules for live sessions that something specific ended.

use super::{Facts, Found};
use crate::Dialect;
use crate::verdict::reason::{ReasonClass, begins_with, says_expired};
use crate::verdict::{Disconnect, EndingKind, ResetClass, Side};
use std::time::Duration;

pub(super) fn session_revoked(f: &Facts<'_>) -> Option<Found> {
    let closed =
        f.dialect(Dialect::Openclaw) && f.close_by(Side::Server).is_some_and(|close| close.has(&[4001]));
    (f.ready && (closed || f.disconnected(Disconnect::TokenRevoked))).then(|| Found::new(0.98, Side::Server))
}

pub(super) fn session_replaced(f: &Facts<'_>) -> Option<Found> {
    if !f.ready || !f.dialect(Dialect::Clawchat) {
        return None;
    }
    match f.close_by(Side::Server)?.code {
        Some(4001) => Some(Found::new(0.97, Side::Server)),
        // One document only speaks of 4002.
        Some(4002) => Some(Found::new(0.85, Side::Server)),
        _ => None,
    }
}

pub(super) fn session_expired(f: &Facts<'_>) -> Option<Found> {
    if !f.ready {
        return None;
    }
    if f.disconnected(Disconnect::TokenExpired) {
        return Some(Found::new(0.99, Side::Server));
    }
    let close = f.close_by(Side::Server)?;
    // Codes that say something else themselves.
    if close.has(&[1001, 1011, 1012, 1013]) {
        return None;
    }
    match (f.seen.token_expired, says_expired(close.reason)) {
        (true, true) => Some(Found::new(0.98, Side::Server)),
        (false, true) => Some(Found::new(0.9, Side::Server)),
        (true, false) if !close.reason_is(ReasonClass::SlowConsumer) => Some(Found::new(0.85, Side::Server)),
        _ => None,
    }
}

pub(super) fn slow_consumer(f: &Facts<'_>) -> Option<Found> {
    let told = f
        .close_by(Side::Server)
        .is_some_and(|close| close.code == Some(1008) && close.reason_is(ReasonClass::SlowConsumer));
    (f.ready && (told || f.seen.slow_consumer)).then(|| Found::new(0.97, Side::Server))
}

pub(super) fn server_restart(f: &Facts<'_>) -> Option<Found> {
    if f.disconnected(Disconnect::Shutdown) {
        return Some(Found::new(0.99, Side::Server));
    }
    if f.server_goes_down() {
        return Some(Found::new(0.97, Side::Server));
    }
    // Announced, then cut before the close frame came through.
    let announced =
        f.seen.shutdown_announced.is_some() && f.ended_without_a_word() && f.seen.ended_by != Side::Client;
    announced.then(|| Found::new(0.8, Side::Server))
}

pub(super) fn server_error(f: &Facts<'_>) -> Option<Found> {
    (f.ready && f.close_by(Side::Server)?.has(&[1011])).then(|| Found::new(0.97, Side::Server))
}

pub(super) fn injected_reset(f: &Facts<'_>) -> Option<Found> {
    f.reset_is(ResetClass::Injected)
        .then(|| Found::new(f.reset_confidence(0.75), Side::Middlebox))
}

pub(super) fn heartbeat_miss(f: &Facts<'_>) -> Option<Found> {
    if !f.ready {
        return None;
    }
    if f.disconnected(Disconnect::HeartbeatTimeout) {
        return Some(Found::new(0.99, Side::Server));
    }
    if f.seen.heartbeat_loss.is_some() {
        let confidence = if f.ended() { 0.97 } else { 0.9 };
        return Some(Found::new(confidence, f.ender()));
    }
    if let Some(close) = f.close_by(Side::Client) {
        let speaks = f.dialect(Dialect::Openclaw) || f.dialect(Dialect::Clawchat);
        if close.has(&[4000]) {
            return Some(Found::new(if speaks { 0.97 } else { 0.8 }, Side::Client));
        }
        let keepalive = begins_with(close.reason, "keepalive ping timeout");
        if close.has(&[1011]) && (keepalive || f.dialect(Dialect::Clawchat)) {
            return Some(Found::new(0.95, Side::Client));
        }
    }
    unanswered_ping(f)
}

/// A server that misses its pongs cuts the transport without a close frame (OpenClaw: one or two beats of 25 s after
/// the ping; ClawChat: 70 s after the last pong, so at least 40 s after the ping).
fn unanswered_ping(f: &Facts<'_>) -> Option<Found> {
    const BEAT: Duration = Duration::from_secs(25);
    let waited = f.seen.unanswered_server_ping?;
    let grace = if f.dialect(Dialect::Clawchat) {
        Duration::from_secs(40)
    } else {
        BEAT
    };
    let holds = f.seen.ending == EndingKind::Fin
        && f.ended_without_a_word()
        && f.seen.ended_by != Side::Client
        && waited >= grace.mul_f32(0.95);
    if !holds {
        return None;
    }
    // On the gateway's beats it is nearly certain; between them something else may have been quicker.
    let on_beat = [BEAT, BEAT * 2]
        .iter()
        .any(|&beat| waited.abs_diff(beat) <= beat.mul_f32(0.05));
    let confidence = if on_beat { 0.93 } else { 0.75 };
    Some(Found::new(confidence, Side::Server))
}

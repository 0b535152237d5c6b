//! Rules for sessions that never got ready (and the few that hold at any stage and stand above them).

use super::{Facts, Found};
use crate::verdict::bands::DurationBand;
use crate::verdict::reason::{self, ReasonClass};
use crate::verdict::{Connect, Disconnect, EndingKind, RefusalClass, ResetClass, Side, Viewpoint};
use crate::{Dialect, Stage};
use std::time::Duration;

/// A 1000 this soon after the client's first message answers that message.
const ANSWERS_FIRST_MESSAGE: Duration = Duration::from_secs(1);

pub(super) fn conn_refused(f: &Facts<'_>) -> Option<Found> {
    let answered = f.seen.connect == Connect::Refused;
    let seen_on_wire = f.seen.stage == Stage::Tcp && f.reset_is(ResetClass::Refused);
    (answered || seen_on_wire).then(|| Found::new(f.reset_confidence(0.99), Side::Server))
}

pub(super) fn conn_timeout(f: &Facts<'_>) -> Option<Found> {
    match f.seen.connect {
        Connect::TimedOut if f.seen.missing.is_empty() => Some(Found::new(0.97, Side::Unknown)),
        Connect::TimedOut => Some(Found::new(0.6, Side::Unknown)),
        Connect::Unreachable => Some(Found::new(0.9, Side::Unknown)),
        Connect::Established | Connect::Refused => None,
    }
}

pub(super) fn tls_failed(f: &Facts<'_>) -> Option<Found> {
    if f.seen.tls_failure.is_some() {
        return Some(Found::new(0.98, f.seen.ended_by));
    }
    // An endpoint knows when TLS is done; a capture without keys stays at this stage for its whole life.
    let cut_off = f.seen.stage == Stage::Tls
        && f.seen.viewpoint != Viewpoint::Wire
        && f.seen.ending != EndingKind::Open
        && f.seen.ended_by != Side::Client
        && !f.reset_is(ResetClass::Injected);
    cut_off.then(|| Found::new(0.8, f.seen.ended_by))
}

pub(super) fn upgrade_rejected(f: &Facts<'_>) -> Option<Found> {
    let status = f.seen.http_status?;
    (f.seen.stage <= Stage::Upgrade && status != 101 && status != 503).then(|| Found::new(0.99, Side::Server))
}

pub(super) fn server_overloaded(f: &Facts<'_>) -> Option<Found> {
    let at_upgrade = f.seen.stage <= Stage::Upgrade
        && f.seen.http_status == Some(503)
        && !f.refused(RefusalClass::Unavailable);
    (at_upgrade || f.refused(RefusalClass::Overloaded) || f.disconnected(Disconnect::Overload))
        .then(|| Found::new(0.98, Side::Server))
}

pub(super) fn server_unavailable(f: &Facts<'_>) -> Option<Found> {
    let told = f.refused(RefusalClass::Unavailable)
        || f.close_by(Side::Server).is_some_and(|close| close.has(&[1013]));
    if told {
        return Some(Found::new(0.98, Side::Server));
    }
    f.refused_by_policy(ReasonClass::Unavailable)
        .then(|| Found::new(0.8, Side::Server))
}

/// Before ready: the refusal said so, or a 1008 whose reason does.
fn refused(f: &Facts<'_>, told: RefusalClass, reason: ReasonClass) -> Option<Found> {
    if !f.ready && f.refused(told) {
        Some(Found::new(0.99, Side::Server))
    } else if f.refused_by_policy(reason) {
        Some(Found::new(0.95, Side::Server))
    } else {
        None
    }
}

pub(super) fn rate_limited(f: &Facts<'_>) -> Option<Found> {
    refused(f, RefusalClass::RateLimited, ReasonClass::RateLimited)
}

pub(super) fn pairing_required(f: &Facts<'_>) -> Option<Found> {
    refused(f, RefusalClass::PairingRequired, ReasonClass::PairingRequired)
}

pub(super) fn version_mismatch(f: &Facts<'_>) -> Option<Found> {
    let told = f.refused(RefusalClass::VersionMismatch) || f.disconnected(Disconnect::VersionMismatch);
    let closed = f
        .close_by(Side::Server)
        .is_some_and(|close| close.has(&[1002, 1008]) && close.reason_is(ReasonClass::VersionMismatch));
    if told {
        Some(Found::new(0.99, Side::Server))
    } else {
        closed.then(|| Found::new(0.97, Side::Server))
    }
}

pub(super) fn auth_failed(f: &Facts<'_>) -> Option<Found> {
    if f.ready {
        return None;
    }
    if let Some(found) = refused(f, RefusalClass::Credentials, ReasonClass::Credentials) {
        return Some(found);
    }
    // Where a part of the login was not seen, it may have succeeded.
    let unexplained_so_far =
        f.seen.refusal.is_none() && f.seen.violation.is_none() && f.seen.missing.is_empty();
    match f.seen.disconnect {
        Some(Disconnect::TokenExpired | Disconnect::TokenRevoked) => {
            return Some(Found::new(0.95, Side::Server));
        }
        Some(Disconnect::Other) if unexplained_so_far => return Some(Found::new(0.5, Side::Server)),
        _ => {}
    }
    // A 1008 that explains nothing is the server's policy, and before ready its policy is about who comes in; but a
    // refusal told, a timer that ran out, and the reasons of other rules explain it better.
    let unexplained = unexplained_so_far
        && f.close_by(Side::Server)
            .is_some_and(|close| close.code == Some(1008) && reason::class_of(close.reason).is_none())
        && !f.seen.handshake_timed_out
        && !f.at_handshake_timeout();
    unexplained.then(|| Found::new(0.5, Side::Server))
}

pub(super) fn auth_unavailable(f: &Facts<'_>) -> Option<Found> {
    (!f.ready && f.refused(RefusalClass::AuthUnavailable)).then(|| Found::new(0.99, Side::Server))
}

pub(super) fn protocol_error(f: &Facts<'_>) -> Option<Found> {
    const BAD_FRAMES: &[u16] = &[1002, 1003, 1007, 1009];
    if f.seen.violation.is_some() {
        return Some(Found::new(0.95, f.ender()));
    }
    if !f.ready && f.refused(RefusalClass::Protocol) {
        return Some(Found::new(0.97, Side::Server));
    }
    if let Some(close) = f.close_by(Side::Server)
        && (close.has(BAD_FRAMES) || (close.code == Some(1008) && close.reason_is(ReasonClass::Protocol)))
    {
        return Some(Found::new(0.97, Side::Server));
    }
    if let Some(close) = f.close_by(Side::Client) {
        // 4002 by a ClawChat client: an answer that belongs to no question of its own.
        if close.has(BAD_FRAMES) || (f.dialect(Dialect::Clawchat) && close.has(&[4002])) {
            return Some(Found::new(0.9, Side::Client));
        }
    }
    unreadable_first_message(f)
}

/// OpenClaw answers a first message that is no JSON with 1000 and an empty reason, within milliseconds.
fn unreadable_first_message(f: &Facts<'_>) -> Option<Found> {
    let close = f.close_by(Side::Server)?;
    let plain = close.code == Some(1000) && close.reason.is_empty();
    let fits = f.dialect(Dialect::Openclaw)
        && f.seen.stage == Stage::Auth
        && plain
        && !f.seen.handshake_timed_out
        && !f.at_handshake_timeout();
    if !fits {
        return None;
    }
    match f.seen.since_first_message {
        Some(since) if since <= ANSWERS_FIRST_MESSAGE => Some(Found::new(0.9, Side::Server)),
        Some(_) => None,
        None => Some(Found::new(0.7, Side::Server)),
    }
}

pub(super) fn handshake_timeout(f: &Facts<'_>) -> Option<Found> {
    if f.ready || f.server_goes_down() {
        return None;
    }
    if f.seen.handshake_timed_out {
        return Some(Found::new(0.99, Side::Server));
    }
    if f.refused_by_policy(ReasonClass::HandshakeTimeout) {
        return Some(Found::new(0.95, Side::Server));
    }
    if !f.at_handshake_timeout() && is_mute_close_of_unknown_timeout(f) {
        return Some(Found::new(0.85, Side::Server));
    }
    if !f.at_handshake_timeout() && is_clawchat_waiting_in_vain(f) {
        return Some(Found::new(0.8, Side::Server));
    }
    if !f.at_handshake_timeout() || !cut_by_server(f) || f.words_may_be_unseen() {
        return None;
    }
    let known = f.seen.handshake_timeout.is_some();
    let timing = match (known, f.band()) {
        (true, DurationBand::AtTimeout) => 0.97,
        (false, DurationBand::AtTimeout) => 0.9,
        (true, _) => 0.8,
        (false, _) => 0.6,
    };
    // Before the 101 other timers of the server run too.
    let stage = if f.seen.stage < Stage::Challenge { 0.8 } else { 1.0 };
    Some(Found::new(timing * stage, Side::Server))
}

/// OpenClaw says 1000 without a reason before ready for two things only: a first message that is no JSON, which an earlier
/// rule has taken, and its handshake timeout, which may be set to anything (`OPENCLAW_HANDSHAKE_TIMEOUT_MS`).
fn is_mute_close_of_unknown_timeout(f: &Facts<'_>) -> bool {
    f.dialect(Dialect::Openclaw)
        && f.seen.handshake_timeout.is_none()
        && matches!(f.seen.stage, Stage::Challenge | Stage::Auth)
        && f.close_by(Side::Server)
            .is_some_and(|close| close.code == Some(1000) && close.reason.is_empty())
}

/// ClawChat's server gives up on a client that sends no `connect` by a FIN alone, without a hello-fail (protocol page, Handshake).
/// Its timeout is the operator's; other FINs of a server that still waits come at once.
fn is_clawchat_waiting_in_vain(f: &Facts<'_>) -> bool {
    f.dialect(Dialect::Clawchat)
        && f.seen.handshake_timeout.is_none()
        && f.seen.stage == Stage::Challenge
        && f.seen.since_first_message.is_none()
        && f.seen.refusal.is_none()
        && f.seen.ending == EndingKind::Fin
        && f.ended_without_a_word()
        && f.seen.ended_by == Side::Server
        && f.seen.since_upgrade >= Duration::from_secs(1)
        && !f.words_may_be_unseen()
}

/// The server ended it, by a close frame of any code or by cutting the transport.
fn cut_by_server(f: &Facts<'_>) -> bool {
    if let Some(close) = f.close {
        close.by == Side::Server
    } else {
        let by_transport = match f.seen.ending {
            EndingKind::Fin => true,
            EndingKind::Rst => {
                matches!(
                    f.seen.reset,
                    None | Some(ResetClass::Abort | ResetClass::AfterClose)
                )
            }
            EndingKind::Silent | EndingKind::Open => false,
        };
        by_transport && f.seen.ended_by == Side::Server
    }
}

pub(super) fn closed_before_connect(f: &Facts<'_>) -> Option<Found> {
    if f.ready
        || !f.ended()
        || f.server_goes_down()
        || f.reset_is(ResetClass::Injected)
        || f.words_may_be_unseen()
        // Where packets are missing, the login may be among them.
        || !f.seen.missing.is_empty()
    {
        return None;
    }
    let confidence = match f.close {
        Some(close) if close.code.is_none() || close.has(&[1000, 1001]) => 0.95,
        // A code that the dictionary gives no meaning to before ready.
        Some(_) => 0.6,
        None if f.seen.disconnect.is_some() => 0.6,
        None => f.transport_confidence(),
    };
    Some(Found::new(confidence, f.ender()))
}

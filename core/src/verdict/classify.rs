//! The rules: from what was seen to a name. The first that holds gives the verdict.

use super::{
    CloseFrame, Connect, Disconnect, EndingKind, Judgement, Observation, RefusalClass, ResetClass, Side,
    Verdict, Viewpoint,
};
use crate::{Dialect, Stage};
use std::time::Duration;

/// A rule's answer: how sure, and who ended it.
type Held = Option<(f32, Side)>;

/// A rule of the dictionary.
type Rule = fn(&Observation) -> Held;

/// The dictionary's rules in its order.
const RULES: [(Verdict, Rule); 26] = [
    (Verdict::ConnRefused, conn_refused),
    (Verdict::ConnTimeout, conn_timeout),
    (Verdict::TlsFailed, tls_failed),
    (Verdict::UpgradeRejected, upgrade_rejected),
    (Verdict::ServerOverloaded, server_overloaded),
    (Verdict::ServerUnavailable, server_unavailable),
    (Verdict::RateLimited, |o| refused(o, RefusalClass::RateLimited)),
    (Verdict::PairingRequired, |o| {
        refused(o, RefusalClass::PairingRequired)
    }),
    (Verdict::VersionMismatch, version_mismatch),
    (Verdict::AuthFailed, |o| refused(o, RefusalClass::Credentials)),
    (Verdict::AuthUnavailable, |o| {
        refused(o, RefusalClass::AuthUnavailable)
    }),
    (Verdict::ProtocolError, protocol_error),
    (Verdict::HandshakeTimeout, handshake_timeout),
    (Verdict::ServerRestart, restarted_before_ready),
    (Verdict::ClosedBeforeConnect, closed_before_connect),
    (Verdict::SessionRevoked, session_revoked),
    (Verdict::SessionReplaced, session_replaced),
    (Verdict::SessionExpired, session_expired),
    (Verdict::SlowConsumer, slow_consumer),
    (Verdict::ServerRestart, server_restart),
    (Verdict::ServerError, server_error),
    (Verdict::InjectedReset, injected_reset),
    (Verdict::HeartbeatMiss, heartbeat_miss),
    (Verdict::PromptDisconnected, prompt_disconnected),
    (Verdict::Ok, graceful),
    (Verdict::AuthDisconnected, auth_disconnected),
];

/// Names the ending. Allocates nothing: it runs for every session of a load test.
pub fn classify(seen: &Observation) -> Judgement {
    for (verdict, rule) in RULES {
        if let Some((confidence, by)) = rule(seen) {
            return Judgement {
                verdict,
                confidence: confidence.clamp(0.0, 1.0),
                by,
            };
        }
    }
    let healthy = seen.ending == EndingKind::Open && seen.close.is_none();
    let verdict =
        if !seen.missing.is_empty() || (seen.viewpoint == Viewpoint::Wire && !ready(seen)) || !healthy {
            Verdict::Incomplete
        } else {
            Verdict::Open
        };
    Judgement {
        verdict,
        confidence: if verdict == Verdict::Open { 1.0 } else { 0.5 },
        by: seen.ended_by,
    }
}

fn ready(o: &Observation) -> bool {
    o.stage == Stage::Ready
}

/// Something has ended it.
fn over(o: &Observation) -> bool {
    o.ending != EndingKind::Open || o.close.is_some() || o.disconnect.is_some()
}

fn server_close(o: &Observation) -> Option<&CloseFrame> {
    o.close.as_ref().filter(|c| c.by == Side::Server)
}

fn server_closed_with(o: &Observation, codes: &[u16]) -> bool {
    server_close(o)
        .and_then(|c| c.code)
        .is_some_and(|code| codes.contains(&code))
}

fn conn_refused(o: &Observation) -> Held {
    let refused =
        o.connect == Connect::Refused || o.reset == Some(ResetClass::Refused) && o.stage == Stage::Tcp;
    refused.then_some((0.99, Side::Server))
}

fn conn_timeout(o: &Observation) -> Held {
    matches!(o.connect, Connect::TimedOut | Connect::Unreachable).then_some((0.97, Side::Unknown))
}

fn tls_failed(o: &Observation) -> Held {
    (o.tls_failure.is_some() && o.stage <= Stage::Tls).then_some((0.97, o.ended_by))
}

fn upgrade_rejected(o: &Observation) -> Held {
    let status = o.http_status?;
    (status != 101 && status != 503).then_some((0.99, Side::Server))
}

fn server_overloaded(o: &Observation) -> Held {
    let told = o.http_status == Some(503)
        || o.disconnect == Some(Disconnect::Overload)
        || refusal_is(o, RefusalClass::Overloaded);
    told.then_some((0.99, Side::Server))
}

fn server_unavailable(o: &Observation) -> Held {
    (server_closed_with(o, &[1013]) || refusal_is(o, RefusalClass::Unavailable))
        .then_some((0.99, Side::Server))
}

fn refusal_is(o: &Observation, class: RefusalClass) -> bool {
    o.refusal.as_ref().is_some_and(|r| r.class == class) || !ready(o) && class_of_close(o) == Some(class)
}

fn refused(o: &Observation, class: RefusalClass) -> Held {
    (!ready(o) && refusal_is(o, class)).then_some((0.99, Side::Server))
}

/// What a close frame before ready says where no refusal was told (or seen).
fn class_of_close(o: &Observation) -> Option<RefusalClass> {
    let close = server_close(o)?;
    if o.refusal.is_some() {
        return None;
    }
    let reason = close.reason.as_str();
    let begins = |words: &[&str]| words.iter().any(|w| reason.starts_with(w));
    match close.code? {
        1002 if begins(&["protocol mismatch"]) => Some(RefusalClass::VersionMismatch),
        1002 | 1003 | 1007 | 1009 => Some(RefusalClass::Protocol),
        1008 if begins(&["pairing required"]) => Some(RefusalClass::PairingRequired),
        1008 if begins(&["invalid", "too many pending", "preauth payload"]) => Some(RefusalClass::Protocol),
        1008 if begins(&["client version mismatch"]) => Some(RefusalClass::VersionMismatch),
        1008 if begins(&["auth timeout"]) => None,
        1008 => Some(RefusalClass::Credentials),
        _ => None,
    }
}

fn version_mismatch(o: &Observation) -> Held {
    let told = o.disconnect == Some(Disconnect::VersionMismatch)
        || refusal_is(o, RefusalClass::VersionMismatch)
        || server_close(o).is_some_and(|c| c.code == Some(1002) && c.reason == "protocol mismatch");
    told.then_some((0.99, Side::Server))
}

fn protocol_error(o: &Observation) -> Held {
    if let Some(violation) = &o.violation {
        return Some((0.97, violation.by));
    }
    if !ready(o) && refusal_is(o, RefusalClass::Protocol) {
        return Some((0.97, Side::Client));
    }
    if o.close
        .as_ref()
        .and_then(|c| c.code)
        .is_some_and(|code| matches!(code, 1002 | 1003 | 1007 | 1009))
    {
        let closer = o.close.as_ref().map_or(Side::Unknown, |c| c.by);
        let blamed = match closer {
            Side::Server => Side::Client,
            Side::Client => Side::Server,
            other => other,
        };
        return Some((0.95, blamed));
    }
    (o.stage == Stage::Auth && mute_close(o) && o.since_upgrade < UNPARSABLE_WITHIN)
        .then_some((0.8, Side::Client))
}

/// The gateway answers an unparsable first message with an empty 1000 within milliseconds, and a login that is not done
/// with the same close at its handshake timeout, whatever that is set to: time tells them apart.
const UNPARSABLE_WITHIN: Duration = Duration::from_millis(250);

/// An empty 1000 of an OpenClaw gateway to a client that is not ready.
fn mute_close(o: &Observation) -> bool {
    o.dialect == Dialect::Openclaw
        && !ready(o)
        && server_close(o).is_some_and(|c| c.code == Some(1000) && c.reason.is_empty())
}

/// Where the server's handshake timeout is not known, its dialect's default is assumed.
pub(super) fn assumed_handshake_timeout(o: &Observation) -> Duration {
    o.handshake_timeout.unwrap_or(match o.dialect {
        Dialect::Clw => Duration::from_secs(5),
        Dialect::Clawchat => Duration::from_secs(10),
        _ => Duration::from_secs(15),
    })
}

fn at_handshake_timeout(o: &Observation) -> bool {
    o.since_upgrade >= assumed_handshake_timeout(o).mul_f32(0.98)
}

fn handshake_timeout(o: &Observation) -> Held {
    if ready(o) || !over(o) {
        return None;
    }
    if o.handshake_timed_out {
        return Some((1.0, Side::Server));
    }
    let by_server = server_close(o).is_some() || o.close.is_none() && o.ended_by == Side::Server;
    if mute_close(o) {
        return Some((if at_handshake_timeout(o) { 0.98 } else { 0.85 }, Side::Server));
    }
    let told = server_close(o).is_some_and(|c| c.reason == "auth timeout");
    if by_server && told {
        return Some((0.98, Side::Server));
    }
    let sure = if o.handshake_timeout.is_some() { 0.97 } else { 0.9 };
    (by_server && o.http_status == Some(101) && at_handshake_timeout(o) && !restart_codes(o))
        .then_some((sure, Side::Server))
}

fn restart_codes(o: &Observation) -> bool {
    server_closed_with(o, &[1001, 1012]) || o.disconnect == Some(Disconnect::Shutdown)
}

/// A restart is told at any stage, and telling it is an error told: it goes before "closed with no error told".
fn restarted_before_ready(o: &Observation) -> Held {
    (!ready(o) && restart_codes(o)).then_some((0.97, Side::Server))
}

fn closed_before_connect(o: &Observation) -> Held {
    if ready(o) || !over(o) {
        return None;
    }
    if o.reset == Some(ResetClass::Injected) {
        return None;
    }
    let by = o.close.as_ref().map_or(o.ended_by, |c| c.by);
    Some((if by == Side::Unknown { 0.7 } else { 0.95 }, by))
}

fn session_revoked(o: &Observation) -> Held {
    let by_code = o.dialect != Dialect::Clawchat && server_closed_with(o, &[4001]);
    (ready(o) && (by_code || o.disconnect == Some(Disconnect::TokenRevoked))).then_some((0.98, Side::Server))
}

fn session_replaced(o: &Observation) -> Held {
    (ready(o) && o.dialect == Dialect::Clawchat && server_closed_with(o, &[4001, 4002]))
        .then_some((0.97, Side::Server))
}

fn session_expired(o: &Observation) -> Held {
    let told = o.disconnect == Some(Disconnect::TokenExpired)
        || o.token_expired && server_close(o).is_some_and(|c| c.code != Some(1000));
    (ready(o) && told).then_some((0.98, Side::Server))
}

fn slow_consumer(o: &Observation) -> Held {
    let told = server_close(o).is_some_and(|c| c.code == Some(1008) && c.reason == "slow consumer");
    (ready(o) && (o.slow_consumer || told)).then_some((0.97, Side::Server))
}

fn server_restart(o: &Observation) -> Held {
    restart_codes(o).then_some((0.98, Side::Server))
}

fn server_error(o: &Observation) -> Held {
    (ready(o) && server_closed_with(o, &[1011])).then_some((0.98, Side::Server))
}

fn injected_reset(o: &Observation) -> Held {
    (o.reset == Some(ResetClass::Injected) && o.ending == EndingKind::Rst)
        .then_some((o.reset_confidence, Side::Middlebox))
}

fn heartbeat_miss(o: &Observation) -> Held {
    if !ready(o) {
        return None;
    }
    if o.disconnect == Some(Disconnect::HeartbeatTimeout) {
        return Some((0.98, Side::Server));
    }
    if let Some(loss) = o.heartbeat_loss {
        let by = match loss.missing_from {
            Side::Server => Side::Client,
            Side::Client => Side::Server,
            other => other,
        };
        return Some((0.97, by));
    }
    let client_said = o.close.as_ref().is_some_and(|c| {
        c.by == Side::Client
            && (c.code == Some(4000) || c.code == Some(1011) && o.dialect == Dialect::Clawchat)
    });
    if client_said {
        return Some((0.97, Side::Client));
    }
    let unanswered = o
        .unanswered_server_ping
        .is_some_and(|waited| waited >= Duration::from_millis(23_750));
    (o.close.is_none() && o.ending == EndingKind::Fin && unanswered).then_some((0.9, Side::Server))
}

fn prompt_disconnected(o: &Observation) -> Held {
    (ready(o) && o.pending_requests > 0 && abrupt(o)).then_some((0.9, o.ended_by))
}

fn abrupt(o: &Observation) -> bool {
    o.close.is_none() && !o.logged_out && o.ending != EndingKind::Open
}

fn graceful(o: &Observation) -> Held {
    let word = o.logged_out
        || o.dialect != Dialect::Clw
            && o.close
                .as_ref()
                .is_some_and(|c| c.by == Side::Client && matches!(c.code, Some(1000 | 1001) | None));
    (ready(o) && word).then_some((1.0, Side::Client))
}

fn auth_disconnected(o: &Observation) -> Held {
    let by = o.close.as_ref().map_or(o.ended_by, |c| c.by);
    (ready(o) && over(o)).then_some((if by == Side::Unknown { 0.8 } else { 0.95 }, by))
}

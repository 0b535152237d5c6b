//! The rules: from what was seen to the name of the ending.
//!
//! One function a verdict, tried in the order of the dictionary; the first that holds gives the verdict. Direction and
//! stage are read before a close code: 4001, 1011 and 1000 mean different things from each side. Nothing here
//! allocates, for it runs once for every session of a load test.

mod before_ready;
mod ending;
mod facts;
mod live;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use super::{Judgement, Observation, Side, Verdict};
use facts::Facts;

/// What a rule that holds adds to its verdict.
#[derive(Clone, Copy)]
struct Found {
    /// 0 to 1.
    confidence: f32,
    /// Who ended the session.
    by: Side,
}

impl Found {
    const fn new(confidence: f32, by: Side) -> Self {
        Self { confidence, by }
    }
}

type Rule = fn(&Facts<'_>) -> Option<Found>;

/// The rules, in the order of the dictionary. Where none holds, the session is `incomplete`.
const RULES: [(Verdict, Rule); Verdict::COUNT - 1] = [
    (Verdict::ConnRefused, before_ready::conn_refused),
    (Verdict::ConnTimeout, before_ready::conn_timeout),
    (Verdict::TlsFailed, before_ready::tls_failed),
    (Verdict::UpgradeRejected, before_ready::upgrade_rejected),
    (Verdict::ServerOverloaded, before_ready::server_overloaded),
    (Verdict::ServerUnavailable, before_ready::server_unavailable),
    (Verdict::RateLimited, before_ready::rate_limited),
    (Verdict::PairingRequired, before_ready::pairing_required),
    (Verdict::VersionMismatch, before_ready::version_mismatch),
    (Verdict::AuthFailed, before_ready::auth_failed),
    (Verdict::AuthUnavailable, before_ready::auth_unavailable),
    (Verdict::ProtocolError, before_ready::protocol_error),
    (Verdict::HandshakeTimeout, before_ready::handshake_timeout),
    (Verdict::ClosedBeforeConnect, before_ready::closed_before_connect),
    (Verdict::SessionRevoked, live::session_revoked),
    (Verdict::SessionReplaced, live::session_replaced),
    (Verdict::SessionExpired, live::session_expired),
    (Verdict::SlowConsumer, live::slow_consumer),
    (Verdict::ServerRestart, live::server_restart),
    (Verdict::ServerError, live::server_error),
    (Verdict::InjectedReset, live::injected_reset),
    (Verdict::HeartbeatMiss, live::heartbeat_miss),
    (Verdict::PromptDisconnected, ending::prompt_disconnected),
    (Verdict::AuthDisconnected, ending::auth_disconnected),
    (Verdict::Ok, ending::graceful),
    (Verdict::Open, ending::open),
];

/// Names the ending of a session. Total: any observation has a verdict.
pub fn classify(seen: &Observation) -> Judgement {
    let facts = Facts::of(seen);
    let (verdict, found) = RULES
        .iter()
        .find_map(|&(verdict, rule)| rule(&facts).map(|found| (verdict, found)))
        .unwrap_or_else(|| (Verdict::Incomplete, ending::incomplete(&facts)));
    Judgement {
        verdict,
        confidence: found.confidence.clamp(0.0, 1.0),
        by: found.by,
    }
}

/// Whether a user agent is a helper's: a probe, a watchdog and the like, which connect and leave.
pub fn is_helper(user_agent: &str) -> bool {
    user_agent.to_ascii_lowercase().contains("helper")
}

/// Whether this session counts into the error rate: an error verdict, unless a helper left before connect, which is
/// its habit and nobody's failure.
pub fn counts_as_error(seen: &Observation, judgement: &Judgement) -> bool {
    judgement.verdict.is_error() && !(seen.helper && judgement.verdict == Verdict::ClosedBeforeConnect)
}

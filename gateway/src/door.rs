//! The decision on an upgrade: the budget, and what the connection's faults say of its login.

use crate::fault::Kind;
use crate::shared::Shared;
use crate::spoken::Spoken;
use clw_core::openclaw::{ForcedRefusal, Server, SessionOptions, Timing, error_code};
use clw_core::session::{Admission, Rejection};
use clw_core::ws::UpgradeRequest;
use std::net::SocketAddr;

/// Takes an upgrade or not. `is_cut_at_auth`: something happens when the login comes, so it gets no answer.
pub(crate) fn decide(
    shared: &Shared,
    rules: &[Kind],
    request: &UpgradeRequest,
    peer: SocketAddr,
    is_cut_at_auth: bool,
) -> Admission<Spoken> {
    for rule in rules {
        match rule {
            Kind::UpgradeStatus(status) => {
                return Admission::Reject(Rejection {
                    status: *status,
                    body: "refused by the fault plan".to_owned(),
                    retry_after: None,
                });
            }
            Kind::Budget(limit) if shared.others_before_ready() >= *limit => {
                return Admission::Reject(Rejection::over_budget());
            }
            _ => {}
        }
    }
    if let Err(rejection) = shared.enter_budget(peer) {
        return Admission::Reject(rejection);
    }
    let mut options = openclaw_options(rules);
    options.address = peer.ip();
    if is_cut_at_auth {
        options.answer = Timing::Never;
    }
    Admission::Accept(Spoken::Openclaw(Server::new(
        shared.openclaw.clone(),
        request,
        options,
    )))
}

fn openclaw_options(rules: &[Kind]) -> SessionOptions {
    let mut options = SessionOptions::default();
    for rule in rules {
        match rule {
            Kind::ChallengeDelay(delay) => options.challenge = Timing::Delayed(*delay),
            Kind::NoChallenge => options.challenge = Timing::Never,
            Kind::HandshakeTimeout(_) => {
                options.challenge = Timing::Never;
                options.answer = Timing::Never;
            }
            Kind::Overload => options.refuse = Some(ForcedRefusal::Busy),
            Kind::Unavailable => options.refuse = Some(ForcedRefusal::Starting),
            Kind::Restarting => options.refuse = Some(ForcedRefusal::Restarting),
            Kind::RateLimit => options.refuse = Some(ForcedRefusal::Code(error_code::AUTH_RATE_LIMITED)),
            Kind::Pairing => options.refuse = Some(ForcedRefusal::Code(error_code::PAIRING_REQUIRED)),
            Kind::AuthFailed => options.refuse = Some(ForcedRefusal::Code(error_code::AUTH_TOKEN_MISMATCH)),
            Kind::VersionMismatch => {
                options.refuse = Some(ForcedRefusal::Code(error_code::PROTOCOL_MISMATCH));
            }
            _ => {}
        }
    }
    options
}

//! The decision on an upgrade: the budget, and what the connection's faults say of its login.

use crate::fault::Kind;
use crate::shared::Shared;
use crate::spoken::Spoken;
use clw_core::Dialect;
use clw_core::clw;
use clw_core::openclaw::{self, ForcedRefusal, SessionOptions, Timing, error_code};
use clw_core::session::{Admission, Rejection};
use clw_core::verdict::RefusalClass;
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
    if shared.dialect == Dialect::Clw {
        return Admission::Accept(Spoken::Clw(clw_session(shared, rules, is_cut_at_auth)));
    }
    let mut options = openclaw_options(rules);
    options.address = peer.ip();
    if is_cut_at_auth {
        options.answer = Timing::Never;
    }
    let gateway = shared.backends.openclaw.clone();
    Admission::Accept(Spoken::Openclaw(openclaw::Server::new(gateway, request, options)))
}

fn clw_session(shared: &Shared, rules: &[Kind], is_cut_at_auth: bool) -> clw::Server {
    let mut server = clw::Server::new(shared.backends.clw.clone(), shared.backends.next_session());
    for rule in rules {
        match rule {
            Kind::HandshakeTimeout(_) => server.ignore_login(true),
            Kind::Overload => server.refuse_logins(Some(RefusalClass::Overloaded)),
            Kind::Unavailable | Kind::Restarting => server.refuse_logins(Some(RefusalClass::Unavailable)),
            Kind::AuthFailed => server.refuse_logins(Some(RefusalClass::Credentials)),
            Kind::VersionMismatch => server.refuse_logins(Some(RefusalClass::VersionMismatch)),
            // Before the login: the lifetime counts from there.
            Kind::TokenExpire(ttl) => server.set_ttl(shared.now(), *ttl),
            Kind::RefuseRefresh => server.refuse_refresh(true),
            _ => {}
        }
    }
    if is_cut_at_auth {
        server.ignore_login(true);
    }
    server
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

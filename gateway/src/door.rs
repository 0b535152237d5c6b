//! The decision on an upgrade: the budget, and what the connection's faults say of its login. Beside it, the one REST call
//! that is answered here.

use crate::fault::Kind;
use crate::shared::Shared;
use crate::spoken::Spoken;
use clw_core::Dialect;
use clw_core::clawchat::{self, HelloFail, REFRESH_PATH, RefreshAnswer, RefreshFault};
use clw_core::clw;
use clw_core::openclaw::{self, ForcedRefusal, SessionOptions, Timing, error_code};
use clw_core::session::{Admission, Admit, HttpAnswer, Rejection};
use clw_core::time::Instant;
use clw_core::verdict::RefusalClass;
use clw_core::ws::{HttpRequest, UpgradeRequest};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

/// Where one connection comes in.
pub(crate) struct Door {
    pub(crate) shared: Rc<Shared>,
    pub(crate) rules: Vec<Kind>,
    pub(crate) peer: SocketAddr,
    /// Where it came in, if that matters: it may be offered datagrams there.
    pub(crate) local: Option<IpAddr>,
    /// Something happens when the login comes, so it gets no answer.
    pub(crate) is_cut_at_auth: bool,
}

impl Admit<Spoken> for Door {
    fn admit(self: Box<Self>, _now: Instant, request: &UpgradeRequest) -> Admission<Spoken> {
        self.decide(request)
    }

    fn takes(&self, method: &str, path: &str) -> bool {
        self.shared.dialect == Dialect::Clawchat && method == "POST" && path == REFRESH_PATH
    }

    fn answer(self: Box<Self>, now: Instant, request: &HttpRequest, body: &[u8]) -> HttpAnswer {
        let fault = self.rules.iter().find_map(|rule| match rule {
            Kind::Refresh(fault) => Some(*fault),
            _ => None,
        });
        let delay = self.rules.iter().find_map(|rule| match rule {
            Kind::RefreshDelay(delay) => Some(*delay),
            _ => None,
        });
        let life = token_life(&self.rules);
        let backend = &self.shared.backends.clawchat;
        let answer = backend.redeem(now, body, request.device_id.as_deref(), life, fault);
        HttpAnswer {
            status: match fault {
                Some(RefreshFault::Status(status)) => status,
                _ => 200,
            },
            is_lost: fault == Some(RefreshFault::RotateThenLose)
                && matches!(answer, RefreshAnswer::Rotated(_)),
            json: answer.write(),
            delay: delay.unwrap_or_default(),
        }
    }
}

fn token_life(rules: &[Kind]) -> Option<std::time::Duration> {
    rules.iter().find_map(|rule| match rule {
        Kind::TokenExpire(life) => Some(*life),
        _ => None,
    })
}

impl Door {
    /// Takes an upgrade or not.
    fn decide(&self, request: &UpgradeRequest) -> Admission<Spoken> {
        let (shared, rules, is_cut_at_auth) = (&*self.shared, &*self.rules, self.is_cut_at_auth);
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
        if let Err(rejection) = shared.enter_budget(self.peer) {
            return Admission::Reject(rejection);
        }
        match shared.dialect {
            Dialect::Clw => {
                let mut server = clw_session(shared, rules, is_cut_at_auth);
                self.offer_datagrams(&mut server);
                return Admission::Accept(Spoken::Clw(server));
            }
            Dialect::Clawchat => {
                let server = clawchat_session(shared, rules, is_cut_at_auth);
                return Admission::Accept(Spoken::Clawchat(server));
            }
            _ => {}
        }
        let mut options = openclaw_options(rules);
        options.address = self.peer.ip();
        if is_cut_at_auth {
            options.answer = Timing::Never;
        }
        let gateway = shared.backends.openclaw.clone();
        Admission::Accept(Spoken::Openclaw(openclaw::Server::new(gateway, request, options)))
    }

    fn offer_datagrams(&self, server: &mut clw::Server) {
        let shared = &self.shared;
        let port = self
            .local
            .and_then(|local| shared.datagrams.port_at(local, &shared.backends.clw));
        if let Some(port) = port {
            server.offer_datagrams(port, self.peer.ip());
        }
    }
}

fn clw_session(shared: &Shared, rules: &[Kind], is_cut_at_auth: bool) -> clw::Server {
    let mut server = clw::Server::new(
        shared.backends.clw.clone(),
        clw::SessionId(shared.backends.next_session()),
    );
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

fn clawchat_session(shared: &Shared, rules: &[Kind], is_cut_at_auth: bool) -> clawchat::Server {
    let session = clawchat::SessionId(shared.backends.next_session());
    let mut server = clawchat::Server::new(shared.backends.clawchat.clone(), session);
    if let Some(life) = token_life(rules) {
        server.set_token_life(life);
    }
    for rule in rules {
        match rule {
            Kind::ChallengeDelay(delay) => server.delay_challenge(Some(*delay)),
            Kind::NoChallenge => server.delay_challenge(None),
            Kind::HandshakeTimeout(_) => {
                server.delay_challenge(None);
                server.ignore_login(true);
            }
            Kind::AuthFailed => server.refuse_logins(HelloFail::AuthenticationFailed),
            Kind::AuthDown => server.refuse_logins(HelloFail::AuthUnavailable),
            Kind::Unavailable | Kind::Restarting => server.be_unavailable(),
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

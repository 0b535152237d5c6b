//! What causes each verdict: the gateway's faults, and what the client has to do with it.

use super::kind::{Action, Kind};
use super::spec::{FaultSpec, Moment};
use clw_core::Dialect;
use clw_core::verdict::Verdict;
use std::time::Duration;

/// What a client does for a verdict to come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientSetup {
    /// Connects, stays a while, logs out.
    Plain,
    /// Has a request open when the fault comes.
    WithCall,
    /// Pings often, and misses an answer soon.
    QuickHeartbeat,
    /// Proves itself with a wrong token.
    WrongToken,
    /// Speaks TLS to a plain port.
    Tls,
    /// Is left by the run's end before it logs out.
    LeftOpen,
    /// Gives a connect half a second.
    ShortTimeout,
}

/// How to cause a verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// The gateway's part.
    pub faults: Vec<FaultSpec>,
    /// The client's part.
    pub client: ClientSetup,
}

/// How to cause `verdict` on `dialect`; `None` if this gateway and a client cannot.
pub fn fault_for(verdict: Verdict, dialect: Dialect) -> Option<Setup> {
    use ClientSetup::{LeftOpen, Plain, QuickHeartbeat, ShortTimeout, Tls, WithCall, WrongToken};
    if dialect != Dialect::Openclaw {
        return None;
    }
    let soon = Duration::from_millis(100);
    let at_ready = |action| FaultSpec {
        delay: soon,
        ..FaultSpec::new(Kind::At(action))
    };
    let early = FaultSpec::new;
    let (fault, client) = match verdict {
        Verdict::ConnRefused => (Some(early(Kind::NotListening)), Plain),
        Verdict::ConnTimeout => (Some(early(Kind::SynDrop)), ShortTimeout),
        Verdict::TlsFailed => (Some(early(Kind::TlsClose)), Tls),
        Verdict::UpgradeRejected => (Some(early(Kind::UpgradeStatus(403))), Plain),
        Verdict::ServerOverloaded => (Some(early(Kind::Budget(0))), Plain),
        Verdict::ServerUnavailable => (Some(early(Kind::Unavailable)), Plain),
        Verdict::RateLimited => (Some(early(Kind::RateLimit)), Plain),
        Verdict::PairingRequired => (Some(early(Kind::Pairing)), Plain),
        Verdict::VersionMismatch => (Some(early(Kind::VersionMismatch)), Plain),
        Verdict::AuthFailed => (None, WrongToken),
        Verdict::ProtocolError => (Some(at_ready(Action::Malformed)), Plain),
        Verdict::HandshakeTimeout => (
            Some(early(Kind::HandshakeTimeout(Duration::from_millis(500)))),
            Plain,
        ),
        Verdict::ClosedBeforeConnect => (
            Some(FaultSpec {
                moment: Moment::Auth,
                ..FaultSpec::new(Kind::At(Action::Fin))
            }),
            Plain,
        ),
        Verdict::SessionRevoked => (Some(at_ready(Action::Revoke)), Plain),
        Verdict::SlowConsumer => (Some(at_ready(Action::SlowConsumer)), Plain),
        Verdict::ServerRestart => (Some(at_ready(Action::Restart)), Plain),
        Verdict::ServerError => (
            Some(at_ready(Action::Close(1011, "internal error".to_owned()))),
            Plain,
        ),
        Verdict::HeartbeatMiss => (Some(at_ready(Action::Silence)), QuickHeartbeat),
        Verdict::PromptDisconnected => {
            let cut = FaultSpec {
                delay: Duration::from_millis(400),
                ..FaultSpec::new(Kind::At(Action::Fin))
            };
            return Some(Setup {
                faults: vec![FaultSpec::new(Kind::At(Action::Mute)), cut],
                client: WithCall,
            });
        }
        Verdict::AuthDisconnected => (Some(at_ready(Action::Rst)), Plain),
        Verdict::Ok => (None, Plain),
        Verdict::Open => (None, LeftOpen),
        Verdict::AuthUnavailable
        | Verdict::SessionReplaced
        | Verdict::SessionExpired
        | Verdict::InjectedReset
        | Verdict::Incomplete => return None,
    };
    Some(Setup {
        faults: fault.into_iter().collect(),
        client,
    })
}

/// Every verdict that can be caused on `dialect`, in the order of the rules.
pub fn reproducible(dialect: Dialect) -> impl Iterator<Item = Verdict> {
    Verdict::ALL
        .into_iter()
        .filter(move |verdict| fault_for(*verdict, dialect).is_some())
}

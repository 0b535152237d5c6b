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
    let (openclaw, clw, clawchat) = match dialect {
        Dialect::Openclaw => (true, false, false),
        Dialect::Clw => (false, true, false),
        Dialect::Clawchat => (false, false, true),
        _ => return None,
    };
    let after = |millis, action| FaultSpec {
        delay: Duration::from_millis(millis),
        ..FaultSpec::new(Kind::At(action))
    };
    let at_ready = |action| vec![after(100, action)];
    let rule = |kind| vec![FaultSpec::new(kind)];
    let (faults, client) = match verdict {
        Verdict::ConnRefused => (rule(Kind::NotListening), Plain),
        Verdict::ConnTimeout => (rule(Kind::SynDrop), ShortTimeout),
        Verdict::TlsFailed => (rule(Kind::TlsClose), Tls),
        Verdict::UpgradeRejected => (rule(Kind::UpgradeStatus(403)), Plain),
        Verdict::ServerOverloaded if !clw => (rule(Kind::Budget(0)), Plain),
        Verdict::ServerOverloaded => (rule(Kind::Overload), Plain),
        Verdict::ServerUnavailable => (rule(Kind::Unavailable), Plain),
        Verdict::RateLimited if openclaw => (rule(Kind::RateLimit), Plain),
        Verdict::PairingRequired if openclaw => (rule(Kind::Pairing), Plain),
        Verdict::VersionMismatch if !clawchat => (rule(Kind::VersionMismatch), Plain),
        Verdict::AuthFailed => (Vec::new(), WrongToken),
        Verdict::AuthUnavailable if clawchat => (rule(Kind::AuthDown), Plain),
        Verdict::ProtocolError => (at_ready(Action::Malformed), Plain),
        // ClawChat's ends without a word: only that it took a while tells it from a FIN for other reasons.
        Verdict::HandshakeTimeout => {
            let millis = if clawchat { 1200 } else { 500 };
            (rule(Kind::HandshakeTimeout(Duration::from_millis(millis))), Plain)
        }
        Verdict::ClosedBeforeConnect => {
            let cut = FaultSpec {
                moment: Moment::Auth,
                ..FaultSpec::new(Kind::At(Action::Fin))
            };
            (vec![cut], Plain)
        }
        Verdict::SessionRevoked if !clawchat => (at_ready(Action::Revoke), Plain),
        Verdict::SessionReplaced if clawchat => (at_ready(Action::Replace), Plain),
        Verdict::SessionExpired if clw => {
            let lifetime = Kind::TokenExpire(Duration::from_millis(400));
            (
                vec![FaultSpec::new(lifetime), FaultSpec::new(Kind::RefuseRefresh)],
                Plain,
            )
        }
        Verdict::SlowConsumer if openclaw => (at_ready(Action::SlowConsumer), Plain),
        Verdict::ServerRestart => (at_ready(Action::Restart), Plain),
        Verdict::ServerError => (at_ready(Action::Close(1011, "internal error".to_owned())), Plain),
        Verdict::HeartbeatMiss => (at_ready(Action::Silence), QuickHeartbeat),
        // CLW has no requests.
        Verdict::PromptDisconnected if !clw => (
            vec![FaultSpec::new(Kind::At(Action::Mute)), after(400, Action::Fin)],
            WithCall,
        ),
        Verdict::AuthDisconnected => (at_ready(Action::Rst), Plain),
        Verdict::Ok => (Vec::new(), Plain),
        Verdict::Open => (Vec::new(), LeftOpen),
        _ => return None,
    };
    Some(Setup { faults, client })
}

/// Every verdict that can be caused on `dialect`, in the order of the rules.
pub fn reproducible(dialect: Dialect) -> impl Iterator<Item = Verdict> {
    Verdict::ALL
        .into_iter()
        .filter(move |verdict| fault_for(*verdict, dialect).is_some())
}

//! What a session keeps over its connections, in dialects whose tokens change.

use super::Kind;
use super::devices::{Device, Devices};
use crate::plan::{Plan, SessionSettings};
use clw_core::clawchat::{Claims, Tokens, derived_tokens};
use clw_core::secret::Secret;
use clw_core::{Dialect, clawchat, clw};
use std::sync::Arc;
use std::time::Duration;

/// How long the tokens live that a session makes itself (protocol page: 24 h).
const LIFE: Duration = Duration::from_secs(24 * 3600);

/// A session's account.
#[derive(Clone, Debug)]
pub enum Account {
    /// CLW: name, tokens, resumable session.
    Clw(Arc<clw::Account>),
    /// ClawChat: tokens, device, what was seen.
    Clawchat(Arc<clawchat::Account>),
    /// OpenClaw: shared secret, device, tokens by role.
    Openclaw(Device),
}

impl Account {
    /// The account of the session that `settings` describe; `None` in dialects that need none. `user`: a number that no
    /// other session has, in this run or the last. Then the run's origin in milliseconds and the present in seconds since 1970.
    pub fn of(
        kind: &Kind,
        settings: &SessionSettings<'_>,
        user: u64,
        (epoch_ms, made_at_s): (u64, u64),
        (plan, devices): (&Plan, &Devices),
    ) -> Option<Self> {
        let name = || -> Arc<str> { format!("{}-{}", settings.client_id, settings.number).into() };
        match settings.mix.dialect {
            Dialect::Clw => {
                let account = match kind.token_command {
                    Some(_) => clw::Account::new(name(), clw::TokenSource::asked()),
                    None => clw::Account::derived(name(), kind.secret(settings)),
                };
                Some(Self::Clw(Arc::new(account)))
            }
            Dialect::Clawchat => {
                let device = name();
                let tokens = clawchat_tokens(kind, settings, user, &device, made_at_s);
                let account = clawchat::Account::new(tokens, &device, device.clone(), epoch_ms);
                Some(Self::Clawchat(Arc::new(account)))
            }
            _ => Device::of(kind, settings, plan, devices).map(Self::Openclaw),
        }
    }

    /// The device of an OpenClaw session.
    pub fn openclaw(&self) -> Option<&Device> {
        match self {
            Self::Openclaw(device) => Some(device),
            Self::Clw(_) | Self::Clawchat(_) => None,
        }
    }

    /// The account of a ClawChat session.
    pub fn clawchat(&self) -> Option<&Arc<clawchat::Account>> {
        match self {
            Self::Clawchat(account) => Some(account),
            Self::Clw(_) | Self::Openclaw(_) => None,
        }
    }
}

/// A JWT, or a token that has a refresh token beside it, was issued by somebody and is presented as it is. Anything else
/// is the secret that clw-gateway signs with, from which a session makes a pair of its own.
fn clawchat_tokens(
    kind: &Kind,
    settings: &SessionSettings<'_>,
    user: u64,
    device: &str,
    made_at_s: u64,
) -> Tokens {
    let secret = kind.secret(settings);
    let refresh = settings.credential.refresh_token().cloned();
    if refresh.is_some() || Claims::read(secret.expose()).is_some() {
        return Tokens {
            access: Secret::new(secret.expose()),
            refresh,
        };
    }
    derived_tokens(&secret, user, device, 0, made_at_s, LIFE)
}

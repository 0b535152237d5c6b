//! Kinds of session: what they speak, who they are, how long they stay, what they call.

use clw_core::openclaw::{self, Credentials, Identity};
use clw_core::secret::Secret;
use clw_core::session::{ClientConfig, ClientDialect};
use std::sync::Arc;
use std::time::Duration;

/// One kind of session in a run.
pub struct Mix {
    /// `operator`, `node` … as the journal shows it.
    pub role: String,
    /// How long a session stays once it is ready; `None`: until the run's end.
    pub hold: Option<Duration>,
    /// Calls, each with a period.
    pub calls: Vec<Call>,
    /// Upgrade and limits.
    pub connection: Arc<ClientConfig>,
    /// The dialect with its settings and credentials.
    pub kind: Kind,
}

/// A periodic request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Method.
    pub method: String,
    /// Parameters, JSON.
    pub params: String,
    /// Period.
    pub every: Duration,
    /// From ready to the first; `None`: a period.
    pub first_after: Option<Duration>,
}

/// A dialect with what its sessions need.
pub enum Kind {
    /// OpenClaw gateway.
    Openclaw(Openclaw),
}

/// OpenClaw sessions.
pub struct Openclaw {
    /// The same for all.
    pub config: Arc<openclaw::ClientConfig>,
    /// Used in turn.
    pub credentials: Vec<Credential>,
    /// Derive a device identity for each session.
    pub identities: bool,
}

/// What one line of a credentials file (or the flags) says.
#[derive(Clone, Debug, Default)]
pub struct Credential {
    /// Without a device; shared by all sessions that use it.
    pub plain: Arc<Credentials>,
    /// A device with a key of its own.
    pub identity: Option<Identity>,
}

impl Mix {
    /// Whether a session whose credential is dead can get another.
    pub fn has_fresh_credentials(&self) -> bool {
        match &self.kind {
            Kind::Openclaw(_) => false,
        }
    }

    /// The dialect's machine for session `number`, with its `generation`-th credential.
    pub fn dialect(
        &self,
        number: u64,
        generation: u64,
        device_token: Option<&Secret>,
        seed: u64,
    ) -> Box<dyn ClientDialect> {
        let _ = generation;
        match &self.kind {
            Kind::Openclaw(kind) => {
                let credential = turn(&kind.credentials, number);
                let identity = match &credential.identity {
                    Some(identity) => Some(identity.clone()),
                    None if kind.identities => Some(Identity::derive(seed, number)),
                    None => None,
                };
                let shared = identity.is_none() && device_token.is_none();
                let credentials = if shared {
                    credential.plain.clone()
                } else {
                    Arc::new(Credentials {
                        identity,
                        ..Credentials::clone(&credential.plain)
                    })
                };
                Box::new(openclaw::Client::new(kind.config.clone(), credentials))
            }
        }
    }

    /// Who session `number` is, without saying what it proves itself with.
    pub fn identity_name(&self, number: u64, seed: u64) -> String {
        match &self.kind {
            Kind::Openclaw(kind) => {
                let credential = turn(&kind.credentials, number);
                if let Some(identity) = &credential.identity {
                    identity.device_id.clone()
                } else if kind.identities {
                    Identity::derive(seed, number).device_id
                } else {
                    let secrets = [&credential.plain.token, &credential.plain.password];
                    secrets
                        .into_iter()
                        .flatten()
                        .next()
                        .map_or_else(|| "none".to_owned(), Secret::fingerprint)
                }
            }
        }
    }
}

fn turn<T>(list: &[T], number: u64) -> &T {
    // Callers never pass an empty list: a run without credentials has one that holds none.
    &list[usize::try_from(number % list.len().max(1) as u64).unwrap_or(0)]
}

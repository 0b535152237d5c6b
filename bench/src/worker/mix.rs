//! Kinds of session: what they speak, who they are, how long they stay, what they call.

use clw_core::openclaw::{self, Credentials, Identity};
use clw_core::secret::Secret;
use clw_core::session::{ClientConfig, ClientDialect};
use clw_core::clw;
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
    /// CLW auth.
    Clw(Clw),
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

/// CLW sessions.
pub struct Clw {
    /// The same for all.
    pub config: Arc<clw::ClientConfig>,
    /// Used in turn.
    pub credentials: Vec<Credential>,
    /// Derive a fresh token for each session and each connection from the shared one.
    pub derive_tokens: bool,
}

/// What one line of a credentials file (or the flags) says.
#[derive(Clone, Debug, Default)]
pub struct Credential {
    /// Shared token.
    pub token: Option<Secret>,
    /// Shared password.
    pub password: Option<Secret>,
    /// Device token.
    pub device_token: Option<Secret>,
    /// Bootstrap token.
    pub bootstrap_token: Option<Secret>,
    /// Identity with a key of its own.
    pub identity: Option<Identity>,
    /// Client id (CLW).
    pub client_id: Option<String>,
}

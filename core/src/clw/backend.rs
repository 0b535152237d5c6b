//! What all sessions of a CLW server share.

use super::datagram::Responder;
use super::resumable::Resumable;
use super::{AuthQueue, TokenAuthority, WireVersion};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Versions and timers of a server (defaults: protocol page, Timers and limits).
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The newest wire version it speaks.
    pub wire: WireVersion,
    /// Accept heartbeats without `token_id` all the same.
    pub compatible: bool,
    /// Release told in AUTH_OK.
    pub server_version: String,
    /// How long a token lives.
    pub ttl: Duration,
    /// REFRESH_NEEDED is sent so long before a token's end, at the earliest after half its life.
    pub refresh_lead: Duration,
    /// The heartbeat period told to clients; `None` asks for none.
    pub heartbeat: Option<Duration>,
    /// How long a client may be silent; `None`: for ever.
    pub grace: Option<Duration>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            wire: WireVersion::V2_2,
            compatible: false,
            server_version: WireVersion::V2_2.release().to_owned(),
            ttl: Duration::from_secs(300),
            refresh_lead: Duration::from_secs(30),
            heartbeat: Some(Duration::from_secs(2)),
            grace: Some(Duration::from_secs(5)),
        }
    }
}

/// A cheap handle on what all sessions of one server share.
#[derive(Clone, Debug)]
pub struct Backend(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: ServerConfig,
    tokens: Mutex<TokenAuthority>,
    queue: Mutex<AuthQueue>,
    resumable: Mutex<Resumable>,
    datagrams: Mutex<Responder>,
}

impl Backend {
    /// A server with these settings, tokens and queue.
    pub fn new(config: ServerConfig, tokens: TokenAuthority, queue: AuthQueue) -> Self {
        Self(Arc::new(Shared {
            config,
            tokens: Mutex::new(tokens),
            queue: Mutex::new(queue),
            resumable: Mutex::new(Resumable::default()),
            datagrams: Mutex::new(Responder::default()),
        }))
    }

    /// Its settings.
    pub fn config(&self) -> &ServerConfig {
        &self.0.config
    }

    /// Which tokens it takes.
    pub fn tokens(&self) -> MutexGuard<'_, TokenAuthority> {
        lock(&self.0.tokens)
    }

    /// The logins that wait.
    pub fn queue(&self) -> MutexGuard<'_, AuthQueue> {
        lock(&self.0.queue)
    }

    /// The sessions that may be gone on with.
    pub fn resumable(&self) -> MutexGuard<'_, Resumable> {
        lock(&self.0.resumable)
    }

    /// Who answers heartbeats that come as datagrams.
    pub fn datagrams(&self) -> MutexGuard<'_, Responder> {
        lock(&self.0.datagrams)
    }
}

/// A panic elsewhere leaves these whole: every change is a single call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

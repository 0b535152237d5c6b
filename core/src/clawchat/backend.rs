//! What all sessions of a ClawChat server share.

use super::server::SessionId;
use super::{Authority, RefreshAnswer, RefreshFault};
use crate::time::Instant;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Settings of a server.
#[derive(Clone, Debug, Default)]
pub struct ServerConfig {
    /// Milliseconds from 1970 to the origin of the instants.
    pub epoch_ms: u64,
    /// Seed of the nonces.
    pub seed: u64,
    /// Notifications that are replayed to each client, and told once more live.
    pub signals: u32,
}

/// A cheap handle on what all sessions of one server share.
#[derive(Clone, Debug)]
pub struct Backend(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: ServerConfig,
    authority: Mutex<Authority>,
    live: Mutex<Places>,
}

/// Who is in, by user and device.
type Places = HashMap<(Box<str>, Box<str>), Place>;

/// The place of a (user, device) that is in.
#[derive(Clone, Debug)]
pub(super) struct Place {
    session: SessionId,
    lost: Arc<AtomicBool>,
}

impl Place {
    /// Another connection of the same device has taken it.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Backend {
    /// A server with these settings and tokens.
    pub fn new(config: ServerConfig, authority: Authority) -> Self {
        Self(Arc::new(Shared {
            config,
            authority: Mutex::new(authority),
            live: Mutex::default(),
        }))
    }

    /// Its settings.
    pub fn config(&self) -> &ServerConfig {
        &self.0.config
    }

    /// Who decides on tokens.
    pub fn authority(&self) -> MutexGuard<'_, Authority> {
        lock(&self.0.authority)
    }

    /// Answers a call of the refresh endpoint.
    pub fn redeem(
        &self,
        now: Instant,
        body: &[u8],
        device: Option<&str>,
        life: Option<Duration>,
        fault: Option<RefreshFault>,
    ) -> RefreshAnswer {
        let now_s = super::client::epoch_s(self.0.config.epoch_ms, now);
        self.authority().redeem(body, device, now_s, life, fault)
    }

    /// Takes the place of a (user, device); the session that had it, if any, has lost it.
    pub(super) fn take_place(
        &self,
        user: &str,
        device: &str,
        session: SessionId,
    ) -> (Place, Option<SessionId>) {
        let place = Place {
            session,
            lost: Arc::default(),
        };
        let before = lock(&self.0.live).insert((user.into(), device.into()), place.clone());
        if let Some(before) = &before {
            before.lost.store(true, Ordering::Relaxed);
        }
        (place, before.map(|before| before.session))
    }

    pub(super) fn leave_place(&self, user: &str, device: &str, session: SessionId) {
        if let Entry::Occupied(entry) = lock(&self.0.live).entry((user.into(), device.into()))
            && entry.get().session == session
        {
            entry.remove();
        }
    }
}

/// A panic elsewhere leaves these whole: every change is a single call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

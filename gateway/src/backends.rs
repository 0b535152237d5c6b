//! What the sessions of each dialect share.

use crate::config::{Config, Mode};
use crate::fault::Kind;
use clw_core::Dialect;
use clw_core::clawchat;
use clw_core::clw;
use clw_core::openclaw::{self, Authority, AuthorityConfig, FailurePolicy, GatewayConfig};
use clw_core::secret::Secret;
use clw_core::session::ServerConfig;
use clw_core::time::Instant;
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The shared half of every session's state machine.
pub(crate) struct Backends {
    pub(crate) openclaw: Arc<openclaw::Gateway>,
    pub(crate) clw: clw::Backend,
    pub(crate) clawchat: clawchat::Backend,
    next_session: Cell<u64>,
}

impl Backends {
    pub(crate) fn new(config: &Config, address: SocketAddr) -> Self {
        Self {
            openclaw: Arc::new(openclaw(config, address)),
            clw: clw(config),
            clawchat: clawchat(config),
            // Sessions of several workers must not share an id.
            next_session: Cell::new(u64::from(config.worker.0) << 40 | 1),
        }
    }

    /// A fresh number for a session.
    pub(crate) fn next_session(&self) -> u64 {
        let id = self.next_session.get();
        self.next_session.set(id + 1);
        id
    }
}

fn clw(config: &Config) -> clw::Backend {
    let settings = &config.clw;
    let wire = if settings.wire_2_1 {
        clw::WireVersion::V2_1
    } else {
        clw::WireVersion::V2_2
    };
    let some = |duration: Duration| Some(duration).filter(|duration| !duration.is_zero());
    let server = clw::ServerConfig {
        wire,
        compatible: settings.compatible,
        server_version: wire.release().to_owned(),
        ttl: settings.ttl,
        heartbeat: some(settings.heartbeat),
        grace: some(settings.grace),
        ..clw::ServerConfig::default()
    };
    let tokens = clw::TokenAuthority::with_secrets(config.token.iter().cloned().collect())
        .refusing_reuse(settings.refuse_reuse);
    clw::Backend::new(
        server,
        tokens,
        clw::AuthQueue::new(settings.queue, settings.service),
    )
}

fn clawchat(config: &Config) -> clawchat::Backend {
    let authority = match &config.token {
        Some(secret) => clawchat::Authority::new(secret.clone()),
        // Any token is taken; those that are issued need a key all the same, which nobody can guess from the outside.
        None => clawchat::Authority::open(Secret::new(format!("{:016x}-{}", config.seed, epoch_ms()))),
    };
    let settings = clawchat::ServerConfig {
        epoch_ms: epoch_ms(),
        seed: config.seed,
        signals: config.clawchat_signals,
    };
    clawchat::Backend::new(settings, authority)
}

/// Milliseconds from 1970 to now, which becomes the origin of a gateway's instants.
fn epoch_ms() -> u64 {
    let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(epoch.as_millis()).unwrap_or(0)
}

/// Limits and timers of the connections.
pub(crate) fn server_config(config: &Config) -> ServerConfig {
    let defaults = match config.dialect {
        Dialect::Clw => ServerConfig::clw(),
        Dialect::Clawchat => ServerConfig::clawchat(),
        _ => ServerConfig::openclaw(),
    };
    ServerConfig {
        handshake_timeout: config.handshake_timeout.or(defaults.handshake_timeout),
        head_timeout: config.handshake_timeout.unwrap_or(defaults.head_timeout),
        ping_every: defaults
            .ping_every
            .map(|usual| config.ping.unwrap_or(usual))
            .filter(|every| !every.is_zero()),
        ..defaults
    }
}

fn openclaw(config: &Config, address: SocketAddr) -> openclaw::Gateway {
    // Workers of one gateway must not give out the same ids.
    let seed = config
        .seed
        .wrapping_add(u64::from(config.worker.0).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let authority = Authority::new(AuthorityConfig {
        token: config.token.clone(),
        password: config.password.clone(),
        auto_approve_local: config.mode != Mode::Strict
            && !config.faults.iter().any(|fault| fault.kind == Kind::Approval),
        failures: match config.mode {
            Mode::Open => FailurePolicy::Open,
            Mode::Stock => FailurePolicy::Penalty,
            Mode::Strict => FailurePolicy::LockOut,
        },
        seed,
        ..AuthorityConfig::default()
    });
    let settings = GatewayConfig {
        epoch_ms: i64::try_from(epoch_ms()).unwrap_or(0),
        started: Instant::ORIGIN,
        tick_interval: config.tick,
        realistic_hello: config.realistic_hello,
        max_buffered_bytes: config.max_buffered_bytes as u64,
        public_url: Some(config.url(address)),
        ..GatewayConfig::default()
    };
    openclaw::Gateway::new(settings, authority)
}

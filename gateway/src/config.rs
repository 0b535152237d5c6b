//! What a gateway is told.

use crate::fault::FaultSpec;
use clw_core::Dialect;
use clw_core::secret::Secret;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// How hard a gateway is to get into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// No connection budget, no penalty for failed logins.
    #[default]
    Open,
    /// The real gateway's shipped limits: 32 sockets before ready an address, answers to wrong secrets held back.
    Stock,
    /// Stock, with lock-out on loopback too, and local devices wait for approval.
    Strict,
}

/// Everything a gateway is told, defaults filled in.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens; port 0 picks one.
    pub listen: SocketAddr,
    /// What it speaks.
    pub dialect: Dialect,
    /// Shared token.
    pub token: Option<Secret>,
    /// Shared password.
    pub password: Option<Secret>,
    /// Limits.
    pub mode: Mode,
    /// Sockets before ready an address; `None`: as the mode says.
    pub preauth_budget: Option<u32>,
    /// From the 101 until ready.
    pub handshake_timeout: Option<Duration>,
    /// Period of ticks.
    pub tick: Duration,
    /// Period of the server's ws pings.
    pub ping: Duration,
    /// hello-ok as large as the real one's.
    pub realistic_hello: bool,
    /// What goes wrong.
    pub faults: Vec<FaultSpec>,
    /// Seed of everything random.
    pub seed: u64,
    /// Log file; `None`: none.
    pub log: Option<PathBuf>,
    /// Log to standard error as well.
    pub verbose: bool,
    /// TLS with a self-signed certificate.
    pub tls: bool,
    /// Keep endings one by one.
    pub keep_endings: bool,
    /// Other processes listen on the same port.
    pub share_port: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            dialect: Dialect::Openclaw,
            token: None,
            password: None,
            mode: Mode::Open,
            preauth_budget: None,
            handshake_timeout: None,
            tick: Duration::from_secs(30),
            ping: Duration::from_secs(25),
            realistic_hello: false,
            faults: Vec::new(),
            seed: 0,
            log: None,
            verbose: false,
            tls: false,
            keep_endings: false,
            share_port: false,
        }
    }
}

//! What a gateway is told.

use crate::fault::FaultSpec;
use clw_core::Dialect;
use clw_core::clw;
use clw_core::secret::Secret;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// How hard a gateway is to get into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// No connection budget, no penalty for failed logins.
    #[default]
    Open,
    /// The real gateway's shipped limits: 32 sockets before ready an address, answers to wrong secrets held back.
    Stock,
    /// Stock, with lock-out on loopback too, and local devices wait for approval.
    Strict,
}

/// What only the CLW dialect needs (defaults: its protocol page, Timers and limits).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClwSettings {
    /// Speak wire 2.1 instead of 2.2.
    pub wire_2_1: bool,
    /// Accept heartbeats without `token_id` all the same.
    pub compatible: bool,
    /// How long a token lives.
    pub ttl: Duration,
    /// Heartbeat period told to clients; zero asks for none.
    pub heartbeat: Duration,
    /// How long a client may be silent; zero: for ever.
    pub grace: Duration,
    /// Logins that may wait.
    pub queue: usize,
    /// How long the check of one login takes; zero: no queue ever forms.
    pub service: Duration,
    /// A token is dead once a session with it was disconnected.
    pub refuse_reuse: bool,
    /// Heartbeats are taken as datagrams too, at this UDP port (worker n: this + n; 0: any); `None`: they are not.
    pub udp_port: Option<u16>,
}

impl Default for ClwSettings {
    fn default() -> Self {
        let defaults = clw::ServerConfig::default();
        Self {
            wire_2_1: false,
            compatible: defaults.compatible,
            ttl: defaults.ttl,
            heartbeat: defaults.heartbeat.unwrap_or_default(),
            grace: defaults.grace.unwrap_or_default(),
            queue: clw::AuthQueue::DEFAULT_CAPACITY,
            service: Duration::ZERO,
            refuse_reuse: false,
            udp_port: None,
        }
    }
}

/// Setup codes that are asked for at the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupCodes {
    /// How many.
    pub count: u32,
    /// For nodes, instead of phones.
    pub for_nodes: bool,
    /// The file, made anew with mode 0600.
    pub file: PathBuf,
}

/// Everything a gateway is told, defaults filled in. What is serialised of it holds no secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// Where it listens; port 0 picks one.
    pub listen: SocketAddr,
    /// What it speaks.
    pub dialect: Dialect,
    /// Shared token.
    #[serde(skip)]
    pub token: Option<Secret>,
    /// The shared token that takes its place with the fault `rotate-token`.
    #[serde(skip)]
    pub next_token: Option<Secret>,
    /// Shared password.
    #[serde(skip)]
    pub password: Option<Secret>,
    /// Setup codes to write to a file at the start, a JSON line each, fit for `clw-bench --credentials`.
    pub setup_codes: Option<SetupCodes>,
    /// Limits.
    pub mode: Mode,
    /// Sockets before ready an address; `None`: as the mode says.
    pub preauth_budget: Option<u32>,
    /// From the 101 until ready.
    pub handshake_timeout: Option<Duration>,
    /// Period of ticks.
    pub tick: Duration,
    /// The ticks of many sessions are sent within this time instead of at one instant; zero: at one instant, as the real
    /// gateway does; `None`: a tenth of the period.
    pub tick_spread: Option<Duration>,
    /// A restart refuses newcomers for so long, and announces it in whole milliseconds.
    pub restart_for: Duration,
    /// Period of the server's ws pings; zero sends none, `None` is the dialect's usual.
    pub ping: Option<Duration>,
    /// Accepted connections are probed when they were idle for so long; `None`: never.
    pub tcp_keepalive: Option<Duration>,
    /// Most that is kept for a client that does not read, bytes.
    pub max_buffered_bytes: usize,
    /// hello-ok as large as the real one's.
    pub realistic_hello: bool,
    /// What only the CLW dialect needs.
    pub clw: ClwSettings,
    /// ClawChat: notifications replayed to each client, and told once more live.
    pub clawchat_signals: u32,
    /// What goes wrong.
    pub faults: Vec<FaultSpec>,
    /// Seed of everything random.
    pub seed: u64,
    /// Log file; `None`: none.
    pub log: Option<PathBuf>,
    /// Log to standard error as well.
    pub verbose: bool,
    /// TLS, with a self-signed certificate unless `tls_files` names one.
    pub tls: bool,
    /// PEM files of the certificate chain and its key.
    pub tls_files: Option<(PathBuf, PathBuf)>,
    /// Keep endings one by one.
    pub keep_endings: bool,
    /// Other processes listen on the same port.
    pub share_port: bool,
    /// Which of how many workers this is: their faults differ, and together repeat with the seed.
    pub worker: (u32, u32),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            dialect: Dialect::Openclaw,
            token: None,
            next_token: None,
            password: None,
            setup_codes: None,
            mode: Mode::Open,
            preauth_budget: None,
            handshake_timeout: None,
            tick: Duration::from_secs(30),
            tick_spread: None,
            // The real gateway's figure.
            restart_for: Duration::from_millis(1500),
            ping: None,
            tcp_keepalive: None,
            max_buffered_bytes: 52_428_800,
            realistic_hello: false,
            clw: ClwSettings::default(),
            clawchat_signals: 0,
            faults: Vec::new(),
            seed: 0,
            log: None,
            verbose: false,
            tls: false,
            tls_files: None,
            keep_endings: false,
            share_port: false,
            worker: (0, 1),
        }
    }
}

impl Config {
    /// The URL of a gateway that listens at `address`.
    pub(crate) fn url(&self, address: SocketAddr) -> String {
        let is_tls = self.tls || self.tls_files.is_some();
        format!("{}://{address}", if is_tls { "wss" } else { "ws" })
    }
}

/// A configuration on its way to a worker process, secrets included: for a pipe between the two and nothing else.
#[derive(Serialize, Deserialize)]
pub(crate) struct ConfigOnPipe {
    config: Config,
    token: Option<String>,
    next_token: Option<String>,
    password: Option<String>,
}

impl ConfigOnPipe {
    pub(crate) fn new(config: Config) -> Self {
        let exposed = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
        Self {
            token: exposed(&config.token),
            next_token: exposed(&config.next_token),
            password: exposed(&config.password),
            config,
        }
    }

    pub(crate) fn into_config(self) -> Config {
        Config {
            token: self.token.map(Secret::new),
            next_token: self.next_token.map(Secret::new),
            password: self.password.map(Secret::new),
            ..self.config
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serialised_configuration_holds_no_secret_but_the_pipes_form_does() {
        let config = Config {
            token: Some(Secret::new("test-token")),
            faults: FaultSpec::parse("rst:5%@ready+1s", Dialect::Openclaw).unwrap(),
            ..Config::default()
        };
        let shown = serde_json::to_string(&config).unwrap() + &format!("{config:?}");
        assert!(!shown.contains("test-token"));
        let piped = serde_json::to_string(&ConfigOnPipe::new(config.clone())).unwrap();
        let back: ConfigOnPipe = serde_json::from_str(&piped).unwrap();
        let back = back.into_config();
        assert_eq!((back.token, back.faults), (config.token, config.faults));
    }
}

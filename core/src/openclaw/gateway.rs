//! What all sessions of one gateway have in common.

use super::authority::Authority;
use super::error_code::{ErrorCode, GATEWAY_RESTARTING, STARTUP_SIDECARS};
use super::uuid::Uuid;
use super::wire::Policy;
use crate::time::{Instant, micros};
use serde_json::value::RawValue;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// The release that is imitated.
pub const SERVER_VERSION: &str = "2026.9.6";
/// The protocol number of that release.
pub const PROTOCOL: u32 = 4;
/// The oldest number that nodes and probes may still speak.
pub const OLDEST_NODE_PROTOCOL: u32 = 3;

/// `hello-ok` → `features` of the real gateway, 12 kB.
const REALISTIC_FEATURES: &str = include_str!("features.json");
const SMALL_FEATURES: &str = r#"{"methods":["health","status","system-presence","node.list","device.pair.list","device.pair.approve","device.pair.reject","device.pair.remove","device.pair.setupCode","device.token.rotate","device.token.revoke","gateway.restart.request","ping"],"events":["connect.challenge","tick","health","shutdown"],"capabilities":[]}"#;

/// A gateway's settings.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// `server.version`.
    pub version: String,
    /// Milliseconds since 1970 at [`Instant::ORIGIN`].
    pub epoch_ms: i64,
    /// When the gateway started: the phase of its ticks.
    pub started: Instant,
    /// Period of the `tick` event.
    pub tick_interval: Duration,
    /// A `health` event after every second tick, as the real gateway's once a minute.
    pub health_events: bool,
    /// Answer with the real gateway's list of features (`hello-ok` of 12 kB) instead of a short one.
    pub realistic_hello: bool,
    /// Protocol spoken; another number than 4 makes today's clients meet `PROTOCOL_MISMATCH`.
    pub protocol: u32,
    /// `policy.maxPayload`, bytes.
    pub max_payload: u64,
    /// `policy.maxBufferedBytes`.
    pub max_buffered_bytes: u64,
    /// Where devices find it: what a setup code says, if who asks for one says nothing else.
    pub public_url: Option<String>,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            version: SERVER_VERSION.to_owned(),
            epoch_ms: 0,
            started: Instant::ORIGIN,
            tick_interval: Duration::from_secs(30),
            health_events: true,
            realistic_hello: false,
            protocol: PROTOCOL,
            max_payload: 26_214_400,
            max_buffered_bytes: 52_428_800,
            public_url: None,
        }
    }
}

/// One gateway: its settings, its authority, and what is the same in every `hello-ok`. Sessions share it in an `Arc`.
#[derive(Debug)]
pub struct Gateway {
    /// Its settings.
    pub config: GatewayConfig,
    /// Who may come in.
    pub authority: Authority,
    pub(super) boot_id: Uuid,
    pub(super) features: Option<Box<RawValue>>,
}

impl Gateway {
    /// A gateway that starts now.
    pub fn new(config: GatewayConfig, authority: Authority) -> Self {
        let features = if config.realistic_hello {
            REALISTIC_FEATURES
        } else {
            SMALL_FEATURES
        };
        Self {
            boot_id: authority.uuid(),
            features: RawValue::from_string(features.trim().to_owned()).ok(),
            config,
            authority,
        }
    }

    /// The gateway's wall clock, milliseconds since 1970.
    pub fn wall_ms(&self, now: Instant) -> i64 {
        let millis = i64::try_from(now.as_micros() / 1000).unwrap_or(i64::MAX);
        self.config.epoch_ms.saturating_add(millis)
    }

    /// The first tick after `now`: all sessions share one clock.
    pub fn next_tick(&self, now: Instant) -> Instant {
        let period = micros(self.config.tick_interval).max(1);
        let elapsed = micros(now.since(self.config.started));
        self.config.started + Duration::from_micros((elapsed / period + 1).saturating_mul(period))
    }

    pub(super) fn policy(&self) -> Policy {
        Policy {
            max_payload: self.config.max_payload,
            max_buffered_bytes: self.config.max_buffered_bytes,
            tick_interval_ms: micros(self.config.tick_interval) / 1000,
        }
    }
}

/// When something is sent, if at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timing {
    /// At once.
    #[default]
    Prompt,
    /// That much later.
    Delayed(Duration),
    /// Not at all.
    Never,
}

/// What a connect is refused with, whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForcedRefusal {
    /// With this code.
    Code(ErrorCode),
    /// `UNAVAILABLE` and close 1013: the gateway starts.
    Starting,
    /// `UNAVAILABLE` and close 1013: the gateway goes down.
    Restarting,
    /// `UNAVAILABLE`, too much to do.
    Busy,
}

impl ForcedRefusal {
    /// `details.reason`, `error.message` (the close reason as well) and `retryAfterMs` of an `UNAVAILABLE`.
    pub(super) const fn unavailable(self) -> Option<(Option<&'static str>, &'static str, u64)> {
        match self {
            Self::Code(_) => None,
            Self::Starting => Some((Some(STARTUP_SIDECARS), "gateway starting", 500)),
            Self::Restarting => Some((Some(GATEWAY_RESTARTING), "gateway restart in progress", 1000)),
            Self::Busy => Some((None, "The server is busy. Try again later.", 1000)),
        }
    }
}

/// What is particular to one session: where it comes from, and what goes wrong with it on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// The client's address.
    pub address: IpAddr,
    /// When the challenge is sent.
    pub challenge: Timing,
    /// When the answer to connect is sent.
    pub answer: Timing,
    /// Ticks are sent.
    pub ticks: bool,
    /// Requests are answered.
    pub answers_requests: bool,
    /// The connect is refused with this.
    pub refuse: Option<ForcedRefusal>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            challenge: Timing::Prompt,
            answer: Timing::Prompt,
            ticks: true,
            answers_requests: true,
            refuse: None,
        }
    }
}

//! Kinds of sessions, and which session is of which kind.

use super::target::TargetPlan;
use super::{Plan, Prefer};
use crate::credentials::{Credential, Credentials, DeviceKey};
use clap::ValueEnum;
use clw_core::Dialect;
use clw_core::openclaw::Identity;
use clw_core::pacing::seconds;
use clw_core::secret::Secret;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// OpenClaw role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Drives the gateway.
    Operator,
    /// Serves it; must prove a device identity.
    Node,
}

impl Role {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Node => "node",
        }
    }

    /// From the name on the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Operator, Self::Node]
            .into_iter()
            .find(|r| r.name() == name)
    }
}

/// Whether sessions prove a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentityKind {
    /// No device.
    None,
    /// An Ed25519 key, derived from the seed and the session's number unless the credentials bring one.
    Ed25519,
}

/// Version of the CLW wire that the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum ClwWire {
    /// `clw.auth.v1`: no token id in pings.
    #[value(name = "2.1")]
    #[serde(rename = "2.1")]
    V2_1,
    /// `clw.auth.v2`.
    #[value(name = "2.2")]
    #[serde(rename = "2.2")]
    V2_2,
}

/// Which ClawChat client a session is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plugin {
    /// The OpenClaw plugin: JSON pings, 4000.
    #[default]
    Openclaw,
    /// The Hermes plugin: WebSocket pings, 1011.
    Hermes,
}

/// How a ClawChat client reads a `hello-fail`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// By parts of the text; an unknown reason refreshes a token near its end.
    #[default]
    Seed,
    /// By the exact text; an unknown reason never refreshes.
    Current,
}

/// A client's mistake, made on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flaw {
    /// Never sends connect.
    NoConnect,
    /// Signs something else than it sends (needs a device identity).
    BadSignature,
    /// Sends text that is no JSON as its first message.
    NotJson,
    /// Sends another request before connect.
    WrongFirst,
    /// Answers no ping of the server.
    NoPong,
    /// Leaves when it is asked who it is, as helpers and probes do.
    Leave,
}

/// How long a session stays after it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// This long.
    #[serde(rename = "for_s", with = "seconds")]
    For(Duration),
    /// Until the load (or the slot's window in it) ends.
    UntilEnd,
}

/// A request that sessions make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Which of the plan's call names it is counted under.
    pub label: u16,
    /// Method.
    pub method: String,
    /// Parameters, a JSON object.
    pub params: String,
    /// Period; `None`: once.
    #[serde(rename = "every_s", with = "optional_seconds")]
    pub every: Option<Duration>,
    /// The first one, counted from ready.
    #[serde(rename = "first_after_s", with = "seconds")]
    pub first_after: Duration,
}

/// What depends on the role (OpenClaw).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleSettings {
    /// `client.id`.
    pub client_id: String,
    /// `client.mode`.
    pub client_mode: String,
    /// Scopes asked for.
    pub scopes: Vec<String>,
    /// Device identity.
    pub identity: IdentityKind,
}

/// A kind of sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mix {
    /// Name, for messages and results.
    pub name: String,
    /// Sessions of this kind in every 100.
    pub per_hundred: u32,
    /// Where they connect to.
    pub target: TargetPlan,
    /// What they speak.
    pub dialect: Dialect,
    /// OpenClaw role.
    pub role: Role,
    /// For sessions of the role `operator`.
    pub as_operator: RoleSettings,
    /// For sessions of the role `node`.
    pub as_node: RoleSettings,
    /// The version that the client says it has.
    pub client_version: String,
    /// CLW: version of the wire.
    pub wire: ClwWire,
    /// ClawChat: which client it is like.
    pub plugin: Plugin,
    /// ClawChat: how it reads a refusal.
    pub reading: Reading,
    /// CLW and ClawChat: whether tokens are renewed.
    pub refresh: bool,
    /// CLW: whether a session that connects again goes on with its old session id.
    pub resume: bool,
    /// CLW: heartbeats as datagrams too, where they are offered.
    pub udp_heartbeat: bool,
    /// Idle time after which a connection is probed; `None`: never.
    #[serde(rename = "tcp_keepalive_s", with = "optional_seconds")]
    pub tcp_keepalive: Option<Duration>,
    /// Of a name with addresses of both families, use the IPv4 ones.
    pub prefer_ipv4: bool,
    /// The command that is asked for tokens.
    #[serde(serialize_with = "fingerprint", skip_deserializing)]
    pub token_command: Option<Secret>,
    /// The HTTP header, and OpenClaw's `userAgent`.
    pub user_agent: String,
    /// The page that a browser's client belongs to; `None`: the target's, for clients that need one.
    pub origin: Option<String>,
    /// With which close code sessions leave.
    pub leave_code: u16,
    /// `client.platform` (OpenClaw).
    pub platform: String,
    /// `client.deviceFamily` (OpenClaw).
    pub device_family: Option<String>,
    /// OpenClaw: which credential is shown first.
    pub prefer: Prefer,
    /// What these clients do wrong on purpose, unless the plan says so for all.
    pub flaw: Option<Flaw>,
    /// Time after ready.
    pub hold: Hold,
    /// The wait for connect and authentication together.
    #[serde(rename = "timeout_s", with = "seconds")]
    pub timeout: Duration,
    /// Period of the client's heartbeat; `None`: off.
    #[serde(rename = "heartbeat_s", with = "optional_seconds")]
    pub heartbeat: Option<Duration>,
    /// The wait for a heartbeat's answer.
    #[serde(rename = "heartbeat_timeout_s", with = "seconds")]
    pub heartbeat_timeout: Duration,
    /// Requests.
    pub calls: Vec<Call>,
    /// Who they are.
    #[serde(skip_deserializing)]
    pub credentials: Credentials,
}

impl Mix {
    /// What depends on the role.
    pub fn settings(&self, role: Role) -> &RoleSettings {
        match role {
            Role::Operator => &self.as_operator,
            Role::Node => &self.as_node,
        }
    }
}

/// Everything about one session: its kind, with what its credential says first.
#[derive(Clone, Copy, Debug)]
pub struct SessionSettings<'a> {
    /// Its number in the whole plan.
    pub number: u64,
    /// Its kind.
    pub mix: &'a Mix,
    /// What it shows.
    pub credential: &'a Credential,
    /// OpenClaw role.
    pub role: Role,
    /// `client.id` (openclaw), `client_id` (clw).
    pub client_id: &'a str,
    /// `client.mode` (openclaw).
    pub client_mode: &'a str,
    /// Scopes asked for.
    pub scopes: &'a [String],
    /// The version that the client says it has.
    pub client_version: &'a str,
    /// Where its device key comes from; `None`: no device.
    device: Option<(u64, Option<DeviceKey>)>,
}

impl SessionSettings<'_> {
    /// Whether it proves a device.
    pub fn has_device(&self) -> bool {
        self.device.is_some()
    }

    /// Its device. Costs a key derivation: to be called once a session.
    pub fn identity(&self) -> Option<Identity> {
        self.device.map(|(seed, key)| match key {
            Some(key) => key.identity(),
            None => Identity::derive(seed, self.number),
        })
    }
}

impl Plan {
    /// Which kind session number `session` of the whole plan is: in every 100 sessions the shares are exact, in an order
    /// drawn from the seed.
    pub fn mix_of(&self, session: u64) -> &Mix {
        let index = if self.mixes.len() == 1 {
            0
        } else {
            self.kind_in_block(session / 100, session % 100)
        };
        &self.mixes[index.min(self.mixes.len() - 1)]
    }

    fn kind_in_block(&self, block: u64, place: u64) -> usize {
        let mut kinds = [0_usize; 100];
        let each = self
            .mixes
            .iter()
            .enumerate()
            .flat_map(|(i, m)| std::iter::repeat_n(i, m.per_hundred as usize));
        for (slot, kind) in kinds.iter_mut().zip(each) {
            *slot = kind;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(block);
        kinds.shuffle(&mut rng);
        usize::try_from(place)
            .ok()
            .and_then(|p| kinds.get(p).copied())
            .unwrap_or(0)
    }

    /// Everything about session number `session` of the whole plan.
    pub fn session(&self, session: u64) -> SessionSettings<'_> {
        let mix = self.mix_of(session);
        let credential = mix.credentials.get(session);
        let role = credential.role().unwrap_or(mix.role);
        let settings = mix.settings(role);
        let device = (mix.dialect == Dialect::Openclaw
            && (credential.device().is_some()
                // A setup code is for a device.
                || credential.bootstrap_token().is_some()
                || settings.identity == IdentityKind::Ed25519))
            .then(|| (self.seed, credential.device()));
        SessionSettings {
            number: session,
            mix,
            credential,
            role,
            client_id: credential.client_id().unwrap_or(&settings.client_id),
            client_mode: &settings.client_mode,
            scopes: credential.scopes().unwrap_or(&settings.scopes),
            client_version: credential.client_version().unwrap_or(&mix.client_version),
            device,
        }
    }
}

/// Shares of 100 from weights, by largest remainder. `None` for a kind that would get nothing.
pub(super) fn shares_of_hundred(weights: &[f64]) -> Vec<Option<u32>> {
    let sum: f64 = weights.iter().sum();
    let exact: Vec<f64> = weights.iter().map(|w| w / sum * 100.0).collect();
    let mut shares: Vec<u32> = exact.iter().map(|e| whole(*e)).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|a, b| {
        let rest = |i: &usize| exact[*i] - exact[*i].floor();
        rest(b).total_cmp(&rest(a))
    });
    let missing = 100_u32.saturating_sub(shares.iter().sum());
    for &i in order.iter().take(missing as usize) {
        shares[i] += 1;
    }
    shares.into_iter().map(|s| (s > 0).then_some(s)).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=100"
)]
fn whole(x: f64) -> u32 {
    // A hair more, so that 30 % of 100 is 30 whatever floating point makes of it.
    (x + 1e-9).clamp(0.0, 100.0) as u32
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn fingerprint<S: serde::Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::fingerprint).serialize(serializer)
}

/// Seconds, or null.
pub(super) mod optional_seconds {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::time::Duration;

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(in crate::plan) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(|d| d.as_secs_f64()).serialize(s)
    }

    pub(in crate::plan) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<Duration>, D::Error> {
        Option::<f64>::deserialize(d)?
            .map(Duration::try_from_secs_f64)
            .transpose()
            .map_err(serde::de::Error::custom)
    }
}

//! What it means: the validated plan of a run.
//!
//! [`Plan`] is what flags, scenario, files and environment come to. Everything after reads it and nothing else; no field
//! is left to mean "default". In JSON it is the result's `plan`, where secrets are fingerprints; [`WirePlan`] is the form
//! with the secrets, for the pipe to a worker process.

mod address;
mod bind;
mod environment;
mod error;
mod load;
mod mix;
mod otlp;
mod output;
mod pairing;
mod resolve;
mod sessions;
mod show;
mod target;
mod wire;

pub use address::{check_address, is_local_or_private};
pub use bind::{BindError, BindRange};
pub use environment::Environment;
pub use error::{PlanError, UsageError};
pub use mix::{
    Call, ClwWire, Flaw, Hold, IdentityKind, Mix, Plugin, Reading, Role, RoleSettings, SessionSettings,
};
pub use otlp::{OtlpEndpoint, OtlpError};
pub use output::{Destination, Outputs, Telemetry, parse_listen};
pub use pairing::{Pairing, PairingMode, Prefer};
pub use resolve::args_to_plan;
pub use show::{describe, headline};
pub use target::{Pin, PinError, Target, TargetError, TargetPlan, TlsSettings};
pub use wire::{WireError, WirePlan};

use clw_core::Dialect;
use clw_core::impair::Spec;
use clw_core::pacing::{Load, LoadError, Schedule, Shard, seconds};
use clw_core::secret::Secret;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The plan of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What is loaded, unless a mix says otherwise.
    pub target: TargetPlan,
    /// The dialect, unless a mix says otherwise.
    pub dialect: Dialect,
    /// How much.
    pub load: Load,
    /// This process's share (with all its workers).
    pub shard: Shard,
    /// Worker processes.
    pub workers: Workers,
    /// Kinds of sessions; one if there is no scenario.
    pub mixes: Vec<Mix>,
    /// Names of the calls, by [`Call::label`].
    pub call_names: Vec<String>,
    /// What a dropped session does.
    pub reconnect: Reconnect,
    /// Approval and tokens of devices.
    #[serde(default)]
    pub pairing: Pairing,
    /// The bad network inside the process.
    pub impair: Spec,
    /// Threshold expressions as written.
    pub thresholds: Vec<String>,
    /// Where results go.
    pub outputs: Outputs,
    /// Source addresses asked for; empty: chosen when the limits are known.
    pub binds: Vec<BindRange>,
    /// TLS.
    pub tls: TlsSettings,
    /// How long sessions get to end gracefully when the run is over or interrupted.
    #[serde(rename = "drain_s", with = "seconds")]
    pub drain: Duration,
    /// For everything random.
    pub seed: u64,
    /// Whether addresses outside loopback and private networks may be loaded.
    pub allow_remote: bool,
    /// What every client does wrong on purpose.
    #[serde(default)]
    pub flaw: Option<Flaw>,
    /// Faults for the embedded gateway, as written.
    pub faults: Vec<String>,
    /// More options for the embedded gateway.
    #[serde(default)]
    pub gateway: Vec<String>,
    /// The token that the embedded gateway accepts.
    #[serde(
        serialize_with = "fingerprint",
        skip_deserializing,
        default = "no_secret",
        rename = "embedded_token"
    )]
    pub embedded_token: Secret,
    /// What was typed, with secrets as fingerprints; empty where nothing was.
    #[serde(default)]
    pub command: String,
    /// What was decided that the user may not expect, for the summary.
    pub notes: Vec<String>,
}

/// How many worker processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workers {
    /// As many as the limits demand.
    Auto,
    /// This many.
    Exactly(u32),
}

/// What a dropped session does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconnect {
    /// Whether it connects again at all.
    pub enabled: bool,
    /// How many times in a row.
    pub retries: u32,
    /// Longest wait before the first attempt; it doubles with each.
    #[serde(rename = "backoff_s", with = "seconds")]
    pub backoff: Duration,
    /// Longest wait of all.
    #[serde(rename = "backoff_max_s", with = "seconds")]
    pub backoff_max: Duration,
}

impl Plan {
    /// The schedule of the whole plan (not only of this shard).
    pub fn schedule(&self) -> Result<Schedule, LoadError> {
        Schedule::new(&self.load, self.seed)
    }

    /// Whether an embedded gateway is needed.
    pub fn wants_embedded(&self) -> bool {
        self.mixes.iter().any(|m| m.target == TargetPlan::Embedded)
    }

    /// Puts the address of the embedded gateway of a dialect where it was still open.
    pub fn embedded_at(&mut self, dialect: Dialect, address: std::net::SocketAddr) {
        let target = TargetPlan::At(Target::embedded(dialect, address));
        if self.target == TargetPlan::Embedded && self.dialect == dialect {
            self.target = target.clone();
        }
        for mix in &mut self.mixes {
            if mix.target == TargetPlan::Embedded && mix.dialect == dialect {
                mix.target = target.clone();
            }
        }
    }

    /// The same plan for worker `part` of `parts` of this process.
    pub fn for_worker(&self, part: u32, parts: u32) -> Result<Self, clw_core::pacing::ShardError> {
        Ok(Self {
            shard: self.shard.split(part, parts)?,
            workers: Workers::Exactly(1),
            ..self.clone()
        })
    }
}

fn fingerprint<S: serde::Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&secret.fingerprint())
}

fn no_secret() -> Secret {
    Secret::new("")
}

//! The tables of a scenario, as written.

use super::value::{DurationValue, HeartbeatValue, SecretText};
use crate::plan::{ClwWire, Flaw, IdentityKind, PairingMode, Plugin, Prefer, Reading, Role};
use clw_core::Dialect;
use clw_core::impair::Spec;
use clw_core::pacing::{Arrivals, Load, Stage, Target};
use serde::Deserialize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// A whole scenario.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// For people.
    pub description: Option<String>,
    /// As `--seed`.
    pub seed: Option<Spanned<u64>>,
    /// How much.
    pub load: Option<Spanned<LoadTable>>,
    /// Kinds of sessions.
    #[serde(default)]
    pub session: Vec<Spanned<SessionTable>>,
    /// What must hold.
    pub thresholds: Option<Thresholds>,
    /// The bad network.
    pub impair: Option<ImpairTable>,
    /// What dropped sessions do.
    pub reconnect: Option<ReconnectTable>,
    /// Approval of devices.
    pub pairing: Option<PairingTable>,
    /// The embedded gateway; without meaning where a URL is loaded.
    pub gateway: Option<GatewayTable>,
}

/// `[load]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadTable {
    /// `closed` or `open`; said by the other fields too, so it may be left out.
    pub model: Option<ModelName>,
    /// As `--sessions`.
    pub sessions: Option<u32>,
    /// As `--total`.
    pub total: Option<u64>,
    /// As `--duration`.
    pub duration: Option<DurationValue>,
    /// As `--rate`.
    pub rate: Option<f64>,
    /// As `--ramp`.
    pub ramp: Option<DurationValue>,
    /// As `--arrivals`.
    pub arrivals: Option<Arrivals>,
    /// Instead of all but `model` and `arrivals`.
    pub stages: Option<Vec<Spanned<StageTable>>>,
}

/// Names of the load models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelName {
    /// Sessions at once.
    Closed,
    /// Starts a second.
    Open,
}

/// One of `stages`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageTable {
    /// How long it takes to get there.
    pub duration: DurationValue,
    /// Sessions at its end.
    pub sessions: Option<u32>,
    /// Or starts a second at its end.
    pub rate: Option<f64>,
}

/// `[[session]]`. What is not given comes from the flags and their defaults.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionTable {
    /// For messages and results.
    pub name: Option<String>,
    /// Share, in relation to the other mixes' weights; 1 if left out.
    pub weight: Option<Spanned<f64>>,
    /// Another target than the run's.
    pub url: Option<Spanned<String>>,
    /// As `--dialect`.
    pub dialect: Option<Spanned<Dialect>>,
    /// As `--role`.
    pub role: Option<Role>,
    /// As `--identity`.
    pub identity: Option<IdentityKind>,
    /// As `--credentials`.
    pub credentials: Option<PathBuf>,
    /// As `--token-file`.
    pub token_file: Option<PathBuf>,
    /// As `--scopes`.
    pub scopes: Option<Vec<String>>,
    /// As `--client-id`.
    pub client_id: Option<String>,
    /// As `--client-mode`.
    pub client_mode: Option<String>,
    /// As `--client-version`.
    pub client_version: Option<String>,
    /// As `--user-agent`.
    pub user_agent: Option<String>,
    /// As `--wire`.
    pub wire: Option<ClwWire>,
    /// As `--plugin`.
    pub plugin: Option<Plugin>,
    /// As `--reading`.
    pub reading: Option<Reading>,
    /// As `--resume`.
    pub resume: Option<bool>,
    /// As `--udp-heartbeat`.
    pub udp_heartbeat: Option<bool>,
    /// As `--tcp-keepalive`.
    pub tcp_keepalive: Option<HeartbeatValue>,
    /// As `--prefer-ipv4`.
    pub prefer_ipv4: Option<bool>,
    /// As `--token-command`.
    pub token_command: Option<SecretText>,
    /// `false` as `--no-refresh`.
    pub refresh: Option<bool>,
    /// The `Origin` header [for clients of a browser: the target's own page].
    pub origin: Option<String>,
    /// The close code with which sessions leave: 1000, which is the default, or 1001.
    pub leave_code: Option<Spanned<u16>>,
    /// As `--platform`.
    pub platform: Option<String>,
    /// As `--device-family`.
    pub device_family: Option<String>,
    /// As `--prefer`.
    pub prefer: Option<Prefer>,
    /// As `--flaw`.
    pub flaw: Option<Flaw>,
    /// As `--hold`.
    pub hold: Option<DurationValue>,
    /// As `--timeout`.
    pub timeout: Option<DurationValue>,
    /// As `--heartbeat`.
    pub heartbeat: Option<HeartbeatValue>,
    /// As `--heartbeat-timeout`.
    pub heartbeat_timeout: Option<DurationValue>,
    /// Requests.
    #[serde(default)]
    pub calls: Vec<Spanned<CallTable>>,
}

/// One of `calls`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallTable {
    /// Method.
    pub method: String,
    /// Under which name it is counted [the method].
    pub name: Option<String>,
    /// Parameters.
    #[serde(default)]
    pub params: serde_json::Map<String, serde_json::Value>,
    /// Period; without it the call is made once.
    pub every: Option<DurationValue>,
    /// The first one, counted from ready [`every`, or 0 without it].
    pub first_after: Option<DurationValue>,
}

/// `[thresholds]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Expressions, as `--threshold`.
    #[serde(default)]
    pub require: Vec<String>,
}

/// `[impair]`: the keys of `--impair`, each a text.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImpairTable {
    delay: Option<Spanned<String>>,
    jitter: Option<Spanned<String>>,
    loss: Option<Spanned<String>>,
    rate: Option<Spanned<String>>,
    stall: Option<Spanned<String>>,
    reset: Option<Spanned<String>>,
}

/// `[pairing]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairingTable {
    /// As `--pairing`.
    pub mode: Option<PairingMode>,
    /// As `--pairing-timeout`.
    pub timeout: Option<DurationValue>,
}

/// `[gateway]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayTable {
    /// As `--fault`.
    #[serde(default)]
    pub faults: Vec<String>,
    /// As `--gateway`.
    #[serde(default)]
    pub options: Vec<String>,
}

/// `[reconnect]`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconnectTable {
    /// As `--reconnect` [true: the table is there].
    pub enabled: Option<bool>,
    /// As `--retries`.
    pub retries: Option<u32>,
    /// As `--backoff`.
    pub backoff: Option<DurationValue>,
    /// As `--backoff-max`.
    pub backoff_max: Option<DurationValue>,
}

type Problem = (Range<usize>, String);

impl Scenario {
    /// The bad network.
    pub fn impair(&self) -> Option<Spec> {
        self.impair.as_ref()?.spec().ok()
    }

    /// Finds what the types alone cannot.
    pub(super) fn check(&self) -> Result<(), Problem> {
        if let Some(load) = &self.load {
            load.get_ref().check(load.span())?;
        }
        if let Some(seed) = &self.seed
            && *seed.get_ref() > (1 << 53) - 1
        {
            return Err((seed.span(), format!("accepted is 0 to {}", (1_u64 << 53) - 1)));
        }
        if let Some(impair) = &self.impair {
            impair.spec()?;
        }
        let mut names: Vec<&str> = Vec::new();
        for session in &self.session {
            let table = session.get_ref();
            if let Some(name) = &table.name {
                if names.contains(&name.as_str()) {
                    return Err((session.span(), format!("two mixes have the name `{name}`")));
                }
                names.push(name);
            }
            let sources = [
                table.credentials.is_some(),
                table.token_file.is_some(),
                table.token_command.is_some(),
            ];
            if sources.into_iter().filter(|given| *given).count() > 1 {
                let problem = "give one of `credentials`, `token_file` and `token_command`".to_owned();
                return Err((session.span(), problem));
            }
            table.check()?;
        }
        Ok(())
    }

    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        for session in &mut self.session {
            let table = session.get_mut();
            for path in [&mut table.credentials, &mut table.token_file]
                .into_iter()
                .flatten()
            {
                *path = folder.join(&*path);
            }
        }
    }
}

impl LoadTable {
    fn check(&self, span: Range<usize>) -> Result<(), Problem> {
        let fail = |problem: &str| Err((span.clone(), format!("[load]: {problem}")));
        if let Some(stages) = &self.stages {
            if self.sessions.is_some()
                || self.total.is_some()
                || self.duration.is_some()
                || self.rate.is_some()
                || self.ramp.is_some()
            {
                return fail("`stages` stand instead of sessions, total, duration, rate and ramp");
            }
            for stage in stages {
                let table = stage.get_ref();
                if table.sessions.is_some() == table.rate.is_some() {
                    return Err((stage.span(), "a stage has either `sessions` or `rate`".to_owned()));
                }
            }
            let load = self.staged().map(|load| load.validate());
            if let Some(Err(error)) = load {
                return fail(&error.to_string());
            }
        }
        if self.total.is_some() && self.duration.is_some() {
            return fail("give `total` or `duration`, not both");
        }
        if self.rate.is_some() && self.sessions.is_some() {
            return fail("give `rate` (open model) or `sessions` (closed model), not both");
        }
        let rates = self.rate.is_some() || self.stages_are_rates();
        let slots = self.sessions.is_some() || (self.stages.is_some() && !self.stages_are_rates());
        match self.model {
            Some(ModelName::Closed) if rates => fail("the closed model has `sessions`, not `rate`"),
            Some(ModelName::Open) if slots => fail("the open model has `rate`, not `sessions`"),
            Some(ModelName::Open) if !rates => fail("the open model needs `rate` or stages with `rate`"),
            _ => Ok(()),
        }
    }

    fn stages_are_rates(&self) -> bool {
        self.stages
            .as_ref()
            .and_then(|s| s.first())
            .is_some_and(|s| s.get_ref().rate.is_some())
    }

    /// The load that the stages make, if there are any.
    pub fn staged(&self) -> Option<Load> {
        let stages = self
            .stages
            .as_ref()?
            .iter()
            .map(|stage| {
                let table = stage.get_ref();
                let target = match (table.sessions, table.rate) {
                    (Some(sessions), _) => Target::Sessions(sessions),
                    (None, rate) => Target::Rate(rate.unwrap_or_default()),
                };
                Stage {
                    duration: table.duration.0,
                    target,
                }
            })
            .collect();
        Some(Load::Staged {
            stages,
            arrivals: self.arrivals.unwrap_or_default(),
        })
    }
}

impl SessionTable {
    fn check(&self) -> Result<(), Problem> {
        if let Some(weight) = &self.weight
            && !(*weight.get_ref() > 0.0 && weight.get_ref().is_finite())
        {
            return Err((weight.span(), "accepted is a number above 0".to_owned()));
        }
        if let Some(dialect) = &self.dialect
            && !matches!(
                dialect.get_ref(),
                Dialect::Openclaw | Dialect::Clw | Dialect::Clawchat
            )
        {
            return Err((
                dialect.span(),
                format!(
                    "{} is none that sessions can speak: accepted are openclaw, clw, clawchat",
                    dialect.get_ref()
                ),
            ));
        }
        if let Some(code) = &self.leave_code
            && !matches!(code.get_ref(), 1000 | 1001)
        {
            return Err((
                code.span(),
                "accepted are 1000 and 1001: other codes are no graceful leave".to_owned(),
            ));
        }
        for call in &self.calls {
            let table = call.get_ref();
            if table.method.trim().is_empty() {
                return Err((call.span(), "a call needs a method".to_owned()));
            }
            if table.every.is_some_and(|e| e.0.is_zero()) {
                return Err((
                    call.span(),
                    "`every` is 0: accepted is a longer period, such as \"5s\"".to_owned(),
                ));
            }
        }
        Ok(())
    }
}

impl ImpairTable {
    fn spec(&self) -> Result<Spec, Problem> {
        let mut spec = Spec::default();
        let keys = [
            ("delay", &self.delay),
            ("jitter", &self.jitter),
            ("loss", &self.loss),
            ("rate", &self.rate),
            ("stall", &self.stall),
            ("reset", &self.reset),
        ];
        for (key, value) in keys {
            if let Some(value) = value {
                spec.set(key, value.get_ref())
                    .map_err(|e| (value.span(), e.to_string()))?;
            }
        }
        let span = self.jitter.as_ref().map_or(0..0, Spanned::span);
        spec.validate().map_err(|e| (span, e.to_string()))?;
        Ok(spec)
    }
}

//! The plan with its secrets, for the pipe to a worker process: never on a command line, never in a file.

use super::{Plan, TargetPlan};
use crate::credentials::{Credentials, LineError};
use clw_core::secret::Secret;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use thiserror::Error;

/// A plan and, beside it, what its JSON form leaves out. One JSON object.
#[derive(Serialize, Deserialize)]
pub struct WirePlan {
    plan: Plan,
    embedded_token: String,
    admin_token: Option<String>,
    next_token: Option<String>,
    /// Of each mix.
    token_commands: Vec<Option<String>>,
    /// Real paths (with query) of the targets: the plan's first, then one a mix.
    paths: Vec<Option<String>>,
    /// Different pools of identities.
    pools: Vec<Vec<String>>,
    /// Which pool each mix has.
    pool_of_mix: Vec<usize>,
}

/// A message that is no plan. Says where, not what, since it may hold secrets.
#[derive(Debug, Error)]
pub enum WireError {
    /// Not the JSON that was expected.
    #[error("the plan handed to the worker cannot be read (line {line}, column {column})")]
    Json {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// An identity that cannot be read.
    #[error("an identity handed to the worker cannot be read: {0}")]
    Identity(#[from] LineError),
    /// Parts that do not fit each other.
    #[error("the plan handed to the worker is incomplete")]
    Incomplete,
}

impl WirePlan {
    /// Packs a plan.
    pub fn new(plan: &Plan) -> Self {
        let mut pools = Vec::new();
        let mut known: HashMap<Vec<String>, usize> = HashMap::new();
        let pool_of_mix = plan
            .mixes
            .iter()
            .map(|mix| {
                let lines = mix.credentials.expose_lines();
                *known.entry(lines).or_insert_with_key(|lines| {
                    pools.push(lines.clone());
                    pools.len() - 1
                })
            })
            .collect();
        let clear = |secret: Option<&Secret>| secret.map(|secret| secret.expose().to_owned());
        let path = |target: &TargetPlan| match target {
            TargetPlan::At(target) => Some(target.path.clone()),
            TargetPlan::Embedded => None,
        };
        Self {
            embedded_token: plan.embedded_token.expose().to_owned(),
            admin_token: clear(plan.pairing.admin_token.as_ref()),
            next_token: clear(plan.pairing.next_token.as_ref()),
            token_commands: plan
                .mixes
                .iter()
                .map(|mix| Some(mix.token_command.as_ref()?.expose().to_owned()))
                .collect(),
            paths: std::iter::once(&plan.target)
                .chain(plan.mixes.iter().map(|m| &m.target))
                .map(path)
                .collect(),
            plan: plan.clone(),
            pools,
            pool_of_mix,
        }
    }

    /// As JSON, to be written to the worker's standard input.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Back from [`WirePlan::to_json`].
    pub fn unpack(json: &[u8]) -> Result<Plan, WireError> {
        let packed: Self = serde_json::from_slice(json).map_err(|e| WireError::Json {
            line: e.line(),
            column: e.column(),
        })?;
        packed.into_plan()
    }

    /// Puts the plan together again.
    pub fn into_plan(self) -> Result<Plan, WireError> {
        let Self {
            mut plan,
            embedded_token,
            admin_token,
            next_token,
            token_commands,
            paths,
            pools,
            pool_of_mix,
        } = self;
        if pool_of_mix.len() != plan.mixes.len()
            || token_commands.len() != plan.mixes.len()
            || paths.len() != plan.mixes.len() + 1
            || plan.mixes.is_empty()
        {
            return Err(WireError::Incomplete);
        }
        plan.embedded_token = Secret::new(embedded_token);
        plan.pairing.admin_token = admin_token.map(Secret::new);
        plan.pairing.next_token = next_token.map(Secret::new);
        let pools: Result<Vec<Credentials>, LineError> = pools
            .iter()
            .map(|lines| Credentials::from_exposed(lines))
            .collect();
        let pools = pools?;
        for (mix, pool) in plan.mixes.iter_mut().zip(pool_of_mix) {
            mix.credentials = pools.get(pool).ok_or(WireError::Incomplete)?.clone();
        }
        for (mix, command) in plan.mixes.iter_mut().zip(token_commands) {
            mix.token_command = command.map(Secret::new);
        }
        let targets = std::iter::once(&mut plan.target).chain(plan.mixes.iter_mut().map(|m| &mut m.target));
        for (target, path) in targets.zip(paths) {
            if let (TargetPlan::At(target), Some(path)) = (target, path) {
                target.path = path;
            }
        }
        Ok(plan)
    }
}

impl std::fmt::Debug for WirePlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WirePlan").field(&self.plan).finish()
    }
}

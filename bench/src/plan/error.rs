//! What is wrong with what was asked.

use super::otlp::OtlpError;
use super::target::TargetError;
use crate::credentials::CredentialsError;
use crate::scenario::ScenarioError;
use clw_core::impair::SpecError;
use clw_core::pacing::{LoadError, ShardError};
use std::net::IpAddr;
use thiserror::Error;

/// A plan that cannot be made.
#[derive(Debug, Error)]
pub enum PlanError {
    /// Flags.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The scenario file.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A file of tokens or credentials.
    #[error("{flag}: {error}")]
    Credentials {
        /// Which flag or field named the file.
        flag: &'static str,
        /// What is wrong.
        error: CredentialsError,
    },
}

impl PlanError {
    /// The exit code: 2, usage.
    pub const fn exit_code(&self) -> u8 {
        2
    }
}

/// Flags that do not fit. Every message names the flag and what is accepted.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum UsageError {
    /// Two flags that exclude each other.
    #[error("{a} and {b} exclude each other: {why}")]
    Conflict {
        /// One flag.
        a: &'static str,
        /// The other one.
        b: &'static str,
        /// Why, and what to do.
        why: &'static str,
    },
    /// A value out of range.
    #[error("{flag} {given}: accepted is {accepted}")]
    Range {
        /// Which flag.
        flag: &'static str,
        /// As given.
        given: String,
        /// What would do.
        accepted: &'static str,
    },
    /// A flag without the one that it belongs to.
    #[error("{flag} needs {needs}")]
    Needs {
        /// Which flag.
        flag: &'static str,
        /// What is missing.
        needs: &'static str,
    },
    /// A flag of another dialect.
    #[error("{flag} is for --dialect {of}; no session of this run speaks it")]
    OtherDialect {
        /// Which flag.
        flag: &'static str,
        /// The dialect that it is for.
        of: &'static str,
    },
    /// A load that cannot be scheduled.
    #[error("{flags}: {error}")]
    Load {
        /// Flags (or the scenario's table) that asked for it.
        flags: &'static str,
        /// What is wrong.
        error: LoadError,
    },
    /// The target.
    #[error("{0}")]
    Target(#[from] TargetError),
    /// An address outside loopback and private networks.
    #[error(
        "{host} is {ip}, which is neither a loopback nor a private address: a load test needs its owner's word; \
         with that, add --allow-remote"
    )]
    Remote {
        /// As given.
        host: String,
        /// The address.
        ip: IpAddr,
    },
    /// The bad network.
    #[error("--impair: {0}")]
    Impair(#[from] SpecError),
    /// Where figures are to be pushed to.
    #[error("--otlp: {0}")]
    Otlp(#[from] OtlpError),
    /// The share of the plan.
    #[error("{flag}: {error}")]
    Shard {
        /// Where it was given.
        flag: &'static str,
        /// What is wrong.
        error: ShardError,
    },
    /// The environment of an indexed job.
    #[error(
        "JOB_COMPLETION_INDEX={index} is set, but {problem}: set JOB_COMPLETIONS to the number of completions of the \
         job, or give --shard I/N (--shard 0/1 for the whole plan)"
    )]
    Job {
        /// The index as set.
        index: String,
        /// What is wrong.
        problem: String,
    },
}

//! Subcommands.

use super::flags::{ColorChoice, parse_seed};
use clap::{Args, ValueEnum};
use clw_core::Dialect;
use std::path::PathBuf;

/// What clw-bench does besides a run.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Subcommand {
    /// Print an entry of the dictionary: symptoms, causes, evidence to look for, fixes.
    Explain(ExplainArgs),
    /// Cause a verdict with the embedded gateway, show it, and say what fixes it.
    Reproduce(ReproduceArgs),
    /// Say what changed between two results, and whether it is more than noise.
    Compare(CompareArgs),
    /// Join the results of several processes, exactly.
    Merge(MergeArgs),
    /// A worker process of a run; started by clw-bench itself, reads its plan from standard input.
    #[command(hide = true)]
    Worker(WorkerArgs),
}

/// The dialects that this version can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DialectArg {
    /// The OpenClaw gateway protocol.
    Openclaw,
    /// The CLW auth protocol.
    Clw,
    /// ClawChat protocol v2.
    Clawchat,
}

impl From<DialectArg> for Dialect {
    fn from(arg: DialectArg) -> Self {
        match arg {
            DialectArg::Openclaw => Self::Openclaw,
            DialectArg::Clw => Self::Clw,
            DialectArg::Clawchat => Self::Clawchat,
        }
    }
}

/// `clw-bench explain`.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// A verdict such as clw-heartbeat-miss, a close code such as 1008, or an error name of a gateway. Without one: the list.
    #[arg(value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Print the whole dictionary as a page of Markdown.
    #[arg(long, conflicts_with_all = ["topic", "json"], help_heading = "Output")]
    pub markdown: bool,
    /// Write the entry as JSON to F (`-`: standard output).
    #[arg(long, value_name = "F", help_heading = "Output")]
    pub json: Option<String>,
    /// When to use colour.
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "General"
    )]
    pub color: ColorChoice,
}

/// `clw-bench reproduce`.
#[derive(Clone, Debug, Args)]
pub struct ReproduceArgs {
    /// The verdict to cause, such as clw-handshake-timeout.
    #[arg(value_name = "VERDICT", required_unless_present = "list")]
    pub verdict: Option<String>,
    /// List what can be reproduced: dialect and verdict, a line each.
    #[arg(long, help_heading = "General")]
    pub list: bool,
    /// With which dialect; by default the first that has this verdict.
    #[arg(long, value_enum, value_name = "D", help_heading = "Target")]
    pub dialect: Option<DialectArg>,
    /// For everything random.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = parse_seed, help_heading = "General")]
    pub seed: u64,
    /// Write the result as JSON to F (`-`: standard output).
    #[arg(long, value_name = "F", help_heading = "Output")]
    pub json: Option<String>,
    /// Write each connection as the client saw it to F, to be joined with a capture (clw-analyze --journal).
    #[arg(long, value_name = "F", help_heading = "Output")]
    pub journal: Option<std::path::PathBuf>,
    /// When to use colour.
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "General"
    )]
    pub color: ColorChoice,
}

/// `clw-bench compare`.
#[derive(Clone, Debug, Args)]
pub struct CompareArgs {
    /// The result before.
    #[arg(value_name = "A.json")]
    pub before: PathBuf,
    /// The result after.
    #[arg(value_name = "B.json")]
    pub after: PathBuf,
    /// Write the comparison as JSON to F (`-`: standard output).
    #[arg(long, value_name = "F", help_heading = "Output")]
    pub json: Option<String>,
    /// When to use colour.
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "General"
    )]
    pub color: ColorChoice,
}

/// `clw-bench merge`.
#[derive(Clone, Debug, Args)]
pub struct MergeArgs {
    /// Results of the shards.
    #[arg(value_name = "FILES", required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// Write the joined result to F (`-`: standard output).
    #[arg(long, value_name = "F", help_heading = "Output")]
    pub json: Option<String>,
    /// Fail (exit code 99) if this does not hold for the joined result; repeatable.
    #[arg(long, value_name = "EXPR", help_heading = "Output")]
    pub threshold: Vec<String>,
    /// When to use colour.
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "General"
    )]
    pub color: ColorChoice,
}

/// `clw-bench worker`: the plan comes through standard input, so that nothing secret is on a command line.
#[derive(Clone, Copy, Debug, Args)]
pub struct WorkerArgs {
    /// Which worker, from 0; for messages.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub index: u32,
}

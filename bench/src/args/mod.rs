//! What was typed: the command line of clw-bench.
//!
//! `Args` says only what was given; what it means is decided once, in [`crate::plan::args_to_plan`].

mod call;
mod command;
mod flags;
mod help;
mod pairing;
mod typed;

pub use call::{CallArg, CallError};
pub use command::{
    CompareArgs, DialectArg, ExplainArgs, MergeArgs, ReproduceArgs, Subcommand, SweepArgs, SweepBy,
    WorkerArgs,
};
pub use flags::{
    ArrivalsArg, ColorChoice, DistributedArgs, GeneralArgs, Generate, IdentityArgs, LoadArgs, NetworkArgs,
    OnOff, OptionalPeriod, OutputArgs, ResilienceArgs, SessionArgs, TargetArgs,
};
pub use help::generate;
pub use pairing::PairingArgs;
pub use typed::{shown, without_secrets};

use clap::Parser;

/// Load generator for authenticated WebSocket sessions.
#[derive(Clone, Debug, Default, Parser)]
#[command(
    name = "clw-bench",
    version,
    about = "Loads a gateway with authenticated WebSocket sessions and names every ending",
    long_about = "Loads a gateway with authenticated WebSocket sessions and names every ending.\n\n\
        Without a URL it starts an embedded gateway on a free loopback port and loads that. Without -c, -n, -d and -r it \
        runs 100 sessions, 10 at once.",
    after_help = "More: clw-bench --help · clw-bench explain VERDICT · clw-bench reproduce VERDICT",
    after_long_help = help::AFTER_LONG_HELP,
    disable_help_flag = true,
    disable_version_flag = true,
    args_conflicts_with_subcommands = true,
    subcommand_help_heading = "Commands",
    disable_help_subcommand = true,
    max_term_width = 110
)]
pub struct Args {
    /// What is loaded.
    #[command(flatten)]
    pub target: TargetArgs,
    /// How much.
    #[command(flatten)]
    pub load: LoadArgs,
    /// What a session does.
    #[command(flatten)]
    pub session: SessionArgs,
    /// Who it is.
    #[command(flatten)]
    pub identity: IdentityArgs,
    /// Its device.
    #[command(flatten)]
    pub pairing: PairingArgs,
    /// How it gets there.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// What it does when it is dropped.
    #[command(flatten)]
    pub resilience: ResilienceArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Processes.
    #[command(flatten)]
    pub distributed: DistributedArgs,
    /// The rest.
    #[command(flatten)]
    pub general: GeneralArgs,
    /// Instead of a run.
    #[command(subcommand)]
    pub command: Option<Subcommand>,
}

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
    /// Find out which network sessions survive: a grid of conditions and clients, and the point at which it breaks.
    Sweep(SweepArgs),
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

/// `--help` of a subcommand: the program's own is not handed down.
#[derive(Clone, Debug, Args)]
pub struct HelpArgs {
    /// Print help.
    #[arg(short, long, action = clap::ArgAction::Help, help_heading = "General")]
    help: Option<bool>,
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
    /// Help.
    #[command(flatten)]
    pub help: HelpArgs,
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
    /// Capture the packets to F: runs in a network namespace of its own (Linux; tcpdump, ip, unshare).
    #[arg(long, value_name = "F", help_heading = "Output")]
    pub capture: Option<std::path::PathBuf>,
    /// When to use colour.
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "General"
    )]
    pub color: ColorChoice,
    /// Help.
    #[command(flatten)]
    pub help: HelpArgs,
}

const SWEEP_HELP: &str = "\
Examples:
  At which loss do heartbeats go missing, with and without reconnects:
    clw-bench sweep --x loss=0%,1%,2%,5%,10% --y delay=0ms,200ms -d 20s --html loss.html \\
      --client 'plain=' --client 'hardened=--reconnect on' -- --dialect clw
  The longest outage that sessions survive:
    clw-bench sweep --find outage=500ms..20s --holds 'error_rate<1%' -d 40s -- --dialect clw --reconnect on

Exit codes: 0 measured · 1 nothing could be measured · 2 usage · 130 interrupted; what was measured is written";

/// `clw-bench sweep`.
#[derive(Clone, Debug, Args)]
#[command(after_help = SWEEP_HELP)]
pub struct SweepArgs {
    /// Across: loss, delay, jitter or outage, and its values, such as loss=0%,2%,5%.
    #[arg(long, value_name = "DIM=VALUES", help_heading = "What is varied")]
    pub x: Option<crate::sweep::Axis>,
    /// Down.
    #[arg(long, value_name = "DIM=VALUES", help_heading = "What is varied")]
    pub y: Option<crate::sweep::Axis>,
    /// A client's settings: a name, and flags of clw-bench; repeatable. Each has a grid of its own.
    #[arg(long, value_name = "NAME=FLAGS", help_heading = "What is varied")]
    pub client: Vec<String>,
    /// Look for the largest value at which --holds holds, on each row and for each client, such as loss=0%..30%.
    #[arg(long, value_name = "DIM=LOW..HIGH", help_heading = "What is varied")]
    pub find: Option<crate::sweep::Range>,
    /// What must hold.
    #[arg(
        long,
        value_name = "EXPR",
        default_value = "uptime>=99%",
        help_heading = "What is varied"
    )]
    pub holds: String,
    /// Halvings of the range.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=20), help_heading = "What is varied")]
    pub steps: u32,

    /// Sessions in each cell.
    #[arg(
        short = 'c',
        long,
        value_name = "N",
        default_value_t = 50,
        help_heading = "Cells"
    )]
    pub sessions: u32,
    /// How long they are held in each cell.
    #[arg(short = 'd', long, value_name = "T", default_value = "20s", value_parser = clw_core::units::parse_duration, help_heading = "Cells")]
    pub duration: std::time::Duration,
    /// What makes the network bad: the kernel's netem in namespaces (root, Linux), or this process.
    #[arg(
        long,
        value_enum,
        value_name = "BY",
        default_value = "auto",
        help_heading = "Cells"
    )]
    pub by: SweepBy,
    /// The script netem-scripts/netem, where it is not found by itself.
    #[arg(long, value_name = "F", help_heading = "Cells")]
    pub netem_script: Option<PathBuf>,
    /// For everything random.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = parse_seed, help_heading = "Cells")]
    pub seed: u64,
    /// Say what would be run, and how long it would take.
    #[arg(long, help_heading = "Cells")]
    pub dry_run: bool,
    /// What every cell is called with: flags of clw-bench.
    #[arg(last = true, value_name = "FLAGS", help_heading = "Cells")]
    pub flags: Vec<String>,

    /// Write the result as JSON to F (`-`: standard output).
    #[arg(long, value_name = "F", help_heading = "Output")]
    pub json: Option<String>,
    /// Write a heat map with the numbers in its cells to F.
    #[arg(long, value_name = "F", help_heading = "Output")]
    pub html: Option<String>,
    /// No progress, no table.
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
    /// Help.
    #[command(flatten)]
    pub help: HelpArgs,
}

/// `--by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SweepBy {
    /// netem where that works, else impair; the result says which.
    Auto,
    /// Real packets in namespaces.
    Netem,
    /// Inside this process.
    Impair,
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
    /// Help.
    #[command(flatten)]
    pub help: HelpArgs,
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
    /// Write a page to send to somebody to F (`-`: standard output).
    #[arg(long, value_name = "F", help_heading = "Output")]
    pub html: Option<String>,
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
    /// Help.
    #[command(flatten)]
    pub help: HelpArgs,
}

/// `clw-bench worker`: the plan comes through standard input, so that nothing secret is on a command line.
#[derive(Clone, Copy, Debug, Args)]
pub struct WorkerArgs {
    /// Which worker, from 0; for messages.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub index: u32,
}

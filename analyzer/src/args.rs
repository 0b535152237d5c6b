//! What was typed: the command line of clw-analyze.

use crate::engine::Timeline;
use crate::filter::Filter;
use clap::{CommandFactory as _, Parser, ValueEnum};
use clap_complete::Shell;
use clw_core::Dialect;
use clw_core::threshold::Threshold;
use clw_core::verdict::Verdict;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

const AFTER_LONG_HELP: &str = "\
Examples:
  What happened in a capture, and who did it:
    clw-analyze incident.pcapng
  A rotated set as one capture, result as JSON:
    clw-analyze /var/captures/ --json result.json
  While it is being captured:
    tcpdump -i any -w - 'port 18789' | clw-analyze -
  One connection, packet by packet:
    clw-analyze incident.pcapng --conn 12
  Only sessions that lost their heartbeats, as a table:
    clw-analyze incident.pcapng --verdict clw-heartbeat-miss --csv -
  A capture without secrets, to attach to a report:
    clw-analyze scrub incident.pcapng public.pcapng
  Fail a pipeline:
    clw-analyze nightly.pcap --threshold 'error_rate<1%' --threshold clw-injected-reset==0

Exit codes:
  0   done, and every threshold held
  1   failed at run time (unreadable capture …)
  2   usage
  99  a threshold was crossed
  130 interrupted; what was read is reported";

/// Names how every session in a capture ended, and proves it.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "clw-analyze",
    version,
    about = "Names how every session in a capture ended, and proves it",
    after_help = "More: clw-analyze --help",
    after_long_help = AFTER_LONG_HELP,
    disable_help_flag = true,
    disable_version_flag = true,
    max_term_width = 110,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
pub struct Args {
    /// Something else than an analysis. (A capture called scrub is ./scrub.)
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Captures: pcap or pcapng, .gz and .zst too; a folder; `-` for standard input. Several are one capture in time order.
    #[arg(
        value_name = "FILE",
        required_unless_present = "generate",
        help_heading = "Input"
    )]
    pub files: Vec<PathBuf>,
    /// TLS secrets in SSLKEYLOGFILE form, to see inside wss. Secrets in a pcapng are used by themselves.
    #[arg(long, value_name = "F", help_heading = "Input")]
    pub keylog: Option<PathBuf>,
    /// What clw-bench saw of the same sessions (its --journal): agreement session by session.
    #[arg(long, value_name = "F", help_heading = "Input")]
    pub journal: Option<PathBuf>,
    /// The gateway's own log: joined by address and port.
    #[arg(long, value_name = "F", help_heading = "Input")]
    pub log: Option<PathBuf>,
    /// The same sessions captured at the other side: who sent the RST, where packets were lost.
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub peer: Option<PathBuf>,
    /// Open connections remembered at most; past it the oldest idle one is given up, and the report says so.
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Input")]
    pub max_open: u32,
    /// MiB held back at most until missing packets, or the ends of records and messages, come; past it the oldest are given up as lost.
    /// Text that compressed messages may refer to counts an eighth.
    #[arg(long, value_name = "MIB", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Input")]
    pub max_held: u16,

    /// Only connections with this port on either side.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "What to look at")]
    pub port: Option<u16>,
    /// What WebSockets speak, where the bytes do not tell.
    #[arg(long, value_name = "D", help_heading = "What to look at")]
    pub dialect: Option<DialectArg>,
    /// Only connections for which this holds, such as 'duration_ms<100 and dialect==openclaw'.
    #[arg(long, value_name = "EXPR", help_heading = "What to look at")]
    pub filter: Option<Filter>,
    /// Only sessions that ended so; repeatable.
    #[arg(long, value_name = "V", value_parser = verdict, help_heading = "What to look at")]
    pub verdict: Vec<Verdict>,
    /// One connection's timeline as a ladder, by its id or by an address and port of either side.
    #[arg(long, value_name = "ID|IP:PORT", value_parser = timeline, help_heading = "What to look at")]
    pub conn: Option<Timeline>,
    /// A heartbeat gap is a silence longer than X times the usual period.
    #[arg(long, value_name = "X", default_value_t = 1.5, value_parser = factor, help_heading = "What to look at")]
    pub heartbeat_factor: f64,

    /// The result as one JSON object (`clw.analyze/1`); `-` is standard output.
    #[arg(long, value_name = "F", help_heading = "Output")]
    pub json: Option<PathBuf>,
    /// One connection a line, as soon as it is judged.
    #[arg(long, value_name = "F", help_heading = "Output")]
    pub jsonl: Option<PathBuf>,
    /// One connection a row.
    #[arg(long, value_name = "F", help_heading = "Output")]
    pub csv: Option<PathBuf>,
    /// A report in one file to send to somebody; readable without a network.
    #[arg(long, value_name = "F", help_heading = "Output")]
    pub html: Option<PathBuf>,
    /// Tables in DIR, one a day, as DuckDB or Spark read a folder of them.
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub parquet: Option<PathBuf>,
    /// What must hold, such as error_rate<1% or clw-injected-reset==0; repeatable. Exit code 99 if it does not.
    #[arg(long, value_name = "EXPR", value_parser = threshold, help_heading = "Output")]
    pub threshold: Vec<Threshold>,

    /// When to use colour.
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = "General")]
    pub color: ColorArg,
    /// No progress, no report.
    #[arg(short, long, help_heading = "General")]
    pub quiet: bool,
    /// More sessions, with all of their evidence.
    #[arg(short, long, help_heading = "General")]
    pub verbose: bool,
    /// Print completions, the man page, or a Wireshark dissector for CLW.
    #[arg(long, value_name = "WHAT", help_heading = "General")]
    pub generate: Option<Generate>,
    /// Print help (-h: short).
    #[arg(short, long, action = clap::ArgAction::Help, help_heading = "General")]
    help: Option<bool>,
    /// Print version.
    #[arg(short = 'V', long, action = clap::ArgAction::Version, help_heading = "General")]
    version: Option<bool>,
}

/// What clw-analyze does besides an analysis.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Write a capture without tokens, keys and message bodies, fit to be attached to a report.
    Scrub(ScrubArgs),
}

const SCRUB_LONG_HELP: &str = "\
What stays: addresses, sizes, times, TCP and WebSocket headers, HTTP paths and the headers of the upgrade, the structure of \
JSON with its numbers, and the words that tell what a message is and why something failed (type, event, code, reason …).
What goes: every other text, header and payload, byte for byte; TLS secrets and comments in a pcapng. TLS records stay: they \
are ciphertext. Addresses, user agents, client and device ids are not touched: look whether they may be seen.

Exit codes: 0 written · 1 failed, nothing written · 2 usage";

/// `clw-analyze scrub`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = SCRUB_LONG_HELP)]
pub struct ScrubArgs {
    /// The capture: pcap or pcapng, .gz and .zst too.
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// The scrubbed one; packed if it ends in .gz or .zst; `-` is standard output.
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// No summary.
    #[arg(short, long, help_heading = "General")]
    pub quiet: bool,
    /// Print help.
    #[arg(short, long, action = clap::ArgAction::Help, help_heading = "General")]
    help: Option<bool>,
}

/// `--dialect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DialectArg {
    /// OpenClaw gateway protocol.
    Openclaw,
    /// CLW auth protocol.
    Clw,
    /// ClawChat protocol v2.
    Clawchat,
    /// WebSocket without a login.
    Websocket,
}

impl From<DialectArg> for Dialect {
    fn from(dialect: DialectArg) -> Self {
        match dialect {
            DialectArg::Openclaw => Self::Openclaw,
            DialectArg::Clw => Self::Clw,
            DialectArg::Clawchat => Self::Clawchat,
            DialectArg::Websocket => Self::Websocket,
        }
    }
}

/// `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorArg {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl From<ColorArg> for clw_core::text::Color {
    fn from(color: ColorArg) -> Self {
        match color {
            ColorArg::Auto => Self::Auto,
            ColorArg::Always => Self::Always,
            ColorArg::Never => Self::Never,
        }
    }
}

/// What `--generate` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Generate {
    /// Completions for bash.
    CompletionsBash,
    /// Completions for elvish.
    CompletionsElvish,
    /// Completions for fish.
    CompletionsFish,
    /// Completions for PowerShell.
    CompletionsPowershell,
    /// Completions for zsh.
    CompletionsZsh,
    /// The man page.
    Man,
    /// A Wireshark dissector for CLW, in Lua.
    WiresharkLua,
}

fn verdict(text: &str) -> Result<Verdict, String> {
    Verdict::from_name(text)
        .or_else(|| Verdict::from_name(&format!("clw-{text}")))
        .ok_or_else(|| format!("`{text}` is no verdict; `clw-bench explain` lists them"))
}

fn timeline(text: &str) -> Result<Timeline, String> {
    if let Ok(id) = text.trim_start_matches('#').parse() {
        return Ok(Timeline::Id(id));
    }
    text.parse::<SocketAddr>()
        .map(Timeline::Address)
        .map_err(|_| format!("`{text}` is neither a connection's id nor an IP:PORT"))
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor > 1.0 => Ok(factor),
        _ => Err(format!(
            "`{text}` is no factor: give a number above 1, such as 1.5"
        )),
    }
}

fn threshold(text: &str) -> Result<Threshold, String> {
    Threshold::parse(text).map_err(|error| error.to_string())
}

/// Prints completions or the man page.
pub fn generate(what: Generate, out: &mut dyn io::Write) -> io::Result<()> {
    let mut command = Args::command();
    let shell = match what {
        Generate::Man => return clap_mangen::Man::new(command).render(out),
        Generate::WiresharkLua => return out.write_all(include_bytes!("../wireshark/clw.lua")),
        Generate::CompletionsBash => Shell::Bash,
        Generate::CompletionsElvish => Shell::Elvish,
        Generate::CompletionsFish => Shell::Fish,
        Generate::CompletionsPowershell => Shell::PowerShell,
        Generate::CompletionsZsh => Shell::Zsh,
    };
    // Into memory first: the generator panics when its writer fails, and a closed pipe is no error.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, "clw-analyze", &mut text);
    out.write_all(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_a_heading() {
        Args::command().debug_assert();
        for argument in Args::command().get_arguments() {
            assert!(argument.get_help_heading().is_some(), "{}", argument.get_id());
        }
    }
}

//! What was typed: the command line of clw-tui. What it means is decided in [`crate::plan`].

use clap::{CommandFactory as _, Parser, ValueEnum};
use clw_analyzer::args::DialectArg;
use clw_core::units::parse_duration;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Live dashboard for authenticated WebSocket sessions.
#[derive(Clone, Debug, Default, Parser)]
#[command(
    name = "clw-tui",
    version,
    about = "Shows error rates of authenticated WebSocket sessions as they happen, and names every ending",
    after_help = "Examples:\n  \
        clw-bench -c 500 -d 10m --telemetry :9100 &\n  \
        clw-tui --attach :9100\n  \
        clw-tui --attach load-1:9100 --attach load-2:9100    several generators, added up\n  \
        clw-tui --replay run.journal --speed 8\n  \
        clw-tui --replay incident.pcapng.gz                  the sessions in a capture\n  \
        sudo clw-tui --capture eth0 --port 18789             a gateway that nobody loads, by its packets\n  \
        sudo tcpdump -U -w - | clw-tui --capture -\n  \
        CLW_TOKEN=… clw-tui --probe ws://127.0.0.1:18789     three canary sessions of its own\n  \
        clw-tui --log gateway.log                            endings by the gateway's own words\n  \
        clw-tui --attach :9100 --once                        one frame as text, for scripts",
    disable_help_flag = true,
    disable_version_flag = true,
    max_term_width = 110
)]
pub struct Args {
    /// Attach to a running clw-bench --telemetry: HOST:PORT, :PORT or the path of a Unix socket; repeatable.
    #[arg(long, value_name = "ADDR|PATH", help_heading = "Source")]
    pub attach: Vec<String>,
    /// Replay a journal (clw-bench --journal), a saved telemetry stream or a capture (pcap, pcapng); .gz and .zst too.
    #[arg(long, value_name = "FILE", help_heading = "Source", conflicts_with = "attach")]
    pub replay: Option<PathBuf>,
    /// Follow the sessions in the packets of an interface, of all (any), or of a capture on standard input (-).
    #[arg(long, value_name = "IFACE|-", help_heading = "Source", conflicts_with_all = ["attach", "replay"])]
    pub capture: Option<String>,
    /// Follow the gateway's own log (clw-gateway or OpenClaw), as tail -F does.
    #[arg(long, value_name = "FILE", help_heading = "Source", conflicts_with_all = ["attach", "replay", "capture"])]
    pub log: Option<PathBuf>,
    /// Hold a few sessions of its own against a gateway, to tell a gateway's fault from a user's network; alone, or beside
    /// --attach. The token comes from CLW_TOKEN or --token-file.
    #[arg(long, value_name = "URL", help_heading = "Source", conflicts_with_all = ["replay", "capture", "log"])]
    pub probe: Option<String>,
    /// How many [default: 3].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100), requires = "probe", help_heading = "Source")]
    pub probe_sessions: Option<u32>,
    /// The probe's token.
    #[arg(long, value_name = "F", requires = "probe", help_heading = "Source")]
    pub token_file: Option<PathBuf>,
    /// The probe's target is no loopback or private address, and its owner agrees.
    #[arg(long, requires = "probe", help_heading = "Source")]
    pub allow_remote: bool,
    /// Packets: only connections with this port, whatever they speak [default: gateways, recognised on any port].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Source", conflicts_with = "attach")]
    pub port: Option<u16>,
    /// Packets: what connections speak where nothing in the packets tells.
    #[arg(
        long,
        value_enum,
        value_name = "D",
        help_heading = "Source",
        conflicts_with = "attach"
    )]
    pub dialect: Option<DialectArg>,

    /// Show what tc does to an interface: NETNS/IF, or IF here.
    #[arg(
        long,
        value_name = "NETNS/IF",
        help_heading = "Network",
        conflicts_with = "replay"
    )]
    pub netem: Option<String>,
    /// Change it by keys, through netem-scripts/netem; undone on every way out.
    #[arg(long, requires = "netem", help_heading = "Network")]
    pub allow_netem: bool,
    /// The netem script [default: netem-scripts/netem above clw-tui, or netem on the PATH].
    #[arg(long, value_name = "F", requires = "allow_netem", help_heading = "Network")]
    pub netem_script: Option<PathBuf>,
    /// The interface is no namespace's that netem run made: shaping it can cut you off, and you know.
    #[arg(long, requires = "allow_netem", help_heading = "Network")]
    pub i_know: bool,

    /// Begin T into the recording.
    #[arg(long, value_name = "T", value_parser = parse_duration, requires = "replay", help_heading = "Replay")]
    pub at: Option<Duration>,
    /// Times faster than it happened: 1, 2, 4 … 128 [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=128), requires = "replay", help_heading = "Replay")]
    pub speed: Option<u32>,
    /// Begin paused.
    #[arg(long, requires = "replay", help_heading = "Replay")]
    pub paused: bool,

    /// Print one frame as text and leave.
    #[arg(long, help_heading = "Output")]
    pub once: bool,
    /// As a picture (SVG) instead of text.
    #[arg(long, requires = "once", help_heading = "Output")]
    pub svg: bool,
    /// Size of that frame, from 60x20 [default: the terminal's, or 100x40].
    #[arg(long, value_name = "WxH", requires = "once", help_heading = "Output")]
    pub size: Option<String>,
    /// The page of that frame [default: overview].
    #[arg(long, value_name = "PAGE", requires = "once", help_heading = "Output")]
    pub page: Option<String>,
    /// The longest wait for the first data of a source with --once [default: 5s].
    #[arg(long, value_name = "T", value_parser = parse_duration, requires = "once", help_heading = "Output")]
    pub wait: Option<Duration>,
    /// Folder for what the keys e and s write [default: .].
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub export_dir: Option<PathBuf>,

    /// Colours [default: what the terminal can show].
    #[arg(long, value_enum, value_name = "THEME", help_heading = "Looks")]
    pub theme: Option<ThemeArg>,
    /// Leave the mouse to the terminal: otherwise its wheel scrolls and selects.
    #[arg(long, help_heading = "Looks")]
    pub no_mouse: bool,
    /// Colour: auto heeds NO_COLOR and what the terminal is.
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        help_heading = "Looks"
    )]
    pub color: ColorArg,

    /// Nothing on standard error but errors.
    #[arg(short, long, help_heading = "General")]
    pub quiet: bool,
    /// Say more on standard error: with --once, what becomes of each source.
    #[arg(short, long, help_heading = "General")]
    pub verbose: bool,
    /// Print a completion script or the manual page.
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        help_heading = "General",
        exclusive = true
    )]
    pub generate: Option<Generate>,
    /// Print help.
    #[arg(short, long, action = clap::ArgAction::Help, help_heading = "General")]
    help: Option<bool>,
    /// Print version.
    #[arg(short = 'V', long, action = clap::ArgAction::Version, help_heading = "General")]
    version: Option<bool>,
}

/// Sets of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ThemeArg {
    /// For a dark background.
    Dark,
    /// For a light background.
    Light,
    /// Told apart with any colour vision.
    ColourBlind,
    /// The terminal's own 16.
    #[value(name = "16")]
    Sixteen,
    /// None: bold, reverse and words.
    None,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorArg {
    /// Where the terminal can and NO_COLOR is not set.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// Never.
    Never,
}

/// What can be generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Generate {
    /// For bash.
    CompletionsBash,
    /// For fish.
    CompletionsFish,
    /// For zsh.
    CompletionsZsh,
    /// Manual page.
    Man,
}

/// Writes a completion script or the manual page.
pub fn generate(what: Generate, out: &mut impl io::Write) -> io::Result<()> {
    use clap_complete::Shell;
    let mut command = Args::command();
    let shell = match what {
        Generate::CompletionsBash => Shell::Bash,
        Generate::CompletionsFish => Shell::Fish,
        Generate::CompletionsZsh => Shell::Zsh,
        Generate::Man => return clap_mangen::Man::new(command).render(out),
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "clw-tui", &mut script);
    out.write_all(&script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound_and_every_flag_has_a_heading() {
        let command = Args::command();
        command.clone().debug_assert();
        for argument in command.get_arguments() {
            assert!(argument.get_help_heading().is_some(), "{}", argument.get_id());
        }
    }
}

//! The flags of a run, by heading.

use super::call::CallArg;
use super::command::DialectArg;
use crate::plan::{
    BindRange, ClwWire, Destination, Flaw, IdentityKind, Pin, Plugin, Reading, Role, Telemetry, parse_listen,
};
use clap::{ArgAction, Args, ValueEnum};
use clw_core::impair::Spec;
use clw_core::pacing::{Arrivals, Shard};
use clw_core::secret::Secret;
use clw_core::units::{UnitError, parse_duration};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// What is loaded.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Target")]
pub struct TargetArgs {
    /// ws://HOST:PORT/PATH or wss://…, port and path may be left out; without it an embedded gateway is started and loaded.
    ///
    /// The port defaults to the dialect's: 18789 (openclaw), 4433 (clw), 39002 (clawchat).
    #[arg(value_name = "URL")]
    pub url: Option<String>,
    /// What the sessions speak [default: openclaw].
    #[arg(long, value_enum, value_name = "D", hide_possible_values = false)]
    pub dialect: Option<DialectArg>,
    /// Load an address that is neither loopback nor private: the target's owner has agreed.
    #[arg(long)]
    pub allow_remote: bool,
    /// Do not check the server's certificate.
    #[arg(long)]
    pub insecure: bool,
    /// Accept only a certificate with this SHA-256 (64 hex digits, of the DER form); repeatable.
    #[arg(long, value_name = "HEX")]
    pub pin_sha256: Vec<Pin>,
    /// Trust the certificate authorities in F (PEM) as well.
    #[arg(long, value_name = "F")]
    pub tls_ca: Option<PathBuf>,
    /// Write TLS secrets to F in SSLKEYLOGFILE form, to decrypt captures.
    #[arg(long, value_name = "F")]
    pub keylog: Option<PathBuf>,
    /// More options for the embedded gateway, such as '--clw-queue 2048 --clw-service 2ms'; repeatable.
    ///
    /// clw-gateway --help lists them.
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    pub gateway: Vec<String>,
    /// A fault of the embedded gateway, such as clw-heartbeat-miss:5% or rst:5%@ready+10s; repeatable.
    ///
    /// The grammar is that of clw-gateway --fault.
    #[arg(long, value_name = "SPEC")]
    pub fault: Vec<String>,
}

/// How much.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Load")]
pub struct LoadArgs {
    /// Sessions open at once (closed model) [default: 10].
    #[arg(short = 'c', long, value_name = "N")]
    pub sessions: Option<u32>,
    /// Sessions to run in all: connect, authenticate, hold, log out [default: 10 × -c, unless -d].
    #[arg(short = 'n', long, value_name = "N")]
    pub total: Option<u64>,
    /// Keep it up for T after the ramp, instead of -n.
    #[arg(short = 'd', long, value_name = "T", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// Start N sessions a second, finished or not (open model); needs -n or -d.
    #[arg(short = 'r', long, value_name = "N")]
    pub rate: Option<f64>,
    /// Time to reach -c (session i starts at i × T / c) or -r (the rate grows in a straight line) [default: 0].
    #[arg(long, value_name = "T", value_parser = parse_duration)]
    pub ramp: Option<Duration>,
    /// Spacing of the starts in the open model [default: constant].
    #[arg(long, value_enum, value_name = "A")]
    pub arrivals: Option<ArrivalsArg>,
    /// A scenario file (TOML): stages, mixes of roles and credentials, calls, thresholds. Flags win over it.
    #[arg(long, value_name = "F")]
    pub scenario: Option<PathBuf>,
}

/// What a session does.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Sessions")]
pub struct SessionArgs {
    /// Time that each session stays after it is ready [default: 0; with -c and -d: to the end].
    #[arg(long, value_name = "T", value_parser = parse_duration)]
    pub hold: Option<Duration>,
    /// Period of the client's heartbeat, or off: a WebSocket ping (openclaw), AUTH_PING (clw), as --plugin says (clawchat)
    /// [default: 25s openclaw, 2s clw, 20s clawchat].
    #[arg(long, value_name = "T|off")]
    pub heartbeat: Option<OptionalPeriod>,
    /// The wait for a heartbeat's answer [default: 10s, clw 3s].
    #[arg(long, value_name = "T", value_parser = parse_duration)]
    pub heartbeat_timeout: Option<Duration>,
    /// The wait for connect and authentication together [default: 15s openclaw, 5s clw, 10s clawchat].
    #[arg(long, value_name = "T", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// A request that every session makes: once, or every PERIOD; repeatable (openclaw, clawchat).
    ///
    /// PARAMS is a JSON object: --call health=5s --call 'status=1m:{"deep":true}'. Each method has its own latency in the
    /// result.
    #[arg(long, value_name = "METHOD[=PERIOD][:PARAMS]")]
    pub call: Vec<CallArg>,
    /// Version of the CLW wire to speak [default: 2.2].
    #[arg(long, value_enum, value_name = "V")]
    pub wire: Option<ClwWire>,
    /// Heartbeats as UDP datagrams beside the stream's, where the gateway offers them (clw) [default: on].
    ///
    /// The stream decides whether a session lives; datagrams that go out and are not answered are counted as one-way losses. With
    /// the embedded gateway, `on` makes it offer them.
    #[arg(long, value_enum, value_name = "on|off")]
    pub udp_heartbeat: Option<OnOff>,
    /// Whether a dropped session that connects again goes on with its old session id (clw) [default: on].
    #[arg(long, value_enum, value_name = "on|off")]
    pub resume: Option<OnOff>,
    /// Which ClawChat client the sessions are like: openclaw pings in JSON and gives up with 4000, hermes with WebSocket pings and
    /// 1011 [default: openclaw].
    #[arg(long, value_enum, value_name = "P")]
    pub plugin: Option<Plugin>,
    /// How a ClawChat client reads a hello-fail: seed (by parts of the text) or current (exactly) [default: seed].
    #[arg(long, value_enum, value_name = "R")]
    pub reading: Option<Reading>,
    /// Let tokens expire instead of renewing them (clw, clawchat).
    #[arg(long)]
    pub no_refresh: bool,
    /// How long sessions get to log out at the end of the run, or after Ctrl-C [default: 5s].
    #[arg(long, value_name = "T", value_parser = parse_duration)]
    pub drain: Option<Duration>,
    /// The User-Agent of the upgrade (and openclaw's userAgent) [default: clw-bench/VERSION].
    #[arg(long, value_name = "S")]
    pub user_agent: Option<String>,
    /// What every client does wrong, to see what a gateway makes of it.
    #[arg(long, value_enum, value_name = "F")]
    pub flaw: Option<Flaw>,
}

/// Who a session is.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Identity")]
pub struct IdentityArgs {
    /// Token of all sessions; others on this machine can read it in the process list, so prefer --token-file or CLW_TOKEN.
    ///
    /// [env: CLW_TOKEN] [default with the embedded gateway: derived from --seed, accepted by that gateway]
    #[arg(long, value_name = "S", value_parser = parse_secret)]
    pub token: Option<Secret>,
    /// Read the token from F (the line end is left out).
    #[arg(long, value_name = "F")]
    pub token_file: Option<PathBuf>,
    /// Ask CMD for a token each time a session needs a new one: at a login, a reconnect, a refresh (openclaw, clw).
    ///
    /// CMD is run by /bin/sh, eight at once for each kind of session and worker, and has 10 s to print one line. It finds
    /// CLW_CLIENT_ID, CLW_SESSION (a number) and CLW_REASON (login, reconnect, refresh) in its environment. A clw token must
    /// be new each time.
    #[arg(long, value_name = "CMD", value_parser = parse_secret)]
    pub token_command: Option<Secret>,
    /// Password of all sessions (openclaw).
    #[arg(long, value_name = "S", value_parser = parse_secret)]
    pub password: Option<Secret>,
    /// Token of a paired device (openclaw).
    #[arg(long, value_name = "S", value_parser = parse_secret)]
    pub device_token: Option<Secret>,
    /// Identities from F, one JSON object a line, used in turn.
    ///
    /// Fields, all optional: token, password, device_token, setup_code, bootstrap_token, seed or private_key (Ed25519), client_id, role,
    /// scopes, client_version.
    #[arg(long, value_name = "F")]
    pub credentials: Option<PathBuf>,
    /// OpenClaw role [default: operator].
    #[arg(long, value_enum, value_name = "R")]
    pub role: Option<Role>,
    /// Device identity: none, or an Ed25519 key for each session, derived from the seed [default: none; ed25519 for nodes].
    #[arg(long, value_enum, value_name = "I")]
    pub identity: Option<IdentityKind>,
    /// For everything random: identities, arrivals, mixes, faults. The same seed gives the same run [default: 1].
    #[arg(long, value_name = "N", value_parser = parse_seed)]
    pub seed: Option<u64>,
    /// Scopes to ask for, separated by commas (openclaw) [default: operator.read; none for nodes].
    #[arg(long, value_name = "S,…")]
    pub scopes: Option<String>,
    /// client.id (openclaw) [default: gateway-client; node-host for nodes], client_id (clw) [default: clw-bench].
    #[arg(long, value_name = "S")]
    pub client_id: Option<String>,
    /// client.mode (openclaw) [default: backend; node for nodes].
    #[arg(long, value_name = "S")]
    pub client_mode: Option<String>,
    /// The version that the client says it has [default: 1.0.0 openclaw; 2.2.0 or 2.1.4 clw, by --wire].
    #[arg(long, value_name = "V")]
    pub client_version: Option<String>,
}

/// How a session gets there.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Network")]
pub struct NetworkArgs {
    /// Source addresses, to go past 28 000 sessions a target; repeatable.
    ///
    /// With a loopback target and more than 8000 sessions, addresses of 127.0.0.0/8 are used by themselves.
    #[arg(long, value_name = "A[-B]", value_delimiter = ',')]
    pub bind: Vec<BindRange>,
    /// Use the IPv4 addresses of a name that has both, as IPv4 addresses in --bind do; without it IPv6 is preferred, and IPv4
    /// used if IPv6 is refused.
    #[arg(long)]
    pub prefer_ipv4: bool,
    /// Probe connections that were idle for T, every T, and give them up after three probes without an answer, or off
    /// [default: clw 10s, else off].
    #[arg(long, value_name = "T|off")]
    pub tcp_keepalive: Option<OptionalPeriod>,
    /// A bad network inside the process: delay, jitter, loss, rate, stall, reset.
    ///
    /// Such as delay=500ms,jitter=50ms,loss=1%,rate=1mbit,stall=5s/60s,reset=0.1%/min. It acts on each direction of the byte
    /// stream: loss is the wait that a retransmission costs, not a lost packet.
    #[arg(long, value_name = "SPEC")]
    pub impair: Option<Spec>,
}

/// What a session does when it is dropped.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Resilience")]
pub struct ResilienceArgs {
    /// Whether a dropped session connects again [default: off].
    #[arg(long, value_enum, value_name = "on|off", hide_possible_values = true)]
    pub reconnect: Option<OnOff>,
    /// Attempts in a row before a session is given up [default: 3].
    #[arg(long, value_name = "N")]
    pub retries: Option<u32>,
    /// The longest wait before the first attempt; it doubles with each, and the wait is drawn between 0 and it [default: 1s].
    #[arg(long, value_name = "T", value_parser = parse_duration)]
    pub backoff: Option<Duration>,
    /// The longest wait of all [default: 30s].
    #[arg(long, value_name = "T", value_parser = parse_duration)]
    pub backoff_max: Option<Duration>,
}

/// Where results go.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Write the result to F (`-`: standard output).
    #[arg(long, value_name = "F", value_parser = parse_destination)]
    pub json: Option<Destination>,
    /// Write a page to send to somebody to F: one file, no network needed.
    #[arg(long, value_name = "F", value_parser = parse_destination)]
    pub html: Option<Destination>,
    /// Write a line per interval to F.
    #[arg(long, value_name = "F", value_parser = parse_destination)]
    pub csv: Option<Destination>,
    /// Write an HDR interval log to F.
    #[arg(long, value_name = "F", value_parser = parse_destination)]
    pub hdr: Option<Destination>,
    /// Write a JSON line per session to F.
    #[arg(long, value_name = "F", value_parser = parse_destination)]
    pub journal: Option<Destination>,
    /// Serve live snapshots on a TCP address (such as :9100) or a Unix socket.
    #[arg(long, value_name = "ADDR|PATH", value_parser = parse_telemetry)]
    pub telemetry: Option<Telemetry>,
    /// Serve the figures to Prometheus at http://ADDR/metrics (such as :9464), from the start of the run to its end.
    ///
    /// Once the run is over nothing answers there any more: what must last is in --json, or pushed by --otlp.
    #[arg(long, value_name = "ADDR", value_parser = parse_metrics_address)]
    pub prometheus: Option<SocketAddr>,
    /// Push the figures to an OpenTelemetry collector (OTLP over HTTP) every second, and once more at the end.
    ///
    /// Such as http://127.0.0.1:4318; /v1/metrics is added. A collector that is away costs a warning, never the run. Headers
    /// come from OTEL_EXPORTER_OTLP_HEADERS. No load goes there, so it needs no --allow-remote.
    #[arg(long, value_name = "URL")]
    pub otlp: Option<String>,
    /// Show the dashboard of clw-tui in this terminal while the run goes on; q closes it, Ctrl-C ends the run.
    #[arg(long)]
    pub tui: bool,
    /// Fail (exit code 99) if this does not hold, such as uptime>=99.9% or ready_p99<500ms; repeatable.
    #[arg(long, value_name = "EXPR")]
    pub threshold: Vec<String>,
}

/// Processes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Distributed")]
pub struct DistributedArgs {
    /// Worker processes [default: as many as the descriptor limit demands].
    #[arg(long, value_name = "N")]
    pub workers: Option<u32>,
    /// This process's share of the plan, I from 0 to N-1; join the results with clw-bench merge.
    ///
    /// [default: from JOB_COMPLETION_INDEX and JOB_COMPLETIONS, if set]
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
}

/// The rest.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "General")]
pub struct GeneralArgs {
    /// Print the plan and the schedule, and load nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// When to use colour (NO_COLOR is heeded).
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    /// No progress and no summary.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more; -vv says most.
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// Print shell completions or the man page.
    #[arg(long, value_name = "completions-SHELL|man", hide_possible_values = true)]
    pub generate: Option<Generate>,
    /// Print help; -h is shorter.
    #[arg(short, long, action = ArgAction::Help)]
    help: Option<bool>,
    /// Print version.
    #[arg(short = 'V', long, action = ArgAction::Version)]
    version: Option<bool>,
}

/// Spacing of starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ArrivalsArg {
    /// Evenly spaced.
    Constant,
    /// Independent, with exponential gaps.
    Poisson,
}

impl From<ArrivalsArg> for Arrivals {
    fn from(arg: ArrivalsArg) -> Self {
        match arg {
            ArrivalsArg::Constant => Self::Constant,
            ArrivalsArg::Poisson => Self::Poisson,
        }
    }
}

/// on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnOff {
    /// On.
    On,
    /// Off.
    Off,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    /// Whether to colour what goes to `output`.
    pub fn is_wanted(self, output: &impl std::io::IsTerminal) -> bool {
        let color = match self {
            Self::Auto => clw_core::text::Color::Auto,
            Self::Always => clw_core::text::Color::Always,
            Self::Never => clw_core::text::Color::Never,
        };
        color.is_wanted(output.is_terminal(), std::env::var_os("NO_COLOR").as_deref())
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
}

/// A period, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionalPeriod(pub Option<Duration>);

/// A period that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}, or `off`")]
pub struct PeriodError(UnitError);

impl FromStr for OptionalPeriod {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        if text == "off" {
            return Ok(Self(None));
        }
        parse_duration(text).map(|d| Self(Some(d))).map_err(PeriodError)
    }
}

/// Seeds are written into JSON, where numbers over 2^53 lose digits.
pub(super) fn parse_seed(text: &str) -> Result<u64, String> {
    const MOST: u64 = (1 << 53) - 1;
    text.parse::<u64>()
        .ok()
        .filter(|seed| *seed <= MOST)
        .ok_or_else(|| format!("accepted is a whole number from 0 to {MOST}"))
}

#[expect(clippy::unnecessary_wraps, reason = "the form that the parser wants")]
pub(super) fn parse_secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

fn parse_destination(text: &str) -> Result<Destination, String> {
    if text.is_empty() {
        return Err("accepted is a path, or - for standard output".to_owned());
    }
    Ok(text.to_owned().into())
}

fn parse_metrics_address(text: &str) -> Result<SocketAddr, String> {
    parse_listen(text).map_err(|_| {
        "accepted is an address and a port such as 127.0.0.1:9464, :9464 for this machine only, or 0.0.0.0:9464 for everybody"
            .to_owned()
    })
}

fn parse_telemetry(text: &str) -> Result<Telemetry, String> {
    if text.is_empty() {
        return Err("accepted is an address such as 127.0.0.1:9100, or the path of a Unix socket".to_owned());
    }
    Ok(text.to_owned().into())
}

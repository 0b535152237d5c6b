//! The command line of clw-gateway.

mod values;

use crate::config::{ClwSettings, Config, Mode, SetupCodes};
use crate::datagrams;
use crate::fault::{FAULTS, FaultPlan, FaultSpec, Kind};
use crate::limits::raise_descriptor_limit;
use crate::process::{self, Output};
use crate::worker::worker_main;
use clap::{CommandFactory as _, Parser, ValueEnum as _};
use clw_core::Dialect;
use clw_core::secret::Secret;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use values::{DialectArg, Keepalive, ModeArg, duration, keepalive, workers};

/// An embedded gateway for authenticated WebSocket sessions, with faults on demand.
///
/// What was typed; [`Config`] is what it means.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "clw-gateway",
    version,
    about = "An embedded gateway for authenticated WebSocket sessions, with faults on demand",
    long_about = None,
    after_long_help = faults_help()
)]
struct LowArgs {
    /// Where to listen; port 0 picks one
    #[arg(
        long,
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:18789",
        help_heading = "Server"
    )]
    listen: SocketAddr,
    /// What to speak
    #[arg(long, value_enum, default_value_t = DialectArg::Openclaw, help_heading = "Server")]
    dialect: DialectArg,
    /// Processes that share the port (each may hold as many sessions as `ulimit -n`), or auto: one for each core
    #[arg(long, value_name = "N|auto", value_parser = workers, default_value = "1", help_heading = "Server")]
    workers: u32,
    /// TLS with a certificate made for the occasion
    #[arg(long, conflicts_with = "tls_cert", help_heading = "Server")]
    tls_self_signed: bool,
    /// TLS with this certificate chain (PEM)
    #[arg(long, value_name = "F", requires = "tls_key", help_heading = "Server")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "F", requires = "tls_cert", help_heading = "Server")]
    tls_key: Option<PathBuf>,

    /// Shared token (clawchat: also what tokens are signed with); without token and password everybody comes in
    #[arg(
        long,
        value_name = "S",
        env = "CLW_TOKEN",
        hide_env_values = true,
        help_heading = "Who gets in"
    )]
    token: Option<String>,
    /// File that holds the shared token
    #[arg(
        long,
        value_name = "F",
        conflicts_with = "token",
        help_heading = "Who gets in"
    )]
    token_file: Option<PathBuf>,
    /// File that holds the shared token of the fault rotate-token [env: CLW_NEXT_TOKEN]
    #[arg(long, value_name = "F", help_heading = "Who gets in")]
    next_token_file: Option<PathBuf>,
    /// Issue N setup codes, each good once, for ten minutes (openclaw, --workers 1)
    #[arg(
        long,
        value_name = "N",
        requires = "setup_code_file",
        help_heading = "Who gets in"
    )]
    setup_codes: Option<u32>,
    /// Where they are written (mode 0600), a line each for clw-bench --credentials
    #[arg(
        long,
        value_name = "F",
        requires = "setup_codes",
        help_heading = "Who gets in"
    )]
    setup_code_file: Option<PathBuf>,
    /// What they are for: node hosts, or phones (a node, and an operator beside it)
    #[arg(long, value_name = "node|phone", value_parser = ["node", "phone"], default_value = "node", help_heading = "Who gets in")]
    setup_for: String,
    /// Shared password
    #[arg(long, value_name = "S", help_heading = "Who gets in")]
    password: Option<String>,
    /// Limits: open (none), stock (as the real gateway ships), strict (and lock-out on loopback)
    #[arg(long, value_enum, default_value_t = ModeArg::Open, help_heading = "Who gets in")]
    mode: ModeArg,
    /// Sockets before ready an address; 0 is no limit [default: as the mode says]
    #[arg(long, value_name = "N", help_heading = "Who gets in")]
    preauth_budget: Option<u32>,

    /// Time from the 101 until ready [default: 15s]
    #[arg(long, value_name = "T", value_parser = duration, help_heading = "Timers")]
    handshake_timeout: Option<Duration>,
    /// Period of the tick event
    #[arg(long, value_name = "T", value_parser = duration, default_value = "30s", help_heading = "Timers")]
    tick: Duration,
    /// Time within which thousands of sessions get the same tick; 0: all at once, as the real gateway [default: a tenth of
    /// the period]
    #[arg(long, value_name = "T", value_parser = duration, help_heading = "Timers")]
    tick_spread: Option<Duration>,
    /// Period of the server's pings; 0 sends none [default: openclaw 25s, clawchat 30s]
    #[arg(long, value_name = "T", value_parser = duration, help_heading = "Timers")]
    ping: Option<Duration>,
    /// Time for which a restart refuses newcomers, as its announcement says
    #[arg(long, value_name = "T", value_parser = duration, default_value = "1500ms", help_heading = "Timers")]
    restart_for: Duration,
    /// Probe connections that were idle for T, every T, and end them after three probes without an answer
    /// [default: clw 10s, else off]
    #[arg(long, value_name = "T|off", value_parser = keepalive, help_heading = "Timers")]
    tcp_keepalive: Option<Keepalive>,
    /// Most that is kept for a client that does not read, in bytes; then 1008 "slow consumer"
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 52_428_800,
        help_heading = "Server"
    )]
    max_buffered: usize,
    /// Answer connect with a hello-ok as large as the real one (14 kB)
    #[arg(long, help_heading = "Server")]
    realistic_hello: bool,

    /// CLW: how long a token lives
    #[arg(long, value_name = "T", value_parser = duration, default_value = "300s", help_heading = "CLW dialect")]
    clw_ttl: Duration,
    /// CLW: heartbeat period told to clients; 0 asks for none
    #[arg(long, value_name = "T", value_parser = duration, default_value = "2s", help_heading = "CLW dialect")]
    clw_heartbeat: Duration,
    /// CLW: how long a client may be silent; 0: for ever
    #[arg(long, value_name = "T", value_parser = duration, default_value = "5s", help_heading = "CLW dialect")]
    clw_grace: Duration,
    /// CLW: logins that may wait; past it DISCONNECT_AUTH overload
    #[arg(
        long,
        visible_alias = "auth-queue",
        value_name = "N",
        default_value_t = 1024,
        help_heading = "CLW dialect"
    )]
    clw_queue: usize,
    /// CLW: how long the check of one login takes
    #[arg(long, visible_alias = "auth-service", value_name = "T", value_parser = duration, default_value = "0", help_heading = "CLW dialect")]
    clw_service: Duration,
    /// CLW: wire version
    #[arg(long, value_name = "V", value_parser = ["2.1", "2.2"], default_value = "2.2", help_heading = "CLW dialect")]
    clw_wire: String,
    /// CLW: take heartbeats of 2.1 clients, which carry no token_id
    #[arg(long, help_heading = "CLW dialect")]
    clw_compatible: bool,
    /// CLW: take heartbeats as UDP datagrams too, at this port [default PORT: a free one; worker n takes PORT + n]
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "0", help_heading = "CLW dialect")]
    udp_heartbeat: Option<u16>,
    /// CLW: refuse a token whose session was disconnected
    #[arg(long, help_heading = "CLW dialect")]
    clw_refuse_reuse: bool,

    /// ClawChat: notifications that each client gets replayed, and once more live, to see that it counts them once
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        help_heading = "ClawChat dialect"
    )]
    clawchat_signals: u32,

    /// What goes wrong: NAME[=VALUE][:SHARE%][@MOMENT[+DELAY]], repeatable (--help lists the names)
    #[arg(long, value_name = "SPEC", help_heading = "Faults")]
    fault: Vec<String>,
    /// TOML file of [[fault]] tables: name, share, moment, delay, from, until
    #[arg(long, value_name = "FILE", help_heading = "Faults")]
    plan: Option<PathBuf>,
    /// Seed of everything random: the same seed, the same faults
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Faults")]
    seed: u64,

    /// Log endings as the real gateway does
    #[arg(long, value_name = "F", help_heading = "Output")]
    log: Option<PathBuf>,
    /// Write the summary as JSON at the end; - is standard output
    #[arg(long, value_name = "F", help_heading = "Output")]
    json: Option<PathBuf>,
    /// Keep each ending in the JSON summary
    #[arg(long, requires = "json", help_heading = "Output")]
    endings: bool,
    /// No summary on standard error
    #[arg(short, long, help_heading = "Output")]
    quiet: bool,
    /// Log to standard error
    #[arg(short, long, help_heading = "Output")]
    verbose: bool,
    /// Colour; the output has none, the flag is there for scripts that pass it to every tool
    #[arg(long, value_name = "WHEN", value_parser = ["auto", "always", "never"], default_value = "auto", help_heading = "Output")]
    color: String,
    /// Print a completion script or the manual page
    #[arg(long, value_name = "completions-SHELL|man", help_heading = "Output")]
    generate: Option<String>,

    /// Stop when standard input ends: whoever started it is gone
    #[arg(long, hide = true, help_heading = "Server")]
    leave_with_input: bool,
    /// A worker process of another gateway
    #[arg(long, hide = true, help_heading = "Server")]
    as_worker: bool,
}

/// As many as a gateway keeps open.
const MAX_SETUP_CODES: u32 = 10_000;
/// What the CLW protocol page has for both sides.
const CLW_KEEPALIVE: Duration = Duration::from_secs(10);
fn faults_help() -> String {
    let mut help =
        "Faults (share of the sessions after a colon, moment after an @: accept, upgrade, challenge, auth, \
                    ready, with +DELAY):\n"
            .to_owned();
    for fault in FAULTS {
        let name = format!("{}{}", fault.name, fault.value);
        let only = fault.dialects_shown();
        // Writing to a String cannot fail.
        let _ = writeln!(help, "  {name:<26} {}{only}", fault.says);
    }
    help += "  a verdict's name           the fault that causes it, e.g. clw-server-restart:10%@ready+5s\n\n\
             Example: clw-gateway --token test --fault rst:5%@ready+10s --fault challenge-delay=2s:1%\n\
             Signals: SIGTERM and SIGINT close every session as the dialect does and print a summary; SIGUSR2 announces a \
             restart.";
    help
}

/// Runs the command line `args` (the first is the program's name). `reexec` are the arguments with which this executable
/// becomes a gateway again, for worker processes; none for clw-gateway itself.
pub fn run(args: impl IntoIterator<Item = OsString>, reexec: &[&str]) -> ExitCode {
    let parsed = match LowArgs::try_parse_from(args) {
        Ok(parsed) => parsed,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    if parsed.as_worker {
        return worker_main();
    }
    if let Some(what) = &parsed.generate {
        return generate(what);
    }
    let config = match config(&parsed) {
        Ok(config) => config,
        Err(message) => {
            eprintln!("clw-gateway: {message}");
            return ExitCode::from(2);
        }
    };
    let workers = match parsed.workers {
        0 => std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1)),
        n => n,
    };
    raise_descriptor_limit();
    if parsed.leave_with_input {
        process::leave_with_input();
    }
    let command = [reexec, &["--as-worker"]].concat();
    let output = Output {
        json: parsed.json,
        quiet: parsed.quiet,
    };
    match process::run(config, workers, &command, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("clw-gateway: {error}");
            ExitCode::FAILURE
        }
    }
}

fn config(args: &LowArgs) -> Result<Config, String> {
    let dialect = match args.dialect {
        DialectArg::Openclaw => Dialect::Openclaw,
        DialectArg::Clw => Dialect::Clw,
        DialectArg::Clawchat => Dialect::Clawchat,
    };
    let token = match (&args.token, &args.token_file) {
        (Some(token), _) => Some(token.clone()),
        (None, Some(path)) => Some(read_token(path)?),
        (None, None) => None,
    };
    let mut faults = Vec::new();
    for text in &args.fault {
        faults.extend(FaultSpec::parse(text, dialect).map_err(|e| format!("--fault {text}: {e}"))?);
    }
    if let Some(path) = &args.plan {
        faults.extend(FaultPlan::read_file(path, dialect).map_err(|e| format!("--plan: {e}"))?);
    }
    if dialect == Dialect::Clw && token.is_none() {
        return Err("--dialect clw needs a token: --token, --token-file or CLW_TOKEN".to_owned());
    }
    if dialect != Dialect::Openclaw && args.password.is_some() {
        return Err(format!(
            "--password means nothing to --dialect {dialect}: give a --token"
        ));
    }
    let next_token = match &args.next_token_file {
        Some(path) => Some(read_token(path).map_err(|e| e.replace("--token-file", "--next-token-file"))?),
        None => std::env::var("CLW_NEXT_TOKEN")
            .ok()
            .filter(|token| !token.is_empty()),
    };
    let rotates = faults
        .iter()
        .any(|fault| matches!(fault.kind, Kind::RotateToken(_)));
    if rotates && (next_token.is_none() || token.is_none()) {
        return Err(
            "--fault rotate-token needs two shared tokens: --token or --token-file, and --next-token-file"
                .to_owned(),
        );
    }
    if args.setup_codes.is_some() && (dialect != Dialect::Openclaw || args.workers != 1) {
        return Err(
            "--setup-codes is for --dialect openclaw and --workers 1: each worker knows only its own"
                .to_owned(),
        );
    }
    if args
        .setup_codes
        .is_some_and(|count| count == 0 || count > MAX_SETUP_CODES)
    {
        return Err(format!("--setup-codes: accepted is 1 to {MAX_SETUP_CODES}"));
    }
    if args.tick.is_zero() {
        return Err("--tick 0: accepted is a period from 1ms on".to_owned());
    }
    datagrams::check(args.udp_heartbeat, args.workers, dialect, &faults)?;
    Ok(Config {
        listen: args.listen,
        dialect,
        token: token.map(Secret::new),
        next_token: next_token.map(Secret::new),
        setup_codes: (args.setup_codes.zip(args.setup_code_file.clone())).map(|(count, file)| SetupCodes {
            count,
            for_nodes: args.setup_for == "node",
            file,
        }),
        password: args.password.clone().map(Secret::new),
        mode: match args.mode {
            ModeArg::Open => Mode::Open,
            ModeArg::Stock => Mode::Stock,
            ModeArg::Strict => Mode::Strict,
        },
        preauth_budget: args.preauth_budget,
        handshake_timeout: args.handshake_timeout,
        tick: args.tick,
        tick_spread: args.tick_spread,
        restart_for: args.restart_for,
        ping: args.ping,
        tcp_keepalive: match args.tcp_keepalive {
            Some(Keepalive(typed)) => typed,
            None => (dialect == Dialect::Clw).then_some(CLW_KEEPALIVE),
        },
        max_buffered_bytes: args.max_buffered,
        realistic_hello: args.realistic_hello,
        clw: ClwSettings {
            wire_2_1: args.clw_wire == "2.1",
            compatible: args.clw_compatible,
            ttl: args.clw_ttl,
            heartbeat: args.clw_heartbeat,
            grace: args.clw_grace,
            queue: args.clw_queue,
            service: args.clw_service,
            refuse_reuse: args.clw_refuse_reuse,
            udp_port: args.udp_heartbeat,
        },
        clawchat_signals: args.clawchat_signals,
        faults,
        seed: args.seed,
        log: args.log.clone(),
        verbose: args.verbose,
        tls: args.tls_self_signed || args.tls_cert.is_some(),
        tls_files: args.tls_cert.clone().zip(args.tls_key.clone()),
        keep_endings: args.endings,
        share_port: false,
        worker: (0, 1),
    })
}

fn read_token(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("--token-file {}: {e}", path.display()))?;
    let token = text.trim_end_matches(['\r', '\n']);
    if token.is_empty() {
        Err(format!("--token-file {}: it is empty", path.display()))
    } else {
        Ok(token.to_owned())
    }
}

fn generate(what: &str) -> ExitCode {
    let mut command = LowArgs::command();
    let mut out = Vec::new();
    if what == "man" {
        let _ = clap_mangen::Man::new(command).render(&mut out);
    } else if let Some(shell) = what
        .strip_prefix("completions-")
        .and_then(|s| clap_complete::Shell::from_str(s, true).ok())
    {
        clap_complete::generate(shell, &mut command, "clw-gateway", &mut out);
    } else {
        eprintln!(
            "clw-gateway: --generate {what}: accepted are man and completions-bash, -zsh, -fish, -elvish, -powershell"
        );
        return ExitCode::from(2);
    }
    let _ = std::io::stdout().write_all(&out);
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_a_heading() {
        LowArgs::command().debug_assert();
        for arg in LowArgs::command().get_arguments() {
            let own = matches!(arg.get_id().as_str(), "help" | "version");
            assert!(own || arg.get_help_heading().is_some(), "{}", arg.get_id());
        }
    }

    #[test]
    fn help_lists_every_fault() {
        let help = LowArgs::command().render_long_help().to_string();
        for fault in FAULTS {
            assert!(help.contains(fault.says), "{}", fault.name);
        }
    }

    fn config_of(line: &str) -> Result<Config, String> {
        let words = ["clw-gateway", "--token", "t"]
            .into_iter()
            .chain(line.split_whitespace());
        let args = LowArgs::try_parse_from(words).map_err(|e| e.to_string())?;
        config(&args)
    }

    #[test]
    fn keepalive_is_on_for_clw_and_off_for_the_others_unless_said() {
        let idle = |line: &str| config_of(line).unwrap().tcp_keepalive;
        assert_eq!(idle("--dialect clw"), Some(Duration::from_secs(10)));
        assert_eq!(idle(""), None);
        assert_eq!(idle("--dialect clw --tcp-keepalive off"), None);
        assert_eq!(idle("--tcp-keepalive 7s"), Some(Duration::from_secs(7)));
        assert!(
            config_of("--tcp-keepalive 1ms")
                .unwrap_err()
                .contains("1s to 32767s")
        );
    }

    #[test]
    fn datagrams_are_clws_and_each_worker_has_a_port() {
        let port = |line: &str| config_of(line).unwrap().clw.udp_port;
        assert_eq!(port("--dialect clw"), None);
        assert_eq!(port("--dialect clw --udp-heartbeat"), Some(0));
        assert_eq!(port("--dialect clw --udp-heartbeat 5000 --workers 4"), Some(5000));
        for (line, part) in [
            ("--udp-heartbeat", "it is CLW's"),
            (
                "--dialect clw --udp-heartbeat 65534 --workers 3",
                "the last is 65535",
            ),
            ("--dialect clw --fault udp-pong-loss", "need --udp-heartbeat"),
        ] {
            let message = config_of(line).unwrap_err();
            assert!(message.contains(part), "{line}: {message}");
        }
    }
}

//! The built binary: its one line, its signals, its messages.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use clw_core::Dialect;
use clw_core::openclaw::SetupCode;
use clw_core::verdict::{Disconnect, Verdict};
use clw_gateway::Summary;
use clw_gateway::fault::FAULTS;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::Ordering;
use support::{TOKEN, Visit, lasting_session, millis, until};

struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: SocketAddr,
    scheme: String,
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clw-gateway"));
    command
        .args(args)
        .env_remove("CLW_TOKEN")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Running {
    fn start(args: &[&str]) -> Self {
        let args = [&["--listen", "127.0.0.1:0", "--token", TOKEN], args].concat();
        let mut child = command(&args).stdin(Stdio::null()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let (scheme, address) = line
            .strip_prefix("listening ")
            .and_then(|rest| rest.trim_end().split_once("://"))
            .unwrap_or_else(|| panic!("{line:?}"));
        Self {
            address: address.parse().unwrap(),
            scheme: scheme.to_owned(),
            child,
            stdout,
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    fn workers(&self) -> Vec<Pid> {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        std::fs::read_to_string(children)
            .unwrap()
            .split_whitespace()
            .map(|pid| Pid::from_raw(pid.parse().unwrap()))
            .collect()
    }

    /// Sends the signal; what is left of standard output, and standard error.
    fn end(mut self, signal: Signal) -> (String, String) {
        kill(self.pid(), signal).unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        self.stdout.read_to_string(&mut out).unwrap();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {err}");
        (out, err)
    }

    fn end_with_json(self) -> Summary {
        serde_json::from_str(&self.end(Signal::SIGTERM).0).unwrap()
    }
}

fn fails(args: &[&str], code: i32) -> String {
    let Output { status, stderr, .. } = command(args).output().unwrap();
    let text = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(code), "{text}");
    text
}

#[test]
fn it_prints_one_line_and_on_sigterm_a_summary_by_verdict() {
    let gateway = Running::start(&[]);
    assert_eq!(gateway.scheme, "ws");
    Visit::default().to(gateway.address);
    let (out, err) = gateway.end(Signal::SIGTERM);
    assert_eq!(out, "");
    assert!(err.contains("1 connections, 1 accepted as sessions"), "{err}");
    assert!(err.contains("1  ok"), "{err}");
}

#[test]
fn setup_codes_go_into_a_file_that_only_its_owner_reads_and_nowhere_else() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("codes.jsonl");
    let file = path.to_str().unwrap();
    let gateway = Running::start(&["--setup-codes", "2", "--setup-code-file", file, "--verbose"]);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let codes: Vec<_> = text.lines().map(|line| line.split('"').nth(3).unwrap()).collect();
    assert_eq!(codes.len(), 2);
    let url = SetupCode::decode(codes[0], None).unwrap().url;
    assert_eq!(url, format!("ws://{}", gateway.address));
    let (out, err) = gateway.end(Signal::SIGTERM);
    assert!(
        codes
            .iter()
            .all(|code| !out.contains(code) && !err.contains(code))
    );
}

#[test]
fn what_devices_need_is_said() {
    let rotate = fails(&["--token", "t", "--fault", "rotate-token=1s"], 2);
    assert!(rotate.contains("--next-token-file"), "{rotate}");
    let codes = ["--setup-codes", "2", "--setup-code-file", "/no/such/folder/codes"];
    let shared = fails(&[&codes[..], &["--workers", "2"]].concat(), 2);
    assert!(shared.contains("--workers 1"), "{shared}");
    let nowhere = fails(&[&codes[..], &["--listen", "127.0.0.1:0"]].concat(), 1);
    assert!(nowhere.contains("/no/such/folder/codes"), "{nowhere}");
    assert!(fails(&["--fault", "approval:5%"], 2).contains("leave out the share"));
}

#[test]
fn ctrl_c_ends_it_as_well_and_quiet_is_quiet() {
    let gateway = Running::start(&["--quiet"]);
    assert_eq!(gateway.end(Signal::SIGINT), (String::new(), String::new()));
}

#[test]
fn sessions_that_are_open_at_sigterm_are_told() {
    let gateway = Running::start(&["--json", "-"]);
    let session = lasting_session(gateway.address);
    let summary = gateway.end_with_json();
    let seen = session.join().unwrap();
    assert_eq!(seen.shutdown_announced, Some(false));
    assert_eq!(seen.close.unwrap().code, Some(1012));
    assert_eq!(summary.count(Verdict::ServerRestart), 1);
}

#[test]
fn a_clw_gateway_says_shutdown_at_sigterm() {
    let gateway = Running::start(&["--dialect", "clw", "--json", "-"]);
    let visit = Visit {
        dialect: Dialect::Clw,
        hold: millis(60_000),
        ..Visit::default()
    };
    let (address, ready) = (gateway.address, visit.ready.clone());
    let session = std::thread::spawn(move || visit.to(address));
    until("a ready session", || ready.load(Ordering::Acquire));
    let summary = gateway.end_with_json();
    let seen = session.join().unwrap();
    assert_eq!(seen.disconnect, Some(Disconnect::Shutdown));
    assert_eq!(seen.close.unwrap().code, Some(1001));
    assert_eq!(summary.count(Verdict::ServerRestart), 1);
}

#[test]
fn sigusr2_announces_a_restart_that_refuses_newcomers() {
    let gateway = Running::start(&["--json", "-", "--restart-for", "10m"]);
    let address = gateway.address;
    let session = lasting_session(address);
    kill(gateway.pid(), Signal::SIGUSR2).unwrap();
    let seen = session.join().unwrap();
    assert_eq!(seen.shutdown_announced, Some(true));
    let meanwhile = Visit::default().to(address);
    assert_eq!(meanwhile.close.unwrap().reason, "gateway restart in progress");
    let summary = gateway.end_with_json();
    assert_eq!(summary.count(Verdict::ServerRestart), 1);
    assert_eq!(summary.count(Verdict::ServerUnavailable), 1);
}

#[test]
fn after_a_restart_it_serves_again() {
    let gateway = Running::start(&["--json", "-", "--restart-for", "100ms"]);
    let address = gateway.address;
    let session = lasting_session(address);
    kill(gateway.pid(), Signal::SIGUSR2).unwrap();
    session.join().unwrap();
    until("a session after the restart", || {
        Visit::default().to(address).refusal.is_none()
    });
    let summary = gateway.end_with_json();
    assert_eq!(summary.count(Verdict::ServerRestart), 1);
    assert_eq!(summary.count(Verdict::Ok), 1);
}

#[test]
fn workers_share_the_port_and_their_counts_add_up() {
    let gateway = Running::start(&["--workers", "3", "--json", "-", "--endings"]);
    assert_eq!(gateway.workers().len(), 3);
    let address = gateway.address;
    let visits: Vec<_> = (0..30)
        .map(|_| std::thread::spawn(move || Visit::default().to(address)))
        .collect();
    for visit in visits {
        visit.join().unwrap();
    }
    let summary = gateway.end_with_json();
    assert_eq!(
        (summary.accepted, summary.ready, summary.count(Verdict::Ok)),
        (30, 30, 30)
    );
    assert_eq!(summary.endings.len(), 30);
    assert!(summary.lost_workers.is_empty(), "{summary}");
}

#[test]
fn a_token_is_not_on_the_command_line_of_workers() {
    let gateway = Running::start(&["--workers", "2"]);
    for worker in gateway.workers() {
        let line = std::fs::read(format!("/proc/{worker}/cmdline")).unwrap();
        assert!(!String::from_utf8_lossy(&line).contains(TOKEN));
    }
    gateway.end(Signal::SIGTERM);
}

#[test]
fn workers_end_with_the_process_that_started_them() {
    let mut gateway = Running::start(&["--workers", "2"]);
    let workers = gateway.workers();
    gateway.child.kill().unwrap();
    gateway.child.wait().unwrap();
    until("the end of the workers", || {
        workers
            .iter()
            .all(|worker| !std::path::Path::new(&format!("/proc/{worker}")).exists())
    });
}

#[test]
fn the_log_has_the_real_gateways_lines() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("gateway.log");
    let gateway = Running::start(&["--log", log.to_str().unwrap(), "--handshake-timeout", "200ms"]);
    Visit::default().to(gateway.address);
    Visit {
        token: "wrong",
        ..Visit::default()
    }
    .to(gateway.address);
    let idle = std::net::TcpStream::connect(gateway.address).unwrap();
    let peer = idle.local_addr().unwrap();
    (&idle).read_to_end(&mut Vec::new()).unwrap();
    let address = gateway.address;
    gateway.end(Signal::SIGTERM);
    let text = std::fs::read_to_string(log).unwrap();
    let has = |words: &[&str]| {
        text.lines()
            .any(|line| words.iter().all(|word| line.contains(word)))
    };
    let ends = format!("peer={peer}->{address} remote=127.0.0.1");
    assert!(
        has(&["[ws] \u{2192} close code=1000", "durationMs=", "verdict=ok"]),
        "{text}"
    );
    assert!(
        has(&[
            "[ws] unauthorized conn=",
            " peer=127.0.0.1:",
            "client=gateway-client",
            "reason=token_mismatch"
        ]),
        "{text}"
    );
    assert!(
        has(&[
            "[ws] closed before connect conn=",
            "code=1008",
            "phase=auth_credentials_received",
            "cause=unauthorized",
            "ua=gateway-tests"
        ]),
        "{text}"
    );
    assert!(has(&["[ws] handshake timeout conn=", &ends]), "{text}");
    assert!(!text.contains("wrong"), "the log holds a token: {text}");
}

#[test]
fn what_cannot_be_used_is_said_with_the_reason() {
    for (args, words) in [
        (
            &["--fault", "rts"][..],
            "--fault rts: `rts` is no fault (did you mean `rst`?)",
        ),
        (&["--fault", "stall=x"], "write stall=T[/EVERY]"),
        (&["--fault", "rst:200%"], "share of the sessions"),
        (&["--plan", "/nowhere.toml"], "--plan: /nowhere.toml:"),
        (&["--token-file", "/nowhere"], "--token-file /nowhere:"),
        (&["--token", "a", "--token-file", "b"], "cannot be used with"),
        (&["--workers", "1000"], "accepted are auto and 1 to 256"),
        (&["--tick", "0"], "--tick 0"),
        (&["--tick", "soon"], "not a duration"),
        (&["--listen", "here"], "--listen"),
        (&["--dialect", "klingon"], "openclaw"),
        (&["--tls-cert", "x"], "--tls-key"),
        (&["--generate", "poetry"], "completions-bash"),
        (&["--endings"], "--json"),
        (&["--dialect", "clw"], "needs a token"),
        (
            &["--dialect", "clw", "--token", "t", "--password", "p"],
            "means nothing to --dialect clw",
        ),
        (&["--fault", "token-expire=5s"], "one of dialect clw"),
        (&["--clw-wire", "3"], "2.2"),
        (&["--mode", "soft"], "stock"),
    ] {
        let said = fails(args, 2);
        assert!(said.contains(words), "{args:?}: {said}");
    }
}

#[test]
fn a_port_that_is_taken_is_said_so() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = fails(&["--listen", &address], 1);
    assert!(
        said.contains(&address) && said.contains("choose another port"),
        "{said}"
    );
    let said = fails(&["--listen", &address, "--workers", "2"], 1);
    assert!(said.contains("choose another port"), "{said}");
    let said = fails(
        &[
            "--tls-cert",
            "/nowhere.pem",
            "--tls-key",
            "/nowhere.key",
            "--listen",
            "127.0.0.1:0",
        ],
        1,
    );
    assert!(said.contains("/nowhere.pem"), "{said}");
}

#[test]
fn help_lists_every_fault_and_every_flag_has_a_heading() {
    let out = command(&["--help"]).output().unwrap();
    let help = String::from_utf8(out.stdout).unwrap();
    for fault in FAULTS {
        assert!(
            help.contains(&format!("  {}{}", fault.name, fault.value)),
            "{}",
            fault.name
        );
    }
    assert!(out.status.success() && help.contains("Faults:") && help.contains("SIGUSR2"));
}

#[test]
fn completions_and_the_manual_page_come_from_the_same_flags() {
    for (what, words) in [
        ("man", ".TH clw-gateway"),
        ("completions-bash", "--realistic-hello"),
    ] {
        let out = command(&["--generate", what]).output().unwrap();
        assert!(out.status.success());
        assert!(String::from_utf8_lossy(&out.stdout).contains(words), "{what}");
    }
}

#[test]
fn a_worker_without_a_parent_says_what_it_is() {
    let said = fails(&["--as-worker"], 1);
    assert!(said.contains("workers are started by clw-gateway"), "{said}");
}

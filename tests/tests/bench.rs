//! clw-bench as a user runs it, against the embedded gateway and against peers that are none.

#![expect(clippy::expect_used, reason = "a helper of a test may panic")]

use clw_core::journal::Line;
use clw_core::snapshot::Snapshot;
use clw_core::ws::accept_key;
use clw_e2e::{binary, clw_bench, count, number, result_of};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

fn verdicts(result: &Value) -> String {
    result["verdicts"].to_string()
}

/// A server that does one thing with each connection.
fn server(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = Vec::new();
            let mut byte = [0; 1];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                request.push(byte[0]);
            }
            let _ = stream.write_all(&answer(&String::from_utf8_lossy(&request)));
            // Held open: the client is to end it.
            thread::spawn(move || {
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest);
            });
        }
    });
    format!("ws://{address}/")
}

/// A `101` for `request`, with `more` behind it.
fn switching(request: &str, more: &[u8]) -> Vec<u8> {
    let key = request
        .lines()
        .find_map(|l| l.strip_prefix("Sec-WebSocket-Key: "))
        .unwrap_or_default();
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        accept_key(key.trim())
    );
    [head.as_bytes(), more].concat()
}

/// A gateway of its own; killed when dropped.
struct Gateway {
    child: Child,
    url: String,
}

impl Gateway {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(binary("clw-bench"))
            .arg("gateway")
            .args(["--listen", "127.0.0.1:0", "--quiet", "--token", "test-token"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("a gateway");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("a line");
        let url = line
            .trim()
            .strip_prefix("listening ")
            .expect("listening")
            .to_owned();
        Self { child, url }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the run with its telemetry at `socket` has `wanted` ready sessions.
fn wait_for_ready(socket: &Path, wanted: u64) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let stream = loop {
        match UnixStream::connect(socket) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < deadline, "no telemetry: {error}"),
        }
        thread::yield_now();
    };
    for line in BufReader::new(stream).lines() {
        let snapshot = Snapshot::parse_line(&line.expect("a line")).expect("telemetry");
        if snapshot.gauges.ready >= wanted {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{} of {wanted} ready",
            snapshot.gauges.ready
        );
    }
    panic!("the run ended before {wanted} sessions were ready");
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status()
        .expect("kill");
    assert!(sent.success());
}

#[test]
fn the_classic_call_runs_every_session_and_accounts_for_each() {
    let (result, code) = result_of(&["-c", "50", "-n", "500"]);
    assert_eq!(code, 0);
    assert_eq!(result["schema"], "clw.bench/1");
    assert_eq!(verdicts(&result), r#"{"ok":500}"#);
    for key in ["planned", "started", "ready", "completed"] {
        assert_eq!(count(&result, &format!("/sessions/{key}")), 500, "{key}");
    }
    assert_eq!(count(&result, "/sessions/peak_open"), 50);
    assert_eq!(count(&result, "/close_codes/1000"), 500);
    assert_eq!(count(&result, "/latency_us/ready/count"), 500);
    assert!(number(&result, "/uptime_pct") > 99.9);
    assert!(
        result["target"]["url"]
            .as_str()
            .is_some_and(|u| u.starts_with("ws://127.0.0.1:"))
    );
}

#[test]
fn the_open_model_starts_at_its_rate() {
    let (result, code) = result_of(&["-r", "100", "-d", "2s", "--hold", "100ms"]);
    assert_eq!(code, 0);
    assert_eq!(verdicts(&result), r#"{"ok":200}"#);
    assert!(number(&result, "/duration_s") >= 2.0, "{result:#}");
}

#[test]
fn device_identities_calls_and_heartbeats_are_measured() {
    let (result, code) = result_of(&[
        "-c",
        "10",
        "-n",
        "10",
        "--hold",
        "2s",
        "--identity",
        "ed25519",
        "--call",
        "health=200ms",
        "--heartbeat",
        "300ms",
    ]);
    assert_eq!(code, 0);
    assert_eq!(verdicts(&result), r#"{"ok":10}"#);
    assert!(count(&result, "/latency_us/rpc/health/count") >= 80, "{result:#}");
    assert!(count(&result, "/heartbeat/answered") >= 40, "{result:#}");
    assert_eq!(count(&result, "/heartbeat/missed"), 0);
}

#[test]
fn a_crossed_threshold_is_99_and_the_result_says_which() {
    let (result, code) = result_of(&[
        "-c",
        "5",
        "-n",
        "10",
        "--threshold",
        "uptime>=99%",
        "--threshold",
        "completed>=11",
    ]);
    assert_eq!(code, 99);
    assert_eq!(result["passed"], false);
    assert_eq!(result["thresholds"][0]["passed"], true);
    assert_eq!(result["thresholds"][1]["passed"], false);
}

#[test]
fn a_port_where_nothing_listens_is_a_failure_with_every_ending_named() {
    let free = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("its address");
    let (result, code) = result_of(&["-c", "5", "-n", "20", &format!("ws://{free}/")]);
    assert_eq!(code, 1);
    assert_eq!(verdicts(&result), r#"{"clw-conn-refused":20}"#);
    assert_eq!(count(&result, "/sessions/failed"), 20);
    assert!((number(&result, "/error_rate_pct") - 100.0).abs() < 1e-9);
}

#[test]
fn servers_that_are_no_gateway_are_told_apart() {
    let web = server(|_| b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec());
    let (result, code) = result_of(&["-c", "2", "-n", "4", "--token", "x", &web]);
    assert_eq!(
        (verdicts(&result).as_str(), code),
        (r#"{"clw-upgrade-rejected":4}"#, 1)
    );

    let ssh = server(|_| b"SSH-2.0-OpenSSH_9.2\r\n".to_vec());
    let (result, code) = result_of(&["-c", "2", "-n", "4", "--token", "x", &ssh]);
    assert_eq!(
        (verdicts(&result).as_str(), code),
        (r#"{"clw-protocol-error":4}"#, 1)
    );

    // A frame that announces 100 MB must not be waited for, let alone stored.
    let huge = server(|request| {
        let mut frame = vec![0x81, 127];
        frame.extend_from_slice(&100_000_000u64.to_be_bytes());
        switching(request, &frame)
    });
    let (result, _) = result_of(&["-c", "2", "-n", "4", "--token", "x", &huge]);
    assert_eq!(verdicts(&result), r#"{"clw-protocol-error":4}"#);
    assert!(result.to_string().contains("100000000 bytes"), "{result:#}");

    let plain = Gateway::start(&[]);
    let wss = plain.url.replace("ws://", "wss://");
    let (result, code) = result_of(&["-c", "2", "-n", "4", "--token", "test-token", "--insecure", &wss]);
    assert_eq!((verdicts(&result).as_str(), code), (r#"{"clw-tls-failed":4}"#, 1));
}

#[test]
fn tls_is_spoken_where_it_is_asked_for() {
    let gateway = Gateway::start(&["--tls-self-signed"]);
    assert!(gateway.url.starts_with("wss://"), "{}", gateway.url);
    let (result, code) = result_of(&[
        "-c",
        "5",
        "-n",
        "20",
        "--token",
        "test-token",
        "--insecure",
        &gateway.url,
    ]);
    assert_eq!((verdicts(&result).as_str(), code), (r#"{"ok":20}"#, 0));
    assert_eq!(count(&result, "/latency_us/tls/count"), 20);
    let (result, _) = result_of(&[
        "-c",
        "2",
        "-n",
        "2",
        "--token",
        "test-token",
        "--pin-sha256",
        &"00".repeat(32),
        &gateway.url,
    ]);
    assert_eq!(verdicts(&result), r#"{"clw-tls-failed":2}"#);
    assert!(result.to_string().contains("not the pinned one"), "{result:#}");
}

#[test]
fn a_hundred_of_a_hundred_sessions_come_back_after_a_forced_disconnect() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = folder.path().join("plan.toml");
    std::fs::write(
        &plan,
        "[[fault]]\nname = \"rst\"\nmoment = \"ready\"\ndelay = \"3s\"\nuntil = \"3s\"\n",
    )
    .expect("write");
    let gateway = Gateway::start(&["--plan", plan.to_str().expect("a path")]);
    let (result, code) = result_of(&[
        "-c",
        "100",
        "-n",
        "100",
        "--hold",
        "6s",
        "--token",
        "test-token",
        "--reconnect",
        "on",
        "--backoff",
        "200ms",
        &gateway.url,
    ]);
    assert_eq!(code, 0);
    assert_eq!(verdicts(&result), r#"{"ok":100}"#);
    assert_eq!(count(&result, "/drops/clw-auth-disconnected"), 100);
    assert_eq!(count(&result, "/sessions/reconnected"), 100);
    assert_eq!(count(&result, "/reconnect/succeeded"), 100);
    let uptime = number(&result, "/uptime_pct");
    assert!((80.0..100.0).contains(&uptime), "{uptime}");

    let gateway = Gateway::start(&["--plan", plan.to_str().expect("a path")]);
    let (before, _) = result_of(&[
        "-c",
        "100",
        "-n",
        "100",
        "--hold",
        "6s",
        "--token",
        "test-token",
        &gateway.url,
    ]);
    assert_eq!(
        verdicts(&before),
        r#"{"clw-auth-disconnected":100}"#,
        "without reconnects"
    );
}

#[test]
fn a_thousand_sessions_on_a_bad_network_stay_under_one_percent_errors() {
    let (result, code) = result_of(&[
        "-c",
        "1000",
        "-n",
        "1000",
        "--hold",
        "3s",
        "--impair",
        "delay=500ms,loss=1%",
        "--reconnect",
        "on",
        "--threshold",
        "error_rate<1%",
        "--timeout",
        "20s",
        "--drain",
        "20s",
    ]);
    assert_eq!(code, 0, "{result:#}");
    assert!(
        count(&result, "/latency_us/ready/min") >= 3_000_000,
        "three round trips of a second each"
    );
}

#[test]
fn an_interrupted_run_logs_out_and_writes_what_it_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let (socket, json) = (folder.path().join("t.sock"), folder.path().join("r.json"));
    let mut run = Command::new(binary("clw-bench"))
        .args(["-q", "-c", "20", "-d", "10m", "--telemetry"])
        .arg(&socket)
        .arg("--json")
        .arg(&json)
        .stderr(Stdio::null())
        .spawn()
        .expect("clw-bench");
    wait_for_ready(&socket, 20);
    signal(&run, "-INT");
    assert_eq!(run.wait().expect("its end").code(), Some(130));
    let result: Value = serde_json::from_slice(&std::fs::read(&json).expect("a result")).expect("JSON");
    assert_eq!(result["interrupted"], true);
    assert_eq!(verdicts(&result), r#"{"ok":20}"#);
    assert!(number(&result, "/uptime_pct") > 99.0, "{result:#}");
}

#[test]
fn a_worker_that_is_killed_takes_only_its_own_last_second_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (socket, json) = (folder.path().join("t.sock"), folder.path().join("r.json"));
    let mut run = Command::new(binary("clw-bench"))
        .args(["-q", "-c", "20", "-d", "10m", "--workers", "2", "--telemetry"])
        .arg(&socket)
        .arg("--json")
        .arg(&json)
        .stderr(Stdio::null())
        .spawn()
        .expect("clw-bench");
    wait_for_ready(&socket, 20);
    let children =
        std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", run.id())).expect("children");
    let worker = children
        .split_whitespace()
        .find(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|c| c.split(char::from(0)).nth(1) == Some("worker"))
        })
        .expect("a worker process");
    assert!(
        Command::new("kill")
            .args(["-KILL", worker])
            .status()
            .expect("kill")
            .success()
    );
    signal(&run, "-TERM");
    assert_eq!(run.wait().expect("its end").code(), Some(130));
    let result: Value = serde_json::from_slice(&std::fs::read(&json).expect("a result")).expect("JSON");
    assert_eq!(count(&result, "/sessions/started"), 20, "{result:#}");
    assert_eq!(count(&result, "/generator/lost_sessions"), 10, "{result:#}");
    assert_eq!(verdicts(&result), r#"{"ok":10}"#);
    assert!(
        result["generator"]["lost_workers"][0]
            .as_str()
            .is_some_and(|l| l.contains("signal: 9")),
        "{result:#}"
    );
}

#[test]
fn shards_and_workers_add_up_to_the_plan() {
    let gateway = Gateway::start(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    for shard in ["0/2", "1/2"] {
        let output = clw_bench(&[
            "-q",
            "-c",
            "10",
            "-n",
            "101",
            "--workers",
            "2",
            "--token",
            "test-token",
            "--shard",
            shard,
            "--json",
            &file(&shard.replace('/', "-")),
            &gateway.url,
        ]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let output = clw_bench(&["merge", &file("0-2"), &file("1-2"), "--json", "-"]);
    let merged: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(verdicts(&merged), r#"{"ok":101}"#);
    assert_eq!(count(&merged, "/latency_us/ready/count"), 101);
    assert_eq!(count(&merged, "/generator/workers"), 4);

    let output = clw_bench(&["compare", &file("0-2"), &file("1-2")]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("error rate"));
}

#[test]
fn the_journal_has_a_line_for_each_connection_and_no_secret_is_anywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("run.jsonl");
    let path = journal.to_str().expect("a path");
    let secret = "s3cret-in-no-output";
    let output = clw_bench(&[
        "-v",
        "-c",
        "3",
        "-n",
        "7",
        "--token",
        secret,
        "--journal",
        path,
        "--json",
        "-",
    ]);
    assert_eq!(output.status.code(), Some(0));
    let text = std::fs::read_to_string(&journal).expect("the journal");
    for shown in [
        &text,
        &String::from_utf8_lossy(&output.stdout).into_owned(),
        &String::from_utf8_lossy(&output.stderr).into_owned(),
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(text.contains("sha256:"));
    let lines: Vec<Line> = text.lines().map(|l| Line::parse(l).expect("a line")).collect();
    assert!(matches!(lines.first(), Some(Line::Header(_))));
    assert!(matches!(lines.last(), Some(Line::Trailer(t)) if t.sessions == 7 && !t.interrupted));
    let clients: std::collections::BTreeSet<SocketAddr> = lines
        .iter()
        .filter_map(|l| match l {
            Line::Session(record) => record.client,
            _ => None,
        })
        .collect();
    assert_eq!(clients.len(), 7, "each connection with its own address and port");
}

#[test]
fn too_few_descriptors_are_told_before_the_run_with_what_to_change() {
    let command = format!(
        "ulimit -n 200; exec {} -q -c 2000 -n 2000",
        binary("clw-bench").display()
    );
    let output = Command::new("sh").args(["-c", &command]).output().expect("sh");
    assert_eq!(output.status.code(), Some(1));
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(says.contains("ulimit -Hn"), "{says}");
}

#[test]
fn what_cannot_be_asked_is_a_usage_error_that_names_the_flag() {
    for (args, words) in [
        (&["-c", "0"][..], "--sessions 0"),
        (&["--dialect", "clawchat"], "--dialect"),
        (&["--threshold", "uptme>1"], "did you mean `uptime`"),
        (&["--fault", "rts"], "did you mean `rst`"),
        (
            &["--token-file", "/no/such/file", "ws://127.0.0.1:1"],
            "/no/such/file",
        ),
        (&["ws://8.8.8.8:18789"], "--allow-remote"),
        (&["http://127.0.0.1/"], "ws://"),
        (&["reproduce", "clw-session-replaced"], "clw-session-replaced"),
        (&["explain", "clw-auth-faild"], "clw-auth-failed"),
    ] {
        let output = clw_bench(args);
        let says = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {says}");
        assert!(says.contains(words), "{args:?}: {says}");
    }
}

#[test]
fn results_that_cannot_be_written_are_told_before_the_run() {
    let output = clw_bench(&["-c", "1", "-n", "1", "--json", "/no/such/folder/r.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/folder/r.json"));
}

#[test]
fn outputs_for_spreadsheets_and_hdr_tools_are_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let (csv, hdr) = (file("run.csv"), file("run.hlog"));
    let output = clw_bench(&["-q", "-c", "5", "-n", "20", "--csv", &csv, "--hdr", &hdr]);
    assert_eq!(output.status.code(), Some(0));
    let rows = std::fs::read_to_string(&csv).expect("the CSV");
    assert!(rows.starts_with("elapsed_s,"), "{rows}");
    assert!(
        rows.lines().last().is_some_and(|last| last.contains(",20,20,")),
        "{rows}"
    );
    let log = std::fs::read_to_string(&hdr).expect("the log");
    assert!(log.contains("Tag=ready,"), "{log}");
}

#[test]
fn clw_sessions_beat_and_log_out() {
    let (result, code) = result_of(&[
        "--dialect",
        "clw",
        "-c",
        "20",
        "-n",
        "40",
        "--hold",
        "1s",
        "--heartbeat",
        "200ms",
    ]);
    assert_eq!(
        (verdicts(&result).as_str(), code),
        (r#"{"ok":40}"#, 0),
        "{result:#}"
    );
    assert!(count(&result, "/heartbeat/answered") >= 120, "{result:#}");
}

#[test]
fn a_duration_ends_the_run_whatever_the_hold() {
    let (result, code) = result_of(&["-c", "5", "-d", "2s", "--hold", "1m"]);
    assert_eq!((verdicts(&result).as_str(), code), (r#"{"ok":5}"#, 0));
    assert!(
        (2.0..10.0).contains(&number(&result, "/duration_s")),
        "{result:#}"
    );
}

#[test]
fn tokens_are_refreshed_before_they_expire_and_without_that_every_session_expires() {
    let run = |refresh: &[&str]| {
        let gateway = Gateway::start(&["--dialect", "clw", "--fault", "token-expire=4s"]);
        let load = [
            "--dialect",
            "clw",
            "-c",
            "20",
            "-n",
            "20",
            "--hold",
            "7s",
            "--token",
            "test-token",
        ];
        result_of(&[&load[..], refresh, &[&gateway.url]].concat())
    };
    let (after, code) = run(&[]);
    assert_eq!(
        (verdicts(&after).as_str(), code),
        (r#"{"ok":20}"#, 0),
        "{after:#}"
    );
    assert!(count(&after, "/refresh/done") >= 20, "{after:#}");
    let (before, _) = run(&["--no-refresh"]);
    assert_eq!(verdicts(&before), r#"{"clw-session-expired":20}"#, "{before:#}");
}

#[test]
fn a_second_interrupt_leaves_at_once_with_the_result_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let (socket, json) = (folder.path().join("t.sock"), folder.path().join("r.json"));
    // A gateway that neither reads nor writes once a session is ready: nobody can log out of it.
    let mut run = Command::new(binary("clw-bench"))
        .args([
            "-q",
            "-c",
            "5",
            "-d",
            "10m",
            "--heartbeat",
            "off",
            "--drain",
            "1h",
            "--fault",
            "silence",
            "--telemetry",
        ])
        .arg(&socket)
        .arg("--json")
        .arg(&json)
        .stderr(Stdio::null())
        .spawn()
        .expect("clw-bench");
    wait_for_ready(&socket, 5);
    signal(&run, "-INT");
    signal(&run, "-INT");
    assert_eq!(run.wait().expect("its end").code(), Some(130));
    let result: Value = serde_json::from_slice(&std::fs::read(&json).expect("a result")).expect("JSON");
    assert_eq!(result["interrupted"], true);
    assert_eq!(count(&result, "/sessions/started"), 5);
}

#[test]
fn tls_secrets_reach_the_key_log_and_nothing_else_does() {
    let gateway = Gateway::start(&["--tls-self-signed"]);
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keys.log");
    let path = keys.to_str().expect("a path");
    let (_, code) = result_of(&[
        "-c",
        "1",
        "-n",
        "3",
        "--token",
        "test-token",
        "--insecure",
        "--keylog",
        path,
        &gateway.url,
    ]);
    assert_eq!(code, 0);
    let text = std::fs::read_to_string(&keys).expect("the key log");
    assert_eq!(
        text.lines()
            .filter(|l| l.starts_with("CLIENT_TRAFFIC_SECRET_0 "))
            .count(),
        3,
        "{text}"
    );
    assert!(text.lines().all(|l| l.split(' ').count() == 3));
}

#[test]
fn a_network_that_cuts_connections_breaks_sessions_without_reconnects_and_not_with_them() {
    let network = [
        "--impair",
        "delay=500ms,loss=1%,reset=60%/min",
        "--timeout",
        "20s",
        "--drain",
        "20s",
    ];
    let load = ["-c", "300", "-n", "300", "--hold", "6s"];
    let (before, _) = result_of(&[&load[..], &network].concat());
    let dropped = number(&before, "/error_rate_pct");
    assert!(
        dropped > 3.0,
        "six seconds of 60 % a minute cut about one in twelve: {dropped}"
    );
    let (after, code) = result_of(&[&load[..], &network, &["--reconnect", "on", "--retries", "5"]].concat());
    assert_eq!(code, 0);
    assert!(number(&after, "/error_rate_pct") < 1.0, "{after:#}");
    assert!(count(&after, "/sessions/reconnected") > 0);
}

#[test]
fn this_machines_own_errors_are_nobodys_verdict() {
    let gateway = Gateway::start(&[]);
    // An address of the documentation range is none of this machine's (RFC 5737).
    let (result, code) = result_of(&[
        "-c",
        "4",
        "-n",
        "4",
        "--token",
        "test-token",
        "--bind",
        "192.0.2.1",
        &gateway.url,
    ]);
    assert_eq!(code, 1);
    assert_eq!(verdicts(&result), "{}");
    assert_eq!(count(&result, "/generator/errors/EADDRNOTAVAIL"), 4, "{result:#}");
    assert_eq!(count(&result, "/sessions/started"), 0);
}

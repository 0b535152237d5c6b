//! clw-bench against the real OpenClaw gateway (npm `openclaw`, version pinned in `real-gateway.sh`).
//!
//! One test per mode of the gateway, because a start takes seconds; each runs on a port of its own. Ignored by default
//! because they install a package: `.ci/run` runs them with `--include-ignored`, and they fail when it cannot be installed.

#![expect(clippy::expect_used, reason = "a helper of a test may panic")]

use clw_core::snapshot::Snapshot;
use clw_e2e::{count, number, repository, result_of};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TOKEN: &str = "test-token";

/// A running gateway; stopped when dropped.
struct Gateway {
    port: u16,
    mode: &'static str,
    handshake_ms: u32,
}

fn script() -> PathBuf {
    repository().join("tests/real-gateway.sh")
}

impl Gateway {
    fn start(port: u16, mode: &'static str, handshake_ms: u32) -> Self {
        let gateway = Self {
            port,
            mode,
            handshake_ms,
        };
        gateway.control("stop");
        gateway.control("start");
        gateway
    }

    fn control(&self, verb: &str) {
        let output = Command::new(script())
            .args([verb, &self.port.to_string(), TOKEN])
            .env("OC_MODE", self.mode)
            .env("OC_HANDSHAKE_MS", self.handshake_ms.to_string())
            .stdin(Stdio::null())
            .output()
            .expect("run real-gateway.sh");
        assert!(
            output.status.success(),
            "real-gateway.sh {verb} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/", self.port)
    }

    /// Runs clw-bench with `args` against this gateway.
    fn load(&self, args: &[&str]) -> Value {
        let url = self.url();
        let (result, code) = result_of(&[args, &[&url]].concat());
        assert_eq!(code, 0, "{result:#}");
        result
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.control("stop");
    }
}

fn verdicts(result: &Value) -> String {
    result["verdicts"].to_string()
}

#[test]
#[ignore = "installs and starts the real gateway: run by .ci/run"]
fn an_open_gateway_takes_what_is_right_and_refuses_what_is_wrong() {
    let gateway = Gateway::start(18801, "open", 2000);

    let token = gateway.load(&["-c", "20", "-n", "200", "--token", TOKEN]);
    assert_eq!(verdicts(&token), r#"{"ok":200}"#);
    assert_eq!(token["target"]["server_version"], "2026.9.6");
    assert_eq!(count(&token, "/close_codes/1000"), 200);

    let password = gateway.load(&["-c", "5", "-n", "10", "--password", TOKEN]);
    assert_eq!(verdicts(&password), r#"{"ok":10}"#);

    let device = gateway.load(&["-c", "10", "-n", "50", "--token", TOKEN, "--identity", "ed25519"]);
    assert_eq!(verdicts(&device), r#"{"ok":50}"#);

    let node = gateway.load(&[
        "-c",
        "2",
        "-n",
        "4",
        "--token",
        TOKEN,
        "--role",
        "node",
        "--identity",
        "ed25519",
    ]);
    assert_eq!(verdicts(&node), r#"{"ok":4}"#);

    let wrong = gateway.load(&["-c", "5", "-n", "10", "--token", "wrong"]);
    assert_eq!(verdicts(&wrong), r#"{"clw-auth-failed":10}"#);
    assert_eq!(count(&wrong, "/close_codes/1008"), 10);

    let forged = gateway.load(&[
        "-c",
        "2",
        "-n",
        "6",
        "--token",
        TOKEN,
        "--identity",
        "ed25519",
        "--flaw",
        "bad-signature",
    ]);
    assert_eq!(verdicts(&forged), r#"{"clw-auth-failed":6}"#);
    assert!(
        forged.to_string().contains("DEVICE_AUTH_SIGNATURE_INVALID"),
        "{forged:#}"
    );

    let mute = gateway.load(&["-c", "5", "-n", "5", "--token", TOKEN, "--flaw", "no-connect"]);
    assert_eq!(verdicts(&mute), r#"{"clw-handshake-timeout":5}"#);
    assert_eq!(count(&mute, "/close_codes/1000"), 5);

    let garbled = gateway.load(&["-c", "2", "-n", "4", "--token", TOKEN, "--flaw", "wrong-first"]);
    assert_eq!(verdicts(&garbled), r#"{"clw-protocol-error":4}"#);

    let calls = gateway.load(&[
        "-c",
        "10",
        "-n",
        "10",
        "--token",
        TOKEN,
        "--hold",
        "3s",
        "--call",
        "health=500ms",
        "--heartbeat",
        "1s",
    ]);
    assert_eq!(verdicts(&calls), r#"{"ok":10}"#);
    assert!(count(&calls, "/latency_us/rpc/health/count") >= 40, "{calls:#}");
    assert!(count(&calls, "/heartbeat/answered") >= 10, "{calls:#}");

    let crowd = gateway.load(&["-c", "1000", "-n", "2000", "--token", TOKEN, "--timeout", "30s"]);
    assert_eq!(verdicts(&crowd), r#"{"ok":2000}"#);
    assert_eq!(count(&crowd, "/sessions/peak_open"), 1000);
}

#[test]
#[ignore = "installs and starts the real gateway: run by .ci/run"]
fn the_shipped_connection_budget_answers_503_and_a_rate_avoids_it() {
    let gateway = Gateway::start(18802, "stock", 3000);

    // Sessions that never log in keep the 32 places of their address taken, so that the rest must be turned away.
    let rush = gateway.load(&[
        "-c",
        "200",
        "-n",
        "200",
        "--bind",
        "127.0.0.1",
        "--token",
        TOKEN,
        "--flaw",
        "no-connect",
    ]);
    assert_eq!(
        verdicts(&rush),
        r#"{"clw-handshake-timeout":32,"clw-server-overloaded":168}"#
    );

    let paced = gateway.load(&[
        "-c",
        "200",
        "-n",
        "200",
        "--bind",
        "127.0.0.1",
        "--ramp",
        "8s",
        "--hold",
        "1s",
        "--token",
        TOKEN,
    ]);
    assert_eq!(verdicts(&paced), r#"{"ok":200}"#);
}

#[test]
#[ignore = "installs and starts the real gateway: run by .ci/run"]
fn a_gateway_killed_and_started_again_is_survived_with_reconnects() {
    let gateway = Gateway::start(18803, "open", 15_000);
    let url = gateway.url();
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("telemetry.sock");
    let telemetry = socket.to_str().expect("a path").to_owned();
    let (result, code) = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            result_of(&[
                "-c",
                "50",
                "-d",
                "40s",
                "--token",
                TOKEN,
                "--reconnect",
                "on",
                "--retries",
                "60",
                "--backoff",
                "500ms",
                "--backoff-max",
                "2s",
                "--telemetry",
                &telemetry,
                &url,
            ])
        });
        wait_for_ready(&socket, 50);
        gateway.control("stop");
        gateway.control("start");
        load.join().expect("the load")
    });
    assert_eq!(code, 0, "{result:#}");
    assert_eq!(verdicts(&result), r#"{"ok":50}"#, "{result:#}");
    assert_eq!(count(&result, "/drops/clw-server-restart"), 50, "{result:#}");
    assert_eq!(count(&result, "/sessions/reconnected"), 50, "{result:#}");
    assert_eq!(count(&result, "/sessions/dropped"), 50, "{result:#}");
    let uptime = number(&result, "/uptime_pct");
    assert!(
        (30.0..99.0).contains(&uptime),
        "down while it restarted, up before and after: {uptime}"
    );
}

/// Waits until the run whose telemetry is at `socket` says that `count` sessions are ready.
fn wait_for_ready(socket: &Path, wanted: u64) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let stream = loop {
        match UnixStream::connect(socket) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < deadline, "no telemetry: {error}"),
        }
        std::thread::yield_now();
    };
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    for line in BufReader::new(stream).lines() {
        let snapshot = Snapshot::parse_line(&line.expect("a line in time")).expect("telemetry");
        if snapshot.gauges.ready >= wanted {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{} of {wanted} sessions ready",
            snapshot.gauges.ready
        );
    }
    panic!("the run ended before {wanted} sessions were ready");
}

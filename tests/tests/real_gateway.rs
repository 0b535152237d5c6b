//! clw-bench against the real OpenClaw gateway (npm `openclaw`, version pinned in `real-gateway.sh`).
//!
//! One test per mode of the gateway, because a start takes seconds; each runs on a port of its own. Ignored by default
//! because they install a package: `.ci/run` runs them with `--include-ignored`, and they fail when it cannot be installed.

#![expect(clippy::expect_used, reason = "a helper of a test may panic")]

use clw_core::snapshot::Snapshot;
use clw_e2e::{Admin, count, number, repository, result_of};
use serde_json::{Value, json};
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
        // Devices that an earlier run has paired are no new ones.
        gateway.control("forget");
        gateway.control("start");
        gateway
    }

    fn control(&self, verb: &str) {
        self.control_with(verb, TOKEN);
    }

    fn control_with(&self, verb: &str, token: &str) {
        let output = Command::new(script())
            .args([verb, &self.port.to_string(), token])
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

#[test]
#[ignore = "installs and starts the real gateway: run by .ci/run"]
fn a_shared_token_that_is_changed_is_replaced_and_nobody_is_lost() {
    let gateway = Gateway::start(18805, "open", 15_000);
    let url = gateway.url();
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let (telemetry, file) = (path("telemetry.sock"), path("token"));
    std::fs::write(&file, TOKEN).expect("the token");
    let (result, code) = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let known = ["--token-file", &file, "--telemetry", &telemetry];
            let again = ["--reconnect", "on", "--retries", "20", "--backoff", "500ms"];
            result_of(&[&["-c", "5", "-d", "20s"][..], &known, &again, &[&url]].concat())
        });
        wait_for_ready(Path::new(&telemetry), 5);
        std::fs::write(&file, "next-token").expect("the next token");
        gateway.control_with("rotate", "next-token");
        load.join().expect("the load")
    });
    assert_eq!(code, 0, "{result:#}");
    assert_eq!(verdicts(&result), r#"{"ok":5}"#, "{result:#}");
    assert_eq!(count(&result, "/drops/clw-session-revoked"), 5, "{result:#}");
    assert_eq!(count(&result, "/close_codes/4001"), 5, "{result:#}");
    assert_eq!(count(&result, "/pairing/fallbacks"), 5, "{result:#}");
}

/// A client whose device is paired.
const CLI: [&str; 6] = [
    "--identity",
    "ed25519",
    "--client-id",
    "cli",
    "--client-mode",
    "cli",
];
/// A phone: what a full setup code is for.
const PHONE: [&str; 6] = [
    "--client-id",
    "openclaw-android",
    "--platform",
    "android 15",
    "--device-family",
    "Android",
];

#[test]
#[ignore = "installs and starts the real gateway: run by .ci/run"]
fn devices_are_approved_keep_their_tokens_by_role_lose_them_and_recover() {
    let gateway = Gateway::start(18804, "strict", 15_000);
    let url = gateway.url();
    let mut admin = Admin::connect(&url, TOKEN);
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let store = path("store.json");
    let one = ["-n", "1", "--credential-store", &store];
    let run = |parts: &[&[&str]]| result_of(&[&one[..], &parts.concat()].concat()).0;
    let ok = r#"{"ok":1}"#;

    // Pending, approved by somebody else, let in; then the token alone will do.
    let waited = std::thread::scope(|scope| {
        let waits = scope.spawn(|| run(&[&CLI, &["--token", TOKEN, "--pairing", "wait", &url]]));
        let pending = admin.wait_for_pending();
        assert_eq!(pending["role"], "operator");
        admin.call("device.pair.approve", &json!({"requestId": pending["requestId"]}));
        waits.join().expect("a run")
    });
    assert_eq!(verdicts(&waited), ok, "{waited:#}");
    // An approval that comes while the first connect is under way lets that one in: it need not have been turned away.
    assert_eq!(count(&waited, "/pairing/approved"), 0, "{waited:#}");
    assert_eq!(verdicts(&run(&[&CLI, &[&url]])), ok, "the device token alone");

    // A node, approved by the run itself; its token alone.
    let node = ["--role", "node", "--seed", "2"];
    let approved = run(&[&node, &["--token", TOKEN, "--pairing", "approve", &url]]);
    assert_eq!(verdicts(&approved), ok, "{approved:#}");
    assert_eq!(count(&approved, "/pairing/approved"), 1);
    assert_eq!(verdicts(&run(&[&node, &[&url]])), ok, "the node's token alone");

    // A setup code for a phone: two roles, two tokens, one code, once.
    let params = json!({"publicUrl": url.trim_end_matches('/'), "includeQr": false});
    let code = admin.call("device.pair.setupCode", &params);
    std::fs::write(path("code"), code["setupCode"].as_str().expect("a code")).expect("a file");
    let by_code = format!("@{}", path("code"));
    let phone_node = [
        "--role",
        "node",
        "--client-mode",
        "node",
        "--seed",
        "3",
        "--setup-code",
        &by_code,
    ];
    let handed_over = run(&[&PHONE, &phone_node]);
    assert_eq!(verdicts(&handed_over), ok, "{handed_over:#}");
    assert_eq!(count(&handed_over, "/pairing/tokens"), 2);
    let operator = [
        "--client-mode",
        "ui",
        "--identity",
        "ed25519",
        "--seed",
        "3",
        &url,
    ];
    assert_eq!(verdicts(&run(&[&PHONE, &operator])), ok, "the other role's token");
    assert_eq!(
        verdicts(&run(&[&PHONE, &phone_node])),
        ok,
        "the token instead of the used-up code"
    );
    let used_up = result_of(&[&["-n", "1"], &PHONE[..], &phone_node].concat()).0;
    assert_eq!(verdicts(&used_up), r#"{"clw-auth-failed":1}"#, "{used_up:#}");

    // A stale token: the shared one brings the right one back.
    let text = std::fs::read_to_string(&store).expect("a store");
    let mut kept: Value = serde_json::from_str(&text).expect("JSON");
    for devices in kept["gateways"].as_object_mut().expect("gateways").values_mut() {
        for device in devices.as_object_mut().expect("devices").values_mut() {
            if let Some(operator) = device.get_mut("operator") {
                operator["token"] = json!("stale");
            }
        }
    }
    std::fs::write(&store, kept.to_string()).expect("the store");
    let reconnects = [
        "--reconnect",
        "on",
        "--backoff",
        "100ms",
        "--prefer",
        "device",
        "--token",
        TOKEN,
    ];
    let recovered = run(&[&CLI, &reconnects, &[&url]]);
    assert_eq!(verdicts(&recovered), ok, "{recovered:#}");
    assert_eq!(count(&recovered, "/drops/clw-auth-failed"), 1);
    assert_eq!(
        verdicts(&run(&[&CLI, &[&url]])),
        ok,
        "the token that came back is in the store"
    );

    // Revoked from a live session: 4001, approval again, another token.
    let socket = folder.path().join("telemetry.sock");
    let telemetry = ["--telemetry", socket.to_str().expect("a path")];
    let revoked = std::thread::scope(|scope| {
        let held = scope.spawn(|| {
            let args = [
                "-c",
                "1",
                "-d",
                "5s",
                "--credential-store",
                &store,
                "--pairing",
                "approve",
            ];
            result_of(&[&args[..], &CLI, &reconnects, &telemetry, &[&url]].concat()).0
        });
        wait_for_ready(&socket, 1);
        let paired = admin.call("device.pair.list", &json!({}))["paired"].clone();
        let is_cli = |device: &&Value| device["clientId"] == "cli";
        let cli = paired
            .as_array()
            .and_then(|list| list.iter().find(is_cli))
            .expect("the device");
        admin.call(
            "device.token.revoke",
            &json!({"deviceId": cli["deviceId"], "role": "operator"}),
        );
        held.join().expect("a run")
    });
    assert_eq!(verdicts(&revoked), ok, "{revoked:#}");
    assert_eq!(count(&revoked, "/close_codes/4001"), 1, "{revoked:#}");
    assert_eq!(count(&revoked, "/pairing/approved"), 1);
    assert_eq!(count(&revoked, "/pairing/tokens"), 1);
    assert!(
        revoked["drops"].get("clw-auth-failed").is_none(),
        "the dead token was not shown again"
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

//! Devices of the load generator against the embedded gateway: setup codes, approval, tokens that are kept and lost.

#![expect(clippy::expect_used, reason = "a helper of a test may panic")]

use clw_e2e::{Admin, Gateway, binary, clw_bench, count, repository, result_of, verdicts, wait_for_ready};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

const TOKEN: &str = "test-token";
/// A client whose device is paired.
const CLI: [&str; 6] = [
    "--identity",
    "ed25519",
    "--client-id",
    "cli",
    "--client-mode",
    "cli",
];

/// Runs a scenario on the embedded gateway; its thresholds must hold.
fn scenario(name: &str) -> Value {
    let file = repository().join(format!("scenarios/{name}.toml"));
    let (result, code) = result_of(&["--scenario", file.to_str().expect("a path")]);
    let (held, own) = (&result["thresholds"], &result["generator"]["errors"]);
    assert_eq!(code, 0, "{name}: {held:#} {own}");
    result
}

#[test]
fn a_pairing_storm_is_approved_by_the_run_itself() {
    let result = scenario("pairing-storm");
    assert_eq!(verdicts(&result), r#"{"ok":300}"#);
    assert_eq!(
        result["pairing"],
        json!({"asked": 300, "approved": 300, "tokens": 300, "fallbacks": 0, "unkept": 0})
    );
}

#[test]
fn a_rotated_shared_token_is_replaced_by_the_next_one() {
    let result = scenario("token-rotation");
    assert_eq!(count(&result, "/drops/clw-session-revoked"), 100);
    assert_eq!(count(&result, "/pairing/fallbacks"), 100);
}

#[test]
fn after_a_restart_that_forgot_them_all_devices_are_paired_again() {
    let result = scenario("repair-after-restart");
    assert_eq!(count(&result, "/drops/clw-server-restart"), 60);
    assert_eq!(
        count(&result, "/drops/clw-auth-failed"),
        60,
        "each shows its dead token once"
    );
    assert_eq!(count(&result, "/pairing/tokens"), 120);
}

#[test]
fn a_revoked_device_is_approved_again() {
    let result = scenario("revoked-tokens");
    let revoked = count(&result, "/drops/clw-session-revoked");
    assert!(revoked > 0);
    assert_eq!(count(&result, "/pairing/tokens"), 100 + revoked);
    // A token that was withdrawn from a live session is known dead: nobody shows it again.
    assert!(
        result["drops"].get("clw-auth-failed").is_none(),
        "{}",
        result["drops"]
    );
}

#[test]
fn operators_and_nodes_are_approved_beside_each_other() {
    let result = scenario("operators-and-nodes");
    assert_eq!(count(&result, "/pairing/approved"), 40);
}

#[test]
fn noisy_helpers_are_counted_and_are_no_errors() {
    let result = scenario("noisy-helpers");
    let helpers = count(&result, "/sessions/helpers");
    assert_eq!(count(&result, "/verdicts/clw-closed-before-connect"), helpers);
    assert_eq!(count(&result, "/sessions/failed"), 0);
}

#[test]
fn neither_the_table_of_intervals_nor_the_dashboard_counts_helpers_as_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let (csv, journal) = (path("run.csv"), path("run.journal"));
    let scenario = repository().join("scenarios/noisy-helpers.toml");
    let scenario = scenario.to_str().expect("a path");
    let (result, _) = result_of(&["--scenario", scenario, "--csv", &csv, "--journal", &journal]);
    assert!(count(&result, "/sessions/helpers") > 0);
    let table = std::fs::read_to_string(csv).expect("the table");
    let mut lines = table.lines();
    let header = lines.next().expect("a header").split(',');
    let errors = header
        .clone()
        .position(|name| name == "errors")
        .expect("a column");
    let last = lines.next_back().expect("a row");
    assert_eq!(last.split(',').nth(errors), Some("0"), "{last}");
    let shown = Command::new(binary("clw-tui"))
        .args([
            "--replay", &journal, "--once", "--size", "100x40", "--color", "never",
        ])
        .output()
        .expect("clw-tui");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("run 0 %"), "{shown}");
    assert!(!shown.contains("first clw-closed-before-connect"), "{shown}");
}

#[test]
fn refreshed_pages_leave_with_1001_and_come_back() {
    let result = scenario("control-ui-refresh");
    let codes = result["close_codes"].as_object().expect("codes");
    assert_eq!(codes.keys().collect::<Vec<_>>(), ["1001"]);
}

#[test]
fn a_setup_code_lets_one_device_in_once_and_its_token_does_from_then_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let (codes, log, store) = (path("codes.jsonl"), path("gateway.log"), path("store.json"));
    let gateway = Gateway::start(&[
        "--fault",
        "approval",
        "--setup-codes",
        "3",
        "--setup-code-file",
        &codes,
        "--log",
        &log,
    ]);
    assert_eq!(mode(&codes), 0o600);
    let nodes = ["-c", "3", "-n", "3", "--role", "node", "--credentials", &codes];
    let run = |args: &[&str]| result_of(&[&nodes, args, &[&gateway.url]].concat()).0;

    let first = run(&["--credential-store", &store]);
    assert_eq!(verdicts(&first), r#"{"ok":3}"#, "{first:#}");
    assert_eq!(count(&first, "/pairing/tokens"), 3);
    assert_eq!(mode(&store), 0o600);
    let again = run(&["--credential-store", &store]);
    assert_eq!(verdicts(&again), r#"{"ok":3}"#, "by the tokens in the store");
    let used_up = run(&[]);
    assert_eq!(verdicts(&used_up), r#"{"clw-auth-failed":3}"#);

    let text = std::fs::read_to_string(&codes).expect("codes");
    let code = text.split('"').nth(3).expect("a code");
    let shown = std::fs::read_to_string(&log).expect("a log") + &used_up.to_string();
    assert!(!shown.contains(code), "a setup code is in the log or in a result");
}

#[test]
fn a_phones_setup_code_brings_a_token_for_each_of_its_roles() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let (codes, code, store) = (path("codes.jsonl"), path("code"), path("store.json"));
    let _gateway = Gateway::start(&[
        "--fault",
        "approval",
        "--setup-codes",
        "1",
        "--setup-code-file",
        &codes,
        "--setup-for",
        "phone",
    ]);
    let text = std::fs::read_to_string(&codes).expect("codes");
    std::fs::write(&code, text.split('"').nth(3).expect("a code")).expect("a file");
    let phone = [
        "-n",
        "1",
        "--client-id",
        "openclaw-android",
        "--platform",
        "android 15",
        "--device-family",
        "Android",
        "--credential-store",
        &store,
    ];
    // No URL: the code says where its gateway is.
    let at = format!("@{code}");
    let node = ["--role", "node", "--client-mode", "node", "--setup-code", &at];
    let (result, _) = result_of(&[&phone[..], &node].concat());
    assert_eq!(verdicts(&result), r#"{"ok":1}"#, "{result:#}");
    assert_eq!(count(&result, "/pairing/tokens"), 2);
    let url = result["target"]["url"].as_str().expect("a URL").to_owned();
    let operator = ["--client-mode", "ui", "--identity", "ed25519", &url];
    let (result, _) = result_of(&[&phone[..], &operator].concat());
    assert_eq!(verdicts(&result), r#"{"ok":1}"#, "{result:#}");
}

#[test]
fn a_session_waits_until_somebody_approves_it() {
    let gateway = Gateway::start(&["--fault", "approval"]);
    let mut admin = Admin::connect(&gateway.url, TOKEN);
    let run = |pairing: &[&str]| {
        let args = [&CLI[..], &["-n", "1", "--token", TOKEN], pairing, &[&gateway.url]].concat();
        result_of(&args).0
    };
    let result = std::thread::scope(|scope| {
        let waits = scope.spawn(|| run(&["--pairing", "wait"]));
        let pending = admin.wait_for_pending();
        let approved = admin.call("device.pair.approve", &json!({"requestId": pending["requestId"]}));
        assert_eq!(approved["device"]["roles"], json!(["operator"]));
        waits.join().expect("a run")
    });
    assert_eq!(verdicts(&result), r#"{"ok":1}"#, "{result:#}");
    assert!(count(&result, "/pairing/asked") >= 1);
    assert_eq!(count(&result, "/pairing/approved"), 0);
    let in_vain = run(&["--seed", "5", "--pairing", "wait", "--pairing-timeout", "300ms"]);
    assert_eq!(verdicts(&in_vain), r#"{"clw-pairing-required":1}"#);
}

#[test]
fn a_token_file_that_changes_in_mid_run_is_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, next) = (folder.path().join("token"), folder.path().join("next"));
    std::fs::write(&file, TOKEN).expect("a file");
    std::fs::write(&next, "another-token\n").expect("a file");
    let socket = folder.path().join("telemetry.sock");
    let gateway = Gateway::start(&[
        "--fault",
        "rotate-token=5s",
        "--next-token-file",
        next.to_str().expect("a path"),
    ]);
    let run = Command::new(binary("clw-bench"))
        .args(["-q", "--json", "-", "-c", "5", "-d", "9s", "--reconnect", "on"])
        .args(["--retries", "20", "--backoff", "200ms", "--backoff-max", "500ms"])
        .args(["--token-file", file.to_str().expect("a path"), &gateway.url])
        .args(["--telemetry", socket.to_str().expect("a path")])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a run");
    wait_for_ready(&socket, 5);
    std::fs::rename(&next, &file).expect("the new token in place");
    let output = run.wait_with_output().expect("a result");
    let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(verdicts(&result), r#"{"ok":5}"#, "{result:#}");
    assert_eq!(count(&result, "/drops/clw-session-revoked"), 5);
}

#[test]
fn an_admin_session_that_is_refused_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("admin");
    std::fs::write(&file, "wrong-token").expect("a file");
    let gateway = Gateway::start(&["--fault", "approval"]);
    let args = [
        "-n",
        "1",
        "--token",
        TOKEN,
        "--pairing",
        "approve",
        "--pairing-timeout",
        "1s",
    ];
    let admin = ["--admin-token-file", file.to_str().expect("a path"), &gateway.url];
    let output = clw_bench(&[&CLI[..], &args, &admin].concat());
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("admin session refused"), "{said}");
    assert!(
        said.contains("clw-pairing-required") && !said.contains("wrong-token"),
        "{said}"
    );
}

fn mode(path: impl AsRef<Path>) -> u32 {
    let metadata = std::fs::metadata(path).expect("the file");
    metadata.permissions().mode() & 0o777
}

//! Runs that are interrupted, killed or out of something: what was measured is there.

#![expect(clippy::expect_used, reason = "a helper of a test may panic")]

use clw_e2e::{Gateway, binary, count, number, result_of, signal, verdicts, wait_for_ready};
use serde_json::Value;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;

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

/// A server that takes connections and never says a word.
fn silent_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        let held: Vec<_> = listener.incoming().map_while(Result::ok).collect();
        drop(held);
    });
    format!("ws://{address}/")
}

#[test]
fn a_run_that_uses_up_its_descriptors_counts_that_as_its_own_and_writes_its_result() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("result.json");
    // Nobody can know before the run that these sessions will stay for so long.
    let command = format!(
        "ulimit -n 600; exec {} {} -q -r 300 -n 1000 --timeout 4s --workers 1 --token t --json {}",
        binary("clw-bench").display(),
        silent_server(),
        path.display(),
    );
    let output = Command::new("sh").args(["-c", &command]).output().expect("sh");
    let says = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{says}");
    let result = std::fs::read(&path).expect("the result is written");
    let result: Value = serde_json::from_slice(&result).expect("whole");
    let refused = count(&result, "/generator/errors/EMFILE");
    let started = count(&result, "/sessions/started");
    assert!(refused >= 100, "{result:#}");
    assert_eq!(started + refused, 1000, "each is accounted for: {result:#}");
    assert_eq!(
        verdicts(&result),
        format!(r#"{{"clw-closed-before-connect":{started}}}"#),
        "none of them is the gateway's"
    );
    let left: Vec<_> = std::fs::read_dir(dir.path()).expect("readable").collect();
    assert_eq!(left.len(), 1, "nothing beside it: {left:?}");
}

#[test]
fn an_output_that_fails_in_mid_run_is_named_and_costs_nothing_else() {
    let (result, code) = result_of(&["-c", "5", "-n", "20", "--csv", "/dev/full"]);
    assert_eq!(code, 1);
    assert_eq!(verdicts(&result), r#"{"ok":20}"#);
    assert!(result["warnings"].to_string().contains("/dev/full"), "{result:#}");
}

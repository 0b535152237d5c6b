//! Both load models, as a user runs them.

use clw_e2e::{Gateway, clw_bench, count, number, result_of, verdicts};
use serde_json::Value;

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
    // Workers wait for the common start: a session begun before it would have taken no time.
    assert!(count(&merged, "/latency_us/ready/min") > 10, "{merged:#}");

    let output = clw_bench(&["compare", &file("0-2"), &file("1-2")]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("error rate"));
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

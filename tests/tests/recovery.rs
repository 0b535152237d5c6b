//! What hardened clients survive and others do not: the checks of the seed article.

use clw_e2e::{Gateway, count, number, result_of, verdicts};
use std::thread;

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
fn a_thousand_tokens_on_a_bad_network_run_out_without_refresh_and_not_with_it() {
    let run = |hardened: &[&str]| {
        let gateway = Gateway::start(&["--dialect", "clw", "--fault", "token-expire=10s"]);
        let load = [
            "--dialect",
            "clw",
            "-c",
            "1000",
            "-n",
            "1000",
            "--ramp",
            "2s",
            "--hold",
            "14s",
        ];
        let network = [
            "--impair",
            "delay=500ms,loss=1%",
            "--timeout",
            "20s",
            "--drain",
            "20s",
        ];
        let identity = ["--token", "test-token"];
        let (result, _) = result_of(&[&load[..], &network, &identity, hardened, &[&gateway.url]].concat());
        assert_eq!(count(&result, "/sessions/started"), 1000, "{result:#}");
        result
    };
    let (before, after) = thread::scope(|scope| {
        let before = scope.spawn(|| run(&["--no-refresh", "--reconnect", "off"]));
        let after = run(&["--reconnect", "on", "--retries", "5"]);
        (before.join().expect("the run before"), after)
    });
    assert!(number(&before, "/error_rate_pct") > 99.0, "{before:#}");
    assert!(
        count(&before, "/verdicts/clw-session-expired") > 900,
        "{before:#}"
    );
    assert!(number(&after, "/error_rate_pct") < 1.0, "{after:#}");
    assert!(count(&after, "/refresh/done") >= 1000, "{after:#}");
}

//! Sources beside the generator, on a real terminal: a log, packets.

#![allow(clippy::unwrap_used, reason = "tests: a failed step is a failed test")]

mod common;

use assert_cmd::Command;
use common::terminal::Session;
use nix::sys::signal::Signal;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

fn tui(args: &[&str], at: (u16, u16)) -> Session {
    Session::start(Path::new(env!("CARGO_BIN_EXE_clw-tui")), args, at)
}

fn fails(args: &[&str], code: i32) -> String {
    let output = Command::cargo_bin("clw-tui")
        .unwrap()
        .timeout(Duration::from_secs(60))
        .args(args)
        .write_stdin("")
        .assert()
        .code(code);
    String::from_utf8_lossy(&output.get_output().stderr).into_owned()
}

#[test]
fn a_log_is_followed_through_its_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.log");
    let mut session = tui(&["--log", path.to_str().unwrap()], (100, 30));
    session.until(&["WAITING", "is not there (yet); trying again"]);
    let line = |code: u16, cause: &str, verdict: &str| {
        format!(
            "[ws] \u{2192} close code={code} reason=n/a cause={cause} durationMs=50 conn=a verdict={verdict}\n"
        )
    };
    let mut file = File::create(&path).unwrap();
    file.write_all(line(1012, "service-restart", "clw-server-restart").as_bytes())
        .unwrap();
    session.until(&["LIVE", "the log ", "clw-server-restart             1"]);
    fs::rename(&path, folder.path().join("g.log.1")).unwrap();
    fs::write(&path, line(1006, "heartbeat-timeout", "clw-heartbeat-miss")).unwrap();
    session.until(&[
        "clw-heartbeat-miss             1",
        "clw-server-restart             1",
    ]);
    session.press("q");
    session.ends_restored(0);
}

#[test]
fn a_log_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = fails(&["--once", "--log", folder.path().to_str().unwrap()], 1);
    assert!(error.contains("not a file"), "{error}");
    let missing = folder.path().join("none.log");
    let error = fails(
        &["--once", "--wait", "300ms", "--log", missing.to_str().unwrap()],
        1,
    );
    assert!(error.contains("is not there"), "{error}");
    assert!(fails(&["--log", "x", "--attach", ":1"], 2).contains("cannot be used with"));
}

#[test]
fn an_interface_is_listened_on_or_the_right_to_it_is_named() {
    // Packet sockets need CAP_NET_RAW: with it the loopback is shown, without it the way to it is.
    let session = tui(&["--capture", "lo", "--port", "9"], (100, 30));
    if nix::unistd::geteuid().is_root() {
        session.until(&["LIVE", "the packets of lo, port 9"]);
        session.signal(Signal::SIGTERM);
        session.ends_restored(130);
    } else {
        session.until(&["CAP_NET_RAW", "setcap"]);
    }
}

#[test]
fn a_probe_without_a_generator_that_can_run_says_why() {
    // In a test the generator may or may not lie beside the dashboard: either way this target is refused.
    let error = fails(&["--once", "--wait", "20s", "--probe", "ws://192.0.2.1:1/"], 1);
    assert!(
        error.contains("--allow-remote") || error.contains("neither beside clw-tui nor on the PATH"),
        "{error}"
    );
    assert!(fails(&["--probe-sessions", "3", "--attach", ":1"], 2).contains("--probe"));
}

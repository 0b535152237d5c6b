//! `--tui`: the dashboard in the generator's own terminal.

#![allow(clippy::unwrap_used, reason = "tests: a failed step is a failed test")]

#[path = "../../tui/tests/common/terminal.rs"]
mod terminal;

use assert_cmd::Command;
use std::path::Path;
use terminal::Session;

fn bench(args: &[&str]) -> Session {
    let mut all = vec!["-c", "5", "--hold", "500ms", "--tui"];
    all.extend(args);
    Session::start(Path::new(env!("CARGO_BIN_EXE_clw-bench")), &all, (100, 30))
}

#[test]
fn it_shows_the_run_and_leaves_the_summary() {
    let session = bench(&["-d", "3s"]);
    session.until(&["LIVE", "this run", "┌ endings", "Ended gracefully"]);
    let left = session.ends_restored(0);
    let given_back = left.rfind("\x1b[?1049l").unwrap();
    let summary = left.find("How long it took").unwrap();
    assert!(given_back < summary);
}

#[test]
fn ctrl_c_ends_the_run_in_order() {
    let mut session = bench(&["-d", "10m"]);
    session.until(&["LIVE", "Ended gracefully"]);
    session.press("\x03");
    let left = session.ends_restored(130);
    assert!(left.contains("How long it took"));
}

#[test]
fn closing_the_dashboard_does_not_end_the_run() {
    let mut session = bench(&["-d", "10m"]);
    session.until(&["LIVE", "Ended gracefully"]);
    session.press("q");
    session.until(&["ready · 0 connecting"]);
    session.press("\x03");
    session.ends_restored(130);
}

#[test]
fn it_needs_standard_output_and_a_terminal() {
    for (args, code, says) in [
        (vec!["--tui", "--json", "-"], 2, "--tui exclude each other"),
        (vec!["--tui", "-n", "1"], 1, "clw-tui attach"),
    ] {
        let output = Command::cargo_bin("clw-bench")
            .unwrap()
            .args(args)
            .assert()
            .code(code);
        let error = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        assert!(error.contains(says), "{error}");
    }
}

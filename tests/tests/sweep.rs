//! `clw-bench sweep` as a user calls it.

#![expect(clippy::expect_used, reason = "a helper of a test may panic")]

use clw_e2e::binary;
use serde_json::Value;
use std::process::{Command, Output};

fn sweep(args: &[&str]) -> Output {
    Command::new(binary("clw-bench"))
        .arg("sweep")
        .args(args)
        .output()
        .expect("clw-bench")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_grid_gives_every_cell_a_run_and_the_page_its_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let (json, html) = (folder.path().join("s.json"), folder.path().join("s.html"));
    let output = sweep(&[
        "--by",
        "impair",
        "--x",
        "outage=0s,1500ms",
        "--client",
        "patient=--heartbeat-timeout 3s",
        "--client",
        "hasty=--heartbeat-timeout 500ms",
        "-c",
        "4",
        "-d",
        "5s",
        "--json",
        json.to_str().expect("a path"),
        "--html",
        html.to_str().expect("a path"),
        "--",
        "--dialect",
        "clw",
        "--heartbeat",
        "300ms",
        "--token",
        "s3cret-in-no-result",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let result: Value = serde_json::from_slice(&std::fs::read(&json).expect("the result")).expect("JSON");
    assert_eq!(result["schema"], "clw.sweep/1");
    assert!(!result.to_string().contains("s3cret"), "{result:#}");
    assert_eq!(result["by"], "impair");
    let cells = result["cells"].as_array().expect("cells");
    assert_eq!(cells.len(), 4);
    let errors = |client: &str, network: &str| {
        let cell = cells
            .iter()
            .find(|cell| cell["client"] == client && cell["network"] == network)
            .expect("the cell");
        cell["figures"]["error_rate_pct"].as_f64().expect("a figure")
    };
    assert!(errors("patient", "clean") < 0.1);
    assert!(errors("patient", "outage=1.5s") < 0.1);
    assert!(errors("hasty", "clean") < 0.1);
    // A pong that takes longer than half a second is a miss: nobody sits out a second and a half.
    assert!(errors("hasty", "outage=1.5s") >= 50.0);
    let page = std::fs::read_to_string(&html).expect("the page");
    assert!(
        !page.contains("s3cret") && page.contains("--token sha256:"),
        "{page}"
    );
    assert!(
        page.contains("<td class=bad>") && page.contains("clw-heartbeat-miss") && page.contains("100.0 %")
    );
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "a page without a network"
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("hasty: uptime % / errors %"), "{text}");
}

#[test]
fn a_search_finds_the_outage_that_a_heartbeat_timeout_allows() {
    let output = sweep(&[
        "--by",
        "impair",
        "--find",
        "outage=200ms..3200ms",
        "--steps",
        "2",
        "--holds",
        "clw-heartbeat-miss==0",
        "-c",
        "3",
        "-d",
        "7s",
        "--json",
        "-",
        "-q",
        "--",
        "--dialect",
        "clw",
        "--heartbeat",
        "300ms",
        "--heartbeat-timeout",
        "1200ms",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let cliff = &result["cliffs"][0]["cliff"];
    let value = |name: &str| cliff[name].as_f64().expect("a value");
    // A ping is out for at most its timeout: the cliff lies near 1.2 s.
    assert!(
        value("holds_up_to") >= 0.9 && value("breaks_at") <= 1.8,
        "{cliff}"
    );
}

#[test]
fn calls_that_mean_nothing_are_told_so_and_a_failed_cell_is_kept() {
    let code = |args: &[&str]| sweep(args).status.code();
    assert_eq!(code(&[]), Some(2));
    assert_eq!(code(&["--x", "loss=2"]), Some(2));
    assert_eq!(code(&["--x", "loss=1%", "--y", "loss=2%"]), Some(2));
    assert_eq!(code(&["--x", "loss=1%", "--", "-c", "5"]), Some(2));
    assert_eq!(code(&["--x", "loss=1%", "--client", "=x"]), Some(2));
    let plan = sweep(&["--by", "impair", "--x", "loss=1%,2%", "--dry-run"]);
    assert!(String::from_utf8_lossy(&plan.stdout).contains("2 cells and 0 searches"));
    // Nothing listens there: every session fails, and that is a result; a bad URL gives none.
    let output = sweep(&[
        "--by", "impair", "--x", "loss=1%", "-c", "1", "-d", "1s", "--json", "-", "-q", "--", "ws://",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(
        result["cells"][0]["error"]
            .as_str()
            .is_some_and(|error| error.contains("URL")),
        "{result}"
    );
}

#[test]
fn a_cell_that_was_cut_short_is_no_measurement_and_what_was_measured_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("s.json");
    let mut child = Command::new(binary("clw-bench"))
        .args([
            "sweep",
            "--by",
            "impair",
            "--x",
            "delay=0ms,1ms,2ms",
            "-c",
            "2",
            "-d",
            "3s",
            "--json",
        ])
        .arg(&json)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("clw-bench");
    // The second cell has begun: the first is measured.
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().expect("piped")));
    assert!(lines.any(|line| line.expect("a line").starts_with("[2 of 3")));
    clw_e2e::signal(&child, "-INT");
    assert_eq!(child.wait().expect("its end").code(), Some(130));
    let result: Value = serde_json::from_slice(&std::fs::read(&json).expect("the result")).expect("JSON");
    assert_eq!(result["interrupted"], true);
    let cells = result["cells"].as_array().expect("cells");
    assert!(cells[0]["figures"]["started"].as_u64() == Some(2), "{result}");
    assert!(cells.len() <= 2, "{result}");
}

#[test]
fn an_outage_that_is_longer_than_its_cell_is_refused() {
    let output = sweep(&["--by", "impair", "--find", "outage=500ms..6s", "-d", "4s"]);
    assert_eq!(output.status.code(), Some(2));
    let words = said(&output);
    assert!(
        words.contains("does not fit into cells of 4 s: -d 10s or more"),
        "{words}"
    );
}

#[test]
fn a_search_whose_runs_fail_keeps_what_the_grid_has_measured() {
    let output = sweep(&[
        "--by",
        "impair",
        "--x",
        "delay=0ms",
        "--find",
        "outage=1s..2s",
        "-c",
        "1",
        "-d",
        "6s",
        "--json",
        "-",
        "-q",
        "--",
        "ws://",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(
        result["cliffs"][0]["error"]
            .as_str()
            .is_some_and(|error| error.contains("outage=1s")),
        "{result}"
    );
}

//! The binary: usage, `--once`, and sources that are not what they should be.

#![allow(clippy::unwrap_used, reason = "tests: a failed step is a failed test")]

mod common;

use assert_cmd::Command;
use clw_core::snapshot::Snapshot;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

fn tui() -> Command {
    let mut command = Command::cargo_bin("clw-tui").unwrap();
    command.timeout(Duration::from_secs(60));
    command
}

/// A source on a free port that tells each reader `bytes` and holds or closes the stream.
fn source(bytes: Vec<u8>, hold: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(&bytes);
            if hold {
                held.push(stream);
            }
        }
    });
    address
}

fn lines(snapshots: &[Snapshot]) -> Vec<u8> {
    let text: String = snapshots.iter().map(|s| s.to_line() + "\n").collect();
    text.into_bytes()
}

fn fails(args: &[&str], code: i32) -> String {
    let output = tui().args(args).assert().code(code);
    String::from_utf8_lossy(&output.get_output().stderr).into_owned()
}

fn file(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn help_and_usage() {
    // No terminal on any of its ends: help is as wide as the terminal.
    let help = tui().arg("--help").write_stdin("").assert().success();
    let help = String::from_utf8_lossy(&help.get_output().stdout).into_owned();
    insta::assert_snapshot!("help", help);
    assert!(fails(&[], 2).contains("--attach"));
    assert!(fails(&["--replay", "x", "--attach", ":1"], 2).contains("cannot be used with"));
    assert!(fails(&["--attach", ":1", "--once", "--size", "10x10"], 2).contains("60x20"));
    for what in ["man", "completions-bash", "completions-fish", "completions-zsh"] {
        let made = tui().args(["--generate", what]).assert().success();
        assert!(made.get_output().stdout.len() > 500, "{what}");
    }
}

#[test]
fn without_a_terminal_it_names_the_way_out() {
    assert!(fails(&["--attach", ":1"], 1).contains("--once"));
}

#[test]
fn a_frame_of_two_sources_adds_them_up() {
    let run = common::run();
    // It waits for two snapshots of each.
    let (a, b) = (
        source(lines(&run[28..30]), true),
        source(lines(&run[28..30]), true),
    );
    let output = tui()
        .args(["--once", "--size", "100x40", "--attach", &a, "--attach", &b])
        .assert()
        .success();
    let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    assert!(text.contains("2 sources"), "{text}");
    let ready = text.lines().find(|l| l.contains("│ ready ")).unwrap();
    assert!(ready.contains("1 000"), "{ready}");
}

#[test]
fn a_stream_cut_in_the_middle_of_a_line_keeps_what_came_before() {
    let run = common::run();
    let mut bytes = lines(&run[..2]);
    bytes.extend(&run[2].to_line().as_bytes()[..700]);
    let address = source(bytes, false);
    let output = tui()
        .args(["--once", "--size", "100x40", "--attach", &address])
        .assert()
        .success();
    let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    assert!(text.contains("│ ready              200 │"), "{text}");
}

#[test]
fn what_is_no_telemetry_is_refused_in_words() {
    let run = common::run();
    let newer = run[0].to_line().replace("clw.snapshot/1", "clw.snapshot/2");
    for (bytes, says) in [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            "not telemetry of clw-bench",
        ),
        (b"{\"schema\":\"other/1\"}\n".to_vec(), "schema other/1"),
        (b"\xff\xfe\x00\n".to_vec(), "bytes that are no text"),
        (
            (newer + "\n").into_bytes(),
            "clw.snapshot/2, this release reads clw.snapshot/1",
        ),
        (
            run[5]
                .to_line()
                .replace("\"elapsed_us\":6000000", "\"elapsed_us\":18446744073709551615")
                .into_bytes()
                .into_iter()
                .chain(*b"\n")
                .collect(),
            "figures that no run can have",
        ),
    ] {
        let address = source(bytes, true);
        let error = fails(&["--once", "--attach", &address], 1);
        assert!(error.contains(says), "{error}");
    }
    let silent = source(Vec::new(), true);
    let error = fails(&["--once", "--wait", "300ms", "--attach", &silent], 1);
    assert!(error.contains("no data within"), "{error}");
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let error = fails(&["--once", "--wait", "300ms", "--attach", &free], 1);
    assert!(error.contains("nobody listens"), "{error}");
    let error = fails(&["--once", "--wait", "300ms", "--attach", "/nowhere/run.sock"], 1);
    assert!(error.contains("not there"), "{error}");
}

#[test]
fn files_that_cannot_be_replayed_say_why_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let run = common::run();
    let good = run[0].to_line();
    for (name, content, says) in [
        ("empty", Vec::new(), "holds no snapshot"),
        ("noise", vec![0x80; 5000], "line 1"),
        (
            "text",
            b"hello\n".to_vec(),
            "line 1: neither journal nor telemetry",
        ),
        (
            "second",
            format!("{good}\n{{\"schema\":1}}\n").into_bytes(),
            "line 2",
        ),
        (
            "pcap",
            b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00".to_vec(),
            "broken file header",
        ),
        (
            "newer",
            b"{\"type\":\"header\",\"schema\":\"clw.journal/2\"}\n".to_vec(),
            "clw.journal/2, this release reads clw.journal/1",
        ),
    ] {
        let path = file(folder.path(), name, &content);
        let error = fails(&["--once", "--replay", path.to_str().unwrap()], 1);
        assert!(error.contains(says) && error.contains(name), "{name}: {error}");
    }
    let error = fails(&["--once", "--replay", "/nowhere"], 1);
    assert!(error.contains("/nowhere"), "{error}");
}

#[test]
fn a_file_cut_anywhere_is_replayed_as_far_as_it_goes_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = lines(&common::run()[..4]);
    let first = whole.iter().position(|b| *b == b'\n').unwrap();
    for end in (0..whole.len()).step_by(whole.len() / 25) {
        let path = file(folder.path(), "cut", &whole[..end]);
        let run = tui()
            .args(["--once", "--size", "80x24", "--replay", path.to_str().unwrap()])
            .assert();
        if end > first {
            let text = String::from_utf8_lossy(&run.success().get_output().stdout).into_owned();
            assert!(text.contains("openclaw"), "{end}: {text}");
        } else {
            run.code(1);
        }
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "run", &lines(&common::run()[..4]));
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_clw-tui"))
        .args(["--once", "--size", "80x24", "--replay"])
        .arg(path)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

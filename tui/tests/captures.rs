//! Captures as a source: what the dashboard counts is what the analyzer finds.

#![allow(clippy::unwrap_used, reason = "tests: a failed step is a failed test")]

use assert_cmd::Command;
use clw_analyzer::decode::{Decoded, Decoder, FragmentLimits};
use clw_analyzer::engine::{Engine, Options};
use clw_analyzer::judge::Judged;
use clw_analyzer::source::{Capture, Item};
use clw_core::snapshot::Snapshot;
use clw_core::verdict::Verdict;
use clw_tui::source::capture::{Narrow, transcode};
use std::io::{BufRead as _, BufReader, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../analyzer/tests/data/openclaw")
}

fn captures() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(data())
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.to_string_lossy().contains(".pcap"))
        .collect();
    all.sort();
    all
}

fn judged(path: &Path, port: Option<u16>) -> Vec<Judged> {
    let mut capture = Capture::open(&[path.to_owned()]).unwrap();
    let mut engine = Engine::new(Options {
        port,
        ..Options::default()
    });
    let mut decoder = Decoder::new(FragmentLimits::default());
    let mut all = Vec::new();
    while let Some(item) = capture.next().unwrap() {
        if let Item::Frame(frame) = item
            && let Decoded::Tcp(segment) = decoder.decode(&frame)
        {
            engine.feed(&segment, &mut |judged| all.push(judged));
        }
    }
    engine.end(&mut |judged| all.push(judged));
    all
}

/// Endings by verdict, and how many had not ended, as the analyzer has it.
fn by_analyzer(path: &Path, port: u16) -> ([u64; Verdict::COUNT], u64) {
    let (mut verdicts, mut open) = ([0; Verdict::COUNT], 0);
    for judged in judged(path, Some(port)) {
        match judged.verdict {
            Some(Verdict::Open) => open += 1,
            Some(verdict) => verdicts[verdict.index()] += 1,
            None => {}
        }
    }
    (verdicts, open)
}

fn by_dashboard(path: &Path, port: u16) -> Vec<Snapshot> {
    let narrow = Narrow {
        port: Some(port),
        dialect: None,
    };
    let mut file = transcode(path, narrow).unwrap();
    file.rewind().unwrap();
    BufReader::new(file)
        .lines()
        .map(|line| Snapshot::parse_line(&line.unwrap()).unwrap())
        .collect()
}

#[test]
fn the_dashboard_counts_what_the_analyzer_finds() {
    let captures = captures();
    assert!(captures.len() > 5, "{captures:?}");
    for path in captures {
        let port = judged(&path, None)[0].record.server.port();
        let (verdicts, open) = by_analyzer(&path, port);
        let snapshots = by_dashboard(&path, port);
        let last = snapshots.last().unwrap();
        assert_eq!(last.counters.verdicts, verdicts, "{}", path.display());
        assert_eq!(last.gauges.open, open, "{}", path.display());
        let sessions = &last.counters.sessions;
        assert_eq!(sessions.ended, verdicts.iter().sum::<u64>(), "{}", path.display());
        assert_eq!(sessions.started, sessions.ended + open, "{}", path.display());
        // Counters only grow, or the charts would show what never happened.
        for pair in snapshots.windows(2) {
            let (before, now) = (&pair[0].counters.sessions, &pair[1].counters.sessions);
            assert!(
                before.started <= now.started && before.ready <= now.ready && before.ended <= now.ended,
                "{}: {before:?} then {now:?}",
                path.display()
            );
            assert_eq!(pair[0].seq + 1, pair[1].seq);
        }
    }
}

fn tui() -> Command {
    let mut command = Command::cargo_bin("clw-tui").unwrap();
    command.timeout(Duration::from_secs(60));
    command
}

fn fails(args: &[&str], code: i32) -> String {
    let output = tui().args(args).write_stdin("").assert().code(code);
    String::from_utf8_lossy(&output.get_output().stderr).into_owned()
}

fn client_rst() -> PathBuf {
    let path = data().join("client-rst.pcap");
    assert!(path.is_file(), "{}", path.display());
    path
}

#[test]
fn a_capture_is_replayed_plain_and_packed() {
    let folder = tempfile::tempdir().unwrap();
    let plain = std::fs::read(client_rst()).unwrap();
    let packed = folder.path().join("c.pcap.gz");
    let mut gzip = flate2::write::GzEncoder::new(
        std::fs::File::create(&packed).unwrap(),
        flate2::Compression::fast(),
    );
    gzip.write_all(&plain).unwrap();
    gzip.finish().unwrap();
    let zst = folder.path().join("c.zst");
    std::fs::write(&zst, zstd::encode_all(&plain[..], 1).unwrap()).unwrap();
    for path in [client_rst(), packed, zst] {
        let shown = tui()
            .args(["--once", "--size", "100x40", "--replay"])
            .arg(&path)
            .assert()
            .success();
        let text = String::from_utf8_lossy(&shown.get_output().stdout).into_owned();
        assert!(text.contains("clw-auth-disconnected          5"), "{text}");
        assert!(text.contains("ws://127.0.0.1:18789  openclaw"), "{text}");
    }
}

#[test]
fn a_capture_on_standard_input_is_shown_while_it_is_open_and_after_it() {
    for hold in [true, false] {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_clw-tui"))
            .args(["--once", "--size", "100x40", "--wait", "30s", "--capture", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&std::fs::read(client_rst()).unwrap()).unwrap();
        let held = hold.then_some(stdin);
        let output = child.wait_with_output().unwrap();
        drop(held);
        assert!(output.status.success());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("a capture on standard input"), "{text}");
        assert!(
            text.contains("clw-auth-disconnected          5"),
            "{hold}: {text}"
        );
    }
}

#[test]
fn what_is_no_capture_is_said_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let noise = folder.path().join("noise");
    std::fs::write(&noise, b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00").unwrap();
    let noise = noise.to_str().unwrap();
    assert!(fails(&["--once", "--replay", noise], 1).contains("broken file header"));
    let none = fails(
        &[
            "--once",
            "--port",
            "9",
            "--replay",
            client_rst().to_str().unwrap(),
        ],
        1,
    );
    assert!(none.contains("no session in them on that --port"), "{none}");
    assert!(fails(&["--once", "--capture", "nosuch0"], 1).contains("there are"));
    assert!(fails(&["--once", "--wait", "20s", "--capture", "-"], 1).contains("is empty"));
    let text = tui()
        .args(["--once", "--wait", "20s", "--capture", "-"])
        .write_stdin("hello, this is no capture at all\n")
        .assert()
        .code(1);
    let text = String::from_utf8_lossy(&text.get_output().stderr).into_owned();
    assert!(text.contains("is no capture"), "{text}");
    assert!(fails(&["--port", "5"], 2).contains("--port and --dialect tell packets apart"));
    assert!(fails(&["--capture", "-", "--attach", ":1"], 2).contains("cannot be used with"));
}

//! clw-analyze as a user runs it.

#![expect(clippy::expect_used, reason = "a helper of a test may panic")]

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn data(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(folder)
}

fn analyze(args: &[&str]) -> assert_cmd::assert::Assert {
    command().args(args).assert()
}

fn command() -> Command {
    let mut command = Command::cargo_bin("clw-analyze").expect("the binary");
    command.env_remove("NO_COLOR");
    command
}

fn stdout(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
}

fn stderr(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

fn restart() -> String {
    data("openclaw")
        .join("gateway-restart.pcap")
        .display()
        .to_string()
}

#[test]
fn the_report_tells_the_incident_the_endings_and_what_to_do_next() {
    let text = stdout(&analyze(&[&restart()]).success());
    for words in [
        "6 openclaw",
        "What happened",
        "ended clw-server-restart within",
        "the gateway was restarted in order",
        "close codes: 1012 × 6",
        "first packet to ready",
        "--conn 1",
        "clw-bench explain clw-server-restart",
    ] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colour into a pipe");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn the_result_has_what_the_contract_says() {
    let result: Value =
        serde_json::from_str(&stdout(&analyze(&[&restart(), "--json", "-"]).success())).expect("JSON");
    assert_eq!(result["schema"], "clw.analyze/1");
    assert_eq!(result["capture"]["packets"], 129);
    assert_eq!(result["summary"]["by_verdict"]["clw-server-restart"], 6);
    assert_eq!(result["summary"]["by_close_code"]["1012"], 6);
    assert_eq!(result["summary"]["heartbeat_gaps"], 0);
    let connections = result["connections"].as_array().expect("a list");
    assert_eq!(connections.len(), 6);
    for key in [
        "id",
        "client",
        "server",
        "start",
        "duration_ms",
        "dialect",
        "stage",
        "packets",
        "bytes",
        "retransmissions",
        "rtt_us",
        "ending",
        "heartbeats",
        "verdict",
        "confidence",
        "evidence",
    ] {
        assert!(!connections[0][key].is_null(), "{key} is missing");
    }
    for key in [
        "files",
        "packets",
        "bytes",
        "first",
        "last",
        "link_types",
        "interfaces",
        "skipped",
        "truncated_packets",
        "warnings",
    ] {
        assert!(!result["capture"][key].is_null(), "{key} is missing");
    }
    assert_eq!(connections[0]["ending"]["ws_close"]["by"], "server");
}

#[test]
fn lines_and_rows_are_one_a_connection() {
    let lines = stdout(&analyze(&[&restart(), "--jsonl", "-"]).success());
    assert_eq!(lines.lines().count(), 6);
    for line in lines.lines() {
        let value: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(value["verdict"], "clw-server-restart");
    }
    let rows = stdout(&analyze(&[&restart(), "--csv", "-"]).success());
    assert_eq!(rows.lines().count(), 7);
    assert!(rows.starts_with("id,client,server,start"));
}

#[test]
fn a_ladder_shows_who_said_what() {
    let text = stdout(&analyze(&[&restart(), "--conn", "2"]).success());
    for words in [
        "HTTP 101",
        "event connect.challenge",
        "req connect",
        "event shutdown",
        "close 1012 service restart",
        "FIN",
    ] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
    let missing = analyze(&[&restart(), "--conn", "77"]).code(1);
    assert!(stderr(&missing).contains("no connection #77"));
}

#[test]
fn filters_narrow_and_thresholds_decide_the_exit_code() {
    let folder = data("openclaw").display().to_string();
    let lines = stdout(&analyze(&[&folder, "--verdict", "clw-pairing-required", "--jsonl", "-"]).success());
    assert_eq!(lines.lines().count(), 3);
    let lines =
        stdout(&analyze(&[&folder, "--filter", "rst==abort and by==client", "--jsonl", "-"]).success());
    assert_eq!(lines.lines().count(), 4);
    analyze(&[&restart(), "-q", "--threshold", "error_rate<1%"]).code(99);
    analyze(&[&restart(), "-q", "--threshold", "clw-server-restart==6"]).success();
    let text = stdout(&analyze(&[&restart(), "--threshold", "clw-heartbeat-miss==0"]).success());
    assert!(text.contains('✓'), "{text}");
}

#[test]
fn a_folder_is_one_capture_and_standard_input_another() {
    let whole = stdout(&analyze(&[&data("openclaw").display().to_string(), "--json", "-"]).success());
    let whole: Value = serde_json::from_str(&whole).expect("JSON");
    assert_eq!(whole["capture"]["files"].as_array().map(Vec::len), Some(12));
    let bytes = fs::read(restart()).expect("readable");
    let piped = command()
        .args(["-", "--json", "-"])
        .write_stdin(bytes)
        .assert()
        .success();
    let piped: Value = serde_json::from_str(&stdout(&piped)).expect("JSON");
    assert_eq!(piped["summary"]["by_verdict"]["clw-server-restart"], 6);
}

#[test]
fn what_cannot_be_read_is_named_with_what_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).expect("written");
        path.display().to_string()
    };
    let no_captures = dir.path().join("empty-folder");
    fs::create_dir(&no_captures).expect("made");
    // A capture of IEEE 802.15.4: one frame of four bytes.
    let mut zigbee = vec![
        0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 195, 0, 0, 0,
    ];
    zigbee.extend([1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4]);
    for (path, words) in [
        (at("empty.pcap", b""), "empty"),
        (
            at("notes.txt", b"dear diary, today the gateway fell over\n"),
            "no capture",
        ),
        (no_captures.display().to_string(), "no capture"),
        (at("zigbee.pcap", &zigbee), "link type 195"),
        ("/nowhere/at/all.pcap".to_owned(), "/nowhere/at/all.pcap"),
    ] {
        let failed = analyze(&[&path]).code(1);
        let says = stderr(&failed);
        assert!(says.contains(words), "{path}: {says}");
        assert!(says.starts_with("clw-analyze: "), "{says}");
        assert_eq!(stdout(&failed), "");
    }
    let nothing = command().arg("-").write_stdin("").assert().code(1);
    assert!(!stderr(&nothing).is_empty());
}

#[test]
fn a_damaged_capture_gives_what_can_be_read_of_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let whole = fs::read(restart()).expect("readable");
    let cut = dir.path().join("cut.pcap");
    fs::write(&cut, &whole[..whole.len() - 40]).expect("written");
    let text = stdout(&analyze(&[&cut.display().to_string()]).success());
    assert!(
        text.contains("What the capture lacks") && text.contains("cut.pcap"),
        "{text}"
    );
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&whole).expect("packed");
    let packed = packed.finish().expect("packed");
    let broken = dir.path().join("broken.pcap.gz");
    fs::write(&broken, &packed[..packed.len() / 2]).expect("written");
    let text = stdout(&analyze(&[&broken.display().to_string()]).success());
    assert!(text.contains("broken.pcap.gz"), "{text}");
}

#[test]
fn calls_that_cannot_be_meant_are_usage_errors() {
    let file = restart();
    for (args, words) in [
        (&["--filter", "colour==red"][..], "no field"),
        (&["--threshold", "speed>1"], "no metric"),
        (&["--verdict", "clw-sunburn"], "no verdict"),
        (&["--conn", "over there"], "neither"),
        (&["--heartbeat-factor", "0.5"], "above 1"),
        (
            &["--json", "-", "--csv", "-"],
            "cannot both go to standard output",
        ),
    ] {
        let failed = analyze(&[&[file.as_str()], args].concat()).code(2);
        assert!(stderr(&failed).contains(words), "{args:?}: {}", stderr(&failed));
    }
    analyze(&[]).code(2);
}

#[test]
fn an_output_that_cannot_be_written_is_named_and_leaves_nothing_half_written() {
    let failed = analyze(&[&restart(), "--json", "/nowhere/result.json"]).code(1);
    assert!(stderr(&failed).contains("/nowhere/result.json"));
    let full = analyze(&[&restart(), "--jsonl", "/dev/full"]).code(1);
    assert!(stderr(&full).contains("/dev/full"), "{}", stderr(&full));
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("result.json");
    fs::write(&path, "old").expect("written");
    analyze(&[&path.display().to_string(), "--json", &path.display().to_string()]).code(1);
    assert_eq!(fs::read_to_string(&path).expect("there"), "old");
    assert_eq!(
        fs::read_dir(dir.path()).expect("readable").count(),
        1,
        "nothing beside it"
    );
}

#[test]
fn a_journal_that_is_none_and_a_key_log_that_is_not_there_are_named() {
    let failed = analyze(&[&restart(), "--journal", &restart()]).code(1);
    assert!(
        stderr(&failed).contains("cannot read") || stderr(&failed).contains("journal"),
        "{}",
        stderr(&failed)
    );
    let failed = analyze(&[&restart(), "--keylog", "/nowhere/keys"]).code(1);
    assert!(stderr(&failed).contains("/nowhere/keys"));
}

#[test]
fn completions_and_the_man_page_are_made_from_the_same_flags() {
    let man = stdout(&analyze(&["--generate", "man"]).success());
    assert!(man.contains("clw\\-analyze") && man.contains("heartbeat\\-factor"));
    let bash = stdout(&analyze(&["--generate", "completions-bash"]).success());
    assert!(bash.contains("--threshold"));
}

#[test]
fn no_secret_of_a_capture_is_in_any_output() {
    for folder in ["openclaw", "clawchat"] {
        let path = data(folder).display().to_string();
        let bytes: Vec<u8> = fs::read_dir(Path::new(&path))
            .expect("readable")
            .flat_map(|e| fs::read(e.expect("an entry").path()).expect("readable"))
            .collect();
        let all = String::from_utf8_lossy(&bytes).into_owned();
        let json = stdout(&analyze(&[&path, "--json", "-"]).success());
        let text = stdout(&analyze(&[&path]).success());
        // Server frames are not masked, so that the tokens that servers hand out stand in the file as they are.
        let mut secrets = vec!["test-token".to_owned()];
        for key in [
            "\"deviceToken\":\"",
            "\"access_token\":\"",
            "\"refresh_token\":\"",
        ] {
            secrets.extend(
                all.split(key)
                    .skip(1)
                    .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())),
            );
        }
        for secret in secrets.iter().filter(|secret| secret.len() > 6) {
            assert!(
                !json.contains(secret) && !text.contains(secret),
                "{folder}: {secret}"
            );
        }
    }
}

#[test]
fn the_page_is_whole_by_itself_and_shows_hostile_text_as_text() {
    let dir = tempfile::tempdir().expect("a folder");
    let capture = dir.path().join("<img src=x onerror=alert(1)>.pcap");
    // The close reason "service restart" becomes markup of the same length.
    let mut bytes = fs::read(restart()).expect("readable");
    let reason = b"service restart";
    let hits: Vec<_> = (0..bytes.len() - reason.len())
        .filter(|at| bytes[*at..].starts_with(reason))
        .collect();
    assert!(!hits.is_empty());
    for at in hits {
        bytes[at..at + reason.len()].copy_from_slice(b"<script>x()</sc");
    }
    fs::write(&capture, bytes).expect("written");
    let page = dir.path().join("report.html");
    analyze(&[
        &capture.display().to_string(),
        "--html",
        &page.display().to_string(),
    ])
    .success();
    let html = fs::read_to_string(&page).expect("written");
    assert!(html.starts_with("<!DOCTYPE html>") && html.trim_end().ends_with("</html>"));
    assert!(html.contains("clw-server-restart") && html.contains("&lt;script&gt;x()&lt;/sc"));
    for markup in ["<script", "<img", "http://", "https://", "url(h", "@import"] {
        assert!(!html.contains(markup), "{markup} is in the page");
    }
    let count = |what: &str| html.matches(what).count();
    for tag in [
        "table", "tr", "td", "ul", "li", "details", "svg", "g", "main", "h2", "div",
    ] {
        let opened = count(&format!("<{tag}>")) + count(&format!("<{tag} "));
        assert_eq!(opened, count(&format!("</{tag}>")), "{tag}");
    }
    let again = stdout(&analyze(&[&capture.display().to_string(), "--html", "-"]).success());
    assert_eq!(again, html, "the same capture gives the same page");
}

#[test]
fn an_interrupt_while_packets_come_in_reports_what_was_read() {
    use std::process::{Command as Process, Stdio};
    use std::sync::mpsc;
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("result.json");
    let mut child = Process::new(assert_cmd::cargo::cargo_bin("clw-analyze"))
        .args(["-", "-q", "--jsonl", "-", "--json"])
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let first = fs::read(restart()).expect("readable");
    // The same again two minutes later, so that the first connections are judged while packets still come in.
    let mut again = first[24..].to_vec();
    let mut at = 0;
    while at < again.len() {
        let seconds = u32::from_le_bytes(again[at..at + 4].try_into().expect("four")) + 120;
        again[at..at + 4].copy_from_slice(&seconds.to_le_bytes());
        at += 16 + u32::from_le_bytes(again[at + 8..at + 12].try_into().expect("four")) as usize;
    }
    let mut input = child.stdin.take().expect("piped");
    let (close, closed) = mpsc::channel::<()>();
    let feeding = std::thread::spawn(move || {
        input.write_all(&first).expect("taken");
        input.write_all(&again).expect("taken");
        // Ends with the sender.
        let _ = closed.recv();
    });
    let mut lines = std::io::BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut lines, &mut line).expect("a line");
    assert!(line.contains("clw-server-restart"), "{line}");
    let kill = Process::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.expect("kill").success());
    drop(close);
    std::io::Read::read_to_string(&mut lines, &mut line).expect("the rest");
    assert_eq!(child.wait().expect("ended").code(), Some(130));
    feeding.join().expect("fed");
    let result: Value = serde_json::from_slice(&fs::read(&path).expect("written")).expect("whole");
    assert_eq!(result["interrupted"], true);
    assert_eq!(result["connections"].as_array().map(Vec::len), Some(12));
    assert_eq!(line.lines().count(), 12);
}

/// Four sessions of a gateway that lost the pongs of two; it counted 44 pings and 29 pongs, as the client did.
#[test]
fn heartbeats_over_udp_are_counted_for_their_sessions_and_a_one_way_loss_is_named() {
    let capture = data("clw").join("datagrams.pcap").display().to_string();
    let text = stdout(&analyze(&[&capture]).success());
    assert!(text.contains("one-way   2 with UDP heartbeats"), "{text}");
    let result: Value =
        serde_json::from_str(&stdout(&analyze(&[&capture, "--json", "-"]).success())).expect("JSON");
    assert_eq!(result["summary"]["one_way_losses"], 2);
    assert_eq!(result["summary"]["by_verdict"]["ok"], 4, "it ends nothing");
    assert_eq!(
        result["capture"]["skipped"],
        serde_json::json!({}),
        "no datagram is left over"
    );
    let connections = result["connections"].as_array().expect("a list");
    let sum = |key: &str| -> u64 {
        let of = |connection: &Value| connection["heartbeats"]["udp"][key].as_u64().expect("a count");
        connections.iter().map(of).sum()
    };
    assert_eq!((sum("pings"), sum("pongs")), (44, 29));
    for connection in connections {
        let told = connection["evidence"]
            .to_string()
            .contains("one-way heartbeat loss: ");
        assert_eq!(
            told,
            connection["heartbeats"]["udp"]["one_way"].is_object(),
            "{connection}"
        );
    }
}

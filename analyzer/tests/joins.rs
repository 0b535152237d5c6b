//! A capture joined with the other side's capture, a journal and a gateway's log.

#![expect(clippy::expect_used, reason = "a helper of a test may panic")]

use assert_cmd::Command;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(file)
}

fn analyze(args: &[&Path]) -> Value {
    let output = Command::cargo_bin("clw-analyze")
        .expect("the binary")
        .args(args)
        .args(["--json", "-"])
        .assert()
        .success();
    serde_json::from_slice(&output.get_output().stdout).expect("JSON")
}

/// The records of a classic little-endian pcap of Ethernet frames: microseconds and bytes.
fn records(path: &Path) -> (Vec<u8>, Vec<(u64, Vec<u8>)>) {
    let bytes = fs::read(path).expect("readable");
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let mut all = Vec::new();
    let mut at = 24;
    while at < bytes.len() {
        let len = word(at + 8) as usize;
        let us = u64::from(word(at)) * 1_000_000 + u64::from(word(at + 4));
        all.push((us, bytes[at + 16..at + 16 + len].to_vec()));
        at += 16 + len;
    }
    (bytes[..24].to_vec(), all)
}

fn write(path: &Path, head: &[u8], records: &[(u64, Vec<u8>)]) {
    let mut bytes = head.to_vec();
    for (us, frame) in records {
        let len = u32::try_from(frame.len()).expect("small");
        let part = |us: u64| u32::try_from(us).expect("a time of our days");
        for word in [part(us / 1_000_000), part(us % 1_000_000), len, len] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(frame);
    }
    fs::write(path, bytes).expect("written");
}

fn port(frame: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([frame[34 + at], frame[35 + at]])
}

#[test]
fn a_reset_that_the_other_side_never_sent_is_a_middleboxes() {
    let dir = tempfile::tempdir().expect("a folder");
    let here = data("openclaw/client-rst.pcap");
    let there = dir.path().join("client-side.pcap");
    let (head, all) = records(&here);
    // The client's side: its packets 20 ms earlier, the server's 20 ms later, a clock 3 s ahead, and none of the RSTs.
    let mut shifted: Vec<_> = all
        .into_iter()
        .filter(|(_, frame)| frame[47] & 0x04 == 0)
        .map(|(us, frame)| {
            let by_server = port(&frame, 0) < 20_000;
            (if by_server { us + 3_020_000 } else { us + 2_980_000 }, frame)
        })
        .collect();
    shifted.sort_by_key(|(us, _)| *us);
    // Two packets of the client never arrived at the server's side.
    let (us, mut lost) = shifted
        .iter()
        .rfind(|(_, f)| port(f, 0) > 20_000)
        .cloned()
        .expect("one");
    for _ in 0..2 {
        lost[38] ^= 0x55;
        shifted.push((us, lost.clone()));
        lost[39] ^= 0x55;
    }
    write(&there, &head, &shifted);
    let before = analyze(&[&here]);
    assert_eq!(before["summary"]["by_verdict"]["clw-auth-disconnected"], 5);
    let after = analyze(&[&here, Path::new("--peer"), &there]);
    assert_eq!(
        after["summary"]["by_verdict"],
        json!({"clw-auth-disconnected": 1, "clw-injected-reset": 4})
    );
    assert_eq!(after["summary"]["by_rst_class"], json!({"injected": 4}));
    let peer = &after["peer"];
    assert_eq!(peer["here"], "server");
    assert_eq!(
        (peer["joined"].as_u64(), peer["lost_incoming"].as_u64()),
        (Some(5), Some(2)),
        "{peer:#}"
    );
    assert_eq!(peer["lost_outgoing"], 0);
    let near = |key: &str, wanted: f64| (peer[key].as_f64().expect(key) - wanted).abs() < 0.1;
    assert!(
        near("clock_offset_ms", 3000.0) && near("one_way_ms", 20.0),
        "{peer:#}"
    );
    assert_eq!(peer["findings"].as_array().map(Vec::len), Some(4));
}

#[test]
fn the_same_capture_twice_finds_nothing() {
    let here = data("openclaw/client-rst.pcap");
    let result = analyze(&[&here, Path::new("--peer"), &here]);
    assert_eq!(result["peer"]["findings"], json!([]));
    assert_eq!(
        (
            result["peer"]["lost_outgoing"].as_u64(),
            result["peer"]["lost_incoming"].as_u64()
        ),
        (Some(0), Some(0))
    );
    assert_eq!(result["summary"]["by_verdict"]["clw-auth-disconnected"], 5);
}

#[test]
fn sessions_behind_a_nat_are_joined_by_their_first_sequence_number() {
    let dir = tempfile::tempdir().expect("a folder");
    let here = data("openclaw/client-rst.pcap");
    let there = dir.path().join("gateway-side.pcap");
    let (head, all) = records(&here);
    // At the gateway every client has the NAT's address and another port, and no RST arrived.
    let mut translated: Vec<_> = all
        .into_iter()
        .filter(|(_, frame)| frame[47] & 0x04 == 0)
        .map(|(us, mut frame)| {
            let by_server = port(&frame, 0) < 20_000;
            let (address, port) = if by_server { (30, 36) } else { (26, 34) };
            frame[address..address + 4].copy_from_slice(&[10, 9, 8, 7]);
            frame[port] ^= 0x10;
            (if by_server { us - 10_000 } else { us + 10_000 }, frame)
        })
        .collect();
    translated.sort_by_key(|(us, _)| *us);
    write(&there, &head, &translated);
    let result = analyze(&[&here, Path::new("--peer"), &there]);
    let peer = &result["peer"];
    assert_eq!(
        (
            peer["joined"].as_u64(),
            peer["translated"].as_u64(),
            peer["only_here"].as_u64()
        ),
        (Some(5), Some(5), Some(0)),
        "{peer:#}"
    );
    assert_eq!(peer["here"], "client");
    // A RST that this side sent and the other never saw was lost on the way, and is no forgery.
    assert_eq!(peer["lost_outgoing"], 4, "{peer:#}");
    assert_eq!(result["summary"]["by_verdict"]["clw-auth-disconnected"], 5);
    let evidence = result["connections"][0]["evidence"].to_string();
    assert!(
        evidence.contains("at the other side it is 10.9.8.7:"),
        "{evidence}"
    );
}

#[test]
fn a_journal_is_joined_session_by_session() {
    let dir = tempfile::tempdir().expect("a folder");
    let here = data("openclaw/client-rst.pcap");
    let seen = analyze(&[&here]);
    let connections = seen["connections"].as_array().expect("a list");
    let started = connections[0]["start_unix_ns"].as_u64().expect("a time") / 1000;
    let mut lines =
        vec![json!({"type": "header", "schema": "clw.journal/1", "started_unix_us": started}).to_string()];
    for (number, connection) in connections.iter().enumerate() {
        let begun = connection["start_unix_ns"].as_u64().expect("a time") / 1000 - started;
        // The first session is told differently, and the last one is not in the journal.
        let verdict = if number == 0 {
            "ok"
        } else {
            "clw-auth-disconnected"
        };
        if number + 1 < connections.len() {
            lines.push(
                json!({
                    "type": "session", "session": number, "attempt": 0, "identity": "c", "role": "operator",
                    "client": connection["client"], "server": connection["server"], "scheduled_us": begun,
                    "stages_us": {"tcp": begun}, "ended_us": begun + 10, "stage": "ready", "verdict": verdict,
                    "confidence": 0.9, "by": "client", "ending": "rst", "close": null, "evidence": ["as seen"],
                    "heartbeats_sent": 0, "heartbeats_missed": 0, "retry_after_us": null
                })
                .to_string(),
            );
        }
    }
    lines.push("{\"type\":\"sess".to_owned());
    let journal = dir.path().join("run.jsonl");
    fs::write(&journal, lines.join("\n")).expect("written");
    let joined = analyze(&[&here, Path::new("--journal"), &journal])["journal"].clone();
    assert_eq!(joined["joined"], 4, "{joined:#}");
    assert_eq!(
        (joined["agree"].as_u64(), joined["disagree"].as_u64()),
        (Some(3), Some(1))
    );
    assert_eq!(
        (joined["only_wire"].as_u64(), joined["only_other"].as_u64()),
        (Some(1), Some(0))
    );
    assert_eq!(joined["disagreements"][0]["other"], "ok");
    assert_eq!(joined["disagreements"][0]["other_evidence"], json!(["as seen"]));
}

#[test]
fn the_gateways_log_is_joined_by_address() {
    let dir = tempfile::tempdir().expect("a folder");
    let here = data("openclaw/wrong-token.pcap");
    let seen = analyze(&[&here]);
    let connections = seen["connections"].as_array().expect("a list");
    let log = dir.path().join("gateway.log");
    let line = |connection: &Value, cause: &str| {
        format!(
            "2026-11-20T21:00:00Z [ws] closed before connect conn=x peer={}->{} remote=a code=1008 cause={cause} durationMs=266\n",
            connection["client"].as_str().expect("text"),
            connection["server"].as_str().expect("text")
        )
    };
    let text = format!(
        "noise\n{}{}\u{1b}[31m\n",
        line(&connections[0], "unauthorized"),
        line(&connections[1], "handshake-timeout")
    );
    fs::write(&log, text).expect("written");
    let result = analyze(&[&here, Path::new("--log"), &log]);
    let joined = &result["log"];
    assert_eq!(
        (joined["joined"].as_u64(), joined["agree"].as_u64()),
        (Some(2), Some(1)),
        "{joined:#}"
    );
    assert_eq!(joined["disagreements"][0]["other"], "cause=handshake-timeout");
    let evidence = result["connections"][0]["evidence"].to_string();
    assert!(
        evidence.contains("the gateway's log: ") && evidence.contains("cause=unauthorized"),
        "{evidence}"
    );
}

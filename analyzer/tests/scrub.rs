//! Scrubbed captures: the same verdicts, the same sizes and times, right checksums, and nothing secret.

#![expect(clippy::expect_used, reason = "helpers of a test may panic")]

mod support;

use assert_cmd::Command;
use clw_analyzer::decode::{Decoded, Decoder, FragmentLimits};
use clw_analyzer::record::Record;
use clw_analyzer::scrub::{ScrubError, scrub};
use clw_analyzer::source::{Capture, Item};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use support::{analyze, data};

fn captures() -> Vec<PathBuf> {
    let mut all: Vec<_> = ["openclaw", "clawchat", "clw"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(data(folder)).expect("captures"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "pcap"))
        .collect();
    all.sort();
    assert!(all.len() >= 27, "{}", all.len());
    all
}

/// What a reader takes home of a connection; texts of the evidence aside.
fn essence(records: &[Record]) -> Vec<String> {
    let one = |r: &Record| {
        let resets: Vec<_> = r
            .ending
            .rst
            .iter()
            .map(|rst| (rst.by, rst.class, rst.survived))
            .collect();
        let close = r.ending.ws_close.as_ref().map(|c| (c.code, c.by, c.echo));
        let gaps: Vec<_> = r
            .heartbeats
            .gaps
            .iter()
            .map(|gap| (gap.from_ms, gap.length_ms))
            .collect();
        format!(
            "{} {} {:?} {} {} {:?} {:?} {:?} {close:?} {resets:?} {gaps:?} {:?} {:?} {} {:?}",
            r.id,
            r.client,
            r.verdict,
            r.dialect,
            r.stage,
            r.ending.kind,
            r.ending.by,
            r.ending.at_ms,
            (r.packets, r.bytes, r.retransmissions, r.opcodes),
            (
                r.heartbeats.ws_ping,
                r.heartbeats.ws_pong,
                r.heartbeats.ticks,
                r.heartbeats.period_ms,
                r.heartbeats
                    .udp
                    .as_ref()
                    .map(|udp| serde_json::to_string(udp).expect("JSON"))
            ),
            r.pending_requests,
            r.http.as_ref().map(|http| http.status),
        )
    };
    records.iter().map(one).collect()
}

/// Frames: time, captured and original length.
fn frames(path: &Path) -> Vec<(u64, usize, u32)> {
    let mut capture = Capture::open(&[path.to_owned()]).expect("a capture");
    let mut all = Vec::new();
    while let Some(item) = capture.next().expect("readable") {
        if let Item::Frame(frame) = item {
            all.push((frame.at_ns, frame.data.len(), frame.original_len));
        }
    }
    all
}

/// All payloads of a capture, one after the other by sender: what `strings` would find, segments joined.
fn payloads(path: &Path) -> Vec<Vec<u8>> {
    let mut capture = Capture::open(&[path.to_owned()]).expect("a capture");
    let mut decoder = Decoder::new(FragmentLimits::default());
    let mut streams: Vec<(String, Vec<u8>)> = Vec::new();
    while let Some(item) = capture.next().expect("readable") {
        if let Item::Frame(frame) = item
            && let Decoded::Tcp(segment) = decoder.decode(&frame)
        {
            let key = format!("{} {}", segment.source, segment.destination);
            match streams.iter_mut().find(|(known, _)| *known == key) {
                Some((_, bytes)) => bytes.extend_from_slice(segment.payload),
                None => streams.push((key, segment.payload.to_vec())),
            }
        }
    }
    streams.into_iter().map(|(_, bytes)| bytes).collect()
}

/// Messages of a stream, found without the code under test: every frame header that could be one is tried.
fn clear_texts(stream: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(stream).into_owned();
    for at in 0..stream.len() {
        let Some([first, second]) = stream.get(at..at + 2) else {
            break;
        };
        if !matches!(first, 0x81 | 0x82) || second & 0x80 == 0 {
            continue;
        }
        let (length, head) = match second & 0x7F {
            126 => (
                stream
                    .get(at + 2..at + 4)
                    .map_or(0, |b| usize::from(b[0]) << 8 | usize::from(b[1])),
                4,
            ),
            127 => continue,
            short => (usize::from(short), 2),
        };
        if let Some(rest) = stream.get(at + head..at + head + 4 + length) {
            let (mask, body) = rest.split_at(4);
            let clear: Vec<u8> = body
                .iter()
                .zip((0..4).cycle())
                .map(|(byte, i)| byte ^ mask[i])
                .collect();
            text.push('\n');
            text += &String::from_utf8_lossy(&clear);
        }
    }
    text
}

/// Texts that must not be seen: the values of fields that hold secrets or what people wrote.
fn secrets(path: &Path) -> BTreeSet<String> {
    const SECRET: [&str; 13] = [
        "token",
        "nonce",
        "signature",
        "publicKey",
        "password",
        "deviceToken",
        "bootstrapToken",
        "access_token",
        "refresh_token",
        "text",
        "session",
        "token_id",
        "displayName",
    ];
    let mut found = BTreeSet::new();
    for stream in payloads(path) {
        let text = clear_texts(&stream);
        for field in SECRET {
            for part in text.split(&format!("\"{field}\":")).skip(1) {
                let part = part.trim_start();
                if let Some(value) = part.strip_prefix('"').and_then(|rest| rest.split('"').next())
                    && value.len() >= 6
                    && value.bytes().any(|byte| byte != b'x')
                {
                    found.insert(value.to_owned());
                }
            }
        }
    }
    found
}

#[test]
fn every_capture_keeps_its_verdicts_sizes_and_times_and_loses_its_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut secrets_in_all = 0;
    for capture in captures() {
        let name = capture.display();
        let out = folder.path().join("out.pcap");
        let summary = scrub(&capture, &out).expect("scrubbed");
        assert_eq!(summary.packets, frames(&capture).len() as u64, "{name}");
        assert_eq!(frames(&out), frames(&capture), "{name}");
        let (before, after) = (essence(&analyze(&capture)), essence(&analyze(&out)));
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(after, before, "{name}");
        }
        assert_eq!(after.len(), before.len(), "{name}");
        let secrets = secrets(&capture);
        secrets_in_all += secrets.len();
        let raw = std::fs::read(&out).expect("the file");
        let seen: Vec<String> = payloads(&out).iter().map(|stream| clear_texts(stream)).collect();
        for secret in secrets {
            assert!(
                !seen.iter().any(|text| text.contains(&secret)),
                "{name}: {secret}"
            );
            assert!(
                !raw.windows(secret.len()).any(|w| w == secret.as_bytes()),
                "{name}: {secret}"
            );
        }
    }
    assert!(
        secrets_in_all >= 60,
        "only {secrets_in_all} secrets were looked for"
    );
}

/// Checks IP and TCP checksums of whole packets by the book; how many there were.
#[test]
fn an_ip_header_that_is_longer_than_the_frame_hides_nothing() {
    // Ethernet, and an IPv4 header that claims 60 bytes, of which the frame has 34.
    let mut frame = vec![0; 12];
    frame.extend_from_slice(&[
        8, 0, 0x4F, 0, 1, 0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
    ]);
    frame.extend_from_slice(b"a token, 14 b.");
    let length = u32::try_from(frame.len()).expect("small").to_le_bytes();
    let head = [
        0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
    ];
    let capture = [
        &head[..],
        &[1, 0, 0, 0, 0, 0, 0, 0],
        &length,
        &300_u32.to_le_bytes(),
        &frame,
    ]
    .concat();
    let folder = tempfile::tempdir().expect("a folder");
    let (path, out) = (folder.path().join("a.pcap"), folder.path().join("b.pcap"));
    std::fs::write(&path, capture).expect("written");
    assert_eq!(scrub(&path, &out).expect("scrubbed").packets, 1);
    let written = std::fs::read(&out).expect("the file");
    assert!(!written.windows(5).any(|window| window == b"token"));
}

#[test]
fn heartbeats_over_udp_stay_and_lose_the_names_of_their_sessions() {
    let folder = tempfile::tempdir().expect("a folder");
    let (capture, out) = (data("clw").join("datagrams.pcap"), folder.path().join("b.pcap"));
    scrub(&capture, &out).expect("scrubbed");
    let heartbeats = |path: &Path| {
        let mut capture = Capture::open(&[path.to_owned()]).expect("a capture");
        let mut decoder = Decoder::new(FragmentLimits::default());
        let mut all = Vec::new();
        while let Some(item) = capture.next().expect("readable") {
            if let Item::Frame(frame) = item
                && let Decoded::Udp(datagram) = decoder.decode(&frame)
            {
                all.push(clw_core::clw::Datagram::read(datagram.payload).expect("a heartbeat"));
            }
        }
        all
    };
    let (before, after) = (heartbeats(&capture), heartbeats(&out));
    assert!(
        before.len() > 50 && before.len() == after.len(),
        "{}",
        before.len()
    );
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((before.opcode, before.seq), (after.opcode, after.seq));
        assert!(after.session.starts_with(b"session-"));
    }
    let names = |all: &[clw_core::clw::Datagram]| all.iter().map(|one| one.session).collect::<BTreeSet<_>>();
    assert_eq!(names(&before).len(), names(&after).len());
    let written = std::fs::read(&out).expect("the file");
    for name in names(&before) {
        assert!(!written.windows(name.len()).any(|window| window == name));
    }
}

fn wrong_checksums(path: &Path) -> (usize, usize) {
    let mut capture = Capture::open(&[path.to_owned()]).expect("a capture");
    let (mut checked, mut wrong) = (0, 0);
    let ones = |bytes: &[u8]| {
        let mut sum: u32 = bytes
            .chunks(2)
            .map(|word| u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0)))
            .sum();
        while sum > 0xFFFF {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }
        sum
    };
    while let Some(item) = capture.next().expect("readable") {
        let Item::Frame(frame) = item else { continue };
        let Some(at) = (0..frame.data.len().saturating_sub(20)).find(|at| {
            frame.data[*at] == 0x45
                && usize::from(frame.data[at + 2]) << 8 | usize::from(frame.data[at + 3])
                    == frame.data.len() - at
        }) else {
            continue;
        };
        let packet = &frame.data[at..];
        if packet[9] != 6 {
            continue;
        }
        checked += 1;
        let length = u16::try_from(packet.len() - 20).expect("short");
        let pseudo = [&packet[12..20], &[0, 6], &length.to_be_bytes()[..], &packet[20..]].concat();
        wrong += usize::from(ones(&packet[..20]) != 0xFFFF || ones(&pseudo) != 0xFFFF);
    }
    (checked, wrong)
}

#[test]
fn checksums_are_right_even_where_they_were_offloaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut checked, mut were_wrong) = (0, 0);
    for capture in captures() {
        let out = folder.path().join("out.pcap");
        scrub(&capture, &out).expect("scrubbed");
        were_wrong += wrong_checksums(&capture).1;
        let (count, wrong) = wrong_checksums(&out);
        assert_eq!(wrong, 0, "{}", capture.display());
        checked += count;
    }
    assert!(
        checked > 500 && were_wrong > 100,
        "{checked} packets, {were_wrong} wrong before"
    );
}

#[test]
fn a_packed_capture_comes_and_goes_packed() {
    let folder = tempfile::tempdir().expect("a folder");
    let capture = data("clw").join("auth.pcap");
    for ending in ["gz", "zst"] {
        let packed = folder.path().join(format!("a.pcap.{ending}"));
        scrub(&capture, &packed).expect("scrubbed");
        let again = folder.path().join("b.pcap");
        scrub(&packed, &again).expect("scrubbed");
        assert_eq!(essence(&analyze(&packed)), essence(&analyze(&capture)));
        assert_eq!(frames(&again), frames(&capture));
    }
}

#[test]
fn what_cannot_be_scrubbed_is_told_and_nothing_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join("a.pcap");
    std::fs::copy(data("clw").join("auth.pcap"), &capture).expect("copied");
    assert!(matches!(scrub(&capture, &capture), Err(ScrubError::SameFile(_))));
    assert!(matches!(scrub(Path::new("-"), &capture), Err(ScrubError::Stdin)));
    let text = folder.path().join("text");
    std::fs::write(&text, "no capture").expect("written");
    let out = folder.path().join("out.pcap");
    let run = |from: &Path, to: &Path| {
        let output = Command::cargo_bin("clw-analyze")
            .expect("the binary")
            .arg("scrub")
            .args([from, to])
            .output()
            .expect("run");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, said) = run(&text, &out);
    assert_eq!(code, Some(1));
    assert!(said.contains("is no capture"), "{said}");
    assert!(!out.exists());
    let (code, said) = run(&capture, Path::new("/dev/full"));
    assert_eq!(code, Some(1));
    assert!(said.contains("/dev/full"), "{said}");
    let (code, said) = run(&capture, &out);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("texts blanked"), "{said}");
    let usage = Command::cargo_bin("clw-analyze")
        .expect("the binary")
        .args(["scrub", "one"])
        .output();
    assert_eq!(usage.expect("run").status.code(), Some(2));
}

#[test]
fn secrets_in_a_pcapng_are_left_out() {
    // Section, secrets (type 10: TLS key log), interface, one packet.
    let block = |kind: u32, body: &[u8]| {
        let length = u32::try_from(body.len() + 12).expect("short").to_le_bytes();
        [&kind.to_le_bytes()[..], &length, body, &length].concat()
    };
    let section = [&0x1A2B_3C4D_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xFF; 8]].concat();
    let log = b"CLIENT_RANDOM 0011 s3cr3t-s3cr3t";
    let secrets = [
        &0x544c_534b_u32.to_le_bytes()[..],
        &u32::try_from(log.len()).expect("short").to_le_bytes(),
        log,
    ]
    .concat();
    let interface = [&[1_u8, 0, 0, 0][..], &0_u32.to_le_bytes()].concat();
    let packet = [
        &[0_u8; 12][..],
        &4_u32.to_le_bytes(),
        &4_u32.to_le_bytes(),
        b"abcd",
    ]
    .concat();
    let capture = [
        block(0x0A0D_0D0A, &section),
        block(10, &secrets),
        block(1, &interface),
        block(6, &packet),
    ]
    .concat();
    let folder = tempfile::tempdir().expect("a folder");
    let (path, out) = (folder.path().join("a.pcapng"), folder.path().join("b.pcapng"));
    std::fs::write(&path, capture).expect("written");
    let summary = scrub(&path, &out).expect("scrubbed");
    assert_eq!((summary.packets, summary.secrets), (1, 1));
    let written = std::fs::read(&out).expect("the file");
    assert!(!written.windows(6).any(|window| window == b"s3cr3t"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_capture_cut_or_damaged_anywhere_still_gives_nothing_away(which in 0usize..28, cut: prop::sample::Index, flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)) {
        let captures = captures();
        let capture = &captures[which % captures.len()];
        let secrets: Vec<String> = secrets(capture).into_iter().filter(|secret| secret.len() >= 12).collect();
        let mut bytes = std::fs::read(capture).expect("the file");
        bytes.truncate(24 + cut.index(bytes.len() - 24));
        for (at, value) in flips {
            // Headers of records stay: what is behind them is what may be anything.
            let at = 24 + at.index(bytes.len().max(25) - 24);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let (path, out) = (folder.path().join("a.pcap"), folder.path().join("b.pcap"));
        std::fs::write(&path, &bytes).expect("written");
        if scrub(&path, &out).is_ok() {
            let seen: Vec<String> = payloads(&out).iter().map(|stream| clear_texts(stream)).collect();
            for secret in secrets {
                // What stands around it tells where it slipped through.
                let found = seen.iter().find_map(|text| {
                    let at = text.find(&secret)?;
                    Some(text.chars().skip(text[..at].chars().count().saturating_sub(60)).take(200).collect::<String>())
                });
                prop_assert_eq!(found, None);
            }
        }
    }
}

/// The same fields, with texts of the same length.
fn shape(value: &Value) -> Value {
    match value {
        Value::String(text) => text.len().into(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), shape(value)))
            .collect(),
        other => other.clone(),
    }
}

#[test]
fn a_scrubbed_message_is_json_of_the_same_shape() {
    let folder = tempfile::tempdir().expect("a folder");
    let capture = data("openclaw").join("token-ok.pcap");
    let out = folder.path().join("out.pcap");
    scrub(&capture, &out).expect("scrubbed");
    let messages = |path: &Path| -> Vec<Value> {
        payloads(path)
            .iter()
            .flat_map(|stream| clear_texts(stream).lines().map(str::to_owned).collect::<Vec<_>>())
            .filter_map(|line| serde_json::from_str(&line).ok())
            .collect()
    };
    let (before, after) = (messages(&capture), messages(&out));
    assert!(!before.is_empty());
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(shape(before), shape(after));
    }
}

//! Agreement with tshark: connections, RSTs by sender, close codes, opcodes by sender; and our dissector in it.
//!
//! tshark is a second opinion, not the truth: where it is known to be blind, `blind_to_frames` says so, and nothing else is
//! forgiven. Needs tshark; `.ci/run` installs it.

#![expect(clippy::expect_used, reason = "helpers of a test may panic")]

mod support;

use clw_analyzer::record::{Opcodes, Record};
use clw_core::verdict::Side;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::{analyze, data};

const BINARY: &str = env!("CARGO_BIN_EXE_clw-analyze");

/// What tshark sees of one TCP stream. Senders are `address:port`.
#[derive(Debug, Default)]
struct Stream {
    senders: BTreeSet<String>,
    receivers: BTreeSet<String>,
    resets: BTreeMap<String, u64>,
    opcodes: BTreeMap<(String, u32), u32>,
    closes: Vec<(String, u16)>,
    has_syn: bool,
    is_cut: bool,
}

fn tshark(args: &[&str]) -> Output {
    Command::new("tshark")
        .args(args)
        .output()
        .expect("tshark is installed (apt-get install tshark)")
}

/// All streams of a capture, its servers' ports read as HTTP.
fn streams(capture: &Path, records: &[Record]) -> BTreeMap<u32, Stream> {
    let mut args = vec!["-r".to_owned(), capture.display().to_string()];
    args.extend(["-o", "tcp.reassemble_out_of_order:TRUE"].map(str::to_owned));
    let ports: BTreeSet<u16> = records.iter().map(|record| record.server.port()).collect();
    for port in ports {
        args.extend(["-d".to_owned(), format!("tcp.port=={port},http")]);
    }
    args.extend(
        "-Y tcp -T fields -E occurrence=a -E aggregator=,"
            .split(' ')
            .map(str::to_owned),
    );
    let fields = [
        "tcp.stream",
        "ip.src",
        "ipv6.src",
        "tcp.srcport",
        "ip.dst",
        "ipv6.dst",
        "tcp.dstport",
        "tcp.flags.reset",
        "tcp.flags.syn",
        "frame.len",
        "frame.cap_len",
        "websocket.opcode",
        "websocket.payload.close.status_code",
    ];
    args.extend(
        fields
            .iter()
            .flat_map(|field| ["-e".to_owned(), (*field).to_owned()]),
    );
    let output = tshark(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let mut streams: BTreeMap<u32, Stream> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [
            stream,
            source4,
            source6,
            source_port,
            to4,
            to6,
            to_port,
            reset,
            syn,
            length,
            captured,
            opcodes,
            codes,
        ] = columns[..]
        else {
            panic!("{line}");
        };
        let end = |v4: &str, v6: &str, port: &str| match v4 {
            "" => format!("[{v6}]:{port}"),
            v4 => format!("{v4}:{port}"),
        };
        let sender = end(source4, source6, source_port);
        let stream = streams.entry(stream.parse().expect("a number")).or_default();
        stream.receivers.insert(end(to4, to6, to_port));
        stream.has_syn |= syn == "1" || syn == "True";
        stream.is_cut |= length != captured;
        if reset == "1" || reset == "True" {
            *stream.resets.entry(sender.clone()).or_default() += 1;
        }
        for opcode in opcodes.split(',').filter(|text| !text.is_empty()) {
            let opcode = opcode.parse().expect("an opcode");
            *stream.opcodes.entry((sender.clone(), opcode)).or_default() += 1;
        }
        for code in codes.split(',').filter(|text| !text.is_empty()) {
            stream
                .closes
                .push((sender.clone(), code.parse().expect("a code")));
        }
        stream.senders.insert(sender);
    }
    streams
}

/// tshark finds WebSocket frames only behind an upgrade that was captured, and gives up on a stream whose packets were
/// cut short.
fn blind_to_frames(stream: &Stream) -> bool {
    !stream.has_syn || stream.is_cut
}

fn ours_by_number(opcodes: &Opcodes) -> [(u32, u32); 6] {
    [
        (0, opcodes.continuation),
        (1, opcodes.text),
        (2, opcodes.binary),
        (8, opcodes.close),
        (9, opcodes.ping),
        (10, opcodes.pong),
    ]
}

/// What differs between a connection and its stream.
fn differences(record: &Record, stream: &Stream) -> Vec<String> {
    let (client, server) = (record.client.to_string(), record.server.to_string());
    let mut wrong = Vec::new();
    let mut resets: BTreeMap<String, u64> = BTreeMap::new();
    for reset in &record.ending.rst {
        let in_the_name_of = match reset.by {
            Side::Client => client.clone(),
            Side::Server => server.clone(),
            // Whoever forged it, tshark counts it for the address that it bears.
            Side::Middlebox | Side::Unknown => continue,
        };
        *resets.entry(in_the_name_of).or_default() += 1;
    }
    let forged = record.ending.rst.len() as u64 - resets.values().sum::<u64>();
    let total: u64 = stream.resets.values().sum();
    if resets.values().sum::<u64>() + forged != total || (forged == 0 && resets != stream.resets) {
        wrong.push(format!(
            "RSTs: {resets:?} and {forged} forged, tshark {:?}",
            stream.resets
        ));
    }
    if blind_to_frames(stream) {
        return wrong;
    }
    let mut opcodes = BTreeMap::new();
    for (sender, counts) in [
        (&client, &record.opcodes.client),
        (&server, &record.opcodes.server),
    ] {
        for (opcode, count) in ours_by_number(counts) {
            if count > 0 {
                opcodes.insert((sender.clone(), opcode), count);
            }
        }
    }
    if opcodes != stream.opcodes {
        wrong.push(format!("opcodes: {opcodes:?}, tshark {:?}", stream.opcodes));
    }
    let close = record.ending.ws_close.as_ref().filter(|close| close.code != 1005);
    let ours = close.map(|close| {
        let by = if close.by == Side::Client {
            &client
        } else {
            &server
        };
        (by.clone(), close.code)
    });
    // An empty body shows no code in tshark: only the echo of the other side may.
    let empty_first = record.ending.ws_close.is_some() && close.is_none();
    if ours.as_ref() != stream.closes.first() && !empty_first {
        wrong.push(format!("close: {ours:?}, tshark {:?}", stream.closes));
    }
    wrong
}

fn captures() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = ["openclaw", "clawchat", "clw"].map(data).to_vec();
    match std::env::var_os("CLW_FOREIGN_CAPTURES") {
        Some(folder) => folders.push(folder.into()),
        None => eprintln!("without the captures of other projects: CLW_FOREIGN_CAPTURES is not set"),
    }
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).expect("a folder of captures"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "pcap" || e == "pcapng"))
        .collect();
    files.sort();
    files
}

#[test]
#[ignore = "needs tshark, which .ci/run installs"]
fn tshark_sees_the_same_connections_resets_closes_and_opcodes() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for capture in captures() {
        let name = capture
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let records = analyze(&capture);
        let streams = streams(&capture, &records);
        if streams.len() != records.len() {
            wrong.push(format!(
                "{name}: {} connections, tshark {}",
                records.len(),
                streams.len()
            ));
        }
        let mut lines = Vec::new();
        for record in &records {
            let ends = [record.client.to_string(), record.server.to_string()];
            // Ports are used again: the streams of one pair of ends are in the order of their first packets.
            let earlier = records.iter().filter(|other| {
                other.id < record.id && other.client == record.client && other.server == record.server
            });
            let stream = streams
                .values()
                .filter(|stream| {
                    let met: BTreeSet<_> = stream.senders.union(&stream.receivers).cloned().collect();
                    ends.iter().all(|end| met.contains(end))
                })
                .nth(earlier.count());
            let Some(stream) = stream else {
                lines.push(format!("#{} is no stream of tshark's", record.id));
                continue;
            };
            compared += 1;
            lines.extend(
                differences(record, stream)
                    .into_iter()
                    .map(|line| format!("#{} {line}", record.id)),
            );
        }
        println!(
            "{name:<36} {:>3} connections  {}",
            records.len(),
            if lines.is_empty() {
                "\u{2713}".to_owned()
            } else {
                lines.join("; ")
            }
        );
        wrong.extend(lines.into_iter().map(|line| format!("{name}: {line}")));
    }
    assert!(compared >= 60, "only {compared} connections were compared");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Our dissector, as a user gets it, in a folder of its own.
fn dissector() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("clw.lua");
    let printed = Command::new(BINARY)
        .args(["--generate", "wireshark-lua"])
        .output()
        .expect("clw-analyze");
    std::fs::write(&script, printed.stdout).expect("write");
    let option = format!("lua_script:{}", script.display());
    (folder, option)
}

#[test]
#[ignore = "needs tshark, which .ci/run installs"]
fn the_dissector_names_every_message_of_a_clw_capture_and_shows_no_token() {
    let (_folder, script) = dissector();
    let capture = data("clw").join("auth.pcap").display().to_string();
    let fields = |filter: &str, names: &[&str]| {
        let mut args = vec!["-r", &capture, "-X", &script, "-Y", filter, "-T", "fields"];
        args.extend(names.iter().flat_map(|name| ["-e", name]));
        String::from_utf8(tshark(&args).stdout).expect("text")
    };
    let records = analyze(&data("clw").join("auth.pcap"));
    let messages: u32 = records
        .iter()
        .map(|record| record.opcodes.client.binary + record.opcodes.server.binary)
        .sum();
    let opcodes = fields("clw.auth", &["clw.opcode"]);
    assert_eq!(opcodes.lines().count(), usize::try_from(messages).expect("few"));
    let seen: BTreeSet<&str> = opcodes.lines().collect();
    let every: Vec<String> = (0xA00..=0xA09).map(|number| format!("0x{number:04x}")).collect();
    assert_eq!(seen, every.iter().map(String::as_str).collect());
    assert_eq!(
        fields("clw.opcode == 0xa03", &["clw.auth.reason"]),
        "overload\ntoken_expired\n"
    );
    assert_eq!(
        fields("clw.auth.refused_refresh", &["clw.seq", "clw.auth.code"]),
        "255\tclw-auth-failed\n"
    );
    assert_eq!(
        fields("clw.auth.session && clw.auth.ttl_s == 1", &["clw.auth.grace_ms"]),
        "5000\n"
    );
    let shown = tshark(&["-r", &capture, "-X", &script, "-O", "clw"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("Token length (the token is not shown): 35"));
    assert!(!shown.contains("clw1."), "a token is shown");
}

#[test]
#[ignore = "needs tshark, which .ci/run installs"]
fn the_dissector_names_heartbeats_over_udp() {
    let (_folder, script) = dissector();
    let path = data("clw").join("datagrams.pcap");
    let capture = path.display().to_string();
    let count = |filter: &str| {
        let seen = tshark(&[
            "-r", &capture, "-X", &script, "-Y", filter, "-T", "fields", "-e", "clw.seq",
        ]);
        String::from_utf8(seen.stdout).expect("text").lines().count()
    };
    let (mut pings, mut pongs) = (0, 0);
    for record in analyze(&path) {
        let udp = record.heartbeats.udp.expect("heartbeats over UDP");
        (pings, pongs) = (pings + udp.pings, pongs + udp.pongs);
    }
    assert!(pings > 0 && pongs > 0);
    let both = [
        count("clw.auth.datagram && clw.opcode == 0xa04") as u64,
        count("clw.auth.datagram && clw.opcode == 0xa05") as u64,
    ];
    assert_eq!(both, [pings, pongs]);
    assert_eq!(count("udp && !clw"), 0);
}

#[test]
#[ignore = "needs tshark, which .ci/run installs"]
fn no_payload_makes_the_dissector_fail() {
    let (folder, script) = dissector();
    let whole = std::fs::read(data("clw").join("auth.pcap")).expect("the capture");
    // The server's frames are not masked: their JSON can be broken in place.
    let broken = |from: &[u8], to: &[u8]| {
        let mut bytes = whole.clone();
        let mut at = 0;
        while let Some(found) = bytes[at..].windows(from.len()).position(|window| window == from) {
            at += found;
            bytes[at..at + to.len()].copy_from_slice(to);
            at += to.len();
        }
        assert_ne!(bytes, whole);
        bytes
    };
    let cases = [
        (broken(br#""ttl_s":"#, br#""ttl_s" "#), "clw.auth"),
        (broken(b"{\"", b"[\""), "clw.not_json"),
        (broken(b"\"}", b"\" "), "clw.not_json"),
        (broken(b"\"}", b"\\}"), "clw.not_json"),
        (
            broken(b"\x0a\x01\0\0\0\0\0\x01", b"\x0b\xff\0\0\0\0\0\x01"),
            "clw.unknown_opcode",
        ),
    ];
    for (number, (bytes, filter)) in cases.iter().enumerate() {
        let file = folder.path().join(format!("{number}.pcap"));
        std::fs::write(&file, bytes).expect("write");
        let file = file.display().to_string();
        let all = tshark(&["-r", &file, "-X", &script, "-V"]);
        let text = String::from_utf8_lossy(&all.stdout).into_owned() + &String::from_utf8_lossy(&all.stderr);
        assert!(
            !text.contains("Lua Error") && !text.contains("lua_script"),
            "case {number}"
        );
        let found = tshark(&["-r", &file, "-X", &script, "-Y", filter]);
        assert!(!found.stdout.is_empty(), "case {number}: nothing is {filter}");
    }
}

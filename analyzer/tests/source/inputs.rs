//! Files, folders and rotated sets; and what is no capture.

use std::fs;
use std::path::PathBuf;

use clw_analyzer::source::Capture;
use tempfile::TempDir;

use crate::writer::{Order, Packet, Pcapng, at, packet, pcap};
use crate::{everything, read, times_and_data};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_path_buf()
    }
}

fn message(inputs: &[PathBuf]) -> String {
    everything(Capture::open(inputs)).err().unwrap().to_string()
}

#[test]
fn what_is_no_capture_is_named_and_quoted() {
    let folder = Folder::new();
    let text = folder.write("notes.txt", b"Dear colleagues, see below\n");
    let binary = folder.write("picture", &[0x89, b'P', b'N', b'G', 0, 0, 0, 0, 0, 0]);
    let empty = folder.write("empty.pcap", b"");
    let short = folder.write("short.pcap", &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0]);
    let missing = folder.path().join("missing.pcap");
    assert!(message(&[text]).ends_with(
        "notes.txt is no capture: begins with \"Dear colleagues, see bel\"; \
         pcap and pcapng are read, also inside gzip or zstd"
    ));
    assert!(message(&[binary]).contains("is no capture: begins with bytes 89 50 4e 47 00 00 00 00;"));
    assert!(message(&[empty]).contains("empty.pcap is empty"));
    assert!(message(&[short]).ends_with("short.pcap: broken file header: 6 of 24 bytes"));
    assert!(message(&[missing]).contains("missing.pcap: "));
    assert_eq!(
        message(&[]),
        "no capture was named; give a file, a folder, or - for standard input"
    );
}

#[test]
fn packed_text_and_packed_nothing_are_no_captures() {
    let folder = Folder::new();
    let text = folder.write("a.zst", &zstd::encode_all(&b"some text"[..], 1).unwrap());
    let nothing = folder.write("b.zst", &zstd::encode_all(&b""[..], 1).unwrap());
    let broken = folder.write("c.gz", &[0x1f, 0x8b, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(message(&[text]).contains("begins with \"some text\""));
    assert!(message(&[nothing]).contains("b.zst is empty"));
    assert!(message(&[broken]).contains("c.gz: cannot be unpacked: "));
}

#[test]
fn a_folder_gives_its_captures_and_says_when_there_are_none() {
    let folder = Folder::new();
    folder.write("readme.txt", b"text");
    assert!(
        message(&[folder.path()])
            .ends_with("holds no captures (1 files looked at); name the files if they are deeper")
    );
    folder.write("b.pcap", &pcap(Order::Little, true, &[packet(at(1), b"b")]));
    folder.write(
        "a.pcap.zst",
        &zstd::encode_all(&pcap(Order::Big, true, &[packet(at(2), b"a")])[..], 1).unwrap(),
    );
    let seen = everything(Capture::open(&[folder.path()])).unwrap();
    assert_eq!(
        times_and_data(&seen.frames),
        [(at(1), b"b".to_vec()), (at(2), b"a".to_vec())]
    );
    assert!(seen.summary.files[0].ends_with("a.pcap.zst") && seen.summary.files[1].ends_with("b.pcap"));
    assert_eq!(seen.summary.files_passed_over, 1);
    assert_eq!(seen.summary.bytes_total, Some(seen.summary.bytes_read));
}

#[test]
fn overlapping_files_are_merged_by_time_and_equal_times_by_first_packet() {
    let folder = Folder::new();
    let late = folder.write(
        "late.pcap",
        &pcap(Order::Little, true, &[packet(at(5), b"l1"), packet(at(9), b"l2")]),
    );
    let early = folder.write(
        "early.pcapng",
        &Pcapng::new(Order::Little)
            .interface(1, 0, &[(9, &[9])])
            .enhanced(0, at(1), b"e1")
            .enhanced(0, at(5), b"e2")
            .enhanced(0, at(7), b"e3")
            .bytes,
    );
    let seen = everything(Capture::open(&[late, early])).unwrap();
    let data: Vec<_> = seen.frames.iter().map(|frame| frame.data.as_slice()).collect();
    assert_eq!(data, [b"e1", b"e2", b"l1", b"e3", b"l2"]);
    assert!(seen.frames.iter().map(|frame| frame.number).eq(1..=5));
    assert_eq!(seen.summary.interfaces.len(), 2);
    let named: Vec<_> = seen
        .summary
        .interfaces
        .iter()
        .map(|interface| interface.file)
        .collect();
    assert_eq!(named, [1, 0], "interfaces are numbered as they are met");
}

#[test]
fn a_file_named_twice_is_read_once() {
    let folder = Folder::new();
    let path = folder.write("a.pcap", &pcap(Order::Little, true, &[packet(at(1), b"a")]));
    let seen = everything(Capture::open(&[path.clone(), folder.path(), path])).unwrap();
    assert_eq!((seen.frames.len(), seen.summary.files.len()), (1, 1));
}

#[test]
fn a_rotated_set_of_many_files_needs_few_descriptors() {
    let folder = Folder::new();
    let packets: Vec<Packet> = (0..600).map(|n| packet(at(n), &n.to_be_bytes())).collect();
    for (file, packets) in packets.chunks(2).enumerate() {
        folder.write(&format!("trace.pcap{file}"), &pcap(Order::Little, true, packets));
    }
    let seen = everything(Capture::open(&[folder.path()])).unwrap();
    assert_eq!(
        times_and_data(&seen.frames),
        times_and_data(&read(&pcap(Order::Little, true, &packets)).unwrap().frames)
    );
}

#[test]
fn too_many_captures_of_one_moment_are_refused_by_name() {
    let folder = Folder::new();
    for file in 0..210 {
        folder.write(
            &format!("{file}.pcap"),
            &pcap(Order::Little, true, &[packet(at(0), b"a"), packet(at(1), b"b")]),
        );
    }
    assert!(message(&[folder.path()]).contains("more than 200 captures overlap in time"));
}

#[test]
fn secrets_of_a_file_without_packets_come_first() {
    let folder = Folder::new();
    let packets = folder.write("a.pcap", &pcap(Order::Little, true, &[packet(at(1), b"a")]));
    let keys = folder.write(
        "keys.pcapng",
        &Pcapng::new(Order::Little).secrets(0x544c_534b, b"KEY").bytes,
    );
    let mut capture = Capture::open(&[packets, keys]).unwrap();
    let first = capture.next().unwrap();
    assert!(matches!(first, Some(clw_analyzer::source::Item::Secrets(b"KEY"))));
    assert!(capture.next().unwrap().is_some());
    assert!(capture.next().unwrap().is_none());
}

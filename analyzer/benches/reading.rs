//! How fast are captures read and cut down to segments? Compared, in one run on the same file, with `cat` and with
//! `tcpdump -r FILE -w /dev/null`, which is what the system offers for passing over a capture once.
//!
//! `cargo bench -p clw-analyzer --bench reading [-- MILLION_PACKETS | FILE...]`
//!
//! Without a file, one of 3 million packets is written to the temporary folder, as pcap and as pcapng: 20 000
//! connections in turn, on Ethernet over IPv4, with timestamps, 95 bytes a packet on average as heartbeats are. Each
//! way runs three times and the fastest counts: the file is in the page cache for all of them.

#![expect(clippy::expect_used, reason = "a benchmark may panic")]

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use clw_analyzer::decode::{Decoded, Decoder, FragmentLimits};
use clw_analyzer::source::{Capture, Item};

const RUNS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let number = arguments
        .first()
        .map_or(Ok(3), |argument| argument.parse::<u64>());
    if let Ok(millions) = number {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for form in [Form::Pcap, Form::Pcapng] {
            let path = folder.path().join(form.file_name());
            write_capture(&path, form, millions * 1_000_000).expect("room in the temporary folder");
            compare(&path);
            std::fs::remove_file(&path).expect("the file written before");
        }
    } else {
        for file in &arguments {
            compare(Path::new(file));
        }
    }
}

fn compare(path: &Path) {
    let bytes = std::fs::metadata(path).expect("the file").len();
    let cat = fastest(|| command("cat", &[path]));
    let tcpdump = fastest(|| {
        command(
            "tcpdump",
            &[Path::new("-r"), path, Path::new("-w"), Path::new("/dev/null")],
        )
    });
    let floor = fastest(|| read_only(path));
    let (mut packets, mut segments) = (0, 0);
    let read = fastest(|| read(path, &mut packets));
    let decoded = fastest(|| decode(path, &mut segments));
    println!(
        "{}: {packets} packets, {segments} segments, {} MB",
        path.display(),
        bytes / 1_000_000
    );
    for (what, seconds) in [
        ("cat > /dev/null", cat),
        ("read(2), 1 MiB each", floor),
        ("tcpdump -w /dev/null", tcpdump),
        ("read", read),
        ("read and decode", decoded),
    ] {
        let Some(seconds) = seconds else {
            println!("  {what:22} failed; is it installed, and the file a capture?");
            continue;
        };
        println!(
            "  {what:22} {seconds:6.3} s  {:5.1} million packets/s  {:5.2} GB/s  {:5.2} × tcpdump",
            packets as f64 / seconds / 1e6,
            bytes as f64 / seconds / 1e9,
            seconds / tcpdump.unwrap_or(f64::NAN),
        );
    }
}

fn fastest(mut run: impl FnMut() -> Option<()>) -> Option<f64> {
    (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run().map(|()| start.elapsed().as_secs_f64())
        })
        .collect::<Option<Vec<f64>>>()?
        .into_iter()
        .min_by(f64::total_cmp)
}

fn command(name: &str, arguments: &[&Path]) -> Option<()> {
    let status = Command::new(name)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .ok()?;
    status.success().then_some(())
}

/// The bytes into memory and nothing else: `cat` to nowhere does not even copy them.
fn read_only(path: &Path) -> Option<()> {
    let mut file = File::open(path).ok()?;
    let mut buffer = vec![0; 1 << 20];
    while file.read(&mut buffer).ok()? > 0 {
        black_box(&buffer);
    }
    Some(())
}

fn read(path: &Path, packets: &mut u64) -> Option<()> {
    let mut capture = Capture::open(&[PathBuf::from(path)]).ok()?;
    while let Some(item) = capture.next().ok()? {
        black_box(&item);
    }
    *packets = capture.summary().packets;
    Some(())
}

fn decode(path: &Path, segments: &mut u64) -> Option<()> {
    let mut capture = Capture::open(&[PathBuf::from(path)]).ok()?;
    let mut decoder = Decoder::new(FragmentLimits::default());
    *segments = 0;
    while let Some(item) = capture.next().ok()? {
        let Item::Frame(frame) = item else { continue };
        if let Decoded::Tcp(segment) = decoder.decode(&frame) {
            black_box(&segment);
            *segments += 1;
        }
    }
    Some(())
}

#[derive(Clone, Copy)]
enum Form {
    Pcap,
    Pcapng,
}

impl Form {
    const fn file_name(self) -> &'static str {
        match self {
            Self::Pcap => "reading.pcap",
            Self::Pcapng => "reading.pcapng",
        }
    }
}

fn write_capture(path: &Path, form: Form, packets: u64) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    match form {
        Form::Pcap => out.write_all(&[
            0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
        ])?,
        Form::Pcapng => {
            let section = [
                0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255,
            ];
            write_block(&mut out, 0x0a0d_0d0a, &[&section])?;
            write_block(&mut out, 1, &[&[1, 0, 0, 0, 0, 0, 4, 0]])?;
        }
    }
    for number in 0..packets {
        let (frame, length) = frame(number);
        let frame = frame.get(..length).unwrap_or_default();
        let at_us = 1_795_000_000_000_000 + number * 20;
        let length = u32::try_from(length).unwrap_or_default().to_le_bytes();
        if let Form::Pcap = form {
            for field in [at_us / 1_000_000, at_us % 1_000_000] {
                out.write_all(&u32::try_from(field).unwrap_or_default().to_le_bytes())?;
            }
            out.write_all(&length)?;
            out.write_all(&length)?;
            out.write_all(frame)?;
        } else {
            let high = u32::try_from(at_us >> 32).unwrap_or_default().to_le_bytes();
            let low = u32::try_from(at_us & 0xffff_ffff)
                .unwrap_or_default()
                .to_le_bytes();
            write_block(&mut out, 6, &[&[0; 4], &high, &low, &length, &length, frame])?;
        }
    }
    out.flush()
}

fn write_block(out: &mut impl Write, kind: u32, parts: &[&[u8]]) -> std::io::Result<()> {
    let body: usize = parts.iter().map(|part| part.len()).sum();
    let padding = body.next_multiple_of(4) - body;
    let length = u32::try_from(body + padding + 12)
        .unwrap_or_default()
        .to_le_bytes();
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length)?;
    for part in parts {
        out.write_all(part)?;
    }
    out.write_all([0; 4].get(..padding).unwrap_or_default())?;
    out.write_all(&length)
}

/// A segment of one of 20 000 connections: two in three carry up to 90 bytes, one only acknowledges.
fn frame(number: u64) -> ([u8; 256], usize) {
    let mut frame = [0x5a; 256];
    let payload = if number.is_multiple_of(3) {
        0
    } else {
        usize::try_from(number % 89).unwrap_or_default()
    };
    let ip_length = u16::try_from(52 + payload).unwrap_or_default().to_be_bytes();
    let port = u16::try_from(10_000 + number % 20_000)
        .unwrap_or_default()
        .to_be_bytes();
    let seq = u32::try_from(number & 0xffff_ffff)
        .unwrap_or_default()
        .to_be_bytes();
    let header = [
        &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0][..],
        &[0x45, 0],
        &ip_length,
        &[1, 2, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
        &port,
        &[0x49, 0x65],
        &seq,
        &[0, 0, 0, 1, 0x80, 0x18, 2, 0, 0, 0, 0, 0, 1, 1, 8, 10],
        &seq,
        &[0, 0, 0, 2],
    ]
    .concat();
    frame[..header.len()].copy_from_slice(&header);
    (frame, header.len() + payload)
}

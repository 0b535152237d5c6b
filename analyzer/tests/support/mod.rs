//! Captures in tests.

use clw_analyzer::decode::{Decoded, Decoder, FragmentLimits};
use clw_analyzer::engine::{Engine, Options};
use clw_analyzer::record::Record;
use clw_analyzer::source::{Capture, Item};
use std::path::{Path, PathBuf};

/// The folder of the captures checked in.
pub fn data(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(folder)
}

/// All connections of a capture.
pub fn analyze(path: &Path) -> Vec<Record> {
    let mut capture = Capture::open(&[path.to_owned()]).expect("a capture");
    let mut decoder = Decoder::new(FragmentLimits::default());
    let mut engine = Engine::new(Options::default());
    let mut records = Vec::new();
    while let Some(item) = capture.next().expect("readable") {
        let Item::Frame(frame) = item else { continue };
        match decoder.decode(&frame) {
            Decoded::Tcp(segment) => engine.feed(&segment, &mut |judged| records.push(judged.record)),
            Decoded::Udp(datagram) => drop(engine.feed_datagram(&datagram)),
            Decoded::Other(_) => {}
        }
    }
    engine.end(&mut |judged| records.push(judged.record));
    records
}

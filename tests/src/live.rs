//! Runs that are going on.

use clw_core::snapshot::Snapshot;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

/// The verdicts of a result, as JSON text.
pub fn verdicts(result: &Value) -> String {
    result["verdicts"].to_string()
}

/// Waits until the run with its telemetry at `socket` has `wanted` ready sessions.
///
/// # Panics
/// If the run ends before, or takes longer than half a minute.
pub fn wait_for_ready(socket: &Path, wanted: u64) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let stream = loop {
        match UnixStream::connect(socket) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < deadline, "no telemetry: {error}"),
        }
        thread::yield_now();
    };
    for line in BufReader::new(stream).lines() {
        let snapshot = Snapshot::parse_line(&line.expect("a line")).expect("telemetry");
        if snapshot.gauges.ready >= wanted {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{} of {wanted} ready",
            snapshot.gauges.ready
        );
    }
    panic!("the run ended before {wanted} sessions were ready");
}

/// Sends the signal `name` (`-INT` …) to a process.
///
/// # Panics
/// If it cannot be sent.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status()
        .expect("kill");
    assert!(sent.success());
}

//! `--json` (`clw.analyze/1`) and `--jsonl`: connections are written as they are judged, so that memory does not grow with them.

use super::whole::{Whole, WriteError};
use crate::record::Record;
use crate::source::CaptureSummary;
use crate::totals::Summary;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// The schema's name.
pub const SCHEMA: &str = "clw.analyze/1";

/// A result being written.
pub struct Json {
    out: Whole,
    is_first: bool,
}

impl Json {
    /// Begins one.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let mut out = Whole::create(path)?;
        let head = format!(
            "{{\n\"schema\": \"{SCHEMA}\",\n\"tool_version\": \"{}\",\n\"connections\": [",
            env!("CARGO_PKG_VERSION")
        );
        out.write(head.as_bytes())?;
        Ok(Self { out, is_first: true })
    }

    /// Adds a connection.
    pub fn connection(&mut self, record: &Record) -> Result<(), WriteError> {
        let comma = if std::mem::take(&mut self.is_first) {
            "\n"
        } else {
            ",\n"
        };
        self.out.write(comma.as_bytes())?;
        self.out.write(&line(record))
    }

    /// Ends it with everything that is known only now; `more` are further members of the object.
    pub fn finish(
        mut self,
        capture: &Value,
        summary: &Summary,
        more: &[(&str, Value)],
    ) -> Result<(), WriteError> {
        let mut tail = format!(
            "\n],\n\"capture\": {},\n\"summary\": {}",
            pretty(capture),
            pretty(summary)
        );
        for (name, value) in more {
            // Writing to a String cannot fail.
            let _ = write!(tail, ",\n\"{name}\": {}", pretty(value));
        }
        tail += "\n}\n";
        self.out.write(tail.as_bytes())?;
        self.out.finish()
    }
}

/// A value in one line.
pub fn line(value: &impl Serialize) -> Vec<u8> {
    // Only maps with keys that are no strings fail; no record has one.
    serde_json::to_vec(value).unwrap_or_default()
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The result's `capture`.
pub fn capture(summary: &CaptureSummary, evicted: u64) -> Value {
    let warnings: Vec<_> = summary
        .warnings
        .iter()
        .map(|warning| summary.describe(warning))
        .collect();
    json!({
        "files": summary.files,
        "packets": summary.packets,
        "bytes": summary.bytes,
        "first": summary.first_ns.map(crate::judge::rfc3339),
        "last": summary.last_ns.map(crate::judge::rfc3339),
        "link_types": summary.link_types().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "interfaces": summary.interfaces.iter().map(|i| json!({
            "name": i.name,
            "link_type": i.link.to_string(),
            "snap_length": i.snap_length,
            "resolution": i.resolution,
            "packets": i.packets,
            "dropped": i.statistics.dropped_by_interface.or(i.statistics.dropped_by_system),
        })).collect::<Vec<_>>(),
        "skipped": summary.skipped,
        "truncated_packets": summary.truncated_packets,
        "dropped_by_capture": summary.dropped(),
        "warnings": warnings,
        "warnings_not_kept": summary.warnings_not_kept(),
        "connections_given_up": evicted,
    })
}

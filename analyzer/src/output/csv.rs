//! `--csv`: one connection a row.

use super::whole::{Whole, WriteError};
use crate::record::Record;
use std::path::Path;

/// The columns.
pub const HEADER: [&str; 26] = [
    "id",
    "client",
    "server",
    "start",
    "duration_ms",
    "dialect",
    "stage",
    "verdict",
    "confidence",
    "kind",
    "by",
    "at_ms",
    "close_code",
    "close_by",
    "close_reason",
    "rst_class",
    "packets_client",
    "packets_server",
    "bytes_client",
    "bytes_server",
    "retransmissions_client",
    "retransmissions_server",
    "heartbeat_period_ms",
    "heartbeat_gaps",
    "role",
    "evidence",
];

/// A table being written.
pub struct Csv {
    out: Whole,
}

impl Csv {
    /// Begins one.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let mut csv = Self {
            out: Whole::create(path)?,
        };
        csv.row(HEADER.iter().map(ToString::to_string))?;
        Ok(csv)
    }

    /// Adds a connection.
    pub fn connection(&mut self, r: &Record) -> Result<(), WriteError> {
        let close = r.ending.ws_close.as_ref();
        let row = [
            r.id.to_string(),
            r.client.to_string(),
            r.server.to_string(),
            r.start.clone(),
            r.duration_ms.to_string(),
            r.dialect.name().to_owned(),
            r.stage.name().to_owned(),
            r.verdict.unwrap_or_default().to_owned(),
            r.confidence.to_string(),
            format!("{:?}", r.ending.kind).to_lowercase(),
            r.ending.by.name().to_owned(),
            r.ending.at_ms.to_string(),
            close.map(|c| c.code.to_string()).unwrap_or_default(),
            close.map_or("", |c| c.by.name()).to_owned(),
            close.map(|c| c.reason.clone()).unwrap_or_default(),
            r.ending.rst.first().map_or("", |rst| rst.class).to_owned(),
            r.packets.client.to_string(),
            r.packets.server.to_string(),
            r.bytes.client.to_string(),
            r.bytes.server.to_string(),
            r.retransmissions.client.to_string(),
            r.retransmissions.server.to_string(),
            r.heartbeats
                .period_ms
                .map(|ms| ms.to_string())
                .unwrap_or_default(),
            r.heartbeats.gaps.len().to_string(),
            r.identity.role.clone().unwrap_or_default(),
            r.evidence.join(" | "),
        ];
        self.row(row)
    }

    /// Makes it visible.
    pub fn finish(self) -> Result<(), WriteError> {
        self.out.finish()
    }

    fn row(&mut self, fields: impl IntoIterator<Item = String>) -> Result<(), WriteError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        // Writing to memory cannot fail.
        let _ = writer.write_record(fields);
        let row = writer.into_inner().unwrap_or_default();
        self.out.write(&row)
    }
}

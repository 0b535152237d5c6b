//! `--journal`: what clw-bench's clients saw of the same sessions.

use super::{Agreement, JoinError, SAME_NS};
use crate::judge::Judged;
use clw_core::Stage;
use clw_core::journal::{Line, LineError};
use clw_core::verdict::Verdict;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;

/// A journal, to be joined with connections as they are judged.
#[derive(Debug, Default)]
pub struct Journal {
    by_address: HashMap<(SocketAddr, SocketAddr), Vec<Entry>>,
    agreement: Agreement,
}

#[derive(Debug)]
struct Entry {
    start_ns: u64,
    verdict: String,
    evidence: Vec<String>,
    is_joined: bool,
}

impl Journal {
    /// Reads a journal. A last line that was cut by a crash is left out.
    pub fn open(path: &Path) -> Result<Self, JoinError> {
        let read = |cause| JoinError::Read {
            path: path.to_owned(),
            cause,
        };
        let mut lines = BufReader::new(File::open(path).map_err(read)?).lines();
        let mut journal = Self::default();
        let mut origin_ns = None;
        let mut number = 0u64;
        while let Some(line) = lines.next().transpose().map_err(read)? {
            number += 1;
            match (Line::parse(&line), origin_ns) {
                (Ok(Line::Header(header)), _) => {
                    origin_ns = Some(header.started_unix_us.saturating_mul(1000));
                }
                (Ok(Line::Session(session)), Some(origin_ns)) => {
                    let Some(client) = session.client else { continue };
                    let begun = session
                        .stages_us
                        .get(&Stage::Tcp)
                        .copied()
                        .unwrap_or(session.scheduled_us);
                    let entry = Entry {
                        start_ns: origin_ns + begun.saturating_mul(1000),
                        verdict: session.verdict,
                        evidence: session.evidence,
                        is_joined: false,
                    };
                    journal
                        .by_address
                        .entry((client, session.server))
                        .or_default()
                        .push(entry);
                }
                (Ok(Line::Snapshot(_) | Line::Trailer(_)) | Err(LineError::Unknown(_)), Some(_)) => {}
                (Err(_), Some(_)) if lines.next().is_none() => break,
                (Err(error), _) => return Err(not_that(path, number, &error.to_string())),
                (Ok(_), None) => return Err(not_that(path, number, "no header")),
            }
        }
        if origin_ns.is_none() {
            return Err(not_that(path, 1, "it is empty"));
        }
        Ok(journal)
    }

    /// Joins a connection.
    pub fn join(&mut self, judged: &Judged) {
        let Some(wire) = judged.verdict else { return };
        let record = &judged.record;
        let entries = self.by_address.get_mut(&(record.client, record.server));
        let found = entries.into_iter().flatten().filter(|entry| !entry.is_joined);
        let nearest = found
            .filter(|entry| entry.start_ns.abs_diff(record.start_unix_ns) <= SAME_NS)
            .min_by_key(|entry| entry.start_ns.abs_diff(record.start_unix_ns));
        let Some(entry) = nearest else {
            self.agreement.only_wire += 1;
            return;
        };
        entry.is_joined = true;
        self.agreement.joined += 1;
        if entry.verdict == wire.name() {
            self.agreement.agree += 1;
        } else if wire == Verdict::Incomplete {
            self.agreement.undecided += 1;
        } else {
            let (other, evidence) = (entry.verdict.clone(), entry.evidence.clone());
            self.agreement.disagreement(judged, other, evidence);
        }
    }

    /// What came of it.
    pub fn finish(mut self) -> Agreement {
        let left = self
            .by_address
            .values()
            .flatten()
            .filter(|entry| !entry.is_joined)
            .count();
        self.agreement.only_other = left as u64;
        self.agreement
    }
}

fn not_that(path: &Path, line: u64, cause: &str) -> JoinError {
    JoinError::NotThat {
        path: path.to_owned(),
        what: "journal of clw-bench (--journal)",
        cause: format!("line {line}: {cause}"),
    }
}

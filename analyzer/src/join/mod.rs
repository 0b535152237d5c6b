//! The same sessions as others saw them, joined with what the wire shows.

pub mod gateway_line;
pub mod gateway_log;
pub mod journal;
pub mod peer;

use crate::judge::Judged;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use thiserror::Error;

/// Disagreements kept, with all their words.
const MAX_KEPT: usize = 1000;
/// The two clocks are the same machine's or synchronised; what is further apart is another connection of the same ports.
const SAME_NS: u64 = 5_000_000_000;

/// A file to join with cannot be used.
#[derive(Debug, Error)]
pub enum JoinError {
    /// It cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// It is something else.
    #[error("{} is no {what}: {cause}", path.display())]
    NotThat {
        /// Which.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// Where it first is not.
        cause: String,
    },
}

/// A session that two saw differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// The connection in this result.
    pub id: u64,
    /// Its client.
    pub client: SocketAddr,
    /// What the wire shows.
    pub wire: String,
    /// What the other says.
    pub other: String,
    /// The wire's evidence.
    pub wire_evidence: Vec<String>,
    /// The other's.
    pub other_evidence: Vec<String>,
}

/// What came of a join.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// Sessions that both saw.
    pub joined: u64,
    /// Of these, those with the same verdict.
    pub agree: u64,
    /// Of these, those of which the capture shows too little to say.
    pub undecided: u64,
    /// Sessions that are not in the capture.
    pub only_other: u64,
    /// Sessions of the capture that the other does not know.
    pub only_wire: u64,
    /// The rest, with evidence.
    pub disagreements: Vec<Disagreement>,
    /// How many there are in all.
    pub disagree: u64,
}

/// All that a capture was joined with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Joins {
    /// With clw-bench's journal.
    pub journal: Option<Agreement>,
    /// With the gateway's log.
    pub log: Option<Agreement>,
    /// With the other side's capture.
    pub peer: Option<peer::Comparison>,
}

impl Joins {
    /// Members of the result.
    pub fn values(&self) -> Vec<(&'static str, serde_json::Value)> {
        let value = |agreement: &Agreement| serde_json::to_value(agreement).unwrap_or_default();
        [
            self.journal.as_ref().map(|journal| ("journal", value(journal))),
            self.log.as_ref().map(|log| ("log", value(log))),
            self.peer
                .as_ref()
                .map(|peer| ("peer", serde_json::to_value(peer).unwrap_or_default())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Agreement {
    fn disagreement(&mut self, judged: &Judged, other: String, other_evidence: Vec<String>) {
        self.disagree += 1;
        if self.disagreements.len() < MAX_KEPT {
            self.disagreements.push(Disagreement {
                id: judged.record.id,
                client: judged.record.client,
                wire: judged.record.verdict.unwrap_or("none").to_owned(),
                other,
                wire_evidence: judged.record.evidence.clone(),
                other_evidence,
            });
        }
    }
}

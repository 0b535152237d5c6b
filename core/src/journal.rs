//! The journal: one JSON line a connection, between a header and a trailer.
//!
//! It is what a capture or a gateway's log is joined with: addresses and ports, when each stage was entered, and what the
//! client made of the end. Snapshots stand between the lines, so that a run can be replayed.

use crate::Stage;
use crate::time::{Instant, micros};
use crate::verdict::{EndingKind, Judgement, Observation, Side};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;

/// The schema's name, in the header line.
pub const SCHEMA: &str = "clw.journal/1";

/// The first line.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Header {
    /// [`SCHEMA`].
    pub schema: String,
    /// Release of clw-bench.
    pub tool_version: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// The same, in microseconds since 1970: the origin of all offsets.
    pub started_unix_us: u64,
    /// The plan, with secrets as fingerprints.
    pub plan: serde_json::Value,
}

/// The first close frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// Status code; `null` for an empty frame.
    pub code: Option<u16>,
    /// Reason text.
    pub reason: String,
    /// Who sent it.
    pub by: Side,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Session's number in the plan.
    pub session: u64,
    /// 0 for its first connection.
    pub attempt: u32,
    /// Who it was: a client id or a fingerprint.
    pub identity: String,
    /// Role.
    pub role: String,
    /// The client's address, if the socket got one.
    pub client: Option<SocketAddr>,
    /// The gateway's.
    pub server: SocketAddr,
    /// When the plan wanted the session, µs since the run's start.
    pub scheduled_us: u64,
    /// When each stage was entered, µs since the run's start.
    pub stages_us: BTreeMap<Stage, u64>,
    /// When it was over, µs since the run's start.
    pub ended_us: u64,
    /// The furthest stage.
    pub stage: Stage,
    /// The dictionary's name.
    pub verdict: String,
    /// How sure, 0 to 1.
    pub confidence: f32,
    /// Who ended it.
    pub by: Side,
    /// How the transport ended.
    pub ending: EndingKind,
    /// The first close frame.
    pub close: Option<Close>,
    /// Why that verdict, in words.
    pub evidence: Vec<String>,
    /// Heartbeats sent.
    pub heartbeats_sent: u64,
    /// Heartbeats missed.
    pub heartbeats_missed: u64,
    /// Connects again after this many microseconds; `null`: this was the session's end.
    pub retry_after_us: Option<u64>,
}

/// Who and where, for [`SessionRecord::new`].
#[derive(Clone, Debug)]
pub struct Party {
    /// Session's number in the plan.
    pub session: u64,
    /// 0 for its first connection.
    pub attempt: u32,
    /// A client id or a fingerprint; never a secret.
    pub identity: String,
    /// Role.
    pub role: String,
    /// The client's address.
    pub client: Option<SocketAddr>,
    /// The gateway's.
    pub server: SocketAddr,
}

impl SessionRecord {
    /// The record of a connection that is over.
    pub fn new(
        party: Party,
        scheduled: Instant,
        entered: &[Option<Instant>; Stage::ALL.len()],
        ended: Instant,
        seen: &Observation,
        judgement: &Judgement,
        evidence: Vec<String>,
    ) -> Self {
        Self {
            session: party.session,
            attempt: party.attempt,
            identity: party.identity,
            role: party.role,
            client: party.client,
            server: party.server,
            scheduled_us: scheduled.as_micros(),
            stages_us: Stage::ALL
                .iter()
                .filter_map(|stage| Some((*stage, entered[*stage as usize]?.as_micros())))
                .collect(),
            ended_us: ended.as_micros(),
            stage: seen.stage,
            verdict: judgement.verdict.name().to_owned(),
            confidence: judgement.confidence,
            by: judgement.by,
            ending: seen.ending,
            close: seen.close.as_ref().map(|c| Close {
                code: c.code,
                reason: c.reason.clone(),
                by: c.by,
            }),
            evidence,
            heartbeats_sent: 0,
            heartbeats_missed: 0,
            retry_after_us: None,
        }
    }

    /// With its heartbeats.
    #[must_use]
    pub fn heartbeats(mut self, sent: u64, missed: u64) -> Self {
        (self.heartbeats_sent, self.heartbeats_missed) = (sent, missed);
        self
    }

    /// With what follows.
    #[must_use]
    pub fn retry(mut self, after: Option<Duration>) -> Self {
        self.retry_after_us = after.map(micros);
        self
    }
}

/// The last line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trailer {
    /// How many session lines there are.
    pub sessions: u64,
    /// Whether the run was cut short.
    pub interrupted: bool,
}

/// A line of a journal. On disk each is an object with a `type`.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Line {
    /// First.
    Header(Header),
    /// A connection.
    Session(Box<SessionRecord>),
    /// The run so far.
    Snapshot(Box<crate::snapshot::Snapshot>),
    /// Last.
    Trailer(Trailer),
}

/// A line that is none of a journal's.
#[derive(Debug, Error)]
pub enum LineError {
    /// Not JSON, or a field is wrong.
    #[error("not a line of a journal: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON of another kind.
    #[error("a line of type `{0}`, which this release does not know")]
    Unknown(String),
}

impl Line {
    /// Reads a line.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        #[derive(Deserialize)]
        struct Head {
            #[serde(rename = "type")]
            kind: String,
        }
        let head: Head = serde_json::from_str(text)?;
        Ok(match head.kind.as_str() {
            "header" => Self::Header(serde_json::from_str(text)?),
            "session" => Self::Session(serde_json::from_str(text)?),
            "snapshot" => Self::Snapshot(serde_json::from_str(text)?),
            "trailer" => Self::Trailer(serde_json::from_str(text)?),
            _ => return Err(LineError::Unknown(head.kind)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_back_as_written() {
        let mut snapshot = crate::snapshot::Snapshot::default();
        snapshot.counters.close_codes.insert(1006, 3);
        for line in [
            Line::Header(Header {
                schema: SCHEMA.to_owned(),
                ..Header::default()
            }),
            Line::Snapshot(Box::new(snapshot)),
            Line::Trailer(Trailer {
                sessions: 3,
                interrupted: true,
            }),
        ] {
            let text = serde_json::to_string(&line).unwrap();
            let back = serde_json::to_string(&Line::parse(&text).unwrap()).unwrap();
            assert_eq!(text, back);
        }
    }

    #[test]
    fn a_cut_line_is_an_error_and_no_panic() {
        let text = serde_json::to_string(&Line::Trailer(Trailer::default())).unwrap();
        for end in 0..text.len() {
            assert!(Line::parse(&text[..end]).is_err());
        }
    }
}

//! The lines of a journal.

use crate::Stage;
use crate::snapshot::{FormatError, Name, Snapshot, Tag, Target, read};
use crate::verdict::{EndingKind, Side, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The schema of a journal, named in its header.
pub const SCHEMA: &str = "clw.journal/1";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct JournalName;

impl Name for JournalName {
    const NAME: &'static str = SCHEMA;
}

/// The first line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Header {
    pub(super) schema: Tag<JournalName>,
    /// The release that wrote it.
    pub tool_version: String,
    /// The origin of all times in the journal: RFC 3339, UTC, with microseconds.
    pub started_at: String,
    /// What is loaded.
    pub target: Target,
    /// What was asked.
    pub plan: serde_json::Value,
}

impl Header {
    /// A header.
    pub fn new(tool_version: String, started_at: String, target: Target, plan: serde_json::Value) -> Self {
        Self {
            schema: Tag::default(),
            tool_version,
            started_at,
            target,
            plan,
        }
    }
}

/// The first close frame of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Close {
    /// The code; `None` for a close frame without one.
    pub code: Option<u16>,
    /// The reason.
    pub reason: String,
    /// Who sent it.
    pub by: Side,
}

/// Heartbeats of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heartbeats {
    /// Sent.
    pub sent: u64,
    /// Given up.
    pub missed: u64,
}

/// One connection of a session that ended. All times are microseconds since the header's `started_at`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Number of the session in the run.
    pub session: u64,
    /// 0 for its first connection, 1 for the first reconnect …
    #[serde(default)]
    pub attempt: u32,
    /// Who: a device id, a client id, or a secret's fingerprint. Never the secret.
    #[serde(default)]
    pub identity: String,
    /// `operator`, `node` or empty.
    #[serde(default)]
    pub role: String,
    /// The client's address and port, empty if it never had one.
    #[serde(default)]
    pub client: String,
    /// The server's address and port.
    #[serde(default)]
    pub server: String,
    /// When it was meant to start.
    #[serde(default)]
    pub scheduled_us: u64,
    /// When it did.
    #[serde(default)]
    pub started_us: u64,
    /// When it entered each stage after that.
    #[serde(default)]
    pub stages_us: BTreeMap<Stage, u64>,
    /// When it ended.
    #[serde(default)]
    pub ended_us: u64,
    /// The furthest stage.
    pub stage: Stage,
    /// The name of its ending.
    pub verdict: Verdict,
    /// How sure the rule is, 0 to 1.
    #[serde(default)]
    pub confidence: f32,
    /// Who ended it.
    #[serde(default)]
    pub by: Side,
    /// The first close frame, if there was one.
    #[serde(default)]
    pub close: Option<Close>,
    /// How the transport ended.
    #[serde(default)]
    pub ending: EndingKind,
    /// What the verdict rests on, in words.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// Heartbeats of this connection.
    #[serde(default)]
    pub heartbeats: Heartbeats,
    /// A reconnect follows after so many milliseconds; `None`: this verdict is the session's final one.
    #[serde(default)]
    pub reconnect_after_ms: Option<u64>,
}

impl SessionRecord {
    /// Whether the session ended with this connection.
    pub const fn is_final(&self) -> bool {
        self.reconnect_after_ms.is_none()
    }
}

/// The last line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trailer {
    /// When the run ended, in microseconds since `started_at`.
    pub elapsed_us: u64,
    /// Session records written.
    pub sessions: u64,
    /// The run was stopped before its plan was done.
    pub interrupted: bool,
}

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// The first.
    Header(Box<Header>),
    /// A connection that ended.
    Session(Box<SessionRecord>),
    /// The state of the run, as in the telemetry.
    Snapshot(Box<Snapshot>),
    /// The last.
    Trailer(Trailer),
    /// A kind that this release does not know.
    Unknown,
}

#[derive(Serialize)]
struct Kinded<'a, T> {
    record: &'static str,
    #[serde(flatten)]
    value: &'a T,
}

impl Record {
    /// Its line of JSON, without the newline. An unknown record has none.
    pub fn to_line(&self) -> String {
        fn line<T: Serialize>(record: &'static str, value: &T) -> String {
            // Only maps whose keys are no strings fail, and there are none.
            serde_json::to_string(&Kinded { record, value }).unwrap_or_default()
        }
        match self {
            Self::Header(header) => line("header", header),
            Self::Session(session) => line("session", session),
            Self::Snapshot(snapshot) => snapshot.to_line(),
            Self::Trailer(trailer) => line("trailer", trailer),
            Self::Unknown => String::new(),
        }
    }

    /// Reads a line.
    pub fn parse_line(text: &str) -> Result<Self, FormatError> {
        #[derive(Deserialize)]
        struct Probe<'a> {
            #[serde(borrow)]
            record: Option<std::borrow::Cow<'a, str>>,
            #[serde(borrow)]
            schema: Option<std::borrow::Cow<'a, str>>,
        }
        let invalid = |error: serde_json::Error| FormatError::Invalid {
            expected: SCHEMA,
            what: error.to_string(),
        };
        let probe: Probe<'_> = match serde_json::from_str(text) {
            Ok(probe) => probe,
            Err(error) if error.is_eof() => {
                return Err(FormatError::Cut {
                    expected: SCHEMA,
                    length: text.len(),
                });
            }
            Err(error) => return Err(invalid(error)),
        };
        match (probe.record.as_deref(), probe.schema.as_deref()) {
            (Some("header"), _) => read(text, SCHEMA).map(|header| Self::Header(Box::new(header))),
            (Some("session"), _) => serde_json::from_str(text).map(Self::Session).map_err(invalid),
            (Some("trailer"), _) => serde_json::from_str(text).map(Self::Trailer).map_err(invalid),
            (None, Some(schema)) if schema.starts_with("clw.snapshot/") => {
                Snapshot::parse_line(text).map(|snapshot| Self::Snapshot(Box::new(snapshot)))
            }
            (None, _) => Err(FormatError::NotOurs {
                expected: SCHEMA,
                found: "a line has no field `record`".to_owned(),
            }),
            (Some(_), _) => Ok(Self::Unknown),
        }
    }
}

//! One line per session of a run: the journal's records.
//!
//! A journal is JSON lines: a header, then a record for each connection that ended with the run's snapshots between
//! them, then a trailer. A run that was killed leaves it without trailer, perhaps with its last line cut; it is still
//! read.

mod reader;
mod record;

pub use reader::{JournalError, MAX_WARNINGS, Reader};
pub use record::{Close, Header, Heartbeats, Record, SCHEMA, SessionRecord, Trailer};

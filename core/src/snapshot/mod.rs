//! The immutable telemetry snapshot and its JSON-lines form.
//!
//! A worker folds what happened into its tally; at each interval the tally becomes a [`Snapshot`]. Whoever wants to
//! know more than one worker knows puts snapshots into an [`Aggregate`]. Dashboard, reports and files read nothing else.

mod aggregate;
mod format;
mod line;

pub(crate) use aggregate::merge_samples;
pub use aggregate::{Absorbed, Aggregate, Lost, MAX_SOURCES, Totals};
pub use format::FormatError;
pub(crate) use format::{Name, Tag, read};
pub use line::{Generator, MAX_LINE_BYTES, Phase, SCHEMA, Snapshot, Stamp, Target};

/// What is wrong with a line that is no snapshot.
pub type SnapshotError = FormatError;

//! Why an analysis gives nothing.

use crate::join::JoinError;
use crate::output::whole::WriteError;
use crate::source::SourceError;
use std::path::PathBuf;
use thiserror::Error;

/// Why there is no result, or not all of it.
#[derive(Debug, Error)]
pub enum RunError {
    /// The capture.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// An output.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The key log.
    #[error("cannot read the key log {}: {cause}", path.display())]
    KeyLog {
        /// Which.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// A journal or a log.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// Frames of a kind that nothing here reads.
    #[error(
        "none of the {packets} packets can be read: they are of {links}; Ethernet, Linux cooked captures, loopback and raw IP are \
         read: capture again with `tcpdump -i any`"
    )]
    Links {
        /// How many.
        packets: u64,
        /// Of what.
        links: String,
    },
    /// No thread.
    #[error("cannot start a thread: {0}; on one core (taskset -c 0 clw-analyze …) none is needed")]
    Thread(std::io::Error),
    /// Ctrl-C cannot be listened for.
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
    /// The connection that was asked for.
    #[error("no connection {0} in this capture; without --conn the report lists some, and --jsonl all")]
    NoSuchConnection(String),
    /// Something cannot be printed.
    #[error("cannot print: {0}")]
    Print(std::io::Error),
    /// Two outputs want standard output.
    #[error("{0} and {1} cannot both go to standard output: give one of them a file")]
    StdoutTwice(&'static str, &'static str),
}

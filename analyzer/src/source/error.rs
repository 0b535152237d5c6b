//! What stops the reading: inputs that cannot be opened or are no captures.

use std::io;

use thiserror::Error;

use super::capture::OPEN_FILES_MAX;

/// Why an input gives no frames at all. Damage inside a capture is a [`super::Warning`] instead.
#[derive(Debug, Error)]
pub enum SourceError {
    /// No input was named.
    #[error("no capture was named; give a file, a folder, or - for standard input")]
    NoInput,
    /// The file or folder cannot be opened or read.
    #[error("{name}: {error}")]
    Unreadable {
        /// File as it was named.
        name: String,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// Not a single byte.
    #[error("{name} is empty: the capture was never started, or nothing was written yet")]
    Empty {
        /// File as it was named.
        name: String,
    },
    /// The first bytes belong to no format that is read here.
    #[error("{name} is no capture: begins with {start}; pcap and pcapng are read, also inside gzip or zstd")]
    NoCapture {
        /// File as it was named.
        name: String,
        /// The first bytes, quoted if they are text and in hex if not.
        start: String,
    },
    /// gzip or zstd that cannot be unpacked from the start.
    #[error("{name}: cannot be unpacked: {error}")]
    Unpacking {
        /// File as it was named.
        name: String,
        /// What the unpacker said.
        #[source]
        error: io::Error,
    },
    /// The file header is cut or broken.
    #[error("{name}: broken file header: {what}")]
    BrokenHeader {
        /// File as it was named.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// A folder in which no file is a capture.
    #[error("{name} holds no captures ({files} files looked at); name the files if they are deeper")]
    NoCapturesInFolder {
        /// Folder as it was named.
        name: String,
        /// Number of files that were looked at.
        files: u64,
    },
    /// More captures cover the same moment than are opened at once.
    #[error(
        "{name}: more than {OPEN_FILES_MAX} captures overlap in time; join some of them with mergecap first"
    )]
    TooManyAtOnce {
        /// The capture for which no place was left.
        name: String,
    },
}

//! Capture files as one stream of frames in time order.
//!
//! Files, folders and standard input go in ([`Capture::open`]); frames, TLS secrets and a [`CaptureSummary`] come out. pcap
//! and pcapng are read in both byte orders, plain or inside gzip or zstd, recognised by content and never by name.
//! Damage does not stop the reading: it becomes a [`Warning`] with file and offset, and reading goes on at the next
//! place that looks like a record. What the frames carry is the business of [`crate::decode`].
//!
//! Nothing here looks at a clock, and nothing panics on hostile input. Memory is bounded: one window per open file
//! (1 MiB for a single input, 256 KiB each for several), which grows only for one block larger than itself, up to 32 MiB.

mod capture;
mod error;
mod file;
mod inputs;
mod link_type;
mod pcap;
mod pcapng;
mod summary;
mod timescale;
mod window;

pub use capture::{Capture, Frame, Item};
pub use error::SourceError;
pub use link_type::LinkType;
pub use summary::{CaptureSummary, Interface, InterfaceStatistics, Warning, WarningKind};

//! What wakes the dashboard's loop.

use crate::model::Link;
use clw_core::journal::SessionRecord;
use clw_core::snapshot::Snapshot;

/// From a source, the terminal or the system.
#[derive(Debug)]
pub enum Event {
    /// A source told where it is.
    Snapshot {
        /// Which source.
        source: usize,
        /// What it told.
        snapshot: Box<Snapshot>,
    },
    /// A session is over.
    Record(Box<SessionRecord>),
    /// The way to a source changed.
    Link {
        /// Which source.
        source: usize,
        /// To what.
        link: Link,
    },
    /// A key was pressed, the terminal was resized.
    Terminal(crossterm::event::Event),
    /// SIGTERM, SIGINT or SIGHUP.
    Signal(i32),
    /// A source cannot go on, and trying again would not help; why.
    Failed(String),
    /// What is done to the network on purpose, or why that is not known.
    Network(Result<crate::source::netem::Shape, String>),
    /// The host has something to say.
    Say(String),
    /// The host is done with the dashboard.
    Close,
}

//! Packets as a source: a capture file to be replayed, a capture on standard input, an interface.

mod interface;
mod ledger;
mod live;
mod narrow;
mod tell;
mod transcode;

pub use interface::{Interface, InterfaceError};
pub use ledger::Ledger;
pub use live::{watch_interface, watch_stream};
pub use narrow::Narrow;
pub use transcode::{TranscodeError, transcode};

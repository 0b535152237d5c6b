//! A bad network inside the process: when bytes that were written now come out at the other end.
//!
//! What it means: each direction of a session's byte stream passes a model of a path with a delay, jitter, a bandwidth,
//! losses, stalls and resets. Bytes keep their order, whatever happens to them, as in a TCP stream.
//!
//! What it is not: there are no packets here, and nothing below the byte stream is impaired. *Loss here is the wait that
//! a retransmission costs*: bytes of a lost segment, and all bytes behind them, come out one retransmission timeout
//! later (doubling when the retransmission is lost too). TCP's own handshake, its congestion window and fast
//! retransmits are not modelled: a session's messages are small and far apart, so that nothing follows a lost segment
//! that would set off a fast retransmit. For real packets use netem.

mod link;
mod spec;

pub use link::{Impairment, Link, SEGMENT_BYTES};
pub use spec::{KEYS, Spec, SpecError, Stall};

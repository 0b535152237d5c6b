//! One TCP connection from its segments: order, ends, resets, round trips.
//!
//! Everything here is arithmetic over [`crate::segment::Segment`]s; what the bytes mean is `stream`'s.

pub mod before;
pub mod connection;
pub mod ending;
pub mod habits;
pub mod half;
pub mod reassembly;
pub mod reset;
pub mod rtt;
pub mod seq;
mod way;

pub use before::Before;
pub use connection::Connection;
pub use ending::End;
pub use half::Half;
pub use reassembly::{Piece, Reassembly, Stamp};
pub use reset::Reset;
pub use seq::Seq;
pub use way::Way;

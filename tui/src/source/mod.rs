//! Where snapshots come from. Each source turns what it reads into [`crate::event::Event`]s and nothing else.

mod attach;
mod bounds;
pub mod capture;
mod endpoint;
mod line;
pub mod log;
pub mod netem;
mod packed;
mod player;
pub mod probe;
mod recording;

pub use attach::attach;
pub use bounds::within_bounds;
pub use endpoint::{Endpoint, EndpointError};
pub use line::{LineError, read_line};
pub use player::{Player, Seek};
pub use recording::{Entry, Recording, RecordingError};

//! What would stop a run before it starts: descriptors, ports, addresses, memory.
//!
//! The rules are pure ([`assess`]: what is needed, against what was measured); [`Facts::measure`] and
//! [`raise_soft_limit`] are the edge to the system.

mod assess;
mod errno;
mod facts;
mod needs;

pub use assess::{Assessment, Finding, Level, RESERVED_DESCRIPTORS, SESSIONS_PER_SOURCE, assess};
pub use errno::{generator_error_fix, generator_error_name};
pub use facts::{Facts, raise_soft_limit};
pub use needs::{Needs, Reach};

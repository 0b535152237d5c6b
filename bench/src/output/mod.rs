//! Where results go: terminal, JSON, CSV, HDR interval log, journal.
//!
//! Writers take anything that implements [`std::io::Write`]. Data goes to standard output, everything for the eye to
//! standard error; a reader that goes away (`| head`) is no error.

pub mod csv;
pub mod hdr;
pub mod journal;
pub mod json;
pub mod progress;
pub mod style;
pub(crate) mod table;
pub mod text;
pub(crate) mod words;

pub use style::{Color, Paint, Role};

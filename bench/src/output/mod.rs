//! Where results go: terminal, JSON, CSV, HDR interval log, journal.

pub mod csv;
pub mod file;
pub mod hdr;
pub mod journal;
pub mod progress;
pub mod text;

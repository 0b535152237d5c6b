//! Where results go: terminal, JSON, page, CSV, HDR interval log, journal.

pub mod csv;
pub mod file;
pub mod hdr;
pub mod html;
pub mod journal;
pub mod progress;
pub mod text;

//! What is written of an analysis.

pub mod csv;
pub mod json;
pub mod ladder;
pub mod text;
pub mod whole;

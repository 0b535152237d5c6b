//! What is written of an analysis.

pub mod columns;
pub mod csv;
pub mod html;
pub mod json;
pub mod ladder;
pub mod parquet;
pub mod text;
pub mod whole;

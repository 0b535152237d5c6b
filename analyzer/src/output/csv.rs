//! `--csv`: one connection a row.

use super::columns::{COLUMNS, Cell, Kind};
use super::whole::{Whole, WriteError};
use crate::record::Record;
use std::path::Path;

/// A table being written.
pub struct Csv {
    out: Whole,
}

impl Csv {
    /// Begins one.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let mut csv = Self {
            out: Whole::create(path)?,
        };
        csv.row(COLUMNS.iter().map(|column| column.name.to_owned()))?;
        Ok(csv)
    }

    /// Adds a connection.
    pub fn connection(&mut self, record: &Record) -> Result<(), WriteError> {
        self.row(COLUMNS.iter().map(|column| match (column.of)(record) {
            // A spreadsheet reads a date, not a count of microseconds.
            Cell::Whole(_) if column.kind == Kind::Time => record.start.clone(),
            Cell::Whole(number) => number.to_string(),
            Cell::Real(number) => number.to_string(),
            Cell::Text(text) => text,
            Cell::Null => String::new(),
        }))
    }

    /// Makes it visible.
    pub fn finish(self) -> Result<(), WriteError> {
        self.out.finish()
    }

    fn row(&mut self, fields: impl IntoIterator<Item = String>) -> Result<(), WriteError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        // Writing to memory cannot fail.
        let _ = writer.write_record(fields);
        let row = writer.into_inner().unwrap_or_default();
        self.out.write(&row)
    }
}

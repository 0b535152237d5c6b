//! `--parquet`: a folder of tables, one a day (`date=2026-11-20/part-00000.parquet`), as DuckDB, Spark and their like read it.
//!
//! Rows wait until there are enough for a row group, so that memory does not grow with the capture. Files get their names when
//! all of them are whole.

use super::columns::{COLUMNS, Cell, Column, Kind};
use super::whole::WriteError;
use crate::record::Record;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::TypePtr;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows of a row group.
const GROUP_ROWS: usize = 4096;
/// Days with an open file. A capture seldom has more than two; clocks that jump may make more.
const MAX_DAYS: usize = 32;

/// Tables being written.
pub struct Parquet {
    folder: PathBuf,
    schema: TypePtr,
    days: BTreeMap<String, Day>,
    /// Finished files, still under their temporary names.
    finished: Vec<(PathBuf, PathBuf)>,
}

struct Day {
    writer: SerializedFileWriter<File>,
    rows: Vec<Vec<Cell>>,
    partial: PathBuf,
    whole: PathBuf,
}

impl Parquet {
    /// Begins tables in `folder`, which is made if it is not there.
    pub fn create(folder: &Path) -> Result<Self, WriteError> {
        let named = |cause| error(folder, cause);
        fs::create_dir_all(folder).map_err(named)?;
        let schema = parse_message_type(&message()).map_err(|e| named(io::Error::other(e)))?;
        Ok(Self {
            folder: folder.to_owned(),
            schema: Arc::new(schema),
            days: BTreeMap::new(),
            finished: Vec::new(),
        })
    }

    /// Adds a connection.
    pub fn connection(&mut self, record: &Record) -> Result<(), WriteError> {
        let date = record.start.get(..10).unwrap_or("unknown");
        if !self.days.contains_key(date) {
            if self.days.len() >= MAX_DAYS
                && let Some((_, oldest)) = self.days.pop_first()
            {
                self.close(oldest)?;
            }
            let day = self.open(date)?;
            self.days.insert(date.to_owned(), day);
        }
        let Some(day) = self.days.get_mut(date) else {
            return Ok(());
        };
        day.rows
            .push(COLUMNS.iter().map(|column| (column.of)(record)).collect());
        if day.rows.len() >= GROUP_ROWS {
            day.flush()?;
        }
        Ok(())
    }

    /// Makes them visible.
    pub fn finish(mut self) -> Result<(), WriteError> {
        while let Some((_, day)) = self.days.pop_first() {
            self.close(day)?;
        }
        for (partial, whole) in std::mem::take(&mut self.finished) {
            fs::rename(&partial, &whole).map_err(|cause| error(&whole, cause))?;
        }
        Ok(())
    }

    fn open(&self, date: &str) -> Result<Day, WriteError> {
        let folder = self.folder.join(format!("date={date}"));
        fs::create_dir_all(&folder).map_err(|cause| error(&folder, cause))?;
        let taken = |name: &Path| name.exists() || self.finished.iter().any(|(_, whole)| whole == name);
        // What an earlier analysis left stays: a folder may collect many.
        let whole = (0..100_000)
            .map(|number| folder.join(format!("part-{number:05}.parquet")))
            .find(|name| !taken(name))
            .ok_or_else(|| error(&folder, io::Error::other("100 000 parts are there already")))?;
        let partial = whole.with_extension(format!("{}.partial", std::process::id()));
        let file = File::create(&partial).map_err(|cause| error(&partial, cause))?;
        let writer =
            SerializedFileWriter::new(file, self.schema.clone(), Arc::new(WriterProperties::default()))
                .map_err(|cause| error(&partial, other(cause)))?;
        Ok(Day {
            writer,
            rows: Vec::new(),
            partial,
            whole,
        })
    }

    fn close(&mut self, mut day: Day) -> Result<(), WriteError> {
        day.flush()?;
        let closed = day.writer.close();
        closed.map_err(|cause| error(&day.partial, other(cause)))?;
        self.finished.push((day.partial, day.whole));
        Ok(())
    }
}

impl Drop for Parquet {
    fn drop(&mut self) {
        let open = self.days.values().map(|day| &day.partial);
        for partial in open.chain(self.finished.iter().map(|(partial, _)| partial)) {
            let _ = fs::remove_file(partial);
        }
    }
}

impl Day {
    fn flush(&mut self) -> Result<(), WriteError> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        let written = self.writer.next_row_group().and_then(|mut group| {
            for (index, column) in COLUMNS.iter().enumerate() {
                write_column(&mut group, column, rows.iter().map(|row| &row[index]))?;
            }
            group.close().map(drop)
        });
        written.map_err(|cause| error(&self.partial, other(cause)))
    }
}

/// The schema: every column may be null.
fn message() -> String {
    let mut text = "message connection {\n".to_owned();
    for column in COLUMNS {
        let (physical, logical) = match column.kind {
            Kind::Whole => ("INT64", ""),
            Kind::Real => ("DOUBLE", ""),
            Kind::Text => ("BYTE_ARRAY", " (UTF8)"),
            Kind::Time => ("INT64", " (TIMESTAMP(MICROS,true))"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  OPTIONAL {physical} {}{logical};", column.name);
    }
    text + "}"
}

fn write_column<'a>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    column: &Column,
    cells: impl Iterator<Item = &'a Cell> + Clone,
) -> Result<(), ParquetError> {
    let Some(mut writer) = group.next_column()? else {
        return Err(ParquetError::General(format!("no column {}", column.name)));
    };
    let levels: Vec<i16> = cells.clone().map(|cell| i16::from(*cell != Cell::Null)).collect();
    match column.kind {
        Kind::Whole | Kind::Time => {
            let values: Vec<i64> = cells
                .filter_map(|cell| {
                    if let Cell::Whole(number) = cell {
                        Some(*number)
                    } else {
                        None
                    }
                })
                .collect();
            writer
                .typed::<Int64Type>()
                .write_batch(&values, Some(&levels), None)?;
        }
        Kind::Real => {
            let values: Vec<f64> = cells
                .filter_map(|cell| {
                    if let Cell::Real(number) = cell {
                        Some(*number)
                    } else {
                        None
                    }
                })
                .collect();
            writer
                .typed::<DoubleType>()
                .write_batch(&values, Some(&levels), None)?;
        }
        Kind::Text => {
            let values: Vec<ByteArray> = cells
                .filter_map(|cell| {
                    if let Cell::Text(text) = cell {
                        Some(text.as_str().into())
                    } else {
                        None
                    }
                })
                .collect();
            writer
                .typed::<ByteArrayType>()
                .write_batch(&values, Some(&levels), None)?;
        }
    }
    writer.close()
}

fn other(cause: ParquetError) -> io::Error {
    io::Error::other(cause)
}

fn error(path: &Path, cause: io::Error) -> WriteError {
    WriteError {
        path: path.to_owned(),
        cause,
    }
}

//! Where exports go: files that did not exist before.

use super::{figures, picture, text};
use crate::app::App;
use crate::theme::Theme;
use ratatui::buffer::Buffer;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Numbers tried for a name that is free.
const MAX_FILES: u32 = 10_000;

/// A file that could not be written.
#[derive(Debug, Error)]
#[error("cannot write {path}: {cause}; --export-dir names another folder")]
pub struct ExportError {
    path: PathBuf,
    cause: io::Error,
}

/// Writes the screen's text and the figures; returns where, in words.
pub fn text_and_json(folder: &Path, buffer: &Buffer, app: &App) -> Result<String, ExportError> {
    let screen = write_new(folder, "txt", &text(buffer))?;
    let json = screen.with_extension("json");
    write_at(&json, &figures(app))?;
    Ok(format!("written: {} and {}", screen.display(), json.display()))
}

/// Writes a picture of the screen; returns where, in words.
pub fn svg(folder: &Path, buffer: &Buffer, theme: Theme) -> Result<String, ExportError> {
    let path = write_new(folder, "svg", &picture(buffer, theme))?;
    Ok(format!("written: {}", path.display()))
}

/// The first of `clw-tui-1`, `clw-tui-2` … that is free: nothing is ever written over.
fn write_new(folder: &Path, extension: &str, content: &str) -> Result<PathBuf, ExportError> {
    let mut path = folder.to_owned();
    for number in 1..=MAX_FILES {
        path = folder.join(format!("clw-tui-{number}.{extension}"));
        match write_at(&path, content) {
            Err(e) if e.cause.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(path),
        }
    }
    Err(ExportError {
        path,
        cause: io::ErrorKind::AlreadyExists.into(),
    })
}

fn write_at(path: &Path, content: &str) -> Result<(), ExportError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(content.as_bytes()))
        .map_err(|cause| ExportError {
            path: path.to_owned(),
            cause,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let first = write_new(folder.path(), "txt", "one").unwrap();
        let second = write_new(folder.path(), "txt", "two").unwrap();
        assert_ne!(first, second);
        assert_eq!(std::fs::read_to_string(first).unwrap(), "one");
        let nowhere = folder.path().join("no");
        let error = write_new(&nowhere, "txt", "x").unwrap_err().to_string();
        assert!(error.contains("--export-dir"), "{error}");
    }
}

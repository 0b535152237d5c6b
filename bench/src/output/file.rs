//! Files that are whole or not there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A result could not be written; names the file and what to do.
#[derive(Debug, Error)]
#[error("cannot write {}: {cause}", path.display())]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// Why not.
    pub cause: io::Error,
}

impl WriteError {
    /// An error of `path`.
    pub fn new(path: &Path, cause: io::Error) -> Self {
        Self {
            path: path.to_owned(),
            cause,
        }
    }
}

/// Prints to standard output, where a reader that has left is no error.
pub fn print(text: &str) -> Result<(), WriteError> {
    write_whole(Path::new("-"), text)
}

/// Writes `contents` to `path` so that a reader sees the old file or the new one, never half of it; `-` is standard
/// output, where a reader that has left is no error.
pub fn write_whole(path: &Path, contents: &str) -> Result<(), WriteError> {
    if path == Path::new("-") {
        return match io::stdout().lock().write_all(contents.as_bytes()) {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(WriteError::new(path, e)),
            _ => Ok(()),
        };
    }
    replace(path, contents).map_err(|cause| WriteError::new(path, cause))
}

fn replace(path: &Path, contents: &str) -> io::Result<()> {
    // A device or a pipe is written to; only a file can be replaced.
    if fs::metadata(path).is_ok_and(|m| !m.is_file()) {
        return File::options()
            .write(true)
            .open(path)?
            .write_all(contents.as_bytes());
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    let partial = path.with_file_name(name);
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(contents.as_bytes())?;
        file.sync_all()
    });
    let result = written.and_then(|()| fs::rename(&partial, path));
    if result.is_err() {
        let _ = fs::remove_file(&partial);
    }
    result
}

/// Whether `path` could be written to at the end of a run: better to know before it.
pub fn check_writable(path: &Path) -> Result<(), WriteError> {
    if path == Path::new("-") || fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        return Ok(());
    }
    let existed = path.exists();
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|e| WriteError::new(path, e))?;
    if !existed {
        let _ = fs::remove_file(path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("result.json");
        write_whole(&path, "old").unwrap();
        write_whole(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named_before_the_run() {
        let error = check_writable(Path::new("/no/such/folder/x.json"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("/no/such/folder/x.json"), "{error}");
    }

    #[test]
    fn looking_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        check_writable(&path).unwrap();
        assert!(!path.exists());
    }
}

//! Files that are whole or not there.

use std::fs::{self, File};
use std::io::{self, Seek as _, Write};
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
    WholeFile::open(path)?.write(contents)
}

/// A file that is replaced as a whole, again and again. It keeps a descriptor from the start, so that a process that has
/// run out of them can still write its result.
pub struct WholeFile {
    path: PathBuf,
    /// Open beside `path`, to become it; the device, pipe or standard output itself where nothing can be replaced.
    next: Next,
}

enum Next {
    Stdout,
    Device(File),
    Partial(File),
    /// What was written last, now at `path`: no descriptor was left for another.
    Last(File),
}

impl WholeFile {
    /// Makes ready to write `path`; `-` is standard output.
    pub fn open(path: &Path) -> Result<Self, WriteError> {
        let next = if path == Path::new("-") {
            Next::Stdout
        } else if fs::metadata(path).is_ok_and(|m| !m.is_file()) {
            // A device or a pipe is written to; only a file can be replaced.
            let opened = File::options().write(true).open(path);
            Next::Device(opened.map_err(|e| WriteError::new(path, e))?)
        } else {
            Next::Partial(File::create(partial(path)).map_err(|e| WriteError::new(path, e))?)
        };
        Ok(Self {
            path: path.to_owned(),
            next,
        })
    }

    /// Whether what is written can be written again.
    pub const fn is_replaceable(&self) -> bool {
        matches!(self.next, Next::Partial(_) | Next::Last(_))
    }

    /// Replaces the file's contents.
    pub fn write(&mut self, contents: &str) -> Result<(), WriteError> {
        self.replace(contents)
            .map_err(|cause| WriteError::new(&self.path, cause))
    }

    fn replace(&mut self, contents: &str) -> io::Result<()> {
        let file = match &mut self.next {
            Next::Stdout => {
                return match io::stdout().lock().write_all(contents.as_bytes()) {
                    Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e),
                    _ => Ok(()),
                };
            }
            Next::Device(file) => return file.write_all(contents.as_bytes()),
            Next::Partial(file) | Next::Last(file) => file,
        };
        file.set_len(0)?;
        file.seek(io::SeekFrom::Start(0))?;
        file.write_all(contents.as_bytes())?;
        file.sync_all()?;
        if matches!(self.next, Next::Partial(_)) {
            fs::rename(partial(&self.path), &self.path)?;
        }
        match File::create(partial(&self.path)) {
            Ok(file) => self.next = Next::Partial(file),
            Err(_) => {
                if let Next::Partial(file) = std::mem::replace(&mut self.next, Next::Stdout) {
                    self.next = Next::Last(file);
                }
            }
        }
        Ok(())
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if matches!(self.next, Next::Partial(_)) {
            let _ = fs::remove_file(partial(&self.path));
        }
    }
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    path.with_file_name(name)
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

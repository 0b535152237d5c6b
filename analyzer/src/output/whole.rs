//! Files that are whole or not there.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use thiserror::Error;

/// An output could not be written; names the file.
#[derive(Debug, Error)]
#[error("cannot write {}: {cause}", path.display())]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// Why not.
    pub cause: io::Error,
}

/// An output that becomes visible when it is finished; `-` is standard output, where a reader that has left is no error.
pub struct Whole {
    path: PathBuf,
    out: Out,
}

enum Out {
    Stdout(BufWriter<io::Stdout>),
    /// A device or a pipe cannot be replaced.
    Device(BufWriter<fs::File>),
    File(BufWriter<NamedTempFile>),
}

impl Whole {
    /// Begins an output; what was there stays until [`Whole::finish`].
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let fail = |cause| WriteError {
            path: path.to_owned(),
            cause,
        };
        let out = if path == Path::new("-") {
            Out::Stdout(BufWriter::new(io::stdout()))
        } else if fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
            let file = fs::OpenOptions::new().write(true).open(path);
            Out::Device(BufWriter::new(file.map_err(fail)?))
        } else if path.is_dir() {
            return Err(fail(io::ErrorKind::IsADirectory.into()));
        } else {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")));
            Out::File(BufWriter::new(file.map_err(fail)?))
        };
        Ok(Self {
            path: path.to_owned(),
            out,
        })
    }

    /// Whether it goes to standard output.
    pub const fn is_stdout(&self) -> bool {
        matches!(self.out, Out::Stdout(_))
    }

    /// Writes the next part.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let written = match &mut self.out {
            Out::Stdout(out) => tolerate(out.write_all(bytes)),
            Out::Device(out) => out.write_all(bytes),
            Out::File(out) => out.write_all(bytes),
        };
        self.named(written)
    }

    /// Hands what was written to readers that follow along.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        let written = match &mut self.out {
            Out::Stdout(out) => tolerate(out.flush()),
            Out::Device(out) => out.flush(),
            Out::File(_) => Ok(()),
        };
        self.named(written)
    }

    /// Makes it visible.
    pub fn finish(mut self) -> Result<(), WriteError> {
        self.flush()?;
        let path = self.path;
        let Out::File(out) = self.out else { return Ok(()) };
        let written = out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| {
                allow_reading(file.path())?;
                file.persist(&path).map_err(|error| error.error)
            });
        written.map(drop).map_err(|cause| WriteError { path, cause })
    }

    fn named(&self, written: io::Result<()>) -> Result<(), WriteError> {
        written.map_err(|cause| WriteError {
            path: self.path.clone(),
            cause,
        })
    }
}

/// Temporary files are the owner's alone; results are for whoever may read the folder.
fn allow_reading(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

fn tolerate(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

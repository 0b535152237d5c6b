//! The gateway's log, in the real gateway's words (protocol page, section 11).

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Buffered lines; they reach the file once in a while and at the end, so that logging never holds the loop up.
pub struct Log {
    file: Option<RefCell<BufWriter<File>>>,
    stderr: bool,
}

impl Log {
    /// A log into `path` (appended) and, if `stderr`, to standard error.
    pub fn open(path: Option<&Path>, stderr: bool) -> io::Result<Self> {
        let file = path
            .map(|path| File::options().create(true).append(true).open(path))
            .transpose()?
            .map(|file| RefCell::new(BufWriter::with_capacity(64 * 1024, file)));
        Ok(Self { file, stderr })
    }

    /// Whether anybody reads it.
    pub fn is_on(&self) -> bool {
        self.file.is_some() || self.stderr
    }

    /// Writes a line.
    pub fn line(&self, text: &str) {
        if let Some(file) = &self.file {
            // A full disk must not stop the gateway.
            let _ = writeln!(file.borrow_mut(), "{text}");
        }
        if self.stderr {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Pushes what is buffered out.
    pub fn flush(&self) {
        if let Some(file) = &self.file {
            let _ = file.borrow_mut().flush();
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.flush();
    }
}

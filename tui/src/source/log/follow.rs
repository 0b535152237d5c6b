//! A file followed as `tail -F` does: through rotation, truncation, and before it is there.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Longer lines are no log lines of a gateway: their rest is passed over.
const MAX_LINE_BYTES: usize = 64 * 1024;
/// Read at one look at most, so that a log that grows faster than it is read still lets the screen move.
const MAX_BYTES_A_LOOK: usize = 64 << 20;

/// Why a log cannot be followed.
#[derive(Debug, Error)]
pub enum FollowError {
    /// It cannot be read.
    #[error("--log {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A folder, a device …
    #[error("--log {0}: not a file: name the log itself")]
    NotAFile(PathBuf),
    /// Nobody has written it yet, or it was moved away.
    #[error("{0} is not there (yet)")]
    NotThere(PathBuf),
}

/// A log and how far it was read.
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    open: Option<Open>,
    /// A line whose end was not written yet.
    partial: Vec<u8>,
    /// The line is too long: what is left of it is passed over.
    skips: bool,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: (u64, u64),
    offset: u64,
}

impl Follow {
    /// Begins at the end of what is there; a file that is not there yet is read from its beginning when it is.
    pub fn open(path: &Path) -> Result<Self, FollowError> {
        let mut follow = Self {
            path: path.to_owned(),
            open: None,
            partial: Vec::new(),
            skips: false,
        };
        match follow.open_anew() {
            Ok(()) => {
                if let Some(open) = &mut follow.open {
                    let end = open
                        .file
                        .seek(SeekFrom::End(0))
                        .map_err(|e| follow.read_error(e))?;
                    if let Some(open) = &mut follow.open {
                        open.offset = end;
                    }
                }
                Ok(follow)
            }
            Err(FollowError::NotThere(_)) => Ok(follow),
            Err(error) => Err(error),
        }
    }

    /// The file's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Hands on every whole line that was written since the last call, without its end.
    pub fn read(&mut self, line: &mut impl FnMut(&str)) -> Result<(), FollowError> {
        self.drain(line)?;
        let now = match fs::metadata(&self.path) {
            Ok(now) => now,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(FollowError::NotThere(self.path.clone()));
            }
            Err(e) => return Err(self.read_error(e)),
        };
        match &mut self.open {
            Some(open) if open.identity == identity(&now) => {
                if now.len() < open.offset {
                    // Truncated: it begins again.
                    open.offset = 0;
                    let begun = open.file.rewind();
                    self.forget_partial();
                    begun.map_err(|e| self.read_error(e))?;
                    self.drain(line)?;
                }
            }
            // Rotated: the old file was read to its end above.
            _ => {
                self.forget_partial();
                self.open_anew()?;
                self.drain(line)?;
            }
        }
        Ok(())
    }

    fn open_anew(&mut self) -> Result<(), FollowError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(FollowError::NotThere(self.path.clone()));
            }
            Err(e) => return Err(self.read_error(e)),
        };
        let metadata = file.metadata().map_err(|e| self.read_error(e))?;
        if !metadata.is_file() {
            return Err(FollowError::NotAFile(self.path.clone()));
        }
        self.open = Some(Open {
            file,
            identity: identity(&metadata),
            offset: 0,
        });
        Ok(())
    }

    fn drain(&mut self, line: &mut impl FnMut(&str)) -> Result<(), FollowError> {
        let mut buffer = vec![0; 1 << 16];
        let mut taken = 0;
        while taken < MAX_BYTES_A_LOOK {
            let Some(open) = &mut self.open else { return Ok(()) };
            let read = match open.file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(self.read_error(e)),
            };
            open.offset += read as u64;
            taken += read;
            self.split(buffer.get(..read).unwrap_or_default(), line);
        }
        Ok(())
    }

    fn split(&mut self, bytes: &[u8], line: &mut impl FnMut(&str)) {
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            let ends = part.last() == Some(&b'\n');
            if !self.skips {
                self.partial.extend(part);
            }
            if self.partial.len() > MAX_LINE_BYTES {
                self.partial.clear();
                self.skips = true;
            }
            if ends {
                if !self.skips {
                    line(String::from_utf8_lossy(&self.partial).trim_end());
                }
                self.forget_partial();
            }
        }
    }

    fn forget_partial(&mut self) {
        self.partial.clear();
        self.skips = false;
    }

    fn read_error(&self, cause: io::Error) -> FollowError {
        FollowError::Read {
            path: self.path.clone(),
            cause,
        }
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn lines(follow: &mut Follow) -> Vec<String> {
        let mut all = Vec::new();
        let _ = follow.read(&mut |line| all.push(line.to_owned()));
        all
    }

    #[test]
    fn lines_come_whole_through_rotation_and_truncation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.log");
        let mut follow = Follow::open(&path).unwrap();
        assert!(matches!(follow.read(&mut |_| {}), Err(FollowError::NotThere(_))));
        let mut file = File::create(&path).unwrap();
        write!(file, "one\ntwo\nthr").unwrap();
        assert_eq!(lines(&mut follow), ["one", "two"]);
        writeln!(file, "ee\r").unwrap();
        assert_eq!(lines(&mut follow), ["three"]);
        // Rotated: what was written to the old file last is not lost.
        writeln!(file, "last of the old").unwrap();
        fs::rename(&path, folder.path().join("gateway.log.1")).unwrap();
        let mut file = File::create(&path).unwrap();
        writeln!(file, "first of the new").unwrap();
        assert_eq!(lines(&mut follow), ["last of the old", "first of the new"]);
        file.set_len(0).unwrap();
        file.rewind().unwrap();
        writeln!(file, "anew").unwrap();
        assert_eq!(lines(&mut follow), ["anew"]);
    }

    #[test]
    fn what_was_there_before_is_the_past_and_an_endless_line_fills_no_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.log");
        fs::write(&path, "old\n").unwrap();
        let mut follow = Follow::open(&path).unwrap();
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&vec![b'x'; 3 * MAX_LINE_BYTES]).unwrap();
        assert_eq!(lines(&mut follow), Vec::<String>::new());
        assert!(follow.partial.len() <= MAX_LINE_BYTES);
        file.write_all(b"rest\nnew\n").unwrap();
        assert_eq!(lines(&mut follow), ["new"]);
    }

    #[test]
    fn a_folder_is_no_log() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            Follow::open(folder.path()),
            Err(FollowError::NotAFile(_))
        ));
    }
}

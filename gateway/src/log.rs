//! The gateway's log, in the real gateway's words (protocol page, section 11).

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::JoinHandle;

/// Lines that may wait to be written; more are dropped and counted.
const WAITING_LINES: usize = 65_536;
/// Written in one piece, and always whole lines: worker processes append to one file.
const CHUNK_BYTES: usize = 64 * 1024;

/// A log that never holds its callers up: a thread of its own writes the lines.
pub(crate) struct Log {
    lines: Option<SyncSender<String>>,
    dropped: Arc<AtomicU64>,
    writer: Option<JoinHandle<()>>,
}

impl Log {
    /// A log into `path` (appended) and, if `stderr`, to standard error.
    pub(crate) fn open(path: Option<&Path>, stderr: bool) -> io::Result<Self> {
        let file = path
            .map(|path| File::options().create(true).append(true).open(path))
            .transpose()?;
        let dropped = Arc::new(AtomicU64::new(0));
        if file.is_none() && !stderr {
            return Ok(Self {
                lines: None,
                dropped,
                writer: None,
            });
        }
        let (lines, received) = mpsc::sync_channel(WAITING_LINES);
        let lost = dropped.clone();
        let writer = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(&received, file, stderr, &lost))?;
        Ok(Self {
            lines: Some(lines),
            dropped,
            writer: Some(writer),
        })
    }

    /// Whether anybody reads it.
    pub(crate) fn is_on(&self) -> bool {
        self.lines.is_some()
    }

    /// Writes a line.
    pub(crate) fn line(&self, text: String) {
        if let Some(lines) = &self.lines
            && let Err(TrySendError::Full(_)) = lines.try_send(text)
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.lines = None;
        if let Some(writer) = self.writer.take() {
            // The thread ends with the channel; it has nothing to panic about.
            let _ = writer.join();
        }
    }
}

/// Takes lines until the log is dropped, many at a time.
fn write_all(lines: &Receiver<String>, mut file: Option<File>, stderr: bool, dropped: &AtomicU64) {
    let mut chunk = String::with_capacity(CHUNK_BYTES);
    while let Ok(first) = lines.recv() {
        let mut next = Some(first);
        while let Some(line) = next {
            chunk += &line;
            chunk.push('\n');
            next = if chunk.len() < CHUNK_BYTES {
                lines.try_recv().ok()
            } else {
                None
            };
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            // Writing to a String cannot fail.
            let _ = writeln!(
                chunk,
                "[gateway] {lost} lines of this log were dropped: they came too fast"
            );
        }
        // A full disk or a closed terminal must not stop the gateway.
        if let Some(file) = &mut file {
            let _ = file.write_all(chunk.as_bytes());
        }
        if stderr {
            let _ = io::stderr().write_all(chunk.as_bytes());
        }
        chunk.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lines_are_in_the_file_when_the_log_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let log = Log::open(Some(&path), false).unwrap();
        assert!(log.is_on());
        for i in 0..10_000 {
            log.line(format!("line {i}"));
        }
        drop(log);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 10_000);
        assert!(text.ends_with("line 9999\n"));
    }

    #[test]
    fn a_log_to_nowhere_is_off() {
        assert!(!Log::open(None, false).unwrap().is_on());
        assert!(Log::open(Some(Path::new("/nowhere/log")), false).is_err());
    }
}

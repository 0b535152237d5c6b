//! Files that are whole or not there.

use clw_core::report::Report;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Where an output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// `-`
    Stdout,
    /// A file.
    File(PathBuf),
}

impl From<&str> for Destination {
    fn from(text: &str) -> Self {
        if text == "-" {
            Self::Stdout
        } else {
            Self::File(text.into())
        }
    }
}

/// Writes a result as JSON, with a newline at its end.
pub fn write_json(out: &mut impl Write, report: &Report) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")
}

/// Writes a result to where it goes; `stdout` is used for `-`.
pub fn write_report(destination: &Destination, report: &Report, stdout: &mut impl Write) -> io::Result<()> {
    match destination {
        Destination::Stdout => {
            pipe_is_no_error(write_json(stdout, report).and_then(|()| stdout.flush())).map(|_| ())
        }
        Destination::File(path) => write_whole(path, |out| write_json(out, report)),
    }
}

/// Turns a reader that went away into `false`: there is nobody left to write for.
pub fn pipe_is_no_error(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes a file beside `path` and moves it there when it is whole, so that nobody reads half of it, and what was there
/// stays if writing fails. A pipe or device (`/dev/null`, a FIFO) is written as it is; a link keeps pointing.
pub fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&target).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let mut out = BufWriter::new(File::options().write(true).open(&target).map_err(named)?);
        return pipe_is_no_error(write(&mut out).and_then(|()| out.flush()))
            .map(|_| ())
            .map_err(named);
    }
    let name = target
        .file_name()
        .ok_or_else(|| named(io::ErrorKind::InvalidInput.into()))?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = target.with_file_name(temporary);
    let written = File::create(&temporary).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
        fs::rename(&temporary, &target)
    });
    written.map_err(|error| {
        // It may never have been there; the first error is the one to tell.
        let _ = fs::remove_file(&temporary);
        named(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        write_report(&Destination::from("-"), &Report::default(), &mut Closed).unwrap();
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        fs::write(&path, "before").unwrap();
        let failed = write_whole(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().to_string().contains("result.json: disk full"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        write_report(
            &Destination::File(path.clone()),
            &Report::default(),
            &mut io::sink(),
        )
        .unwrap();
        let read = Report::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(read, Report::default());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write_whole(Path::new("/nonexistent/x.json"), |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/x.json"), "{error}");
    }

    #[test]
    fn devices_and_links_stay_what_they_are() {
        write_whole(Path::new("/dev/null"), |out| out.write_all(b"x")).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "a").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_whole(&link, |out| out.write_all(b"b")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "b");
    }
}

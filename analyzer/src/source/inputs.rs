//! From what was named to files: folders become their captures.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::SourceError;
use super::file::{is_capture, name_of};

/// What is to be read.
pub(super) struct Inputs {
    pub(super) files: Vec<PathBuf>,
    /// Files in folders that are no captures.
    pub(super) passed_over: u64,
}

/// The files behind `inputs`, in order; a folder's by name. One that is named twice (by itself and by its folder, say)
/// is read once, or every packet in it would look like a retransmission.
pub(super) fn expand(inputs: &[PathBuf]) -> Result<Inputs, SourceError> {
    if inputs.is_empty() {
        return Err(SourceError::NoInput);
    }
    let mut files = Vec::new();
    let mut passed_over = 0;
    for input in inputs {
        if input.is_dir() {
            let mut folder = captures_in(input)?;
            files.append(&mut folder.files);
            passed_over += folder.passed_over;
        } else {
            files.push(input.clone());
        }
    }
    let mut known = HashSet::new();
    files.retain(|path| known.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())));
    Ok(Inputs { files, passed_over })
}

fn captures_in(folder: &Path) -> Result<Inputs, SourceError> {
    let unreadable = |error| SourceError::Unreadable {
        name: name_of(folder),
        error,
    };
    let mut captures = Vec::new();
    let mut passed_over = 0;
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        // Reading a pipe or a device that happens to lie there could wait for ever.
        if !path.is_file() {
            continue;
        }
        if is_capture(&path)? {
            captures.push(path);
        } else {
            passed_over += 1;
        }
    }
    if captures.is_empty() {
        return Err(SourceError::NoCapturesInFolder {
            name: name_of(folder),
            files: passed_over,
        });
    }
    captures.sort();
    Ok(Inputs {
        files: captures,
        passed_over,
    })
}

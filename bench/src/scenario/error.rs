//! What is wrong with a scenario, and where.

use super::near::nearest;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A scenario that cannot be used.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// The file.
    #[error("--scenario: cannot read {}: {error}; check the path and its permissions", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is no scenario.
    #[error("--scenario: {} is longer than 1 MiB; is it a scenario?", path.display())]
    TooLong {
        /// Which.
        path: PathBuf,
    },
    /// A place in it.
    #[error("{}:{line}:{column}: {}{problem}", path.display(), field_prefix(field.as_deref()))]
    Place {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// The field, if the place is in one.
        field: Option<String>,
        /// What is wrong.
        problem: String,
    },
}

fn field_prefix(field: Option<&str>) -> String {
    field.map(|f| format!("field `{f}`: ")).unwrap_or_default()
}

impl ScenarioError {
    /// From what the parser says.
    pub(super) fn from_toml(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let message = error.message();
        let span = error.span().unwrap_or(0..0);
        match unknown_name(message) {
            Some((kind, name, expected)) => {
                let hint = nearest(name, expected.iter().copied())
                    .map(|near| format!(", did you mean `{near}`?"))
                    .unwrap_or_default();
                let problem = format!(
                    "there is no {kind} `{name}`{hint}; accepted here: {}",
                    expected.join(", ")
                );
                let mut place = Self::at(path, text, span, problem);
                if let Self::Place { field, .. } = &mut place
                    && kind == "field"
                {
                    *field = Some(name.to_owned());
                }
                place
            }
            None => Self::at(path, text, span, first_line(message).to_owned()),
        }
    }

    /// At a place in the text.
    pub(super) fn at(path: &Path, text: &str, span: Range<usize>, problem: String) -> Self {
        let before = text.get(..span.start.min(text.len())).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Self::Place {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            field: key_before(before, line_start),
            problem,
        }
    }
}

/// The key whose value starts where `before` ends, or the key of the line.
fn key_before(before: &str, line_start: usize) -> Option<String> {
    let is_key = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '"';
    let of = |head: &str| {
        let head = head.trim_end();
        let start = head.rfind(|c| !is_key(c)).map_or(0, |i| i + 1);
        let key = head[start..].trim_matches('"');
        (!key.is_empty()).then(|| key.to_owned())
    };
    let head = before.trim_end_matches([' ', '\t']);
    if let Some(head) = head.strip_suffix('=') {
        return of(head);
    }
    // Within a list or a text: the first key of the line.
    before[line_start..]
        .split_once('=')
        .and_then(|(head, _)| of(head))
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or(message).trim()
}

/// Takes serde's "unknown field `x`, expected one of `a`, `b`" apart: kind, name, what is expected.
fn unknown_name(message: &str) -> Option<(&'static str, &str, Vec<&str>)> {
    let (kind, rest) = [("field", "unknown field `"), ("value", "unknown variant `")]
        .into_iter()
        .find_map(|(kind, start)| Some((kind, message.strip_prefix(start)?)))?;
    let (name, rest) = rest.split_once('`')?;
    let expected = rest.split('`').skip(1).step_by(2).collect();
    Some((kind, name, expected))
}

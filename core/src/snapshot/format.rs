//! Schema names with a version, `clw.snapshot/1`: how files tell what they are.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A text that is not of the format that was expected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// Something else altogether.
    #[error("this is not {expected}: {found}")]
    NotOurs {
        /// The schema that was expected.
        expected: &'static str,
        /// What it is instead, in words.
        found: String,
    },
    /// Written by an older release, in a form that is no longer read.
    #[error("this is `{found}`, older than `{expected}`: read it with the release that wrote it")]
    Older {
        /// The schema that was expected.
        expected: &'static str,
        /// The schema that it names.
        found: String,
    },
    /// Written by a newer release.
    #[error("this is `{found}`, newer than `{expected}`: update this tool to read it")]
    Newer {
        /// The schema that was expected.
        expected: &'static str,
        /// The schema that it names.
        found: String,
    },
    /// It begins well and stops in the middle.
    #[error(
        "{expected} is cut after {length} bytes: its writer stopped in the middle, or the copy is not complete"
    )]
    Cut {
        /// The schema that was expected.
        expected: &'static str,
        /// How long it is.
        length: usize,
    },
    /// Longer than any that the tools write.
    #[error("{expected} of {length} bytes is longer than is read ({limit} bytes)")]
    TooLong {
        /// The schema that was expected.
        expected: &'static str,
        /// How long it is.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The schema is right and the content is not.
    #[error("{expected} with a wrong field: {what}")]
    Invalid {
        /// The schema that was expected.
        expected: &'static str,
        /// What is wrong and where.
        what: String,
    },
}

/// Checks that `text` is a JSON object of the schema `expected` (`name/version`).
fn check(text: &str, expected: &'static str) -> Result<(), FormatError> {
    #[derive(Deserialize)]
    struct Probe {
        schema: Option<serde_json::Value>,
    }
    let not_ours = |found: String| FormatError::NotOurs { expected, found };
    if text.trim().is_empty() {
        return Err(not_ours("it is empty".to_owned()));
    }
    let probe: Probe = serde_json::from_str(text).map_err(|error| {
        if error.is_eof() && text.trim_start().starts_with('{') {
            return FormatError::Cut {
                expected,
                length: text.len(),
            };
        }
        not_ours(format!("it is not a JSON object ({error})"))
    })?;
    let found = match probe.schema {
        Some(serde_json::Value::String(schema)) => schema.chars().take(60).collect::<String>(),
        _ => return Err(not_ours("it has no text field `schema`".to_owned())),
    };
    let version = |schema: &str| {
        let (name, version) = schema.rsplit_once('/')?;
        Some((name.to_owned(), version.parse::<u32>().ok()?))
    };
    match (version(&found), version(expected)) {
        (Some((name, version)), Some((own_name, own_version))) if name == own_name => {
            match version.cmp(&own_version) {
                std::cmp::Ordering::Less => Err(FormatError::Older { expected, found }),
                std::cmp::Ordering::Equal => Ok(()),
                std::cmp::Ordering::Greater => Err(FormatError::Newer { expected, found }),
            }
        }
        _ => Err(not_ours(format!("its schema is `{found}`"))),
    }
}

/// Reads `text` after [`check`].
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str, expected: &'static str) -> Result<T, FormatError> {
    check(text, expected)?;
    serde_json::from_str(text).map_err(|error| FormatError::Invalid {
        expected,
        what: error.to_string(),
    })
}

/// A schema name that a type carries as its field `schema`. Reading accepts any: [`check`] has looked before.
pub(crate) trait Name {
    /// `clw.snapshot/1`
    const NAME: &'static str;
}

/// The field `schema`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag<N>(std::marker::PhantomData<N>);

impl<N: Name> std::fmt::Debug for Tag<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(N::NAME)
    }
}

impl<N> Default for Tag<N> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<N: Name> Serialize for Tag<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(N::NAME)
    }
}

impl<'de, N> Deserialize<'de> for Tag<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self::default())
    }
}

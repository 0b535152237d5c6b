//! All identities of a run.

use super::identity::Credential;
use super::line::LineError;
use clw_core::openclaw::SetupCodeError;
use clw_core::secret::Secret;
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// Longest line of a credentials file; setup codes and keys are far below.
const MAX_LINE_BYTES: usize = 64 * 1024;
/// Longest token file.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

static ANONYMOUS: Credential = Credential::anonymous();

/// Where identities came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// No credentials.
    #[default]
    None,
    /// Flags such as `--token`.
    Flags,
    /// The command that is asked for tokens.
    Command,
    /// The environment variable `CLW_TOKEN`.
    Environment,
    /// The embedded gateway's own token, derived from the seed.
    Derived,
    /// A file.
    File(PathBuf),
}

/// The identities of a run (or of one mix of a scenario), used in turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    source: Source,
    identities: Arc<[Credential]>,
}

/// Credentials that cannot be read. Names file, line and field, never a value.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// A file that cannot be read.
    #[error("cannot read {}: {error}; check the path and its permissions", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file without any identity or token.
    #[error("{} is empty: {expected}", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
        /// What should be there.
        expected: &'static str,
    },
    /// A token file that holds more than a token.
    #[error("{}: not a token: it holds {found}; one line of text is expected", path.display())]
    NotAToken {
        /// Which.
        path: PathBuf,
        /// What was there instead.
        found: &'static str,
    },
    /// A text that is no setup code.
    #[error("{0}")]
    SetupCode(SetupCodeError),
    /// A store of device tokens that cannot be used.
    #[error("{}: {problem}", path.display())]
    Store {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A wrong line.
    #[error("{}:{line}: {error}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        error: LineError,
    },
}

impl Credentials {
    /// One identity for all sessions.
    pub fn single(source: Source, credential: Credential) -> Self {
        Self {
            source,
            identities: Arc::new([credential]),
        }
    }

    /// Reads a credentials file.
    pub fn from_file(path: &Path) -> Result<Self, CredentialsError> {
        let file = File::open(path).map_err(|error| CredentialsError::Unreadable {
            path: path.to_owned(),
            error,
        })?;
        Self::from_lines(path, BufReader::new(file))
    }

    /// Reads lines; `path` is for messages.
    pub fn from_lines(path: &Path, mut lines: impl BufRead) -> Result<Self, CredentialsError> {
        let mut identities = Vec::new();
        let mut raw = Vec::new();
        for line in 1.. {
            let at_line = |error| CredentialsError::Line {
                path: path.to_owned(),
                line,
                error,
            };
            raw.clear();
            let read = (&mut lines)
                .take(MAX_LINE_BYTES as u64 + 1)
                .read_until(b'\n', &mut raw)
                .map_err(|error| CredentialsError::Unreadable {
                    path: path.to_owned(),
                    error,
                })?;
            if read == 0 {
                break;
            }
            if read > MAX_LINE_BYTES {
                return Err(at_line(LineError::TooLong(MAX_LINE_BYTES)));
            }
            let text = std::str::from_utf8(&raw).map_err(|e| {
                at_line(LineError::Json {
                    column: e.valid_up_to() + 1,
                })
            })?;
            let text = text.trim_start_matches('\u{feff}').trim();
            if !text.is_empty() {
                identities.push(Credential::from_line(text).map_err(at_line)?);
            }
        }
        if identities.is_empty() {
            return Err(CredentialsError::Empty {
                path: path.to_owned(),
                expected: "one identity a line is expected, such as {\"token\": \"…\"}",
            });
        }
        Ok(Self {
            source: Source::File(path.to_owned()),
            identities: identities.into(),
        })
    }

    /// The identity of session number `session` of the whole plan: the identities are used in turn.
    pub fn get(&self, session: u64) -> &Credential {
        usize::try_from(session % (self.identities.len().max(1) as u64))
            .ok()
            .and_then(|i| self.identities.get(i))
            .unwrap_or(&ANONYMOUS)
    }

    /// How many identities there are.
    pub fn len(&self) -> usize {
        self.identities.len()
    }

    /// Whether there is none: sessions then show nothing.
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
    }

    /// Where they came from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The identities with their secrets in clear, one JSON line each, for a worker process's pipe and nothing else.
    pub(crate) fn expose_lines(&self) -> Vec<String> {
        self.identities.iter().map(Credential::expose_line).collect()
    }

    /// Back from [`Credentials::expose_lines`].
    pub(crate) fn from_exposed(lines: &[String]) -> Result<Self, LineError> {
        let identities: Result<_, _> = lines
            .iter()
            .map(|l| Credential::from_line_or_anonymous(l))
            .collect();
        Ok(Self {
            source: Source::Flags,
            identities: identities?,
        })
    }
}

impl Credential {
    fn from_line_or_anonymous(line: &str) -> Result<Self, LineError> {
        match Self::from_line(line) {
            Err(LineError::Empty) => Ok(Self::anonymous()),
            other => other,
        }
    }
}

/// What a result file says: how many, from where, and fingerprints if there is only one.
impl Serialize for Credentials {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let source = match &self.source {
            Source::None => "none".to_owned(),
            Source::Flags => "flags".to_owned(),
            Source::Command => "token command".to_owned(),
            Source::Environment => "CLW_TOKEN".to_owned(),
            Source::Derived => "derived from the seed".to_owned(),
            Source::File(path) => path.display().to_string(),
        };
        map.serialize_entry("source", &source)?;
        map.serialize_entry("identities", &self.len())?;
        if let [one] = &*self.identities {
            for (name, secret) in [
                ("token", one.token.as_ref()),
                ("password", one.password()),
                ("device_token", one.device_token()),
                ("bootstrap_token", one.bootstrap_token()),
            ] {
                if let Some(secret) = secret {
                    map.serialize_entry(name, &secret.fingerprint())?;
                }
            }
        }
        map.end()
    }
}

/// Reads a file that holds one token; line ends after it are left out.
pub fn read_token_file(path: &Path) -> Result<Secret, CredentialsError> {
    let unreadable = |error| CredentialsError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let not_a_token = |found| CredentialsError::NotAToken {
        path: path.to_owned(),
        found,
    };
    let mut raw = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_TOKEN_BYTES + 1).read_to_end(&mut raw))
        .map_err(unreadable)?;
    if raw.len() as u64 > MAX_TOKEN_BYTES {
        return Err(not_a_token("more than 64 KiB"));
    }
    let text = String::from_utf8(raw).map_err(|_| not_a_token("bytes that are not UTF-8"))?;
    let token = text.trim_end_matches(['\r', '\n']);
    if token.trim().is_empty() {
        return Err(CredentialsError::Empty {
            path: path.to_owned(),
            expected: "a token is expected",
        });
    }
    if token.contains(['\r', '\n']) {
        return Err(not_a_token("more than one line"));
    }
    Ok(Secret::new(token))
}

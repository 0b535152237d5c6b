//! Scenario files (TOML): stages, mixes, calls, thresholds.
//!
//! A scenario says what flags say, for several kinds of sessions at once; flags win over it. Errors name file, line,
//! column and field, and the name that was probably meant.

mod error;
mod near;
mod table;
mod value;

pub use error::ScenarioError;
pub use table::{
    CallTable, LoadTable, ModelName, PairingTable, ReconnectTable, Scenario, SessionTable, StageTable,
    Thresholds,
};
pub use value::{DurationValue, HeartbeatValue, SecretText};

pub(crate) use near::nearest;

use std::path::Path;

/// Longest scenario file.
const MAX_BYTES: u64 = 1024 * 1024;

impl Scenario {
    /// Reads and checks a scenario file. Relative paths in it are taken from its folder.
    pub fn from_file(path: &Path) -> Result<Self, ScenarioError> {
        use std::io::Read as _;
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
            .map_err(|error| ScenarioError::Unreadable {
                path: path.to_owned(),
                error,
            })?;
        if text.len() as u64 > MAX_BYTES {
            return Err(ScenarioError::TooLong {
                path: path.to_owned(),
            });
        }
        Self::from_text(path, &text)
    }

    /// Reads and checks a scenario; `path` is for messages and for relative paths.
    pub fn from_text(path: &Path, text: &str) -> Result<Self, ScenarioError> {
        let mut scenario: Self =
            toml::from_str(text).map_err(|error| ScenarioError::from_toml(path, text, &error))?;
        scenario
            .check()
            .map_err(|(span, problem)| ScenarioError::at(path, text, span, problem))?;
        scenario.resolve_paths(path.parent().unwrap_or(Path::new("")));
        Ok(scenario)
    }
}

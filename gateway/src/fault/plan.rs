//! Which faults a connection gets: a pure function of the seed and its ordinal.

use super::spec::{FaultSpec, SpecError};
use clw_core::Dialect;
use clw_core::units::{parse_duration, parse_share};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// All faults of a gateway.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    specs: Vec<FaultSpec>,
    seed: u64,
}

/// A plan file that cannot be used.
#[derive(Debug, Error)]
pub enum PlanFileError {
    /// It cannot be read.
    #[error("{}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// It is no plan; the text shows line and column.
    #[error("{}: {cause}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and what.
        cause: Box<toml::de::Error>,
    },
    /// A field's value.
    #[error("{}: fault {number}, field `{field}`: {cause}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// Which `[[fault]]`, from 1.
        number: usize,
        /// Which field.
        field: &'static str,
        /// What is wrong.
        cause: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    fault: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    share: Option<String>,
    moment: Option<String>,
    delay: Option<String>,
    from: Option<String>,
    until: Option<String>,
}

impl FaultPlan {
    /// A plan of these faults.
    pub fn new(specs: Vec<FaultSpec>, seed: u64) -> Self {
        Self { specs, seed }
    }

    /// The faults of a TOML file: `[[fault]]` with `name` (as in `--fault`), `share`, `moment`, `delay`, `from`, `until`.
    pub fn read_file(path: &Path, dialect: Dialect) -> Result<Vec<FaultSpec>, PlanFileError> {
        let text = std::fs::read_to_string(path).map_err(|cause| PlanFileError::Read {
            path: path.to_owned(),
            cause,
        })?;
        let file: File = toml::from_str(&text).map_err(|cause| PlanFileError::Toml {
            path: path.to_owned(),
            cause: Box::new(cause),
        })?;
        let mut specs = Vec::new();
        for (i, entry) in file.fault.into_iter().enumerate() {
            let field = |field, cause: String| PlanFileError::Field {
                path: path.to_owned(),
                number: i + 1,
                field,
                cause,
            };
            let moment = entry.moment.map(|m| format!("@{m}")).unwrap_or_default();
            let parsed = FaultSpec::parse(&format!("{}{moment}", entry.name), dialect).map_err(|e| {
                field(
                    if matches!(e, SpecError::Moment { .. }) {
                        "moment"
                    } else {
                        "name"
                    },
                    e.to_string(),
                )
            })?;
            let duration = |name, text: Option<String>| {
                text.map(|t| parse_duration(&t).map_err(|e| field(name, e.to_string())))
                    .transpose()
            };
            let (delay, from) = (duration("delay", entry.delay)?, duration("from", entry.from)?);
            let until = duration("until", entry.until)?;
            let share = entry
                .share
                .map(|t| parse_share(&t).map_err(|e| field("share", e.to_string())))
                .transpose()?;
            for mut spec in parsed {
                spec.delay = delay.unwrap_or(spec.delay);
                spec.from = from.unwrap_or_default();
                spec.until = until;
                spec.share = share.unwrap_or(spec.share);
                specs.push(spec);
            }
        }
        Ok(specs)
    }

    /// The faults of connection number `ordinal`, accepted `since_start` after the gateway's start.
    pub fn of(&self, ordinal: u64, since_start: Duration) -> Vec<FaultSpec> {
        let in_time =
            |s: &FaultSpec| since_start >= s.from && s.until.is_none_or(|until| since_start < until);
        self.specs
            .iter()
            .enumerate()
            .filter(|(i, spec)| in_time(spec) && self.draw(*i, ordinal) < spec.share)
            .map(|(_, spec)| spec.clone())
            .collect()
    }

    /// The faults that act before a connection is there.
    pub fn specs(&self) -> &[FaultSpec] {
        &self.specs
    }

    /// Uniform in 0..1, from seed, fault and ordinal (SplitMix64).
    fn draw(&self, index: usize, ordinal: u64) -> f64 {
        let mut z = self
            .seed
            .wrapping_add((index as u64).wrapping_mul(0xD1B5_4A32_D192_ED03))
            .wrapping_add(ordinal.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind::{Action, Kind};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_share_of_sessions_is_met_and_repeats(seed: u64, share in 0.05f64..0.95) {
            let spec = FaultSpec { share, ..FaultSpec::new(Kind::At(Action::Rst)) };
            let plan = FaultPlan::new(vec![spec], seed);
            let hit = |n: u64| !plan.of(n, Duration::ZERO).is_empty();
            let hits = (0..4000).filter(|n| hit(*n)).count() as f64;
            // Five standard deviations of a binomial of 4000.
            let slack = 5.0 * (4000.0 * share * (1.0 - share)).sqrt();
            prop_assert!((hits - 4000.0 * share).abs() < slack, "{} of 4000 at {}", hits, share);
            prop_assert_eq!(hit(17), hit(17));
        }
    }

    #[test]
    fn a_plan_file_names_the_field_that_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.toml");
        let error = |text: &str| {
            std::fs::write(&path, text).unwrap();
            FaultPlan::read_file(&path, Dialect::Openclaw)
                .unwrap_err()
                .to_string()
        };
        assert!(error("[[fault]]\nname = \"rst\"\nshar = \"5%\"").contains("line 3"));
        assert!(error("[[fault]]\nname = \"rst\"\nshare = \"500%\"").contains("fault 1, field `share`"));
        assert!(error("[[fault]]\nname = \"rts\"").contains("did you mean `rst`"));
        std::fs::write(&path, "[[fault]]\nname = \"rst\"\nfrom = \"5s\"\nuntil = \"6s\"").unwrap();
        let plan = FaultPlan::new(FaultPlan::read_file(&path, Dialect::Openclaw).unwrap(), 1);
        assert!(plan.of(0, Duration::from_secs(4)).is_empty());
        assert_eq!(plan.of(0, Duration::from_secs(5)).len(), 1);
        assert!(plan.of(0, Duration::from_secs(6)).is_empty());
    }
}

//! Faults from a TOML file: `[[fault]]` tables with `name`, `share`, `moment`, `delay`, `from`, `until`.

use super::spec::{FaultSpec, SpecError};
use clw_core::Dialect;
use clw_core::units::{parse_duration, parse_share};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use toml::{Spanned, Value};

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
    #[error("{}: line {line}, field `{field}`: {cause}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
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

/// Values are texts as in `--fault`; numbers will do where they read the same.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    share: Option<Spanned<Value>>,
    moment: Option<Spanned<String>>,
    delay: Option<Spanned<Value>>,
    from: Option<Spanned<Value>>,
    until: Option<Spanned<Value>>,
}

/// Where a wrong field is, before its line is counted.
struct Wrong {
    at: usize,
    field: &'static str,
    cause: String,
}

/// The faults of a plan file, in its order.
pub(super) fn read_file(path: &Path, dialect: Dialect) -> Result<Vec<FaultSpec>, PlanFileError> {
    let text = std::fs::read_to_string(path).map_err(|cause| PlanFileError::Read {
        path: path.to_owned(),
        cause,
    })?;
    let file: File = toml::from_str(&text).map_err(|cause| PlanFileError::Toml {
        path: path.to_owned(),
        cause: Box::new(cause),
    })?;
    let mut specs = Vec::new();
    for entry in file.fault {
        let faults = entry.faults(dialect).map_err(|wrong| PlanFileError::Field {
            path: path.to_owned(),
            line: 1 + text.bytes().take(wrong.at).filter(|b| *b == b'\n').count(),
            field: wrong.field,
            cause: wrong.cause,
        })?;
        specs.extend(faults);
    }
    Ok(specs)
}

impl Entry {
    fn faults(&self, dialect: Dialect) -> Result<Vec<FaultSpec>, Wrong> {
        let name = self.name.get_ref();
        let delay = duration("delay", self.delay.as_ref())?;
        let mut text = name.clone();
        let moment = self.moment.as_ref().map(|moment| moment.get_ref().as_str());
        if moment.is_some() || delay.is_some() {
            text = format!("{text}@{}", moment.unwrap_or("ready"));
        }
        if let Some(delay) = delay {
            text = format!("{text}+{}us", delay.as_micros());
        }
        let mut specs = FaultSpec::parse(&text, dialect).map_err(|error| {
            let (field, at) = match (&error, &self.moment, &self.delay) {
                (
                    SpecError::Moment { .. } | SpecError::NoMoment { .. } | SpecError::TooEarly { .. },
                    Some(moment),
                    _,
                ) => ("moment", moment.span().start),
                (SpecError::NoMoment { .. }, None, Some(delay)) => ("delay", delay.span().start),
                _ => ("name", self.name.span().start),
            };
            let cause = error.to_string();
            Wrong { at, field, cause }
        })?;
        let from = duration("from", self.from.as_ref())?.unwrap_or_default();
        let until = duration("until", self.until.as_ref())?;
        for spec in &mut specs {
            spec.from = from;
            spec.until = until;
            if let Some(share) = &self.share {
                let wrong = |cause: String| Wrong {
                    at: share.span().start,
                    field: "share",
                    cause,
                };
                let value = parse_share(&words(share.get_ref())).map_err(|e| wrong(e.to_string()))?;
                spec.set_share(name, value).map_err(|e| wrong(e.to_string()))?;
            }
        }
        if let (Some(until), Some(end)) = (&self.until, until)
            && end <= from
        {
            return Err(Wrong {
                at: until.span().start,
                field: "until",
                cause: "the window ends before it begins (from)".to_owned(),
            });
        }
        Ok(specs)
    }
}

fn duration(field: &'static str, value: Option<&Spanned<Value>>) -> Result<Option<Duration>, Wrong> {
    value
        .map(|value| {
            parse_duration(&words(value.get_ref())).map_err(|e| Wrong {
                at: value.span().start,
                field,
                cause: e.to_string(),
            })
        })
        .transpose()
}

fn words(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), std::borrow::ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::FaultPlan;
    use super::*;

    struct Dir(tempfile::TempDir);

    impl Dir {
        fn read(&self, text: &str) -> Result<Vec<FaultSpec>, PlanFileError> {
            let path = self.0.path().join("plan.toml");
            std::fs::write(&path, text).unwrap();
            read_file(&path, Dialect::Openclaw)
        }
    }

    #[test]
    fn a_wrong_plan_file_is_named_with_line_and_field() {
        let dir = Dir(tempfile::tempdir().unwrap());
        let error = |text: &str| dir.read(text).unwrap_err().to_string();
        let rst = "[[fault]]\nname = \"rst\"\n";
        for (text, words) in [
            (format!("{rst}shar = \"5%\""), "line 3"),
            (format!("{rst}share = \"500%\""), "line 3, field `share`"),
            (format!("{rst}share = 7"), "line 3, field `share`"),
            (format!("{rst}\nmoment = \"soon\""), "line 4, field `moment`"),
            (format!("{rst}delay = \"x\""), "line 3, field `delay`"),
            (
                format!("{rst}from = \"5s\"\nuntil = \"4s\""),
                "line 4, field `until`",
            ),
            (
                "[[fault]]\nname = \"budget=3\"\ndelay = 5".to_owned(),
                "line 3, field `delay`",
            ),
            (
                "[[fault]]\nname = \"rts\"".to_owned(),
                "line 2, field `name`: `rts` is no fault (did you mean `rst`?)",
            ),
            ("fault = 3".to_owned(), "line 1"),
        ] {
            let said = error(&text);
            assert!(said.contains(words) && said.contains("plan.toml"), "{said}");
        }
        let said = read_file(Path::new("/nowhere/plan.toml"), Dialect::Openclaw).unwrap_err();
        assert!(said.to_string().contains("/nowhere/plan.toml"));
    }

    #[test]
    fn a_window_says_which_connections_it_is_for() {
        let dir = Dir(tempfile::tempdir().unwrap());
        let specs = dir
            .read("[[fault]]\nname = \"rst\"\nfrom = \"5s\"\nuntil = 6\nshare = 1.0")
            .unwrap();
        let plan = FaultPlan::new(specs, 1);
        assert!(plan.of(0, Duration::from_secs(4)).is_empty());
        assert_eq!(plan.of(0, Duration::from_secs(5)).len(), 1);
        assert!(plan.of(0, Duration::from_secs(6)).is_empty());
    }

    #[test]
    fn a_delay_without_a_moment_counts_from_ready() {
        let dir = Dir(tempfile::tempdir().unwrap());
        let specs = dir
            .read("[[fault]]\nname = \"fin\"\ndelay = \"2s\"\nshare = \"5%\"")
            .unwrap();
        assert_eq!(specs[0].delay, Duration::from_secs(2));
        assert_eq!(specs[0].moment, super::super::Moment::Ready);
    }
}

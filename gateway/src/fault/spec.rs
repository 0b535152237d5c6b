//! `NAME[=VALUE][:SHARE%][@MOMENT[+DELAY]]`.

use super::kind::{FAULTS, Kind};
use super::setup::fault_for;
use clw_core::Dialect;
use clw_core::threshold::distance;
use clw_core::units::{parse_duration, parse_share};
use clw_core::verdict::Verdict;
use std::time::Duration;
use thiserror::Error;

/// A point in a session's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// TCP is there.
    Accept,
    /// The upgrade was asked for.
    Upgrade,
    /// 101 and, where there is one, the challenge were sent.
    Challenge,
    /// The client's login has come; it is not answered.
    Auth,
    /// The client was accepted.
    Ready,
}

impl Moment {
    const NAMES: [(&'static str, Self); 5] = [
        ("accept", Self::Accept),
        ("upgrade", Self::Upgrade),
        ("challenge", Self::Challenge),
        ("auth", Self::Auth),
        ("ready", Self::Ready),
    ];
}

/// One fault of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultSpec {
    /// What.
    pub kind: Kind,
    /// Share of the sessions, 0 to 1.
    pub share: f64,
    /// When, for faults that happen at a moment.
    pub moment: Moment,
    /// How long after it.
    pub delay: Duration,
    /// Sessions accepted since the gateway's start from here …
    pub from: Duration,
    /// … to here.
    pub until: Option<Duration>,
}

/// A fault that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpecError {
    /// Not in the table.
    #[error("`{name}` is no fault{}; `clw-gateway --help` lists them", near.map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default())]
    Unknown {
        /// As written.
        name: String,
        /// The nearest.
        near: Option<&'static str>,
    },
    /// The value.
    #[error("fault `{name}`: `{value}` will not do, write {name}{expected}")]
    Value {
        /// Which fault.
        name: String,
        /// As written.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// The share.
    #[error("fault `{name}`: {cause} (the share of the sessions, after a colon)")]
    Share {
        /// Which fault.
        name: String,
        /// What is wrong.
        cause: String,
    },
    /// The moment.
    #[error(
        "fault `{name}`: `{moment}` is no moment, write @accept, @upgrade, @challenge, @auth or @ready, with +DELAY if wanted"
    )]
    Moment {
        /// Which fault.
        name: String,
        /// As written.
        moment: String,
    },
    /// A verdict that this dialect's gateway cannot cause by itself.
    #[error("no fault of this gateway causes `{verdict}` with dialect {dialect}")]
    NotHere {
        /// The verdict.
        verdict: &'static str,
        /// The dialect.
        dialect: Dialect,
    },
}

impl FaultSpec {
    /// A fault for all sessions, at its usual moment.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            share: 1.0,
            moment: Moment::Ready,
            delay: Duration::ZERO,
            from: Duration::ZERO,
            until: None,
        }
    }

    /// Reads a specification. A verdict's name means the faults that cause it, which may be several.
    pub fn parse(text: &str, dialect: Dialect) -> Result<Vec<Self>, SpecError> {
        let (rest, moment_text) = text.split_once('@').map_or((text, None), |(a, b)| (a, Some(b)));
        let (rest, share_text) = rest.split_once(':').map_or((rest, None), |(a, b)| (a, Some(b)));
        let (name, value) = rest.split_once('=').map_or((rest, ""), |(a, b)| (a, b));
        let mut specs = if let Some(verdict) = Verdict::from_name(name) {
            let setup = fault_for(verdict, dialect).filter(|s| !s.faults.is_empty());
            setup
                .ok_or(SpecError::NotHere {
                    verdict: verdict.name(),
                    dialect,
                })?
                .faults
        } else {
            vec![Self::named(name, value)?]
        };
        for spec in &mut specs {
            if let Some(share) = share_text {
                spec.share = parse_share(share).map_err(|e| SpecError::Share {
                    name: name.to_owned(),
                    cause: e.to_string(),
                })?;
            }
            if let Some(moment) = moment_text {
                let fail = || SpecError::Moment {
                    name: name.to_owned(),
                    moment: moment.to_owned(),
                };
                let (at, delay) = moment
                    .split_once('+')
                    .map_or((moment, None), |(a, b)| (a, Some(b)));
                spec.moment = Moment::NAMES.iter().find(|(n, _)| *n == at).ok_or_else(fail)?.1;
                spec.delay = delay
                    .map_or(Ok(Duration::ZERO), parse_duration)
                    .map_err(|_| fail())?;
            }
        }
        Ok(specs)
    }

    fn named(name: &str, value: &str) -> Result<Self, SpecError> {
        let Some(info) = FAULTS.iter().find(|f| f.name == name) else {
            let near = FAULTS
                .iter()
                .map(|f| (distance(f.name, name), f.name))
                .min()
                .filter(|(d, _)| *d <= 3);
            return Err(SpecError::Unknown {
                name: name.to_owned(),
                near: near.map(|(_, n)| n),
            });
        };
        let wrong = || SpecError::Value {
            name: name.to_owned(),
            value: value.to_owned(),
            expected: info.value,
        };
        if info.value.is_empty() != value.is_empty() {
            return Err(wrong());
        }
        let kind = (info.read)(value).ok_or_else(wrong)?;
        Ok(Self {
            moment: info.moment.unwrap_or(Moment::Accept),
            ..Self::new(kind)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind::Action;
    use super::*;

    fn one(text: &str) -> FaultSpec {
        let mut specs = FaultSpec::parse(text, Dialect::Openclaw).unwrap();
        assert_eq!(specs.len(), 1);
        specs.remove(0)
    }

    #[test]
    fn specifications_read_with_value_share_and_moment() {
        let spec = one("rst:5%@ready+10s");
        assert_eq!(spec.kind, Kind::At(Action::Rst));
        assert!((spec.share - 0.05).abs() < 1e-12);
        assert_eq!(
            (spec.moment, spec.delay),
            (Moment::Ready, Duration::from_secs(10))
        );
        assert_eq!(
            one("close=1011/oops@auth").kind,
            Kind::At(Action::Close(1011, "oops".into()))
        );
        assert_eq!(one("fin@challenge").moment, Moment::Challenge);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let says = |text| FaultSpec::parse(text, Dialect::Openclaw).unwrap_err().to_string();
        assert!(says("rts").contains("did you mean `rst`"));
        assert!(says("close").contains("close=CODE[/REASON]"));
        assert!(says("close=5000").contains("close=CODE"));
        assert!(says("rst=1").contains("will not do"));
        assert!(says("rst:200%").contains("share"));
        assert!(says("rst@never").contains("@accept"));
        assert!(says("clw-session-replaced").contains("clw-session-replaced"));
    }

    #[test]
    fn every_fault_of_the_table_reads_with_a_fitting_value() {
        for info in FAULTS {
            let value = match info.value {
                "" => "",
                "=T" => "=2s",
                "=N" | "=BYTES" => "=5",
                _ => "=503",
            };
            let value = if info.name == "close" { "=1000" } else { value };
            assert!(
                FaultSpec::parse(&format!("{}{value}", info.name), Dialect::Clw).is_ok(),
                "{}",
                info.name
            );
        }
    }
}

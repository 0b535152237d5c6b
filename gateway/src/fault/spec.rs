//! `NAME[=VALUE][:SHARE%][@MOMENT[+DELAY]]`.

use super::kind::Kind;
use super::setup::fault_for;
use super::table::{FAULTS, FaultInfo, usual_moment};
use clw_core::Dialect;
use clw_core::threshold::distance;
use clw_core::units::{parse_duration, parse_share};
use clw_core::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use thiserror::Error;

/// A point in a session's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Moment {
    /// The transport is there (with TLS: its handshake is done).
    Accept,
    /// The first bytes of the upgrade request have come; it is not answered.
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// The moment of a fault that has none.
    #[error("fault `{name}` has its own time: leave out `@{moment}`")]
    NoMoment {
        /// Which fault.
        name: String,
        /// As written.
        moment: String,
    },
    /// Frames before the upgrade.
    #[error("fault `{name}` needs a WebSocket, which is there from @challenge on, not at `@{moment}`")]
    TooEarly {
        /// Which fault.
        name: String,
        /// As written.
        moment: String,
    },
    /// A fault of another dialect.
    #[error("fault `{name}` is one of dialect {only}")]
    OtherDialect {
        /// Which fault.
        name: String,
        /// The dialects that have it.
        only: String,
    },
    /// A share of something that all sessions have in common.
    #[error("fault `{name}` concerns the port and so all sessions: leave out the share")]
    Global {
        /// Which fault.
        name: String,
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
            moment: usual_moment(&kind),
            kind,
            share: 1.0,
            delay: Duration::ZERO,
            from: Duration::ZERO,
            until: None,
        }
    }

    /// Reads a specification. A verdict's name means the faults that cause it, which may be several.
    pub fn parse(text: &str, dialect: Dialect) -> Result<Vec<Self>, SpecError> {
        // From the right: a close reason may hold both signs.
        let (rest, moment_text) = split_last(text, '@');
        let (rest, share_text) = split_last(rest, ':');
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
            vec![Self::named(name, value, dialect)?]
        };
        if let Some(share) = share_text {
            let share = parse_share(share).map_err(|e| SpecError::Share {
                name: name.to_owned(),
                cause: e.to_string(),
            })?;
            for spec in &mut specs {
                spec.set_share(name, share)?;
            }
        }
        if let Some(moment) = moment_text {
            Self::set_moments(&mut specs, name, moment)?;
        }
        Ok(specs)
    }

    pub(super) fn set_share(&mut self, name: &str, share: f64) -> Result<(), SpecError> {
        if self.kind.is_global() && share < 1.0 {
            return Err(SpecError::Global {
                name: name.to_owned(),
            });
        }
        self.share = share;
        Ok(())
    }

    /// Of several faults (a verdict's) those that have a moment take it, and keep their distance to each other.
    fn set_moments(specs: &mut [Self], name: &str, text: &str) -> Result<(), SpecError> {
        let (name, written) = (name.to_owned(), text.to_owned());
        if !specs.iter().any(|spec| spec.kind.has_moment()) {
            return Err(SpecError::NoMoment {
                name,
                moment: written,
            });
        }
        let (at, delay) = text.split_once('+').map_or((text, None), |(a, b)| (a, Some(b)));
        let found = Moment::NAMES.iter().find(|(n, _)| *n == at);
        let delay = delay.map_or(Ok(Duration::ZERO), parse_duration);
        let (Some((_, moment)), Ok(delay)) = (found, delay) else {
            return Err(SpecError::Moment {
                name,
                moment: written,
            });
        };
        let several = specs.len() > 1;
        for spec in specs {
            let Kind::At(action) = &spec.kind else { continue };
            if *moment < Moment::Challenge && action.needs_websocket() {
                return Err(SpecError::TooEarly {
                    name,
                    moment: written,
                });
            }
            spec.moment = *moment;
            spec.delay = delay + if several { spec.delay } else { Duration::ZERO };
        }
        Ok(())
    }

    fn named(name: &str, value: &str, dialect: Dialect) -> Result<Self, SpecError> {
        let Some(info) = FaultInfo::named(name) else {
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
        if !info.is_of(dialect) {
            let only: Vec<_> = info.only.iter().map(|only| only.name()).collect();
            return Err(SpecError::OtherDialect {
                name: name.to_owned(),
                only: only.join(" and "),
            });
        }
        let kind = info.read(value).ok_or_else(|| SpecError::Value {
            name: name.to_owned(),
            value: value.to_owned(),
            expected: info.value,
        })?;
        Ok(Self::new(kind))
    }
}

fn split_last(text: &str, at: char) -> (&str, Option<&str>) {
    text.rsplit_once(at)
        .map_or((text, None), |(before, after)| (before, Some(after)))
}

#[cfg(test)]
mod tests {
    use super::super::kind::Action;
    use super::*;
    use proptest::prelude::*;

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
        assert_eq!(
            one("close=4000/a: b@c:10%@ready").kind,
            Kind::At(Action::Close(4000, "a: b@c".into()))
        );
        assert_eq!(one("fin@challenge").moment, Moment::Challenge);
        assert_eq!(
            one("clw-server-restart:10%@auth+5s").delay,
            Duration::from_secs(5)
        );
    }

    #[test]
    fn the_faults_of_one_verdict_move_together() {
        let usual = FaultSpec::parse("clw-prompt-disconnected", Dialect::Openclaw).unwrap();
        let later = FaultSpec::parse("clw-prompt-disconnected@ready+3s", Dialect::Openclaw).unwrap();
        assert_eq!(usual.len(), later.len());
        for (usual, later) in usual.iter().zip(&later) {
            assert_eq!(later.delay, usual.delay + Duration::from_secs(3));
        }
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
        assert!(says("rst@ready+soon").contains("+DELAY"));
        assert!(says("budget=1@ready").contains("leave out `@ready`"));
        assert!(says("close=1011@upgrade").contains("from @challenge on"));
        assert!(says("token-expire=5s").contains("dialect clw"));
        assert!(says("syn-drop:10%").contains("all sessions"));
        assert!(says("clw-session-replaced").contains("clw-session-replaced"));
    }

    #[test]
    fn every_fault_of_the_table_reads_with_a_fitting_value() {
        for info in FAULTS {
            let value = match info.value {
                "" => "",
                "=T" | "=T[/EVERY]" => "=2s",
                "=N" | "=BYTES" => "=5",
                "=CODE[/REASON]" => "=1000",
                "=CODE|reject" => "=reject",
                _ => "=503",
            };
            let dialect = info.only.first().copied().unwrap_or(Dialect::Clw);
            assert!(
                FaultSpec::parse(&format!("{}{value}", info.name), dialect).is_ok(),
                "{}",
                info.name
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([a-z-]{0,12}|rst|close)(=[0-9a-z/]{0,6})?(:[0-9.%-]{0,5})?(@[a-z+0-9]{0,8})?") {
            let _ = FaultSpec::parse(&text, Dialect::Openclaw);
        }

        #[test]
        fn share_and_delay_come_out_as_written(percent in 0u32..=100, delay_ms in 0u64..1_000_000) {
            let spec = one(&format!("fin:{percent}%@auth+{delay_ms}ms"));
            prop_assert!((spec.share - f64::from(percent) / 100.0).abs() < 1e-9);
            prop_assert_eq!(spec.delay, Duration::from_millis(delay_ms));
        }
    }
}

//! What load was asked for.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use thiserror::Error;

/// The most sessions at once that a plan may ask for.
pub const MAX_SESSIONS: u32 = 10_000_000;
/// The most sessions in all that a plan may ask for.
pub const MAX_TOTAL: u64 = 1_000_000_000;
/// The highest rate of starts, per second.
pub const MAX_RATE: f64 = 1_000_000.0;

/// How much load there is to be in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// This many sessions.
    Total(u64),
    /// This long after the ramp.
    #[serde(rename = "for_s", with = "super::seconds")]
    For(Duration),
}

/// How the starts of the open model follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// Evenly spaced.
    #[default]
    Constant,
    /// A Poisson process of the same mean rate: independent, exponential gaps, drawn from the seed.
    Poisson,
}

/// What a stage moves to, in a straight line from where the stage before ended (the first: from zero).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Sessions at once (closed model).
    Sessions(u32),
    /// Starts per second (open model).
    Rate(f64),
}

/// One leg of a staged load.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// How long it takes; zero is a jump.
    #[serde(rename = "duration_s", with = "super::seconds")]
    pub duration: Duration,
    /// Where it ends.
    pub target: Target,
}

/// A load model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
pub enum Load {
    /// A number of sessions at once.
    Closed {
        /// Slots.
        sessions: u32,
        /// How many sessions, or how long.
        amount: Amount,
        /// Slot `i` starts at `i × ramp / sessions`.
        #[serde(rename = "ramp_s", with = "super::seconds")]
        ramp: Duration,
    },
    /// A rate of starts.
    Open {
        /// Starts per second.
        rate: f64,
        /// How many sessions, or how long.
        amount: Amount,
        /// The rate grows in a straight line from zero over this time.
        #[serde(rename = "ramp_s", with = "super::seconds")]
        ramp: Duration,
        /// Spacing.
        arrivals: Arrivals,
    },
    /// Legs, all of sessions or all of rates.
    Staged {
        /// In order.
        stages: Vec<Stage>,
        /// Spacing, where the legs are rates.
        arrivals: Arrivals,
    },
}

/// A load that cannot be scheduled.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum LoadError {
    /// No slots, or too many.
    #[error("{given} sessions at once: accepted are 1 to {MAX_SESSIONS}")]
    Sessions {
        /// What was asked for.
        given: u32,
    },
    /// No sessions, or too many.
    #[error("{given} sessions in all: accepted are 1 to {MAX_TOTAL}")]
    Total {
        /// What was asked for.
        given: u64,
    },
    /// No time.
    #[error("a duration of 0: accepted is anything longer, such as 30s")]
    NoDuration,
    /// A rate that is no rate.
    #[error("{given} starts a second: accepted is more than 0, up to {MAX_RATE}")]
    Rate {
        /// What was asked for.
        given: f64,
    },
    /// A list of stages without any.
    #[error("no stages: give at least one, such as {{ duration = \"30s\", sessions = 100 }}")]
    NoStages,
    /// Both kinds of stages.
    #[error("stage {number} is of the other kind: stages are all of `sessions` or all of `rate`")]
    MixedStages {
        /// Counted from 1.
        number: usize,
    },
    /// Stages that never start a session.
    #[error("no stage has more than 0 sessions or a rate over 0 for any time")]
    Idle,
    /// Together too long for the clock.
    #[error("longer than a year")]
    TooLong,
}

const YEAR: Duration = Duration::from_secs(366 * 86_400);

impl Load {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), LoadError> {
        match self {
            Self::Closed {
                sessions,
                amount,
                ramp,
            } => {
                if *sessions == 0 || *sessions > MAX_SESSIONS {
                    return Err(LoadError::Sessions { given: *sessions });
                }
                validate_amount(*amount, *ramp)
            }
            Self::Open {
                rate, amount, ramp, ..
            } => {
                if !(*rate > 0.0 && *rate <= MAX_RATE) {
                    return Err(LoadError::Rate { given: *rate });
                }
                validate_amount(*amount, *ramp)
            }
            Self::Staged { stages, .. } => validate_stages(stages),
        }
    }

    /// Whether the number of sessions at once is what is held (and not the rate of starts).
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Closed { .. } => true,
            Self::Open { .. } => false,
            Self::Staged { stages, .. } => stages
                .first()
                .is_some_and(|s| matches!(s.target, Target::Sessions(_))),
        }
    }

    /// Whether it ends with time, not with a number of sessions.
    pub fn is_timed(&self) -> bool {
        match self {
            Self::Closed { amount, .. } | Self::Open { amount, .. } => matches!(amount, Amount::For(_)),
            Self::Staged { .. } => true,
        }
    }
}

fn validate_amount(amount: Amount, ramp: Duration) -> Result<(), LoadError> {
    match amount {
        Amount::Total(n) if n == 0 || n > MAX_TOTAL => Err(LoadError::Total { given: n }),
        Amount::For(d) if d.is_zero() => Err(LoadError::NoDuration),
        Amount::For(d) if d > YEAR => Err(LoadError::TooLong),
        _ if ramp > YEAR => Err(LoadError::TooLong),
        _ => Ok(()),
    }
}

fn validate_stages(stages: &[Stage]) -> Result<(), LoadError> {
    let first = stages.first().ok_or(LoadError::NoStages)?;
    let mut length = Duration::ZERO;
    let mut before = 0.0;
    let mut busy = false;
    for (i, stage) in stages.iter().enumerate() {
        if std::mem::discriminant(&stage.target) != std::mem::discriminant(&first.target) {
            return Err(LoadError::MixedStages { number: i + 1 });
        }
        let level = match stage.target {
            Target::Sessions(n) if n > MAX_SESSIONS => return Err(LoadError::Sessions { given: n }),
            Target::Rate(r) if !(0.0..=MAX_RATE).contains(&r) => return Err(LoadError::Rate { given: r }),
            Target::Sessions(n) => f64::from(n),
            Target::Rate(r) => r,
        };
        busy |= !stage.duration.is_zero() && (level > 0.0 || before > 0.0);
        before = level;
        length = length.saturating_add(stage.duration);
    }
    if !busy {
        Err(LoadError::Idle)
    } else if length > YEAR {
        Err(LoadError::TooLong)
    } else {
        Ok(())
    }
}

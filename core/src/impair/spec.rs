//! What is wrong with the path, as people write it.

use crate::units::{parse_duration, parse_share};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// The keys of the grammar.
pub const KEYS: [&str; 6] = ["delay", "jitter", "loss", "rate", "stall", "reset"];

/// A path's faults. The grammar is `KEY=VALUE,…`, for example `delay=500ms,jitter=50ms,loss=1%,rate=1mbit`:
///
/// | key | value | accepted |
/// |---|---|---|
/// | `delay` | added to each direction (the round trip grows by twice as much) | 0 to 60s |
/// | `jitter` | the delay varies by up to this much to either side, evenly | 0 to the delay |
/// | `loss` | share of the segments that are lost | 0 to 50% |
/// | `rate` | bits per second of each direction: `64kbit`, `1mbit`, `1.5gbit` | 1kbit to 100gbit |
/// | `stall` | `LENGTH/PERIOD`: nothing comes out in the last LENGTH of every PERIOD of the run | a length under its period, period 100ms to 24h |
/// | `reset` | `SHARE/min` (or `/s`, `/h`): share of the sessions that are cut in that time, at random | 0 to 99% |
///
/// The stalls hit all sessions at once, as an outage of a path does; everything else is drawn for each session from the
/// seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// One-way delay.
    #[serde(rename = "delay_s", with = "crate::pacing::seconds")]
    pub delay: Duration,
    /// Greatest deviation from the delay.
    #[serde(rename = "jitter_s", with = "crate::pacing::seconds")]
    pub jitter: Duration,
    /// Share of lost segments, 0 to 0.5.
    pub loss: f64,
    /// Bits per second; `None`: without bound.
    pub rate_bps: Option<f64>,
    /// Outages.
    pub stall: Option<Stall>,
    /// Resets as a hazard: expected number per second of a session's life.
    pub resets_per_s: f64,
}

/// A periodic outage: the last `length` of every `period` since the run's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// How long nothing comes out.
    #[serde(rename = "length_s", with = "crate::pacing::seconds")]
    pub length: Duration,
    /// From one stall's start to the next one's.
    #[serde(rename = "period_s", with = "crate::pacing::seconds")]
    pub period: Duration,
}

/// A specification that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpecError {
    /// A part without `=`.
    #[error("`{part}` is not KEY=VALUE; keys are {}", KEYS.join(", "))]
    Syntax {
        /// The part.
        part: String,
    },
    /// An unknown key.
    #[error("there is no `{key}`; keys are {}", KEYS.join(", "))]
    Key {
        /// As given.
        key: String,
    },
    /// A key given twice.
    #[error("`{key}` is given twice")]
    Twice {
        /// Which.
        key: &'static str,
    },
    /// A value out of range or unreadable.
    #[error("`{key}={value}`: accepted is {accepted}")]
    Value {
        /// The key.
        key: &'static str,
        /// As given.
        value: String,
        /// What would do.
        accepted: &'static str,
    },
}

const DELAY: &str = "a duration from 0 to 60s, such as 500ms";
const JITTER: &str = "a duration from 0 to the delay, such as 50ms";
const LOSS: &str = "a share from 0 to 50%, such as 1%";
const RATE: &str = "a bandwidth from 1kbit to 100gbit, such as 1mbit";
const STALL: &str =
    "LENGTH/PERIOD such as 5s/60s, the length above 0 and under its period, the period 100ms to 24h";
const RESET: &str = "a share from 0 to 99% of the sessions per s, min or h, such as 0.1%/min";

impl Spec {
    /// Sets one key.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), SpecError> {
        let key = KEYS
            .into_iter()
            .find(|k| *k == key)
            .ok_or_else(|| SpecError::Key { key: key.to_owned() })?;
        let fail = |accepted| SpecError::Value {
            key,
            value: value.to_owned(),
            accepted,
        };
        match key {
            "delay" => self.delay = short_duration(value).ok_or_else(|| fail(DELAY))?,
            "jitter" => self.jitter = short_duration(value).ok_or_else(|| fail(JITTER))?,
            "loss" => {
                self.loss = parse_share(value)
                    .ok()
                    .filter(|l| *l <= 0.5)
                    .ok_or_else(|| fail(LOSS))?;
            }
            "rate" => self.rate_bps = Some(parse_rate(value).ok_or_else(|| fail(RATE))?),
            "stall" => self.stall = Some(parse_stall(value).ok_or_else(|| fail(STALL))?),
            _ => self.resets_per_s = parse_hazard(value).ok_or_else(|| fail(RESET))?,
        }
        Ok(())
    }

    /// Checks what concerns more than one key.
    pub fn validate(&self) -> Result<(), SpecError> {
        if self.jitter > self.delay {
            return Err(SpecError::Value {
                key: "jitter",
                value: show(self.jitter),
                accepted: JITTER,
            });
        }
        Ok(())
    }

    /// Whether it changes nothing.
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }

    /// The wait before a lost segment is sent again: twice the delay, at least 200 ms.
    pub fn retransmission_timeout(&self) -> Duration {
        (self.delay * 2).max(Duration::from_millis(200))
    }
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut spec = Self::default();
        let mut seen: Vec<&'static str> = Vec::new();
        for part in text.split(',') {
            let (key, value) = part.split_once('=').ok_or_else(|| SpecError::Syntax {
                part: part.trim().to_owned(),
            })?;
            let key = key.trim();
            spec.set(key, value.trim())?;
            if let Some(key) = seen.iter().find(|k| **k == key) {
                return Err(SpecError::Twice { key });
            }
            seen.extend(KEYS.into_iter().filter(|k| *k == key));
        }
        spec.validate()?;
        Ok(spec)
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.delay.is_zero() {
            parts.push(format!("delay={}", show(self.delay)));
        }
        if !self.jitter.is_zero() {
            parts.push(format!("jitter={}", show(self.jitter)));
        }
        if self.loss > 0.0 {
            parts.push(format!("loss={}%", round(self.loss * 100.0)));
        }
        if let Some(rate) = self.rate_bps {
            parts.push(format!("rate={}kbit", round(rate / 1e3)));
        }
        if let Some(stall) = self.stall {
            parts.push(format!("stall={}/{}", show(stall.length), show(stall.period)));
        }
        if self.resets_per_s > 0.0 {
            let share = -(-self.resets_per_s * 60.0).exp_m1();
            parts.push(format!("reset={}%/min", round(share * 100.0)));
        }
        f.write_str(&parts.join(","))
    }
}

/// Nine significant decimals are more than anyone writes, and hide what floating point adds.
fn round(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}

fn show(duration: Duration) -> String {
    format!("{}ms", round(duration.as_secs_f64() * 1e3))
}

fn short_duration(text: &str) -> Option<Duration> {
    parse_duration(text)
        .ok()
        .filter(|d| *d <= Duration::from_secs(60))
}

fn parse_rate(text: &str) -> Option<f64> {
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "bit" => 1.0,
        "kbit" => 1e3,
        "mbit" => 1e6,
        "gbit" => 1e9,
        _ => return None,
    };
    let rate = number.trim().parse::<f64>().ok()? * factor;
    (1e3..=1e11).contains(&rate).then_some(rate)
}

fn parse_stall(text: &str) -> Option<Stall> {
    let (length, period) = text.split_once('/')?;
    let (length, period) = (parse_duration(length).ok()?, parse_duration(period).ok()?);
    let fits = (Duration::from_millis(100)..=Duration::from_secs(86_400)).contains(&period);
    // Instants are whole microseconds: a shorter stall would be none.
    (fits && length >= Duration::from_micros(1) && length < period).then_some(Stall { length, period })
}

fn parse_hazard(text: &str) -> Option<f64> {
    let (share, unit) = text.split_once('/')?;
    let seconds = match unit.trim() {
        "s" => 1.0,
        "min" | "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let share = parse_share(share).ok().filter(|s| *s <= 0.99)?;
    Some(-(-share).ln_1p() / seconds)
}

//! What is varied, and the values that it takes.

use clw_core::units::{parse_duration, parse_share};
use serde::Serialize;
use std::time::Duration;
use thiserror::Error;

/// More cells than that are a typing error.
const MAX_VALUES: usize = 64;

/// A dimension of a network's badness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dimension {
    /// Share of lost packets, each way.
    Loss,
    /// One-way delay.
    Delay,
    /// How far the delay varies to either side.
    Jitter,
    /// How long nothing passes, once, in mid-run.
    Outage,
}

impl Dimension {
    const ALL: [Self; 4] = [Self::Loss, Self::Delay, Self::Jitter, Self::Outage];

    /// The name used in flags and results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Delay => "delay",
            Self::Jitter => "jitter",
            Self::Outage => "outage",
        }
    }

    /// A value as people write it; the inverse of what is read.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Loss => format!("{}%", rounded(value * 100.0)),
            _ if value < 1.0 => format!("{}ms", rounded(value * 1000.0)),
            _ => format!("{}s", rounded(value)),
        }
    }

    fn read(self, text: &str) -> Option<f64> {
        match self {
            Self::Loss => parse_share(text).ok().filter(|share| *share <= 0.5),
            _ => parse_duration(text)
                .ok()
                .filter(|time| *time <= Duration::from_secs(600))
                .map(|time| time.as_secs_f64()),
        }
    }
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// An axis that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AxisError {
    /// No such dimension.
    #[error("`{0}`: write loss=…, delay=…, jitter=… or outage=…")]
    Dimension(String),
    /// No such value.
    #[error("`{value}` is no {dimension}: accepted are {accepted}")]
    Value {
        /// As written.
        value: String,
        /// Of which dimension.
        dimension: &'static str,
        /// What would do.
        accepted: &'static str,
    },
    /// Not a range.
    #[error("`{0}`: write a range such as loss=0%..30%")]
    Range(String),
    /// Too many.
    #[error("at most {MAX_VALUES} values on an axis")]
    TooMany,
}

/// A dimension and the values that it takes, in order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Axis {
    /// Which.
    pub dimension: Dimension,
    /// Shares, or seconds.
    pub values: Vec<f64>,
}

impl std::str::FromStr for Axis {
    type Err = AxisError;

    fn from_str(text: &str) -> Result<Self, AxisError> {
        let (dimension, values) = split(text)?;
        let values = values
            .split(',')
            .map(|value| read(dimension, value))
            .collect::<Result<Vec<_>, _>>()?;
        if values.len() > MAX_VALUES {
            return Err(AxisError::TooMany);
        }
        Ok(Self { dimension, values })
    }
}

/// A dimension and the range in which its cliff is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Range {
    /// Which.
    pub dimension: Dimension,
    /// From here …
    pub low: f64,
    /// … to here.
    pub high: f64,
}

impl std::str::FromStr for Range {
    type Err = AxisError;

    fn from_str(text: &str) -> Result<Self, AxisError> {
        let (dimension, values) = split(text)?;
        let wrong = || AxisError::Range(text.to_owned());
        let (low, high) = values.split_once("..").ok_or_else(wrong)?;
        let (low, high) = (read(dimension, low)?, read(dimension, high)?);
        if low >= high {
            return Err(wrong());
        }
        Ok(Self { dimension, low, high })
    }
}

fn split(text: &str) -> Result<(Dimension, &str), AxisError> {
    let unknown = || AxisError::Dimension(text.to_owned());
    let (name, values) = text.split_once('=').ok_or_else(unknown)?;
    let dimension = Dimension::ALL
        .into_iter()
        .find(|dimension| dimension.name() == name.trim())
        .ok_or_else(unknown)?;
    Ok((dimension, values))
}

fn read(dimension: Dimension, value: &str) -> Result<f64, AxisError> {
    dimension.read(value.trim()).ok_or_else(|| AxisError::Value {
        value: value.trim().to_owned(),
        dimension: dimension.name(),
        accepted: match dimension {
            Dimension::Loss => "0% to 50%",
            _ => "times up to 10 minutes, such as 200ms or 5s",
        },
    })
}

/// One point of the grid: the network's state in a cell. Everything not set is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Condition {
    /// Share of lost packets, each way.
    pub loss: f64,
    /// One-way delay, seconds.
    pub delay_s: f64,
    /// Its variation, seconds.
    pub jitter_s: f64,
    /// Length of the outage, seconds.
    pub outage_s: f64,
}

/// When an outage begins, seconds after the run's start.
const OUTAGE_AT_S: f64 = 3.0;
/// Shortest time after an outage in which a run still sees what it did.
const AFTER_OUTAGE_S: f64 = 0.5;

impl Condition {
    /// The same with a dimension set.
    #[must_use]
    pub fn with(mut self, dimension: Dimension, value: f64) -> Self {
        *match dimension {
            Dimension::Loss => &mut self.loss,
            Dimension::Delay => &mut self.delay_s,
            Dimension::Jitter => &mut self.jitter_s,
            Dimension::Outage => &mut self.outage_s,
        } = value;
        self
    }

    /// Why a run of `cell_s` seconds cannot show this condition; `None`: it can.
    pub fn does_not_fit(&self, cell_s: f64) -> Option<String> {
        let least_s = OUTAGE_AT_S + self.outage_s + AFTER_OUTAGE_S;
        (self.outage_s > 0.0 && cell_s < least_s).then(|| {
            format!(
                "an outage of {} begins {OUTAGE_AT_S} s after the start and does not fit into cells of {cell_s} s: -d {}s or more",
                Dimension::Outage.show(self.outage_s),
                least_s.ceil()
            )
        })
    }

    /// A delay cannot vary by more than itself.
    fn delay(&self) -> f64 {
        self.delay_s.max(self.jitter_s)
    }

    /// For `clw-bench --impair`, in a run of `seconds`; `None`: nothing is wrong. An outage there comes back with a period: it is
    /// so long that the second one would come after the run.
    pub fn impair(&self, seconds: f64) -> Option<String> {
        let mut parts = Vec::new();
        if self.delay() > 0.0 {
            parts.push(format!("delay={}us", micros(self.delay())));
        }
        if self.jitter_s > 0.0 {
            parts.push(format!("jitter={}us", micros(self.jitter_s)));
        }
        if self.loss > 0.0 {
            parts.push(format!("loss={}%", self.loss * 100.0));
        }
        if self.outage_s > 0.0 {
            let period = (OUTAGE_AT_S + self.outage_s).max(f64::midpoint(seconds, self.outage_s) + 0.1);
            parts.push(format!("stall={}us/{}us", micros(self.outage_s), micros(period)));
        }
        Some(parts.join(",")).filter(|spec| !spec.is_empty())
    }

    /// As a profile of netem-scripts.
    pub fn profile(&self) -> String {
        let mut lines = vec![
            "title = A cell of a sweep".to_owned(),
            "direction = both".to_owned(),
        ];
        let ms = |seconds: f64| format!("{}ms", rounded(seconds * 1000.0));
        // A profile without any word is refused.
        let delay = match (self.delay() > 0.0, self.jitter_s > 0.0) {
            (true, true) => format!("{} {}", ms(self.delay()), ms(self.jitter_s)),
            (true, false) => ms(self.delay()),
            (false, _) => "1ms".to_owned(),
        };
        // As fine as a search may ask for.
        let loss = format!("{}%", (self.loss * 1e8).round() / 1e6);
        lines.push(format!("delay = {delay}"));
        if self.loss > 0.0 {
            lines.push(format!("loss = {loss}"));
        }
        if self.outage_s > 0.0 {
            let end_s = OUTAGE_AT_S + self.outage_s;
            lines.push(format!("at {} blackhole", ms(OUTAGE_AT_S)));
            // What was there before is there again; `clear` would mend everything.
            lines.push(format!("at {} delay {delay} loss {loss}", ms(end_s)));
        }
        lines.join("\n") + "\n"
    }

    /// In words, such as `loss=5%, delay=200ms`; `clean` where nothing is wrong.
    pub fn words(&self) -> String {
        let values = [self.loss, self.delay_s, self.jitter_s, self.outage_s];
        let parts: Vec<_> = Dimension::ALL
            .into_iter()
            .zip(values)
            .filter(|(_, value)| *value > 0.0)
            .map(|(dimension, value)| format!("{}={}", dimension.name(), dimension.show(value)))
            .collect();
        if parts.is_empty() {
            "clean".to_owned()
        } else {
            parts.join(", ")
        }
    }
}

fn micros(seconds: f64) -> u128 {
    Duration::from_secs_f64(seconds).as_micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_and_ranges_read_as_they_are_written() {
        let axis: Axis = "loss=0%,1.5%,50%".parse().unwrap();
        assert_eq!(axis.values, [0.0, 0.015, 0.5]);
        assert_eq!(axis.dimension.show(0.015), "1.5%");
        let range: Range = "outage=1s..1m".parse().unwrap();
        assert_eq!((range.low, range.high), (1.0, 60.0));
        assert_eq!(Dimension::Delay.show(0.2), "200ms");
        let says = |text: &str| text.parse::<Axis>().unwrap_err().to_string();
        assert!(says("los=1%").contains("loss=…"));
        assert!(says("loss=80%").contains("0% to 50%"));
        assert!(says("delay=soon").contains("200ms"));
        assert!("loss=5%..1%".parse::<Range>().is_err() && "loss=5%".parse::<Range>().is_err());
    }

    #[test]
    fn a_condition_is_the_same_for_netem_and_inside_the_process() {
        let bad = Condition::default()
            .with(Dimension::Loss, 0.05)
            .with(Dimension::Jitter, 0.2);
        let spec = bad.impair(20.0).unwrap();
        assert_eq!(spec, "delay=200000us,jitter=200000us,loss=5%");
        assert!(spec.parse::<clw_core::impair::Spec>().is_ok());
        assert!(bad.profile().contains("delay = 200ms 200ms\nloss = 5%\n"));
        assert_eq!(bad.words(), "loss=5%, jitter=200ms");
        assert_eq!(Condition::default().impair(20.0), None);
        assert_eq!(Condition::default().words(), "clean");
    }

    #[test]
    fn an_outage_comes_once() {
        let out = Condition::default().with(Dimension::Outage, 5.0);
        assert!(
            out.profile()
                .ends_with("at 3000ms blackhole\nat 8000ms delay 1ms loss 0%\n")
        );
        let worse = out.with(Dimension::Delay, 0.2).with(Dimension::Loss, 0.00375);
        assert!(
            worse.profile().ends_with("at 8000ms delay 200ms loss 0.375%\n"),
            "the rest of the network is no better after it"
        );
        assert_eq!(out.impair(10.0).unwrap(), "stall=5000000us/8000000us");
        // From 12.6 s to 17.6 s of a run of 30 s; the next would begin at 30.2 s.
        assert_eq!(out.impair(30.0).unwrap(), "stall=5000000us/17600000us");
    }
}

//! Values that are written as text.

use clw_core::secret::Secret;
use clw_core::units::parse_duration;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::time::Duration;

/// A duration: `"30s"`, or a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationValue(pub Duration);

/// A heartbeat's period, or `"off"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatValue(pub Option<Duration>);

/// A text that may hold a secret.
#[derive(Clone, Debug)]
pub struct SecretText(pub Secret);

struct DurationVisitor {
    may_be_off: bool,
}

impl Visitor<'_> for DurationVisitor {
    type Value = Option<Duration>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"250ms\", \"1.5s\" or \"2m\", or a number of seconds")?;
        if self.may_be_off {
            f.write_str(", or \"off\"")?;
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if self.may_be_off && text == "off" {
            return Ok(None);
        }
        parse_duration(text)
            .map(Some)
            .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Self::Value, E> {
        u64::try_from(seconds)
            .map(|s| Some(Duration::from_secs(s)))
            .map_err(|_| E::invalid_value(Unexpected::Signed(seconds), &self))
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Self::Value, E> {
        Duration::try_from_secs_f64(seconds)
            .map(Some)
            .map_err(|_| E::invalid_value(Unexpected::Float(seconds), &self))
    }
}

impl<'de> Deserialize<'de> for DurationValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let duration = deserializer.deserialize_any(DurationVisitor { may_be_off: false })?;
        Ok(Self(duration.unwrap_or_default()))
    }
}

impl<'de> Deserialize<'de> for HeartbeatValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(DurationVisitor { may_be_off: true })
            .map(Self)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

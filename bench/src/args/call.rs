//! `--call METHOD[=PERIOD][:PARAMS]`.

use clw_core::units::{UnitError, parse_duration};
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// A request that every session makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallArg {
    /// Method, such as `health`.
    pub method: String,
    /// Period; `None`: once, when the session is ready.
    pub every: Option<Duration>,
    /// Parameters, a JSON object.
    pub params: String,
}

/// A call that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// No method.
    #[error(
        "no method: accepted is METHOD[=PERIOD][:PARAMS], such as health=5s or 'status=1m:{{\"deep\":true}}'"
    )]
    NoMethod,
    /// The period.
    #[error("the period: {0}, and longer than 0")]
    Period(UnitError),
    /// A period of 0.
    #[error("the period is 0: accepted is a longer one, such as 5s")]
    ZeroPeriod,
    /// The parameters.
    #[error("the parameters are not a JSON object such as {{\"deep\":true}} (column {column})")]
    Params {
        /// Counted from 1, within the parameters.
        column: usize,
    },
}

impl FromStr for CallArg {
    type Err = CallError;

    fn from_str(text: &str) -> Result<Self, CallError> {
        let end = text.find(['=', ':']).unwrap_or(text.len());
        let (method, rest) = text.split_at(end);
        if method.trim().is_empty() {
            return Err(CallError::NoMethod);
        }
        let (period, params) = match rest.strip_prefix('=') {
            Some(rest) => match rest.split_once(':') {
                Some((period, params)) => (Some(period), Some(params)),
                None => (Some(rest), None),
            },
            None => (None, rest.strip_prefix(':')),
        };
        let every = period
            .map(|p| parse_duration(p).map_err(CallError::Period))
            .transpose()?;
        if every.is_some_and(|e| e.is_zero()) {
            return Err(CallError::ZeroPeriod);
        }
        let params = params.unwrap_or("{}");
        // Read and written again: one line, whatever was typed.
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(params).map_err(|e| CallError::Params {
                column: e.column().max(1),
            })?;
        Ok(Self {
            method: method.trim().to_owned(),
            every,
            params: serde_json::Value::Object(object).to_string(),
        })
    }
}

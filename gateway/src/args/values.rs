//! What the values of arguments are typed as.

use clap::ValueEnum;
use clw_core::units::{UnitError, parse_duration};
use std::time::Duration;

/// The kernel's most.
const MAX_KEEPALIVE: Duration = Duration::from_secs(32_767);
/// More processes than that are a typing error.
const MAX_WORKERS: u32 = 256;

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum DialectArg {
    Openclaw,
    Clw,
    Clawchat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ModeArg {
    Open,
    Stock,
    Strict,
}

/// 0: one for each core.
pub(super) fn workers(text: &str) -> Result<u32, String> {
    match text {
        "auto" => Ok(0),
        _ => text
            .parse()
            .ok()
            .filter(|workers| *workers <= MAX_WORKERS)
            .ok_or_else(|| format!("accepted are auto and 1 to {MAX_WORKERS}")),
    }
}

/// A time, or off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keepalive(pub(super) Option<Duration>);

pub(super) fn keepalive(text: &str) -> Result<Keepalive, String> {
    if text == "off" {
        return Ok(Keepalive(None));
    }
    let idle = parse_duration(text).map_err(|e| format!("{e}, or `off`"))?;
    let accepted = Duration::from_secs(1)..=MAX_KEEPALIVE;
    if accepted.contains(&idle) {
        Ok(Keepalive(Some(idle)))
    } else {
        Err("accepted is 1s to 32767s, or `off`".to_owned())
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, UnitError> {
    parse_duration(text)
}

//! Which load the flags and the scenario ask for.

use super::error::UsageError;
use crate::args::LoadArgs;
use crate::scenario::LoadTable;
use clw_core::pacing::{Amount, Arrivals, Load, MAX_RATE, MAX_SESSIONS, MAX_TOTAL};
use clw_core::units::show_count;
use std::time::Duration;

/// Sessions at once, if nothing says how many.
const DEFAULT_SESSIONS: u32 = 10;
/// Sessions in all, for each of the sessions at once, if nothing says how many or how long.
const SESSIONS_PER_SLOT: u64 = 10;

/// Flags of the load in force: given ones first, then the scenario's.
#[derive(Default)]
struct Asked {
    sessions: Option<u32>,
    total: Option<u64>,
    duration: Option<Duration>,
    rate: Option<f64>,
    ramp: Duration,
    arrivals: Option<Arrivals>,
}

/// Decides on the load; notes what the user may not expect.
pub(super) fn resolve(
    args: &LoadArgs,
    table: Option<&LoadTable>,
    notes: &mut Vec<String>,
) -> Result<Load, UsageError> {
    check_flags(args)?;
    let typed =
        args.sessions.is_some() || args.total.is_some() || args.duration.is_some() || args.rate.is_some();
    if let Some(staged) = table.and_then(LoadTable::staged) {
        if !typed && args.ramp.is_none() {
            if args.arrivals.is_some() && staged.is_closed() {
                return Err(ARRIVALS_NEED_RATE);
            }
            return Ok(match (staged, args.arrivals) {
                (Load::Staged { stages, .. }, Some(arrivals)) => Load::Staged {
                    stages,
                    arrivals: arrivals.into(),
                },
                (staged, _) => staged,
            });
        }
        notes.push("the load flags stand instead of the scenario's stages".to_owned());
    }
    let asked = merge(args, table);
    let load = build(&asked, notes)?;
    load.validate().map_err(|error| UsageError::Load {
        flags: "the load",
        error,
    })?;
    Ok(load)
}

const ARRIVALS_NEED_RATE: UsageError = UsageError::Needs {
    flag: "--arrivals",
    needs: "--rate: only the open model has arrivals to space",
};

/// A flag wins over the scenario, and takes with it whatever the scenario has that excludes it.
fn merge(args: &LoadArgs, table: Option<&LoadTable>) -> Asked {
    let empty = LoadTable::default();
    let table = table.filter(|t| t.stages.is_none()).unwrap_or(&empty);
    let open = args.rate.is_some();
    let closed = args.sessions.is_some();
    let counted = args.total.is_some();
    let timed = args.duration.is_some();
    Asked {
        sessions: args.sessions.or(table.sessions.filter(|_| !open)),
        rate: args.rate.or(table.rate.filter(|_| !closed)),
        total: args.total.or(table.total.filter(|_| !timed)),
        duration: args.duration.or(table.duration.map(|d| d.0).filter(|_| !counted)),
        ramp: args.ramp.or(table.ramp.map(|r| r.0)).unwrap_or_default(),
        arrivals: args.arrivals.map(Into::into).or(table.arrivals),
    }
}

fn build(asked: &Asked, notes: &mut Vec<String>) -> Result<Load, UsageError> {
    let amount = match (asked.total, asked.duration) {
        (Some(total), _) => Some(Amount::Total(total)),
        (None, Some(duration)) => Some(Amount::For(duration)),
        (None, None) => None,
    };
    if let Some(rate) = asked.rate {
        let amount = amount.ok_or(UsageError::Needs {
            flag: "--rate",
            needs: "--total N or --duration T: how many sessions, or for how long",
        })?;
        return Ok(Load::Open {
            rate,
            amount,
            ramp: asked.ramp,
            arrivals: asked.arrivals.unwrap_or_default(),
        });
    }
    if asked.arrivals.is_some() {
        return Err(ARRIVALS_NEED_RATE);
    }
    let mut sessions = asked.sessions.unwrap_or(DEFAULT_SESSIONS);
    let amount = amount.unwrap_or(Amount::Total(u64::from(sessions) * SESSIONS_PER_SLOT));
    if let Amount::Total(total) = amount
        && total < u64::from(sessions)
    {
        if asked.sessions.is_some() {
            notes.push(format!(
                "-c {} is more than -n {}: at most {} sessions are open at once",
                show_count(u64::from(sessions)),
                show_count(total),
                show_count(total)
            ));
        } else {
            sessions = u32::try_from(total).unwrap_or(sessions).max(1);
        }
    }
    Ok(Load::Closed {
        sessions,
        amount,
        ramp: asked.ramp,
    })
}

fn check_flags(args: &LoadArgs) -> Result<(), UsageError> {
    if args.rate.is_some() && args.sessions.is_some() {
        return Err(UsageError::Conflict {
            a: "--rate",
            b: "--sessions",
            why: "a rate starts sessions whether or not earlier ones have finished (open model), -c holds their number \
                  (closed model); leave one of them out",
        });
    }
    if args.total.is_some() && args.duration.is_some() {
        return Err(UsageError::Conflict {
            a: "--total",
            b: "--duration",
            why: "a run ends after a number of sessions or after a time; leave one of them out",
        });
    }
    if let Some(c) = args.sessions
        && (c == 0 || c > MAX_SESSIONS)
    {
        return Err(range("--sessions", c, "1 to 10 000 000"));
    }
    if let Some(n) = args.total
        && (n == 0 || n > MAX_TOTAL)
    {
        return Err(range("--total", n, "1 to 1 000 000 000"));
    }
    if let Some(r) = args.rate
        && !(r > 0.0 && r <= MAX_RATE)
    {
        return Err(range("--rate", r, "a number above 0, up to 1 000 000 a second"));
    }
    let year = Duration::from_secs(366 * 86_400);
    if let Some(d) = args.duration
        && (d.is_zero() || d > year)
    {
        let shown = format!("{}s", d.as_secs_f64());
        return Err(range(
            "--duration",
            shown,
            "a duration above 0, up to a year, such as 30s",
        ));
    }
    if let Some(ramp) = args.ramp
        && ramp > year
    {
        let shown = format!("{}s", ramp.as_secs_f64());
        return Err(range("--ramp", shown, "a duration up to a year, such as 30s"));
    }
    Ok(())
}

pub(super) fn range(flag: &'static str, given: impl std::fmt::Display, accepted: &'static str) -> UsageError {
    UsageError::Range {
        flag,
        given: format!("{given}"),
        accepted,
    }
}

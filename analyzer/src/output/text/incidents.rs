//! "What happened": incidents and silences, a few lines each.

use super::{Written, heading};
use crate::totals::{Incident, Silence, Totals};
use clw_core::text::{Paint, Role};
use clw_core::units::{show_count, show_duration};
use std::fmt::Write as _;
use std::time::Duration;

/// Incidents shown, and silences.
const SHOWN: usize = 10;
/// Where the lines below the first one begin: below its words, after the time of day.
const INDENT: &str = "                ";

/// Writes them, in the order of time: what a session lived through may be what others ended by.
pub(super) fn incidents(out: &mut String, totals: &Totals, paint: Paint) -> Written {
    let (incidents, silences) = (&totals.summary.incidents, &totals.summary.silences);
    if incidents.is_empty() && silences.is_empty() {
        return Ok(());
    }
    heading(out, paint, "What happened")?;
    let mut told = Vec::new();
    for incident in greatest(incidents, SHOWN, |incident| incident.sessions) {
        let mut lines = String::new();
        ending(&mut lines, incident, paint)?;
        told.push((incident.at_unix_ns, lines));
    }
    for silence in greatest(silences, SHOWN, |silence| silence.gaps) {
        let mut lines = String::new();
        lived_through(&mut lines, silence, paint)?;
        told.push((silence.until_unix_ns, lines));
    }
    told.sort_by_key(|(at_ns, _)| *at_ns);
    for (_, lines) in told {
        out.push_str(&lines);
    }
    for (all, what) in [(incidents.len(), "ones"), (silences.len(), "silences")] {
        if all > SHOWN {
            writeln!(out, "  … and {} smaller {what}", show_count((all - SHOWN) as u64))?;
        }
    }
    Ok(())
}

fn ending(out: &mut String, incident: &Incident, paint: Paint) -> Written {
    let mut line = format!(
        "  {}  {} sessions of {} ended {}",
        time_of_day(&incident.at),
        show_count(incident.sessions),
        incident.server,
        endings_of(incident),
    );
    if !incident.is_lasting {
        write!(line, " within {}", length(incident))?;
    }
    writeln!(out, "{}", paint.paint(Role::Bad, &line))?;
    if incident.is_lasting {
        let until = time_of_day(&incident.until);
        let (length, pace) = (length(incident), pace(incident));
        writeln!(out, "{INDENT}until {until}, for {length}: {pace}")?;
    }
    if let Some(usual) = usual(incident) {
        writeln!(out, "{INDENT}{usual}")?;
    }
    writeln!(out, "{INDENT}cause: {}", incident.cause)
}

fn lived_through(out: &mut String, silence: &Silence, paint: Paint) -> Written {
    let at = time_of_day(&silence.until);
    let line = format!("  {at}  {}, and went on", missed(silence));
    writeln!(out, "{}", paint.paint(Role::Warn, &line))?;
    if silence.is_lasting {
        let (until, gaps) = (time_of_day(&silence.last_until), show_count(silence.gaps));
        writeln!(out, "{INDENT}until {until}: {gaps} silences")?;
    }
    writeln!(out, "{INDENT}cause: {}", silence.cause)
}

/// The greatest few, in the order in which they stand.
pub(in crate::output) fn greatest<T>(all: &[T], few: usize, size: impl Fn(&T) -> u64) -> Vec<&T> {
    let mut at: Vec<usize> = (0..all.len()).collect();
    at.sort_by_key(|at| std::cmp::Reverse(size(&all[*at])));
    at.truncate(few);
    at.sort_unstable();
    at.into_iter().map(|at| &all[at]).collect()
}

/// How the sessions of an incident ended: the most frequent ending first.
pub(in crate::output) fn endings_of(incident: &Incident) -> String {
    let mut verdicts: Vec<_> = incident.verdicts.iter().collect();
    if let [(name, _)] = verdicts.as_slice() {
        return (**name).to_owned();
    }
    verdicts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let words: Vec<_> = verdicts
        .iter()
        .map(|(name, count)| format!("{name} ({})", show_count(**count)))
        .collect();
    words.join(", ")
}

/// How long an incident took.
pub(in crate::output) fn length(incident: &Incident) -> String {
    show_duration(Duration::from_secs_f64(incident.length_ms / 1e3))
}

/// How fast the sessions of a lasting incident ended.
pub(in crate::output) fn pace(incident: &Incident) -> String {
    format!(
        "{}, at most {} in one second",
        rate(incident.per_second),
        whole(incident.most_per_second.ceil())
    )
}

/// What an incident stands out from.
pub(in crate::output) fn usual(incident: &Incident) -> Option<String> {
    (incident.usual_per_second > 0.0).then(|| format!("where {} were usual", rate(incident.usual_per_second)))
}

/// What the sessions of a silence missed.
pub(in crate::output) fn missed(silence: &Silence) -> String {
    format!(
        "{}{} sessions of {} missed the heartbeats of the {} for up to {}",
        if silence.is_lasting { "up to " } else { "" },
        show_count(silence.sessions),
        silence.server,
        silence.side.name(),
        show_duration(Duration::from_secs_f64(silence.length_ms / 1e3)),
    )
}

/// A rate in the unit that suits it.
fn rate(per_second: f64) -> String {
    let (count, unit) = match per_second {
        rate if rate >= 1.0 => (rate, "second"),
        rate => (rate * 60.0, "minute"),
    };
    if count < 9.95 {
        format!("{count:.1} a {unit}")
    } else {
        format!("{} a {unit}", whole(count.round()))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are whole numbers here, and neither below nothing nor that large"
)]
fn whole(rate: f64) -> String {
    show_count(rate as u64)
}

fn time_of_day(at: &str) -> &str {
    at.get(11..23).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_told_in_the_unit_that_suits_it() {
        for (per_second, words) in [
            (89.4, "89 a second"),
            (1.76, "1.8 a second"),
            (0.5, "30 a minute"),
            (0.02, "1.2 a minute"),
        ] {
            assert_eq!(rate(per_second), words);
        }
    }

    #[test]
    fn the_greatest_are_shown_in_the_order_of_time() {
        assert_eq!(greatest(&[1, 9, 2, 7, 9], 3, |n| *n), [&9, &7, &9]);
        assert_eq!(greatest(&[1], 3, |n| *n), [&1]);
    }
}

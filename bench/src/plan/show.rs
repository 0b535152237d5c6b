//! The plan as text, for `--dry-run` and the head of the summary.

use super::{Hold, Plan, TargetPlan, Workers};
use clw_core::pacing::{Amount, Load, LoadError, Schedule, Target};
use clw_core::units::{show_count, show_duration};
use std::fmt::Write as _;
use std::time::Duration;

/// How many starts of the schedule are listed at either end.
const LISTED: usize = 5;

/// What was asked, in one line.
pub fn headline(plan: &Plan) -> String {
    let mut text = load(&plan.load);
    if let [mix] = plan.mixes.as_slice() {
        let _ = match mix.hold {
            Hold::UntilEnd => write!(text, ", held to the end"),
            Hold::For(hold) if hold.is_zero() => write!(text, ", not held"),
            Hold::For(hold) => write!(text, ", held {}", show_duration(hold)),
        };
    } else {
        let _ = write!(text, ", {} kinds of session", plan.mixes.len());
    }
    if plan.reconnect.enabled {
        text.push_str(", reconnects on");
    }
    text
}

/// Plan and schedule as text; nothing secret is in it.
pub fn describe(plan: &Plan) -> Result<String, LoadError> {
    let schedule = plan.schedule()?;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{name:<12} {value}");
    };
    let target = |t: &TargetPlan| match t {
        TargetPlan::Embedded => "embedded gateway on a free loopback port".to_owned(),
        TargetPlan::At(target) => target.url(),
    };
    line("target", format!("{} ({})", target(&plan.target), plan.dialect));
    line("load", load(&plan.load));
    for mix in &plan.mixes {
        let hold = match mix.hold {
            Hold::UntilEnd => "held to the end".to_owned(),
            Hold::For(hold) if hold.is_zero() => "not held".to_owned(),
            Hold::For(hold) => format!("held {}", show_duration(hold)),
        };
        let heartbeat = mix.heartbeat.map_or("no heartbeat".to_owned(), |period| {
            format!("heartbeat every {}", show_duration(period))
        });
        let identities = match mix.credentials.len() {
            _ if mix.token_command.is_some() => "tokens from a command".to_owned(),
            0 => "no credentials".to_owned(),
            1 => "one credential".to_owned(),
            n => format!("{} credentials in turn", show_count(n as u64)),
        };
        let mut value = format!(
            "{} %: {} {}, {identities}, {hold}, {heartbeat}",
            mix.per_hundred,
            mix.dialect,
            mix.role.name()
        );
        if mix.target != plan.target {
            let _ = write!(value, ", at {}", target(&mix.target));
        }
        for call in &mix.calls {
            let _ = match call.every {
                Some(every) => write!(value, ", {} every {}", call.method, show_duration(every)),
                None => write!(value, ", {} once", call.method),
            };
        }
        line(&mix.name, value);
    }
    if plan.reconnect.enabled {
        let r = plan.reconnect;
        line(
            "reconnect",
            format!(
                "{} attempts, backoff {} to {}",
                r.retries,
                show_duration(r.backoff),
                show_duration(r.backoff_max)
            ),
        );
    }
    if !plan.gateway.is_empty() {
        line("gateway", plan.gateway.join(" "));
    }
    if !plan.impair.is_clean() {
        line("impair", plan.impair.to_string());
    }
    for threshold in &plan.thresholds {
        line("threshold", threshold.clone());
    }
    let workers = match plan.workers {
        Workers::Auto => "as many workers as the limits demand".to_owned(),
        Workers::Exactly(n) => format!("{n} workers"),
    };
    line("processes", format!("share {}, {workers}", plan.shard));
    line("seed", plan.seed.to_string());
    line("schedule", starts(plan, &schedule));
    for note in &plan.notes {
        line("note", note.clone());
    }
    Ok(text)
}

fn load(load: &Load) -> String {
    let amount = |a: Amount| match a {
        Amount::Total(n) => format!("{} in all", show_count(n)),
        Amount::For(d) => format!("for {}", show_duration(d)),
    };
    let ramped = |ramp: Duration| {
        if ramp.is_zero() {
            String::new()
        } else {
            format!(", reached in {}", show_duration(ramp))
        }
    };
    match load {
        Load::Closed {
            sessions,
            amount: a,
            ramp,
        } => format!(
            "closed model: {} sessions at once{}, {}",
            show_count(u64::from(*sessions)),
            ramped(*ramp),
            amount(*a)
        ),
        Load::Open {
            rate,
            amount: a,
            ramp,
            ..
        } => format!(
            "open model: {rate} starts a second{}, {}",
            ramped(*ramp),
            amount(*a)
        ),
        Load::Staged { stages, .. } => {
            let stages: Vec<String> = stages
                .iter()
                .map(|s| match s.target {
                    Target::Sessions(n) => {
                        format!(
                            "{} sessions in {}",
                            show_count(u64::from(n)),
                            show_duration(s.duration)
                        )
                    }
                    Target::Rate(r) => format!("{r}/s in {}", show_duration(s.duration)),
                })
                .collect();
            format!("stages: to {}", stages.join(", then to "))
        }
    }
}

/// The first and the last timed starts of this share.
fn starts(plan: &Plan, schedule: &Schedule) -> String {
    let share = schedule.share(plan.shard);
    let mut first = Vec::new();
    let mut last = std::collections::VecDeque::new();
    let mut count: u64 = 0;
    for start in share.starts() {
        count += 1;
        if first.len() < LISTED {
            first.push(show_duration(start.at));
        } else {
            if last.len() == LISTED {
                last.pop_front();
            }
            last.push_back(show_duration(start.at));
        }
    }
    let dots = if count > 2 * LISTED as u64 { ", …" } else { "" };
    let mut text = format!("{} timed starts: {}", show_count(count), first.join(", "));
    if !last.is_empty() {
        let last: Vec<String> = last.into();
        let _ = write!(text, "{dots}, {}", last.join(", "));
    }
    match share.planned() {
        Some(planned) => {
            let _ = write!(text, "; {} sessions in all", show_count(planned));
        }
        None => text.push_str("; a session that ends makes room for the next"),
    }
    if let Some(end) = schedule.end() {
        let _ = write!(text, "; ends after {}", show_duration(end));
    }
    text
}

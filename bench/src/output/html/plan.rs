//! What was asked, so that it can be run again.

use super::{Of, Written};
use crate::plan::{Plan, describe};
use clw_core::html::escaped;
use clw_core::pacing::{Amount, Load};
use clw_core::report::Report;
use clw_core::units::show_count;
use std::fmt::Write as _;
use std::time::Duration;

/// The plan as the result has it: without secrets. `None` if it is of a release that this one cannot read.
fn read(r: &Report) -> Option<Plan> {
    serde_json::from_value(r.plan.clone()).ok()
}

/// What was asked, in one line.
pub(super) fn headline(r: &Report) -> Option<String> {
    read(r).map(|plan| crate::plan::headline(&plan))
}

/// How long the run was to be, where it was to last for a time.
pub(super) fn length(r: &Report) -> Option<Duration> {
    match read(r)?.load {
        Load::Closed {
            amount: Amount::For(time),
            ..
        }
        | Load::Open {
            amount: Amount::For(time),
            ..
        } => Some(time),
        Load::Staged { stages, .. } => Some(stages.iter().map(|stage| stage.duration).sum()),
        _ => None,
    }
}

/// What a plan says whose identities a result does not keep.
const NONE: &str = "no credentials";

/// How many identities each kind of session had, in words.
fn credentials(r: &Report) -> Vec<String> {
    let mixes = r.plan["mixes"].as_array().map(Vec::as_slice);
    let mixes = mixes.unwrap_or_default().iter();
    mixes
        .map(|mix| match mix["credentials"]["identities"].as_u64() {
            None | Some(0) => NONE.to_owned(),
            Some(1) => "one credential".to_owned(),
            Some(n) => format!("{} credentials in turn", show_count(n)),
        })
        .collect()
}

/// A command line that breaks between its words and not within a flag.
fn words(command: &str) -> String {
    let words: Vec<_> = command
        .split(' ')
        .map(|word| format!("<span>{}</span>", escaped(word)))
        .collect();
    words.join(" ")
}

pub(super) fn section(out: &mut String, r: &Report, of: Of<'_>) -> Written {
    let plan = read(r);
    let title = match of {
        Of::Joined(_) => "The plan (of the first result)",
        _ => "The plan",
    };
    writeln!(out, "<h2>{title}</h2>")?;
    let command = plan.as_ref().map(|plan| plan.command.as_str());
    if let Some(command) = command.filter(|command| !command.is_empty()) {
        writeln!(
            out,
            "<p>To run it again (a secret stands as its fingerprint, <code>sha256:\u{2026}</code>: put it in its place):</p>\n\
             <pre class=\"words\">{}</pre>",
            words(command)
        )?;
    }
    if let Some(text) = plan.and_then(|plan| describe(&plan).ok()) {
        writeln!(out, "<dl class=\"facts\">")?;
        let mut credentials = credentials(r).into_iter();
        for (name, value) in text.lines().filter_map(|line| line.split_once(' ')) {
            // The starts are for a look before the run.
            if name == "schedule" {
                continue;
            }
            let value = if value.contains(NONE) {
                value.replace(NONE, &credentials.next().unwrap_or_else(|| NONE.to_owned()))
            } else {
                value.to_owned()
            };
            writeln!(
                out,
                "<dt>{}</dt><dd>{}</dd>",
                escaped(name),
                escaped(value.trim())
            )?;
        }
        writeln!(out, "</dl>")?;
    }
    let json = serde_json::to_string_pretty(&r.plan).unwrap_or_default();
    let lines: Vec<_> = json.lines().map(escaped).collect();
    writeln!(
        out,
        "<details><summary>everything, as JSON</summary><pre>{}</pre></details>",
        lines.join("\n")
    )
}

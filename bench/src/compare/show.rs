//! A comparison as text.

use super::judge::{Change, Comparison, Judgement};
use crate::output::style::{Paint, Role};
use crate::output::{table::Table, words};
use clw_core::threshold::{Unit, show};

/// The comparison for a terminal of that width. Figures that hardly moved are counted, not listed.
pub fn text(comparison: &Comparison, width: usize, paint: Paint) -> String {
    let width = width.clamp(72, 160);
    let mut text = String::new();
    let mut say = |role: Role, line: &str| {
        text.push_str(&paint.role(role, line));
        text.push('\n');
    };
    for warning in &comparison.warnings {
        for (i, line) in words::wrap(&words::tame(warning), width - 4).iter().enumerate() {
            say(
                Role::Warn,
                &format!("{} {line}", if i == 0 { " !" } else { "  " }),
            );
        }
    }
    let mut table = Table::new(["", "before", "after", "change", "is"]);
    let (listed, others): (Vec<&Change>, Vec<&Change>) =
        comparison.changes.iter().partition(|c| is_listed(c));
    for change in &listed {
        table.row(cells(change));
    }
    if !table.is_empty() {
        let roles = std::iter::once(Role::Plain).chain(listed.iter().map(|change| role(change.judgement)));
        for (line, role) in table.lines(width, paint).iter().zip(roles) {
            say(role, line);
        }
    }
    let rest: Vec<String> = [
        (Judgement::Same, "equal"),
        (Judgement::Noise, "within noise"),
        (Judgement::Slight, "slightly different"),
        (Judgement::TooFew, "of too few values to tell"),
    ]
    .into_iter()
    .map(|(judgement, words)| {
        let these = others.iter().filter(|change| change.judgement == judgement);
        (these.count(), words)
    })
    .filter(|(count, _)| *count > 0)
    .map(|(count, words)| format!("{count} {words}"))
    .collect();
    if !rest.is_empty() {
        for line in words::wrap(&format!("Not listed: {}.", rest.join(", ")), width - 2) {
            say(Role::Dim, &format!("  {line}"));
        }
    }
    let (worse, better) = (
        count(comparison, Judgement::Worse),
        count(comparison, Judgement::Better),
    );
    let (role, verdict) = match (worse, better) {
        (0, 0) => (Role::Good, "nothing changed by more than noise".to_owned()),
        (0, better) => (
            Role::Good,
            format!("{better} better, none worse by more than noise"),
        ),
        (worse, 0) => (Role::Bad, format!("{worse} worse by more than noise")),
        (worse, better) => (
            Role::Bad,
            format!("{worse} worse and {better} better by more than noise"),
        ),
    };
    say(role, &format!("  {verdict}"));
    let note = format!(
        "Each judgement holds at {:.0} % confidence for independent sessions. Sessions of one run share a machine and a \
         moment: see a difference in a second pair of runs before acting on it.",
        comparison.confidence_pct
    );
    for line in words::wrap(&note, width - 2) {
        say(Role::Dim, &format!("  {line}"));
    }
    text
}

/// Rates, and what users feel (`ready`), as long as they moved; of the rest only what is more than noise.
fn is_listed(change: &Change) -> bool {
    match change.judgement {
        Judgement::Same | Judgement::TooFew => false,
        Judgement::Noise | Judgement::Slight => {
            change.unit == Unit::Percent || change.name.starts_with("ready_p")
        }
        Judgement::Better | Judgement::Worse | Judgement::OneSided => true,
    }
}

fn count(comparison: &Comparison, judgement: Judgement) -> usize {
    comparison
        .changes
        .iter()
        .filter(|change| change.judgement == judgement)
        .count()
}

fn role(judgement: Judgement) -> Role {
    match judgement {
        Judgement::Better => Role::Good,
        Judgement::Worse => Role::Bad,
        Judgement::Noise | Judgement::Slight | Judgement::Same | Judgement::TooFew => Role::Dim,
        Judgement::OneSided => Role::Warn,
    }
}

fn cells(change: &Change) -> Vec<String> {
    let value = |value: Option<f64>| match (value, change.unit) {
        (None, _) => "–".to_owned(),
        (Some(value), Unit::Percent) => words::pct(value),
        (Some(value), unit) => show(value, unit),
    };
    let moved = match (change.unit, change.before, change.after) {
        (Unit::Percent, Some(before), Some(after)) => format!("{:+.2} points", after - before),
        _ => change
            .change_pct
            .map_or_else(|| "–".to_owned(), |percent| format!("{percent:+.1} %")),
    };
    let is = match change.judgement {
        Judgement::Same => "equal",
        Judgement::Noise => "noise",
        Judgement::Slight => "slight",
        Judgement::Better => "better",
        Judgement::Worse => "worse",
        Judgement::TooFew => "too few",
        Judgement::OneSided => "one side only",
    };
    vec![
        words::tame(&change.name),
        value(change.before),
        value(change.after),
        moved,
        is.to_owned(),
    ]
}

//! Thresholds, held or crossed.

use super::Page;
use crate::output::style::Role;
use crate::output::words::{cut, tame, width};
use clw_core::report::Report;
use clw_core::threshold::{Judged, Unit, show};

pub(super) fn write(page: &mut Page, report: &Report) {
    if report.thresholds.is_empty() {
        return;
    }
    page.title("Thresholds");
    let longest = report
        .thresholds
        .iter()
        .map(|judged| width(&judged.expr))
        .max()
        .unwrap_or(0)
        .min(page.width / 2);
    for judged in &report.thresholds {
        let (mark, role) = if judged.passed {
            ("✓", Role::Good)
        } else {
            ("✗", Role::Bad)
        };
        let mark = page.paint.role(role, mark);
        let expr = tame(&judged.expr);
        let seen = judged
            .observed
            .map_or_else(|| "no data".to_owned(), |value| show(value, judged.unit));
        let room = page.width.saturating_sub(longest.max(width(&expr)) + 19);
        let margin = cut(&margin(judged), room);
        page.line(&format!("  {mark} {expr:<longest$}  {seen:>11}  {margin}"));
    }
    let held = report.thresholds.iter().filter(|judged| judged.passed).count();
    let (all, role) = (
        report.thresholds.len(),
        if report.passed { Role::Good } else { Role::Bad },
    );
    let text = if report.passed {
        "all held".to_owned()
    } else {
        format!("{} of {all} crossed", all - held)
    };
    let painted = page.paint.role(role, &text);
    page.line(&format!("  {painted}"));
}

/// How near it was, in words.
fn margin(judged: &Judged) -> String {
    let Some(margin) = judged.margin else {
        return judged.note.as_deref().map(tame).unwrap_or_default();
    };
    let unit = judged.unit;
    let size = match unit {
        Unit::Percent => show(margin.abs(), unit).replace('%', "points"),
        Unit::Micros | Unit::Count => show(margin.abs(), unit),
    };
    if margin.abs() < 1e-9 {
        return if judged.passed {
            "exactly".to_owned()
        } else {
            "at the limit itself".to_owned()
        };
    }
    if !judged.passed {
        return format!("crossed by {size}");
    }
    let share = if judged.bound > 0.0 && unit != Unit::Percent {
        format!(" ({:.0} % of the limit)", margin.abs() / judged.bound * 100.0)
    } else {
        String::new()
    };
    format!("margin {size}{share}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(unit: Unit, bound: f64, margin: Option<f64>, passed: bool) -> String {
        super::margin(&Judged {
            unit,
            bound,
            margin,
            passed,
            note: Some("why".to_owned()),
            ..Judged::default()
        })
    }

    #[test]
    fn margins_say_how_near_it_was() {
        assert_eq!(
            judged(Unit::Micros, 500_000.0, Some(312_000.0), true),
            "margin 312 ms (62 % of the limit)"
        );
        assert_eq!(
            judged(Unit::Percent, 99.9, Some(-0.5), false),
            "crossed by 0.50 points"
        );
        assert_eq!(judged(Unit::Count, 0.0, Some(0.0), true), "exactly");
        assert_eq!(judged(Unit::Count, 0.0, None, false), "why");
    }
}

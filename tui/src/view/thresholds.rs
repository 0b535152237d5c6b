//! Thresholds: what they are at, and how far from the limit.

use crate::app::App;
use crate::theme::Role;
use crate::view::panel::{framed, lines, span};
use crate::view::words;
use clw_core::tally::Sessions;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Draws it.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let inner = framed(frame, area, app, "thresholds", "");
    let width = usize::from(inner.width);
    let thresholds = &app.model().whole().thresholds;
    let sessions = &app.model().whole().counters.sessions;
    let mut rows = Vec::new();
    for threshold in thresholds {
        let (word, role) = match (threshold.passed, threshold.observed) {
            (true, _) => ("holds  ", Role::Ok),
            (false, None) => ("no data", Role::Dim),
            (false, Some(_)) => ("CROSSED", Role::Bad),
        };
        let room = width.saturating_sub(word.chars().count() + 2);
        rows.push(Line::from(vec![
            span(app, role, format!(" {word} ")),
            span(app, Role::Text, words::fit(&threshold.expr, room)),
        ]));
        if threshold.observed.is_some() {
            let says = words::fit(&threshold.says, width.saturating_sub(9));
            rows.push(Line::from(span(app, Role::Dim, format!("         {says}"))));
        }
        if let Some(note) = note(&threshold.expr, sessions) {
            let text = words::wrap("         ", note, width);
            rows.extend(text.into_iter().map(|t| Line::from(span(app, Role::Dim, t))));
        }
    }
    if rows.is_empty() {
        for text in words::wrap(" ", "none: clw-bench --threshold 'error_rate<1%' sets one", width) {
            rows.push(Line::from(span(app, Role::Dim, text)));
        }
    }
    lines(frame, inner, rows, app.scroll);
}

/// What a figure does not count, where the rest of the screen seems to say otherwise.
fn note(expr: &str, sessions: &Sessions) -> Option<&'static str> {
    if expr.starts_with("error_rate") && sessions.dropped > 0 {
        Some("of sessions; one that reconnects is no error here, on the chart it is")
    } else if expr.starts_with("uptime") && sessions.ended < sessions.started {
        Some("of sessions that have ended; those that are up or away come in at their end")
    } else {
        None
    }
}

//! Thresholds: what they are at, and how far from the limit.

use crate::app::App;
use crate::theme::Role;
use crate::view::panel::{framed, lines, span};
use crate::view::words;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Draws it.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let inner = framed(frame, area, app, "thresholds", "");
    let width = usize::from(inner.width);
    let thresholds = &app.model().whole().thresholds;
    let dropped = app.model().whole().counters.sessions.dropped;
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
        // Two figures of the same name on one screen: the one that counts drops, the other that does not.
        if threshold.expr.starts_with("error_rate") && dropped > 0 {
            let note = "of sessions; one that reconnects is no error here, on the chart it is";
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

//! The event log, the newest first.

use crate::app::{App, Page};
use crate::model::Level;
use crate::theme::Role;
use crate::view::panel::{framed, lines, span};
use crate::view::words;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Draws it.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let inner = framed(frame, area, app, "events", "newest first");
    let width = usize::from(inner.width);
    let mut rows: Vec<Line> = app
        .model()
        .moments()
        .iter()
        .rev()
        .map(|moment| {
            let role = match moment.level {
                Level::Good => Role::Ok,
                Level::Note => Role::Dim,
                Level::Warn => Role::Warn,
                Level::Bad => Role::Bad,
            };
            let text = words::fit(&moment.text, width.saturating_sub(18));
            Line::from(vec![
                span(app, Role::Dim, format!(" {:>10}  ", words::clock(moment.second))),
                span(app, role, format!("{:<4} ", moment.level.word())),
                span(app, Role::Text, text),
            ])
        })
        .collect();
    if rows.is_empty() {
        rows.push(Line::from(span(app, Role::Dim, " nothing of note so far")));
    }
    let scroll = if app.page == Page::Events { app.scroll } else { 0 };
    lines(frame, inner, rows, scroll);
}

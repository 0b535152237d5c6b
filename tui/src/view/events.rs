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
    let began = app.model().began_unix_s();
    let note = if began.is_some() {
        "newest first, UTC"
    } else {
        "newest first, since the run began"
    };
    let inner = framed(frame, area, app, "events", note);
    let width = usize::from(inner.width);
    let when = |second: u64| {
        began.map_or_else(
            || words::clock(second),
            |began| words::time_of_day(began.saturating_add(second)),
        )
    };
    let is_whole_page = app.page == Page::Events;
    let mut rows: Vec<Line> = app
        .model()
        .moments()
        .iter()
        .rev()
        .flat_map(|moment| {
            let role = match moment.level {
                Level::Good => Role::Ok,
                Level::Note => Role::Dim,
                Level::Warn => Role::Warn,
                Level::Bad => Role::Bad,
            };
            let room = width.saturating_sub(18);
            let mut texts = if is_whole_page {
                words::wrap("", &moment.text, room)
            } else {
                vec![words::fit(&moment.text, room)]
            }
            .into_iter();
            let first = Line::from(vec![
                span(app, Role::Dim, format!(" {:>10}  ", when(moment.second))),
                span(app, role, format!("{:<4} ", moment.level.word())),
                span(app, Role::Text, texts.next().unwrap_or_default()),
            ]);
            let rest = texts.map(|t| Line::from(span(app, Role::Text, format!("{:18}{t}", ""))));
            std::iter::once(first).chain(rest).collect::<Vec<_>>()
        })
        .collect();
    if rows.is_empty() {
        rows.push(Line::from(span(app, Role::Dim, " nothing of note so far")));
    }
    let scroll = if is_whole_page { app.scroll } else { 0 };
    lines(frame, inner, rows, scroll);
}

//! One line on the interface that is followed: what tc does to it, and what came of that.

use crate::app::App;
use crate::theme::Role;
use crate::view::panel::span;
use crate::view::words;
use clw_core::units::show_count;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Rows that it takes.
pub const fn rows(app: &App) -> u16 {
    if app.followed_network().is_some() { 1 } else { 0 }
}

/// Draws it.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let Some((place, known)) = app.followed_network() else {
        return;
    };
    let (text, role) = match known {
        Err(why) => (format!(" {place}: {why}"), Role::Warn),
        Ok(shape) if shape.words.is_empty() => (format!(" {place}: no netem"), Role::Dim),
        Ok(shape) => {
            let figures = format!(
                "{} dropped, {} waiting, {} passed",
                show_count(shape.dropped),
                show_count(shape.waiting),
                show_count(shape.passed)
            );
            (format!(" {place}: {}: {figures}", shape.words), Role::Warn)
        }
    };
    let text = words::fit(&text, usize::from(area.width));
    frame.render_widget(Line::from(span(app, role, text)), area);
}

//! The last line: keys, or a message.

use crate::app::App;
use crate::keys;
use crate::theme::Role;
use crate::view::panel::span;
use crate::view::words;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Draws it.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    if let Some(message) = app.message() {
        let text = words::fit(&format!(" {message}"), usize::from(area.width));
        frame.render_widget(Line::from(span(app, Role::Warn, text)), area);
        return;
    }
    let mut spans = Vec::new();
    for (label, hint) in keys::hints(usize::from(area.width), app.modes()) {
        let (label, hint) = match label {
            "Space" if app.is_paused() => (label, "go on"),
            "Enter" if app.overlay.is_some() => ("Esc", "close"),
            "↑ ↓" if !app.selects() => (label, "scroll"),
            _ => (label, hint),
        };
        spans.push(span(app, Role::Strong, format!(" {label}")));
        spans.push(span(app, Role::Dim, format!(" {hint} ")));
    }
    frame.render_widget(Line::from(spans), area);
}

//! The frame that all panels share.

use crate::app::App;
use crate::theme::Role;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Block;

/// Draws a frame with a title, and returns what is inside.
pub fn framed(frame: &mut Frame, area: Rect, app: &App, title: &str, note: &str) -> Rect {
    let mut spans = vec![Span::styled(format!(" {title} "), app.theme.style(Role::Title))];
    let room = usize::from(area.width).saturating_sub(title.chars().count() + 6);
    if !note.is_empty() && note.chars().count() <= room {
        spans.push(Span::styled(format!("{note} "), app.theme.style(Role::Dim)));
    }
    let block = Block::bordered()
        .title(Line::from(spans))
        .border_style(app.theme.style(Role::Frame));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}

/// Text in a role.
pub fn span(app: &App, role: Role, text: impl Into<String>) -> Span<'static> {
    Span::styled(text.into(), style(app, role))
}

/// A role's style.
pub fn style(app: &App, role: Role) -> Style {
    app.theme.style(role)
}

/// A name at the left and a value at the right of `width` columns.
pub fn row(app: &App, name: &str, value: &str, role: Role, width: u16) -> Line<'static> {
    // A value far from its name is read on the wrong line.
    let width = usize::from(width).min(48);
    let gap = width.saturating_sub(name.chars().count() + value.chars().count() + 2);
    Line::from(vec![
        span(app, Role::Dim, format!(" {name}{}", " ".repeat(gap))),
        span(app, role, value.to_owned()),
    ])
}

/// Draws lines from the top, as many as fit, from line `scroll` on (or from the last screenful).
pub fn lines(frame: &mut Frame, area: Rect, lines: Vec<Line>, scroll: u16) {
    let most = lines.len().saturating_sub(usize::from(area.height));
    for (y, line) in (area.y..area.bottom()).zip(lines.into_iter().skip(usize::from(scroll).min(most))) {
        frame.render_widget(line, Rect { y, height: 1, ..area });
    }
}

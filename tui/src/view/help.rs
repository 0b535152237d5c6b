//! The keys and the words, over the page.

use crate::app::App;
use crate::keys::BINDINGS;
use crate::theme::Role;
use crate::view::panel::{framed, lines, span};
use crate::view::words;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// What the figures mean, for who has not read the manual.
const MEANINGS: [&str; 4] = [
    "Error rate: connections that ended badly in the time shown, as a share of those open at its beginning or begun in it.",
    "A column of the chart shows its worst second; ▲ marks where an incident begins; · where nothing is known.",
    "An incident: a tenth of the connections end badly within 3 s, or errors rise clearly over the minute before.",
    "Run: since the run began; where the dashboard joined later, latencies are those since then.",
];

/// Draws it.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let inner = framed(frame, area, app, "help", "? or Esc closes it");
    let width = usize::from(inner.width).saturating_sub(1);
    let mut rows = Vec::new();
    for binding in BINDINGS {
        if !binding.when.holds(app.modes()) {
            continue;
        }
        let head = format!(" {:<9} ", binding.label);
        for (i, text) in words::wrap(&head, binding.help, width).into_iter().enumerate() {
            if i == 0 {
                let help = text.chars().skip(head.chars().count()).collect::<String>();
                rows.push(Line::from(vec![
                    span(app, Role::Strong, head.clone()),
                    span(app, Role::Text, help),
                ]));
            } else {
                rows.push(Line::from(span(app, Role::Text, text)));
            }
        }
    }
    rows.push(Line::default());
    for meaning in MEANINGS {
        for text in words::wrap(" ", meaning, width) {
            rows.push(Line::from(span(app, Role::Dim, text)));
        }
    }
    lines(frame, inner, rows, app.scroll);
}

//! Drawing: pure functions of the [`App`] into a frame.
//!
//! ```text
//! ┌─────────────────────────────────────────────────────────────┐
//! │ header: mode, target, phase, elapsed; source, age, alerts   │ 2 rows
//! │ network, with --netem: what tc does                         │ 0 or 1 row
//! │ banner, while there is an incident and a little after it    │ 0 or 2 rows
//! │ page: the overview (see `layout`) or one panel              │ the rest
//! │ footer: keys, or a message                                  │ 1 row
//! └─────────────────────────────────────────────────────────────┘
//! ```

mod banner;
mod closes;
mod columns;
mod endings;
mod entry;
mod errors;
mod events;
mod footer;
mod generator;
mod header;
mod heartbeats;
mod help;
mod latency;
mod layout;
mod network;
mod panel;
mod sessions;
mod thresholds;
pub mod words;

pub use layout::Place;

use crate::app::{App, Overlay, Page};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Text};
use ratatui::widgets::Paragraph;

/// Smallest screen that the panels are made for.
pub const LEAST: (u16, u16) = (60, 20);

/// Draws everything.
pub fn render(frame: &mut Frame, app: &App) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        too_small(frame, area);
        return;
    }
    let banner_rows = banner::rows(app);
    let [header, network, banner, body, footer] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(network::rows(app)),
        Constraint::Length(banner_rows),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    header::render(frame, header, app);
    if network.height > 0 {
        network::render(frame, network, app);
    }
    if banner_rows > 0 {
        banner::render(frame, banner, app);
    }
    match app.overlay {
        Some(Overlay::Help) => help::render(frame, body, app),
        Some(Overlay::Entry(verdict)) => entry::render(frame, body, app, verdict),
        None if app.page == Page::Overview => {
            for (panel, place) in layout::overview(body) {
                render_panel(frame, place, app, panel);
            }
        }
        None => render_panel(frame, body, app, app.page),
    }
    footer::render(frame, footer, app);
}

fn render_panel(frame: &mut Frame, area: Rect, app: &App, panel: Page) {
    match panel {
        Page::Overview => sessions::render(frame, area, app),
        Page::Errors => errors::render(frame, area, app),
        Page::Endings => endings::render(frame, area, app),
        Page::Latency => latency::render(frame, area, app),
        Page::Heartbeats => heartbeats::render(frame, area, app),
        Page::Closes => closes::render(frame, area, app),
        Page::Thresholds => thresholds::render(frame, area, app),
        Page::Generator => generator::render(frame, area, app),
        Page::Events => events::render(frame, area, app),
    }
}

fn too_small(frame: &mut Frame, area: Rect) {
    let text = Text::from(vec![
        Line::from("Too small:"),
        Line::from(format!("{}x{} now,", area.width, area.height)),
        Line::from(format!("{}x{} needed.", LEAST.0, LEAST.1)),
        Line::from("q leaves."),
    ]);
    frame.render_widget(Paragraph::new(text), area);
}

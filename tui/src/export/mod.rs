//! What is on the screen, as text, as figures and as a picture.

mod figures;
mod file;
mod picture;
mod text;

pub use figures::figures;
pub use file::{ExportError, svg, text_and_json};
pub use picture::picture;
pub use text::text;

use crate::app::App;
use crate::view;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

/// A frame of that size, drawn in memory.
pub fn draw(app: &App, width: u16, height: u16) -> Buffer {
    // A backend in memory has no errors.
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let _ = terminal.draw(|frame| view::render(frame, app));
    terminal.backend().buffer().clone()
}

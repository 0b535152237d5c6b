//! A frame as lines of text.

use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthStr as _;

/// The cells of `buffer` as lines without blanks at their ends.
pub fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let mut text = String::new();
    for y in area.top()..area.bottom() {
        let mut line = String::new();
        let mut x = area.left();
        while x < area.right() {
            let symbol = buffer.cell((x, y)).map_or(" ", |c| c.symbol());
            line.push_str(symbol);
            // A wide character takes the cell after it too.
            x += u16::try_from(symbol.width().max(1)).unwrap_or(1);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

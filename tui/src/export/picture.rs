//! A frame as a self-contained SVG: text in cells, in the colours of the screen.

use crate::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr as _;

/// Size of a cell, in pixels: that of a 14-pixel monospaced font.
const CELL: (f64, f64) = (8.4, 18.0);

/// What a terminal of that theme has where no colour is set: text, background.
fn ground(theme: Theme) -> (&'static str, &'static str) {
    match theme {
        Theme::Light => ("#1b1f24", "#ffffff"),
        _ => ("#e6edf3", "#0d1117"),
    }
}

/// The picture.
pub fn picture(buffer: &Buffer, theme: Theme) -> String {
    let area = buffer.area;
    let (ink, paper) = ground(theme);
    let (width, height) = (f64::from(area.width) * CELL.0, f64::from(area.height) * CELL.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\">\n<title>clw-tui</title>\n<rect width=\"100%\" height=\"100%\" fill=\"{paper}\"/>\n\
         <g font-family=\"'DejaVu Sans Mono',Menlo,Consolas,monospace\" font-size=\"14\" fill=\"{ink}\">\n"
    );
    for y in area.top()..area.bottom() {
        row(&mut svg, buffer, y, ink, paper);
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

#[derive(Clone, PartialEq)]
struct Look {
    ink: String,
    paper: Option<String>,
    bold: bool,
}

/// A row, one text element for each run of cells that look alike.
fn row(svg: &mut String, buffer: &Buffer, y: u16, ink: &str, paper: &str) {
    let area = buffer.area;
    let mut runs: Vec<(u16, u16, Look, String)> = Vec::new();
    let mut x = area.left();
    while x < area.right() {
        let Some(cell) = buffer.cell((x, y)) else { break };
        let step = u16::try_from(cell.symbol().width().max(1)).unwrap_or(1);
        let mut look = Look {
            ink: css(cell.fg).unwrap_or_else(|| ink.to_owned()),
            paper: css(cell.bg),
            bold: cell.modifier.contains(Modifier::BOLD),
        };
        if cell.modifier.contains(Modifier::REVERSED) {
            let front = look.paper.take().unwrap_or_else(|| paper.to_owned());
            look.paper = Some(std::mem::replace(&mut look.ink, front));
        }
        match runs.last_mut() {
            Some((_, cells, last, text)) if *last == look => {
                *cells += step;
                text.push_str(cell.symbol());
            }
            _ => runs.push((x, step, look, cell.symbol().to_owned())),
        }
        x += step;
    }
    let top = f64::from(y - area.top()) * CELL.1;
    for (x, cells, look, text) in runs {
        let (left, wide) = (f64::from(x - area.left()) * CELL.0, f64::from(cells) * CELL.0);
        if let Some(fill) = &look.paper {
            let _ = writeln!(
                svg,
                "<rect x=\"{left:.1}\" y=\"{top:.0}\" width=\"{wide:.1}\" height=\"{:.0}\" fill=\"{fill}\"/>",
                CELL.1
            );
        }
        if text.trim().is_empty() {
            continue;
        }
        let fill = if look.ink == ink {
            String::new()
        } else {
            format!(" fill=\"{}\"", look.ink)
        };
        let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
        for (at, words) in words(&text) {
            let cells = words.width() as f64;
            // The length is given, so that columns stay columns with any font.
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" textLength=\"{:.1}\" lengthAdjust=\"spacingAndGlyphs\"{fill}{weight}>{}</text>",
                left + at as f64 * CELL.0,
                top + CELL.1 * 0.76,
                cells * CELL.0,
                escaped(words)
            );
        }
    }
}

/// The parts of a text between two and more spaces, each with its column: not every viewer keeps spaces that follow each other.
fn words(text: &str) -> Vec<(usize, &str)> {
    let mut parts = Vec::new();
    let mut column = 0;
    for part in text.split("  ") {
        let trimmed = part.trim_start_matches(' ');
        let indent = part.len() - trimmed.len();
        let words = trimmed.trim_end_matches(' ');
        if !words.is_empty() {
            parts.push((column + indent, words));
        }
        column += part.width() + 2;
    }
    parts
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A colour as CSS; `None` where the terminal's own is meant.
fn css(colour: Color) -> Option<String> {
    Some(match colour {
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        Color::Red | Color::LightRed => "#f85149".to_owned(),
        Color::Green | Color::LightGreen => "#3fb950".to_owned(),
        Color::Yellow | Color::LightYellow => "#d29922".to_owned(),
        Color::Cyan | Color::LightCyan => "#39c5cf".to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    #[test]
    fn spaces_that_follow_each_other_are_places_and_no_text() {
        assert_eq!(
            words(" ready   12 x  \u{2013} "),
            [(1, "ready"), (9, "12 x"), (15, "\u{2013}")]
        );
        assert_eq!(words("   "), []);
    }

    #[test]
    fn cells_that_look_alike_are_one_text_and_signs_are_escaped() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        buffer.set_string(0, 0, "a<b", Style::new().fg(Color::Rgb(1, 2, 3)));
        buffer.set_string(3, 0, "&", Style::new().add_modifier(Modifier::REVERSED));
        let svg = picture(&buffer, Theme::Dark);
        assert!(svg.contains("fill=\"#010203\">a&lt;b</text>"), "{svg}");
        assert!(svg.contains("fill=\"#0d1117\">&amp;</text>"), "{svg}");
        assert_eq!(svg.matches("<text").count(), 2);
        assert!(svg.starts_with("<svg xmlns") && svg.ends_with("</svg>\n"));
    }
}

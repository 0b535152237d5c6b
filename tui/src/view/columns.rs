//! A chart of columns with eight steps a row: readable where a curve of dots is not.

use crate::app::App;
use crate::theme::Role;
use crate::view::panel::style;
use crate::view::words;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const STEPS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// Columns of the axis at the left.
const AXIS: u16 = 6;

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// How high; `None` where nothing is known.
    pub value: Option<f64>,
    /// Its colour.
    pub role: Role,
    /// A sign under it.
    pub mark: Option<&'static str>,
}

/// How many columns fit into an area of `width`.
pub fn room(width: u16) -> u16 {
    width.saturating_sub(AXIS)
}

/// The least of 1, 2, 5, 10, 20, 50 and 100 that is over `value`: axes that do not twitch.
pub fn top_of(value: f64) -> f64 {
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0]
        .into_iter()
        .find(|top| value <= *top)
        .unwrap_or(100.0)
}

/// Draws percentages over the last `span_s` seconds: the columns, a line of marks and the axis of time under them.
pub fn render(buffer: &mut Buffer, area: Rect, app: &App, columns: &[Column], span_s: u64) {
    if area.height < 3 || area.width <= AXIS {
        return;
    }
    let rows = area.height - 2;
    let most = columns.iter().filter_map(|c| c.value).fold(0.0, f64::max);
    let top = top_of(most);
    let dim = style(app, Role::Dim);
    let label = |buffer: &mut Buffer, y: u16, value: f64| {
        let text = format!("{:>5}", format!("{}%", trimmed(value)));
        buffer.set_stringn(area.x, y, text, usize::from(AXIS), dim);
    };
    for row in 0..rows {
        buffer.set_string(area.x + AXIS - 1, area.y + row, "│", style(app, Role::Frame));
    }
    label(buffer, area.y, top);
    // Half of an odd number of rows is in the middle of one: no label is better than a crooked one.
    if rows >= 6 && rows.is_multiple_of(2) {
        label(buffer, area.y + rows / 2, top / 2.0);
    }
    for (x, column) in (area.x + AXIS..area.right()).zip(columns) {
        let Some(value) = column.value else {
            buffer.set_string(x, area.y + rows - 1, "·", dim);
            continue;
        };
        let eighths = eighths(value, top, rows);
        for row in 0..rows {
            let step = eighths.saturating_sub(row * 8).min(8);
            if step > 0 {
                let y = area.y + rows - 1 - row;
                buffer.set_string(x, y, STEPS[usize::from(step)], style(app, column.role));
            }
        }
        if let Some(mark) = column.mark {
            buffer.set_string(x, area.y + rows, mark, style(app, Role::Bad));
        }
    }
    buffer.set_string(area.x + AXIS - 2, area.y + rows - 1, "0", dim);
    time_axis(
        buffer,
        Rect {
            y: area.bottom() - 1,
            height: 1,
            ..area
        },
        app,
        span_s,
    );
}

/// What is not zero is seen, however small it is.
fn eighths(value: f64, top: f64, rows: u16) -> u16 {
    let most = rows * 8;
    let exact = (value / top * f64::from(most)).round();
    if value <= 0.0 {
        0
    } else {
        // Within 1..=most, so the conversion is exact.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to a u16's range"
        )]
        let exact = exact.clamp(1.0, f64::from(most)) as u16;
        exact
    }
}

/// `-2m`, `-1m`, `now` under a chart whose plot begins after the axis.
fn time_axis(buffer: &mut Buffer, area: Rect, app: &App, span_s: u64) {
    let plot = area.x + AXIS;
    let width = area.right().saturating_sub(plot);
    let dim = style(app, Role::Dim);
    buffer.set_string(plot, area.y, format!("-{}", words::span(span_s)), dim);
    let middle = format!("-{}", words::span(span_s / 2));
    if width > 30 {
        buffer.set_string(plot + width / 2, area.y, middle, dim);
    }
    buffer.set_string(area.right().saturating_sub(3), area.y, "now", dim);
}

fn trimmed(value: f64) -> String {
    if value.fract().abs() < 1e-9 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_at_a_round_number_over_the_values() {
        for (value, top) in [(0.0, 1.0), (0.4, 1.0), (1.5, 2.0), (13.0, 20.0), (73.0, 100.0)] {
            assert!((top_of(value) - top).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn a_little_is_not_nothing() {
        assert_eq!(eighths(0.0, 100.0, 5), 0);
        assert_eq!(eighths(0.001, 100.0, 5), 1);
        assert_eq!(eighths(100.0, 100.0, 5), 40);
        assert_eq!(eighths(50.0, 100.0, 5), 20);
    }
}

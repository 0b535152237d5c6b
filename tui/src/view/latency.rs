//! Latencies by stage: a table, and one of them over time on a logarithmic axis.

use crate::app::App;
use crate::model::Times;
use crate::theme::Role;
use crate::view::panel::{framed, lines, span, style};
use crate::view::words;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Dataset, GraphType};

type Quantile = (&'static str, fn(&Times) -> u64, u8);
const CURVES: [Quantile; 4] = [
    ("p50", |t| t.p50, 0),
    ("p90", |t| t.p90, 1),
    ("p99", |t| t.p99, 2),
    ("max", |t| t.max, 3),
];

/// Draws it.
pub fn render(frame: &mut Frame, area: Rect, app: &App) {
    let inner = framed(
        frame,
        area,
        app,
        "latency",
        "since the scheduled start; l: next on the chart",
    );
    let all = app.latencies();
    if all.is_empty() {
        frame.render_widget(Line::from(span(app, Role::Dim, " nothing was timed yet")), inner);
        return;
    }
    let rows = u16::try_from(all.len() + 1).unwrap_or(u16::MAX);
    let table_rows = if inner.height >= rows + 8 {
        rows
    } else {
        inner.height.saturating_sub(6).min(rows)
    };
    let [table, chart] = Layout::vertical([Constraint::Length(table_rows), Constraint::Min(0)]).areas(inner);
    render_table(frame, table, app, &all);
    if let Some(name) = app.latency()
        && chart.height >= 5
    {
        render_chart(frame, chart, app, &name);
    }
}

fn render_table(frame: &mut Frame, area: Rect, app: &App, all: &[String]) {
    let wide = area.width >= 84;
    let mut rows = vec![Line::from(span(
        app,
        Role::Dim,
        if wide {
            format!(
                " {:<17}{:>11}{:>11} │{:>10}{:>10}{:>10}{:>10}",
                "", "latest p50", "p99", "run p50", "p90", "p99", "max"
            )
        } else {
            format!(
                " {:<14}{:>10}{:>10}{:>10}{:>10}",
                "run", "p50", "p90", "p99", "max"
            )
        },
    ))];
    let shown = app.latency();
    let model = app.model();
    for name in all {
        let Some(run) = model.whole().totals.get(name) else {
            continue;
        };
        let chosen = shown.as_ref() == Some(name);
        let role = if chosen { Role::Strong } else { Role::Text };
        let sign = if chosen { ">" } else { " " };
        let figures = [run.p50, run.p90, run.p99, run.max].map(words::micros);
        let text = if wide {
            let latest = model.history().latest(name).map(|(_, t)| t).unwrap_or_default();
            format!(
                "{sign}{:<17}{:>11}{:>11} │{:>10}{:>10}{:>10}{:>10}",
                words::fit(&words::metric(name), 16),
                words::micros(latest.p50),
                words::micros(latest.p99),
                figures[0],
                figures[1],
                figures[2],
                figures[3],
            )
        } else {
            format!(
                "{sign}{:<14}{:>10}{:>10}{:>10}{:>10}",
                words::fit(&words::metric(name), 14),
                figures[0],
                figures[1],
                figures[2],
                figures[3],
            )
        };
        rows.push(Line::from(span(app, role, text)));
    }
    lines(frame, area, rows, app.scroll);
}

fn render_chart(frame: &mut Frame, area: Rect, app: &App, name: &str) {
    let history = app.model().history();
    let (now, span_s) = (history.now(), app.span_s());
    let from = now.saturating_sub(span_s);
    let times: Vec<(f64, Times)> = history
        .between(from, now)
        .filter_map(|p| Some((now as f64 - p.second as f64, *p.times.get(name)?)))
        .map(|(ago, t)| (-ago, t))
        .collect();
    let log = |us: u64| (us.max(1) as f64).log10();
    let least = times
        .iter()
        .map(|(_, t)| log(t.p50))
        .fold(f64::INFINITY, f64::min);
    let most = times.iter().map(|(_, t)| log(t.max)).fold(0.0, f64::max);
    let (low, high) = if times.is_empty() {
        (3.0, 5.0)
    } else {
        decades(least, most)
    };
    // A curve is not drawn across time in which nothing was timed.
    let gap = (span_s / 20).max(5) as f64;
    let stretches: Vec<&[(f64, Times)]> = times.chunk_by(|a, b| (a.0 - b.0).abs() <= gap).collect();
    let curves: Vec<(u8, Vec<(f64, f64)>)> = CURVES
        .iter()
        .rev()
        .flat_map(|(_, of, n)| {
            let log_of = |(x, t): &(f64, Times)| (*x, log(of(t)));
            stretches
                .iter()
                .map(move |s| (*n, s.iter().map(log_of).collect()))
        })
        .collect();
    let datasets = curves
        .iter()
        .map(|(n, points)| {
            Dataset::default()
                .marker(Marker::Braille)
                .graph_type(if points.len() > 1 {
                    GraphType::Line
                } else {
                    GraphType::Scatter
                })
                .style(style(app, Role::Series(*n)))
                .data(points)
        })
        .collect();
    let [legend, plot] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let mut words_of: Vec<Span> = vec![span(app, Role::Strong, format!(" {}", words::metric(name)))];
    for (label, of, n) in CURVES {
        let value = times
            .first()
            .map_or_else(|| "–".to_owned(), |(_, t)| words::micros(of(t)));
        words_of.push(span(app, Role::Series(n), format!("  {label} {value}")));
    }
    frame.render_widget(Line::from(words_of), legend);
    let dim = style(app, Role::Dim);
    let labels = decade_labels(low, high, usize::from(plot.height));
    let ago = |s: u64| Line::from(format!("-{}", words::span(s)));
    let chart = Chart::new(datasets)
        .x_axis(
            Axis::default()
                .bounds([-(span_s as f64), 0.0])
                .labels([ago(span_s), ago(span_s / 2), Line::from("now")])
                .style(dim),
        )
        .y_axis(Axis::default().bounds([low, high]).labels(labels).style(dim));
    frame.render_widget(chart, plot);
}

/// Whole decades around the values, one at least.
fn decades(least: f64, most: f64) -> (f64, f64) {
    let low = least.floor();
    (low, most.ceil().max(low + 1.0))
}

/// A label at each decade, or at every second one where they would not fit.
fn decade_labels(low: f64, high: f64, rows: usize) -> Vec<Line<'static>> {
    const NAMES: [&str; 11] = [
        "1 µs", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s", "1000 s", "10⁴ s",
    ];
    // Decades of an hour's microseconds are 0 to 10.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=10"
    )]
    let index = |x: f64| x.clamp(0.0, 10.0) as usize;
    let (low, high) = (index(low), index(high));
    if high - low >= rows {
        return vec![Line::from(NAMES[low]), Line::from(NAMES[high])];
    }
    (low..=high).map(|i| Line::from(NAMES[i])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_holds_whole_decades() {
        assert_eq!(decades(2.3, 2.9), (2.0, 3.0));
        assert_eq!(decades(3.0, 3.0), (3.0, 4.0));
        assert_eq!(decades(2.9, 6.1), (2.0, 7.0));
        assert_eq!(decade_labels(3.0, 6.0, 10).len(), 4);
        assert_eq!(decade_labels(0.0, 10.0, 5).len(), 2);
    }
}

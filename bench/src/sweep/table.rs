//! A sweep as text and as a page.

use super::axis::{Axis, Condition};
use super::result::{Cell, Figures, Sweep};
use clw_core::html::{self, escaped};
use std::fmt::Write as _;

/// Values of an axis, or the one value of an axis that is not there.
fn values(axis: Option<&Axis>) -> Vec<Option<f64>> {
    axis.map_or_else(
        || vec![None],
        |axis| axis.values.iter().copied().map(Some).collect(),
    )
}

fn condition(sweep: &Sweep, x: Option<f64>, y: Option<f64>) -> Condition {
    let set = |condition: Condition, axis: Option<&Axis>, value: Option<f64>| match (axis, value) {
        (Some(axis), Some(value)) => condition.with(axis.dimension, value),
        _ => condition,
    };
    set(
        set(Condition::default(), sweep.x.as_ref(), x),
        sweep.y.as_ref(),
        y,
    )
}

fn cell<'a>(sweep: &'a Sweep, client: &str, x: Option<f64>, y: Option<f64>) -> Option<&'a Cell> {
    let wanted = condition(sweep, x, y);
    sweep
        .cells
        .iter()
        .find(|cell| cell.client == client && cell.condition == wanted)
}

fn label(axis: Option<&Axis>, value: Option<f64>) -> String {
    match (axis, value) {
        (Some(axis), Some(value)) => format!("{} {}", axis.dimension.name(), axis.dimension.show(value)),
        _ => String::new(),
    }
}

/// For a terminal.
pub fn text(sweep: &Sweep) -> String {
    let mut out = String::new();
    let how = match sweep.by {
        "netem" => "real netem".to_owned(),
        _ => format!("inside the process (--impair): {}", sweep.note),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{} cells of {} sessions for {} s, {how}{}",
        sweep.cells.len(),
        sweep.sessions,
        sweep.cell_s,
        if sweep.interrupted { ", interrupted" } else { "" }
    );
    if !sweep.cells.is_empty() {
        for client in sweep.clients.keys() {
            let _ = writeln!(out, "\n{client}: uptime % / errors %");
            let columns = values(sweep.x.as_ref());
            let _ = write!(out, "{:<16}", "");
            for x in &columns {
                let _ = write!(out, "{:>14}", label(sweep.x.as_ref(), *x));
            }
            out.push('\n');
            for y in values(sweep.y.as_ref()) {
                let _ = write!(out, "{:<16}", label(sweep.y.as_ref(), y));
                for x in &columns {
                    let shown = match cell(sweep, client, *x, y) {
                        None => "\u{2013}".to_owned(),
                        Some(Cell { figures: None, .. }) => "failed".to_owned(),
                        Some(Cell {
                            figures: Some(figures),
                            ..
                        }) => format!("{:.1} / {:.1}", figures.uptime_pct, figures.error_rate_pct),
                    };
                    let _ = write!(out, "{shown:>14}");
                }
                out.push('\n');
            }
        }
        for cell in sweep.cells.iter().filter(|cell| cell.error.is_some()) {
            let _ = writeln!(
                out,
                "failed: {} ({}): {}",
                cell.network,
                cell.client,
                cell.error.as_deref().unwrap_or_default()
            );
        }
    }
    for found in &sweep.cliffs {
        let _ = writeln!(
            out,
            "\n{}, {}: {} {}",
            found.client,
            found.condition.words(),
            found.holds,
            found.words()
        );
    }
    out
}

/// A page to send to somebody: no network, light and dark, the numbers in the cells.
pub fn html(sweep: &Sweep) -> String {
    let mut out = html::begin("At which network does it break?");
    let how = match sweep.by {
        "netem" => "by the kernel's netem, on the packets of the wire".to_owned(),
        _ => format!(
            "inside the process, on the sessions' bytes ({})",
            escaped(&sweep.note)
        ),
    };
    let _ = write!(
        out,
        "<p>{}{} sessions for {} s in each cell, {how}; clw-bench {}, seed {}, {}.<p>All cells: <code>clw-bench {}</code>",
        if sweep.interrupted {
            "<b>Interrupted.</b> "
        } else {
            ""
        },
        sweep.sessions,
        sweep.cell_s,
        sweep.tool_version,
        sweep.seed,
        escaped(&sweep.started_at),
        escaped(&sweep.flags.to_string())
    );
    for (client, flags) in &sweep.clients {
        let _ = write!(out, "<h2>{}</h2>", escaped(client));
        if !flags.0.is_empty() {
            let _ = write!(out, "<p><code>{}</code>", escaped(&flags.to_string()));
        }
        if !sweep.cells.is_empty() {
            grid(&mut out, sweep, client);
        }
        for found in sweep.cliffs.iter().filter(|found| found.client == *client) {
            let _ = write!(
                out,
                "<p>{}: <code>{}</code> {}.",
                match found.condition.words().as_str() {
                    "clean" => "On an otherwise clean network".to_owned(),
                    words => format!("With {}", escaped(words)),
                },
                escaped(&found.holds),
                escaped(&found.words())
            );
        }
    }
    out.push_str(&html::end(
        "Each cell: uptime, the error rate of sessions, and what ended most of those that ended badly. Green: up for 99 % and errors \
         under 1 %; red: up for less than 90 %, or errors of 10 % and more; yellow: between.",
    ));
    out
}

/// A cell's class: the worse of its two figures. Sessions that are never lost for good may still be down half of the time.
fn colour(figures: &Figures) -> &'static str {
    if figures.uptime_pct < 90.0 || figures.error_rate_pct >= 10.0 {
        "bad"
    } else if figures.uptime_pct < 99.0 || figures.error_rate_pct >= 1.0 {
        "fair"
    } else {
        "good"
    }
}

fn grid(out: &mut String, sweep: &Sweep, client: &str) {
    let columns = values(sweep.x.as_ref());
    // Without a second axis there is one row, and nothing to call it.
    let has_rows = sweep.y.is_some();
    out.push_str("<div class=wide><table class=heat><tr>");
    if has_rows {
        out.push_str("<th>");
    }
    for x in &columns {
        let _ = write!(out, "<th scope=col>{}", escaped(&label(sweep.x.as_ref(), *x)));
    }
    for y in values(sweep.y.as_ref()) {
        out.push_str("<tr>");
        if has_rows {
            let _ = write!(out, "<th scope=row>{}", escaped(&label(sweep.y.as_ref(), y)));
        }
        for x in &columns {
            match cell(sweep, client, *x, y) {
                Some(Cell {
                    figures: Some(figures),
                    ..
                }) => {
                    let class = colour(figures);
                    let most = figures
                        .verdicts
                        .iter()
                        .filter(|(name, count)| *name != "ok" && **count > 0)
                        .max_by_key(|(_, count)| **count)
                        .map_or("no bad ending", |(name, _)| name.as_str());
                    let _ = write!(
                        out,
                        "<td class={class}><b>{:.1} % up</b><small>{:.1} % errors<br>{}</small>",
                        figures.uptime_pct,
                        figures.error_rate_pct,
                        escaped(most)
                    );
                }
                Some(Cell {
                    error: Some(error), ..
                }) => {
                    let _ = write!(out, "<td class=dim>failed<br><small>{}</small>", escaped(error));
                }
                _ => out.push_str("<td class=dim>not run"),
            }
        }
    }
    out.push_str("</table></div>");
}

//! How long it took: distributions on one logarithmic axis, and the percentiles as a table.

use super::{Written, micros};
use clw_core::histogram::{Histogram, Summary};
use clw_core::html::escaped;
use clw_core::report::Report;
use clw_core::units::show_count;
use std::fmt::Write as _;

/// Columns of a distribution.
const BINS: usize = 160;
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;

/// A row: its name for people, its times.
struct Row<'a> {
    name: String,
    summary: Summary,
    histogram: Option<&'a Histogram>,
}

pub(super) fn section(out: &mut String, r: &Report) -> Written {
    let rows = rows(r);
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h2>How long it took</h2>")?;
    chart(out, &rows)?;
    table(out, &rows)
}

fn rows(r: &Report) -> Vec<Row<'_>> {
    let l = &r.latency_us;
    let row = |name: &str, metric: &str, summary: Summary| Row {
        name: name.to_owned(),
        summary,
        histogram: r.histograms.get(metric),
    };
    let mut rows = vec![
        row("tcp connect", "tcp_connect", l.tcp_connect),
        row("tls", "tls", l.tls),
        row("upgrade", "upgrade", l.upgrade),
        row("challenge", "challenge", l.challenge),
        row("auth", "auth", l.auth),
        row("ready", "ready", l.ready),
        row("ready, service", "ready_service", l.ready_service),
        row("ready again", "time_to_ready", r.reconnect.time_to_ready_us),
        row("heartbeat", "heartbeat_rtt", r.heartbeat.rtt_us),
        row("server\u{2019}s tick", "tick_gap", r.heartbeat.tick_gap_us),
    ];
    for (call, summary) in &l.rpc {
        rows.push(row(&format!("call {call}"), &format!("rpc.{call}"), *summary));
    }
    for (call, summary) in &l.rpc_service {
        let metric = format!("rpc_service.{call}");
        rows.push(row(&format!("call {call}, service"), &metric, *summary));
    }
    rows.push(row("starts late by", "schedule_lag", r.generator.schedule_lag_us));
    rows.retain(|row| row.summary.count > 0);
    rows
}

/// A logarithmic axis over whole decades.
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn of(rows: &[Row<'_>]) -> Self {
        let least = rows.iter().map(|row| row.summary.min).min().unwrap_or(1).max(1);
        let most = rows.iter().map(|row| row.summary.max).max().unwrap_or(1).max(1);
        let low = (least as f64).log10().floor();
        let high = (most as f64).log10().ceil();
        Self {
            low,
            high: if high > low { high } else { low + 1.0 },
        }
    }

    /// From 0 to 1.
    fn place(&self, us: u64) -> f64 {
        ((us.max(1) as f64).log10() - self.low) / (self.high - self.low)
    }

    /// The upper ends of the bins but the last, in microseconds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "microseconds up to the largest recorded"
    )]
    fn bounds(&self) -> Vec<u64> {
        let step = (self.high - self.low) / BINS as f64;
        let bounds = (1..BINS).map(|bin| 10f64.powf(self.low + step * bin as f64) as u64);
        bounds.collect()
    }

    /// Decades, with their places.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "decades of microseconds up to an hour"
    )]
    fn ticks(&self) -> Vec<(u64, f64)> {
        let (low, high) = (self.low as u32, self.high as u32);
        (low..=high)
            .map(|decade| 10u64.saturating_pow(decade))
            .map(|us| (us, self.place(us)))
            .collect()
    }
}

/// A decade in words.
fn decade(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} \u{b5}s"),
        1_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{} s", us / 1_000_000),
    }
}

fn chart(out: &mut String, rows: &[Row<'_>]) -> Written {
    let axis = Axis::of(rows);
    let bounds = axis.bounds();
    writeln!(
        out,
        "<figure>\n<figcaption>How the times are spread, on a logarithmic axis; each row\u{2019}s height (the square root of its share) is its \
         own. <span class=\"key\">Lines: p50, <span class=\"bad\">p99</span>, greatest (dashed).</span></figcaption>\n<div class=\"rows\">"
    )?;
    let grid: String = axis.ticks().iter().fold(String::new(), |lines, (_, place)| {
        let x = WIDTH * place;
        format!("{lines}<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"{HEIGHT}\"/>")
    });
    for row in rows {
        let s = row.summary;
        write!(
            out,
            "<div class=\"name\">{}</div><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"p50 {p50}, p99 {p99}, at most {max}\"><title>p50 {p50}, p99 {p99}, at most {max}</title>{grid}",
            escaped(&row.name),
            p50 = micros(s.p50),
            p99 = micros(s.p99),
            max = micros(s.max)
        )?;
        if let Some(histogram) = row.histogram {
            density(out, &histogram.counts_between_us(&bounds))?;
        }
        for (class, us) in [("max", s.max), ("p99", s.p99), ("p50", s.p50)] {
            let x = WIDTH * axis.place(us);
            write!(
                out,
                "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"8\" y2=\"{HEIGHT}\"/>"
            )?;
        }
        writeln!(out, "</svg>")?;
    }
    write!(out, "<div class=\"ticks\">")?;
    for (us, place) in axis.ticks() {
        write!(
            out,
            "<span style=\"left:{:.2}%\">{}</span>",
            place * 100.0,
            decade(us)
        )?;
    }
    writeln!(out, "</div></div>\n</figure>")
}

fn density(out: &mut String, counts: &[u64]) -> Written {
    let most = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let bin = WIDTH / counts.len().max(1) as f64;
    write!(out, "<path class=\"density\" d=\"M0 {HEIGHT}")?;
    let mut height = 0.0;
    for (at, count) in counts.iter().enumerate() {
        let next = (*count as f64 / most).sqrt() * 90.0;
        // Steps, and only where something changes.
        if next.to_bits() != f64::to_bits(height) {
            let x = at as f64 * bin;
            write!(
                out,
                " L{x:.1} {:.1} L{x:.1} {:.1}",
                HEIGHT - height,
                HEIGHT - next
            )?;
            height = next;
        }
    }
    write!(out, " L{WIDTH} {:.1} L{WIDTH} {HEIGHT} Z\"/>", HEIGHT - height)
}

fn table(out: &mut String, rows: &[Row<'_>]) -> Written {
    write!(
        out,
        "<div class=\"wide\"><table>\n<thead><tr><th></th><th class=\"number\">count</th>"
    )?;
    for column in ["min", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"] {
        write!(out, "<th class=\"number\">{column}</th>")?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for row in rows {
        let s = row.summary;
        write!(
            out,
            "<tr><td class=\"row\">{}</td><td class=\"number\">{}</td>",
            escaped(&row.name),
            show_count(s.count)
        )?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a mean lies between its least and its greatest value"
        )]
        let mean = s.mean.round() as u64;
        for us in [s.min, mean, s.p50, s.p90, s.p95, s.p99, s.p999, s.max] {
            write!(out, "<td class=\"number\">{}</td>", micros(us))?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(
        out,
        "</tbody>\n</table></div>\n<p class=\"dim\">\u{201c}ready\u{201d} and calls count from the scheduled instant (response time), \
         \u{201c}service\u{201d} from the connect call or the sending. Only what succeeded has a time.</p>"
    )
}

//! Percentiles by stage.

use super::Page;
use crate::output::style::Role;
use crate::output::table::Table;
use crate::output::words::{tame, us};
use clw_core::histogram::Summary;
use clw_core::report::Report;
use clw_core::units::show_count;

/// Below this width only the percentiles that decide are shown.
const WIDE: usize = 108;

pub(super) fn write(page: &mut Page, report: &Report) {
    let wide = page.width >= WIDE;
    let head: &[&str] = if wide {
        &[
            "", "count", "min", "mean", "p50", "p75", "p90", "p95", "p99", "p99.9", "max",
        ]
    } else {
        &["", "count", "p50", "p90", "p99", "p99.9", "max"]
    };
    let mut table = Table::new(head.iter().copied());
    for (name, summary) in rows(report) {
        if summary.count > 0 {
            table.row(cells(&name, &summary, wide));
        }
    }
    if table.is_empty() {
        return;
    }
    page.title("Latency");
    for line in table.lines(page.width, page.paint) {
        page.line(&line);
    }
    let note = "Stages run from the stage before. \"ready\" and calls run from the instant they were scheduled, so a \
                stall counts for everyone who had to wait (coordinated omission is corrected once, here); \"service\" \
                runs from the instant of sending.";
    page.labelled("", 2, Role::Dim, note);
}

fn rows(report: &Report) -> Vec<(String, Summary)> {
    let latency = &report.latency_us;
    let mut rows: Vec<(String, Summary)> = [
        ("tcp connect", latency.tcp_connect),
        ("tls", latency.tls),
        ("upgrade", latency.upgrade),
        ("challenge", latency.challenge),
        ("auth", latency.auth),
        ("ready", latency.ready),
        ("ready, service", latency.ready_service),
    ]
    .map(|(name, summary)| (name.to_owned(), summary))
    .into();
    for (call, summary) in &latency.rpc {
        rows.push((format!("call {}", tame(call)), *summary));
        if let Some(service) = latency.rpc_service.get(call) {
            rows.push((format!("call {}, service", tame(call)), *service));
        }
    }
    rows.extend(
        [
            ("heartbeat rtt", report.heartbeat.rtt_us),
            ("server tick gap", report.heartbeat.tick_gap_us),
            ("ready again", report.reconnect.time_to_ready_us),
        ]
        .map(|(name, summary)| (name.to_owned(), summary)),
    );
    rows
}

fn cells(name: &str, h: &Summary, wide: bool) -> Vec<String> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a mean of values up to an hour"
    )]
    let mean = h.mean.round() as u64;
    let times: &[u64] = if wide {
        &[h.min, mean, h.p50, h.p75, h.p90, h.p95, h.p99, h.p999, h.max]
    } else {
        &[h.p50, h.p90, h.p99, h.p999, h.max]
    };
    [name.to_owned(), show_count(h.count)]
        .into_iter()
        .chain(times.iter().map(|&time| us(time)))
        .collect()
}

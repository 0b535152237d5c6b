//! Heartbeats, reconnects, refreshes, calls, close codes, traffic, and the generator's own health.

use super::Page;
use crate::output::style::Role;
use crate::output::words::{pct, tame, us};
use clw_core::report::{FELL_BEHIND_LAG_US, Report};
use clw_core::units::{show_bytes, show_count};
use clw_core::uptime::percent;

const LABEL: usize = 12;

pub(super) fn write(page: &mut Page, report: &Report) {
    page.title("Connections");
    let heartbeat = &report.heartbeat;
    if heartbeat.sent > 0 || heartbeat.tick_gap_us.count > 0 {
        let mut pieces = vec![
            format!("sent {}", show_count(heartbeat.sent)),
            format!("answered {}", show_count(heartbeat.answered)),
            format!("missed {}", show_count(heartbeat.missed)),
        ];
        if heartbeat.tick_gap_us.count > 0 {
            let longest = us(heartbeat.tick_gap_us.max);
            pieces.push(format!("longest gap between the server's ticks {longest}"));
        }
        page.pieces("heartbeats", LABEL, pieces);
    }
    let reconnect = &report.reconnect;
    if reconnect.attempts > 0 {
        page.pieces(
            "reconnects",
            LABEL,
            [
                format!("{} attempts", show_count(reconnect.attempts)),
                format!(
                    "{} succeeded ({})",
                    show_count(reconnect.succeeded),
                    pct(percent(reconnect.succeeded, reconnect.attempts))
                ),
            ],
        );
    }
    let refreshes = &report.refreshes;
    if refreshes.done + refreshes.refused > 0 {
        let pieces = [("done", refreshes.done), ("refused", refreshes.refused)];
        page.pieces(
            "refreshes",
            LABEL,
            pieces.map(|(name, count)| format!("{name} {}", show_count(count))),
        );
    }
    for (i, (call, counts)) in report.rpc.iter().enumerate() {
        let label = if i == 0 { "calls" } else { "" };
        page.pieces(
            label,
            LABEL,
            [
                format!("{}: answered {}", tame(call), show_count(counts.answered)),
                format!("errors {}", show_count(counts.errors)),
                format!("unanswered {}", show_count(counts.unanswered)),
            ],
        );
    }
    if !report.close_codes.is_empty() {
        let other = report.close_codes.other();
        let other = (other > 0).then(|| format!("others × {}", show_count(other)));
        let codes = report.close_codes.iter().map(|(code, count)| {
            let count = show_count(count);
            close_name(code).map_or_else(
                || format!("{code} × {count}"),
                |name| format!("{code} {name} × {count}"),
            )
        });
        page.pieces("close codes", LABEL, codes.chain(other));
    }
    let (bytes, frames) = (&report.bytes, &report.frames);
    page.pieces(
        "traffic",
        LABEL,
        [
            format!(
                "sent {} in {} frames",
                show_bytes(bytes.sent),
                show_count(frames.sent)
            ),
            format!(
                "received {} in {} frames",
                show_bytes(bytes.received),
                show_count(frames.received)
            ),
        ],
    );
    generator(page, report);
}

fn generator(page: &mut Page, report: &Report) {
    let generator = &report.generator;
    let lag = &generator.schedule_lag_us;
    page.title("Generator");
    let mut usage = vec![format!("CPU {:.2} s", generator.cpu_s)];
    if report.sessions.started > 0 {
        let each = generator.cpu_s * 1000.0 / report.sessions.started as f64;
        usage.push(format!("{each:.2} s per 1000 sessions"));
    }
    usage.push(format!("memory at most {}", show_bytes(generator.rss_peak_bytes)));
    if lag.count > 0 {
        usage.push(format!(
            "schedule lag p50 {}, p99 {}, max {}",
            us(lag.p50),
            us(lag.p99),
            us(lag.max)
        ));
    }
    page.pieces("used", LABEL, usage);
    if generator.fell_behind {
        let skipped = (generator.skipped_starts > 0)
            .then(|| format!("{} starts were skipped", show_count(generator.skipped_starts)));
        let late = (lag.p99 > FELL_BEHIND_LAG_US)
            .then(|| format!("one start in a hundred came {} or more too late", us(lag.p99)));
        let what: Vec<String> = [skipped, late].into_iter().flatten().collect();
        let text = format!(
            "It fell behind its schedule: {}. Take the load, the latency and the uptime of this run as those of a \
             slower generator.",
            what.join(", and ")
        );
        page.labelled("health", LABEL, Role::Bad, &text);
    } else if lag.count > 0 {
        page.labelled("health", LABEL, Role::Good, "It kept its schedule.");
    }
    if !generator.errors.is_empty() {
        let pieces = generator
            .errors
            .iter()
            .map(|(name, count)| format!("{} × {}", tame(name), show_count(*count)));
        page.pieces("own errors", LABEL, pieces);
        page.labelled(
            "",
            LABEL,
            Role::Dim,
            "These are this machine's limits, not the gateway's doing.",
        );
    }
    if generator.lost.workers > 0 {
        let workers = match generator.lost.workers {
            1 => "A worker process".to_owned(),
            count => format!("{} worker processes", show_count(count)),
        };
        let text = format!(
            "{workers} went away with {} sessions that had not ended. What was counted up to then is in these \
             figures; the endings of those sessions are not.",
            show_count(generator.lost.sessions)
        );
        page.labelled("lost", LABEL, Role::Bad, &text);
    }
}

/// RFC 6455 7.4.1, the IANA registry, and what the dialects use above 4000.
fn close_name(code: u16) -> Option<&'static str> {
    Some(match code {
        1000 => "normal",
        1001 => "going away",
        1002 => "protocol error",
        1003 => "unsupported data",
        1005 => "no code",
        1006 => "no close frame",
        1007 => "bad payload",
        1008 => "policy",
        1009 => "too big",
        1011 => "server error",
        1012 => "service restart",
        1013 => "try again later",
        4000 => "tick timeout",
        4001 => "revoked or replaced",
        _ => return None,
    })
}

//! The summary on the terminal, made to be read.

use clw_core::histogram::Summary;
use clw_core::report::Report;
use clw_core::tally::{Pairings, UdpHeartbeats};
use clw_core::text::{Paint, Role, fold};
use clw_core::units::{show_bytes, show_count, show_duration};
use clw_core::verdict::Verdict;
use std::fmt::Write as _;
use std::time::Duration;

/// A verdict's cause and fix, a line each.
pub type Lines<'a> = &'a dyn Fn(Verdict) -> (&'a str, &'a str);

/// The whole summary.
pub fn render(report: &Report, asked: &str, lines: Lines<'_>, paint: Paint, width: usize) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = head(&mut out, report, asked, paint);
    let _ = endings(&mut out, report, lines, paint, width);
    let _ = latencies(&mut out, report, paint);
    let _ = session_life(&mut out, report, paint);
    let _ = generator(&mut out, report, paint);
    let _ = thresholds(&mut out, report, paint);
    let _ = next_steps(&mut out, report, paint);
    fold(&out, width)
}

type Written = std::fmt::Result;

fn heading(out: &mut String, paint: Paint, text: &str) -> Written {
    writeln!(out, "\n{}", paint.paint(Role::Heading, text))
}

fn head(out: &mut String, r: &Report, asked: &str, paint: Paint) -> Written {
    let version = r
        .target
        .server_version
        .as_ref()
        .map(|v| format!(" (server {v})"))
        .unwrap_or_default();
    writeln!(
        out,
        "{}{version}",
        paint.paint(Role::Heading, &format!("{} {}", r.target.dialect, r.target.url))
    )?;
    writeln!(out, "asked     {asked}")?;
    let cut = if r.interrupted {
        paint.paint(Role::Warn, ", cut short")
    } else {
        String::new()
    };
    writeln!(
        out,
        "ran       {} of {} sessions in {}{cut}, at most {} open at once",
        show_count(r.sessions.started),
        show_count(r.sessions.planned),
        show_duration(Duration::from_secs_f64(r.duration_s.max(0.0))),
        show_count(r.sessions.peak_open),
    )?;
    let uptime_role = if r.uptime_pct >= 99.9 {
        Role::Good
    } else {
        Role::Warn
    };
    writeln!(
        out,
        "uptime    {}   {}",
        paint.paint(uptime_role, &format!("{:>9} %", decimals(r.uptime_pct))),
        paint.paint(Role::Dim, "of the time that sessions were meant to be ready")
    )?;
    let error_role = if r.errors() == 0 { Role::Good } else { Role::Bad };
    writeln!(
        out,
        "errors    {}   {}",
        paint.paint(error_role, &format!("{:>9} %", decimals(r.error_rate_pct))),
        paint.paint(
            Role::Dim,
            &format!(
                "{} of {} sessions",
                show_count(r.errors()),
                show_count(r.sessions.started)
            )
        )
    )
}

/// As many decimals as say something.
fn decimals(pct: f64) -> String {
    let text = format!("{pct:.4}");
    let trimmed = text.trim_end_matches('0');
    if trimmed.ends_with('.') {
        format!("{trimmed}0")
    } else {
        trimmed.to_owned()
    }
}

fn endings(out: &mut String, r: &Report, lines: Lines<'_>, paint: Paint, width: usize) -> Written {
    heading(out, paint, "How sessions ended")?;
    ranked(out, &r.verdicts, r.sessions.started, lines, paint, width)?;
    if !r.drops.is_empty() {
        heading(out, paint, "Drops that a reconnect followed")?;
        ranked(out, &r.drops, r.sessions.started, lines, paint, width)?;
    }
    if !r.close_codes.is_empty() {
        let mut codes: Vec<_> = r.close_codes.iter().collect();
        codes.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        let shown: Vec<_> = codes
            .iter()
            .take(8)
            .map(|(c, n)| format!("{c} \u{d7} {}", show_count(**n)))
            .collect();
        writeln!(out, "  close codes: {}", shown.join(", "))?;
    }
    Ok(())
}

fn ranked(
    out: &mut String,
    counts: &std::collections::BTreeMap<String, u64>,
    started: u64,
    lines: Lines<'_>,
    paint: Paint,
    width: usize,
) -> Written {
    let mut ranked: Vec<_> = counts.iter().collect();
    ranked.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    if ranked.is_empty() {
        writeln!(out, "  none")?;
    }
    for (name, count) in ranked {
        let verdict = Verdict::from_name(name);
        let role = match verdict {
            Some(Verdict::Ok) => Role::Good,
            Some(v) if !v.is_error() => Role::Dim,
            _ => Role::Bad,
        };
        let share = *count as f64 * 100.0 / started.max(1) as f64;
        writeln!(
            out,
            "  {:>9}  {share:>6.2} %  {}",
            show_count(*count),
            paint.paint(role, name)
        )?;
        if let Some(verdict) = verdict.filter(|v| v.is_error()) {
            let (cause, fix) = lines(verdict);
            for (label, text) in [("why", cause), ("fix", fix)] {
                for (i, line) in wrap(text, width.saturating_sub(28).max(30)).iter().enumerate() {
                    let label = if i == 0 { label } else { "" };
                    writeln!(
                        out,
                        "                       {}",
                        paint.paint(Role::Dim, &format!("{label:<4} {line}"))
                    )?;
                }
            }
        }
    }
    Ok(())
}

fn latencies(out: &mut String, r: &Report, paint: Paint) -> Written {
    let l = &r.latency_us;
    let calls = l.rpc.iter().map(|(name, s)| (format!("call {name}"), *s));
    let rows: Vec<(String, Summary)> = [
        ("tcp connect", l.tcp_connect),
        ("tls", l.tls),
        ("upgrade", l.upgrade),
        ("challenge", l.challenge),
        ("auth", l.auth),
        ("ready", l.ready),
        ("ready, service", l.ready_service),
        ("ready again", r.reconnect.time_to_ready_us),
        ("heartbeat", r.heartbeat.rtt_us),
        ("heartbeat, UDP", r.heartbeat.udp_rtt_us),
    ]
    .map(|(name, s)| (name.to_owned(), s))
    .into_iter()
    .chain(calls)
    .filter(|(_, s)| s.count > 0)
    .collect();
    if rows.is_empty() {
        return Ok(());
    }
    heading(out, paint, "How long it took")?;
    let columns = ["p50", "p90", "p99", "p99.9", "max"];
    let head: String = columns
        .iter()
        .fold(String::new(), |line, c| format!("{line}{c:>10}"));
    writeln!(out, "{}", paint.paint(Role::Dim, &format!("  {:<16}{head}", "")))?;
    for (name, s) in rows {
        let name: String = name.chars().take(16).collect();
        write!(out, "  {name:<16}")?;
        for us in [s.p50, s.p90, s.p99, s.p999, s.max] {
            write!(out, "{:>10}", show_duration(Duration::from_micros(us)))?;
        }
        writeln!(out)?;
    }
    let note = "  \u{201c}ready\u{201d} counts from the scheduled start, \u{201c}service\u{201d} from the connect call.";
    writeln!(out, "{}", paint.paint(Role::Dim, note))
}

/// Devices: approvals and tokens.
fn devices(out: &mut String, r: &Report, paint: Paint) -> Written {
    let counts = r.pairing;
    if counts != Pairings::default() {
        let fallbacks = match counts.fallbacks {
            0 => String::new(),
            n => format!(", {} went on with another credential", show_count(n)),
        };
        writeln!(
            out,
            "  devices      {} told to wait for approval, {} approved, {} tokens issued{fallbacks}",
            show_count(counts.asked),
            show_count(counts.approved),
            show_count(counts.tokens)
        )?;
        if counts.unkept > 0 {
            let lost = format!(
                "{} writes to the credential store failed",
                show_count(counts.unkept)
            );
            writeln!(out, "               {}", paint.paint(Role::Warn, &lost))?;
        }
    }
    Ok(())
}

/// Heartbeats beside the stream.
fn datagrams(out: &mut String, udp: UdpHeartbeats, paint: Paint) -> Written {
    if udp.sent == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "  over UDP     {} sent, {} answered, {} lost",
        show_count(udp.sent),
        show_count(udp.answered),
        show_count(udp.lost)
    )?;
    if udp.one_way > 0 {
        let text = format!("one-way heartbeat loss \u{d7} {}", show_count(udp.one_way));
        let why = "pings went out, no pongs came back, the stream lived";
        writeln!(out, "  {}: {why}", paint.paint(Role::Bad, &text))?;
    }
    Ok(())
}

fn session_life(out: &mut String, r: &Report, paint: Paint) -> Written {
    let h = r.heartbeat.counts;
    let c = r.reconnect.counts;
    let refreshes = r.refresh.done + r.refresh.refused;
    let devices_seen = r.pairing.asked + r.pairing.tokens + r.sessions.helpers;
    let told = r.notifications.new + r.broadcasts_lost;
    if h.sent + c.attempts + refreshes + devices_seen + told == 0 && r.calls.is_empty() {
        return Ok(());
    }
    heading(out, paint, "While they were up")?;
    if h.sent > 0 {
        let role = if h.missed > 0 { Role::Bad } else { Role::Good };
        writeln!(
            out,
            "  heartbeats   {} sent, {} answered, {}",
            show_count(h.sent),
            show_count(h.answered),
            paint.paint(role, &format!("{} missed", show_count(h.missed)))
        )?;
    }
    datagrams(out, h.udp, paint)?;
    if c.attempts > 0 {
        writeln!(
            out,
            "  reconnects   {} tried, {} ready again",
            show_count(c.attempts),
            show_count(c.succeeded)
        )?;
    }
    if refreshes > 0 {
        writeln!(
            out,
            "  refreshes    {} done, {} refused",
            r.refresh.done, r.refresh.refused
        )?;
    }
    devices(out, r, paint)?;
    if r.sessions.helpers > 0 {
        writeln!(
            out,
            "  helpers      {} left before connect, which is no error",
            show_count(r.sessions.helpers)
        )?;
    }
    if r.notifications.new > 0 {
        writeln!(
            out,
            "  signals      {} told once, {} copies left out",
            show_count(r.notifications.new),
            show_count(r.notifications.duplicates)
        )?;
    }
    if r.broadcasts_lost > 0 {
        writeln!(
            out,
            "  broadcasts   {} lost (a jump in seq)",
            show_count(r.broadcasts_lost)
        )?;
    }
    for (method, errors) in &r.calls {
        writeln!(
            out,
            "  call {method}: {} answered with an error, {} not answered",
            show_count(errors.failed),
            show_count(errors.unanswered)
        )?;
    }
    Ok(())
}

fn generator(out: &mut String, r: &Report, paint: Paint) -> Written {
    let g = &r.generator;
    heading(out, paint, "This generator")?;
    let workers = if g.workers > 1 {
        format!(" in {} workers", g.workers)
    } else {
        String::new()
    };
    writeln!(
        out,
        "  {:.2} s of CPU{workers}, {} of memory, {} sent, {} received, starts late by {} (p99)",
        g.cpu_s,
        show_bytes(g.rss_peak_bytes),
        show_bytes(r.bytes.sent),
        show_bytes(r.bytes.received),
        show_duration(Duration::from_micros(g.schedule_lag_us.p99)),
    )?;
    if g.fell_behind {
        let text = "  It FELL BEHIND its schedule: these latencies are partly its own. Lower the rate, use --ramp, or \
                    more cores with --workers.";
        writeln!(out, "{}", paint.paint(Role::Bad, text))?;
    }
    if g.skipped_starts > 0 {
        let text = format!(
            "  {} starts were skipped: -c allows no more sessions at once. They are in no other figure.",
            show_count(g.skipped_starts)
        );
        writeln!(out, "{}", paint.paint(Role::Warn, &text))?;
    }
    for (name, count) in &g.errors {
        let text = format!("  {} \u{d7} {name}: {}", show_count(*count), errno_hint(name));
        writeln!(out, "{}", paint.paint(Role::Bad, &text))?;
    }
    for lost in &g.lost_workers {
        writeln!(
            out,
            "{}",
            paint.paint(Role::Bad, &format!("  a worker was lost: {lost}"))
        )?;
    }
    if g.lost_sessions > 0 {
        let text = format!(
            "  {} sessions went with it: their endings are not known",
            show_count(g.lost_sessions)
        );
        writeln!(out, "{}", paint.paint(Role::Bad, &text))?;
    }
    for warning in &r.warnings {
        writeln!(out, "{}", paint.paint(Role::Warn, &format!("  {warning}")))?;
    }
    Ok(())
}

/// What to do about an error of this machine.
pub(super) fn errno_hint(name: &str) -> &'static str {
    match name {
        "EMFILE" => "this process has no descriptors left; raise `ulimit -n`, or use more --workers",
        "ENFILE" => "the machine has no descriptors left; raise fs.file-max",
        "EADDRNOTAVAIL" => "no source port left; give more source addresses with --bind A-B",
        "ENOBUFS" | "ENOMEM" => "the kernel has no memory for sockets; use fewer sessions or more memory",
        _ => "this machine refused, not the gateway",
    }
}

fn thresholds(out: &mut String, r: &Report, paint: Paint) -> Written {
    if r.thresholds.is_empty() {
        return Ok(());
    }
    heading(out, paint, "Thresholds")?;
    for t in &r.thresholds {
        let (sign, role) = if t.passed {
            ("\u{2713}", Role::Good)
        } else {
            ("\u{2717}", Role::Bad)
        };
        writeln!(out, "  {} {:<28} {}", paint.paint(role, sign), t.expr, t.says)?;
    }
    Ok(())
}

fn next_steps(out: &mut String, r: &Report, paint: Paint) -> Written {
    let worst = r
        .verdicts
        .iter()
        .chain(&r.drops)
        .filter(|(name, _)| Verdict::from_name(name).is_some_and(Verdict::is_error))
        .max_by_key(|(_, count)| **count);
    if let Some((name, _)) = worst {
        heading(out, paint, "Next")?;
        if let Some(words) = r.samples.get(name).and_then(|s| s.first()) {
            for line in words {
                writeln!(out, "  seen: {line}")?;
            }
        }
        writeln!(
            out,
            "  clw-bench explain {name}   symptoms, causes, evidence, fixes"
        )?;
    }
    Ok(())
}

/// Breaks at spaces.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

//! What to do next: the few things that follow from this result.

use super::Page;
use crate::output::style::Role;
use clw_core::report::Report;
use clw_core::verdict::Verdict;

pub(super) fn write(page: &mut Page, report: &Report) {
    if !report.warnings.is_empty() {
        page.title("Note");
        for warning in &report.warnings {
            page.labelled("  !", 4, Role::Warn, &crate::output::words::tame(warning));
        }
    }
    page.title("Next");
    for advice in advise(report) {
        page.labelled("  →", 4, Role::Plain, &advice);
    }
}

/// First what makes the figures doubtful, then the most frequent error, then what to do with the result.
fn advise(report: &Report) -> Vec<String> {
    let mut all = Vec::new();
    generator(report, &mut all);
    let errors = report
        .ranked_verdicts()
        .into_iter()
        .find(|(verdict, _)| verdict.is_error());
    let drops = report
        .ranked_drops()
        .into_iter()
        .find(|(verdict, _)| verdict.is_error());
    if let Some((verdict, _)) = errors.or(drops) {
        if let Some(text) = remedy(verdict) {
            all.push(text.to_owned());
        }
        all.push(format!(
            "{verdict} is the most frequent error: `clw-bench explain {verdict}` has causes and evidence to look for, \
             `clw-bench reproduce {verdict}` shows it on this machine."
        ));
    }
    if report.sessions.started == 0 {
        all.push("No session was started: check the target with one first, `-c 1 -n 1`.".to_owned());
    } else if report.errors() == 0 && !report.generator.fell_behind {
        all.push(
            "Nothing failed: raise the load (-c, -r) until something gives, or set thresholds to keep it so."
                .to_owned(),
        );
    }
    all.push("Keep the result with `--json FILE`; `clw-bench compare BEFORE AFTER` then says what changed and whether it is more than noise.".to_owned());
    all
}

fn generator(report: &Report, all: &mut Vec<String>) {
    let generator = &report.generator;
    if generator.fell_behind {
        all.push(
            "The generator was too slow for this plan: lower -c or -r, lengthen --ramp, add --workers, or spread the \
             plan over machines with --shard; then run again before judging the gateway."
                .to_owned(),
        );
    }
    if generator.errors.contains_key("EMFILE") || generator.errors.contains_key("ENFILE") {
        all.push(
            "The generator ran out of file descriptors: raise `ulimit -n`, or add --workers.".to_owned(),
        );
    }
    if generator.errors.contains_key("EADDRNOTAVAIL") || generator.errors.contains_key("EADDRINUSE") {
        all.push(
            "The generator ran out of source ports: give it more addresses with --bind, or widen \
             net.ipv4.ip_local_port_range."
                .to_owned(),
        );
    }
    if generator.lost.workers > 0 {
        all.push("A worker died: look for the kernel's OOM killer (`dmesg`), and run again.".to_owned());
    }
}

/// What can be done about it with this tool, where that is something.
fn remedy(verdict: Verdict) -> Option<&'static str> {
    Some(match verdict {
        Verdict::ConnRefused => {
            "Nobody listens at the target: check the address and port, and that the gateway runs."
        }
        Verdict::ServerOverloaded => {
            "The gateway turns away more connections than it can greet at once: start them more slowly with --ramp or \
             --rate, and see from which rate on the 503s come."
        }
        Verdict::RateLimited => {
            "The gateway locks out an address after failed logins: put the credentials right, wait, then run again."
        }
        Verdict::AuthFailed => {
            "Check the credentials with one session first: `clw-bench -c 1 -n 1 --token-file FILE URL`."
        }
        Verdict::HeartbeatMiss => {
            "Sessions go quiet: compare --heartbeat-timeout with the longest tick gap above, and look at idle \
             time-outs of what is in between."
        }
        _ => return None,
    })
}

//! Needs against facts.

use super::facts::Facts;
use super::needs::{Needs, Reach};
use crate::plan::{BindRange, Workers};
use clw_core::units::{show_bytes, show_count};
use std::net::{IpAddr, Ipv4Addr};

/// Descriptors of a process that are no sessions: standard streams, outputs, the runtime's own, name resolution.
pub const RESERVED_DESCRIPTORS: u64 = 256;

/// Sessions of a source address up to which finding a free port is cheap. With 16 700 on an address (of some 28 000 ports)
/// the same load took 5.6 times the CPU, and the slowest hundredth of the sessions 5 s to connect.
pub const SESSIONS_PER_SOURCE: u64 = 8000;

/// Linux's usual number of local ports, for which [`SESSIONS_PER_SOURCE`] was found.
const USUAL_PORTS: u64 = 28_232;
/// What a session may take: 8 KiB of ours, and about as much of the kernel for the socket.
const BYTES_PER_SESSION: u64 = 16 * 1024;
/// What a process takes without sessions.
const BYTES_PER_PROCESS: u64 = 50 * 1024 * 1024;
/// More processes than this make no sense on one machine.
const MAX_WORKERS: u64 = 1024;
/// How long a closed connection keeps its port (TIME_WAIT), in seconds.
const TIME_WAIT_S: f64 = 60.0;

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The run can go on, with this in mind.
    Warning,
    /// The run would fail.
    Stop,
}

/// Something that stands in the way, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// What happened to what.
    pub problem: String,
    /// Which setting to change, exactly.
    pub fix: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {}", self.problem, self.fix)
    }
}

/// What the limits make of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// Worker processes to run.
    pub workers: u32,
    /// Processes that an embedded gateway needs to hold all sessions; 0 without one.
    pub gateway_workers: u32,
    /// Whether generator and embedded gateway fit into one process's descriptors.
    pub fits_one_process: bool,
    /// Source addresses to use; empty: the one that the route gives. Session `k` takes number `k` of them, in turn.
    pub sources: Vec<BindRange>,
    /// What stands in the way.
    pub findings: Vec<Finding>,
}

impl Assessment {
    /// Whether the run cannot succeed.
    pub fn stops(&self) -> bool {
        self.findings.iter().any(|f| f.level == Level::Stop)
    }

    /// The source address of session `number` of the whole plan; `None`: the one that the route gives.
    pub fn source_of(&self, number: u64) -> Option<IpAddr> {
        BindRange::nth_of(&self.sources, number)
    }
}

/// Compares what is needed with what was measured.
pub fn assess(needs: &Needs, facts: &Facts) -> Assessment {
    let mut findings = Vec::new();
    let each = facts.nofile_hard.saturating_sub(RESERVED_DESCRIPTORS);
    let demanded = if each == 0 {
        MAX_WORKERS + 1
    } else {
        needs.peak.div_ceil(each).max(1)
    };
    let workers = match needs.workers {
        Workers::Auto => demanded,
        Workers::Exactly(n) => u64::from(n),
    };
    let fitting = demanded.clamp(1, MAX_WORKERS);
    if workers < demanded || demanded > MAX_WORKERS {
        findings.push(descriptors(needs, facts, workers.clamp(1, MAX_WORKERS), demanded));
    }
    let workers = workers.clamp(1, MAX_WORKERS);
    let sources = sources(needs, facts, &mut findings);
    memory(needs, facts, workers, &mut findings);
    if needs.embedded
        && let Some(somaxconn) = facts.somaxconn
        && somaxconn < 1024
    {
        findings.push(Finding {
            level: Level::Warning,
            problem: format!(
                "the embedded gateway can have only {somaxconn} connections waiting to be accepted"
            ),
            fix: "set the sysctl net.core.somaxconn to 4096, or use --ramp".to_owned(),
        });
    }
    Assessment {
        workers: u32::try_from(workers).unwrap_or(u32::MAX),
        gateway_workers: if needs.embedded {
            u32::try_from(fitting).unwrap_or(u32::MAX)
        } else {
            0
        },
        fits_one_process: needs.peak.saturating_mul(if needs.embedded { 2 } else { 1 }) <= each,
        sources,
        findings,
    }
}

fn descriptors(needs: &Needs, facts: &Facts, workers: u64, demanded: u64) -> Finding {
    let wanted = needs.peak.div_ceil(workers) + RESERVED_DESCRIPTORS;
    let mut fix = format!(
        "raise the hard limit (`ulimit -Hn {wanted}` as root, or LimitNOFILE={wanted} in a systemd unit)"
    );
    if wanted > facts.nr_open {
        fix = format!("set the sysctl fs.nr_open to {wanted}, then {fix}");
    }
    if demanded <= MAX_WORKERS {
        fix = format!("give --workers {demanded} (or leave it out), or {fix}");
    }
    Finding {
        level: Level::Stop,
        problem: format!(
            "{} sessions at once in {} {} need {} descriptors each, and a process may have {} here",
            show_count(needs.peak),
            show_count(workers),
            if workers == 1 { "process" } else { "processes" },
            show_count(wanted),
            show_count(facts.nofile_hard),
        ),
        fix,
    }
}

fn sources(needs: &Needs, facts: &Facts, findings: &mut Vec<Finding>) -> Vec<BindRange> {
    let ports = facts.port_count();
    let comfortable = (SESSIONS_PER_SOURCE * ports.min(USUAL_PORTS) / USUAL_PORTS).max(1);
    if needs.binds.is_empty() && needs.reach == Reach::Loopback4 {
        let count = needs.peak.div_ceil(comfortable);
        if count <= 1 {
            return Vec::new();
        }
        let first = IpAddr::V4(Ipv4Addr::LOCALHOST);
        return u32::try_from(count)
            .ok()
            .and_then(|count| BindRange::new(first, count))
            .or_else(|| BindRange::new(first, 65_536))
            .into_iter()
            .collect();
    }
    let addresses: u64 = if needs.binds.is_empty() {
        1
    } else {
        needs.binds.iter().map(|b| u64::from(b.count())).sum()
    };
    let (owned, have) = if needs.binds.is_empty() {
        (
            "this machine's address".to_owned(),
            "only one source address is to be had".to_owned(),
        )
    } else {
        (
            format!("the addresses of --bind ({addresses})"),
            format!("--bind gives {addresses}"),
        )
    };
    let fix = |per_address: u64| {
        let wanted = needs.peak.div_ceil(per_address);
        let more = match needs.reach {
            Reach::Loopback6 => format!(
                "use 127.0.0.1 as the target, or add addresses (`ip addr add fd00::1/128 dev lo` …) and give {wanted} of \
                 them with --bind A-B"
            ),
            Reach::Loopback4 => format!(
                "give {wanted} addresses, such as --bind {}",
                loopback_range(wanted)
            ),
            Reach::Network => format!(
                "add addresses (`ip addr add ADDRESS dev IF`) and give {wanted} of them with --bind A-B, or spread the \
                 plan over machines with --shard I/{wanted}"
            ),
        };
        if ports < USUAL_PORTS {
            format!("{more}, or set the sysctl net.ipv4.ip_local_port_range to 32768 60999")
        } else {
            more
        }
    };
    let per_address = needs.peak.div_ceil(addresses.max(1));
    if per_address > ports {
        findings.push(Finding {
            level: Level::Stop,
            problem: format!(
                "{} sessions at once need more ports than {owned} can give ({} each): {have}",
                show_count(needs.peak),
                show_count(ports),
            ),
            fix: fix(comfortable),
        });
    } else if per_address > comfortable {
        findings.push(Finding {
            level: Level::Warning,
            problem: format!(
                "{} sessions on a source address: beyond about {} the search for a free port costs more CPU than \
                 everything else, and latencies are no longer the gateway's ({have})",
                show_count(per_address),
                show_count(comfortable),
            ),
            fix: fix(comfortable),
        });
    } else if needs.reach == Reach::Network
        && let Some(rate) = needs.rate
        && rate * TIME_WAIT_S > (ports * addresses) as f64
    {
        findings.push(Finding {
            level: Level::Warning,
            problem: format!(
                "{rate:.0} starts a second: a closed connection keeps its port for {TIME_WAIT_S:.0} s, and {owned} have \
                 {} ports in all",
                show_count(ports * addresses),
            ),
            fix: fix(comfortable),
        });
    }
    needs.binds.clone()
}

fn loopback_range(count: u64) -> String {
    u32::try_from(count)
        .ok()
        .and_then(|count| BindRange::new(Ipv4Addr::LOCALHOST.into(), count))
        .map_or_else(|| "127.0.0.1-127.0.255.254".to_owned(), |r| r.to_string())
}

fn memory(needs: &Needs, facts: &Facts, workers: u64, findings: &mut Vec<Finding>) {
    let Some(available) = facts.memory_available_bytes else {
        return;
    };
    let sides = if needs.embedded { 2 } else { 1 };
    let wanted = needs
        .peak
        .saturating_mul(BYTES_PER_SESSION)
        .saturating_add(workers * BYTES_PER_PROCESS)
        .saturating_mul(sides);
    if wanted > available {
        findings.push(Finding {
            level: Level::Warning,
            problem: format!(
                "{} sessions at once may take {}, and {} are free",
                show_count(needs.peak),
                show_bytes(wanted),
                show_bytes(available),
            ),
            fix: "run fewer sessions here (-c), or spread the plan over machines with --shard".to_owned(),
        });
    }
}

//! How long does the whole analysis of a capture take, and how much memory? Compared, in one run on the same files, with
//! `cat` and with `tcpdump -r FILE -w /dev/null`, which is what the system offers for passing over a capture once.
//!
//! `cargo bench -p clw-analyzer --bench whole [-- THOUSAND_PACKETS | --keep FOLDER | FILE...]`
//!
//! Without a file, captures are made up in the temporary folder (or in FOLDER, to stay there): a few long sessions, the same
//! ten times as long, whose memory must be the same, many short ones, twenty thousand of three times that length, and many that log in
//! and stay. Each round runs every program once, in turn, so that whatever else the machine does meets all of them; the
//! medians count. The file is in the page cache for all.

#![expect(clippy::expect_used, reason = "a benchmark may panic")]

mod sessions;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use sessions::Shape;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

const ROUNDS: usize = 7;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let first = arguments.next();
    let thousands = match first.as_deref().map(str::parse::<u64>) {
        None => Some(1000),
        Some(Ok(thousands)) => Some(thousands),
        Some(Err(_)) => None,
    };
    match (thousands, first.as_deref()) {
        (Some(thousands), _) => {
            let folder = tempfile::tempdir().expect("a temporary folder");
            for shape in shapes(thousands) {
                let path = folder.path().join(shape.name);
                sessions::write(&path, shape).expect("room in the temporary folder");
                compare(&path);
                std::fs::remove_file(&path).expect("the file written before");
            }
        }
        (None, Some("--keep")) => {
            let folder = PathBuf::from(arguments.next().expect("a folder after --keep"));
            for shape in shapes(1000) {
                sessions::write(&folder.join(shape.name), shape).expect("room in the folder");
            }
        }
        (None, first) => {
            for file in first.map(str::to_owned).into_iter().chain(arguments) {
                compare(Path::new(&file));
            }
        }
    }
}

fn shapes(thousands: u64) -> [Shape; 5] {
    let long = Shape {
        name: "long.pcap",
        packets: thousands * 1000,
        open: 200,
        exchanges: None,
    };
    let longer = Shape {
        name: "longer.pcap",
        packets: long.packets * 10,
        ..long
    };
    let short = Shape {
        name: "short.pcap",
        open: 500,
        exchanges: Some(10),
        ..long
    };
    let usual = Shape {
        name: "thousands.pcap",
        packets: long.packets * 3,
        open: 500,
        exchanges: Some(42),
    };
    let idle = Shape {
        name: "idle.pcap",
        open: 50_000,
        ..long
    };
    [long, longer, short, usual, idle]
}

/// What a program took.
#[derive(Clone, Copy)]
struct Cost {
    wall_s: f64,
    cpu_s: f64,
}

fn compare(path: &Path) {
    let analyze = env!("CARGO_BIN_EXE_clw-analyze");
    let file = path.to_str().expect("a path in UTF-8");
    let programs: [(&str, Vec<&str>); 4] = [
        ("cat", vec!["cat", file]),
        (
            "tcpdump -w /dev/null",
            vec!["tcpdump", "-r", file, "-w", "/dev/null"],
        ),
        ("clw-analyze", vec![analyze, file]),
        ("clw-analyze, one core", vec!["taskset", "-c", "0", analyze, file]),
    ];
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); programs.len()];
    for _ in 0..ROUNDS {
        for ((_, command), costs) in programs.iter().zip(&mut costs) {
            costs.extend(run(command));
        }
    }
    let bytes = std::fs::metadata(path).expect("the file").len();
    println!("{file}: {} MB", bytes / 1_000_000);
    let tcpdump = costs.get(1).and_then(|costs| median(costs));
    for ((name, _), costs) in programs.iter().zip(&costs) {
        let (Some(cost), Some(tcpdump)) = (median(costs).filter(|_| costs.len() == ROUNDS), tcpdump) else {
            println!("  {name:22} failed; are tcpdump and taskset installed, and the file a capture?");
            continue;
        };
        println!(
            "  {name:22} {:6.3} s  {:5.2} × tcpdump   CPU {:6.3} s  {:5.2} × tcpdump   {:5.2} GB/s",
            cost.wall_s,
            cost.wall_s / tcpdump.wall_s,
            cost.cpu_s,
            cost.cpu_s / tcpdump.cpu_s,
            bytes as f64 / cost.wall_s / 1e9,
        );
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("always there");
    println!(
        "  memory of the largest program so far: {:.1} MiB",
        usage.max_rss() as f64 / 1024.0
    );
}

fn run(command: &[&str]) -> Option<Cost> {
    let (program, arguments) = command.split_first()?;
    let (cpu, start) = (children_cpu_s(), Instant::now());
    let status = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .ok()?;
    status.success().then(|| Cost {
        wall_s: start.elapsed().as_secs_f64(),
        cpu_s: children_cpu_s() - cpu,
    })
}

/// User and system time of all children that have ended.
fn children_cpu_s() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("always there");
    (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6
}

fn median(costs: &[Cost]) -> Option<Cost> {
    let middle = |of: fn(&Cost) -> f64| {
        let mut sorted: Vec<f64> = costs.iter().map(of).collect();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    };
    Some(Cost {
        wall_s: middle(|cost| cost.wall_s)?,
        cpu_s: middle(|cost| cost.cpu_s)?,
    })
}

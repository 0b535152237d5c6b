//! Examples, completions and the man page.

use super::Args;
use super::flags::Generate;
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::io;

pub(super) const AFTER_LONG_HELP: &str = "\
Examples:
  Ten thousand sessions, 500 at once, against the embedded gateway:
    clw-bench -c 500 -n 10000
  A thousand sessions kept up for ten minutes, reached within a minute, with reconnects:
    clw-bench -c 1000 -d 10m --ramp 1m --reconnect on --token-file token.txt ws://127.0.0.1:18789
  Fifty new sessions a second for a minute, each held for ten seconds:
    clw-bench -r 50 -d 1m --hold 10s --token-file token.txt ws://127.0.0.1:18789
  Device identities, a call every five seconds, a threshold:
    clw-bench -c 100 -d 5m --identity ed25519 --call health=5s --threshold 'ready_p99<500ms'
  A bad network, no root needed:
    clw-bench -c 1000 -n 1000 --hold 30s --impair delay=500ms,loss=1% --reconnect on
  A page to send to somebody, and figures for Prometheus while it runs:
    clw-bench -c 1000 -d 10m --html run.html --prometheus :9464
  What would run, without running it:
    clw-bench --scenario scenarios/mixed.toml --dry-run
  Two machines share a plan; their results are joined exactly:
    clw-bench -c 20000 -d 10m --shard 0/2 --json a.json wss://gw.internal
    clw-bench -c 20000 -d 10m --shard 1/2 --json b.json wss://gw.internal
    clw-bench merge a.json b.json --json both.json

Exit codes:
  0    done, and every threshold held
  1    failed at run time (target unreachable …)
  2    usage
  99   a threshold was crossed
  130  interrupted; the result so far is written

Durations: 250ms, 1.5s, 2m, 1h; a bare number is seconds.";

/// Prints completions or the man page.
pub fn generate(what: Generate, out: &mut dyn io::Write) -> io::Result<()> {
    let mut command = Args::command();
    let shell = match what {
        Generate::Man => return clap_mangen::Man::new(command).render(out),
        Generate::CompletionsBash => Shell::Bash,
        Generate::CompletionsElvish => Shell::Elvish,
        Generate::CompletionsFish => Shell::Fish,
        Generate::CompletionsPowershell => Shell::PowerShell,
        Generate::CompletionsZsh => Shell::Zsh,
    };
    // Into memory first: the generator panics when its writer fails, and a closed pipe is no error.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, "clw-bench", &mut text);
    out.write_all(&text)
}

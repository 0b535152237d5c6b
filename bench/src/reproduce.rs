//! `clw-bench reproduce`: causes a verdict on the embedded gateway and shows that it comes out, on both sides.

use crate::args::{Args, ReproduceArgs};
use crate::captured;
use crate::commands::Ended;
use crate::exit::Exit;
use crate::output::file;
use crate::plan::{Destination, Environment, Plan, args_to_plan};
use crate::run::{self, Outcome, Twist};
use clap::Parser as _;
use clw_core::Dialect;
use clw_core::secret::Secret;
use clw_core::text::{Paint, Role};
use clw_core::threshold::distance;
use clw_core::verdict::{Verdict, entry};
use clw_gateway::fault::{ClientSetup, Setup, fault_for, reproducible};
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;

/// Dialects whose gateway is embedded.
const DIALECTS: [Dialect; 3] = [Dialect::Openclaw, Dialect::Clw, Dialect::Clawchat];
/// Sessions run for one reproduction.
const SESSIONS: u64 = 6;

pub(crate) fn reproduce(args: &ReproduceArgs) -> Ended {
    let Some(name) = args.verdict.as_deref().filter(|_| !args.list) else {
        let mut text = String::new();
        for dialect in DIALECTS {
            for verdict in reproducible(dialect) {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{dialect} {verdict}");
            }
        }
        file::print(&text).map_err(|e| (Exit::Failed, e.to_string()))?;
        return Ok(Exit::Done);
    };
    let verdict = find(name)?;
    if let Some(to) = &args.capture {
        return captured::reproduce(args, to);
    }
    let dialect = args.dialect.map_or(Dialect::Openclaw, Dialect::from);
    let Some(setup) = fault_for(verdict, dialect) else {
        let why = match verdict {
            Verdict::Incomplete => {
                "only a capture can be incomplete: a client sees everything of its own session"
            }
            Verdict::InjectedReset => "a client's socket cannot tell who sent a RST: only a capture can",
            _ => "this release's gateway cannot cause it on that dialect",
        };
        return Err((
            Exit::Usage,
            format!("{verdict} cannot be reproduced with dialect {dialect}: {why}"),
        ));
    };
    let (mut plan, twist) = plan_for(verdict, dialect, &setup, args.seed).map_err(|e| (Exit::Failed, e))?;
    plan.outputs.journal = args.journal.clone().map(Destination::File);
    let outcome = run::run_plan(plan, twist).map_err(|e| (e.exit(), e.to_string()))?;
    let came_out = came_out(verdict, &outcome);
    if let Some(to) = &args.json {
        let value = json!({
            "schema": "clw.reproduce/1",
            "verdict": verdict.name(),
            "dialect": dialect.name(),
            "client": outcome.report.verdicts,
            "gateway": outcome.gateway.as_ref().map(|g| &g.verdicts),
            "evidence": outcome.report.samples,
            "reproduced": came_out,
        });
        file::write_whole(Path::new(to), &format!("{value:#}\n"))
            .map_err(|e| (Exit::Failed, e.to_string()))?;
    }
    if args.json.as_deref() != Some("-") {
        let text = show(
            verdict,
            &setup,
            &outcome,
            came_out,
            Paint::new(args.color.is_wanted(&std::io::stdout())),
        );
        file::print(&text).map_err(|e| (Exit::Failed, e.to_string()))?;
    }
    Ok(if came_out { Exit::Done } else { Exit::Failed })
}

fn find(name: &str) -> Result<Verdict, (Exit, String)> {
    Verdict::from_name(name)
        .or_else(|| Verdict::from_name(&format!("clw-{name}")))
        .ok_or_else(|| {
            let near = Verdict::ALL
                .iter()
                .map(|v| (distance(v.name(), name), v.name()))
                .min();
            let near = near
                .filter(|(d, _)| *d <= 4)
                .map(|(_, n)| format!(" (did you mean `{n}`?)"));
            let message = format!(
                "`{name}` is no verdict{}; `clw-bench reproduce --list` lists them",
                near.unwrap_or_default()
            );
            (Exit::Usage, message)
        })
}

/// The run that causes it.
fn plan_for(verdict: Verdict, dialect: Dialect, setup: &Setup, seed: u64) -> Result<(Plan, Twist), String> {
    let sessions = SESSIONS.to_string();
    let seed = seed.to_string();
    let mut line = vec!["clw-bench", "-c", &sessions, "-n", &sessions, "--seed", &seed];
    line.extend(["--dialect", dialect.name()]);
    if !setup.faults.is_empty() {
        line.extend(["--fault", verdict.name()]);
    }
    let (extra, twist): (&[&str], _) = match setup.client {
        ClientSetup::Plain | ClientSetup::WrongToken => (&["--hold", "1s"], Twist::None),
        ClientSetup::WithCall if dialect == Dialect::Clawchat => {
            (&["--hold", "2s", "--call", "message.send=100ms"], Twist::None)
        }
        ClientSetup::WithCall => (&["--hold", "2s", "--call", "health=100ms"], Twist::None),
        ClientSetup::QuickHeartbeat => (
            &[
                "--hold",
                "5s",
                "--heartbeat",
                "200ms",
                "--heartbeat-timeout",
                "300ms",
            ],
            Twist::None,
        ),
        ClientSetup::Tls => (&["--hold", "1s"], Twist::Tls),
        ClientSetup::LeftOpen => (&["--hold", "1h"], Twist::Leave),
        ClientSetup::ShortTimeout => (&["--timeout", "500ms"], Twist::None),
    };
    line.extend(extra);
    let args = Args::try_parse_from(line).map_err(|e| e.to_string())?;
    let mut plan = args_to_plan(&args, &Environment::default()).map_err(|e| e.to_string())?;
    plan.tls.insecure = setup.client == ClientSetup::Tls;
    if setup.client == ClientSetup::WrongToken {
        plan.embedded_token = Secret::new("not the one that the sessions have");
    }
    Ok((plan, twist))
}

/// Exactly that verdict, for every session, and nothing else seen by the gateway.
fn came_out(verdict: Verdict, outcome: &Outcome) -> bool {
    let client = &outcome.report.verdicts;
    let only = client.len() == 1 && client.get(verdict.name()) == Some(&SESSIONS);
    // A client that just leaves has not ended anything; the gateway sees its sockets go.
    let gateway = outcome
        .gateway
        .as_ref()
        .is_none_or(|g| g.verdicts.keys().all(|v| v == verdict.name()));
    only && (gateway || verdict == Verdict::Open)
}

fn show(verdict: Verdict, setup: &Setup, outcome: &Outcome, came_out: bool, paint: Paint) -> String {
    let entry = entry(verdict);
    let mut out = String::new();
    let list = |counts: &std::collections::BTreeMap<String, u64>| {
        let shown: Vec<_> = counts.iter().map(|(v, n)| format!("{n} \u{d7} {v}")).collect();
        if shown.is_empty() {
            "nothing".to_owned()
        } else {
            shown.join(", ")
        }
    };
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{}",
        paint.paint(Role::Heading, &format!("{verdict}: {}", entry.title))
    );
    let what: Vec<_> = setup
        .faults
        .iter()
        .map(|f| format!("{:?} at {:?}", f.kind, f.moment))
        .collect();
    let what = if what.is_empty() {
        "none".to_owned()
    } else {
        what.join(", ")
    };
    let _ = writeln!(out, "fault     {what}; the client: {:?}", setup.client);
    let (sign, role) = if came_out {
        ("\u{2713}", Role::Good)
    } else {
        ("\u{2717}", Role::Bad)
    };
    let _ = writeln!(
        out,
        "client    {} {}",
        paint.paint(role, sign),
        list(&outcome.report.verdicts)
    );
    if let Some(gateway) = &outcome.gateway {
        let _ = writeln!(
            out,
            "gateway   {} {}",
            paint.paint(role, sign),
            list(&gateway.verdicts)
        );
    }
    for words in outcome.report.samples.values().filter_map(|s| s.first()) {
        for line in words {
            let _ = writeln!(out, "seen      {line}");
        }
    }
    let _ = writeln!(
        out,
        "why       {}\nfix       {}",
        entry.cause_line, entry.fix_line
    );
    if !came_out {
        let _ = writeln!(
            out,
            "{}",
            paint.paint(Role::Bad, "It did not come out as it should.")
        );
    }
    out
}

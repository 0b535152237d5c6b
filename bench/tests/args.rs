//! The command line: what parses, what it means, and what every wrong call is told.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

mod support;

use clap::{CommandFactory as _, Parser as _};
use clw_bench::args::{Args, Generate, Subcommand, generate};
use clw_bench::plan::{
    Environment, Hold, IdentityKind, Plan, Role, TargetPlan, WirePlan, Workers, args_to_plan, describe,
};
use clw_core::Dialect;
use clw_core::pacing::{Amount, Load, Shard};
use clw_core::secret::Secret;
use std::time::Duration;
use support::{args, plan, refusal, refusal_in, secs};

#[test]
fn the_command_is_sound() {
    Args::command().debug_assert();
}

#[test]
fn no_flag_lacks_a_heading() {
    let command = Args::command();
    for argument in command.get_arguments() {
        assert!(
            argument.get_help_heading().is_some(),
            "{} has no heading",
            argument.get_id()
        );
    }
    for sub in command.get_subcommands() {
        for argument in sub.get_arguments().filter(|a| !a.is_positional()) {
            if !sub.is_hide_set() {
                assert!(
                    argument.get_help_heading().is_some(),
                    "{} {}",
                    sub.get_name(),
                    argument.get_id()
                );
            }
        }
    }
}

#[test]
fn help_shows_the_headings_and_examples_and_no_worker() {
    let help = Args::command().render_long_help().to_string();
    for part in [
        "Target:",
        "Load:",
        "Sessions:",
        "Identity:",
        "Network:",
        "Resilience:",
        "Output:",
        "Distributed:",
        "General:",
        "clw-bench -c 500 -n 10000",
        "Exit codes:",
        "CLW_TOKEN",
    ] {
        assert!(help.contains(part), "{part}");
    }
    assert!(!help.contains("worker  "), "{help}");
}

#[test]
fn every_flag_of_the_contract_parses() {
    args(
        "-c 5 -n 10 --ramp 1s --hold 2s --dialect openclaw --password p --role node --identity ed25519 --seed 4 \
         --heartbeat 5s --heartbeat-timeout 1s --timeout 3s --reconnect on --retries 5 --backoff 1s --backoff-max 9s \
         --scenario s.toml --bind 127.0.0.1-127.0.0.9 --impair delay=5ms --threshold uptime>=99.9% --threshold a<1 \
         --json - --hdr h --csv c --journal j --telemetry :9000 --keylog k --shard 0/2 --allow-remote \
         --workers 3 --insecure --tls-ca ca --drain 3s --arrivals poisson --no-refresh --client-version 1 --wire 2.1 \
         --scopes a,b --client-id x --client-mode y --device-token z --dry-run --call health=5s --user-agent u \
         --fault rst:5% --color never -v ws://127.0.0.1:1",
    );
    args("-d 5s -r 3 --token t --token-file f --credentials g -q");
}

#[test]
fn subcommands_and_a_run_live_side_by_side() {
    let command = |line| args(line).command.unwrap();
    assert!(matches!(command("explain clw-heartbeat-miss"), Subcommand::Explain(a) if a.topic.is_some()));
    assert!(
        matches!(command("reproduce clw-auth-failed --dialect clw --json -"), Subcommand::Reproduce(a) if a.json.as_deref() == Some("-"))
    );
    assert!(matches!(command("compare a.json b.json"), Subcommand::Compare(_)));
    assert!(matches!(command("merge a.json b.json --json c"), Subcommand::Merge(a) if a.files.len() == 2));
    assert!(matches!(command("worker"), Subcommand::Worker(_)));
    assert!(args("ws://127.0.0.1").command.is_none());
    assert!(refusal("merge").contains("FILES"));
}

#[test]
fn the_classic_call_runs_ten_thousand_against_the_embedded_gateway() {
    let plan = plan("-c 500 -n 10000");
    assert_eq!(plan.target, TargetPlan::Embedded);
    let load = Load::Closed {
        sessions: 500,
        amount: Amount::Total(10_000),
        ramp: Duration::ZERO,
    };
    assert_eq!(plan.load, load);
    let mix = plan.mix_of(0);
    assert_eq!(mix.hold, Hold::For(Duration::ZERO));
    assert_eq!(mix.timeout, secs(15));
    assert_eq!(mix.heartbeat, Some(secs(25)));
    assert_eq!(mix.heartbeat_timeout, secs(10));
    assert_eq!(plan.workers, Workers::Auto);
    assert!(!plan.reconnect.enabled);
    // The sessions show the token that the gateway accepts.
    assert_eq!(
        plan.session(3).credential.token.as_ref(),
        Some(&plan.embedded_token)
    );
    assert!(plan.notes.is_empty(), "{:?}", plan.notes);
}

#[test]
fn defaults_fill_what_is_not_said() {
    let closed = |line: &str| match plan(line).load {
        Load::Closed { sessions, amount, .. } => (sessions, amount),
        other => panic!("{other:?}"),
    };
    assert_eq!(closed(""), (10, Amount::Total(100)));
    assert_eq!(closed("-c 50"), (50, Amount::Total(500)));
    assert_eq!(closed("-n 3"), (3, Amount::Total(3)));
    assert_eq!(closed("-d 9s"), (10, Amount::For(secs(9))));
    let noted = plan("-c 50 -n 20");
    assert!(
        noted.notes[0].contains("at most 20 sessions"),
        "{:?}",
        noted.notes
    );
    assert_eq!(plan("-c 5 -d 9s").mix_of(0).hold, Hold::UntilEnd);
    assert_eq!(plan("-r 5 -d 9s").mix_of(0).hold, Hold::For(Duration::ZERO));
    assert_eq!(plan("-c 5 -d 9s --hold 1s").mix_of(0).hold, Hold::For(secs(1)));
}

#[test]
fn the_clw_dialect_has_its_own_defaults() {
    let plan = plan("--dialect clw ws://127.0.0.1");
    let mix = plan.mix_of(0);
    assert_eq!(mix.dialect, Dialect::Clw);
    assert_eq!(mix.timeout, secs(5));
    assert_eq!(mix.heartbeat, Some(secs(2)));
    assert_eq!(mix.heartbeat_timeout, secs(3));
    assert_eq!(mix.client_version, "2.2.0");
    assert!(mix.refresh);
    let TargetPlan::At(target) = &plan.target else {
        panic!()
    };
    assert_eq!(target.url(), "ws://127.0.0.1:4433/clw/auth");
    let old = plan_of_clw("--wire 2.1 --no-refresh --heartbeat off");
    assert_eq!(old.mix_of(0).client_version, "2.1.4");
    assert!(!old.mix_of(0).refresh);
    assert_eq!(old.mix_of(0).heartbeat, None);
}

fn plan_of_clw(line: &str) -> Plan {
    plan(&format!("--dialect clw {line}"))
}

#[test]
fn roles_bring_their_clients_and_nodes_their_devices() {
    let operators = plan("--scopes operator.read,operator.write");
    let session = operators.session(0);
    assert_eq!(
        (session.role, session.client_id, session.client_mode),
        (Role::Operator, "gateway-client", "backend")
    );
    assert_eq!(session.scopes.len(), 2);
    assert!(!session.has_device());
    let nodes = plan("--role node --seed 5");
    let session = nodes.session(7);
    assert_eq!((session.client_id, session.client_mode), ("node-host", "node"));
    assert!(session.scopes.is_empty());
    assert_eq!(session.mix.settings(Role::Node).identity, IdentityKind::Ed25519);
    let id = |plan: &Plan, k| plan.session(k).identity().unwrap().device_id;
    assert_eq!(id(&nodes, 7), id(&plan("--role node --seed 5"), 7));
    assert_ne!(id(&nodes, 7), id(&nodes, 8));
    assert_ne!(id(&nodes, 7), id(&plan("--role node --seed 6"), 7));
}

#[test]
fn calls_read_period_and_parameters() {
    let plan = plan(r#"--call health=5s --call status --call probe=1m:{"a":"b=c:d"} --call raw:{"x":1}"#);
    let calls = &plan.mix_of(0).calls;
    assert_eq!(calls[0].every, Some(secs(5)));
    assert_eq!((calls[1].every, calls[1].params.as_str()), (None, "{}"));
    assert_eq!(calls[2].params, r#"{"a":"b=c:d"}"#);
    assert_eq!(
        (calls[3].method.as_str(), calls[3].params.as_str()),
        ("raw", r#"{"x":1}"#)
    );
    assert_eq!(plan.call_names, ["health", "status", "probe", "raw"]);
}

#[test]
fn wrong_flags_are_told_the_flag_and_what_is_accepted() {
    for (line, parts) in [
        ("-c 0", &["--sessions 0", "1 to 10 000 000"][..]),
        ("-n 0", &["--total 0", "1 to 1 000 000 000"]),
        ("-r 0 -n 1", &["--rate 0", "above 0"]),
        ("-r nan -n 1", &["--rate NaN", "above 0"]),
        ("-r -1 -n 1", &["-1"]),
        ("-d 0", &["--duration 0s", "above 0"]),
        ("-d 1x", &["--duration", "a duration such as 250ms"]),
        ("--ramp 400d", &["--ramp", "up to a year"]),
        ("-c x", &["--sessions", "invalid"]),
        ("-r 5", &["--rate needs --total N or --duration T"]),
        ("-r 5 -c 5 -n 5", &["--rate and --sessions exclude each other"]),
        ("-n 5 -d 5s", &["--total and --duration exclude each other"]),
        ("--arrivals poisson", &["--arrivals needs --rate"]),
        ("--timeout 0", &["--timeout 0s", "1ms to 24h"]),
        ("--heartbeat 1ms", &["--heartbeat 0.001s", "10ms to 24h, or off"]),
        ("--heartbeat never", &["--heartbeat", "or `off`"]),
        ("--heartbeat-timeout 0", &["--heartbeat-timeout", "1ms to 24h"]),
        ("--hold 400d", &["--hold", "up to a year"]),
        ("--drain 2h", &["--drain 7200s", "0 to 1h"]),
        ("--call =5s", &["--call", "METHOD[=PERIOD][:PARAMS]"]),
        ("--call a=0", &["--call", "the period is 0"]),
        ("--call a=x", &["--call", "a duration such as"]),
        ("--call a:[1]", &["--call", "not a JSON object"]),
        ("--retries 5", &["--retries needs --reconnect on"]),
        ("--backoff 1s", &["--backoff needs --reconnect on"]),
        ("--reconnect on --retries 0", &["--retries 0", "1 to 1 000 000"]),
        ("--reconnect on --backoff 2h", &["--backoff 7200s", "0 to 1h"]),
        (
            "--reconnect on --backoff 9s --backoff-max 3s",
            &["--backoff-max 3s", "at least --backoff"],
        ),
        ("--reconnect maybe", &["--reconnect", "maybe"]),
        ("--workers 0", &["--workers 0", "1 to 1024"]),
        ("--shard 2/2", &["--shard", "0/N to N-1/N"]),
        ("--bind x", &["--bind", "a range such as"]),
        ("--impair delay=2h", &["--impair", "from 0 to 60s"]),
        (
            "--json - --csv -",
            &["--json and --csv exclude each other", "standard output"],
        ),
        ("--json=", &["--json", "accepted is a path"]),
        ("--insecure", &["--insecure needs a wss:// URL"]),
        ("--keylog k ws://127.0.0.1", &["--keylog needs a wss:// URL"]),
        (
            "--pin-sha256 12 wss://127.0.0.1",
            &["--pin-sha256", "64 hex digits"],
        ),
        ("http://127.0.0.1", &["`http`", "ws:// and wss://"]),
        ("ws://8.8.8.8", &["8.8.8.8", "--allow-remote"]),
        (
            "--fault rst ws://127.0.0.1",
            &["--fault and URL exclude each other"],
        ),
        ("--dialect clw --role node", &["--role is for --dialect openclaw"]),
        ("--dialect clw --call a", &["--call is for --dialect openclaw"]),
        ("--wire 2.1", &["--wire is for --dialect clw"]),
        ("--resume off", &["--resume is for --dialect clw"]),
        ("--udp-heartbeat on", &["--udp-heartbeat is for --dialect clw"]),
        (
            "--dialect clw --udp-heartbeat on --impair loss=1%",
            &["--udp-heartbeat on and --impair exclude each other", "netem"],
        ),
        ("--tcp-keepalive 0s", &["--tcp-keepalive 0s: accepted is 1s to"]),
        ("--tcp-keepalive soon", &["--tcp-keepalive", "or `off`"]),
        ("--token-command x", &["--token-command needs a URL"]),
        (
            "--token-command x --token y ws://127.0.0.1",
            &["--token and --token-command exclude each other"],
        ),
        (
            "--dialect clawchat --token-command x ws://127.0.0.1",
            &["--token-command is for --dialect openclaw or clw"],
        ),
        (
            "--gateway --mode=open ws://127.0.0.1",
            &["--gateway and URL exclude each other"],
        ),
        ("--no-refresh", &["--no-refresh is for --dialect clw"]),
        ("--dialect http", &["--dialect", "openclaw, clw, clawchat"]),
        ("--plugin hermes", &["--plugin is for --dialect clawchat"]),
        (
            "--dialect clw --call health",
            &["--call is for --dialect openclaw or clawchat"],
        ),
        (
            "--token a --token-file b",
            &["--token and --token-file exclude each other"],
        ),
        (
            "--token a --credentials b",
            &["--token and --credentials exclude each other"],
        ),
        (
            "--token-file /nonexistent/t",
            &["--token-file", "cannot read /nonexistent/t"],
        ),
        (
            "--credentials /nonexistent/c",
            &["--credentials", "cannot read /nonexistent/c"],
        ),
        (
            "--scenario /nonexistent/s",
            &["--scenario", "cannot read /nonexistent/s"],
        ),
        ("--seed -1", &["-1"]),
        ("--seed 99999999999999999", &["--seed", "0 to 9007199254740991"]),
        ("--tui --json -", &["--json and --tui exclude each other"]),
        ("--html - --json -", &["--json and --html exclude each other"]),
        ("--prometheus 9464", &["--prometheus", "127.0.0.1:9464"]),
        ("--prometheus localhost:http", &["--prometheus", "127.0.0.1:9464"]),
        ("--otlp collector:4318", &["--otlp", "http://HOST[:PORT]"]),
        (
            "--otlp http://u:p@collector",
            &["--otlp", "OTEL_EXPORTER_OTLP_HEADERS"],
        ),
        ("-q -v", &["--quiet", "--verbose"]),
    ] {
        let message = refusal(line);
        for part in parts {
            assert!(message.contains(part), "{line}: {message}");
        }
    }
}

#[test]
fn insecure_and_a_pin_exclude_each_other() {
    let pin = "ab".repeat(32);
    let message = refusal(&format!("--insecure --pin-sha256 {pin} wss://127.0.0.1"));
    assert!(
        message.contains("--insecure and --pin-sha256 exclude each other"),
        "{message}"
    );
    assert_eq!(
        plan(&format!("--pin-sha256 {pin} wss://127.0.0.1"))
            .tls
            .pins
            .len(),
        1
    );
}

#[test]
fn allow_remote_lets_a_public_address_through() {
    assert!(plan("--allow-remote ws://8.8.8.8").allow_remote);
    // A name is checked when it is resolved.
    plan("ws://gateway.example");
}

#[test]
fn the_token_comes_from_flags_then_from_the_environment() {
    let environment = Environment {
        token: Some(Secret::new("from-env")),
        ..Environment::default()
    };
    let token = |line| {
        let plan = args_to_plan(&args(line), &environment).unwrap();
        plan.session(0)
            .credential
            .token
            .as_ref()
            .unwrap()
            .expose()
            .to_owned()
    };
    assert_eq!(token("ws://127.0.0.1"), "from-env");
    assert_eq!(token("--token typed ws://127.0.0.1"), "typed");
    // The environment's token is for a real gateway, not for the embedded one.
    assert!(token("").starts_with("embedded-"));
    let typed = plan("--token typed");
    assert_eq!(typed.embedded_token.expose(), "typed");
    assert!(plan("ws://127.0.0.1").notes[0].contains("CLW_TOKEN"));
}

#[test]
fn a_collector_gets_the_headers_of_the_environment_and_nobody_else_sees_them() {
    let environment = Environment {
        otlp_headers: Some(Secret::new("authorization=Bearer%20s3cret")),
        ..Environment::default()
    };
    let plan = args_to_plan(&args("--otlp https://collector.example:4318"), &environment).unwrap();
    let shown = format!("{} {plan:?}", serde_json::to_string(&plan).unwrap());
    assert!(!shown.contains("s3cret"), "{shown}");
    let to = plan.outputs.otlp.unwrap();
    assert_eq!(to.headers[0].1.expose(), "Bearer s3cret");
    assert_eq!(to.to_string(), "https://collector.example:4318/v1/metrics");
    let wrong = Environment {
        otlp_headers: Some(Secret::new("s3cret")),
        ..Environment::default()
    };
    let says = refusal_in("--otlp http://c", &wrong);
    assert!(says.contains("header 1") && !says.contains("s3cret"), "{says}");
    // Without --otlp they are nobody's business.
    assert!(args_to_plan(&args(""), &wrong).is_ok());
}

#[test]
fn addresses_to_be_scraped_are_of_this_machine_unless_another_is_named() {
    let listens = |line: &str| plan(line).outputs.prometheus.unwrap().to_string();
    assert_eq!(listens("--prometheus :9464"), "127.0.0.1:9464");
    assert_eq!(listens("--prometheus localhost:9464"), "127.0.0.1:9464");
    assert_eq!(listens("--prometheus [::]:9464"), "[::]:9464");
}

#[test]
fn a_share_comes_from_the_environment_of_an_indexed_job() {
    let job = |index: &str, count: Option<&str>| Environment {
        job_index: Some(index.to_owned()),
        job_count: count.map(str::to_owned),
        ..Environment::default()
    };
    let shard = |line, environment| args_to_plan(&args(line), &environment).unwrap().shard;
    assert_eq!(shard("", job("2", Some("4"))), Shard::new(2, 4).unwrap());
    assert_eq!(
        shard("--shard 0/2", job("2", Some("4"))),
        Shard::new(0, 2).unwrap()
    );
    assert!(refusal_in("", &job("2", None)).contains("set JOB_COMPLETIONS"));
    let outside = refusal_in("", &job("4", Some("4")));
    assert!(
        outside.contains("JOB_COMPLETION_INDEX=4") && outside.contains("0/N to N-1/N"),
        "{outside}"
    );
}

#[test]
fn a_plan_goes_through_a_pipe_with_its_secrets_and_into_a_result_without() {
    let plan = plan(
        "-r 5.5 -d 9s --token s3cret-token --password s3cret-pass --role node --call health=5s --reconnect on \
         --impair delay=5ms,loss=1%,stall=1s/9s --bind 127.0.0.2-127.0.0.9 --shard 1/3 \
         --threshold uptime>=99% --json - wss://127.0.0.1:7/ws?token=s3cret-query",
    );
    let shown = format!(
        "{} {plan:?} {}",
        serde_json::to_string(&plan).unwrap(),
        describe(&plan).unwrap()
    );
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(shown.contains("sha256:"), "{shown}");

    let json = WirePlan::new(&plan).to_json().unwrap();
    let again = WirePlan::unpack(&json).unwrap();
    assert_eq!(
        serde_json::to_value(&again).unwrap()["load"],
        serde_json::to_value(&plan).unwrap()["load"]
    );
    assert_eq!(again.target, plan.target);
    let (a, b) = (again.session(4), plan.session(4));
    assert_eq!(a.credential, b.credential);
    assert_eq!(a.identity().unwrap().device_id, b.identity().unwrap().device_id);
    assert_eq!(
        (again.load, again.impair, again.binds),
        (plan.load, plan.impair, plan.binds)
    );

    let debug = format!("{:?}", WirePlan::unpack(&json).map(|p| WirePlan::new(&p)));
    assert!(!debug.contains("s3cret"), "{debug}");
    let error = WirePlan::unpack(b"{\"plan\": \"s3cret\"}")
        .unwrap_err()
        .to_string();
    assert!(!error.contains("s3cret"), "{error}");
}

#[test]
fn typed_secrets_are_not_in_the_debug_form_of_the_arguments() {
    let shown = format!(
        "{:?}",
        args("--token s3cret --password s3cret --device-token s3cret")
    );
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn workers_get_parts_of_the_share() {
    let plan = plan("-c 10 -n 100 --shard 1/2");
    let parts: Vec<Plan> = (0..3).map(|i| plan.for_worker(i, 3).unwrap()).collect();
    let schedule = plan.schedule().unwrap();
    let whole = schedule.share(plan.shard).planned().unwrap();
    let sum: u64 = parts
        .iter()
        .map(|p| schedule.share(p.shard).planned().unwrap())
        .sum();
    assert_eq!((whole, sum), (50, 50));
}

#[test]
fn a_dry_run_describes_plan_and_schedule() {
    let text = describe(&plan("-c 4 -n 20 --ramp 2s")).unwrap();
    assert!(
        text.contains("closed model: 4 sessions at once, reached in 2.00 s, 20 in all"),
        "{text}"
    );
    assert!(
        text.contains("4 timed starts: 0, 500 ms, 1.00 s, 1.50 s"),
        "{text}"
    );
    assert!(text.contains("20 sessions in all"), "{text}");
}

#[test]
fn completions_and_the_man_page_come_from_the_same_definition() {
    for what in [
        Generate::CompletionsBash,
        Generate::CompletionsFish,
        Generate::CompletionsZsh,
        Generate::Man,
    ] {
        let mut out = Vec::new();
        generate(what, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("heartbeat"), "{what:?}");
    }
    assert_eq!(
        args("--generate completions-bash").general.generate,
        Some(Generate::CompletionsBash)
    );
}

#[test]
fn every_subcommand_has_help() {
    for subcommand in Args::command().get_subcommands().filter(|s| !s.is_hide_set()) {
        for flag in ["-h", "--help"] {
            let asked = Args::try_parse_from(["clw-bench", subcommand.get_name(), flag]).expect_err("help");
            assert_eq!(
                asked.kind(),
                clap::error::ErrorKind::DisplayHelp,
                "{}",
                subcommand.get_name()
            );
        }
    }
}

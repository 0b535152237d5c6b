//! From what was typed to what it means.

use super::address::check_address;
use super::environment::Environment;
use super::error::{PlanError, UsageError};
use super::load::{self, range};
use super::otlp::OtlpEndpoint;
use super::output::Outputs;
use super::pairing;
use super::sessions::{self, Common};
use super::target::{Target, TargetPlan, TlsSettings};
use super::{Plan, Reconnect, Workers};
use crate::args::{Args, OnOff, ResilienceArgs};
use crate::credentials::{Credential, Credentials, Source, Store, read_token_file};
use crate::scenario::{ReconnectTable, Scenario, SessionTable};
use clw_core::Dialect;
use clw_core::pacing::Shard;
use clw_core::secret::{Secret, hex};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

/// As the gateway calls it, too.
const UDP_HEARTBEAT: &str = "--udp-heartbeat";
/// The seed, if nothing says another.
const DEFAULT_SEED: u64 = 1;
/// More worker processes than this are a slip of the keyboard.
const MAX_WORKERS: u32 = 1024;

/// Makes the plan: reads the scenario, the token and credentials files, checks everything.
pub fn args_to_plan(args: &Args, environment: &Environment) -> Result<Plan, PlanError> {
    let scenario = match &args.load.scenario {
        Some(path) => Scenario::from_file(path)?,
        None => Scenario::default(),
    };
    let mut notes = Vec::new();
    let seed = args
        .identity
        .seed
        .or(scenario.seed.as_ref().map(|s| *s.get_ref()))
        .unwrap_or(DEFAULT_SEED);
    let load = load::resolve(
        &args.load,
        scenario.load.as_ref().map(toml::Spanned::get_ref),
        &mut notes,
    )?;
    let dialect = dialect(args, &scenario);
    let code = pairing::setup_code(args.pairing.setup_code.as_ref().map(Secret::expose))?;
    let url = args.target.url.as_ref().or(code.as_ref().map(|code| &code.url));
    let target = match url {
        Some(url) => TargetPlan::At(Target::parse(url, dialect).map_err(UsageError::from)?),
        None => TargetPlan::Embedded,
    };
    let embedded_token = derived_token(seed, 0);
    let tables = mixes_with_credentials(args, &scenario)?;
    let reaches_embedded = target == TargetPlan::Embedded
        && (tables.is_empty() || tables.iter().any(|(table, _)| table.url.is_none()));
    let credentials = credentials(args, environment, reaches_embedded, &embedded_token)?;
    let embedded_token = first_token(&credentials, &tables).unwrap_or(embedded_token);
    let credentials = match code {
        Some(code) => pairing::with_setup_code(&credentials, code),
        None => credentials,
    };
    let (mixes, call_names) = sessions::resolve(
        &Common {
            args,
            dialect,
            target: &target,
            credentials: &credentials,
            hold_to_the_end: load.is_closed() && load.is_timed(),
        },
        &tables,
    )?;
    let mut pairing = pairing::resolve(&args.pairing, scenario.pairing.as_ref())?;
    pairing::find_admin(&mut pairing, &mixes, &embedded_token)?;
    let is_embedded = mixes.iter().any(|mix| mix.target == TargetPlan::Embedded);
    let mut faults = args.target.fault.clone();
    if is_embedded {
        faults.extend(scenario.gateway.iter().flat_map(|table| table.faults.clone()));
    }
    let reconnect = reconnect(&args.resilience, scenario.reconnect)?;
    if reconnect.enabled {
        pairing.token_file.clone_from(&args.identity.token_file);
        let changes = is_embedded && faults.iter().any(|fault| fault.starts_with("rotate-token"));
        pairing.next_token = changes.then(|| derived_token(seed, 1));
    }
    if let Some(path) = &pairing.store {
        Store::check(path).map_err(|error| PlanError::Credentials {
            flag: "--credential-store",
            error,
        })?;
    }
    let mut thresholds = scenario.thresholds.clone().unwrap_or_default().require;
    thresholds.extend(args.output.threshold.iter().cloned());
    let drain = args.session.drain.unwrap_or(Duration::from_secs(5));
    if drain > Duration::from_secs(3600) {
        return Err(range("--drain", format!("{}s", drain.as_secs_f64()), "0 to 1h").into());
    }
    let impair = args.network.impair.or(scenario.impair()).unwrap_or_default();
    if args.session.udp_heartbeat == Some(OnOff::On) && !impair.is_clean() {
        return Err(UsageError::Conflict {
            a: "--udp-heartbeat on",
            b: "--impair",
            why: "the bad network inside the process acts on streams only; netem acts on datagrams too",
        }
        .into());
    }
    let plan = Plan {
        target,
        dialect,
        load,
        shard: shard(args.distributed.shard, environment)?,
        workers: workers(args.distributed.workers)?,
        mixes,
        call_names,
        reconnect,
        impair,
        thresholds,
        outputs: outputs(args, environment)?,
        binds: args.network.bind.clone(),
        tls: tls(args)?,
        drain,
        flaw: args.session.flaw,
        seed,
        allow_remote: args.target.allow_remote,
        gateway: gateway_options(args, &scenario, is_embedded, &faults),
        faults,
        pairing,
        embedded_token,
        command: String::new(),
        notes,
    };
    check_whole(plan)
}

/// Options for the embedded gateway: those given, and what flags of sessions ask of it.
/// What the embedded gateway is started with. What a scenario says of it has no meaning where a URL is loaded.
fn gateway_options(args: &Args, scenario: &Scenario, is_embedded: bool, faults: &[String]) -> Vec<String> {
    let written = scenario.gateway.iter().filter(|_| is_embedded);
    let written: Vec<_> = written.flat_map(|table| table.options.clone()).collect();
    let given = if args.target.gateway.is_empty() {
        &written
    } else {
        &args.target.gateway
    };
    let mut options: Vec<String> = given
        .iter()
        .flat_map(|text| text.split_whitespace().map(str::to_owned))
        .collect();
    let written = || {
        scenario
            .session
            .iter()
            .any(|s| s.get_ref().udp_heartbeat == Some(true))
    };
    let wants_udp = match args.session.udp_heartbeat {
        Some(typed) => typed == OnOff::On,
        None => written() || faults.iter().any(|fault| fault.starts_with("udp-")),
    };
    if wants_udp && !options.iter().any(|option| option.starts_with(UDP_HEARTBEAT)) {
        options.push(UDP_HEARTBEAT.to_owned());
    }
    options
}

fn dialect(args: &Args, scenario: &Scenario) -> Dialect {
    let written = scenario
        .session
        .first()
        .and_then(|s| s.get_ref().dialect.as_ref())
        .map(|d| *d.get_ref());
    args.target
        .dialect
        .map(Into::into)
        .or(written)
        .unwrap_or_default()
}

/// What can only be seen when everything is together.
fn check_whole(mut plan: Plan) -> Result<Plan, PlanError> {
    for target in std::iter::once(&plan.target).chain(plan.mixes.iter().map(|m| &m.target)) {
        if let TargetPlan::At(target) = target
            && let Some(ip) = target.ip()
        {
            check_address(&target.host, ip, plan.allow_remote)?;
        }
    }
    if !plan.faults.is_empty() && !plan.wants_embedded() {
        return Err(UsageError::Conflict {
            a: "--fault",
            b: "URL",
            why: "faults are made by the embedded gateway; leave the URL out, or start clw-gateway --fault yourself",
        }
        .into());
    }
    if plan.gateway.iter().any(|option| option != UDP_HEARTBEAT) && !plan.wants_embedded() {
        return Err(UsageError::Conflict {
            a: "--gateway",
            b: "URL",
            why: "these options are the embedded gateway's; leave the URL out, or give them to your clw-gateway",
        }
        .into());
    }
    let tls = plan
        .mixes
        .iter()
        .any(|m| matches!(&m.target, TargetPlan::At(t) if t.tls));
    if !tls
        && let Some(flag) = [
            ("--insecure", plan.tls.insecure),
            ("--pin-sha256", !plan.tls.pins.is_empty()),
            ("--tls-ca", plan.tls.ca_file.is_some()),
            ("--keylog", plan.tls.keylog.is_some()),
        ]
        .into_iter()
        .find_map(|(flag, given)| given.then_some(flag))
    {
        return Err(UsageError::Needs {
            flag,
            needs: "a wss:// URL",
        }
        .into());
    }
    let shows_nothing = |m: &super::Mix| m.credentials.get(0).is_anonymous() && m.token_command.is_none();
    if plan.mixes.iter().any(shows_nothing) {
        plan.notes.push(
            "no token or password: sessions show nothing to be let in with (--token-file, CLW_TOKEN)"
                .to_owned(),
        );
    }
    Ok(plan)
}

/// The scenario's mixes, each with the credentials that it names and no flag overrides. A file is read once.
fn mixes_with_credentials(
    args: &Args,
    scenario: &Scenario,
) -> Result<Vec<(SessionTable, Option<Credentials>)>, PlanError> {
    let typed = args.identity.token.is_some()
        || args.identity.token_command.is_some()
        || args.identity.token_file.is_some()
        || args.identity.credentials.is_some()
        || args.identity.password.is_some()
        || args.identity.device_token.is_some();
    let mut read: HashMap<PathBuf, Credentials> = HashMap::new();
    let mut mixes = Vec::new();
    for session in &scenario.session {
        let table = session.get_ref();
        let credentials = match (typed, &table.credentials, &table.token_file) {
            (true, _, _) | (false, None, None) => None,
            (false, Some(path), _) => {
                if !read.contains_key(path) {
                    let new = Credentials::from_file(path).map_err(|error| PlanError::Credentials {
                        flag: "[[session]] credentials",
                        error,
                    })?;
                    read.insert(path.clone(), new);
                }
                read.get(path).cloned()
            }
            (false, None, Some(path)) => {
                let token = read_token_file(path).map_err(|error| PlanError::Credentials {
                    flag: "[[session]] token_file",
                    error,
                })?;
                Some(Credentials::single(
                    Source::File(path.clone()),
                    Credential::with_token(token),
                ))
            }
        };
        mixes.push((table.clone(), credentials));
    }
    Ok(mixes)
}

/// Credentials from flags, else the embedded gateway's own token, else from the environment.
fn credentials(
    args: &Args,
    environment: &Environment,
    embedded: bool,
    embedded_token: &Secret,
) -> Result<Credentials, PlanError> {
    let identity = &args.identity;
    if identity.token_command.is_some() {
        let others = [
            ("--token", identity.token.is_some()),
            ("--token-file", identity.token_file.is_some()),
            ("--credentials", identity.credentials.is_some()),
        ];
        if let Some((flag, _)) = others.into_iter().find(|(_, given)| *given) {
            return Err(UsageError::Conflict {
                a: flag,
                b: "--token-command",
                why: "a session's tokens come from one place; leave one of them out",
            }
            .into());
        }
        let credential = Credential::anonymous()
            .and_password(identity.password.clone())
            .and_device_token(identity.device_token.clone());
        return Ok(Credentials::single(Source::Command, credential));
    }
    if let Some(path) = &identity.credentials {
        let others = [
            ("--token", identity.token.is_some()),
            ("--token-file", identity.token_file.is_some()),
            ("--password", identity.password.is_some()),
            ("--device-token", identity.device_token.is_some()),
        ];
        if let Some((flag, _)) = others.into_iter().find(|(_, given)| *given) {
            return Err(UsageError::Conflict {
                a: flag,
                b: "--credentials",
                why: "the file says what each session shows; leave one of them out",
            }
            .into());
        }
        return Credentials::from_file(path).map_err(|error| PlanError::Credentials {
            flag: "--credentials",
            error,
        });
    }
    let token = match (&identity.token, &identity.token_file) {
        (Some(_), Some(_)) => {
            return Err(UsageError::Conflict {
                a: "--token",
                b: "--token-file",
                why: "a session has one token; leave one of them out",
            }
            .into());
        }
        (Some(token), None) if token.expose().is_empty() => {
            return Err(range("--token", "(empty)", "a text that is not empty").into());
        }
        (Some(token), None) => Some(token.clone()),
        (None, Some(path)) => Some(read_token_file(path).map_err(|error| PlanError::Credentials {
            flag: "--token-file",
            error,
        })?),
        (None, None) => None,
    };
    let others = identity.password.is_some() || identity.device_token.is_some();
    let (source, token) = match token {
        Some(token) => (Source::Flags, Some(token)),
        None if others => (Source::Flags, None),
        None if embedded => (Source::Derived, Some(embedded_token.clone())),
        None => match &environment.token {
            Some(token) => (Source::Environment, Some(token.clone())),
            None => return Ok(Credentials::default()),
        },
    };
    let credential = token.map_or(Credential::anonymous(), Credential::with_token);
    Ok(Credentials::single(
        source,
        credential
            .and_password(identity.password.clone())
            .and_device_token(identity.device_token.clone()),
    ))
}

/// The embedded gateway accepts the token (or, with the same effect, the password) that the sessions show first.
fn first_token(flags: &Credentials, mixes: &[(SessionTable, Option<Credentials>)]) -> Option<Secret> {
    std::iter::once(flags)
        .chain(mixes.iter().filter_map(|(_, credentials)| credentials.as_ref()))
        .filter(|c| *c.source() != Source::Derived)
        .find_map(|c| {
            let first = c.get(0);
            first.token.as_ref().or(first.password()).cloned()
        })
}

/// The embedded gateway's own token, and those that it changes to.
fn derived_token(seed: u64, number: u64) -> Secret {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    // A stream of its own: identities use those from 0 on.
    rng.set_stream(u64::MAX - number);
    Secret::new(format!("embedded-{}", hex(&rng.random::<[u8; 16]>())))
}

fn shard(typed: Option<Shard>, environment: &Environment) -> Result<Shard, UsageError> {
    if let Some(shard) = typed {
        return Ok(shard);
    }
    let Some(index) = &environment.job_index else {
        return Ok(Shard::WHOLE);
    };
    let fail = |problem: String| UsageError::Job {
        index: index.clone(),
        problem,
    };
    let Some(count) = &environment.job_count else {
        return Err(fail("JOB_COMPLETIONS is not".to_owned()));
    };
    format!("{index}/{count}")
        .parse()
        .map_err(|error: clw_core::pacing::ShardError| fail(format!("with JOB_COMPLETIONS={count}, {error}")))
}

fn workers(typed: Option<u32>) -> Result<Workers, UsageError> {
    match typed {
        None => Ok(Workers::Auto),
        Some(n) if (1..=MAX_WORKERS).contains(&n) => Ok(Workers::Exactly(n)),
        Some(n) => Err(range("--workers", n, "1 to 1024")),
    }
}

fn reconnect(args: &ResilienceArgs, table: Option<ReconnectTable>) -> Result<Reconnect, UsageError> {
    let written = table.unwrap_or_default();
    let enabled = match args.reconnect {
        Some(typed) => typed == OnOff::On,
        None => table.is_some() && written.enabled.unwrap_or(true),
    };
    if !enabled {
        let orphans = [
            ("--retries", args.retries.is_some()),
            ("--backoff", args.backoff.is_some()),
            ("--backoff-max", args.backoff_max.is_some()),
        ];
        if let Some((flag, _)) = orphans.into_iter().find(|(_, given)| *given) {
            return Err(UsageError::Needs {
                flag,
                needs: "--reconnect on",
            });
        }
    }
    let retries = args.retries.or(written.retries).unwrap_or(3);
    let backoff = args
        .backoff
        .or(written.backoff.map(|d| d.0))
        .unwrap_or(Duration::from_secs(1));
    let backoff_max = args
        .backoff_max
        .or(written.backoff_max.map(|d| d.0))
        .unwrap_or(Duration::from_secs(30).max(backoff));
    let shown = |d: Duration| format!("{}s", d.as_secs_f64());
    if !(1..=1_000_000).contains(&retries) {
        return Err(range("--retries", retries, "1 to 1 000 000"));
    }
    if backoff > Duration::from_secs(3600) {
        return Err(range("--backoff", shown(backoff), "0 to 1h"));
    }
    if backoff_max < backoff || backoff_max > Duration::from_secs(86_400) {
        return Err(range(
            "--backoff-max",
            shown(backoff_max),
            "at least --backoff, at most 24h",
        ));
    }
    Ok(Reconnect {
        enabled,
        retries,
        backoff,
        backoff_max,
    })
}

fn outputs(args: &Args, environment: &Environment) -> Result<Outputs, UsageError> {
    let output = &args.output;
    let otlp = output
        .otlp
        .as_ref()
        .map(|url| url.parse::<OtlpEndpoint>())
        .transpose()?;
    let otlp = match (otlp, &environment.otlp_headers) {
        (Some(to), Some(headers)) => Some(to.with_headers(headers)?),
        (to, _) => to,
    };
    let outputs = Outputs {
        json: output.json.clone(),
        html: output.html.clone(),
        csv: output.csv.clone(),
        hdr: output.hdr.clone(),
        journal: output.journal.clone(),
        telemetry: output.telemetry.clone(),
        prometheus: output.prometheus,
        otlp,
        tui: output.tui,
    };
    if let [a, b, ..] = outputs.on_stdout()[..] {
        return Err(UsageError::Conflict {
            a,
            b,
            why: "both write to standard output; give one of them a file",
        });
    }
    if let ([a, ..], true) = (&outputs.on_stdout()[..], outputs.tui) {
        return Err(UsageError::Conflict {
            a,
            b: "--tui",
            why: "both need standard output; give the former a file",
        });
    }
    Ok(outputs)
}

fn tls(args: &Args) -> Result<TlsSettings, UsageError> {
    if args.target.insecure && !args.target.pin_sha256.is_empty() {
        return Err(UsageError::Conflict {
            a: "--insecure",
            b: "--pin-sha256",
            why: "a pin is a check, --insecure is none; leave one of them out",
        });
    }
    Ok(TlsSettings {
        insecure: args.target.insecure,
        pins: args.target.pin_sha256.clone(),
        ca_file: args.target.tls_ca.clone(),
        keylog: args.target.keylog.clone(),
    })
}

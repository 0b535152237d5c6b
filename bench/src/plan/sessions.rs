//! What the kinds of sessions are: flags over scenario over defaults.

use super::error::{PlanError, UsageError};
use super::load::range;
use super::mix::{self, Call, ClwWire, Hold, IdentityKind, Mix, Role, RoleSettings};
use super::target::{Target, TargetPlan};
use crate::args::{Args, CallArg, OnOff};
use crate::credentials::Credentials;
use crate::scenario::{CallTable, HeartbeatValue, SessionTable};
use clw_core::Dialect;
use clw_core::secret::Secret;
use std::time::Duration;

/// What the CLW protocol page has for both sides.
const CLW_KEEPALIVE: Duration = Duration::from_secs(10);
/// The kernel's most.
const MAX_KEEPALIVE: Duration = Duration::from_secs(32_767);

/// What the mixes have in common.
pub(super) struct Common<'a> {
    pub(super) args: &'a Args,
    pub(super) dialect: Dialect,
    pub(super) target: &'a TargetPlan,
    /// Credentials that flags or the environment give.
    pub(super) credentials: &'a Credentials,
    /// Whether sessions stay to the end of the load if nothing else is said.
    pub(super) hold_to_the_end: bool,
}

/// All mixes and the names of their calls.
pub(super) fn resolve(
    common: &Common<'_>,
    tables: &[(SessionTable, Option<Credentials>)],
) -> Result<(Vec<Mix>, Vec<String>), PlanError> {
    let single = [(SessionTable::default(), None)];
    let tables = if tables.is_empty() { &single } else { tables };
    let weights: Vec<f64> = tables
        .iter()
        .map(|(table, _)| table.weight.as_ref().map_or(1.0, |w| *w.get_ref()))
        .collect();
    let mut labels = Labels::default();
    let mut mixes = Vec::with_capacity(tables.len());
    for (i, ((table, credentials), share)) in tables.iter().zip(mix::shares_of_hundred(&weights)).enumerate()
    {
        let name = table.name.clone().unwrap_or_else(|| {
            if tables.len() == 1 {
                "sessions".to_owned()
            } else {
                format!("mix-{}", i + 1)
            }
        });
        let per_hundred = share.ok_or_else(|| {
            range(
                "[[session]] weight",
                format!("of `{name}`"),
                "at least 1 % of all weights: shares are kept in every 100 sessions",
            )
        })?;
        mixes.push(one(
            common,
            table,
            credentials.as_ref(),
            name,
            per_hundred,
            &mut labels,
        )?);
    }
    check_dialects(common.args, &mixes)?;
    Ok((mixes, labels.names))
}

fn one(
    common: &Common<'_>,
    table: &SessionTable,
    credentials: Option<&Credentials>,
    name: String,
    per_hundred: u32,
    labels: &mut Labels,
) -> Result<Mix, PlanError> {
    let args = common.args;
    let dialect = match (&table.dialect, args.target.dialect) {
        (_, Some(typed)) => typed.into(),
        (Some(written), None) => *written.get_ref(),
        (None, None) => common.dialect,
    };
    let target = match &table.url {
        Some(url) if args.target.url.is_none() => {
            TargetPlan::At(Target::parse(url.get_ref(), dialect).map_err(UsageError::from)?)
        }
        _ => match (common.target, &args.target.url) {
            // The default port is the dialect's.
            (TargetPlan::At(_), Some(url)) => {
                TargetPlan::At(Target::parse(url, dialect).map_err(UsageError::from)?)
            }
            (target, _) => target.clone(),
        },
    };
    let wire = args.session.wire.or(table.wire).unwrap_or(ClwWire::V2_2);
    let client_version = match (dialect, wire) {
        (Dialect::Clw, ClwWire::V2_1) => "2.1.4",
        (Dialect::Clw, ClwWire::V2_2) => "2.2.0",
        _ => "1.0.0",
    };
    // Heartbeat, the wait for its answer, the wait for connect and authentication: the real clients' values.
    let (heartbeat_s, heartbeat_timeout_s, timeout_s) = match dialect {
        Dialect::Clw => (2, 3, 5),
        Dialect::Clawchat => (20, 10, 10),
        _ => (25, 10, 15),
    };
    let heartbeat = args
        .session
        .heartbeat
        .map(|h| h.0)
        .or(table.heartbeat.map(|HeartbeatValue(h)| h))
        .unwrap_or(Some(Duration::from_secs(heartbeat_s)))
        // A period of 0 is how other tools write "off".
        .filter(|period| !period.is_zero());
    let mix = Mix {
        name,
        per_hundred,
        target,
        dialect,
        role: args.identity.role.or(table.role).unwrap_or(Role::Operator),
        as_operator: for_role(Role::Operator, dialect, args, table),
        as_node: for_role(Role::Node, dialect, args, table),
        client_version: or_default(
            args.identity.client_version.as_ref(),
            table.client_version.as_ref(),
            client_version,
        ),
        wire,
        plugin: args.session.plugin.or(table.plugin).unwrap_or_default(),
        reading: args.session.reading.or(table.reading).unwrap_or_default(),
        resume: on_or(args.session.resume, table.resume, true),
        udp_heartbeat: on_or(args.session.udp_heartbeat, table.udp_heartbeat, true),
        tcp_keepalive: args
            .network
            .tcp_keepalive
            .map(|typed| typed.0)
            .or(table.tcp_keepalive.map(|HeartbeatValue(written)| written))
            .unwrap_or((dialect == Dialect::Clw).then_some(CLW_KEEPALIVE)),
        // Source addresses are of one family too.
        prefer_ipv4: args.network.prefer_ipv4
            || table.prefer_ipv4.unwrap_or(false)
            || args
                .network
                .bind
                .first()
                .is_some_and(|range| range.nth(0).is_ipv4()),
        token_command: token_command(args, table),
        refresh: !args.session.no_refresh && table.refresh.unwrap_or(true),
        user_agent: or_default(
            args.session.user_agent.as_ref(),
            table.user_agent.as_ref(),
            concat!("clw-bench/", env!("CARGO_PKG_VERSION")),
        ),
        origin: table.origin.clone(),
        leave_code: table.leave_code.as_ref().map_or(1000, |code| *code.get_ref()),
        platform: or_default(args.pairing.platform.as_ref(), table.platform.as_ref(), "linux"),
        device_family: args
            .pairing
            .device_family
            .clone()
            .or_else(|| table.device_family.clone()),
        prefer: args.pairing.prefer.or(table.prefer).unwrap_or_default(),
        flaw: table.flaw,
        hold: match args.session.hold.or(table.hold.map(|d| d.0)) {
            Some(hold) => Hold::For(hold),
            None if common.hold_to_the_end => Hold::UntilEnd,
            None => Hold::For(Duration::ZERO),
        },
        timeout: args
            .session
            .timeout
            .or(table.timeout.map(|d| d.0))
            .unwrap_or(Duration::from_secs(timeout_s)),
        heartbeat,
        heartbeat_timeout: args
            .session
            .heartbeat_timeout
            .or(table.heartbeat_timeout.map(|d| d.0))
            .unwrap_or(Duration::from_secs(heartbeat_timeout_s)),
        calls: calls(args, table, labels)?,
        credentials: credentials.unwrap_or(common.credentials).clone(),
    };
    check(&mix)?;
    Ok(mix)
}

fn on_or(typed: Option<OnOff>, written: Option<bool>, default: bool) -> bool {
    typed
        .map(|typed| typed == OnOff::On)
        .or(written)
        .unwrap_or(default)
}

/// The command that is typed, or written where nothing else is typed that a session could show.
fn token_command(args: &Args, table: &SessionTable) -> Option<Secret> {
    let identity = &args.identity;
    let written = || table.token_command.as_ref().map(|command| command.0.clone());
    match &identity.token_command {
        Some(typed) => Some(typed.clone()),
        None if identity.token.is_some()
            || identity.token_file.is_some()
            || identity.credentials.is_some() =>
        {
            None
        }
        None => written(),
    }
}

fn or_default(typed: Option<&String>, written: Option<&String>, default: &str) -> String {
    typed.or(written).map_or(default, String::as_str).to_owned()
}

fn for_role(role: Role, dialect: Dialect, args: &Args, table: &SessionTable) -> RoleSettings {
    let (client_id, client_mode, scopes, identity) = match (dialect, role) {
        (Dialect::Clw | Dialect::Clawchat, _) => ("clw-bench", "", &[][..], IdentityKind::None),
        (_, Role::Operator) => (
            "gateway-client",
            "backend",
            &["operator.read"][..],
            IdentityKind::None,
        ),
        // A node without a device is always refused.
        (_, Role::Node) => ("node-host", "node", &[][..], IdentityKind::Ed25519),
    };
    let typed_scopes = args.identity.scopes.as_ref().map(|list| {
        list.split(',')
            .map(str::trim)
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect()
    });
    RoleSettings {
        client_id: or_default(
            args.identity.client_id.as_ref(),
            table.client_id.as_ref(),
            client_id,
        ),
        client_mode: or_default(
            args.identity.client_mode.as_ref(),
            table.client_mode.as_ref(),
            client_mode,
        ),
        scopes: typed_scopes
            .or_else(|| table.scopes.clone())
            .unwrap_or_else(|| scopes.iter().map(|s| (*s).to_owned()).collect()),
        identity: args.identity.identity.or(table.identity).unwrap_or(identity),
    }
}

/// Names under which calls are counted.
#[derive(Default)]
struct Labels {
    names: Vec<String>,
}

impl Labels {
    fn of(&mut self, name: &str) -> Result<u16, UsageError> {
        let at = self.names.iter().position(|n| n == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        u16::try_from(at)
            .ok()
            .filter(|at| *at < 256)
            .ok_or_else(|| range("--call", name, "at most 256 different calls"))
    }
}

/// Calls that are typed stand instead of the scenario's.
fn calls(args: &Args, table: &SessionTable, labels: &mut Labels) -> Result<Vec<Call>, UsageError> {
    if !args.session.call.is_empty() {
        return args.session.call.iter().map(|c| typed_call(c, labels)).collect();
    }
    table
        .calls
        .iter()
        .map(|c| written_call(c.get_ref(), labels))
        .collect()
}

fn typed_call(call: &CallArg, labels: &mut Labels) -> Result<Call, UsageError> {
    Ok(Call {
        label: labels.of(&call.method)?,
        method: call.method.clone(),
        params: call.params.clone(),
        every: call.every,
        first_after: call.every.unwrap_or_default(),
    })
}

fn written_call(call: &CallTable, labels: &mut Labels) -> Result<Call, UsageError> {
    let every = call.every.map(|d| d.0);
    Ok(Call {
        label: labels.of(call.name.as_deref().unwrap_or(&call.method))?,
        method: call.method.clone(),
        params: serde_json::Value::Object(call.params.clone()).to_string(),
        every,
        first_after: call.first_after.map_or(every.unwrap_or_default(), |d| d.0),
    })
}

fn check(mix: &Mix) -> Result<(), UsageError> {
    let millisecond = Duration::from_millis(1);
    let day = Duration::from_secs(86_400);
    let shown = |d: Duration| format!("{}s", d.as_secs_f64());
    if !(millisecond..=day).contains(&mix.timeout) {
        return Err(range("--timeout", shown(mix.timeout), "1ms to 24h"));
    }
    if let Some(period) = mix.heartbeat
        && !(millisecond * 10..=day).contains(&period)
    {
        return Err(range("--heartbeat", shown(period), "10ms to 24h, or off"));
    }
    if !(millisecond..=day).contains(&mix.heartbeat_timeout) {
        return Err(range(
            "--heartbeat-timeout",
            shown(mix.heartbeat_timeout),
            "1ms to 24h",
        ));
    }
    if let Hold::For(hold) = mix.hold
        && hold > day * 366
    {
        return Err(range("--hold", shown(hold), "up to a year"));
    }
    if let Some(idle) = mix.tcp_keepalive
        && !(Duration::from_secs(1)..=MAX_KEEPALIVE).contains(&idle)
    {
        return Err(range("--tcp-keepalive", shown(idle), "1s to 32767s, or off"));
    }
    if mix.token_command.is_some() && mix.dialect == Dialect::Clawchat {
        return Err(UsageError::OtherDialect {
            flag: "--token-command",
            of: "openclaw or clw (ClawChat renews its tokens over REST)",
        });
    }
    if mix.token_command.is_some() && mix.target == TargetPlan::Embedded {
        return Err(UsageError::Needs {
            flag: "--token-command",
            needs: "a URL: the embedded gateway has a token of its own",
        });
    }
    if mix.user_agent.chars().any(char::is_control) {
        return Err(range(
            "--user-agent",
            "with a line end",
            "text without control characters",
        ));
    }
    if mix.platform.trim().is_empty() {
        return Err(range("--platform", "(empty)", "a text that is not empty"));
    }
    if mix
        .origin
        .as_ref()
        .is_some_and(|origin| origin.chars().any(char::is_control))
    {
        return Err(range(
            "[[session]] origin",
            "with a line end",
            "text without control characters",
        ));
    }
    if let Some(call) = mix
        .calls
        .iter()
        .find(|c| c.every.is_some_and(|e| e < millisecond))
    {
        return Err(range("--call", &call.method, "a period of 1ms or more"));
    }
    Ok(())
}

/// Which dialects have which flags, and whether these were given.
type Row<'a> = (&'static str, &'a [Dialect], &'a [(&'static str, bool)]);

/// Flags of a dialect that no session speaks.
fn check_dialects(args: &Args, mixes: &[Mix]) -> Result<(), UsageError> {
    let openclaw = [
        ("--role", args.identity.role.is_some()),
        ("--identity", args.identity.identity.is_some()),
        ("--scopes", args.identity.scopes.is_some()),
        ("--client-mode", args.identity.client_mode.is_some()),
        ("--password", args.identity.password.is_some()),
        ("--device-token", args.identity.device_token.is_some()),
        ("--setup-code", args.pairing.setup_code.is_some()),
        ("--pairing", args.pairing.pairing.is_some()),
        ("--credential-store", args.pairing.credential_store.is_some()),
        ("--prefer", args.pairing.prefer.is_some()),
        ("--platform", args.pairing.platform.is_some()),
        ("--device-family", args.pairing.device_family.is_some()),
    ];
    let clw = [
        ("--wire", args.session.wire.is_some()),
        ("--resume", args.session.resume.is_some()),
        ("--udp-heartbeat", args.session.udp_heartbeat.is_some()),
    ];
    let clawchat = [
        ("--plugin", args.session.plugin.is_some()),
        ("--reading", args.session.reading.is_some()),
    ];
    let rows: [Row<'_>; 5] = [
        ("openclaw", &[Dialect::Openclaw], &openclaw),
        (
            "openclaw or clawchat",
            &[Dialect::Openclaw, Dialect::Clawchat],
            &[("--call", !args.session.call.is_empty())],
        ),
        ("clw", &[Dialect::Clw], &clw),
        (
            "clw or clawchat",
            &[Dialect::Clw, Dialect::Clawchat],
            &[("--no-refresh", args.session.no_refresh)],
        ),
        ("clawchat", &[Dialect::Clawchat], &clawchat),
    ];
    for (of, dialects, flags) in rows {
        if mixes.iter().all(|m| !dialects.contains(&m.dialect))
            && let Some((flag, _)) = flags.iter().find(|(_, given)| *given)
        {
            return Err(UsageError::OtherDialect { flag, of });
        }
    }
    Ok(())
}

//! A worker's share of a run, in this process or on its way to another.

use super::RunError;
use crate::plan::{Plan, Target as PlanTarget, TargetPlan, TlsSettings, WirePlan};
use crate::tls::{self, Trust};
use crate::worker::{self, Clock, Command, Job, Kind, Message, Target};
use clw_core::secret::hex;
use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::io::{BufRead as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// A share of the plan.
pub(super) struct Share {
    plan: Plan,
    index: u32,
    started: SystemTime,
    journal: bool,
}

/// The line on a worker process's standard input.
#[derive(Serialize, Deserialize)]
struct Line {
    plan: WirePlan,
    index: u32,
    started_unix_us: u64,
    journal: bool,
}

/// The name of a worker's snapshots.
pub(super) fn source_name(index: usize) -> String {
    format!("worker-{index}")
}

impl Share {
    pub(super) fn new(plan: Plan, index: u32, started: SystemTime, journal: bool) -> Self {
        Self {
            plan,
            index,
            started,
            journal,
        }
    }

    /// The line for a worker process; holds secrets.
    pub(super) fn to_line(&self) -> String {
        let since = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = Line {
            plan: WirePlan::new(&self.plan),
            index: self.index,
            started_unix_us: clw_core::time::micros(since),
            journal: self.journal,
        };
        // Its maps have string keys, so this cannot fail.
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// Runs the share in this thread, to its end.
    pub(super) fn run(
        self,
        commands: mpsc::UnboundedReceiver<Command>,
        messages: mpsc::UnboundedSender<Message>,
    ) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return eprintln!("clw-bench: a worker cannot start: {error}"),
        };
        runtime.block_on(async {
            match self.job().await {
                Ok(job) => worker::run(job, commands, messages).await,
                Err(error) => eprintln!("clw-bench: a worker cannot start: {error}"),
            }
        });
    }

    async fn job(self) -> Result<Job, RunError> {
        let schedule = self
            .plan
            .schedule()
            .map_err(|e| RunError::Limits(e.to_string()))?;
        let mut kinds = Vec::with_capacity(self.plan.mixes.len());
        for mix in &self.plan.mixes {
            let TargetPlan::At(target) = &mix.target else {
                return Err(RunError::Limits("a mix has no address".to_owned()));
            };
            let found = lookup(target, mix.prefer_ipv4).await?;
            let link = Target {
                addresses: found.preferred,
                others: found.others,
                family: Cell::default(),
                tcp_keepalive: mix.tcp_keepalive,
                sources: self.plan.binds.clone(),
                tls: tls_of(target, &self.plan.tls)?,
                impair: (!self.plan.impair.is_clean()).then_some(self.plan.impair),
            };
            kinds.push(Kind::new(
                mix,
                link,
                target.authority(),
                target.path.clone(),
                self.plan.flaw,
            ));
        }
        let shown_target = clw_core::snapshot::Target {
            url: match &self.plan.target {
                TargetPlan::At(target) => target.url(),
                TargetPlan::Embedded => String::new(),
            },
            dialect: self.plan.dialect,
            server_version: None,
        };
        let ahead = self.started.duration_since(SystemTime::now()).unwrap_or_default();
        Ok(Job {
            source: source_name(self.index as usize),
            kinds,
            shown_target,
            schedule: Arc::new(schedule),
            clock: Clock::starting_in(ahead),
            journal: self.journal,
            interval: super::INTERVAL,
            plan: self.plan,
        })
    }
}

/// What a name resolves to.
pub(super) struct Found {
    /// The addresses of the family that is preferred. One family only: sessions that are refused on ::1 and accepted on
    /// 127.0.0.1 in turn would be half an error.
    pub(super) preferred: Vec<SocketAddr>,
    /// Those of the other family, for a gateway that does not listen on the preferred one.
    pub(super) others: Vec<SocketAddr>,
}

/// Looks a name up.
pub(super) async fn lookup(target: &PlanTarget, prefer_ipv4: bool) -> Result<Found, RunError> {
    let fail = |cause: String| RunError::Resolve {
        host: target.host.clone(),
        cause,
    };
    let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
    let found: Vec<_> = found.map_err(|e| fail(e.to_string()))?.collect();
    let (preferred, others): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|address| address.is_ipv4() == prefer_ipv4);
    match (preferred.is_empty(), others.is_empty()) {
        (true, true) => Err(fail("it has no address".to_owned())),
        (true, false) => Ok(Found {
            preferred: others,
            others: preferred,
        }),
        _ => Ok(Found { preferred, others }),
    }
}

type Tls = (Arc<rustls::ClientConfig>, ServerName<'static>);

fn tls_of(target: &PlanTarget, settings: &TlsSettings) -> Result<Option<Tls>, RunError> {
    if !target.tls {
        return Ok(None);
    }
    let trust = if settings.insecure {
        Trust::Anybody
    } else if !settings.pins.is_empty() {
        Trust::Pinned(settings.pins.iter().map(|pin| hex(&pin.0)).collect())
    } else if let Some(path) = &settings.ca_file {
        Trust::Authorities(path.clone())
    } else {
        Trust::System
    };
    let config = tls::client_config(&trust, settings.keylog.as_deref())?;
    let name = ServerName::try_from(target.host.clone()).map_err(|_| RunError::Resolve {
        host: target.host.clone(),
        cause: "it is no name that a certificate could have".to_owned(),
    })?;
    Ok(Some((config, name)))
}

/// A worker process: share and commands come on standard input, messages leave on standard output.
pub fn work() -> crate::exit::Exit {
    use crate::exit::Exit;
    let _ = crate::limits::raise_soft_limit();
    let mut first = String::new();
    if std::io::stdin().lock().read_line(&mut first).is_err() {
        return Exit::Failed;
    }
    let line: Line = match serde_json::from_str(&first) {
        Ok(line) => line,
        Err(error) => {
            // The text may hold secrets: say where, not what.
            eprintln!(
                "clw-bench worker: its share cannot be read (column {})",
                error.column()
            );
            return Exit::Usage;
        }
    };
    let plan = match line.plan.into_plan() {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("clw-bench worker: {error}");
            return Exit::Usage;
        }
    };
    let started = UNIX_EPOCH + Duration::from_micros(line.started_unix_us);
    let share = Share::new(plan, line.index, started, line.journal);
    let (commands, commands_out) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if let Ok(command) = serde_json::from_str(&line)
                && commands.send(command).is_err()
            {
                return;
            }
        }
        // The end of the input drops the sender: the worker leaves.
    });
    let (messages, mut messages_out) = mpsc::unbounded_channel::<Message>();
    let writer = std::thread::spawn(move || {
        let mut out = std::io::stdout().lock();
        while let Some(message) = messages_out.blocking_recv() {
            let line = serde_json::to_string(&message).unwrap_or_default();
            if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    });
    share.run(commands_out, messages);
    let _ = writer.join();
    Exit::Done
}

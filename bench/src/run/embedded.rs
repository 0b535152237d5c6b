//! The embedded gateway: this executable again, in a process of its own, so that its descriptors and its CPU are not the
//! generator's.

use super::RunError;
use crate::plan::{IdentityKind, Plan};
use clw_core::Dialect;
use clw_gateway::Summary;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// It has this long to close its sessions and leave.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Embedded {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Embedded {
    /// Starts one and puts its address into the plan.
    pub(super) async fn start(plan: &mut Plan, workers: u32, verbose: bool) -> Result<Self, RunError> {
        // Devices that one worker of a gateway has paired are unknown to the others.
        let has_devices = plan.dialect == Dialect::Openclaw
            && plan.mixes.iter().any(|mix| {
                let first = mix.credentials.get(0);
                let is_paired = first.device().is_some() || first.bootstrap_token().is_some();
                is_paired || mix.settings(mix.role).identity == IdentityKind::Ed25519
            });
        let workers = if has_devices { 1 } else { workers };
        let system = || RunError::system("cannot start the embedded gateway");
        let executable = std::env::current_exe().map_err(system())?;
        let mut command = Command::new(executable);
        command
            .args([
                "gateway",
                "--listen",
                "127.0.0.1:0",
                "--dialect",
                plan.dialect.name(),
                "--quiet",
            ])
            .args([
                "--seed",
                &plan.seed.to_string(),
                "--workers",
                &workers.max(1).to_string(),
            ])
            .args(["--leave-with-input", "--json", "-"])
            .args(&plan.gateway)
            .args(plan.faults.iter().flat_map(|fault| ["--fault", fault]))
            // Not on the command line, where everybody could read it.
            .env("CLW_TOKEN", plan.embedded_token.expose())
            .envs(
                plan.pairing
                    .next_token
                    .as_ref()
                    .map(|token| ("CLW_NEXT_TOKEN", token.expose())),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if verbose {
            command.arg("--verbose");
        }
        let mut child = command.spawn().map_err(system())?;
        let stdout = child
            .stdout
            .take()
            .ok_or_else(|| std::io::Error::other("no pipe"))
            .map_err(system())?;
        let mut lines = BufReader::new(stdout).lines();
        let line = lines.next_line().await.map_err(system())?.unwrap_or_default();
        let address: Option<SocketAddr> = line
            .rsplit_once("//")
            .and_then(|(_, address)| address.parse().ok());
        let Some(address) = address else {
            return Err(system()(std::io::Error::other(
                "it ended before it listened; its reason stands above",
            )));
        };
        plan.embedded_at(plan.dialect, address);
        Ok(Self { child, lines })
    }

    /// Ends it and hands back what it saw; an error says that it had died.
    pub(super) async fn stop(mut self) -> Result<Summary, String> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return Err(format!("the embedded gateway died during the run: {status}"));
        }
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let ended = tokio::time::timeout(STOP_TIMEOUT, async {
            let mut text = String::new();
            while let Ok(Some(line)) = self.lines.next_line().await {
                text += &line;
            }
            let _ = self.child.wait().await;
            text
        });
        match ended.await {
            Ok(text) => {
                serde_json::from_str(&text).map_err(|_| "the embedded gateway left no summary".to_owned())
            }
            Err(_) => Err("the embedded gateway did not stop and was killed".to_owned()),
        }
    }
}

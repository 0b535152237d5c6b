//! The gateway as a process, or as several that share a port.

use crate::config::Config;
use crate::serve::StartError;
use crate::summary::Summary;
use crate::{Gateway, serve};
use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

/// Why a gateway process failed.
#[derive(Debug, Error)]
pub(crate) enum RunError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A worker process did not start, or signals cannot be had.
    #[error("{0}")]
    Process(#[from] io::Error),
    /// The summary.
    #[error("cannot write {}: {cause}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
}

/// Where the summary goes.
pub(crate) struct Output {
    pub(crate) json: Option<PathBuf>,
    pub(crate) quiet: bool,
    pub(crate) scheme: &'static str,
}

impl Output {
    fn listening(&self, address: std::net::SocketAddr) {
        // Whoever waits for the line may have left: no error of ours.
        let _ = writeln!(io::stdout(), "listening {}://{address}", self.scheme);
    }

    fn write(&self, summary: &Summary) -> Result<(), RunError> {
        if !self.quiet {
            let _ = write!(io::stderr(), "{summary}");
        }
        let Some(path) = &self.json else { return Ok(()) };
        let text = serde_json::to_string_pretty(summary).unwrap_or_default() + "\n";
        let written = if path == Path::new("-") {
            io::stdout().write_all(text.as_bytes())
        } else {
            std::fs::write(path, text)
        };
        match written {
            Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => Err(RunError::Write {
                path: path.clone(),
                cause,
            }),
            _ => Ok(()),
        }
    }
}

/// Ends this process as SIGTERM would when its standard input ends.
pub(crate) fn leave_with_input() {
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM);
    });
}

/// One process: serves until a signal ends it.
pub(crate) fn single(config: Config, output: &Output) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let gateway = Gateway::start(config)?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut restart = signal(SignalKind::user_defined2())?;
        output.listening(gateway.address());
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = restart.recv() => gateway.restart(),
            }
        }
        output.write(&gateway.stop())
    })
}

/// A worker process: says when it listens, then its summary once a second and at the end, a JSON line each. The end of its
/// input is its end.
pub(crate) fn work(config: Config) -> Result<(), RunError> {
    let gateway = Gateway::start(config)?;
    let (input, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let mut orders = [0; 64];
        while let Ok(count) = io::stdin().read(&mut orders) {
            if count == 0 || input.send(orders[..count].contains(&b'r')).is_err() {
                return;
            }
        }
    });
    let report = |summary: &Summary| {
        let _ = writeln!(
            io::stdout(),
            "{}",
            serde_json::to_string(summary).unwrap_or_default()
        );
    };
    report(&Summary::default());
    loop {
        match ended.recv_timeout(Duration::from_secs(1)) {
            Ok(true) => gateway.restart(),
            Ok(false) => {}
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let mut counts = gateway.summary();
                counts.endings.clear();
                report(&counts);
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    report(&gateway.stop());
    Ok(())
}

/// Several processes on one port (SO_REUSEPORT): the kernel spreads the connections over them.
pub(crate) fn many(
    mut config: Config,
    workers: u32,
    reexec: &[&str],
    args: &[OsString],
    output: &Output,
) -> Result<(), RunError> {
    // Bound and not listening: it keeps the port for the workers and takes no connection itself.
    config.share_port = true;
    config.faults = vec![crate::fault::FaultSpec::new(crate::fault::Kind::NotListening)];
    let reserved = serve::bind(&config)?;
    let address = reserved.address;
    let executable = std::env::current_exe()?;
    let (reports, received) = mpsc::channel();
    let mut children = Vec::new();
    for number in 0..workers {
        let mut child = Command::new(&executable)
            .args(reexec)
            .args(args)
            .arg("--as-worker")
            .args(["--listen", &address.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("a worker without a pipe"))?;
        let reports = reports.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let Ok(summary) = serde_json::from_str::<Summary>(&line) else {
                    continue;
                };
                if reports.send((number, summary)).is_err() {
                    return;
                }
            }
        });
        children.push(child);
    }
    drop(reports);
    let mut latest = vec![None; children.len()];
    while latest.iter().any(Option::is_none) {
        // A worker that cannot start has said why on standard error.
        let (number, summary) = received
            .recv()
            .map_err(|_| io::Error::other("a worker process did not start"))?;
        if let Some(slot) = latest.get_mut(number as usize) {
            *slot = Some(summary);
        }
    }
    output.listening(address);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut restart = signal(SignalKind::user_defined2())?;
        loop {
            tokio::select! {
                _ = terminate.recv() => return io::Result::Ok(()),
                _ = interrupt.recv() => return Ok(()),
                _ = restart.recv() => tell_restart(&mut children),
            }
        }
    })?;
    let mut lost = Vec::new();
    for (number, child) in children.iter_mut().enumerate() {
        drop(child.stdin.take());
        let status = child.wait()?;
        if !status.success() {
            lost.push(format!(
                "worker {number} ended with {status}; its counts are those of its last second"
            ));
        }
    }
    while let Ok((number, summary)) = received.recv() {
        if let Some(slot) = latest.get_mut(number as usize) {
            *slot = Some(summary);
        }
    }
    let mut total = Summary {
        lost_workers: lost,
        ..Summary::default()
    };
    for summary in latest.into_iter().flatten() {
        total.add(summary);
    }
    output.write(&total)
}

fn tell_restart(children: &mut [Child]) {
    for child in children {
        if let Some(stdin) = &mut child.stdin {
            let _ = stdin.write_all(b"r");
        }
    }
}

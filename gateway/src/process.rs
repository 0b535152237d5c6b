//! The gateway as a program: the line when it listens, signals, the summary at the end.

use crate::config::Config;
use crate::error::StartError;
use crate::gateway::Gateway;
use crate::summary::Summary;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

/// Why a gateway process failed.
#[derive(Debug, Error)]
pub(crate) enum RunError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Signals cannot be had.
    #[error("cannot wait for signals: {0}")]
    Signals(#[from] io::Error),
    /// The summary.
    #[error("cannot write the summary {}: {cause}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
}

/// What the program prints, and where.
pub(crate) struct Output {
    pub(crate) json: Option<PathBuf>,
    pub(crate) quiet: bool,
}

/// Ends this process as SIGTERM would when its standard input ends.
pub(crate) fn leave_with_input() {
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM);
    });
}

/// Serves until SIGTERM or SIGINT; SIGUSR2 announces a restart.
pub(crate) fn run(config: Config, workers: u32, command: &[&str], output: &Output) -> Result<(), RunError> {
    let shown = config.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let gateway = runtime.block_on(async {
        // Before anybody can know that it listens: who sends a signal then must not kill it.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut restart = signal(SignalKind::user_defined2())?;
        let gateway = Gateway::start_workers(config, workers, command)?;
        let mut stdout = io::stdout().lock();
        // Whoever waits for the line may have left: no error of ours.
        let _ = writeln!(stdout, "listening {}", shown.url(gateway.address())).and_then(|()| stdout.flush());
        drop(stdout);
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = restart.recv() => gateway.restart(),
            }
        }
        Ok::<_, RunError>(gateway)
    })?;
    output.write(&gateway.stop())
}

impl Output {
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

//! What ends a run early.

use super::RunError;
use super::watch::Watch;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, at the dashboard or without it, or SIGTERM.
pub(super) async fn stopped(signals: &mut Signals, watch: &mut Watch) {
    tokio::select! {
        () = signals.next() => {}
        () = watch.interrupted() => {}
    }
}

/// Ctrl-C and SIGTERM.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, RunError> {
        let system = || RunError::system("cannot listen for signals");
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(system())?,
            terminate: signal(SignalKind::terminate()).map_err(system())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

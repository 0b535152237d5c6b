//! A worker process: one of several gateways on one port.
//!
//! Its first line of input is its configuration, each byte after that an order: `r` restarts, `s` asks for a report. The end
//! of its input is its end. Its output are reports, one JSON object a line, at least once a second.

use crate::config::ConfigOnPipe;
use crate::gateway::Gateway;
use crate::limits::raise_descriptor_limit;
use crate::summary::Summary;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) const RESTART: u8 = b'r';
pub(crate) const REPORT: u8 = b's';
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// A worker's line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// It serves.
    Started,
    /// It cannot; why.
    Failed(String),
    /// What it saw so far; `asked`: how many reports were asked for before this one.
    Counts { asked: u64, summary: Summary },
    /// The last one.
    Ended(Summary),
}

/// Runs this process as a worker of the gateway that started it. For the executable that calls
/// [`Gateway::start_workers`].
pub fn worker_main() -> ExitCode {
    raise_descriptor_limit();
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    let config = read
        .map_err(|e| e.to_string())
        .and_then(|_| serde_json::from_str::<ConfigOnPipe>(&line).map_err(|e| e.to_string()));
    let started = config
        .map_err(|e| format!("no configuration on standard input ({e}); workers are started by clw-gateway"))
        .and_then(|config| Gateway::start(config.into_config()).map_err(|e| e.to_string()));
    let gateway = match started {
        Ok(gateway) => gateway,
        Err(message) => {
            eprintln!("clw-gateway worker: {message}");
            tell(&Report::Failed(message));
            return ExitCode::FAILURE;
        }
    };
    serve(gateway);
    ExitCode::SUCCESS
}

/// What ends or interrupts the wait for the next report.
enum Call {
    Order(u8),
    End,
}

fn serve(gateway: Gateway) {
    let (calls, received) = mpsc::channel();
    let terminated = calls.clone();
    std::thread::spawn(move || {
        let mut bytes = [0; 64];
        while let Ok(count @ 1..) = io::stdin().read(&mut bytes) {
            for order in &bytes[..count] {
                let _ = calls.send(Call::Order(*order));
            }
        }
        let _ = calls.send(Call::End);
    });
    std::thread::spawn(move || end_on_sigterm(&terminated));
    tell(&Report::Started);
    let mut asked = 0;
    loop {
        match received.recv_timeout(REPORT_EVERY) {
            Ok(Call::Order(RESTART)) => gateway.restart(),
            Ok(Call::Order(REPORT)) => {
                asked += 1;
                tell_counts(&gateway, asked);
            }
            Ok(Call::Order(_)) => {}
            Err(RecvTimeoutError::Timeout) => tell_counts(&gateway, asked),
            Ok(Call::End) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    tell(&Report::Ended(gateway.stop()));
}

/// SIGTERM ends this worker in order. SIGINT, which a terminal sends to all processes at once, is the parent's affair.
fn end_on_sigterm(calls: &mpsc::Sender<Call>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    runtime.block_on(async {
        let (Ok(mut terminate), Ok(_interrupt)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return;
        };
        terminate.recv().await;
        let _ = calls.send(Call::End);
    });
}

fn tell_counts(gateway: &Gateway, asked: u64) {
    let mut summary = gateway.summary();
    // One by one they travel at the end only.
    summary.endings.clear();
    tell(&Report::Counts { asked, summary });
}

fn tell(report: &Report) {
    let line = serde_json::to_string(report).unwrap_or_default() + "\n";
    // A parent that has gone hears nothing; the end of standard input says so.
    let mut out = io::stdout().lock();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

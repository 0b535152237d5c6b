//! Ctrl-C: what was read is reported.

use signal_hook::consts::{SIGINT, SIGTERM};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// In `tcpdump -w - | clw-analyze -` Ctrl-C reaches both; tcpdump then hands on what it still holds, which are the endings.
const LAST_PACKETS: Duration = Duration::from_secs(2);
/// The exit code of a program that was interrupted.
const CODE: i32 = 130;

/// Whether the user wants to stop. A second signal ends the process at once.
#[derive(Debug)]
pub struct Interrupt {
    asked: Arc<AtomicBool>,
    since: Option<Instant>,
    is_pipe: bool,
}

impl Interrupt {
    /// Listens from now on; `is_pipe`: the capture comes from a program that gets the signal too.
    pub fn listen(is_pipe: bool) -> io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal sets the flag, and the second one finds it set.
            signal_hook::flag::register_conditional_shutdown(signal, CODE, asked.clone())?;
            signal_hook::flag::register(signal, asked.clone())?;
        }
        Ok(Self {
            asked,
            since: None,
            is_pipe,
        })
    }

    /// Whether the user has asked to stop.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Whether to stop reading now.
    pub fn stops_reading(&mut self) -> bool {
        self.is_asked()
            && (!self.is_pipe || self.since.get_or_insert_with(Instant::now).elapsed() >= LAST_PACKETS)
    }
}

//! Keys and signals, each on a thread of its own, as events.

use crate::event::Event;
use crossterm::event;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

/// How often the thread that reads keys looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(250);

/// Keys are read until this is dropped.
pub struct Keys {
    wanted: Arc<AtomicBool>,
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.wanted.store(false, Ordering::Relaxed);
    }
}

/// Reads the terminal's events. When it can no longer be read (it was closed), the dashboard is left.
pub fn read_keys(events: SyncSender<Event>) -> io::Result<Keys> {
    let wanted = Arc::new(AtomicBool::new(true));
    let keys = Keys {
        wanted: Arc::clone(&wanted),
    };
    thread::Builder::new().name("keys".to_owned()).spawn(move || {
        while wanted.load(Ordering::Relaxed) {
            let input = match event::poll(LOOK) {
                Ok(false) => continue,
                Ok(true) => event::read(),
                Err(error) => Err(error),
            };
            let event = match input {
                Ok(input) => Event::Terminal(input),
                Err(_) => Event::Signal(SIGHUP),
            };
            let lost = matches!(event, Event::Signal(_));
            if events.send(event).is_err() || lost {
                return;
            }
        }
    })?;
    Ok(keys)
}

/// Turns SIGTERM, SIGINT and SIGHUP into events.
pub fn catch_signals(events: SyncSender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                if events.send(Event::Signal(signal)).is_err() {
                    return;
                }
            }
        })
        .map(drop)
}

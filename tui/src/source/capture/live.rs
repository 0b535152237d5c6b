//! Live packets: one thread takes them, another tells once a second what is known, packets or not.

use super::interface::Interface;
use super::{Ledger, Narrow};
use crate::event::Event;
use crate::model::Link;
use clw_analyzer::source::{Capture, Frame, Item, LinkType};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Between two snapshots.
const INTERVAL: Duration = Duration::from_secs(1);

struct Watched {
    ledger: Ledger,
    /// When the last packet came, on this machine's clock.
    came: Instant,
}

type Shared = Arc<Mutex<Watched>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Watched> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Follows a capture on standard input, which may still grow.
pub fn watch_stream(source: usize, narrow: Narrow, events: SyncSender<Event>) -> io::Result<()> {
    let shared = share(Ledger::new("standard input", narrow));
    let over = tell_every_second(source, &shared, events.clone())?;
    thread::Builder::new()
        .name(format!("capture-{source}"))
        .spawn(move || {
            let read = read_stream(&shared);
            over.store(true, Ordering::Relaxed);
            let event = match read {
                Ok(()) => {
                    let last = lock(&shared).ledger.end();
                    let snapshot = Box::new(last);
                    let _ = events.send(Event::Snapshot { source, snapshot });
                    Event::Link {
                        source,
                        link: Link::Ended,
                    }
                }
                Err(why) => Event::Failed(why),
            };
            let _ = events.send(event);
        })
        .map(drop)
}

fn read_stream(shared: &Shared) -> Result<(), String> {
    let mut capture = Capture::open(&[PathBuf::from("-")]).map_err(|e| e.to_string())?;
    while let Some(item) = capture.next().map_err(|e| e.to_string())? {
        let mut watched = lock(shared);
        match item {
            Item::Secrets(text) => watched.ledger.secrets(text),
            Item::Frame(frame) => {
                watched.came = Instant::now();
                watched.ledger.feed(&frame);
            }
        }
    }
    Ok(())
}

/// Follows the packets of an interface.
pub fn watch_interface(
    source: usize,
    mut interface: Interface,
    name: &str,
    narrow: Narrow,
    events: SyncSender<Event>,
) -> io::Result<()> {
    let shared = share(Ledger::new(name, narrow));
    lock(&shared).ledger.begin(now_ns());
    let over = tell_every_second(source, &shared, events.clone())?;
    let name = name.to_owned();
    thread::Builder::new()
        .name(format!("capture-{source}"))
        .spawn(move || {
            let mut number = 0;
            loop {
                match interface.packet() {
                    Ok(Some(packet)) => {
                        number += 1;
                        let mut watched = lock(&shared);
                        watched.came = Instant::now();
                        watched.ledger.feed(&Frame {
                            number,
                            at_ns: packet.at_ns,
                            interface: packet.interface,
                            link: LinkType::RAW,
                            data: packet.data,
                            original_len: u32::try_from(packet.data.len()).unwrap_or(u32::MAX),
                            file: 0,
                        });
                    }
                    Ok(None) => {
                        let dropped = interface.dropped();
                        lock(&shared).ledger.dropped(dropped);
                        if over.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                    Err(error) => {
                        over.store(true, Ordering::Relaxed);
                        let _ = events.send(Event::Failed(format!("--capture {name}: {error}")));
                        return;
                    }
                }
            }
        })
        .map(drop)
}

fn share(ledger: Ledger) -> Shared {
    Arc::new(Mutex::new(Watched {
        ledger,
        came: Instant::now(),
    }))
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(0)
}

/// Tells once a second, on the capture's clock: that of the last packet, and the time since it came.
fn tell_every_second(
    source: usize,
    shared: &Shared,
    events: SyncSender<Event>,
) -> io::Result<Arc<AtomicBool>> {
    let over = Arc::new(AtomicBool::new(false));
    let (shared, stop) = (Arc::clone(shared), Arc::clone(&over));
    thread::Builder::new()
        .name(format!("capture-clock-{source}"))
        .spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                thread::sleep(INTERVAL);
                let snapshot = {
                    let mut watched = lock(&shared);
                    let Some(last_ns) = watched.ledger.now_ns() else {
                        continue;
                    };
                    let told_ns = watched.ledger.told_ns();
                    let quiet = u64::try_from(watched.came.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    // Packets of a file that is piped in come faster than they happened: time does not run on then.
                    let at_ns = if last_ns == told_ns {
                        told_ns.saturating_add(1_000_000_000)
                    } else {
                        last_ns.saturating_add(quiet)
                    };
                    watched.ledger.tell(at_ns)
                };
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let snapshot = Box::new(snapshot);
                if events.send(Event::Snapshot { source, snapshot }).is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
            }
        })?;
    Ok(over)
}

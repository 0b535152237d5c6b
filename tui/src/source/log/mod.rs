//! `--log`: the gateway's own log, followed as it grows.

mod follow;
mod tally;

pub use follow::{Follow, FollowError};

use crate::event::Event;
use crate::model::Link;
use std::io;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tally::LogTally;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Between two snapshots.
const INTERVAL: Duration = Duration::from_secs(1);

/// Follows a log on a thread of its own and sends the endings in it as those of `source`.
pub fn follow_log(source: usize, mut follow: Follow, events: SyncSender<Event>) -> io::Result<()> {
    thread::Builder::new()
        .name(format!("log-{source}"))
        .spawn(move || {
            let began = Instant::now();
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let mut tally = LogTally::new(follow.path(), clw_core::time::micros(since_epoch));
            let mut told: Option<Instant> = None;
            loop {
                let read = follow.read(&mut |line| tally.line(line, began.elapsed()));
                let event = match read {
                    Ok(()) if told.is_none_or(|at| at.elapsed() >= INTERVAL) => {
                        told = Some(Instant::now());
                        let snapshot = Box::new(tally.tell(began.elapsed()));
                        Some(Event::Snapshot { source, snapshot })
                    }
                    Ok(()) => None,
                    Err(why) => Some(Event::Link {
                        source,
                        link: Link::Lost(why.to_string()),
                    }),
                };
                if let Some(event) = event
                    && events.send(event).is_err()
                {
                    return;
                }
                thread::sleep(LOOK);
            }
        })
        .map(drop)
}

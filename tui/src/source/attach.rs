//! `--attach`: the stream of a running `clw-bench --telemetry`. A lost stream is tried again for as long as the dashboard
//! runs, so a generator may be restarted under it.

use super::endpoint::SILENCE;
use super::{Endpoint, LineError, read_line, within_bounds};
use crate::event::Event;
use crate::model::Link;
use clw_core::snapshot::{Snapshot, SnapshotError};
use std::io::{self, BufReader};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

/// Between two tries.
const RETRY: Duration = Duration::from_millis(500);
/// After something that is no telemetry: it will hardly change soon.
const RETRY_UNREADABLE: Duration = Duration::from_secs(3);

/// Reads `endpoint` on a thread of its own and sends what it tells as that of `source`, until nobody listens.
pub fn attach(source: usize, endpoint: Endpoint, events: SyncSender<Event>) -> io::Result<()> {
    thread::Builder::new()
        .name(format!("attach-{source}"))
        .spawn(move || while follow(source, &endpoint, &events).is_some() {})
        .map(drop)
}

/// One connection, from its beginning to its end and the wait after it; `None` when nobody listens any more.
fn follow(source: usize, endpoint: &Endpoint, events: &SyncSender<Event>) -> Option<()> {
    let tell = |link| events.send(Event::Link { source, link }).ok();
    let stream = match endpoint.connect() {
        Ok(stream) => stream,
        Err(error) => {
            tell(Link::Lost(format!(
                "{}; is clw-bench --telemetry {endpoint} running?",
                in_words(&error)
            )))?;
            thread::sleep(RETRY);
            return Some(());
        }
    };
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    loop {
        let why = match read_line(&mut stream, &mut line) {
            Ok(true) => match Snapshot::parse_line(&line) {
                Ok(snapshot) if within_bounds(&snapshot) => {
                    let snapshot = Box::new(snapshot);
                    events.send(Event::Snapshot { source, snapshot }).ok()?;
                    continue;
                }
                Ok(_) => Link::Unreadable("figures that no run can have".to_owned()),
                Err(error) => Link::Unreadable(refused(&error)),
            },
            Ok(false) => Link::Lost("the stream ended".to_owned()),
            Err(LineError::Io(error)) => Link::Lost(in_words(&error)),
            Err(error @ LineError::Cut) => Link::Lost(error.to_string()),
            Err(error) => Link::Unreadable(format!("not telemetry of clw-bench: {error}")),
        };
        let wait = if matches!(why, Link::Unreadable(_)) {
            RETRY_UNREADABLE
        } else {
            RETRY
        };
        tell(why)?;
        thread::sleep(wait);
        return Some(());
    }
}

fn refused(error: &SnapshotError) -> String {
    // What a stranger sends is shown cut and without control characters.
    error
        .to_string()
        .chars()
        .filter(|c| !c.is_control())
        .take(160)
        .collect()
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nobody listens".to_owned(),
        io::ErrorKind::NotFound => "not there".to_owned(),
        io::ErrorKind::TimedOut => "no answer".to_owned(),
        io::ErrorKind::WouldBlock => format!("nothing came for {} s", SILENCE.as_secs()),
        io::ErrorKind::ConnectionReset => "the stream was reset".to_owned(),
        _ => error.to_string(),
    }
}

//! `--once`: one frame as text.

use crate::app::App;
use crate::event::Event;
use crate::export;
use crate::model::Link;
use crate::plan::Once;
use clw_core::snapshot::Phase;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use thiserror::Error;

/// A frame's size where neither was asked for nor is a terminal.
const SIZE: (u16, u16) = (100, 40);
/// After the first snapshot, the longest wait for a second one, without which there is no rate.
const SECOND: Duration = Duration::from_millis(2500);

/// No data came.
#[derive(Debug, Error)]
pub enum NoData {
    /// In time.
    #[error("no data within {waited:.0?}: {}", .why.join("; "))]
    InTime {
        /// How long it waited.
        waited: Duration,
        /// What became of each source.
        why: Vec<String>,
    },
    /// Nor will any come.
    #[error("{0}")]
    Failed(String),
}

/// Waits for two snapshots of each source, or what comes in time.
pub fn collect(app: &mut App, once: &Once, verbose: bool, events: &Receiver<Event>) -> Result<(), NoData> {
    let began = Instant::now();
    let mut counts = vec![0u32; app.model().feeds().len()];
    let mut deadline = began + once.wait;
    let mut any = false;
    loop {
        let enough = app
            .model()
            .feeds()
            .iter()
            .zip(&counts)
            .all(|(feed, count)| *count >= 2 || feed.phase() == Some(Phase::Done));
        if enough {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let event = match events.recv_timeout(left) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        };
        app.tick(began.elapsed());
        match event {
            Event::Snapshot { source, snapshot } => {
                app.absorb(source, *snapshot);
                if let Some(count) = counts.get_mut(source) {
                    *count += 1;
                }
                if !any {
                    any = true;
                    deadline = deadline.min(Instant::now() + SECOND);
                }
            }
            Event::Link { source, link } => {
                if verbose
                    && let Some(feed) = app.model().feeds().get(source)
                    && feed.link != link
                {
                    eprintln!("clw-tui: {}: {}", feed.label, state(&link));
                }
                let hopeless = matches!(link, Link::Unreadable(_));
                app.link(source, link);
                if hopeless && !any && counts.len() == 1 {
                    break;
                }
            }
            Event::Record(record) => app.record(*record),
            Event::Network(shape) => app.network(shape),
            Event::Failed(why) if !any => return Err(NoData::Failed(why)),
            Event::Failed(_) | Event::Signal(_) | Event::Close => break,
            Event::Terminal(_) | Event::Say(_) => {}
        }
    }
    if any {
        return Ok(());
    }
    let why = app
        .model()
        .feeds()
        .iter()
        .map(|f| format!("{}: {}", f.label, state(&f.link)))
        .collect();
    Err(NoData::InTime {
        waited: began.elapsed(),
        why,
    })
}

fn state(link: &Link) -> String {
    match link {
        Link::Connecting => "no answer".to_owned(),
        Link::Up => "connected, but it tells nothing".to_owned(),
        Link::Lost(why) | Link::Unreadable(why) => why.clone(),
        Link::Ended => "ended".to_owned(),
    }
}

/// The frame.
pub fn frame(app: &mut App, once: &Once) -> String {
    let terminal = || crossterm::terminal::size().ok();
    let (width, height) = once.size.or_else(terminal).unwrap_or(SIZE);
    app.page = once.page;
    app.settle();
    let least = crate::view::LEAST;
    let buffer = export::draw(app, width.max(least.0), height.max(least.1));
    if once.svg {
        export::picture(&buffer, app.theme)
    } else {
        export::text(&buffer)
    }
}

//! The dashboard inside another program's terminal: `clw-bench --tui`.
//!
//! The host hands snapshots over and is told of keys that concern it. The dashboard runs on a thread of its own and never
//! makes the host wait: a snapshot that it has no room for is left out, as a slow reader of the telemetry stream would.

use crate::app::{App, Mode};
use crate::dashboard::{Dashboard, OnInterrupt};
use crate::event::Event;
use crate::input;
use crate::model::Model;
use crate::plan::Environment;
use crate::term::Screen;
use crate::theme::Theme;
use clw_core::snapshot::Snapshot;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Snapshots that may wait: a minute of them.
const QUEUE: usize = 64;

/// What the person at the keyboard wants of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ctrl-C: end the run.
    Interrupt,
    /// The dashboard was closed (or its terminal failed); the host goes on without it.
    Closed,
}

/// A dashboard that is shown.
pub struct Embedded {
    events: SyncSender<Event>,
    thread: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Takes the terminal over. `label` names the source; without `colour` there is none, and with it the environment
    /// decides which. `tell` is called on the dashboard's thread.
    pub fn start(
        label: &str,
        colour: bool,
        mut tell: impl FnMut(Order) + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let (events, received) = sync_channel(QUEUE);
        let theme = if colour {
            Environment::of_process().theme()
        } else {
            Theme::None
        };
        let app = App::new(Model::new([label.to_owned()]), Mode::Live, theme);
        let mut screen = Screen::take()?;
        let keys = input::read_keys(events.clone())?;
        let mut interrupt = tell.clone();
        let mut dashboard = Dashboard {
            app,
            replay: None,
            netem: None,
            export_dir: PathBuf::from("."),
            on_interrupt: OnInterrupt::Tell(Box::new(move || interrupt(Order::Interrupt))),
        };
        let thread = thread::Builder::new()
            .name("dashboard".to_owned())
            .spawn(move || {
                // A terminal that fails closes the dashboard and not the run.
                let _ = dashboard.run(&mut screen, &received);
                drop(keys);
                drop(screen);
                tell(Order::Closed);
            })?;
        Ok(Self {
            events,
            thread: Some(thread),
        })
    }

    /// Shows where the host is; returns at once.
    pub fn show(&self, snapshot: Snapshot) {
        let event = Event::Snapshot {
            source: 0,
            snapshot: Box::new(snapshot),
        };
        let _ = self.events.try_send(event);
    }

    /// Shows a message for a while.
    pub fn say(&self, text: impl Into<String>) {
        let _ = self.events.try_send(Event::Say(text.into()));
    }
}

impl Drop for Embedded {
    /// Gives the terminal back before it returns.
    fn drop(&mut self) {
        // It may be closed already, or its queue full of snapshots that it is about to show.
        let _ = self.events.send(Event::Close);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

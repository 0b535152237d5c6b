//! The loop: events and time in, frames out.

use crate::action::{Action, Effect};
use crate::app::App;
use crate::event::Event;
use crate::keys;
use crate::replay::Replay;
use crate::source::RecordingError;
use crate::source::netem::Netem;
use crate::term::{self, Screen};
use crate::{export, view};
use crossterm::event::{Event as Input, KeyEventKind, MouseEventKind};
use ratatui::buffer::Buffer;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Least time between two frames.
const FRAME: Duration = Duration::from_millis(100);
/// Longest time between two frames: ages grow even if nothing comes.
const IDLE_FRAME: Duration = Duration::from_secs(1);

/// How it was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// By a key.
    Quit,
    /// By Ctrl-C or a signal.
    Interrupted,
    /// Nobody sends events any more, or the terminal was given back because something else panicked.
    NoMoreEvents,
}

/// Why it could not go on.
#[derive(Debug, Error)]
pub enum DashboardError {
    /// The terminal.
    #[error("the terminal failed: {0}")]
    Terminal(#[from] io::Error),
    /// The recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// A source.
    #[error("{0}")]
    Source(String),
}

/// What Ctrl-C does.
pub enum OnInterrupt {
    /// It leaves the dashboard.
    Leave,
    /// It is the host's matter.
    Tell(Box<dyn FnMut() + Send>),
}

/// What the dashboard works on.
pub struct Dashboard {
    /// The state.
    pub app: App,
    /// The recording, if it is one that is shown.
    pub replay: Option<Replay>,
    /// The network, if it is followed.
    pub netem: Option<Netem>,
    /// Where exports and pictures go.
    pub export_dir: PathBuf,
    /// What Ctrl-C does.
    pub on_interrupt: OnInterrupt,
}

impl Dashboard {
    /// Runs until it is left.
    pub fn run(&mut self, screen: &mut Screen, events: &Receiver<Event>) -> Result<Left, DashboardError> {
        let began = Instant::now();
        let mut ticked = began;
        let mut drawn: Option<Instant> = None;
        let mut changed = true;
        loop {
            if !term::is_taken() {
                return Ok(Left::NoMoreEvents);
            }
            let now = Instant::now();
            self.app.tick(now - began);
            if let Some(replay) = &mut self.replay {
                let playing = replay.player().playing;
                replay.advance(now - ticked, &mut self.app)?;
                changed |= playing;
            }
            ticked = now;
            let due = drawn.map_or(now, |d| d + if changed { FRAME } else { IDLE_FRAME });
            if now >= due {
                self.app.settle();
                screen.terminal().draw(|frame| view::render(frame, &self.app))?;
                drawn = Some(now);
                changed = false;
                continue;
            }
            let wait = if self.replay.as_mut().is_some_and(|r| r.player().playing) {
                FRAME.min(due - now)
            } else {
                due - now
            };
            match events.recv_timeout(wait) {
                Ok(event) => {
                    // What a person does is answered at once.
                    if matches!(event, Event::Terminal(_)) {
                        drawn = None;
                    }
                    changed = true;
                    if let Some(left) = self.take(event, screen)? {
                        return Ok(left);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(Left::NoMoreEvents),
            }
        }
    }

    fn take(&mut self, event: Event, screen: &mut Screen) -> Result<Option<Left>, DashboardError> {
        match event {
            Event::Snapshot { source, snapshot } => self.app.absorb(source, *snapshot),
            Event::Record(record) => self.app.record(*record),
            Event::Link { source, link } => self.app.link(source, link),
            Event::Signal(_) => return Ok(Some(Left::Interrupted)),
            Event::Network(shape) => self.app.network(shape),
            Event::Failed(why) => return Err(DashboardError::Source(why)),
            Event::Say(text) => self.app.say(text),
            Event::Close => return Ok(Some(Left::NoMoreEvents)),
            Event::Terminal(Input::Key(key)) if key.kind != KeyEventKind::Release => {
                let effect = keys::action_of(key, self.app.modes()).and_then(|a| self.app.apply(a));
                match effect {
                    None => {}
                    Some(Effect::Leave) => return Ok(Some(Left::Quit)),
                    Some(Effect::Interrupt) => match &mut self.on_interrupt {
                        OnInterrupt::Leave => return Ok(Some(Left::Interrupted)),
                        OnInterrupt::Tell(host) => host(),
                    },
                    Some(Effect::Netem(order)) => {
                        if let Some(netem) = &self.netem {
                            netem.order(order);
                            self.app.say("netem: …");
                        }
                    }
                    Some(Effect::Replay(action)) => {
                        if let Some(replay) = &mut self.replay {
                            replay.apply(action, &mut self.app)?;
                        }
                    }
                    Some(effect @ (Effect::Export | Effect::Picture)) => {
                        let picture = self.picture(screen)?;
                        let written = if effect == Effect::Export {
                            export::text_and_json(&self.export_dir, &picture, &self.app)
                        } else {
                            export::svg(&self.export_dir, &picture, self.app.theme)
                        };
                        self.app.say(written.unwrap_or_else(|e| e.to_string()));
                    }
                }
            }
            Event::Terminal(Input::Mouse(mouse)) => match mouse.kind {
                MouseEventKind::ScrollUp => drop(self.app.apply(Action::Up)),
                MouseEventKind::ScrollDown => drop(self.app.apply(Action::Down)),
                _ => {}
            },
            // A resize needs no more than the new frame that every event brings.
            Event::Terminal(_) => {}
        }
        Ok(None)
    }

    /// The screen as it is.
    fn picture(&self, screen: &mut Screen) -> Result<Buffer, DashboardError> {
        let size = screen.terminal().size()?;
        Ok(export::draw(&self.app, size.width, size.height))
    }
}

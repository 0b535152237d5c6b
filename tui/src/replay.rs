//! A recording played into an [`App`].

use crate::action::Action;
use crate::app::{App, Mode};
use crate::model::{Link, Model};
use crate::source::{Entry, Player, Recording, RecordingError, Seek};
use std::ops::Range;
use std::time::Duration;

/// States that are kept for going back.
const CHECKPOINTS: usize = 8;
/// Fewer entries than this are taken in again faster than anybody notices.
const LEAST_STRIDE: usize = 256;

/// A recording and where it is.
#[derive(Debug)]
pub struct Replay {
    recording: Recording,
    player: Player,
    /// The state before some entries, by the entry's index: going back begins at the nearest.
    checkpoints: Vec<(usize, Model)>,
}

impl Replay {
    /// At the recording's beginning.
    pub fn new(recording: Recording) -> Self {
        let player = Player::new(recording.times_us(), recording.incidents_us());
        let begin = Model::new(recording.labels().iter().cloned());
        Self {
            recording,
            player,
            checkpoints: vec![(0, begin)],
        }
    }

    /// The sources' names.
    pub fn labels(&self) -> &[String] {
        self.recording.labels()
    }

    /// The clock, to be set before the first frame.
    pub fn player(&mut self) -> &mut Player {
        &mut self.player
    }

    /// What the header says.
    pub fn mode(&self) -> Mode {
        let (incidents, ahead) = self.player.incidents();
        Mode::Replay {
            speed: self.player.speed(),
            playing: self.player.playing,
            position: self.player.position(),
            end: self.player.end(),
            incidents,
            ahead,
        }
    }

    /// Shows the first moment, or that at `at`.
    pub fn begin(&mut self, at: Option<Duration>, app: &mut App) -> Result<(), RecordingError> {
        if let Some(cut) = self.recording.cut.clone() {
            app.say(cut);
        }
        let seek = self.player.seek(at.unwrap_or(Duration::ZERO));
        self.follow(seek, app)
    }

    /// Real time has passed.
    pub fn advance(&mut self, passed: Duration, app: &mut App) -> Result<(), RecordingError> {
        let due = self.player.advance(passed);
        let moved = !due.is_empty();
        self.feed(due, app)?;
        if self.player.playing && self.player.at_end() {
            self.player.playing = false;
            if moved {
                app.say("the end of the recording; Home begins again, N is the incident before");
            }
        }
        app.mode = self.mode();
        Ok(())
    }

    /// Carries out a key of the replay.
    pub fn apply(&mut self, action: Action, app: &mut App) -> Result<(), RecordingError> {
        let here = self.player.position();
        let seek = match action {
            Action::Pause => {
                self.player.playing = !self.player.playing;
                // Playing on at the end means from the beginning.
                (self.player.playing && self.player.at_end()).then(|| self.player.seek(Duration::ZERO))
            }
            Action::Faster => {
                self.player.change_speed(true);
                None
            }
            Action::Slower => {
                self.player.change_speed(false);
                None
            }
            Action::Forward(s) => Some(self.player.seek(here + Duration::from_secs(s.into()))),
            Action::Backward(s) => Some(
                self.player
                    .seek(here.saturating_sub(Duration::from_secs(s.into()))),
            ),
            Action::Start => Some(self.player.seek(Duration::ZERO)),
            Action::End => Some(self.player.seek(Duration::MAX)),
            Action::NextIncident | Action::PreviousIncident => {
                let forwards = action == Action::NextIncident;
                let seek = self.player.seek_incident(forwards);
                if seek.is_none() {
                    app.say(if forwards {
                        "no incident after this"
                    } else {
                        "no incident before this"
                    });
                }
                seek
            }
            _ => None,
        };
        if let Some(seek) = seek {
            self.follow(seek, app)?;
        }
        app.mode = self.mode();
        Ok(())
    }

    fn follow(&mut self, seek: Seek, app: &mut App) -> Result<(), RecordingError> {
        let mut entries = seek.entries;
        if seek.anew {
            let nearest = self.checkpoints.iter().rev().find(|(at, _)| *at <= entries.end);
            if let Some((at, model)) = nearest {
                app.replace(model.clone());
                entries.start = *at;
            }
        }
        self.feed(entries, app)?;
        app.mode = self.mode();
        Ok(())
    }

    fn feed(&mut self, due: Range<usize>, app: &mut App) -> Result<(), RecordingError> {
        let stride = (self.player.entries() / CHECKPOINTS).max(LEAST_STRIDE);
        for index in due {
            let latest = self.checkpoints.last().map_or(0, |(at, _)| *at);
            if index >= latest + stride {
                self.checkpoints.push((index, app.model().clone()));
            }
            match self.recording.entry(index)? {
                Some(Entry::Snapshot(source, snapshot)) => {
                    let at = Duration::from_micros(snapshot.elapsed_us);
                    app.absorb_at(source, *snapshot, at);
                }
                Some(Entry::Record(record)) => app.record(*record),
                None => {}
            }
        }
        if self.player.at_end() {
            for source in 0..self.recording.labels().len() {
                app.link(source, Link::Ended);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export;
    use crate::model::Model;
    use crate::source::capture::Narrow;
    use crate::theme::Theme;
    use std::path::Path;

    fn opened() -> (Replay, App) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/outage.journal");
        let replay = Replay::new(Recording::open(&path, Narrow::default()).unwrap());
        let model = Model::new(replay.labels().iter().cloned());
        let app = App::new(model, replay.mode(), Theme::None);
        (replay, app)
    }

    fn at(second: u64, replay: &mut Replay, app: &mut App) -> String {
        let seek = replay.player.seek(Duration::from_secs(second));
        replay.follow(seek, app).unwrap();
        app.settle();
        export::figures(app)
    }

    #[test]
    fn a_moment_is_the_same_from_whichever_side_it_is_reached() {
        let (mut moved, mut app) = opened();
        moved.apply(Action::End, &mut app).unwrap();
        // As in a recording of hours: the state of the middle is kept.
        let middle = moved.player.entries() / 2;
        let (mut other, mut other_app) = opened();
        other.feed(0..middle, &mut other_app).unwrap();
        moved.checkpoints.push((middle, other_app.model().clone()));
        for second in [35, 5, 30, 13, 14, 12, 39] {
            let (mut fresh, mut fresh_app) = opened();
            assert_eq!(
                at(second, &mut moved, &mut app),
                at(second, &mut fresh, &mut fresh_app),
                "{second}"
            );
        }
    }

    #[test]
    fn playing_shows_what_seeking_shows() {
        let (mut played, mut app) = opened();
        played.begin(None, &mut app).unwrap();
        for _ in 0..200 {
            played.advance(Duration::from_millis(100), &mut app).unwrap();
        }
        app.settle();
        let (mut sought, mut other) = opened();
        let position = played.player.position();
        let seek = sought.player.seek(position);
        sought.follow(seek, &mut other).unwrap();
        other.settle();
        assert_eq!(export::figures(&app), export::figures(&other));
    }
}

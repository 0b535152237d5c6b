//! One connection's bytes, from the first to the last.

mod heads;

use super::Facts;
use super::beats::Signs;
use super::frames::{Event, Frames, Scratch};
use super::said::said;
use super::sniff::{Beginning, beginning};
use super::words::Words;
use crate::tcp::Way;
use crate::tls::{KeyLog, TlsEvent, TlsInfo, TlsSession};
use clw_core::verdict::Side;
use clw_core::{Dialect, Stage};
use heads::Heads;

/// First bytes that are looked at.
const MAX_SNIFFED_BYTES: usize = 64;

/// Where in the capture something was said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    /// When.
    pub at_ns: u64,
    /// In which frame.
    pub frame: u64,
    /// What the packets of the side that speaks looked like just before.
    pub signs: Signs,
}

/// Something that a timeline shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at_ns: u64,
    /// In which frame.
    pub frame: u64,
    /// From whom.
    pub way: Way,
    /// What it meant.
    pub text: String,
}

/// A timeline.
#[derive(Debug, Default)]
pub struct Notes(pub Vec<Note>);

/// What all connections share.
#[derive(Debug, Default)]
pub struct Shared {
    /// TLS secrets.
    pub keys: KeyLog,
    scratch: Scratch,
    events: Vec<TlsEvent>,
}

/// What is spoken on a connection, as far as it has been read.
#[derive(Debug)]
pub struct Session {
    /// What was said.
    pub facts: Facts,
    /// The dialect was given by the user.
    forced: Option<Dialect>,
    has_syn: bool,
    /// TLS around everything else.
    tls: Option<Box<TlsSession>>,
    /// Some of its bytes were not captured.
    tls_has_holes: bool,
    mode: Mode,
    /// Which sides speak is the other way round than thought.
    pub is_reversed: bool,
    /// A timeline, where one is wanted.
    pub notes: Option<Box<Notes>>,
}

#[derive(Debug)]
enum Mode {
    /// Nobody has said what this is.
    Sniff(Box<[Vec<u8>; 2]>),
    /// Heads are read.
    Http(Box<Heads>),
    /// Frames are read, by way.
    WebSocket(Box<[Frames; 2]>),
    /// Not of interest.
    Opaque,
}

impl Session {
    /// A connection whose SYN was captured, or that begins in the middle.
    pub fn new(has_syn: bool, forced: Option<Dialect>, heartbeat_factor: f64, with_notes: bool) -> Self {
        Self {
            facts: Facts::new(heartbeat_factor),
            forced,
            has_syn,
            tls: None,
            tls_has_holes: false,
            mode: Mode::Sniff(Box::default()),
            is_reversed: false,
            notes: with_notes.then(Box::default),
        }
    }

    /// The next bytes of `way`.
    pub fn bytes(&mut self, way: Way, moment: Moment, bytes: &[u8], shared: &mut Shared) {
        if self.tls.is_some() {
            self.encrypted(moment, shared, |tls, keys, events| {
                tls.feed(way.sender(), bytes, keys, events);
            });
            return;
        }
        self.plain(way, moment, bytes, &mut shared.scratch);
        // What was sniffed begins the TLS stream.
        if self.tls.is_some()
            && let Mode::Sniff(sniffed) = &mut self.mode
        {
            let held = std::mem::take(sniffed.as_mut());
            for (way, bytes) in [
                (way, &held[way as usize]),
                (way.back(), &held[way.back() as usize]),
            ] {
                if !bytes.is_empty() {
                    self.encrypted(moment, shared, |tls, keys, events| {
                        tls.feed(way.sender(), bytes, keys, events);
                    });
                }
            }
        }
    }

    /// So many bytes of `way` were not captured.
    pub fn missing(&mut self, way: Way, moment: Moment, bytes: u32, shared: &mut Shared) {
        if self.tls.is_some() {
            self.tls_has_holes = true;
            self.encrypted(moment, shared, |tls, keys, events| {
                tls.gap(way.sender(), Some(u64::from(bytes)), keys, events);
            });
        } else {
            self.plain_missing(way, moment, bytes, &mut shared.scratch);
        }
    }

    /// The connection is over: what TLS held back is read.
    pub fn finish(&mut self, moment: Moment, shared: &mut Shared) {
        if self.tls.is_some() {
            self.encrypted(moment, shared, TlsSession::end);
        }
    }

    /// What TLS told of itself, where it is spoken.
    pub fn tls_info(&self) -> Option<&TlsInfo> {
        self.tls.as_deref().map(TlsSession::info)
    }

    /// Takes a step of TLS and reads what it opens.
    fn encrypted(
        &mut self,
        moment: Moment,
        shared: &mut Shared,
        step: impl FnOnce(&mut TlsSession, &KeyLog, &mut Vec<TlsEvent>),
    ) {
        let mut events = std::mem::take(&mut shared.events);
        if let Some(tls) = &mut self.tls {
            step(tls, &shared.keys, &mut events);
        }
        for event in events.drain(..) {
            match event {
                TlsEvent::Data { side, bytes } => {
                    self.plain(way_of(side), moment, &bytes, &mut shared.scratch);
                }
                TlsEvent::DataLost { side, bytes } => {
                    let bytes = bytes
                        .and_then(|bytes| u32::try_from(bytes).ok())
                        .unwrap_or(u32::MAX);
                    self.plain_missing(way_of(side), moment, bytes, &mut shared.scratch);
                }
                other => self.tls_event(moment, &other),
            }
        }
        shared.events = events;
    }

    fn tls_event(&mut self, moment: Moment, event: &TlsEvent) {
        let facts = &mut self.facts;
        match event {
            TlsEvent::HandshakeDone => facts.tls.get_or_insert_default().is_done = true,
            TlsEvent::Alert { side, alert } => {
                let what = format!("alert {alert} of the {}", side.name());
                self.note(way_of(*side), moment, || format!("TLS {what}"));
                // After a hole, an encrypted record may be taken for an alert.
                let tls = self.facts.tls.get_or_insert_default();
                if !tls.is_done && !self.tls_has_holes {
                    tls.failure.get_or_insert(what);
                }
            }
            TlsEvent::CloseNotify { side } => {
                facts.tls.get_or_insert_default().close_notify.get_or_insert((
                    moment.at_ns,
                    moment.frame,
                    *side,
                ));
                self.note(way_of(*side), moment, || "TLS close_notify".to_owned());
            }
            TlsEvent::NotTls { side } => {
                let what = format!("the {}'s first bytes are no TLS", side.name());
                if !self.tls_has_holes {
                    facts.tls.get_or_insert_default().failure.get_or_insert(what);
                }
            }
            TlsEvent::NoKeys(why) => facts.tls.get_or_insert_default().no_keys = Some(why.to_string()),
            TlsEvent::ClientHello => self.note(Way::Up, moment, || "TLS ClientHello".to_owned()),
            TlsEvent::ServerHello => self.note(Way::Down, moment, || "TLS ServerHello".to_owned()),
            _ => {}
        }
    }

    fn plain(&mut self, way: Way, moment: Moment, bytes: &[u8], scratch: &mut Scratch) {
        match &mut self.mode {
            Mode::Sniff(_) => self.sniff(way, moment, bytes, scratch),
            Mode::Http(_) => self.http(way, moment, bytes, scratch),
            Mode::WebSocket(_) => self.frames(way, moment, Ok(bytes), scratch),
            Mode::Opaque => {}
        }
    }

    fn plain_missing(&mut self, way: Way, moment: Moment, bytes: u32, scratch: &mut Scratch) {
        match &mut self.mode {
            // What follows may still be recognised, as in a capture that begins in the middle.
            Mode::Sniff(sniffed) => {
                sniffed[way as usize].clear();
                self.has_syn = false;
                self.facts.has_holes = true;
            }
            Mode::Http(_) => self.head_missing(way, scratch),
            Mode::WebSocket(_) => self.frames(way, moment, Err(bytes), scratch),
            Mode::Opaque => {}
        }
    }

    /// Bytes of records, heads and messages whose end has not come.
    pub fn waiting_bytes(&self) -> usize {
        let plain = match &self.mode {
            Mode::Http(heads) => heads.waiting_bytes(),
            Mode::WebSocket(frames) => frames.iter().map(Frames::waiting_bytes).sum(),
            // A few bytes at most.
            Mode::Sniff(_) | Mode::Opaque => 0,
        };
        plain + self.tls.as_deref().map_or(0, TlsSession::waiting_bytes)
    }

    /// Bytes of text that compressed messages to come may refer to.
    pub fn context_bytes(&self) -> usize {
        match &self.mode {
            Mode::WebSocket(frames) => frames.iter().map(Frames::context_bytes).sum(),
            Mode::Sniff(_) | Mode::Http(_) | Mode::Opaque => 0,
        }
    }

    /// Gives all these bytes up, as if they had not been captured.
    pub fn give_up_waiting(&mut self, moment: Moment, shared: &mut Shared) {
        if self.tls.is_some() {
            self.tls_has_holes = true;
            self.encrypted(moment, shared, TlsSession::give_up_waiting);
        }
        match &mut self.mode {
            Mode::Http(_) => {
                self.facts.lost_framing = true;
                self.mode = Mode::Opaque;
            }
            Mode::WebSocket(frames) => frames.iter_mut().for_each(Frames::give_up_waiting),
            Mode::Sniff(_) | Mode::Opaque => {}
        }
    }

    /// Whether frames were lost for good in a direction.
    pub fn is_lost(&self) -> bool {
        self.facts.lost_framing
            || matches!(&self.mode, Mode::WebSocket(frames) if frames.iter().any(Frames::is_lost))
    }

    /// Whether the frames of `way` were lost for good.
    pub fn is_lost_way(&self, way: Way) -> bool {
        self.facts.lost_framing
            || matches!(&self.mode, Mode::WebSocket(frames) if frames[way as usize].is_lost())
    }

    /// Frames by opcode and way.
    pub fn opcodes(&self) -> Option<[[u32; 16]; 2]> {
        match &self.mode {
            Mode::WebSocket(frames) => Some([frames[0].opcodes(), frames[1].opcodes()]),
            _ => None,
        }
    }

    /// What the connection turned out to be. Where nobody said a word, the user's word tells, or what the server speaks on other
    /// connections, or else its port.
    pub fn dialect(&self, server_port: u16, server_speaks: Option<Dialect>) -> Dialect {
        let elsewhere = server_speaks.filter(|_| !self.facts.is_foreign);
        match (self.facts.dialect, &self.mode) {
            (Dialect::Unknown, Mode::WebSocket(_)) => {
                self.forced.or(elsewhere).unwrap_or(match server_port {
                    clw_core::openclaw::DEFAULT_PORT if self.facts.first_message_ns.is_none() => {
                        Dialect::Openclaw
                    }
                    _ => Dialect::Websocket,
                })
            }
            (dialect, _) => dialect,
        }
    }

    fn sniff(&mut self, way: Way, moment: Moment, bytes: &[u8], scratch: &mut Scratch) {
        let Mode::Sniff(sniffed) = &mut self.mode else {
            return;
        };
        let held = &mut sniffed[way as usize];
        held.extend_from_slice(bytes);
        let may_be_frames = !self.has_syn;
        match beginning(held, may_be_frames) {
            Beginning::Short if held.len() <= MAX_SNIFFED_BYTES => {}
            Beginning::Request | Beginning::Answer => {
                let is_request = beginning(held, false) == Beginning::Request;
                // A server does not ask: the sides were guessed wrongly.
                if is_request == (way == Way::Down) && !self.has_syn {
                    self.is_reversed = true;
                }
                let way = if is_request { Way::Up } else { Way::Down };
                let held = std::mem::take(held);
                self.mode = Mode::Http(Box::default());
                self.http(way, moment, &held, scratch);
            }
            Beginning::Tls if self.tls.is_none() => {
                self.facts.dialect = Dialect::Tls;
                self.facts.reach(Stage::Tls);
                self.tls = Some(Box::default());
            }
            Beginning::Tls => self.mode = Mode::Opaque,
            Beginning::Frames { is_client } => {
                let way_of_frames = if is_client { Way::Up } else { Way::Down };
                self.is_reversed = way_of_frames != way;
                let held = std::mem::take(held);
                self.facts.dialect = Dialect::Unknown;
                self.facts.began_in_the_middle = true;
                self.facts.reach(Stage::Challenge);
                self.mode = Mode::WebSocket(Box::new([
                    Frames::in_the_middle(true),
                    Frames::in_the_middle(false),
                ]));
                self.frames(way_of_frames, moment, Ok(&held), scratch);
            }
            // In the middle of a stream, the next packet may begin with a frame.
            Beginning::Other if may_be_frames => held.clear(),
            Beginning::Short | Beginning::Other => {
                self.mode = Mode::Opaque;
            }
        }
    }

    fn frames(&mut self, way: Way, moment: Moment, input: Result<&[u8], u32>, scratch: &mut Scratch) {
        let Mode::WebSocket(frames) = &mut self.mode else {
            return;
        };
        let frames = &mut frames[way as usize];
        let facts = &mut self.facts;
        let notes = &mut self.notes;
        let forced = self.forced;
        let mut on = |event: Event<'_>| {
            let mut words = Words::new(notes.is_some());
            said(facts, forced, way, moment, &event, &mut words);
            if let Some(notes) = notes {
                notes.0.push(Note {
                    at_ns: moment.at_ns,
                    frame: moment.frame,
                    way,
                    text: words.into_text(),
                });
            }
        };
        match input {
            Ok(bytes) => frames.bytes(bytes, scratch, &mut on),
            Err(missing) => {
                frames.missing(missing, scratch, &mut on);
                let is_lost = frames.is_lost();
                facts.has_holes |= is_lost;
                if way == Way::Down {
                    facts.may_be_answered();
                }
            }
        }
    }

    /// Adds to the timeline.
    pub fn note(&mut self, way: Way, moment: Moment, text: impl FnOnce() -> String) {
        if let Some(notes) = &mut self.notes {
            notes.0.push(Note {
                at_ns: moment.at_ns,
                frame: moment.frame,
                way,
                text: text(),
            });
        }
    }
}

const fn way_of(side: Side) -> Way {
    match side {
        Side::Server => Way::Down,
        _ => Way::Up,
    }
}

//! One connection's bytes, from the first to the last.

use super::Facts;
use super::beats::Signs;
use super::frames::{Event, Frames, Scratch};
use super::said::said;
use super::sniff::{Beginning, beginning};
use super::upgrade::{self, Head};
use super::words::Words;
use crate::tcp::Way;
use crate::tls::{KeyLog, TlsEvent, TlsInfo, TlsSession};
use clw_core::verdict::Side;
use clw_core::{Dialect, Stage};

/// Bytes that wait for the other side's answer to the upgrade.
const MAX_WAITING_BYTES: usize = 64 * 1024;
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
    mode: Mode,
    /// Which sides speak is the other way round than thought.
    pub is_reversed: bool,
    /// A timeline, where one is wanted.
    pub notes: Option<Vec<Note>>,
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

#[derive(Debug, Default)]
struct Heads {
    waiting: [Vec<u8>; 2],
    /// Where the last bytes that wait were.
    last: [Moment; 2],
    has_request: bool,
    is_upgrade: bool,
    protocols: String,
}

impl Session {
    /// A connection whose SYN was captured, or that begins in the middle.
    pub fn new(has_syn: bool, forced: Option<Dialect>, heartbeat_factor: f64, with_notes: bool) -> Self {
        Self {
            facts: Facts::new(heartbeat_factor),
            forced,
            has_syn,
            tls: None,
            mode: Mode::Sniff(Box::default()),
            is_reversed: false,
            notes: with_notes.then(Vec::new),
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
            TlsEvent::HandshakeDone => facts.tls_done = true,
            TlsEvent::Alert { side, alert } => {
                let what = format!("alert {alert} of the {}", side.name());
                self.note(way_of(*side), moment, || format!("TLS {what}"));
                if !self.facts.tls_done {
                    self.facts.tls_failure.get_or_insert(what);
                }
            }
            TlsEvent::CloseNotify { side } => {
                facts
                    .close_notify
                    .get_or_insert_with(|| Box::new((moment.at_ns, moment.frame, *side)));
                self.note(way_of(*side), moment, || "TLS close_notify".to_owned());
            }
            TlsEvent::NotTls { side } => {
                let what = format!("the {}'s first bytes are no TLS", side.name());
                facts.tls_failure.get_or_insert(what);
            }
            TlsEvent::NoKeys(why) => facts.no_keys = Some(why.to_string()),
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
            Mode::Http(heads) if way == Way::Down && heads.is_upgrade => {
                // The 101 was not captured; what the client says after its request is framed all the same.
                let up = std::mem::take(&mut heads.waiting[Way::Up as usize]);
                let then = heads.last[Way::Up as usize];
                self.facts.has_holes = true;
                self.facts.reach(Stage::Challenge);
                self.mode = Mode::WebSocket(Box::new([Frames::new(true), Frames::in_the_middle(false)]));
                if !up.is_empty() {
                    self.frames(Way::Up, then, Ok(&up), scratch);
                }
            }
            Mode::Http(_) => {
                self.facts.lost_framing = true;
                self.has_syn = false;
                self.mode = Mode::Sniff(Box::default());
            }
            Mode::WebSocket(_) => self.frames(way, moment, Err(bytes), scratch),
            Mode::Opaque => {}
        }
    }

    /// Bytes of heads and messages whose end has not come.
    pub fn waiting_bytes(&self) -> usize {
        match &self.mode {
            Mode::Http(heads) => heads.waiting.iter().map(Vec::len).sum(),
            Mode::WebSocket(frames) => frames.iter().map(Frames::waiting_bytes).sum(),
            // A few bytes at most.
            Mode::Sniff(_) | Mode::Opaque => 0,
        }
    }

    /// Gives these bytes up, as if they had not been captured.
    pub fn give_up_waiting(&mut self) {
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

    /// Frames by opcode and way.
    pub fn opcodes(&self) -> Option<[[u32; 16]; 2]> {
        match &self.mode {
            Mode::WebSocket(frames) => Some([frames[0].opcodes(), frames[1].opcodes()]),
            _ => None,
        }
    }

    /// What the connection turned out to be. Where nobody said a word, the user's word or else the server's port tells.
    pub fn dialect(&self, server_port: u16) -> Dialect {
        match (self.facts.dialect, &self.mode) {
            (Dialect::Unknown, Mode::WebSocket(_)) => self.forced.unwrap_or(match server_port {
                clw_core::openclaw::DEFAULT_PORT if self.facts.first_message_ns.is_none() => {
                    Dialect::Openclaw
                }
                _ => Dialect::Websocket,
            }),
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
                self.facts.dialect = Dialect::Http;
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

    fn http(&mut self, way: Way, moment: Moment, bytes: &[u8], scratch: &mut Scratch) {
        let Mode::Http(heads) = &mut self.mode else { return };
        let waiting = &mut heads.waiting[way as usize];
        if waiting.len() + bytes.len() <= MAX_WAITING_BYTES {
            waiting.extend_from_slice(bytes);
            heads.last[way as usize] = moment;
        }
        match way {
            Way::Up if !heads.has_request => match upgrade::request(waiting) {
                Head::Whole(request) => {
                    waiting.drain(..request.head_bytes);
                    heads.has_request = true;
                    heads.is_upgrade = request.is_upgrade;
                    heads.protocols = request.protocols;
                    self.facts.requested_ns.get_or_insert(moment.at_ns);
                    self.facts.reach(Stage::Upgrade);
                    let text = format!("{} {}", request.http.method, request.http.path);
                    let agent = request.http.user_agent.as_deref().unwrap_or_default();
                    self.facts.helper = agent.to_ascii_lowercase().contains("helper");
                    if request.is_upgrade {
                        self.facts.dialect = Dialect::Unknown;
                    }
                    self.facts.http = Some(request.http);
                    self.note(Way::Up, moment, || text);
                }
                Head::Partial => {}
                Head::Broken => {
                    self.facts.broken(way.sender(), "the request is no HTTP");
                    self.mode = Mode::Opaque;
                }
            },
            Way::Up => {}
            Way::Down => match upgrade::answer(waiting) {
                Head::Whole(answer) if answer.status == 101 => self.upgraded(&answer, moment, scratch),
                Head::Whole(answer) => {
                    let http = self.facts.http.get_or_insert_default();
                    // 100 and its like come before the answer.
                    if answer.status >= 200 {
                        http.status.get_or_insert(answer.status);
                        self.mode = Mode::Opaque;
                    } else {
                        waiting.drain(..answer.head_bytes);
                    }
                    self.note(Way::Down, moment, || format!("HTTP {}", answer.status));
                }
                Head::Partial => {}
                Head::Broken => {
                    self.facts.broken(way.sender(), "the answer is no HTTP");
                    self.mode = Mode::Opaque;
                }
            },
        }
    }

    fn upgraded(&mut self, answer: &upgrade::Answer, moment: Moment, scratch: &mut Scratch) {
        let Mode::Http(heads) = &mut self.mode else { return };
        let [up, mut down] = std::mem::take(&mut heads.waiting);
        down.drain(..answer.head_bytes);
        let protocols = if answer.protocol.is_empty() {
            &heads.protocols
        } else {
            &answer.protocol
        };
        let mut frames = [Frames::new(true), Frames::new(false)];
        if let Some(keeps) = answer.deflate {
            frames[0].inflate(keeps[0]);
            frames[1].inflate(keeps[1]);
        }
        let http = self.facts.http.get_or_insert_default();
        http.status = Some(101);
        self.facts.dialect = if protocols.contains("clw.auth.") || http.path.starts_with("/clw/auth") {
            Dialect::Clw
        } else {
            Dialect::Unknown
        };
        self.facts.upgraded_ns = Some(moment.at_ns);
        self.facts.reach(Stage::Challenge);
        self.mode = Mode::WebSocket(Box::new(frames));
        self.note(Way::Down, moment, || "HTTP 101".to_owned());
        // Nobody may speak before the 101 is read, but a segment may hold both.
        for (way, bytes) in [(Way::Down, down), (Way::Up, up)] {
            if !bytes.is_empty() {
                self.frames(way, moment, Ok(&bytes), scratch);
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
                notes.push(Note {
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
            }
        }
    }

    /// Adds to the timeline.
    pub fn note(&mut self, way: Way, moment: Moment, text: impl FnOnce() -> String) {
        if let Some(notes) = &mut self.notes {
            notes.push(Note {
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

//! The heads of a request and its answer, whole or cut.

use super::{Mode, Moment, Session};
use crate::stream::frames::{Frames, Scratch};
use crate::stream::upgrade::{self, Head};
use crate::tcp::Way;
use clw_core::{Dialect, Stage};

/// Bytes that wait for the other side's answer to the upgrade.
const MAX_WAITING_BYTES: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Heads {
    waiting: [Vec<u8>; 2],
    /// Where the last bytes that wait were.
    last: [Moment; 2],
    has_request: bool,
    /// The end of the request's head was not captured.
    is_cut: bool,
    is_upgrade: bool,
    protocols: String,
}

/// How much of a request was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Whole,
    Begun,
    Unseen,
}

impl Heads {
    /// Bytes of heads whose end has not come, and of what follows them.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting.iter().map(Vec::len).sum()
    }

    fn request(&self) -> Seen {
        match self {
            // What a cut request asked for may be what is missing.
            _ if self.has_request && (self.is_upgrade || !self.is_cut) => Seen::Whole,
            _ if self.has_request => Seen::Begun,
            _ if self.waiting[Way::Up as usize].is_empty() => Seen::Unseen,
            _ => Seen::Begun,
        }
    }
}

impl Session {
    /// A part of a head was not captured: what is left of it may say enough.
    pub(super) fn head_missing(&mut self, way: Way, scratch: &mut Scratch) {
        let Mode::Http(heads) = &mut self.mode else { return };
        if way == Way::Up
            && !heads.has_request
            && let Some(request) = upgrade::cut_request(&heads.waiting[Way::Up as usize])
        {
            heads.is_cut = true;
            heads.waiting[Way::Up as usize].clear();
            let moment = heads.last[Way::Up as usize];
            self.requested(request, moment);
            return;
        }
        let status = upgrade::status(&heads.waiting[Way::Down as usize]).filter(|_| way == Way::Down);
        let is_upgraded = status == Some(101) || (status.is_none() && way == Way::Down && heads.is_upgrade);
        if is_upgraded {
            // What the client says after its request is framed, whether the 101 was captured or not.
            let up = std::mem::take(&mut heads.waiting[Way::Up as usize]);
            let then = heads.last[Way::Up as usize];
            let (has_request, is_cut) = (heads.has_request, heads.is_cut);
            if status.is_some() {
                self.facts.upgraded_ns = Some(heads.last[Way::Down as usize].at_ns);
                self.facts.http.get_or_insert_default().status = status;
            }
            self.facts.has_holes = true;
            self.facts.lost_framing = false;
            self.facts.reach(Stage::Challenge);
            self.mode = Mode::WebSocket(Box::new([
                if is_cut {
                    Frames::after_a_cut_head(true)
                } else if has_request {
                    Frames::after_unknown(true)
                } else {
                    Frames::in_the_middle(true)
                },
                if status.is_some() {
                    Frames::after_a_cut_head(false)
                } else {
                    Frames::in_the_middle(false)
                },
            ]));
            if has_request && !up.is_empty() {
                self.frames(Way::Up, then, Ok(&up), scratch);
            }
        } else if let Some(status) = status {
            let request = heads.request();
            self.refused(status, request, None);
            self.mode = Mode::Opaque;
        } else {
            self.facts.lost_framing = true;
            self.has_syn = false;
            self.mode = Mode::Sniff(Box::default());
        }
    }

    pub(super) fn http(&mut self, way: Way, moment: Moment, bytes: &[u8], scratch: &mut Scratch) {
        let Mode::Http(heads) = &mut self.mode else { return };
        let request = heads.request();
        let waiting = &mut heads.waiting[way as usize];
        if waiting.len() + bytes.len() <= MAX_WAITING_BYTES {
            waiting.extend_from_slice(bytes);
            heads.last[way as usize] = moment;
        }
        match way {
            Way::Up if !heads.has_request => match upgrade::request(waiting) {
                Head::Whole(request) => {
                    waiting.drain(..request.head_bytes);
                    self.requested(request, moment);
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
                    let says = upgrade::plain_words(&waiting[answer.head_bytes..]);
                    // 100 and its like come before the answer.
                    if answer.status >= 200 {
                        self.refused(answer.status, request, says);
                        self.mode = Mode::Opaque;
                    } else {
                        waiting.drain(..answer.head_bytes);
                    }
                    self.note(Way::Down, moment, || format!("HTTP {}", answer.status));
                }
                Head::Partial => {}
                // The answer itself was not captured, and this is what followed it.
                Head::Broken if !self.has_syn && !waiting.starts_with(b"HTTP/") => {
                    let followed = std::mem::take(waiting);
                    self.head_missing(way, scratch);
                    self.plain(way, moment, &followed, scratch);
                }
                Head::Broken => {
                    self.facts.broken(way.sender(), "the answer is no HTTP");
                    self.mode = Mode::Opaque;
                }
            },
        }
    }

    /// The client asked.
    fn requested(&mut self, request: upgrade::Request, moment: Moment) {
        let Mode::Http(heads) = &mut self.mode else { return };
        heads.has_request = true;
        heads.is_upgrade = request.is_upgrade;
        heads.protocols = request.protocols;
        // Anything else was never meant to be a session.
        let is_plain = !request.is_upgrade && (!heads.is_cut || request.http.method != "GET");
        self.facts.requested_ns.get_or_insert(moment.at_ns);
        self.facts.reach(Stage::Upgrade);
        self.note(Way::Up, moment, || {
            format!("{} {}", request.http.method, request.http.path)
        });
        let agent = request.http.user_agent.as_deref().unwrap_or_default();
        self.facts.helper = clw_core::verdict::is_helper(agent);
        if is_plain {
            self.facts.dialect = Dialect::Http;
        }
        self.facts.http = Some(request.http);
    }

    /// The server answered something else than 101.
    fn refused(&mut self, status: u16, request: Seen, says: Option<String>) {
        if request == Seen::Whole {
            let http = self.facts.http.get_or_insert_default();
            http.status.get_or_insert(status);
            self.facts.http_says = says.map(String::into_boxed_str);
            return;
        }
        // What it refused is not known.
        let what = if request == Seen::Unseen {
            self.facts.has_holes = true;
            "that was not captured"
        } else {
            "that was not finished"
        };
        self.facts
            .http_says
            .get_or_insert_with(|| format!("HTTP {status} to a request {what}").into_boxed_str());
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
        let first = if heads.is_cut {
            Frames::after_a_cut_head(true)
        } else {
            Frames::new(true)
        };
        let mut frames = [first, Frames::new(false)];
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
}

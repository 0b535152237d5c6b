//! WebSocket frames as a capture shows them (RFC 6455 section 5): both directions, with bytes missing, from the middle.
//!
//! `clw_core::ws` refuses what an endpoint must refuse. A reader of captures has to go on: it skips what was not captured
//! as long as the framing is known, and finds it again where it can.

mod header;

use super::inflate::{Decoder, Inflate};
use super::mask::{mask_at, unmask};
pub use header::begins_with_frames;
use header::{Header, Open, begins_with_a_header, lacks, parse};

/// A message longer than this is read up to here; its framing goes on.
const MAX_MESSAGE_BYTES: usize = 256 * 1024;
/// So much of a packet is kept until its frames can be told.
const MAX_CUT_BYTES: usize = 512;
/// Nothing of a frame is missing.
const WHOLE: u32 = u32::MAX;
/// A buffer above this is given back when it runs empty.
const KEEP_BYTES: usize = 256;

/// Opcodes that have a meaning (RFC 6455 section 11.8).
const OPCODES: [u8; 6] = [0, 1, 2, 8, 9, 10];

/// What one direction brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A data message.
    Message {
        /// Text, or else binary.
        is_text: bool,
        /// Its payload, as far as it was captured and kept.
        payload: &'a [u8],
        /// Whether that is all of it.
        is_whole: bool,
    },
    /// A ping.
    Ping,
    /// A pong.
    Pong,
    /// A close frame.
    Close {
        /// Its code; `None` for an empty body.
        code: Option<u16>,
        /// Its reason.
        reason: &'a str,
        /// Whether code and reason were captured.
        is_whole: bool,
    },
    /// The sender broke the protocol; the text says how.
    Violation(&'static str),
    /// The sender broke the protocol in a way that some peers forgive; reading goes on.
    Forgivable(&'static str),
}

/// Buffers that all connections share.
#[derive(Debug, Default)]
pub struct Scratch {
    unmasked: Vec<u8>,
    inflated: Vec<u8>,
    decoder: Decoder,
}

/// One direction's framing.
#[derive(Debug)]
pub struct Frames {
    /// The sender is a client, and must mask.
    is_client: bool,
    head: [u8; 14],
    head_len: u8,
    frame: Option<Open>,
    /// Payload of the frame that is being read, as far as kept.
    payload: Vec<u8>,
    /// So much of it, from its beginning, came before anything was missing; [`WHOLE`] if nothing is.
    intact: u32,
    /// What the upgrade agreed on was not captured: messages may be compressed.
    may_compress: bool,
    /// The data message that fragments belong to: is text, is compressed, is whole.
    message: Option<(bool, bool, bool)>,
    message_bytes: Vec<u8>,
    state: State,
    /// Where framing is lost, what was captured of the last packet may begin a frame that lacks so many bytes.
    lacks: u32,
    /// Its frames are masked, or not, against the rules; told once.
    is_masked_wrongly: bool,
    inflate: Option<Box<Inflate>>,
    /// Frames read, by those of [`OPCODES`]; the others end the reading.
    counts: [u32; OPCODES.len()],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Framed,
    /// The next bytes begin with a frame, if they look so at all: the head before them was cut.
    Fresh,
    /// Where the next frame begins is not known.
    Lost,
    /// A close frame or a violation came: nothing after it counts (RFC 6455 section 5.5.1).
    Over,
}

impl Frames {
    /// Framing of what a client (or a server) sends, from the first byte after the upgrade.
    pub fn new(is_client: bool) -> Self {
        Self {
            is_client,
            head: [0; 14],
            head_len: 0,
            frame: None,
            payload: Vec::new(),
            intact: WHOLE,
            may_compress: false,
            message: None,
            message_bytes: Vec::new(),
            state: State::Framed,
            lacks: 0,
            is_masked_wrongly: false,
            inflate: None,
            counts: [0; OPCODES.len()],
        }
    }

    /// Framing from the first byte after an upgrade whose answer was not captured.
    pub fn after_unknown(is_client: bool) -> Self {
        Self {
            may_compress: true,
            ..Self::new(is_client)
        }
    }

    /// Framing that must first be found, in a capture that begins in the middle.
    pub fn in_the_middle(is_client: bool) -> Self {
        Self {
            state: State::Lost,
            may_compress: true,
            ..Self::new(is_client)
        }
    }

    /// Framing from the first byte after a head of which the end was cut off.
    pub fn after_a_cut_head(is_client: bool) -> Self {
        Self {
            state: State::Fresh,
            ..Self::in_the_middle(is_client)
        }
    }

    /// Messages are compressed (RFC 7692); `keeps_context` from message to message.
    pub fn inflate(&mut self, keeps_context: bool) {
        self.inflate = Some(Box::new(Inflate::new(keeps_context)));
    }

    /// Whether frames can still be told apart.
    pub fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// Frames read, by opcode.
    pub fn opcodes(&self) -> [u32; 16] {
        let mut all = [0; 16];
        for (opcode, count) in OPCODES.iter().zip(self.counts) {
            all[usize::from(*opcode)] = count;
        }
        all
    }

    /// Bytes of a message whose end has not come.
    pub fn waiting_bytes(&self) -> usize {
        self.payload.len() + self.message_bytes.len()
    }

    /// Bytes of text that compressed messages to come may refer to.
    pub fn context_bytes(&self) -> usize {
        self.inflate.as_deref().map_or(0, Inflate::context_bytes)
    }

    /// Gives up what has come of a message, and what compressed ones may refer to; its framing goes on.
    pub fn give_up_waiting(&mut self) {
        if let Some(inflate) = &mut self.inflate {
            inflate.lose();
        }
        self.payload = Vec::new();
        self.message_bytes = Vec::new();
        if self.frame.is_some() {
            self.intact = 0;
        }
        if let Some((_, _, is_whole)) = &mut self.message {
            *is_whole = false;
        }
    }

    /// Reads the next bytes.
    pub fn bytes(&mut self, mut bytes: &[u8], scratch: &mut Scratch, on: &mut impl FnMut(Event<'_>)) {
        match self.state {
            State::Fresh if begins_with_a_header(bytes, self.is_client) => self.state = State::Framed,
            State::Fresh | State::Lost if begins_with_frames(bytes, self.is_client) => {
                self.state = State::Framed;
            }
            State::Fresh | State::Lost => {
                self.state = State::Lost;
                self.guess(bytes);
                return;
            }
            State::Framed | State::Over => {}
        }
        while !bytes.is_empty() && self.state == State::Framed {
            let open = match self.frame {
                Some(open) => open,
                None => match self.header(bytes, on) {
                    Some((open, rest)) => {
                        bytes = rest;
                        open
                    }
                    None => return,
                },
            };
            let take = usize::try_from(open.left).unwrap_or(usize::MAX).min(bytes.len());
            let (payload, rest) = bytes.split_at(take);
            bytes = rest;
            self.payload(open, payload, scratch, on);
        }
    }

    /// Keeps what may be frames of a packet whose end was cut off.
    fn guess(&mut self, bytes: &[u8]) {
        self.payload.clear();
        self.lacks = 0;
        if bytes.len() <= MAX_CUT_BYTES
            && let Some(lacks) = lacks(bytes, self.is_client)
        {
            self.payload.extend_from_slice(bytes);
            self.lacks = u32::try_from(lacks).unwrap_or_default();
        }
    }

    /// So many bytes were sent, but not captured.
    pub fn missing(&mut self, bytes: u32, scratch: &mut Scratch, on: &mut impl FnMut(Event<'_>)) {
        if self.state == State::Lost && bytes == std::mem::take(&mut self.lacks) {
            // The frame and the packet end together: they were guessed rightly.
            let held = std::mem::take(&mut self.payload);
            self.state = State::Framed;
            self.bytes(&held, scratch, on);
        }
        if self.state != State::Framed {
            return;
        }
        match &mut self.frame {
            Some(open) if u64::from(bytes) <= open.left => {
                open.left -= u64::from(bytes);
                open.mask_at = mask_at(open.mask_at, bytes as usize);
                let open = *open;
                self.intact = self.intact.min(length(self.payload.len()));
                if open.left == 0 {
                    self.end_frame(open, None, scratch, on);
                }
            }
            _ => {
                self.state = State::Lost;
                self.frame = None;
                self.head_len = 0;
                self.payload = Vec::new();
                self.intact = WHOLE;
                self.message = None;
                self.message_bytes = Vec::new();
                if let Some(inflate) = &mut self.inflate {
                    inflate.lose();
                }
            }
        }
    }

    /// Reads a header; returns it with what follows it, unless it goes on in the next bytes or breaks the protocol.
    fn header<'b>(&mut self, bytes: &'b [u8], on: &mut impl FnMut(Event<'_>)) -> Option<(Open, &'b [u8])> {
        let held = usize::from(self.head_len);
        // Only a header that is cut is put together.
        let whole = if held == 0 { parse(bytes) } else { None };
        let header = if let Some(header) = whole {
            header
        } else {
            let take = bytes.len().min(self.head.len() - held);
            self.head[held..held + take].copy_from_slice(&bytes[..take]);
            let Some(header) = parse(&self.head[..held + take]) else {
                self.head_len = u8::try_from(held + take).unwrap_or_default();
                return None;
            };
            self.head_len = 0;
            header
        };
        let rest = &bytes[header.bytes - held..];
        if let Some(what) = self.violation(&header) {
            self.state = State::Over;
            on(Event::Violation(what));
            return None;
        }
        if self.is_client != header.open.mask.is_some() && !self.is_masked_wrongly {
            self.is_masked_wrongly = true;
            on(Event::Forgivable(if self.is_client {
                "the client's frames are not masked"
            } else {
                "the server's frames are masked"
            }));
        }
        if let Some(at) = OPCODES.iter().position(|known| *known == header.open.opcode) {
            self.counts[at] = self.counts[at].saturating_add(1);
        }
        self.intact = WHOLE;
        Some((header.open, rest))
    }

    fn violation(&self, header: &Header) -> Option<&'static str> {
        let open = &header.open;
        let compresses = self.inflate.is_some() || (self.may_compress && matches!(open.opcode, 1 | 2));
        let reserved = header.is_reserved || (open.is_compressed && !compresses);
        match open.opcode {
            _ if reserved => Some("reserved bits are set without an extension"),
            3..=7 | 11..=15 => Some("unknown opcode"),
            8.. if open.left > 125 => Some("a control frame is longer than 125 bytes"),
            8.. if !open.is_final => Some("a control frame is fragmented"),
            1 | 2 if self.message.is_some() => Some("a new message begins inside a fragmented one"),
            _ => None,
        }
    }

    fn payload(&mut self, open: Open, bytes: &[u8], scratch: &mut Scratch, on: &mut impl FnMut(Event<'_>)) {
        let left = open.left - bytes.len() as u64;
        let is_all = left == 0 && self.payload.is_empty() && self.intact == WHOLE;
        if is_all {
            // The whole frame lies here: nothing needs to be kept.
            self.end_frame(open, Some(bytes), scratch, on);
            return;
        }
        let room = MAX_MESSAGE_BYTES
            .saturating_sub(self.payload.len())
            .min(bytes.len());
        if room < bytes.len() {
            self.intact = self.intact.min(length(self.payload.len() + room));
        }
        let at = self.payload.len();
        self.payload.extend_from_slice(&bytes[..room]);
        if let Some(mask) = open.mask {
            unmask(&mut self.payload[at..], mask, open.mask_at);
        }
        let open = Open {
            left,
            mask_at: mask_at(open.mask_at, bytes.len()),
            ..open
        };
        self.frame = Some(open);
        if left == 0 {
            self.end_frame(open, None, scratch, on);
        }
    }

    /// A frame is complete: its payload is `direct`, or what was kept.
    fn end_frame(
        &mut self,
        open: Open,
        direct: Option<&[u8]>,
        scratch: &mut Scratch,
        on: &mut impl FnMut(Event<'_>),
    ) {
        self.frame = None;
        let kept = std::mem::take(&mut self.payload);
        let is_whole = self.intact == WHOLE;
        let payload: &[u8] = match (direct, open.mask) {
            (Some(bytes), Some(mask)) => {
                scratch.unmasked.clear();
                scratch
                    .unmasked
                    .extend_from_slice(&bytes[..bytes.len().min(MAX_MESSAGE_BYTES)]);
                unmask(&mut scratch.unmasked, mask, 0);
                &scratch.unmasked
            }
            (Some(bytes), None) => bytes,
            (None, _) if is_whole => &kept,
            (None, _) => &kept[..kept.len().min(self.intact as usize)],
        };
        match open.opcode {
            8 => {
                self.state = State::Over;
                on(close(payload, is_whole));
            }
            9 => on(Event::Ping),
            10 => on(Event::Pong),
            opcode => {
                let (is_text, is_compressed, before_whole) =
                    self.message
                        .take()
                        .unwrap_or((opcode == 1, open.is_compressed, opcode != 0));
                // Compressed in a way that the upgrade would have told: nothing of it can be read.
                let is_readable = !is_compressed || self.inflate.is_some();
                let payload = if is_readable { payload } else { &[] };
                let is_whole = is_whole && before_whole && is_readable;
                if open.is_final && self.message_bytes.is_empty() {
                    let inflate = self.inflate.as_deref_mut().filter(|_| is_compressed);
                    message(
                        inflate,
                        payload,
                        is_text,
                        is_whole,
                        (&mut scratch.decoder, &mut scratch.inflated),
                        on,
                    );
                } else {
                    let room = MAX_MESSAGE_BYTES
                        .saturating_sub(self.message_bytes.len())
                        .min(payload.len());
                    let is_whole = is_whole && room == payload.len();
                    self.message_bytes.extend_from_slice(&payload[..room]);
                    if open.is_final {
                        let bytes = std::mem::take(&mut self.message_bytes);
                        let inflate = self.inflate.as_deref_mut().filter(|_| is_compressed);
                        message(
                            inflate,
                            &bytes,
                            is_text,
                            is_whole,
                            (&mut scratch.decoder, &mut scratch.inflated),
                            on,
                        );
                    } else {
                        self.message = Some((is_text, is_compressed, is_whole));
                    }
                }
            }
        }
        if kept.capacity() <= KEEP_BYTES {
            self.payload = kept;
            self.payload.clear();
        }
    }
}

/// A payload's length; what is kept of one is far below the limit.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(WHOLE - 1)
}

fn message(
    inflate: Option<&mut Inflate>,
    payload: &[u8],
    is_text: bool,
    is_whole: bool,
    (decoder, inflated): (&mut Decoder, &mut Vec<u8>),
    on: &mut impl FnMut(Event<'_>),
) {
    let (payload, is_whole) = match inflate {
        None => (payload, is_whole),
        Some(inflate) => {
            let is_done = is_whole && inflate.message(decoder, payload, inflated, MAX_MESSAGE_BYTES);
            if !is_whole {
                inflate.lose();
                inflated.clear();
            }
            (inflated.as_slice(), is_done)
        }
    };
    on(Event::Message {
        is_text,
        payload,
        is_whole,
    });
}

fn close(payload: &[u8], is_whole: bool) -> Event<'_> {
    match payload {
        [high, low, reason @ ..] => {
            let text = match std::str::from_utf8(reason) {
                Ok(text) => text,
                Err(error) => std::str::from_utf8(&reason[..error.valid_up_to()]).unwrap_or_default(),
            };
            Event::Close {
                code: Some(u16::from_be_bytes([*high, *low])),
                reason: text,
                is_whole,
            }
        }
        [_] if is_whole => Event::Violation("a close frame's body has one byte"),
        _ => Event::Close {
            code: None,
            reason: "",
            is_whole,
        },
    }
}

//! One direction's bytes, blanked as they come in order.

use super::deflate;
use super::http::{Line, blank_line};
use super::json::{BLANK, Json, Session, blank_reason};
use crate::stream::inflate::Inflate;
use crate::stream::sniff::{Beginning, beginning};
use clw_core::clw::SessionKey;
use clw_core::openclaw::ADMISSION_CLOSED;

/// A line of a head that is longer is no head.
const MAX_LINE_BYTES: usize = 32 * 1024;
/// A compressed message is held until it is whole, up to this.
const MAX_DEFLATED_BYTES: u64 = 16 << 20;
const CLW_HEADER_BYTES: usize = 8;
const AUTH_OK: [u8; 2] = [0x0A, 0x01];
/// Sessions that one connection may have: one, and again when a client logs in twice against the rules.
const MAX_SESSIONS: usize = 4;

/// What was blanked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blanked {
    /// Texts and header values.
    pub texts: u64,
    /// Messages that are neither JSON nor CLW, blanked whole.
    pub messages: u64,
    /// Bytes of streams that are neither HTTP, TLS nor WebSocket.
    pub unknown_bytes: u64,
}

/// One direction of one connection.
#[derive(Debug)]
pub(super) struct Direction {
    mode: Mode,
    /// Bytes whose fate is open; they come before those of the next call.
    held: Vec<u8>,
    /// A capture that begins in the middle may begin with frames.
    has_syn: bool,
    /// Its number in the capture.
    number: u32,
    pub(super) blanked: Blanked,
}

#[derive(Debug)]
enum Mode {
    Beginning,
    Head {
        is_first: bool,
        status: u16,
        length: u64,
        upgrades: bool,
    },
    Body {
        left: u64,
        json: Json,
    },
    Frames(Box<Frames>),
    /// Ciphertext, and what is in clear before it.
    Tls,
    Unknown,
}

#[derive(Debug)]
struct Frames {
    left: u64,
    mask: [u8; 4],
    at: usize,
    payload: Payload,
    /// What goes on in the next data frame.
    message: Message,
    inflate: Inflate,
    /// What takes the place of a CLW session's id.
    alias: SessionKey,
    /// The ids that it has taken the place of.
    sessions: Vec<SessionKey>,
}

impl Frames {
    fn new(number: u32) -> Self {
        let mut alias = [BLANK; 16];
        for (digit, byte) in alias.iter_mut().zip(format!("session-{number:08}").bytes()) {
            *digit = byte;
        }
        Self {
            alias,
            sessions: Vec::new(),
            left: 0,
            mask: [0; 4],
            at: 0,
            payload: Payload::default(),
            message: Message::default(),
            inflate: Inflate::new(true),
        }
    }
}

#[derive(Debug, Default)]
enum Payload {
    #[default]
    Data,
    /// A close frame: a code, then a reason.
    Close,
    /// A ping, a pong, or an opcode that nobody may use.
    Control,
}

/// A data message, over its fragments.
#[derive(Debug, Default)]
enum Message {
    #[default]
    None,
    Text(Json),
    Binary {
        head: Vec<u8>,
        json: Json,
    },
    /// Compressed, whole in one frame.
    Deflated,
    /// Compressed and in fragments: blanked without a look, so it inflates to nothing that makes sense.
    DeflatedParts,
}

impl Direction {
    pub(super) fn new(has_syn: bool, number: u32) -> Self {
        Self {
            number,
            mode: Mode::Beginning,
            held: Vec::new(),
            has_syn,
            blanked: Blanked::default(),
        }
    }

    /// Ids of CLW sessions that it was given, and what has taken their place.
    pub(super) fn sessions(&self) -> impl Iterator<Item = (SessionKey, SessionKey)> {
        let frames = match &self.mode {
            Mode::Frames(frames) => Some(frames),
            _ => None,
        };
        frames
            .into_iter()
            .flat_map(|frames| frames.sessions.iter().map(|id| (*id, frames.alias)))
    }

    /// The next bytes; what they and those before them become is appended to `out`, in order.
    pub(super) fn bytes(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() {
            self.take(bytes, out);
        } else {
            self.take(&[&held, bytes].concat(), out);
        }
    }

    /// So many bytes are not in the capture. What is held back is decided now.
    pub(super) fn missing(&mut self, count: u64, out: &mut Vec<u8>) {
        self.flush(out);
        let goes_on = match &mut self.mode {
            Mode::Frames(frames) if frames.left >= count && !frames.is_compressed() => {
                frames.left -= count;
                // The mask turns with every byte; JSON is followed no further.
                frames.at = frames.at.wrapping_add(usize::try_from(count % 4).unwrap_or(0));
                frames.lose();
                true
            }
            Mode::Tls => true,
            _ => false,
        };
        if !goes_on {
            self.mode = Mode::Unknown;
        }
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.flush(out);
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        let mut held = std::mem::take(&mut self.held);
        match &mut self.mode {
            Mode::Head { is_first, .. } => {
                // The line is cut: it is treated as if it were whole.
                blank_line(&mut held, *is_first, &mut self.blanked.texts);
            }
            // A header that is cut holds nothing; a payload may hold anything.
            Mode::Frames(frames) if frames.left == 0 => {}
            Mode::Frames(frames) => {
                held.fill(BLANK);
                frames.left = frames.left.saturating_sub(held.len() as u64);
            }
            _ => held.fill(BLANK),
        }
        out.extend_from_slice(&held);
    }

    fn take(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            bytes = match &mut self.mode {
                Mode::Beginning => {
                    let Some(mode) = self.begin(bytes) else {
                        self.held.extend_from_slice(bytes);
                        return;
                    };
                    self.mode = mode;
                    bytes
                }
                Mode::Head { .. } => match bytes.iter().position(|byte| *byte == b'\n') {
                    Some(end) => {
                        let mut line = bytes[..=end].to_vec();
                        self.head_line(&mut line);
                        out.extend_from_slice(&line);
                        &bytes[end + 1..]
                    }
                    None if bytes.len() > MAX_LINE_BYTES => {
                        self.mode = Mode::Unknown;
                        bytes
                    }
                    None => {
                        self.held.extend_from_slice(bytes);
                        return;
                    }
                },
                Mode::Body { left, json } => {
                    let now = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    if bytes[..now].trim_ascii() == ADMISSION_CLOSED.as_bytes() {
                        // The verdict depends on it, and it tells nothing of anybody.
                        out.extend_from_slice(&bytes[..now]);
                    } else {
                        let before = json.blanked;
                        out.extend(bytes[..now].iter().map(|byte| json.step(*byte)));
                        self.blanked.texts += json.blanked - before;
                    }
                    *left -= now as u64;
                    if *left == 0 {
                        self.mode = Mode::Beginning;
                    }
                    &bytes[now..]
                }
                Mode::Frames(frames) => match frames.take(bytes, out, &mut self.blanked) {
                    Ok(rest) => rest,
                    Err(held) => {
                        self.held.extend_from_slice(held);
                        return;
                    }
                },
                Mode::Tls => {
                    out.extend_from_slice(bytes);
                    return;
                }
                Mode::Unknown => {
                    self.blanked.unknown_bytes += bytes.len() as u64;
                    out.extend(std::iter::repeat_n(BLANK, bytes.len()));
                    return;
                }
            };
        }
    }

    /// What a stream, or what follows a body, begins with; `None` if that cannot be told yet.
    fn begin(&self, bytes: &[u8]) -> Option<Mode> {
        match beginning(bytes, !self.has_syn) {
            Beginning::Request | Beginning::Answer => Some(Mode::Head {
                is_first: true,
                status: 0,
                length: 0,
                upgrades: false,
            }),
            Beginning::Tls => Some(Mode::Tls),
            Beginning::Frames { .. } => Some(Mode::Frames(Box::new(Frames::new(self.number)))),
            Beginning::Other => Some(Mode::Unknown),
            Beginning::Short => None,
        }
    }

    fn head_line(&mut self, line: &mut [u8]) {
        let Mode::Head {
            is_first,
            status,
            length,
            upgrades,
        } = &mut self.mode
        else {
            return;
        };
        let asks = line.len() < 64
            && line
                .to_ascii_lowercase()
                .strip_prefix(b"upgrade:")
                .is_some_and(|value| value.trim_ascii() == b"websocket");
        *upgrades |= asks;
        let said = blank_line(line, std::mem::take(is_first), &mut self.blanked.texts);
        match said {
            Line::Status(code) => *status = code,
            Line::Length(bytes) => *length = bytes,
            Line::Other => {}
            Line::End => {
                // A client that asks for an upgrade speaks frames next; an answer does if it is a 101.
                let frames = *status == 101 || (*status == 0 && *upgrades);
                self.mode = if frames {
                    Mode::Frames(Box::new(Frames::new(self.number)))
                } else {
                    // Without a length the body lasts as long as the stream; without a body there is nothing to blank.
                    let has_body = *length > 0 || *status != 0;
                    match (has_body, *length) {
                        (false, _) => Mode::Beginning,
                        (true, 0) => Mode::Body {
                            left: u64::MAX,
                            json: Json::default(),
                        },
                        (true, length) => Mode::Body {
                            left: length,
                            json: Json::default(),
                        },
                    }
                };
            }
        }
    }
}

impl Frames {
    fn is_compressed(&self) -> bool {
        matches!(self.message, Message::Deflated) && matches!(self.payload, Payload::Data)
    }

    /// Bytes of the message were lost: of what follows nothing is known.
    fn lose(&mut self) {
        if let Message::Text(json) | Message::Binary { json, .. } = &mut self.message {
            *json = Json::default();
        }
    }

    /// Takes a header or a part of a payload; the rest comes back. `Err`: these bytes are to be held until more come.
    fn take<'a>(
        &mut self,
        bytes: &'a [u8],
        out: &mut Vec<u8>,
        blanked: &mut Blanked,
    ) -> Result<&'a [u8], &'a [u8]> {
        if self.left == 0 {
            return self.take_header(bytes, out, blanked);
        }
        let now = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        let is_whole = now as u64 == self.left;
        let is_judged_whole = self.is_compressed() || !matches!(self.payload, Payload::Data);
        if is_judged_whole && !is_whole && self.left <= MAX_DEFLATED_BYTES {
            return Err(bytes);
        }
        let mask = self.mask;
        let masked = |at: usize, byte: u8| byte ^ mask[at & 3];
        if is_judged_whole && is_whole {
            let clear: Vec<u8> = bytes[..now]
                .iter()
                .enumerate()
                .map(|(at, byte)| masked(at, *byte))
                .collect();
            let clear = self.whole(clear, blanked);
            out.extend(clear.into_iter().enumerate().map(|(at, byte)| masked(at, byte)));
        } else {
            for byte in &bytes[..now] {
                let clear = self.step(masked(self.at, *byte), blanked);
                out.push(masked(self.at, clear));
                self.at += 1;
            }
        }
        self.left -= now as u64;
        Ok(&bytes[now..])
    }

    /// A payload that is judged as a whole.
    fn whole(&mut self, mut clear: Vec<u8>, blanked: &mut Blanked) -> Vec<u8> {
        match self.payload {
            Payload::Close => {
                if let Some(reason) = clear.get_mut(2..) {
                    blank_reason(reason);
                }
                clear
            }
            Payload::Control => vec![BLANK; clear.len()],
            Payload::Data => {
                let (clear, is_read) = deflate::blank(&clear, &mut self.inflate, &mut blanked.texts);
                blanked.messages += u64::from(!is_read);
                clear
            }
        }
    }

    fn step(&mut self, byte: u8, blanked: &mut Blanked) -> u8 {
        match &mut self.payload {
            // Longer than a control frame may be.
            Payload::Control | Payload::Close => BLANK,
            Payload::Data => match &mut self.message {
                Message::Text(json) => {
                    let before = json.blanked;
                    let byte = json.step(byte);
                    blanked.texts += json.blanked - before;
                    byte
                }
                Message::Binary { head, json } => {
                    if head.len() < CLW_HEADER_BYTES {
                        head.push(byte);
                        let fits =
                            head.len() > 2 || matches!((head.len(), byte), (1, 0x0A) | (2, 0x00..=0x09));
                        if fits {
                            if head.len() == CLW_HEADER_BYTES && head.starts_with(&AUTH_OK) {
                                json.session = Some(Box::new(Session {
                                    alias: self.alias,
                                    id: Vec::new(),
                                }));
                            }
                            return byte;
                        }
                        // Not CLW: nothing of it is known.
                        blanked.messages += 1;
                        self.message = Message::Text(Json::default());
                        if let Message::Text(json) = &mut self.message {
                            json.step(b'x');
                        }
                        return BLANK;
                    }
                    let before = json.blanked;
                    let byte = json.step(byte);
                    blanked.texts += json.blanked - before;
                    // Its end has come when it is as long as an id and the quote is next.
                    if byte == b'"'
                        && let Some(session) = &mut json.session
                        && let Ok(id) = SessionKey::try_from(&*session.id)
                        && self.sessions.len() < MAX_SESSIONS
                    {
                        session.id.clear();
                        self.sessions.push(id);
                    }
                    byte
                }
                Message::Deflated | Message::DeflatedParts | Message::None => BLANK,
            },
        }
    }

    fn take_header<'a>(
        &mut self,
        bytes: &'a [u8],
        out: &mut Vec<u8>,
        blanked: &mut Blanked,
    ) -> Result<&'a [u8], &'a [u8]> {
        let [first, second, ..] = *bytes else {
            return Err(bytes);
        };
        let is_masked = second & 0x80 != 0;
        let extra = match second & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let length = 2 + extra + if is_masked { 4 } else { 0 };
        let Some(header) = bytes.get(..length) else {
            return Err(bytes);
        };
        let extended = header[2..2 + extra]
            .iter()
            .fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
        self.left = if extra == 0 {
            u64::from(second & 0x7F)
        } else {
            extended
        };
        self.mask = [0; 4];
        if is_masked {
            self.mask.copy_from_slice(&header[length - 4..]);
        }
        self.at = 0;
        let (opcode, is_final) = (first & 0x0F, first & 0x80 != 0);
        self.payload = match opcode {
            8 => Payload::Close,
            0x9..=0xF => Payload::Control,
            _ => Payload::Data,
        };
        if matches!(self.payload, Payload::Data) {
            match opcode {
                0 => {}
                _ if first & 0x40 != 0 && is_final => self.message = Message::Deflated,
                _ if first & 0x40 != 0 => {
                    blanked.messages += 1;
                    self.inflate.lose();
                    self.message = Message::DeflatedParts;
                }
                1 => self.message = Message::Text(Json::default()),
                2 => {
                    self.message = Message::Binary {
                        head: Vec::new(),
                        json: Json::default(),
                    };
                }
                _ => {
                    blanked.messages += 1;
                    self.message = Message::None;
                }
            }
        }
        out.extend_from_slice(header);
        Ok(&bytes[length..])
    }
}

//! Reading frames: bytes in, whole messages out.

use super::WsError;
use super::frame::apply_mask;
use std::io::Cursor;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tungstenite::protocol::frame::{FrameHeader, coding};

/// Buffers above this are given back when they run empty, so that an idle session costs next to nothing.
const KEEP_BYTES: usize = 512;

/// Who sends what this decoder reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Frames must be masked.
    Client,
    /// Frames must not be masked.
    Server,
}

/// What arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A ping; its payload goes back in the pong.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// A close frame; without a code its body was empty.
    Close {
        /// Status code.
        code: Option<u16>,
        /// Reason text.
        reason: &'a str,
    },
}

/// Turns one direction of a WebSocket stream into messages, wherever the stream is cut.
///
/// Complete frames are read where they lie in the caller's buffer; only the unfinished rest is kept.
#[derive(Debug)]
pub struct Decoder {
    peer: Peer,
    max_message_bytes: usize,
    partial: Vec<u8>,
    fragments: Option<(Data, Vec<u8>)>,
    frames: u64,
}

impl Decoder {
    /// A decoder for what `peer` sends, with messages of at most `max_message_bytes`.
    pub fn new(peer: Peer, max_message_bytes: usize) -> Self {
        Self {
            peer,
            max_message_bytes,
            partial: Vec::new(),
            fragments: None,
            frames: 0,
        }
    }

    /// Changes the limit (servers accept less before authentication).
    pub fn set_max_message_bytes(&mut self, bytes: usize) {
        self.max_message_bytes = bytes;
    }

    /// Frames read so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Bytes of memory held for what is unfinished.
    pub fn held_bytes(&self) -> usize {
        self.partial.capacity() + self.fragments.as_ref().map_or(0, |(_, bytes)| bytes.capacity())
    }

    /// Reads `input` (unmasking it in place) and calls `on` for each message, in order, until it returns `false`: what
    /// follows is then dropped, as after a close frame.
    pub fn decode(
        &mut self,
        input: &mut [u8],
        mut on: impl FnMut(Incoming<'_>) -> bool,
    ) -> Result<(), WsError> {
        if self.partial.is_empty() {
            let used = self.consume(input, &mut on)?;
            self.partial.extend_from_slice(&input[used..]);
        } else {
            let mut partial = std::mem::take(&mut self.partial);
            partial.extend_from_slice(input);
            let used = self.consume(&mut partial, &mut on)?;
            if used == partial.len() {
                partial.clear();
                if partial.capacity() > KEEP_BYTES {
                    partial = Vec::new();
                }
            } else {
                partial.drain(..used);
            }
            self.partial = partial;
        }
        Ok(())
    }

    /// Reads whole frames from `bytes`; returns how many bytes they took.
    fn consume(
        &mut self,
        bytes: &mut [u8],
        on: &mut impl FnMut(Incoming<'_>) -> bool,
    ) -> Result<usize, WsError> {
        let mut at = 0;
        loop {
            let mut cursor = Cursor::new(&bytes[at..]);
            let Some((header, length)) = FrameHeader::parse(&mut cursor).map_err(|_| WsError::BadOpcode)?
            else {
                return Ok(at);
            };
            let head = usize::try_from(cursor.position()).unwrap_or(0);
            self.check(&header, length)?;
            let Ok(length) = usize::try_from(length) else {
                return Err(WsError::TooBig {
                    size: length,
                    limit: self.max_message_bytes,
                });
            };
            let Some(payload) = bytes.get_mut(at + head..).and_then(|rest| rest.get_mut(..length)) else {
                return Ok(at);
            };
            at += head + length;
            self.frames += 1;
            if let Some(mask) = header.mask {
                apply_mask(payload, mask);
            }
            if !self.deliver(&header, payload, on)? {
                return Ok(bytes.len());
            }
        }
    }

    /// The rules that a header alone can break.
    fn check(&self, header: &FrameHeader, length: u64) -> Result<(), WsError> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(WsError::ReservedBits);
        }
        match (self.peer, header.mask) {
            (Peer::Client, None) => return Err(WsError::Unmasked),
            (Peer::Server, Some(_)) => return Err(WsError::Masked),
            _ => {}
        }
        match header.opcode {
            OpCode::Control(_) if length > 125 => Err(WsError::LongControl(length)),
            OpCode::Control(_) if !header.is_final => Err(WsError::FragmentedControl),
            OpCode::Control(Control::Reserved(_)) | OpCode::Data(Data::Reserved(_)) => {
                Err(WsError::BadOpcode)
            }
            OpCode::Control(_) => Ok(()),
            OpCode::Data(data) => {
                let before = self.fragments.as_ref().map_or(0, |(_, bytes)| bytes.len() as u64);
                let size = before.saturating_add(length);
                if (data == Data::Continue) != self.fragments.is_some() {
                    Err(WsError::FragmentOrder)
                } else if size > self.max_message_bytes as u64 {
                    Err(WsError::TooBig {
                        size,
                        limit: self.max_message_bytes,
                    })
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Hands one frame on, or keeps it until its message is whole.
    fn deliver(
        &mut self,
        header: &FrameHeader,
        payload: &[u8],
        on: &mut impl FnMut(Incoming<'_>) -> bool,
    ) -> Result<bool, WsError> {
        match header.opcode {
            OpCode::Control(Control::Ping) => Ok(on(Incoming::Ping(payload))),
            OpCode::Control(Control::Pong) => Ok(on(Incoming::Pong(payload))),
            OpCode::Control(_) => {
                let (code, reason) = close_body(payload)?;
                on(Incoming::Close { code, reason });
                Ok(false)
            }
            OpCode::Data(Data::Continue) => {
                let Some((kind, mut bytes)) = self.fragments.take() else {
                    return Err(WsError::FragmentOrder);
                };
                bytes.extend_from_slice(payload);
                if header.is_final {
                    message(kind, &bytes, on)
                } else {
                    self.fragments = Some((kind, bytes));
                    Ok(true)
                }
            }
            OpCode::Data(kind) if header.is_final => message(kind, payload, on),
            OpCode::Data(kind) => {
                self.fragments = Some((kind, payload.to_vec()));
                Ok(true)
            }
        }
    }
}

fn message(kind: Data, payload: &[u8], on: &mut impl FnMut(Incoming<'_>) -> bool) -> Result<bool, WsError> {
    if kind == Data::Text {
        let text = std::str::from_utf8(payload).map_err(|_| WsError::BadUtf8)?;
        Ok(on(Incoming::Text(text)))
    } else {
        Ok(on(Incoming::Binary(payload)))
    }
}

/// Splits a close frame's body (RFC 6455 section 5.5.1).
fn close_body(payload: &[u8]) -> Result<(Option<u16>, &str), WsError> {
    match payload {
        [] => Ok((None, "")),
        [_] => Err(WsError::BadClose),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !coding::CloseCode::from(code).is_allowed() {
                return Err(WsError::BadClose);
            }
            let reason = std::str::from_utf8(reason).map_err(|_| WsError::BadUtf8)?;
            Ok((Some(code), reason))
        }
    }
}

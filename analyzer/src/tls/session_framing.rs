//! How a session finds its records: one after the other, or again after a loss.

use super::direction::{MAX_HELD_LEN, Mode, Protection};
use super::event::TlsEvent;
use super::key_log::KeyLog;
use super::record::{ContentType, HEADER_LEN, NotARecord, RecordHeader, looks_like_tls};
use super::session::TlsSession;
use super::version::Version;
use clw_core::verdict::Side;

/// What to do with the record that a header announces.
pub(super) enum Plan {
    /// Keep its body and look into it.
    Keep,
    /// Pass over its body.
    Pass,
    /// It cannot be understood before the other side's hello has come.
    Wait,
}

impl TlsSession {
    /// Reads one record; `false` when there are too few bytes, or when it has to wait.
    pub(super) fn step(
        &mut self,
        side: Side,
        input: &mut &[u8],
        keys: &KeyLog,
        out: &mut Vec<TlsEvent>,
    ) -> bool {
        match self.sides.of_mut(side).records.header(input) {
            None => {}
            Some(Err(NotARecord)) => {
                self.not_a_record(side, out);
                return true;
            }
            Some(Ok(header)) => {
                let plan = self.plan(side, header, keys, out);
                let direction = self.sides.of_mut(side);
                match plan {
                    Plan::Keep => direction.records.begin_body(header, true),
                    Plan::Pass => direction.records.begin_body(header, false),
                    Plan::Wait => {
                        direction.held = [&header.to_bytes()[..], input].concat();
                        if direction.held.len() <= MAX_HELD_LEN {
                            return false;
                        }
                        // A single piece that is too long: the header is read again from what was held.
                        let held = std::mem::take(&mut direction.held);
                        self.stop_waiting(side);
                        self.run(side, &held, keys, out);
                        return false;
                    }
                }
            }
        }
        let Some(record) = self.sides.of_mut(side).records.body(input) else {
            return false;
        };
        self.sides.of_mut(side).begun = true;
        self.record(side, record, keys, out);
        true
    }

    fn not_a_record(&mut self, side: Side, out: &mut Vec<TlsEvent>) {
        let direction = self.sides.of_mut(side);
        if direction.begun {
            out.push(TlsEvent::FramingLost { side });
            direction.lose_framing();
        } else {
            direction.mode = Mode::Over;
            direction.hello_missed = true;
            out.push(TlsEvent::NotTls { side });
        }
    }

    /// Looks for a record in `input`; `false` when there are too few bytes to tell.
    pub(super) fn seek(
        &mut self,
        side: Side,
        input: &mut &[u8],
        keys: &KeyLog,
        out: &mut Vec<TlsEvent>,
    ) -> bool {
        while !input.is_empty() {
            if !self.can_begin_here(side, input) {
                *input = input.get(1..).unwrap_or_default();
                continue;
            }
            let whole = input
                .first_chunk()
                .and_then(|bytes| RecordHeader::parse(*bytes))
                .and_then(|header| {
                    let (body, rest) = input
                        .get(HEADER_LEN..)?
                        .split_at_checked(usize::from(header.len))?;
                    Some((header, body, rest))
                });
            let Some((header, body, rest)) = whole else {
                self.sides.of_mut(side).held = input.to_vec();
                return false;
            };
            if self.sides.of_mut(side).opener().is_some() {
                if let Ok(content) = self.try_open(side, header, body.to_vec(), keys, out) {
                    *input = rest;
                    self.sides.of_mut(side).mode = Mode::Framed;
                    self.opened(side, header.content, content, keys, out);
                    return true;
                }
                if self
                    .sides
                    .of_mut(side)
                    .opener()
                    .is_some_and(|opener| opener.is_exhausted())
                {
                    self.give_up(side, out);
                }
            } else {
                // Without keys two headers in a row are the proof.
                if rest.len() < HEADER_LEN && (rest.is_empty() || looks_like_tls(rest)) {
                    self.sides.of_mut(side).held = input.to_vec();
                    return false;
                }
                if rest.len() >= HEADER_LEN && looks_like_tls(rest) {
                    let direction = self.sides.of_mut(side);
                    direction.mode = Mode::Framed;
                    direction.begun = true;
                    return true;
                }
            }
            *input = input.get(1..).unwrap_or_default();
        }
        false
    }
    /// Whether `bytes` may begin with a record, as far as there are any. With keys only such as the keys could open.
    fn can_begin_here(&self, side: Side, bytes: &[u8]) -> bool {
        if !looks_like_tls(bytes) {
            return false;
        }
        let opens = matches!(self.sides.of(side).protection, Protection::Keys(_));
        let outer_type = ContentType::ApplicationData;
        let tls13 = self.info.version == Some(Version::TLS_1_3);
        let type_fits = bytes
            .first()
            .is_none_or(|byte| ContentType::from_byte(*byte) == Some(outer_type));
        let minor_fits = bytes.get(2).is_none_or(|minor| *minor == 3);
        !opens || minor_fits && (type_fits || !tls13)
    }
}

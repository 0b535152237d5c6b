//! What a session does with a whole record: opening it, or concluding what it can from the outside.

use super::aead::{NotOpened, RecordKey, TLS13_OVERHEAD};
use super::direction::Protection;
use super::event::{NoKeys, TlsEvent};
use super::handshake::MessageReader;
use super::key_log::KeyLog;
use super::opener::Opener;
use super::per_side::other;
use super::record::{ContentType, Record, RecordHeader};
use super::session::TlsSession;
use super::suite::CipherSuite;
use super::traffic_secret::Epoch;
use super::version::Version;
use clw_core::verdict::Side;

/// Body of a TLS 1.3 record that carries an alert, unless it is padded.
const TLS13_ALERT_LEN: usize = 2 + TLS13_OVERHEAD;
/// No handshake has more encrypted records a side than this; it bounds the guess where application data began.
const MAX_HANDSHAKE_RECORDS: u64 = 16;

impl TlsSession {
    pub(super) fn record(&mut self, side: Side, record: Record, keys: &KeyLog, out: &mut Vec<TlsEvent>) {
        let Record {
            header,
            body,
            damaged,
        } = record;
        if !self.sides.of(side).record_protected {
            match body {
                Some(body) => self.content(side, header.content, body, false, keys, out),
                None => self.clear_record_lost(side),
            }
            return;
        }
        match body {
            Some(body) if self.sides.of_mut(side).opener().is_some() => {
                if let Ok(content) = self.try_open(side, header, body, keys, out) {
                    self.opened(side, header.content, content, keys, out);
                } else {
                    self.not_opened(side, header, out);
                }
            }
            _ if damaged && self.sides.of_mut(side).opener().is_some() => self.damaged(side, header, out),
            _ => self.opaque(side, header, out),
        }
    }

    /// A record in clear is not whole: the handshake message in it is lost.
    pub(super) fn clear_record_lost(&mut self, side: Side) {
        let direction = self.sides.of_mut(side);
        direction.messages = MessageReader::default();
        direction.hello_missed |= !direction.hello;
    }

    /// Opens a record if it can be opened; says so if it is the first after a loss.
    pub(super) fn try_open(
        &mut self,
        side: Side,
        header: RecordHeader,
        body: Vec<u8>,
        keys: &KeyLog,
        out: &mut Vec<TlsEvent>,
    ) -> Result<Vec<u8>, NotOpened> {
        let random = self.client_random;
        let direction = self.sides.of_mut(side);
        let opener = direction.opener().ok_or(NotOpened)?;
        let after_handshake = match (opener.epoch(), &random) {
            (Epoch::Handshake, Some(random)) => keys.traffic_secret(random, side, Epoch::Application),
            _ => None,
        };
        let opened = opener.open(header, body, after_handshake)?;
        direction.protected_records = direction.protected_records.saturating_add(1);
        if std::mem::take(&mut direction.lost) {
            out.push(TlsEvent::DecryptionResumed { side });
        }
        if opened.after_loss {
            out.push(TlsEvent::DataLost { side, bytes: None });
        }
        *self.info.decrypted.of_mut(side) = true;
        Ok(opened.content)
    }

    /// Takes what a protected record carries.
    pub(super) fn opened(
        &mut self,
        side: Side,
        outer: ContentType,
        mut content: Vec<u8>,
        keys: &KeyLog,
        out: &mut Vec<TlsEvent>,
    ) {
        if self.info.version != Some(Version::TLS_1_3) {
            return self.content(side, outer, content, true, keys, out);
        }
        // RFC 8446 5.2: content, one byte of type, zeros.
        let end = content.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        let inner = content.get(end).copied().and_then(ContentType::from_byte);
        content.truncate(end);
        match inner {
            Some(inner) => self.content(side, inner, content, true, keys, out),
            None => out.push(TlsEvent::Malformed {
                side,
                what: "a record whose inner type is none",
            }),
        }
    }

    /// A record did not open: it belongs to keys that are not at hand, before those that are, or it is a loss.
    fn not_opened(&mut self, side: Side, header: RecordHeader, out: &mut Vec<TlsEvent>) {
        let tls13 = self.info.version == Some(Version::TLS_1_3);
        let early_data =
            side == Side::Client && self.info.early_data_offered && !*self.info.decrypted.of(side);
        let in_handshake = tls13 && !self.info.handshake_done(side);
        let direction = self.sides.of_mut(side);
        let was_lost = direction.lost;
        let Some(opener) = direction.opener() else { return };
        let before_these_keys = match opener.epoch() {
            Epoch::Handshake => early_data,
            Epoch::Application => in_handshake,
        };
        if before_these_keys && !opener.is_exhausted() {
            out.push(TlsEvent::Encrypted {
                side,
                record_len: header.len,
            });
            return;
        }
        let bytes = opener.content_len(header);
        opener.widen();
        opener.account_for_one();
        let exhausted = opener.is_exhausted();
        direction.lost = true;
        if !was_lost {
            out.push(TlsEvent::DecryptionLost { side });
        }
        if header.content == ContentType::ApplicationData {
            out.push(TlsEvent::DataLost {
                side,
                bytes: Some(bytes),
            });
        }
        if exhausted {
            self.give_up(side, out);
        }
    }

    pub(super) fn give_up(&mut self, side: Side, out: &mut Vec<TlsEvent>) {
        self.sides.of_mut(side).protection = Protection::Impossible;
        out.push(TlsEvent::DecryptionStopped { side });
    }

    /// A part of a record was not captured; its place among the records is known.
    fn damaged(&mut self, side: Side, header: RecordHeader, out: &mut Vec<TlsEvent>) {
        let direction = self.sides.of_mut(side);
        direction.protected_records = direction.protected_records.saturating_add(1);
        direction.messages = MessageReader::default();
        let Some(opener) = direction.opener() else { return };
        opener.passed_one();
        opener.account_for_one();
        if header.content == ContentType::ApplicationData && opener.epoch() == Epoch::Application {
            let bytes = Some(opener.content_len(header));
            out.push(TlsEvent::DataLost { side, bytes });
        }
    }

    /// A protected record without keys: its kind, its length and its place still tell something.
    fn opaque(&mut self, side: Side, header: RecordHeader, out: &mut Vec<TlsEvent>) {
        let tls13 = self.info.version == Some(Version::TLS_1_3);
        if self.info.version.is_some() {
            let direction = self.sides.of_mut(side);
            direction.protected_records = direction.protected_records.saturating_add(1);
        }
        let record_len = header.len;
        match header.content {
            ContentType::Alert => out.push(TlsEvent::EncryptedAlert { side, certain: true }),
            ContentType::ApplicationData if tls13 && usize::from(record_len) == TLS13_ALERT_LEN => {
                out.push(TlsEvent::EncryptedAlert { side, certain: false });
            }
            ContentType::ApplicationData => {
                if tls13 && side == Side::Client && self.may_be_finished(header) {
                    self.finished(side, out);
                }
                out.push(TlsEvent::Encrypted { side, record_len });
            }
            ContentType::Handshake if !tls13 => self.finished(side, out),
            ContentType::Handshake | ContentType::ChangeCipherSpec | ContentType::Heartbeat => {}
        }
    }

    /// Whether the client's TLS 1.3 record may carry its Finished. After 0-RTT only its length tells it from the rest.
    fn may_be_finished(&self, header: RecordHeader) -> bool {
        let hash = self
            .info
            .cipher_suite
            .and_then(CipherSuite::protection)
            .map(|(_, hash)| hash);
        match hash {
            Some(hash) if self.info.early_data_offered => {
                usize::from(header.len) == 4 + hash.len() + TLS13_OVERHEAD
            }
            _ => true,
        }
    }

    /// `side` has sent its Finished, or is known to have.
    pub(super) fn finished(&mut self, side: Side, out: &mut Vec<TlsEvent>) {
        *self.info.finished.of_mut(side) = true;
        if self.info.version == Some(Version::TLS_1_3) && side == Side::Client {
            // A client does not finish before the server has.
            *self.info.finished.of_mut(Side::Server) = true;
        }
        if *self.info.finished.of(other(side)) && !std::mem::replace(&mut self.done_told, true) {
            out.push(TlsEvent::HandshakeDone);
        }
    }

    /// Makes what opens the next protected record of `side`.
    pub(super) fn opener(&self, side: Side, keys: &KeyLog) -> Result<Opener, NoKeys> {
        let (Some(version), Some(suite), Some(random)) =
            (self.info.version, self.info.cipher_suite, &self.client_random)
        else {
            return Err(NoKeys::HelloMissing);
        };
        if version != Version::TLS_1_2 && version != Version::TLS_1_3 {
            return Err(NoKeys::Version(version));
        }
        let (bulk, hash) = suite.protection().ok_or(NoKeys::Suite(suite))?;
        if suite.is_tls13() != (version == Version::TLS_1_3) {
            return Err(NoKeys::Suite(suite));
        }
        if self.compressed {
            return Err(NoKeys::Compressed);
        }
        let direction = self.sides.of(side);
        let (passed, missing) = (direction.protected_records, direction.records_missing);
        if version == Version::TLS_1_2 {
            let server_random = self.server_random.as_ref().ok_or(NoKeys::HelloMissing)?;
            let master = keys.master_secret(random).ok_or(NoKeys::NotInKeyLog)?;
            let key = RecordKey::tls12(bulk, hash, master, server_random, random, side);
            let key = key.ok_or(NoKeys::NotInKeyLog)?;
            return Ok(Opener::tls12(bulk, hash, key, passed, missing));
        }
        let secret = |epoch| keys.traffic_secret(random, side, epoch);
        let reach = if missing { u64::MAX } else { passed };
        let made = match (secret(Epoch::Handshake), secret(Epoch::Application)) {
            (Some(handshake), _) if !self.info.handshake_done(side) || passed == 0 => {
                Opener::tls13(bulk, hash, handshake, Epoch::Handshake, 0, reach)
            }
            // The handshake's records do not open with these; the first that opens is the first of the application's.
            (_, Some(application)) => {
                let first = passed.saturating_sub(MAX_HANDSHAKE_RECORDS);
                Opener::tls13(bulk, hash, application, Epoch::Application, first, reach.max(1))
            }
            _ => None,
        };
        made.ok_or(NoKeys::NotInKeyLog)
    }
}

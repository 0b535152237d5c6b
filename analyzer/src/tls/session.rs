//! A TLS session as a capture shows it: bytes of both directions in, events out.

use super::direction::{Direction, MAX_HELD_LEN, Mode, Protection};
use super::event::{NoKeys, TlsEvent};
use super::info::TlsInfo;
use super::key_log::{ClientRandom, KeyLog};
use super::per_side::{PerSide, other};
use super::record::{ContentType, RecordHeader};
use super::session_framing::Plan;
use super::version::Version;
use clw_core::verdict::Side;

/// Follows one TLS session, and decrypts it if a key log has its secrets.
///
/// Give it each direction's payload in order, in the order it was captured, and [`Self::end`] at last. Whatever the bytes are, it neither panics nor
/// keeps more than 64 KiB and a record a side.
#[derive(Debug)]
pub struct TlsSession {
    pub(super) sides: PerSide<Direction>,
    pub(super) info: TlsInfo,
    pub(super) client_random: Option<ClientRandom>,
    pub(super) server_random: Option<[u8; 32]>,
    pub(super) compressed: bool,
    /// Up to TLS 1.2: whether the server sent a certificate or its ServerHelloDone, as a resumption does not.
    pub(super) full_handshake: bool,
    pub(super) done_told: bool,
    pub(super) no_keys_told: bool,
}

impl Default for TlsSession {
    fn default() -> Self {
        Self::new()
    }
}

impl TlsSession {
    /// A session of which nothing was seen yet.
    pub fn new() -> Self {
        Self {
            sides: PerSide::new(Direction::new(), Direction::new()),
            info: TlsInfo::default(),
            client_random: None,
            server_random: None,
            compressed: false,
            full_handshake: false,
            done_told: false,
            no_keys_told: false,
        }
    }

    /// What is known of the session by now.
    pub const fn info(&self) -> &TlsInfo {
        &self.info
    }

    /// Takes the next bytes that `side` sent. Keys are looked up at the first protected record, and again at later ones
    /// whenever `keys` has grown. Only the client and the server send; bytes of anybody else are ignored.
    pub fn feed(&mut self, side: Side, bytes: &[u8], keys: &KeyLog, out: &mut Vec<TlsEvent>) {
        if !matches!(side, Side::Client | Side::Server) {
            return;
        }
        self.run(side, bytes, keys, out);
        self.wake(other(side), keys, out);
    }

    /// Says that nothing more will come: what waited for the other side's hello is read without it.
    pub fn end(&mut self, keys: &KeyLog, out: &mut Vec<TlsEvent>) {
        for side in [Side::Client, Side::Server] {
            if self.is_waiting(side) {
                self.stop_waiting(side);
                self.run(side, &[], keys, out);
            }
        }
    }

    /// Lets go of what can be made again when bytes come: some 1.1 KiB of a decrypted session. For one that is idle.
    pub fn rest(&mut self) {
        for side in [Side::Client, Side::Server] {
            if let Some(opener) = self.sides.of_mut(side).opener() {
                opener.rest();
            }
        }
    }

    /// Reads what `side` sent and had to wait, if it need wait no longer.
    fn wake(&mut self, side: Side, keys: &KeyLog, out: &mut Vec<TlsEvent>) {
        if self.is_waiting(side) && !self.must_wait(side) {
            self.run(side, &[], keys, out);
        }
    }

    /// Says that bytes of `side` are missing from the capture: so many if that is known.
    ///
    /// Bytes missing within one record cost that record and nothing else. Otherwise records are looked for in what
    /// follows; with keys, decryption goes on with the first that opens. Call it at the very beginning for a connection
    /// whose start was not captured.
    pub fn gap(&mut self, side: Side, missing: Option<u64>, keys: &KeyLog, out: &mut Vec<TlsEvent>) {
        if !matches!(side, Side::Client | Side::Server) {
            return;
        }
        if self.is_waiting(side) {
            self.stop_waiting(side);
            self.run(side, &[], keys, out);
        }
        if missing != Some(0) {
            self.read_begun_hello(side, keys, out);
        }
        let direction = self.sides.of_mut(side);
        match (direction.mode, missing) {
            (Mode::Over, _) => return,
            (Mode::Framed, Some(missing)) if direction.records.pass_over(missing) => return,
            (Mode::Framed, _) => out.push(TlsEvent::FramingLost { side }),
            (Mode::Seeking, _) => {}
        }
        direction.lose_framing();
        if direction.opener().is_some() && !direction.lost {
            direction.lost = true;
            out.push(TlsEvent::DecryptionLost { side });
        }
        self.wake(other(side), keys, out);
    }

    /// How many bytes are kept at the moment, waiting for what belongs to them.
    pub fn waiting_bytes(&self) -> usize {
        self.kept_len(Side::Client) + self.kept_len(Side::Server)
    }

    /// Gives these bytes up, as if they had not been captured: what can be read without the rest of them is read.
    pub fn give_up_waiting(&mut self, keys: &KeyLog, out: &mut Vec<TlsEvent>) {
        self.end(keys, out);
        for side in [Side::Client, Side::Server] {
            let direction = self.sides.of_mut(side);
            direction.held = Vec::new();
            if direction.records.let_go() || direction.messages.kept_len() > 0 {
                self.clear_record_lost(side);
            }
        }
    }

    pub(super) fn kept_len(&self, side: Side) -> usize {
        let direction = self.sides.of(side);
        direction.held.len() + direction.records.kept_len() + direction.messages.kept_len()
    }

    pub(super) fn run(&mut self, side: Side, bytes: &[u8], keys: &KeyLog, out: &mut Vec<TlsEvent>) {
        if self.is_waiting(side) && self.must_wait(side) {
            let held = &mut self.sides.of_mut(side).held;
            held.extend_from_slice(bytes);
            if held.len() <= MAX_HELD_LEN {
                return;
            }
            self.stop_waiting(side);
            return self.run(side, &[], keys, out);
        }
        let held = std::mem::take(&mut self.sides.of_mut(side).held);
        let joined;
        let mut input = if held.is_empty() {
            bytes
        } else {
            joined = [held.as_slice(), bytes].concat();
            joined.as_slice()
        };
        loop {
            let goes_on = match self.sides.of(side).mode {
                Mode::Over => false,
                Mode::Framed => self.step(side, &mut input, keys, out),
                Mode::Seeking => self.seek(side, &mut input, keys, out),
            };
            if !goes_on {
                return;
            }
        }
    }

    pub(super) fn plan(
        &mut self,
        side: Side,
        header: RecordHeader,
        keys: &KeyLog,
        out: &mut Vec<TlsEvent>,
    ) -> Plan {
        let protected = self.is_protected(side, header.content);
        self.sides.of_mut(side).record_protected = protected;
        if !protected {
            return Plan::Keep;
        }
        if self.must_wait(side) {
            return Plan::Wait;
        }
        let direction = self.sides.of_mut(side);
        direction.hello_missed |= !direction.hello;
        if self
            .info
            .version
            .is_some_and(|version| version <= Version::TLS_1_2)
            && !direction.changed_cipher
        {
            // Its ChangeCipherSpec, and what came with it, was lost.
            direction.change_cipher();
            direction.records_missing = true;
        }
        if self.is_early_data(side) {
            return Plan::Pass;
        }
        if self.find_keys(side, keys, out) {
            Plan::Keep
        } else {
            Plan::Pass
        }
    }

    /// Whether a record of this type is encrypted, as far as the session has come.
    fn is_protected(&self, side: Side, content: ContentType) -> bool {
        let since_change = self.sides.of(side).changed_cipher && self.info.version != Some(Version::TLS_1_3);
        content == ContentType::ApplicationData || since_change
    }

    /// Whether the client is known to be sending 0-RTT data: before the server has answered.
    fn is_early_data(&self, side: Side) -> bool {
        side == Side::Client
            && self.info.early_data_offered
            && self.info.version.is_none()
            && !self.sides.of(Side::Server).hello_missed
    }

    fn is_waiting(&self, side: Side) -> bool {
        let direction = self.sides.of(side);
        direction.mode == Mode::Framed && !direction.held.is_empty()
    }

    /// Whether what `side` protects cannot be understood yet, but will be when the other side's hello comes: a capture
    /// may show two directions in the wrong order.
    fn must_wait(&self, side: Side) -> bool {
        let answer_is_known = match side {
            Side::Client => self.info.version.is_some() || self.info.early_data_offered,
            _ => self.client_random.is_some(),
        };
        self.sides.of(side).hello && !answer_is_known && !self.sides.of(other(side)).hello_missed
    }

    pub(super) fn stop_waiting(&mut self, side: Side) {
        self.sides.of_mut(other(side)).hello_missed = true;
    }

    /// Whether there are keys for the next record of `side`.
    fn find_keys(&mut self, side: Side, keys: &KeyLog, out: &mut Vec<TlsEvent>) -> bool {
        match &self.sides.of(side).protection {
            Protection::Keys(_) => return true,
            Protection::Impossible => return false,
            Protection::NotInKeyLog { revision } if *revision == keys.revision() => return false,
            Protection::NotInKeyLog { .. } | Protection::Unknown => {}
        }
        let found = self.opener(side, keys);
        let direction = self.sides.of_mut(side);
        match found {
            Ok(opener) => {
                direction.lost |= matches!(direction.protection, Protection::NotInKeyLog { .. });
                direction.protection = Protection::Keys(Box::new(opener));
                true
            }
            Err(why) => {
                direction.protection = match why {
                    NoKeys::NotInKeyLog => Protection::NotInKeyLog {
                        revision: keys.revision(),
                    },
                    _ => Protection::Impossible,
                };
                if !std::mem::replace(&mut self.no_keys_told, true) {
                    out.push(TlsEvent::NoKeys(why));
                }
                false
            }
        }
    }
}

//! Opening one direction's records one after another: which key and which sequence number comes next.
//!
//! As long as nothing is missing this is counting. After a loss the next few sequence numbers, and the keys that come
//! next, are tried: authenticated encryption tells for certain which is right. The number of trials is limited.

use super::aead::{Bulk, NotOpened, RecordKey, TLS13_OVERHEAD};
use super::record::RecordHeader;
use super::suite::SuiteHash;
use super::traffic_secret::{Epoch, TrafficSecret};
use std::ops::RangeInclusive;

/// How far ahead sequence numbers are tried after a loss.
const WINDOW: u64 = 64;
/// Trials that may fail before a direction is given up. A hostile capture costs no more than this.
const MAX_CREDIT: u32 = 1024;
/// What every record opened gives back.
const CREDIT_PER_RECORD: u32 = 2;

/// The keys of one direction, and where it is.
#[derive(Debug)]
pub(super) struct Opener {
    bulk: Bulk,
    hash: SuiteHash,
    key: RecordKey,
    /// TLS 1.3: what the key was made of, and the next will be.
    secret: Option<TrafficSecret>,
    epoch: Epoch,
    /// The next record's sequence number is at least this …
    next: u64,
    /// … and at most this: the same, unless something was lost.
    last: u64,
    credit: u32,
    /// The first sequence number of these keys whose application data has not been accounted for.
    accounted: u64,
}

/// A record that opened.
#[derive(Debug)]
pub(super) struct Opened {
    /// What it carries; in TLS 1.3 with type and padding behind it.
    pub(super) content: Vec<u8>,
    /// Whether application data may be missing between it and the record that was opened or reported before it.
    pub(super) after_loss: bool,
}

impl Opener {
    /// TLS 1.2: the next record's number is between `next` and `next + uncertain`.
    pub(super) const fn tls12(
        bulk: Bulk,
        hash: SuiteHash,
        key: RecordKey,
        next: u64,
        uncertain: bool,
    ) -> Self {
        let last = if uncertain {
            next.saturating_add(WINDOW)
        } else {
            next
        };
        Self {
            bulk,
            hash,
            key,
            secret: None,
            epoch: Epoch::Application,
            next,
            last,
            credit: MAX_CREDIT,
            // The first record after ChangeCipherSpec is the Finished.
            accounted: 1,
        }
    }

    /// TLS 1.3: the next record's number is between `next` and `last`. `None` if the secret does not fit the suite.
    pub(super) fn tls13(
        bulk: Bulk,
        hash: SuiteHash,
        secret: &TrafficSecret,
        epoch: Epoch,
        next: u64,
        last: u64,
    ) -> Option<Self> {
        let key = Self::tls13_key(bulk, hash, secret)?;
        let last = last.min(next.saturating_add(WINDOW));
        Some(Self {
            bulk,
            hash,
            key,
            secret: Some(*secret),
            epoch,
            next,
            last,
            credit: MAX_CREDIT,
            accounted: 0,
        })
    }

    fn tls13_key(bulk: Bulk, hash: SuiteHash, secret: &TrafficSecret) -> Option<RecordKey> {
        if secret.fits(hash) {
            RecordKey::tls13(bulk, hash, secret)
        } else {
            None
        }
    }

    /// Which keys are in use; in TLS 1.2 there is only the one kind.
    pub(super) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The longest content that `header`'s record can carry, in bytes: exactly its content, if it is not padded.
    pub(super) fn content_len(&self, header: RecordHeader) -> u64 {
        let overhead = if self.secret.is_some() {
            TLS13_OVERHEAD
        } else {
            self.bulk.tls12_overhead()
        };
        u64::try_from(usize::from(header.len).saturating_sub(overhead)).unwrap_or_default()
    }

    /// Opens the next record. `after_handshake` is the secret that follows the handshake's, if known.
    ///
    /// A failure moves nothing; [`Self::widen`] says that it was a loss.
    pub(super) fn open(
        &mut self,
        header: RecordHeader,
        mut body: Vec<u8>,
        after_handshake: Option<&TrafficSecret>,
    ) -> Result<Opened, NotOpened> {
        if self.next == self.last && self.epoch == Epoch::Application {
            self.key.open(self.next, header, &mut body)?;
            return Ok(self.opened(self.next, body));
        }
        if self.is_exhausted() {
            return Err(NotOpened);
        }
        if let Some((sequence, content)) = search(&mut self.key, self.next..=self.last, header, &body) {
            return Ok(self.opened(sequence, content));
        }
        self.charge(self.next, self.last);
        let following = match self.epoch {
            Epoch::Handshake => after_handshake.copied(),
            Epoch::Application => self.secret.map(|secret| secret.updated()),
        };
        let Some(secret) = following else {
            return Err(NotOpened);
        };
        let mut key = Self::tls13_key(self.bulk, self.hash, &secret).ok_or(NotOpened)?;
        let reach = self.last.saturating_sub(self.next);
        let Some((sequence, content)) = search(&mut key, 0..=reach, header, &body) else {
            self.charge(0, reach);
            return Err(NotOpened);
        };
        // Behind a KeyUpdate that was lost, nobody can say what else was.
        let unknown = self.epoch == Epoch::Application;
        (self.key, self.secret, self.epoch) = (key, Some(secret), Epoch::Application);
        self.accounted = 0;
        let mut opened = self.opened(sequence, content);
        opened.after_loss |= unknown;
        Ok(opened)
    }

    fn charge(&mut self, first: u64, last: u64) {
        let trials = last.saturating_sub(first).saturating_add(1);
        self.credit = self
            .credit
            .saturating_sub(u32::try_from(trials).unwrap_or(u32::MAX));
    }

    fn opened(&mut self, sequence: u64, content: Vec<u8>) -> Opened {
        let after_loss = self.epoch == Epoch::Application && sequence > self.accounted;
        self.next = sequence.saturating_add(1);
        self.accounted = self.next;
        self.last = self.next;
        self.credit = self.credit.saturating_add(CREDIT_PER_RECORD).min(MAX_CREDIT);
        Opened { content, after_loss }
    }

    /// The loss of one more record has been told.
    pub(super) fn account_for_one(&mut self) {
        self.accounted = self.accounted.saturating_add(1);
    }

    /// A whole record went by that could not be read: the next has the next number.
    pub(super) fn passed_one(&mut self) {
        self.next = self.next.saturating_add(1);
        // It may have been the last of the handshake's.
        let further = if self.epoch == Epoch::Handshake { 2 } else { 1 };
        self.last = self
            .last
            .saturating_add(further)
            .min(self.next.saturating_add(WINDOW));
    }

    /// Some records may have been lost.
    pub(super) fn widen(&mut self) {
        self.last = self.next.saturating_add(WINDOW);
    }

    /// Whether no trials are left.
    pub(super) const fn is_exhausted(&self) -> bool {
        self.credit == 0
    }

    /// Goes on to the keys after the handshake.
    pub(super) fn finish_handshake(&self, secret: &TrafficSecret) -> Option<Self> {
        Self::tls13(self.bulk, self.hash, secret, Epoch::Application, 0, 0)
    }

    /// Goes on to the next application keys (KeyUpdate).
    pub(super) fn update(&mut self) {
        let next = self.secret.map(|secret| secret.updated());
        if let Some(secret) = next
            && let Some(key) = Self::tls13_key(self.bulk, self.hash, &secret)
        {
            (self.key, self.secret) = (key, Some(secret));
            (self.next, self.last, self.accounted) = (0, 0, 0);
        }
    }
    /// Lets go of what can be made again.
    pub(super) fn rest(&mut self) {
        self.key.rest();
    }
}

/// Tries `sequences` under `key`: the one that opens the record, and the content.
fn search(
    key: &mut RecordKey,
    sequences: RangeInclusive<u64>,
    header: RecordHeader,
    body: &[u8],
) -> Option<(u64, Vec<u8>)> {
    sequences.into_iter().find_map(|sequence| {
        let mut trial = body.to_vec();
        key.open(sequence, header, &mut trial).ok()?;
        Some((sequence, trial))
    })
}

//! Opening protected records: AES-GCM and ChaCha20-Poly1305 as TLS 1.2 (RFC 5246 6.2.3.3, RFC 5288, RFC 7905) and
//! TLS 1.3 (RFC 8446 5.2) use them.

use super::prf::{tls12_prf, tls13_expand};
use super::record::{HEADER_LEN, RecordHeader};
use super::suite::SuiteHash;
use super::traffic_secret::TrafficSecret;
use clw_core::verdict::Side;
use ring::aead::{self, AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use std::fmt;

/// The cipher that protects records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bulk {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
}

const TAG_LEN: usize = 16;
const NONCE_LEN: usize = 12;
const MAX_KEY_LEN: usize = 32;
/// The part of a TLS 1.2 GCM nonce that every record carries.
const EXPLICIT_NONCE_LEN: usize = 8;

impl Bulk {
    fn algorithm(self) -> &'static aead::Algorithm {
        match self {
            Self::Aes128Gcm => &AES_128_GCM,
            Self::Aes256Gcm => &AES_256_GCM,
            Self::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        }
    }

    /// Bytes of a TLS 1.2 nonce that come from the key block; the rest travels with the record.
    const fn tls12_iv_len(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes256Gcm => NONCE_LEN - EXPLICIT_NONCE_LEN,
            Self::ChaCha20Poly1305 => NONCE_LEN,
        }
    }

    /// How many bytes a TLS 1.2 record is longer than what it carries.
    pub(super) const fn tls12_overhead(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes256Gcm => EXPLICIT_NONCE_LEN + TAG_LEN,
            Self::ChaCha20Poly1305 => TAG_LEN,
        }
    }
}

/// How many bytes a TLS 1.3 record without padding is longer than what it carries: the tag and the type within.
pub(super) const TLS13_OVERHEAD: usize = TAG_LEN + 1;

/// The record cannot be opened: another key, another sequence number, or damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotOpened;

/// What opens the records of one direction, from one key change to the next.
pub(super) struct RecordKey {
    bulk: Bulk,
    /// The key, in its first bytes.
    bytes: [u8; MAX_KEY_LEN],
    /// The key made ready, half a kilobyte: made when it is needed, and again after [`Self::rest`].
    ready: Option<Box<LessSafeKey>>,
    iv: [u8; NONCE_LEN],
    form: Form,
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordKey")
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

/// Where nonce and associated data come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// TLS 1.2, AES-GCM: eight bytes of the nonce before the ciphertext.
    Tls12Explicit,
    /// TLS 1.2, ChaCha20: nonce from the sequence number.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl RecordKey {
    /// TLS 1.2: the key of `side` out of the key block. `None` is unreachable: all lengths are the cipher's own.
    pub(super) fn tls12(
        bulk: Bulk,
        hash: SuiteHash,
        master_secret: &[u8],
        server_random: &[u8; 32],
        client_random: &[u8; 32],
        side: Side,
    ) -> Option<Self> {
        const LONGEST: usize = 2 * (MAX_KEY_LEN + NONCE_LEN);
        let (key_len, iv_len) = (bulk.algorithm().key_len(), bulk.tls12_iv_len());
        let mut block = [0; LONGEST];
        tls12_prf(
            hash,
            master_secret,
            b"key expansion",
            [server_random, client_random],
            &mut block,
        );
        // client key, server key, client IV, server IV
        let which = usize::from(side == Side::Server);
        let key = block.get(which * key_len..)?.get(..key_len)?;
        let implicit = block.get(2 * key_len + which * iv_len..)?.get(..iv_len)?;
        let mut iv = [0; NONCE_LEN];
        iv.get_mut(..iv_len)?.copy_from_slice(implicit);
        let mut bytes = [0; MAX_KEY_LEN];
        bytes.get_mut(..key_len)?.copy_from_slice(key);
        Some(Self {
            bulk,
            bytes,
            ready: None,
            iv,
            form: if bulk == Bulk::ChaCha20Poly1305 {
                Form::Tls12
            } else {
                Form::Tls12Explicit
            },
        })
    }

    /// TLS 1.3: key and IV out of a traffic secret.
    pub(super) fn tls13(bulk: Bulk, hash: SuiteHash, secret: &TrafficSecret) -> Option<Self> {
        let mut bytes = [0; MAX_KEY_LEN];
        let mut iv = [0; NONCE_LEN];
        let key = bytes.get_mut(..bulk.algorithm().key_len())?;
        tls13_expand(hash, secret.expose(), b"key", key);
        tls13_expand(hash, secret.expose(), b"iv", &mut iv);
        Some(Self {
            bulk,
            bytes,
            ready: None,
            iv,
            form: Form::Tls13,
        })
    }

    /// Lets go of what can be made again from the key's bytes.
    pub(super) fn rest(&mut self) {
        self.ready = None;
    }

    fn ready(&mut self) -> Result<&LessSafeKey, NotOpened> {
        let ready = if let Some(ready) = self.ready.take() {
            ready
        } else {
            let algorithm = self.bulk.algorithm();
            let bytes = self.bytes.get(..algorithm.key_len()).ok_or(NotOpened)?;
            Box::new(LessSafeKey::new(
                UnboundKey::new(algorithm, bytes).map_err(|_| NotOpened)?,
            ))
        };
        Ok(self.ready.insert(ready))
    }

    /// Opens `body`, the `sequence`th record (from 0) under this key, and leaves its content there: in TLS 1.3 the type
    /// and the padding are still behind it. On failure what is in `body` is undefined.
    pub(super) fn open(
        &mut self,
        sequence: u64,
        header: RecordHeader,
        body: &mut Vec<u8>,
    ) -> Result<(), NotOpened> {
        let explicit_len = if self.form == Form::Tls12Explicit {
            EXPLICIT_NONCE_LEN
        } else {
            0
        };
        let content_len = body.len().checked_sub(explicit_len + TAG_LEN).ok_or(NotOpened)?;
        let mut nonce = self.iv;
        let (_, tail) = nonce.split_at_mut(NONCE_LEN - EXPLICIT_NONCE_LEN);
        if self.form == Form::Tls12Explicit {
            tail.copy_from_slice(&body[..EXPLICIT_NONCE_LEN]);
        } else {
            tail.iter_mut()
                .zip(sequence.to_be_bytes())
                .for_each(|(iv, part)| *iv ^= part);
        }
        let nonce = Nonce::assume_unique_for_key(nonce);
        let header = header.to_bytes();
        let opened = if self.form == Form::Tls13 {
            self.ready()?.open_within(nonce, Aad::from(header), body, 0..)
        } else {
            let mut data = [0; 8 + HEADER_LEN];
            data[..8].copy_from_slice(&sequence.to_be_bytes());
            data[8..].copy_from_slice(&header);
            let content_len = u16::try_from(content_len).map_err(|_| NotOpened)?;
            data[8 + 3..].copy_from_slice(&content_len.to_be_bytes());
            self.ready()?
                .open_within(nonce, Aad::from(data), body, explicit_len..)
        };
        let len = opened.map_err(|_| NotOpened)?.len();
        body.truncate(len);
        Ok(())
    }
}

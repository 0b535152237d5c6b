//! One line of a key log: label, client random, secret.

use super::key_log::ClientRandom;
use super::traffic_secret::{Epoch, TrafficSecret};
use clw_core::verdict::Side;

/// The longest line that can mean anything is shorter than half of this.
pub(super) const MAX_LINE_LEN: usize = 512;

pub(super) enum Line {
    Secret(ClientRandom, LineSecret),
    OfNoUse,
}

pub(super) enum LineSecret {
    Master([u8; 48]),
    Traffic(usize, TrafficSecret),
}

pub(super) fn parse_line(line: &[u8]) -> Option<Line> {
    if line.len() > MAX_LINE_LEN {
        return None;
    }
    let mut words = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let (label, random, secret) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    let (random, secret) = (unhex(random)?, unhex(secret)?);
    let traffic = |side, epoch| {
        Some(LineSecret::Traffic(
            slot(side, epoch),
            TrafficSecret::new(&secret)?,
        ))
    };
    let secret = match label {
        b"CLIENT_RANDOM" => LineSecret::Master(secret.as_slice().try_into().ok()?),
        b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => traffic(Side::Client, Epoch::Handshake)?,
        b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => traffic(Side::Server, Epoch::Handshake)?,
        b"CLIENT_TRAFFIC_SECRET_0" => traffic(Side::Client, Epoch::Application)?,
        b"SERVER_TRAFFIC_SECRET_0" => traffic(Side::Server, Epoch::Application)?,
        b"EXPORTER_SECRET"
        | b"CLIENT_EARLY_TRAFFIC_SECRET"
        | b"EARLY_EXPORTER_SECRET"
        | b"EARLY_EXPORTER_MASTER_SECRET"
        | b"RSA"
        | b"ECH_SECRET"
        | b"ECH_CONFIG" => return Some(Line::OfNoUse),
        _ => return None,
    };
    Some(Line::Secret(random.as_slice().try_into().ok()?, secret))
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let (pairs, odd) = text.as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

/// Where a session keeps a traffic secret.
pub(super) fn slot(side: Side, epoch: Epoch) -> usize {
    usize::from(side == Side::Server) + if epoch == Epoch::Application { 2 } else { 0 }
}

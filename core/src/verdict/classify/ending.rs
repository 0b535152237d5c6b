//! The last rules: what is left when nothing specific ended a session.

use super::{Facts, Found};
use crate::verdict::{EndingKind, Side, Viewpoint};
use crate::{Dialect, Stage};

/// The side that ended it said so in the protocol.
fn is_graceful(f: &Facts<'_>) -> bool {
    if !f.ready {
        return false;
    }
    if f.dialect(Dialect::Clw) {
        return f.seen.logged_out;
    }
    let goodbye = |side| {
        f.close_by(side)
            .is_some_and(|close| close.code.is_none() || close.has(&[1000, 1001]))
    };
    // Where no dialect is spoken, a plain 1000 by the server is as good (RFC 6455, 7.4.1).
    let plain = matches!(f.seen.dialect, Dialect::Websocket | Dialect::Unknown);
    goodbye(Side::Client) || (plain && f.close_by(Side::Server).is_some_and(|close| close.has(&[1000])))
}

pub(super) fn prompt_disconnected(f: &Facts<'_>) -> Option<Found> {
    let abrupt = f.ended_without_a_word() && !is_graceful(f) && !f.words_may_be_unseen();
    (f.ready && abrupt && f.seen.pending_requests > 0)
        .then(|| Found::new(f.transport_confidence(), f.ender()))
}

pub(super) fn auth_disconnected(f: &Facts<'_>) -> Option<Found> {
    if !f.ready || !f.ended() || is_graceful(f) || f.words_may_be_unseen() {
        return None;
    }
    let confidence = if f.close.is_some() || f.seen.disconnect.is_some() {
        0.95
    } else {
        f.transport_confidence()
    };
    Some(Found::new(confidence, f.ender()))
}

pub(super) fn graceful(f: &Facts<'_>) -> Option<Found> {
    is_graceful(f).then(|| {
        let by = if f.dialect(Dialect::Clw) {
            Side::Client
        } else {
            f.ender()
        };
        Found::new(0.99, by)
    })
}

pub(super) fn open(f: &Facts<'_>) -> Option<Found> {
    if f.seen.ending != EndingKind::Open || f.ended() {
        return None;
    }
    let encrypted = f.dialect(Dialect::Tls) && f.seen.stage >= Stage::Tls;
    match f.seen.viewpoint {
        _ if f.ready && f.seen.missing.is_empty() => Some(Found::new(0.98, Side::Unknown)),
        _ if f.ready => Some(Found::new(0.8, Side::Unknown)),
        // An endpoint knows that it was still at work; a capture that ends here may have missed how it went on.
        Viewpoint::Client | Viewpoint::Server => Some(Found::new(0.9, Side::Unknown)),
        Viewpoint::Wire if encrypted => Some(Found::new(0.6, Side::Unknown)),
        Viewpoint::Wire => None,
    }
}

/// Too little was seen for any rule.
pub(super) fn incomplete(f: &Facts<'_>) -> Found {
    let named = !f.seen.missing.is_empty() || f.dialect(Dialect::Tls);
    Found::new(if named { 0.9 } else { 0.5 }, f.ender())
}

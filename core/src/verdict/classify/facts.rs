//! An observation, read the way the rules ask.

use crate::verdict::bands::{DurationBand, handshake_elapsed, handshake_timeout, reaches};
use crate::verdict::reason::{self, ReasonClass};
use crate::verdict::{
    Disconnect, EndingKind, Observation, RefusalClass, ResetClass, Side, close_code::PSEUDO_NO_CLOSE,
};
use crate::{Dialect, Stage};

/// A close frame that really was on the wire.
#[derive(Clone, Copy)]
pub(super) struct Close<'a> {
    pub(super) by: Side,
    /// `None` for an empty body.
    pub(super) code: Option<u16>,
    pub(super) reason: &'a str,
}

impl Close<'_> {
    pub(super) fn has(self, codes: &[u16]) -> bool {
        self.code.is_some_and(|code| codes.contains(&code))
    }

    pub(super) fn reason_is(self, class: ReasonClass) -> bool {
        reason::class_of(self.reason) == Some(class)
    }
}

/// The observation and what is derived from it once.
pub(super) struct Facts<'a> {
    pub(super) seen: &'a Observation,
    pub(super) ready: bool,
    pub(super) close: Option<Close<'a>>,
}

impl<'a> Facts<'a> {
    pub(super) fn of(seen: &'a Observation) -> Self {
        // 1006 and 1015 are what APIs report when there was no frame; 1005 stands for an empty body.
        let close = seen
            .close
            .as_ref()
            .filter(|frame| !frame.code.is_some_and(|code| PSEUDO_NO_CLOSE.contains(&code)))
            .map(|frame| Close {
                by: frame.by,
                code: frame.code.filter(|&code| code != 1005),
                reason: &frame.reason,
            });
        Self {
            seen,
            ready: seen.stage == Stage::Ready,
            close,
        }
    }

    /// The first close frame, if `side` sent it.
    pub(super) fn close_by(&self, side: Side) -> Option<Close<'a>> {
        self.close.filter(|close| close.by == side)
    }

    pub(super) fn dialect(&self, dialect: Dialect) -> bool {
        self.seen.dialect == dialect
    }

    /// A refusal of this class was told, at whatever stage.
    pub(super) fn refused(&self, class: RefusalClass) -> bool {
        self.seen
            .refusal
            .as_ref()
            .is_some_and(|refusal| refusal.class == class)
    }

    /// Before ready, the server closed 1008 with a reason of this class.
    pub(super) fn refused_by_policy(&self, class: ReasonClass) -> bool {
        !self.ready
            && self
                .close_by(Side::Server)
                .is_some_and(|close| close.code == Some(1008) && close.reason_is(class))
    }

    pub(super) fn disconnected(&self, reason: Disconnect) -> bool {
        self.seen.disconnect == Some(reason)
    }

    /// The session is over, by whatever sign.
    pub(super) fn ended(&self) -> bool {
        self.seen.ending != EndingKind::Open || self.close.is_some() || self.seen.disconnect.is_some()
    }

    /// The transport ended, and nobody said why in a close frame or a DISCONNECT_AUTH.
    pub(super) fn ended_without_a_word(&self) -> bool {
        self.seen.ending != EndingKind::Open && self.close.is_none() && self.seen.disconnect.is_none()
    }

    /// Who ended it: whoever spoke first, else whoever cut the transport.
    pub(super) fn ender(&self) -> Side {
        match self.close {
            Some(close) if close.by != Side::Unknown => close.by,
            _ if self.seen.disconnect.is_some() => Side::Server,
            _ => self.seen.ended_by,
        }
    }

    /// The server said that it goes down: close 1001 or 1012, or DISCONNECT_AUTH `shutdown`.
    pub(super) fn server_goes_down(&self) -> bool {
        self.close_by(Side::Server)
            .is_some_and(|close| close.has(&[1001, 1012]))
            || self.disconnected(Disconnect::Shutdown)
    }

    /// The end came at the server's handshake timeout or later.
    pub(super) fn at_handshake_timeout(&self) -> bool {
        handshake_timeout(self.seen).is_some_and(|timeout| reaches(handshake_elapsed(self.seen), timeout))
    }

    pub(super) fn band(&self) -> DurationBand {
        DurationBand::of(handshake_elapsed(self.seen), handshake_timeout(self.seen))
    }

    pub(super) fn reset_is(&self, class: ResetClass) -> bool {
        self.seen.reset == Some(class)
    }

    /// The confidence of the RST's class, or `otherwise` where none was given.
    pub(super) fn reset_confidence(&self, otherwise: f32) -> f32 {
        if self.seen.reset.is_some() && self.seen.reset_confidence > 0.0 {
            self.seen.reset_confidence.min(1.0)
        } else {
            otherwise
        }
    }

    /// How sure one can be of an end of the transport without a word.
    pub(super) fn transport_confidence(&self) -> f32 {
        match self.seen.ending {
            EndingKind::Fin => 0.9,
            EndingKind::Rst => self.reset_confidence(0.85),
            EndingKind::Silent => 0.75,
            EndingKind::Open => 0.5,
        }
    }

    /// A silent or cut transport proves nothing here: the words may have been said out of sight. A close frame of which nobody
    /// knows who said it first is no better.
    pub(super) fn words_may_be_unseen(&self) -> bool {
        self.close.is_none_or(|close| close.by == Side::Unknown)
            && self.seen.disconnect.is_none()
            && (!self.seen.missing.is_empty() || self.dialect(Dialect::Tls))
    }
}

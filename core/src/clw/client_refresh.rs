//! The client's side of a token's life: when it is refreshed, and with what.

use super::Opcode;
use super::client::Client;
use super::payload::{Refresh as RefreshPayload, RefreshOk};
use super::token::TokenId;
use super::wire::encode;
use crate::session::{ClientEvent, Outbox};
use crate::time::Instant;
use std::borrow::Cow;
use std::time::Duration;

/// What a server may say that a token lives at the least.
const SHORTEST_TTL: Duration = Duration::from_secs(1);
/// How often a token that is got elsewhere is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// At most one AUTH_REFRESH is unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresh {
    /// None is under way.
    Idle,
    /// Sent.
    Asked { seq: u32, token_id: TokenId },
    /// The token is dead and no other is tried in this session.
    Refused,
    /// A token is being got elsewhere; whether it has come is looked up then.
    Awaited { look: Instant },
    /// There is no other token.
    NoToken,
}

impl Client {
    /// The token was accepted now and lives so long.
    pub(super) fn live_for(&mut self, now: Instant, ttl_s: u64) {
        let ttl = Duration::from_secs(ttl_s).max(SHORTEST_TTL);
        self.expires = Some(now + ttl);
        self.refresh_at = self
            .config
            .refresh_lead
            .map(|lead| now + ttl.saturating_sub(lead.min(ttl / 2)));
    }

    /// Asks with a token that was never presented, unless that is under way or was refused before.
    pub(super) fn ask_refresh(&mut self, now: Instant, out: &mut Outbox<ClientEvent>) {
        let may = match self.refresh {
            Refresh::Idle => self.config.refresh_lead.is_some(),
            Refresh::Awaited { look } => now >= look,
            Refresh::Asked { .. } | Refresh::Refused | Refresh::NoToken => false,
        };
        if !may {
            return;
        }
        let Some(token) = self.account.next_token() else {
            self.await_token(now, out);
            return;
        };
        let seq = self.next_seq();
        self.refresh = Refresh::Asked {
            seq,
            token_id: TokenId::of(token.expose()),
        };
        out.binary(&[&encode(
            Opcode::AuthRefresh,
            seq,
            &RefreshPayload {
                token: Cow::Borrowed(token.expose()),
            },
        )]);
    }

    /// A token that is got elsewhere has not come yet; without that, or where getting it failed, there is none.
    fn await_token(&mut self, now: Instant, out: &mut Outbox<ClientEvent>) {
        let look = now + LOOK_EVERY;
        self.refresh = match self.refresh {
            Refresh::Idle if self.account.is_asked() => {
                out.emit(ClientEvent::TokenWanted);
                Refresh::Awaited { look }
            }
            Refresh::Awaited { .. } if !self.account.is_refused() => Refresh::Awaited { look },
            _ => Refresh::NoToken,
        };
    }

    /// When the next step of a refresh is due.
    pub(super) fn refresh_due(&self) -> Option<Instant> {
        match self.refresh {
            Refresh::Idle => self.refresh_at,
            Refresh::Awaited { look } => Some(look),
            Refresh::Asked { .. } | Refresh::Refused | Refresh::NoToken => None,
        }
    }

    pub(super) fn on_refreshed(
        &mut self,
        now: Instant,
        answers: u32,
        ok: RefreshOk,
        out: &mut Outbox<ClientEvent>,
    ) {
        if let Refresh::Asked { seq, token_id } = self.refresh
            && seq == answers
        {
            self.refresh = Refresh::Idle;
            self.token_id = Some(token_id);
            self.live_for(now, ok.ttl_s);
            out.emit(ClientEvent::Refreshed);
        }
    }
}

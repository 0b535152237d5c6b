//! What a session does when a connection of it has ended.

use super::account::Account;
use super::renewal;
use super::session::{ConnectionEnd, SessionState};
use super::{Worker, mix};
use clw_core::clawchat::{self, Advice, Class, Outcome};
use clw_core::reconnect::Backoff;
use clw_core::verdict::RefusalClass;
use std::sync::Arc;
use std::time::Duration;

/// How long to wait before the next connection; `None`: that was the last.
pub(super) async fn next(
    worker: &Worker,
    state: &mut SessionState,
    end: &ConnectionEnd,
    backoff: &mut Backoff,
) -> Option<Duration> {
    if let Some(device) = state.account.as_ref().and_then(Account::openclaw).cloned() {
        return super::approval::next(worker, state, &device, end, backoff).await;
    }
    let now = worker.clock.now();
    if worker.is_stopping() || state.planned_end.is_some_and(|at| now >= at) {
        return None;
    }
    let verdict = end.judgement.verdict;
    match &state.account {
        Some(Account::Clawchat(account)) => clawchat(worker, state, account, end, backoff).await,
        Some(Account::Clw(account)) => backoff.after(verdict, end.ready_for, account.has_token()),
        // Without a device a session has one credential: once refused it is dead, and there is no other. A command may have one.
        Some(Account::Openclaw(_)) | None => {
            let has_other = worker.kind(state.mix).token_command.is_some();
            backoff.after(verdict, end.ready_for, has_other)
        }
    }
}

/// ClawChat: a refusal is answered by a refresh, by a wait, or not at all (protocol page, Reconnect).
async fn clawchat(
    worker: &Worker,
    state: &SessionState,
    account: &Arc<clawchat::Account>,
    end: &ConnectionEnd,
    backoff: &mut Backoff,
) -> Option<Duration> {
    let verdict = end.judgement.verdict;
    if account.takes_new_tokens() {
        account.reenter(worker.clock.now());
        return Some(Duration::ZERO);
    }
    let Some(refusal) = &end.observation.refusal else {
        return backoff.after(verdict, end.ready_for, false);
    };
    // A session that does not reconnect does not refresh either: the new token would be for nobody.
    if !worker.plan.reconnect.enabled {
        return None;
    }
    let settings = worker.mix(state.mix);
    let reading = mix::reading(settings.reading);
    let class = Class::of(&refusal.code, reading);
    let advice = account.refused(worker.clock.now(), class, reading, settings.refresh);
    let delay = match advice {
        Advice::Stop => None,
        Advice::Refresh => {
            let kind = worker.kinds[state.mix.min(worker.kinds.len() - 1)].clone();
            let seed = worker.seed_of(state.number);
            let renewed = renewal::renew(kind, account.clone(), state.number, worker.clock, seed).await;
            match renewed {
                Some(Outcome::Replaced) => Some(Duration::ZERO),
                Some(Outcome::LoggedOut) => None,
                Some(Outcome::Later { .. }) | None => backoff.after(verdict, end.ready_for, true),
            }
        }
        Advice::Backoff => backoff.after(verdict, end.ready_for, true),
    };
    if delay.is_some() && refusal.class != RefusalClass::AuthUnavailable {
        account.reenter(worker.clock.now());
    }
    delay
}

//! What an OpenClaw session with a device does when a connection of it has ended: another credential, a wait for approval,
//! or nothing.

use super::Worker;
use super::approver::Request;
use super::devices::Device;
use super::session::{ConnectionEnd, SessionState};
use crate::plan::PairingMode;
use clw_core::openclaw::{Advice, Role};
use clw_core::reconnect::Backoff;
use clw_core::verdict::{Side, Verdict};
use std::time::Duration;
use tokio::sync::oneshot;

/// How often a gateway is asked whether the device has been approved, if it says nothing else.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// The wait is longer by up to this, so that sessions told to wait together do not ask together.
const SPREAD_MS: u64 = 250;

/// How long to wait before the next connection; `None`: that was the last.
pub(super) async fn next(
    worker: &Worker,
    state: &mut SessionState,
    device: &Device,
    end: &ConnectionEnd,
    backoff: &mut Backoff,
) -> Option<Duration> {
    let verdict = end.judgement.verdict;
    let account = &device.account;
    let mut advice = account.take_advice();
    if verdict == Verdict::SessionRevoked
        && let Some(close) = end
            .observation
            .close
            .as_ref()
            .filter(|close| close.by == Side::Server)
    {
        advice = Some(account.newest_withdrawn(&close.reason));
    }
    // A token that is dead is forgotten on the disk too.
    worker.devices.keep(device);
    let now = worker.clock.now();
    if worker.is_stopping() || state.planned_end.is_some_and(|at| now >= at) {
        return None;
    }
    let role = worker.plan.session(state.number).role;
    let role = Role::from_name(Some(role.name())).unwrap_or(Role::Operator);
    // Only when the one in use is dead: a file may be written before the gateway changes its token, and what the gateway
    // does not know yet it would refuse.
    let is_replaced = worker.plan.reconnect.enabled
        && account.has_lost_the_secret()
        && worker
            .devices
            .next_token(now)
            .is_some_and(|token| account.propose(&token));
    match advice {
        Some(Advice::AwaitApproval {
            request_id,
            retry_after,
        }) => await_approval(worker, state, request_id, retry_after).await,
        Some(Advice::Later(retry_after)) => {
            let delay = backoff.after(verdict, end.ready_for, true)?;
            Some(delay.max(retry_after.unwrap_or_default()))
        }
        Some(Advice::Again) => {
            let delay = backoff.after(verdict, end.ready_for, true)?;
            worker.tally.borrow_mut().counters.pairing.fallbacks += 1;
            Some(delay)
        }
        Some(Advice::Stop) => {
            let has_another = is_replaced && account.has_something(role);
            let delay = backoff.after(verdict, end.ready_for, has_another)?;
            worker.tally.borrow_mut().counters.pairing.fallbacks += u64::from(has_another);
            Some(delay)
        }
        Some(Advice::Stale) | None => backoff.after(verdict, end.ready_for, is_replaced),
    }
}

/// Approval by the run's own admin session, or by somebody else in time.
async fn await_approval(
    worker: &Worker,
    state: &mut SessionState,
    request_id: Option<String>,
    retry_after: Option<Duration>,
) -> Option<Duration> {
    let pairing = &worker.plan.pairing;
    let now = worker.clock.now();
    worker.tally.borrow_mut().counters.pairing.asked += 1;
    if pairing.mode == PairingMode::Off {
        return None;
    }
    let waited = now.since(*state.unapproved_since.get_or_insert(now));
    let left = pairing
        .timeout
        .checked_sub(waited)
        .filter(|left| !left.is_zero())?;
    if pairing.mode == PairingMode::Approve
        && let Some(id) = request_id
        && is_approved(worker, id, left).await
    {
        worker.tally.borrow_mut().counters.pairing.approved += 1;
        return Some(Duration::ZERO);
    }
    let spread = Duration::from_millis(worker.seed_of(state.number) % SPREAD_MS);
    Some((retry_after.unwrap_or(ASK_EVERY) + spread).min(left))
}

/// Asks the admin session, and waits for its answer no longer than `left`.
async fn is_approved(worker: &Worker, id: String, left: Duration) -> bool {
    let (answer, answered) = oneshot::channel();
    let request = Request { id, answer };
    let is_asked = match &*worker.approver.borrow() {
        Some(approver) => approver.send(request).is_ok(),
        None => false,
    };
    if !is_asked {
        return false;
    }
    tokio::select! {
        biased;
        approved = answered => approved.unwrap_or(false),
        () = worker.stopped() => false,
        () = tokio::time::sleep(left) => false,
    }
}

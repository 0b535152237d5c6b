//! Getting a session's tokens from the command that knows them.

use super::account::Account;
use super::session::SessionState;
use super::token_command::{Need, TokenError};
use super::{Kind, Worker};
use clw_core::clw;
use std::rc::Rc;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Gets the token for the next connection, where a command has them. `false`: there is none, which is counted, or the run
/// was stopped.
pub(super) async fn provide(worker: &Worker, state: &mut SessionState, attempt: u32) -> bool {
    let Some(command) = &worker.kind(state.mix).token_command else {
        return true;
    };
    let reason = if attempt == 0 { "login" } else { "reconnect" };
    let settings = worker.plan.session(state.number);
    let need = Need {
        client_id: match &state.account {
            Some(Account::Clw(account)) => account.client_id(),
            _ => settings.client_id,
        },
        session: state.number,
        reason,
    };
    let asked = tokio::select! {
        biased;
        asked = command.ask(need) => asked,
        () = worker.stopped() => return false,
    };
    let taken = asked.and_then(|token| match &state.account {
        Some(Account::Clw(account)) if account.put_token(Some(token.clone())) => Ok(None),
        Some(Account::Clw(_)) => Err(TokenError::UsedBefore),
        Some(Account::Openclaw(device)) => {
            device.account.propose(&token);
            Ok(None)
        }
        _ => Ok(Some(token)),
    });
    match taken {
        Ok(token) => {
            state.token = token;
            true
        }
        Err(error) => {
            worker.tally.borrow_mut().generator_error(&error.to_string());
            false
        }
    }
}

/// A token for a refresh that is on its way; given up when it is dropped.
pub(super) struct Refreshing(JoinHandle<()>);

impl Drop for Refreshing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Gets a token for a refresh while the session goes on; its machine watches the account.
pub(super) fn refresh(worker: &Worker, mix: usize, number: u64, account: Arc<clw::Account>) -> Refreshing {
    let kind: Rc<Kind> = worker.kinds[mix.min(worker.kinds.len() - 1)].clone();
    let tally = worker.tally.clone();
    Refreshing(tokio::task::spawn_local(async move {
        let Some(command) = &kind.token_command else {
            account.put_token(None);
            return;
        };
        let need = Need {
            client_id: account.client_id(),
            session: number,
            reason: "refresh",
        };
        let asked = command.ask(need).await;
        let error = match asked {
            Ok(token) => {
                if account.put_token(Some(token)) {
                    return;
                }
                TokenError::UsedBefore
            }
            Err(error) => {
                account.put_token(None);
                error
            }
        };
        tally.borrow_mut().generator_error(&error.to_string());
    }))
}

//! Devices of OpenClaw sessions: their accounts, and where their tokens are written down.

use super::{Kind, Worker};
use crate::credentials::{Change, Credential, Store, read_token_file};
use crate::plan::{Plan, Prefer, SessionSettings, TargetPlan};
use clw_core::openclaw::{self, Holdings, Identity, Precedence, Receipt, Role, RoleToken};
use clw_core::secret::Secret;
use clw_core::time::Instant;
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// A token file is looked at again at most so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After a write that failed, the next try waits so long.
const RETRY: Duration = Duration::from_secs(1);

/// A session's device.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its credentials.
    pub account: Arc<openclaw::Account>,
    /// Its key, if it proves one.
    pub identity: Option<Arc<Identity>>,
    /// The gateway that its tokens are from, `HOST:PORT`.
    gateway: Arc<str>,
}

impl Device {
    /// The device of the session that `settings` describe; `None` where there is none, and nothing ever changes.
    pub fn of(kind: &Kind, settings: &SessionSettings<'_>, plan: &Plan, devices: &Devices) -> Option<Self> {
        if !settings.has_device() && !plan.pairing.may_replace_token() {
            return None;
        }
        let identity = settings.identity().map(Arc::new);
        let gateway: Arc<str> = match &settings.mix.target {
            TargetPlan::At(target) => target.authority().into(),
            TargetPlan::Embedded => "embedded".into(),
        };
        let mut role_tokens = match &identity {
            Some(identity) => devices.known.tokens(&gateway, &identity.device_id),
            None => [None, None],
        };
        let credential: &Credential = settings.credential;
        let role = role_of(settings);
        if let Some(token) = credential.device_token() {
            role_tokens[role as usize].get_or_insert_with(|| RoleToken {
                token: token.clone(),
                scopes: settings.scopes.to_vec(),
                issued_at_ms: None,
            });
        }
        let account = openclaw::Account::new(Holdings {
            token: kind.token(settings),
            password: credential.password().cloned(),
            bootstrap_token: credential.bootstrap_token().cloned(),
            role_tokens,
            precedence: match settings.mix.prefer {
                Prefer::Shared => Precedence::Shared,
                Prefer::Device => Precedence::Device,
            },
        });
        Some(Self {
            account: Arc::new(account),
            identity,
            gateway,
        })
    }
}

fn role_of(settings: &SessionSettings<'_>) -> Role {
    Role::from_name(Some(settings.role.name())).unwrap_or(Role::Operator)
}

/// Tokens that wait to be written.
struct Waiting {
    device: Device,
    receipt: Receipt,
}

/// What a worker knows of its devices.
pub(super) struct Devices {
    /// The store as it was when the run began.
    known: Store,
    path: Option<PathBuf>,
    waiting: RefCell<Vec<Waiting>>,
    wake: Notify,
    is_closing: Cell<bool>,
    /// The shared token that a gateway may have changed to, and when it was looked for last.
    next_token: RefCell<Option<Secret>>,
    looked: Cell<Option<Instant>>,
    token_file: Option<PathBuf>,
}

impl Devices {
    /// Reads the store that the plan names.
    pub fn new(plan: &Plan) -> Self {
        let pairing = &plan.pairing;
        // That it can be read was checked when the plan was made.
        let read = pairing.store.as_deref().map(Store::read);
        Self {
            known: read.and_then(Result::ok).unwrap_or_default(),
            path: pairing.store.clone(),
            waiting: RefCell::default(),
            wake: Notify::new(),
            is_closing: Cell::new(false),
            next_token: RefCell::new(pairing.next_token.clone()),
            looked: Cell::new(None),
            token_file: pairing.token_file.clone(),
        }
    }

    /// The shared token that may be right now, if there is another than at the start.
    pub fn next_token(&self, now: Instant) -> Option<Secret> {
        if let Some(path) = &self.token_file
            && self.looked.get().is_none_or(|at| now.since(at) >= LOOK_EVERY)
        {
            self.looked.set(Some(now));
            // A file that is being written may be empty for a moment: the one before it holds until then.
            if let Ok(token) = read_token_file(path) {
                *self.next_token.borrow_mut() = Some(token);
            }
        }
        self.next_token.borrow().clone()
    }

    /// Has a device's new and lost tokens written down, where there is a store; else memory is all there is.
    pub fn keep(&self, device: &Device) {
        let Some(receipt) = device.account.to_keep() else {
            return;
        };
        if self.path.is_none() || device.identity.is_none() {
            device.account.kept(&receipt, true);
            return;
        }
        let device = device.clone();
        self.waiting.borrow_mut().push(Waiting { device, receipt });
        self.wake.notify_one();
    }

    /// Writes whenever there is something to write. What comes while a write is under way goes with the next one, so that
    /// a storm of new devices costs a few writes.
    pub async fn write_down(self: Rc<Self>, worker: Rc<Worker>) {
        while !self.is_closing.get() {
            self.wake.notified().await;
            while !self.flush(&worker).await && !self.is_closing.get() {
                tokio::time::sleep(RETRY).await;
            }
        }
        self.flush(&worker).await;
    }

    /// Nothing more comes: what waits is written, and that is all.
    pub fn close(&self) {
        self.is_closing.set(true);
        self.wake.notify_one();
    }

    /// Writes what waits. `false`: it failed, and everything still waits.
    async fn flush(&self, worker: &Worker) -> bool {
        let batch = self.waiting.take();
        let Some(path) = self.path.clone().filter(|_| !batch.is_empty()) else {
            return true;
        };
        let changes: Vec<Change> = batch.iter().flat_map(changes_of).collect();
        let written = tokio::task::spawn_blocking(move || Store::write(&path, &changes)).await;
        let is_written = matches!(written, Ok(Ok(())));
        for waiting in &batch {
            waiting.device.account.kept(&waiting.receipt, is_written);
        }
        if !is_written {
            worker.tally.borrow_mut().counters.pairing.unkept += 1;
            // In front: what came meanwhile is newer and must be written after it.
            self.waiting.borrow_mut().splice(0..0, batch);
        }
        is_written
    }
}

fn changes_of(waiting: &Waiting) -> Vec<Change> {
    let Some(identity) = &waiting.device.identity else {
        return Vec::new();
    };
    let change = |(role, token): &(Role, Option<RoleToken>)| Change {
        gateway: waiting.device.gateway.to_string(),
        device_id: identity.device_id.clone(),
        role: *role,
        token: token.clone(),
    };
    waiting.receipt.changes.iter().map(change).collect()
}

//! Sessions of devices that are up, so that they can be told when their token is taken away.

use super::scopes::Role;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

/// A device's session that is up. The session holds it; the gateway only knows of it.
#[derive(Debug)]
pub(super) struct LiveDevice {
    /// `device.id`.
    pub device_id: Box<str>,
    /// What the session is.
    pub role: Role,
    /// By which the session is called.
    pub sign: u64,
    withdrawn: AtomicBool,
}

impl LiveDevice {
    /// Whether its token was taken away since it came in.
    pub fn is_withdrawn(&self) -> bool {
        self.withdrawn.load(Ordering::Relaxed)
    }
}

/// All of them. An entry goes with its last session, at the latest when the next one of its kind comes.
#[derive(Debug, Default)]
pub(super) struct LiveDevices {
    sessions: HashMap<Box<str>, Vec<Weak<LiveDevice>>>,
    /// Entries after which all are looked through for sessions that have gone.
    sweep_at: usize,
}

impl LiveDevices {
    /// A session has come up.
    pub fn enter(&mut self, device_id: &str, role: Role, sign: u64) -> Arc<LiveDevice> {
        let live = Arc::new(LiveDevice {
            device_id: device_id.into(),
            role,
            sign,
            withdrawn: AtomicBool::new(false),
        });
        if self.sessions.len() >= self.sweep_at {
            self.sessions.retain(|_, list| {
                list.retain(|weak| weak.strong_count() > 0);
                !list.is_empty()
            });
            self.sweep_at = (self.sessions.len() * 2).max(1024);
        }
        let list = self.sessions.entry(device_id.into()).or_default();
        list.retain(|weak| weak.strong_count() > 0);
        list.push(Arc::downgrade(&live));
        live
    }

    /// The device's sessions of that role (of any, without one) have lost their authority. Returns by which signs they are to
    /// be called.
    pub fn withdraw(&mut self, device_id: &str, role: Option<Role>) -> Vec<u64> {
        let Some(list) = self.sessions.get_mut(device_id) else {
            return Vec::new();
        };
        let of_role = |live: &LiveDevice| role.is_none_or(|role| role == live.role);
        let signs = list
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|live| of_role(live))
            .map(|live| {
                live.withdrawn.store(true, Ordering::Relaxed);
                live.sign
            })
            .collect();
        list.retain(|weak| weak.upgrade().is_some_and(|live| !of_role(&live)));
        signs
    }

    /// All devices' sessions have lost their authority.
    pub fn withdraw_all(&mut self) -> Vec<u64> {
        let devices: Vec<_> = self.sessions.keys().cloned().collect();
        devices.iter().flat_map(|id| self.withdraw(id, None)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_role_is_withdrawn_without_the_other_and_sessions_that_have_gone_are_forgotten() {
        let mut live = LiveDevices::default();
        let operator = live.enter("d", Role::Operator, 1);
        let node = live.enter("d", Role::Node, 2);
        drop(live.enter("d", Role::Operator, 3));
        assert_eq!(live.withdraw("d", Some(Role::Operator)), [1]);
        assert!(operator.is_withdrawn() && !node.is_withdrawn());
        assert_eq!(live.withdraw("d", Some(Role::Operator)), [0; 0]);
        assert_eq!(live.withdraw_all(), [2]);
        for i in 0..5000_u64 {
            drop(live.enter(&i.to_string(), Role::Node, i));
        }
        assert!(live.sessions.len() <= 1025, "{}", live.sessions.len());
    }
}

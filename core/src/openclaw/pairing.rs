//! Devices that were approved, and those that wait for it (protocol page, section 5).

use super::scopes::{Role, Scopes};
use crate::secret::Secret;
use serde::Serialize;
use std::collections::HashMap;

/// A device that asks to come in; its proof was checked.
#[derive(Clone, Copy, Debug)]
pub struct DeviceClaim<'a> {
    /// `device.id`.
    pub device_id: &'a str,
    /// `device.publicKey`.
    pub public_key: &'a str,
    /// `client.id`.
    pub client_id: &'a str,
    /// `client.mode`.
    pub client_mode: &'a str,
    /// `client.platform`.
    pub platform: &'a str,
    /// Role asked for.
    pub role: Role,
    /// Scopes asked for.
    pub scopes: Scopes,
}

/// A device's token for one role.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The token.
    pub token: Secret,
    /// What it covers.
    pub scopes: Scopes,
    /// Milliseconds since 1970.
    pub issued_at_ms: i64,
}

/// Why a device must be approved (again).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Stays the same while it is pending.
    pub request_id: String,
    /// `not-paired`, `role-upgrade`, `scope-upgrade`, `metadata-upgrade`.
    pub reason: &'static str,
}

/// One of `device.pair.list` → `pending`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingDevice {
    /// To approve it with.
    pub request_id: String,
    /// Which device.
    pub device_id: String,
    /// Its key.
    pub public_key: String,
    /// Its platform.
    pub platform: String,
    /// Its client.
    pub client_id: String,
    /// Its client's mode.
    pub client_mode: String,
    /// Role asked for.
    pub role: &'static str,
    /// Scopes asked for.
    pub scopes: Scopes,
    /// When it asked first, milliseconds since 1970.
    pub ts: i64,
    #[serde(skip)]
    order: u64,
}

/// One of `device.pair.list` → `paired`, and what `device.pair.approve` answers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PairedDevice {
    /// Which device.
    pub device_id: String,
    /// Its key.
    pub public_key: String,
    /// Its platform.
    pub platform: String,
    /// Its client.
    pub client_id: String,
    /// Its client's mode.
    pub client_mode: String,
    /// Roles granted.
    pub roles: Vec<&'static str>,
    /// Its tokens, without what they are.
    pub tokens: Vec<TokenSummary>,
    /// When it was approved, milliseconds since 1970.
    pub approved_at_ms: i64,
}

/// What may be told of a device's token.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenSummary {
    /// For which role.
    pub role: &'static str,
    /// What it covers.
    pub scopes: Scopes,
    /// Milliseconds since 1970.
    pub created_at_ms: i64,
}

#[derive(Debug)]
struct Paired {
    public_key: Box<str>,
    platform: Box<str>,
    client_id: Box<str>,
    client_mode: Box<str>,
    grants: [Option<Grant>; 2],
    approved_at_ms: i64,
    order: u64,
}

impl Paired {
    fn grant(&self, role: Role) -> Option<&Grant> {
        self.grants[role as usize].as_ref()
    }
}

/// What a device token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenCheck {
    /// It is this device's and covers what is asked for.
    Valid,
    /// It is this device's, for less.
    ScopeMismatch,
    /// Unknown, revoked, or another device's.
    Unknown,
}

/// All devices of a gateway. Keeps at most `max_devices` approved ones and as many pending; the oldest go first.
#[derive(Debug)]
pub struct Pairing {
    max_devices: usize,
    paired: HashMap<Box<str>, Paired>,
    pending: HashMap<Box<str>, PendingDevice>,
    order: u64,
}

impl Pairing {
    /// Nobody yet.
    pub fn new(max_devices: usize) -> Self {
        Self {
            max_devices: max_devices.max(1),
            paired: HashMap::new(),
            pending: HashMap::new(),
            order: 0,
        }
    }

    /// The token that a device already holds for what it asks, or why it needs approval.
    pub fn grant(&self, claim: &DeviceClaim<'_>) -> Result<Grant, &'static str> {
        let paired = self.paired.get(claim.device_id).ok_or("not-paired")?;
        let grant = paired.grant(claim.role).ok_or("role-upgrade")?;
        if !grant.scopes.covers(claim.scopes) {
            Err("scope-upgrade")
        } else if !paired.platform.eq_ignore_ascii_case(claim.platform) {
            Err("metadata-upgrade")
        } else {
            Ok(grant.clone())
        }
    }

    /// Approves a device for what it asks; scopes add up.
    pub fn approve(&mut self, claim: &DeviceClaim<'_>, token: Secret, now_ms: i64) -> Grant {
        self.pending.remove(claim.device_id);
        self.order += 1;
        if self.paired.len() >= self.max_devices && !self.paired.contains_key(claim.device_id) {
            forget_oldest(&mut self.paired, |paired| paired.order);
        }
        let order = self.order;
        let paired = self
            .paired
            .entry(claim.device_id.into())
            .or_insert_with(|| Paired {
                public_key: claim.public_key.into(),
                platform: claim.platform.into(),
                client_id: claim.client_id.into(),
                client_mode: claim.client_mode.into(),
                grants: [None, None],
                approved_at_ms: now_ms,
                order,
            });
        paired.platform = claim.platform.into();
        let slot = &mut paired.grants[claim.role as usize];
        let before = slot.as_ref().map_or(Scopes::NONE, |grant| grant.scopes);
        slot.insert(Grant {
            token,
            scopes: before.with(claim.scopes),
            issued_at_ms: now_ms,
        })
        .clone()
    }

    /// Notes that a device waits; the same device keeps its request id.
    pub fn wait(&mut self, claim: &DeviceClaim<'_>, request_id: String, now_ms: i64) -> String {
        if let Some(pending) = self.pending.get_mut(claim.device_id) {
            if pending.role == claim.role.name() {
                pending.scopes = pending.scopes.with(claim.scopes);
            } else {
                pending.role = claim.role.name();
                pending.scopes = claim.scopes;
            }
            return pending.request_id.clone();
        }
        self.order += 1;
        if self.pending.len() >= self.max_devices {
            forget_oldest(&mut self.pending, |pending| pending.order);
        }
        self.pending.insert(
            claim.device_id.into(),
            PendingDevice {
                request_id: request_id.clone(),
                device_id: claim.device_id.to_owned(),
                public_key: claim.public_key.to_owned(),
                platform: claim.platform.to_owned(),
                client_id: claim.client_id.to_owned(),
                client_mode: claim.client_mode.to_owned(),
                role: claim.role.name(),
                scopes: claim.scopes,
                ts: now_ms,
                order: self.order,
            },
        );
        request_id
    }

    /// Approves the device that waits under `request_id`; `None` if none does.
    pub fn approve_pending(&mut self, request_id: &str, token: Secret, now_ms: i64) -> Option<PairedDevice> {
        let device_id = self
            .pending
            .iter()
            .find(|(_, pending)| pending.request_id == request_id)
            .map(|(id, _)| id.clone())?;
        let pending = self.pending.remove(&device_id)?;
        let claim = DeviceClaim {
            device_id: &pending.device_id,
            public_key: &pending.public_key,
            client_id: &pending.client_id,
            client_mode: &pending.client_mode,
            platform: &pending.platform,
            role: Role::from_name(Some(pending.role)).unwrap_or(Role::Operator),
            scopes: pending.scopes,
        };
        self.approve(&claim, token, now_ms);
        self.paired
            .get(&device_id)
            .map(|paired| shown(&device_id, paired))
    }

    /// Checks a token that a device shows.
    pub fn check_token(&self, device_id: &str, token: &str, role: Role, scopes: Scopes) -> TokenCheck {
        let Some(paired) = self.paired.get(device_id) else {
            return TokenCheck::Unknown;
        };
        // Another role's token is as good as none.
        match paired.grant(role).filter(|grant| grant.token.expose() == token) {
            None => TokenCheck::Unknown,
            Some(grant) if grant.scopes.covers(scopes) => TokenCheck::Valid,
            Some(_) => TokenCheck::ScopeMismatch,
        }
    }

    /// The device that waits under `request_id`.
    pub fn pending_device(&self, request_id: &str) -> Option<PendingDevice> {
        self.pending
            .values()
            .find(|pending| pending.request_id == request_id)
            .cloned()
    }

    /// Turns away the device that waits under `request_id` and returns its id. It may ask again, under another id.
    pub fn reject(&mut self, request_id: &str) -> Option<String> {
        let device_id = self.pending_device(request_id)?.device_id;
        self.pending.remove(&*device_id);
        Some(device_id)
    }

    /// Takes the device's token for one role away; returns whether there was one. It needs approval to get another.
    pub fn revoke_token(&mut self, device_id: &str, role: Role) -> bool {
        self.paired
            .get_mut(device_id)
            .is_some_and(|paired| paired.grants[role as usize].take().is_some())
    }

    /// Replaces the device's token for one role.
    pub fn rotate_token(&mut self, device_id: &str, role: Role, token: Secret, now_ms: i64) -> Option<Grant> {
        let grant = self.paired.get_mut(device_id)?.grants[role as usize].as_mut()?;
        grant.token = token;
        grant.issued_at_ms = now_ms;
        Some(grant.clone())
    }

    /// Takes all tokens away; with `forget`, the devices too.
    pub fn revoke_all(&mut self, forget: bool) {
        if forget {
            self.paired.clear();
        }
        for paired in self.paired.values_mut() {
            paired.grants = [None, None];
        }
    }

    /// Forgets a device and its tokens; returns whether it was known.
    pub fn revoke(&mut self, device_id: &str) -> bool {
        self.paired.remove(device_id).is_some()
    }

    /// Devices that wait, the newest first, at most `limit`.
    pub fn pending(&self, limit: usize) -> Vec<PendingDevice> {
        let mut list: Vec<_> = self.pending.values().collect();
        list.sort_by_key(|pending| std::cmp::Reverse(pending.order));
        list.into_iter().take(limit).cloned().collect()
    }

    /// Approved devices, the newest first, at most `limit`.
    pub fn paired(&self, limit: usize) -> Vec<PairedDevice> {
        let mut list: Vec<_> = self.paired.iter().collect();
        list.sort_by_key(|(_, paired)| std::cmp::Reverse(paired.order));
        list.into_iter()
            .take(limit)
            .map(|(id, paired)| shown(id, paired))
            .collect()
    }
}

fn shown(device_id: &str, paired: &Paired) -> PairedDevice {
    PairedDevice {
        device_id: device_id.to_owned(),
        public_key: paired.public_key.to_string(),
        platform: paired.platform.to_string(),
        client_id: paired.client_id.to_string(),
        client_mode: paired.client_mode.to_string(),
        roles: Role::ALL
            .into_iter()
            .filter(|role| paired.grant(*role).is_some())
            .map(Role::name)
            .collect(),
        tokens: Role::ALL
            .into_iter()
            .filter_map(|role| {
                paired.grant(role).map(|grant| TokenSummary {
                    role: role.name(),
                    scopes: grant.scopes,
                    created_at_ms: grant.issued_at_ms,
                })
            })
            .collect(),
        approved_at_ms: paired.approved_at_ms,
    }
}

fn forget_oldest<T>(map: &mut HashMap<Box<str>, T>, order: impl Fn(&T) -> u64) {
    let oldest = map
        .iter()
        .min_by_key(|(_, value)| order(value))
        .map(|(id, _)| id.clone());
    if let Some(oldest) = oldest {
        map.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(device_id: &str, role: Role, scopes: Scopes) -> DeviceClaim<'_> {
        DeviceClaim {
            device_id,
            public_key: "key",
            client_id: "cli",
            client_mode: "cli",
            platform: "linux",
            role,
            scopes,
        }
    }

    #[test]
    fn a_device_keeps_its_request_id_until_it_is_approved() {
        let mut pairing = Pairing::new(10);
        let asks = claim("d", Role::Operator, Scopes::READ);
        assert_eq!(pairing.grant(&asks).unwrap_err(), "not-paired");
        assert_eq!(pairing.wait(&asks, "first".to_owned(), 1), "first");
        assert_eq!(pairing.wait(&asks, "second".to_owned(), 2), "first");
        assert_eq!(pairing.pending(9).len(), 1);
        assert!(pairing.approve_pending("second", Secret::new("t"), 3).is_none());
        let device = pairing.approve_pending("first", Secret::new("t"), 3).unwrap();
        assert_eq!(device.roles, ["operator"]);
        assert_eq!(pairing.grant(&asks).unwrap().token, Secret::new("t"));
        assert!(pairing.pending(9).is_empty());
    }

    #[test]
    fn more_than_was_granted_needs_approval_again() {
        let mut pairing = Pairing::new(10);
        let asks = claim("d", Role::Operator, Scopes::READ);
        pairing.approve(&asks, Secret::new("t"), 1);
        assert_eq!(
            pairing.grant(&claim("d", Role::Node, Scopes::NONE)).unwrap_err(),
            "role-upgrade"
        );
        assert_eq!(
            pairing
                .grant(&claim("d", Role::Operator, Scopes::ADMIN))
                .unwrap_err(),
            "scope-upgrade"
        );
        let moved = DeviceClaim {
            platform: "macos",
            ..asks
        };
        assert_eq!(pairing.grant(&moved).unwrap_err(), "metadata-upgrade");
    }

    #[test]
    fn a_token_is_good_for_its_device_role_and_scopes_only() {
        let mut pairing = Pairing::new(10);
        pairing.approve(&claim("d", Role::Operator, Scopes::READ), Secret::new("t"), 1);
        let check = |device, token, role, scopes| pairing.check_token(device, token, role, scopes);
        assert_eq!(check("d", "t", Role::Operator, Scopes::READ), TokenCheck::Valid);
        assert_eq!(check("d", "t", Role::Operator, Scopes::NONE), TokenCheck::Valid);
        assert_eq!(
            check("d", "t", Role::Operator, Scopes::WRITE),
            TokenCheck::ScopeMismatch
        );
        assert_eq!(check("d", "t", Role::Node, Scopes::NONE), TokenCheck::Unknown);
        assert_eq!(check("d", "u", Role::Operator, Scopes::READ), TokenCheck::Unknown);
        assert_eq!(check("e", "t", Role::Operator, Scopes::READ), TokenCheck::Unknown);
        assert!(pairing.revoke("d") && !pairing.revoke("d"));
        assert_eq!(
            pairing.check_token("d", "t", Role::Operator, Scopes::READ),
            TokenCheck::Unknown
        );
    }

    #[test]
    fn the_oldest_devices_make_room() {
        let mut pairing = Pairing::new(3);
        for id in ["a", "b", "c", "d"] {
            pairing.approve(&claim(id, Role::Node, Scopes::NONE), Secret::new(id), 1);
            pairing.wait(&claim(id, Role::Operator, Scopes::READ), id.to_owned(), 1);
        }
        let ids: Vec<_> = pairing.paired(9).into_iter().map(|d| d.device_id).collect();
        assert_eq!(ids, ["d", "c", "b"]);
        assert_eq!(pairing.pending(9).len(), 3);
    }
}

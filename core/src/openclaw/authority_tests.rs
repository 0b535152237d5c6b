//! Who may come in, by which credential, and for how long.

use super::authority::*;
use super::bootstrap::{LIFETIME, SetupProfile};
use super::error_code::AUTH_RATE_LIMITED;
use super::login_failures::FailurePolicy;
use super::pairing::DeviceClaim;
use super::scopes::{Role, Scopes};
use super::wire::Auth;
use crate::secret::Secret;
use crate::time::Instant;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOGIN: Login<'_> = Login {
    address: HERE,
    device_id: None,
    role: Role::Operator,
    scopes: Scopes::READ,
};

fn authority(failures: FailurePolicy) -> Authority {
    Authority::new(AuthorityConfig {
        token: Some(Secret::new("test-token")),
        failures,
        ..AuthorityConfig::default()
    })
}

fn auth(set: impl FnOnce(&mut Auth)) -> Auth {
    let mut auth = Auth::default();
    set(&mut auth);
    auth
}

fn code(result: Result<Method, Denied>) -> &'static str {
    result.map_or_else(|denied| denied.code.details, Method::name)
}

#[test]
fn the_shared_token_is_accepted_in_token_and_password() {
    let authority = authority(FailurePolicy::Open);
    let check = |auth: &Auth| code(authority.check(Instant::ORIGIN, auth, &LOGIN));
    assert_eq!(check(&auth(|a| a.token = Some("test-token".into()))), "token");
    assert_eq!(check(&auth(|a| a.password = Some("test-token".into()))), "token");
    assert_eq!(
        check(&auth(|a| a.password = Some("x".into()))),
        "AUTH_TOKEN_MISMATCH"
    );
    assert_eq!(check(&Auth::default()), "DEVICE_IDENTITY_REQUIRED");
    assert_eq!(
        check(&auth(|a| a.token = Some(String::new()))),
        "DEVICE_IDENTITY_REQUIRED"
    );
}

#[test]
fn without_a_secret_everybody_comes_in() {
    let open = Authority::new(AuthorityConfig::default());
    assert_eq!(
        code(open.check(Instant::ORIGIN, &Auth::default(), &LOGIN)),
        "none"
    );
}

#[test]
fn a_lock_out_refuses_the_right_token_too() {
    let authority = authority(FailurePolicy::LockOut);
    let wrong = auth(|a| a.token = Some("x".into()));
    for _ in 0..10 {
        assert_eq!(
            code(authority.check(Instant::ORIGIN, &wrong, &LOGIN)),
            "AUTH_TOKEN_MISMATCH"
        );
    }
    let right = auth(|a| a.token = Some("test-token".into()));
    let denied = authority.check(Instant::ORIGIN, &right, &LOGIN).unwrap_err();
    assert_eq!(denied.code, AUTH_RATE_LIMITED);
    assert_eq!(denied.retry_after, Some(Duration::from_secs(300)));
    let later = Instant::ORIGIN + Duration::from_secs(300);
    assert_eq!(code(authority.check(later, &right, &LOGIN)), "token");
}

#[test]
fn a_setup_code_is_good_once_and_for_ten_minutes() {
    let authority = authority(FailurePolicy::Open);
    let login = Login {
        device_id: Some("d"),
        ..LOGIN
    };
    let token = authority.issue_bootstrap_token(Instant::ORIGIN, SetupProfile::Node);
    let shown = auth(|a| a.bootstrap_token = Some(token.expose().to_owned()));
    let check = |now, auth: &Auth| code(authority.check(now, auth, &login));
    assert_eq!(check(Instant::ORIGIN, &shown), "bootstrap-token");
    // Waiting for approval does not use it up, but nobody else may have it.
    assert_eq!(check(Instant::ORIGIN, &shown), "bootstrap-token");
    let other = Login {
        device_id: Some("e"),
        ..LOGIN
    };
    let foreign = code(authority.check(Instant::ORIGIN, &shown, &other));
    assert_eq!(foreign, "AUTH_BOOTSTRAP_TOKEN_INVALID");
    let token = authority.issue_bootstrap_token(Instant::ORIGIN, SetupProfile::Node);
    let shown = auth(|a| a.bootstrap_token = Some(token.expose().to_owned()));
    let late = Instant::ORIGIN + LIFETIME;
    assert_eq!(check(late, &shown), "AUTH_BOOTSTRAP_TOKEN_INVALID");
}

#[test]
fn device_tokens_are_told_apart_from_shared_ones() {
    let authority = authority(FailurePolicy::Open);
    let claim = DeviceClaim {
        device_id: "d",
        public_key: "key",
        client_id: "cli",
        client_mode: "cli",
        platform: "linux",
        role: Role::Operator,
        scopes: Scopes::READ,
    };
    let token = authority.pair(&claim, 1);
    let login = Login {
        device_id: Some("d"),
        ..LOGIN
    };
    let wide = Login {
        scopes: Scopes::ADMIN,
        ..login
    };
    let in_token = auth(|a| a.token = Some(token.expose().to_owned()));
    let in_device_token = auth(|a| a.device_token = Some(token.expose().to_owned()));
    let unknown = auth(|a| a.device_token = Some("x".into()));
    let check = |auth: &Auth, login: &Login<'_>| code(authority.check(Instant::ORIGIN, auth, login));
    assert_eq!(check(&in_token, &login), "device-token");
    assert_eq!(check(&in_device_token, &login), "device-token");
    assert_eq!(check(&in_device_token, &wide), "AUTH_SCOPE_MISMATCH");
    assert_eq!(check(&unknown, &login), "AUTH_DEVICE_TOKEN_MISMATCH");
    assert_eq!(check(&Auth::default(), &login), "AUTH_TOKEN_MISSING");
    assert!(authority.remove_device("d").is_some());
    assert_eq!(check(&in_device_token, &login), "AUTH_DEVICE_TOKEN_MISMATCH");
}

#[test]
fn rotation_invalidates_the_old_token() {
    let authority = authority(FailurePolicy::Open);
    let before = authority.generation();
    authority.rotate_token(Secret::new("new"));
    assert!(authority.generation() > before);
    let old = auth(|a| a.token = Some("test-token".into()));
    let new = auth(|a| a.token = Some("new".into()));
    assert_eq!(
        code(authority.check(Instant::ORIGIN, &old, &LOGIN)),
        "AUTH_TOKEN_MISMATCH"
    );
    assert_eq!(code(authority.check(Instant::ORIGIN, &new, &LOGIN)), "token");
}

#[test]
fn ids_are_uuids_and_repeat_with_the_seed() {
    let (a, b) = (authority(FailurePolicy::Open), authority(FailurePolicy::Open));
    let id = a.uuid().to_string();
    assert_eq!(id, b.uuid().to_string());
    assert_ne!(id, a.uuid().to_string());
    assert_eq!(id.len(), 36);
    assert_eq!(&id[14..15], "4");
}

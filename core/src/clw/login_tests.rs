//! Logins, refusals and reconnects, both machines against each other.

use super::harness::{Pair, SECRET, account, backend, client};
use super::*;
use crate::Stage;
use crate::secret::Secret;
use crate::session::{Finish, ServerEvent};
use crate::time::Instant;
use crate::verdict::{RefusalClass, Verdict};
use std::sync::Arc;
use std::time::Duration;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A login that is not expected to succeed, half a second later.
fn login(config: Arc<ClientConfig>, account: &Arc<Account>, backend: &Backend) -> Pair {
    login_with(config, account, backend, |_| {})
}

fn login_with(
    config: Arc<ClientConfig>,
    account: &Arc<Account>,
    backend: &Backend,
    prepare: impl FnOnce(&mut Server),
) -> Pair {
    let mut pair = Pair::connect(Instant::ORIGIN, config, account, backend, 1, prepare);
    pair.run_for(Duration::from_millis(500));
    pair
}

#[test]
fn a_source_with_one_token_lets_the_session_expire() {
    let account = Arc::new(Account::new(
        "fixed".into(),
        TokenSource::fixed(Secret::new(SECRET)),
    ));
    let mut pair = login(client(|_| {}), &account, &backend(|_| {}));
    assert!(pair.client.is_ready());
    pair.run_for(seconds(400));
    assert_eq!(pair.verdict(), Verdict::SessionExpired);
    assert!(!account.has_token());
    // And it has nothing to connect again with.
    let again = login(client(|_| {}), &account, &backend(|_| {}));
    assert_eq!(again.count(Opcode::AuthHello), 0);
    assert_eq!(again.verdict(), Verdict::ClosedBeforeConnect);
}

#[test]
fn a_wrong_token_is_refused() {
    let account = Arc::new(Account::new(
        "a".into(),
        TokenSource::fixed(Secret::new("wrong-token")),
    ));
    let pair = login(client(|_| {}), &account, &backend(|_| {}));
    assert_eq!(pair.verdict(), Verdict::AuthFailed);
    let [client, server] = pair.observations();
    assert_eq!(client.refusal, server.refusal);
    assert_eq!(client.refusal.unwrap().code, "clw-auth-failed");
    assert!(pair.server_events.contains(&ServerEvent::Refused {
        code: "clw-auth-failed"
    }));
    let logged = format!("{:?}", pair.server_events);
    assert!(logged.contains("sha256:") && !logged.contains("wrong-token"));
}

#[test]
fn every_class_of_refusal_has_the_same_name_on_both_sides() {
    for (class, expected) in [
        (RefusalClass::Overloaded, Verdict::ServerOverloaded),
        (RefusalClass::Unavailable, Verdict::ServerUnavailable),
        (RefusalClass::RateLimited, Verdict::RateLimited),
        (RefusalClass::PairingRequired, Verdict::PairingRequired),
        (RefusalClass::VersionMismatch, Verdict::VersionMismatch),
        (RefusalClass::Credentials, Verdict::AuthFailed),
        (RefusalClass::AuthUnavailable, Verdict::AuthUnavailable),
        (RefusalClass::Protocol, Verdict::ProtocolError),
    ] {
        let pair = login_with(client(|_| {}), &account("a"), &backend(|_| {}), |server| {
            server.refuse_logins(Some(class));
        });
        assert_eq!(pair.verdict(), expected);
        assert!(pair.client.is_over(), "{class:?}");
    }
}

#[test]
fn an_old_client_is_disconnected_at_its_first_ping_unless_the_server_is_compatible() {
    let old = || client(|config| *config = ClientConfig::new(WireVersion::V2_1));
    let mut strict = login(old(), &account("a"), &backend(|_| {}));
    assert!(strict.client.is_ready());
    strict.run_for(seconds(3));
    assert_eq!(strict.count(Opcode::AuthPing), 1);
    assert_eq!(strict.verdict(), Verdict::VersionMismatch);
    for kind in [
        backend(|server| server.compatible = true),
        backend(|server| server.wire = WireVersion::V2_1),
    ] {
        let mut lenient = login(old(), &account("a"), &kind);
        lenient.run_for(seconds(60));
        assert_eq!(lenient.verdict(), Verdict::Open);
    }
}

#[test]
fn a_release_of_another_protocol_is_turned_away() {
    let config = client(|config| config.client_version = "3.0.0".to_owned());
    let pair = login(config, &account("a"), &backend(|_| {}));
    assert_eq!(pair.verdict(), Verdict::VersionMismatch);
}

#[test]
fn past_its_capacity_the_queue_turns_logins_away() {
    let crowded = Backend::new(
        ServerConfig::default(),
        TokenAuthority::new(Secret::new(SECRET)),
        AuthQueue::new(2, Duration::from_secs(1)),
    );
    let mut pairs: Vec<_> = (0..4)
        .map(|n| {
            Pair::connect(
                Instant::ORIGIN,
                client(|_| {}),
                &account(&format!("c{n}")),
                &crowded,
                n,
                |_| {},
            )
        })
        .collect();
    for pair in &mut pairs {
        pair.run_for(Duration::from_millis(2500));
    }
    let verdicts: Vec<_> = pairs.iter().map(Pair::verdict).collect();
    assert_eq!(
        verdicts,
        [
            Verdict::Open,
            Verdict::Open,
            Verdict::ServerOverloaded,
            Verdict::ServerOverloaded
        ]
    );
    let ready_at = |pair: &Pair| pair.client.entered(Stage::Ready).unwrap();
    assert_eq!(ready_at(&pairs[1]) - ready_at(&pairs[0]), Duration::from_secs(1));
}

#[test]
fn a_login_that_waits_too_long_meets_the_handshake_timeout() {
    for prepare in [
        (|server: &mut Server| server.delay_login(seconds(6))) as fn(&mut Server),
        |server| server.ignore_login(true),
    ] {
        let mut pair = login_with(client(|_| {}), &account("a"), &backend(|_| {}), prepare);
        pair.run_for(seconds(8));
        assert_eq!(pair.verdict(), Verdict::HandshakeTimeout);
    }
    let mut mute = login(
        client(|config| config.flaw = Some(Flaw::NoHello)),
        &account("a"),
        &backend(|_| {}),
    );
    mute.run_for(seconds(8));
    assert_eq!(mute.verdict(), Verdict::HandshakeTimeout);
}

#[test]
fn wrong_first_messages_are_protocol_errors() {
    for flaw in [Flaw::NotJson, Flaw::WrongFirst] {
        let config = client(|config| config.flaw = Some(flaw));
        let pair = login(config, &account("a"), &backend(|_| {}));
        assert_eq!(pair.verdict(), Verdict::ProtocolError);
        assert_eq!(pair.count(Opcode::AuthError), 1);
    }
}

#[test]
fn a_hundred_reconnects_each_with_a_new_token_and_the_same_session() {
    let strict = Backend::new(
        ServerConfig::default(),
        TokenAuthority::new(Secret::new(SECRET)).refusing_reuse(true),
        AuthQueue::default(),
    );
    let account = account("a");
    let mut now = Instant::ORIGIN;
    for n in 0..100 {
        let mut pair = Pair::connect(now, client(|_| {}), &account, &strict, 1000 + n, |_| {});
        pair.run_for(seconds(1));
        assert!(pair.client.is_ready(), "attempt {n}");
        let session = pair.server.dialect().unwrap().session();
        assert_eq!(session, SessionId(1000), "attempt {n}");
        let hello = &pair.said[0].payload;
        assert!(hello.contains(&format!("clw1.a.{n}.")));
        assert_eq!(hello.contains("resume"), n > 0);
        pair.cut(if n % 2 == 0 { Finish::Rst } else { Finish::Fin });
        pair.run_for(seconds(1));
        assert_eq!(pair.verdict(), Verdict::AuthDisconnected);
        now = pair.now;
    }
    // The used token of a session that was disconnected stays out.
    let used = derived_token(&Secret::new(SECRET), "a", 99);
    assert_eq!(
        strict.tokens().check(used.expose(), "a"),
        Err(TokenRefusal::Spent)
    );
}

#[test]
fn a_logout_leaves_nothing_to_resume() {
    let backend = backend(|_| {});
    let account = account("a");
    let mut pair = login(client(|_| {}), &account, &backend);
    assert!(account.session().is_some());
    pair.log_out();
    pair.run_for(seconds(3));
    drop(pair);
    assert_eq!(account.session(), None);
    assert!(backend.resumable().is_empty());
}

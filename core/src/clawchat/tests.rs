//! Client and server wired to each other through bytes, the clock turned by hand.

use super::*;
use crate::secret::Secret;
use crate::session::{
    self, Admission, ClientConnection, ClientEvent, Finish, Outbox, ServerConnection, ServerEvent, Stop,
};
use crate::time::{Instant, earliest};
use crate::verdict::{EndingKind, Side, Verdict, classify};
use crate::ws::UpgradeRequest;
use std::sync::Arc;
use std::time::Duration;

const SECRET: &str = "s3cret";
const EPOCH_S: u64 = 1_800_000_000;

fn backend(change: impl FnOnce(&mut ServerConfig)) -> Backend {
    let mut config = ServerConfig {
        epoch_ms: EPOCH_S * 1000,
        ..ServerConfig::default()
    };
    change(&mut config);
    Backend::new(config, Authority::new(Secret::new(SECRET)))
}

fn account_with(secret: &str, life: Duration) -> Arc<Account> {
    let tokens = derived_tokens(&Secret::new(secret), 7, "dev", 0, EPOCH_S, life);
    Arc::new(Account::new(tokens, "dev", "dev".into(), EPOCH_S * 1000))
}

fn account() -> Arc<Account> {
    account_with(SECRET, Duration::from_secs(86_400))
}

struct Pair {
    now: Instant,
    client: ClientConnection,
    server: ServerConnection<Server>,
    client_out: Outbox<ClientEvent>,
    server_out: Outbox<ServerEvent>,
    client_events: Vec<ClientEvent>,
    server_events: Vec<ServerEvent>,
}

impl Pair {
    fn connect(
        now: Instant,
        config: &ClientConfig,
        account: &Arc<Account>,
        backend: &Backend,
        session: u64,
        prepare: impl FnOnce(&mut Server),
    ) -> Self {
        let mut server = Server::new(backend.clone(), SessionId(session));
        prepare(&mut server);
        let admit = move |_: Instant, _: &UpgradeRequest| Admission::Accept(server);
        let connection = session::ClientConfig {
            host: "localhost".to_owned(),
            target: PATH.to_owned(),
            user_agent: "test".to_owned(),
            origin: None,
            timeout: Duration::from_secs(20),
            max_message_bytes: 1 << 16,
            handshake_timeout: None,
            answer_pings: true,
        };
        let dialect = Client::new(Arc::new(config.clone()), account.clone(), session);
        let mut pair = Self {
            now,
            client: ClientConnection::new(Arc::new(connection), Box::new(dialect), now),
            server: ServerConnection::accept(
                now,
                Arc::new(session::ServerConfig::clawchat()),
                Box::new(admit),
            ),
            client_out: Outbox::client(session),
            server_out: Outbox::server(),
            client_events: Vec::new(),
            server_events: Vec::new(),
        };
        pair.client.connected(now, [7; 16], &mut pair.client_out);
        pair.exchange();
        pair
    }

    fn ready(backend: &Backend) -> Self {
        let pair = Self::connect(Instant::ORIGIN, &plain(), &account(), backend, 1, |_| {});
        assert!(pair.client.is_ready() && pair.server.is_ready());
        pair
    }

    /// Carries bytes and ends over until there are none.
    fn exchange(&mut self) {
        loop {
            self.client_events.append(&mut self.client_out.events);
            self.server_events.append(&mut self.server_out.events);
            let (mut up, up_end) = (std::mem::take(&mut self.client_out.bytes), self.client_out.finish);
            let (mut down, down_end) = (std::mem::take(&mut self.server_out.bytes), self.server_out.finish);
            self.client_out.clear();
            self.server_out.clear();
            if up.is_empty() && down.is_empty() && up_end.is_none() && down_end.is_none() {
                return;
            }
            if !up.is_empty() {
                self.server.receive(self.now, &mut up, &mut self.server_out);
            }
            if !down.is_empty() {
                self.client.receive(self.now, &mut down, &mut self.client_out);
            }
            let ending = |how| match how {
                Finish::Fin => EndingKind::Fin,
                Finish::Rst => EndingKind::Rst,
            };
            if let Some(how) = up_end
                && !self.server.is_ended()
            {
                self.server.end_of_stream(self.now, ending(how), Side::Client);
            }
            if let Some(how) = down_end {
                self.client.transport_ended(self.now, ending(how), Side::Server);
            }
        }
    }

    fn run_until(&mut self, until: Instant) {
        while let Some(next) =
            earliest(self.client.deadline(), self.server.deadline()).filter(|at| *at <= until)
        {
            self.now = self.now.max(next);
            self.client.timer(self.now, &mut self.client_out);
            self.server.timer(self.now, &mut self.server_out);
            self.exchange();
        }
        self.now = until;
    }

    fn verdict(&self) -> Verdict {
        let (client, server) = (
            self.client.observation(self.now),
            self.server.observation(self.now),
        );
        let (by_client, by_server) = (classify(&client), classify(&server));
        assert_eq!(by_client.verdict, by_server.verdict, "{client:#?}\n{server:#?}");
        by_client.verdict
    }
}

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

fn plain() -> ClientConfig {
    ClientConfig::default()
}

#[test]
fn a_session_logs_in_beats_and_says_goodbye() {
    let backend = backend(|_| {});
    let mut pair = Pair::ready(&backend);
    pair.run_until(at(65));
    let answered = |e: &&ClientEvent| matches!(e, ClientEvent::HeartbeatAnswered { .. });
    assert_eq!(pair.client_events.iter().filter(answered).count(), 3);
    pair.client.log_out(pair.now, &mut pair.client_out);
    pair.exchange();
    assert_eq!(pair.verdict(), Verdict::Ok);
}

#[test]
fn hermes_beats_with_ws_pings_and_gives_up_with_1011() {
    let backend = backend(|_| {});
    let config = ClientConfig {
        beats: Beats::WebSocket,
        ..plain()
    };
    let mut pair = Pair::connect(at(0), &config, &account(), &backend, 1, |_| {});
    pair.run_until(at(45));
    let answered = |e: &&ClientEvent| matches!(e, ClientEvent::HeartbeatAnswered { .. });
    assert_eq!(pair.client_events.iter().filter(answered).count(), 2);
    pair.server.set_pong(false);
    pair.run_until(at(75));
    let close = pair.client.observation(pair.now).close.unwrap();
    assert_eq!((close.by, close.code), (Side::Client, Some(1011)));
    assert_eq!(pair.verdict(), Verdict::HeartbeatMiss);
}

#[test]
fn a_ping_without_a_pong_ends_in_4000() {
    let backend = backend(|_| {});
    let mut pair = Pair::connect(at(0), &plain(), &account(), &backend, 1, Server::stop_answering);
    pair.run_until(at(31));
    let close = pair.client.observation(pair.now).close.unwrap();
    assert_eq!(close.code, Some(4000));
    assert_eq!(pair.verdict(), Verdict::HeartbeatMiss);
}

#[test]
fn each_refusal_has_its_verdict_on_both_sides_and_no_close_frame() {
    let cases = [
        (HelloFail::AuthenticationFailed, Verdict::AuthFailed),
        (HelloFail::AuthUnavailable, Verdict::AuthUnavailable),
        (HelloFail::NonceMismatch, Verdict::AuthFailed),
        (HelloFail::InvalidPayload, Verdict::ProtocolError),
    ];
    for (why, verdict) in cases {
        let backend = backend(|_| {});
        let pair = Pair::connect(at(0), &plain(), &account(), &backend, 1, |s| s.refuse_logins(why));
        assert_eq!(pair.verdict(), verdict, "{why:?}");
        let seen = pair.client.observation(pair.now);
        assert_eq!(seen.close, None);
        assert_eq!(seen.refusal.unwrap().code, why.reason());
    }
}

#[test]
fn a_wrong_first_message_is_refused_as_the_page_says() {
    for flaw in [Flaw::NotJson, Flaw::WrongFirst] {
        let backend = backend(|_| {});
        let config = ClientConfig {
            flaw: Some(flaw),
            ..plain()
        };
        let pair = Pair::connect(at(0), &config, &account(), &backend, 1, |_| {});
        let seen = pair.client.observation(pair.now);
        assert_eq!(seen.refusal.unwrap().code, "invalid connect event");
        assert_eq!(pair.verdict(), Verdict::ProtocolError);
    }
}

#[test]
fn a_client_that_sends_no_connect_is_left_without_a_word() {
    let backend = backend(|_| {});
    let config = ClientConfig {
        flaw: Some(Flaw::NoConnect),
        ..plain()
    };
    let mut pair = Pair::connect(at(0), &config, &account(), &backend, 1, |_| {});
    pair.run_until(at(11));
    assert_eq!(pair.client.observation(pair.now).close, None);
    assert_eq!(pair.verdict(), Verdict::HandshakeTimeout);
}

#[test]
fn a_wrong_secret_is_authentication_failed() {
    let backend = backend(|_| {});
    let account = account_with("another", Duration::from_secs(86_400));
    let pair = Pair::connect(at(0), &plain(), &account, &backend, 1, |_| {});
    assert_eq!(pair.verdict(), Verdict::AuthFailed);
}

#[test]
fn the_same_device_again_replaces_its_older_connection() {
    let backend = backend(|_| {});
    let mut older = Pair::ready(&backend);
    assert_eq!(older.server.deadline().map(|at| at > older.now), Some(true));
    let newer = Pair::connect(at(1), &plain(), &account(), &backend, 2, |_| {});
    assert!(
        newer
            .server_events
            .contains(&ServerEvent::TookOver { session: 1 })
    );
    older.run_until(at(2));
    assert_eq!(older.verdict(), Verdict::SessionReplaced);
    drop(older);
    // The place is the newer one's: the older one's end does not free it.
    let third = Pair::connect(at(3), &plain(), &account(), &backend, 3, |_| {});
    assert!(
        third
            .server_events
            .contains(&ServerEvent::TookOver { session: 2 })
    );
}

#[test]
fn a_device_that_has_left_is_not_replaced() {
    let backend = backend(|_| {});
    drop(Pair::ready(&backend));
    let next = Pair::connect(at(1), &plain(), &account(), &backend, 2, |_| {});
    let replaces = |e: &ServerEvent| matches!(e, ServerEvent::TookOver { .. });
    assert!(!next.server_events.iter().any(replaces));
}

#[test]
fn a_message_is_acked_and_one_that_is_not_makes_the_end_a_prompts() {
    let backend = backend(|_| {});
    let mut pair = Pair::ready(&backend);
    let send = |pair: &mut Pair| {
        let out = &mut pair.client_out;
        assert!(
            pair.client
                .request(pair.now, 3, pair.now, event_name::MESSAGE_SEND, "{}", out)
        );
        pair.exchange();
    };
    send(&mut pair);
    let acked = |e: &ClientEvent| {
        matches!(
            e,
            ClientEvent::Answered {
                call: 3,
                ok: true,
                ..
            }
        )
    };
    assert!(pair.client_events.iter().any(acked));
    pair.server
        .with_dialect(pair.now, &mut pair.server_out, |server, _| {
            server.stop_answering();
        });
    send(&mut pair);
    pair.server
        .close_transport(pair.now, Finish::Fin, &mut pair.server_out);
    pair.exchange();
    assert_eq!(pair.verdict(), Verdict::PromptDisconnected);
}

#[test]
fn a_restart_is_told_by_its_close_code() {
    let backend = backend(|_| {});
    let mut pair = Pair::ready(&backend);
    let restart = Stop::Restart { expected_ms: 1000 };
    pair.server.stop(pair.now, restart, &mut pair.server_out);
    pair.exchange();
    assert_eq!(pair.verdict(), Verdict::ServerRestart);
}

#[test]
fn a_notification_counts_once_whether_replayed_or_live() {
    let backend = backend(|config| config.signals = 3);
    let pair = Pair::ready(&backend);
    let count = |is_new| {
        let this = ClientEvent::Notified { is_new };
        pair.client_events.iter().filter(|e| **e == this).count()
    };
    assert_eq!((count(true), count(false)), (3, 3));
}

#[test]
fn a_silent_client_is_let_go_70_s_after_its_last_sign() {
    let backend = backend(|_| {});
    let mut pair = Pair::connect(
        at(0),
        &ClientConfig {
            ping_period: None,
            ..plain()
        },
        &account(),
        &backend,
        1,
        |_| {},
    );
    // The client hears nothing any more: its pongs stay away.
    let mut last = Instant::ORIGIN;
    while let Some(next) = pair.server.deadline().filter(|at| *at <= at_most()) {
        last = next;
        pair.server.timer(next, &mut pair.server_out);
        pair.server_out.clear();
    }
    assert_eq!(last, at(70));
    assert_eq!(
        classify(&pair.server.observation(last)).verdict,
        Verdict::HeartbeatMiss
    );
}

fn at_most() -> Instant {
    at(3600)
}

#[test]
fn a_token_near_its_end_is_renewed_beside_the_session_which_then_comes_back_with_it() {
    let backend = backend(|_| {});
    let account = account_with(SECRET, Duration::from_secs(100));
    let mut pair = Pair::connect(at(0), &plain(), &account, &backend, 1, |_| {});
    pair.run_until(at(53));
    assert!(pair.client_events.contains(&ClientEvent::RefreshDue));
    assert!(
        pair.client.is_ready(),
        "nothing ends before the new token is there"
    );
    let call = account.begin_refresh(pair.now).unwrap();
    assert!(account.begin_refresh(pair.now).is_none(), "one at a time");
    let body = RefreshRequest::new(&call.refresh_token).body();
    let answer = backend.redeem(pair.now, body.as_bytes(), Some(&call.device), None, None);
    assert_eq!(account.finish_refresh(answer, |_| Ok(())), Outcome::Replaced);
    pair.run_until(at(54));
    let close = pair.client.observation(pair.now).close.unwrap();
    assert_eq!(
        (close.by, close.code, &*close.reason),
        (Side::Client, Some(1000), "token refresh")
    );
    assert_eq!(pair.verdict(), Verdict::Ok);
    assert!(account.takes_new_tokens());
    account.reenter(pair.now);
    let again = Pair::connect(pair.now, &plain(), &account, &backend, 2, |_| {});
    assert!(again.client.is_ready());
}

#[test]
fn a_token_that_has_run_out_in_mid_session_ends_nothing() {
    let backend = backend(|_| {});
    let account = account_with(SECRET, Duration::from_secs(10));
    let config = ClientConfig {
        refresh: false,
        ..plain()
    };
    let mut pair = Pair::connect(at(0), &config, &account, &backend, 1, |_| {});
    pair.run_until(at(60));
    assert!(pair.client.is_ready() && pair.server.is_ready());
}

#[test]
fn a_hello_ok_for_another_connect_is_a_violation() {
    let backend = backend(|_| {});
    let mut pair = Pair::connect(at(0), &plain(), &account(), &backend, 1, |s| s.ignore_login(true));
    let text = r#"{"version":"2","event":"hello-ok","trace_id":"other","emitted_at":1,"payload":{}}"#;
    let mut frame = vec![0x81, u8::try_from(text.len()).unwrap()];
    frame.extend_from_slice(text.as_bytes());
    pair.client.receive(pair.now, &mut frame, &mut pair.client_out);
    let seen = pair.client.observation(pair.now);
    assert_eq!(seen.close.as_ref().unwrap().code, Some(4002));
    assert_eq!(classify(&seen).verdict, Verdict::ProtocolError);
}

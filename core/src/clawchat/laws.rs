//! What holds whatever a peer sends, whatever the endpoint answers and whenever the clock strikes.

use super::*;
use crate::secret::Secret;
use crate::session::{ClientDialect as _, Message, Outbox, ServerDialect as _};
use crate::time::Instant;
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Happens {
    Refused(usize),
    Begin,
    Answer(usize),
    KeepFails,
    /// After a wait, as ordinary backoff does.
    ComesBack,
    Seconds(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        (0usize..3).prop_map(Happens::Refused),
        Just(Happens::Begin),
        (0usize..3).prop_map(Happens::Answer),
        Just(Happens::KeepFails),
        Just(Happens::ComesBack),
        (0u64..90).prop_map(Happens::Seconds),
    ]
}

fn tokens(generation: u32) -> Tokens {
    derived_tokens(
        &Secret::new("s"),
        1,
        "dev",
        generation,
        1_800_000_000,
        Duration::from_secs(3600),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_reuses_a_dead_token_refreshes_twice_at_once_or_logs_out_for_nothing(
        events in prop::collection::vec(happens(), 1..60), seed_reading: bool,
    ) {
        let reading = if seed_reading { Reading::Seed } else { Reading::Current };
        let account = Account::new(tokens(0), "dev", "dev".into(), 1_800_000_000_000);
        let mut now = Instant::ORIGIN;
        let mut under_way: Option<RefreshCall> = None;
        let mut generation = 0;
        let mut dead = HashSet::new();
        let mut refused_for_good = false;
        let mut driven: Vec<Instant> = Vec::new();
        for event in events {
            match event {
                Happens::Refused(class) => {
                    let class = [Class::TokenRejected, Class::AuthUnavailable, Class::Generic][class];
                    let advice = account.refused(now, class, reading, true);
                    prop_assert!(class != Class::AuthUnavailable || advice != Advice::Refresh);
                    prop_assert!(class != Class::AuthUnavailable || refused_for_good || advice == Advice::Backoff);
                    prop_assert_eq!(advice == Advice::Stop, refused_for_good);
                    prop_assert!(advice != Advice::Refresh || under_way.is_none());
                }
                Happens::Begin => {
                    if let Some(call) = account.begin_refresh(now) {
                        prop_assert!(under_way.is_none(), "two at once");
                        prop_assert!(call.answered.is_some() || !dead.contains(&call.refresh_token));
                        under_way = Some(call);
                    }
                }
                Happens::Answer(how) => {
                    if let Some(call) = under_way.take() {
                        let answer = match (call.answered, how) {
                            (Some(answered), _) => answered,
                            (None, 0) => {
                                generation += 1;
                                dead.insert(call.refresh_token);
                                RefreshAnswer::Rotated(tokens(generation))
                            }
                            (None, 1) => RefreshAnswer::transient("HTTP 500"),
                            (None, _) => RefreshAnswer::Permanent { code: 10003 },
                        };
                        let permanent = matches!(answer, RefreshAnswer::Permanent { .. });
                        let before = account.access().map(|(token, _)| token);
                        let outcome = account.finish_refresh(answer, |_| Ok(()));
                        refused_for_good |= permanent;
                        prop_assert_eq!(outcome == Outcome::LoggedOut, permanent);
                        if outcome == Outcome::Replaced {
                            dead.extend(before);
                            account.reenter(now);
                            driven.push(now);
                        }
                    }
                }
                Happens::KeepFails => {
                    if let Some(call) = under_way.take() {
                        let before = account.access();
                        let answer = call.answered.unwrap_or_else(|| {
                            generation += 1;
                            dead.insert(call.refresh_token);
                            RefreshAnswer::Rotated(tokens(generation))
                        });
                        account.finish_refresh(answer, |_| Err("disk full".to_owned()));
                        prop_assert_eq!(account.access(), before, "kept before it is used");
                    }
                }
                Happens::ComesBack => account.reenter(now),
                Happens::Seconds(seconds) => now += Duration::from_secs(seconds),
            }
            prop_assert_eq!(account.is_logged_out(), refused_for_good);
            if let Some((token, _)) = account.access() {
                prop_assert!(!dead.contains(&token), "a dead token");
            }
        }
        // Three in a window, and two windows may touch.
        for seven in driven.windows(7) {
            prop_assert!(seven[6].since(seven[0]) >= Duration::from_secs(300));
        }
    }

    #[test]
    fn no_message_makes_either_side_panic_or_hold_more_than_a_few_requests(
        texts in prop::collection::vec(
            prop_oneof![
                "[ -~]{0,60}",
                ("(connect|connect.challenge|hello-ok|hello-fail|ping|pong|message.send|message.ack|notify.signal)", "[a-z0-9-]{0,30}", "[ -~]{0,20}")
                    .prop_map(|(event, trace, text)| serde_json::json!({
                        "version": "2", "event": event, "trace_id": trace, "emitted_at": 1, "chat_id": "cnv",
                        "payload": {"nonce": text, "token": text, "reason": text, "event_id": text, "type": "a"},
                    }).to_string()),
            ],
            0..40,
        ),
        step_ms in 0u64..60_000,
    ) {
        let account = Arc::new(Account::new(tokens(0), "dev", "dev".into(), 1_800_000_000_000));
        let mut client = Client::new(Arc::new(ClientConfig::default()), account, 1);
        let backend = Backend::new(ServerConfig::default(), Authority::open(Secret::new("s")));
        let mut server = Server::new(backend, SessionId(1));
        let (mut up, mut down) = (Outbox::client(1), Outbox::server());
        let mut now = Instant::ORIGIN;
        server.upgraded(now, &mut down);
        for text in texts {
            client.message(now, Message::Text(&text), &mut up);
            server.message(now, Message::Text(&text), &mut down);
            now += Duration::from_millis(step_ms);
            client.timer(now, &mut up);
            server.timer(now, &mut down);
            prop_assert!(!client.is_ready() || server.is_ready() || client.deadline() != Some(Instant::ORIGIN));
            up.clear();
            down.clear();
        }
    }
}

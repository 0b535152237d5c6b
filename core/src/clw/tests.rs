//! Live sessions, both machines against each other.

use super::harness::{Pair, SECRET, backend};
use super::*;
use crate::secret::Secret;
use crate::session::{ClientEvent, Finish, ServerDialect, Stop};
use crate::time::Instant;
use crate::verdict::{Disconnect, Side, Verdict};
use crate::{Stage, verdict};
use std::time::Duration;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn login_heartbeat_logout() {
    let mut pair = Pair::ready(|_| {}, &backend(|_| {}));
    assert_eq!(pair.events(&ClientEvent::Reached(Stage::Auth)), 1);
    assert_eq!(pair.events(&ClientEvent::Reached(Stage::Ready)), 1);
    assert_eq!(pair.events(&ClientEvent::ServerVersion("2.2.0".to_owned())), 1);
    assert_eq!(pair.verdict(), Verdict::Open);
    pair.run_for(seconds(5));
    let rtt = Duration::from_millis(10);
    assert_eq!(pair.events(&ClientEvent::HeartbeatSent), 2);
    assert_eq!(pair.events(&ClientEvent::HeartbeatAnswered { rtt }), 2);
    pair.log_out();
    pair.run_for(seconds(5));
    assert_eq!(pair.verdict(), Verdict::Ok);
    assert!(pair.client.is_over() && pair.server.is_ended());
    let [client, server] = pair.observations();
    assert!(client.logged_out && server.logged_out);
    let opcodes: Vec<_> = pair.said.iter().map(|said| said.opcode).collect();
    let ping = [Opcode::AuthPing, Opcode::AuthPong];
    let hello = [Opcode::AuthHello, Opcode::AuthOk];
    assert_eq!(
        opcodes,
        [&hello[..], &ping, &ping, &[Opcode::AuthLogout]].concat()
    );
    assert!(pair.said.chunks(2).take(3).all(|pair| pair[0].seq == pair[1].seq));
}

#[test]
fn ten_thousand_seconds_of_heartbeats_and_refreshes() {
    let mut pair = Pair::ready(|_| {}, &backend(|_| {}));
    pair.run_until(Instant::ORIGIN + seconds(10_000));
    assert_eq!(pair.verdict(), Verdict::Open);
    assert_eq!(pair.events(&ClientEvent::HeartbeatSent), 4999);
    assert_eq!(pair.count(Opcode::AuthPong), 4999);
    assert_eq!(pair.events(&ClientEvent::HeartbeatMissed), 0);
    // A token lives 300 s and is refreshed 30 s before its end.
    assert_eq!(pair.events(&ClientEvent::Refreshed), 37);
    let refreshes: Vec<_> = pair
        .said
        .iter()
        .filter(|said| said.opcode == Opcode::AuthRefresh)
        .collect();
    assert_eq!(refreshes.len(), 37);
    for (before, after) in refreshes.iter().zip(&refreshes[1..]) {
        let apart = after.at - before.at;
        assert!(apart >= seconds(270) && apart < seconds(271), "{apart:?}");
        assert_ne!(before.payload, after.payload);
    }
    // No client's message has the seq that tells a refused refresh.
    assert!(pair.said.iter().all(|said| said.seq != REFUSED_REFRESH_SEQ));
}

#[test]
fn a_client_without_the_servers_reminder_refreshes_by_its_own_clock() {
    let backend = backend(|server| server.refresh_lead = Duration::ZERO);
    let mut pair = Pair::ready(|_| {}, &backend);
    pair.run_for(seconds(290));
    assert_eq!(pair.count(Opcode::RefreshNeeded), 0);
    assert_eq!(pair.events(&ClientEvent::Refreshed), 1);
}

#[test]
fn without_refresh_the_session_expires() {
    let mut pair = Pair::ready(|client| client.refresh_lead = None, &backend(|_| {}));
    pair.run_for(seconds(299));
    assert_eq!(pair.count(Opcode::RefreshNeeded), 1);
    assert_eq!(pair.verdict(), Verdict::Open);
    pair.run_for(seconds(3));
    assert_eq!(pair.count(Opcode::AuthRefresh), 0);
    assert_eq!(pair.verdict(), Verdict::SessionExpired);
    let [client, server] = pair.observations();
    assert_eq!(client.disconnect, Some(Disconnect::TokenExpired));
    assert!(client.token_expired && server.token_expired);
}

#[test]
fn a_refused_refresh_is_told_and_the_session_expires() {
    let mut pair = Pair::ready(|_| {}, &backend(|_| {}));
    pair.on_server(|server, _, _| server.refuse_refresh(true));
    pair.run_for(seconds(280));
    assert_eq!(pair.events(&ClientEvent::RefreshRefused), 1);
    let refusal = pair
        .said
        .iter()
        .find(|said| said.opcode == Opcode::AuthError)
        .unwrap();
    assert_eq!(refusal.seq, 0xFF);
    assert!(refusal.payload.contains("Token refresh failed, seq=0xFF"));
    let [client, server] = pair.observations();
    assert!(client.token_expired && server.token_expired);
    pair.run_for(seconds(30));
    assert_eq!(
        pair.count(Opcode::AuthRefresh),
        1,
        "a dead token is not presented again"
    );
    assert_eq!(pair.verdict(), Verdict::SessionExpired);
}

#[test]
fn every_reason_to_disconnect_has_the_same_name_on_both_sides() {
    for (reason, expected) in [
        (Disconnect::Overload, Verdict::ServerOverloaded),
        (Disconnect::TokenExpired, Verdict::SessionExpired),
        (Disconnect::TokenRevoked, Verdict::SessionRevoked),
        (Disconnect::VersionMismatch, Verdict::VersionMismatch),
        (Disconnect::HeartbeatTimeout, Verdict::HeartbeatMiss),
        (Disconnect::Shutdown, Verdict::ServerRestart),
        (Disconnect::Other, Verdict::AuthDisconnected),
    ] {
        let mut pair = Pair::ready(|_| {}, &backend(|_| {}));
        pair.on_server(|server, now, out| server.disconnect(now, reason, out));
        pair.run_for(seconds(2));
        assert_eq!(pair.verdict(), expected);
        assert!(pair.client.is_over() && pair.server.is_ended(), "{reason:?}");
    }
}

#[test]
fn pongs_that_stay_away_are_a_heartbeat_miss() {
    let mut pair = Pair::ready(|_| {}, &backend(|_| {}));
    pair.on_server(|server, _, _| server.stall_pongs(true));
    pair.run_for(seconds(10));
    assert_eq!(pair.verdict(), Verdict::HeartbeatMiss);
    assert_eq!(pair.events(&ClientEvent::HeartbeatMissed), 1);
    let [client, server] = pair.observations();
    let loss = client.heartbeat_loss.unwrap();
    assert_eq!((loss.missing_from, loss.silence), (Side::Server, seconds(3)));
    assert_eq!(server.heartbeat_loss.unwrap().missing_from, Side::Server);
    let close = client.close.unwrap();
    assert_eq!(
        (close.code, close.reason.as_str()),
        (Some(4000), "heartbeat timeout")
    );
}

#[test]
fn a_pong_that_answers_no_ping_is_no_answer() {
    let mut pair = Pair::ready(|_| {}, &backend(|_| {}));
    pair.on_server(|server, _, _| server.stall_pongs(true));
    pair.run_until(Instant::ORIGIN + Duration::from_millis(2500));
    pair.server_sends(|out| out.binary(&[&wire::header(Opcode::AuthPong, 9999)]));
    pair.run_for(seconds(10));
    assert_eq!(pair.verdict(), Verdict::HeartbeatMiss);
}

#[test]
fn a_path_that_lost_its_way_back_is_a_heartbeat_miss() {
    let mut pair = Pair::ready(|_| {}, &backend(|_| {}));
    pair.one_way = true;
    pair.run_for(seconds(20));
    assert_eq!(pair.verdict(), Verdict::HeartbeatMiss);
}

#[test]
fn a_client_without_heartbeats_is_disconnected_after_the_grace() {
    let mut pair = Pair::ready(|client| client.beats = Beats::Off, &backend(|_| {}));
    pair.run_for(seconds(10));
    assert_eq!(pair.count(Opcode::AuthPing), 0);
    assert_eq!(pair.verdict(), Verdict::HeartbeatMiss);
    for seen in pair.observations() {
        assert_eq!(seen.disconnect, Some(Disconnect::HeartbeatTimeout));
        let loss = seen.heartbeat_loss.unwrap();
        assert_eq!((loss.missing_from, loss.silence), (Side::Client, seconds(5)));
    }
    let patient = backend(|server| server.grace = None);
    let mut pair = Pair::ready(|client| client.beats = Beats::Off, &patient);
    pair.run_for(seconds(60));
    assert_eq!(pair.verdict(), Verdict::Open);
}

#[test]
fn a_client_may_follow_the_servers_period() {
    let slow = backend(|server| server.heartbeat = Some(seconds(4)));
    let mut pair = Pair::ready(|client| client.beats = Beats::AsServerSays, &slow);
    pair.run_for(seconds(40));
    assert_eq!(pair.events(&ClientEvent::HeartbeatSent), 10);
    let none = backend(|server| (server.heartbeat, server.grace) = (None, None));
    let mut pair = Pair::ready(|client| client.beats = Beats::AsServerSays, &none);
    pair.run_for(seconds(40));
    assert_eq!(pair.events(&ClientEvent::HeartbeatSent), 0);
    assert_eq!(pair.verdict(), Verdict::Open);
}

#[test]
fn a_token_that_ran_out_early_revoked_or_cut_has_its_own_name() {
    let mut expired = Pair::ready(|_| {}, &backend(|_| {}));
    expired.on_server(Server::expire_now);
    let mut revoked = Pair::ready(|_| {}, &backend(|_| {}));
    revoked.on_server(Server::revoke);
    let mut short = Pair::ready(|client| client.refresh_lead = None, &backend(|_| {}));
    short.on_server(|server, now, _| server.set_ttl(now, seconds(1)));
    let mut reset = Pair::ready(|_| {}, &backend(|_| {}));
    reset.cut(Finish::Rst);
    let mut killed = Pair::ready(|_| {}, &backend(|_| {}));
    killed.cut(Finish::Fin);
    let mut stopped = Pair::ready(|_| {}, &backend(|_| {}));
    stopped.on_server(|server, now, out| server.stop(now, Stop::Stop, out));
    for (pair, expected) in [
        (&mut expired, Verdict::SessionExpired),
        (&mut revoked, Verdict::SessionRevoked),
        (&mut short, Verdict::SessionExpired),
        (&mut reset, Verdict::AuthDisconnected),
        (&mut killed, Verdict::AuthDisconnected),
        (&mut stopped, Verdict::ServerRestart),
    ] {
        pair.run_for(seconds(3));
        assert_eq!(pair.verdict(), expected);
    }
    let close = stopped.observations()[0].close.clone().unwrap();
    assert_eq!((close.by, close.code), (Side::Server, Some(1001)));
}

#[test]
fn a_close_without_logout_is_no_graceful_end() {
    let mut pair = Pair::ready(|_| {}, &backend(|_| {}));
    pair.server_sends(|out| out.close(Some(1000), ""));
    pair.run_for(seconds(1));
    let seen = pair.client.observation(pair.now);
    assert_eq!(verdict::classify(&seen).verdict, Verdict::AuthDisconnected);
}

#[test]
fn a_server_that_disconnects_and_does_not_close_is_left() {
    let mut pair = Pair::ready(|_| {}, &backend(|_| {}));
    let reason = Disconnect::TokenRevoked;
    pair.server_sends(|out| out.binary(&[&encode(Opcode::DisconnectAuth, 0, &DisconnectAuth { reason })]));
    pair.run_for(Duration::from_millis(900));
    assert!(!pair.client.is_over());
    pair.run_for(seconds(4));
    assert!(pair.client.is_over());
    assert_eq!(
        verdict::classify(&pair.client.observation(pair.now)).verdict,
        Verdict::SessionRevoked
    );
}

#[test]
fn what_breaks_the_protocol_of_a_live_session_ends_it_with_1002() {
    let wrongs: [&[u8]; 5] = [
        b"short",
        b"\x0A\x04\0\0\0\0\0\x01[]",
        b"\x0A\x00\0\0\0\0\0\x01{}",
        b"\x0A\x01\0\0\0\0\0\x01{}",
        b"\x0A\x07\0\0\0\0\0\x01{\"token\":1}",
    ];
    for wrong in wrongs {
        let mut pair = Pair::ready(|_| {}, &backend(|_| {}));
        // Read along by the server alone: the tap would not take a short one.
        pair.run_for(Duration::from_millis(10));
        let mut out = crate::session::Outbox::<ClientEvent>::client(9);
        out.binary(&[wrong]);
        let mut answer = crate::session::Outbox::server();
        pair.server.receive(pair.now, &mut out.bytes, &mut answer);
        assert_eq!(answer.closed.as_ref().unwrap().0, Some(1002), "{wrong:?}");
        let seen = pair.server.observation(pair.now);
        assert_eq!(seen.violation.as_ref().unwrap().by, Side::Client);
        assert_eq!(verdict::classify(&seen).verdict, Verdict::ProtocolError);
        pair.server_sends(|out| out.bytes.extend_from_slice(&answer.bytes));
        pair.run_for(seconds(1));
        assert_eq!(
            verdict::classify(&pair.client.observation(pair.now)).verdict,
            Verdict::ProtocolError
        );
    }
}

#[test]
fn what_a_server_says_wrong_is_its_violation() {
    let mut pair = Pair::ready(|_| {}, &backend(|_| {}));
    pair.server_sends(|out| out.text("hello"));
    pair.run_for(seconds(1));
    assert_eq!(pair.verdict(), Verdict::ProtocolError);
    assert_eq!(
        pair.observations()[0].violation.as_ref().unwrap().by,
        Side::Server
    );
}

#[test]
fn opcodes_of_a_later_release_are_ignored_once_ready() {
    let mut pair = Pair::ready(|_| {}, &backend(|_| {}));
    pair.server_sends(|out| out.binary(&[b"\x0B\x00\0\0\0\0\0\x01later"]));
    pair.client_sends(|out| out.binary(&[b"\x0B\x00\0\0\0\0\0\x01later"]));
    pair.run_for(seconds(30));
    assert_eq!(pair.verdict(), Verdict::Open);
}

#[test]
fn a_stale_token_id_is_refused_and_one_that_was_on_its_way_is_not() {
    let ping_with = |pair: &mut Pair, id: String| {
        let token_id = Some(id.into());
        pair.client_sends(|out| out.binary(&[&encode(Opcode::AuthPing, 77, &Ping { token_id })]));
        pair.run_for(Duration::from_millis(100));
    };
    let first = TokenId::of(derived_token(&Secret::new(SECRET), "bench-1", 0).expose()).to_hex();
    let mut pair = Pair::ready(|_| {}, &backend(|_| {}));
    pair.run_until(Instant::ORIGIN + seconds(271));
    assert_eq!(pair.events(&ClientEvent::Refreshed), 1);
    ping_with(&mut pair, first.clone());
    assert_eq!(pair.verdict(), Verdict::Open);
    pair.run_for(seconds(10));
    ping_with(&mut pair, first);
    assert_eq!(pair.verdict(), Verdict::SessionExpired);
    let mut foreign = Pair::ready(|_| {}, &backend(|_| {}));
    ping_with(&mut foreign, "00000000".to_owned());
    foreign.run_for(seconds(1));
    assert_eq!(foreign.verdict(), Verdict::AuthDisconnected);
    assert_eq!(foreign.count(Opcode::AuthError), 1);
}

#[test]
fn a_client_takes_less_than_half_a_kilobyte() {
    assert!(size_of::<Client>() <= 300, "{}", size_of::<Client>());
    let own = size_of::<Client>() + size_of::<Account>() + 64;
    assert!(own < 500, "{own}");
    assert!(size_of::<Server>() <= 200, "{}", size_of::<Server>());
}

/// A client whose tokens are got elsewhere, ready with the first.
fn asking() -> (Pair, std::sync::Arc<Account>) {
    let account = std::sync::Arc::new(Account::new("a".into(), TokenSource::asked()));
    assert!(account.put_token(Some(derived_token(&Secret::new(SECRET), "a", 0))));
    let config = super::harness::client(|_| {});
    let mut pair = Pair::connect(Instant::ORIGIN, config, &account, &backend(|_| {}), 1, |_| {});
    pair.run_for(seconds(1));
    assert!(pair.client.is_ready());
    (pair, account)
}

#[test]
fn a_token_that_is_got_elsewhere_is_asked_for_once_and_waited_for() {
    let (mut pair, account) = asking();
    for generation in 1..4 {
        pair.run_for(seconds(272));
        assert_eq!(pair.events(&ClientEvent::TokenWanted), generation);
        assert_eq!(
            pair.count(Opcode::AuthRefresh),
            generation - 1,
            "not without a token"
        );
        let token = derived_token(&Secret::new(SECRET), "a", generation as u64);
        assert!(account.put_token(Some(token)));
        pair.run_for(seconds(1));
        assert_eq!(pair.events(&ClientEvent::Refreshed), generation);
    }
    assert_eq!(pair.verdict(), Verdict::Open);
}

#[test]
fn a_token_that_cannot_be_got_lets_the_session_expire() {
    let (mut pair, account) = asking();
    pair.run_for(seconds(272));
    assert!(!account.put_token(None));
    pair.run_for(seconds(60));
    assert_eq!(pair.events(&ClientEvent::TokenWanted), 1);
    assert_eq!(pair.count(Opcode::AuthRefresh), 0);
    assert_eq!(pair.verdict(), Verdict::SessionExpired);
}

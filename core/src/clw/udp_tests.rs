//! Heartbeats as datagrams, both machines against each other.

use super::harness::{HOST, Pair, UDP_PORT, account, backend, client};
use super::*;
use crate::session::{ClientEvent, Finish};
use crate::time::Instant;
use crate::verdict::{Verdict, classify, evidence};
use std::time::Duration;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Ready, with a server that offers datagrams.
fn ready(backend: &Backend, change: impl FnOnce(&mut ClientConfig)) -> Pair {
    let mut pair = Pair::connect(
        Instant::ORIGIN,
        client(change),
        &account("a"),
        backend,
        1,
        |server| server.offer_datagrams(UDP_PORT, HOST),
    );
    pair.run_for(Duration::from_millis(100));
    assert!(pair.client.is_ready());
    pair
}

fn sent(pair: &Pair) -> usize {
    let is_datagram = |event: &&ClientEvent| matches!(event, ClientEvent::Datagram(_));
    pair.client_events.iter().filter(is_datagram).count()
}

#[test]
fn an_offer_is_taken_and_every_datagram_is_answered_beside_the_stream() {
    let backend = backend(|_| {});
    let mut pair = ready(&backend, |_| {});
    let session = SessionId(1).key();
    let port = UDP_PORT;
    assert_eq!(pair.events(&ClientEvent::DatagramsOffered { port, session }), 1);
    pair.run_for(seconds(20));
    let rtt = Duration::from_millis(10);
    assert_eq!(
        (sent(&pair), pair.events(&ClientEvent::DatagramAnswered { rtt })),
        (10, 10)
    );
    assert_eq!(pair.count(Opcode::AuthPing), 10, "the stream's go on");
    let [by_client, by_server] = pair.observations().map(|seen| seen.datagrams.unwrap());
    assert_eq!((by_client, by_server), (by_server, by_client));
    assert_eq!((by_client.pings, by_client.pongs), (10, 10));
    pair.log_out();
    pair.run_for(seconds(5));
    assert_eq!(pair.verdict(), Verdict::Ok);
    assert_eq!(sent(&pair), 10, "none after the end");
    assert_eq!(backend.datagrams().sessions(), 0);
}

#[test]
fn without_an_offer_or_the_wish_there_are_none() {
    let mut pair = Pair::ready(|_| {}, &backend(|_| {}));
    pair.run_for(seconds(20));
    assert_eq!(sent(&pair), 0);
    for change in [
        (|client| client.datagrams = false) as fn(&mut ClientConfig),
        |client| client.beats = Beats::Off,
        |client| client.beats = Beats::Every(Duration::ZERO),
    ] {
        let quiet = backend(|server| server.grace = None);
        let mut pair = ready(&quiet, change);
        pair.run_for(seconds(20));
        assert_eq!(sent(&pair), 0);
        assert_eq!(pair.observations()[0].datagrams, None);
    }
}

#[test]
fn pings_out_and_no_pongs_back_are_one_way_and_end_nothing() {
    for (pings, pongs) in [(true, false), (false, true)] {
        let mut pair = ready(&backend(|_| {}), |_| {});
        pair.run_for(seconds(20));
        pair.on_server(|server, _, _| {
            if pings {
                server.lose_udp_pings();
            }
            if pongs {
                server.lose_udp_pongs();
            }
        });
        pair.run_for(seconds(60));
        assert_eq!(pair.events(&ClientEvent::OneWayLoss), 1, "told once");
        assert_eq!(pair.events(&ClientEvent::HeartbeatMissed), 0);
        assert!(pair.client.is_ready() && pair.server.is_ready());
        pair.log_out();
        pair.run_for(seconds(5));
        assert_eq!(pair.verdict(), Verdict::Ok);
        let [by_client, by_server] = pair.observations();
        let told = evidence(&by_client, &classify(&by_client)).join("\n");
        assert!(
            told.contains("one-way heartbeat loss: ") && told.contains("10 AUTH_PONG came back"),
            "{told}"
        );
        let seen = by_server.datagrams.unwrap();
        assert_eq!(
            (seen.pings > 10, seen.pongs),
            (pongs, 10),
            "the server knows which way"
        );
    }
}

#[test]
fn a_way_back_that_opens_again_is_one_loss_and_the_next_another() {
    let mut pair = ready(&backend(|_| {}), |_| {});
    for _ in 0..2 {
        pair.loses_datagrams = (false, true);
        pair.run_for(seconds(30));
        pair.loses_datagrams = (false, false);
        pair.run_for(seconds(30));
    }
    assert_eq!(pair.events(&ClientEvent::OneWayLoss), 2);
}

#[test]
fn a_path_that_is_dead_in_both_is_a_missed_heartbeat_and_no_one_way_loss() {
    let mut pair = ready(&backend(|_| {}), |_| {});
    pair.run_for(seconds(20));
    pair.loses_datagrams = (true, true);
    pair.one_way = true;
    pair.run_for(seconds(30));
    assert_eq!(pair.events(&ClientEvent::OneWayLoss), 0);
    assert_eq!(pair.events(&ClientEvent::HeartbeatMissed), 1);
    let [client, _] = pair.observations();
    assert_eq!(classify(&client).verdict, Verdict::HeartbeatMiss);
}

#[test]
fn a_stream_that_dies_after_a_one_way_loss_is_judged_by_the_stream() {
    let mut pair = ready(&backend(|_| {}), |_| {});
    pair.loses_datagrams = (false, true);
    pair.run_for(seconds(30));
    pair.cut(Finish::Rst);
    pair.run_for(seconds(1));
    assert_eq!(pair.verdict(), Verdict::AuthDisconnected);
    let [client, _] = pair.observations();
    assert!(client.datagrams.unwrap().one_way.is_some());
}

#[test]
fn a_resumed_session_takes_datagrams_again_and_the_old_connection_does_not_close_it() {
    let backend = backend(|_| {});
    let account = account("a");
    let offer = |server: &mut Server| server.offer_datagrams(UDP_PORT, HOST);
    let mut first = Pair::connect(Instant::ORIGIN, client(|_| {}), &account, &backend, 1, offer);
    first.run_for(seconds(5));
    first.cut(Finish::Rst);
    first.run_for(seconds(1));
    drop(first);
    let mut second = Pair::connect(
        Instant::ORIGIN + seconds(10),
        client(|_| {}),
        &account,
        &backend,
        2,
        offer,
    );
    second.run_for(seconds(21));
    let session = SessionId(1).key();
    let port = UDP_PORT;
    assert_eq!(second.events(&ClientEvent::DatagramsOffered { port, session }), 1);
    let seen = second.observations()[0].datagrams.unwrap();
    assert!(seen.pongs >= 10 && seen.pings == seen.pongs, "{seen:?}");
    assert_eq!(backend.datagrams().sessions(), 1);
}

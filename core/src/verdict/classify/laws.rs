//! Laws that hold for every observation, however odd.

use super::{RULES, classify};
use crate::verdict::evidence;
use crate::verdict::{
    CloseFrame, Connect, Disconnect, EndingKind, HeartbeatLoss, Observation, Refusal, RefusalClass,
    ResetClass, Side, Verdict, Viewpoint, Violation,
};
use crate::{Dialect, Stage};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use std::time::Duration;

const SIDES: [Side; 4] = [Side::Client, Side::Server, Side::Middlebox, Side::Unknown];
const DIALECTS: [Dialect; 7] = [
    Dialect::Openclaw,
    Dialect::Clw,
    Dialect::Clawchat,
    Dialect::Websocket,
    Dialect::Http,
    Dialect::Tls,
    Dialect::Unknown,
];

fn side() -> impl Strategy<Value = Side> {
    select(&SIDES[..])
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0..100_000_u64).prop_map(Duration::from_millis),
        any::<u64>().prop_map(Duration::from_micros),
        Just(Duration::MAX),
    ]
}

fn reason() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "",
            "protocol mismatch",
            "invalid request frame",
            "unauthorized: x",
            "pairing required: y",
            "slow consumer",
            "handshake timeout",
            "token expired",
            "service restart",
            "keepalive ping timeout",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

fn close() -> impl Strategy<Value = CloseFrame> {
    let code = prop_oneof![
        Just(None),
        (1000_u16..1016).prop_map(Some),
        (4000_u16..4004).prop_map(Some),
        any::<u16>().prop_map(Some),
    ];
    (side(), code, reason()).prop_map(|(by, code, reason)| CloseFrame { by, code, reason })
}

fn refusal() -> impl Strategy<Value = Refusal> {
    let class = select(vec![
        RefusalClass::Overloaded,
        RefusalClass::Unavailable,
        RefusalClass::RateLimited,
        RefusalClass::PairingRequired,
        RefusalClass::VersionMismatch,
        RefusalClass::Credentials,
        RefusalClass::AuthUnavailable,
        RefusalClass::Protocol,
    ]);
    (class, any::<String>(), any::<String>()).prop_map(|(class, code, message)| Refusal {
        class,
        code,
        message,
    })
}

fn disconnect() -> impl Strategy<Value = Disconnect> {
    select(vec![
        Disconnect::Overload,
        Disconnect::TokenExpired,
        Disconnect::TokenRevoked,
        Disconnect::VersionMismatch,
        Disconnect::HeartbeatTimeout,
        Disconnect::Shutdown,
        Disconnect::Other,
    ])
}

prop_compose! {
    /// The facts of the transport and of time.
    fn frame_of_it()(
        viewpoint in select(vec![Viewpoint::Client, Viewpoint::Server, Viewpoint::Wire]),
        dialect in select(&DIALECTS[..]),
        stage in select(&Stage::ALL[..]),
        duration in duration(),
        since_upgrade in duration(),
        handshake_timeout in of(duration()),
        connect in prop_oneof![
            8 => Just(Connect::Established),
            1 => Just(Connect::Refused),
            1 => Just(Connect::TimedOut),
            1 => Just(Connect::Unreachable),
        ],
        ending in select(vec![EndingKind::Fin, EndingKind::Rst, EndingKind::Silent, EndingKind::Open]),
        ended_by in side(),
        reset in of(select(&ResetClass::ALL[..])),
        reset_confidence in prop_oneof![0.0_f32..1.0, any::<f32>()],
    ) -> Observation {
        Observation {
            viewpoint, dialect, stage, duration, since_upgrade, handshake_timeout, connect, ending, ended_by,
            reset, reset_confidence, ..Observation::default()
        }
    }
}

prop_compose! {
    /// Anything that anybody could claim to have seen.
    fn observation()(
        base in frame_of_it(),
        tls in proptest::bool::weighted(0.1),
        http_status in proptest::option::weighted(0.2, prop_oneof![Just(503_u16), any::<u16>()]),
        refusal in proptest::option::weighted(0.2, refusal()),
        close in of(close()),
        disconnect in proptest::option::weighted(0.2, disconnect()),
        announced in proptest::option::weighted(0.2, any::<bool>()),
        loss in proptest::option::weighted(0.2, (side(), duration())),
        ping in proptest::option::weighted(0.3, duration()),
        pending_requests in prop_oneof![Just(0_u32), any::<u32>()],
        violation in proptest::option::weighted(0.1, (side(), any::<String>())),
        since_first_message in of(duration()),
        flags in prop::array::uniform6(proptest::bool::weighted(0.2)),
    ) -> Observation {
        let [logged_out, slow_consumer, token_expired, helper, handshake_timed_out, missing] = flags;
        Observation {
            tls_failure: tls.then(|| "alert".to_owned()),
            http_status, refusal, close, disconnect,
            shutdown_announced: announced,
            heartbeat_loss: loss.map(|(missing_from, silence)| HeartbeatLoss { missing_from, silence }),
            unanswered_server_ping: ping,
            pending_requests,
            violation: violation.map(|(by, what)| Violation { by, what }),
            since_first_message, logged_out, slow_consumer, token_expired, helper, handshake_timed_out,
            missing: if missing { vec!["the start"] } else { Vec::new() },
            ..base
        }
    }
}

/// Adds to `seen` what makes the rule of `verdict` hold, or `None` for the rules that hold by the lack of others.
fn made_to_hold(verdict: Verdict, mut seen: Observation) -> Option<Observation> {
    let refused = |seen: &mut Observation, class| {
        seen.stage = Stage::Auth;
        seen.refusal = Some(Refusal {
            class,
            code: String::new(),
            message: String::new(),
        });
    };
    let closed = |seen: &mut Observation, by, code, reason: &str| {
        seen.stage = Stage::Ready;
        seen.close = Some(CloseFrame {
            by,
            code: Some(code),
            reason: reason.to_owned(),
        });
    };
    match verdict {
        Verdict::ConnRefused => seen.connect = Connect::Refused,
        Verdict::ConnTimeout => seen.connect = Connect::TimedOut,
        Verdict::TlsFailed => seen.tls_failure = Some("alert".to_owned()),
        Verdict::UpgradeRejected => {
            seen.stage = Stage::Upgrade;
            seen.http_status = Some(403);
        }
        Verdict::ServerOverloaded => seen.disconnect = Some(Disconnect::Overload),
        Verdict::ServerUnavailable => closed(&mut seen, Side::Server, 1013, ""),
        Verdict::RateLimited => refused(&mut seen, RefusalClass::RateLimited),
        Verdict::PairingRequired => refused(&mut seen, RefusalClass::PairingRequired),
        Verdict::VersionMismatch => refused(&mut seen, RefusalClass::VersionMismatch),
        Verdict::AuthFailed => refused(&mut seen, RefusalClass::Credentials),
        Verdict::AuthUnavailable => refused(&mut seen, RefusalClass::AuthUnavailable),
        Verdict::ProtocolError => closed(&mut seen, Side::Server, 1002, ""),
        Verdict::HandshakeTimeout => {
            seen.stage = Stage::Auth;
            seen.close = None;
            seen.disconnect = None;
            seen.handshake_timed_out = true;
        }
        Verdict::SessionRevoked => {
            seen.dialect = Dialect::Openclaw;
            closed(&mut seen, Side::Server, 4001, "");
        }
        Verdict::SessionReplaced => {
            seen.dialect = Dialect::Clawchat;
            closed(&mut seen, Side::Server, 4001, "");
        }
        Verdict::SessionExpired => {
            seen.stage = Stage::Ready;
            seen.disconnect = Some(Disconnect::TokenExpired);
        }
        Verdict::SlowConsumer => closed(&mut seen, Side::Server, 1008, "slow consumer"),
        Verdict::ServerRestart => closed(&mut seen, Side::Server, 1012, ""),
        Verdict::ServerError => closed(&mut seen, Side::Server, 1011, ""),
        Verdict::InjectedReset => seen.reset = Some(ResetClass::Injected),
        Verdict::HeartbeatMiss => {
            seen.stage = Stage::Ready;
            seen.heartbeat_loss = Some(HeartbeatLoss {
                missing_from: Side::Server,
                silence: Duration::from_secs(60),
            });
        }
        _ => return None,
    }
    Some(seen)
}

#[test]
fn the_rules_stand_in_the_order_of_the_dictionary() {
    let order: Vec<Verdict> = RULES.iter().map(|&(verdict, _)| verdict).collect();
    let (last, others) = Verdict::ALL.split_last().unwrap();
    assert_eq!(order, others);
    assert_eq!(*last, Verdict::Incomplete);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_observation_has_a_verdict_a_confidence_and_evidence(seen in observation()) {
        let judgement = classify(&seen);
        prop_assert!((0.0..=1.0).contains(&judgement.confidence), "{judgement:?}");
        let lines = evidence(&seen, &judgement);
        prop_assert!(!lines.is_empty());
        for line in &lines {
            prop_assert!(!line.is_empty() && !line.contains(|c: char| c.is_control()), "{line:?}");
        }
    }

    #[test]
    fn a_rule_made_to_hold_gives_its_verdict_or_one_above(seen in observation()) {
        for verdict in Verdict::ALL {
            if let Some(changed) = made_to_hold(verdict, seen.clone()) {
                let given = classify(&changed).verdict;
                prop_assert!(given <= verdict, "{verdict} made to hold, {given} given: {changed:#?}");
            }
        }
    }

    #[test]
    fn each_rule_can_be_the_first_to_hold(viewpoint in select(vec![Viewpoint::Client, Viewpoint::Server])) {
        for verdict in Verdict::ALL {
            let quiet = Observation { viewpoint, ..Observation::default() };
            if let Some(changed) = made_to_hold(verdict, quiet) {
                prop_assert_eq!(classify(&changed).verdict, verdict);
            }
        }
    }
}

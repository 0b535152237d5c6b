//! The server machine over bytes, with a virtual clock: what the real gateway was seen to answer.

use super::error_code::{AUTH_RATE_LIMITED, AUTH_TOKEN_MISMATCH};
use super::*;
use crate::Stage;
use crate::secret::Secret;
use crate::session::{Admission, Finish, Outbox, ServerConfig, ServerConnection, ServerEvent, Stop};
use crate::time::Instant;
use crate::verdict::{CloseFrame, EndingKind, Observation, RefusalClass, Side};
use crate::ws::{Control, Data, Decoder, Incoming, OpCode, Peer, UpgradeRequest, write_frame, write_request};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const EPOCH_MS: i64 = 1_795_208_454_183;

/// What the client received.
#[derive(Clone, Debug, PartialEq)]
enum Got {
    Json(Value),
    Ping,
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

/// A client on the other end of a server's connection.
struct TestClient {
    server: ServerConnection<Server>,
    out: Outbox<ServerEvent>,
    decoder: Decoder,
    now: Instant,
    got: Vec<Got>,
    head: Vec<u8>,
    events: Vec<ServerEvent>,
    finish: Option<Finish>,
}

fn gateway(change: impl FnOnce(&mut GatewayConfig, &mut AuthorityConfig)) -> Arc<Gateway> {
    let mut config = GatewayConfig {
        epoch_ms: EPOCH_MS,
        ..GatewayConfig::default()
    };
    let mut authority = AuthorityConfig {
        token: Some(Secret::new("test-token")),
        failures: FailurePolicy::Open,
        ..AuthorityConfig::default()
    };
    change(&mut config, &mut authority);
    Arc::new(Gateway::new(config, Authority::new(authority)))
}

impl TestClient {
    fn connect(gateway: &Arc<Gateway>) -> Self {
        Self::with(gateway, Instant::ORIGIN, SessionOptions::default(), "")
    }

    fn with(gateway: &Arc<Gateway>, now: Instant, options: SessionOptions, headers: &str) -> Self {
        let gateway = Arc::clone(gateway);
        let admit = move |_: Instant, request: &UpgradeRequest| {
            Admission::Accept(Server::new(gateway, request, options))
        };
        let mut peer = Self {
            server: ServerConnection::accept(now, Arc::new(ServerConfig::openclaw()), Box::new(admit)),
            out: Outbox::server(),
            decoder: Decoder::new(Peer::Server, 1 << 25),
            now,
            got: Vec::new(),
            head: Vec::new(),
            events: Vec::new(),
            finish: None,
        };
        let mut request = Vec::new();
        write_request(&mut request, "127.0.0.1:18789", "/", &[], "lab/1.0", [7; 16]);
        let at = request.len() - 2;
        request.splice(at..at, headers.bytes());
        peer.server.receive(peer.now, &mut request, &mut peer.out);
        peer.take();
        peer
    }

    fn take(&mut self) {
        let mut bytes = std::mem::take(&mut self.out.bytes);
        if self.head.is_empty()
            && let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n")
        {
            self.head = bytes.drain(..end + 4).collect();
        }
        let got = &mut self.got;
        self.decoder
            .decode(&mut bytes, |incoming| {
                got.push(match incoming {
                    Incoming::Text(text) => Got::Json(serde_json::from_str(text).unwrap()),
                    Incoming::Ping(_) => Got::Ping,
                    Incoming::Pong(payload) => Got::Pong(payload.to_vec()),
                    Incoming::Close { code, reason } => Got::Close(code, reason.to_owned()),
                    Incoming::Binary(_) => panic!("the gateway sends no binary"),
                });
                true
            })
            .unwrap();
        self.finish = self.finish.or(self.out.finish);
        self.events.append(&mut self.out.events);
        self.out.clear();
    }

    fn frame(&mut self, opcode: OpCode, payload: &[u8]) {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, opcode, Some([1, 2, 3, 4]), |out| {
            out.extend_from_slice(payload);
        });
        self.server.receive(self.now, &mut bytes, &mut self.out);
        self.take();
    }

    fn text(&mut self, text: &str) {
        self.frame(OpCode::Data(Data::Text), text.as_bytes());
    }

    fn request(&mut self, method: &str, params: &Value) -> Value {
        let before = self.got.len();
        self.text(&json!({"type": "req", "id": "q", "method": method, "params": params}).to_string());
        match &self.got[before] {
            Got::Json(value) => value.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Lets the time pass up to `until`, calling timers at their deadlines.
    fn pass(&mut self, until: Instant) {
        while let Some(at) = self.server.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.server.timer(self.now, &mut self.out);
            self.take();
        }
        self.now = until;
    }

    fn nonce(&self) -> String {
        match &self.got[0] {
            Got::Json(value) => value["payload"]["nonce"].as_str().unwrap().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    fn login(&mut self, params: &Value) -> Value {
        self.request("connect", params)
    }

    fn closed(&self) -> (Option<u16>, &str) {
        match self.got.last() {
            Some(Got::Close(code, reason)) => (*code, reason),
            other => panic!("{other:?}"),
        }
    }

    fn seen(&self) -> Observation {
        self.server.observation(self.now)
    }

    fn events_named(&self, name: &str) -> Vec<&Value> {
        self.got
            .iter()
            .filter_map(|got| match got {
                Got::Json(value) if value["event"] == name => Some(value),
                _ => None,
            })
            .collect()
    }
}

fn params() -> Value {
    json!({"minProtocol": 4, "maxProtocol": 4, "role": "operator", "scopes": ["operator.read"], "caps": [],
        "client": {"id": "gateway-client", "version": "1.0.0", "platform": "linux", "mode": "backend"},
        "auth": {"token": "test-token"}})
}

fn client(id: &str, mode: &str) -> Value {
    let mut params = params();
    params["client"]["id"] = json!(id);
    params["client"]["mode"] = json!(mode);
    params
}

/// What a test does to the parameters.
type Change<'a> = &'a dyn Fn(&mut Value);

/// Adds the proof of a device over what `params` say.
fn signed(mut params: Value, identity: &Identity, nonce: &str, signed_at_ms: i64, version: u8) -> Value {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let scopes: Vec<String> = params["scopes"].as_array().unwrap().iter().map(text).collect();
    let token = ["token", "deviceToken", "bootstrapToken"]
        .iter()
        .find_map(|name| params["auth"][name].as_str())
        .map(Secret::new);
    let (client_id, client_mode) = (text(&params["client"]["id"]), text(&params["client"]["mode"]));
    let (role, platform) = (text(&params["role"]), text(&params["client"]["platform"]));
    let fields = SignedFields {
        device_id: &identity.device_id,
        client_id: &client_id,
        client_mode: &client_mode,
        role: &role,
        scopes: &scopes,
        signed_at_ms,
        token: token.as_ref(),
        nonce,
        platform: &platform,
        device_family: "",
    };
    let signature = identity.sign(&if version == 3 {
        signature_text_v3(&fields)
    } else {
        signature_text_v2(&fields)
    });
    params["device"] = json!({"id": identity.device_id, "publicKey": identity.public_key,
        "signature": signature, "signedAt": signed_at_ms, "nonce": nonce});
    params
}

fn ready(gateway: &Arc<Gateway>) -> TestClient {
    let mut peer = TestClient::connect(gateway);
    assert_eq!(peer.login(&params())["ok"], true);
    peer
}

#[test]
fn a_backend_with_the_shared_token_is_in_with_its_scopes() {
    let mut peer = TestClient::connect(&gateway(|_, _| {}));
    assert!(peer.head.starts_with(b"HTTP/1.1 101 "));
    assert_eq!(peer.got.len(), 1, "the challenge comes without being asked");
    let Got::Json(challenge) = &peer.got[0] else {
        panic!("{:?}", peer.got)
    };
    assert_eq!(challenge["event"], "connect.challenge");
    assert_eq!(challenge["payload"]["ts"], EPOCH_MS);
    assert!(challenge.get("seq").is_none());
    let answer = peer.login(&params());
    let payload = &answer["payload"];
    assert_eq!(payload["type"], "hello-ok");
    assert_eq!(payload["protocol"], 4);
    assert_eq!(
        payload["auth"],
        json!({"method": "token", "role": "operator", "scopes": ["operator.read"]})
    );
    assert_eq!(payload["policy"]["tickIntervalMs"], 30_000);
    let hello: HelloOk = serde_json::from_value(payload.clone()).unwrap();
    assert_eq!(hello.server.version, SERVER_VERSION);
    assert_eq!(hello.server.conn_id.len(), 36);
    let reached: Vec<_> = peer
        .events
        .iter()
        .filter_map(|event| match event {
            ServerEvent::Reached(stage) => Some(*stage),
            _ => None,
        })
        .collect();
    assert_eq!(
        reached,
        [Stage::Upgrade, Stage::Challenge, Stage::Auth, Stage::Ready]
    );
}

#[test]
fn hello_has_the_real_size_when_asked() {
    let size = |realistic| {
        let gateway = gateway(|config, _| config.realistic_hello = realistic);
        let mut peer = TestClient::connect(&gateway);
        peer.login(&params()).to_string().len()
    };
    assert!(size(false) < 1200, "{}", size(false));
    assert!((12_000..16_000).contains(&size(true)), "{}", size(true));
}

/// Scenario, what is sent, `error.code`, `details.code`, close code and reason: as recorded from the real gateway.
#[test]
fn wrong_first_messages_are_answered_as_recorded() {
    let connect = |params: &Value| {
        json!({"type": "req", "id": "c1", "method": "connect", "params": params}).to_string()
    };
    let changed = |field: &str, value: Value| {
        let mut params = params();
        params[field] = value;
        connect(&params)
    };
    let mut old = params();
    old["minProtocol"] = json!(2);
    old["maxProtocol"] = json!(3);
    for (scenario, text, error, details, close, reason, class) in [
        (
            "not-a-request-frame",
            r#"{"hello":"world"}"#.to_owned(),
            None,
            None,
            1008,
            "invalid request frame",
            None,
        ),
        ("not-json", "{".to_owned(), None, None, 1000, "", None),
        (
            "first-request-not-connect",
            r#"{"type":"req","id":"r1","method":"health","params":{}}"#.to_owned(),
            Some("INVALID_REQUEST"),
            None,
            1008,
            "invalid handshake: first request must be connect",
            Some(RefusalClass::Protocol),
        ),
        (
            "unknown-connect-field",
            changed("unknownField", json!(true)),
            Some("INVALID_REQUEST"),
            None,
            1008,
            "invalid connect params: at root: unexpected property 'unknownField'",
            Some(RefusalClass::Protocol),
        ),
        (
            "client-id-not-allowed",
            connect(&client("my-load-tool", "backend")),
            Some("INVALID_REQUEST"),
            None,
            1008,
            "invalid connect params: at /client/id: must be equal to one of the allowed values",
            Some(RefusalClass::Protocol),
        ),
        (
            "protocol-mismatch",
            connect(&old),
            Some("INVALID_REQUEST"),
            Some("PROTOCOL_MISMATCH"),
            1002,
            "protocol mismatch",
            Some(RefusalClass::VersionMismatch),
        ),
        (
            "invalid-role",
            changed("role", json!("captain")),
            Some("INVALID_REQUEST"),
            None,
            1008,
            "invalid role",
            Some(RefusalClass::Protocol),
        ),
        (
            "worker",
            changed("role", json!("worker")),
            None,
            None,
            1008,
            "invalid-handshake",
            None,
        ),
        (
            "wrong-token",
            changed("auth", json!({"token": "wrong"})),
            Some("INVALID_REQUEST"),
            Some("AUTH_TOKEN_MISMATCH"),
            1008,
            "unauthorized: gateway token mismatch (provide gateway auth token)",
            Some(RefusalClass::Credentials),
        ),
        (
            "no-credentials",
            changed("auth", json!({})),
            Some("NOT_PAIRED"),
            Some("DEVICE_IDENTITY_REQUIRED"),
            1008,
            "device identity required",
            Some(RefusalClass::Credentials),
        ),
    ] {
        let mut peer = TestClient::connect(&gateway(|_, _| {}));
        peer.text(&text);
        assert_eq!(peer.closed(), (Some(close), reason), "{scenario}");
        let answers: Vec<_> = peer
            .got
            .iter()
            .filter_map(|got| match got {
                Got::Json(value) if value["type"] == "res" => Some(value),
                _ => None,
            })
            .collect();
        assert_eq!(answers.len(), usize::from(error.is_some()), "{scenario}");
        if let Some(answer) = answers.first() {
            assert_eq!(answer["error"]["code"].as_str(), error, "{scenario}");
            assert_eq!(answer["error"]["details"]["code"].as_str(), details, "{scenario}");
        }
        let seen = peer.seen();
        assert_eq!(seen.refusal.map(|refusal| refusal.class), class, "{scenario}");
        assert_eq!(seen.stage, Stage::Auth, "{scenario}");
        assert_eq!(
            seen.violation.is_some(),
            error.is_none() && close == 1008,
            "{scenario}"
        );
        let close_by = seen.close.map(|CloseFrame { by, code, .. }| (by, code));
        assert_eq!(close_by, Some((Side::Server, Some(close))), "{scenario}");
    }
}

#[test]
fn device_proofs_are_checked_in_the_recorded_order_and_before_the_token() {
    let identity = Identity::derive(1, 1);
    let other = Identity::derive(1, 2);
    let cases: [(&str, &str, i64, Change<'_>); 7] = [
        (
            "DEVICE_AUTH_DEVICE_ID_MISMATCH",
            "device identity mismatch",
            -999_000,
            &|p| {
                p["device"]["id"] = json!(other.device_id);
            },
        ),
        (
            "DEVICE_AUTH_DEVICE_ID_MISMATCH",
            "device identity mismatch",
            0,
            &|p| {
                p["device"]["publicKey"] = json!("no key");
            },
        ),
        (
            "DEVICE_AUTH_SIGNATURE_EXPIRED",
            "device signature expired",
            -120_001,
            &|p| {
                p["device"]["nonce"] = json!(" ");
            },
        ),
        (
            "DEVICE_AUTH_SIGNATURE_EXPIRED",
            "device signature expired",
            120_001,
            &|_| {},
        ),
        (
            "DEVICE_AUTH_NONCE_REQUIRED",
            "device nonce required",
            120_000,
            &|p| {
                p["device"]["nonce"] = json!(" ");
            },
        ),
        ("DEVICE_AUTH_NONCE_MISMATCH", "device nonce mismatch", 0, &|p| {
            p["device"]["nonce"] = json!("00000000-0000-4000-8000-000000000000");
        }),
        (
            "DEVICE_AUTH_SIGNATURE_INVALID",
            "device signature invalid",
            0,
            &|p| {
                p["scopes"] = json!(["operator.admin"]);
            },
        ),
    ];
    for (code, reason, skew_ms, change) in cases {
        let mut peer = TestClient::connect(&gateway(|_, _| {}));
        let mut wrong = params();
        wrong["auth"]["token"] = json!("wrong");
        let mut sent = signed(wrong, &identity, &peer.nonce(), EPOCH_MS + skew_ms, 3);
        change(&mut sent);
        let answer = peer.login(&sent);
        assert_eq!(answer["error"]["code"], "INVALID_REQUEST", "{code}");
        assert_eq!(answer["error"]["details"]["code"], code);
        assert_eq!(answer["error"]["message"], reason);
        assert_eq!(peer.closed(), (Some(1008), reason));
    }
}

#[test]
fn both_signature_versions_are_good_and_a_backend_gets_no_device_token() {
    for version in [2, 3] {
        let mut peer = TestClient::connect(&gateway(|_, _| {}));
        let sent = signed(
            params(),
            &Identity::derive(1, 1),
            &peer.nonce(),
            EPOCH_MS + 120_000,
            version,
        );
        let answer = peer.login(&sent);
        assert_eq!(answer["ok"], true, "{answer}");
        assert!(answer["payload"]["auth"].get("deviceToken").is_none());
    }
}

#[test]
fn who_gets_in_with_which_scopes() {
    for (id, mode, scopes) in [
        ("gateway-client", "backend", json!(["operator.read"])),
        ("cli", "cli", json!(["operator.read"])),
        ("test", "test", json!([])),
    ] {
        let mut peer = TestClient::connect(&gateway(|_, _| {}));
        assert_eq!(
            peer.login(&client(id, mode))["payload"]["auth"]["scopes"],
            scopes,
            "{id}"
        );
    }
    let mut node = client("node-host", "node");
    node["role"] = json!("node");
    node["scopes"] = json!([]);
    let mut peer = TestClient::connect(&gateway(|_, _| {}));
    assert_eq!(
        peer.login(&node)["error"]["details"]["code"],
        "DEVICE_IDENTITY_REQUIRED"
    );
}

#[test]
fn an_accepted_origin_empties_the_scopes_and_a_foreign_one_is_refused() {
    let origin = |line: &str| {
        let mut peer = TestClient::with(
            &gateway(|_, _| {}),
            Instant::ORIGIN,
            SessionOptions::default(),
            line,
        );
        peer.login(&params())
    };
    assert_eq!(
        origin("Origin: http://localhost:5173\r\n")["payload"]["auth"]["scopes"],
        json!([])
    );
    assert_eq!(
        origin("Origin: https://evil.example\r\n")["error"]["details"]["code"],
        "CONTROL_UI_ORIGIN_NOT_ALLOWED"
    );
}

#[test]
fn a_new_cli_device_is_paired_at_once_and_its_token_alone_will_do() {
    let gateway = gateway(|_, _| {});
    let identity = Identity::derive(3, 1);
    let mut peer = TestClient::connect(&gateway);
    let sent = signed(client("cli", "cli"), &identity, &peer.nonce(), EPOCH_MS, 3);
    let answer = peer.login(&sent);
    let token = answer["payload"]["auth"]["deviceToken"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(answer["payload"]["auth"]["issuedAtMs"], EPOCH_MS);
    for field in ["deviceToken", "token"] {
        let mut peer = TestClient::connect(&gateway);
        let mut sent = client("cli", "cli");
        sent["auth"] = json!({field: token});
        let answer = peer.login(&signed(sent, &identity, &peer.nonce(), EPOCH_MS, 3));
        assert_eq!(answer["payload"]["auth"]["method"], "device-token", "{answer}");
    }
    let mut peer = TestClient::connect(&gateway);
    let mut sent = client("cli", "cli");
    sent["auth"] = json!({"deviceToken": token});
    sent["scopes"] = json!(["operator.admin"]);
    let answer = peer.login(&signed(sent, &identity, &peer.nonce(), EPOCH_MS, 3));
    assert_eq!(answer["error"]["details"]["code"], "AUTH_SCOPE_MISMATCH");
}

#[test]
fn without_auto_approval_a_node_waits_for_an_operator_with_the_same_request_id() {
    let gateway = gateway(|_, authority| authority.auto_approve_local = false);
    let identity = Identity::derive(4, 1);
    let mut node = client("node-host", "node");
    node["role"] = json!("node");
    node["scopes"] = json!([]);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut peer = TestClient::connect(&gateway);
        let answer = peer.login(&signed(node.clone(), &identity, &peer.nonce(), EPOCH_MS, 3));
        let error = &answer["error"];
        assert_eq!(error["code"], "NOT_PAIRED");
        assert_eq!(error["message"], "pairing required: device is not approved yet");
        assert_eq!(error["details"]["code"], "PAIRING_REQUIRED");
        assert_eq!(error["details"]["reason"], "not-paired");
        let id = error["details"]["requestId"].as_str().unwrap().to_owned();
        let reason = format!("pairing required: device is not approved yet (requestId: {id})");
        assert_eq!(peer.closed(), (Some(1008), reason.as_str()));
        assert_eq!(
            peer.seen().refusal.map(|r| r.class),
            Some(RefusalClass::PairingRequired)
        );
        ids.push(id);
    }
    assert_eq!(ids[0], ids[1]);
    let mut admin = params();
    admin["scopes"] = json!(["operator.pairing"]);
    let mut operator = TestClient::connect(&gateway);
    operator.login(&admin);
    let list = operator.request("device.pair.list", &json!({}));
    assert_eq!(list["payload"]["pending"][0]["requestId"], json!(ids[0]));
    let approved = operator.request("device.pair.approve", &json!({"requestId": ids[0]}));
    assert_eq!(approved["payload"]["device"]["roles"], json!(["node"]));
    let mut peer = TestClient::connect(&gateway);
    let answer = peer.login(&signed(node, &identity, &peer.nonce(), EPOCH_MS, 3));
    assert!(answer["payload"]["auth"]["deviceToken"].is_string(), "{answer}");
}

#[test]
fn a_setup_code_hands_a_device_token_over_once() {
    let gateway = gateway(|_, authority| authority.auto_approve_local = false);
    let code = gateway.authority.issue_bootstrap_token(Instant::ORIGIN);
    let identity = Identity::derive(5, 1);
    let mut sent = client("openclaw-ios", "ui");
    sent["auth"] = json!({"bootstrapToken": code.expose()});
    let mut peer = TestClient::connect(&gateway);
    let answer = peer.login(&signed(sent.clone(), &identity, &peer.nonce(), EPOCH_MS, 3));
    let auth = &answer["payload"]["auth"];
    assert_eq!(auth["method"], "bootstrap-token");
    assert_eq!(auth["deviceTokens"][0]["deviceToken"], auth["deviceToken"]);
    let mut peer = TestClient::connect(&gateway);
    let answer = peer.login(&signed(sent, &identity, &peer.nonce(), EPOCH_MS, 3));
    assert_eq!(answer["error"]["details"]["code"], "AUTH_BOOTSTRAP_TOKEN_INVALID");
}

#[test]
fn nodes_and_probes_may_speak_the_older_protocol() {
    let gateway = gateway(|_, _| {});
    let mut probe = client("openclaw-probe", "probe");
    probe["minProtocol"] = json!(3);
    probe["maxProtocol"] = json!(3);
    let mut peer = TestClient::connect(&gateway);
    assert_eq!(peer.login(&probe)["payload"]["protocol"], 3);
    let mut newer = params();
    newer["maxProtocol"] = json!(9);
    let mut peer = TestClient::connect(&gateway);
    assert_eq!(peer.login(&newer)["payload"]["protocol"], 4);
}

#[test]
fn a_wrong_token_waits_for_its_penalty() {
    let gateway = gateway(|_, authority| authority.failures = FailurePolicy::Penalty);
    let mut wrong = params();
    wrong["auth"]["token"] = json!("wrong");
    let mut now = Instant::ORIGIN;
    for millis in [250, 500, 1000] {
        let mut peer = TestClient::with(&gateway, now, SessionOptions::default(), "");
        peer.text(&json!({"type": "req", "id": "c1", "method": "connect", "params": wrong}).to_string());
        assert_eq!(peer.got.len(), 1, "no answer yet");
        assert_eq!(peer.server.deadline(), Some(now + Duration::from_millis(millis)));
        now += Duration::from_millis(millis);
        peer.pass(now);
        assert_eq!(
            peer.closed(),
            (Some(1008), AUTH_TOKEN_MISMATCH.message),
            "{millis}"
        );
    }
}

#[test]
fn a_locked_out_address_is_told_when_to_come_back() {
    let gateway = gateway(|_, authority| authority.failures = FailurePolicy::LockOut);
    let mut wrong = params();
    wrong["auth"]["token"] = json!("wrong");
    for _ in 0..10 {
        TestClient::connect(&gateway).login(&wrong);
    }
    let mut peer = TestClient::connect(&gateway);
    let answer = peer.login(&params());
    assert_eq!(answer["error"]["details"]["code"], "AUTH_RATE_LIMITED");
    assert_eq!(answer["error"]["retryAfterMs"], 300_000);
    assert_eq!(answer["error"]["retryable"], true);
    assert_eq!(
        peer.seen().refusal.map(|r| r.class),
        Some(RefusalClass::RateLimited)
    );
}

#[test]
fn silence_until_the_handshake_timeout_is_closed_with_1000_and_no_reason() {
    let mut peer = TestClient::connect(&gateway(|_, _| {}));
    peer.pass(Instant::from_millis(14_999));
    assert_eq!(peer.got.len(), 1);
    peer.pass(Instant::from_millis(15_000));
    assert_eq!(peer.closed(), (Some(1000), ""));
    assert!(peer.seen().handshake_timed_out);
    assert_eq!(peer.finish, None, "the echo is awaited for a second");
    peer.pass(Instant::from_millis(16_000));
    assert_eq!(peer.finish, Some(Finish::Fin));
    let seen = peer.seen();
    assert_eq!(
        (seen.ending, seen.ended_by, seen.stage),
        (EndingKind::Fin, Side::Server, Stage::Challenge)
    );
}

#[test]
fn all_sessions_tick_at_the_same_moment_and_seq_counts_on() {
    let gateway = gateway(|_, _| {});
    for start in [0, 7_000, 29_999] {
        let mut peer = TestClient::with(
            &gateway,
            Instant::from_millis(start),
            SessionOptions::default(),
            "",
        );
        peer.login(&params());
        peer.pass(Instant::from_millis(30_000));
        let ticks = peer.events_named("tick");
        assert_eq!(ticks.len(), 1, "{start}");
        assert_eq!(ticks[0]["payload"]["ts"], EPOCH_MS + 30_000);
        assert_eq!(ticks[0]["seq"], 1);
        peer.frame(OpCode::Control(Control::Pong), b"");
        peer.pass(Instant::from_millis(49_000));
        peer.frame(OpCode::Control(Control::Pong), b"");
        peer.pass(Instant::from_millis(60_000));
        let seqs: Vec<_> = peer
            .got
            .iter()
            .filter_map(|got| match got {
                Got::Json(value) => value["seq"].as_u64(),
                _ => None,
            })
            .collect();
        assert_eq!(seqs, [1, 2, 3], "tick, tick, health");
    }
}

#[test]
fn a_missing_pong_is_noticed_at_the_next_beat_and_cut_without_a_close_frame() {
    let mut peer = ready(&gateway(|_, _| {}));
    peer.pass(Instant::from_millis(49_999));
    assert_eq!(peer.got.iter().filter(|got| **got == Got::Ping).count(), 1);
    assert_eq!(peer.finish, None);
    peer.text(r#"{"type":"req","id":"x","method":"health"}"#);
    peer.pass(Instant::from_millis(50_000));
    assert_eq!(peer.finish, Some(Finish::Fin), "other traffic does not help");
    assert!(!peer.got.iter().any(|got| matches!(got, Got::Close(..))));
    let seen = peer.seen();
    let loss = seen.heartbeat_loss.unwrap();
    assert_eq!(
        (loss.missing_from, loss.silence),
        (Side::Client, Duration::from_secs(25))
    );
    assert_eq!(seen.unanswered_server_ping, Some(Duration::from_secs(25)));
    assert!(seen.close.is_none());
}

#[test]
fn a_ping_written_late_is_cut_one_beat_later() {
    let mut peer = ready(&gateway(|_, _| {}));
    // The process was busy at the first beat: the ping goes out 3 ms late, so at the second its 25 s are not over.
    peer.now = Instant::from_millis(25_003);
    peer.server.timer(peer.now, &mut peer.out);
    peer.take();
    peer.pass(Instant::from_millis(74_999));
    assert_eq!(peer.finish, None);
    peer.pass(Instant::from_millis(75_000));
    assert_eq!(peer.finish, Some(Finish::Fin));
}

#[test]
fn pongs_keep_a_session_alive() {
    let mut peer = ready(&gateway(|_, _| {}));
    for beat in 1..=8 {
        peer.pass(Instant::from_millis(beat * 25_000));
        peer.frame(OpCode::Control(Control::Pong), b"");
    }
    assert_eq!(peer.finish, None);
    assert_eq!(peer.got.iter().filter(|got| **got == Got::Ping).count(), 8);
    assert_eq!(peer.seen().unanswered_server_ping, None);
}

#[test]
fn requests_are_answered_and_refused_as_the_real_gateway_does() {
    let mut peer = ready(&gateway(|_, _| {}));
    assert_eq!(peer.request("health", &json!({}))["payload"]["ok"], true);
    assert_eq!(
        peer.request("status", &json!({}))["payload"]["runtimeVersion"],
        SERVER_VERSION
    );
    assert_eq!(peer.request("system-presence", &json!({}))["payload"], json!([]));
    assert_eq!(
        peer.request("node.list", &json!({}))["payload"]["nodes"],
        json!([])
    );
    assert_eq!(
        peer.request("ping", &json!({"echo": 7}))["payload"],
        json!({"echo": 7})
    );
    let unknown = peer.request("no.such.method", &json!({}));
    assert_eq!(unknown["error"]["code"], "INVALID_REQUEST");
    let restart = peer.request("gateway.restart.request", &json!({}));
    assert_eq!(restart["error"]["code"], "FORBIDDEN");
    assert_eq!(restart["error"]["message"], "missing scope: operator.admin");
    assert_eq!(restart["error"]["details"]["code"], "MISSING_SCOPE");
    peer.text("no json");
    assert!(
        peer.server.is_ready() && peer.finish.is_none(),
        "the session stays"
    );
}

#[test]
fn an_admin_can_ask_for_a_restart() {
    let gateway = gateway(|_, _| {});
    let mut admin = params();
    admin["scopes"] = json!(["operator.admin"]);
    let mut peer = TestClient::connect(&gateway);
    peer.login(&admin);
    assert_eq!(peer.request("gateway.restart.request", &json!({}))["ok"], true);
    assert!(gateway.authority.take_restart_request());
    assert!(!gateway.authority.take_restart_request());
}

#[test]
fn more_than_ten_calls_for_another_role_end_the_session() {
    let mut peer = ready(&gateway(|_, _| {}));
    for _ in 0..10 {
        let answer = peer.request("node.event", &json!({}));
        assert_eq!(answer["error"]["message"], "unauthorized role: operator");
    }
    assert!(!peer.server.is_ended());
    peer.request("node.event", &json!({}));
    assert_eq!(peer.closed(), (Some(1008), "repeated unauthorized calls"));
}

#[test]
fn a_restart_is_announced_to_accepted_clients_only() {
    let gateway = gateway(|_, _| {});
    let mut accepted = ready(&gateway);
    let mut waiting = TestClient::connect(&gateway);
    for peer in [&mut accepted, &mut waiting] {
        let stop = Stop::Restart { expected_ms: 1500 };
        peer.server.stop(peer.now, stop, &mut peer.out);
        peer.take();
        assert_eq!(peer.closed(), (Some(1012), "service restart"));
    }
    let shutdown = accepted.events_named("shutdown");
    assert_eq!(
        shutdown[0]["payload"],
        json!({"reason": "gateway restarting", "restartExpectedMs": 1500})
    );
    assert_eq!(shutdown[0]["seq"], 1);
    assert_eq!(accepted.seen().shutdown_announced, Some(true));
    assert!(waiting.events_named("shutdown").is_empty());
    assert_eq!(waiting.seen().shutdown_announced, None);
}

#[test]
fn large_messages_are_refused_by_stage() {
    let mut peer = TestClient::connect(&gateway(|_, _| {}));
    peer.frame(OpCode::Data(Data::Text), &vec![b' '; 64 * 1024 + 1]);
    assert_eq!(peer.closed(), (Some(1009), ""));
    assert!(peer.seen().violation.is_some());
    let mut peer = ready(&gateway(|_, _| {}));
    let padded = json!({"pad": "x".repeat(1 << 20)});
    assert_eq!(peer.request("ping", &padded)["payload"], padded);
}

#[test]
fn faults_before_the_answer() {
    let options = SessionOptions {
        challenge: Timing::Delayed(Duration::from_secs(3)),
        answer: Timing::Never,
        ..SessionOptions::default()
    };
    let mut peer = TestClient::with(&gateway(|_, _| {}), Instant::ORIGIN, options, "");
    assert!(peer.got.is_empty());
    peer.pass(Instant::from_millis(3000));
    assert_eq!(peer.events_named("connect.challenge").len(), 1);
    peer.text(&json!({"type": "req", "id": "c", "method": "connect", "params": params()}).to_string());
    peer.pass(Instant::from_millis(15_000));
    assert_eq!(
        peer.closed(),
        (Some(1000), ""),
        "no answer ever, so the handshake times out"
    );
    assert_eq!(peer.seen().stage, Stage::Auth);
}

#[test]
fn forced_refusals_mean_what_they_say() {
    for (refuse, class, close) in [
        (ForcedRefusal::Starting, RefusalClass::Unavailable, 1013),
        (ForcedRefusal::Restarting, RefusalClass::Unavailable, 1013),
        (ForcedRefusal::Busy, RefusalClass::Overloaded, 1013),
        (
            ForcedRefusal::Code(AUTH_RATE_LIMITED),
            RefusalClass::RateLimited,
            1008,
        ),
        (
            ForcedRefusal::Code(error_code::PROTOCOL_MISMATCH),
            RefusalClass::VersionMismatch,
            1002,
        ),
    ] {
        let options = SessionOptions {
            refuse: Some(refuse),
            ..SessionOptions::default()
        };
        let mut peer = TestClient::with(&gateway(|_, _| {}), Instant::ORIGIN, options, "");
        let answer = peer.login(&params());
        let told = refusal_of(&serde_json::from_value(answer["error"].clone()).unwrap());
        assert_eq!(told.class, class, "{refuse:?}");
        assert_eq!(
            peer.seen().refusal,
            Some(told),
            "both sides name the same refusal"
        );
        assert_eq!(peer.closed().0, Some(close));
    }
}

#[test]
fn the_sixteenth_waiting_message_ends_a_held_handshake() {
    let options = SessionOptions {
        answer: Timing::Never,
        ..SessionOptions::default()
    };
    let mut peer = TestClient::with(&gateway(|_, _| {}), Instant::ORIGIN, options, "");
    peer.text(&json!({"type": "req", "id": "c", "method": "connect", "params": params()}).to_string());
    for _ in 0..15 {
        peer.text("{}");
    }
    assert_eq!(peer.got.len(), 1);
    peer.text("{}");
    assert_eq!(peer.closed(), (Some(1008), "too many pending handshake frames"));
}

#[test]
fn refused_clients_are_logged_without_their_secrets() {
    let mut peer = TestClient::connect(&gateway(|_, _| {}));
    let mut wrong = params();
    wrong["auth"]["token"] = json!("s3cret-guess");
    wrong["client"]["version"] = json!("1.0\nfake line");
    peer.login(&wrong);
    let lines: Vec<_> = peer
        .events
        .iter()
        .filter_map(|event| match event {
            ServerEvent::Log(line) => Some(line.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("client=gateway-client backend") && lines[0].contains("reason=token_mismatch"));
    assert!(!lines[0].contains("s3cret") && !lines[0].contains('\n'));
}

#[test]
fn an_idle_accepted_session_is_small() {
    let own = size_of::<ServerConnection<Server>>();
    assert!(own < 600, "{own} bytes");
}

proptest::proptest! {
    #[test]
    fn no_message_makes_the_server_panic_or_go_on_after_its_close(
        texts in proptest::collection::vec(".{0,80}|\\{\"type\":\"req\",\"id\":\"[a-z]?\",\"method\":\"(connect|health|x)\",\"params\":(\\{\\}|null|[0-9]|\\{\"minProtocol\":4\\})\\}", 1..6),
    ) {
        let mut peer = TestClient::connect(&gateway(|_, _| {}));
        for text in &texts {
            peer.text(text);
        }
        proptest::prop_assert!(!peer.server.is_ready());
        let closes = peer.got.iter().filter(|got| matches!(got, Got::Close(..))).count();
        proptest::prop_assert_eq!(closes, 1);
        peer.pass(Instant::from_millis(1000));
        proptest::prop_assert_eq!(peer.finish, Some(Finish::Fin));
    }
}

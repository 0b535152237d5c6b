//! Who gets in, and how the others are refused.

use super::super::error_code::AUTH_TOKEN_MISMATCH;
use super::*;

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
    admin["scopes"] = json!(["operator.pairing", "operator.admin"]);
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
    let code = gateway.setup_code(Instant::ORIGIN, "ws://127.0.0.1:1", SetupProfile::Full);
    let identity = Identity::derive(5, 1);
    let mut sent = client("openclaw-android", "node");
    sent["role"] = json!("node");
    sent["scopes"] = json!([]);
    sent["client"]["platform"] = json!("android 15");
    sent["auth"] = json!({"bootstrapToken": code.bootstrap_token.expose()});
    // Whoever is no phone waits for approval, and may come again with the same code.
    let mut other = sent.clone();
    other["client"]["platform"] = json!("linux");
    let mut peer = TestClient::connect(&gateway);
    let answer = peer.login(&signed(other, &identity, &peer.nonce(), EPOCH_MS, 3));
    let details = &answer["error"]["details"];
    assert_eq!(details["code"], "PAIRING_REQUIRED");
    assert_eq!(
        (&details["recommendedNextStep"], &details["pauseReconnect"]),
        (&json!("wait_then_retry"), &json!(false))
    );
    let family = |params: Value, nonce: &str| {
        let mut signed = signed_for(params, &identity, nonce, "android");
        signed["client"]["deviceFamily"] = json!("Android");
        signed
    };
    let mut peer = TestClient::connect(&gateway);
    let answer = peer.login(&family(sent.clone(), &peer.nonce()));
    let auth = &answer["payload"]["auth"];
    assert_eq!(auth["method"], "bootstrap-token");
    assert_eq!(auth["deviceTokens"][0]["role"], "operator");
    assert_ne!(auth["deviceTokens"][0]["deviceToken"], auth["deviceToken"]);
    let mut again = TestClient::connect(&gateway);
    let answer = again.login(&family(sent.clone(), &again.nonce()));
    assert_eq!(answer["error"]["details"]["code"], "AUTH_BOOTSTRAP_TOKEN_INVALID");
    // The other role's token lets the same device in as an operator.
    let mut operator = sent;
    operator["role"] = json!("operator");
    operator["scopes"] = json!(["operator.read"]);
    operator["auth"] = json!({"deviceToken": auth["deviceTokens"][0]["deviceToken"]});
    let mut peer = TestClient::connect(&gateway);
    let answer = peer.login(&family(operator, &peer.nonce()));
    assert_eq!(answer["payload"]["auth"]["method"], "device-token");
}

#[test]
fn a_revoked_token_ends_the_sessions_of_its_role_and_no_others() {
    let gateway = gateway(|_, _| {});
    let identity = Identity::derive(6, 1);
    let admin_of = |gateway| {
        let mut params = params();
        params["scopes"] = json!(["operator.admin", "operator.pairing"]);
        let mut peer = TestClient::connect(gateway);
        assert_eq!(peer.login(&params)["ok"], true);
        peer
    };
    let mut admin = admin_of(&gateway);
    let session = |role: &str, id: &str, scopes: Value| {
        let mut params = client(id, if role == "node" { "node" } else { "cli" });
        params["role"] = json!(role);
        params["scopes"] = scopes;
        let mut peer = TestClient::connect(&gateway);
        let answer = peer.login(&signed(params, &identity, &peer.nonce(), EPOCH_MS, 3));
        (peer, answer["payload"]["auth"]["deviceToken"].clone())
    };
    let (mut operator, token) = session("operator", "cli", json!(["operator.read"]));
    let (mut node, _) = session("node", "node-host", json!([]));
    let revoke = json!({"deviceId": identity.device_id, "role": "operator"});
    let answer = admin.request("device.token.revoke", &revoke);
    assert_eq!(answer["payload"]["role"], "operator", "{answer}");
    let called: Vec<_> = admin
        .events
        .iter()
        .filter(|event| matches!(event, ServerEvent::TookOver { .. }))
        .collect();
    assert_eq!(called.len(), 1);
    operator.pass(Instant::from_millis(1));
    node.pass(Instant::from_millis(1));
    assert_eq!(operator.closed(), (Some(4001), "device removed"));
    assert!(node.server.deadline() > Some(Instant::from_millis(1)));
    // The token is dead, and the shared secret brings another only when somebody approves.
    let mut params = client("cli", "cli");
    params["auth"] = json!({"deviceToken": token});
    let mut peer = TestClient::connect(&gateway);
    let answer = peer.login(&signed(params, &identity, &peer.nonce(), EPOCH_MS, 3));
    assert_eq!(answer["error"]["details"]["code"], "AUTH_DEVICE_TOKEN_MISMATCH");
}

#[test]
fn who_may_not_manage_a_device_changes_nothing() {
    let gateway = gateway(|_, authority| authority.auto_approve_local = false);
    let identity = Identity::derive(7, 1);
    let mut node = client("node-host", "node");
    node["role"] = json!("node");
    node["scopes"] = json!([]);
    let mut peer = TestClient::connect(&gateway);
    let answer = peer.login(&signed(node, &identity, &peer.nonce(), EPOCH_MS, 3));
    let request = answer["error"]["details"]["requestId"].clone();
    let mut without_admin = params();
    without_admin["scopes"] = json!(["operator.pairing"]);
    let mut peer = TestClient::connect(&gateway);
    peer.login(&without_admin);
    let denied = peer.request("device.pair.approve", &json!({"requestId": request}));
    assert_eq!(denied["error"]["message"], "device pairing approval denied");
    for (method, params) in [
        (
            "device.token.revoke",
            json!({"deviceId": identity.device_id, "role": "node"}),
        ),
        (
            "device.token.rotate",
            json!({"deviceId": identity.device_id, "role": "node"}),
        ),
        ("device.pair.remove", json!({"deviceId": "nobody"})),
        ("device.pair.approve", json!({})),
        ("device.pair.setupCode", json!({"bootstrapProfile": "root"})),
        ("device.pair.setupCode", json!({"publicUrl": "http://127.0.0.1"})),
    ] {
        assert_eq!(peer.request(method, &params)["ok"], false, "{method}");
    }
    let rejected = peer.request("device.pair.reject", &json!({"requestId": request}));
    assert_eq!(rejected["payload"]["deviceId"], identity.device_id);
    let code = peer.request("device.pair.setupCode", &json!({"publicUrl": "ws://127.0.0.1:5"}));
    let text = code["payload"]["setupCode"].as_str().unwrap();
    assert_eq!(
        SetupCode::decode(text, Some(EPOCH_MS)).unwrap().url,
        "ws://127.0.0.1:5"
    );
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

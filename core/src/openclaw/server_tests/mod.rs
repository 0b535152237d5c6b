//! The server machine over bytes, with a virtual clock: what the real gateway was seen to answer.

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

mod live;
mod login;

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
        write_request(
            &mut request,
            "127.0.0.1:18789",
            "/",
            &[],
            "lab/1.0",
            None,
            [7; 16],
        );
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
fn signed(params: Value, identity: &Identity, nonce: &str, signed_at_ms: i64, version: u8) -> Value {
    proof(params, identity, nonce, (signed_at_ms, version), "")
}

/// The same for a client with a device family.
fn signed_for(params: Value, identity: &Identity, nonce: &str, device_family: &str) -> Value {
    proof(params, identity, nonce, (EPOCH_MS, 3), device_family)
}

fn proof(
    mut params: Value,
    identity: &Identity,
    nonce: &str,
    (signed_at_ms, version): (i64, u8),
    device_family: &str,
) -> Value {
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
        device_family,
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

//! An administrator of an OpenClaw gateway, made without this project's client: JSON over somebody else's WebSocket.

use serde_json::{Value, json};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

/// No answer of a gateway takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// An accepted session with all scopes that pairing needs.
pub struct Admin {
    socket: WebSocket<TcpStream>,
    next: u32,
}

impl Admin {
    /// Connects with the shared token.
    ///
    /// # Panics
    /// If it is not let in.
    pub fn connect(url: &str, token: &str) -> Self {
        let address = url.trim_start_matches("ws://").trim_end_matches('/');
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let (socket, _) = client(format!("ws://{address}/"), stream).expect("an upgrade");
        let mut admin = Self { socket, next: 0 };
        let accepted = admin.call(
            "connect",
            &json!({"minProtocol": 4, "maxProtocol": 4, "role": "operator", "caps": [],
                "scopes": ["operator.read", "operator.admin", "operator.pairing"],
                "client": {"id": "gateway-client", "version": "1.0.0", "platform": "linux", "mode": "backend"},
                "auth": {"token": token}}),
        );
        assert_eq!(accepted["type"], "hello-ok", "{accepted}");
        admin
    }

    /// Calls a method and returns its payload.
    ///
    /// # Panics
    /// If it fails, or gets no answer in time.
    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let id = format!("a{}", self.next);
        let text = json!({"type": "req", "id": id, "method": method, "params": params}).to_string();
        self.socket.send(Message::text(text)).expect("a request sent");
        loop {
            let Message::Text(text) = self.socket.read().expect("an answer in time") else {
                continue;
            };
            let frame: Value = serde_json::from_str(&text).expect("JSON");
            if frame["id"] == id.as_str() {
                assert_eq!(frame["ok"], true, "{method}: {frame}");
                return frame["payload"].clone();
            }
        }
    }

    /// Waits until a device waits for approval, and returns its entry.
    ///
    /// # Panics
    /// If none does in time.
    pub fn wait_for_pending(&mut self) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let pending = self.call("device.pair.list", &json!({}))["pending"][0].clone();
            if pending.is_object() {
                return pending;
            }
            assert!(Instant::now() < deadline, "no device asks for approval");
        }
    }
}

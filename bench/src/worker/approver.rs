//! The admin session of `--pairing approve`: it approves what the worker's own sessions asked for.

use super::link::Stream;
use super::{Kind, Worker};
use clw_core::openclaw::{self, ClientInfo, Credentials};
use clw_core::secret::Secret;
use clw_core::session::{ClientConnection, ClientEvent, Outbox};
use clw_core::verdict::{Verdict, classify};
use clw_core::{Dialect, Stage};
use serde_json::json;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};

/// Approvals under way at once; more wait their turn.
const MAX_UNDER_WAY: usize = 64;
/// After an admin session that ended, the next one waits so long.
const PAUSE: Duration = Duration::from_millis(500);

/// A request for approval, and who waits for it.
pub(super) struct Request {
    /// `details.requestId`.
    pub id: String,
    /// Told whether it was approved; nothing, if there is no telling.
    pub answer: oneshot::Sender<bool>,
}

/// Approves until nobody can ask any more.
pub(super) async fn run(
    worker: Rc<Worker>,
    mut token: Secret,
    mut requests: mpsc::UnboundedReceiver<Request>,
) {
    // An admin session that is not needed is not opened.
    let Some(first) = requests.recv().await else {
        return;
    };
    let mut due = VecDeque::from([first]);
    let openclaw = worker
        .plan
        .mixes
        .iter()
        .position(|mix| mix.dialect == Dialect::Openclaw);
    let kind = worker.kinds[openclaw.unwrap_or(0).min(worker.kinds.len() - 1)].clone();
    let config = Arc::new(config());
    for number in 0.. {
        let proof = Credentials {
            token: Some(token.clone()),
            ..Credentials::default()
        };
        let client = openclaw::Client::new(config.clone(), Arc::new(proof));
        let mut connection =
            ClientConnection::new(kind.connection.clone(), Box::new(client), worker.clock.now());
        if let Some(stream) = open(&worker, &kind, number).await {
            serve(&worker, &mut connection, stream, &mut requests, &mut due).await;
        }
        // A gateway that restarts is no mistake of this run; a token that is none of an administrator's is, unless the gateway
        // has changed it.
        let now = worker.clock.now();
        let verdict = classify(&connection.observation(now)).verdict;
        let was_refused = matches!(verdict, Verdict::AuthFailed | Verdict::PairingRequired);
        if was_refused && connection.entered(Stage::Ready).is_none() {
            match worker.devices.next_token(now).filter(|next| *next != token) {
                Some(next) => token = next,
                None => worker.tally.borrow_mut().generator_error("admin session refused"),
            }
        }
        // Whoever does not wait any more needs no approval.
        due.retain(|request| !request.answer.is_closed());
        if requests.is_closed() && due.is_empty() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn config() -> openclaw::ClientConfig {
    openclaw::ClientConfig {
        client: ClientInfo {
            id: "gateway-client".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            platform: "linux".to_owned(),
            mode: "backend".to_owned(),
            display_name: None,
            device_family: None,
            model_identifier: None,
            build_id: None,
            time_zone: None,
            instance_id: None,
        },
        role: "operator".to_owned(),
        scopes: ["operator.read", "operator.admin", "operator.pairing"]
            .map(str::to_owned)
            .to_vec(),
        protocols: (4, 4),
        user_agent: Some(concat!("clw-bench/", env!("CARGO_PKG_VERSION"), " admin").to_owned()),
        ping_period: Some(Duration::from_secs(25)),
        ping_timeout: Duration::from_secs(10),
        leave_code: 1000,
        watch_ticks: true,
        flaw: None,
    }
}

async fn open(worker: &Worker, kind: &Kind, number: u64) -> Option<Stream> {
    let target = &kind.target;
    let tcp = target.connect(number).await.ok()?;
    if target.is_plain() {
        return Some(Stream::Plain(tcp.stream));
    }
    target.layer(tcp.stream, number, worker.clock).await.ok()
}

/// One admin session, to its end.
async fn serve(
    worker: &Worker,
    connection: &mut ClientConnection,
    mut stream: Stream,
    requests: &mut mpsc::UnboundedReceiver<Request>,
    due: &mut VecDeque<Request>,
) {
    let mut out = Outbox::client(worker.plan.seed);
    let mut buffer = vec![0; 16 * 1024];
    let mut under_way: HashMap<u16, Request> = HashMap::new();
    let (mut next_call, mut is_asked) = (0_u16, true);
    connection.connected(worker.clock.now(), worker.next_nonce(), &mut out);
    loop {
        for event in out.events.drain(..) {
            match event {
                ClientEvent::Answered { call, ok, .. } => {
                    if let Some(request) = under_way.remove(&call) {
                        let _ = request.answer.send(ok);
                    }
                }
                ClientEvent::Unanswered { call } => drop(under_way.remove(&call)),
                _ => {}
            }
        }
        let sent = out.bytes.is_empty()
            || stream.write_all(&out.bytes).await.is_ok() && stream.flush().await.is_ok();
        out.clear();
        if !sent || connection.is_over() {
            break;
        }
        let now = worker.clock.now();
        if connection.is_ready() {
            while under_way.len() < MAX_UNDER_WAY
                && let Some(request) = due.pop_front()
            {
                let params = json!({"requestId": request.id}).to_string();
                connection.request(now, next_call, now, "device.pair.approve", &params, &mut out);
                under_way.insert(next_call, request);
                next_call = next_call.wrapping_add(1);
            }
            if !is_asked && due.is_empty() && under_way.is_empty() {
                connection.log_out(now, &mut out);
            }
            if !out.bytes.is_empty() {
                continue;
            }
        }
        let deadline = connection.deadline().map(|at| worker.clock.at(at));
        let timer = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = stream.read(&mut buffer) => {
                let now = worker.clock.now();
                match read {
                    Ok(count @ 1..) => connection.receive(now, &mut buffer[..count], &mut out),
                    _ => break,
                }
            }
            () = timer => connection.timer(worker.clock.now(), &mut out),
            request = requests.recv(), if is_asked => match request {
                Some(request) => due.push_back(request),
                None => is_asked = false,
            },
        }
    }
    // What got no answer is asked again by the next admin session.
    due.extend(under_way.into_values());
}

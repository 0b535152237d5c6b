//! Renewing a ClawChat session's tokens over REST, beside its connection or between two.

use super::clock::Clock;
use super::link::{LinkError, Stream};
use super::{Kind, Worker};
use clw_core::clawchat::{
    Account, MAX_REFRESH_BODY_BYTES, Outcome, REFRESH_PATH, RefreshAnswer, RefreshCall, RefreshRequest,
};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Real clients wait so long for the endpoint (protocol page).
const TIMEOUT: Duration = Duration::from_secs(15);

/// Renews, if that may begin now; `None` if not: one is under way, or the last was too short ago.
pub(super) async fn renew(
    kind: Rc<Kind>,
    account: Arc<Account>,
    number: u64,
    clock: Clock,
    seed: u64,
) -> Option<Outcome> {
    let mut call = account.begin_refresh(clock.now())?;
    let answer = match call.answered.take() {
        Some(answer) => answer,
        None => match tokio::time::timeout(TIMEOUT, ask(&kind, &call, number, clock, seed)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(what)) => RefreshAnswer::transient(what),
            Err(_) => RefreshAnswer::transient("no answer within 15 s"),
        },
    };
    // A load generator's sessions end with it: there is nowhere to keep their tokens but here.
    Some(account.finish_refresh(answer, |_| Ok(())))
}

/// Renews while the session goes on; its machine watches the account.
pub(super) fn begin(worker: &Worker, mix: usize, number: u64, account: Arc<Account>) {
    let kind = worker.kinds[mix.min(worker.kinds.len() - 1)].clone();
    let (clock, seed) = (worker.clock, worker.seed_of(number));
    tokio::task::spawn_local(async move {
        renew(kind, account, number, clock, seed).await;
    });
}

async fn ask(
    kind: &Kind,
    call: &RefreshCall,
    number: u64,
    clock: Clock,
    seed: u64,
) -> Result<RefreshAnswer, String> {
    let target = &kind.target;
    let tcp = target.connect(number).await.map_err(|e| link_words(&e))?;
    let stream = if target.is_plain() {
        Stream::Plain(tcp.stream)
    } else {
        target
            .layer(tcp.stream, seed, clock)
            .await
            .map_err(|e| link_words(&e))?
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| e.to_string())?;
    // Ends by itself: with the answer, or with the sender.
    tokio::task::spawn_local(connection);
    let request = Request::builder()
        .method(Method::POST)
        .uri(REFRESH_PATH)
        .header(HOST, &kind.connection.host)
        .header(CONTENT_TYPE, "application/json")
        .header("X-Device-Id", &*call.device)
        .body(Full::new(Bytes::from(
            RefreshRequest::new(&call.refresh_token).body(),
        )))
        .map_err(|e| e.to_string())?;
    let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), MAX_REFRESH_BODY_BYTES)
        .collect()
        .await
        .map_err(|e| e.to_string())?;
    Ok(RefreshAnswer::read(status, &body.to_bytes()))
}

fn link_words(error: &LinkError) -> String {
    match error {
        LinkError::Generator(name) => format!("this machine: {name}"),
        LinkError::Connect(how) => format!("connect: {how:?}"),
        LinkError::Lost(error) => error.to_string(),
        LinkError::Tls(what) => what.clone(),
    }
}

//! `--otlp`: pushes the figures to a collector, in the background. One that is slow or away misses figures and slows nothing:
//! the latest figures replace those that wait.

use super::otlp::{Resource, request};
use super::{Families, Family};
use crate::plan::{OtlpEndpoint, is_local_or_private};
use crate::tls::{self, TlsError, Trust};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message as _;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// For one push, from the look-up of the name to the last byte of the answer.
const PUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the end of a run waits for the last push.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);
/// An answer is a few bytes; a collector that says more is not listened to.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// A collector that is being told.
pub struct Push {
    latest: watch::Sender<Families>,
    task: JoinHandle<()>,
    outcome: Arc<Mutex<Outcome>>,
    shown: String,
}

/// How the pushes went.
#[derive(Clone, Debug, Default)]
struct Outcome {
    arrived: u64,
    failed: u64,
    /// Why the last one failed that did.
    why: String,
    /// Whether the figures that were pushed last arrived.
    complete: bool,
}

impl Push {
    /// Begins; the first push is of the first figures published.
    pub fn start(to: OtlpEndpoint, resource: Resource) -> Result<Self, TlsError> {
        let tls = if to.tls {
            Some(tls::client_config(&Trust::System, None)?)
        } else {
            None
        };
        let shown = to.to_string();
        let (latest, families) = watch::channel(Families::default());
        let outcome = Arc::new(Mutex::new(Outcome::default()));
        let collector = Collector { to, tls, resource };
        let task = tokio::spawn(run(collector, families, outcome.clone()));
        Ok(Self {
            latest,
            task,
            outcome,
            shown,
        })
    }

    /// What is pushed next.
    pub fn publish(&self, families: Families) {
        self.latest.send_replace(families);
    }

    /// Waits a moment for the last figures to arrive; a warning if not all did.
    pub async fn finish(self) -> Option<String> {
        // The task pushes what it has not seen, and ends.
        drop(self.latest);
        let mut task = self.task;
        if tokio::time::timeout(LAST_TIMEOUT, &mut task).await.is_err() {
            task.abort();
            let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
            outcome.failed += 1;
            outcome.complete = false;
            outcome.why = format!("no answer within {} s", LAST_TIMEOUT.as_secs());
        }
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        if outcome.failed == 0 {
            return None;
        }
        let end = if outcome.complete {
            "the last one arrived, so its totals are complete"
        } else {
            "the collector lacks the final figures"
        };
        Some(format!(
            "--otlp {}: {} of {} pushes failed ({}); {end}",
            self.shown,
            outcome.failed,
            outcome.failed + outcome.arrived,
            outcome.why
        ))
    }
}

async fn run(collector: Collector, mut families: watch::Receiver<Families>, outcome: Arc<Mutex<Outcome>>) {
    while families.changed().await.is_ok() {
        let latest = families.borrow_and_update().clone();
        let pushed = tokio::time::timeout(PUSH_TIMEOUT, collector.push(&latest)).await;
        let pushed = pushed.unwrap_or_else(|_| Err(format!("no answer within {} s", PUSH_TIMEOUT.as_secs())));
        let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
        outcome.complete = pushed.is_ok();
        match pushed {
            Ok(()) => outcome.arrived += 1,
            Err(why) => {
                outcome.failed += 1;
                outcome.why = why;
            }
        }
    }
}

struct Collector {
    to: OtlpEndpoint,
    tls: Option<Arc<ClientConfig>>,
    resource: Resource,
}

impl Collector {
    async fn push(&self, families: &[Family]) -> Result<(), String> {
        let body = request(families, &self.resource, SystemTime::now()).encode_to_vec();
        let stream = self.connect().await?;
        match &self.tls {
            None => self.post(stream, body).await,
            Some(config) => {
                let name =
                    ServerName::try_from(self.to.host.clone()).map_err(|e| format!("its name: {e}"))?;
                let tls = TlsConnector::from(config.clone()).connect(name, stream).await;
                self.post(tls.map_err(|e| format!("TLS: {e}"))?, body).await
            }
        }
    }

    async fn connect(&self) -> Result<TcpStream, String> {
        let found = tokio::net::lookup_host((self.to.host.as_str(), self.to.port)).await;
        let found = found.map_err(|e| format!("cannot find {}: {e}", self.to.host))?;
        let mut why = "its name has no address".to_owned();
        for address in found {
            if !self.to.tls && !self.to.headers.is_empty() && !is_local_or_private(address.ip()) {
                return Err(format!(
                    "{} is a public address, and the headers of OTEL_EXPORTER_OTLP_HEADERS do not go there unencrypted; use https://",
                    address.ip()
                ));
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => why = format!("connect to {address}: {error}"),
            }
        }
        Err(why)
    }

    async fn post(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        body: Vec<u8>,
    ) -> Result<(), String> {
        let words = |e: hyper::Error| e.to_string();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(words)?;
        // Ends by itself: with the answer, or with the sender.
        tokio::spawn(connection);
        let mut request = Request::post(&self.to.path)
            .header(HOST, self.to.authority())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(USER_AGENT, concat!("clw-bench/", env!("CARGO_PKG_VERSION")))
            .header(CONNECTION, "close");
        for (name, value) in &self.to.headers {
            request = request.header(name, value.expose());
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| e.to_string())?;
        let answer = sender.send_request(request).await.map_err(words)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(format!("HTTP {status}"));
        }
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
        let body = body.map_err(|e| format!("its answer: {e}"))?.to_bytes();
        // Not every collector answers with a message; one that does may have refused a part.
        match ExportMetricsServiceResponse::decode(body).map(|answer| answer.partial_success) {
            Ok(Some(partial)) if partial.rejected_data_points > 0 => Err(format!(
                "it refused {} values: {}",
                partial.rejected_data_points,
                printable(&partial.error_message)
            )),
            _ => Ok(()),
        }
    }
}

/// A collector's own words, kept short and without control characters.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

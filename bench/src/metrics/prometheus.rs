//! `--prometheus`: the figures as they are now, for whoever asks over HTTP.

use super::family::{Buckets, Family, Labels, Number, Point, Points, Unit};
use super::{BOUNDS_US, Families};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{self, Registry};
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;

/// Scrapers at once; the rest are turned away, so that their sockets do not take the sessions' descriptors.
const MAX_CONNECTIONS: usize = 32;
/// How long a request's head may take, and a kept connection may be silent.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// After an accept that failed, most likely for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The two text formats that Prometheus reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0, with units.
    OpenMetrics,
    /// The classic format, 0.0.4, for everybody who does not ask for the other.
    Classic,
}

impl Format {
    fn asked_for(accept: Option<&HeaderValue>) -> Self {
        let accept = accept.and_then(|value| value.to_str().ok()).unwrap_or_default();
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Classic
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// An HTTP server for scrapers, in the background of the current runtime until it is dropped.
pub struct Exposition {
    latest: watch::Sender<Families>,
    server: AbortHandle,
    /// Where it really listens (port 0 is resolved).
    pub address: SocketAddr,
}

impl Exposition {
    /// Listens; `first` is what is told until the first interval is over.
    pub async fn serve(address: SocketAddr, first: Families) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (latest, families) = watch::channel(first);
        let server = tokio::spawn(accept(listener, families)).abort_handle();
        Ok(Self {
            latest,
            server,
            address,
        })
    }

    /// What is told from now on.
    pub fn publish(&self, families: Families) {
        self.latest.send_replace(families);
    }
}

impl Drop for Exposition {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, families: watch::Receiver<Families>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            continue;
        };
        let families = families.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let answer = answer(&request, &families);
                async { Ok::<_, Infallible>(answer) }
            });
            // A scraper that breaks off or speaks something else is its own affair.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(MAX_HEAD_BYTES)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(place);
        });
    }
}

fn answer(request: &Request<Incoming>, families: &watch::Receiver<Families>) -> Response<Full<Bytes>> {
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            let format = Format::asked_for(request.headers().get(ACCEPT));
            let families = families.borrow().clone();
            (
                StatusCode::OK,
                HeaderValue::from_static(format.content_type()),
                encode(&families, format),
            )
        }
        (&Method::GET | &Method::HEAD, "/") => (
            StatusCode::OK,
            plain,
            "clw-bench: the metrics are at /metrics\n".to_owned(),
        ),
        (&Method::GET | &Method::HEAD, _) => (
            StatusCode::NOT_FOUND,
            plain,
            "not here: the metrics are at /metrics\n".to_owned(),
        ),
        _ => (
            StatusCode::METHOD_NOT_ALLOWED,
            plain,
            "only GET and HEAD\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

/// The whole exposition as text.
pub fn encode(families: &Families, format: Format) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Told(families.clone())));
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = match format {
        Format::OpenMetrics => text::encode(&mut text, &registry),
        Format::Classic => prometheus_text::encode(&mut text, &registry),
    };
    text
}

#[derive(Debug)]
struct Told(Families);

impl Collector for Told {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in self.0.iter() {
            let kind = match &family.points {
                Points::Counter(points) | Points::Gauge(points) if points.is_empty() => continue,
                Points::Histogram(points) if points.is_empty() => continue,
                Points::Info(labels) if labels.is_empty() => continue,
                Points::Counter(_) => MetricType::Counter,
                Points::Gauge(_) => MetricType::Gauge,
                Points::Histogram(_) => MetricType::Histogram,
                Points::Info(_) => MetricType::Info,
            };
            let unit = match family.unit {
                Unit::Count(_) => None,
                Unit::Seconds => Some(registry::Unit::Seconds),
                Unit::Bytes => Some(registry::Unit::Bytes),
            };
            let name = family.prometheus_name();
            let help = format!("{}.", family.help);
            family_points(
                family,
                encoder.encode_descriptor(&name, &help, unit.as_ref(), kind)?,
            )?;
        }
        Ok(())
    }
}

fn family_points(family: &Family, mut encoder: MetricEncoder<'_>) -> fmt::Result {
    match &family.points {
        Points::Counter(points) => each(&mut encoder, points, |mut e, value| match *value {
            Number::Whole(n) => e.encode_counter::<NoLabelSet, _, f64>(&n, None),
            Number::Real(x) => e.encode_counter::<NoLabelSet, _, f64>(&x, None),
        }),
        Points::Gauge(points) => each(&mut encoder, points, |mut e, value| match *value {
            Number::Whole(n) => e.encode_gauge(&n),
            Number::Real(x) => e.encode_gauge(&x),
        }),
        Points::Histogram(points) => each(&mut encoder, points, |mut e, value: &Buckets| {
            let bounds = BOUNDS_US.iter().map(|us| *us as f64 / 1e6);
            let buckets: Vec<_> = bounds
                .chain([f64::INFINITY])
                .zip(value.counts.iter().copied())
                .collect();
            e.encode_histogram::<NoLabelSet>(value.sum_s, value.count(), &buckets, None)
        }),
        Points::Info(labels) => encoder.encode_info(labels),
    }
}

fn each<T>(
    encoder: &mut MetricEncoder<'_>,
    points: &[Point<T>],
    encode: impl Fn(MetricEncoder<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for point in points {
        // A family without labels must not get an empty pair of braces.
        let labels: &Labels = &point.labels;
        encode(encoder.encode_family(labels)?, &point.value)?;
    }
    Ok(())
}

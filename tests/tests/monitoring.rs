//! Figures for monitoring systems, taken from runs that are going on.

#![expect(clippy::expect_used, reason = "a helper of a test may panic")]

use clw_e2e::{binary, clw_bench, count, result_of, signal};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, number_data_point};
use prost::Message as _;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A run in the background; killed when dropped.
struct Run(Child);

impl Run {
    /// Starts clw-bench with `--prometheus` on a free port, and tells which.
    fn start(args: &[&str]) -> (Self, SocketAddr) {
        let mut child = Command::new(binary("clw-bench"))
            .args(["--prometheus", "127.0.0.1:0"])
            .args(args)
            .env_remove("CLW_TOKEN")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("clw-bench");
        let mut said = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(
                said.read_line(&mut line).expect("a line") > 0,
                "no metrics were offered"
            );
            if let Some(url) = line.trim().strip_prefix("clw-bench: metrics at http://") {
                break url.strip_suffix("/metrics").expect("the path").parse();
            }
        };
        // What it says later must not fill its pipe.
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        (Self(child), address.expect("an address"))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ask(address: SocketAddr, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn scrape(address: SocketAddr, accept: &str) -> std::io::Result<String> {
    ask(
        address,
        &format!("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"),
    )
}

/// The value of a sample, named with its labels as they are written.
fn sample(text: &str, name: &str) -> Option<f64> {
    let line = text
        .lines()
        .find(|l| l.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
    line[name.len()..].trim().parse().ok()
}

/// Scrapes until the sample has the value, for at most half a minute.
fn wait_for(address: SocketAddr, name: &str, wanted: f64) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let text = scrape(address, "*/*").expect("metrics");
        let value = sample(&text, name);
        if value.is_some_and(|v| (v - wanted).abs() < 1e-9) {
            return text;
        }
        assert!(Instant::now() < deadline, "{name} is {value:?}, not {wanted}");
        thread::yield_now();
    }
}

#[test]
fn a_run_on_two_workers_can_be_scraped_while_it_goes_on() {
    let (mut run, address) = Run::start(&[
        "-q",
        "-c",
        "20",
        "-d",
        "5m",
        "--workers",
        "2",
        "--heartbeat",
        "200ms",
        "--threshold",
        "error_rate<1%",
        "--token",
        "s3cret-in-no-metric",
        "--json",
        "-",
    ]);
    let text = wait_for(address, "clw_bench_sessions{state=\"ready\"}", 20.0);
    assert!(
        text.starts_with("HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4"),
        "{text}"
    );
    for (name, value) in [
        ("clw_bench_sessions_started_total", 20.0),
        ("clw_bench_verdicts_total{verdict=\"clw-auth-failed\"}", 0.0),
        ("clw_bench_ready_seconds_bucket{le=\"+Inf\"}", 20.0),
        ("clw_bench_ready_seconds_count", 20.0),
        ("clw_bench_stage_seconds_count{stage=\"auth\"}", 20.0),
        ("clw_bench_threshold_passed{threshold=\"error_rate<1%\"}", 1.0),
    ] {
        assert_eq!(sample(&text, name), Some(value), "{name} in {text}");
    }
    assert!(!text.contains("s3cret"), "{text}");
    let open = scrape(address, "application/openmetrics-text;version=1.0.0").expect("metrics");
    assert!(
        open.contains("# UNIT clw_bench_ready_seconds seconds\n"),
        "{open}"
    );
    assert!(open.trim_end().ends_with("# EOF"), "{open}");
    let other = ask(address, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(other.expect("an answer").starts_with("HTTP/1.1 404 "));
    let post = ask(
        address,
        "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
    assert!(post.expect("an answer").starts_with("HTTP/1.1 405 "));
    signal(&run.0, "-INT");
    let mut result = String::new();
    let mut out = run.0.stdout.take().expect("piped");
    out.read_to_string(&mut result).expect("the result");
    let result: Value = serde_json::from_str(&result).expect("JSON");
    assert_eq!(count(&result, "/verdicts/ok"), 20);
    assert!(scrape(address, "*/*").is_err(), "nothing answers after the run");
}

#[test]
fn an_address_that_is_taken_is_told_before_the_run() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let output = clw_bench(&["-c", "1", "-n", "1", "--prometheus", &address]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains(&format!("cannot serve --prometheus at {address}")),
        "{said}"
    );
    assert!(!said.contains("How sessions ended"), "{said}");
}

/// What a collector was sent: the head of a request, and its figures.
type Pushed = (String, ExportMetricsServiceRequest);

/// A collector that decodes what it is sent and answers with `status`.
fn collector(status: &'static str) -> (String, Receiver<Pushed>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.expect("a connection"));
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                stream.read_line(&mut head).expect("a line");
            }
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .expect("a length");
            let mut body = vec![0; length.parse().expect("a number")];
            stream.read_exact(&mut body).expect("a body");
            let request = ExportMetricsServiceRequest::decode(body.as_slice()).expect("OTLP");
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            stream.get_mut().write_all(answer.as_bytes()).expect("answered");
            if tell.send((head, request)).is_err() {
                return;
            }
        }
    });
    (format!("http://{address}"), told)
}

fn metric<'a>(request: &'a ExportMetricsServiceRequest, name: &str) -> &'a Metric {
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    metrics
        .iter()
        .find(|metric| metric.name == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

/// The whole number with this attribute (or without any) of a sum.
fn sum(request: &ExportMetricsServiceRequest, name: &str, attribute: Option<&str>) -> i64 {
    let Some(Data::Sum(sum)) = &metric(request, name).data else {
        panic!("{name} is no sum");
    };
    assert!(sum.is_monotonic && sum.aggregation_temporality == 2, "{name}");
    let point = sum.data_points.iter().find(|point| match attribute {
        None => point.attributes.is_empty(),
        Some(value) => format!("{:?}", point.attributes).contains(&format!("\"{value}\"")),
    });
    match point.and_then(|point| point.value) {
        Some(number_data_point::Value::AsInt(n)) => n,
        other => panic!("{name} {attribute:?} is {other:?}"),
    }
}

#[test]
fn a_collector_gets_figures_while_the_run_goes_on_and_its_totals_at_the_end() {
    let (url, told) = collector("200 OK");
    let output = Command::new(binary("clw-bench"))
        .args(["-c", "10", "-n", "30", "--hold", "1200ms", "--workers", "2"])
        .args(["--fault", "refuse:20%", "--json", "-", "--otlp", &url])
        .env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hush-hush")
        .env_remove("CLW_TOKEN")
        .output()
        .expect("clw-bench");
    let result: Value = serde_json::from_slice(&output.stdout).expect("a result");
    for shown in [&output.stdout, &output.stderr] {
        assert!(!String::from_utf8_lossy(shown).contains("hush"));
    }
    assert_eq!(result["warnings"], Value::Array(Vec::new()));
    let pushed: Vec<Pushed> = told.try_iter().collect();
    assert!(pushed.len() >= 3, "{} pushes", pushed.len());
    for (head, _) in &pushed {
        assert!(head.starts_with("POST /v1/metrics HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("authorization: Bearer hush-hush\r\n"), "{head}");
    }
    let (_, last) = pushed.last().expect("a push");
    let whole = |pointer| i64::try_from(count(&result, pointer)).expect("small");
    assert_eq!(sum(last, "clw.bench.sessions.started", None), 30);
    assert_eq!(sum(last, "clw.bench.verdicts", Some("ok")), whole("/verdicts/ok"));
    assert_eq!(
        sum(last, "clw.bench.verdicts", Some("clw-auth-failed")),
        whole("/verdicts/clw-auth-failed")
    );
    assert_eq!(
        sum(last, "clw.bench.traffic", Some("received")),
        whole("/bytes/received")
    );
    let Some(Data::Histogram(ready)) = &metric(last, "clw.bench.ready").data else {
        panic!("no histogram");
    };
    let ready = &ready.data_points[0];
    assert_eq!(ready.count, count(&result, "/latency_us/ready/count"));
    assert_eq!(ready.bucket_counts.iter().sum::<u64>(), ready.count);
    assert_eq!(ready.bucket_counts.len(), ready.explicit_bounds.len() + 1);
    let resource = format!("{:?}", last.resource_metrics[0].resource);
    assert!(resource.contains("service.instance.id"), "{resource}");
}

#[test]
fn a_collector_that_is_away_refuses_or_says_nothing_costs_a_warning_and_no_more() {
    let free = TcpListener::bind("127.0.0.1:0")
        .and_then(|port| port.local_addr())
        .expect("a port");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_at = silent.local_addr().expect("its address");
    let (refusing, _told) = collector("401 Unauthorized");
    for (url, why) in [
        (format!("http://{free}"), "Connection refused"),
        (format!("http://{silent_at}"), "no answer within 2 s"),
        (refusing, "HTTP 401 Unauthorized"),
    ] {
        let (result, code) = result_of(&["-c", "5", "-n", "10", "--otlp", &url]);
        assert_eq!(code, 0, "{url}");
        assert_eq!(count(&result, "/verdicts/ok"), 10);
        let warnings = result["warnings"].to_string();
        assert!(
            warnings.contains(&format!("--otlp {url}/v1/metrics: ")) && warnings.contains(why),
            "{warnings}"
        );
    }
}

//! What a run writes.

#![expect(clippy::expect_used, reason = "a helper of a test may panic")]

use clw_core::journal::Line;
use clw_e2e::{Gateway, clw_bench, count, repository, result_of, verdicts};
use serde_json::Value;
use std::net::SocketAddr;

#[test]
fn a_crossed_threshold_is_99_and_the_result_says_which() {
    let (result, code) = result_of(&[
        "-c",
        "5",
        "-n",
        "10",
        "--threshold",
        "uptime>=99%",
        "--threshold",
        "completed>=11",
    ]);
    assert_eq!(code, 99);
    assert_eq!(result["passed"], false);
    assert_eq!(result["thresholds"][0]["passed"], true);
    assert_eq!(result["thresholds"][1]["passed"], false);
}

#[test]
fn the_journal_has_a_line_for_each_connection_and_no_secret_is_anywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("run.jsonl");
    let path = journal.to_str().expect("a path");
    let secret = "s3cret-in-no-output";
    let output = clw_bench(&[
        "-v",
        "-c",
        "3",
        "-n",
        "7",
        "--token",
        secret,
        "--journal",
        path,
        "--json",
        "-",
    ]);
    assert_eq!(output.status.code(), Some(0));
    let text = std::fs::read_to_string(&journal).expect("the journal");
    for shown in [
        &text,
        &String::from_utf8_lossy(&output.stdout).into_owned(),
        &String::from_utf8_lossy(&output.stderr).into_owned(),
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(text.contains("sha256:"));
    let lines: Vec<Line> = text.lines().map(|l| Line::parse(l).expect("a line")).collect();
    assert!(matches!(lines.first(), Some(Line::Header(_))));
    assert!(matches!(lines.last(), Some(Line::Trailer(t)) if t.sessions == 7 && !t.interrupted));
    // The last snapshot too: a dashboard that replays this tells times of day to the end.
    let began: std::collections::BTreeSet<u64> = lines
        .iter()
        .filter_map(|l| match l {
            Line::Header(header) => Some(header.started_unix_us),
            Line::Snapshot(snapshot) => Some(snapshot.began_unix_us),
            _ => None,
        })
        .collect();
    assert!(began.len() == 1 && !began.contains(&0), "{began:?}");
    let clients: std::collections::BTreeSet<SocketAddr> = lines
        .iter()
        .filter_map(|l| match l {
            Line::Session(record) => record.client,
            _ => None,
        })
        .collect();
    assert_eq!(clients.len(), 7, "each connection with its own address and port");
}

#[test]
fn results_that_cannot_be_written_are_told_before_the_run() {
    let output = clw_bench(&["-c", "1", "-n", "1", "--json", "/no/such/folder/r.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/folder/r.json"));
}

#[test]
fn outputs_for_spreadsheets_and_hdr_tools_are_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let (csv, hdr) = (file("run.csv"), file("run.hlog"));
    let output = clw_bench(&["-q", "-c", "5", "-n", "20", "--csv", &csv, "--hdr", &hdr]);
    assert_eq!(output.status.code(), Some(0));
    let rows = std::fs::read_to_string(&csv).expect("the CSV");
    assert!(rows.starts_with("elapsed_s,"), "{rows}");
    assert!(
        rows.lines().last().is_some_and(|last| last.contains(",20,20,")),
        "{rows}"
    );
    let log = std::fs::read_to_string(&hdr).expect("the log");
    assert!(log.contains("Tag=ready,"), "{log}");
}

#[test]
fn tls_secrets_reach_the_key_log_and_nothing_else_does() {
    let gateway = Gateway::start(&["--tls-self-signed"]);
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keys.log");
    let path = keys.to_str().expect("a path");
    let (_, code) = result_of(&[
        "-c",
        "1",
        "-n",
        "3",
        "--token",
        "test-token",
        "--insecure",
        "--keylog",
        path,
        &gateway.url,
    ]);
    assert_eq!(code, 0);
    let text = std::fs::read_to_string(&keys).expect("the key log");
    assert_eq!(
        text.lines()
            .filter(|l| l.starts_with("CLIENT_TRAFFIC_SECRET_0 "))
            .count(),
        3,
        "{text}"
    );
    assert!(text.lines().all(|l| l.split(' ').count() == 3));
}

/// Keys of `value` that `schema` has no word for, as JSON pointers.
fn unnamed(schema: &Value, root: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let schema = match schema["$ref"].as_str() {
        Some(name) => root.pointer(&name[1..]).expect("a definition"),
        None => schema,
    };
    let (Some(named), Some(fields)) = (schema["properties"].as_object(), value.as_object()) else {
        return;
    };
    for (key, field) in fields {
        let at = format!("{at}/{key}");
        match named.get(key) {
            Some(inner) => unnamed(inner, root, field, &at, found),
            None => found.push(at),
        }
    }
}

#[test]
fn results_are_what_the_published_schema_says() {
    let text = std::fs::read_to_string(repository().join("docs/report-schema.json")).expect("the schema");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let scenario = tempfile::NamedTempFile::with_suffix(".toml").expect("a file");
    std::fs::write(
        scenario.path(),
        r#"
        seed = 5
        [load]
        model = "open"
        rate = 50
        total = 60
        [[session]]
        name = "callers"
        weight = 2
        hold = "300ms"
        calls = [{ method = "health", every = "100ms" }]
        [[session]]
        name = "nodes"
        role = "node"
        hold = "100ms"
        [thresholds]
        require = ["error_rate<1%", "ready_p99<5s"]
        "#,
    )
    .expect("written");
    let path = scenario.path().to_str().expect("UTF-8");
    let (mixed, code) = result_of(&["--scenario", path]);
    assert_eq!(
        (verdicts(&mixed).as_str(), code),
        (r#"{"ok":60}"#, 0),
        "{mixed:#}"
    );
    assert!(count(&mixed, "/latency_us/rpc/health/count") >= 80, "{mixed:#}");
    assert_eq!(mixed["thresholds"].as_array().map(Vec::len), Some(2));
    let (refused, _) = result_of(&["ws://127.0.0.1:1", "-c", "2", "-n", "2", "--token", "t"]);
    let (cut, _) = result_of(&[
        "-c",
        "10",
        "-n",
        "10",
        "--hold",
        "1s",
        "--fault",
        "rst@ready",
        "--reconnect",
        "on",
        "--retries",
        "1",
        "--backoff",
        "10ms",
        "--backoff-max",
        "10ms",
    ]);
    for result in [mixed, refused, cut] {
        let errors: Vec<_> = validator
            .iter_errors(&result)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
        let mut found = Vec::new();
        unnamed(&schema, &schema, &result, "", &mut found);
        assert!(found.is_empty(), "the schema does not name {found:?}");
    }
}

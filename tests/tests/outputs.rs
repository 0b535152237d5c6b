//! What a run writes.

#![expect(clippy::expect_used, reason = "a helper of a test may panic")]

use clw_core::journal::Line;
use clw_core::units::show_duration;
use clw_e2e::{Gateway, binary, clw_bench, count, repository, result_of, signal, verdicts, wait_for_ready};
use serde_json::Value;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

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

/// The page that clw-bench writes when called with `args`, and its result.
fn page_of(args: &[&str]) -> (String, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("run.html");
    let path = page.to_str().expect("a path");
    let (result, _) = result_of(&[args, &["--html", path]].concat());
    (std::fs::read_to_string(&page).expect("the page"), result)
}

#[test]
fn a_page_has_the_figures_of_the_result_and_loads_nothing() {
    let (page, result) = page_of(&[
        "-c",
        "10",
        "-n",
        "120",
        "--hold",
        "300ms",
        "--heartbeat",
        "100ms",
        "--fault",
        "refuse:20%",
        "--threshold",
        "error_rate<1%",
        "--token",
        "s3cret-in-no-page",
        "--seed",
        "77",
    ]);
    let p99 = Duration::from_micros(count(&result, "/latency_us/ready/p99"));
    let errors = count(&result, "/verdicts/clw-auth-failed");
    assert!(errors > 0, "{result:#}");
    for part in [
        "<b class=\"bad\">clw-auth-failed</b>".to_owned(),
        format!("<dd>{errors} of 120 sessions</dd>"),
        format!("<span class=\"number\">{errors} sessions</span>"),
        format!("<dd>{}</dd>", show_duration(p99)),
        format!("{} sent, ", count(&result, "/heartbeat/sent")),
        "<code>error_rate&lt;1%</code>".to_owned(),
        "usually the token differs from the gateway&#39;s".to_owned(),
        "<span>--seed</span> <span>77</span>".to_owned(),
        "<span>--token</span> <span>sha256:".to_owned(),
        "aria-label=\"Sessions over time\"".to_owned(),
        "<code>1008</code>".to_owned(),
    ] {
        assert!(page.contains(&part), "{part} is not in {page}");
    }
    for never in [
        "s3cret", "<script", "src=", "href=", "http://", "https://", "url(",
    ] {
        assert!(!page.contains(never), "{never} is in the page");
    }
}

#[test]
fn a_page_of_joined_results_has_their_sums_and_one_of_a_run_cut_short_says_what_is_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let shards = [("0/2", file("a.json")), ("1/2", file("b.json"))];
    for (shard, to) in &shards {
        let output = clw_bench(&["-q", "-c", "4", "-n", "30", "--shard", shard, "--json", to]);
        assert_eq!(output.status.code(), Some(0));
    }
    let joined = clw_bench(&["merge", &shards[0].1, &shards[1].1, "--html", "-"]);
    let page = String::from_utf8_lossy(&joined.stdout).into_owned();
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    assert!(page.contains("2 results joined."), "{page}");
    assert!(page.contains("<dd>0 of 30 sessions</dd>"), "{page}");

    let (page, socket) = (file("cut.html"), folder.path().join("t.sock"));
    let mut run = Command::new(binary("clw-bench"))
        .args(["-q", "-c", "5", "-d", "10m", "--html", &page, "--telemetry"])
        .arg(&socket)
        .env_remove("CLW_TOKEN")
        .spawn()
        .expect("clw-bench");
    wait_for_ready(&socket, 5);
    signal(&run, "-INT");
    assert_eq!(run.wait().expect("an end").code(), Some(130));
    let page = std::fs::read_to_string(&page).expect("the page");
    assert!(page.contains("The run was cut short"), "{page}");
    assert!(page.contains(" of 10m 00s."), "{page}");
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

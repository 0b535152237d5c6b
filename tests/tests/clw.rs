//! The CLW dialect end to end: versions, resumed sessions, the auth queue, tokens from a command, heartbeats over UDP.

#![expect(clippy::expect_used, reason = "helpers of tests may panic")]

use clw_e2e::{Gateway, clw_bench, count, result_of, verdicts};
use std::path::{Path, PathBuf};
use std::process::Command;

const TOKEN: &[&str] = &["--token", "test-token"];

/// A gateway of CLW with these options.
fn gateway(options: &[&str]) -> Gateway {
    Gateway::start(&[&["--dialect", "clw"], options].concat())
}

fn against(gateway: &Gateway, options: &[&str]) -> serde_json::Value {
    let (result, _) = result_of(&[&["--dialect", "clw"], options, &[&gateway.url]].concat());
    result
}

/// What the gateway logged, once it has ended as SIGTERM ends it.
fn log_of(mut gateway: Gateway, path: &Path) -> String {
    clw_e2e::signal(&gateway.child, "-TERM");
    gateway.child.wait().expect("the gateway ends");
    std::fs::read_to_string(path).expect("a log")
}

/// The values of `key=` in a log, in order.
fn values<'a>(log: &'a str, key: &str) -> Vec<&'a str> {
    log.split_whitespace()
        .filter_map(|word| word.strip_prefix(key))
        .collect()
}

#[test]
fn a_2_1_client_fails_at_its_first_ping_on_a_2_2_gateway_unless_that_is_compatible() {
    let run = |server: &[&str], client: &[&str]| {
        let gateway = gateway(server);
        let client = [
            &["-c", "5", "-n", "5", "--hold", "500ms", "--heartbeat", "100ms"],
            client,
            TOKEN,
        ]
        .concat();
        against(&gateway, &client)
    };
    let old: &[&str] = &["--wire", "2.1"];
    let mismatch = run(&[], old);
    assert_eq!(verdicts(&mismatch), r#"{"clw-version-mismatch":5}"#);
    assert_eq!(
        count(&mismatch, "/sessions/ready"),
        5,
        "the login itself succeeds"
    );
    assert_eq!(count(&mismatch, "/heartbeat/sent"), 5, "the first ping ends it");
    assert_eq!(mismatch["target"]["server_version"], "2.2.0");
    assert_eq!(verdicts(&run(&["--clw-compatible"], old)), r#"{"ok":5}"#);
    // A release tells its wire version too; what it sends decides.
    let named: &[&str] = &["--client-version", "2.1.4"];
    assert_eq!(verdicts(&run(&[], named)), r#"{"ok":5}"#);
    let both_old = run(&["--clw-wire", "2.1"], old);
    assert_eq!(verdicts(&both_old), r#"{"ok":5}"#);
    assert_eq!(both_old["target"]["server_version"], "2.1.4");
    assert_eq!(verdicts(&run(&["--clw-wire", "2.1"], &[])), r#"{"ok":5}"#);
}

#[test]
fn a_reconnect_goes_on_with_its_session_id_and_a_login_after_a_logout_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let ids = |name: &str, faults: &[&str], options: &[&str]| {
        let log = folder.path().join(name);
        let log_path = log.to_str().expect("a path").to_owned();
        let gateway = gateway(&[&["--log", &log_path], faults].concat());
        let client = [&["-c", "1", "--hold", "1s"], options, TOKEN].concat();
        let result = against(&gateway, &client);
        let log = log_of(gateway, &log);
        (result, values(&log, "conn=").join(" "))
    };
    let cut: &[&str] = &["--fault", "rst@ready+100ms"];
    let on = [
        "-n",
        "1",
        "--reconnect",
        "on",
        "--retries",
        "2",
        "--backoff",
        "50ms",
    ];
    let (result, resumed) = ids("resumed", cut, &on);
    assert_eq!(count(&result, "/sessions/reconnected"), 2);
    assert_eq!(resumed, ["0000000000000001"; 3].join(" "));
    let (result, anew) = ids("anew", cut, &[&on[..], &["--resume", "off"]].concat());
    assert_eq!(count(&result, "/sessions/reconnected"), 2);
    assert_eq!(anew, "0000000000000001 0000000000000002 0000000000000003");
    let (result, logged_out) = ids("logged-out", &[], &["-n", "2"]);
    assert_eq!(verdicts(&result), r#"{"ok":2}"#);
    assert_eq!(logged_out, "0000000000000001 0000000000000002");
}

#[test]
fn a_burst_of_logins_overflows_a_queue_of_1024_and_fits_into_one_of_2048() {
    let burst = |queue: &str| {
        let options = format!("--auth-queue {queue} --auth-service 5ms --handshake-timeout 60s");
        let (result, _) = result_of(&[
            "--dialect",
            "clw",
            "-c",
            "1500",
            "-n",
            "1500",
            "--timeout",
            "60s",
            "--heartbeat",
            "off",
            "--gateway",
            &options,
            "--gateway",
            "--clw-grace 0",
        ]);
        result
    };
    let overflow = burst("1024");
    let turned_away = count(&overflow, "/verdicts/clw-server-overloaded");
    assert!(turned_away > 0, "{overflow:#}");
    assert_eq!(count(&overflow, "/verdicts/ok") + turned_away, 1500);
    let words = overflow["samples"]["clw-server-overloaded"].to_string();
    assert!(
        words.contains("DISCONNECT_AUTH (0xA03) reason overload"),
        "{words}"
    );
    assert_eq!(verdicts(&burst("2048")), r#"{"ok":1500}"#);
}

/// A command that makes a new token each time, from the gateway's secret, for the client that asks; it notes why.
fn token_command(folder: &Path) -> String {
    let script = folder.join("token.sh");
    let text = r#"
cd "$(dirname "$0")"
echo "$CLW_REASON" >> "reasons.$CLW_SESSION"
k=$(($(wc -l < "reasons.$CLW_SESSION") + 0))
proof=$(printf '%s|%s|%s' test-token "$CLW_CLIENT_ID" "$k" | sha256sum | cut -c1-16)
echo "clw1.$CLW_CLIENT_ID.$k.$proof"
"#;
    std::fs::write(&script, text).expect("write");
    format!("sh {}", script.display())
}

fn reasons(folder: &Path, session: u32) -> Vec<String> {
    let path: PathBuf = folder.join(format!("reasons.{session}"));
    let text = std::fs::read_to_string(path).expect("the command was run");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_command_is_asked_for_a_token_at_each_login_reconnect_and_refresh() {
    let folder = tempfile::tempdir().expect("a folder");
    let command = token_command(folder.path());
    // A token that was used before a disconnect is refused; two seconds' life makes refreshes due.
    let gateway = gateway(&[
        "--clw-refuse-reuse",
        "--clw-ttl",
        "2s",
        "--fault",
        "fin@ready+2500ms",
    ]);
    let result = against(
        &gateway,
        &[
            "-c",
            "3",
            "-n",
            "3",
            "--hold",
            "4s",
            "--token-command",
            &command,
            "--reconnect",
            "on",
            "--backoff",
            "10ms",
        ],
    );
    assert_eq!(verdicts(&result), r#"{"ok":3}"#, "{result:#}");
    assert!(count(&result, "/refresh/done") >= 6);
    for session in 0..3 {
        let reasons = reasons(folder.path(), session);
        assert_eq!(reasons[0], "login");
        assert_eq!(
            reasons.iter().filter(|reason| *reason == "reconnect").count(),
            1,
            "{reasons:?}"
        );
        assert!(
            reasons.iter().filter(|reason| *reason == "refresh").count() >= 2,
            "{reasons:?}"
        );
    }
    assert!(
        !result.to_string().contains("token.sh"),
        "the command line is a secret too"
    );
}

#[test]
fn openclaw_sessions_show_what_the_command_prints_and_nobody_prints_it_again() {
    let gateway = Gateway::start(&[]);
    let run = |command: &str| {
        let output = clw_bench(&[
            "-v",
            "-c",
            "4",
            "-n",
            "8",
            "--json",
            "-",
            "--journal",
            "/dev/stderr",
            "--token-command",
            command,
            &gateway.url,
        ]);
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let result: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a result");
        (result, text)
    };
    let (result, text) = run("echo test-token");
    assert_eq!(verdicts(&result), r#"{"ok":8}"#);
    assert!(!text.contains("test-token"), "{text}");
    let (result, text) = run("echo another-token");
    assert_eq!(verdicts(&result), r#"{"clw-auth-failed":8}"#);
    assert!(!text.contains("another-token"), "{text}");
}

#[test]
fn a_command_that_fails_is_this_machines_error_and_nobodys_verdict() {
    let gateway = gateway(&[]);
    for (command, words) in [
        ("echo secret-words; exit 7", "exit status: 7"),
        ("true", "printed no token"),
        ("echo test-token; echo test-token", "more than one line"),
    ] {
        let (result, code) = result_of(&[
            "--dialect",
            "clw",
            "-c",
            "2",
            "-n",
            "2",
            "--token-command",
            command,
            &gateway.url,
        ]);
        assert_eq!(code, 1, "{command}");
        assert_eq!(verdicts(&result), "{}");
        let errors = result["generator"]["errors"].to_string();
        assert!(errors.contains(words) && errors.contains(":2"), "{errors}");
        assert!(!result.to_string().contains("secret-words"));
    }
    // The same token a second time: never presented, and said.
    let cut = Gateway::start(&["--dialect", "clw", "--fault", "fin@ready+50ms"]);
    let (result, _) = result_of(&[
        "--dialect",
        "clw",
        "-c",
        "1",
        "-n",
        "1",
        "--hold",
        "5s",
        "--reconnect",
        "on",
        "--backoff",
        "1ms",
        "--token-command",
        "echo test-token",
        &cut.url,
    ]);
    let errors = result["generator"]["errors"].to_string();
    assert!(errors.contains("used before"), "{errors}");
}

#[test]
fn a_one_way_loss_over_udp_is_counted_apart_and_ends_nothing() {
    let options = [
        "--udp-heartbeat",
        "--workers",
        "2",
        "--fault",
        "udp-pong-loss:50%",
    ];
    let gateway = gateway(&options);
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("run.jsonl");
    let journal = journal.to_str().expect("a path");
    let beats = [
        "--heartbeat",
        "100ms",
        "--heartbeat-timeout",
        "200ms",
        "--hold",
        "2s",
    ];
    let client = [&["-c", "20", "-n", "20", "--journal", journal], &beats[..], TOKEN].concat();
    let result = against(&gateway, &client);
    assert_eq!(verdicts(&result), r#"{"ok":20}"#);
    let one_way = count(&result, "/heartbeat/udp/one_way");
    assert!(one_way > 0 && one_way < 20, "{one_way}");
    assert!(count(&result, "/heartbeat/udp/answered") > 0);
    assert!(count(&result, "/heartbeat/udp_rtt_us/count") > 0);
    assert_eq!(count(&result, "/heartbeat/missed"), 0);
    let told = std::fs::read_to_string(journal).expect("a journal");
    assert_eq!(told.matches("one-way heartbeat loss: ").count() as u64, one_way);
    let off = against(&gateway, &[&client[..], &["--udp-heartbeat", "off"]].concat());
    assert_eq!(count(&off, "/heartbeat/udp/sent"), 0);
}

/// Needs a mount namespace of its own, and so root, for a name that has both families whatever /etc/hosts says.
#[test]
fn a_name_of_both_families_is_reached_over_ipv6_unless_ipv4_is_preferred_or_ipv6_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let hosts = folder.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.1 both.test\n::1 both.test\n").expect("write");
    let in_namespace = |command: &str| {
        Command::new("unshare")
            .args(["--mount", "sh", "-c"])
            .arg(format!(
                "mount --bind {} /etc/hosts && {command}",
                hosts.display()
            ))
            .output()
    };
    if !in_namespace("true").is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no mount namespace here (that needs root)");
        return;
    }
    let bench = clw_e2e::binary("clw-bench");
    for (listen, prefer, reached) in [
        ("127.0.0.1:0", "", "127.0.0.1"),
        ("[::1]:0", "", "::1"),
        ("[::]:0", "", "::1"),
        ("[::]:0", "--prefer-ipv4", "127.0.0.1"),
        ("[::1]:0", "--prefer-ipv4", "::1"),
    ] {
        let gateway = Gateway::listening(listen, &["--dialect", "clw"]);
        let (_, port) = gateway.url.rsplit_once(':').expect("a port");
        let output = in_namespace(&format!(
            "{} -q --dialect clw -c 2 -n 6 --token test-token {prefer} --journal - ws://both.test:{port}",
            bench.display()
        ))
        .expect("it runs");
        let journal = String::from_utf8_lossy(&output.stdout);
        let server = match reached {
            "::1" => format!("[::1]:{port}"),
            v4 => format!("{v4}:{port}"),
        };
        assert_eq!(
            journal.matches(&format!("\"server\":\"{server}\"")).count(),
            6,
            "{listen} {prefer}: {journal}"
        );
        assert_eq!(
            journal.matches("\"verdict\":\"ok\"").count(),
            6,
            "{listen} {prefer}: {journal}"
        );
    }
}

/// A firewall that lets datagrams out and none back, in a network namespace of its own: that needs root and nftables.
#[test]
fn a_firewall_that_lets_no_datagram_back_is_a_one_way_loss_and_the_gateway_shows_which_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let in_namespace = |script: &str| {
        Command::new("unshare")
            .args(["--net", "sh", "-c"])
            .arg(format!(
                "ip link set lo up && nft add table inet t \
                 && nft 'add chain inet t i {{ type filter hook input priority 0; }}' \
                 && nft add rule inet t i udp sport 4434 drop && {script}"
            ))
            .current_dir(folder.path())
            .env("BENCH", clw_e2e::binary("clw-bench"))
            .output()
    };
    if !in_namespace("true").is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no network namespace with nftables here (that needs root)");
        return;
    }
    let output = in_namespace(
        r"mkfifo line
$BENCH gateway --listen 127.0.0.1:4433 --dialect clw --token test-token --udp-heartbeat 4434 --json gateway.json -q > line &
gateway=$!
read -r listening < line
$BENCH -q --dialect clw -c 5 -n 5 --hold 2s --heartbeat 100ms --heartbeat-timeout 200ms --token test-token --json - \
    ws://127.0.0.1:4433
kill $gateway
wait",
    )
    .expect("it runs");
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a result");
    assert_eq!(verdicts(&result), r#"{"ok":5}"#);
    assert_eq!(count(&result, "/heartbeat/udp/one_way"), 5);
    assert_eq!(count(&result, "/heartbeat/udp/answered"), 0);
    assert_eq!(count(&result, "/heartbeat/missed"), 0);
    let seen = std::fs::read_to_string(folder.path().join("gateway.json")).expect("the gateway's summary");
    let seen: serde_json::Value = serde_json::from_str(&seen).expect("JSON");
    assert_eq!(count(&seen, "/udp/pings"), count(&result, "/heartbeat/udp/sent"));
    assert_eq!(
        count(&seen, "/udp/pongs"),
        count(&seen, "/udp/pings"),
        "they are lost on the way back"
    );
}

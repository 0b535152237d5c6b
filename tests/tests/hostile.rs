//! Targets that are no gateway, and calls that cannot be meant.

use clw_e2e::{Gateway, clw_bench, count, number, result_of, server, switching, verdicts};
use std::net::TcpListener;

#[test]
fn a_port_where_nothing_listens_is_a_failure_with_every_ending_named() {
    let free = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("its address");
    let (result, code) = result_of(&["-c", "5", "-n", "20", &format!("ws://{free}/")]);
    assert_eq!(code, 1);
    assert_eq!(verdicts(&result), r#"{"clw-conn-refused":20}"#);
    assert_eq!(count(&result, "/sessions/failed"), 20);
    assert!((number(&result, "/error_rate_pct") - 100.0).abs() < 1e-9);
}

#[test]
fn servers_that_are_no_gateway_are_told_apart() {
    let web = server(|_| b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec());
    let (result, code) = result_of(&["-c", "2", "-n", "4", "--token", "x", &web]);
    assert_eq!(
        (verdicts(&result).as_str(), code),
        (r#"{"clw-upgrade-rejected":4}"#, 1)
    );

    let ssh = server(|_| b"SSH-2.0-OpenSSH_9.2\r\n".to_vec());
    let (result, code) = result_of(&["-c", "2", "-n", "4", "--token", "x", &ssh]);
    assert_eq!(
        (verdicts(&result).as_str(), code),
        (r#"{"clw-protocol-error":4}"#, 1)
    );

    // A frame that announces 100 MB must not be waited for, let alone stored.
    let huge = server(|request| {
        let mut frame = vec![0x81, 127];
        frame.extend_from_slice(&100_000_000u64.to_be_bytes());
        switching(request, &frame)
    });
    let (result, _) = result_of(&["-c", "2", "-n", "4", "--token", "x", &huge]);
    assert_eq!(verdicts(&result), r#"{"clw-protocol-error":4}"#);
    assert!(result.to_string().contains("100000000 bytes"), "{result:#}");

    let plain = Gateway::start(&[]);
    let wss = plain.url.replace("ws://", "wss://");
    let (result, code) = result_of(&["-c", "2", "-n", "4", "--token", "test-token", "--insecure", &wss]);
    assert_eq!((verdicts(&result).as_str(), code), (r#"{"clw-tls-failed":4}"#, 1));
}

#[test]
fn tls_is_spoken_where_it_is_asked_for() {
    let gateway = Gateway::start(&["--tls-self-signed"]);
    assert!(gateway.url.starts_with("wss://"), "{}", gateway.url);
    let (result, code) = result_of(&[
        "-c",
        "5",
        "-n",
        "20",
        "--token",
        "test-token",
        "--insecure",
        &gateway.url,
    ]);
    assert_eq!((verdicts(&result).as_str(), code), (r#"{"ok":20}"#, 0));
    assert_eq!(count(&result, "/latency_us/tls/count"), 20);
    let (result, _) = result_of(&[
        "-c",
        "2",
        "-n",
        "2",
        "--token",
        "test-token",
        "--pin-sha256",
        &"00".repeat(32),
        &gateway.url,
    ]);
    assert_eq!(verdicts(&result), r#"{"clw-tls-failed":2}"#);
    assert!(result.to_string().contains("not the pinned one"), "{result:#}");
}

#[test]
fn what_cannot_be_asked_is_a_usage_error_that_names_the_flag() {
    for (args, words) in [
        (&["-c", "0"][..], "--sessions 0"),
        (&["--dialect", "http"], "--dialect"),
        (&["--threshold", "uptme>1"], "did you mean `uptime`"),
        (&["--fault", "rts"], "did you mean `rst`"),
        (
            &["--token-file", "/no/such/file", "ws://127.0.0.1:1"],
            "/no/such/file",
        ),
        (&["ws://8.8.8.8:18789"], "--allow-remote"),
        (&["http://127.0.0.1/"], "ws://"),
        (&["reproduce", "clw-session-replaced"], "clw-session-replaced"),
        (&["explain", "clw-auth-faild"], "clw-auth-failed"),
    ] {
        let output = clw_bench(args);
        let says = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {says}");
        assert!(says.contains(words), "{args:?}: {says}");
    }
}

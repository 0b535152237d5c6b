//! The flags about devices: their approval, their tokens, their setup codes.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use clw_bench::plan::{PairingMode, Prefer, TargetPlan, WirePlan, describe};
use clw_core::openclaw::SetupCode;
use clw_core::secret::Secret;
use support::{plan, refusal, secs};

#[test]
fn flags_about_devices_mean_what_they_say() {
    let plan =
        plan("--pairing approve --pairing-timeout 20s --prefer device --platform macos --device-family Mac");
    assert_eq!(plan.pairing.mode, PairingMode::Approve);
    assert_eq!(plan.pairing.timeout, secs(20));
    assert_eq!(plan.mixes[0].prefer, Prefer::Device);
    assert_eq!(plan.mixes[0].platform, "macos");
    // The embedded gateway's own token makes an administrator there.
    assert_eq!(plan.pairing.admin_token.as_ref(), Some(&plan.embedded_token));
    let back = WirePlan::unpack(&WirePlan::new(&plan).to_json().unwrap()).unwrap();
    assert_eq!(
        back.pairing, plan.pairing,
        "a worker process gets the admin's token too"
    );
    let shown = serde_json::to_string(&plan).unwrap();
    assert!(!shown.contains(plan.embedded_token.expose()));
}

#[test]
fn a_setup_code_brings_its_gateway_and_its_device_and_is_never_shown() {
    let code = SetupCode {
        url: "ws://127.0.0.1:4711".to_owned(),
        urls: Vec::new(),
        bootstrap_token: Secret::new("boot-secret"),
        expires_at_ms: None,
    };
    let text = code.encode();
    let plan = plan(&format!("--role node --setup-code {}", text.expose()));
    assert_eq!(
        plan.mixes[0]
            .credentials
            .get(0)
            .bootstrap_token()
            .unwrap()
            .expose(),
        "boot-secret"
    );
    assert!(plan.session(0).has_device());
    let TargetPlan::At(target) = &plan.target else {
        panic!("no address")
    };
    assert_eq!(target.port, 4711);
    let shown = serde_json::to_string(&plan).unwrap() + &describe(&plan).unwrap();
    assert!(!shown.contains("boot-secret") && !shown.contains(text.expose()));
    let message = refusal("--setup-code hush-hush!");
    assert!(
        message.contains("--setup-code") && !message.contains("hush"),
        "{message}"
    );
}

#[test]
fn flags_about_devices_that_do_not_fit_are_refused() {
    for (line, parts) in [
        ("--pairing-timeout 5s", "--pairing wait or approve"),
        ("--admin-token-file f --pairing wait", "--pairing approve"),
        ("--pairing approve ws://127.0.0.1:1", "--admin-token-file"),
        ("--pairing wait --pairing-timeout 0", "1ms to 24h"),
        ("--dialect clw --pairing wait", "openclaw"),
        ("--setup-code @/no/such/file", "/no/such/file"),
        (
            "--credential-store /no/such/folder/s.json",
            "/no/such/folder/s.json",
        ),
    ] {
        let message = refusal(line);
        assert!(message.contains(parts), "{line}: {message}");
    }
}

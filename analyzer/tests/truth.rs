//! Every capture of real clients and gateways, against what is known to have happened.

#![expect(clippy::expect_used, reason = "a helper of a test may panic")]

mod support;

use clw_analyzer::record::Record;
use clw_core::verdict::Side;
use serde_json::Value;
use support::{analyze, data};

fn truth(folder: &str) -> Value {
    let text = std::fs::read_to_string(data(folder).join("truth.json")).expect("the truth");
    serde_json::from_str(&text).expect("JSON")
}

fn find<'a>(records: &'a [Record], client: &str) -> &'a Record {
    records
        .iter()
        .find(|record| record.client.to_string() == client)
        .unwrap_or_else(|| panic!("no connection of {client}"))
}

fn side(side: Side) -> &'static str {
    side.name()
}

/// One line a difference.
fn compare(wrong: &mut Vec<String>, place: &str, what: &str, found: &str, truth: &str) {
    if found != truth {
        wrong.push(format!("{place}: {what} is {found}, but in truth {truth}"));
    }
}

#[test]
fn clawchat_sessions_end_as_they_did() {
    let truth = truth("clawchat");
    let mut wrong = Vec::new();
    for (file, capture) in truth["captures"].as_object().expect("captures") {
        let records = analyze(&data("clawchat").join(file));
        let connections = capture["connections"].as_array().expect("connections");
        assert_eq!(records.len(), connections.len(), "{file}");
        for wanted in connections {
            let client = wanted["client"].as_str().expect("client");
            let found = find(&records, client);
            let place = format!("{file} {client}");
            let text = |key: &str| wanted[key].as_str().unwrap_or_default();
            let mut check =
                |what: &str, found: &str, truth: &str| compare(&mut wrong, &place, what, found, truth);
            check("dialect", found.dialect.name(), text("dialect"));
            check("stage", found.stage.name(), text("stage"));
            // The dictionary has since been given the names that the truth asks for.
            let verdict = wanted["verdict_if_added"]
                .as_str()
                .unwrap_or_else(|| text("verdict"));
            check("verdict", found.verdict.unwrap_or_default(), verdict);
            check(
                "kind",
                &format!("{:?}", found.ending.kind).to_lowercase(),
                text("kind"),
            );
            check("by", side(found.ending.by), text("by"));
            let close = found
                .ending
                .ws_close
                .as_ref()
                .map(|c| format!("{} {} {}", c.code, c.by.name(), c.reason));
            let wanted_close = wanted["ws_close"].as_object().map(|c| {
                format!(
                    "{} {} {}",
                    c["code"],
                    c["by"].as_str().unwrap_or(""),
                    c["reason"].as_str().unwrap_or("")
                )
            });
            check(
                "close",
                &close.unwrap_or_default(),
                &wanted_close.unwrap_or_default(),
            );
            let rst = found.ending.rst.first();
            check("RST", rst.map_or("", |rst| rst.class), text("rst_class"));
            check("RST's sender", rst.map_or("", |rst| side(rst.by)), text("rst_by"));
            check(
                "gaps",
                &found.heartbeats.gaps.len().to_string(),
                &wanted["gaps"].to_string(),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn openclaw_sessions_end_as_they_did() {
    let truth = truth("openclaw");
    let mut wrong = Vec::new();
    for (file, connections) in truth.as_object().expect("captures") {
        let records = analyze(&data("openclaw").join(file));
        let connections = connections.as_array().expect("connections");
        assert_eq!(records.len(), connections.len(), "{file}");
        for wanted in connections {
            let client = wanted["client"].as_str().expect("client");
            let found = find(&records, client);
            let place = format!("{file} {client} {}", wanted["scenario"]);
            let mut check =
                |what: &str, found: &str, truth: &str| compare(&mut wrong, &place, what, found, truth);
            let verdict = verdict_of(wanted["scenario"].as_str().expect("scenario"));
            check("verdict", found.verdict.unwrap_or_default(), verdict);
            check(
                "stage",
                found.stage.name(),
                wanted["stage"].as_str().unwrap_or_default(),
            );
            check(
                "end",
                &format!("{:?}", found.ending.kind).to_lowercase(),
                wanted["tcp"]["end"].as_str().unwrap_or_default(),
            );
            let status = found.http.as_ref().and_then(|http| http.status);
            check(
                "status",
                &status.unwrap_or_default().to_string(),
                &wanted["http_status"].to_string(),
            );
            let close = found
                .ending
                .ws_close
                .as_ref()
                .map(|c| format!("{} {} {}", c.code, c.by.name(), c.reason));
            let wanted_close = wanted["ws_close"].as_object().map(|c| {
                format!(
                    "{} {} {}",
                    c["code"],
                    c["by"].as_str().unwrap_or(""),
                    c["reason"].as_str().unwrap_or("")
                )
            });
            check(
                "close",
                &close.unwrap_or_default(),
                &wanted_close.unwrap_or_default(),
            );
            let resets: Vec<_> = found.ending.rst.iter().map(|rst| side(rst.by)).collect();
            let wanted_resets: Vec<_> = wanted["tcp"]["rst_by"]
                .as_array()
                .expect("list")
                .iter()
                .filter_map(Value::as_str)
                .collect();
            check("RSTs", &resets.join(","), &wanted_resets.join(","));
            check(
                "ticks",
                &found.heartbeats.ticks.to_string(),
                &wanted["ticks"].to_string(),
            );
            check(
                "pings",
                &found.heartbeats.ws_ping.to_string(),
                &wanted["server_pings"].to_string(),
            );
            check(
                "pongs",
                &found.heartbeats.ws_pong.to_string(),
                &wanted["client_pongs"].to_string(),
            );
            check(
                "role",
                found.identity.role.as_deref().unwrap_or_default(),
                wanted["role"].as_str().unwrap_or_default(),
            );
            check(
                "client id",
                found.identity.client_id.as_deref().unwrap_or_default(),
                wanted["client_id"].as_str().unwrap_or_default(),
            );
            let duration = wanted["duration_ms"].as_f64().unwrap_or_default();
            if (found.duration_ms - duration).abs() > 0.1 {
                check(
                    "duration",
                    &format!("{:.1}", found.duration_ms),
                    &format!("{duration:.1}"),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What the dictionary calls each scenario.
fn verdict_of(scenario: &str) -> &'static str {
    match scenario {
        "wrong-token" | "no-credentials" | "bad-signature" | "device-id-mismatch" | "signature-expired"
        | "nonce-mismatch" | "nonce-blank" => "clw-auth-failed",
        "handshake-timeout" => "clw-handshake-timeout",
        "not-a-request-frame"
        | "first-request-not-connect"
        | "unknown-connect-field"
        | "client-id-not-allowed"
        | "invalid-role" => "clw-protocol-error",
        "protocol-mismatch" => "clw-version-mismatch",
        "gateway-restart" | "gateway-restart-preauth" => "clw-server-restart",
        "client-rst-linger0" | "client-fin-no-ws-close" => "clw-auth-disconnected",
        "node-pairing-required" | "node-pairing-required-again" | "operator-pairing-required" => {
            "clw-pairing-required"
        }
        "preauth-budget-503" => "clw-server-overloaded",
        "ws-close-before-connect" => "clw-closed-before-connect",
        "heartbeat-timeout-no-pong" => "clw-heartbeat-miss",
        _ => "ok",
    }
}

#[test]
fn the_real_gateways_sessions_end_as_the_faults_made_them() {
    let truth = truth("faults");
    let mut wrong = Vec::new();
    for (file, connections) in truth.as_object().expect("captures") {
        let mut records = analyze(&data("faults").join(file));
        records.sort_by_key(|record| record.id);
        let connections = connections.as_array().expect("connections");
        assert_eq!(records.len(), connections.len(), "{file}");
        for wanted in connections {
            let client = wanted["client"].as_str().expect("client");
            // A port that was used again comes again, in the order of time.
            let at = records
                .iter()
                .position(|record| record.client.to_string() == client);
            let found = records.remove(at.expect("a connection of this client"));
            let place = format!("{file} {client}");
            let text = |key: &str| wanted[key].as_str().unwrap_or_default();
            let list = |key: &str| {
                let words = wanted[key].as_array().expect("a list").iter();
                words.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
            };
            let close = found.ending.ws_close.as_ref().filter(|close| !close.after_end);
            let close = close.map(|close| format!("{} {}", close.code, close.by.name()));
            let resets = found.ending.rst.iter();
            let resets: Vec<_> = resets
                .map(|rst| format!("{} {}", rst.by.name(), rst.class))
                .collect();
            let gaps = found.heartbeats.gaps.iter();
            let gaps: Vec<_> = gaps
                .map(|gap| {
                    let (cause, _) = gap.cause.split_once(':').unwrap_or((gap.cause, ""));
                    format!("{} {cause}", gap.side.name())
                })
                .collect();
            let mut check =
                |what: &str, found: &str, truth: &str| compare(&mut wrong, &place, what, found, truth);
            check("stage", found.stage.name(), text("stage"));
            check("verdict", found.verdict.unwrap_or_default(), text("verdict"));
            check(
                "kind",
                &format!("{:?}", found.ending.kind).to_lowercase(),
                text("kind"),
            );
            check("by", side(found.ending.by), text("by"));
            check("close", &close.unwrap_or_default(), text("close"));
            check("RSTs", &resets.join(", "), &list("rst"));
            check("gaps", &gaps.join(", "), &list("gaps"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

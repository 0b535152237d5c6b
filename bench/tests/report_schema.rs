//! The checked-in schema describes what is written.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod fixture;

use clw_bench::output::json::write_json;
use clw_core::report::Report;
use clw_core::verdict::Verdict;
use serde_json::Value;

fn schema() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/report-schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn written(report: &Report) -> Value {
    let mut out = Vec::new();
    write_json(&mut out, report).unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn results_match_the_schema() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    for report in [
        fixture::report(),
        Report::new(
            &clw_core::snapshot::Totals::default(),
            clw_core::report::RunInfo::default(),
        ),
    ] {
        let json = written(&report);
        let errors: Vec<String> = validator
            .iter_errors(&json)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
fn the_schema_refuses_what_no_result_holds() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    for (pointer, value) in [
        ("/schema", Value::from("clw.bench/2")),
        ("/uptime_pct", 100.5.into()),
        ("/sessions/started", (-1).into()),
        ("/latency_us/ready/p99", "fast".into()),
        ("/verdicts", serde_json::json!({"clw-no-such": 1})),
    ] {
        let mut json = written(&fixture::report());
        *json.pointer_mut(pointer).unwrap() = value;
        assert!(!validator.is_valid(&json), "{pointer}");
    }
}

/// Walks a result beside the schema and names keys that no `properties` or `additionalProperties` describes.
fn undescribed(schema: &Value, node: &Value, json: &Value, path: &str, missing: &mut Vec<String>) {
    let node = match node.get("$ref").and_then(Value::as_str) {
        Some(reference) => schema.pointer(reference.trim_start_matches('#')).unwrap(),
        None => node,
    };
    let Some(fields) = json.as_object() else { return };
    for (key, value) in fields {
        let path = format!("{path}/{key}");
        let described = node.get("properties").and_then(|properties| properties.get(key));
        match described.or_else(|| node.get("additionalProperties")) {
            Some(described) => undescribed(schema, described, value, &path, missing),
            None if path.starts_with("/plan/") => {}
            None => missing.push(path),
        }
    }
}

#[test]
fn every_key_of_a_result_is_in_the_schema_and_on_the_metrics_page() {
    let (schema, json) = (schema(), written(&fixture::report()));
    let mut missing = Vec::new();
    undescribed(&schema, &schema, &json, "", &mut missing);
    assert!(missing.is_empty(), "{missing:?}");
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md")).unwrap();
    for key in schema["properties"].as_object().unwrap().keys() {
        assert!(
            page.contains(&format!("`{key}")),
            "docs/metrics.md does not explain {key}"
        );
    }
}

#[test]
fn the_schema_knows_every_verdict() {
    let schema = schema();
    let names: Vec<&str> = schema["$defs"]["verdict"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let dictionary: Vec<&str> = Verdict::ALL.iter().map(|verdict| verdict.name()).collect();
    assert_eq!(names, dictionary);
}

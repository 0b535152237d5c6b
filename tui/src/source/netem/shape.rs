//! What `tc -j -s qdisc show` says of an interface.

use serde_json::Value;
use std::fmt::Write as _;

/// What is being done to an interface, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// In words, such as `delay 100ms ±20ms loss 1%`; empty: nothing.
    pub words: String,
    /// Packets that were lost on purpose, or for want of room.
    pub dropped: u64,
    /// Packets that passed.
    pub passed: u64,
    /// Packets that are being delayed now.
    pub waiting: u64,
}

impl Shape {
    /// Reads what tc wrote. Whatever it does not know it passes over: other releases say other things.
    pub fn parse(json: &str) -> Result<Self, String> {
        if json.trim().is_empty() {
            return Ok(Self::default());
        }
        let all: Value = serde_json::from_str(json).map_err(|e| format!("tc wrote no JSON: {e}"))?;
        let all = all.as_array().ok_or("tc wrote no list of qdiscs")?;
        let mut shape = Self::default();
        for qdisc in all {
            if qdisc["kind"] != "netem" {
                continue;
            }
            let count = |name: &str| qdisc[name].as_u64().unwrap_or(0);
            shape.dropped = shape.dropped.saturating_add(count("drops"));
            shape.passed = shape.passed.saturating_add(count("packets"));
            shape.waiting = shape.waiting.saturating_add(count("qlen"));
            let words = words(&qdisc["options"]);
            if !shape.words.is_empty() && !words.is_empty() {
                shape.words.push_str("; ");
            }
            shape.words.push_str(&words);
        }
        Ok(shape)
    }
}

fn words(options: &Value) -> String {
    let mut words = Vec::new();
    let delay = &options["delay"];
    if let Some(seconds) = delay["delay"].as_f64().filter(|s| *s > 0.0) {
        let mut text = format!("delay {}", milliseconds(seconds));
        if let Some(jitter) = delay["jitter"].as_f64().filter(|j| *j > 0.0) {
            let _ = write!(text, " ±{}", milliseconds(jitter));
        }
        words.push(text);
    }
    for (key, part, name) in [
        ("loss-random", "loss", "loss"),
        ("duplicate", "duplicate", "duplicate"),
        ("corrupt", "corrupt", "corrupt"),
        ("reorder", "reorder", "reorder"),
    ] {
        if let Some(share) = options[key][part].as_f64().filter(|s| *s > 0.0) {
            words.push(format!("{name} {}%", short(share * 100.0)));
        }
    }
    for (key, name) in [
        ("loss-gemodel", "loss in bursts"),
        ("loss-state", "loss by states"),
    ] {
        if options[key].is_object() {
            words.push(name.to_owned());
        }
    }
    if let Some(bytes) = options["rate"]["rate"].as_f64().filter(|r| *r > 0.0) {
        words.push(format!("rate {} Mbit/s", short(bytes * 8.0 / 1e6)));
    }
    if words.is_empty() {
        "netem, no change".to_owned()
    } else {
        words.join(" ")
    }
}

fn milliseconds(seconds: f64) -> String {
    format!("{}ms", short(seconds * 1000.0))
}

/// Two decimals at most, and no zeros behind them.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tcs_words_are_read_and_what_is_strange_is_passed_over() {
        let json = r#"[{"kind":"prio","handle":"4e45:","packets":7},{"kind":"netem","handle":"4e46:","root":true,
            "options":{"limit":1000,"delay":{"delay":0.1,"jitter":0.02,"correlation":0},
            "loss-random":{"loss":0.015,"correlation":0},"rate":{"rate":625000}},
            "bytes":9,"packets":100,"drops":3,"qlen":2}]"#;
        let shape = Shape::parse(json).unwrap();
        assert_eq!(shape.words, "delay 100ms ±20ms loss 1.5% rate 5 Mbit/s");
        assert_eq!((shape.dropped, shape.passed, shape.waiting), (3, 100, 2));
        assert_eq!(Shape::parse(r#"[{"kind":"noqueue"}]"#).unwrap(), Shape::default());
        assert_eq!(Shape::parse("").unwrap(), Shape::default());
        assert_eq!(
            Shape::parse(r#"[{"kind":"netem"},3,null]"#).unwrap().words,
            "netem, no change"
        );
        for bad in ["{}", "nonsense", "[", "3"] {
            assert!(Shape::parse(bad).is_err(), "{bad}");
        }
    }
}

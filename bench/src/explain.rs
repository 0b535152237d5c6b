//! `clw-bench explain`: an entry of the dictionary, as text.

use clw_core::openclaw::error_code;
use clw_core::threshold::distance;
use clw_core::verdict::{Entry, RefusalClass, Verdict};
use serde_json::{Value, json};
use std::fmt::Write as _;
use thiserror::Error;

/// A topic that the dictionary does not have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{topic}` is no verdict and no error code{}; `clw-bench explain` lists what there is", near.as_ref().map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default())]
pub struct UnknownTopic {
    topic: String,
    near: Option<String>,
}

/// A verdict's cause and fix, a line each.
pub fn lines(verdict: Verdict) -> (&'static str, &'static str) {
    let entry = Entry::of(verdict);
    (entry.cause, entry.fix)
}

/// The verdict that `topic` means: its name with or without `clw-`, or an error code of the gateway.
fn find(topic: &str) -> Result<Verdict, UnknownTopic> {
    let lower = topic.to_ascii_lowercase();
    if let Some(verdict) = Verdict::from_name(&lower).or_else(|| Verdict::from_name(&format!("clw-{lower}")))
    {
        return Ok(verdict);
    }
    if let Some(code) = error_code::ErrorCode::by_name(topic) {
        return Ok(of_class(code.class));
    }
    let codes = error_code::SENT.iter().map(|c| c.details);
    let near = Verdict::ALL
        .iter()
        .map(|v| v.name())
        .chain(codes)
        .map(|name| (distance(&name.to_ascii_lowercase(), &lower), name))
        .min()
        .filter(|(d, _)| *d <= 4);
    Err(UnknownTopic {
        topic: topic.to_owned(),
        near: near.map(|(_, n)| n.to_owned()),
    })
}

fn of_class(class: RefusalClass) -> Verdict {
    match class {
        RefusalClass::Overloaded => Verdict::ServerOverloaded,
        RefusalClass::Unavailable => Verdict::ServerUnavailable,
        RefusalClass::RateLimited => Verdict::RateLimited,
        RefusalClass::PairingRequired => Verdict::PairingRequired,
        RefusalClass::VersionMismatch => Verdict::VersionMismatch,
        RefusalClass::Credentials => Verdict::AuthFailed,
        RefusalClass::AuthUnavailable => Verdict::AuthUnavailable,
        RefusalClass::Protocol => Verdict::ProtocolError,
    }
}

/// The entry as text of at most `width` columns.
pub fn render(topic: &str, width: usize) -> Result<String, UnknownTopic> {
    let entry = Entry::of(find(topic)?);
    let dialects: Vec<_> = entry.dialects().iter().map(|d| d.name()).collect();
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}: {}", entry.verdict, entry.title);
    let _ = writeln!(out, "dialects: {}", dialects.join(", "));
    for (heading, list) in [
        ("What one sees", entry.symptoms),
        ("What can be behind it", entry.causes),
        ("Where to look", entry.evidence),
        ("What to do", entry.fixes),
    ] {
        let _ = writeln!(out, "\n{heading}");
        for item in list {
            bullet(&mut out, item, width);
        }
    }
    if !entry.related.is_empty() {
        let related: Vec<_> = entry.related.iter().map(|v| v.name()).collect();
        let _ = writeln!(out, "\nSee also: {}", related.join(", "));
    }
    Ok(out)
}

/// The entry as JSON.
pub fn to_json(topic: &str) -> Result<Value, UnknownTopic> {
    let entry = Entry::of(find(topic)?);
    Ok(json!({
        "verdict": entry.verdict.name(),
        "title": entry.title,
        "cause": entry.cause,
        "fix": entry.fix,
        "dialects": entry.dialects().iter().map(|d| d.name()).collect::<Vec<_>>(),
        "symptoms": entry.symptoms,
        "causes": entry.causes,
        "evidence": entry.evidence,
        "fixes": entry.fixes,
        "related": entry.related.iter().map(|v| v.name()).collect::<Vec<_>>(),
    }))
}

/// All topics, a line each.
pub fn list() -> String {
    let mut out = String::new();
    for verdict in Verdict::ALL {
        let _ = writeln!(out, "{:<26} {}", verdict.name(), Entry::of(verdict).title);
    }
    out
}

fn bullet(out: &mut String, text: &str, width: usize) {
    let mut line = String::from("  -");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > width.max(30) {
            let _ = writeln!(out, "{line}");
            line = String::from("   ");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_is_explained_within_the_width() {
        for verdict in Verdict::ALL {
            let text = render(verdict.name(), 80).unwrap();
            assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
            assert!(text.contains("What to do"));
        }
    }

    #[test]
    fn short_names_and_error_codes_are_found() {
        assert!(render("auth-failed", 80).unwrap().starts_with("clw-auth-failed"));
        assert!(
            render("PAIRING_REQUIRED", 80)
                .unwrap()
                .starts_with("clw-pairing-required")
        );
    }

    #[test]
    fn an_unknown_topic_names_the_near_one() {
        let says = render("clw-auth-faild", 80).unwrap_err().to_string();
        assert!(says.contains("did you mean `clw-auth-failed`"), "{says}");
    }
}

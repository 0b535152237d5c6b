//! The texts of the dictionary: what a person at an incident needs to know of each ending.

use super::{ResetClass, Verdict, entries};
use crate::Dialect;

/// One ending, explained.
#[derive(Debug)]
pub struct Entry {
    /// Which.
    pub verdict: Verdict,
    /// Its name in plain words, at most 60 characters.
    pub title: &'static str,
    /// The cause in one line, at most 100 characters.
    pub cause_line: &'static str,
    /// The fix in one line, at most 100 characters.
    pub fix_line: &'static str,
    /// What people notice.
    pub symptoms: &'static [&'static str],
    /// What brings it about, the most frequent first.
    pub causes: &'static [&'static str],
    /// Where to see it.
    pub evidence: EvidenceSources,
    /// What to do, with the settings' exact names, the first thing to try first.
    pub fixes: &'static [&'static str],
    /// Endings that look alike or come with it.
    pub related: &'static [Verdict],
    /// What other documents call it.
    pub seed_names: &'static [&'static str],
    /// The dialects whose sessions can end so.
    pub dialects: &'static [Dialect],
    /// How to cause it on purpose.
    pub fault: &'static str,
}

/// What shows an ending, by who looks.
#[derive(Debug)]
pub struct EvidenceSources {
    /// In a packet capture.
    pub capture: &'static [&'static str],
    /// At the client.
    pub client: &'static [&'static str],
    /// In the gateway's log.
    pub gateway_log: &'static [&'static str],
}

/// One error code of the wire: OpenClaw's `error.details.code` (protocol page section 6), a reason of CLW's DISCONNECT_AUTH, a
/// ClawChat hello-fail reason or error code.
#[derive(Debug)]
pub struct ErrorCodeEntry {
    /// As on the wire.
    pub code: &'static str,
    /// Who sends it.
    pub dialect: Dialect,
    /// What a session that ends with it is called; `None` where the session goes on.
    pub verdict: Option<Verdict>,
    /// When it is sent.
    pub meaning: &'static str,
    /// What to do.
    pub fix: &'static str,
}

/// One class of RST, explained.
#[derive(Debug)]
pub struct ResetEntry {
    /// Which.
    pub class: ResetClass,
    /// What it is.
    pub meaning: &'static str,
    /// How it is recognised in a capture.
    pub test: &'static str,
    /// What to do about it.
    pub fix: &'static str,
}

/// The entry of a verdict.
pub fn entry(verdict: Verdict) -> &'static Entry {
    entries::ENTRIES[verdict.index()]
}

/// The entry of an error code, ASCII case aside.
pub fn error_code(code: &str) -> Option<&'static ErrorCodeEntry> {
    error_codes()
        .iter()
        .find(|entry| entry.code.eq_ignore_ascii_case(code))
}

/// All error codes that are known.
pub fn error_codes() -> &'static [ErrorCodeEntry] {
    entries::ERROR_CODES
}

/// The entry of a class of RST.
pub fn reset_entry(class: ResetClass) -> &'static ResetEntry {
    &entries::RESETS[class as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openclaw::refusal_of;
    use crate::verdict::{Observation, Refusal, classify};
    use crate::{Stage, clawchat};
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn every_verdict_has_its_own_entry() {
        for verdict in Verdict::ALL {
            assert_eq!(entry(verdict).verdict, verdict);
        }
        for class in ResetClass::ALL {
            assert_eq!(reset_entry(class).class, class);
        }
    }

    #[test]
    fn lines_keep_their_limits_and_say_something() {
        for verdict in Verdict::ALL {
            let e = entry(verdict);
            for (text, limit) in [(e.title, 60), (e.cause_line, 100), (e.fix_line, 100)] {
                let length = text.chars().count();
                assert!((3..=limit).contains(&length), "{verdict}: {length} {text}");
                assert!(!text.contains('\n'), "{verdict}: {text}");
            }
            let evidence = [e.evidence.capture, e.evidence.client, e.evidence.gateway_log].concat();
            for list in [e.symptoms, e.causes, e.fixes, &evidence] {
                assert!(!list.is_empty(), "{verdict}");
                for text in list {
                    assert!(text.len() > 3 && !text.contains('\n'), "{verdict}: {text}");
                    assert_eq!(text.trim(), *text, "{verdict}");
                }
            }
            assert!(!e.fault.is_empty() && !e.dialects.is_empty(), "{verdict}");
        }
    }

    #[test]
    fn related_verdicts_are_others_and_named_once() {
        for verdict in Verdict::ALL {
            let related = entry(verdict).related;
            assert!(!related.contains(&verdict), "{verdict}");
            assert_eq!(
                related.iter().collect::<BTreeSet<_>>().len(),
                related.len(),
                "{verdict}"
            );
        }
    }

    /// What a client sees of a login that ends with this code.
    fn seen(known: &ErrorCodeEntry) -> Observation {
        let mut seen = Observation {
            dialect: known.dialect,
            stage: Stage::Auth,
            ..Observation::default()
        };
        match known.dialect {
            Dialect::Clw => {
                seen.stage = Stage::Ready;
                seen.disconnect = Some(serde_json::from_value(json!(known.code)).unwrap());
            }
            Dialect::Clawchat => {
                seen.refusal = Some(Refusal {
                    class: clawchat::refusal_class(known.code),
                    code: known.code.to_owned(),
                    message: String::new(),
                });
            }
            _ => {
                let error = match known.code {
                    "startup-sidecars" | "gateway-restarting" => {
                        json!({"code": "UNAVAILABLE", "message": "", "details": {"reason": known.code}})
                    }
                    "INVALID_REQUEST" | "UNAVAILABLE" | "NOT_PAIRED" => {
                        json!({"code": known.code, "message": ""})
                    }
                    code => json!({"code": "INVALID_REQUEST", "message": "", "details": {"code": code}}),
                };
                seen.refusal = Some(refusal_of(&serde_json::from_value(error).unwrap()));
            }
        }
        seen
    }

    #[test]
    fn a_login_that_ends_with_a_known_code_gets_the_verdict_that_its_entry_promises() {
        for known in error_codes() {
            if let Some(expected) = known.verdict {
                assert_eq!(classify(&seen(known)).verdict, expected, "{}", known.code);
            }
        }
    }

    #[test]
    fn error_codes_are_unique_and_found_in_any_case() {
        let codes: BTreeSet<_> = error_codes()
            .iter()
            .map(|e| e.code.to_ascii_lowercase())
            .collect();
        assert_eq!(codes.len(), error_codes().len());
        assert_eq!(
            error_code("auth_token_mismatch").and_then(|known| known.verdict),
            Some(Verdict::AuthFailed)
        );
        assert!(error_code("NO_SUCH").is_none());
    }
}

//! The command line as it can be shown: to be typed again, without its secrets.

use super::Args;
use crate::plan::Target;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory as _};
use clw_core::Dialect;
use clw_core::secret::Secret;
use std::any::TypeId;
use std::ffi::OsString;

/// The command line that `words` were, in their order, quoted for a shell. Secrets stand as their fingerprints; empty if `words`
/// are no command line.
pub fn shown(words: &[OsString]) -> String {
    let command = Args::command();
    let Ok(matches) = command.clone().try_get_matches_from(words) else {
        return String::new();
    };
    let mut typed: Vec<(usize, String)> = Vec::new();
    for arg in command.get_arguments() {
        typed.extend(occurrences(arg, &matches));
    }
    typed.sort();
    let words = typed.into_iter().map(|(_, text)| text);
    let all: Vec<_> = std::iter::once("clw-bench".to_owned()).chain(words).collect();
    all.join(" ")
}

/// Words of a command line with every secret as its fingerprint.
pub fn without_secrets(words: &[String]) -> Vec<String> {
    let command = Args::command();
    let secret = command.get_arguments().filter(|arg| is_secret(arg));
    let secret: Vec<_> = secret.filter_map(Arg::get_long).collect();
    let mut hidden = false;
    words
        .iter()
        .map(|word| {
            if std::mem::take(&mut hidden) {
                return fingerprint(word);
            }
            let flag = word.strip_prefix("--").unwrap_or_default();
            match flag.split_once('=') {
                Some((name, value)) if secret.contains(&name) => format!("--{name}={}", fingerprint(value)),
                _ => {
                    hidden = secret.contains(&flag);
                    word.clone()
                }
            }
        })
        .collect()
}

fn fingerprint(secret: &str) -> String {
    Secret::new(secret).fingerprint()
}

/// Each time that `arg` was typed, with its place on the line.
fn occurrences(arg: &Arg, matches: &ArgMatches) -> Vec<(usize, String)> {
    let id = arg.get_id().as_str();
    if matches.value_source(id) != Some(ValueSource::CommandLine) {
        return Vec::new();
    }
    let flag = match (arg.get_short(), arg.get_long()) {
        (Some(short), _) => format!("-{short}"),
        (None, Some(long)) => format!("--{long}"),
        (None, None) => String::new(),
    };
    let places = matches.indices_of(id).into_iter().flatten();
    if !arg.get_action().takes_values() {
        return places.map(|place| (place, flag.clone())).collect();
    }
    let values = matches.get_raw(id).into_iter().flatten();
    places
        .zip(values)
        .map(|(place, value)| {
            let value = value.to_string_lossy();
            let value = match id {
                // A file's name is none.
                "setup_code" if value.starts_with('@') => value.into_owned(),
                _ if is_secret(arg) => fingerprint(&value),
                // A query may hold a token.
                "url" => match Target::parse(&value, Dialect::default()) {
                    Ok(target) if target.path.contains('?') => target.url(),
                    _ => value.into_owned(),
                },
                _ => value.into_owned(),
            };
            (
                place,
                format!("{flag} {}", quoted(&value)).trim_start().to_owned(),
            )
        })
        .collect()
}

/// By its type, so that a flag that is added later is not forgotten.
fn is_secret(arg: &Arg) -> bool {
    arg.get_value_parser().type_id() == TypeId::of::<Secret>()
}

/// For a POSIX shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_of(words: &[&str]) -> String {
        let words: Vec<OsString> = std::iter::once(&"clw-bench")
            .chain(words)
            .map(OsString::from)
            .collect();
        shown(&words)
    }

    #[test]
    fn a_command_line_shows_as_it_was_typed() {
        assert_eq!(
            shown_of(&[
                "-c",
                "5",
                "--total=10",
                "-q",
                "--threshold",
                "uptime>=99%",
                "--threshold",
                "ok>1"
            ]),
            "clw-bench -c 5 -n 10 -q --threshold 'uptime>=99%' --threshold 'ok>1'"
        );
        assert_eq!(
            shown_of(&["ws://127.0.0.1:9", "--user-agent", "it's"]),
            r"clw-bench ws://127.0.0.1:9 --user-agent 'it'\''s'"
        );
    }

    #[test]
    fn words_lose_their_secrets_and_nothing_else() {
        let words = "--dialect clw --token hush --password=hush --token-file f --reconnect on".split(' ');
        let words: Vec<String> = words.map(str::to_owned).collect();
        let shown = without_secrets(&words).join(" ");
        let (hush, rest) = (fingerprint("hush"), "--token-file f --reconnect on");
        assert_eq!(
            shown,
            format!("--dialect clw --token {hush} --password={hush} {rest}")
        );
    }

    #[test]
    fn no_secret_that_can_be_typed_is_shown() {
        let text = shown_of(&[
            "--token=hush1",
            "--password",
            "hush2",
            "--device-token",
            "hush3",
            "--setup-code",
            "hush5",
            "ws://127.0.0.1:9/ws?token=hush4",
        ]);
        assert!(!text.contains("hush"), "{text}");
        assert_eq!(text.matches("sha256:").count(), 5, "{text}");
        assert!(shown_of(&["--setup-code", "@file"]).ends_with("--setup-code @file"));
    }
}

//! Files of tokens and credentials.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use clw_bench::credentials::{Credentials, DeviceKey, read_token_file};
use clw_bench::plan::Role;
use clw_core::openclaw::SetupCode;
use clw_core::secret::Secret;
use proptest::prelude::*;
use std::io::Cursor;
use std::path::Path;

fn read(text: &str) -> Result<Credentials, String> {
    Credentials::from_lines(Path::new("who.jsonl"), Cursor::new(text.as_bytes())).map_err(|e| e.to_string())
}

#[test]
fn every_field_reads() {
    let key = "00".repeat(32);
    let credentials = read(&format!(
        "{{\"token\":\"t\",\"password\":\"p\",\"device_token\":\"d\",\"bootstrap_token\":\"b\",\"seed\":7,\
         \"client_id\":\"c\",\"role\":\"node\",\"scopes\":[\"x\",\"y\"],\"client_version\":\"1.2\"}}\r\n\n\
         {{\"private_key\":\"{key}\"}}"
    ))
    .unwrap();
    assert_eq!(credentials.len(), 2);
    let first = credentials.get(0);
    assert_eq!(first.token.as_ref().unwrap().expose(), "t");
    assert_eq!(first.password().unwrap().expose(), "p");
    assert_eq!(first.device_token().unwrap().expose(), "d");
    assert_eq!(first.bootstrap_token().unwrap().expose(), "b");
    assert_eq!(first.device(), Some(DeviceKey::Seed(7)));
    assert_eq!(first.client_id(), Some("c"));
    assert_eq!(first.role(), Some(Role::Node));
    assert_eq!(first.scopes().unwrap(), ["x", "y"]);
    assert_eq!(first.client_version(), Some("1.2"));
    assert_eq!(credentials.get(1).device(), Some(DeviceKey::Private([0; 32])));
    assert_eq!(credentials.get(2), first);
}

#[test]
fn keys_read_in_hex_and_base64() {
    for key in [
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    ] {
        let credentials = read(&format!("{{\"private_key\":\"{key}\"}}")).unwrap();
        let identity = credentials.get(0).device().unwrap().identity();
        // The protocol page's test vector.
        assert_eq!(identity.public_key, "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg");
    }
}

#[test]
fn wrong_lines_are_told_file_line_and_field_and_nothing_secret() {
    for (text, parts) in [
        ("", &["who.jsonl is empty", "one identity a line"][..]),
        (
            "{\"token\":\"a\"}\n{\"tokn\":\"s3cret\"}",
            &["who.jsonl:2:", "`tokn`", "did you mean `token`?"],
        ),
        ("{\"token\":5}", &["who.jsonl:1:", "field `token`", "a text"]),
        ("{\"token\":\"\"}", &["field `token`", "not empty"]),
        ("{\"scopes\":\"s3cret\"}", &["field `scopes`", "a list of texts"]),
        ("{\"scopes\":[1]}", &["field `scopes`"]),
        (
            "{\"role\":\"s3cret\"}",
            &["field `role`", "\"operator\" or \"node\""],
        ),
        ("{\"seed\":-1}", &["field `seed`", "whole number"]),
        (
            "{\"private_key\":\"s3cret\"}",
            &["field `private_key`", "32-byte"],
        ),
        (
            "{\"seed\":1,\"private_key\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}",
            &["give one of them"],
        ),
        ("{\"s3cret-Value\":1}", &["field number 1"]),
        ("{}", &["no field at all"]),
        ("s3cret", &["who.jsonl:1: column", "not a JSON object"]),
        ("[\"s3cret\"]", &["not a JSON object"]),
        ("{\"token\":\"s3cret\"", &["who.jsonl:1: column"]),
    ] {
        let message = read(text).expect_err(text);
        for part in parts {
            assert!(message.contains(part), "{text}: {message}");
        }
        assert!(!message.contains("s3cret"), "{message}");
    }
    let long = format!("{{\"token\":\"{}\"}}", "x".repeat(70_000));
    assert!(read(&long).unwrap_err().contains("longer than 65536 bytes"));
    let raw = Credentials::from_lines(Path::new("f"), Cursor::new(b"{\"token\":\"\xff\"}"));
    assert!(raw.unwrap_err().to_string().contains("column 11"));
}

#[test]
fn a_hundred_thousand_identities_take_a_word_or_two_each_beside_their_tokens() {
    let lines: Vec<String> = (0..100_000).map(|i| format!("{{\"token\":\"t{i}\"}}")).collect();
    let text = lines.join("\n");
    let credentials = read(&text).unwrap();
    assert_eq!(credentials.len(), 100_000);
    assert_eq!(credentials.get(99_999).token.as_ref().unwrap().expose(), "t99999");
    assert!(size_of::<clw_bench::credentials::Credential>() <= 24);
}

#[test]
fn a_token_file_loses_its_line_end_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let read_bytes = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        read_token_file(&file)
            .map(|t| t.expose().to_owned())
            .map_err(|e| e.to_string())
    };
    assert_eq!(read_bytes(b"abc \r\n").unwrap(), "abc ");
    assert_eq!(read_bytes(b"abc").unwrap(), "abc");
    for (bytes, part) in [
        (&b""[..], "is empty"),
        (b"\n\n", "is empty"),
        (b"s3cret\ntwo\n", "more than one line"),
        (b"s3cret\xff", "not UTF-8"),
    ] {
        let message = read_bytes(bytes).unwrap_err();
        assert!(message.contains(part) && message.contains("token"), "{message}");
        assert!(!message.contains("s3cret"), "{message}");
    }
    let gone = read_token_file(&folder.path().join("gone"))
        .unwrap_err()
        .to_string();
    assert!(gone.contains("cannot read") && gone.contains("gone"), "{gone}");
    assert!(read_token_file(folder.path()).is_err(), "a folder is no file");
}

proptest! {
    #[test]
    fn no_line_breaks_the_reader_or_is_repeated(line in "\\PC{0,60}") {
        if let Err(message) = read(&line) {
            prop_assert!(message.contains("who.jsonl"));
        }
    }
}

#[test]
fn a_setup_code_is_a_bootstrap_token_and_a_wrong_one_is_named_without_being_shown() {
    let code = SetupCode {
        url: "ws://127.0.0.1:1".to_owned(),
        urls: Vec::new(),
        bootstrap_token: Secret::new("boot"),
        expires_at_ms: None,
    };
    let line = format!("{{\"setup_code\":\"{}\"}}", code.encode().expose());
    let credentials = read(&line).unwrap();
    assert_eq!(credentials.get(0).bootstrap_token().unwrap().expose(), "boot");
    let message = read("{\"setup_code\":\"hush!\"}").unwrap_err();
    assert!(
        message.contains("who.jsonl:1: field `setup_code`") && !message.contains("hush"),
        "{message}"
    );
}

//! Blanking a message byte by byte: structure, numbers and a few words that a verdict needs stay; every other text becomes
//! as many `x`.

use clw_core::clw::SessionKey;

/// Fields whose texts stay: what a message is, what it answers, who speaks in which role, and why something failed.
const KEPT: &[&str] = &[
    "type",
    "event",
    "method",
    "id",
    "role",
    "version",
    "trace_id",
    "code",
    "reason",
    "cause",
    "status",
    "mode",
    "platform",
    "client_id",
    "client_version",
    "server_version",
    "device_id",
    "delivery_mode",
    "ack_mode",
    "scopes",
    "kind",
    "event_id",
];
/// A kept text is no longer than that; what follows may be anything.
const KEPT_BYTES: usize = 64;
/// Nesting that is followed; deeper down everything is blanked.
const MAX_DEPTH: usize = 32;
/// Names of fields are no longer, and hold few digits: a text in the place of a name (in broken JSON) may be a token.
const NAME_BYTES: usize = 24;
const NAME_DIGITS: usize = 2;
/// A number is no longer: 17 digits, a sign, a point and an exponent.
const NUMBER_BYTES: usize = 25;
/// What takes the place of a byte.
pub(super) const BLANK: u8 = b'x';

/// One message's blanker.
///
/// It holds to JSON's grammar: where a damaged capture has turned quotes around, what looks like structure is somebody's text,
/// and from the first byte that does not fit everything is blanked.
#[derive(Debug, Default)]
pub(super) struct Json {
    state: State,
    stack: Vec<Level>,
    name: Vec<u8>,
    /// What the next value's field is.
    keeps: bool,
    /// Texts that were blanked.
    pub(super) blanked: u64,
    /// The text of the field `session`, and what takes its place.
    pub(super) session: Option<Box<Session>>,
}

/// A session's id: datagrams name it too.
#[derive(Debug)]
pub(super) struct Session {
    /// What takes its place.
    pub(super) alias: SessionKey,
    /// The id, as far as it has come.
    pub(super) id: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing has come but white space.
    #[default]
    Start,
    /// Between tokens.
    Between(Next),
    /// In a name of an object.
    Name { escaped: bool },
    /// In a text that is a value.
    Text { escaped: bool, kept: usize, keeps: bool },
    /// In a number, true, false or null, of so many bytes.
    Literal { first: u8, bytes: usize },
    /// No JSON: everything is blanked.
    Other,
}

/// What may come between tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// A value; the end of the array, if it has none yet.
    Value { or_end: bool },
    /// A name; the end of the object, if it has none yet.
    Name { or_end: bool },
    /// The colon behind a name.
    Colon,
    /// A comma, or the end of what encloses this.
    Comma,
}

#[derive(Clone, Copy, Debug)]
enum Level {
    Object,
    Array { keeps: bool },
}

impl Json {
    /// What `byte` becomes.
    pub(super) fn step(&mut self, byte: u8) -> u8 {
        match self.state {
            State::Start => self.start(byte),
            State::Between(next) => self.between(next, byte),
            State::Name { escaped } => {
                self.state = match (escaped, byte) {
                    (false, b'"') => {
                        self.keeps = KEPT.iter().any(|kept| kept.as_bytes() == self.name);
                        State::Between(Next::Colon)
                    }
                    (false, b'\\') => State::Name { escaped: true },
                    _ => State::Name { escaped: false },
                };
                let ends = matches!(self.state, State::Between(_));
                if !ends {
                    self.name.push(byte);
                }
                let digits = self.name.iter().filter(|byte| byte.is_ascii_digit()).count();
                let is_name = self.name.len() <= NAME_BYTES
                    && digits <= NAME_DIGITS
                    && (byte.is_ascii_alphanumeric() || b"_-.$:".contains(&byte));
                if ends || is_name { byte } else { BLANK }
            }
            State::Text { escaped, kept, keeps } => {
                let ends = !escaped && byte == b'"';
                self.state = if ends {
                    State::Between(Next::Comma)
                } else {
                    State::Text {
                        escaped: keeps && !escaped && byte == b'\\',
                        kept: kept + 1,
                        keeps: keeps && kept < KEPT_BYTES,
                    }
                };
                // Where texts are blanked, an escape must still hide its quote.
                if let State::Text { escaped: now, .. } = &mut self.state
                    && !keeps
                {
                    *now = !escaped && byte == b'\\';
                }
                if ends || keeps && kept < KEPT_BYTES {
                    return byte;
                }
                match &mut self.session {
                    Some(session) if self.name == b"session" => {
                        session.id.push(byte);
                        session.alias.get(kept).copied().unwrap_or(BLANK)
                    }
                    _ => BLANK,
                }
            }
            State::Literal { first, bytes } => self.literal(first, bytes, byte),
            State::Other => BLANK,
        }
    }

    fn start(&mut self, byte: u8) -> u8 {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => byte,
            b'{' | b'[' => self.between(Next::Value { or_end: false }, byte),
            _ => self.give_up(),
        }
    }

    fn between(&mut self, next: Next, byte: u8) -> u8 {
        let is_value = matches!(next, Next::Value { .. });
        let state = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => State::Between(next),
            b'{' if is_value && self.stack.len() < MAX_DEPTH => {
                self.stack.push(Level::Object);
                State::Between(Next::Name { or_end: true })
            }
            b'[' if is_value && self.stack.len() < MAX_DEPTH => {
                self.stack.push(Level::Array { keeps: self.keeps });
                State::Between(Next::Value { or_end: true })
            }
            b'}' | b']' if self.ends(next, byte) => {
                self.stack.pop();
                self.keeps = false;
                State::Between(Next::Comma)
            }
            b',' if next == Next::Comma => match self.stack.last() {
                Some(Level::Object) => {
                    self.keeps = false;
                    State::Between(Next::Name { or_end: false })
                }
                Some(Level::Array { keeps }) => {
                    self.keeps = *keeps;
                    State::Between(Next::Value { or_end: false })
                }
                None => return self.give_up(),
            },
            b':' if next == Next::Colon => State::Between(Next::Value { or_end: false }),
            b'"' if matches!(next, Next::Name { .. }) => {
                self.name.clear();
                State::Name { escaped: false }
            }
            b'"' if is_value => {
                self.blanked += u64::from(!self.keeps);
                State::Text {
                    escaped: false,
                    kept: 0,
                    keeps: self.keeps,
                }
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' if is_value => State::Literal {
                first: byte,
                bytes: 1,
            },
            // Deeper than is followed, or no JSON after all.
            _ => return self.give_up(),
        };
        self.state = state;
        byte
    }

    /// Whether `byte` may end the innermost object or array here.
    fn ends(&self, next: Next, byte: u8) -> bool {
        let may = matches!(
            next,
            Next::Comma | Next::Value { or_end: true } | Next::Name { or_end: true }
        );
        let fits = match self.stack.last() {
            Some(Level::Object) => byte == b'}',
            Some(Level::Array { .. }) => byte == b']',
            None => false,
        };
        may && fits
    }

    fn literal(&mut self, first: u8, bytes: usize, byte: u8) -> u8 {
        let word: &[u8] = match first {
            b't' => b"true",
            b'f' => b"false",
            b'n' => b"null",
            _ => b"",
        };
        let is_whole = word.is_empty() || bytes == word.len();
        let goes_on = if word.is_empty() {
            // A number begins with no needless 0: that is a text whose quotes are gone.
            (first != b'0' || bytes > 1 || !byte.is_ascii_digit())
                && bytes < NUMBER_BYTES
                && (byte.is_ascii_digit() || b"+-.eE".contains(&byte))
        } else {
            word.get(bytes) == Some(&byte)
        };
        if goes_on {
            self.state = State::Literal {
                first,
                bytes: bytes + 1,
            };
            return byte;
        }
        match byte {
            b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n' if is_whole => self.between(Next::Comma, byte),
            _ => self.give_up(),
        }
    }

    fn give_up(&mut self) -> u8 {
        self.state = State::Other;
        self.blanked += 1;
        BLANK
    }
}

/// The reason of a close frame or of a RST. A text for people keeps its words and loses what looks like a token: runs of 16 and
/// more letters, digits and signs without a space that hold a digit. In a damaged capture the place may hold a piece of a
/// message instead, masked or not: what is no such text is blanked whole.
pub(super) fn blank_reason(reason: &mut [u8]) {
    const RUN: usize = 16;
    let is_said = |c: char| !c.is_control() && !"{}\"".contains(c);
    if !std::str::from_utf8(reason).is_ok_and(|text| text.chars().all(is_said)) {
        return reason.fill(BLANK);
    }
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+/=~%".contains(&byte);
    let mut at = 0;
    while at < reason.len() {
        let end = reason[at..]
            .iter()
            .position(|byte| !is_part(*byte))
            .map_or(reason.len(), |length| at + length);
        let run = &mut reason[at..end];
        if run.len() >= RUN && run.iter().any(u8::is_ascii_digit) {
            run.fill(BLANK);
        }
        at = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blank(text: &str) -> String {
        let mut json = Json::default();
        String::from_utf8(text.bytes().map(|byte| json.step(byte)).collect()).unwrap()
    }

    #[test]
    fn structure_and_the_words_of_a_verdict_stay() {
        assert_eq!(
            blank(r#"{"type":"req","id":"c1","params":{"auth":{"token":"s3cret"},"n":12.5e3,"ok":true}}"#),
            r#"{"type":"req","id":"c1","params":{"auth":{"token":"xxxxxx"},"n":12.5e3,"ok":true}}"#
        );
        assert_eq!(
            blank(r#"{"scopes":["operator.read"],"list":["a\"b","é"],"code":"AUTH"}"#),
            r#"{"scopes":["operator.read"],"list":["xxxx","xx"],"code":"AUTH"}"#
        );
        assert_eq!(blank(r#""text" : {"a":"b"}"#), "x".repeat(18));
        assert_eq!(blank("hello"), "xxxxx");
        assert_eq!(
            blank(r#"{"a":"\\","token":"x\\\"y"}"#),
            r#"{"a":"xx","token":"xxxxxx"}"#
        );
    }

    #[test]
    fn where_quotes_were_turned_around_nothing_passes_for_structure() {
        for (damaged, stays) in [
            (r#"{"id":"c1<,"token":"1234567890"}"#, r#"{"id":"c1<,""#),
            (r#"{"a":"b"12345}"#, r#"{"a":"x""#),
            (r#"{"a":0012345678901234}"#, r#"{"a":0"#),
            (r#"{"a" "type":"b"}"#, r#"{"a" "#),
            (r#"["a"}"#, r#"["x""#),
            (r#"{"a":nul,"type":"b"}"#, r#"{"a":nul"#),
        ] {
            let blanked = "x".repeat(damaged.len() - stays.len());
            assert_eq!(blank(damaged), format!("{stays}{blanked}"));
        }
    }

    #[test]
    fn a_kept_word_is_a_short_one() {
        let long = format!(r#"{{"id":"{}"}}"#, "a".repeat(80));
        let kept = format!(r#"{{"id":"{}{}"}}"#, "a".repeat(64), "x".repeat(16));
        assert_eq!(blank(&long), kept);
    }

    #[test]
    fn a_name_is_no_place_to_hide_a_token() {
        let text = format!(r#"{{"{}":1}}"#, "t".repeat(60));
        assert!(!blank(&text).contains(&"t".repeat(30)));
    }

    #[test]
    fn reasons_lose_what_looks_like_a_token() {
        let mut text =
            b"unauthorized: token eyJhbGciOiJIUzI1NiJ9.e30 is bad (mismatch-of-the-gateway)".to_vec();
        blank_reason(&mut text);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            format!(
                "unauthorized: token {} is bad (mismatch-of-the-gateway)",
                "x".repeat(24)
            )
        );
    }

    #[test]
    fn what_is_no_reason_goes_whole() {
        for piece in [
            &b"\x81\xfe\x02c\xe3\x03\xee\xf6\x98"[..],
            b"cret\",\"text\":\"hi",
            b"a: b\r\nc: d",
        ] {
            let mut reason = piece.to_vec();
            blank_reason(&mut reason);
            assert_eq!(reason, vec![BLANK; piece.len()], "{piece:?}");
        }
    }

    proptest! {
        #[test]
        fn lengths_stay_and_json_stays_json(value in json_value()) {
            let text = value.to_string();
            let blanked = blank(&text);
            prop_assert_eq!(blanked.len(), text.len());
            prop_assert!(serde_json::from_str::<serde_json::Value>(&blanked).is_ok(), "{}", blanked);
        }

        #[test]
        fn no_secret_of_ten_letters_stays_in_any_text(secret in "[A-Z]{10}", before in "[ -~]{0,20}", after in "[ -~]{0,20}") {
            let value = serde_json::json!({"token": format!("{before}{secret}{after}"), "a": [format!("{after}{secret}")]});
            prop_assert!(!blank(&value.to_string()).contains(&secret));
        }
    }

    fn json_value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            "\\PC{0,20}".prop_map(Into::into),
        ];
        let list = |inner: BoxedStrategy<serde_json::Value>| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::btree_map("[a-z]{1,12}", inner, 0..5)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        };
        let nested = leaf.prop_recursive(4, 30, 5, move |inner| list(inner.boxed()).boxed());
        prop::collection::btree_map("[a-z]{1,12}", nested, 0..5)
            .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()))
    }
}

//! A glance at a message: most messages of a live session are ticks, requests and answers whose first fields say all that
//! is wanted of them, in the order in which both ends write them. Whatever looks different is read as JSON.

/// Walks along the beginning of an object, field by field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glance<'a>(&'a str);

impl<'a> Glance<'a> {
    /// At the first field of an object; `None` if the text does not begin and end as one.
    pub(super) fn at(text: &'a str) -> Option<Self> {
        text.strip_suffix('}')?.strip_prefix('{').map(Self)
    }

    /// At the first field of an object whose end was not captured.
    pub(super) fn at_cut(text: &'a str) -> Option<Self> {
        text.strip_prefix('{').map(Self)
    }

    /// The text of the next field, if that has this name and no escapes; then stands at the one after it. `name` is written with
    /// its quotes and colon.
    pub(super) fn text(&mut self, name: &str) -> Option<&'a str> {
        let value = self.0.strip_prefix(name)?.strip_prefix('"')?;
        let end = quote_or_backslash(value.as_bytes())?;
        let rest = value[end..].strip_prefix('"')?;
        self.0 = if rest.is_empty() {
            rest
        } else {
            rest.strip_prefix(',')?
        };
        Some(&value[..end])
    }

    /// The next field as it stands, if that has this name; then stands at the one after it.
    pub(super) fn value(&mut self, name: &str) -> Option<&'a str> {
        let rest = self.0.strip_prefix(name)?;
        self.pass(rest)
    }

    /// The next field's value, an object, if that field has this name and is the last: then it need not be passed over to be read.
    /// Where another one follows, the fields of the object end in nothing.
    pub(super) fn last(self, name: &str) -> Option<Self> {
        Self::at(self.0.strip_prefix(name)?)
    }

    /// Name and value of the next field, if the name has no escapes; then stands at the one after it.
    pub(super) fn field(&mut self) -> Option<(&'a str, &'a str)> {
        let text = self.0.strip_prefix('"')?;
        let (name, rest) = text.split_at_checked(quote_or_backslash(text.as_bytes())?)?;
        let value = self.pass(rest.strip_prefix("\":")?)?;
        Some((name, value))
    }

    /// Whether all fields have been read.
    pub(super) const fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// Passes over the value at the beginning of `rest`.
    fn pass(&mut self, rest: &'a str) -> Option<&'a str> {
        let (value, rest) = rest.split_at_checked(end_of_value(rest.as_bytes())?)?;
        self.0 = if rest.is_empty() {
            rest
        } else {
            rest.strip_prefix(',')?
        };
        Some(value)
    }

    /// Whether the next field has this name, or name and value.
    pub(super) fn is(&self, name: &str) -> bool {
        self.0.starts_with(name)
    }
}

/// The text that a field's value is, if it has no escapes.
pub(super) fn plain_text(value: &str) -> Option<&str> {
    let text = value.strip_prefix('"')?;
    text.get(..quote_or_backslash(text.as_bytes())?)
        .filter(|plain| plain.len() + 1 == text.len() && text.ends_with('"'))
}

/// Where the value ends that `bytes` begin with: at its last quote or bracket, or before the comma behind it.
fn end_of_value(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut rest = bytes;
    loop {
        let (first, behind) = rest.split_first()?;
        rest = match first {
            b'"' => behind_text(behind)?,
            b'{' | b'[' => {
                depth += 1;
                behind
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                behind
            }
            _ if depth == 0 => {
                let length = memchr::memchr(b',', rest).unwrap_or(rest.len());
                return Some(bytes.len() - rest.len() + length);
            }
            _ => {
                rest = behind;
                continue;
            }
        };
        if depth == 0 {
            return Some(bytes.len() - rest.len());
        }
    }
}

/// What stands behind the closing quote of a text, whose opening one has been read.
#[inline]
fn behind_text(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (found, behind) = rest.get(quote_or_backslash(rest)?..)?.split_first()?;
        if *found == b'"' {
            return Some(behind);
        }
        rest = behind.get(1..)?;
    }
}

/// Texts so short are gone through eight bytes at a time; setting up a search made for long ones would take longer.
const SHORT: usize = 32;

/// Where the first quote or backslash is.
#[inline]
fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    // A byte of zeros borrows from its highest bit; so may those behind it, but not those before.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let (words, _) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words.iter().take(SHORT / 8) {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    Some(at + memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quotes_and_backslashes_are_found_wherever_they_are(
            bytes in proptest::collection::vec(prop_oneof![9 => any::<u8>(), 1 => Just(b'"'), 1 => Just(b'\\')], 0..80),
        ) {
            let first = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\'));
            prop_assert_eq!(quote_or_backslash(&bytes), first);
        }
    }

    #[test]
    fn fields_are_read_in_order_and_only_if_they_are_plain() {
        let mut glance = Glance::at(r#"{"type":"event","event":"tick","payload":{}}"#).unwrap();
        assert_eq!(glance.text(r#""type":"#), Some("event"));
        assert_eq!(glance.text(r#""id":"#), None);
        assert_eq!(glance.text(r#""event":"#), Some("tick"));
        assert!(glance.is(r#""payload":"#));
        for other in [
            r#"{"type":"e\"","#,
            r#"{"type":1}"#,
            r#"{"type":"a" ,"b":1}"#,
            "[]",
            "{}",
            "}",
        ] {
            let read = Glance::at(other).and_then(|mut glance| glance.text(r#""type":"#));
            assert_eq!(read, None, "{other}");
        }
    }

    #[test]
    fn the_last_object_is_entered_and_one_that_is_not_the_last_does_not_end() {
        let mut last = Glance::at(r#"{"p":{"a":1,"b":{}}}"#)
            .unwrap()
            .last(r#""p":"#)
            .unwrap();
        assert_eq!(last.field(), Some(("a", "1")));
        assert_eq!(last.field(), Some(("b", "{}")));
        assert!(last.is_over());
        for other in [r#"{"p":{"a":1},"q":{}}"#, r#"{"p":{"a":{}},"q":{"b":"}"}}"#] {
            let mut last = Glance::at(other).unwrap().last(r#""p":"#).unwrap();
            while last.field().is_some() {}
            assert!(!last.is_over(), "{other}");
        }
        assert!(Glance::at(r#"{"p":1}"#).unwrap().last(r#""p":"#).is_none());
    }

    #[test]
    fn values_are_passed_over_whatever_is_in_them() {
        let values = [
            r#""te]xt\"}""#,
            r#"{"a":{"b":"}\\"},"c":[1,[2,"]"]]}"#,
            "[]",
            "-1.5e3",
            "null",
            r#""""#,
        ];
        let fields: Vec<_> = values.iter().map(|value| format!(r#""f":{value}"#)).collect();
        let text = format!("{{{}}}", fields.join(","));
        let mut glance = Glance::at(&text).unwrap();
        for value in values {
            assert!(!glance.is_over());
            assert_eq!(glance.field(), Some(("f", value)));
        }
        assert!(glance.is_over());
        assert_eq!(glance.field(), None);
        for cut in [
            r#"{"f":"te}"#,
            r#"{"f":{"a":1}"#,
            r#"{"f":1"g":2}"#,
            r#"{"f":"\}"#,
            r#"{"f":}"#,
        ] {
            let mut glance = Glance::at(cut).unwrap();
            let first = glance.value(r#""f":"#);
            assert!(first.is_none() || first == Some(r#"1"g":2"#), "{cut}: {first:?}");
        }
    }
}

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
        let end = value.bytes().position(|byte| matches!(byte, b'"' | b'\\'))?;
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
        let (name, rest) = self.0.strip_prefix('"')?.split_once('"')?;
        if name.contains('\\') {
            return None;
        }
        let value = self.pass(rest.strip_prefix(':')?)?;
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

/// Where the value ends that `bytes` begin with: at its last quote or bracket, or before the comma behind it.
fn end_of_value(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        match *bytes.get(at)? {
            b'"' => at = end_of_text(bytes, at + 1)?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            _ if depth == 0 => {
                let length = memchr::memchr(b',', bytes.get(at..)?);
                return Some(length.map_or(bytes.len(), |length| at + length));
            }
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Where the closing quote of a text is that begins at `at`.
fn end_of_text(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

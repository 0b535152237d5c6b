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

    /// Whether the next field has this name, or name and value.
    pub(super) fn is(&self, name: &str) -> bool {
        self.0.starts_with(name)
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
}

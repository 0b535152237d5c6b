//! Text from elsewhere as text in a page, whatever it is.

/// `text` with everything that a browser could take for markup escaped, and without control characters.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() || is_direction(c) => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

/// Marks that turn the direction of what follows: they can make a line read as another.
const fn is_direction(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn markup_is_text() {
        assert_eq!(
            escaped("<script>alert('x')</script> & \"q\""),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;q&quot;"
        );
        assert_eq!(escaped("a\u{202E}b\u{1b}[31m"), "a\u{FFFD}b\u{FFFD}[31m");
    }

    proptest! {
        #[test]
        fn nothing_of_any_text_is_markup(text in ".{0,200}") {
            let out = escaped(&text);
            prop_assert!(!out.contains(['<', '>', '"', '\'']));
        }
    }
}

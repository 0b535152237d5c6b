//! What the pages of all tools share: how they begin and end, how they look, and text that stays text.
//!
//! A page is one file without scripts that loads nothing: it can be sent, printed and read without a network, in light and dark.

mod escape;

pub use escape::escaped;

/// The looks of all pages. Colours are roles, charts stretch to the width there is and their words do not.
pub const STYLE: &str = include_str!("style.css");

/// A page up to its first heading, which is `title`.
pub fn begin(title: &str) -> String {
    let title = escaped(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    )
}

/// The end of a page, with its last words.
pub fn end(words: &str) -> String {
    format!("<footer>{}</footer>\n</main>\n</body>\n</html>\n", escaped(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_loads_nothing_and_runs_nothing() {
        let page = format!("{}{}", begin("<script>alert(1)</script>"), end("a & b"));
        for never in ["<script", "http:", "https:", "url(h", "@import", "<link"] {
            assert!(!page.contains(never), "{never}");
        }
    }
}

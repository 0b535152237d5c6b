//! Lines that are wider than the terminal, broken at spaces.

/// `text` with no line wider than `width` columns where a space allows it; what follows a break is indented two columns more
/// than its line. Colours (SGR escapes) take no columns.
pub fn fold(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if columns(line.trim_end_matches('\n')) <= width {
            out.push_str(line);
        } else {
            fold_line(&mut out, line, width);
        }
    }
    out
}

fn fold_line(out: &mut String, line: &str, width: usize) {
    let body = line.trim_start_matches(' ');
    let indent = line.len() - body.len();
    out.extend(std::iter::repeat_n(' ', indent));
    let mut at = indent;
    for (i, word) in body.trim_end_matches('\n').split(' ').enumerate() {
        let wide = columns(word);
        if i > 0 {
            if at + 1 + wide > width && at > indent + 2 {
                out.push('\n');
                at = indent + 2;
                out.extend(std::iter::repeat_n(' ', at));
            } else {
                out.push(' ');
                at += 1;
            }
        }
        out.push_str(word);
        at += wide;
    }
    if line.ends_with('\n') {
        out.push('\n');
    }
}

/// Columns of a line: its characters, without SGR escapes.
fn columns(line: &str) -> usize {
    let mut escaped = false;
    line.chars()
        .filter(|&c| {
            let shown = !escaped && c != '\u{1b}';
            escaped = (escaped || c == '\u{1b}') && c != 'm';
            shown
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_whole_and_breaks_are_indented() {
        assert_eq!(
            fold("  one two three four\nx\n", 11),
            "  one two\n    three\n    four\nx\n"
        );
    }

    #[test]
    fn a_word_that_is_too_long_stays_as_it_is() {
        assert_eq!(fold("aaaaaaaaaaaaaaaa bb\n", 5), "aaaaaaaaaaaaaaaa\n  bb\n");
    }

    #[test]
    fn colours_take_no_columns() {
        let line = "\u{1b}[1;31mabc\u{1b}[0m def\n";
        assert_eq!(fold(line, 7), line);
        assert_eq!(fold(line, 6), "\u{1b}[1;31mabc\u{1b}[0m\n  def\n");
    }
}

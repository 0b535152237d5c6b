//! Lines of a stream that may be anything.

use std::io::{self, BufRead, Read as _};
use thiserror::Error;

/// Longest line that is read. A snapshot with every histogram full stays under 2 MB.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// Why there is no line.
#[derive(Debug, Error)]
pub enum LineError {
    /// Reading failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The stream ended in the middle of a line.
    #[error("the stream was cut in the middle of a line")]
    Cut,
    /// The line is longer than any snapshot.
    #[error("a line of more than 16 MiB")]
    TooLong,
    /// The line is no UTF-8.
    #[error("bytes that are no text")]
    NotText,
}

/// Reads the next line into `line`, without its end; `false` at the end of the stream.
pub fn read_line(from: &mut impl BufRead, line: &mut String) -> Result<bool, LineError> {
    let mut bytes = std::mem::take(line).into_bytes();
    bytes.clear();
    let read = from.take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes)?;
    if read == 0 {
        return Ok(false);
    }
    if bytes.pop_if(|b| *b == b'\n').is_none() {
        return Err(if read as u64 == MAX_LINE_BYTES {
            LineError::TooLong
        } else {
            LineError::Cut
        });
    }
    bytes.pop_if(|b| *b == b'\r');
    *line = String::from_utf8(bytes).map_err(|_| LineError::NotText)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_a_cut_one_is_told() {
        let mut from: &[u8] = b"one\r\n\ntwo\nthr";
        let mut line = String::new();
        for expected in ["one", "", "two"] {
            assert!(read_line(&mut from, &mut line).unwrap());
            assert_eq!(line, expected);
        }
        assert!(matches!(read_line(&mut from, &mut line), Err(LineError::Cut)));
        assert!(!read_line(&mut from, &mut line).unwrap());
    }

    #[test]
    fn a_line_without_end_is_refused_before_it_fills_the_memory() {
        let mut from = io::BufReader::new(io::repeat(b'x'));
        assert!(matches!(
            read_line(&mut from, &mut String::new()),
            Err(LineError::TooLong)
        ));
        let mut from: &[u8] = b"\xff\xfe\n";
        assert!(matches!(
            read_line(&mut from, &mut String::new()),
            Err(LineError::NotText)
        ));
    }
}

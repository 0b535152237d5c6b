//! Recordings inside gzip or zstd: unpacked into an unnamed temporary file, as a replay goes back and forth.

use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _};

/// A recording that unpacks to more than this is hardly one.
const MOST_BYTES: u64 = 16 << 30;

/// What a file is packed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

impl Packing {
    /// By the first bytes.
    pub const fn of(magic: [u8; 4]) -> Option<Self> {
        match magic {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd] => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Unpacks `file` from its beginning; what is cut off at its end is unpacked as far as it goes.
pub fn unpack(file: &File, packing: Packing) -> io::Result<File> {
    let mut from: Box<dyn Read> = match packing {
        Packing::Gzip => Box::new(MultiGzDecoder::new(BufReader::new(file))),
        Packing::Zstd => Box::new(zstd::Decoder::new(file)?),
    };
    let mut to = tempfile::tempfile()?;
    let copied = copy(&mut from, &mut to)?;
    if copied > MOST_BYTES {
        return Err(io::Error::other("more than 16 GiB"));
    }
    to.rewind()?;
    Ok(to)
}

/// Copies up to the end, to a place that cannot be unpacked, or to one byte more than is allowed.
fn copy(from: &mut impl Read, to: &mut impl io::Write) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 16];
    let mut copied = 0;
    while copied <= MOST_BYTES {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            // A run that was killed leaves a cut file: what is before the cut is good.
            Err(error) if copied > 0 && error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(buffer.get(..read).unwrap_or_default())?;
        copied += read as u64;
    }
    Ok(copied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn unpacked(bytes: &[u8]) -> io::Result<String> {
        let mut file = tempfile::tempfile()?;
        file.write_all(bytes)?;
        file.rewind()?;
        let magic = bytes.first_chunk().copied().unwrap_or_default();
        let mut text = String::new();
        unpack(&file, Packing::of(magic).unwrap())?.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn both_kinds_are_unpacked_and_a_cut_one_as_far_as_it_goes() {
        let text = "one line\n".repeat(50_000);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        gzip.write_all(text.as_bytes()).unwrap();
        let gzip = gzip.finish().unwrap();
        let zstd = zstd::encode_all(text.as_bytes(), 1).unwrap();
        assert_eq!(unpacked(&gzip).unwrap(), text);
        assert_eq!(unpacked(&zstd).unwrap(), text);
        let cut = unpacked(&gzip[..gzip.len() / 2]).unwrap();
        assert!(!cut.is_empty() && text.starts_with(&cut));
        assert!(unpacked(b"\x1f\x8bno gzip at all").is_err());
    }
}

//! The part of a file that is in memory: a growing buffer over any reader.

use std::io::{self, Read};

/// A moving view of a byte stream. Bytes are asked for with [`Window::want`] and let go with [`Window::consume`].
pub(super) struct Window {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the stream of `buffer[start]`.
    offset: u64,
    /// Room beyond the largest wish, so that moving bytes to the front stays rare.
    room: usize,
    ended: bool,
    failure: Option<io::Error>,
}

impl Window {
    pub(super) fn new(reader: Box<dyn Read + Send>, room: usize) -> Self {
        Self {
            reader,
            buffer: vec![0; room],
            start: 0,
            end: 0,
            offset: 0,
            room,
            ended: false,
            failure: None,
        }
    }

    /// Bytes in memory.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Tries to have at least `count` bytes in memory, and gives what there is: fewer only at the end of the stream.
    ///
    /// One read takes what is there and no more, so a stream that still grows is handed out as it comes.
    #[inline]
    pub(super) fn want(&mut self, count: usize) -> &[u8] {
        if self.end - self.start < count && !self.ended {
            self.fill(count);
        }
        self.bytes()
    }

    #[cold]
    #[inline(never)]
    fn fill(&mut self, count: usize) {
        // Only when there is no room behind: on a pipe that gives little at a time, moving for every read would cost more
        // than the reading.
        if self.start + count > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        // Half the room is left to move in, or a large wish repeated byte by byte would move everything each time.
        if count + self.room / 2 > self.buffer.len() {
            self.buffer.resize(count + self.room, 0);
        }
        while self.end - self.start < count && !self.ended {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    self.failure = Some(error);
                }
            }
        }
    }

    /// Lets go of the first `count` bytes.
    #[inline]
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Lets go of `count` bytes that need not fit into memory. Fewer only at the end of the stream.
    pub(super) fn skip(&mut self, mut count: u64) -> u64 {
        let mut skipped = 0;
        while count > 0 {
            let there = self.want(1).len();
            if there == 0 {
                break;
            }
            let step = usize::try_from(count).unwrap_or(usize::MAX).min(there);
            self.consume(step);
            skipped += step as u64;
            count -= step as u64;
        }
        skipped
    }

    /// Offset in the stream of the first byte in memory.
    #[inline]
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// What ended the stream early, once.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Turns the window into a reader again, bytes in memory first.
    pub(super) fn into_reader(self) -> Box<dyn Read + Send> {
        let rest = self.bytes().to_vec();
        Box::new(io::Cursor::new(rest).chain(self.reader))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(length: u8, room: usize) -> Window {
        Window::new(Box::new(io::Cursor::new((0..length).collect::<Vec<u8>>())), room)
    }

    #[test]
    fn bytes_come_in_order_whatever_is_asked_for() {
        let mut window = window(200, 16);
        for (wish, step) in [(1, 1), (40, 3), (5, 5), (100, 20), (16, 16), (155, 0)] {
            let offset = window.offset();
            let bytes = window.want(wish);
            assert!(bytes.len() >= wish);
            assert_eq!(u64::from(bytes[0]), offset);
            window.consume(step);
        }
        assert_eq!(
            window.want(1000).len(),
            155,
            "the end of the stream is no failure"
        );
        assert!(window.take_failure().is_none());
    }

    #[test]
    fn skipping_goes_no_further_than_the_end() {
        let mut window = window(100, 8);
        assert_eq!(window.skip(60), 60);
        assert_eq!((window.offset(), window.want(1)[0]), (60, 60));
        assert_eq!(window.skip(60), 40);
        assert_eq!(window.offset(), 100);
    }

    #[test]
    fn a_large_wish_leaves_room_to_move_in() {
        let mut window = window(200, 32);
        window.want(31);
        assert!(window.buffer.len() >= 31 + 16);
    }

    #[test]
    fn what_ends_the_stream_early_is_told_once_and_the_bytes_before_are_there() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is gone"))
            }
        }
        let mut window = Window::new(Box::new(io::Cursor::new(b"before").chain(Broken)), 16);
        assert_eq!(window.want(10), b"before");
        assert_eq!(window.take_failure().unwrap().to_string(), "the disk is gone");
        assert!(window.take_failure().is_none());
    }
}

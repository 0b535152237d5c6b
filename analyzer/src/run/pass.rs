//! One pass over a capture: packets are read and decoded, connections followed, and handed on to be judged.
//!
//! On one core that is a loop. On several, reading, following and what comes of it have a thread each: packets go from the first
//! to the second in batches that are used again, connections from the second to the third. Both queues keep their order, and
//! nothing else passes between the threads, so the result is the same.

use crate::decode::{Decoded, Decoder, FragmentLimits};
use crate::engine::{Engine, Over};
use crate::segment::Segment;
use crate::source::{Capture, CaptureSummary, Item, SourceError};
use std::io;
use std::mem;
use std::panic;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// Packets in a batch at most: enough that handing it on costs little, and few enough that they are still in a shared cache.
const BATCH_PACKETS: usize = 1024;
/// Payload in a batch, in bytes; one packet more fits.
const BATCH_BYTES: usize = 128 << 10;
/// Batches that wait for the next thread.
const BATCHES: usize = 4;
/// Connections handed on at once when the capture is over.
const LAST_CONNECTIONS: usize = 64;

/// What a pass meets.
pub(super) enum Met<'a> {
    /// A packet, before it is followed.
    Segment(&'a Segment<'a>),
    /// A connection that is over.
    Over(Over),
}

/// Reads `capture` as long as it `goes_on`, and tells `on` what it meets. The connections before a failure are all handed on.
pub(super) fn on_one_thread(
    capture: &mut Capture,
    engine: &mut Engine,
    mut goes_on: impl FnMut(&CaptureSummary) -> bool,
    on: &mut impl FnMut(Met<'_>),
) -> Result<(), SourceError> {
    let mut decoder = Decoder::new(FragmentLimits::default());
    let mut end = Ok(true);
    while matches!(end, Ok(true)) && goes_on(capture.summary()) {
        end = read_one(capture, &mut decoder, &mut |read| match read {
            Read::Segment(segment) => {
                on(Met::Segment(segment));
                engine.take(segment, &mut |over| on(Met::Over(over)));
            }
            Read::Secrets(text) => {
                engine.keys().add(text);
            }
        });
    }
    engine.take_end(&mut |over| on(Met::Over(over)));
    end.map(|_| ())
}

/// The same on three threads; of what it meets only connections that are over are told.
///
/// # Errors
/// The outer one: the system gives no threads.
pub(super) fn on_three_threads(
    capture: &mut Capture,
    engine: &mut Engine,
    goes_on: impl FnMut(&CaptureSummary) -> bool + Send,
    on: &mut impl FnMut(Over),
) -> io::Result<Result<(), SourceError>> {
    let (full, batches) = sync_channel(BATCHES);
    let (empty, used) = channel();
    let (done, connections) = sync_channel::<Vec<Over>>(BATCHES);
    thread::scope(|scope| {
        let reader = thread::Builder::new()
            .name("read".to_owned())
            .spawn_scoped(scope, move || read(capture, goes_on, &full, &used))?;
        thread::Builder::new()
            .name("follow".to_owned())
            .spawn_scoped(scope, move || follow(engine, batches, &empty, &done))?;
        for over in connections.into_iter().flatten() {
            on(over);
        }
        Ok(reader.join().unwrap_or_else(|cause| panic::resume_unwind(cause)))
    })
}

/// What a record of a capture gives to follow.
enum Read<'a> {
    Segment(&'a Segment<'a>),
    Secrets(&'a [u8]),
}

/// Reads the next record; whether there was one.
#[inline]
fn read_one(
    capture: &mut Capture,
    decoder: &mut Decoder,
    on: &mut impl FnMut(Read<'_>),
) -> Result<bool, SourceError> {
    // By reference: moving what was just written costs more than using it.
    let skipped = match capture.next() {
        Ok(Some(Item::Frame(ref frame))) => match &decoder.decode(frame) {
            Decoded::Tcp(segment) => {
                on(Read::Segment(segment));
                return Ok(true);
            }
            Decoded::Udp(_) => "UDP",
            Decoded::Other(reason) => *reason,
        },
        Ok(Some(Item::Secrets(text))) => {
            on(Read::Secrets(text));
            return Ok(true);
        }
        Ok(None) => return Ok(false),
        Err(error) => return Err(error),
    };
    capture.count_skipped(skipped);
    Ok(true)
}

/// Packets on their way from one thread to the next.
#[derive(Default)]
struct Batch {
    records: Vec<Packed>,
    /// Payloads and secrets, one behind the other.
    bytes: Vec<u8>,
}

/// A record whose bytes lie in its batch: so many.
enum Packed {
    Segment(Segment<'static>, usize),
    Secrets(usize),
}

impl Batch {
    fn push(&mut self, read: &Read<'_>) {
        match read {
            Read::Segment(segment) => {
                self.bytes.extend_from_slice(segment.payload);
                let head = Segment {
                    payload: &[],
                    ..**segment
                };
                self.records.push(Packed::Segment(head, segment.payload.len()));
            }
            Read::Secrets(text) => {
                self.bytes.extend_from_slice(text);
                self.records.push(Packed::Secrets(text.len()));
            }
        }
    }

    fn is_full(&self) -> bool {
        self.records.len() >= BATCH_PACKETS || self.bytes.len() >= BATCH_BYTES
    }
}

/// The first thread. A batch leaves when it is full, or when the next record may have to be waited for.
fn read(
    capture: &mut Capture,
    mut goes_on: impl FnMut(&CaptureSummary) -> bool,
    full: &SyncSender<Batch>,
    used: &Receiver<Batch>,
) -> Result<(), SourceError> {
    let mut decoder = Decoder::new(FragmentLimits::default());
    let mut batch = Batch::default();
    let mut end = Ok(true);
    while matches!(end, Ok(true)) && goes_on(capture.summary()) {
        if batch.is_full() || (!batch.records.is_empty() && !capture.is_at_hand()) {
            let next = used.try_recv().unwrap_or_default();
            if full.send(mem::replace(&mut batch, next)).is_err() {
                // The thread that follows is gone; its panic is told.
                return Ok(());
            }
        }
        end = read_one(capture, &mut decoder, &mut |read| batch.push(&read));
    }
    // As above.
    let _ = full.send(batch);
    end.map(|_| ())
}

/// The second thread.
fn follow(
    engine: &mut Engine,
    batches: Receiver<Batch>,
    empty: &Sender<Batch>,
    done: &SyncSender<Vec<Over>>,
) {
    let mut over = Vec::new();
    // Whoever takes the connections is gone only when it panics, and then nothing more matters.
    let hand_on = |over: &mut Vec<Over>| over.is_empty() || done.send(mem::take(over)).is_ok();
    for mut batch in batches {
        let mut bytes = batch.bytes.as_slice();
        for record in &batch.records {
            let (Packed::Segment(_, length) | Packed::Secrets(length)) = record;
            let (own, rest) = bytes.split_at_checked(*length).unwrap_or_default();
            bytes = rest;
            match record {
                Packed::Segment(head, _) => {
                    let segment = Segment {
                        payload: own,
                        ..*head
                    };
                    engine.take(&segment, &mut |connection| over.push(connection));
                }
                Packed::Secrets(_) => {
                    engine.keys().add(own);
                }
            }
        }
        if !hand_on(&mut over) {
            return;
        }
        batch.records.clear();
        batch.bytes.clear();
        // The first thread may be done.
        let _ = empty.send(batch);
    }
    engine.take_end(&mut |connection| {
        over.push(connection);
        if over.len() >= LAST_CONNECTIONS {
            hand_on(&mut over);
        }
    });
    hand_on(&mut over);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Options;
    use std::io::{Cursor, Read};
    use std::path::{Path, PathBuf};

    /// Gives a few bytes at a time, as a pipe may.
    struct Dripping(Cursor<Vec<u8>>, usize);

    impl Read for Dripping {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let room = buffer.len().min(self.1);
            self.0.read(&mut buffer[..room])
        }
    }

    fn captures() -> Vec<PathBuf> {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        let all: Vec<_> = ["openclaw", "clawchat", "clw"]
            .iter()
            .flat_map(|folder| std::fs::read_dir(data.join(folder)).unwrap())
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "pcap"))
            .collect();
        assert!(all.len() > 20, "{}", all.len());
        all
    }

    /// Everything that comes of a capture, in its order; `packets` are read at most.
    fn outcome(mut capture: Capture, packets: u64, has_threads: bool) -> Vec<String> {
        // So few are remembered that some are given up.
        let mut engine = Engine::new(Options {
            max_open: 3,
            linger_ns: 50_000_000,
            ..Options::default()
        });
        let mut seen = Vec::new();
        let mut take = |over: Over| {
            let judged = over.judge(|_| true);
            seen.push(serde_json::to_string(&judged.record).unwrap());
        };
        let goes_on = |summary: &CaptureSummary| summary.packets < packets;
        if has_threads {
            on_three_threads(&mut capture, &mut engine, goes_on, &mut take)
                .unwrap()
                .unwrap();
        } else {
            on_one_thread(&mut capture, &mut engine, goes_on, &mut |met| {
                if let Met::Over(over) = met {
                    take(over);
                }
            })
            .unwrap();
        }
        seen.push(format!("{} {:?}", engine.evicted(), capture.summary()));
        seen
    }

    #[test]
    fn threads_change_nothing_and_keep_the_order() {
        for path in captures() {
            let open = || Capture::open(std::slice::from_ref(&path)).unwrap();
            for packets in [0, 1, 50, u64::MAX] {
                assert_eq!(
                    outcome(open(), packets, true),
                    outcome(open(), packets, false),
                    "{} {packets}",
                    path.display()
                );
            }
        }
        let all = || Capture::open(&captures()).unwrap();
        assert_eq!(outcome(all(), u64::MAX, true), outcome(all(), u64::MAX, false));
    }

    #[test]
    fn damage_and_dripping_bytes_come_out_the_same_on_threads() {
        for path in captures() {
            let mut bytes = std::fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle..middle + 40].fill(0xff);
            bytes.truncate(bytes.len() - 7);
            for step in [1, 61, 4096] {
                let open =
                    || Capture::from_reader("drip", Dripping(Cursor::new(bytes.clone()), step)).unwrap();
                assert_eq!(
                    outcome(open(), u64::MAX, true),
                    outcome(open(), u64::MAX, false),
                    "{} {step}",
                    path.display()
                );
            }
        }
    }
}

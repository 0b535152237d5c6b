//! One pass over a capture: packets are read and decoded, connections followed, and handed on to be judged.
//!
//! On one core that is a loop. On several, reading and decoding have a thread of their own: packets go from there in batches that
//! are used again, in order, and nothing else passes between the threads, so the result is the same. Judging stays where the
//! connections are made: a third thread, which freed what the second had made, cost short sessions more than it gained.

use crate::decode::{Datagram, Decoded, Decoder, FragmentLimits};
use crate::engine::{Engine, Over};
use crate::segment::Segment;
use crate::source::{Capture, CaptureSummary, Item, SourceError};
use std::io;
use std::mem;
use std::panic;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;

/// Packets in a batch at most: enough that handing it on costs little, and few enough that they are still in a shared cache.
const BATCH_PACKETS: usize = 1024;
/// Payload in a batch, in bytes; one packet more fits.
const BATCH_BYTES: usize = 128 << 10;
/// Batches that wait for the next thread.
const BATCHES: usize = 4;
/// Why a datagram is passed over.
const UDP: &str = "UDP";

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
    let mut unheeded = 0;
    let mut end = Ok(true);
    while matches!(end, Ok(true)) && goes_on(capture.summary()) {
        end = read_one(capture, &mut decoder, &mut |read| {
            unheeded += u64::from(!follow(engine, &read, on));
        });
    }
    engine.take_end(&mut |over| on(Met::Over(over)));
    capture.count_skipped(UDP, unheeded);
    end.map(|_| ())
}

/// The same on two threads, of which this one follows; `on` is told the same in the same order.
///
/// # Errors
/// The outer one: the system gives no thread.
pub(super) fn on_two_threads(
    capture: &mut Capture,
    engine: &mut Engine,
    goes_on: impl FnMut(&CaptureSummary) -> bool + Send,
    on: &mut impl FnMut(Met<'_>),
) -> io::Result<Result<(), SourceError>> {
    let (full, batches) = sync_channel::<Batch>(BATCHES);
    let (empty, used) = channel();
    let reading = &mut *capture;
    let (end, unheeded) = thread::scope(|scope| {
        let reader = thread::Builder::new()
            .name("read".to_owned())
            .spawn_scoped(scope, move || read(reading, goes_on, &full, &used))?;
        let mut unheeded = 0;
        for mut batch in batches {
            unheeded += batch.follow(engine, on);
            // The reader may be done.
            let _ = empty.send(batch);
        }
        engine.take_end(&mut |over| on(Met::Over(over)));
        let end = reader.join().unwrap_or_else(|cause| panic::resume_unwind(cause));
        io::Result::Ok((end, unheeded))
    })?;
    capture.count_skipped(UDP, unheeded);
    Ok(end)
}

/// What a record of a capture gives to follow.
enum Read<'a> {
    Segment(&'a Segment<'a>),
    Datagram(&'a Datagram<'a>),
    Secrets(&'a [u8]),
}

/// Follows one record; `false` if it was passed over.
#[inline]
fn follow(engine: &mut Engine, read: &Read<'_>, on: &mut impl FnMut(Met<'_>)) -> bool {
    match read {
        Read::Segment(segment) => {
            on(Met::Segment(segment));
            engine.take(segment, &mut |over| on(Met::Over(over)));
            true
        }
        Read::Datagram(datagram) => engine.feed_datagram(datagram),
        Read::Secrets(text) => {
            engine.keys().add(text);
            true
        }
    }
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
            Decoded::Udp(datagram) if Engine::may_heed(datagram) => {
                on(Read::Datagram(datagram));
                return Ok(true);
            }
            Decoded::Udp(_) => UDP,
            Decoded::Other(reason) => *reason,
        },
        Ok(Some(Item::Secrets(text))) => {
            on(Read::Secrets(text));
            return Ok(true);
        }
        Ok(None) => return Ok(false),
        Err(error) => return Err(error),
    };
    capture.count_skipped(skipped, 1);
    Ok(true)
}

/// Packets on their way from one thread to the other.
#[derive(Default)]
struct Batch {
    records: Vec<Packed>,
    /// Payloads and secrets, one behind the other.
    bytes: Vec<u8>,
}

/// A record whose bytes lie in its batch: so many.
enum Packed {
    Segment(Segment<'static>, usize),
    Datagram(Datagram<'static>, usize),
    Secrets(usize),
}

impl Batch {
    fn push(&mut self, read: &Read<'_>) {
        let (packed, bytes) = match read {
            Read::Segment(segment) => {
                let head = Segment {
                    payload: &[],
                    ..**segment
                };
                (Packed::Segment(head, segment.payload.len()), segment.payload)
            }
            Read::Datagram(datagram) => {
                let head = Datagram {
                    payload: &[],
                    ..**datagram
                };
                (Packed::Datagram(head, datagram.payload.len()), datagram.payload)
            }
            Read::Secrets(text) => (Packed::Secrets(text.len()), *text),
        };
        self.records.push(packed);
        self.bytes.extend_from_slice(bytes);
    }

    fn is_full(&self) -> bool {
        self.records.len() >= BATCH_PACKETS || self.bytes.len() >= BATCH_BYTES
    }

    /// Follows all of it and empties it; returns how many records were passed over.
    fn follow(&mut self, engine: &mut Engine, on: &mut impl FnMut(Met<'_>)) -> u64 {
        let mut bytes = self.bytes.as_slice();
        let mut unheeded = 0;
        for record in &self.records {
            let (Packed::Segment(_, length) | Packed::Datagram(_, length) | Packed::Secrets(length)) = record;
            let (payload, rest) = bytes.split_at_checked(*length).unwrap_or_default();
            bytes = rest;
            let is_heeded = match record {
                Packed::Segment(head, _) => {
                    let segment = Segment { payload, ..*head };
                    follow(engine, &Read::Segment(&segment), on)
                }
                Packed::Datagram(head, _) => {
                    let datagram = Datagram { payload, ..*head };
                    follow(engine, &Read::Datagram(&datagram), on)
                }
                Packed::Secrets(_) => follow(engine, &Read::Secrets(payload), on),
            };
            unheeded += u64::from(!is_heeded);
        }
        self.records.clear();
        self.bytes.clear();
        unheeded
    }
}

/// The thread that reads. A batch leaves when it is full, or when the next record may have to be waited for.
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
        let mut take = |met: Met<'_>| {
            seen.push(match met {
                Met::Segment(segment) => format!("{segment:?}"),
                Met::Over(over) => serde_json::to_string(&over.judge(|_| true).record).unwrap(),
            });
        };
        let goes_on = |summary: &CaptureSummary| summary.packets < packets;
        if has_threads {
            on_two_threads(&mut capture, &mut engine, goes_on, &mut take)
                .unwrap()
                .unwrap();
        } else {
            on_one_thread(&mut capture, &mut engine, goes_on, &mut take).unwrap();
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
    fn heartbeats_beside_a_stream_reach_it_and_those_that_do_not_are_counted() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/clw/datagrams.pcap");
        for has_threads in [false, true] {
            // Where only one session is remembered, the datagrams of the others are nobody's.
            let mut seen = [200, 1].map(|max_open| {
                let mut capture = Capture::open(std::slice::from_ref(&data)).unwrap();
                let mut engine = Engine::new(Options {
                    max_open,
                    ..Options::default()
                });
                let mut heeded = 0;
                let mut take = |met: Met<'_>| {
                    if let Met::Over(over) = met {
                        let udp = over.judge(|_| false).record.heartbeats.udp;
                        heeded += udp.map_or(0, |udp| udp.pings + udp.pongs);
                    }
                };
                if has_threads {
                    on_two_threads(&mut capture, &mut engine, |_| true, &mut take)
                        .unwrap()
                        .unwrap();
                } else {
                    on_one_thread(&mut capture, &mut engine, |_| true, &mut take).unwrap();
                }
                (heeded, capture.summary().skipped.get(UDP).copied())
            });
            seen[1].0 += seen[1].1.unwrap_or_default();
            assert!(seen[1].1 > Some(10), "{seen:?}");
            assert_eq!((seen[0], seen[1].0), ((73, None), 73), "{has_threads}");
        }
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

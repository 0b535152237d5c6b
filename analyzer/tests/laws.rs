//! What must hold for every capture, shown on real ones that were tampered with.

#![expect(clippy::expect_used, reason = "a helper of a test may panic")]

mod support;

use clw_analyzer::decode::{Decoded, Decoder, FragmentLimits};
use clw_analyzer::engine::{Engine, Options};
use clw_analyzer::record::Record;
use clw_analyzer::segment::{Flags, Segment};
use clw_analyzer::source::{Capture, Item};
use proptest::prelude::*;
use proptest::sample::Index;
use std::path::{Path, PathBuf};
use support::{analyze, data};

/// A segment that owns its payload.
#[derive(Clone)]
struct Owned {
    head: Segment<'static>,
    payload: Vec<u8>,
}

fn segments(path: &Path) -> Vec<Owned> {
    let mut capture = Capture::open(&[path.to_owned()]).expect("a capture");
    let mut decoder = Decoder::new(FragmentLimits::default());
    let mut all = Vec::new();
    while let Some(item) = capture.next().expect("readable") {
        if let Item::Frame(frame) = item
            && let Decoded::Tcp(segment) = decoder.decode(&frame)
        {
            all.push(Owned {
                payload: segment.payload.to_vec(),
                head: Segment {
                    payload: &[],
                    options: segment.options,
                    ..segment
                },
            });
        }
    }
    all
}

fn judge(segments: &[Owned]) -> Vec<Record> {
    let mut engine = Engine::new(Options::default());
    let mut records = Vec::new();
    for segment in segments {
        let segment = Segment {
            payload: &segment.payload,
            ..segment.head.clone()
        };
        engine.feed(&segment, &mut |judged| records.push(judged.record));
    }
    engine.end(&mut |judged| records.push(judged.record));
    records.sort_by_key(|record| record.client);
    records
}

/// What a reader takes home of a connection.
fn essence(records: &[Record]) -> Vec<String> {
    let one = |r: &Record| {
        let close = r
            .ending
            .ws_close
            .as_ref()
            .map(|c| (c.code, c.reason.clone(), c.by, c.echo));
        format!(
            "{} {} {} {:?} {:?} {:?} {close:?} {:?} {:?}",
            r.client,
            r.dialect,
            r.stage,
            r.verdict,
            r.ending.kind,
            r.ending.by,
            r.identity,
            (
                r.heartbeats.ws_ping,
                r.heartbeats.ws_pong,
                r.heartbeats.ticks,
                r.frames
            )
        )
    };
    records.iter().map(one).collect()
}

fn captures() -> Vec<PathBuf> {
    let mut all: Vec<_> = ["openclaw", "clawchat"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(data(folder)).expect("captures"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "pcap"))
        .collect();
    all.sort();
    assert!(all.len() >= 25, "{}", all.len());
    all
}

fn has_data(segment: &Owned) -> bool {
    segment.payload.len() > 1 && segment.head.flags.0 & (Flags::SYN | Flags::FIN | Flags::RST) == 0
}

/// Cuts a segment's payload in two at `at`.
fn cut(segments: &mut Vec<Owned>, which: usize, at: Index) {
    if !has_data(&segments[which]) {
        return;
    }
    let at = 1 + at.index(segments[which].payload.len() - 1);
    let mut second = segments[which].clone();
    second.payload.drain(..at);
    segments[which].payload.truncate(at);
    let first_len = u32::try_from(at).expect("small");
    segments[which].head.payload_len = first_len;
    second.head.payload_len -= first_len;
    second.head.seq = second.head.seq.wrapping_add(first_len);
    second.head.ip_id = second.head.ip_id.map(|id| id.wrapping_add(1));
    segments.insert(which + 1, second);
}

/// Sends a segment again, a little further back in the stream so that it overlaps, right after itself.
fn repeat(segments: &mut Vec<Owned>, which: usize) {
    if has_data(&segments[which]) {
        let mut again = segments[which].clone();
        again.head.ip_id = again.head.ip_id.map(|id| id.wrapping_add(1));
        segments.insert(which + 1, again);
    }
}

/// Lets the second of two segments of one direction overtake the first.
fn overtake(segments: &mut [Owned], which: usize) {
    let Some(next) = segments.get(which + 1) else {
        return;
    };
    let (a, b) = (&segments[which], next);
    if a.head.source == b.head.source
        && a.head.destination == b.head.destination
        && has_data(a)
        && has_data(b)
    {
        let (at_a, at_b) = (a.head.at_ns, b.head.at_ns);
        segments.swap(which, which + 1);
        segments[which].head.at_ns = at_a;
        segments[which + 1].head.at_ns = at_b;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn cut_repeated_and_overtaken_segments_change_nothing(
        file: Index,
        changes in prop::collection::vec((0u8..3, any::<Index>(), any::<Index>()), 1..40),
    ) {
        let captures = captures();
        let mut all = segments(&captures[file.index(captures.len())]);
        let before = essence(&judge(&all));
        for (kind, which, at) in changes {
            let which = which.index(all.len());
            match kind {
                0 => cut(&mut all, which, at),
                1 => repeat(&mut all, which),
                _ => overtake(&mut all, which),
            }
        }
        prop_assert_eq!(essence(&judge(&all)), before);
    }

    #[test]
    fn packets_that_were_not_captured_make_a_verdict_less_certain_and_never_another_one(
        file: Index,
        lost in prop::collection::vec(any::<Index>(), 1..8),
    ) {
        let files = captures();
        let file = file.get(&files);
        let mut rest = segments(file);
        let whole = judge(&rest);
        for at in lost {
            rest.remove(at.index(rest.len()));
        }
        for record in judge(&rest) {
            let Some(truth) = whole.iter().find(|whole| whole.client == record.client) else { continue };
            let is_sure = record.confidence > 0.75 && record.verdict != Some("incomplete");
            // Of an unanswered connect, and of a session whose last packet was lost, there is nothing else to go by.
            let is_blank = record.stage == clw_core::Stage::Tcp || record.verdict == Some("open");
            let is_same = record.verdict == truth.verdict || is_blank;
            prop_assert!(!is_sure || is_same, "{:?} {:#?}", file, record);
            let gaps = record.heartbeats.gaps.iter().filter(|gap| !gap.cause.starts_with("capture loss"));
            prop_assert!(gaps.count() <= truth.heartbeats.gaps.len(), "{:?} {:#?}", file, record);
        }
    }

    #[test]
    fn a_capture_cut_anywhere_is_read_as_far_as_it_goes(file: Index, at: Index) {
        let captures = captures();
        let path = &captures[file.index(captures.len())];
        let whole = std::fs::read(path).expect("readable");
        let whole_count = analyze(path).len();
        let at = 24 + at.index(whole.len() - 24);
        let cut = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(cut.path(), &whole[..at]).expect("written");
        let records = analyze(cut.path());
        prop_assert!(records.len() <= whole_count);
        for record in records {
            prop_assert!(record.verdict.is_none_or(|v| !v.is_empty()));
        }
    }

    #[test]
    fn any_bytes_in_the_payload_are_survived(
        file: Index,
        flips in prop::collection::vec((any::<Index>(), any::<Index>(), any::<u8>()), 1..60),
    ) {
        let captures = captures();
        let mut all = segments(&captures[file.index(captures.len())]);
        for (which, at, value) in flips {
            let which = which.index(all.len());
            let payload = &mut all[which].payload;
            if !payload.is_empty() {
                let at = at.index(payload.len());
                payload[at] = value;
            }
        }
        prop_assert!(!judge(&all).is_empty());
    }

    #[test]
    fn any_headers_are_survived(headers in prop::collection::vec((any::<u8>(), any::<u32>(), any::<u32>(), any::<u8>(), 0u32..3000, 0usize..40, any::<bool>()), 1..120)) {
        let template = segments(&captures()[0]).swap_remove(0);
        let all: Vec<_> = headers
            .into_iter()
            .zip(1u64..)
            .map(|((flags, seq, ack, ttl, len, captured, up), number)| {
                let mut one = template.clone();
                let len = len.max(u32::try_from(captured).expect("small"));
                one.head = Segment { number, at_ns: number * 1_000_000, seq, ack, ttl, flags: Flags(flags), payload_len: len, ..one.head };
                one.payload = vec![flags; captured];
                if !up {
                    std::mem::swap(&mut one.head.source, &mut one.head.destination);
                }
                one
            })
            .collect();
        prop_assert!(!judge(&all).is_empty());
    }
}

#[test]
fn a_capture_that_begins_in_the_middle_still_tells_the_end() {
    for (file, verdict) in [
        ("openclaw/gateway-restart.pcap", "clw-server-restart"),
        ("openclaw/no-pong.pcap", "clw-heartbeat-miss"),
        ("clawchat/takeover-4001.pcap", "clw-session-replaced"),
    ] {
        let path = data("").join(file);
        let mut all = segments(&path);
        let client = all[0].head.source;
        all.retain(|s| s.head.source == client || s.head.destination == client);
        // Everything up to and with the login is gone.
        let login = all
            .iter()
            .filter(|s| has_data(s))
            .nth(4)
            .expect("a session")
            .head
            .number;
        all.retain(|s| s.head.number > login);
        let records = judge(&all);
        assert_eq!(records.len(), 1, "{file}");
        assert_eq!(
            records[0].verdict,
            Some(verdict),
            "{file}: {:#?}",
            records[0].evidence
        );
        assert!(
            records[0]
                .evidence
                .iter()
                .any(|line| line.contains("begins after the upgrade")),
            "{file}"
        );
    }
}

#[test]
fn what_the_capture_lost_is_never_held_against_a_session() {
    // Every packet of the capture is lost once, and a verdict may only become less certain: the same, or too little to tell.
    for (file, verdict) in [
        ("openclaw/token-ok.pcap", "ok"),
        ("openclaw/gateway-restart.pcap", "clw-server-restart"),
        ("openclaw/client-rst.pcap", "clw-auth-disconnected"),
    ] {
        let all = segments(&data("").join(file));
        for lost in 0..all.len() {
            if !has_data(&all[lost]) {
                continue;
            }
            let mut rest = all.clone();
            rest.remove(lost);
            for record in judge(&rest) {
                let seen = record.verdict.expect("a session");
                assert!(
                    seen == verdict || seen == "incomplete",
                    "{file} without frame {}: {seen} {:#?}",
                    all[lost].head.number,
                    record.evidence
                );
            }
        }
    }
}

#[test]
fn truncated_packets_keep_their_framing() {
    // A snap length of 128 bytes keeps headers and close frames, and cuts the login.
    let mut all = segments(&data("openclaw").join("gateway-restart.pcap"));
    for segment in &mut all {
        segment.payload.truncate(62);
    }
    for record in judge(&all) {
        let close = record.ending.ws_close.as_ref().expect("the close frame is whole");
        assert_eq!(close.code, 1012, "{:#?}", record.evidence);
        assert_eq!(record.verdict, Some("clw-server-restart"));
    }
}

//! Session secrets in SSLKEYLOGFILE form, from a file or from the capture's own secrets blocks (RFC 9850).

use super::key_log_line::{Line, LineSecret, MAX_LINE_LEN, parse_line, slot};
use super::traffic_secret::{Epoch, TrafficSecret};
use clw_core::verdict::Side;
use std::collections::{HashMap, VecDeque};
use std::fmt;

/// The random of a ClientHello: it names the session in a key log.
pub(super) type ClientRandom = [u8; 32];

/// The secrets of many TLS sessions, found by the client's random.
///
/// Its memory is bounded: over the limit the oldest session's secrets are dropped, and counted. Debug shows counts only.
pub struct KeyLog {
    sessions: HashMap<ClientRandom, Box<SessionSecrets>>,
    /// In the order of their first line, to drop the oldest.
    order: VecDeque<ClientRandom>,
    max_sessions: usize,
    /// The beginning of a line whose end has not come yet; see [`Self::add_part`].
    begun_line: Vec<u8>,
    counts: LineCounts,
    revision: u64,
}

/// What the lines of a key log were. Empty lines and comments do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Secrets of use here.
    pub understood: u64,
    /// Well-known labels that nothing here needs: exporters, early data, RSA pre-master secrets.
    pub ignored: u64,
    /// Anything else: an unknown label, bad hexadecimal, a wrong length.
    pub bad: u64,
    /// Sessions whose secrets were dropped because there were too many.
    pub dropped_sessions: u64,
}

#[derive(Default)]
struct SessionSecrets {
    master: Option<[u8; 48]>,
    /// By [`slot`].
    traffic: [Option<TrafficSecret>; 4],
}

impl Default for KeyLog {
    fn default() -> Self {
        Self::new()
    }
}

impl KeyLog {
    /// An empty key log for at most 131 072 sessions (some 50 MB).
    pub fn new() -> Self {
        Self::with_limit(1 << 17)
    }

    /// An empty key log for at most `max_sessions` sessions, at about 400 bytes each.
    pub fn with_limit(max_sessions: usize) -> Self {
        Self {
            sessions: HashMap::new(),
            order: VecDeque::new(),
            max_sessions,
            begun_line: Vec::new(),
            counts: LineCounts::default(),
            revision: 0,
        }
    }

    /// Adds whole lines: a file, or one secrets block of a capture; the last line needs no newline. Returns how many
    /// lines it understood. Bad lines are counted and passed over.
    pub fn add(&mut self, text: &[u8]) -> u64 {
        self.add_part(text) + self.end_part()
    }

    /// Adds the next part of a text that is cut anywhere. Its last line counts when its newline comes, or with
    /// [`Self::end_part`].
    pub fn add_part(&mut self, mut text: &[u8]) -> u64 {
        let before = self.counts.understood;
        while let Some(at) = text.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, rest) = text.split_at(at);
            text = rest.get(1..).unwrap_or_default();
            if self.begun_line.is_empty() {
                self.line(line);
            } else {
                self.keep_begun(line);
                self.end_part();
            }
        }
        self.keep_begun(text);
        self.counts.understood - before
    }

    /// Ends a text that came in parts. Returns how many lines it understood now: one or none.
    pub fn end_part(&mut self) -> u64 {
        let before = self.counts.understood;
        let line = std::mem::take(&mut self.begun_line);
        self.line(&line);
        self.counts.understood - before
    }

    /// What the lines were so far.
    pub const fn counts(&self) -> LineCounts {
        self.counts
    }

    /// For how many sessions it has secrets.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether it has no secrets at all.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Rises with every secret added: whoever did not find one needs to look again only when it has changed.
    pub(super) const fn revision(&self) -> u64 {
        self.revision
    }

    /// TLS 1.2: the master secret of a session.
    pub(super) fn master_secret(&self, random: &ClientRandom) -> Option<&[u8; 48]> {
        self.sessions.get(random)?.master.as_ref()
    }

    /// TLS 1.3: what `side` encrypts with in an epoch of a session.
    pub(super) fn traffic_secret(
        &self,
        random: &ClientRandom,
        side: Side,
        epoch: Epoch,
    ) -> Option<&TrafficSecret> {
        self.sessions
            .get(random)?
            .traffic
            .get(slot(side, epoch))?
            .as_ref()
    }

    /// Keeps the beginning of a line; of one that is too long only so much that it is still seen to be too long.
    fn keep_begun(&mut self, text: &[u8]) {
        let room = (MAX_LINE_LEN + 1).saturating_sub(self.begun_line.len());
        self.begun_line
            .extend_from_slice(text.get(..room).unwrap_or(text));
    }

    fn line(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            return;
        }
        match parse_line(line) {
            Some(Line::Secret(random, secret)) => {
                self.counts.understood += 1;
                self.revision += 1;
                self.insert(random, &secret);
            }
            Some(Line::OfNoUse) => self.counts.ignored += 1,
            None => self.counts.bad += 1,
        }
    }

    fn insert(&mut self, random: ClientRandom, secret: &LineSecret) {
        if self.max_sessions == 0 {
            self.counts.dropped_sessions += 1;
            return;
        }
        if !self.sessions.contains_key(&random) {
            if self.sessions.len() >= self.max_sessions
                && let Some(oldest) = self.order.pop_front()
            {
                self.sessions.remove(&oldest);
                self.counts.dropped_sessions += 1;
            }
            self.order.push_back(random);
        }
        let secrets = self.sessions.entry(random).or_default();
        match secret {
            LineSecret::Master(master) => secrets.master = Some(*master),
            LineSecret::Traffic(slot, secret) => {
                if let Some(place) = secrets.traffic.get_mut(*slot) {
                    *place = Some(*secret);
                }
            }
        }
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLog")
            .field("sessions", &self.sessions.len())
            .field("max_sessions", &self.max_sessions)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clw_core::secret::hex;
    use proptest::prelude::*;

    fn line(label: &str, random: u8, secret_len: usize) -> String {
        format!(
            "{label} {} {}\n",
            hex(&[random; 32]),
            hex(&vec![0xab; secret_len])
        )
    }

    #[test]
    fn lines_of_use_are_understood_and_the_others_counted_by_kind() {
        let mut keys = KeyLog::new();
        let text = [
            "# made by nobody\n\r\n".to_owned(),
            line("CLIENT_RANDOM", 1, 48),
            line("CLIENT_RANDOM", 2, 32),
            line("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 3, 32),
            line("SERVER_HANDSHAKE_TRAFFIC_SECRET", 3, 48)
                .to_uppercase()
                .replace('\n', "\r\n"),
            line("CLIENT_TRAFFIC_SECRET_0", 3, 33),
            line("EXPORTER_SECRET", 3, 32),
            line("SOMETHING", 3, 32),
            "CLIENT_RANDOM xyz 00\nCLIENT_RANDOM\n\x7f\n".to_owned(),
            line("SERVER_TRAFFIC_SECRET_0", 3, 48).trim_end().to_owned(),
        ];
        assert_eq!(keys.add(text.concat().as_bytes()), 4);
        let counts = keys.counts();
        assert_eq!((counts.understood, counts.ignored, counts.bad), (4, 1, 6));
        assert_eq!(keys.len(), 2);
        assert_eq!(keys.master_secret(&[1; 32]), Some(&[0xab; 48]));
        assert_eq!(keys.master_secret(&[2; 32]), None);
        let secret = |side, epoch| {
            keys.traffic_secret(&[3; 32], side, epoch)
                .map(|s| s.expose().len())
        };
        assert_eq!(secret(Side::Client, Epoch::Handshake), Some(32));
        assert_eq!(secret(Side::Server, Epoch::Handshake), Some(48));
        assert_eq!(secret(Side::Client, Epoch::Application), None);
        assert_eq!(secret(Side::Server, Epoch::Application), Some(48));
    }

    #[test]
    fn debug_shows_no_secret() {
        let mut keys = KeyLog::new();
        keys.add(line("CLIENT_RANDOM", 1, 48).as_bytes());
        keys.add(line("CLIENT_TRAFFIC_SECRET_0", 1, 32).as_bytes());
        let secret = keys.traffic_secret(&[1; 32], Side::Client, Epoch::Application);
        let shown = format!("{keys:?} {secret:?}");
        assert!(!shown.contains("171") && !shown.contains("abab"), "{shown}");
    }

    #[test]
    fn over_the_limit_the_oldest_session_is_dropped() {
        let mut keys = KeyLog::with_limit(2);
        for random in 1..=3 {
            keys.add(line("CLIENT_RANDOM", random, 48).as_bytes());
        }
        assert_eq!((keys.len(), keys.counts().dropped_sessions), (2, 1));
        assert!(keys.master_secret(&[1; 32]).is_none());
        assert!(keys.master_secret(&[3; 32]).is_some());
    }

    #[test]
    fn a_line_without_end_is_one_bad_line_and_holds_no_more_than_its_limit() {
        let mut keys = KeyLog::new();
        for _ in 0..100 {
            keys.add_part(&[b'a'; 1000]);
            assert!(keys.begun_line.len() <= MAX_LINE_LEN + 1);
        }
        assert_eq!(keys.end_part(), 0);
        assert_eq!(keys.counts().bad, 1);
    }

    proptest! {
        #[test]
        fn parts_cut_anywhere_give_what_the_whole_gives(cuts in proptest::collection::vec(0_usize..700, 0..6)) {
            let text = [
                line("CLIENT_RANDOM", 1, 48),
                line("NO", 1, 48),
                line("SERVER_TRAFFIC_SECRET_0", 3, 48),
                line("CLIENT_RANDOM", 2, 48).trim_end().to_owned(),
            ].concat();
            let mut whole = KeyLog::new();
            whole.add(text.as_bytes());
            let mut parts = KeyLog::new();
            let mut cuts: Vec<_> = cuts.into_iter().map(|at| at.min(text.len())).collect();
            cuts.sort_unstable();
            let mut from = 0;
            for to in cuts.into_iter().chain([text.len()]) {
                parts.add_part(&text.as_bytes()[from..to]);
                from = to;
            }
            parts.end_part();
            prop_assert_eq!(whole.counts(), parts.counts());
            prop_assert_eq!(whole.len(), parts.len());
        }

        #[test]
        fn no_text_is_fatal(text in proptest::collection::vec(any::<u8>(), 0..2000)) {
            KeyLog::new().add(&text);
        }
    }
}

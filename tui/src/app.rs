//! The dashboard's state: plain data, changed by snapshots and actions, read by the view.

use crate::action::{Action, Effect};
use crate::keys::Modes;
use crate::model::{Freshness, Link, Model, Ranked, rank};
use crate::source::netem::Shape;
use crate::theme::Theme;
use clw_core::journal::SessionRecord;
use clw_core::snapshot::Snapshot;
use clw_core::verdict::Verdict;
use std::time::Duration;

/// Seconds on the charts, by zoom.
const SPANS_S: [u64; 7] = [30, 60, 120, 300, 900, 3600, 7200];
/// The zoom that is not left by itself: what is older is a matter of the past.
const WIDEST_BY_ITSELF: usize = 3;
/// How long a message stays in the footer.
const MESSAGE_FOR: Duration = Duration::from_secs(6);

/// What fills the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// As many panels as fit.
    #[default]
    Overview,
    /// Error rate over time.
    Errors,
    /// Endings.
    Endings,
    /// Latencies.
    Latency,
    /// Heartbeats.
    Heartbeats,
    /// Close codes and resets.
    Closes,
    /// Thresholds.
    Thresholds,
    /// The generator's own health.
    Generator,
    /// The event log.
    Events,
}

impl Page {
    /// All, by number.
    pub const ALL: [Self; 9] = [
        Self::Overview,
        Self::Errors,
        Self::Endings,
        Self::Latency,
        Self::Heartbeats,
        Self::Closes,
        Self::Thresholds,
        Self::Generator,
        Self::Events,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Errors => "errors",
            Self::Endings => "endings",
            Self::Latency => "latency",
            Self::Heartbeats => "heartbeats",
            Self::Closes => "closes",
            Self::Thresholds => "thresholds",
            Self::Generator => "generator",
            Self::Events => "events",
        }
    }
}

/// What lies over the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// The keys.
    Help,
    /// An entry of the dictionary.
    Entry(Verdict),
}

/// What the header says of the way the data comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As it happens.
    Live,
    /// From a recording.
    Replay {
        /// How many times faster than it happened.
        speed: u32,
        /// Whether time runs.
        playing: bool,
        /// How far it is.
        position: Duration,
        /// How long it is.
        end: Duration,
        /// Incidents in it.
        incidents: usize,
        /// Incidents ahead of the position.
        ahead: usize,
    },
}

/// The whole state.
#[derive(Clone, Debug)]
pub struct App {
    live: Model,
    frozen: Option<Box<(Model, Duration)>>,
    now: Duration,
    /// How the data comes.
    pub mode: Mode,
    /// Colours.
    pub theme: Theme,
    /// What fills the screen.
    pub page: Page,
    /// What lies over it.
    pub overlay: Option<Overlay>,
    /// How far what is open is scrolled.
    pub scroll: u16,
    selected: Option<Verdict>,
    span: Option<usize>,
    latency: Option<usize>,
    message: Option<(String, Duration)>,
    /// Whether keys change the network.
    pub netem_keys: bool,
    /// Whether the source tells of ends only, so that nobody knows what is open.
    pub ends_only: bool,
    /// The interface that is followed, with what is known of it.
    network: Option<(String, Result<Shape, String>)>,
}

impl App {
    /// With nothing known yet.
    pub fn new(model: Model, mode: Mode, theme: Theme) -> Self {
        Self {
            live: model,
            frozen: None,
            now: Duration::ZERO,
            mode,
            theme,
            page: Page::default(),
            overlay: None,
            scroll: 0,
            selected: None,
            span: None,
            latency: None,
            message: None,
            netem_keys: false,
            ends_only: false,
            network: None,
        }
    }

    /// What is shown: the live state, or the one at which it was paused.
    pub fn model(&self) -> &Model {
        self.frozen.as_ref().map_or(&self.live, |f| &f.0)
    }

    /// The dashboard's clock, held while paused.
    pub fn now(&self) -> Duration {
        self.frozen.as_ref().map_or(self.now, |f| f.1)
    }

    /// How old the live data is, paused or not.
    pub fn freshness(&self) -> Freshness {
        self.live.freshness(self.now)
    }

    /// Whether a live picture is held.
    pub fn is_paused(&self) -> bool {
        self.frozen.is_some()
    }

    /// An interface is followed, and may be changed by keys.
    pub fn follow_network(&mut self, place: impl Into<String>, keys: bool) {
        self.network = Some((place.into(), Err("not looked at yet".to_owned())));
        self.netem_keys = keys;
    }

    /// What is done to the network now.
    pub fn network(&mut self, shape: Result<Shape, String>) {
        let condition = shape.as_ref().map(|s| s.words.clone()).unwrap_or_default();
        self.live.shape_network(condition);
        if let Some((_, known)) = &mut self.network {
            *known = shape;
        }
    }

    /// The interface that is followed, with what is known of it.
    pub const fn followed_network(&self) -> Option<&(String, Result<Shape, String>)> {
        self.network.as_ref()
    }

    /// Which keys do something.
    pub fn modes(&self) -> Modes {
        Modes {
            replay: self.is_replay(),
            netem: self.netem_keys,
        }
    }

    /// Whether the data comes from a recording.
    pub fn is_replay(&self) -> bool {
        matches!(self.mode, Mode::Replay { .. })
    }

    /// Seconds on the charts.
    pub fn span_s(&self) -> u64 {
        SPANS_S[self.zoom()]
    }

    /// The zoom that was chosen, or the least that shows all there is, up to five minutes.
    fn zoom(&self) -> usize {
        self.span.unwrap_or_else(|| {
            let history = self.model().history();
            let first = history.points().next().map_or(0, |p| p.second);
            let length = history.now().saturating_sub(first);
            let fits = SPANS_S.iter().position(|s| *s >= length);
            fits.unwrap_or(WIDEST_BY_ITSELF).min(WIDEST_BY_ITSELF)
        })
    }

    /// The message in the footer, while it is new.
    pub fn message(&self) -> Option<&str> {
        let (text, until) = self.message.as_ref()?;
        (self.now < *until).then_some(text)
    }

    /// Shows a message for a while.
    pub fn say(&mut self, text: impl Into<String>) {
        self.message = Some((text.into(), self.now + MESSAGE_FOR));
    }

    /// Time goes on.
    pub fn tick(&mut self, now: Duration) {
        self.now = now;
    }

    /// A source told where it is.
    pub fn absorb(&mut self, source: usize, snapshot: Snapshot) {
        self.live.absorb(source, snapshot, self.now);
    }

    /// A recorded snapshot: it came when it happened.
    pub fn absorb_at(&mut self, source: usize, snapshot: Snapshot, at: Duration) {
        self.live.absorb(source, snapshot, at);
    }

    /// A session is over.
    pub fn record(&mut self, record: SessionRecord) {
        self.live.record(record);
    }

    /// The way to a source changed.
    pub fn link(&mut self, source: usize, link: Link) {
        self.live.link(source, link);
    }

    /// Shows another state: a replay goes back.
    pub fn replace(&mut self, model: Model) {
        self.live = model;
    }

    /// Works out what only a frame needs. To be called before one is drawn.
    pub fn settle(&mut self) {
        self.live.settle();
    }

    /// Endings in their order.
    pub fn ranking(&self) -> Vec<Ranked> {
        rank(&self.model().whole().counters, self.model().history())
    }

    /// The selected line of the ranking. The selection sticks to its ending, whatever its place.
    pub fn selected(&self, ranking: &[Ranked]) -> usize {
        self.selected
            .and_then(|v| ranking.iter().position(|r| r.verdict == v))
            .unwrap_or(0)
    }

    /// Latencies that there are, in the order of a session's life, calls last.
    pub fn latencies(&self) -> Vec<String> {
        const ORDER: [&str; 9] = [
            "ready",
            "tcp_connect",
            "tls",
            "upgrade",
            "challenge",
            "auth",
            "ready_service",
            "time_to_ready",
            "heartbeat_rtt",
        ];
        let totals = &self.model().whole().totals;
        let known = ORDER
            .iter()
            .filter(|n| totals.contains_key(**n))
            .map(|n| (*n).to_owned());
        let calls = totals.keys().filter(|n| n.starts_with("rpc.")).cloned();
        known.chain(calls).collect()
    }

    /// The latency on the chart.
    pub fn latency(&self) -> Option<String> {
        let all = self.latencies();
        if let Some(chosen) = self.latency {
            return all.get(chosen % all.len().max(1)).cloned();
        }
        // Nobody chose: the first that has something to show, and not the empty chart of sessions that are long up.
        let history = self.model().history();
        let from = history.now().saturating_sub(self.span_s());
        let recent = |name: &String| history.latest(name).is_some_and(|(second, _)| second > from);
        all.iter().find(|n| recent(n)).or(all.first()).cloned()
    }

    /// Carries out an action, as far as it is a matter of the dashboard alone.
    pub fn apply(&mut self, action: Action) -> Option<Effect> {
        match action {
            Action::Quit => return Some(Effect::Leave),
            Action::Interrupt => return Some(Effect::Interrupt),
            Action::Export => return Some(Effect::Export),
            Action::Picture => return Some(Effect::Picture),
            Action::Netem(order) => return self.netem_keys.then_some(Effect::Netem(order)),
            Action::Pause if self.is_replay() => return Some(Effect::Replay(action)),
            Action::Faster
            | Action::Slower
            | Action::Forward(_)
            | Action::Backward(_)
            | Action::NextIncident
            | Action::PreviousIncident
            | Action::Start
            | Action::End => return self.is_replay().then_some(Effect::Replay(action)),
            Action::Help => {
                self.overlay = match self.overlay {
                    Some(Overlay::Help) => None,
                    _ => Some(Overlay::Help),
                };
                self.scroll = 0;
            }
            Action::NextPage => self.turn(1),
            Action::PreviousPage => self.turn(Page::ALL.len() - 1),
            Action::Page(number) => {
                if let Some(page) = Page::ALL.get(usize::from(number).wrapping_sub(1)) {
                    self.open_page(*page);
                }
            }
            Action::Up => self.step(-1),
            Action::Down => self.step(1),
            Action::PageUp => self.step(-10),
            Action::PageDown => self.step(10),
            Action::Open => {
                let ranking = self.ranking();
                if let Some(ranked) = ranking.get(self.selected(&ranking)) {
                    self.overlay = Some(Overlay::Entry(ranked.verdict));
                    self.scroll = 0;
                }
            }
            Action::Back => {
                if self.overlay.take().is_none() {
                    self.open_page(Page::Overview);
                }
                self.scroll = 0;
            }
            Action::Pause => {
                if self.frozen.take().is_none() {
                    self.live.settle();
                    self.frozen = Some(Box::new((self.live.clone(), self.now)));
                }
            }
            Action::ZoomIn => self.span = Some(self.zoom().saturating_sub(1)),
            Action::ZoomOut => self.span = Some((self.zoom() + 1).min(SPANS_S.len() - 1)),
            Action::NextLatency => {
                let all = self.latencies();
                let at = self.latency().and_then(|n| all.iter().position(|a| *a == n));
                self.latency = Some(at.map_or(0, |i| (i + 1) % all.len().max(1)));
            }
            Action::Theme => {
                self.theme = self.theme.next();
                self.say(format!("colours: {}", self.theme.name()));
            }
        }
        None
    }

    fn turn(&mut self, by: usize) {
        let at = Page::ALL.iter().position(|p| *p == self.page).unwrap_or(0);
        self.open_page(Page::ALL[(at + by) % Page::ALL.len()]);
    }

    fn open_page(&mut self, page: Page) {
        self.page = page;
        self.overlay = None;
        self.scroll = 0;
    }

    /// Whether up and down select an ending, rather than scroll.
    pub fn selects(&self) -> bool {
        self.overlay.is_none() && matches!(self.page, Page::Overview | Page::Endings)
    }

    /// Moves the selection where endings are shown, and scrolls elsewhere.
    fn step(&mut self, by: i16) {
        if !self.selects() {
            self.scroll = self.scroll.saturating_add_signed(by);
            return;
        }
        let ranking = self.ranking();
        let at = self.selected(&ranking);
        let to = at
            .saturating_add_signed(isize::from(by))
            .min(ranking.len().saturating_sub(1));
        self.selected = ranking.get(to).map(|r| r.verdict);
    }
}

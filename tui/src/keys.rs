//! The keys: one table, from which come the bindings, the footer and the help.

use crate::action::Action;
use crate::source::netem::Order;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// When a key does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// In a replay.
    Replay,
    /// Where the network may be changed.
    Netem,
}

/// What the dashboard is about, as far as keys depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    /// A recording is shown.
    pub replay: bool,
    /// The network may be changed.
    pub netem: bool,
}

impl When {
    /// Whether the key does something in these modes.
    pub const fn holds(self, modes: Modes) -> bool {
        match self {
            Self::Always => true,
            Self::Replay => modes.replay,
            Self::Netem => modes.netem,
        }
    }
}

/// One key, or a group of keys that do the like.
#[derive(Debug)]
pub struct Binding {
    /// Keys, each with what it does.
    pub keys: &'static [(KeyCode, KeyModifiers, Action)],
    /// The keys as people read them.
    pub label: &'static str,
    /// In the footer: a word or two; empty keeps it out.
    pub hint: &'static str,
    /// In the help: a line.
    pub help: &'static str,
    /// When they do something.
    pub when: When,
    /// Hints with the least rank go first when the footer is full.
    pub rank: u8,
}

const NONE: KeyModifiers = KeyModifiers::NONE;
const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
const CTRL: KeyModifiers = KeyModifiers::CONTROL;

const fn ch(c: char) -> KeyCode {
    KeyCode::Char(c)
}

/// All keys, in the order of the help.
#[rustfmt::skip]
pub static BINDINGS: &[Binding] = &[
    Binding { keys: &[(ch('q'), NONE, Action::Quit)], label: "q", hint: "quit",
        help: "leave", when: When::Always, rank: 100 },
    Binding { keys: &[(ch('c'), CTRL, Action::Interrupt)], label: "Ctrl-C", hint: "",
        help: "leave with exit code 130; in clw-bench --tui: end the run", when: When::Always, rank: 0 },
    Binding { keys: &[(ch('?'), NONE, Action::Help), (ch('h'), NONE, Action::Help), (KeyCode::F(1), NONE, Action::Help)],
        label: "?", hint: "help", help: "show these keys", when: When::Always, rank: 99 },
    Binding { keys: &[(KeyCode::Tab, NONE, Action::NextPage), (KeyCode::BackTab, NONE, Action::PreviousPage)],
        label: "Tab", hint: "page", help: "next page; with Shift the one before", when: When::Always, rank: 80 },
    Binding { keys: &[
            (ch('1'), NONE, Action::Page(1)), (ch('2'), NONE, Action::Page(2)), (ch('3'), NONE, Action::Page(3)),
            (ch('4'), NONE, Action::Page(4)), (ch('5'), NONE, Action::Page(5)), (ch('6'), NONE, Action::Page(6)),
            (ch('7'), NONE, Action::Page(7)), (ch('8'), NONE, Action::Page(8)), (ch('9'), NONE, Action::Page(9)),
        ], label: "1-9", hint: "",
        help: "1 overview, 2 errors, 3 endings, 4 latency, 5 heartbeats, 6 closes, 7 thresholds, 8 generator, 9 events",
        when: When::Always, rank: 0 },
    Binding { keys: &[
            (KeyCode::Up, NONE, Action::Up), (KeyCode::Down, NONE, Action::Down),
            (ch('k'), NONE, Action::Up), (ch('j'), NONE, Action::Down),
            (KeyCode::PageUp, NONE, Action::PageUp), (KeyCode::PageDown, NONE, Action::PageDown),
        ], label: "↑ ↓", hint: "select", help: "select an ending, or scroll; PgUp and PgDn by ten", when: When::Always, rank: 70 },
    Binding { keys: &[(KeyCode::Enter, NONE, Action::Open)], label: "Enter", hint: "explain",
        help: "what the selected ending means: symptoms, evidence, fixes, the last sessions", when: When::Always, rank: 90 },
    Binding { keys: &[(KeyCode::Esc, NONE, Action::Back)], label: "Esc", hint: "",
        help: "close what is open; back to the overview", when: When::Always, rank: 0 },
    Binding { keys: &[(ch(' '), NONE, Action::Pause)], label: "Space", hint: "pause",
        help: "hold the picture (live data is kept and shown when it goes on)", when: When::Always, rank: 85 },
    Binding { keys: &[
            (ch('+'), NONE, Action::ZoomIn), (ch('='), NONE, Action::ZoomIn), (ch('-'), NONE, Action::ZoomOut),
        ], label: "+ -", hint: "time", help: "less or more time on the charts", when: When::Always, rank: 40 },
    Binding { keys: &[(ch('l'), NONE, Action::NextLatency)], label: "l", hint: "latency",
        help: "the next latency on the chart", when: When::Always, rank: 30 },
    Binding { keys: &[(ch('t'), NONE, Action::Theme)], label: "t", hint: "",
        help: "other colours: dark, light, colour-blind, 16 colours, none", when: When::Always, rank: 0 },
    Binding { keys: &[(ch('e'), NONE, Action::Export)], label: "e", hint: "export",
        help: "write the screen as text and the figures as JSON", when: When::Always, rank: 20 },
    Binding { keys: &[(ch('s'), NONE, Action::Picture)], label: "s", hint: "picture",
        help: "write a picture of the screen (SVG)", when: When::Always, rank: 10 },
    Binding { keys: &[(KeyCode::Left, NONE, Action::Backward(5)), (KeyCode::Right, NONE, Action::Forward(5)),
            (KeyCode::Left, SHIFT, Action::Backward(60)), (KeyCode::Right, SHIFT, Action::Forward(60))],
        label: "← →", hint: "seek", help: "5 s back or on; with Shift 60 s", when: When::Replay, rank: 88 },
    Binding { keys: &[(ch('>'), NONE, Action::Faster), (ch('.'), NONE, Action::Faster),
            (ch('<'), NONE, Action::Slower), (ch(','), NONE, Action::Slower)],
        label: "< >", hint: "speed", help: "half or twice the speed, ×1 to ×128", when: When::Replay, rank: 86 },
    Binding { keys: &[(ch('n'), NONE, Action::NextIncident), (ch('N'), NONE, Action::PreviousIncident)],
        label: "n N", hint: "incident", help: "to the next incident, or the one before", when: When::Replay, rank: 89 },
    Binding { keys: &[(KeyCode::Home, NONE, Action::Start), (KeyCode::End, NONE, Action::End)],
        label: "Home End", hint: "", help: "to the beginning or the end", when: When::Replay, rank: 0 },
    Binding { keys: &[(ch('p'), NONE, Action::Netem(Order::NextProfile))], label: "p", hint: "profile",
        help: "netem: the next profile of netem list, on the interface that --netem names", when: When::Netem, rank: 84 },
    Binding { keys: &[(ch('x'), NONE, Action::Netem(Order::Clear))], label: "x", hint: "clear",
        help: "netem: leave the network alone again", when: When::Netem, rank: 87 },
    Binding { keys: &[(ch('['), NONE, Action::Netem(Order::Loss(false))), (ch(']'), NONE, Action::Netem(Order::Loss(true)))],
        label: "[ ]", hint: "loss", help: "netem: 1 % less or more loss", when: When::Netem, rank: 82 },
    Binding { keys: &[(ch('{'), NONE, Action::Netem(Order::Delay(false))), (ch('}'), NONE, Action::Netem(Order::Delay(true)))],
        label: "{ }", hint: "delay", help: "netem: 50 ms less or more delay", when: When::Netem, rank: 81 },
];

/// What a key event asks for; releases and repeats of keys other than presses ask for nothing.
pub fn action_of(event: KeyEvent, modes: Modes) -> Option<Action> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    // A character carries its own shift; the modifier beside it differs between terminals.
    let modifiers = match event.code {
        KeyCode::Char(_) | KeyCode::BackTab => event.modifiers - SHIFT,
        _ => event.modifiers,
    };
    BINDINGS
        .iter()
        .filter(|b| b.when.holds(modes))
        .flat_map(|b| b.keys)
        .find(|(code, with, _)| *code == event.code && *with == modifiers)
        .map(|(_, _, action)| *action)
}

/// Hints for a footer of `width` columns, in the order of the table: those of the least rank are left out until the rest
/// fits, with two columns between them.
pub fn hints(width: usize, modes: Modes) -> Vec<(&'static str, &'static str)> {
    let mut shown: Vec<&Binding> = BINDINGS
        .iter()
        .filter(|b| !b.hint.is_empty() && b.when.holds(modes))
        .collect();
    let columns = |bindings: &[&Binding]| -> usize {
        bindings
            .iter()
            .map(|b| b.label.chars().count() + b.hint.chars().count() + 3)
            .sum()
    };
    while columns(&shown) > width {
        let least = shown.iter().map(|b| b.rank).min();
        let Some(at) = shown.iter().position(|b| Some(b.rank) == least) else {
            break;
        };
        shown.remove(at);
    }
    shown.iter().map(|b| (b.label, b.hint)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const REPLAY: Modes = Modes {
        replay: true,
        netem: false,
    };

    #[test]
    fn no_key_is_bound_twice() {
        let mut seen = BTreeSet::new();
        for (code, modifiers, _) in BINDINGS.iter().flat_map(|b| b.keys) {
            assert!(seen.insert(format!("{code:?} {modifiers:?}")), "{code:?} twice");
        }
    }

    #[test]
    fn every_binding_is_explained_and_hints_have_ranks_of_their_own() {
        let mut ranks = BTreeSet::new();
        for binding in BINDINGS {
            assert!(!binding.help.is_empty() && !binding.label.is_empty());
            assert!(
                binding.hint.is_empty() || ranks.insert(binding.rank),
                "{}",
                binding.label
            );
        }
    }

    #[test]
    fn the_footer_sheds_what_is_needed_least() {
        for replay in [false, true] {
            let modes = Modes {
                replay,
                netem: replay,
            };
            for width in 0..200 {
                let used: usize = hints(width, modes)
                    .iter()
                    .map(|(l, h)| l.chars().count() + h.chars().count() + 3)
                    .sum();
                assert!(used <= width);
            }
        }
        assert_eq!(hints(20, Modes::default()), [("q", "quit"), ("?", "help")]);
        assert!(hints(200, REPLAY).contains(&("n N", "incident")));
        assert!(!hints(200, Modes::default()).contains(&("n N", "incident")));
    }

    #[test]
    fn presses_count_and_releases_do_not() {
        let mut key = KeyEvent::new(KeyCode::Char('q'), NONE);
        assert_eq!(action_of(key, Modes::default()), Some(Action::Quit));
        key.kind = KeyEventKind::Release;
        assert_eq!(action_of(key, Modes::default()), None);
        let shifted = KeyEvent::new(KeyCode::Char('N'), SHIFT);
        assert_eq!(action_of(shifted, REPLAY), Some(Action::PreviousIncident));
        assert_eq!(action_of(shifted, Modes::default()), None);
        let control = KeyEvent::new(KeyCode::Char('c'), CTRL);
        assert_eq!(action_of(control, Modes::default()), Some(Action::Interrupt));
    }
}

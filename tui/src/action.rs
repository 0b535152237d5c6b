//! What a key asks for.

use crate::source::netem::Order;

/// An order to the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Leave.
    Quit,
    /// Leave as by Ctrl-C.
    Interrupt,
    /// Show or hide the keys.
    Help,
    /// The next page.
    NextPage,
    /// The page before.
    PreviousPage,
    /// A page by its number, from 1.
    Page(u8),
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// Many lines up.
    PageUp,
    /// Many lines down.
    PageDown,
    /// Open what is selected.
    Open,
    /// Close what is open.
    Back,
    /// Hold the picture, or let it go on.
    Pause,
    /// A shorter time on the charts.
    ZoomIn,
    /// A longer time on the charts.
    ZoomOut,
    /// Another latency on the chart.
    NextLatency,
    /// The next colours.
    Theme,
    /// Write what is on the screen as text and JSON.
    Export,
    /// Write a picture of the screen.
    Picture,
    /// Replay: twice as fast.
    Faster,
    /// Replay: half as fast.
    Slower,
    /// Replay: on by seconds.
    Forward(u16),
    /// Replay: back by seconds.
    Backward(u16),
    /// Replay: to the next incident.
    NextIncident,
    /// Replay: to the incident before.
    PreviousIncident,
    /// Replay: to the beginning.
    Start,
    /// Replay: to the end.
    End,
    /// Change what is done to the network.
    Netem(Order),
}

/// What an action asks of the world outside of the dashboard's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The network is to be changed.
    Netem(Order),
    /// The recording is to be moved.
    Replay(Action),
    /// Text and JSON are to be written.
    Export,
    /// A picture is to be written.
    Picture,
    /// The dashboard is left.
    Leave,
    /// The dashboard is left by Ctrl-C.
    Interrupt,
}

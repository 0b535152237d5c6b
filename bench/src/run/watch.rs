//! `--tui`: the dashboard in this terminal, as long as it is open.

use super::RunError;
use clw_core::snapshot::Snapshot;
use clw_core::text::Paint;
use clw_tui::embed::{Embedded, Order};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The dashboard, if it was asked for and has not been closed.
pub(super) struct Watch {
    dashboard: Option<Embedded>,
    orders: UnboundedReceiver<Order>,
}

impl Watch {
    /// Takes the terminal over, if the dashboard is wanted.
    pub(super) fn open(wanted: bool, paint: Paint) -> Result<Self, RunError> {
        let (tell, orders) = unbounded_channel();
        let dashboard = if wanted {
            // A few keys: the channel does not grow.
            let tell = move |order| {
                let _ = tell.send(order);
            };
            let started = Embedded::start("this run", paint.is_on(), tell);
            Some(started.map_err(RunError::system("cannot show the dashboard"))?)
        } else {
            None
        };
        Ok(Self { dashboard, orders })
    }

    /// Shows the run; `false` if the dashboard is not open.
    pub(super) fn show(&self, snapshot: &Snapshot) -> bool {
        self.dashboard
            .as_ref()
            .map(|d| d.show(snapshot.clone()))
            .is_some()
    }

    /// Says something on the dashboard; `false` if it is not open.
    pub(super) fn say(&self, text: &str) -> bool {
        self.dashboard.as_ref().map(|d| d.say(text)).is_some()
    }

    /// Ctrl-C at the dashboard. Without one, never.
    pub(super) async fn interrupted(&mut self) {
        loop {
            match self.orders.recv().await {
                Some(Order::Interrupt) => return,
                Some(Order::Closed) => self.close(),
                None => std::future::pending().await,
            }
        }
    }

    /// Gives the terminal back.
    pub(super) fn close(&mut self) {
        self.dashboard = None;
    }
}

//! Real sessions between rustls endpoints: what the analyzer reads from the wire against what they said.

mod hostile;
mod losses;
mod openssl;
mod pair;
mod sessions;

use super::{KeyLog, TlsEvent, TlsInfo, TlsSession};
use clw_core::verdict::Side;
use pair::Capture;

/// What a session showed.
struct Seen {
    events: Vec<TlsEvent>,
    info: TlsInfo,
}

impl Seen {
    /// All that `side` said, as far as it was decrypted.
    fn said(&self, side: Side) -> Vec<u8> {
        let data = self.events.iter().filter_map(|event| match event {
            TlsEvent::Data { side: from, bytes } if *from == side => Some(bytes.as_slice()),
            _ => None,
        });
        data.collect::<Vec<_>>().concat()
    }

    fn has(&self, event: &TlsEvent) -> bool {
        self.events.contains(event)
    }

    /// The events other than data, in order.
    fn without_data(&self) -> Vec<&TlsEvent> {
        self.events
            .iter()
            .filter(|event| !matches!(event, TlsEvent::Data { .. }))
            .collect()
    }
}

fn keys_of(capture: &Capture) -> KeyLog {
    let mut keys = KeyLog::new();
    keys.add(capture.key_log.as_bytes());
    keys
}

fn read(wire: &[(Side, Vec<u8>)], keys: &KeyLog) -> Seen {
    let mut session = TlsSession::new();
    let mut events = Vec::new();
    for (side, bytes) in wire {
        session.feed(*side, bytes, keys, &mut events);
    }
    session.end(keys, &mut events);
    Seen {
        events,
        info: session.info().clone(),
    }
}

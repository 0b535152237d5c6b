//! What a session learns from the content of its records.

use super::alert::Alert;
use super::direction::Protection;
use super::event::{NoKeys, TlsEvent};
use super::handshake::{Message, MessageKind};
use super::hello::{ClientHello, ServerHello, encrypted_extensions_protocol};
use super::key_log::KeyLog;
use super::record::ContentType;
use super::session::TlsSession;
use super::traffic_secret::Epoch;
use super::version::Version;
use clw_core::verdict::Side;

impl TlsSession {
    /// Takes a record's content, in clear or decrypted.
    pub(super) fn content(
        &mut self,
        side: Side,
        content: ContentType,
        body: Vec<u8>,
        decrypted: bool,
        keys: &KeyLog,
        out: &mut Vec<TlsEvent>,
    ) {
        match content {
            ContentType::ApplicationData => {
                if !self.info.handshake_done(side) {
                    // Its Finished was lost, or could not be read.
                    self.finished(side, out);
                }
                if !body.is_empty() {
                    out.push(TlsEvent::Data { side, bytes: body });
                }
            }
            ContentType::Alert => alerts(side, &body, out),
            ContentType::ChangeCipherSpec => self.change_cipher_spec(side),
            ContentType::Handshake => self.handshake(side, &body, decrypted, keys, out),
            ContentType::Heartbeat => {}
        }
    }

    /// In TLS 1.3 it means nothing and is sent for the sake of middleboxes.
    fn change_cipher_spec(&mut self, side: Side) {
        if self.info.version == Some(Version::TLS_1_3) {
            return;
        }
        self.sides.of_mut(side).change_cipher();
        if side == Side::Server && self.info.version.is_some() && self.info.resumed.is_none() {
            // In a full handshake the client changes first. Its direction may be missing, the certificate too.
            let full = self.full_handshake || self.sides.of(Side::Client).changed_cipher;
            self.info.resumed = Some(!full);
        }
    }

    fn handshake(
        &mut self,
        side: Side,
        mut bytes: &[u8],
        decrypted: bool,
        keys: &KeyLog,
        out: &mut Vec<TlsEvent>,
    ) {
        while let Some(message) = self.sides.of_mut(side).messages.message(&mut bytes) {
            self.message(side, &message, decrypted, keys, out);
        }
    }

    /// A record in clear will not become whole: messages that are whole in what there is of it count all the same, as
    /// the ServerHello does in front of a certificate that a snap length cuts.
    pub(super) fn read_begun_hello(&mut self, side: Side, keys: &KeyLog, out: &mut Vec<TlsEvent>) {
        let direction = self.sides.of_mut(side);
        if direction.record_protected {
            return;
        }
        if let Some((ContentType::Handshake, begun)) = direction.records.take_begun() {
            self.handshake(side, &begun, false, keys, out);
        }
    }

    fn message(
        &mut self,
        side: Side,
        message: &Message,
        decrypted: bool,
        keys: &KeyLog,
        out: &mut Vec<TlsEvent>,
    ) {
        if message.too_long {
            out.push(TlsEvent::Malformed {
                side,
                what: "a handshake message of more than 64 KiB",
            });
            return;
        }
        let tls13 = self.info.version == Some(Version::TLS_1_3);
        match (message.kind, side) {
            (MessageKind::ClientHello, Side::Client) => self.client_hello(&message.body, out),
            (MessageKind::ServerHello, Side::Server) => self.server_hello(&message.body, out),
            (MessageKind::ClientHello | MessageKind::ServerHello, _) => {
                self.sides.of_mut(side).hello_missed = true;
                out.push(TlsEvent::Malformed {
                    side,
                    what: "the other side's hello",
                });
            }
            (MessageKind::Certificate | MessageKind::ServerHelloDone, Side::Server) => {
                self.full_handshake = true;
            }
            (MessageKind::EncryptedExtensions, Side::Server) if decrypted => {
                self.info.alpn_selected = encrypted_extensions_protocol(&message.body);
            }
            (MessageKind::NewSessionTicket, Side::Server) => {
                self.info.tickets = self.info.tickets.saturating_add(1);
            }
            (MessageKind::Finished, _) if decrypted => {
                if tls13 {
                    self.next_keys_after_handshake(side, keys, out);
                }
                self.finished(side, out);
            }
            (MessageKind::KeyUpdate, _) if decrypted && tls13 => {
                if let Some(opener) = self.sides.of_mut(side).opener() {
                    opener.update();
                }
                out.push(TlsEvent::KeyUpdate { side });
            }
            _ => {}
        }
    }

    fn client_hello(&mut self, body: &[u8], out: &mut Vec<TlsEvent>) {
        let Some(hello) = ClientHello::parse(body) else {
            self.sides.of_mut(Side::Client).hello_missed = true;
            out.push(TlsEvent::Malformed {
                side: Side::Client,
                what: "a ClientHello that does not parse",
            });
            return;
        };
        self.sides.of_mut(Side::Client).hello = true;
        self.client_random = Some(hello.random);
        self.full_handshake = false;
        self.info.offered_version = Some(hello.newest_version);
        self.info.server_name = hello.server_name;
        self.info.alpn_offered = hello.protocols;
        // The second ClientHello of a retry has it no longer, but the data may have been sent after the first.
        self.info.early_data_offered |= hello.early_data;
        out.push(TlsEvent::ClientHello);
    }

    fn server_hello(&mut self, body: &[u8], out: &mut Vec<TlsEvent>) {
        let Some(hello) = ServerHello::parse(body) else {
            self.sides.of_mut(Side::Server).hello_missed = true;
            out.push(TlsEvent::Malformed {
                side: Side::Server,
                what: "a ServerHello that does not parse",
            });
            return;
        };
        self.info.version = Some(hello.version);
        self.info.cipher_suite = Some(hello.suite);
        if hello.is_retry {
            self.info.hello_retried = true;
            out.push(TlsEvent::HelloRetryRequest);
            return;
        }
        self.sides.of_mut(Side::Server).hello = true;
        self.server_random = Some(hello.random);
        self.compressed = hello.compressed;
        if hello.version == Version::TLS_1_3 {
            self.info.resumed = Some(hello.pre_shared_key);
        } else {
            self.info.alpn_selected = hello.protocol;
        }
        out.push(TlsEvent::ServerHello);
    }

    /// TLS 1.3: what `side` sends after its Finished is under the application keys. A Finished that comes later, for a
    /// client certificate asked for within the session, changes nothing.
    fn next_keys_after_handshake(&mut self, side: Side, keys: &KeyLog, out: &mut Vec<TlsEvent>) {
        let random = self.client_random;
        let direction = self.sides.of_mut(side);
        let Some(opener) = direction
            .opener()
            .filter(|opener| opener.epoch() == Epoch::Handshake)
        else {
            return;
        };
        let secret = random.and_then(|random| keys.traffic_secret(&random, side, Epoch::Application));
        if let Some(next) = secret.and_then(|secret| opener.finish_handshake(secret)) {
            *opener = next;
            return;
        }
        direction.protection = Protection::NotInKeyLog {
            revision: keys.revision(),
        };
        if !std::mem::replace(&mut self.no_keys_told, true) {
            out.push(TlsEvent::NoKeys(NoKeys::NotInKeyLog));
        }
    }
}

/// An alert is two bytes; a record may hold several.
fn alerts(side: Side, body: &[u8], out: &mut Vec<TlsEvent>) {
    let (pairs, odd) = body.as_chunks::<2>();
    for [level, description] in pairs {
        out.push(match *description {
            Alert::CLOSE_NOTIFY => TlsEvent::CloseNotify { side },
            description => TlsEvent::Alert {
                side,
                alert: Alert {
                    level: *level,
                    description,
                },
            },
        });
    }
    if !odd.is_empty() {
        out.push(TlsEvent::Malformed {
            side,
            what: "half an alert",
        });
    }
}

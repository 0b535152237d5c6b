//! WebSocket (RFC 6455) as bytes in, messages out: framing and the HTTP upgrade, without a socket.
//!
//! Headers are read and written by tungstenite; what is ours is reading from shared buffers without copying, limits per
//! stage, and writing frames that break the rules when a fault asks for it.

mod decoder;
mod error;
mod frame;
#[cfg(test)]
mod tests;
mod upgrade;

pub use decoder::{Decoder, Incoming, Peer};
pub use error::WsError;
pub use frame::{Masks, write_frame};
pub use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
pub use upgrade::{
    HttpRequest, MAX_HEAD_BYTES, UpgradeAnswer, UpgradeError, UpgradeRequest, accept_key, parse_answer,
    parse_http_request, parse_request, write_request,
};

//! What can be wrong with a frame.

use thiserror::Error;

/// A broken WebSocket rule, with the close code that RFC 6455 section 7.4.1 gives it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WsError {
    /// Section 5.2: a reserved bit is set and no extension was agreed on.
    #[error("reserved bits set in a frame header")]
    ReservedBits,
    /// Section 5.2: an opcode that is not defined.
    #[error("unknown opcode in a frame header")]
    BadOpcode,
    /// Section 5.1: a client's frame without a mask.
    #[error("unmasked frame from the client")]
    Unmasked,
    /// Section 5.1: a server's frame with a mask.
    #[error("masked frame from the server")]
    Masked,
    /// Section 5.5: a control frame over 125 bytes.
    #[error("control frame of {0} bytes (at most 125)")]
    LongControl(u64),
    /// Section 5.5: a control frame in fragments.
    #[error("fragmented control frame")]
    FragmentedControl,
    /// Section 5.4: a continuation of nothing, or a new message inside another.
    #[error("fragments out of order")]
    FragmentOrder,
    /// Section 8.1: a text message that is no UTF-8.
    #[error("text that is not UTF-8")]
    BadUtf8,
    /// Section 5.5.1: a close frame with one byte, or with a code that may not be sent.
    #[error("malformed close frame")]
    BadClose,
    /// Larger than this end accepts.
    #[error("message of {size} bytes (at most {limit})")]
    TooBig {
        /// Size announced or reached, in bytes.
        size: u64,
        /// What is accepted, in bytes.
        limit: usize,
    },
}

impl WsError {
    /// The code to close with.
    pub const fn close_code(&self) -> u16 {
        match self {
            Self::BadUtf8 => 1007,
            Self::TooBig { .. } => 1009,
            _ => 1002,
        }
    }
}

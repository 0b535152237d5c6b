//! The opcodes (protocol page, Opcodes).

use crate::verdict::Side;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Opcode {
    /// Login.
    AuthHello = 0xA00,
    /// Login accepted.
    AuthOk = 0xA01,
    /// The graceful end.
    AuthLogout = 0xA02,
    /// The server ends the session.
    DisconnectAuth = 0xA03,
    /// Heartbeat (article: CLW_AUTH_PING).
    AuthPing = 0xA04,
    /// Its answer (article: CLW_EV_AUTH_PONG).
    AuthPong = 0xA05,
    /// The token runs out soon (article: CLW_EV_AUTH_REFRESH_NEEDED).
    RefreshNeeded = 0xA06,
    /// A new token.
    AuthRefresh = 0xA07,
    /// The new token is accepted.
    RefreshOk = 0xA08,
    /// Something was refused.
    AuthError = 0xA09,
}

impl Opcode {
    /// All opcodes, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::AuthHello,
        Self::AuthOk,
        Self::AuthLogout,
        Self::DisconnectAuth,
        Self::AuthPing,
        Self::AuthPong,
        Self::RefreshNeeded,
        Self::AuthRefresh,
        Self::RefreshOk,
        Self::AuthError,
    ];

    /// The opcode of that number.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|opcode| opcode.number() == number)
    }

    /// Its number on the wire.
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// Its name on the protocol page.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthHello => "AUTH_HELLO",
            Self::AuthOk => "AUTH_OK",
            Self::AuthLogout => "AUTH_LOGOUT",
            Self::DisconnectAuth => "DISCONNECT_AUTH",
            Self::AuthPing => "AUTH_PING",
            Self::AuthPong => "AUTH_PONG",
            Self::RefreshNeeded => "REFRESH_NEEDED",
            Self::AuthRefresh => "AUTH_REFRESH",
            Self::RefreshOk => "REFRESH_OK",
            Self::AuthError => "AUTH_ERROR",
        }
    }

    /// The only side that may send it.
    pub const fn sender(self) -> Side {
        match self {
            Self::AuthHello | Self::AuthLogout | Self::AuthPing | Self::AuthRefresh => Side::Client,
            Self::AuthOk
            | Self::DisconnectAuth
            | Self::AuthPong
            | Self::RefreshNeeded
            | Self::RefreshOk
            | Self::AuthError => Side::Server,
        }
    }
}

impl std::fmt::Display for Opcode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_page_and_read_back() {
        for (number, opcode) in (0xA00u16..).zip(Opcode::ALL) {
            assert_eq!(opcode.number(), number);
            assert_eq!(Opcode::from_number(number), Some(opcode));
        }
        assert_eq!(Opcode::DisconnectAuth.number(), 0xA03);
        assert_eq!(Opcode::from_number(0x9FF), None);
        assert_eq!(Opcode::from_number(0xA0A), None);
    }
}

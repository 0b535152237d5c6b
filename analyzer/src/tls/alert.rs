//! Alerts (RFC 8446 6, RFC 5246 7.2): what a TLS endpoint says when it gives up, or is done.

use std::fmt;

/// An alert as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Alert {
    /// 1 is a warning, 2 is fatal. TLS 1.3 ends the connection on both, whatever the byte says.
    pub level: u8,
    /// The description's number.
    pub description: u8,
}

impl Alert {
    pub(super) const CLOSE_NOTIFY: u8 = 0;

    /// The level's name.
    pub const fn level_name(self) -> &'static str {
        match self.level {
            1 => "warning",
            2 => "fatal",
            _ => "unknown level",
        }
    }

    /// The name in the IANA registry "TLS Alerts"; `unknown` for a number that is not in it.
    pub const fn name(self) -> &'static str {
        match self.description {
            Self::CLOSE_NOTIFY => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            21 => "decryption_failed",
            22 => "record_overflow",
            30 => "decompression_failure",
            40 => "handshake_failure",
            41 => "no_certificate",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            52 => "too_many_cids_requested",
            60 => "export_restriction",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            100 => "no_renegotiation",
            109 => "missing_extension",
            110 => "unsupported_extension",
            111 => "certificate_unobtainable",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            114 => "bad_certificate_hash_value",
            115 => "unknown_psk_identity",
            116 => "certificate_required",
            117 => "general_error",
            120 => "no_application_protocol",
            121 => "ech_required",
            _ => "unknown",
        }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.level_name(), self.name(), self.description)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::AlertDescription;

    #[test]
    fn an_alert_reads_as_level_name_and_number() {
        let shown = |level, description| Alert { level, description }.to_string();
        assert_eq!(shown(2, 48), "fatal unknown_ca (48)");
        assert_eq!(shown(1, 0), "warning close_notify (0)");
        assert_eq!(shown(7, 200), "unknown level unknown (200)");
    }

    #[test]
    fn every_name_that_rustls_knows_is_the_same_here() {
        // Those that rustls spells in another way than the registry.
        const SPELLED_OTHERWISE: [u8; 4] = [41, 90, 112, 121];
        for description in 0..=255 {
            let theirs = format!("{:?}", AlertDescription::from(description));
            let ours = Alert {
                level: 2,
                description,
            }
            .name();
            if theirs.contains("(0x") || SPELLED_OTHERWISE.contains(&description) {
                continue;
            }
            assert_eq!(ours.replace('_', ""), theirs.to_lowercase(), "{description}");
        }
    }
}

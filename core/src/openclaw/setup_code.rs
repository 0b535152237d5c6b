//! Setup codes: where a gateway is and a token that lets one device in once, in a form that fits a QR code.

use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A code may also come as a link.
const LINK_PREFIX: &str = "oc-pair://";
/// The real gateway refuses more addresses.
const MAX_URLS: usize = 8;
/// Far above any code; a longer text is something else.
const MAX_CODE_BYTES: usize = 16 * 1024;

/// What a setup code holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupCode {
    /// Where the gateway is.
    pub url: String,
    /// Where else it is, if anywhere.
    pub urls: Vec<String>,
    /// Lets one device in, once.
    pub bootstrap_token: Secret,
    /// Until then, milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
}

/// A text that is no setup code. Never shows the text: it is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SetupCodeError {
    /// Not the encoding.
    #[error("not a setup code: base64 is expected (it may begin with oc-pair://)")]
    Encoding,
    /// Not the JSON that should be in it.
    #[error(
        "not a setup code: it decodes to something else than a JSON object with `url` and `bootstrapToken`"
    )]
    Content,
    /// No address.
    #[error("the setup code holds no gateway address (`url`, or up to 8 `urls`)")]
    Url,
    /// No token.
    #[error("the setup code holds no `bootstrapToken`")]
    Token,
    /// Its ten minutes are over.
    #[error("the setup code has expired: ask the gateway for another")]
    Expired,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    urls: Vec<String>,
    #[serde(default)]
    bootstrap_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at_ms: Option<i64>,
}

impl SetupCode {
    /// Reads a code: base64 (of either alphabet, padded or not), as a link or bare. `now_ms` (since 1970) tells whether it has
    /// expired; `None` leaves that to the gateway.
    pub fn decode(text: &str, now_ms: Option<i64>) -> Result<Self, SetupCodeError> {
        let text = text.trim();
        let head = text.get(..LINK_PREFIX.len()).unwrap_or_default();
        let code = if head.eq_ignore_ascii_case(LINK_PREFIX) {
            &text[LINK_PREFIX.len()..]
        } else {
            text
        };
        let code = code.trim_end_matches('=');
        if code.is_empty() || code.len() > MAX_CODE_BYTES {
            return Err(SetupCodeError::Encoding);
        }
        let raw = URL_SAFE_NO_PAD
            .decode(code)
            .or_else(|_| STANDARD_NO_PAD.decode(code))
            .map_err(|_| SetupCodeError::Encoding)?;
        let payload: Payload = serde_json::from_slice(&raw).map_err(|_| SetupCodeError::Content)?;
        let token = payload.bootstrap_token.trim();
        if token.is_empty() {
            return Err(SetupCodeError::Token);
        }
        let is_blank = |url: &String| url.trim().is_empty();
        if payload.urls.len() > MAX_URLS || payload.urls.iter().any(is_blank) {
            return Err(SetupCodeError::Url);
        }
        let url = payload
            .url
            .filter(|url| !is_blank(url))
            .or_else(|| payload.urls.first().cloned())
            .ok_or(SetupCodeError::Url)?;
        if let (Some(until), Some(now)) = (payload.expires_at_ms, now_ms)
            && until <= now
        {
            return Err(SetupCodeError::Expired);
        }
        Ok(Self {
            url,
            urls: payload.urls,
            bootstrap_token: Secret::new(token),
            expires_at_ms: payload.expires_at_ms,
        })
    }

    /// The code's text, as the real gateway writes it: base64url without padding.
    pub fn encode(&self) -> Secret {
        let payload = Payload {
            url: Some(self.url.clone()),
            urls: self.urls.clone(),
            bootstrap_token: self.bootstrap_token.expose().to_owned(),
            expires_at_ms: self.expires_at_ms,
        };
        // A struct of texts and numbers always has a JSON form.
        let json = serde_json::to_string(&payload).unwrap_or_default();
        Secret::new(URL_SAFE_NO_PAD.encode(json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn code() -> SetupCode {
        SetupCode {
            url: "ws://127.0.0.1:18789".to_owned(),
            urls: Vec::new(),
            bootstrap_token: Secret::new("boot"),
            expires_at_ms: Some(1_000),
        }
    }

    #[test]
    fn a_code_comes_back_bare_as_a_link_and_in_the_other_alphabet() {
        let text = code().encode();
        assert_eq!(SetupCode::decode(text.expose(), Some(999)), Ok(code()));
        let link = format!(" OC-PAIR://{}\n", text.expose());
        assert_eq!(SetupCode::decode(&link, None), Ok(code()));
        let json = r#"{"urls":["wss://a.example?b>c"],"bootstrapToken":"boot","tlsFingerprint":"ab"}"#;
        let padded = SetupCode::decode(&STANDARD.encode(json), None).unwrap();
        assert_eq!(padded.url, "wss://a.example?b>c");
    }

    #[test]
    fn what_is_no_code_is_named_without_being_shown() {
        let says = |json: &str| SetupCode::decode(&URL_SAFE_NO_PAD.encode(json), Some(1_000)).unwrap_err();
        assert_eq!(SetupCode::decode("", None), Err(SetupCodeError::Encoding));
        assert_eq!(
            SetupCode::decode("not base64!", None),
            Err(SetupCodeError::Encoding)
        );
        assert_eq!(says("\"text\""), SetupCodeError::Content);
        assert_eq!(says(r#"{"url":"ws://a"}"#), SetupCodeError::Token);
        assert_eq!(
            says(r#"{"bootstrapToken":"b","urls":[" "]}"#),
            SetupCodeError::Url
        );
        assert_eq!(says(r#"{"bootstrapToken":"b"}"#), SetupCodeError::Url);
        assert_eq!(
            says(r#"{"url":"ws://a","bootstrapToken":"b","expiresAtMs":1000}"#),
            SetupCodeError::Expired
        );
        assert!(!format!("{:?}", code()).contains("boot\""));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}", json in "[{}\":,a-z0-9\\[\\]]{0,60}") {
            let _ = SetupCode::decode(&text, Some(0));
            let _ = SetupCode::decode(&URL_SAFE_NO_PAD.encode(json), Some(0));
        }
    }
}

//! The REST call that renews tokens, as texts (protocol page, Token and refresh). HTTP itself is the caller's.

use super::Tokens;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// An answer or a request larger than this is not read.
pub const MAX_REFRESH_BODY_BYTES: usize = 64 * 1024;
/// The longest `X-Device-Id`, bytes.
const MAX_DEVICE_ID_BYTES: usize = 128;

/// What the endpoint is asked.
#[derive(Serialize, Deserialize)]
pub struct RefreshRequest<'a> {
    #[serde(borrow)]
    refresh_token: Cow<'a, str>,
}

impl<'a> RefreshRequest<'a> {
    /// Asks with this token.
    pub fn new(refresh_token: &'a Secret) -> Self {
        Self {
            refresh_token: Cow::Borrowed(refresh_token.expose()),
        }
    }

    /// The request's body.
    pub fn body(&self) -> String {
        // A struct of one text always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a request: its token, or `None` if it is malformed or its device id is missing or too long.
    pub fn read(body: &'a [u8], device_id: Option<&str>) -> Option<Cow<'a, str>> {
        let device_fits = device_id.is_some_and(|id| (1..=MAX_DEVICE_ID_BYTES).contains(&id.len()));
        serde_json::from_slice::<Self>(body)
            .ok()
            .filter(|request| device_fits && !request.refresh_token.is_empty())
            .map(|request| request.refresh_token)
    }
}

/// What the endpoint answered. HTTP says 200 to everything; `code` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshAnswer {
    /// Both tokens were rotated; the old pair is dead.
    Rotated(Tokens),
    /// Never again with this token: unknown, revoked, expired, used, or sent by another device.
    Permanent {
        /// 10003 or 400.
        code: i64,
    },
    /// Nothing was rotated, or nobody knows: try again later.
    Transient {
        /// What happened, in words.
        what: String,
    },
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    code: Option<i64>,
    data: Option<Data>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    access_token: String,
    refresh_token: String,
}

impl RefreshAnswer {
    /// Reads an answer. A success without both tokens is no success: what was rotated, if anything, is lost.
    pub fn read(status: u16, body: &[u8]) -> Self {
        if status != 200 {
            return Self::transient(format!("HTTP {status}"));
        }
        let Ok(body) = serde_json::from_slice::<Body>(body) else {
            return Self::transient("an answer that is no JSON object");
        };
        match (body.code, body.data) {
            (Some(0), Some(data)) if !data.access_token.is_empty() && !data.refresh_token.is_empty() => {
                Self::Rotated(Tokens {
                    access: Secret::new(data.access_token),
                    refresh: Some(Secret::new(data.refresh_token)),
                })
            }
            (Some(0), _) => Self::transient("a success without tokens"),
            (Some(code @ (10003 | 400)), _) => Self::Permanent { code },
            (Some(code), _) => Self::transient(format!("code {code}")),
            (None, _) => Self::transient("an answer without a code"),
        }
    }

    /// Something went wrong that may go right the next time.
    pub fn transient(what: impl Into<String>) -> Self {
        Self::Transient { what: what.into() }
    }

    /// The answer's body, as a server writes it.
    pub fn write(&self) -> String {
        #[derive(Serialize)]
        struct Out<'a> {
            code: i64,
            msg: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            data: Option<OutData<'a>>,
        }
        #[derive(Serialize)]
        struct OutData<'a> {
            access_token: &'a str,
            refresh_token: &'a str,
        }
        let out = match self {
            Self::Rotated(tokens) => Out {
                code: 0,
                msg: "ok",
                data: Some(OutData {
                    access_token: tokens.access.expose(),
                    refresh_token: tokens.refresh.as_ref().map_or("", Secret::expose),
                }),
            },
            Self::Permanent { code } => Out {
                code: *code,
                msg: "refresh token is not valid",
                data: None,
            },
            Self::Transient { what } => Out {
                code: 1,
                msg: what,
                data: None,
            },
        };
        // Texts and numbers always serialise.
        serde_json::to_string(&out).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens() -> Tokens {
        Tokens {
            access: Secret::new("a"),
            refresh: Some(Secret::new("r")),
        }
    }

    #[test]
    fn the_pages_table_of_answers() {
        let read = |body: &str| RefreshAnswer::read(200, body.as_bytes());
        let rotated = RefreshAnswer::Rotated(tokens());
        assert_eq!(read(&rotated.write()), rotated);
        assert_eq!(
            read(r#"{"code":10003,"msg":"no"}"#),
            RefreshAnswer::Permanent { code: 10003 }
        );
        assert_eq!(read(r#"{"code":400}"#), RefreshAnswer::Permanent { code: 400 });
        for transient in [
            r#"{"code":1}"#,
            r#"{"code":0}"#,
            r#"{"code":0,"data":{"access_token":"a"}}"#,
            r#"{"code":10004}"#,
            r#"{"msg":"ok"}"#,
            "[]",
            "",
        ] {
            assert!(
                matches!(read(transient), RefreshAnswer::Transient { .. }),
                "{transient}"
            );
        }
        let failed = RefreshAnswer::read(500, br#"{"code":10003}"#);
        assert_eq!(failed, RefreshAnswer::transient("HTTP 500"));
    }

    #[test]
    fn a_request_needs_its_token_and_a_device_id_that_fits() {
        let token = Secret::new("r");
        let body = RefreshRequest::new(&token).body();
        let read = |device| RefreshRequest::read(body.as_bytes(), device).is_some();
        assert!(read(Some("dev")));
        assert!(!read(None) && !read(Some("")) && !read(Some(&"x".repeat(129))));
        assert!(RefreshRequest::read(b"{}", Some("dev")).is_none());
    }

    proptest! {
        #[test]
        fn any_answer_is_read(status: u16, body in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = RefreshAnswer::read(status, &body);
        }
    }
}

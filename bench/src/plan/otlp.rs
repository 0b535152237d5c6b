//! Where figures are pushed to.

use clw_core::secret::Secret;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;
use url::{Host, Url};

/// The path that OTLP over HTTP has for metrics.
const METRICS_PATH: &str = "/v1/metrics";

/// A collector's address. In JSON it is its URL, without the headers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OtlpEndpoint {
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path of the request line.
    pub path: String,
    /// `https`.
    pub tls: bool,
    /// What is sent with every request, from `OTEL_EXPORTER_OTLP_HEADERS`.
    pub headers: Vec<(String, Secret)>,
}

/// An address that nothing can be pushed to, or headers that cannot be sent. Never repeats a value: it may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OtlpError {
    /// Not a URL.
    #[error("{0}; accepted is http://HOST[:PORT][/PATH] or https://HOST[:PORT][/PATH]")]
    Syntax(String),
    /// A place for secrets that would be shown.
    #[error("{0} in the URL would be shown in results; put credentials into OTEL_EXPORTER_OTLP_HEADERS")]
    Credentials(&'static str),
    /// A header.
    #[error(
        "header {number} of OTEL_EXPORTER_OTLP_HEADERS {problem}; accepted is NAME=VALUE,NAME=VALUE with %XX for what is special"
    )]
    Header {
        /// Counted from 1.
        number: usize,
        /// What is wrong.
        problem: &'static str,
    },
}

impl FromStr for OtlpEndpoint {
    type Err = OtlpError;

    /// Reads a collector's URL. `/v1/metrics` is added to a path that does not end in it, as OpenTelemetry's own exporters do.
    fn from_str(text: &str) -> Result<Self, OtlpError> {
        let url = Url::parse(text).map_err(|e| OtlpError::Syntax(e.to_string()))?;
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(OtlpError::Syntax(format!("the scheme is `{other}`"))),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OtlpError::Credentials("a user name or password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(OtlpError::Credentials("a query"));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            _ => return Err(OtlpError::Syntax("no host".to_owned())),
        };
        let port = url.port_or_known_default().filter(|port| *port > 0);
        let base = url.path().trim_end_matches('/');
        Ok(Self {
            host,
            port: port.ok_or_else(|| OtlpError::Syntax("port 0".to_owned()))?,
            path: if base.ends_with(METRICS_PATH) {
                base.to_owned()
            } else {
                format!("{base}{METRICS_PATH}")
            },
            tls,
            headers: Vec::new(),
        })
    }
}

impl OtlpEndpoint {
    /// The `Host` header.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The same collector with the headers of the environment: `NAME=VALUE`, separated by commas, values percent-encoded.
    pub fn with_headers(mut self, list: &Secret) -> Result<Self, OtlpError> {
        let pairs = list.expose().split(',').map(str::trim).enumerate();
        for (at, pair) in pairs.filter(|(_, pair)| !pair.is_empty()) {
            let fail = |problem| OtlpError::Header {
                number: at + 1,
                problem,
            };
            let (name, value) = pair.split_once('=').ok_or_else(|| fail("has no `=`"))?;
            let name = name.trim().to_ascii_lowercase();
            let value = percent_decode_str(value.trim()).decode_utf8();
            let value = value.map_err(|_| fail("is not UTF-8"))?;
            if hyper::header::HeaderName::from_bytes(name.as_bytes()).is_err() {
                return Err(fail("has a name that no header can have"));
            }
            if hyper::header::HeaderValue::from_str(&value).is_err() {
                return Err(fail("has a value that no header can have"));
            }
            self.headers.push((name, Secret::new(value.into_owned())));
        }
        Ok(self)
    }
}

impl fmt::Display for OtlpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl From<OtlpEndpoint> for String {
    fn from(endpoint: OtlpEndpoint) -> Self {
        endpoint.to_string()
    }
}

impl TryFrom<String> for OtlpEndpoint {
    type Error = OtlpError;

    fn try_from(text: String) -> Result<Self, OtlpError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<OtlpEndpoint, OtlpError> {
        text.parse()
    }

    #[test]
    fn the_path_for_metrics_is_added_once() {
        for (text, shown) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/metrics"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/metrics"),
            ("http://c/v1/metrics", "http://c:80/v1/metrics"),
            ("https://c/otlp", "https://c:443/otlp/v1/metrics"),
            ("http://[::1]:4318", "http://[::1]:4318/v1/metrics"),
        ] {
            assert_eq!(read(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn an_address_that_would_show_a_secret_is_refused_without_it() {
        for text in [
            "http://user:hush@c",
            "http://c/?key=hush",
            "ftp://c",
            "c:4318",
            "",
            "http://",
        ] {
            let says = read(text).unwrap_err().to_string();
            assert!(!says.contains("hush"), "{says}");
        }
    }

    #[test]
    fn headers_are_decoded_and_never_shown() {
        let list = Secret::new("Authorization=Bearer%20hush, x-scope=a=b ,");
        let endpoint = read("http://c").unwrap().with_headers(&list).unwrap();
        let sent: Vec<_> = endpoint
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose()))
            .collect();
        assert_eq!(sent, [("authorization", "Bearer hush"), ("x-scope", "a=b")]);
        let shown = format!(
            "{endpoint:?} {endpoint} {}",
            serde_json::to_string(&endpoint).unwrap()
        );
        assert!(!shown.contains("hush"), "{shown}");
        for wrong in ["hush", "a=1,b c=hush", "a=hush%0a", "a=%ffhush"] {
            let says = read("http://c").unwrap().with_headers(&Secret::new(wrong));
            let says = says.unwrap_err().to_string();
            assert!(!says.contains("hush"), "{says}");
        }
    }
}

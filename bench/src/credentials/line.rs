//! One line of a credentials file, read and written.

use super::identity::{Credential, DeviceKey};
use crate::plan::Role;
use crate::scenario::nearest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use clw_core::openclaw::{SetupCode, SetupCodeError};
use clw_core::secret::{Secret, hex};
use serde_json::{Map, Value};
use thiserror::Error;

/// The fields of a line. All are optional, but one at least is needed.
pub const FIELDS: [&str; 12] = [
    "token",
    "refresh_token",
    "password",
    "device_token",
    "bootstrap_token",
    "setup_code",
    "seed",
    "private_key",
    "client_id",
    "role",
    "scopes",
    "client_version",
];

/// What is wrong with a line. Never shows a value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LineError {
    /// Not JSON.
    #[error("column {column}: not a JSON object such as {{\"token\": \"…\"}}")]
    Json {
        /// Counted from 1.
        column: usize,
    },
    /// A field that does not exist.
    #[error("field {field} does not exist{hint}; fields are {}", FIELDS.join(", "))]
    Unknown {
        /// Its name, or its place if the name could be a secret.
        field: String,
        /// The nearest name.
        hint: String,
    },
    /// A field of the wrong kind.
    #[error("field `{field}`: accepted is {accepted}")]
    Field {
        /// Which.
        field: &'static str,
        /// What would do.
        accepted: &'static str,
    },
    /// Two keys.
    #[error("fields `seed` and `private_key`: give one of them")]
    TwoKeys,
    /// Nothing.
    #[error("no field at all: give at least one of {}", FIELDS.join(", "))]
    Empty,
    /// A setup code that is none.
    #[error("field `setup_code`: {0}")]
    SetupCode(SetupCodeError),
    /// A line of unreasonable length.
    #[error("longer than {0} bytes")]
    TooLong(usize),
}

const TEXT: &str = "a text that is not empty";
const SEED: &str = "a whole number from 0 to 18446744073709551615";
const KEY: &str = "a 32-byte Ed25519 private key in hex, base64 or base64url";
const ROLE: &str = "\"operator\" or \"node\"";
const SCOPES: &str = "a list of texts such as [\"operator.read\"]";

impl Credential {
    /// Reads one line.
    pub(super) fn from_line(line: &str) -> Result<Self, LineError> {
        let fields: Map<String, Value> = serde_json::from_str(line).map_err(|e| LineError::Json {
            column: e.column().max(1),
        })?;
        if fields.is_empty() {
            return Err(LineError::Empty);
        }
        let mut credential = Self::anonymous();
        for (place, (name, value)) in fields.iter().enumerate() {
            let field = FIELDS
                .into_iter()
                .find(|f| f == name)
                .ok_or_else(|| unknown(name, place))?;
            credential.set(field, value)?;
        }
        Ok(credential)
    }

    fn set(&mut self, field: &'static str, value: &Value) -> Result<(), LineError> {
        let fail = |accepted| LineError::Field { field, accepted };
        let text = || value.as_str().filter(|t| !t.is_empty()).ok_or_else(|| fail(TEXT));
        let secret = || text().map(Secret::new);
        match field {
            "token" => self.token = Some(secret()?),
            "refresh_token" => self.more_mut().refresh_token = Some(secret()?),
            "password" => self.more_mut().password = Some(secret()?),
            "device_token" => self.more_mut().device_token = Some(secret()?),
            "bootstrap_token" => self.more_mut().bootstrap_token = Some(secret()?),
            "setup_code" => {
                let code = SetupCode::decode(text()?, None).map_err(LineError::SetupCode)?;
                self.more_mut().bootstrap_token = Some(code.bootstrap_token);
            }
            "client_id" => self.more_mut().client_id = Some(text()?.into()),
            "client_version" => self.more_mut().client_version = Some(text()?.into()),
            "role" => {
                let role = value.as_str().and_then(Role::from_name);
                self.more_mut().role = Some(role.ok_or_else(|| fail(ROLE))?);
            }
            "scopes" => {
                let list = value.as_array().ok_or_else(|| fail(SCOPES))?;
                let scopes: Option<Box<[String]>> =
                    list.iter().map(|s| s.as_str().map(str::to_owned)).collect();
                self.more_mut().scopes = Some(scopes.ok_or_else(|| fail(SCOPES))?);
            }
            _ => {
                let key = if field == "seed" {
                    DeviceKey::Seed(value.as_u64().ok_or_else(|| fail(SEED))?)
                } else {
                    let key = value.as_str().and_then(decode_key);
                    DeviceKey::Private(key.ok_or_else(|| fail(KEY))?)
                };
                if self.more_mut().device.replace(key).is_some() {
                    return Err(LineError::TwoKeys);
                }
            }
        }
        Ok(())
    }

    /// The identity as a line with its secrets in clear, for a worker process's pipe and nothing else.
    pub(super) fn expose_line(&self) -> String {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        let clear = |secret: &Secret| Value::from(secret.expose());
        put("token", self.token.as_ref().map(clear));
        put("refresh_token", self.refresh_token().map(clear));
        put("password", self.password().map(clear));
        put("device_token", self.device_token().map(clear));
        put("bootstrap_token", self.bootstrap_token().map(clear));
        match self.device() {
            Some(DeviceKey::Seed(seed)) => put("seed", Some(seed.into())),
            Some(DeviceKey::Private(bytes)) => put("private_key", Some(hex(&bytes).into())),
            None => {}
        }
        put("client_id", self.client_id().map(Value::from));
        put("role", self.role().map(|r| r.name().into()));
        put("scopes", self.scopes().map(|s| s.to_vec().into()));
        put("client_version", self.client_version().map(Value::from));
        Value::Object(fields).to_string()
    }
}

/// A field name is shown only if it looks like one: it could as well be a secret in the wrong place.
fn unknown(name: &str, place: usize) -> LineError {
    let hint = nearest(name, FIELDS)
        .map(|near| format!(", did you mean `{near}`?"))
        .unwrap_or_default();
    let plain = name.len() <= 24 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let field = if plain {
        format!("`{name}`")
    } else {
        format!("number {}", place + 1)
    };
    LineError::Unknown { field, hint }
}

fn decode_key(text: &str) -> Option<[u8; 32]> {
    if text.len() == 64 {
        let mut key = [0; 32];
        for (byte, pair) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        return Some(key);
    }
    let raw = URL_SAFE_NO_PAD
        .decode(text)
        .or_else(|_| STANDARD.decode(text))
        .ok()?;
    raw.try_into().ok()
}

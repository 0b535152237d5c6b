//! Who the sessions are: tokens, passwords, device identities.
//!
//! A file of credentials holds one JSON object a line, one identity each, used in turn. Messages about it name file, line
//! and field, and never show a value.

mod identity;
mod line;
mod pool;
mod store;

pub use identity::{Credential, DeviceKey};
pub use line::{FIELDS, LineError};
pub use pool::{Credentials, CredentialsError, Source, read_token_file};
pub use store::{Change, Store};

//! Whether and when to connect again, and with which credential.

mod backoff;
mod credential;

pub use backoff::{Backoff, Policy, worth_retrying};
pub use credential::{CredentialState, Reuse, kills_credential};

//! Who the sessions are: tokens, passwords, device identities.

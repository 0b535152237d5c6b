//! Setup codes for devices, written where only who asked for them can read them. They are shown nowhere else.

use crate::config::SetupCodes;
use crate::error::StartError;
use crate::shared::Shared;
use clw_core::openclaw::SetupProfile;
use std::fmt::Write as _;
use std::fs::{OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

/// Issues the codes and writes them, a JSON line each.
pub(crate) fn write(shared: &Shared, codes: &SetupCodes, url: &str) -> Result<(), StartError> {
    let profile = if codes.for_nodes {
        SetupProfile::Node
    } else {
        SetupProfile::Full
    };
    let mut text = String::new();
    for _ in 0..codes.count {
        let code = shared.backends.openclaw.setup_code(shared.now(), url, profile);
        // A code is of letters, digits, - and _. Writing to a String cannot fail.
        let _ = writeln!(text, "{{\"setup_code\":\"{}\"}}", code.encode().expose());
    }
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&codes.file)
        .and_then(|mut file| {
            file.set_permissions(Permissions::from_mode(0o600))?;
            file.write_all(text.as_bytes())
        })
        .map_err(|cause| StartError::SetupCodes {
            path: codes.file.clone(),
            cause,
        })
}

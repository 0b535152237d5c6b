//! Flags about devices: their approval, their tokens, and where these are kept.

use super::flags::parse_secret;
use crate::plan::{PairingMode, Prefer};
use clap::Args;
use clw_core::secret::Secret;
use clw_core::units::parse_duration;
use std::path::PathBuf;
use std::time::Duration;

/// Devices (OpenClaw).
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Devices (openclaw)")]
pub struct PairingArgs {
    /// A setup code, which lets one device in, once; or the file that holds it. Without a URL the code's gateway is loaded.
    ///
    /// For more devices than one: --credentials, with a `setup_code` in each line.
    #[arg(long, value_name = "CODE|@F", value_parser = parse_secret)]
    pub setup_code: Option<Secret>,
    /// What a session does that is told PAIRING_REQUIRED [default: off].
    ///
    /// wait: it asks again until somebody approves it. approve: the run holds an admin session of its own, which approves
    /// what its sessions ask for.
    #[arg(
        long,
        value_enum,
        value_name = "off|wait|approve",
        hide_possible_values = true
    )]
    pub pairing: Option<PairingMode>,
    /// How long a session waits for approval [default: 5m, as long as the gateway keeps the request].
    #[arg(long, value_name = "T", value_parser = parse_duration)]
    pub pairing_timeout: Option<Duration>,
    /// Token of the admin session of --pairing approve, from F [default: the sessions' shared token].
    #[arg(long, value_name = "F")]
    pub admin_token_file: Option<PathBuf>,
    /// Keep the device tokens that are issued in F (mode 0600), and begin with those that are in it.
    #[arg(long, value_name = "F")]
    pub credential_store: Option<PathBuf>,
    /// Which credential a session shows first if it has both: shared, as the official client does, or its device's token
    /// [default: shared].
    #[arg(long, value_enum, value_name = "shared|device", hide_possible_values = true)]
    pub prefer: Option<Prefer>,
    /// client.platform, part of what a device signs [default: linux].
    #[arg(long, value_name = "S")]
    pub platform: Option<String>,
    /// client.deviceFamily, such as iPhone [default: none].
    #[arg(long, value_name = "S")]
    pub device_family: Option<String>,
}

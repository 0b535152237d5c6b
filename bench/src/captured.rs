//! `reproduce --capture`: the same call again in a network namespace of its own, with tcpdump on its only interface, so that the
//! capture holds these sessions from their first packet to their last and nothing else.

use crate::args::ReproduceArgs;
use crate::commands::Ended;
use crate::exit::Exit;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

/// tcpdump must be on before the first SYN and off after the last packet. At SIGINT it leaves without what it has not read yet:
/// its buffer without `--immediate-mode`, the kernel's on a busy machine. So it is stopped when the file holds as many packets
/// as the interface has seen, or is not about to.
const INSIDE: &str = r#"
ip link set lo up || exit 125
tcpdump -i lo -s 0 -B 16384 --immediate-mode -U -w "$1" tcp 2>"$2" &
capture=$!
until grep -q "listening on" "$2" 2>/dev/null; do
  kill -0 $capture 2>/dev/null || { cat "$2" >&2; exit 125; }
done
file=$1
shift 2
"$@"
status=$?
until=$((SECONDS + 10))
until [ "$(tcpdump -n -r "$file" 2>/dev/null | wc -l)" -ge "$(awk '$1 == "lo:" { print $3 }' /proc/net/dev)" ]; do
  [ "$SECONDS" -lt $until ] || break
done
kill -INT $capture
wait $capture
exit $status
"#;
/// What [`INSIDE`] says when there was no capture.
const NO_CAPTURE: i32 = 125;

/// Runs `args` again inside, without `--capture`.
pub(crate) fn reproduce(args: &ReproduceArgs, to: &Path) -> Ended {
    let failed = |message: String| (Exit::Failed, message);
    for tool in ["unshare", "ip", "tcpdump"] {
        let found = std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(tool).is_file()))
            || Path::new("/usr/sbin").join(tool).is_file();
        if !found {
            return Err(failed(format!(
                "--capture needs {tool} (util-linux, iproute2, tcpdump): install it, or capture by hand"
            )));
        }
    }
    let words = tempfile::NamedTempFile::new().map_err(|e| failed(e.to_string()))?;
    let executable = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
    let mut command = Command::new("unshare");
    command.arg("--net");
    if !nix::unistd::geteuid().is_root() {
        // A user namespace of its own may have a network namespace of its own.
        command.arg("--map-root-user");
    }
    command
        .args(["--", "bash", "-c", INSIDE, "reproduce"])
        .arg(to)
        .arg(words.path())
        .arg(executable)
        .args(call(args))
        .stdin(Stdio::null());
    let status = command
        .status()
        .map_err(|e| failed(format!("unshare cannot be started: {e}")))?;
    match status.code() {
        Some(0) => Ok(Exit::Done),
        Some(2) => Ok(Exit::Usage),
        Some(NO_CAPTURE) => Err(failed(
            "no capture: a network namespace and tcpdump in it are needed (root, or user namespaces allowed)"
                .to_owned(),
        )),
        _ => Ok(Exit::Failed),
    }
}

/// The call without `--capture`.
fn call(args: &ReproduceArgs) -> Vec<OsString> {
    let mut call: Vec<OsString> = vec!["reproduce".into()];
    call.extend(args.verdict.as_ref().map(OsString::from));
    let mut add = |flag: &str, value: OsString| call.extend([OsString::from(flag), value]);
    if let Some(dialect) = args.dialect {
        add("--dialect", clw_core::Dialect::from(dialect).name().into());
    }
    add("--seed", args.seed.to_string().into());
    if let Some(to) = &args.json {
        add("--json", to.into());
    }
    if let Some(to) = &args.journal {
        add("--journal", to.into());
    }
    call
}

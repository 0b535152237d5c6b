//! The file that device tokens are kept in, from one run to the next.
//!
//! It is written whole, beside the old one, and takes its place only when it is on the disk: a write that fails loses
//! nothing. Several processes may share it; each changes only what is its own.

use super::pool::CredentialsError;
use clw_core::openclaw::{Role, RoleToken};
use clw_core::secret::Secret;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

const SCHEMA: &str = "clw.credentials/1";
/// A store of a hundred thousand devices has 30 MB.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// What is to be written: the token of a device for one role, or that it has none any more.
#[derive(Clone, Debug)]
pub struct Change {
    /// `HOST:PORT` of the gateway that issued it.
    pub gateway: String,
    /// `device.id`.
    pub device_id: String,
    /// For which role.
    pub role: Role,
    /// The token; `None`: forget it.
    pub token: Option<RoleToken>,
}

/// A device's tokens by role.
type Tokens = BTreeMap<String, Kept>;

#[derive(Serialize, Deserialize)]
struct Contents {
    schema: String,
    /// By gateway, then by device.
    gateways: BTreeMap<String, BTreeMap<String, Tokens>>,
}

impl Default for Contents {
    fn default() -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            gateways: BTreeMap::new(),
        }
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    token: String,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_at_ms: Option<i64>,
}

/// What a store held when it was read.
#[derive(Default)]
pub struct Store(Contents);

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Whether the store at `path` can be read and written; makes it if it is not there.
    pub fn check(path: &Path) -> Result<(), CredentialsError> {
        Self::write(path, &[]).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => CredentialsError::Store {
                path: path.to_owned(),
                problem: error.to_string(),
            },
            _ => CredentialsError::Store {
                path: path.to_owned(),
                problem: format!("cannot be kept there: {error}; check the folder and its permissions"),
            },
        })
    }

    /// Reads the store; one that is not there is empty.
    pub fn read(path: &Path) -> io::Result<Self> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            return Err(invalid(
                "others on this machine may read these tokens: chmod 600, and let the devices be paired again if that matters",
            ));
        }
        let mut text = String::new();
        file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(invalid("longer than any store of device tokens"));
        }
        // The parser's own words could repeat what it read.
        let contents: Contents = serde_json::from_str(&text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            invalid(&format!(
                "line {line}, column {column}: no store of device tokens; give another file, or remove this one"
            ))
        })?;
        if contents.schema != SCHEMA {
            return Err(invalid(
                "written by another release (its `schema` is not clw.credentials/1); give another file",
            ));
        }
        Ok(Self(contents))
    }

    /// The tokens of a device, as [`Role`] numbers the roles.
    pub fn tokens(&self, gateway: &str, device_id: &str) -> [Option<RoleToken>; 2] {
        let tokens = self
            .0
            .gateways
            .get(gateway)
            .and_then(|devices| devices.get(device_id));
        Role::ALL.map(|role| {
            let kept = tokens?.get(role.name())?;
            Some(RoleToken {
                token: Secret::new(kept.token.as_str()),
                scopes: kept.scopes.clone(),
                issued_at_ms: kept.issued_at_ms,
            })
        })
    }

    /// Makes the changes in the file. What else is in it stays.
    pub fn write(path: &Path, changes: &[Change]) -> io::Result<()> {
        let _lock = lock(path)?;
        let mut store = Self::read(path)?;
        for change in changes {
            store.apply(change);
        }
        let mut text = serde_json::to_vec(&store.0).map_err(io::Error::other)?;
        text.push(b'\n');
        replace(path, &text)
    }

    fn apply(&mut self, change: &Change) {
        let devices = self.0.gateways.entry(change.gateway.clone()).or_default();
        let tokens = devices.entry(change.device_id.clone()).or_default();
        match &change.token {
            Some(token) => {
                let kept = Kept {
                    token: token.token.expose().to_owned(),
                    scopes: token.scopes.clone(),
                    issued_at_ms: token.issued_at_ms,
                };
                tokens.insert(change.role.name().to_owned(), kept);
            }
            None => {
                tokens.remove(change.role.name());
            }
        }
        if tokens.is_empty() {
            devices.remove(&change.device_id);
        }
    }
}

/// A lock that ends with the process, whatever ends it. On a file beside the store, which itself is replaced.
fn lock(path: &Path) -> io::Result<Flock<File>> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(beside(path, "lock"))?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno.into())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Puts `text` in the place of the file at `path`: the old one is there until the new one is on the disk.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let new = beside(path, "new");
    let written = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| {
            // A file that was left there by somebody else may have other permissions.
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
            file.write_all(text)?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
        return written;
    }
    // The name itself is on the disk only when the folder is.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(device_id: &str, role: Role, token: Option<&str>) -> Change {
        Change {
            gateway: "127.0.0.1:1".to_owned(),
            device_id: device_id.to_owned(),
            role,
            token: token.map(|token| RoleToken {
                token: Secret::new(token),
                scopes: vec!["operator.read".to_owned()],
                issued_at_ms: Some(7),
            }),
        }
    }

    #[test]
    fn roles_are_kept_apart_and_what_is_forgotten_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.json");
        assert!(Store::read(&path).unwrap().tokens("g", "d")[0].is_none());
        let both = [
            change("d", Role::Operator, Some("o")),
            change("d", Role::Node, Some("n")),
        ];
        Store::write(&path, &both).unwrap();
        Store::write(&path, &[change("e", Role::Operator, Some("x"))]).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        Store::write(&path, &[change("d", Role::Operator, None)]).unwrap();
        let store = Store::read(&path).unwrap();
        assert_eq!(store.tokens("127.0.0.1:1", "d"), [None, both[1].token.clone()]);
        assert!(store.tokens("127.0.0.1:1", "e")[0].is_some());
        assert!(store.tokens("127.0.0.1:2", "e")[0].is_none(), "another gateway's");
        assert!(!format!("{store:?}").contains("\"n\""));
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_store_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.json");
        Store::write(&path, &[change("d", Role::Operator, Some("o"))]).unwrap();
        let before = std::fs::read(&path).unwrap();
        // A folder in the new file's place: nothing can be written there, not even by root.
        std::fs::create_dir(beside(&path, "new")).unwrap();
        assert!(Store::write(&path, &[change("d", Role::Operator, Some("p"))]).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_store_that_others_may_read_or_that_is_none_is_refused_without_being_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.json");
        std::fs::write(&path, "{\"schema\": \"secret-text\"}").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let says = |path: &Path| Store::check(path).unwrap_err().to_string();
        assert!(says(&path).contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let message = says(&path);
        assert!(
            message.contains("no store of device tokens") && !message.contains("secret-text"),
            "{message}"
        );
        assert!(says(&folder.path().join("no/store.json")).contains("cannot be kept there"));
    }
}

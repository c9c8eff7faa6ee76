//! The tokens of devices that registered without being created before.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::registry::DeviceId;

/// Physical devices that may share a device name.
const SHARED: usize = 5;

/// One token as the file has it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    product_key: String,
    device_name: String,
    client_id: String,
    device_token: String,
}

/// Tokens by device and client id, in memory and, with a path, in a file.
#[derive(Default)]
pub struct Tokens {
    kept: BTreeMap<(DeviceId, String), String>,
    file: Option<PathBuf>,
}

impl Tokens {
    /// Reads the file, which need not exist yet; the error is a sentence for the user.
    pub fn open(path: &Path) -> Result<Self, String> {
        let failed =
            |error: &dyn std::fmt::Display| format!("the tokens in {}: {error}", path.display());
        let list: Vec<Entry> = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed(&error))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(&error)),
        };
        let kept = list.into_iter().map(|entry| {
            let id = DeviceId {
                product_key: entry.product_key,
                device_name: entry.device_name,
            };
            ((id, entry.client_id), entry.device_token)
        });
        Ok(Self {
            kept: kept.collect(),
            file: Some(path.to_owned()),
        })
    }

    /// Whether this client id has a token already, or the device name has room for one more.
    pub fn has_room(&self, id: &DeviceId, client_id: &str) -> bool {
        let others = self
            .kept
            .keys()
            .filter(|(device, client)| device == id && client != client_id)
            .count();
        others < SHARED
    }

    /// The token of a device and client id.
    pub fn get(&self, id: &DeviceId, client_id: &str) -> Option<&str> {
        self.kept
            .get(&(id.clone(), client_id.to_owned()))
            .map(String::as_str)
    }

    /// Keeps a token; an earlier one of the same client id is void.
    pub fn keep(&mut self, id: &DeviceId, client_id: &str, token: &str) -> Result<(), String> {
        if !self.has_room(id, client_id) {
            return Err(format!("{SHARED} devices share that name already"));
        }
        self.kept
            .insert((id.clone(), client_id.to_owned()), token.to_owned());
        self.write()
    }

    /// Makes all tokens of a device void; whether there were any.
    pub fn forget(&mut self, id: &DeviceId) -> Result<bool, String> {
        let before = self.kept.len();
        self.kept.retain(|(device, _), _| device != id);
        let changed = self.kept.len() < before;
        if changed {
            self.write()?;
        }
        Ok(changed)
    }

    /// Writes under another name first, so that a stop in between leaves the old file.
    fn write(&self) -> Result<(), String> {
        let Some(path) = &self.file else {
            return Ok(());
        };
        let entries = self.kept.iter().map(|((id, client_id), token)| Entry {
            product_key: id.product_key.clone(),
            device_name: id.device_name.clone(),
            client_id: client_id.clone(),
            device_token: token.clone(),
        });
        let list: Vec<Entry> = entries.collect();
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".new");
        let written = serde_json::to_vec_pretty(&list)
            .map_err(std::io::Error::other)
            .and_then(|bytes| {
                let mut file = fs::OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(&temporary)?;
                file.write_all(&bytes)?;
                fs::rename(&temporary, path)
            });
        written.map_err(|error| format!("cannot write the tokens to {}: {error}", path.display()))
    }
}

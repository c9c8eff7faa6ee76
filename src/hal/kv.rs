//! Key-value default of the HAL: one small file, replaced as a whole (spec hal.md §3).
//!
//! Every operation reads the file, and every change writes a complete new one beside it, syncs it
//! and renames it over the old one. So whatever kills the process or the power, the file is the
//! old or the new one. Threads and processes take turns by a lock file.
//!
//! File format, version 1, little endian: `IOTXKV\0` and the version byte; number of items (u32);
//! per item key length (u8), key, value length (u16), value, in ascending key order; SHA-256 of
//! all before it. A file that does not parse to its last byte is moved aside to `*.broken`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The file in the working directory that is used unless [`set_path`] names another.
pub const DEFAULT_FILE: &str = "iotx_kv.bin";
/// Longest key, in bytes.
pub const MAX_KEY_LEN: usize = 127;
/// Longest value, in bytes.
pub const MAX_VALUE_LEN: usize = 4096;
/// Most items in the store.
pub const MAX_ITEMS: usize = 256;
/// Most bytes in all keys and values together.
pub const MAX_TOTAL_BYTES: usize = 256 * 1024;

const MAGIC: [u8; 8] = *b"IOTXKV\0\x01";
const DIGEST_LEN: usize = 32;
/// Larger than any file we write: magic, count, contents, three length bytes per item, digest.
const MAX_FILE_BYTES: u64 = (MAX_TOTAL_BYTES + 3 * MAX_ITEMS + 12 + DIGEST_LEN) as u64;
/// How long to wait for another process that holds the store.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Why an operation on the store failed.
#[derive(Debug)]
pub enum KvError {
    /// No such key.
    Missing,
    /// Key empty or too long, value too long, or the store full; says which.
    Limit(&'static str),
    /// Another process held the store for too long.
    Busy,
    /// The file system refused.
    Io(io::Error),
}

impl fmt::Display for KvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KvError::Missing => f.write_str("no such key"),
            KvError::Limit(what) => f.write_str(what),
            KvError::Busy => f.write_str("locked by another process"),
            KvError::Io(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for KvError {
    fn from(error: io::Error) -> Self {
        KvError::Io(error)
    }
}

/// A value; wiped when dropped.
pub type Value = Zeroizing<Vec<u8>>;
type Items = BTreeMap<Vec<u8>, Value>;

// ---- the store of the process ------------------------------------------------------------------

/// The path in use; its lock also makes the threads of this process take turns.
static PATH: Mutex<Option<PathBuf>> = Mutex::new(None);

fn path() -> MutexGuard<'static, Option<PathBuf>> {
    PATH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the process use the store file `file` from now on. It need not exist, its directory must.
pub fn set_path(file: PathBuf) {
    *path() = Some(file);
}

fn with_store<T>(operation: impl FnOnce(&Store) -> Result<T, KvError>) -> Result<T, KvError> {
    let path = path();
    let file = path.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    operation(&Store::new(file))
}

/// [`Store::set`] on the store of the process.
pub fn set(key: &[u8], value: &[u8], sync: bool) -> Result<(), KvError> {
    with_store(|store| store.set(key, value, sync))
}

/// [`Store::get`] on the store of the process.
pub fn get(key: &[u8]) -> Result<Value, KvError> {
    with_store(|store| store.get(key))
}

/// [`Store::del`] on the store of the process.
pub fn del(key: &[u8]) -> Result<(), KvError> {
    with_store(|store| store.del(key))
}

// ---- one store ---------------------------------------------------------------------------------

/// A store file. Holds nothing in memory, so any number may work on the same file; the threads
/// and processes that do take turns.
#[derive(Debug)]
pub struct Store {
    file: PathBuf,
}

impl Store {
    /// The store in `file`.
    pub fn new(file: PathBuf) -> Self {
        Store { file }
    }

    /// Stores `value` under `key`, replacing an older one.
    ///
    /// The change is complete or absent whatever happens. With `sync` it has reached the medium on
    /// return; without, a power failure shortly after may bring the old value back.
    pub fn set(&self, key: &[u8], value: &[u8], sync: bool) -> Result<(), KvError> {
        check_key(key)?;
        if value.len() > MAX_VALUE_LEN {
            return Err(KvError::Limit("value longer than 4096 bytes"));
        }
        let _lock = self.lock()?;
        let mut items = self.load()?;
        if items.get(key).is_some_and(|old| old.as_slice() == value) {
            // Nothing to write, which spares flash; an earlier rename may still be in memory.
            return if sync {
                Ok(self.sync_directory()?)
            } else {
                Ok(())
            };
        }
        items.insert(key.to_vec(), Zeroizing::new(value.to_vec()));
        if items.len() > MAX_ITEMS {
            return Err(KvError::Limit("more than 256 items"));
        }
        if items
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum::<usize>()
            > MAX_TOTAL_BYTES
        {
            return Err(KvError::Limit("more than 256 KiB in all"));
        }
        self.save(&items, sync)
    }

    /// The value under `key`.
    pub fn get(&self, key: &[u8]) -> Result<Value, KvError> {
        check_key(key)?;
        let _lock = self.lock()?;
        self.load()?.remove(key).ok_or(KvError::Missing)
    }

    /// Removes `key`; durable on return.
    pub fn del(&self, key: &[u8]) -> Result<(), KvError> {
        check_key(key)?;
        let _lock = self.lock()?;
        let mut items = self.load()?;
        if items.remove(key).is_none() {
            return Err(KvError::Missing);
        }
        self.save(&items, true)
    }

    /// `iotx_kv.bin` with `suffix` behind it.
    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = OsString::from(&self.file);
        name.push(suffix);
        PathBuf::from(name)
    }

    /// Takes the store for this operation; the lock ends with the returned file, also if the
    /// process is killed.
    fn lock(&self) -> Result<File, KvError> {
        let lock = private_file()
            .create(true)
            .truncate(false)
            .open(self.beside(".lock"))?;
        let deadline = Instant::now() + LOCK_WAIT;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(TryLockError::WouldBlock) => return Err(KvError::Busy),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
    }

    /// All items. A broken file is moved aside and counts as empty; a file that cannot be read
    /// is an error and stays.
    fn load(&self) -> Result<Items, KvError> {
        let file = match File::open(&self.file) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Items::new()),
            Err(error) => return Err(error.into()),
        };
        // Room for all of it at once: growing would leave copies of secrets behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE_BYTES as usize + 1));
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if let Some(items) = decode(&bytes) {
            return Ok(items);
        }
        let broken = self.beside(".broken");
        fs::rename(&self.file, &broken)?;
        log::error!(
            "kv store {} is broken, moved to {}",
            self.file.display(),
            broken.display()
        );
        Ok(Items::new())
    }

    /// Replaces the file by one that holds `items`.
    fn save(&self, items: &Items, sync: bool) -> Result<(), KvError> {
        let temporary = self.beside(".tmp");
        // Left over by a killed process; opened anew so that mode and contents are ours.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let written = (|| {
            let mut file = private_file().create_new(true).open(&temporary)?;
            file.write_all(&encode(items))?;
            // Before the rename in any case: a name must never point to data not yet written.
            file.sync_all()?;
            fs::rename(&temporary, &self.file)
        })();
        if let Err(error) = written {
            // The new file holds secrets, and is of no use.
            let _ = fs::remove_file(&temporary);
            return Err(error.into());
        }
        if sync {
            self.sync_directory()?;
        }
        Ok(())
    }

    /// Makes the last rename durable.
    fn sync_directory(&self) -> io::Result<()> {
        let directory = match self.file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(directory)?.sync_all()
    }
}

/// Files that only their owner may read, never reached through a planted link.
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW);
    options
}

fn check_key(key: &[u8]) -> Result<(), KvError> {
    match key.len() {
        0 => Err(KvError::Limit("empty key")),
        1..=MAX_KEY_LEN => Ok(()),
        _ => Err(KvError::Limit("key longer than 127 bytes")),
    }
}

// ---- file format -------------------------------------------------------------------------------

fn encode(items: &Items) -> Zeroizing<Vec<u8>> {
    let contents: usize = items
        .iter()
        .map(|(key, value)| 3 + key.len() + value.len())
        .sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAGIC.len() + 4 + contents + DIGEST_LEN));
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&(items.len() as u32).to_le_bytes());
    for (key, value) in items {
        // The limits of `set` keep both lengths within their types.
        bytes.push(key.len() as u8);
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(&(value.len() as u16).to_le_bytes());
        bytes.extend_from_slice(value);
    }
    let digest = Sha256::digest(bytes.as_slice());
    bytes.extend_from_slice(&digest);
    bytes
}

/// The items of a file, if every byte of it is as [`encode`] writes it.
fn decode(bytes: &[u8]) -> Option<Items> {
    let (contents, digest) = bytes.split_last_chunk::<DIGEST_LEN>()?;
    if Sha256::digest(contents).as_slice() != digest {
        return None;
    }
    let mut rest = contents.strip_prefix(&MAGIC)?;
    let count = u32::from_le_bytes(take_array(&mut rest)?) as usize;
    let mut items = Items::new();
    for _ in 0..count {
        let [key_len] = take_array(&mut rest)?;
        let key = take(&mut rest, key_len as usize)?;
        let value_len = u16::from_le_bytes(take_array(&mut rest)?) as usize;
        let value = take(&mut rest, value_len)?;
        let last = items.last_key_value().map(|(key, _)| key.as_slice());
        if check_key(key).is_err() || value_len > MAX_VALUE_LEN || last >= Some(key) {
            return None;
        }
        items.insert(key.to_vec(), Zeroizing::new(value.to_vec()));
    }
    (rest.is_empty() && items.len() <= MAX_ITEMS).then_some(items)
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(len)?;
    *rest = left;
    Some(taken)
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

//! The key-value file: whatever lies there, the store reads it or moves it aside, and works afterwards.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use iotx::hal::kv::{KvError, MAX_VALUE_LEN, Store};
use sha2::{Digest, Sha256};

use super::super::input::Input;

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let honest = input.below(4) != 0;
    let key = input.block();
    let value = input.block();
    let contents = input.rest();
    let directory = scratch();
    let file = directory.join("kv");
    let mut bytes = Vec::new();
    if honest {
        bytes.extend_from_slice(b"IOTXKV\0\x01");
    }
    bytes.extend_from_slice(contents);
    if honest {
        // Without a digest that fits, the contents would never be looked at.
        let digest = Sha256::digest(&bytes);
        bytes.extend_from_slice(&digest);
    }
    fs::write(&file, &bytes).expect("written");

    let store = Store::new(file.clone());
    let before = store.get(key).map(|value| value.to_vec());
    if let Ok(value) = &before {
        assert!(value.len() <= MAX_VALUE_LEN);
        assert_eq!(
            fs::read(&file).expect("still there"),
            bytes,
            "reading changes nothing"
        );
    }
    match store.set(key, value, false) {
        Ok(()) => {
            assert_eq!(store.get(key).expect("just set").as_slice(), value);
            store.del(key).expect("just set");
            assert!(matches!(store.get(key), Err(KvError::Missing)));
            assert!(store.set(b"k", b"v", false).is_ok() || honest);
        }
        Err(KvError::Limit(_)) => {
            assert!(key.is_empty() || key.len() > 127 || honest);
        }
        Err(error) => panic!("{error}"),
    }
    fs::remove_dir_all(&directory).expect("removed");
}

/// An empty folder of this call's own, in memory where the system has that.
fn scratch() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    };
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let directory = parent.join(format!("iotx-fuzz-kv-{}-{number}", std::process::id()));
    fs::create_dir_all(&directory).expect("a folder");
    directory
}

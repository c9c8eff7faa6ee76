//! The kv group: through C, and the promises about killed writers and broken files.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use iotx::hal::kv::{KvError, Store};

use crate::support;

#[test]
fn c_contract() {
    let directory = support::scratch("kv");
    let program = support::c_program("kv", &directory);
    support::run(Command::new(program).current_dir(&directory));
}

/// The round number in a value of `kv_writer.c`, which must be of one piece.
fn round_of(value: &[u8]) -> u32 {
    assert_eq!(value.len(), 1500);
    let first: [u8; 4] = value[..4].try_into().expect("four bytes");
    assert!(
        value.chunks(4).all(|chunk| chunk == first),
        "a mixture of two values"
    );
    u32::from_ne_bytes(first)
}

/// Kills a writer again and again. Every time the store is whole, holds at least what the writer
/// reported, and at most the one round it had no time to report.
#[test]
fn a_killed_writer_leaves_the_old_or_the_new_value() {
    let directory = support::scratch("kill");
    let program = support::c_program("kv_writer", &directory);
    let file = directory.join("store.bin");
    let store = Store::new(file.clone());
    store.set(b"bystander", b"unharmed", true).expect("set");
    let mut reported_rounds = 0;
    for attempt in 0..60u64 {
        let mut writer = Command::new(&program)
            .arg(&file)
            .args(["counter", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("writer");
        let mut reports = writer.stdout.take().expect("a pipe");
        // The first report: from here on a kill hits the middle of the work.
        let mut first = [0u8; 4];
        reports.read_exact(&mut first).expect("the writer works");
        thread::sleep(Duration::from_micros(attempt * 173));
        writer.kill().expect("kill");
        writer.wait().expect("wait");
        let mut rest = Vec::new();
        reports.read_to_end(&mut rest).expect("reports");
        let last = rest.chunks_exact(4).last().map_or(1, |bytes| {
            u32::from_ne_bytes(bytes.try_into().expect("four bytes"))
        });
        let stored = round_of(&store.get(b"counter").expect("the counter is there"));
        assert!(
            stored == last || stored == last + 1,
            "reported {last}, stored {stored}"
        );
        assert_eq!(
            store.get(b"bystander").expect("still there").as_slice(),
            b"unharmed"
        );
        reported_rounds += last;
    }
    assert!(!directory.join("store.bin.broken").exists());
    assert!(reported_rounds >= 60);
}

#[test]
fn processes_and_threads_take_turns() {
    let directory = support::scratch("turns");
    let program = support::c_program("kv_writer", &directory);
    let file = directory.join("store.bin");
    let writers: Vec<_> = (0..3)
        .map(|number| {
            Command::new(&program)
                .arg(&file)
                .args([format!("process{number}"), "40".to_owned()])
                .stdout(Stdio::null())
                .spawn()
                .expect("writer")
        })
        .collect();
    let threads: Vec<_> = (0..3)
        .map(|number: u32| {
            let store = Store::new(file.clone());
            thread::spawn(move || {
                for round in 0..40u32 {
                    let key = format!("thread{number}-{round}");
                    store
                        .set(key.as_bytes(), &round.to_le_bytes(), false)
                        .expect("set");
                }
            })
        })
        .collect();
    for mut writer in writers {
        assert!(writer.wait().expect("wait").success());
    }
    for thread in threads {
        thread.join().expect("thread");
    }
    let store = Store::new(file);
    for number in 0..3 {
        let value = store
            .get(format!("process{number}").as_bytes())
            .expect("value");
        assert_eq!(round_of(&value), 40);
        for round in 0..40u32 {
            let value = store
                .get(format!("thread{number}-{round}").as_bytes())
                .expect("value");
            assert_eq!(value.as_slice(), round.to_le_bytes());
        }
    }
}

fn missing(store: &Store, key: &[u8]) -> bool {
    matches!(store.get(key), Err(KvError::Missing))
}

/// Every single damaged byte and every truncation is noticed, the file moved aside.
#[test]
fn a_broken_file_is_moved_aside() {
    let directory = support::scratch("broken");
    let file = directory.join("store.bin");
    let aside = directory.join("store.bin.broken");
    let store = Store::new(file.clone());
    store.set(b"key", b"value", true).expect("set");
    store.set(b"other", b"x", true).expect("set");
    let good = fs::read(&file).expect("read");
    let mut damaged: Vec<Vec<u8>> = (0..good.len()).map(|len| good[..len].to_vec()).collect();
    for position in 0..good.len() {
        let mut bytes = good.clone();
        bytes[position] ^= 1;
        damaged.push(bytes);
    }
    damaged.push([good.as_slice(), b"x"].concat());
    damaged.push(vec![0; 1 << 20]);
    for bytes in damaged {
        fs::write(&file, &bytes).expect("write");
        assert!(missing(&store, b"key"));
        assert_eq!(fs::read(&aside).expect("moved aside"), bytes);
        assert!(!file.exists());
        fs::remove_file(&aside).expect("remove");
    }
    // The empty store works on.
    store.set(b"key", b"again", true).expect("set");
    assert_eq!(store.get(b"key").expect("get").as_slice(), b"again");
}

/// Correct digests do not make nonsense acceptable.
#[test]
fn a_well_summed_but_impossible_file_is_refused() {
    use sha2::{Digest, Sha256};
    let directory = support::scratch("impossible");
    let file = directory.join("store.bin");
    let store = Store::new(file.clone());
    let with_digest = |count: u32, items: &[u8]| {
        let mut bytes = b"IOTXKV\0\x01".to_vec();
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(items);
        let digest = Sha256::digest(&bytes);
        bytes.extend_from_slice(&digest);
        bytes
    };
    let item = |key: &[u8], value: &[u8]| {
        let len = u16::try_from(value.len()).expect("short").to_le_bytes();
        [&[u8::try_from(key.len()).expect("short")], key, &len, value].concat()
    };
    fs::write(&file, with_digest(1, &item(b"key", b"value"))).expect("write");
    assert_eq!(
        store
            .get(b"key")
            .expect("the format is as documented")
            .as_slice(),
        b"value"
    );

    let two = [item(b"a", b"1"), item(b"b", b"2")].concat();
    let wrong_order = [item(b"b", b"2"), item(b"a", b"1")].concat();
    let twice = [item(b"a", b"1"), item(b"a", b"2")].concat();
    let refused = [
        with_digest(2, &item(b"a", b"1")),
        with_digest(1, &two),
        with_digest(u32::MAX, &two),
        with_digest(2, &wrong_order),
        with_digest(2, &twice),
        with_digest(1, &item(b"", b"1")),
        with_digest(1, &item(&[b'k'; 128], b"1")),
        with_digest(1, &item(b"a", &[0; 4097])),
    ];
    for bytes in refused {
        fs::write(&file, bytes).expect("write");
        assert!(missing(&store, b"a"));
        assert!(!file.exists());
    }
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).expect("metadata").permissions().mode() & 0o777
}

#[test]
fn leftovers_and_loose_modes_are_put_right() {
    let directory = support::scratch("leftovers");
    let file = directory.join("store.bin");
    let temporary = directory.join("store.bin.tmp");
    fs::write(&temporary, "left over by a killed writer").expect("write");
    let store = Store::new(file.clone());
    store.set(b"key", b"value", true).expect("set");
    assert_eq!(mode(&file), 0o600);
    assert!(!temporary.exists());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("chmod");
    store.set(b"key", b"value 2", false).expect("set");
    assert_eq!(mode(&file), 0o600);
    // A link planted for the temporary file is replaced, not followed.
    let victim = directory.join("victim");
    fs::write(&victim, "precious").expect("write");
    std::os::unix::fs::symlink(&victim, &temporary).expect("link");
    store.set(b"key", b"value 3", true).expect("set");
    assert_eq!(fs::read(&victim).expect("read"), b"precious");
}

/// A process that holds the store and never lets go costs a bounded wait, not a hang.
#[test]
fn a_held_lock_is_an_error_in_bounded_time() {
    let directory = support::scratch("held");
    let file = directory.join("store.bin");
    let lock = fs::File::create(directory.join("store.bin.lock")).expect("create");
    lock.lock().expect("lock");
    let store = Store::new(file);
    assert!(matches!(
        store.set(b"key", b"value", true),
        Err(KvError::Busy)
    ));
    drop(lock);
    store.set(b"key", b"value", true).expect("set");
}

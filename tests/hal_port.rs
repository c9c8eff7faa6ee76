//! The default HAL port: os, tcp and kv groups, through the C symbols that firmware sees.

#[path = "hal/kv.rs"]
mod kv;
#[path = "hal/overrides.rs"]
mod overrides;
#[path = "hal/support.rs"]
mod support;
#[path = "hal/tcp.rs"]
mod tcp;

use std::process::Command;

use iotx::hal::{os, seam};

#[test]
fn os_group_in_c() {
    let directory = support::scratch("os");
    let program = support::c_program("os", &directory);
    let output = support::run(&mut Command::new(program));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // The first line is the program's; the others are what the library logs of its bad arguments,
    // through the same HAL_Printf.
    let (printed, logged) = text.split_once('\n').expect("a line");
    assert_eq!(printed, "printed 42 1.50");
    assert!(logged.contains("mutex lock: no mutex"), "{logged}");
    assert!(logged.lines().all(|line| line.starts_with('[')), "{logged}");
}

#[test]
fn memory_is_counted() {
    let before = os::memory_stats();
    let block = seam::malloc(1000).expect("memory");
    let with_block = os::memory_stats();
    // Nothing else in this program allocates through the HAL.
    assert_eq!(with_block.live_blocks, before.live_blocks + 1);
    assert!(with_block.live_bytes >= before.live_bytes + 1000);
    assert!(with_block.peak_bytes >= with_block.live_bytes);
    // SAFETY: just allocated, not used afterwards.
    unsafe { seam::free(block) };
    let after = os::memory_stats();
    assert_eq!(
        (after.live_blocks, after.live_bytes),
        (before.live_blocks, before.live_bytes)
    );
    assert_eq!(after.total_blocks, before.total_blocks + 1);
}

#[test]
fn randomness_for_keys() {
    let mut long = [0u8; 1000];
    seam::random_fill(&mut long).expect("randomness");
    let zeros = long.iter().filter(|&&byte| byte == 0).count();
    assert!(zeros < 40, "{zeros} of 1000 bytes are 0");
    assert!(
        long[900..].iter().any(|&byte| byte != 0),
        "the tail is filled too"
    );
    let mut other = [0u8; 32];
    seam::random_fill(&mut other).expect("randomness");
    assert_ne!(&other[..], &long[..32]);
    seam::random_fill(&mut []).expect("nothing to fill");
}

#[test]
fn firmware_version_and_time() {
    assert_eq!(
        seam::firmware_version().as_deref(),
        Some(os::FIRMWARE_VERSION)
    );
    let start = seam::uptime_ms();
    seam::sleep_ms(30);
    let slept = seam::uptime_ms() - start;
    assert!((29..10_000).contains(&slept), "{slept}");
    for _ in 0..100 {
        assert!(seam::random(7) < 7);
    }
}

//! Randomness for TLS: the generator of the operating system, nothing else.
//!
//! Every request goes to the kernel; there is no generator state of our own that a fork, a
//! snapshot or a weak seed could make repeat (known weakness 1).

use std::io;

use super::deadline::Deadline;

/// What the TLS library gets when the kernel gives no bytes: MBEDTLS_ERR_ENTROPY_SOURCE_FAILED.
const SOURCE_FAILED: i32 = -0x003C;

/// Pause between two looks at a generator that is still waiting for its seed.
const SEED_POLL_MS: u64 = 20;

fn getrandom(buffer: &mut [u8], flags: libc::c_uint) -> io::Result<usize> {
    // SAFETY: pointer and length describe a live, writable slice.
    let got = unsafe { libc::getrandom(buffer.as_mut_ptr().cast(), buffer.len(), flags) };
    usize::try_from(got).map_err(|_| io::Error::last_os_error())
}

/// Waits until the kernel's generator has its seed, which right after power-on may take a while.
/// `Ok(false)`: it has none at `deadline`. Once it has, [`fill`] never blocks.
pub fn wait_for_seed(deadline: Deadline) -> Result<bool, String> {
    loop {
        match getrandom(&mut [0; 1], libc::GRND_NONBLOCK) {
            Ok(_) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if deadline.passed() {
                    return Ok(false);
                }
                std::thread::sleep(std::time::Duration::from_millis(SEED_POLL_MS));
            }
            Err(error) => return Err(format!("system random generator failed: {error}")),
        }
    }
}

/// The random callback of the TLS library. Fills all of the buffer or reports failure, which ends
/// the handshake or the write that asked.
pub fn fill(data: *mut u8, len: usize) -> i32 {
    if len == 0 {
        return 0;
    }
    // SAFETY: the TLS library passes a buffer of `len` writable bytes for the time of the call.
    let mut rest = unsafe { std::slice::from_raw_parts_mut(data, len) };
    while !rest.is_empty() {
        match getrandom(rest, 0) {
            Ok(got) if got > 0 => rest = &mut rest[got..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => return SOURCE_FAILED,
        }
    }
    0
}

//! A port of the harness's own: a network that is a script, and a clock that only moves when somebody waits.
//!
//! The definitions win over the library's, as those of every application do.

use std::collections::VecDeque;
use std::ffi::{c_char, c_int};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use iotx::hal::seam;

/// What a read finds behind the bytes that wait.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Behind {
    #[default]
    Silence,
    Closed,
    Failure,
}

/// The network.
#[derive(Default)]
pub struct Wire {
    /// Bytes of the peer that wait to be read.
    pub incoming: VecDeque<u8>,
    /// And what comes after them.
    pub behind: Behind,
    /// Whether a connection can be made.
    pub reachable: bool,
    /// What each new connection begins with.
    pub greeting: Vec<u8>,
    /// Most bytes taken by one write; 0: the peer does not read.
    pub window: usize,
    /// Connections tried.
    pub connects: u32,
    open: Vec<usize>,
}

static WIRE: Mutex<Option<Wire>> = Mutex::new(None);
static ALONE: Mutex<()> = Mutex::new(());
static NOW: AtomicU64 = AtomicU64::new(1_000);

/// Calls `access` with the network.
pub fn wire<T>(access: impl FnOnce(&mut Wire) -> T) -> T {
    let mut wire = WIRE.lock().unwrap_or_else(PoisonError::into_inner);
    access(wire.get_or_insert_default())
}

/// Connections tried since [`use_alone`].
pub fn connects() -> u32 {
    wire(|wire| wire.connects)
}

/// The network as it is at the start: no connection can be made. What the process has once, settings and
/// network, is the caller's alone while the result lives.
pub fn use_alone() -> MutexGuard<'static, ()> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        // SAFETY: takes a number.
        unsafe { IOT_SetLogLevel(0) };
        // An object file that nothing refers to might not be linked in, and the library's own port would be used.
        std::hint::black_box([
            HAL_TCP_Establish as *const () as usize,
            HAL_UptimeMs as *const () as usize,
        ]);
        assert!(!seam::tcp_is_default(), "the script is the network");
    });
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    wire(|wire| *wire = Wire::default());
    alone
}

/// Every connection that was made has been given back.
pub fn all_closed() -> bool {
    wire(|wire| wire.open.is_empty())
}

/// Lets `ms` milliseconds go by.
pub fn pass_time(ms: u64) {
    NOW.fetch_add(ms, Ordering::Relaxed);
}

unsafe extern "C" {
    fn IOT_SetLogLevel(level: u32);
}

#[unsafe(no_mangle)]
extern "C" fn HAL_UptimeMs() -> u64 {
    NOW.load(Ordering::Relaxed)
}

#[unsafe(no_mangle)]
extern "C" fn HAL_SleepMs(ms: u32) {
    pass_time(u64::from(ms));
}

/// The same numbers in every run; nothing here is secret.
#[unsafe(no_mangle)]
extern "C" fn HAL_Random(region: u32) -> u32 {
    if region == 0 { 4 } else { region / 2 }
}

#[unsafe(no_mangle)]
extern "C" fn HAL_TCP_Establish(_host: *const c_char, _port: u16) -> usize {
    wire(|wire| {
        wire.connects += 1;
        if !wire.reachable {
            return usize::MAX;
        }
        wire.incoming = wire.greeting.iter().copied().collect();
        wire.behind = Behind::Silence;
        let handle = 100 + wire.connects as usize;
        wire.open.push(handle);
        handle
    })
}

#[unsafe(no_mangle)]
extern "C" fn HAL_TCP_Destroy(handle: usize) -> c_int {
    wire(|wire| {
        let position = wire.open.iter().position(|open| *open == handle);
        // The library is unwinding or in a destructor: an assertion here would be caught at the boundary.
        let Some(position) = position else {
            eprintln!("connection {handle} is closed twice");
            std::process::abort();
        };
        wire.open.swap_remove(position);
        0
    })
}

/// # Safety
/// `buf` has room for `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn HAL_TCP_Read(
    handle: usize,
    buf: *mut c_char,
    len: u32,
    timeout_ms: u32,
) -> i32 {
    wire(|wire| {
        if !wire.open.contains(&handle) {
            return -2;
        }
        let count = wire.incoming.len().min(len as usize);
        for (at, byte) in wire.incoming.drain(..count).enumerate() {
            // SAFETY: below `len`, for which the caller promises room.
            unsafe { buf.add(at).write(byte as c_char) };
        }
        if count > 0 || len == 0 {
            return count as i32;
        }
        pass_time(u64::from(timeout_ms.max(1)));
        match wire.behind {
            Behind::Silence => 0,
            Behind::Closed => -1,
            Behind::Failure => -2,
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn HAL_TCP_Write(handle: usize, _buf: *const c_char, len: u32, timeout_ms: u32) -> i32 {
    wire(|wire| {
        if !wire.open.contains(&handle) || wire.behind == Behind::Failure {
            return -1;
        }
        let taken = wire.window.min(len as usize);
        if taken < len as usize {
            pass_time(u64::from(timeout_ms.max(1)));
        }
        taken as i32
    })
}

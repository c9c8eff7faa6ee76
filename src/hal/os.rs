//! Operating system default of the HAL: memory, time, randomness, locks, threads, firmware
//! version and the identity store of the older SDKs (spec hal.md §2, POSIX).
//!
//! Every wait runs on the monotonic clock, so a step of the wall clock shortens or lengthens none.

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

/// What `HAL_GetFirmwareVersion` answers when the application does not define its own.
pub const FIRMWARE_VERSION: &str = "app-1.0.0-20180101.1000";

/// Semaphore time-out that means "for ever" (`PLATFORM_WAIT_INFINITE`).
pub const WAIT_INFINITE: u32 = u32::MAX;

/// Smallest stack a thread gets, in bytes. Sizes in SDK code are meant for microcontrollers; a
/// TLS handshake of this library needs more, and unused stack costs no memory here.
const MIN_STACK_BYTES: usize = 256 * 1024;

// ---- memory ------------------------------------------------------------------------------------

static LIVE_BLOCKS: AtomicI64 = AtomicI64::new(0);
static LIVE_BYTES: AtomicI64 = AtomicI64::new(0);
static PEAK_BYTES: AtomicI64 = AtomicI64::new(0);
static TOTAL_BLOCKS: AtomicU64 = AtomicU64::new(0);

/// Memory handed out by the default `HAL_Malloc`, for `IOT_DumpMemoryStats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryStats {
    /// Blocks not yet freed.
    pub live_blocks: u64,
    /// Bytes in those blocks, as the allocator rounds them.
    pub live_bytes: u64,
    /// The highest value of `live_bytes` so far.
    pub peak_bytes: u64,
    /// Blocks ever handed out.
    pub total_blocks: u64,
}

/// The counters of [`malloc`] and [`free`]. Never negative, even if the application frees blocks
/// here that came from elsewhere.
pub fn memory_stats() -> MemoryStats {
    let positive = |value: i64| u64::try_from(value).unwrap_or(0);
    MemoryStats {
        live_blocks: positive(LIVE_BLOCKS.load(Ordering::Relaxed)),
        live_bytes: positive(LIVE_BYTES.load(Ordering::Relaxed)),
        peak_bytes: positive(PEAK_BYTES.load(Ordering::Relaxed)),
        total_blocks: TOTAL_BLOCKS.load(Ordering::Relaxed),
    }
}

/// Allocates `size` bytes, aligned for any C type; NULL when there is no memory. Size 0 gives a
/// block of its own, so that NULL always means failure.
pub fn malloc(size: u32) -> *mut c_void {
    // SAFETY: malloc accepts any size; the value always fits size_t.
    let block = unsafe { libc::malloc(size.max(1) as usize) };
    if let Some(live) = NonNull::new(block) {
        let bytes = usable_bytes(live);
        LIVE_BLOCKS.fetch_add(1, Ordering::Relaxed);
        TOTAL_BLOCKS.fetch_add(1, Ordering::Relaxed);
        let now = LIVE_BYTES.fetch_add(bytes, Ordering::Relaxed) + bytes;
        PEAK_BYTES.fetch_max(now, Ordering::Relaxed);
    }
    block
}

/// Frees a block of [`malloc`]; NULL is harmless.
///
/// # Safety
/// `block` is NULL or a live block of `malloc` (C's or ours), not used afterwards.
pub unsafe fn free(block: *mut c_void) {
    let Some(live) = NonNull::new(block) else {
        return;
    };
    LIVE_BLOCKS.fetch_sub(1, Ordering::Relaxed);
    LIVE_BYTES.fetch_sub(usable_bytes(live), Ordering::Relaxed);
    // SAFETY: the caller promises a live block of malloc.
    unsafe { libc::free(block) };
}

/// How many bytes the allocator gave for a live block.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn usable_bytes(block: NonNull<c_void>) -> i64 {
    // SAFETY: callers pass a live block of malloc; the call only reads the allocator's header.
    let bytes = unsafe { libc::malloc_usable_size(block.as_ptr()) };
    i64::try_from(bytes).unwrap_or(0)
}

/// Not known on this system: only blocks are counted.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn usable_bytes(_block: NonNull<c_void>) -> i64 {
    0
}

// ---- time --------------------------------------------------------------------------------------

/// Milliseconds since an arbitrary start; never goes back.
pub fn uptime_ms() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a valid timespec to write to. The call cannot fail with this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    #[allow(
        clippy::unnecessary_cast,
        reason = "the field widths differ between targets"
    )]
    let (seconds, nanos) = (now.tv_sec as u64, now.tv_nsec as u64);
    seconds * 1000 + nanos / 1_000_000
}

/// Sleeps at least `ms` milliseconds; signals do not cut it short.
pub fn sleep_ms(ms: u32) {
    std::thread::sleep(Duration::from_millis(u64::from(ms)));
}

// ---- randomness --------------------------------------------------------------------------------

/// Fills `buf` from the random generator of the operating system. Suitable for keys.
pub fn random_fill(buf: &mut [u8]) -> io::Result<()> {
    match system_random(buf) {
        Ok(()) => Ok(()),
        Err(first) => {
            use std::io::Read;
            log::debug!("system random call failed ({first}), reading the random device");
            std::fs::File::open("/dev/urandom")?.read_exact(buf)
        }
    }
}

/// Asks the kernel without a file descriptor.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn system_random(buf: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        // SAFETY: pointer and length describe `rest`, which is writable.
        let got = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(got) {
            Ok(got) if got > 0 => filled += got,
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

/// Other systems: the device is the portable source.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn system_random(_buf: &mut [u8]) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// A random number in 0..`region`, every value equally likely; region 0 means the full range.
///
/// The C signature has no failure. Should the system have no random source at all, an error is
/// logged and the number comes from a hash over per-process kernel randomness, clock and a
/// counter: good enough for jitter and packet numbers. Keys use [`random_fill`], which fails.
pub fn random(region: u32) -> u32 {
    if region == 0 {
        return random_u32();
    }
    // Numbers below 2^32 mod region would make the small results likelier: draw again.
    let threshold = region.wrapping_neg() % region;
    loop {
        let number = random_u32();
        if number >= threshold {
            return number % region;
        }
    }
}

fn random_u32() -> u32 {
    let mut bytes = [0u8; 4];
    if let Err(error) = random_fill(&mut bytes) {
        log::error!("no random source: {error}");
        bytes = substitute_random();
    }
    u32::from_ne_bytes(bytes)
}

/// Numbers for a system without random source, see [`random`].
fn substitute_random() -> [u8; 4] {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut hash = Sha256::new();
    hash.update(COUNTER.fetch_add(1, Ordering::Relaxed).to_ne_bytes());
    hash.update(std::process::id().to_ne_bytes());
    if let Ok(now) = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
        hash.update(now.as_nanos().to_ne_bytes());
    }
    hash.update(uptime_ms().to_ne_bytes());
    #[cfg(target_os = "linux")]
    {
        // SAFETY: getauxval only reads the vector the kernel passed to the process.
        let start = unsafe { libc::getauxval(libc::AT_RANDOM) } as *const [u8; 16];
        if !start.is_null() {
            // SAFETY: the kernel puts 16 random bytes there, valid as long as the process.
            hash.update(unsafe { start.read_unaligned() });
        }
    }
    let digest = hash.finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

// ---- mutex -------------------------------------------------------------------------------------

/// A non-recursive mutex that C locks and unlocks in separate calls.
///
/// Misuse is noticed instead of corrupting: a second lock by the owner and an unlock by anybody
/// else are logged and change nothing.
#[derive(Debug)]
pub struct Mutex {
    raw: UnsafeCell<libc::pthread_mutex_t>,
}

// SAFETY: a POSIX mutex is made for concurrent use, and the box of `Mutex::new` never moves it.
unsafe impl Send for Mutex {}
// SAFETY: as for Send.
unsafe impl Sync for Mutex {}

impl Mutex {
    /// A new unlocked mutex, boxed because a POSIX mutex must not move; None if the system has no
    /// resources for it.
    pub fn new() -> Option<Box<Mutex>> {
        let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        // SAFETY: initialises the attributes in place.
        if unsafe { libc::pthread_mutexattr_init(attributes.as_mut_ptr()) } != 0 {
            return None;
        }
        let mutex = Box::new(Mutex {
            raw: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
        });
        // SAFETY: the attributes are initialised, and nobody else sees the mutex yet.
        let status = unsafe {
            libc::pthread_mutexattr_settype(
                attributes.as_mut_ptr(),
                libc::PTHREAD_MUTEX_ERRORCHECK,
            );
            let status = libc::pthread_mutex_init(mutex.raw.get(), attributes.as_ptr());
            libc::pthread_mutexattr_destroy(attributes.as_mut_ptr());
            status
        };
        (status == 0).then_some(mutex)
    }

    /// Waits until the mutex is free and takes it.
    pub fn lock(&self) {
        // SAFETY: initialised in `new`, alive as long as `self`.
        let status = unsafe { libc::pthread_mutex_lock(self.raw.get()) };
        if status != 0 {
            log::error!("mutex lock: {}", io::Error::from_raw_os_error(status));
        }
    }

    /// Gives the mutex back.
    pub fn unlock(&self) {
        // SAFETY: initialised in `new`, alive as long as `self`.
        let status = unsafe { libc::pthread_mutex_unlock(self.raw.get()) };
        if status != 0 {
            log::error!("mutex unlock: {}", io::Error::from_raw_os_error(status));
        }
    }
}

impl Drop for Mutex {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, and `&mut self` means nobody uses it any more.
        let status = unsafe { libc::pthread_mutex_destroy(self.raw.get()) };
        if status != 0 {
            log::error!("mutex destroyed while locked");
        }
    }
}

// ---- semaphore ---------------------------------------------------------------------------------

/// A counting semaphore that starts at zero.
#[derive(Debug, Default)]
pub struct Semaphore {
    count: std::sync::Mutex<u32>,
    posted: Condvar,
}

impl Semaphore {
    fn count(&self) -> MutexGuard<'_, u32> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one and wakes one waiter.
    pub fn post(&self) {
        let mut count = self.count();
        *count = count.saturating_add(1);
        // Under the lock: the waiter may destroy the semaphore as soon as it has its turn.
        self.posted.notify_one();
    }

    /// Takes one, waiting at most `timeout_ms` milliseconds ([`WAIT_INFINITE`]: for ever).
    /// False on time-out.
    pub fn wait(&self, timeout_ms: u32) -> bool {
        let deadline = (timeout_ms != WAIT_INFINITE)
            .then(|| Instant::now() + Duration::from_millis(u64::from(timeout_ms)));
        let mut count = self.count();
        while *count == 0 {
            count = match deadline {
                None => self
                    .posted
                    .wait(count)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    self.posted
                        .wait_timeout(count, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
        *count -= 1;
        true
    }
}

// ---- threads -----------------------------------------------------------------------------------

/// The routine of a C thread.
pub type ThreadRoutine = unsafe extern "C" fn(*mut c_void) -> *mut c_void;

/// How a thread is to be created.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadOptions<'a> {
    /// Stack in bytes; 0 takes the system's size, small values are raised.
    pub stack_bytes: usize,
    /// Whether the thread frees its resources by itself when it ends.
    pub detached: bool,
    /// A name for debuggers; cut to what the system stores.
    pub name: Option<&'a CStr>,
}

/// Starts a thread that runs `routine(arg)` and gives its handle.
///
/// # Safety
/// `routine` may be called with `arg` on another thread, at any time from now on.
pub unsafe fn thread_create(
    routine: ThreadRoutine,
    arg: *mut c_void,
    options: ThreadOptions<'_>,
) -> io::Result<libc::pthread_t> {
    let check = |status: c_int| match status {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    };
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: initialises the attributes in place.
    check(unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) })?;
    if options.stack_bytes > 0 {
        const PAGE: usize = 64 * 1024;
        let bytes = options
            .stack_bytes
            .max(MIN_STACK_BYTES)
            .next_multiple_of(PAGE);
        // SAFETY: the attributes are initialised. A refused size leaves the system's default.
        unsafe { libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), bytes) };
    }
    let entry: extern "C" fn(*mut c_void) -> *mut c_void =
        // SAFETY: same ABI; that the call is sound is the promise of this function's caller.
        unsafe { std::mem::transmute(routine) };
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    // SAFETY: all pointers are valid for the call; routine and arg are the caller's promise.
    let created = unsafe {
        let status = libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), entry, arg);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        status
    };
    check(created)?;
    // SAFETY: pthread_create succeeded and has written the handle.
    let thread = unsafe { thread.assume_init() };
    if let Some(name) = options.name {
        name_thread(thread, name);
    }
    // Only now: the handle of a detached thread is void as soon as the thread ends.
    if options.detached {
        // SAFETY: the thread is joinable, so its handle is still valid.
        unsafe { libc::pthread_detach(thread) };
    }
    Ok(thread)
}

/// Names a joinable thread; failure is harmless.
#[cfg(target_os = "linux")]
fn name_thread(thread: libc::pthread_t, name: &CStr) {
    // The kernel refuses more than 15 bytes.
    let mut short = [0u8; 16];
    for (to, from) in short[..15].iter_mut().zip(name.to_bytes()) {
        *to = *from;
    }
    // SAFETY: a valid handle and a terminated string.
    unsafe { libc::pthread_setname_np(thread, short.as_ptr().cast()) };
}

/// Elsewhere a thread can only name itself.
#[cfg(not(target_os = "linux"))]
fn name_thread(_thread: libc::pthread_t, _name: &CStr) {}

/// Lets a thread free its resources by itself when it ends.
///
/// # Safety
/// `thread` is the handle of a thread that is neither detached nor joined.
pub unsafe fn thread_detach(thread: libc::pthread_t) {
    // SAFETY: the caller's promise.
    unsafe { libc::pthread_detach(thread) };
}

// ---- identity store of the older SDKs ----------------------------------------------------------

/// The fields that `HAL_GetX` and `HAL_SetX` of SDK 2.x and 3.0 keep for the whole process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityField {
    /// Product key, at most 20 bytes.
    ProductKey,
    /// Product secret, at most 64 bytes.
    ProductSecret,
    /// Device name, at most 32 bytes.
    DeviceName,
    /// Device secret, at most 64 bytes.
    DeviceSecret,
}

impl IdentityField {
    /// Longest value, in bytes without terminator.
    pub const fn max_len(self) -> usize {
        match self {
            IdentityField::ProductKey => 20,
            IdentityField::DeviceName => 32,
            IdentityField::ProductSecret | IdentityField::DeviceSecret => 64,
        }
    }
}

static IDENTITY: std::sync::Mutex<[Vec<u8>; 4]> =
    std::sync::Mutex::new([Vec::new(), Vec::new(), Vec::new(), Vec::new()]);

/// Stores a field; false (nothing changed) if it is too long. The old value is wiped.
pub fn identity_set(field: IdentityField, value: &[u8]) -> bool {
    if value.len() > field.max_len() {
        return false;
    }
    let mut fields = IDENTITY.lock().unwrap_or_else(PoisonError::into_inner);
    let slot = &mut fields[field as usize];
    slot.zeroize();
    *slot = value.to_vec();
    true
}

/// A copy of a field, empty if never set. The copy is wiped when dropped.
pub fn identity_get(field: IdentityField) -> Zeroizing<Vec<u8>> {
    let fields = IDENTITY.lock().unwrap_or_else(PoisonError::into_inner);
    Zeroizing::new(fields[field as usize].clone())
}

/// The handle that C holds for a thread.
pub fn thread_to_handle(thread: libc::pthread_t) -> *mut c_void {
    #[allow(
        clippy::unnecessary_cast,
        reason = "pthread_t is a pointer on some targets"
    )]
    ptr::without_provenance_mut(thread as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The substitute for a system without random source still never repeats itself.
    #[test]
    fn substitute_numbers_differ() {
        let numbers: std::collections::HashSet<_> = (0..100).map(|_| substitute_random()).collect();
        assert!(numbers.len() > 95, "{}", numbers.len());
        assert!(!numbers.contains(&[0; 4]));
    }
}

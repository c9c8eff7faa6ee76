//! `wrappers_os.h`: the port behind the weak `HAL_*` symbols of the os group.
//!
//! `src/shim/hal.c` calls these; contracts in spec hal.md §2.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use crate::ffi::barrier::guard;
use crate::hal::memory::apart;
use crate::hal::os::{self, IdentityField, Mutex, Semaphore, ThreadOptions};

/// Behind `HAL_Malloc`: NULL on failure, never for size 0 alone.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_malloc(size: u32) -> *mut c_void {
    guard(ptr::null_mut(), || os::malloc(size))
}

/// Behind `HAL_Free`; NULL is harmless.
///
/// # Safety
/// `block` is NULL or a live block of `HAL_Malloc`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_free(block: *mut c_void) {
    guard((), || {
        // SAFETY: the caller passes NULL or a live block.
        unsafe { os::free(block) }
    });
}

/// Behind `HAL_UptimeMs`: monotonic milliseconds.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_uptime_ms() -> u64 {
    guard(0, os::uptime_ms)
}

/// Behind `HAL_SleepMs`.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_sleep_ms(ms: u32) {
    guard((), || os::sleep_ms(ms));
}

/// Behind `HAL_Srandom`: nothing to do, the system's generator needs no seed.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_srandom(_seed: u32) {}

/// Behind `HAL_Random`: 0..region, the full range for region 0.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_random(region: u32) -> u32 {
    guard(0, || os::random(region))
}

/// Behind `HAL_MutexCreate`: NULL on failure.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_mutex_create() -> *mut c_void {
    // A port's HAL_Malloc may make its lock with this function.
    guard(ptr::null_mut(), || match apart(Mutex::new) {
        Some(mutex) => Box::into_raw(mutex).cast(),
        None => ptr::null_mut(),
    })
}

/// Behind `HAL_MutexDestroy`; NULL is harmless.
///
/// # Safety
/// `mutex` is NULL or a live handle of `HAL_MutexCreate` that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_mutex_destroy(mutex: *mut c_void) {
    guard((), || {
        if !mutex.is_null() {
            // SAFETY: made by Box::into_raw in create, given back once.
            drop(unsafe { Box::from_raw(mutex.cast::<Mutex>()) });
        }
    });
}

/// Behind `HAL_MutexLock`; NULL is harmless.
///
/// # Safety
/// `mutex` is NULL or a live handle of `HAL_MutexCreate`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_mutex_lock(mutex: *mut c_void) {
    guard((), || {
        // SAFETY: NULL or a live Mutex, only shared references are made while it lives.
        match unsafe { mutex.cast::<Mutex>().as_ref() } {
            Some(mutex) => mutex.lock(),
            None => log::error!("mutex lock: no mutex"),
        }
    });
}

/// Behind `HAL_MutexUnlock`; NULL is harmless.
///
/// # Safety
/// As for [`iotx_port_mutex_lock`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_mutex_unlock(mutex: *mut c_void) {
    guard((), || {
        // SAFETY: NULL or a live Mutex, only shared references are made while it lives.
        match unsafe { mutex.cast::<Mutex>().as_ref() } {
            Some(mutex) => mutex.unlock(),
            None => log::error!("mutex unlock: no mutex"),
        }
    });
}

/// Behind `HAL_SemaphoreCreate`: count 0.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_semaphore_create() -> *mut c_void {
    guard(ptr::null_mut(), || {
        // As for the mutex.
        Box::into_raw(apart(Box::<Semaphore>::default)).cast()
    })
}

/// Behind `HAL_SemaphoreDestroy`; NULL is harmless.
///
/// # Safety
/// `sem` is NULL or a live handle of `HAL_SemaphoreCreate` that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_semaphore_destroy(sem: *mut c_void) {
    guard((), || {
        if !sem.is_null() {
            // SAFETY: made by Box::into_raw in create, given back once.
            drop(unsafe { Box::from_raw(sem.cast::<Semaphore>()) });
        }
    });
}

/// Behind `HAL_SemaphorePost`; NULL is harmless.
///
/// # Safety
/// `sem` is NULL or a live handle of `HAL_SemaphoreCreate`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_semaphore_post(sem: *mut c_void) {
    guard((), || {
        // SAFETY: NULL or a live Semaphore, only shared references are made while it lives.
        if let Some(sem) = unsafe { sem.cast::<Semaphore>().as_ref() } {
            sem.post();
        }
    });
}

/// Behind `HAL_SemaphoreWait`: 0 got it, -1 time-out or no semaphore.
///
/// # Safety
/// As for [`iotx_port_semaphore_post`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_semaphore_wait(sem: *mut c_void, timeout_ms: u32) -> c_int {
    guard(-1, || {
        // SAFETY: NULL or a live Semaphore, only shared references are made while it lives.
        match unsafe { sem.cast::<Semaphore>().as_ref() } {
            Some(sem) if sem.wait(timeout_ms) => 0,
            _ => -1,
        }
    })
}

/// `hal_os_thread_param_t`. Priority and stack address are accepted and not used: the system
/// schedules fairly and provides the stack.
#[repr(C)]
#[derive(Debug)]
#[allow(non_camel_case_types)] // The name of the C type.
pub struct hal_os_thread_param_t {
    /// -3 (idle) to 3 (real time).
    pub priority: c_int,
    /// Stack memory of the caller, or NULL.
    pub stack_addr: *mut c_void,
    /// Stack size in bytes; 0 or less takes the system's size.
    pub stack_size: c_int,
    /// Non-zero: nobody joins the thread.
    pub detach_state: c_int,
    /// Name, or NULL.
    pub name: *const c_char,
}

/// Behind `HAL_ThreadCreate`: 0, or -1 (NULL handle or routine, or no resources).
/// `*stack_used` becomes 0: the stack is the system's.
///
/// # Safety
/// The pointers are NULL or valid; `work_routine` may run with `arg` on another thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_thread_create(
    thread_handle: *mut *mut c_void,
    work_routine: Option<unsafe extern "C" fn(*mut c_void) -> *mut c_void>,
    arg: *mut c_void,
    param: *mut hal_os_thread_param_t,
    stack_used: *mut c_int,
) -> c_int {
    guard(-1, || {
        let (Some(routine), false) = (work_routine, thread_handle.is_null()) else {
            log::error!("thread create: no handle or no routine");
            return -1;
        };
        // SAFETY: NULL or a valid structure, unchanged during the call.
        let options = match unsafe { param.as_ref() } {
            None => ThreadOptions::default(),
            Some(param) => ThreadOptions {
                stack_bytes: usize::try_from(param.stack_size).unwrap_or(0),
                detached: param.detach_state != 0,
                // SAFETY: NULL was ruled out; the caller passes a terminated string.
                name: (!param.name.is_null()).then(|| unsafe { CStr::from_ptr(param.name) }),
            },
        };
        // SAFETY: the caller allows the routine to run with arg.
        match apart(|| unsafe { os::thread_create(routine, arg, options) }) {
            Ok(thread) => {
                // SAFETY: checked above, and the caller passes a writable place.
                unsafe { *thread_handle = os::thread_to_handle(thread) };
                if !stack_used.is_null() {
                    // SAFETY: not NULL, and the caller passes a writable place.
                    unsafe { *stack_used = 0 };
                }
                0
            }
            Err(error) => {
                log::error!("thread create: {error}");
                -1
            }
        }
    })
}

/// Behind `HAL_ThreadDetach` of SDK 2.x and 3.0; NULL is harmless.
///
/// # Safety
/// `thread_handle` is NULL or the handle of a thread that was not created detached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_thread_detach(thread_handle: *mut c_void) {
    guard((), || {
        if !thread_handle.is_null() {
            // SAFETY: the handle came from thread_create and is joinable, says the caller.
            unsafe { os::thread_detach(thread_handle.addr() as libc::pthread_t) };
        }
    });
}

/// Behind `HAL_GetFirmwareVersion`: writes the terminated version (24 bytes) and returns its
/// length; -1 without buffer.
///
/// # Safety
/// `version` is NULL or has room for at least 33 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_firmware_version(version: *mut c_char) -> c_int {
    guard(-1, || {
        if version.is_null() {
            return -1;
        }
        let text = os::FIRMWARE_VERSION.as_bytes();
        // SAFETY: the text and its terminator are shorter than the buffer the caller provides.
        unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), version.cast(), text.len());
            *version.add(text.len()) = 0;
        }
        text.len() as c_int
    })
}

/// Copies a field to C: its length, or -1 without buffer.
///
/// The older headers declare the buffers with exactly the longest length, so a terminator follows
/// only where it fits into that.
///
/// # Safety
/// `buf` is NULL or has room for the longest value of `field`.
unsafe fn get_field(field: IdentityField, buf: *mut c_char) -> c_int {
    guard(-1, || {
        if buf.is_null() {
            return -1;
        }
        let value = os::identity_get(field);
        // SAFETY: value and terminator stay within the longest length, which the buffer holds.
        unsafe {
            ptr::copy_nonoverlapping(value.as_ptr(), buf.cast(), value.len());
            if value.len() < field.max_len() {
                *buf.add(value.len()) = 0;
            }
        }
        value.len() as c_int
    })
}

/// Stores a field from C: its length, or -1 (NULL, too long).
///
/// # Safety
/// `text` is NULL or readable up to its terminator or one byte beyond the longest length.
unsafe fn set_field(field: IdentityField, text: *const c_char) -> c_int {
    guard(-1, || {
        if text.is_null() {
            return -1;
        }
        // SAFETY: strnlen stops at the terminator or after the given number of bytes.
        let len = unsafe { libc::strnlen(text, field.max_len() + 1) };
        // SAFETY: these bytes were just read by strnlen.
        let value = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), len) };
        if os::identity_set(field, value) {
            len as c_int
        } else {
            -1
        }
    })
}

macro_rules! identity_functions {
    ($($get:ident, $set:ident, $field:ident;)*) => {$(
        #[doc = concat!("`HAL_Get", stringify!($field), "` of SDK 2.x and 3.0: length, or -1.")]
        ///
        /// # Safety
        /// `buf` is NULL or has room for the longest value of the field.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $get(buf: *mut c_char) -> c_int {
            // SAFETY: the caller's promise is the same.
            unsafe { get_field(IdentityField::$field, buf) }
        }

        #[doc = concat!("`HAL_Set", stringify!($field), "` of SDK 2.x and 3.0: length, or -1.")]
        ///
        /// # Safety
        /// `text` is NULL or a terminated string.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $set(text: *const c_char) -> c_int {
            // SAFETY: the caller's promise is the same.
            unsafe { set_field(IdentityField::$field, text) }
        }
    )*};
}

identity_functions! {
    iotx_port_get_product_key, iotx_port_set_product_key, ProductKey;
    iotx_port_get_product_secret, iotx_port_set_product_secret, ProductSecret;
    iotx_port_get_device_name, iotx_port_set_device_name, DeviceName;
    iotx_port_get_device_secret, iotx_port_set_device_secret, DeviceSecret;
}

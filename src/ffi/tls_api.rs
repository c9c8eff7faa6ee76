//! `iotx_tls_*`: settings of TLS for the process, and the callbacks that connections use.
#![allow(non_camel_case_types)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::{Mutex, PoisonError};

use libc::size_t;
use zeroize::Zeroizing;

use super::barrier::guard;
use super::client_options::material;
use super::client_types::iotx_client_data_t;
use crate::hal::tls::{self, Credentials, PasswordSource, SessionKey, SignHash, Signer};
use crate::state;

/// Tells the password of an encrypted key: writes it into `buffer` of `size` bytes (1024), and returns
/// its length, or a negative number when there is none. The library wipes the buffer after use.
///
/// Called on the thread that connects, without a lock held, each time an encrypted key is opened.
pub type iotx_tls_key_password_fn =
    Option<unsafe extern "C" fn(context: *mut c_void, buffer: *mut c_char, size: size_t) -> c_int>;

/// Signs with a key that the library does not see: the digest `digest` of `digest_size` bytes, made with
/// `hash` (256: SHA-256, 384: SHA-384). RSA keys sign by PKCS#1 v1.5, DigestInfo included; EC keys by
/// ECDSA, the signature in DER. Writes it into `signature` of `capacity` bytes (1024), its length into
/// `*size`, and returns 0; anything else fails the connection with this code in the text.
///
/// Called on the thread that connects, without a lock held, once per full handshake of a server that asks
/// for a certificate. It may take as long as the handshake's time-out leaves.
pub type iotx_tls_sign_fn = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        hash: c_int,
        digest: *const u8,
        digest_size: size_t,
        signature: *mut u8,
        capacity: size_t,
        size: *mut size_t,
    ) -> c_int,
>;

/// Tells the key that stored sessions are encrypted with: writes 32 bytes and returns 0, or anything else
/// when it has none. The library wipes the key after use. Called on the thread that connects, without a
/// lock held.
pub type iotx_tls_session_key_fn =
    Option<unsafe extern "C" fn(context: *mut c_void, key: *mut u8) -> c_int>;

/// A pointer of the application's, handed back to its function and never followed.
#[derive(Clone, Copy)]
struct Context(*mut c_void);

// SAFETY: the library does not use what it points to; that functions and contexts may be used by any
// thread is the contract of every callback (docs/api-conventions.md).
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    /// By method, so that closures take the whole and not the bare pointer.
    fn pointer(&self) -> *mut c_void {
        self.0
    }
}

/// # Safety
/// `function` may be called with `context` from any thread as long as the result lives.
pub(super) unsafe fn password_source(
    function: iotx_tls_key_password_fn,
    context: *mut c_void,
) -> Option<PasswordSource> {
    let function = function?;
    let context = Context(context);
    Some(PasswordSource::new(move |buffer| {
        // SAFETY: callable by the caller's promise; pointer and length describe the buffer.
        unsafe { function(context.pointer(), buffer.as_mut_ptr().cast(), buffer.len()) }
    }))
}

/// # Safety
/// As for [`password_source`].
pub(super) unsafe fn signer(function: iotx_tls_sign_fn, context: *mut c_void) -> Option<Signer> {
    let function = function?;
    let context = Context(context);
    Some(Signer::new(move |hash, digest, signature| {
        let hash = match hash {
            SignHash::Sha256 => 256,
            SignHash::Sha384 => 384,
        };
        let mut size: size_t = 0;
        // SAFETY: callable by the caller's promise; pointers and lengths describe slices.
        let code = unsafe {
            function(
                context.pointer(),
                hash,
                digest.as_ptr(),
                digest.len(),
                signature.as_mut_ptr(),
                signature.len(),
                &raw mut size,
            )
        };
        if code == 0 { Ok(size) } else { Err(code) }
    }))
}

/// Sets who tells the password of an encrypted `g_cli_key`, from the next connection on; NULL: nobody, as
/// at first. Clients of `iotx_client_create` have the option `key_password_callback`.
///
/// Returns 0. Any thread. Function and context stay usable as long as they are set and connections made
/// with them are being set up.
///
/// # Safety
/// `callback` is NULL or may be called with `context` from any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_tls_set_key_password_callback(
    callback: iotx_tls_key_password_fn,
    context: *mut c_void,
) -> c_int {
    guard(state::STATE_USER_INPUT_INVALID, || {
        // SAFETY: the caller's promise.
        tls::set_key_password(unsafe { password_source(callback, context) });
        state::STATE_SUCCESS
    })
}

/// Sets who signs for `g_cli_crt` when `g_cli_key` is NULL or "", from the next connection on; NULL:
/// nobody, as at first. Clients of `iotx_client_create` have the option `sign`.
///
/// Returns 0. Any thread. Function and context stay usable as long as they are set and connections made
/// with them are being set up.
///
/// # Safety
/// `callback` is NULL or may be called with `context` from any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_tls_set_sign_callback(
    callback: iotx_tls_sign_fn,
    context: *mut c_void,
) -> c_int {
    guard(state::STATE_USER_INPUT_INVALID, || {
        // SAFETY: the caller's promise.
        tls::set_signer(unsafe { signer(callback, context) });
        state::STATE_SUCCESS
    })
}

/// Keeps TLS sessions in the KV store, so that they are resumed across a restart, encrypted with the key
/// that `callback` tells; NULL: they are not, as at first, and those stored stay where they are.
///
/// What cannot be used (too old, of another server or identity, damaged, encrypted with another key) is
/// removed, and the handshake is a full one; nothing of it is ever an error. Returns 0. Any thread.
///
/// # Safety
/// `callback` is NULL or may be called with `context` from any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_tls_set_session_store(
    callback: iotx_tls_session_key_fn,
    context: *mut c_void,
) -> c_int {
    guard(state::STATE_USER_INPUT_INVALID, || {
        let context = Context(context);
        let key = callback.map(|function| {
            SessionKey::new(move |key: &mut [u8; 32]| {
                // SAFETY: callable by the caller's promise; the key has 32 writable bytes.
                unsafe { function(context.pointer(), key.as_mut_ptr()) == 0 }
            })
        });
        tls::set_session_store(key);
        state::STATE_SUCCESS
    })
}

/// What `data` holds; `None` for NULL and for a structure of zeros. Logs under `name`.
///
/// # Safety
/// `data` is NULL or points to the structure, which is as `iotx_client_options_t` has it.
unsafe fn content(
    data: *const iotx_client_data_t,
    name: &str,
) -> Result<Option<Zeroizing<Vec<u8>>>, c_int> {
    if data.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL; the caller's promise.
    match unsafe { material(&data.read(), name) } {
        Ok(content) => Ok(content),
        Err(error) => {
            log::error!("{}", error.text);
            Err(error.code)
        }
    }
}

/// Sets certificate revocation lists, PEM (one or more) or DER (one), for all connections made from now on
/// that have none of their own; NULL: none, as at first. A server or intermediate certificate that they
/// list is refused. A list whose CA is not in the chain has no effect; one whose signature is wrong refuses
/// every certificate of that CA; one past its next update still refuses what it lists.
///
/// Copied. Returns 0; `STATE_USER_INPUT_INVALID` for what is no list; `STATE_USER_INPUT_OUT_RANGE` above
/// 1 MiB. After an error the lists set before stay. Any thread.
///
/// # Safety
/// `crl` is NULL or points to a structure whose data has its size and whose path is terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_tls_set_crl(crl: *const iotx_client_data_t) -> c_int {
    guard(state::STATE_USER_INPUT_INVALID, || {
        // SAFETY: the caller's promise.
        let lists = match unsafe { content(crl, "iotx_tls_set_crl: crl") } {
            Ok(lists) => lists,
            Err(code) => return code,
        };
        match lists.map(|data| tls::crl_to_pem(&data)).transpose() {
            Ok(pem) => tls::set_crl(pem),
            Err(text) => {
                log::error!("iotx_tls_set_crl: {text}");
                return state::STATE_USER_INPUT_INVALID;
            }
        }
        state::STATE_SUCCESS
    })
}

/// Of `iotx_tls_set_ca`.
static TRUST: Mutex<Option<CString>> = Mutex::new(None);

/// What `iotx_tls_set_ca` has set.
pub(super) fn trust() -> Option<CString> {
    TRUST.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Sets the trust anchors, PEM, for connections made from now on, in place of `iotx_ca_crt`; NULL: that
/// again. A `pub_key` of `IOT_MQTT_Construct` and the option `ca` of a client come first. From memory or
/// from a file, which is read once, now.
///
/// Copied. Returns 0; `STATE_USER_INPUT_INVALID` for what holds no certificate; `STATE_USER_INPUT_OUT_RANGE`
/// above 1 MiB. After an error the anchors set before stay. Any thread.
///
/// # Safety
/// `ca` is NULL or points to a structure whose data has its size and whose path is terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_tls_set_ca(ca: *const iotx_client_data_t) -> c_int {
    guard(state::STATE_USER_INPUT_INVALID, || {
        // SAFETY: the caller's promise.
        let pem = match unsafe { content(ca, "iotx_tls_set_ca: ca") } {
            Ok(pem) => pem,
            Err(code) => return code,
        };
        let text = match pem {
            None => None,
            Some(pem) => {
                let end = pem.iter().position(|byte| *byte == 0).unwrap_or(pem.len());
                if let Err(failure) = tls::check(&pem[..end], &Credentials::None) {
                    log::error!("iotx_tls_set_ca: {}", failure.text);
                    return state::STATE_USER_INPUT_INVALID;
                }
                // Ends before its first NUL.
                CString::new(&pem[..end]).ok()
            }
        };
        *TRUST.lock().unwrap_or_else(PoisonError::into_inner) = text;
        state::STATE_SUCCESS
    })
}

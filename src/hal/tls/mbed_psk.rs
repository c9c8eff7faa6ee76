//! Pre-shared keys for Mbed TLS, those of the platform included.
//!
//! `mbedtls_ssl_conf_psk` refuses more than `MBEDTLS_PSK_MAX_LEN` bytes, 32 as it is built; the
//! platform's keys are 64 characters (spec signing.md §5). The limit is that function's only: what
//! derives the premaster secret (RFC 4279 §2, RFC 5489 §2) takes the length from the configuration
//! and checks it against its own buffer, which has room for a 4096-bit Diffie-Hellman result.

use mbedtls::error::{Error, Result, codes};
use mbedtls::ssl::Config;
use mbedtls_sys::ssl_config;
use zeroize::Zeroize;

use super::PreSharedKey;

/// Longest key that the library's own function takes, bytes.
const DIRECT_MAX: usize = 32;

/// Gives `config` the key and its identity.
pub fn set(config: &mut Config, psk: &PreSharedKey) -> Result<()> {
    let key = psk.key.as_slice();
    let direct = &key[..key.len().min(DIRECT_MAX)];
    config.set_psk(direct, &psk.identity)?;
    if key.len() > DIRECT_MAX {
        replace(config.into(), key)?;
    }
    Ok(())
}

/// Puts `key` in the place of the one that was set.
fn replace(config: *mut ssl_config, key: &[u8]) -> Result<()> {
    // SAFETY: no pointers involved. The library is built to use calloc and free of the C library, and
    // frees the key with the latter.
    let longer = unsafe { libc::calloc(1, key.len()) }.cast::<u8>();
    if longer.is_null() {
        return Err(Error::from(codes::SslAllocFailed));
    }
    // SAFETY: the configuration is ours alone and not in use yet. Its key was set by the library's own
    // function just before: `psk_len` bytes from calloc. The new one has `key.len()` bytes.
    unsafe {
        longer.copy_from_nonoverlapping(key.as_ptr(), key.len());
        let old = (*config).psk;
        std::slice::from_raw_parts_mut(old, (*config).psk_len).zeroize();
        libc::free(old.cast());
        (*config).psk = longer;
        (*config).psk_len = key.len();
    }
    Ok(())
}

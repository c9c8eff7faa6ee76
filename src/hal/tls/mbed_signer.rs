//! A key of Mbed TLS whose signatures come from the application.
//!
//! The library signs through a table of functions per kind of key. Here is a table that hands the digest
//! out, and checks what comes back against the certificate: a wrong signature is told here and now,
//! not by a server that closes the connection.

use std::ffi::{c_int, c_uchar, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use mbedtls::alloc::Box as MbedBox;
use mbedtls::pk::{Pk, Type};
use mbedtls::x509::Certificate;
use mbedtls_sys::{
    MD_SHA256, MD_SHA384, PK_ECDSA, PK_ECKEY, PK_RSA, md_type_t, pk_context, pk_free, pk_info_t,
    pk_type_t, pk_verify,
};

use super::callbacks::{SIGNATURE_MAX, SignHash, Signer};
use super::lock;

/// What the TLS library gets when there is no usable signature; the text goes another way.
const FAILED: c_int = -0x3A80;

/// Why the last signature was not usable.
#[derive(Clone, Default)]
pub struct Refusal(Arc<Mutex<Option<String>>>);

impl Refusal {
    /// The reason, if a signature failed.
    pub fn take(&self) -> Option<String> {
        lock(&self.0).take()
    }
}

/// What stands behind `pk_context.pk_ctx`.
struct Outside {
    signer: Signer,
    /// The leaf, for its public key.
    leaf: Mutex<MbedBox<Certificate>>,
    bits: usize,
    refusal: Refusal,
}

/// The table of one kind of key. It never changes.
struct Table(pk_info_t);

// SAFETY: constant data; the one pointer in it is to a constant string.
unsafe impl Sync for Table {}

static RSA: Table = table(PK_RSA, can_do_rsa);
static EC: Table = table(PK_ECKEY, can_do_ec);

const fn table(kind: pk_type_t, can_do: unsafe extern "C" fn(pk_type_t) -> c_int) -> Table {
    Table(pk_info_t {
        type_: kind,
        name: c"outside".as_ptr(),
        get_bitlen: Some(bit_length),
        can_do: Some(can_do),
        verify_func: None,
        sign_func: Some(sign),
        decrypt_func: None,
        encrypt_func: None,
        check_pair_func: None,
        ctx_alloc_func: None,
        ctx_free_func: Some(free),
        debug_func: None,
    })
}

unsafe extern "C" fn can_do_rsa(kind: pk_type_t) -> c_int {
    (kind == PK_RSA).into()
}

unsafe extern "C" fn can_do_ec(kind: pk_type_t) -> c_int {
    (kind == PK_ECKEY || kind == PK_ECDSA).into()
}

unsafe extern "C" fn bit_length(context: *const c_void) -> usize {
    // SAFETY: the table stands in contexts of `key` only, whose `pk_ctx` is an `Outside` that lives as
    // long as they do.
    unsafe { (*context.cast::<Outside>()).bits }
}

unsafe extern "C" fn free(context: *mut c_void) {
    // SAFETY: made by Box::into_raw in `key`; the library frees a context once.
    drop(unsafe { Box::from_raw(context.cast::<Outside>()) });
}

type Random = Option<unsafe extern "C" fn(*mut c_void, *mut c_uchar, usize) -> c_int>;

unsafe extern "C" fn sign(
    context: *mut c_void,
    hash: md_type_t,
    digest: *const c_uchar,
    digest_len: usize,
    signature: *mut c_uchar,
    signature_len: *mut usize,
    _: Random,
    _: *mut c_void,
) -> c_int {
    // SAFETY: as in `bit_length`; shared, for the time of the call.
    let outside = unsafe { &*context.cast::<Outside>() };
    // SAFETY: the library passes a digest of this length.
    let digest = unsafe { std::slice::from_raw_parts(digest, digest_len) };
    // No panic may reach the library's C frames.
    let made = catch_unwind(AssertUnwindSafe(|| outside.signature(hash, digest)))
        .unwrap_or_else(|_| Err("the sign callback panicked".into()));
    match made {
        Ok(made) => {
            // SAFETY: the library signs into its record buffer of 16 KiB, behind some bytes of
            // headers; `made` has SIGNATURE_MAX bytes at most. The length is its own variable.
            unsafe {
                signature.copy_from_nonoverlapping(made.as_ptr(), made.len());
                *signature_len = made.len();
            }
            0
        }
        Err(text) => {
            *lock(&outside.refusal.0) = Some(text);
            FAILED
        }
    }
}

impl Outside {
    fn signature(&self, hash: md_type_t, digest: &[u8]) -> Result<Vec<u8>, String> {
        let kind = match hash {
            MD_SHA256 => SignHash::Sha256,
            MD_SHA384 => SignHash::Sha384,
            _ => return Err("the server wants a signature over an unusual hash".into()),
        };
        let mut made = vec![0; SIGNATURE_MAX];
        match self.signer.sign(kind, digest, &mut made) {
            Ok(size) if (1..=SIGNATURE_MAX).contains(&size) => made.truncate(size),
            Ok(size) => {
                return Err(format!(
                    "the sign callback returned {size} bytes; 1 to {SIGNATURE_MAX} are possible"
                ));
            }
            Err(code) => return Err(format!("the sign callback failed ({code})")),
        }
        let mut leaf = lock(&self.leaf);
        let public: *mut pk_context = leaf.public_key_mut().into();
        // SAFETY: the public key of a certificate that is ours while the lock is held; pointers and
        // lengths describe slices.
        let status = unsafe {
            pk_verify(
                public,
                hash,
                digest.as_ptr(),
                digest.len(),
                made.as_ptr(),
                made.len(),
            )
        };
        if status == 0 {
            Ok(made)
        } else {
            Err("the signature of the sign callback does not fit the client certificate".into())
        }
    }
}

/// A key that signs by `signer` for the certificate `leaf`. Reasons of failures are left in `refusal`.
pub fn key(leaf: &Certificate, signer: &Signer, refusal: &Refusal) -> Result<Pk, String> {
    let unreadable = |error| format!("client certificate is unreadable ({error})");
    let mut own = Certificate::from_der(leaf.as_der()).map_err(unreadable)?;
    let public = own.public_key_mut();
    let table = match public.pk_type() {
        Type::Rsa => &RSA,
        Type::Eckey | Type::Ecdsa => &EC,
        _ => return Err("client certificate has a key of a kind that cannot sign".into()),
    };
    let bits = public.len();
    // Any key will do as the shell of ours.
    let der = public.write_public_der_vec().map_err(unreadable)?;
    let mut key = Pk::from_public_key(&der).map_err(unreadable)?;
    let outside = Box::new(Outside {
        signer: signer.clone(),
        leaf: Mutex::new(own),
        bits,
        refusal: refusal.clone(),
    });
    let raw: *mut pk_context = (&mut key).into();
    // SAFETY: a live context of our own. It is emptied first; afterwards table and context belong
    // together, and the table's `free` takes back what is leaked here.
    unsafe {
        pk_free(raw);
        (*raw).pk_info = &raw const table.0;
        (*raw).pk_ctx = Box::into_raw(outside).cast();
    }
    Ok(key)
}

//! AES-GCM for Mbed TLS by RustCrypto, four times as fast where the processor helps.
//!
//! The library's own GCM takes one block at a time through several calls (about 300 MB/s with
//! AES-NI, and AES-GCM is what most servers choose). `src/shim/gcm.c` defines the functions of its
//! `gcm.h` on the same structure and calls the ones here.
//!
//! TLS uses the one-step functions with a nonce of 12 bytes and a tag of 16. Everything else is
//! refused: other nonces and tags, other ciphers, and the step-by-step functions.
//!
//! Only on architectures with instructions for AES and carry-less multiplication. Without them
//! RustCrypto's code, which has no look-up tables, would be the slower one.

use std::ffi::{c_int, c_uchar, c_uint};

use aes_gcm::aead::{AeadInOut, KeyInit, Nonce, Tag};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use mbedtls_sys::{
    CIPHER_ID_AES, ERR_GCM_AUTH_FAILED, ERR_GCM_BAD_INPUT, GCM_ENCRYPT, cipher_id_t, gcm_context,
};

const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// A key, expanded; wiped when dropped.
enum Key {
    Aes128(Aes128Gcm),
    Aes256(Aes256Gcm),
}

impl Key {
    fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Aes128Gcm::new_from_slice(key).ok().map(Key::Aes128),
            32 => Aes256Gcm::new_from_slice(key).ok().map(Key::Aes256),
            _ => None,
        }
    }

    fn encrypt(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
    ) -> Option<[u8; TAG_LEN]> {
        let tag = match self {
            Key::Aes128(key) => {
                key.encrypt_inout_detached(&Nonce::<Aes128Gcm>::from(*nonce), aad, data.into())
            }
            Key::Aes256(key) => {
                key.encrypt_inout_detached(&Nonce::<Aes256Gcm>::from(*nonce), aad, data.into())
            }
        };
        tag.ok().map(Into::into)
    }

    /// Leaves `data` alone unless the tag is right.
    fn decrypt(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> bool {
        let result = match self {
            Key::Aes128(key) => key.decrypt_inout_detached(
                &Nonce::<Aes128Gcm>::from(*nonce),
                aad,
                data.into(),
                &Tag::<Aes128Gcm>::from(*tag),
            ),
            Key::Aes256(key) => key.decrypt_inout_detached(
                &Nonce::<Aes256Gcm>::from(*nonce),
                aad,
                data.into(),
                &Tag::<Aes256Gcm>::from(*tag),
            ),
        };
        result.is_ok()
    }
}

/// Where the structure of the library keeps our key: a pointer that its own code uses for the block
/// cipher. NULL without a key.
///
/// # Safety
/// `context` is a structure that `mbedtls_gcm_init` has cleared.
unsafe fn slot<'a>(context: *mut gcm_context) -> &'a mut *mut Key {
    // SAFETY: the caller's promise; the field holds NULL or a pointer that setkey put there.
    unsafe { &mut *(&raw mut (*context).cipher_ctx.cipher_ctx).cast::<*mut Key>() }
}

/// `len` bytes at `data`; empty for NULL, which the library passes with length 0.
///
/// # Safety
/// `data` is NULL or readable for `len` bytes, and they do not change meanwhile.
unsafe fn bytes<'a>(data: *const c_uchar, len: usize) -> &'a [u8] {
    if data.is_null() || len == 0 {
        return &[];
    }
    // SAFETY: not NULL, readable by the caller's promise.
    unsafe { std::slice::from_raw_parts(data, len) }
}

/// The place of the result, holding a copy of the input unless both are the same.
///
/// # Safety
/// `input` is readable and `output` writable for `len` bytes, or `len` is 0.
unsafe fn in_place<'a>(input: *const c_uchar, output: *mut c_uchar, len: usize) -> &'a mut [u8] {
    if len == 0 {
        return &mut [];
    }
    if !std::ptr::eq(input, output) {
        // SAFETY: both are valid for `len` bytes by the caller's promise; they may overlap.
        unsafe { std::ptr::copy(input, output, len) };
    }
    // SAFETY: writable for `len` bytes, and initialised: by the copy, or because it is the input.
    unsafe { std::slice::from_raw_parts_mut(output, len) }
}

/// As in `gcm.h`: makes the structure usable.
///
/// # Safety
/// `context` is writable.
#[unsafe(no_mangle)]
unsafe extern "C" fn iotx_port_gcm_init(context: *mut gcm_context) {
    // SAFETY: writable by the caller's promise; all zeros are valid for its members.
    unsafe { context.write_bytes(0, 1) };
}

/// As in `gcm.h`, for AES with 128 or 256 bits.
///
/// # Safety
/// `context` was initialised; `key` has `keybits` bits.
#[unsafe(no_mangle)]
unsafe extern "C" fn iotx_port_gcm_setkey(
    context: *mut gcm_context,
    cipher: cipher_id_t,
    key: *const c_uchar,
    keybits: c_uint,
) -> c_int {
    if cipher != CIPHER_ID_AES || !matches!(keybits, 128 | 256) || key.is_null() {
        return ERR_GCM_BAD_INPUT;
    }
    // SAFETY: 16 or 32 bytes by the caller's promise.
    let key = Key::new(unsafe { bytes(key, keybits as usize / 8) });
    // SAFETY: initialised by the caller's promise; the old key goes first.
    unsafe { iotx_port_gcm_free(context) };
    match key {
        Some(key) => {
            // SAFETY: as above.
            unsafe { *slot(context) = Box::into_raw(Box::new(key)) };
            0
        }
        None => ERR_GCM_BAD_INPUT,
    }
}

/// As in `gcm.h`: gives the key up.
///
/// # Safety
/// `context` is NULL or was initialised.
#[unsafe(no_mangle)]
unsafe extern "C" fn iotx_port_gcm_free(context: *mut gcm_context) {
    if context.is_null() {
        return;
    }
    // SAFETY: initialised by the caller's promise.
    let key = std::mem::replace(unsafe { slot(context) }, std::ptr::null_mut());
    if !key.is_null() {
        // SAFETY: made by setkey, and taken out of the only place that held it.
        drop(unsafe { Box::from_raw(key) });
    }
}

/// As in `gcm.h`, in one step; encryption only, nonce 12 bytes, tag 16.
///
/// # Safety
/// `context` was initialised; every pointer has the bytes its length says; `output` may be `input`.
#[unsafe(no_mangle)]
unsafe extern "C" fn iotx_port_gcm_crypt_and_tag(
    context: *mut gcm_context,
    mode: c_int,
    length: usize,
    iv: *const c_uchar,
    iv_len: usize,
    add: *const c_uchar,
    add_len: usize,
    input: *const c_uchar,
    output: *mut c_uchar,
    tag_len: usize,
    tag: *mut c_uchar,
) -> c_int {
    if mode != GCM_ENCRYPT || tag_len != TAG_LEN {
        return ERR_GCM_BAD_INPUT;
    }
    // SAFETY: initialised; NULL or a key that lives until free, which nobody calls meanwhile.
    let key = unsafe { slot(context).as_ref() };
    // SAFETY: the caller's promise for `iv`.
    let nonce = unsafe { bytes(iv, iv_len) }.try_into();
    let (Some(key), Ok(nonce)) = (key, nonce) else {
        return ERR_GCM_BAD_INPUT;
    };
    // SAFETY: the caller's promise; additional data and text do not overlap.
    let (aad, data) = unsafe { (bytes(add, add_len), in_place(input, output, length)) };
    match key.encrypt(nonce, aad, data) {
        Some(computed) => {
            // SAFETY: 16 writable bytes by the caller's promise, checked length.
            unsafe { std::ptr::copy_nonoverlapping(computed.as_ptr(), tag, TAG_LEN) };
            0
        }
        None => ERR_GCM_BAD_INPUT,
    }
}

/// As in `gcm.h`, in one step; nonce 12 bytes, tag 16. With a wrong tag the output holds no text.
///
/// # Safety
/// As for [`iotx_port_gcm_crypt_and_tag`].
#[unsafe(no_mangle)]
unsafe extern "C" fn iotx_port_gcm_auth_decrypt(
    context: *mut gcm_context,
    length: usize,
    iv: *const c_uchar,
    iv_len: usize,
    add: *const c_uchar,
    add_len: usize,
    tag: *const c_uchar,
    tag_len: usize,
    input: *const c_uchar,
    output: *mut c_uchar,
) -> c_int {
    // SAFETY: initialised; NULL or a key that lives until free, which nobody calls meanwhile.
    let key = unsafe { slot(context).as_ref() };
    // SAFETY: the caller's promise for both.
    let (nonce, tag) = unsafe { (bytes(iv, iv_len), bytes(tag, tag_len)) };
    let (Some(key), Ok(nonce), Ok(tag)) = (key, nonce.try_into(), tag.try_into()) else {
        return ERR_GCM_BAD_INPUT;
    };
    // SAFETY: the caller's promise; additional data and text do not overlap.
    let (aad, data) = unsafe { (bytes(add, add_len), in_place(input, output, length)) };
    if key.decrypt(nonce, aad, data, tag) {
        return 0;
    }
    data.fill(0);
    ERR_GCM_AUTH_FAILED
}

/// Behind the step-by-step functions of `gcm.h`: refused, see the module text.
#[unsafe(no_mangle)]
extern "C" fn iotx_port_gcm_refuse() -> c_int {
    ERR_GCM_BAD_INPUT
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A context as the library would use it, through the names the linker resolves.
    struct Gcm(Box<gcm_context>);

    impl Gcm {
        fn new(key: &[u8]) -> Self {
            let mut context = Box::new(std::mem::MaybeUninit::uninit());
            // SAFETY: a writable structure and a key of the length stated.
            unsafe {
                mbedtls_sys::gcm_init(context.as_mut_ptr());
                let bits = key.len() as c_uint * 8;
                let set = mbedtls_sys::gcm_setkey(
                    context.as_mut_ptr(),
                    CIPHER_ID_AES,
                    key.as_ptr(),
                    bits,
                );
                assert_eq!(set, 0);
                Gcm(context.assume_init())
            }
        }

        fn encrypt(
            &mut self,
            nonce: &[u8],
            aad: &[u8],
            text: &[u8],
        ) -> Result<(Vec<u8>, [u8; 16]), c_int> {
            let (mut out, mut tag) = (vec![0; text.len()], [0; 16]);
            // SAFETY: pointers and lengths belong together.
            let code = unsafe {
                mbedtls_sys::gcm_crypt_and_tag(
                    &raw mut *self.0,
                    GCM_ENCRYPT,
                    text.len(),
                    nonce.as_ptr(),
                    nonce.len(),
                    aad.as_ptr(),
                    aad.len(),
                    text.as_ptr(),
                    out.as_mut_ptr(),
                    16,
                    tag.as_mut_ptr(),
                )
            };
            if code == 0 { Ok((out, tag)) } else { Err(code) }
        }

        fn decrypt(&mut self, nonce: &[u8], aad: &[u8], tag: &[u8], text: &mut [u8]) -> c_int {
            // SAFETY: pointers and lengths belong together; in place.
            unsafe {
                mbedtls_sys::gcm_auth_decrypt(
                    &raw mut *self.0,
                    text.len(),
                    nonce.as_ptr(),
                    nonce.len(),
                    aad.as_ptr(),
                    aad.len(),
                    tag.as_ptr(),
                    tag.len(),
                    text.as_ptr(),
                    text.as_mut_ptr(),
                )
            }
        }
    }

    impl Drop for Gcm {
        fn drop(&mut self) {
            // SAFETY: initialised in `new`.
            unsafe { mbedtls_sys::gcm_free(&raw mut *self.0) };
        }
    }

    fn unhex(text: &str) -> Vec<u8> {
        let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
        (0..text.len()).step_by(2).map(digit).collect()
    }

    #[test]
    fn the_library_calls_these_functions() {
        let mut gcm = Gcm::new(&[7; 16]);
        // Its own structure holds the schedule of a block cipher at this place, ours the key.
        // SAFETY: initialised, and either NULL or what setkey put there.
        let key = unsafe { slot(&raw mut *gcm.0) };
        assert!(!key.is_null());
        assert!(
            gcm.0.cipher_ctx.cipher_info.is_null(),
            "the library's own GCM was linked"
        );
    }

    /// Test cases 4 and 16 of the GCM specification (McGrew and Viega), appendix B.
    #[test]
    fn known_answers() {
        let text = unhex(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
             1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        );
        let aad = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let nonce = unhex("cafebabefacedbaddecaf888");
        let cases = [
            (
                "feffe9928665731c6d6a8f9467308308",
                "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e\
                 21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
                "5bc94fbc3221a5db94fae95ae7121a47",
            ),
            (
                "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                 8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
                "76fc6ece0f4e1768cddf8853bb2d551b",
            ),
        ];
        for (key, cipher_text, tag) in cases {
            let mut gcm = Gcm::new(&unhex(key));
            let (out, computed) = gcm.encrypt(&nonce, &aad, &text).expect("encrypts");
            assert_eq!(
                (&out, &computed[..]),
                (&unhex(cipher_text), &unhex(tag)[..])
            );
            let mut back = out;
            assert_eq!(gcm.decrypt(&nonce, &aad, &computed, &mut back), 0);
            assert_eq!(back, text);
        }
    }

    #[test]
    fn a_changed_bit_anywhere_is_refused_and_leaves_no_text() {
        let mut gcm = Gcm::new(&[7; 32]);
        let (nonce, aad, text) = ([1; 12], *b"header", [b'x'; 100]);
        let (sealed, tag) = gcm.encrypt(&nonce, &aad, &text).expect("encrypts");
        let flip = |bytes: &[u8], at: usize| {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 1;
            bytes
        };
        let cases = [
            (flip(&nonce, 0), aad.to_vec(), tag.to_vec(), sealed.clone()),
            (nonce.to_vec(), flip(&aad, 5), tag.to_vec(), sealed.clone()),
            (nonce.to_vec(), aad.to_vec(), flip(&tag, 15), sealed.clone()),
            (
                nonce.to_vec(),
                aad.to_vec(),
                tag.to_vec(),
                flip(&sealed, 99),
            ),
        ];
        for (nonce, aad, tag, mut data) in cases {
            assert_eq!(
                gcm.decrypt(&nonce, &aad, &tag, &mut data),
                ERR_GCM_AUTH_FAILED
            );
            assert_eq!(data, [0; 100]);
        }
    }

    #[test]
    fn what_tls_does_not_use_is_refused() {
        let mut gcm = Gcm::new(&[7; 16]);
        assert_eq!(gcm.encrypt(&[1; 11], b"", b"text"), Err(ERR_GCM_BAD_INPUT));
        assert_eq!(
            gcm.decrypt(&[1; 12], b"", &[0; 12], &mut [0; 4]),
            ERR_GCM_BAD_INPUT
        );
        for bits in [0, 64, 192, 257] {
            // SAFETY: an initialised structure and 64 bytes of key.
            let code = unsafe {
                mbedtls_sys::gcm_setkey(&raw mut *gcm.0, CIPHER_ID_AES, [0; 64].as_ptr(), bits)
            };
            assert_eq!(code, ERR_GCM_BAD_INPUT, "{bits}");
        }
        let mut empty = Gcm(Box::new(
            // SAFETY: all zeros, as init leaves them.
            unsafe { std::mem::zeroed() },
        ));
        assert_eq!(
            empty.encrypt(&[1; 12], b"", b"text"),
            Err(ERR_GCM_BAD_INPUT)
        );
    }
}

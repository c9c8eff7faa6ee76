//! The digests of `infra_sha256.h`, `infra_sha1.h` and `infra_md5.h`.
//!
//! The contexts are public C structures: their members hold the running digest, so a context can be
//! copied and needs no release. The compression functions and HMAC come from the RustCrypto crates.
//! Exported as `iotx_port_*`; the shim defines the public names weakly on top, so that firmware which
//! brings its own copies, or a hardware key behind `utils_hmac_sha256`, still links.

use std::ffi::{c_char, c_int};
use std::ptr;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use super::barrier::guard;
use super::cstr;
use super::infra_types::{iot_md5_context, iot_sha1_context, iot_sha256_context};

/// Size of a block of all three digests in bytes.
const BLOCK: usize = 64;
/// Where the length starts in the last block.
const LENGTH_AT: usize = BLOCK - 8;

/// A running digest: borrowed members of a context, and what tells the families apart.
struct Running<'a, const WORDS: usize> {
    total: &'a mut [u32; 2],
    state: &'a mut [u32; WORDS],
    buffer: &'a mut [u8; BLOCK],
    compress: fn(&mut [u32; WORDS], &[[u8; BLOCK]]),
    /// How words and the length are written: most significant byte first (SHA) or last (MD5).
    big_endian: bool,
}

impl<const WORDS: usize> Running<'_, WORDS> {
    fn length(&self) -> u64 {
        u64::from(self.total[1]) << 32 | u64::from(self.total[0])
    }

    fn update(&mut self, mut input: &[u8]) {
        let filled = self.length() as usize % BLOCK;
        let length = self.length().wrapping_add(input.len() as u64);
        *self.total = [length as u32, (length >> 32) as u32];
        if filled > 0 {
            let take = input.len().min(BLOCK - filled);
            self.buffer[filled..filled + take].copy_from_slice(&input[..take]);
            input = &input[take..];
            if filled + take < BLOCK {
                return;
            }
            (self.compress)(self.state, &[*self.buffer]);
        }
        let (blocks, rest) = input.as_chunks::<BLOCK>();
        (self.compress)(self.state, blocks);
        self.buffer[..rest.len()].copy_from_slice(rest);
    }

    /// Pads and writes the digest to `out`, which has four bytes per word.
    fn finish(&mut self, out: &mut [u8]) {
        let bits = self.length().wrapping_mul(8);
        let filled = self.length() as usize % BLOCK;
        self.buffer[filled] = 0x80;
        self.buffer[filled + 1..].fill(0);
        if filled + 1 > LENGTH_AT {
            (self.compress)(self.state, &[*self.buffer]);
            self.buffer.fill(0);
        }
        let length = if self.big_endian {
            bits.to_be_bytes()
        } else {
            bits.to_le_bytes()
        };
        self.buffer[LENGTH_AT..].copy_from_slice(&length);
        (self.compress)(self.state, &[*self.buffer]);
        for (bytes, word) in out.chunks_exact_mut(4).zip(self.state.iter()) {
            let word = if self.big_endian {
                word.to_be_bytes()
            } else {
                word.to_le_bytes()
            };
            bytes.copy_from_slice(&word);
        }
        self.buffer.zeroize();
    }
}

fn running_sha256(context: &mut iot_sha256_context) -> Running<'_, 8> {
    Running {
        total: &mut context.total,
        state: &mut context.state,
        buffer: &mut context.buffer,
        compress: sha2::block_api::compress256,
        big_endian: true,
    }
}

fn running_sha1(context: &mut iot_sha1_context) -> Running<'_, 5> {
    Running {
        total: &mut context.total,
        state: &mut context.state,
        buffer: &mut context.buffer,
        compress: sha1::block_api::compress,
        big_endian: true,
    }
}

fn running_md5(context: &mut iot_md5_context) -> Running<'_, 4> {
    Running {
        total: &mut context.total,
        state: &mut context.state,
        buffer: &mut context.buffer,
        compress: md5::block_api::compress,
        big_endian: false,
    }
}

/// FIPS 180-4 §5.3.3.
const SHA256_START: iot_sha256_context = iot_sha256_context {
    total: [0; 2],
    state: [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ],
    buffer: [0; BLOCK],
    is224: 0,
};

/// FIPS 180-4 §5.3.1.
const SHA1_START: iot_sha1_context = iot_sha1_context {
    total: [0; 2],
    state: [
        0x6745_2301,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ],
    buffer: [0; BLOCK],
};

/// RFC 1321 §3.3.
const MD5_START: iot_md5_context = iot_md5_context {
    total: [0; 2],
    state: [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476],
    buffer: [0; BLOCK],
};

/// Writes the exported functions every family has.
macro_rules! family {
    ($context:ty, $start:expr, $running:ident, $digest:ty, $size:literal:
     $init:ident $free:ident $starts:ident $update:ident $finish:ident $process:ident $whole:ident) => {
        /// Clears the context.
        ///
        /// # Safety
        /// `ctx` is NULL or a writable context no other thread uses.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $init(ctx: *mut $context) {
            if !ctx.is_null() {
                // SAFETY: not NULL, and the caller promises a writable context; all members are
                // integers, for which zero bytes are valid.
                unsafe { ptr::write_bytes(ctx, 0, 1) };
            }
        }

        /// Wipes the context; it holds no other memory.
        ///
        /// # Safety
        /// `ctx` is NULL or an initialised context no other thread uses.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $free(ctx: *mut $context) {
            // SAFETY: the caller promises NULL or a context of its own.
            if let Some(ctx) = unsafe { ctx.as_mut() } {
                ctx.total.zeroize();
                ctx.state.zeroize();
                ctx.buffer.zeroize();
            }
        }

        /// Begins a new digest.
        ///
        /// # Safety
        /// `ctx` is NULL or a writable context no other thread uses.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $starts(ctx: *mut $context) {
            if !ctx.is_null() {
                // SAFETY: not NULL, and the caller promises a writable context.
                unsafe { ctx.write($start) };
            }
        }

        /// Adds `ilen` bytes.
        ///
        /// # Safety
        /// `ctx` is NULL or a started context no other thread uses; `input` is NULL or has `ilen`
        /// readable bytes.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $update(ctx: *mut $context, input: *const u8, ilen: u32) {
            guard((), || {
                // SAFETY: the caller promises the context and the bytes.
                let (ctx, input) = unsafe { (ctx.as_mut(), cstr::bytes(input, ilen as usize)) };
                if let (Some(ctx), Some(input)) = (ctx, input) {
                    $running(ctx).update(input);
                }
            });
        }

        /// Ends the digest.
        ///
        /// # Safety
        /// `ctx` is NULL or a started context no other thread uses; `output` is NULL or has room for
        /// the digest.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $finish(ctx: *mut $context, output: *mut u8) {
            guard((), || {
                // SAFETY: the caller promises the context.
                let ctx = unsafe { ctx.as_mut() };
                if let (Some(ctx), false) = (ctx, output.is_null()) {
                    let mut digest = [0; $size];
                    $running(ctx).finish(&mut digest);
                    // SAFETY: not NULL, and the caller promises room for the digest.
                    unsafe { ptr::copy_nonoverlapping(digest.as_ptr(), output, $size) };
                }
            });
        }

        /// Runs the compression function over one block; the length is not counted.
        ///
        /// # Safety
        /// `ctx` is NULL or a started context no other thread uses; `data` is NULL or has 64
        /// readable bytes.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $process(ctx: *mut $context, data: *const u8) {
            guard((), || {
                // SAFETY: the caller promises the context and the bytes.
                let (ctx, data) = unsafe { (ctx.as_mut(), cstr::bytes(data, BLOCK)) };
                if let (Some(ctx), Some(data)) = (ctx, data) {
                    let running = $running(ctx);
                    (running.compress)(running.state, data.as_chunks().0);
                }
            });
        }

        /// Digest of `ilen` bytes.
        ///
        /// # Safety
        /// `input` is NULL or has `ilen` readable bytes; `output` is NULL or has room for the digest.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $whole(input: *const u8, ilen: u32, output: *mut u8) {
            guard((), || {
                // SAFETY: the caller promises the bytes.
                let input = unsafe { cstr::bytes(input, ilen as usize) };
                if let (Some(input), false) = (input, output.is_null()) {
                    let digest = <$digest>::digest(input);
                    // SAFETY: not NULL, and the caller promises room for the digest.
                    unsafe { ptr::copy_nonoverlapping(digest.as_ptr(), output, $size) };
                }
            });
        }
    };
}

family! {
    iot_sha256_context, SHA256_START, running_sha256, Sha256, 32:
    iotx_port_sha256_init iotx_port_sha256_free iotx_port_sha256_starts iotx_port_sha256_update
    iotx_port_sha256_finish iotx_port_sha256_process iotx_port_sha256
}

family! {
    iot_sha1_context, SHA1_START, running_sha1, Sha1, 20:
    iotx_port_sha1_init iotx_port_sha1_free iotx_port_sha1_starts iotx_port_sha1_update
    iotx_port_sha1_finish iotx_port_sha1_process iotx_port_sha1
}

family! {
    iot_md5_context, MD5_START, running_md5, Md5, 16:
    iotx_port_md5_init iotx_port_md5_free iotx_port_md5_starts iotx_port_md5_update
    iotx_port_md5_finish iotx_port_md5_process iotx_port_md5
}

/// HMAC (RFC 2104) of `message` under `key`, written to `out` unless a needed pointer is NULL.
macro_rules! hmac {
    ($digest:ty, $key:expr, $message:expr, $deliver:expr) => {
        if let (Some(key), Some(message)) = ($key, $message)
            // A key of any length is valid for HMAC, so this always continues.
            && let Ok(mut mac) = Hmac::<$digest>::new_from_slice(key)
        {
            mac.update(message);
            let mut digest = mac.finalize().into_bytes();
            $deliver(digest.as_slice());
            digest.as_mut_slice().zeroize();
        }
    };
}

/// HMAC-SHA256 of `msg` under `key`; zero output when `msg` or `key` is NULL, none when `output` is.
///
/// # Safety
/// `msg` and `key` are NULL or have the stated number of readable bytes; `output` is NULL or has 32
/// writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_hmac_sha256(
    msg: *const u8,
    msg_len: u32,
    key: *const u8,
    key_len: u32,
    output: *mut u8,
) {
    guard((), || {
        if output.is_null() {
            return;
        }
        // SAFETY: not NULL, and the caller promises 32 writable bytes.
        unsafe { ptr::write_bytes(output, 0, 32) };
        if msg.is_null() || key.is_null() {
            return;
        }
        // SAFETY: the caller promises the bytes.
        let (key, msg) = unsafe {
            (
                cstr::bytes(key, key_len as usize),
                cstr::bytes(msg, msg_len as usize),
            )
        };
        hmac!(Sha256, key, msg, |digest: &[u8]| {
            // SAFETY: not NULL, and the caller promises 32 writable bytes.
            unsafe { ptr::copy_nonoverlapping(digest.as_ptr(), output, digest.len()) };
        });
    });
}

/// The bytes of a parameter with an `int` length; `None` for NULL or a negative length.
///
/// # Safety
/// `data` is NULL or has `len` readable bytes.
unsafe fn with_int_length<'a>(data: *const c_char, len: c_int) -> Option<&'a [u8]> {
    let len = usize::try_from(len).ok()?;
    if data.is_null() {
        return None;
    }
    // SAFETY: the caller promises the bytes.
    unsafe { cstr::bytes(data.cast(), len) }
}

/// Writes one exported HMAC function of the older families.
macro_rules! old_hmac {
    ($(#[$doc:meta])* $function:ident, $digest:ty, $encode:expr) => {
        $(#[$doc])*
        ///
        /// Nothing is written when a pointer is NULL or a length negative.
        ///
        /// # Safety
        /// `msg` and `key` are NULL or have the stated number of readable bytes; `digest` is NULL or
        /// has room for the result.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $function(
            msg: *const c_char,
            msg_len: c_int,
            digest: *mut c_char,
            key: *const c_char,
            key_len: c_int,
        ) {
            guard((), || {
                if digest.is_null() {
                    return;
                }
                // SAFETY: the caller promises the bytes.
                let key = unsafe { with_int_length(key, key_len) };
                // SAFETY: the caller promises the bytes.
                let msg = unsafe { with_int_length(msg, msg_len) };
                hmac!($digest, key, msg, |bytes: &[u8]| {
                    let mut text: Vec<u8> = $encode(bytes);
                    // SAFETY: not NULL, and the caller promises room for the result.
                    unsafe { ptr::copy_nonoverlapping(text.as_ptr().cast(), digest, text.len()) };
                    text.zeroize();
                });
            });
        }
    };
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> Vec<u8> {
    let digit = |nibble: u8| super::strings::iotx_port_hex2char(nibble) as u8;
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

old_hmac! {
    /// HMAC-MD5 as 32 lower-case hexadecimal digits without a NUL.
    iotx_port_hmac_md5, Md5, hex
}

old_hmac! {
    /// HMAC-SHA1 as 40 lower-case hexadecimal digits without a NUL.
    iotx_port_hmac_sha1, Sha1, hex
}

old_hmac! {
    /// HMAC-SHA1 as 20 bytes, in spite of its public name `utils_hmac_sha1_hex`.
    iotx_port_hmac_sha1_hex, Sha1, <[u8]>::to_vec
}

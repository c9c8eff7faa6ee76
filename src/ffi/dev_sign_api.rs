//! `dev_sign_api.h`: `IOT_Sign_MQTT`.

use std::ffi::{c_char, c_uchar, c_uint};
use std::mem::size_of;

use zeroize::Zeroize;

use super::infra_types::{
    IOTX_DEVICE_NAME_LEN, IOTX_DEVICE_SECRET_LEN, IOTX_PRODUCT_KEY_LEN, iotx_dev_meta_info_t,
    iotx_mqtt_region_types_t, iotx_sign_mqtt_t,
};
use super::{barrier, cstr, infra_defs, ioctl, mqtt_api};
use crate::hal::memory;
use crate::sign::link_sdk::{self, Device, Domain, SecureMode, Signed};
use crate::state;

/// Signs the connect parameters of a device.
///
/// Writes host, port, client id, user name and password to `signout`. `meta` may be the 184-byte
/// block of older SDK versions: `module` is not read. Nothing is kept. Thread-safe; does not block.
///
/// Returns 0 or: `STATE_USER_INPUT_INVALID` (region over 5, NULL argument, a field of `meta`
/// without terminator), `STATE_USER_INPUT_MQTT_DOMAIN` (custom region without a domain),
/// `STATE_MQTT_SIGN_HOSTNAME_BUF_SHORT`, `STATE_MQTT_SIGN_CLIENTID_BUF_SHORT`,
/// `STATE_SYS_DEPEND_MALLOC`. On an error
/// `signout` is zeroed, except that the first of these leaves it untouched.
///
/// # Safety
/// `meta` is NULL or points to at least 184 readable bytes; `signout` is NULL or points to an
/// `iotx_sign_mqtt_t`. They do not overlap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IOT_Sign_MQTT(
    region: iotx_mqtt_region_types_t,
    meta: *mut iotx_dev_meta_info_t,
    signout: *mut iotx_sign_mqtt_t,
) -> i32 {
    super::log::init();
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        if region > infra_defs::REGION_CUSTOM || meta.is_null() || signout.is_null() {
            return state::STATE_USER_INPUT_INVALID;
        }
        // SAFETY: not NULL; the caller promises the first 184 bytes.
        let Some(device) = (unsafe { device(meta) }) else {
            return state::STATE_USER_INPUT_INVALID;
        };
        // SAFETY: not NULL, and the caller promises a writable structure; all-zero is valid for it.
        unsafe { signout.write_bytes(0, 1) };
        let watch = memory::Watch::begin();
        match sign(region, &device) {
            _ if watch.ran_out() => {
                mqtt_api::memory_event("IOT_Sign_MQTT");
                state::STATE_SYS_DEPEND_MALLOC
            }
            Ok(signed) => {
                // SAFETY: as above; each field is checked to fit its array with its NUL: the host
                // name has at most 62 bytes, the client id 199, the user name 53, the password 64.
                unsafe {
                    fill((&raw mut (*signout).hostname).cast(), 64, &signed.host);
                    (*signout).port = signed.port;
                    fill(
                        (&raw mut (*signout).clientid).cast(),
                        200,
                        &signed.client_id,
                    );
                    fill((&raw mut (*signout).username).cast(), 64, &signed.username);
                    fill(
                        (&raw mut (*signout).password).cast(),
                        65,
                        signed.password.as_bytes(),
                    );
                }
                state::STATE_SUCCESS
            }
            Err(code) => code,
        }
    })
}

/// The device that `meta` describes, or `None` when a field has no terminator.
///
/// # Safety
/// `meta` points to at least 184 readable bytes, unchanged while the result is in use.
pub(super) unsafe fn device<'a>(meta: *const iotx_dev_meta_info_t) -> Option<Device<'a>> {
    // SAFETY: the first 184 bytes hold the fields read here, each one byte longer than its limit.
    unsafe {
        Some(Device {
            product_key: cstr::bounded(
                (&raw const (*meta).product_key).cast(),
                IOTX_PRODUCT_KEY_LEN,
            )?,
            device_name: cstr::bounded(
                (&raw const (*meta).device_name).cast(),
                IOTX_DEVICE_NAME_LEN,
            )?,
            device_secret: cstr::bounded(
                (&raw const (*meta).device_secret).cast(),
                IOTX_DEVICE_SECRET_LEN,
            )?,
        })
    }
}

/// Signs `device` for `region` over TLS.
pub(super) fn sign(region: c_uint, device: &Device<'_>) -> Result<Signed, i32> {
    let host = ioctl::store().mqtt_host(region);
    let domain = domain(region, host.as_deref());
    link_sdk::sign(device, domain, SecureMode::Tls, replaceable_hmac_sha256)
}

/// Writes `text` and its NUL, cut to the field.
///
/// # Safety
/// `field` points to `size` writable bytes, `size` at least 1.
pub(super) unsafe fn fill(field: *mut c_char, size: usize, text: &[u8]) {
    let text = &text[..text.len().min(size - 1)];
    // SAFETY: one byte less than the field, plus the NUL.
    unsafe { cstr::write_terminated(text, field) };
}

/// What the signer makes of the host name known for a region: prefixed with the product key, or
/// used as it is for the custom region. The table of public regions is the application's to change.
pub(super) fn domain(region: c_uint, host: Option<&str>) -> Domain<'_> {
    match host {
        Some(host) if region != infra_defs::REGION_CUSTOM => Domain::Region(host),
        host => Domain::Custom(host),
    }
}

unsafe extern "C" {
    /// The exported helper, replaceable by the application (spec signing.md §1).
    fn utils_hmac_sha256(
        msg: *const c_uchar,
        msg_len: u32,
        key: *const c_uchar,
        key_len: u32,
        output: *mut c_uchar,
    );
}

/// HMAC-SHA256 through the C symbol, so that a port with a crypto engine is asked.
pub(super) fn replaceable_hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut out = [0u8; 32];
    let (Ok(key_len), Ok(message_len)) = (u32::try_from(key.len()), u32::try_from(message.len()))
    else {
        return out;
    };
    // SAFETY: lengths belong to the slices, `out` has the 32 bytes of the digest.
    unsafe {
        utils_hmac_sha256(
            message.as_ptr(),
            message_len,
            key.as_ptr(),
            key_len,
            out.as_mut_ptr(),
        )
    };
    let digest = out;
    out.zeroize();
    digest
}

const _: () = assert!(size_of::<iotx_sign_mqtt_t>() == 396);

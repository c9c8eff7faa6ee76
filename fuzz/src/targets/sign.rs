//! `IOT_Sign_MQTT`: any bytes in its fields, the signature computed once more by hand.

use std::ffi::{CStr, c_char};

use iotx::ffi::infra_types::{iotx_dev_meta_info_t, iotx_sign_mqtt_t};
use iotx::state::{STATE_SUCCESS, STATE_USER_INPUT_INVALID};
use sha2::{Digest, Sha256};

use super::super::input::Input;
use super::super::port;

unsafe extern "C" {
    fn IOT_Sign_MQTT(
        region: u32,
        meta: *mut iotx_dev_meta_info_t,
        signout: *mut iotx_sign_mqtt_t,
    ) -> i32;
}

/// Sizes of the fields: product key and secret, device name and secret. What older sources pass ends here.
const FIELDS: [usize; 4] = [21, 65, 33, 65];

pub fn run(data: &[u8]) {
    let _port = port::use_alone();
    let mut input = Input::new(data);
    let region = u32::from(input.below(8));
    let mut meta = Vec::new();
    let mut texts = Vec::new();
    for size in FIELDS {
        let mut field = input.block().to_vec();
        field.resize(size, 0);
        let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
        texts.push((text.len() < size).then(|| text.to_vec()));
        meta.extend_from_slice(&field);
    }
    // On the heap and not a byte longer, so that a sanitizer sees who reads on.
    let mut meta = meta.into_boxed_slice();
    let mut out = Box::new([0xaa_u8; size_of::<iotx_sign_mqtt_t>()]);
    // SAFETY: the 184 bytes of the older block, and room for the result; bytes are valid for both.
    let result =
        unsafe { IOT_Sign_MQTT(region, meta.as_mut_ptr().cast(), out.as_mut_ptr().cast()) };
    // SAFETY: as large as the structure, which has no invalid values; read wherever it lies.
    let out: iotx_sign_mqtt_t = unsafe { out.as_ptr().cast::<iotx_sign_mqtt_t>().read_unaligned() };
    let [Some(key), _, Some(name), Some(secret)] = &texts[..] else {
        assert_eq!(result, STATE_USER_INPUT_INVALID);
        return;
    };
    if region > 5 {
        assert_eq!(result, STATE_USER_INPUT_INVALID);
    }
    if region == 0 && key.len() <= 20 {
        assert_eq!(result, STATE_SUCCESS);
    }
    if result != STATE_SUCCESS {
        return;
    }
    assert_eq!(text(&out.username), [name, &b"&"[..], key].concat());
    assert!(text(&out.clientid).starts_with(&[key, &b"."[..], name, b"|"].concat()));
    assert!(text(&out.hostname).len() < 63);
    let signed = [
        &b"clientId"[..],
        key,
        b".",
        name,
        b"deviceName",
        name,
        b"productKey",
        key,
        b"timestamp2524608000000",
    ]
    .concat();
    let password: String = hmac(secret, &signed)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    assert_eq!(text(&out.password), password.as_bytes());
}

/// The text of a field, which must be terminated.
fn text(field: &[c_char]) -> &[u8] {
    // SAFETY: one byte has the size of another.
    let bytes = unsafe { std::slice::from_raw_parts(field.as_ptr().cast::<u8>(), field.len()) };
    CStr::from_bytes_until_nul(bytes)
        .expect("a terminator")
        .to_bytes()
}

/// RFC 2104 with SHA-256, for keys of up to a block.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let pad = |filler: u8| -> Vec<u8> {
        (0..64)
            .map(|at| key.get(at).copied().unwrap_or(0) ^ filler)
            .collect()
    };
    let inner = Sha256::digest([&pad(0x36)[..], message].concat());
    Sha256::digest([&pad(0x5c)[..], &inner[..]].concat()).into()
}

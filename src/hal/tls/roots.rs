//! The default trust anchors: the content behind `iotx_ca_crt`.

/// Writes the bundle once as a string constant; the C symbol needs a NUL at its end.
macro_rules! bundle {
    ($end:literal) => {
        concat!(
            include_str!("roots/aliyun-iot-root-ca.crt"),
            include_str!("roots/globalsign-root-ca-r1.pem"),
            include_str!("roots/globalsign-root-ca-r6.pem"),
            include_str!("roots/globalsign-root-e46.pem"),
            include_str!("roots/globalsign-root-r46.pem"),
            $end
        )
    };
}

/// The five roots as PEM, without a NUL: Aliyun IoT Root CA (port 8883), GlobalSign R1 (ports 443
/// and 1883 until 2028-01-28), R6, E46 and R46 (spec transport.md §2).
pub const BUNDLE: &str = bundle!("");

/// The same, NUL-terminated, for C.
pub const BUNDLE_C: &[u8] = bundle!("\0").as_bytes();

/// SHA-256 of the DER of the Aliyun IoT Root CA.
pub const ALIYUN_IOT_ROOT_SHA256: [u8; 32] = [
    0x7C, 0xA4, 0x38, 0xA3, 0x97, 0x6B, 0x52, 0x42, 0xD2, 0x31, 0xF8, 0x61, 0x49, 0x98, 0x22, 0xDA,
    0x85, 0x58, 0x31, 0x38, 0x27, 0x35, 0x83, 0x6B, 0x36, 0x1E, 0x7E, 0x97, 0x15, 0x66, 0x16, 0x76,
];

#[cfg(test)]
mod tests {
    use md5::{Digest, Md5};

    #[test]
    fn platform_root_is_the_published_file_byte_for_byte() {
        let digest = Md5::digest(include_bytes!("roots/aliyun-iot-root-ca.crt"));
        let published = 0xC7A6_AFB4_6671_3832_AF77_8A7B_CB6D_1AEF_u128;
        assert_eq!(digest[..], published.to_be_bytes());
    }
}

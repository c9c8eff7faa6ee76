//! The one extra server name that is accepted, and when.
//!
//! The leaf on port 8883 of the platform was reported to be issued to `*.iot-as.aliyuncs.com`
//! only, while devices connect to hosts under other names of `.aliyuncs.com`. Its root is private
//! and signs nothing but this platform, so a chain that ends in exactly this root may use that
//! name. Nothing else is relaxed.

use super::server_name::ServerName;

const EXTRA_NAME: &[u8] = b"*.iot-as.aliyuncs.com";
const DOMAIN: &str = ".aliyuncs.com";

/// Whether the extra name makes the leaf acceptable for `server`.
///
/// `allowed_root` and `chain_root` are SHA-256 fingerprints: of the root the rule is for, and of
/// the certificate the verified chain ends in. `leaf_dns` are the dNSName entries of the leaf, or
/// its common name if it has no subjectAltName extension.
pub fn applies(
    server: &ServerName,
    allowed_root: Option<&[u8; 32]>,
    chain_root: Option<&[u8; 32]>,
    leaf_dns: &[&[u8]],
) -> bool {
    let root_fits = allowed_root.is_some() && allowed_root == chain_root;
    let host_fits = server.dns().is_some_and(|host| host.ends_with(DOMAIN));
    root_fits
        && host_fits
        && leaf_dns
            .iter()
            .any(|name| name.eq_ignore_ascii_case(EXTRA_NAME))
}

#[cfg(test)]
mod tests {
    use super::applies;
    use crate::hal::tls::ServerName;
    use crate::hal::tls::roots::ALIYUN_IOT_ROOT_SHA256 as ROOT;

    #[test]
    fn only_the_private_root_host_and_leaf_name_together() {
        let host = ServerName::parse("pk.iot-as-mqtt.cn-shanghai.aliyuncs.com").unwrap();
        let other = ServerName::parse("evil-aliyuncs.com").unwrap();
        let ip = ServerName::parse("10.0.0.1").unwrap();
        let leaf: &[&[u8]] = &[b"a.example.com", b"*.IoT-as.aliyuncs.com"];
        let foreign: &[&[u8]] = &[b"*.aliyuncs.com.example.com", b"x.iot-as.aliyuncs.com"];
        assert!(applies(&host, Some(&ROOT), Some(&ROOT), leaf));
        assert!(!applies(&host, None, Some(&ROOT), leaf));
        assert!(!applies(&host, None, None, leaf));
        assert!(!applies(&host, Some(&ROOT), Some(&[0; 32]), leaf));
        assert!(!applies(&host, Some(&ROOT), Some(&ROOT), foreign));
        assert!(!applies(&other, Some(&ROOT), Some(&ROOT), leaf));
        assert!(!applies(&ip, Some(&ROOT), Some(&ROOT), leaf));
    }
}

//! The files that `pki` makes.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use iotx_platform::registry::Registry;
use iotx_platform::sign::sha256_hex;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::support::*;

fn chain(name: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(pki().join(name))
        .and_then(Iterator::collect)
        .unwrap_or_else(|e| panic!("{name}: {e:?}"))
}

#[test]
fn every_file_is_there_and_parses() {
    let pairs = [
        "root",
        "server",
        "server-rsa",
        "server-expired",
        "server-not-yet",
        "server-wrong-host",
        "server-unknown-ca",
        "server-iot-as",
        "server-revoked",
        "device",
        "device-ec",
        "device-2",
        "device-expired",
        "device-unknown-ca",
        "device-ca",
        "other-root",
    ];
    for name in pairs {
        let first = &chain(&format!("{name}.crt"))[0];
        X509Certificate::from_der(first).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    for name in pairs.iter().chain(&["device-pkcs8"]) {
        let path = pki().join(format!("{name}.key"));
        PrivateKeyDer::from_pem_file(&path).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let mode = std::fs::metadata(&path).expect("key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let head = |name: &str| {
        std::fs::read_to_string(pki().join(name))
            .expect("key")
            .lines()
            .next()
            .map(str::to_owned)
    };
    assert_eq!(
        head("device.key").as_deref(),
        Some("-----BEGIN RSA PRIVATE KEY-----")
    );
    assert_eq!(
        head("device-pkcs8.key").as_deref(),
        Some("-----BEGIN PRIVATE KEY-----")
    );
    assert_eq!(chain("server.crt").len(), 2, "leaf and intermediate");
    let der = chain("device.crt");
    let (_, device) = X509Certificate::from_der(&der[0]).expect("device");
    match device.public_key().parsed().expect("key") {
        x509_parser::public_key::PublicKey::RSA(key) => assert_eq!(key.key_size(), 2048),
        other => panic!("{other:?}"),
    }
    let registry = pki().join("devices.json");
    assert_eq!(
        std::fs::metadata(&registry)
            .expect("registry")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    let registry = Registry::load(&registry).expect("registry");
    assert_eq!(registry.len(), 10);
    for (file, name) in [
        ("device.crt", "x509-device-1"),
        ("device-ec.crt", "x509-device-ec"),
        ("device-2.crt", "x509-device-2"),
    ] {
        let owner = registry
            .by_certificate(&sha256_hex(&chain(file)[0]))
            .expect(file);
        assert_eq!(
            (owner.product_key.as_str(), owner.device_name.as_str()),
            ("a1X509Demo0", name)
        );
    }
}

#[test]
fn names_can_be_chosen_and_are_limited() {
    let folder = scratch("names");
    iotx_platform::pki::generate(&folder, "pk", "dn").expect("pki");
    let text = std::fs::read_to_string(folder.join("devices.json")).expect("registry");
    assert!(text.contains(r#""productKey": "pk""#) && text.contains(r#""deviceName": "dn""#));
    // A second run replaces all of it.
    iotx_platform::pki::generate(&folder, "pk", "dn2").expect("pki");
    assert!(
        std::fs::read_to_string(folder.join("devices.json"))
            .expect("registry")
            .contains("dn2")
    );
    assert!(iotx_platform::pki::generate(&folder, &"p".repeat(21), "dn").is_err());
    assert!(iotx_platform::pki::generate(&folder, "pk", &"d".repeat(33)).is_err());
    assert!(iotx_platform::pki::generate(&folder, "pk", "").is_err());
}

#[test]
fn openssl_agrees() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("no openssl program here: nothing to compare with");
        return;
    }
    let verify = |ca: &str, file: &str| {
        let path = |name: &str| pki().join(name);
        let output = Command::new("openssl")
            .args(["verify", "-CAfile"])
            .arg(path(ca))
            .arg("-untrusted")
            .arg(path(file))
            .arg(path(file))
            .output()
            .expect("openssl");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    for (ca, file) in [
        ("root.crt", "server.crt"),
        ("root.crt", "server-rsa.crt"),
        ("root.crt", "server-wrong-host.crt"),
        ("root.crt", "server-iot-as.crt"),
        ("other-root.crt", "server-unknown-ca.crt"),
        ("device-ca.crt", "device.crt"),
        ("device-ca.crt", "device-ec.crt"),
        ("device-ca.crt", "device-2.crt"),
    ] {
        let (ok, error) = verify(ca, file);
        assert!(ok, "{file}: {error}");
    }
    for (ca, file, reason) in [
        ("root.crt", "server-expired.crt", "has expired"),
        ("root.crt", "server-not-yet.crt", "not yet valid"),
        (
            "root.crt",
            "server-unknown-ca.crt",
            "unable to get local issuer",
        ),
        ("device-ca.crt", "device-expired.crt", "has expired"),
        (
            "device-ca.crt",
            "device-unknown-ca.crt",
            "unable to get local issuer",
        ),
    ] {
        let (ok, error) = verify(ca, file);
        assert!(!ok && error.contains(reason), "{file}: {error}");
    }
}

#[test]
fn openssl_agrees_about_revocation() {
    let verify = |file: &str, lists: &[&str]| {
        let path = |name: &str| pki().join(name);
        let mut command = Command::new("openssl");
        command.args(["verify", "-crl_check_all", "-CAfile"]);
        command.arg(path("root.crt"));
        command.arg("-untrusted").arg(path(file));
        for list in lists {
            command.arg("-CRLfile").arg(path(list));
        }
        let output = command.arg(path(file)).output().expect("openssl");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), error)
    };
    let (ok, error) = verify("server.crt", &["server.crl", "intermediate.crl"]);
    assert!(ok, "{error}");
    for (file, lists, reason) in [
        (
            "server-revoked.crt",
            ["server.crl", "intermediate.crl"],
            "certificate revoked",
        ),
        (
            "server.crt",
            ["server-stale.crl", "intermediate.crl"],
            "CRL has expired",
        ),
        (
            "server.crt",
            ["server.crl", "intermediate-revoked.crl"],
            "certificate revoked",
        ),
        (
            "server.crt",
            ["server.crl", "server.crl"],
            "unable to get certificate CRL",
        ),
    ] {
        let (ok, error) = verify(file, &lists);
        assert!(!ok && error.contains(reason), "{file} {lists:?}: {error}");
    }
}

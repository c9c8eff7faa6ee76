//! CAs of the user's own: registration with proof, association files, connections.

use std::path::PathBuf;

use iotx_platform::control::execute;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::BasicConstraints;
use openssl::x509::{X509, X509Name};
use serde_json::json;

use crate::support::*;

/// The certificate file of a device of the PKI's own private CA, and its serial number from the name.
fn file_of(device: &str) -> (PathBuf, String) {
    let prefix = format!("a1PrivateCa_{device}_");
    let found = std::fs::read_dir(pki().join("private")).expect("folder");
    let path = found
        .map(|entry| entry.expect("entry").path())
        .find(|path| {
            let name = path.file_name().expect("name").to_string_lossy();
            name.starts_with(&prefix) && name.ends_with(".cer")
        })
        .expect("certificate");
    let stem = path.file_stem().expect("stem").to_string_lossy();
    let serial = stem[prefix.len()..].to_owned();
    (path, serial)
}

fn connect_as(running: &Running, cert: &str, key: &str) -> (Client, u8) {
    let device = TlsClient {
        cert: Some((cert, key)),
        ..TlsClient::default()
    };
    let mut client = device
        .dial(running.addresses.tls.expect("TLS"))
        .expect("handshake");
    let (_, code) = client.connect(&x509_connect(true));
    (client, code)
}

#[test]
fn devices_of_the_pki_are_known_by_serial_number() {
    let running = Running::start(tls_options());
    for (device, code) in [("private-1", 0), ("private-2", 0), ("private-ec", 5)] {
        let (cert, serial) = file_of(device);
        let x509 = X509::from_pem(&std::fs::read(&cert).expect("file")).expect("PEM");
        let own = x509.serial_number().to_bn().expect("number");
        assert_eq!(own.to_hex_str().expect("hex").to_string(), serial);
        let key = cert.with_extension("key");
        let text = std::fs::read_to_string(&key).expect("key");
        assert_eq!(
            text.starts_with("-----BEGIN RSA PRIVATE KEY-----"),
            code == 0
        );
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let (mut client, got) = connect_as(&running, &path(&cert), &path(&key));
        assert_eq!(got, code, "{device}");
        if code == 0 {
            let (_, topic, _, payload) = client.publish();
            assert_eq!(topic, "/ext/auth/identity/response");
            let identity: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
            assert_eq!(identity["deviceName"], device);
        }
    }
    let refused = running.event("connect", |event| event["accepted"] == false);
    let reason = refused["reason"].as_str().expect("reason");
    assert!(reason.contains("RSA"), "{reason}");
}

fn key() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2048).expect("RSA")).expect("key")
}

/// A certificate for `name`, signed by the key of `issuer`.
fn make(
    name: &str,
    key: &PKey<Private>,
    issuer: (&str, &PKey<Private>),
    serial: u32,
    ca: bool,
) -> X509 {
    let named = |text: &str| {
        let mut name = X509Name::builder().expect("name");
        name.append_entry_by_text("CN", text).expect("CN");
        name.build()
    };
    let mut made = X509::builder().expect("certificate");
    made.set_version(2).expect("v3");
    let serial = BigNum::from_u32(serial).and_then(|number| number.to_asn1_integer());
    made.set_serial_number(&serial.expect("serial"))
        .expect("serial");
    made.set_subject_name(&named(name)).expect("subject");
    made.set_issuer_name(&named(issuer.0)).expect("issuer");
    made.set_pubkey(key).expect("key");
    let from = Asn1Time::from_unix(1_700_000_000).expect("time");
    let to = Asn1Time::days_from_now(30).expect("time");
    made.set_not_before(&from).expect("time");
    made.set_not_after(&to).expect("time");
    if ca {
        let constraints = BasicConstraints::new().critical().ca().build();
        made.append_extension(constraints.expect("extension"))
            .expect("extension");
    }
    made.sign(issuer.1, MessageDigest::sha256())
        .expect("signature");
    made.build()
}

fn pem(certificate: &X509) -> String {
    String::from_utf8(certificate.to_pem().expect("PEM")).expect("text")
}

#[test]
fn a_ca_is_registered_with_proof_and_its_certificates_by_file() {
    let running = Running::start(tls_options());
    let (ca_key, device_key) = (key(), key());
    let ca = make("Own CA", &ca_key, ("Own CA", &ca_key), 1, true);
    let code = running.control(json!({"cmd": "registration-code"}))["code"].clone();
    let code = code.as_str().expect("code");
    let register = |name: &str, ca: &X509, proof: &X509| {
        let command =
            json!({"cmd": "register-ca", "name": name, "ca": pem(ca), "verification": pem(proof)});
        execute(&running.platform, &command).map(|_| ())
    };
    let error = |result: Result<(), String>| result.expect_err("refused");
    let proof = make(code, &device_key, ("Own CA", &ca_key), 2, false);
    let wrong_code = make("0123", &device_key, ("Own CA", &ca_key), 3, false);
    let wrong_signer = make(code, &device_key, ("Own CA", &device_key), 4, false);
    assert!(error(register("own_ca", &ca, &wrong_code)).contains("registration code"));
    assert!(error(register("own_ca", &ca, &wrong_signer)).contains("not signed"));
    assert!(error(register("own", &ca, &proof)).contains("4 to 30"));
    assert!(error(register("own ca", &ca, &proof)).contains("4 to 30"));
    let no_ca = make("Own CA", &ca_key, ("Own CA", &ca_key), 1, false);
    assert!(error(register("own_ca", &no_ca, &proof)).contains("not that of a CA"));
    register("own_ca", &ca, &proof).expect("registered");
    assert!(error(register("own_ca", &ca, &proof)).contains("already"));
    assert!(error(register("other_ca", &ca, &proof)).contains("already"));

    let associate = |name: &str, csv: &str| {
        execute(
            &running.platform,
            &json!({"cmd": "associate", "name": name, "csv": csv}),
        )
    };
    let head = "ProductKey,DeviceName,CertSN\r\n";
    for (csv, reason) in [
        ("a,b,c\n".to_owned(), "first line"),
        (format!("{head}a1PrivateCa,private-1\n"), "three fields"),
        (format!("{head}a1PrivateCa,private-1,xyz\n"), "hexadecimal"),
        (format!("{head}a1PrivateCa,nobody,AB\n"), "no device"),
        (
            format!("{head}a1PrivateCa,private-1,AB\na1MZxOdcBnO,example1,AC\n"),
            "same product",
        ),
        (
            format!("{head}a1PrivateCa,private-1,AB\na1PrivateCa,private-2,0ab\n"),
            "already",
        ),
        (
            format!("{head}a1PrivateCa,private-1,{}\n", file_of("private-2").1),
            "already",
        ),
        (
            format!("{head}{}", "a1PrivateCa,private-1,AB\n".repeat(10_001)),
            "10000 rows",
        ),
    ] {
        let error = associate("own_ca", &csv).expect_err(reason);
        assert!(error.contains(reason), "{error}");
    }
    let good = format!("\u{feff}{head}\"a1PrivateCa\",private-1,00beef\r\n");
    assert!(associate("no_ca", &good).is_err());

    // Nothing of the refused files was kept.
    let folder = scratch("own-ca");
    let device = make("anything", &device_key, ("Own CA", &ca_key), 0xBEEF, false);
    let (cert, key_file) = (folder.join("d.cer"), folder.join("d.key"));
    std::fs::write(&cert, pem(&device)).expect("file");
    let key_pem = device_key.private_key_to_pem_pkcs8().expect("PEM");
    std::fs::write(&key_file, key_pem).expect("file");
    let (cert, key_file) = (cert.to_string_lossy(), key_file.to_string_lossy());
    assert_eq!(connect_as(&running, &cert, &key_file).1, 5);
    assert_eq!(
        associate("own_ca", &good).expect("associated")["associated"],
        1
    );
    let (mut client, code) = connect_as(&running, &cert, &key_file);
    assert_eq!(code, 0);
    assert!(String::from_utf8_lossy(&client.publish().3).contains("private-1"));
}

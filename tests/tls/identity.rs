//! The client certificate: `g_cli_crt` and `g_cli_key`.

use iotx::hal::diagnostics::Stage;
use iotx::hal::tls::{Purpose, with_purpose};

use crate::hal;
use crate::peer::Server;
use crate::pki::pki;

/// A server that refuses clients without a certificate of our root, and sends lines back.
fn demanding() -> Server {
    let root = pki().path("root.pem");
    Server::start(
        "server",
        "rsa.key",
        &[
            "-rev",
            "-Verify",
            "2",
            "-verify_return_error",
            "-CAfile",
            &root,
        ],
    )
}

fn connect(server: &Server, certificate: &str, key: &str) -> Result<hal::Session, String> {
    let root = pki().read("root.pem");
    let session = hal::establish_as(Some(certificate), Some(key), server.port, &root);
    session.map_err(|failure| failure.to_string())
}

#[test]
fn every_usual_key_format_works() {
    let p = pki();
    for (certificate, key) in [
        ("device.pem", "rsa.key"),
        ("device.pem", "rsa-pkcs8.key"),
        ("device-ec.pem", "ec.key"),
    ] {
        let (certificate, key_text) = (p.read(certificate), p.read(key));
        if key == "rsa.key" {
            assert!(key_text.contains("BEGIN RSA PRIVATE KEY"), "not PKCS#1");
        }
        for crlf in [false, true] {
            let convert = |text: &str| {
                if crlf {
                    text.replace('\n', "\r\n")
                } else {
                    text.to_owned()
                }
            };
            let server = demanding();
            let session = connect(&server, &convert(&certificate), &convert(&key_text));
            let session = session.unwrap_or_else(|e| panic!("{key}, CRLF {crlf}: {e}"));
            assert_eq!(session.write(b"abc\n", 1000), 4);
            let mut buf = [0; 4];
            assert_eq!(session.read(&mut buf, 2000), 4);
            assert_eq!(&buf, b"cba\n");
        }
    }
}

#[test]
fn a_chain_is_sent_whole() {
    let server = demanding();
    let chain = pki().read("device.pem") + &pki().read("root.pem");
    connect(&server, &chain, &pki().read("rsa.key")).expect("session");
}

#[test]
fn no_identity_is_no_certificate() {
    let server = Server::good();
    for nothing in [None, Some("")] {
        hal::establish_as(nothing, nothing, server.port, &pki().read("root.pem")).expect("session");
    }
}

#[test]
fn server_that_does_not_ask_gets_no_certificate() {
    let mut server = Server::start("server", "rsa.key", &["-state"]);
    let session = connect(&server, &pki().read("device.pem"), &pki().read("rsa.key")).unwrap();
    assert_eq!(session.write(b"end of hello\n", 1000), 13);
    let printed = server.wait_for("end of hello");
    assert!(!printed.contains("Client certificate"), "{printed}");
}

#[test]
fn server_that_demands_one_refuses_us_without() {
    let server = demanding();
    let failure =
        hal::establish_as(None, None, server.port, &pki().read("root.pem")).expect_err("refused");
    assert_eq!(failure.stage, Stage::TlsHandshake);
    assert!(
        failure.text.contains("does it want a client certificate?"),
        "{failure}"
    );
}

#[test]
fn certificate_the_server_does_not_know_is_refused_by_name_of_the_alert() {
    let server = demanding();
    let failure = connect(
        &server,
        &pki().read("selfsigned.pem"),
        &pki().read("rsa.key"),
    );
    let text = failure.expect_err("refused");
    assert!(text.contains("server refused the handshake: "), "{text}");
    assert!(
        text.contains("(is the device certificate registered?)"),
        "{text}"
    );
}

#[test]
fn https_endpoints_get_no_certificate() {
    let server = demanding();
    let failure = with_purpose(Purpose::Https, || {
        connect(&server, &pki().read("device.pem"), &pki().read("rsa.key"))
    });
    assert!(
        failure
            .expect_err("refused")
            .contains("client certificate?")
    );
    let server = demanding();
    connect(&server, &pki().read("device.pem"), &pki().read("rsa.key")).expect("MQTT again");
}

#[test]
fn unusable_identities_do_not_connect() {
    let p = pki();
    let (certificate, key) = (p.read("device.pem"), p.read("rsa.key"));
    let broken = certificate.replace("MII", "AII");
    let half_chain = certificate.clone() + &broken;
    let locked = p.read("rsa-locked.key");
    let other = p.read("other-rsa.key");
    let ec = p.read("ec.key");
    let cut = &key[..key.len() / 2];
    let cases = [
        (Some(&*certificate), None, "without a private key"),
        (Some(&*certificate), Some(""), "without a private key"),
        (Some(&*certificate), Some("\n"), "without a private key"),
        (None, Some(&*key), "without a client certificate"),
        (
            Some(&*certificate),
            Some(&*other),
            "does not belong to the client certificate",
        ),
        (
            Some(&*certificate),
            Some(&*ec),
            "does not belong to the client certificate",
        ),
        (
            Some(&*certificate),
            Some("nonsense"),
            "not a readable PEM private key",
        ),
        (
            Some(&*certificate),
            Some(cut),
            "not a readable PEM private key",
        ),
        (
            Some(&*certificate),
            Some(&*certificate),
            "not a readable PEM private key",
        ),
        (Some(&*certificate), Some(&*locked), "encrypted"),
        (
            Some("nonsense"),
            Some(&*key),
            "client certificate is not a PEM certificate",
        ),
        (
            Some(&*broken),
            Some(&*key),
            "client certificate is unreadable",
        ),
        (Some(&*half_chain), Some(&*key), "unreadable entry"),
    ];
    for (certificate, key, wanted) in cases {
        // Nothing listens on port 1: a connect would give another reason.
        let failure = hal::establish_as(certificate, key, 1, &p.read("root.pem"));
        let failure = failure.expect_err("refused");
        assert_eq!(failure.stage, Stage::TlsConfig, "{wanted}: {failure}");
        assert!(
            failure.text.contains(wanted),
            "{wanted:?} is not in: {failure}"
        );
        assert!(
            !failure.text.contains("MII"),
            "key or certificate in the text: {failure}"
        );
    }
}

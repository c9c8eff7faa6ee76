//! Verification of the server: what is accepted, what is refused, and with which words.

use iotx::hal::diagnostics::{Failure, Stage};
use iotx::hal::tls::{self, Options, ServerName};

use crate::hal;
use crate::peer::Server;
use crate::pki::pki;

/// Connects to a server with `{certificate}.pem` and returns why it was refused.
fn refused(host: &str, certificate: &str, key: &str) -> Failure {
    let server = Server::start(certificate, key, &[]);
    let result = hal::establish(host, server.port, &pki().read("root.pem"));
    result.expect_err("the server must be refused")
}

fn options(host: &str, port: u16) -> Options {
    let name = ServerName::parse(host).expect("host name");
    Options::new(name, port, pki().read("root.pem").into_bytes())
}

#[track_caller]
fn assert_verify(failure: &Failure, parts: &[&str]) {
    assert_eq!(failure.stage, Stage::TlsVerify, "{failure}");
    for part in parts {
        assert!(failure.text.contains(part), "{part:?} is not in: {failure}");
    }
}

/// Which of the two comes first depends on the instructions of the processor.
fn is_first_choice(suite: &str, exchange: &str) -> bool {
    ["CHACHA20-POLY1305-SHA256", "AES-128-GCM-SHA256"]
        .iter()
        .any(|cipher| suite == format!("TLS-{exchange}-WITH-{cipher}"))
}

#[test]
fn rsa_server_is_accepted_with_a_modern_suite() {
    let server = Server::good();
    let session = hal::establish("localhost", server.port, &pki().read("root.pem")).unwrap();
    let info = tls::lookup(session.0).expect("open handle").info();
    assert_eq!(info.version, "TLSv1.2");
    assert!(is_first_choice(&info.suite, "ECDHE-RSA"), "{}", info.suite);
    assert_eq!(info.server_name, "localhost");
}

#[test]
fn ecdsa_server_is_accepted() {
    let server = Server::start("server-ec", "ec.key", &[]);
    let session = hal::establish("localhost", server.port, &pki().read("root.pem")).unwrap();
    let info = tls::lookup(session.0).expect("open handle").info();
    assert!(
        is_first_choice(&info.suite, "ECDHE-ECDSA"),
        "{}",
        info.suite
    );
}

#[test]
fn server_name_goes_out_as_sni() {
    // The server switches to its second certificate for the name it is told.
    let second = [
        "-servername",
        "localhost",
        "-cert2",
        &pki().path("server-ec.pem"),
        "-key2",
        &pki().path("ec.key"),
    ];
    let server = Server::start("elsewhere", "rsa.key", &second);
    hal::establish("localhost.", server.port, &pki().read("root.pem")).expect("session");
}

#[test]
fn addresses_are_not_sent_as_sni() {
    let mut server = Server::start("server", "rsa.key", &["-tlsextdebug"]);
    let session = hal::establish("127.0.0.1", server.port, &pki().read("root.pem")).unwrap();
    assert_eq!(session.write(b"end of hello\n", 1000), 13);
    let printed = server.wait_for("end of hello");
    assert!(printed.contains("TLS client extension"), "{printed}");
    assert!(!printed.contains("server name"), "{printed}");
}

#[test]
fn expired_certificate_is_refused_with_its_date() {
    let failure = refused("localhost", "expired", "rsa.key");
    assert_verify(
        &failure,
        &["server certificate expired 2024-01-31 (CN=localhost)"],
    );
    assert!(failure.text.len() <= 63, "{failure}");
}

#[test]
fn certificate_of_the_future_is_refused_with_its_date() {
    let failure = refused("localhost", "future", "rsa.key");
    assert_verify(
        &failure,
        &["server certificate not yet valid before 2048-01-01"],
    );
}

#[test]
fn certificate_for_another_host_is_refused() {
    let failure = refused("localhost", "elsewhere", "rsa.key");
    assert_verify(
        &failure,
        &["server certificate not valid for host localhost"],
    );
}

#[test]
fn every_fault_is_judged_when_there_are_several() {
    let failure = refused("localhost", "expired-elsewhere", "rsa.key");
    assert_verify(&failure, &["expired"]);
}

#[test]
fn certificate_of_an_unknown_authority_is_refused() {
    let failure = refused("localhost", "strange", "rsa.key");
    assert_verify(
        &failure,
        &["server certificate issued by an unknown CA (CN=Other Root)"],
    );
    assert!(failure.text.len() <= 63, "{failure}");
}

#[test]
fn self_signed_certificate_is_refused() {
    let failure = refused("localhost", "selfsigned", "rsa.key");
    assert_verify(
        &failure,
        &["server certificate is self-signed (CN=localhost)"],
    );
}

#[test]
fn weak_key_and_wrong_usage_are_refused() {
    let server = Server::start("weak", "weak.key", &["-cipher", "DEFAULT:@SECLEVEL=0"]);
    let result = hal::establish("localhost", server.port, &pki().read("root.pem"));
    assert_verify(&result.unwrap_err(), &["key that is too weak"]);
    assert_verify(
        &refused("localhost", "for-clients", "rsa.key"),
        &["not for TLS servers"],
    );
}

#[test]
fn address_must_be_an_address_of_the_certificate() {
    let server = Server::good();
    hal::establish("127.0.0.1", server.port, &pki().read("root.pem")).expect("session");
    let failure = refused("127.0.0.1", "elsewhere", "rsa.key");
    assert_verify(&failure, &["not valid for host 127.0.0.1"]);
    // Neither the common name nor a dNSName with the digits counts (RFC 2818 §3.1).
    let failure = refused("127.0.0.1", "cn-address", "rsa.key");
    assert_verify(&failure, &["not valid for host 127.0.0.1"]);
}

#[test]
fn root_among_several_is_found() {
    let server = Server::good();
    let bundle =
        pki().read("stranger.pem") + "\r\n" + &pki().read("root.pem").replace('\n', "\r\n");
    hal::establish("localhost", server.port, &bundle).expect("session");
}

#[test]
fn platform_name_counts_for_the_private_root_and_its_hosts_only() {
    // The rule itself is tested where it is written; this is its place in a handshake.
    let server = Server::start("platform", "rsa.key", &[]);
    let failure = tls::connect(&options("localhost", server.port))
        .err()
        .expect("refused");
    assert_verify(&failure, &["not valid for host localhost"]);
}

#[test]
fn hosts_that_cannot_be_verified_do_not_connect() {
    for host in ["", "*.aliyuncs.com", "local host", "localhost/", "a..b"] {
        let failure = hal::establish(host, 1, &pki().read("root.pem")).expect_err("refused");
        assert_eq!(failure.stage, Stage::TlsConfig, "{host:?}: {failure}");
        assert!(failure.text.contains("host name"), "{failure}");
    }
}

#[test]
fn unusable_authorities_do_not_connect() {
    for ca in [
        "",
        "no certificate",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let failure = hal::establish("localhost", 1, ca).expect_err("refused");
        assert_eq!(failure.stage, Stage::TlsConfig, "{ca:?}: {failure}");
        assert!(failure.text.contains("CA "), "{failure}");
    }
}

#[test]
fn bundled_roots_are_the_five_and_usable() {
    // SAFETY: the symbol is our own default here: a NUL-terminated constant.
    let text = unsafe { std::ffi::CStr::from_ptr(hal::iotx_ca_crt) };
    let text = text.to_str().expect("PEM");
    assert_eq!(text, tls::roots::BUNDLE);
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 5);
    // A server of ours is unknown to them, which is decided after all of them are loaded.
    let server = Server::good();
    let failure = hal::establish("localhost", server.port, text).expect_err("refused");
    assert_verify(&failure, &["unknown CA (CN=Test Root)"]);
}

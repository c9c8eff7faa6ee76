//! Keys that sign outside the library: the `openssl` command has them.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use iotx::hal::tls::{
    self, CallbackIdentity, CallbackKey, Credentials, Options, ServerName, SignHash, Signer,
};

use crate::peer::Server;
use crate::pki::pki;

/// Signs `digest` with a key of the PKI.
fn sign(key: &str, hash: SignHash, digest: &[u8]) -> Vec<u8> {
    let hash = match hash {
        SignHash::Sha256 => "digest:sha256",
        SignHash::Sha384 => "digest:sha384",
    };
    let mut child = Command::new("openssl")
        .args(["pkeyutl", "-sign", "-inkey", &pki().path(key)])
        .args(["-pkeyopt", hash])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl");
    let mut stdin = child.stdin.take().expect("stdin");
    stdin.write_all(digest).expect("digest");
    drop(stdin);
    let output = child.wait_with_output().expect("openssl");
    assert!(output.status.success());
    output.stdout
}

fn options(port: u16, certificate: &str, signer: Signer) -> Options {
    Options {
        credentials: Arc::new(Credentials::Callback(CallbackIdentity {
            certificate_pem: pki().read(certificate).into_bytes(),
            key: CallbackKey::Outside(signer),
        })),
        ..Options::new(
            ServerName::parse("localhost").expect("name"),
            port,
            pki().read("root.pem").into_bytes(),
        )
    }
}

#[test]
fn a_key_outside_signs_and_everything_is_given_back() {
    let root = pki().path("root.pem");
    let extra = ["-Verify", "2", "-CAfile", &root, "-verify_return_error"];
    for (certificate, key) in [("device.pem", "rsa.key"), ("device-ec.pem", "ec.key")] {
        let server = Server::start("server", "rsa.key", &extra);
        let calls = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&calls);
        let signer = Signer::new(move |hash, digest, signature| {
            seen.fetch_add(1, Ordering::Relaxed);
            let made = sign(key, hash, digest);
            signature[..made.len()].copy_from_slice(&made);
            Ok(made.len())
        });
        let options = options(server.port, certificate, signer);
        for round in 1..=3 {
            let session = tls::connect(&options).unwrap_or_else(|failure| panic!("{failure}"));
            assert_eq!(calls.load(Ordering::Relaxed), round);
            session.close();
        }
        drop(options);
        assert_eq!(
            Arc::strong_count(&calls),
            1,
            "the signer is gone with its users"
        );
    }
}

#[test]
fn a_signer_that_fails_or_panics_fails_the_handshake_only() {
    let root = pki().path("root.pem");
    let server = Server::start("server", "rsa.key", &["-Verify", "2", "-CAfile", &root]);
    let other = |hash, digest: &[u8], signature: &mut [u8]| {
        let made = sign("other-rsa.key", hash, digest);
        signature[..made.len()].copy_from_slice(&made);
        Ok(made.len())
    };
    let cases: [(Signer, &str); 4] = [
        (Signer::new(|_, _, _| Err(-7)), "failed (-7)"),
        (Signer::new(|_, _, _| Ok(usize::MAX)), "bytes; 1 to 1024"),
        (Signer::new(|_, _, _| panic!("on purpose")), "panicked"),
        (Signer::new(other), "does not fit the client certificate"),
    ];
    for (signer, text) in cases {
        let failure = match tls::connect(&options(server.port, "device.pem", signer)) {
            Ok(_) => panic!("connected: {text}"),
            Err(failure) => failure,
        };
        assert!(failure.text.contains(text), "{failure}");
    }
}

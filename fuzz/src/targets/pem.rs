//! PEM: trust anchors, client certificate and key, as a connection takes them. What is readable gets as far
//! as the network, which is not there; everything else is refused before.

use std::sync::Arc;

use iotx::hal::diagnostics::Stage;
use iotx::hal::tls::{self, Credentials, Identity, Options, ServerName};
use zeroize::Zeroizing;

use super::super::input::Input;
use super::super::port;

pub fn run(data: &[u8]) {
    let _port = port::use_alone();
    let mut input = Input::new(data);
    let with_identity = input.below(2) == 1;
    let mut parts = input.rest().split(|byte| *byte == 0xff);
    let mut part = || parts.next().unwrap_or_default().to_vec();
    let mut options = Options::new(
        ServerName::parse("fuzz.example.com").expect("a name"),
        8883,
        part(),
    );
    if with_identity {
        options.credentials = Arc::new(Credentials::Certificate(Identity {
            certificate_pem: part(),
            key_pem: Zeroizing::new(part()),
            key_password: None,
        }));
    }
    let failure = match tls::connect(&options) {
        Ok(_) => panic!("there is no network"),
        Err(failure) => failure,
    };
    assert_eq!(
        port::connects() > 0,
        failure.stage == Stage::Connect,
        "{failure:?}"
    );
    let begin = b"-----BEGIN CERTIFICATE-----";
    let has_certificate = options
        .ca_pem
        .windows(begin.len())
        .any(|window| window == begin);
    assert!(has_certificate || failure.stage == Stage::TlsConfig);
    if let Credentials::Certificate(identity) = &*options.credentials {
        // Lines of Base64; a shorter word or one with blanks may as well be one of ours.
        let key = String::from_utf8_lossy(&identity.key_pem).into_owned();
        let told = key
            .split_ascii_whitespace()
            .any(|line| line.len() >= 40 && failure.text.contains(line));
        assert!(!told, "the reason holds the key");
    }
}

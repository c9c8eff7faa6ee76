//! The client identity an application defines in `g_cli_crt` and `g_cli_key` (spec hal.md §5).

use super::{Credentials, Identity};
use crate::hal::diagnostics::{Failure, Stage};
use crate::hal::seam;

/// Longest PEM text taken from them.
const MAX_PEM: usize = 256 * 1024;

impl Credentials {
    /// Certificate and key as they are now; none when the application defines neither.
    ///
    /// An application that changes them does so between its own connects. A key alone is a
    /// failure, an empty key is reported where the pair is loaded.
    pub fn of_application() -> Result<Credentials, Failure> {
        let failure = |text: &str| Err(Failure::new(Stage::TlsConfig, text));
        let certificate = seam::client_certificate();
        let key = seam::client_key();
        if certificate.as_ref().is_some_and(|pem| pem.len() > MAX_PEM) {
            return failure("client certificate (g_cli_crt) is too long");
        }
        if key.as_ref().is_some_and(|pem| pem.len() > MAX_PEM) {
            return failure("client key (g_cli_key) is too long");
        }
        // The terminators are no part of the texts.
        let text = |pem: &[u8]| {
            pem.split(|byte| *byte == 0)
                .next()
                .unwrap_or_default()
                .to_vec()
        };
        match (certificate, key) {
            (None, None) => Ok(Credentials::None),
            (None, Some(_)) => failure("client key without a client certificate"),
            (Some(certificate), key) => Ok(Credentials::Certificate(Identity {
                certificate_pem: text(&certificate),
                key_pem: key.map(|key| text(&key)).unwrap_or_default().into(),
                key_password: None,
            })),
        }
    }
}

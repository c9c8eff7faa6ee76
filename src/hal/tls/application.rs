//! The client identity an application defines in `g_cli_crt` and `g_cli_key` (spec hal.md §5).

use std::sync::Mutex;

use super::callbacks::{CallbackIdentity, CallbackKey, PasswordSource, Signer};
use super::{Credentials, Identity, lock};
use zeroize::Zeroizing;

use crate::hal::diagnostics::{Failure, Stage};
use crate::hal::seam;

/// Longest PEM text taken from them.
const MAX_PEM: usize = 256 * 1024;

static PASSWORD: Mutex<Option<PasswordSource>> = Mutex::new(None);
static SIGNER: Mutex<Option<Signer>> = Mutex::new(None);

/// Sets who tells the password of an encrypted `g_cli_key`, for connections made from now on.
pub fn set_key_password(source: Option<PasswordSource>) {
    *lock(&PASSWORD) = source;
}

/// Sets who signs for `g_cli_crt` when there is no `g_cli_key`, for connections made from now on.
pub fn set_signer(signer: Option<Signer>) {
    *lock(&SIGNER) = signer;
}

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
            (Some(certificate), key) => {
                let certificate_pem = text(&certificate);
                let key_pem = Zeroizing::new(key.map(|key| text(&key)).unwrap_or_default());
                let signer = lock(&SIGNER).clone();
                let password = lock(&PASSWORD).clone();
                let key = match (signer, password) {
                    (Some(signer), _) if key_pem.is_empty() => CallbackKey::Outside(signer),
                    (_, Some(password)) => CallbackKey::Pem(key_pem, password),
                    (_, None) => {
                        return Ok(Credentials::Certificate(Identity {
                            certificate_pem,
                            key_pem,
                            key_password: None,
                        }));
                    }
                };
                Ok(Credentials::Callback(CallbackIdentity {
                    certificate_pem,
                    key,
                }))
            }
        }
    }
}

//! What a client shows to a server: a certificate with its key, or a pre-shared key.

use std::fmt;

use zeroize::Zeroizing;

use super::callbacks::CallbackIdentity;

/// Longest pre-shared key, bytes: RFC 4279 §5.3 asks for 64, and the platform's keys have them.
pub const PSK_MAX: usize = 64;
/// Longest pre-shared key identity, bytes (RFC 4279 §5.3 asks for at least 128).
pub const PSK_IDENTITY_MAX: usize = 256;

/// A client certificate chain with its key, both PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate, followed by intermediates if any.
    pub certificate_pem: Vec<u8>,
    /// The private key: PKCS#1, PKCS#8 or SEC 1, RSA or EC. Wiped when dropped.
    pub key_pem: Zeroizing<Vec<u8>>,
    /// Opens an encrypted key; `None` for a key that is not. Wiped when dropped.
    pub key_password: Option<Zeroizing<Vec<u8>>>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(***)")
    }
}

/// A pre-shared key (RFC 4279).
#[derive(Clone)]
pub struct PreSharedKey {
    /// Tells the server which key; sent in the clear.
    pub identity: String,
    /// 1 to [`PSK_MAX`] bytes, wiped when dropped.
    pub key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for PreSharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PreSharedKey(***)")
    }
}

/// How one client signs in to a TLS server.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// It shows nothing; the server's certificate is verified.
    #[default]
    None,
    /// A certificate for servers that ask for one; the server's own is verified.
    Certificate(Identity),
    /// The same with a key that needs the application.
    Callback(CallbackIdentity),
    /// Both ends prove that they know the key; there are no certificates.
    PreSharedKey(PreSharedKey),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let key = PreSharedKey {
            identity: "me".into(),
            key: Zeroizing::new(b"secret".to_vec()),
        };
        let text = format!("{:?}", Credentials::PreSharedKey(key));
        assert_eq!(text, "PreSharedKey(PreSharedKey(***))");
        let identity = Identity {
            certificate_pem: Vec::new(),
            key_pem: Zeroizing::new(b"secret".to_vec()),
            key_password: None,
        };
        let text = format!("{:?}", Credentials::Certificate(identity));
        assert_eq!(text, "Certificate(Identity(***))");
    }
}

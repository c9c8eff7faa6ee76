//! Material of a client that the application keeps to itself until it is needed: the password of an
//! encrypted key, and signatures of a key that the library never sees.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// Longest password of a key, bytes.
pub const PASSWORD_MAX: usize = 1024;
/// Room for one signature, bytes: twice what RSA with 4096 bits needs.
pub const SIGNATURE_MAX: usize = 1024;

type Ask = dyn Fn(&mut [u8]) -> i32 + Send + Sync;

/// Tells the password of a key whenever the key is opened.
#[derive(Clone)]
pub struct PasswordSource(Arc<Ask>);

impl PasswordSource {
    /// `ask` writes the password into its buffer and returns its length, or a negative number when
    /// it has none. It is called on the thread that connects, without a lock held.
    pub fn new(ask: impl Fn(&mut [u8]) -> i32 + Send + Sync + 'static) -> Self {
        PasswordSource(Arc::new(ask))
    }

    /// The password, wiped when dropped; otherwise why there is none.
    pub(super) fn ask(&self) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        let mut buffer = Zeroizing::new(vec![0; PASSWORD_MAX]);
        match usize::try_from((self.0)(&mut buffer)) {
            Ok(0) => Err("the password callback gave an empty password"),
            Ok(length) if length <= PASSWORD_MAX => {
                buffer.truncate(length);
                Ok(buffer)
            }
            Ok(_) => Err("the password callback returned a length beyond its buffer"),
            Err(_) => Err("the password callback gave no password"),
        }
    }
}

/// The hash a signature is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignHash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
}

type Sign = dyn Fn(SignHash, &[u8], &mut [u8]) -> Result<usize, i32> + Send + Sync;

/// Signs with a key that stays outside the library, e.g. in a secure element.
#[derive(Clone)]
pub struct Signer(Arc<Sign>);

impl Signer {
    /// `sign` gets the hash, the digest and room for the signature, and returns its size or a code of
    /// its own. It is called on the thread that connects, without a lock held.
    pub fn new(
        sign: impl Fn(SignHash, &[u8], &mut [u8]) -> Result<usize, i32> + Send + Sync + 'static,
    ) -> Self {
        Signer(Arc::new(sign))
    }

    pub(super) fn sign(
        &self,
        hash: SignHash,
        digest: &[u8],
        signature: &mut [u8],
    ) -> Result<usize, i32> {
        (self.0)(hash, digest, signature)
    }
}

/// How the key of a [`CallbackIdentity`] is used.
#[derive(Clone)]
pub enum CallbackKey {
    /// PEM, opened with a password if it is encrypted. The text is wiped when dropped.
    Pem(Zeroizing<Vec<u8>>, PasswordSource),
    /// Not here.
    Outside(Signer),
}

/// A client certificate chain whose key needs the application.
#[derive(Clone)]
pub struct CallbackIdentity {
    /// The certificate, PEM, followed by intermediates if any.
    pub certificate_pem: Vec<u8>,
    /// Its key.
    pub key: CallbackKey,
}

impl fmt::Debug for CallbackIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallbackIdentity(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_a_password_callback() {
        let ask = |answer: i32| {
            PasswordSource::new(move |buffer: &mut [u8]| {
                buffer[..2].copy_from_slice(b"pw");
                answer
            })
            .ask()
        };
        assert_eq!(ask(2).expect("password").as_slice(), b"pw");
        for (answer, wanted) in [
            (0, "empty"),
            (-1, "no password"),
            (1025, "beyond"),
            (i32::MAX, "beyond"),
        ] {
            assert!(
                ask(answer).expect_err("refused").contains(wanted),
                "{answer}"
            );
        }
    }
}

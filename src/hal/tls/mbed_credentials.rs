//! Loading of trust anchors and client identity from PEM.

use std::sync::Arc;

use mbedtls::alloc::List;
use mbedtls::error::{Error, codes};
use mbedtls::pk::Pk;
use mbedtls::x509::Certificate;
use zeroize::Zeroizing;

use super::callbacks::{CallbackIdentity, CallbackKey, PasswordSource};
use super::mbed_signer::{self, Refusal};
use super::{Credentials, Identity, PreSharedKey, crl};
use crate::hal::diagnostics::{Failure, Stage};

/// What one connection needs to judge the server and to sign in, loaded.
pub enum Loaded {
    /// Trust anchors with revocation lists, and the client's own certificate if it has one.
    Certificates(Trust, Option<ClientIdentity>),
    /// A pre-shared key: the server is trusted when it knows it too.
    PreSharedKey(PreSharedKey),
}

/// What the server's certificate is judged by.
pub struct Trust {
    /// The trust anchors.
    pub anchors: Arc<List<Certificate>>,
    /// Revocation lists, if any.
    pub lists: Option<crl::Lists>,
}

/// Loads `credentials`, and the trust anchors where the server is judged by its certificate.
pub fn load(ca_pem: &[u8], credentials: &Credentials) -> Result<Loaded, Failure> {
    let identity = match credentials {
        Credentials::PreSharedKey(key) => return Ok(Loaded::PreSharedKey(key.clone())),
        Credentials::None => None,
        Credentials::Certificate(identity) => Some(client_identity(identity)?),
        Credentials::Callback(identity) => Some(callback_identity(identity)?),
    };
    let trust = Trust {
        anchors: trust_anchors(ca_pem)?,
        lists: crl::load(ca_pem).map_err(bad)?,
    };
    Ok(Loaded::Certificates(trust, identity))
}

const BEGIN_CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// A client certificate chain and its private key, checked to belong together.
pub struct ClientIdentity {
    /// The chain, leaf first.
    pub chain: Arc<List<Certificate>>,
    /// The key of the leaf.
    pub key: Arc<Pk>,
    /// Where a key that signs outside leaves its reasons.
    pub refusal: Refusal,
}

fn bad(text: impl Into<String>) -> Failure {
    Failure::new(Stage::TlsConfig, text)
}

/// PEM text with exactly one NUL behind it, as the TLS library wants it.
fn terminated(pem: &[u8]) -> Zeroizing<Vec<u8>> {
    let end = pem.iter().position(|&byte| byte == 0).unwrap_or(pem.len());
    let mut text = Zeroizing::new(Vec::with_capacity(end + 1));
    text.extend_from_slice(&pem[..end]);
    text.push(0);
    text
}

/// Parses all certificates of `pem`; also returns how many of them were unreadable.
fn certificates(pem: &[u8], what: &str) -> Result<(List<Certificate>, usize), Failure> {
    let text = terminated(pem);
    let windows = text.windows(BEGIN_CERTIFICATE.len());
    let blocks = windows
        .filter(|window| *window == BEGIN_CERTIFICATE)
        .count();
    if blocks == 0 {
        return Err(bad(format!("{what} is not a PEM certificate")));
    }
    let list = Certificate::from_pem_multiple(&text)
        .map_err(|error| bad(format!("{what} is unreadable ({error})")))?;
    let read = list.iter().count();
    Ok((list, blocks.saturating_sub(read)))
}

/// Loads the trust anchors. One unreadable entry among good ones does not cut a device off; it
/// is left out with a warning.
pub fn trust_anchors(pem: &[u8]) -> Result<Arc<List<Certificate>>, Failure> {
    let (list, unreadable) = certificates(pem, "CA bundle")?;
    if unreadable > 0 {
        log::warn!("CA bundle: {unreadable} certificate(s) unreadable and left out");
    }
    Ok(Arc::new(list))
}

/// Loads a client identity and checks that the key is the one of the certificate.
pub fn client_identity(identity: &Identity) -> Result<ClientIdentity, Failure> {
    let chain = client_chain(&identity.certificate_pem)?;
    let password = identity.key_password.as_ref().map(|text| text.as_slice());
    let key = private_key(&identity.key_pem, password)?;
    paired(chain, key)
}

/// The same with a key that needs the application: its password is asked for only if it is
/// encrypted; one that is outside is first used in the handshake.
fn callback_identity(identity: &CallbackIdentity) -> Result<ClientIdentity, Failure> {
    let chain = client_chain(&identity.certificate_pem)?;
    match &identity.key {
        CallbackKey::Pem(pem, source) => {
            let key = unlocked_key(pem, source)?;
            paired(chain, key)
        }
        CallbackKey::Outside(signer) => {
            let refusal = Refusal::default();
            let key = mbed_signer::key(leaf(&chain)?, signer, &refusal).map_err(bad)?;
            Ok(ClientIdentity {
                chain: Arc::new(chain),
                key: Arc::new(key),
                refusal,
            })
        }
    }
}

fn client_chain(pem: &[u8]) -> Result<List<Certificate>, Failure> {
    let (chain, unreadable) = certificates(pem, "client certificate")?;
    if unreadable > 0 {
        return Err(bad("client certificate chain has an unreadable entry"));
    }
    Ok(chain)
}

fn leaf(chain: &List<Certificate>) -> Result<&Certificate, Failure> {
    let mut all = chain.iter();
    all.next()
        .map(|leaf| &**leaf)
        .ok_or_else(|| bad("client certificate is empty"))
}

fn paired(chain: List<Certificate>, key: Pk) -> Result<ClientIdentity, Failure> {
    if !Pk::check_pair(leaf(&chain)?.public_key(), &key) {
        return Err(bad("client key does not belong to the client certificate"));
    }
    Ok(ClientIdentity {
        chain: Arc::new(chain),
        key: Arc::new(key),
        refusal: Refusal::default(),
    })
}

fn is_locked(error: &Error) -> bool {
    matches!(
        error.high_level(),
        Some(codes::PkPasswordRequired | codes::PemPasswordRequired)
    )
}

fn is_encrypted(terminated_pem: &[u8]) -> bool {
    Pk::from_private_key(terminated_pem, None).is_err_and(|error| is_locked(&error))
}

fn unlocked_key(pem: &[u8], source: &PasswordSource) -> Result<Pk, Failure> {
    if is_encrypted(&terminated(pem)) {
        let password = source.ask().map_err(bad)?;
        return private_key(pem, Some(&password));
    }
    private_key(pem, None)
}

fn private_key(pem: &[u8], password: Option<&[u8]>) -> Result<Pk, Failure> {
    if pem
        .iter()
        .all(|&byte| byte == 0 || byte.is_ascii_whitespace())
    {
        return Err(bad("client certificate without a private key"));
    }
    let text = terminated(pem);
    Pk::from_private_key(&text, password).map_err(|error| match error.high_level() {
        _ if is_locked(&error) => bad("client key is encrypted and no password was given"),
        Some(codes::PkPasswordMismatch | codes::PemPasswordMismatch) => {
            bad("client key cannot be opened with its password")
        }
        // One wrong password in some hundred decrypts to what looks like a key for two bytes.
        _ if password.is_some() && is_encrypted(&text) => {
            bad("client key cannot be opened with its password")
        }
        // The code names a kind of fault, never content of the key.
        _ => bad(format!(
            "client key is not a readable PEM private key ({error})"
        )),
    })
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use mbedtls::error::codes;
    use mbedtls::pk::Pk;

    use super::{private_key, trust_anchors};
    use crate::hal::tls::roots::{ALIYUN_IOT_ROOT_SHA256, BUNDLE};

    #[test]
    fn bundled_roots_are_readable_and_the_private_one_is_the_one_named() {
        let roots = trust_anchors(BUNDLE.as_bytes()).expect("bundle");
        assert_eq!(roots.iter().count(), 5);
        let digests = roots
            .iter()
            .map(|root| <[u8; 32]>::from(Sha256::digest(root.as_der())));
        assert_eq!(
            digests
                .filter(|digest| *digest == ALIYUN_IOT_ROOT_SHA256)
                .count(),
            1
        );
    }

    #[test]
    fn one_unreadable_root_does_not_spoil_the_others() {
        let broken = "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n";
        let roots = trust_anchors((broken.to_owned() + BUNDLE).as_bytes()).expect("bundle");
        assert_eq!(roots.iter().count(), 5);
    }

    /// Made by `openssl ec -aes128`; the password is "right".
    const ENCRYPTED: &str = "\
-----BEGIN EC PRIVATE KEY-----\n\
Proc-Type: 4,ENCRYPTED\n\
DEK-Info: AES-128-CBC,5C034A2FDF65F98D03E5A44B0FDA4BB6\n\n\
u/+c6Cr+grMpaT6SJWwh5pEO9IzIo2vpBjGDG7MFN6A48l2t3mCyCqEuFSeL2xw8\n\
UK4+LXK+nv1jZxIy11ofcDDkHbdC1FMociwsHJAq/F7CM6neV/cKfpzmpkRubNPr\n\
YN3/yQBOh3I8bECukeIY+26OGwMiGfT0mHLCnI90t9Q=\n\
-----END EC PRIVATE KEY-----\n\
";

    #[test]
    fn every_wrong_password_is_told_as_one() {
        assert!(private_key(ENCRYPTED.as_bytes(), Some(b"right")).is_ok());
        let mut plausible = 0;
        for number in 0..4000 {
            let wrong = format!("wrong {number}");
            let Err(failure) = private_key(ENCRYPTED.as_bytes(), Some(wrong.as_bytes())) else {
                panic!("{wrong}");
            };
            assert!(
                failure.text.contains("with its password"),
                "{wrong}: {failure:?}"
            );
            let text = super::terminated(ENCRYPTED.as_bytes());
            let error = Pk::from_private_key(&text, Some(wrong.as_bytes())).err();
            let told = error.and_then(|error| error.high_level());
            let mismatch = [codes::PkPasswordMismatch, codes::PemPasswordMismatch];
            plausible += usize::from(!told.is_some_and(|told| mismatch.contains(&told)));
        }
        assert!(plausible > 0, "one of them looks right at first");
    }
}

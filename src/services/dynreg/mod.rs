//! Dynamic registration: a device that knows its product's secret is given one of its own (spec
//! dynamic-registration.md).
//!
//! * [`https`]: `POST /auth/register/device`;
//! * [`mqtt`]: a connection that brings the answer as its first message, with or without a device
//!   created beforehand;
//! * [`answer`]: what either brings, checked;
//! * [`kept`]: the secret in the KV store, for who wants it there.
//!
//! A registration itself keeps nothing.

pub mod answer;
pub mod https;
pub mod kept;
pub mod mqtt;

use zeroize::Zeroizing;

use crate::hal::seam;
use crate::sign::digest::{HmacSha256Fn, SignMethod, hex_upper};
use crate::sign::platform::registration_content;
use crate::sign::{DEVICE_NAME_MAX, PRODUCT_KEY_MAX, PRODUCT_SECRET_MAX};
use crate::state;

/// How requests are signed, with the [`Applicant`]'s own function for it.
const METHOD: SignMethod = SignMethod::HmacSha256;

/// Who registers.
pub struct Applicant<'a> {
    /// Product key, 1 to 20 bytes.
    pub product_key: &'a str,
    /// Secret of the product, 1 to 64 bytes.
    pub product_secret: &'a str,
    /// Device name, 1 to 32 bytes.
    pub device_name: &'a str,
    /// HMAC-SHA256, replaceable by a port.
    pub hmac: HmacSha256Fn,
}

/// Whose fault a refusal is: the group of its state event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// What the caller passed.
    UserInput,
    /// The system below.
    SysDepend,
    /// HTTP, network and cloud of the HTTPS way.
    Http,
    /// The same of the MQTT way.
    Mqtt,
}

/// Why a registration failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Group of the state event.
    pub group: Group,
    /// Code of [`crate::state`].
    pub code: i32,
    /// One sentence, or the answer of the cloud. Data, never a format; without secrets.
    pub text: String,
}

impl Refused {
    pub(super) fn new(group: Group, code: i32, text: impl Into<String>) -> Self {
        Refused {
            group,
            code,
            text: text.into(),
        }
    }
}

/// What a registration brought; wiped when dropped.
pub enum Granted {
    /// The secret of the device.
    Secret(Zeroizing<String>),
    /// Client id and token of a device without pre-registration.
    Token {
        /// MQTT client id to sign in with.
        client_id: String,
        /// Password to sign in with.
        token: Zeroizing<String>,
    },
}

impl Applicant<'_> {
    /// Checks the lengths, and that nothing in the names means something where they are written.
    pub fn check(&self) -> Result<(), Refused> {
        let fields = [
            (
                self.product_key,
                PRODUCT_KEY_MAX,
                state::STATE_USER_INPUT_PK,
                "product key",
            ),
            (
                self.product_secret,
                PRODUCT_SECRET_MAX,
                state::STATE_USER_INPUT_PS,
                "product secret",
            ),
            (
                self.device_name,
                DEVICE_NAME_MAX,
                state::STATE_USER_INPUT_DN,
                "device name",
            ),
        ];
        for (field, max, code, name) in fields {
            let secret = code == state::STATE_USER_INPUT_PS;
            let text = if field.is_empty() {
                format!("{name} is missing")
            } else if field.len() > max {
                format!("{name} is longer than {max} bytes")
            } else if !secret && !is_plain(field) {
                format!("{name} has a character that no name may have")
            } else {
                continue;
            };
            return Err(Refused::new(Group::UserInput, code, text));
        }
        Ok(())
    }

    /// The signature over `random`: 64 upper-case hex digits.
    fn sign(&self, random: &str) -> Zeroizing<String> {
        let content = registration_content(
            self.product_key.as_bytes(),
            self.device_name.as_bytes(),
            random.as_bytes(),
        );
        let mac = Zeroizing::new((self.hmac)(self.product_secret.as_bytes(), &content));
        hex_upper(&*mac)
    }
}

/// Whether a value may stand in a form body and in the parameters of a client id as it is: those are
/// sent raw, so what separates there must not occur, nor what a server would decode.
pub fn is_plain(text: &str) -> bool {
    !text
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || "&=|,%+".contains(c))
}

/// Fresh randomness for one request, `bytes` of it as upper-case hex.
fn random(bytes: usize) -> Result<String, Refused> {
    let mut raw = vec![0u8; bytes];
    if seam::random_fill(&mut raw).is_err() {
        // The code with which a connection fails for the same reason.
        let code = state::STATE_SYS_DEPEND_NWK_CLOSE;
        return Err(Refused::new(Group::SysDepend, code, "no random source"));
    }
    // Not a secret: it is sent in the clear inside TLS, and serves once.
    Ok(hex_upper(&raw).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::digest::hmac_sha256;
    use crate::sign::platform::registration_sign;

    #[test]
    fn the_signature_is_that_of_the_vectors() {
        let applicant = Applicant {
            product_key: "pk",
            product_secret: "secret",
            device_name: "dn",
            hmac: hmac_sha256,
        };
        let pure = registration_sign(SignMethod::HmacSha256, b"secret", b"pk", b"dn", b"0123ABCD");
        assert_eq!(applicant.sign("0123ABCD"), pure);
    }

    #[test]
    fn every_request_has_its_own_random() {
        let one = random(8).expect("random");
        let two = random(8).expect("random");
        assert_eq!((one.len(), two.len()), (16, 16));
        assert_ne!(one, two);
    }
}

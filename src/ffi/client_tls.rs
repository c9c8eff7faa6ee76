//! The TLS part of `iotx_client_options_t`: whom a client trusts, and what it shows.

use std::ffi::CString;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::client_options::{Checked, STRING_MAX, invalid, material, refuse, string};
use super::client_types::iotx_client_options_t;
use super::{mqtt_params, tls_api};
use crate::hal::seam;
use crate::hal::tls::{
    self, CallbackIdentity, CallbackKey, Credentials, Identity, PSK_IDENTITY_MAX, PSK_MAX,
    PreSharedKey,
};
use crate::state;
use crate::transport::Security;

/// What protects the connection.
///
/// # Safety
/// As for [`super::client_options::build`].
pub(super) unsafe fn security(options: &iotx_client_options_t, tls: bool) -> Checked<Security> {
    // SAFETY: the caller promises data of its size and terminated strings.
    let (ca, crl, certificate, key, psk, key_password, psk_identity) = unsafe {
        (
            material(&options.ca, "ca")?,
            material(&options.crl, "crl")?,
            material(&options.certificate, "certificate")?,
            material(&options.key, "key")?,
            material(&options.psk, "psk")?,
            string(options.key_password, STRING_MAX, "key_password")?,
            string(options.psk_identity, PSK_IDENTITY_MAX, "psk_identity")?,
        )
    };
    // SAFETY: the program keeps functions and contexts as long as the client lives (options).
    let (password_source, signer) = unsafe {
        (
            tls_api::password_source(options.key_password_callback, options.key_password_context),
            tls_api::signer(options.sign, options.sign_context),
        )
    };
    if !tls {
        let given = [
            (ca.is_some(), "ca"),
            (crl.is_some(), "crl"),
            (password_source.is_some(), "key_password_callback"),
            (signer.is_some(), "sign"),
            (certificate.is_some(), "certificate"),
            (key.is_some(), "key"),
            (psk.is_some(), "psk"),
            (key_password.is_some(), "key_password"),
            (psk_identity.is_some(), "psk_identity"),
        ];
        return match given.iter().find(|(given, _)| *given) {
            Some((_, name)) => invalid(format!(
                "{name} is given, but mqtt:// is not protected; use mqtts:// (wss:// in place of ws://)"
            )),
            None => Ok(Security::Tcp),
        };
    }
    let has_key = key.is_some();
    let needs_application = password_source.is_some() || signer.is_some();
    if needs_application && (psk.is_some() || certificate.is_none()) {
        return invalid("key_password_callback and sign need a certificate");
    }
    if signer.is_some() && (has_key || key_password.is_some() || password_source.is_some()) {
        return invalid("sign is for a key that is not here; leave key and its password out");
    }
    if password_source.is_some() && key_password.is_some() {
        return invalid("key_password and key_password_callback exclude each other");
    }
    let credentials = match (certificate, key, psk) {
        (None, None, None) => Credentials::None,
        (Some(certificate), key, None) => {
            let certificate_pem = certificate.to_vec();
            match (key, signer, password_source) {
                (_, Some(signer), _) => Credentials::Callback(CallbackIdentity {
                    certificate_pem,
                    key: CallbackKey::Outside(signer),
                }),
                (Some(key), None, Some(source)) => Credentials::Callback(CallbackIdentity {
                    certificate_pem,
                    key: CallbackKey::Pem(key, source),
                }),
                (Some(key), None, None) => Credentials::Certificate(Identity {
                    certificate_pem,
                    key_pem: key,
                    key_password: key_password.map(|text| Zeroizing::new(text.as_bytes().to_vec())),
                }),
                (None, None, _) => return invalid("certificate without key"),
            }
        }
        (None, None, Some(psk)) => {
            if ca.is_some() || crl.is_some() {
                return invalid(
                    "ca and psk exclude each other: with a pre-shared key there are no certificates",
                );
            }
            let from_file = !options.psk.file.is_null();
            Credentials::PreSharedKey(pre_shared_key(psk, psk_identity, from_file)?)
        }
        (_, _, Some(_)) => return invalid("psk and a client certificate exclude each other"),
        (None, Some(_), None) => return invalid("key without certificate"),
    };
    if key_password.is_some() && !matches!(credentials, Credentials::Certificate(_)) {
        return invalid("key_password without key");
    }
    if psk_identity.is_some() && !matches!(credentials, Credentials::PreSharedKey(_)) {
        return invalid("psk_identity without psk");
    }
    let own_port = !seam::tls_is_default();
    if own_port && !matches!(credentials, Credentials::None) {
        return invalid(
            "the application's own HAL_SSL_Establish takes no certificate or key of a client",
        );
    }
    if own_port && crl.is_some() {
        return invalid("the application's own HAL_SSL_Establish takes no crl");
    }
    let mut trust = match ca {
        Some(pem) => {
            let end = pem.iter().position(|byte| *byte == 0).unwrap_or(pem.len());
            pem[..end].to_vec()
        }
        None => match mqtt_params::ca(None) {
            Ok(text) => text.into_bytes(),
            Err(refused) => return refuse(refused.code, refused.text),
        },
    };
    if let Some(crl) = crl {
        match tls::crl_to_pem(&crl) {
            Ok(lists) => tls::append_crl(&mut trust, &lists),
            Err(text) => return invalid(text),
        }
    }
    let Ok(ca_pem) = CString::new(trust) else {
        return invalid("ca or crl contains a NUL");
    };
    if !own_port && let Err(failure) = tls::check(ca_pem.to_bytes(), &credentials) {
        return invalid(failure.text);
    }
    Ok(Security::Tls {
        ca_pem,
        credentials: Some(Arc::new(credentials)),
    })
}

fn pre_shared_key(
    psk: Zeroizing<Vec<u8>>,
    identity: Option<&str>,
    from_file: bool,
) -> Checked<PreSharedKey> {
    let found = if from_file {
        key_of_file(&psk, identity)?
    } else {
        let Some(identity) = identity else {
            return invalid("psk without psk_identity");
        };
        PreSharedKey {
            identity: identity.to_owned(),
            key: psk,
        }
    };
    if found.key.is_empty() || found.key.len() > PSK_MAX {
        return refuse(
            state::STATE_USER_INPUT_OUT_RANGE,
            format!("psk is not 1 to {PSK_MAX} bytes long"),
        );
    }
    Ok(found)
}

/// The line of `identity`, or the first one, in a file of pre-shared keys.
fn key_of_file(content: &[u8], identity: Option<&str>) -> Checked<PreSharedKey> {
    let Ok(text) = std::str::from_utf8(content) else {
        return invalid("psk.file is not UTF-8");
    };
    let lines = text.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some((name, digits)) = line.split_once(':') else {
            return invalid("psk.file has a line without a colon");
        };
        if identity.is_some_and(|wanted| wanted != name) {
            continue;
        }
        if name.is_empty() || name.len() > PSK_IDENTITY_MAX {
            return refuse(
                state::STATE_USER_INPUT_OUT_RANGE,
                format!("psk.file has an identity that is not 1 to {PSK_IDENTITY_MAX} bytes long"),
            );
        }
        let Some(key) = from_hex(digits) else {
            return invalid("psk.file has a key that is not hexadecimal");
        };
        return Ok(PreSharedKey {
            identity: name.to_owned(),
            key,
        });
    }
    invalid("psk.file does not have the key asked for")
}

fn from_hex(digits: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digits = digits.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len() / 2));
    for pair in digits.chunks_exact(2) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        // Two digits of 4 bits each.
        bytes.push((high << 4 | low) as u8);
    }
    Some(bytes)
}

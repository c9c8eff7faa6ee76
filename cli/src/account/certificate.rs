//! Certificates in words.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;
use x509_parser::oid_registry::OID_PKCS1_RSAENCRYPTION;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What there is to say of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Distinguished name of its owner.
    pub subject: String,
    /// Distinguished name of its issuer.
    pub issuer: String,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// First and last second, Unix time.
    pub not_before: i64,
    /// Last second.
    pub not_after: i64,
    /// Whether the key is an RSA key.
    pub rsa: bool,
}

impl Summary {
    /// Reads DER.
    pub fn from_der(der: &[u8]) -> Option<Summary> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let clean = |text: String| text.chars().take(256).collect::<String>();
        Some(Summary {
            subject: clean(certificate.subject().to_string()),
            issuer: clean(certificate.issuer().to_string()),
            serial: certificate
                .raw_serial_as_string()
                .replace(':', "")
                .to_uppercase(),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            rsa: certificate.public_key().algorithm.algorithm == OID_PKCS1_RSAENCRYPTION,
        })
    }

    /// The first certificate of a PEM text.
    pub fn first_of_pem(pem: &[u8]) -> Option<Summary> {
        Pem::iter_from_buffer(pem)
            .flatten()
            .find(|block| block.label == "CERTIFICATE")
            .and_then(|block| Summary::from_der(&block.contents))
    }

    /// As members of an event.
    pub fn to_json(&self) -> Value {
        json!({
            "subject": self.subject, "issuer": self.issuer, "serial": self.serial,
            "not_before": date(self.not_before), "not_after": date(self.not_after),
        })
    }
}

/// A moment as `YYYY-MM-DD`, UTC.
pub fn date(unix: i64) -> String {
    OffsetDateTime::from_unix_timestamp(unix)
        .ok()
        .and_then(|moment| {
            moment
                .format(format_description!("[year]-[month]-[day]"))
                .ok()
        })
        .unwrap_or_else(|| "an unreadable date".to_owned())
}

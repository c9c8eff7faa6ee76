//! CAs of the user's own: registered with a proof that the user has the key, and a table from the serial numbers
//! of device certificates to devices. A device is known by the subject of its CA and its serial number.

use std::collections::{HashMap, HashSet};

use openssl::nid::Nid;
use openssl::x509::X509;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::registry::{Device, DeviceId};
use crate::sign::to_hex;

/// CA certificates that one account may have.
const CAS: usize = 10;
/// Rows of one association file.
const ROWS: usize = 10_000;
/// Object identifiers of RSA keys, and of signatures with one, begin like this (PKCS #1).
const RSA: &str = "1.2.840.113549.1.1.";

/// A certificate and the device it belongs to.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Association {
    /// Product key.
    pub product_key: String,
    /// Device name.
    pub device_name: String,
    /// Serial number in hexadecimal.
    pub cert_sn: String,
}

/// A CA as `devices.json` has it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Authority {
    /// Name, 4 to 30 letters, digits and underscores.
    pub name: String,
    /// Certificate, PEM.
    pub certificate: String,
    /// Its device certificates.
    #[serde(default)]
    pub associations: Vec<Association>,
}

struct Known {
    subject: Vec<u8>,
    certificate: CertificateDer<'static>,
    devices: HashMap<String, DeviceId>,
}

/// The registered CAs.
#[derive(Default)]
pub struct PrivateCas {
    known: HashMap<String, Known>,
    code: Option<String>,
}

/// The serial number of a certificate in upper-case hexadecimal, whole bytes; the error is a sentence.
pub fn serial(der: &[u8]) -> Result<String, String> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|_| "the certificate cannot be read".to_owned())?;
    normal(&to_hex(certificate.raw_serial()))
}

/// One form for all ways to write a serial number: upper case, no leading zero bytes.
fn normal(text: &str) -> Result<String, String> {
    let digits: String = text
        .trim()
        .chars()
        .filter(|c| *c != ':')
        .collect::<String>()
        .to_uppercase();
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() || digits.len() > 40 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(format!("{text:?} is no serial number in hexadecimal"));
    }
    let fill = if digits.len() % 2 == 1 { "0" } else { "" };
    Ok(format!("{fill}{digits}"))
}

impl PrivateCas {
    /// The code that the verification certificate must have as common name; the same until the end.
    pub fn registration_code(&mut self) -> Result<String, String> {
        if let Some(code) = &self.code {
            return Ok(code.clone());
        }
        let mut random = [0; 32];
        ring::default_provider()
            .secure_random
            .fill(&mut random)
            .map_err(|_| "no random bytes for a registration code".to_owned())?;
        Ok(self.code.insert(to_hex(&random)).clone())
    }

    /// Takes a CA of `devices.json`, which needs no proof.
    pub fn load(
        &mut self,
        authority: &Authority,
        devices: &HashMap<DeviceId, Device>,
    ) -> Result<(), String> {
        let ca = pem(&authority.certificate, "CA")?;
        self.add(&authority.name, &ca)?;
        self.enter(&authority.name, &authority.associations, devices)
            .map(|_| ())
    }

    /// Registers a CA by its certificate and the verification certificate, both PEM; the error is a sentence.
    pub fn register(&mut self, name: &str, ca: &str, verification: &str) -> Result<(), String> {
        let ca = pem(ca, "CA")?;
        let proof = pem(verification, "verification")?;
        let code = self.registration_code()?;
        let names: Vec<String> = proof
            .subject_name()
            .entries_by_nid(Nid::COMMONNAME)
            .filter_map(|entry| String::from_utf8(entry.data().as_slice().to_vec()).ok())
            .collect();
        if names != [code] {
            return Err(
                "the common name of the verification certificate is not the registration code"
                    .into(),
            );
        }
        let signed = ca.public_key().and_then(|key| proof.verify(&key));
        if !signed.unwrap_or(false) {
            return Err("the verification certificate is not signed by the CA".into());
        }
        self.add(name, &ca)
    }

    fn add(&mut self, name: &str, ca: &X509) -> Result<(), String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !(4..=30).contains(&name.len()) || !name.chars().all(fits) {
            return Err("a CA name has 4 to 30 letters, digits and underscores".into());
        }
        if self.known.len() >= CAS {
            return Err(format!("{CAS} CA certificates are registered already"));
        }
        let der = ca
            .to_der()
            .map_err(|_| "the CA certificate cannot be read".to_owned())?;
        let (_, parsed) = X509Certificate::from_der(&der)
            .map_err(|_| "the CA certificate cannot be read".to_owned())?;
        let is_ca = parsed
            .basic_constraints()
            .ok()
            .flatten()
            .is_some_and(|constraints| constraints.value.ca);
        if !is_ca {
            return Err("the certificate is not that of a CA".into());
        }
        if !parsed
            .public_key()
            .algorithm
            .algorithm
            .to_id_string()
            .starts_with(RSA)
        {
            return Err("a private CA must have an RSA key".into());
        }
        let subject = parsed.subject().as_raw().to_vec();
        if self.known.contains_key(name) {
            return Err(format!("a CA {name} is registered already"));
        }
        if self.known.values().any(|known| known.subject == subject) {
            return Err("a CA with that subject is registered already".into());
        }
        let known = Known {
            subject,
            certificate: CertificateDer::from(der),
            devices: HashMap::new(),
        };
        self.known.insert(name.to_owned(), known);
        Ok(())
    }

    /// Takes an association file: a head line `ProductKey,DeviceName,CertSN`, then a row for each certificate.
    /// All rows or none; the error is a sentence. Returns how many.
    pub fn associate(
        &mut self,
        name: &str,
        csv: &str,
        devices: &HashMap<DeviceId, Device>,
    ) -> Result<usize, String> {
        let mut lines = csv.trim_start_matches('\u{feff}').lines();
        let head = lines.next().unwrap_or_default();
        if cells(head) != ["ProductKey", "DeviceName", "CertSN"] {
            return Err("the first line is not ProductKey,DeviceName,CertSN".into());
        }
        let mut rows = Vec::new();
        for (number, line) in lines
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let [product_key, device_name, cert_sn] = cells(line)[..] else {
                return Err(format!("line {}: not three fields", number + 2));
            };
            rows.push(Association {
                product_key: product_key.to_owned(),
                device_name: device_name.to_owned(),
                cert_sn: cert_sn.to_owned(),
            });
        }
        if rows.len() > ROWS {
            return Err(format!(
                "a file has at most {ROWS} rows, this one {}",
                rows.len()
            ));
        }
        if rows
            .windows(2)
            .any(|two| two[0].product_key != two[1].product_key)
        {
            return Err("all devices of a file must be of the same product".into());
        }
        self.enter(name, &rows, devices)
    }

    fn enter(
        &mut self,
        name: &str,
        rows: &[Association],
        devices: &HashMap<DeviceId, Device>,
    ) -> Result<usize, String> {
        if !self.known.contains_key(name) {
            return Err(format!("no CA {name} is registered"));
        }
        let mut fresh = HashMap::new();
        let taken: HashSet<&String> = self
            .known
            .values()
            .flat_map(|ca| ca.devices.keys())
            .collect();
        for (index, row) in rows.iter().enumerate() {
            let fail = |reason: String| Err(format!("row {}: {reason}", index + 1));
            let id = DeviceId {
                product_key: row.product_key.clone(),
                device_name: row.device_name.clone(),
            };
            if !devices.contains_key(&id) {
                return fail(format!("there is no device {id}"));
            }
            let serial = match normal(&row.cert_sn) {
                Ok(serial) => serial,
                Err(error) => return fail(error),
            };
            // Unique in the whole account, not only below one CA.
            if taken.contains(&serial) || fresh.insert(serial.clone(), id).is_some() {
                return fail(format!(
                    "the serial number {serial} belongs to a device already"
                ));
            }
        }
        if let Some(ca) = self.known.get_mut(name) {
            ca.devices.extend(fresh);
        }
        Ok(rows.len())
    }

    /// The certificates of the CAs.
    pub fn certificates(&self) -> Vec<CertificateDer<'static>> {
        self.known
            .values()
            .map(|ca| ca.certificate.clone())
            .collect()
    }

    /// The owner of a device certificate, or why it is refused; `None` if no private CA issued it.
    pub fn owner(&self, der: &[u8]) -> Option<Result<DeviceId, String>> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let issuer = certificate.issuer().as_raw();
        let ca = self.known.values().find(|ca| ca.subject == issuer)?;
        let rsa = |id: String| id.starts_with(RSA);
        if !rsa(certificate.public_key().algorithm.algorithm.to_id_string())
            || !rsa(certificate.signature_algorithm.algorithm.to_id_string())
        {
            return Some(Err(
                "a device certificate of a private CA must be RSA".into()
            ));
        }
        let serial = match normal(&to_hex(certificate.raw_serial())) {
            Ok(serial) => serial,
            Err(error) => return Some(Err(error)),
        };
        Some(ca.devices.get(&serial).cloned().ok_or_else(|| {
            format!("the serial number {serial} of the certificate belongs to no device")
        }))
    }
}

fn pem(text: &str, what: &str) -> Result<X509, String> {
    X509::from_pem(text.as_bytes()).map_err(|_| format!("the {what} certificate is no PEM"))
}

/// The fields of a row; spreadsheet programs may put quotes around them. No field holds a comma.
fn cells(line: &str) -> Vec<&str> {
    line.split(',')
        .map(|cell| {
            let cell = cell.trim();
            cell.strip_prefix('"')
                .and_then(|cell| cell.strip_suffix('"'))
                .unwrap_or(cell)
        })
        .collect()
}

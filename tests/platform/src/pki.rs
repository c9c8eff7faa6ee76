//! The platform's own certificates, good and bad, and the registry that belongs to them.

use std::fs::{self, File};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason,
    RevokedCertParams, SanType, SerialNumber,
};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::private_ca::{Association, Authority, serial};
use crate::registry::{Device, Product, RegistryFile};
use crate::sign::sha256_hex;

/// Product key of the certificate devices when none is given.
pub const PRODUCT_KEY: &str = "a1X509Demo0";
/// Device name of the holder of `device.crt` when none is given.
pub const DEVICE_NAME: &str = "x509-device-1";

/// Product key of the devices of the private CA.
const PRIVATE_PRODUCT: &str = "a1PrivateCa";

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Issuer = CertifiedIssuer<'static, KeyPair>;

/// Makes all files in `out`; existing ones are replaced. The error is a sentence for the user.
pub fn generate(out: &Path, product_key: &str, device_name: &str) -> Result<(), String> {
    if product_key.is_empty() || product_key.len() > 20 {
        return Err("the product key must have 1 to 20 characters".into());
    }
    if device_name.is_empty() || device_name.len() > 32 {
        return Err("the device name must have 1 to 32 characters".into());
    }
    Maker {
        out: out.to_owned(),
        now: OffsetDateTime::now_utc(),
    }
    .run(product_key, device_name)
    .map_err(|error| format!("cannot make the certificates in {}: {error}", out.display()))
}

/// What distinguishes one leaf certificate from the others.
struct Leaf<'a> {
    file: &'a str,
    common_name: &'a str,
    /// Validity in days from now.
    days: (i64, i64),
    usage: ExtendedKeyUsagePurpose,
    dns: Vec<String>,
    addresses: Vec<IpAddr>,
}

struct Maker {
    out: PathBuf,
    now: OffsetDateTime,
}

impl Maker {
    fn run(&self, product_key: &str, device_name: &str) -> Result<(), Failure> {
        fs::create_dir_all(&self.out)?;
        // RSA keys take a while each: both at once.
        let other = thread::spawn(rsa_key);
        let device_rsa = rsa_key()?;
        let server_rsa = other
            .join()
            .map_err(|_| "the thread that makes an RSA key failed")??;

        let root = self.authority("root", "iotx platform root CA", None)?;
        let issuing = self.authority("intermediate", "iotx platform issuing CA", Some(&root))?;
        let other_root = self.authority("other-root", "iotx other root CA", None)?;
        let device_ca = self.authority("device-ca", "iotx platform device CA", None)?;
        let other_device_ca = self.authority("other-device-ca", "iotx other device CA", None)?;

        self.servers(&issuing, &other_root, &server_rsa)?;
        self.revocations(&root, &issuing)?;
        let mut devices = self.devices(
            &device_ca,
            &other_device_ca,
            &device_rsa,
            product_key,
            device_name,
        )?;
        let products = vec![Product {
            product_key: "a1MZxOdcBnO".to_owned(),
            product_secret: String::new(),
            registration: true,
            without_pre_registration: true,
        }];
        let private_cas = vec![self.private_ca(&device_rsa, &server_rsa, &mut devices)?];
        let json = serde_json::to_string_pretty(&RegistryFile {
            devices,
            products,
            private_cas,
        })?;
        self.write("devices.json", format!("{json}\n").as_bytes(), true)
    }

    fn servers(
        &self,
        issuing: &Issuer,
        other_root: &Issuer,
        rsa: &RsaPrivateKey,
    ) -> Result<(), Failure> {
        let named = |file: &'static str, name: &'static str| Leaf {
            common_name: name,
            dns: vec![name.to_owned()],
            addresses: vec![],
            ..server(file, (-1, 3650))
        };
        let leaves = [
            (server("server", (-1, 3650)), issuing),
            (server("server-expired", (-30, -1)), issuing),
            (server("server-not-yet", (30, 3650)), issuing),
            (named("server-wrong-host", "wrong.example.com"), issuing),
            (named("server-iot-as", "*.iot-as.aliyuncs.com"), issuing),
            (server("server-unknown-ca", (-1, 3650)), other_root),
        ];
        for (leaf, issuer) in leaves {
            let key = KeyPair::generate()?;
            self.leaf(&leaf, &key, issuer)?;
            self.key(leaf.file, &key.serialize_pem())?;
        }
        let leaf = server("server-rsa", (-1, 3650));
        self.leaf(&leaf, &rsa_pair(rsa)?, issuing)?;
        self.key("server-rsa", &rsa.to_pkcs1_pem(LineEnding::LF)?)
    }

    /// A revoked server certificate, and the lists that say so.
    fn revocations(&self, root: &Issuer, issuing: &Issuer) -> Result<(), Failure> {
        let key = KeyPair::generate()?;
        let leaf = self.leaf(&server("server-revoked", (-1, 3650)), &key, issuing)?;
        self.key("server-revoked", &key.serialize_pem())?;
        let (fresh, stale) = ((-1, 3650), (-30, -1));
        self.revocation_list("server", issuing, Some(&leaf), fresh)?;
        self.revocation_list("server-stale", issuing, Some(&leaf), stale)?;
        self.revocation_list("intermediate", root, None, fresh)?;
        let revoked = issuing.der();
        self.revocation_list("intermediate-revoked", root, Some(revoked), fresh)
    }

    /// Writes a certificate revocation list; `days` from now tell its validity.
    fn revocation_list(
        &self,
        file: &str,
        issuer: &Issuer,
        revoked: Option<&[u8]>,
        days: (i64, i64),
    ) -> Result<(), Failure> {
        let revoked_certs = match revoked {
            None => Vec::new(),
            Some(der) => {
                let (_, certificate) = X509Certificate::from_der(der)?;
                vec![RevokedCertParams {
                    serial_number: SerialNumber::from_slice(certificate.raw_serial()),
                    revocation_time: self.now - Duration::days(1),
                    reason_code: Some(RevocationReason::KeyCompromise),
                    invalidity_date: None,
                }]
            }
        };
        let list = CertificateRevocationListParams {
            this_update: self.now + Duration::days(days.0),
            next_update: self.now + Duration::days(days.1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(issuer)?;
        self.write(&format!("{file}.crl"), list.pem()?.as_bytes(), false)
    }

    fn devices(
        &self,
        ca: &Issuer,
        other_ca: &Issuer,
        rsa: &RsaPrivateKey,
        product_key: &str,
        device_name: &str,
    ) -> Result<Vec<Device>, Failure> {
        let entry = |product_key: &str, name: &str, certificate: Option<String>| Device {
            product_key: product_key.to_owned(),
            device_name: name.to_owned(),
            device_secret: String::new(),
            product_secret: String::new(),
            cert_sha256: certificate,
            identity: None,
        };
        let mut devices = Vec::new();
        let list = [
            ("device", device_name, (-1, 3650), ca),
            ("device-ec", "x509-device-ec", (-1, 3650), ca),
            ("device-2", "x509-device-2", (-1, 3650), ca),
            ("device-expired", "x509-expired", (-30, -1), ca),
            ("device-unknown-ca", "x509-unknown-ca", (-1, 3650), other_ca),
        ];
        for (file, name, days, issuer) in list {
            let usage = ExtendedKeyUsagePurpose::ClientAuth;
            let leaf = Leaf {
                file,
                common_name: name,
                days,
                usage,
                dns: vec![],
                addresses: vec![],
            };
            let der = if file == "device" {
                self.key("device", &rsa.to_pkcs1_pem(LineEnding::LF)?)?;
                self.key("device-pkcs8", &rsa.to_pkcs8_pem(LineEnding::LF)?)?;
                self.leaf(&leaf, &rsa_pair(rsa)?, issuer)?
            } else {
                let key = KeyPair::generate()?;
                self.key(file, &key.serialize_pem())?;
                self.leaf(&leaf, &key, issuer)?
            };
            devices.push(entry(product_key, name, Some(sha256_hex(&der))));
        }
        for (name, secret) in [
            ("example1", "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X"),
            ("example2", "Zc3vQwTn8sLk1bXyR6dMh0fUe5gJp2Ao"),
        ] {
            devices.push(Device {
                device_secret: secret.to_owned(),
                product_secret: "AbCdEfGhIjKlMnOp".to_owned(),
                ..entry("a1MZxOdcBnO", name, None)
            });
        }
        Ok(devices)
    }

    /// A CA of the user's own with two RSA devices, and one with an EC key, which is refused.
    fn private_ca(
        &self,
        device_rsa: &RsaPrivateKey,
        ca_rsa: &RsaPrivateKey,
        devices: &mut Vec<Device>,
    ) -> Result<Authority, Failure> {
        let mut params = self.params("iotx private CA", (-2, 7300));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = CertifiedIssuer::self_signed(params, rsa_pair(ca_rsa)?)?;
        self.write("private-ca.crt", ca.pem().as_bytes(), false)?;
        self.key("private-ca", &ca_rsa.to_pkcs1_pem(LineEnding::LF)?)?;
        // Serial numbers are new in each run; files of an earlier one would be mistaken for good ones.
        let folder = self.out.join("private");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let mut associations = Vec::new();
        for name in ["private-1", "private-2", "private-ec"] {
            let ec = KeyPair::generate()?;
            let (key, pem) = if name == "private-ec" {
                let pem = ec.serialize_pem();
                (ec, pem)
            } else {
                let pem = device_rsa.to_pkcs1_pem(LineEnding::LF)?.to_string();
                (rsa_pair(device_rsa)?, pem)
            };
            let mut params = self.params(name, (-1, 3650));
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            // By default it comes from the key, which two of them share.
            params.serial_number = Some(random_serial()?);
            let certificate = params.signed_by(&key, &ca)?;
            let cert_sn = serial(certificate.der())?;
            let file = format!("private/{PRIVATE_PRODUCT}_{name}_{cert_sn}");
            self.write(&format!("{file}.cer"), certificate.pem().as_bytes(), false)?;
            self.key(&file, &pem)?;
            associations.push(Association {
                product_key: PRIVATE_PRODUCT.to_owned(),
                device_name: name.to_owned(),
                cert_sn,
            });
            devices.push(Device {
                product_key: PRIVATE_PRODUCT.to_owned(),
                device_name: name.to_owned(),
                device_secret: String::new(),
                product_secret: String::new(),
                cert_sha256: None,
                identity: None,
            });
        }
        Ok(Authority {
            name: "private_ca".to_owned(),
            certificate: ca.pem(),
            associations,
        })
    }

    fn authority(
        &self,
        file: &str,
        name: &str,
        issuer: Option<&Issuer>,
    ) -> Result<Issuer, Failure> {
        let mut params = self.params(name, (-2, 7300));
        params.is_ca = IsCa::Ca(match issuer {
            Some(_) => BasicConstraints::Constrained(0),
            None => BasicConstraints::Unconstrained,
        });
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        self.key(file, &key.serialize_pem())?;
        let made = match issuer {
            Some(issuer) => CertifiedIssuer::signed_by(params, key, issuer)?,
            None => CertifiedIssuer::self_signed(params, key)?,
        };
        self.write(&format!("{file}.crt"), made.pem().as_bytes(), false)?;
        Ok(made)
    }

    /// Writes the certificate, with that of an intermediate issuer behind it; returns its DER.
    fn leaf(&self, leaf: &Leaf<'_>, key: &KeyPair, issuer: &Issuer) -> Result<Vec<u8>, Failure> {
        let mut params = self.params(leaf.common_name, leaf.days);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![leaf.usage.clone()];
        for name in &leaf.dns {
            params
                .subject_alt_names
                .push(SanType::DnsName(name.as_str().try_into()?));
        }
        params.subject_alt_names.extend(
            leaf.addresses
                .iter()
                .map(|address| SanType::IpAddress(*address)),
        );
        let certificate = params.signed_by(key, issuer)?;
        let mut chain = certificate.pem();
        if leaf.usage == ExtendedKeyUsagePurpose::ServerAuth && leaf.file != "server-unknown-ca" {
            chain += &issuer.pem();
        }
        self.write(&format!("{}.crt", leaf.file), chain.as_bytes(), false)?;
        Ok(certificate.der().to_vec())
    }

    fn params(&self, name: &str, (from, to): (i64, i64)) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "iotx platform");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = self.now + Duration::days(from);
        params.not_after = self.now + Duration::days(to);
        params.use_authority_key_identifier_extension = true;
        params
    }

    fn key(&self, file: &str, pem: &str) -> Result<(), Failure> {
        self.write(&format!("{file}.key"), pem.as_bytes(), true)
    }

    fn write(&self, name: &str, content: &[u8], secret: bool) -> Result<(), Failure> {
        let path = self.out.join(name);
        // Removed first: an existing file keeps its mode, whatever open asks for.
        let _ = fs::remove_file(&path);
        let mode = if secret { 0o600 } else { 0o644 };
        let mut file: File = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)?;
        Ok(file.write_all(content)?)
    }
}

/// A server certificate with all the right names.
fn server(file: &'static str, days: (i64, i64)) -> Leaf<'static> {
    Leaf {
        file,
        common_name: "x509.itls.cn-shanghai.aliyuncs.com",
        days,
        usage: ExtendedKeyUsagePurpose::ServerAuth,
        dns: server_names(),
        addresses: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
    }
}

/// The names of the cloud's endpoints, and this machine's.
fn server_names() -> Vec<String> {
    let regions = [
        "cn-shanghai",
        "ap-southeast-1",
        "ap-northeast-1",
        "us-west-1",
        "eu-central-1",
    ];
    let mut names = vec!["x509.itls.cn-shanghai.aliyuncs.com".to_owned()];
    names.extend(
        regions
            .iter()
            .map(|region| format!("*.iot-as-mqtt.{region}.aliyuncs.com")),
    );
    names.extend([
        "iot-auth.cn-shanghai.aliyuncs.com".to_owned(),
        "localhost".to_owned(),
    ]);
    names
}

/// A positive serial number of 16 bytes.
fn random_serial() -> Result<SerialNumber, Failure> {
    let mut bytes = [0; 16];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random
        .fill(&mut bytes)
        .map_err(|_| "no random bytes for a serial number")?;
    bytes[0] = bytes[0] & 0x3F | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

fn rsa_key() -> Result<RsaPrivateKey, Failure> {
    Ok(RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048)?)
}

fn rsa_pair(key: &RsaPrivateKey) -> Result<KeyPair, Failure> {
    let der = key.to_pkcs8_der()?;
    let der = rustls::pki_types::PrivatePkcs8KeyDer::from(der.as_bytes());
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(
        &der,
        &rcgen::PKCS_RSA_SHA256,
    )?)
}

//! The TLS side: rustls with the ring provider.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::registry::DeviceId;
use crate::sign::sha256_hex;

/// What the server does about client certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClientCert {
    /// Does not ask for one.
    None,
    /// Asks, and goes on without.
    Optional,
    /// Fails the handshake without one.
    Require,
}

/// The highest TLS version offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MaxVersion {
    /// TLS 1.2 only.
    #[value(name = "1.2")]
    Tls12,
    /// TLS 1.2 and 1.3.
    #[value(name = "1.3")]
    Tls13,
}

/// Session resumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tickets {
    /// By tickets; a client of TLS 1.2 without tickets resumes by session id.
    On,
    /// None at all.
    Off,
}

/// Where certificates come from and what is asked of clients.
#[derive(Debug, Clone)]
pub struct TlsOptions {
    /// Folder made by `iotx-platform pki`.
    pub pki: PathBuf,
    /// Name of the server certificate in that folder, without extension.
    pub server_cert: String,
    /// Client certificates.
    pub client_cert: ClientCert,
    /// Highest version.
    pub max_version: MaxVersion,
    /// Session resumption.
    pub tickets: Tickets,
}

/// What a finished handshake tells.
#[derive(Debug, Clone, Default)]
pub struct TlsInfo {
    /// `TLS 1.2` or `TLS 1.3`.
    pub version: String,
    /// Name of the cipher suite.
    pub suite: String,
    /// Server name that the client asked for.
    pub sni: Option<String>,
    /// Subject of the client certificate.
    pub client_subject: Option<String>,
    /// SHA-256 of the client certificate, lower-case hexadecimal.
    pub client_sha256: Option<String>,
    /// The client certificate.
    pub client_der: Option<Vec<u8>>,
    /// The session was resumed.
    pub resumed: bool,
    /// Identity of the pre-shared key.
    pub psk_identity: Option<String>,
    /// The device of that identity, which proved to have the key.
    pub psk_device: Option<DeviceId>,
}

/// The configuration for these options; the error is a sentence for the user.
///
/// Client certificates are good that lead to the device CA of the folder or to one of `authorities`.
pub fn server_config(
    options: &TlsOptions,
    authorities: &[CertificateDer<'static>],
) -> Result<Arc<ServerConfig>, String> {
    let file = |extension: &str| {
        options
            .pki
            .join(format!("{}.{extension}", options.server_cert))
    };
    let (crt, key) = (file("crt"), file("key"));
    let chain = certificates(&crt)?;
    let key_der = PrivateKeyDer::from_pem_file(&key)
        .map_err(|error| format!("cannot read the private key {}: {error}", key.display()))?;
    let versions: &[_] = match options.max_version {
        MaxVersion::Tls12 => &[&TLS12],
        MaxVersion::Tls13 => &[&TLS12, &TLS13],
    };
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(|error| format!("the TLS versions are not possible: {error}"))?;
    let builder = match options.client_cert {
        ClientCert::None => builder.with_no_client_auth(),
        asked => {
            let path = options.pki.join("device-ca.crt");
            let mut roots = RootCertStore::empty();
            for certificate in certificates(&path)? {
                roots
                    .add(certificate)
                    .map_err(|error| format!("{} is no CA certificate: {error}", path.display()))?;
            }
            for certificate in authorities {
                roots
                    .add(certificate.clone())
                    .map_err(|error| format!("a private CA cannot be used: {error}"))?;
            }
            // No list of CA names is sent: a device must not depend on one.
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .clear_root_hint_subjects();
            let verifier = if asked == ClientCert::Optional {
                verifier.allow_unauthenticated()
            } else {
                verifier
            };
            builder.with_client_cert_verifier(
                verifier
                    .build()
                    .map_err(|error| format!("{} cannot be used: {error}", path.display()))?,
            )
        }
    };
    let mut config = builder.with_single_cert(chain, key_der).map_err(|error| {
        format!(
            "{} and {} do not go together: {error}",
            crt.display(),
            key.display()
        )
    })?;
    match options.tickets {
        Tickets::On => {
            config.ticketer = ring::Ticketer::new()
                .map_err(|error| format!("there is no key for tickets: {error}"))?;
        }
        Tickets::Off => {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
    }
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let list: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match list {
        Ok(list) if list.is_empty() => Err(format!("{} holds no certificate", path.display())),
        Ok(list) => Ok(list),
        Err(error) => Err(format!(
            "cannot read the certificate {}: {error}",
            path.display()
        )),
    }
}

/// Reads what the finished handshake settled.
pub fn info(connection: &ServerConnection) -> TlsInfo {
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
        other => format!("{other:?}"),
    };
    let suite = connection
        .negotiated_cipher_suite()
        .map(|suite| format!("{:?}", suite.suite()));
    let client = connection.peer_certificates().and_then(<[_]>::first);
    let subject = |der: &CertificateDer<'_>| match X509Certificate::from_der(der) {
        Ok((_, certificate)) => certificate.subject().to_string(),
        Err(_) => "unreadable subject".to_owned(),
    };
    TlsInfo {
        version,
        suite: suite.unwrap_or_default(),
        sni: connection.server_name().map(str::to_owned),
        client_subject: client.map(subject),
        client_sha256: client.map(|der| sha256_hex(der)),
        client_der: client.map(|der| der.to_vec()),
        resumed: matches!(
            connection.handshake_kind(),
            Some(rustls::HandshakeKind::Resumed)
        ),
        psk_identity: None,
        psk_device: None,
    }
}

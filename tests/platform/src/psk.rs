//! TLS with pre-shared keys, TLS 1.2. By OpenSSL: rustls has no such key exchange.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use openssl::error::ErrorStack;
use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslMethod, SslOptions, SslSessionCacheMode, SslStream, SslVersion,
};

use crate::link::Received;
use crate::registry::{DeviceId, Registry};
use crate::secure::{Pipe, Secure};
use crate::server::Platform;
use crate::sign;
use crate::tls::TlsInfo;

/// Cipher suites accepted when none are chosen, by OpenSSL's names. The first is the one that devices in the field have.
pub const SUITES: &str = "PSK-AES128-CBC-SHA:PSK-AES256-CBC-SHA:PSK-AES128-CBC-SHA256:PSK-AES256-CBC-SHA384:\
    PSK-AES128-GCM-SHA256:PSK-AES256-GCM-SHA384:ECDHE-PSK-AES128-CBC-SHA256:ECDHE-PSK-AES256-CBC-SHA384:\
    ECDHE-PSK-CHACHA20-POLY1305";

/// What the key callback found out about a client.
#[derive(Default)]
struct Asked {
    identity: Option<String>,
    device: Option<DeviceId>,
    refusal: Option<String>,
}

/// Whether these suites can be used; the error is a sentence for the user.
pub fn check_suites(suites: &str) -> Result<(), String> {
    let mut builder = SslContext::builder(SslMethod::tls_server())
        .map_err(|error| format!("TLS-PSK is not possible: {error}"))?;
    builder
        .set_cipher_list(suites)
        .map_err(|_| format!("{suites:?} names no cipher suite that OpenSSL knows"))
}

fn context(platform: &Arc<Platform>, asked: &Arc<Mutex<Asked>>) -> Result<SslContext, ErrorStack> {
    let mut builder = SslContext::builder(SslMethod::tls_server())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_max_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_options(SslOptions::NO_TICKET | SslOptions::NO_RENEGOTIATION);
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    builder.set_cipher_list(&platform.options.psk_suites)?;
    let (platform, asked) = (Arc::clone(platform), Arc::clone(asked));
    builder.set_psk_server_callback(move |_, identity, key| {
        let mut asked = asked.lock().unwrap_or_else(|poison| poison.into_inner());
        let identity = identity.and_then(|bytes| std::str::from_utf8(bytes).ok());
        asked.identity = identity.map(str::to_owned);
        let found = identity
            .ok_or_else(|| "the identity is missing or not UTF-8".to_owned())
            .and_then(|identity| look_up(&platform.registry, identity));
        match found {
            Ok((device, own)) if own.len() <= key.len() => {
                key[..own.len()].copy_from_slice(own.as_bytes());
                asked.device = Some(device);
                Ok(own.len())
            }
            Ok(_) => Ok(0),
            // No key: the client gets the alert unknown_psk_identity.
            Err(reason) => {
                asked.refusal = Some(reason);
                Ok(0)
            }
        }
    });
    Ok(builder.build())
}

/// The device of an identity `devicename|hmacsha256|{productKey}&{deviceName}|{timestamp}`, and its key: the
/// signature in 64 characters.
fn look_up(registry: &Registry, identity: &str) -> Result<(DeviceId, String), String> {
    let parts: Vec<&str> = identity.split('|').collect();
    let ["devicename", "hmacsha256", name, timestamp] = parts[..] else {
        let form = "devicename|hmacsha256|{productKey}&{deviceName}|{timestamp}";
        return Err(format!("the identity is not {form}"));
    };
    let Some((product_key, device_name)) = name.split_once('&') else {
        return Err(format!("{name:?} is not productKey&deviceName"));
    };
    let id = DeviceId {
        product_key: product_key.to_owned(),
        device_name: device_name.to_owned(),
    };
    let secret = match registry.device(&id) {
        None => return Err(format!("there is no device {id}")),
        Some(device) if device.device_secret.is_empty() => {
            return Err(format!("the device {id} has no secret"));
        }
        Some(device) => device.device_secret.as_bytes(),
    };
    let key = sign::hmac_sha256_upper(secret, format!("id{name}timestamp{timestamp}").as_bytes());
    Ok((id, key))
}

/// The server's side of the handshake. The error is a sentence.
pub fn handshake(
    platform: &Arc<Platform>,
    mut socket: &TcpStream,
    patience: Duration,
) -> Result<(Box<dyn Secure>, TlsInfo), String> {
    let asked = Arc::new(Mutex::new(Asked::default()));
    let context = context(platform, &asked).map_err(|error| error.to_string())?;
    let ssl = Ssl::new(&context).map_err(|error| error.to_string())?;
    let mut stream = SslStream::new(ssl, Pipe::default()).map_err(|error| error.to_string())?;
    let deadline = Instant::now() + patience;
    loop {
        let step = stream.accept();
        let flight = std::mem::take(&mut stream.get_mut().outgoing);
        socket
            .write_all(&flight)
            .map_err(|error| error.to_string())?;
        match step {
            Ok(()) => break,
            Err(error) if error.code() == ErrorCode::WANT_READ => {}
            Err(error) => {
                let asked = asked.lock().unwrap_or_else(|poison| poison.into_inner());
                return Err(match (&asked.refusal, &asked.device) {
                    (Some(reason), _) => reason.clone(),
                    (None, Some(device)) => {
                        format!("{error}: perhaps not the key of {device}")
                    }
                    (None, None) => error.to_string(),
                });
            }
        }
        if Instant::now() > deadline {
            return Err("the handshake takes too long".into());
        }
        let mut buffer = [0; 4096];
        match socket.read(&mut buffer) {
            Ok(0) => return Err("the client left in the handshake".into()),
            Ok(count) => stream.get_mut().arrived.extend(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err("the client went silent in the handshake".into()),
        }
    }
    let asked = asked.lock().unwrap_or_else(|poison| poison.into_inner());
    let suite = stream.ssl().current_cipher();
    let info = TlsInfo {
        version: "TLS 1.2".into(),
        suite: suite
            .and_then(|suite| suite.standard_name())
            .unwrap_or_default()
            .to_owned(),
        sni: stream
            .ssl()
            .servername(openssl::ssl::NameType::HOST_NAME)
            .map(str::to_owned),
        psk_identity: asked.identity.clone(),
        psk_device: asked.device.clone(),
        ..TlsInfo::default()
    };
    drop(asked);
    Ok((Box::new(stream), info))
}

impl Secure for SslStream<Pipe> {
    fn receive(&mut self, arrived: &[u8], out: &mut Vec<u8>) -> io::Result<Option<Received>> {
        self.get_mut().arrived.extend(arrived);
        let before = out.len();
        let mut buffer = [0; 16 * 1024];
        loop {
            let seen = out.len() > before;
            match self.ssl_read(&mut buffer) {
                Ok(count) => out.extend_from_slice(&buffer[..count]),
                // What was sent before the end counts first; the end is told again.
                Err(_) if seen => return Ok(Some(Received::Data)),
                Err(error) if error.code() == ErrorCode::WANT_READ => return Ok(None),
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => {
                    return Ok(Some(Received::CloseNotify));
                }
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
    }

    fn encrypt(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn close(&mut self) {
        // An error means that the connection is broken already.
        let _ = self.shutdown();
    }

    fn has_outgoing(&self) -> bool {
        !self.get_ref().outgoing.is_empty()
    }

    fn outgoing(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.get_mut().outgoing)
    }
}

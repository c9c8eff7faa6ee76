//! The TLS handshakes of a connection, and what the log tells of them.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use rustls::{ServerConfig, ServerConnection};
use serde_json::json;

use crate::connection::applied;
use crate::link::Link;
use crate::psk;
use crate::server::Platform;
use crate::tls::{self, TlsInfo};

/// TLS with the server's certificate. The outcome is recorded; the error is a sentence.
pub fn with_certificate(
    platform: &Platform,
    mut socket: TcpStream,
    conn: u64,
    peer: SocketAddr,
    config: Arc<ServerConfig>,
) -> Result<(Link, Option<TlsInfo>), String> {
    let failed = |error: String| {
        let fields = json!({"conn": conn, "peer": peer.to_string(), "ok": false, "error": error});
        platform.events.record("tls", fields);
        error
    };
    let mut connection =
        ServerConnection::new(config).map_err(|error| failed(error.to_string()))?;
    let _ = socket.set_nodelay(true);
    let limit = platform.options.patience;
    if socket
        .set_read_timeout(Some(limit))
        .and_then(|()| socket.set_write_timeout(Some(limit)))
        .is_err()
    {
        return Err(failed("the socket takes no time limit".into()));
    }
    let deadline = Instant::now() + limit;
    let drop_half_way = applied(platform, conn, "drop-in-tls").is_some();
    while connection.is_handshaking() {
        if Instant::now() > deadline {
            return Err(failed("the handshake takes too long".into()));
        }
        if drop_half_way && connection.wants_write() {
            let mut flight = Vec::new();
            while connection.wants_write() && connection.write_tls(&mut flight).is_ok() {}
            let _ = std::io::Write::write_all(&mut socket, &flight[..flight.len() / 2]);
            return Err(failed("dropped in the handshake by a fault".into()));
        }
        let step = if drop_half_way {
            // Only reads: the answer is to be cut, not sent.
            connection
                .read_tls(&mut socket)
                .and_then(|count| match count {
                    0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
                    _ => connection
                        .process_new_packets()
                        .map_err(std::io::Error::other)
                        .map(|_| ()),
                })
        } else {
            connection.complete_io(&mut socket).map(|_| ())
        };
        if let Err(error) = step {
            let text = match error.kind() {
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
                    "the client went silent in the handshake".to_owned()
                }
                std::io::ErrorKind::UnexpectedEof => "the client left in the handshake".to_owned(),
                _ => error.to_string(),
            };
            return Err(failed(text));
        }
    }
    let info = tls::info(&connection);
    platform.events.record(
        "tls",
        json!({
            "conn": conn, "peer": peer.to_string(), "ok": true, "version": info.version, "suite": info.suite,
            "sni": info.sni, "client_cert": info.client_subject, "resumed": info.resumed,
        }),
    );
    connection.set_buffer_limit(None);
    let link =
        Link::tls(socket, Box::new(connection)).map_err(|error| failed(error.to_string()))?;
    Ok((link, Some(info)))
}

/// TLS with a pre-shared key. The outcome is recorded; the error is a sentence.
pub fn with_key(
    platform: &Arc<Platform>,
    socket: TcpStream,
    conn: u64,
    peer: SocketAddr,
) -> Result<(Link, Option<TlsInfo>), String> {
    let limit = Some(platform.options.patience);
    let done = socket
        .set_read_timeout(limit)
        .and_then(|()| socket.set_write_timeout(limit))
        .map_err(|error| error.to_string())
        .and_then(|()| psk::handshake(platform, &socket, platform.options.patience));
    let mut fields = json!({"conn": conn, "peer": peer.to_string(), "ok": done.is_ok()});
    match &done {
        Ok((_, info)) => {
            fields["version"] = info.version.clone().into();
            fields["suite"] = info.suite.clone().into();
            fields["sni"] = info.sni.clone().into();
            fields["psk_identity"] = info.psk_identity.clone().into();
            fields["resumed"] = false.into();
        }
        Err(error) => fields["error"] = error.clone().into(),
    }
    platform.events.record("tls", fields);
    let (secure, info) = done?;
    let link = Link::tls(socket, secure).map_err(|error| error.to_string())?;
    Ok((link, Some(info)))
}

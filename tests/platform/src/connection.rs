//! One connection from accept to its end: handshake, CONNECT, then packet after packet.

use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::auth::{self, Accepted, Mode, Peer, Refused};
use crate::client::Client;
use crate::faults::{garbage, malformed};
use crate::handshake;
use crate::link::{How, Link, Received};
use crate::mqtt::decode::Decoder;
use crate::mqtt::{Connect, Packet, Publish, encode};
use crate::registration;
use crate::server::Platform;
use crate::transport::Transport;
use crate::websocket;

/// Serves one accepted socket until its end.
pub fn serve(platform: &Arc<Platform>, socket: TcpStream, conn: u64, transport: Transport) {
    let Ok(peer) = socket.peer_addr() else { return };
    platform.events.record(
        "accepted",
        json!({
            "conn": conn, "peer": peer.to_string(), "tls": transport.is_secure(), "transport": transport.name(),
        }),
    );
    if applied(platform, conn, "drop-after-accept").is_some() {
        return;
    }
    if applied(platform, conn, "stall-tls").is_some() {
        swallow(platform, &socket);
        return;
    }
    let opened = match transport {
        Transport::Tcp | Transport::Ws => Link::tcp(socket)
            .map(|link| (link, None))
            .map_err(|error| error.to_string()),
        Transport::Tls | Transport::Wss => match platform.tls_config() {
            Some(config) => handshake::with_certificate(platform, socket, conn, peer, config),
            None => return,
        },
        Transport::Psk => handshake::with_key(platform, socket, conn, peer),
    };
    let Ok((link, info)) = opened else { return };
    let link = match transport {
        Transport::Ws | Transport::Wss => match websocket::open(platform, link, conn) {
            Some(link) => link,
            None => return,
        },
        _ => link,
    };
    let (events, faults) = (Arc::clone(&platform.events), Arc::clone(&platform.faults));
    let client = Client::start(conn, peer, transport, link, info, events, faults);
    let reason = read_loop(platform, &client);
    // In this order: who sees the connection closed finds the device off-line.
    platform.broker.offline(&client);
    client.close_now(How::Graceful, &reason);
    client.link.drain();
}

/// Uses a fault once, if active, and records that.
pub fn applied(platform: &Platform, conn: u64, name: &str) -> Option<u64> {
    let number = platform.faults.take(name)?;
    platform
        .events
        .record("fault", json!({"fault": name, "conn": conn}));
    Some(number)
}

/// Reads and forgets until the client leaves.
pub fn swallow(platform: &Platform, mut socket: &TcpStream) {
    let mut buffer = [0; 4096];
    let _ = socket.set_read_timeout(Some(Duration::from_millis(200)));
    while !platform.is_stopping() {
        match socket.read(&mut buffer) {
            Ok(0) => return,
            Err(error)
                if !matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                return;
            }
            _ => {}
        }
    }
}

/// Reads and handles packets; returns why the connection ends.
fn read_loop(platform: &Arc<Platform>, client: &Arc<Client>) -> String {
    let mut decoder = Decoder::new(platform.options.max_packet);
    let mut bytes = Vec::new();
    let started = Instant::now();
    loop {
        if client.is_closed() {
            return String::new();
        }
        if client.is_frozen() {
            thread::sleep(Duration::from_millis(50));
            continue;
        }
        match client.link.receive(&mut bytes) {
            Ok(Received::Data) => {}
            Ok(Received::Nothing) => {
                let waiting = client.accepted.get().is_none() && !client.is_deaf();
                if waiting && started.elapsed() > platform.options.patience {
                    return "no CONNECT in time".into();
                }
                continue;
            }
            Ok(Received::CloseNotify) => return "the client closed TLS".into(),
            Ok(Received::CloseFrame(_)) => return "the client closed the WebSocket".into(),
            Ok(Received::End) => return "the client closed the connection".into(),
            Err(error) => {
                if matches!(client.transport, Transport::Ws | Transport::Wss)
                    && error.kind() == std::io::ErrorKind::InvalidData
                {
                    let reason = error.to_string();
                    client.record("protocol_error", json!({"reason": reason}));
                    client.close_now(How::Code(1002), "protocol error");
                }
                return format!("receiving failed: {error}");
            }
        }
        if client.is_deaf() {
            bytes.clear();
            continue;
        }
        decoder.push(&bytes);
        bytes.clear();
        // A frozen or closed connection leaves the rest of what arrived untouched.
        while !client.is_closed() && !client.is_frozen() && !client.is_deaf() {
            match decoder.next_packet() {
                Ok(None) => break,
                Ok(Some(packet)) => {
                    if let Err(end) = handle(platform, client, packet) {
                        return end.report(client);
                    }
                }
                Err(error) => return End::Protocol(error.to_string()).report(client),
            }
        }
    }
}

/// Why a packet ends the connection.
enum End {
    /// The standard was violated.
    Protocol(String),
    /// The client took leave.
    Disconnect,
    /// The platform is done with the client; its closing is queued already.
    Refused,
}

impl End {
    fn report(self, client: &Client) -> String {
        match self {
            Self::Protocol(reason) => {
                client.record("protocol_error", json!({"reason": reason}));
                "protocol error".into()
            }
            Self::Disconnect => {
                client.record("disconnect", json!({}));
                "DISCONNECT".into()
            }
            Self::Refused => {
                // Lets the writing thread send what is queued, with its own reason for closing.
                let deadline = Instant::now() + Duration::from_secs(2);
                while !client.is_closed() && Instant::now() < deadline {
                    thread::sleep(Duration::from_millis(1));
                }
                "refused".into()
            }
        }
    }
}

fn handle(platform: &Arc<Platform>, client: &Arc<Client>, packet: Packet) -> Result<(), End> {
    let Some(accepted) = client.accepted.get() else {
        return match packet {
            Packet::Connect(connect) => on_connect(platform, client, &connect),
            Packet::UnsupportedLevel(level) => {
                let reason = format!("protocol level {level}");
                client.record(
                    "connect",
                    json!({"accepted": false, "level": level, "code": 1, "reason": reason}),
                );
                refuse(client, 1, &reason)
            }
            _ => Err(End::Protocol("the first packet is not CONNECT".into())),
        };
    };
    let device = &accepted.device;
    let registration = matches!(accepted.mode, Mode::Register | Mode::RegisterNew);
    match packet {
        Packet::Connect(_) | Packet::UnsupportedLevel(_) => {
            return Err(End::Protocol("a second CONNECT".into()));
        }
        Packet::Disconnect => return Err(End::Disconnect),
        Packet::PubAck(packet_id) => {
            client.touch();
            platform.broker.acknowledge(client, packet_id);
        }
        Packet::PingReq => {
            client.touch();
            client.record("pingreq", json!({}));
            answer(
                platform,
                client,
                "no-pingresp",
                "pingresp",
                0,
                encode::pingresp(),
            );
        }
        _ if registration => {
            return Err(End::Protocol(
                "a registering device may only wait for its answer".into(),
            ));
        }
        Packet::Publish(publish) => {
            client.touch();
            on_publish(platform, client, &publish);
        }
        Packet::Subscribe(subscribe) => {
            client.touch();
            let refuse_all = applied(platform, client.conn, "suback-80").is_some();
            let codes = platform
                .broker
                .subscribe(client, device, &subscribe, refuse_all);
            if !codes.is_empty() {
                let id = subscribe.packet_id;
                answer(
                    platform,
                    client,
                    "no-suback",
                    "suback",
                    id,
                    encode::suback(id, &codes),
                );
            }
        }
        Packet::Unsubscribe(unsubscribe) => {
            client.touch();
            platform.broker.unsubscribe(client, &unsubscribe);
            let id = unsubscribe.packet_id;
            answer(
                platform,
                client,
                "no-unsuback",
                "unsuback",
                id,
                encode::unsuback(id),
            );
        }
    }
    Ok(())
}

/// Sends an answer, unless a fault swallows it or puts a malformed one in its place.
fn answer(
    platform: &Platform,
    client: &Client,
    swallow: &str,
    kind: &str,
    packet_id: u16,
    bytes: Vec<u8>,
) {
    if applied(platform, client.conn, swallow).is_some() {
        return;
    }
    let broken = applied(platform, client.conn, &format!("malformed={kind}")).is_some();
    client.send(if broken {
        malformed(kind, packet_id)
    } else {
        bytes
    });
}

fn on_publish(platform: &Arc<Platform>, client: &Arc<Client>, publish: &Publish) {
    let Some(accepted) = client.accepted.get() else {
        return;
    };
    if publish.qos == 1 {
        let (id, ack) = (publish.packet_id, encode::puback(publish.packet_id));
        match applied(platform, client.conn, "delay-puback") {
            None => answer(platform, client, "no-puback", "puback", id, ack),
            Some(delay) => {
                later(client, delay, move |client| {
                    client.send(ack);
                });
            }
        }
    }
    platform.broker.publish(client, &accepted.device, publish);
}

/// CONNACK with a code other than 0, then the end.
fn refuse(client: &Client, code: u8, reason: &str) -> Result<(), End> {
    client.record("connack", json!({"code": code, "session_present": false}));
    client.send(encode::connack(false, code));
    client.close(How::Graceful, &format!("CONNECT refused: {reason}"));
    Err(End::Refused)
}

fn connect_fields(
    client: &Client,
    connect: &Connect,
    verdict: &Result<Accepted, Refused>,
) -> Value {
    let info = client.tls.clone().unwrap_or_default();
    let mut fields = json!({
        "client_id": connect.client_id, "username": connect.username, "keepalive": connect.keep_alive,
        "clean_session": connect.clean_session, "level": connect.level, "will": connect.will,
        "has_password": connect.password.as_ref().is_some_and(|password| !password.is_empty()),
        "transport": client.transport.name(), "sni": info.sni,
        "tls_version": client.tls.as_ref().map(|info| &info.version),
        "suite": client.tls.as_ref().map(|info| &info.suite), "client_cert": info.client_subject,
    });
    match verdict {
        Ok(accepted) => {
            fields["accepted"] = true.into();
            fields["device"] = accepted.device.to_string().into();
            fields["mode"] = accepted.mode.name().into();
            // With a certificate nobody looks at the password.
            fields["password_ok"] = if accepted.mode == Mode::X509 {
                Value::Null
            } else {
                true.into()
            };
            fields["auto_subscribe"] = accepted.auto_subscribe.into();
        }
        Err(refused) => {
            fields["accepted"] = false.into();
            fields["device"] = refused.device.as_ref().map(ToString::to_string).into();
            fields["password_ok"] = refused.password_ok.into();
            fields["code"] = refused.code.into();
            fields["reason"] = refused.reason.clone().into();
        }
    }
    fields
}

fn on_connect(
    platform: &Arc<Platform>,
    client: &Arc<Client>,
    connect: &Connect,
) -> Result<(), End> {
    let certificate = client
        .tls
        .as_ref()
        .and_then(|info| info.client_sha256.as_deref());
    let peer = Peer {
        der: client
            .tls
            .as_ref()
            .and_then(|info| info.client_der.as_deref()),
        tls: client.tls.is_some(),
        certificate,
        psk: client
            .tls
            .as_ref()
            .and_then(|info| info.psk_device.as_ref()),
    };
    let verdict = auth::check(&platform.registry, &peer, &platform.options.rules, connect);
    client.record("connect", connect_fields(client, connect, &verdict));
    let forced = platform
        .options
        .connack
        .or_else(|| applied(platform, client.conn, "connack").map(|code| code as u8));
    if let Some(code) = forced.filter(|code| *code != 0) {
        return refuse(client, code, "this return code was asked for");
    }
    let accepted = match verdict {
        Ok(accepted) => accepted,
        Err(refused) => return refuse(client, refused.code, &refused.reason),
    };
    let registering = matches!(accepted.mode, Mode::Register | Mode::RegisterNew);
    if registering && let Some(code) = applied(platform, client.conn, "reg-connack") {
        return refuse(client, code as u8, "this return code was asked for");
    }
    // Faults in place of CONNACK: the connection stays and nothing more is said.
    let replacement = [
        ("no-connack", Vec::new()),
        ("garbage-connack", garbage()),
        ("truncate-connack", encode::connack(false, 0)[..3].to_vec()),
        ("malformed=connack", malformed("connack", 0)),
    ];
    for (fault, bytes) in replacement {
        if applied(platform, client.conn, fault).is_some() {
            client.deafen();
            if !bytes.is_empty() {
                client.send(bytes);
            }
            return Ok(());
        }
    }
    // Faults that end the connection right behind CONNACK.
    for (fault, how) in [
        ("close-after-connack", How::Graceful),
        ("eof", How::Abrupt),
        ("reset-after-connack", How::Reset),
    ] {
        if applied(platform, client.conn, fault).is_some() {
            client.record("connack", json!({"code": 0, "session_present": false}));
            client.send(encode::connack(false, 0));
            client.close(how, &format!("fault {fault}"));
            return Err(End::Refused);
        }
    }
    let device = accepted.device.clone();
    let mode = accepted.mode;
    let short_id = accepted.client_id.clone();
    client.touch();
    // Only this thread sets it, and only here, where it is not set yet.
    let _ = client.accepted.set(accepted);
    if matches!(mode, Mode::Register | Mode::RegisterNew) {
        registration::answer(platform, client, &device, mode, &short_id);
        return Ok(());
    }
    let push = &platform.options.identity;
    let payload = match (mode, platform.registry.device(&device)) {
        (Mode::X509, Some(known)) if push.times > 0 => Some(
            push.payload
                .clone()
                .unwrap_or_else(|| known.identity_payload()),
        ),
        _ => None,
    };
    let messages: Vec<_> = payload
        .iter()
        .map(|payload| platform.identity(payload.clone()))
        .collect();
    if push.delay.is_zero() {
        let greeting: Vec<_> = messages
            .iter()
            .cycle()
            .take(messages.len() * push.times as usize)
            .cloned()
            .collect();
        platform.broker.connect(client, &device, connect, &greeting);
    } else {
        platform.broker.connect(client, &device, connect, &[]);
        if let Some(message) = messages.into_iter().next() {
            let (platform, client) = (Arc::clone(platform), Arc::downgrade(client));
            thread::spawn(move || {
                for _ in 0..platform.options.identity.times {
                    if platform.wait_for_stop(Some(platform.options.identity.delay)) {
                        return;
                    }
                    let Some(client) = client.upgrade() else {
                        return;
                    };
                    platform.broker.send_identity(&client, message.clone());
                }
            });
        }
    }
    after_connack(
        platform,
        client,
        &format!(
            "/{}/{}/user/oversize",
            device.product_key, device.device_name
        ),
    );
    Ok(())
}

/// Does something for the client after a while, if it is still there. The wait keeps no connection open.
pub fn later(
    client: &Arc<Client>,
    milliseconds: u64,
    action: impl FnOnce(&Client) + Send + 'static,
) {
    let client = Arc::downgrade(client);
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(milliseconds));
        if let Some(client) = client.upgrade() {
            action(&client);
        }
    });
}

/// Faults that follow a good CONNACK.
fn after_connack(platform: &Arc<Platform>, client: &Arc<Client>, oversize_topic: &str) {
    for kind in [
        "publish", "type0", "type15", "length", "qos3", "pid0", "utf8",
    ] {
        if applied(platform, client.conn, &format!("malformed={kind}")).is_some() {
            client.send(malformed(kind, 0));
        }
    }
    if let Some(size) = applied(platform, client.conn, "oversize") {
        client.send(encode::publish(&Publish {
            dup: false,
            qos: 0,
            retain: false,
            topic: oversize_topic.to_owned(),
            packet_id: 0,
            payload: vec![b'x'; size as usize],
        }));
    }
    if let Some(code) = applied(platform, client.conn, "ws-close") {
        client.close(How::Code(code as u16), "fault ws-close");
    }
    if applied(platform, client.conn, "half-open").is_some() {
        client.freeze();
    }
    if let Some(delay) = applied(platform, client.conn, "close-after") {
        later(client, delay, |client| {
            client.close(How::Graceful, "fault close-after")
        });
    }
}

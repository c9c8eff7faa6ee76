//! A platform in this process, and a small MQTT client that works on bytes.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use iotx_platform::control::execute;
use iotx_platform::server::{Addresses, Options, Platform};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

/// How long anything may take that is expected to happen.
pub const SOON: Duration = Duration::from_secs(5);
/// The device with a secret that most tests use.
pub const SECRET_DEVICE: &str = "a1MZxOdcBnO/example1";
/// The owner of device.crt.
pub const CERT_DEVICE: &str = "a1X509Demo0/x509-device-1";

/// A folder with certificates, made once for all tests.
pub fn pki() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = scratch("pki");
        iotx_platform::pki::generate(&folder, "a1X509Demo0", "x509-device-1").expect("pki");
        folder
    })
}

/// An empty folder for one test.
pub fn scratch(name: &str) -> PathBuf {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("scratch folder");
    folder
}

pub fn options() -> Options {
    Options {
        listen_tcp: Some("127.0.0.1:0".into()),
        ..Options::new(pki().to_owned())
    }
}

pub fn tls_options() -> Options {
    Options {
        listen_tls: Some("127.0.0.1:0".into()),
        listen_tcp: None,
        ..options()
    }
}

/// A running platform; stops at the end of the test.
pub struct Running {
    pub platform: Arc<Platform>,
    pub addresses: Addresses,
}

impl Running {
    pub fn start(options: Options) -> Self {
        let (platform, addresses) = Platform::start(options).expect("platform starts");
        Self {
            platform,
            addresses,
        }
    }

    pub fn tcp() -> Self {
        Self::start(options())
    }

    pub fn with_faults(faults: &[&str]) -> Self {
        Self::start(Options {
            faults: faults.iter().map(ToString::to_string).collect(),
            ..options()
        })
    }

    pub fn dial(&self) -> Client {
        Client::new(Stream::Tcp(dial(
            self.addresses.tcp.expect("a TCP listener"),
        )))
    }

    /// A TCP client of example1 that is already connected.
    pub fn device(&self, clean: bool) -> Client {
        let mut client = self.dial();
        let answer = client.connect(&secret_connect("example1", 60, clean));
        assert_eq!(answer.1, 0, "CONNACK");
        client
    }

    pub fn control(&self, command: Value) -> Value {
        execute(&self.platform, &command).expect("control command")
    }

    /// Waits for an event of that kind for which `fits` holds.
    pub fn event(&self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + SOON;
        loop {
            let (events, _) = self.platform.events.since(0);
            if let Some(event) = events
                .iter()
                .find(|event| event["event"] == kind && fits(event))
            {
                return event.clone();
            }
            assert!(Instant::now() < deadline, "no event {kind} in {events:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn count(&self, kind: &str) -> usize {
        self.platform
            .events
            .since(0)
            .0
            .iter()
            .filter(|event| event["event"] == kind)
            .count()
    }

    pub fn publish(&self, topic: &str, payload: &str, qos: u8) -> u64 {
        let command = json!({"cmd": "publish", "topic": topic, "payload": payload, "qos": qos});
        self.control(command)["delivered"]
            .as_u64()
            .expect("delivered")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.platform.stop("end of the test");
        self.platform.finish(&self.addresses);
    }
}

pub fn dial(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("connect");
    socket.set_nodelay(true).expect("nodelay");
    socket.set_read_timeout(Some(SOON)).expect("time limit");
    socket
}

/// What a TLS client brings along.
pub struct TlsClient<'a> {
    pub root: &'a str,
    pub name: &'a str,
    pub cert: Option<(&'a str, &'a str)>,
    pub only: Option<&'static rustls::SupportedProtocolVersion>,
}

impl Default for TlsClient<'_> {
    fn default() -> Self {
        Self {
            root: "root.crt",
            name: "x509.itls.cn-shanghai.aliyuncs.com",
            cert: None,
            only: None,
        }
    }
}

impl TlsClient<'_> {
    pub fn device() -> Self {
        Self {
            cert: Some(("device.crt", "device.key")),
            ..Self::default()
        }
    }

    /// Connects and shakes hands.
    pub fn dial(&self, address: SocketAddr) -> io::Result<Client> {
        self.dial_with(address, &self.config())
    }

    /// The configuration; clients that share one resume each other's sessions.
    pub fn config(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(pki().join(self.root)).expect("root") {
            roots.add(certificate.expect("root")).expect("root");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = self
            .only
            .map_or(rustls::ALL_VERSIONS.to_vec(), |only| vec![only]);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .expect("versions")
            .with_root_certificates(roots);
        Arc::new(match self.cert {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let chain = CertificateDer::pem_file_iter(pki().join(cert)).expect("certificate");
                let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificate");
                let key = PrivateKeyDer::from_pem_file(pki().join(key)).expect("key");
                builder
                    .with_client_auth_cert(chain, key)
                    .expect("client certificate")
            }
        })
    }

    pub fn dial_with(&self, address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Client> {
        let name = ServerName::try_from(self.name.to_owned()).expect("name");
        let mut connection = ClientConnection::new(Arc::clone(config), name).expect("client");
        let mut socket = dial(address);
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(Client::new(Stream::Tls(Box::new(StreamOwned::new(
            connection, socket,
        )))))
    }
}

pub enum Stream {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Tcp(socket) => socket,
            Self::Tls(stream) => &stream.sock,
        }
    }
}

/// How a connection ended, seen by the client.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// FIN, with TLS after close_notify.
    Clean,
    /// FIN without close_notify.
    NoCloseNotify,
    Reset,
}

pub struct Client {
    pub stream: Stream,
    buffer: Vec<u8>,
    /// Length of each piece read, to see how the platform cut its output.
    pub pieces: Vec<usize>,
}

impl Client {
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            pieces: Vec::new(),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        match &mut self.stream {
            Stream::Tcp(socket) => socket.write_all(bytes).expect("send"),
            Stream::Tls(stream) => stream
                .write_all(bytes)
                .and_then(|()| stream.flush())
                .expect("send"),
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; 16 * 1024];
        let count = self.stream.read(&mut piece)?;
        self.buffer.extend_from_slice(&piece[..count]);
        self.pieces.push(count);
        Ok(count)
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            let got = self.fill().expect("bytes in time");
            assert!(got > 0, "the connection ended after {:?}", self.buffer);
        }
        self.buffer.drain(..count).collect()
    }

    /// The next packet: first byte and body.
    pub fn packet(&mut self) -> (u8, Vec<u8>) {
        let first = self.take(1)[0];
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = self.take(1)[0];
            length |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        (first, self.take(length))
    }

    /// Expects a PUBLISH: flags (low half of the first byte), topic, packet id, payload.
    pub fn publish(&mut self) -> (u8, String, u16, Vec<u8>) {
        let (first, body) = self.packet();
        assert_eq!(first >> 4, 3, "PUBLISH, not {first:#x} {body:?}");
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = String::from_utf8(body[2..2 + length].to_vec()).expect("topic");
        let rest = &body[2 + length..];
        match first & 0x06 {
            0 => (first & 0x0F, topic, 0, rest.to_vec()),
            _ => (
                first & 0x0F,
                topic,
                u16::from_be_bytes([rest[0], rest[1]]),
                rest[2..].to_vec(),
            ),
        }
    }

    /// Sends CONNECT and returns session present and return code.
    pub fn connect(&mut self, packet: &[u8]) -> (bool, u8) {
        self.send(packet);
        let (first, body) = self.packet();
        assert_eq!((first, body.len()), (0x20, 2), "CONNACK");
        (body[0] == 1, body[1])
    }

    /// Subscribes and returns the codes of SUBACK.
    pub fn subscribe(&mut self, id: u16, filters: &[(&str, u8)]) -> Vec<u8> {
        self.send(&subscribe(id, filters));
        let (first, body) = self.packet();
        assert_eq!(first, 0x90, "SUBACK");
        assert_eq!(body[..2], id.to_be_bytes());
        body[2..].to_vec()
    }

    /// PINGREQ and its answer: everything sent before has been handled.
    pub fn ping(&mut self) {
        self.send(&[0xC0, 0]);
        assert_eq!(self.packet(), (0xD0, vec![]), "PINGRESP");
    }

    /// Nothing comes for this long.
    pub fn silent_for(&mut self, time: Duration) {
        assert!(self.buffer.is_empty(), "unread {:?}", self.buffer);
        self.stream
            .socket()
            .set_read_timeout(Some(time))
            .expect("time limit");
        match self.fill() {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) => {}
            other => panic!("silence expected, got {other:?} {:?}", self.buffer),
        }
        self.stream
            .socket()
            .set_read_timeout(Some(SOON))
            .expect("time limit");
    }

    /// Waits for the end of the connection; nothing may come before.
    pub fn end(&mut self) -> Ended {
        match self.fill() {
            Ok(0) => Ended::Clean,
            Ok(_) => panic!("the end expected, got {:?}", self.buffer),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ended::NoCloseNotify,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ended::Reset,
            Err(error) => panic!("the end expected, got {error}"),
        }
    }
}

pub fn text(value: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(value.len())
        .expect("short")
        .to_be_bytes()
        .to_vec();
    bytes.extend(value.as_bytes());
    bytes
}

pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    while length >= 128 {
        bytes.push((length % 128) as u8 | 0x80);
        length /= 128;
    }
    bytes.push(length as u8);
    bytes.extend(body);
    bytes
}

pub fn connect(
    client_id: &str,
    username: &str,
    password: &str,
    keep_alive: u16,
    clean: bool,
) -> Vec<u8> {
    let mut body = text("MQTT");
    body.extend([4, 0xC0 | u8::from(clean) << 1]);
    body.extend(keep_alive.to_be_bytes());
    body.extend(text(client_id));
    body.extend(text(username));
    body.extend(text(password));
    packet(0x10, &body)
}

pub fn sha256(key: &str, content: &str) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).expect("any key");
    mac.update(content.as_bytes());
    mac.finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect()
}

/// CONNECT of example1 or example2 over TCP.
pub fn secret_connect(device_name: &str, keep_alive: u16, clean: bool) -> Vec<u8> {
    let secret = match device_name {
        "example1" => "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X",
        _ => "Zc3vQwTn8sLk1bXyR6dMh0fUe5gJp2Ao",
    };
    let password = sha256(
        secret,
        &format!("clientIdcdeviceName{device_name}productKeya1MZxOdcBnO"),
    );
    let username = format!("{device_name}&a1MZxOdcBnO");
    connect(
        "c|securemode=3,signmethod=hmacsha256|",
        &username,
        &password,
        keep_alive,
        clean,
    )
}

pub fn x509_connect(clean: bool) -> Vec<u8> {
    connect(".|securemode=2|", "&", "", 300, clean)
}

pub fn subscribe(id: u16, filters: &[(&str, u8)]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    for (filter, qos) in filters {
        body.extend(text(filter));
        body.push(*qos);
    }
    packet(0x82, &body)
}

pub fn publish(topic: &str, payload: &[u8], qos: u8, id: u16) -> Vec<u8> {
    let mut body = text(topic);
    if qos > 0 {
        body.extend(id.to_be_bytes());
    }
    body.extend(payload);
    packet(0x30 | qos << 1, &body)
}

pub fn puback(id: u16) -> Vec<u8> {
    packet(0x40, &id.to_be_bytes())
}

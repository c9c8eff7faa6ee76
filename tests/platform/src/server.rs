//! The platform as a whole: its parts, its listeners, its end.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use serde_json::{Map, Value, json};

use crate::auth::Rules;
use crate::broker::{Broker, DeliveryQos};
use crate::connection;
use crate::control;
use crate::events::Events;
use crate::faults::Faults;
use crate::https;
use crate::link::How;
use crate::page;
use crate::proxy::{self, ProxyOptions};
use crate::psk;
use crate::registration::RegistrationOptions;
use crate::registry::Registry;
use crate::session::Message;
use crate::tls::{self, ClientCert, MaxVersion, Tickets, TlsOptions};
use crate::transport::Transport;

/// Topic on which an X.509 device learns its identity.
pub const IDENTITY_TOPIC: &str = "/ext/auth/identity/response";

/// How the identity is pushed to X.509 devices.
#[derive(Debug, Clone)]
pub struct IdentityPush {
    /// How often; 0 is never.
    pub times: u32,
    /// Time from CONNACK to the first push, and between pushes.
    pub delay: Duration,
    /// 0 or 1.
    pub qos: u8,
    /// Sent instead of the device's own identity.
    pub payload: Option<String>,
}

impl Default for IdentityPush {
    fn default() -> Self {
        Self {
            times: 1,
            delay: Duration::ZERO,
            qos: 1,
            payload: None,
        }
    }
}

/// Everything that can be chosen when a platform starts.
pub struct Options {
    /// Address of the TLS listener.
    pub listen_tls: Option<String>,
    /// Address of the plain TCP listener.
    pub listen_tcp: Option<String>,
    /// Address of the WebSocket listener.
    pub listen_ws: Option<String>,
    /// Address of the listener for WebSocket over TLS.
    pub listen_wss: Option<String>,
    /// Path of the WebSocket.
    pub ws_path: String,
    /// Address of the TLS-PSK listener.
    pub listen_psk: Option<String>,
    /// Cipher suites of that listener, by OpenSSL's names.
    pub psk_suites: String,
    /// HTTP proxy.
    pub proxy: ProxyOptions,
    /// Address of the control port.
    pub control: Option<String>,
    /// TLS settings, also naming the folder of the device registry's default.
    pub tls: TlsOptions,
    /// Registry file; `devices.json` of the PKI folder when `None`.
    pub devices: Option<PathBuf>,
    /// JSON-lines log, appended to.
    pub log: Option<PathBuf>,
    /// Readable lines on standard output.
    pub console: bool,
    /// Identity push.
    pub identity: IdentityPush,
    /// Rules of CONNECT.
    pub rules: Rules,
    /// Time between two looks for silent devices.
    pub scan: Duration,
    /// QoS of deliveries.
    pub delivery_qos: DeliveryQos,
    /// Return code for every CONNECT.
    pub connack: Option<u8>,
    /// Largest packet accepted from a client, bytes behind the fixed header.
    pub max_packet: usize,
    /// Limit for the TLS handshake, and from there to CONNECT.
    pub patience: Duration,
    /// Faults active from the start.
    pub faults: Vec<String>,
    /// Dynamic registration.
    pub registration: RegistrationOptions,
    /// Loopback address of the page for people.
    pub page: Option<String>,
}

impl Options {
    /// No listener, what the command line has by default otherwise, with the certificates of a folder.
    pub fn new(pki: PathBuf) -> Self {
        Self {
            listen_tls: None,
            listen_tcp: None,
            listen_ws: None,
            listen_wss: None,
            ws_path: "/mqtt".into(),
            listen_psk: None,
            psk_suites: psk::SUITES.into(),
            proxy: ProxyOptions::default(),
            control: None,
            tls: TlsOptions {
                pki,
                server_cert: "server".into(),
                client_cert: ClientCert::Optional,
                max_version: MaxVersion::Tls13,
                tickets: Tickets::On,
            },
            devices: None,
            log: None,
            console: false,
            identity: IdentityPush::default(),
            rules: Rules::default(),
            scan: Duration::from_secs(30),
            delivery_qos: DeliveryQos::Publisher,
            connack: None,
            max_packet: 1 << 20,
            patience: Duration::from_secs(10),
            faults: Vec::new(),
            registration: RegistrationOptions::default(),
            page: None,
        }
    }
}

/// A running platform, shared by its threads.
pub struct Platform {
    /// The log.
    pub events: Arc<Events>,
    /// The active faults.
    pub faults: Arc<Faults>,
    /// The sessions.
    pub broker: Broker,
    /// The devices.
    pub registry: Registry,
    /// The options it was started with.
    pub options: Options,
    tls: Mutex<Option<Arc<ServerConfig>>>,
    server_cert: Mutex<String>,
    next_connection: AtomicU64,
    stopping: AtomicBool,
    stop: (Mutex<Option<String>>, Condvar),
}

/// The addresses a platform really listens on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Addresses {
    /// TLS listener.
    pub tls: Option<SocketAddr>,
    /// Plain TCP listener.
    pub tcp: Option<SocketAddr>,
    /// WebSocket listener.
    pub ws: Option<SocketAddr>,
    /// Listener for WebSocket over TLS.
    pub wss: Option<SocketAddr>,
    /// HTTPS registration endpoint.
    pub https: Option<SocketAddr>,
    /// Page for people.
    pub page: Option<SocketAddr>,
    /// TLS-PSK listener.
    pub psk: Option<SocketAddr>,
    /// HTTP proxy.
    pub proxy: Option<SocketAddr>,
    /// Control port.
    pub control: Option<SocketAddr>,
}

impl Addresses {
    /// The address of the listener for devices that come over `transport`.
    pub fn of(&self, transport: Transport) -> Option<SocketAddr> {
        match transport {
            Transport::Tcp => self.tcp,
            Transport::Tls => self.tls,
            Transport::Ws => self.ws,
            Transport::Wss => self.wss,
            Transport::Psk => self.psk,
        }
    }

    /// All of them.
    fn all(&self) -> impl Iterator<Item = SocketAddr> {
        let devices = Transport::ALL.map(|transport| self.of(transport));
        devices
            .into_iter()
            .chain([self.https, self.page, self.proxy, self.control])
            .flatten()
    }

    /// Port numbers by name, null for what does not listen.
    pub fn ports(&self) -> Map<String, Value> {
        let port = |address: Option<SocketAddr>| Value::from(address.map(|address| address.port()));
        Transport::ALL
            .into_iter()
            .map(|transport| (transport.name(), self.of(transport)))
            .chain([
                ("proxy", self.proxy),
                ("https", self.https),
                ("page", self.page),
                ("control", self.control),
            ])
            .map(|(name, address)| (format!("{name}_port"), port(address)))
            .collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}

fn bind(address: &str, what: &str) -> Result<(TcpListener, SocketAddr), String> {
    let failed = |error| format!("cannot listen on {address} for {what}: {error}");
    let listener = TcpListener::bind(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

impl Platform {
    /// Starts a platform; the error is a sentence for the user.
    pub fn start(options: Options) -> Result<(Arc<Self>, Addresses), String> {
        let registry_path = options
            .devices
            .clone()
            .unwrap_or_else(|| options.tls.pki.join("devices.json"));
        let mut registry = Registry::load(&registry_path)?;
        let registration = &options.registration;
        registry.remember(registration.once, registration.tokens.as_deref())?;
        let faults = Arc::new(Faults::default());
        for spec in &options.faults {
            faults.set(spec)?;
        }
        let tls = if options.listen_tls.is_some()
            || options.listen_wss.is_some()
            || options.registration.listen_https.is_some()
        {
            Some(tls::server_config(
                &options.tls,
                &registry.private().certificates(),
            )?)
        } else {
            None
        };
        if options.listen_psk.is_some() {
            psk::check_suites(&options.psk_suites)?;
        }
        let bind_if = |address: &Option<String>, what: &str| {
            address
                .as_deref()
                .map(|address| bind(address, what))
                .transpose()
        };
        let mut listeners = Vec::new();
        let mut addresses = Addresses::default();
        for (transport, option, address) in [
            (Transport::Tls, &options.listen_tls, &mut addresses.tls),
            (Transport::Tcp, &options.listen_tcp, &mut addresses.tcp),
            (Transport::Ws, &options.listen_ws, &mut addresses.ws),
            (Transport::Wss, &options.listen_wss, &mut addresses.wss),
            (Transport::Psk, &options.listen_psk, &mut addresses.psk),
        ] {
            if let Some((listener, bound)) = bind_if(option, transport.title())? {
                listeners.push((listener, transport));
                *address = Some(bound);
            }
        }
        let https_listener = bind_if(&options.registration.listen_https, "HTTPS")?;
        addresses.https = https_listener.as_ref().map(|(_, address)| *address);
        let proxy_listener = bind_if(&options.proxy.listen, "the proxy")?;
        addresses.proxy = proxy_listener.as_ref().map(|(_, address)| *address);
        let page_listener = bind_if(&options.page, "the page")?;
        addresses.page = page_listener
            .as_ref()
            .map(|(_, address)| page::check_address(*address))
            .transpose()?;
        let control_listener = bind_if(&options.control, "control")?;
        addresses.control = control_listener.as_ref().map(|(_, address)| *address);
        let events = Events::new(options.log.as_deref(), options.console)
            .map_err(|error| format!("cannot write the event log: {error}"))?;
        let platform = Arc::new(Self {
            events: Arc::new(events),
            broker: Broker::new(Arc::clone(&faults), options.delivery_qos),
            faults,
            registry,
            tls: Mutex::new(tls),
            server_cert: Mutex::new(options.tls.server_cert.clone()),
            next_connection: AtomicU64::new(1),
            stopping: AtomicBool::new(false),
            stop: (Mutex::new(None), Condvar::new()),
            options,
        });
        platform
            .events
            .record("started", platform.describe(&addresses));
        for (listener, transport) in listeners {
            let platform = Arc::clone(&platform);
            thread::spawn(move || platform.accept(&listener, transport));
        }
        if let Some((listener, _)) = https_listener {
            let platform = Arc::clone(&platform);
            thread::spawn(move || platform.each_socket(&listener, https::serve));
        }
        if let Some((listener, _)) = proxy_listener {
            let platform = Arc::clone(&platform);
            thread::spawn(move || proxy::serve(&platform, &listener, addresses));
        }
        if let Some((listener, _)) = page_listener {
            let platform = Arc::clone(&platform);
            thread::spawn(move || platform.each_socket(&listener, page::serve));
        }
        if let Some((listener, _)) = control_listener {
            let platform = Arc::clone(&platform);
            thread::spawn(move || control::serve(&platform, &listener));
        }
        let scanner = Arc::clone(&platform);
        thread::spawn(move || {
            while !scanner.wait_for_stop(Some(scanner.options.scan)) {
                scanner.broker.scan(Instant::now());
            }
        });
        Ok((platform, addresses))
    }

    fn describe(&self, addresses: &Addresses) -> Value {
        let mut parts = Vec::new();
        for transport in Transport::ALL {
            let Some(address) = addresses.of(transport) else {
                continue;
            };
            let mut part = format!("{} on {address}", transport.title());
            if transport.has_certificate() {
                let client = format!("{:?}", self.options.tls.client_cert).to_lowercase();
                let certificate = &self.options.tls.server_cert;
                part += &format!(" (certificate {certificate}, client certificate {client})");
            }
            parts.push(part);
        }
        for (title, address) in [
            ("HTTPS registration", addresses.https),
            ("page", addresses.page),
            ("HTTP proxy", addresses.proxy),
        ] {
            if let Some(address) = address {
                parts.push(format!("{title} on {address}"));
            }
        }
        if let Some(address) = addresses.control {
            parts.push(format!("control on {address}"));
        }
        parts.push(format!("{} devices known", self.registry.len()));
        let active = self.faults.active();
        if !active.is_empty() {
            parts.push(format!("faults {}", active.join(" ")));
        }
        let mut fields = addresses.ports();
        fields.insert("text".into(), parts.join(", ").into());
        Value::Object(fields)
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener, transport: Transport) {
        self.each_socket(listener, move |platform, socket, number| {
            connection::serve(platform, socket, number, transport);
        });
    }

    /// Serves each connection in a thread of its own, until the platform stops.
    fn each_socket(
        self: &Arc<Self>,
        listener: &TcpListener,
        serve: impl Fn(&Arc<Self>, TcpStream, u64) + Clone + Send + 'static,
    ) {
        for socket in listener.incoming() {
            if self.is_stopping() {
                return;
            }
            match socket {
                Ok(socket) => {
                    let number = self.next_connection();
                    let platform = Arc::clone(self);
                    let serve = serve.clone();
                    thread::spawn(move || serve(&platform, socket, number));
                }
                // Out of descriptors, most likely: give connections time to end.
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// The number of a new connection.
    pub fn next_connection(&self) -> u64 {
        self.next_connection.fetch_add(1, Ordering::Relaxed)
    }

    /// The TLS configuration for a new connection; `None` without a listener that needs one.
    pub fn tls_config(&self) -> Option<Arc<ServerConfig>> {
        lock(&self.tls).clone()
    }

    /// Takes another server certificate of the PKI folder for the connections to come.
    pub fn use_server_cert(&self, name: &str) -> Result<(), String> {
        if self.tls_config().is_none() {
            return Err("there is no TLS listener".into());
        }
        let config = tls::server_config(
            &TlsOptions {
                server_cert: name.to_owned(),
                ..self.options.tls.clone()
            },
            &self.registry.private().certificates(),
        )?;
        *lock(&self.tls) = Some(config);
        *lock(&self.server_cert) = name.to_owned();
        Ok(())
    }

    /// Takes the private CAs as they are now for the connections to come.
    pub fn use_private_cas(&self) -> Result<(), String> {
        if self.tls_config().is_none() {
            return Ok(());
        }
        let name = lock(&self.server_cert).clone();
        self.use_server_cert(&name)
    }

    /// Forgets all sessions that clients could resume: the key of the tickets, and the session ids.
    pub fn rotate_tickets(&self) -> Result<(), String> {
        let name = lock(&self.server_cert).clone();
        self.use_server_cert(&name)
    }

    /// The identity message of a device, `None` if the device is none with a certificate.
    pub fn identity(&self, payload: String) -> Message {
        let mut message = Message::new(IDENTITY_TOPIC, payload, self.options.identity.qos);
        message.ephemeral = true;
        message
    }

    /// Asks the platform to end; the first reason counts.
    pub fn stop(&self, reason: &str) {
        lock(&self.stop.0).get_or_insert_with(|| reason.to_owned());
        self.stopping.store(true, Ordering::SeqCst);
        self.stop.1.notify_all();
    }

    /// Whether the platform is ending.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Waits until the platform is asked to end (`true`), or until `limit` is over.
    pub fn wait_for_stop(&self, limit: Option<Duration>) -> bool {
        let guard = lock(&self.stop.0);
        let running = |reason: &mut Option<String>| reason.is_none();
        match limit {
            None => drop(self.stop.1.wait_while(guard, running)),
            Some(limit) => drop(self.stop.1.wait_timeout_while(guard, limit, running)),
        }
        self.is_stopping()
    }

    /// After [`Platform::wait_for_stop`]: closes the connections and releases the ports.
    pub fn finish(&self, addresses: &Addresses) {
        let reason = lock(&self.stop.0).clone().unwrap_or_default();
        for client in self.broker.clients() {
            client.close_now(How::Graceful, "the platform stops");
        }
        self.events.record("stopped", json!({"reason": reason}));
        for address in addresses.all() {
            // A connection wakes the thread that waits in accept; it sees the flag and ends.
            let _ = TcpStream::connect_timeout(&address, Duration::from_millis(200));
        }
    }
}

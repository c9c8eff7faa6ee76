//! `iotx-platform`: the local platform as a program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use iotx_platform::auth::Rules;
use iotx_platform::broker::DeliveryQos;
use iotx_platform::pki;
use iotx_platform::proxy::{Credentials, Mapping, ProxyOptions};
use iotx_platform::psk;
use iotx_platform::registration::{Codes, RegistrationOptions};
use iotx_platform::server::{Addresses, IdentityPush, Options, Platform};
use iotx_platform::tls::{ClientCert, MaxVersion, Tickets, TlsOptions};

/// A local stand-in for the cloud side of an IoT device: TLS, MQTT 3.1.1, identity push, faults on request.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make certificates, keys and the device registry.
    Pki {
        /// Folder to write to; made if missing.
        #[arg(long)]
        out: PathBuf,
        /// Product key of the devices with certificates.
        #[arg(long, default_value = pki::PRODUCT_KEY)]
        product_key: String,
        /// Device name of the owner of device.crt.
        #[arg(long, default_value = pki::DEVICE_NAME)]
        device_name: String,
    },
    /// Run the platform until SIGTERM, SIGINT or the control command "stop".
    Serve(Box<Serve>),
}

#[derive(Args)]
struct Serve {
    /// Folder made by `iotx-platform pki`.
    #[arg(long)]
    pki: PathBuf,
    /// Device registry [default: devices.json in the PKI folder].
    #[arg(long)]
    devices: Option<PathBuf>,
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// --listen speaks TLS (the default).
    #[arg(long, conflicts_with = "tcp")]
    tls: bool,
    /// --listen speaks plain TCP.
    #[arg(long)]
    tcp: bool,
    /// A second listener with plain TCP.
    #[arg(long, conflicts_with = "tcp")]
    listen_tcp: Option<String>,
    /// A listener with WebSocket.
    #[arg(long)]
    listen_ws: Option<String>,
    /// A listener with WebSocket over TLS.
    #[arg(long)]
    listen_wss: Option<String>,
    /// Path of the WebSocket.
    #[arg(long, default_value = "/mqtt")]
    ws_path: String,
    /// The HTTPS registration endpoint.
    #[arg(long)]
    listen_https: Option<String>,
    /// A device gets its secret only once, until the control command "reset-device".
    #[arg(long)]
    register_once: bool,
    /// Code in the HTTPS answer for a refusal: parameter, product, off, sign, device, active or too-many=N.
    #[arg(long = "register-code")]
    register_codes: Vec<String>,
    /// File that keeps the tokens of devices registered without pre-registration.
    #[arg(long)]
    tokens: Option<PathBuf>,
    /// A page for people, on a loopback address only.
    #[arg(long)]
    listen_page: Option<String>,
    /// A listener with TLS-PSK.
    #[arg(long)]
    listen_psk: Option<String>,
    /// Cipher suites of the TLS-PSK listener, by OpenSSL's names, with colons between.
    #[arg(long, default_value = psk::SUITES)]
    psk_suites: String,
    /// An HTTP proxy that leads (CONNECT) to the listeners of this platform.
    #[arg(long)]
    listen_proxy: Option<String>,
    /// File with the user:password that the proxy asks for.
    #[arg(long)]
    proxy_auth_file: Option<PathBuf>,
    /// Where the proxy leads: HOST:PORT=TO with an address or tls, tcp, ws, wss, psk; may be given several times.
    #[arg(long = "proxy-map")]
    proxy_map: Vec<Mapping>,
    /// Session resumption.
    #[arg(long, value_enum, default_value = "on")]
    tickets: Tickets,
    /// Server certificate: the name of a .crt and .key file in the PKI folder.
    #[arg(long, default_value = "server")]
    server_cert: String,
    /// Client certificates in the handshake.
    #[arg(long, value_enum, default_value = "optional")]
    client_cert: ClientCert,
    /// Highest TLS version.
    #[arg(long, value_enum, default_value = "1.3")]
    tls_max: MaxVersion,
    /// Append events to this file, one JSON object a line.
    #[arg(long)]
    log: Option<PathBuf>,
    /// Tell events in words on standard output (the default).
    #[arg(long, conflicts_with = "quiet")]
    console: bool,
    /// Print the start line only.
    #[arg(long)]
    quiet: bool,
    /// Address of the control port.
    #[arg(long, default_value = "127.0.0.1:0")]
    control: String,
    /// Write ports and process id to this file once ready.
    #[arg(long)]
    ready: Option<PathBuf>,
    /// Milliseconds from CONNACK to the identity, and between repeated ones.
    #[arg(long, default_value_t = 0)]
    identity_delay_ms: u64,
    /// Identity payload instead of the device's own.
    #[arg(long)]
    identity_payload: Option<String>,
    /// QoS of the identity.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=1))]
    identity_qos: u8,
    /// Push no identity.
    #[arg(long)]
    no_identity: bool,
    /// Push the identity this often.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    identity_times: u32,
    /// Smallest keep-alive accepted, seconds.
    #[arg(long, default_value_t = 30)]
    min_keepalive: u16,
    /// Largest keep-alive accepted, seconds.
    #[arg(long, default_value_t = 1200)]
    max_keepalive: u16,
    /// CONNACK code for a keep-alive outside.
    #[arg(long, default_value_t = 2)]
    keepalive_code: u8,
    /// Milliseconds between two looks for silent devices.
    #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..))]
    keepalive_scan_ms: u64,
    /// QoS of messages to subscribers: as published, or the smaller of published and subscribed.
    #[arg(long, value_enum, default_value = "publisher")]
    delivery_qos: DeliveryQos,
    /// Answer every CONNECT with this code.
    #[arg(long)]
    connack: Option<u8>,
    /// Largest packet accepted from a device, bytes.
    #[arg(long, default_value_t = 1 << 20)]
    max_packet: usize,
    /// Limit for the TLS handshake and for the wait for CONNECT, milliseconds.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    handshake_ms: u64,
    /// A fault: name[=value][:count]; may be given several times.
    #[arg(long = "fault")]
    faults: Vec<String>,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Pki {
            out,
            product_key,
            device_name,
        } => pki::generate(&out, &product_key, &device_name)
            .map(|()| println!("certificates written to {}", out.display())),
        Command::Serve(serve) => run(*serve),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("iotx-platform: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(serve: Serve) -> Result<(), String> {
    let (listen_tls, listen_tcp) = if serve.tcp {
        (None, Some(serve.listen))
    } else {
        (Some(serve.listen), serve.listen_tcp)
    };
    let options = Options {
        listen_tls,
        listen_tcp,
        listen_ws: serve.listen_ws,
        listen_wss: serve.listen_wss,
        ws_path: serve.ws_path,
        listen_psk: serve.listen_psk,
        psk_suites: serve.psk_suites,
        proxy: ProxyOptions {
            listen: serve.listen_proxy,
            credentials: serve
                .proxy_auth_file
                .as_deref()
                .map(proxy_credentials)
                .transpose()?,
            map: serve.proxy_map,
        },
        control: Some(serve.control),
        tls: TlsOptions {
            pki: serve.pki,
            server_cert: serve.server_cert,
            client_cert: serve.client_cert,
            max_version: serve.tls_max,
            tickets: serve.tickets,
        },
        devices: serve.devices,
        log: serve.log,
        console: !serve.quiet,
        identity: IdentityPush {
            times: if serve.no_identity {
                0
            } else {
                serve.identity_times
            },
            delay: Duration::from_millis(serve.identity_delay_ms),
            qos: serve.identity_qos,
            payload: serve.identity_payload,
        },
        rules: Rules {
            min_keep_alive: serve.min_keepalive,
            max_keep_alive: serve.max_keepalive,
            keep_alive_code: serve.keepalive_code,
        },
        scan: Duration::from_millis(serve.keepalive_scan_ms),
        delivery_qos: serve.delivery_qos,
        connack: serve.connack,
        max_packet: serve.max_packet,
        patience: Duration::from_millis(serve.handshake_ms),
        faults: serve.faults,
        registration: RegistrationOptions {
            listen_https: serve.listen_https,
            once: serve.register_once,
            codes: Codes::new(&serve.register_codes)?,
            tokens: serve.tokens,
        },
        page: serve.listen_page,
    };
    if let Some(path) = &serve.ready {
        // One left by an earlier run would tell wrong ports.
        let _ = fs::remove_file(path);
    }
    // Before anything else, so that a signal during the start is not lost.
    let mut signals = Signals::new([SIGTERM, SIGINT])
        .map_err(|error| format!("cannot watch for signals: {error}"))?;
    let (platform, addresses) = Platform::start(options)?;
    if serve.quiet {
        let (events, _) = platform.events.since(0);
        println!(
            "platform started: {}",
            events
                .first()
                .and_then(|event| event["text"].as_str())
                .unwrap_or_default()
        );
    }
    if let Some(path) = &serve.ready {
        write_ready(path, &addresses)
            .map_err(|error| format!("cannot write the ready file {}: {error}", path.display()))?;
    }
    let watched = platform.clone();
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            watched.stop(if signal == SIGTERM {
                "SIGTERM"
            } else {
                "SIGINT"
            });
        }
    });
    platform.wait_for_stop(None);
    platform.finish(&addresses);
    // Gives the threads of open connections the time to say good-bye.
    thread::sleep(Duration::from_millis(50));
    Ok(())
}

/// The credentials are in a file: arguments are visible to everyone on the machine.
fn proxy_credentials(path: &Path) -> Result<Credentials, String> {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Credentials::new(text.trim_end_matches(['\r', '\n']))
}

/// Writes the file under another name first: whoever waits for it never sees half of it.
fn write_ready(path: &Path, addresses: &Addresses) -> std::io::Result<()> {
    let mut fields = addresses.ports();
    let first = addresses.tls.or(addresses.tcp);
    fields.insert("port".into(), first.map(|address| address.port()).into());
    fields.insert("pid".into(), std::process::id().into());
    let content = Value::Object(fields);
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    fs::write(&temporary, format!("{content}\n"))?;
    fs::rename(&temporary, path)
}

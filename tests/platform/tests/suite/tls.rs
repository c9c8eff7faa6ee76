//! TLS: what a client sees of good and bad server certificates, and what the server asks of clients.

use iotx_platform::server::Options;
use iotx_platform::tls::{ClientCert, MaxVersion, Tickets};
use rustls::version::{TLS12, TLS13};

use crate::support::*;

fn start(change: impl FnOnce(&mut Options)) -> Running {
    let mut options = tls_options();
    change(&mut options);
    Running::start(options)
}

fn address(running: &Running) -> std::net::SocketAddr {
    running.addresses.tls.expect("TLS")
}

#[test]
fn both_versions_and_the_log_of_the_handshake() {
    for (only, version) in [(&TLS12, "TLS 1.2"), (&TLS13, "TLS 1.3")] {
        let running = start(|_| {});
        let client = TlsClient {
            only: Some(only),
            ..TlsClient::device()
        };
        let mut client = client.dial(address(&running)).expect("handshake");
        assert_eq!(client.connect(&x509_connect(true)), (false, 0));
        let event = running.event("tls", |event| event["ok"] == true);
        assert_eq!(event["version"], version);
        assert_eq!(event["sni"], "x509.itls.cn-shanghai.aliyuncs.com");
        assert!(
            event["client_cert"]
                .as_str()
                .is_some_and(|subject| subject.contains("CN=x509-device-1"))
        );
        assert!(
            event["suite"]
                .as_str()
                .is_some_and(|suite| suite.starts_with("TLS"))
        );
        let event = running.event("connect", |_| true);
        assert_eq!(
            (&event["tls_version"], &event["mode"]),
            (&version.into(), &"x509".into())
        );
        assert!(event["password_ok"].is_null());
        // The client's close_notify is told from a bare end of TCP.
        if let Stream::Tls(stream) = &mut client.stream {
            stream.conn.send_close_notify();
            stream.flush_all();
        }
        let closed = running.event("closed", |_| true);
        assert_eq!(closed["reason"], "the client closed TLS");
    }
}

trait FlushAll {
    fn flush_all(&mut self);
}

impl FlushAll for rustls::StreamOwned<rustls::ClientConnection, std::net::TcpStream> {
    fn flush_all(&mut self) {
        while self.conn.wants_write() {
            self.conn.write_tls(&mut self.sock).expect("send");
        }
    }
}

#[test]
fn tls_1_3_can_be_switched_off() {
    let running = start(|options| options.tls.max_version = MaxVersion::Tls12);
    assert!(
        TlsClient {
            only: Some(&TLS13),
            ..TlsClient::default()
        }
        .dial(address(&running))
        .is_err()
    );
    running.event("tls", |event| event["ok"] == false);
    assert!(TlsClient::default().dial(address(&running)).is_ok());
    assert_eq!(
        running.event("tls", |event| event["ok"] == true)["version"],
        "TLS 1.2"
    );
}

#[test]
fn every_documented_name_and_the_rsa_certificate() {
    for certificate in ["server", "server-rsa"] {
        let running = start(|options| options.tls.server_cert = certificate.into());
        for name in [
            "x509.itls.cn-shanghai.aliyuncs.com",
            "a1MZxOdcBnO.iot-as-mqtt.cn-shanghai.aliyuncs.com",
            "a1MZxOdcBnO.iot-as-mqtt.ap-southeast-1.aliyuncs.com",
            "a1MZxOdcBnO.iot-as-mqtt.ap-northeast-1.aliyuncs.com",
            "a1MZxOdcBnO.iot-as-mqtt.us-west-1.aliyuncs.com",
            "a1MZxOdcBnO.iot-as-mqtt.eu-central-1.aliyuncs.com",
            "iot-auth.cn-shanghai.aliyuncs.com",
            "localhost",
            "127.0.0.1",
            "::1",
        ] {
            TlsClient {
                name,
                ..TlsClient::default()
            }
            .dial(address(&running))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }
}

#[test]
fn bad_server_certificates_are_bad_for_the_intended_reason() {
    for (certificate, reason) in [
        ("server-expired", "certificate expired"),
        ("server-not-yet", "not valid yet"),
        ("server-wrong-host", "not valid for name"),
        ("server-iot-as", "not valid for name"),
        ("server-unknown-ca", "UnknownIssuer"),
    ] {
        let running = start(|options| options.tls.server_cert = certificate.into());
        let error = TlsClient::default()
            .dial(address(&running))
            .err()
            .expect(certificate)
            .to_string();
        assert!(error.contains(reason), "{certificate}: {error}");
        running.event("tls", |event| {
            event["ok"] == false && event["error"].as_str().is_some_and(|e| e.contains("alert"))
        });
    }
    // With their own root or name these two are fine: the reason above is the only one.
    let running = start(|options| options.tls.server_cert = "server-unknown-ca".into());
    assert!(
        TlsClient {
            root: "other-root.crt",
            ..TlsClient::default()
        }
        .dial(address(&running))
        .is_ok()
    );
    let running = start(|options| options.tls.server_cert = "server-wrong-host".into());
    assert!(
        TlsClient {
            name: "wrong.example.com",
            ..TlsClient::default()
        }
        .dial(address(&running))
        .is_ok()
    );
}

/// The return code of an X.509 CONNECT, `None` if TLS failed (with TLS 1.3 possibly only after the handshake).
fn enter(
    running: &Running,
    cert: Option<(&str, &str)>,
    version: &'static rustls::SupportedProtocolVersion,
) -> Option<u8> {
    let client = TlsClient {
        cert,
        only: Some(version),
        ..TlsClient::default()
    };
    let mut client = client.dial(address(running)).ok()?;
    if let Stream::Tls(stream) = &mut client.stream {
        std::io::Write::write_all(stream, &x509_connect(true))
            .and_then(|()| std::io::Write::flush(stream))
            .ok()?;
        let mut connack = [0; 4];
        std::io::Read::read_exact(stream, &mut connack).ok()?;
        return Some(connack[3]);
    }
    None
}

#[test]
fn client_certificates() {
    let good = [
        ("device.crt", "device.key"),
        ("device.crt", "device-pkcs8.key"),
        ("device-ec.crt", "device-ec.key"),
        ("device-2.crt", "device-2.key"),
    ];
    for version in [&TLS12, &TLS13] {
        let required = start(|options| options.tls.client_cert = ClientCert::Require);
        let optional = start(|options| options.tls.client_cert = ClientCert::Optional);
        let unasked = start(|options| options.tls.client_cert = ClientCert::None);
        for pair in good {
            assert_eq!(enter(&required, Some(pair), version), Some(0), "{pair:?}");
            assert_eq!(enter(&optional, Some(pair), version), Some(0), "{pair:?}");
        }
        assert_eq!(enter(&required, None, version), None);
        required.event("tls", |event| {
            event["ok"] == false && event["error"] == "peer sent no certificates"
        });
        assert_eq!(enter(&optional, None, version), Some(4));
        assert_eq!(enter(&unasked, Some(good[0]), version), Some(4));
        for bad in [
            ("device-expired.crt", "device-expired.key"),
            ("device-unknown-ca.crt", "device-unknown-ca.key"),
        ] {
            assert_eq!(enter(&required, Some(bad), version), None, "{bad:?}");
            assert_eq!(enter(&optional, Some(bad), version), None, "{bad:?}");
        }
    }
}

#[test]
fn a_silent_client_is_given_up() {
    let running = start(|options| options.patience = std::time::Duration::from_millis(200));
    let mut silent = Client::new(Stream::Tcp(dial(address(&running))));
    assert_eq!(silent.end(), Ended::Clean);
    running.event("tls", |event| {
        event["error"] == "the client went silent in the handshake"
    });
    let mut no_connect = TlsClient::default()
        .dial(address(&running))
        .expect("handshake");
    assert_eq!(no_connect.end(), Ended::Clean);
    running.event("closed", |event| event["reason"] == "no CONNECT in time");
}

#[test]
fn both_directions_at_full_speed() {
    // More than all socket buffers hold, both ways at once, from a client that sends everything first.
    let running = start(|_| {});
    let mut client = TlsClient::device()
        .dial(address(&running))
        .expect("handshake");
    assert_eq!(client.connect(&x509_connect(true)), (false, 0));
    assert_eq!(client.publish().2, 1);
    let topic = "/a1X509Demo0/x509-device-1/user/get";
    assert_eq!(client.subscribe(1, &[(topic, 0)]), [0]);
    let payload = vec![b'p'; 10_000];
    for _ in 0..2000 {
        client.send(&publish(topic, &payload, 0, 0));
    }
    for number in 0..2000 {
        assert_eq!(client.publish().3.len(), 10_000, "message {number}");
    }
}

#[test]
fn sessions_resume_until_the_key_of_the_tickets_changes() {
    for only in [&TLS12, &TLS13] {
        for tickets in [Tickets::On, Tickets::Off] {
            let running = start(|options| options.tls.tickets = tickets);
            let client = TlsClient {
                only: Some(only),
                ..TlsClient::device()
            };
            let config = client.config();
            let mut seen = Vec::new();
            for round in 0..4 {
                if round == 2 {
                    running.control(serde_json::json!({"cmd": "rotate-tickets"}));
                }
                let before = running.count("tls");
                let mut device = client
                    .dial_with(address(&running), &config)
                    .expect("handshake");
                // With TLS 1.3 the ticket comes behind the handshake: reading takes it.
                assert_eq!(device.connect(&x509_connect(true)), (false, 0));
                let (events, _) = running.platform.events.since(0);
                let mut handshakes = events.iter().filter(|event| event["event"] == "tls");
                let event = handshakes.nth(before).expect("a handshake");
                assert_eq!(event["ok"], true);
                // The device is known whether or not its certificate was sent again.
                assert!(event["client_cert"].is_string());
                seen.push(event["resumed"] == true);
            }
            let wanted = match tickets {
                Tickets::On => [false, true, false, true],
                Tickets::Off => [false; 4],
            };
            assert_eq!(seen, wanted, "{only:?} {tickets:?}");
        }
    }
}

/// The thread that waits for bytes must not keep the one that sends from its work.
#[test]
fn a_silent_client_gets_its_messages_at_once() {
    let running = start(|_| {});
    let mut client = TlsClient::device()
        .dial(address(&running))
        .expect("handshake");
    assert_eq!(client.connect(&x509_connect(true)), (false, 0));
    client.publish();
    client.ping();
    let since = std::time::Instant::now();
    for number in 0..20 {
        let command = serde_json::json!({
            "cmd": "publish", "topic": "/a", "payload": number.to_string(), "to": CERT_DEVICE,
        });
        running.control(command);
        assert_eq!(client.publish().3, number.to_string().into_bytes());
    }
    // Each would wait for the end of a read, 200 ms.
    assert!(since.elapsed() < std::time::Duration::from_secs(2));
}

#[test]
fn all_listeners_take_ipv6() {
    let any = || Some("[::1]:0".to_owned());
    let running = Running::start(Options {
        listen_tls: any(),
        listen_tcp: any(),
        listen_ws: any(),
        listen_psk: any(),
        control: any(),
        proxy: iotx_platform::proxy::ProxyOptions {
            listen: any(),
            ..Default::default()
        },
        ..options()
    });
    let tcp = running.addresses.tcp.expect("TCP");
    let mut client = running.dial();
    assert_eq!(
        client.connect(&secret_connect("example1", 60, true)),
        (false, 0)
    );
    let peer = running.event("accepted", |event| event["transport"] == "tcp")["peer"].to_string();
    assert!(peer.starts_with("\"[::1]:"), "{peer}");
    assert!(TlsClient::default().dial(address(&running)).is_ok());
    let socket = dial(running.addresses.proxy.expect("proxy"));
    let mut client = Client::new(Stream::Tcp(socket));
    client.send(format!("CONNECT [::1]:{} HTTP/1.1\r\nHost: x\r\n\r\n", tcp.port()).as_bytes());
    assert_eq!(client.take(13), b"HTTP/1.1 200 ");
    for address in [
        running.addresses.ws,
        running.addresses.psk,
        running.addresses.control,
    ] {
        assert!(address.is_some_and(|address| address.is_ipv6()));
    }
}

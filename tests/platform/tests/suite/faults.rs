//! Every fault, seen from the client.

use std::time::{Duration, Instant};

use iotx_platform::faults::malformed;
use iotx_platform::server::Options;
use serde_json::json;

use crate::support::*;

const GET: &str = "/a1MZxOdcBnO/example1/user/get";
const QUIET: Duration = Duration::from_millis(150);

fn tls_with(fault: &str) -> Running {
    Running::start(Options {
        faults: vec![fault.into()],
        ..tls_options()
    })
}

fn hello() -> Vec<u8> {
    secret_connect("example1", 60, true)
}

#[test]
fn before_mqtt() {
    let running = Running::with_faults(&["drop-after-accept:1", "stall-tls:1"]);
    assert_ne!(running.dial().end(), Ended::NoCloseNotify);
    let mut stalled = running.dial();
    stalled.send(&hello());
    stalled.silent_for(QUIET);
    // Both are used up.
    running.device(true).ping();
    running.event("fault", |event| event["fault"] == "stall-tls");

    let running = tls_with("drop-in-tls:1");
    let address = running.addresses.tls.expect("TLS");
    assert!(TlsClient::default().dial(address).is_err());
    running.event("tls", |event| {
        event["error"] == "dropped in the handshake by a fault"
    });
    assert!(TlsClient::default().dial(address).is_ok());
}

#[test]
fn instead_of_connack() {
    let cases: [(&str, &[u8]); 4] = [
        ("no-connack:1", &[]),
        ("garbage-connack:1", &[0xFF]),
        ("truncate-connack:1", &[0x20, 2, 0]),
        ("malformed=connack:1", &[0x20, 3, 0, 0, 0]),
    ];
    for (fault, expected) in cases {
        let running = Running::with_faults(&[fault]);
        let mut client = running.dial();
        client.send(&hello());
        assert_eq!(client.take(expected.len()), expected, "{fault}");
        if fault == "garbage-connack:1" {
            client.take(15);
        }
        client.send(&[0xC0, 0]);
        client.silent_for(QUIET);
        running.device(true).ping();
    }
    for code in [1, 3, 4, 5, 6, 255] {
        let running = Running::with_faults(&[&format!("connack={code}")]);
        let mut client = running.dial();
        assert_eq!(client.connect(&hello()), (false, code));
        assert_eq!(client.end(), Ended::Clean);
    }
    let running = Running::start(Options {
        connack: Some(3),
        ..options()
    });
    for _ in 0..2 {
        assert_eq!(running.dial().connect(&hello()), (false, 3));
    }
}

#[test]
fn ends_after_connack() {
    for (fault, expected) in [
        ("close-after-connack", Ended::Clean),
        ("eof", Ended::NoCloseNotify),
        ("reset-after-connack", Ended::Reset),
        ("close-after=100", Ended::Clean),
    ] {
        let running = tls_with(fault);
        let mut client = TlsClient::default()
            .dial(running.addresses.tls.expect("TLS"))
            .expect("handshake");
        let password = sha256(
            "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X",
            "clientIdcdeviceNameexample1productKeya1MZxOdcBnO",
        );
        let id = "c|securemode=2,signmethod=hmacsha256|";
        let since = Instant::now();
        client.send(&connect(id, "example1&a1MZxOdcBnO", &password, 60, true));
        if fault != "reset-after-connack" {
            assert_eq!(client.packet(), (0x20, vec![0, 0]), "{fault}");
        }
        // A reset may overtake what was sent before it.
        let end = if fault == "reset-after-connack" {
            reset(&mut client)
        } else {
            client.end()
        };
        assert_eq!(end, expected, "{fault}");
        if fault == "close-after=100" {
            assert!(since.elapsed() >= Duration::from_millis(100));
        }
    }
}

/// Reads until the reset.
fn reset(client: &mut Client) -> Ended {
    let Stream::Tls(stream) = &mut client.stream else {
        panic!("TLS expected")
    };
    let mut rest = Vec::new();
    match std::io::Read::read_to_end(stream, &mut rest) {
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ended::Reset,
        other => panic!("a reset expected, got {other:?}"),
    }
}

#[test]
fn half_open_keeps_the_socket_and_says_nothing() {
    let running = Running::with_faults(&["half-open:1"]);
    let mut client = running.device(true);
    client.send(&[0xC0, 0]);
    client.silent_for(QUIET);
    // The keep-alive scan leaves it alone.
    running
        .platform
        .broker
        .scan(Instant::now() + Duration::from_secs(1000));
    client.silent_for(QUIET);

    let running = Running::tcp();
    let mut client = running.device(true);
    client.ping();
    running.control(json!({"cmd": "fault", "spec": "half-open:1"}));
    running.control(json!({"cmd": "publish", "to": SECRET_DEVICE, "topic": GET, "payload": "x"}));
    client.send(&[0xC0, 0]);
    client.silent_for(QUIET);
}

#[test]
fn answers_withheld_delayed_and_refused() {
    let running = Running::with_faults(&[
        "no-puback:1",
        "no-suback:1",
        "no-unsuback:1",
        "no-pingresp:1",
        "suback-80:1",
    ]);
    let mut client = running.device(true);
    client.send(&publish(GET, b"x", 1, 1));
    client.send(&subscribe(2, &[(GET, 1)]));
    client.send(&packet(0xA2, &[&[0, 3], text(GET).as_slice()].concat()));
    client.send(&[0xC0, 0]);
    client.silent_for(QUIET);
    // suback-80 was used by the subscription whose answer was withheld.
    client.ping();
    let running = Running::with_faults(&["suback-80:1"]);
    let mut client = running.device(true);
    assert_eq!(client.subscribe(1, &[(GET, 1), (GET, 0)]), [0x80, 0x80]);
    assert_eq!(running.publish(GET, "x", 0), 0);
    assert_eq!(client.subscribe(2, &[(GET, 1)]), [1]);

    let running = Running::with_faults(&["delay-puback=200:1"]);
    let mut client = running.device(true);
    let since = Instant::now();
    client.send(&publish(GET, b"x", 1, 1));
    client.ping();
    assert_eq!(client.packet(), (0x40, vec![0, 1]));
    assert!(since.elapsed() >= Duration::from_millis(200));
}

#[test]
fn output_cut_joined_and_delayed() {
    let running = Running::with_faults(&["byte-by-byte"]);
    let mut client = running.device(true);
    client.ping();

    let running = tls_with("byte-by-byte");
    let mut client = TlsClient::device()
        .dial(running.addresses.tls.expect("TLS"))
        .expect("handshake");
    assert_eq!(client.connect(&x509_connect(true)), (false, 0));
    client.publish();

    let running = Running::with_faults(&["coalesce:1"]);
    let mut client = running.device(true);
    client.ping();
    client.pieces.clear();
    running.control(json!({"cmd": "fault", "spec": "coalesce:1"}));
    client.send(&[&[0xC0, 0][..], &publish(GET, b"x", 1, 9), &[0xC0, 0]].concat());
    assert_eq!(client.packet().0, 0xD0);
    assert_eq!(client.packet().0, 0x40);
    assert_eq!(client.packet().0, 0xD0);
    assert_eq!(client.pieces, [8]);

    let running = Running::with_faults(&["delay=150"]);
    let since = Instant::now();
    running.device(true).ping();
    assert!(since.elapsed() >= Duration::from_millis(300));
}

#[test]
fn malformed_answers_replace_good_ones() {
    for kind in ["puback", "suback", "unsuback", "pingresp"] {
        let running = Running::with_faults(&[&format!("malformed={kind}:1")]);
        let mut client = running.device(true);
        client.send(&match kind {
            "puback" => publish(GET, b"x", 1, 0x0102),
            "suback" => subscribe(0x0102, &[(GET, 1)]),
            "unsuback" => packet(0xA2, &[&[1, 2], text(GET).as_slice()].concat()),
            _ => vec![0xC0, 0],
        });
        let expected = malformed(kind, 0x0102);
        assert_eq!(client.take(expected.len()), expected, "{kind}");
        client.ping();
    }
}

#[test]
fn malformed_packets_follow_connack() {
    for kind in [
        "publish", "type0", "type15", "length", "qos3", "pid0", "utf8",
    ] {
        let running = Running::with_faults(&[&format!("malformed={kind}:1")]);
        let mut client = running.device(true);
        let expected = malformed(kind, 0);
        assert!(!expected.is_empty());
        assert_eq!(client.take(expected.len()), expected, "{kind}");
        client.ping();
    }
}

#[test]
fn too_large_and_twice() {
    let running = Running::with_faults(&["oversize=100000:1"]);
    let mut client = running.device(true);
    let (_, topic, _, payload) = client.publish();
    assert_eq!(
        (topic.as_str(), payload.len()),
        ("/a1MZxOdcBnO/example1/user/oversize", 100_000)
    );
    client.ping();

    let running = Running::with_faults(&["dup-publish:1"]);
    let mut client = running.device(true);
    assert_eq!(client.subscribe(1, &[(GET, 1)]), [1]);
    running.publish(GET, "x", 1);
    assert_eq!(client.publish(), (0x02, GET.into(), 1, b"x".to_vec()));
    assert_eq!(client.publish(), (0x0A, GET.into(), 1, b"x".to_vec()));
    running.publish(GET, "y", 1);
    assert_eq!(client.publish(), (0x02, GET.into(), 2, b"y".to_vec()));
    client.ping();
}

//! WebSocket, seen by a client that works on bytes.

use std::io::Write;

use iotx_platform::server::Options;

use crate::support::*;

const REQUEST: &str = "GET /mqtt HTTP/1.1\r\nHost: localhost:443\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
const MASK: [u8; 4] = [7, 200, 31, 4];

fn start(faults: &[&str]) -> Running {
    Running::start(Options {
        listen_ws: Some("127.0.0.1:0".into()),
        listen_wss: Some("[::1]:0".into()),
        faults: faults.iter().map(ToString::to_string).collect(),
        ..options()
    })
}

fn dial_ws(running: &Running) -> Client {
    let socket = dial(running.addresses.ws.expect("WebSocket"));
    Client::new(Stream::Tcp(socket))
}

/// The head of an HTTP answer.
fn head(client: &mut Client) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.extend(client.take(1));
    }
    String::from_utf8(text).expect("text")
}

fn upgrade(running: &Running) -> Client {
    let mut client = dial_ws(running);
    client.send(REQUEST.as_bytes());
    let head = head(&mut client);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client
}

/// A masked frame; `first` is the first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(a, b)| a ^ b));
    bytes
}

/// The next frame, unmasked: first byte, second byte, payload.
fn next(client: &mut Client) -> (u8, u8, Vec<u8>) {
    let start = client.take(2);
    let length = match start[1] & 0x7F {
        126 => client.take(2),
        127 => client.take(8),
        short => vec![short],
    };
    let length = length
        .iter()
        .fold(0, |value: usize, byte| value << 8 | usize::from(*byte));
    let mask = (start[1] & 0x80 != 0).then(|| client.take(4));
    let mut payload = client.take(length);
    if let Some(mask) = mask {
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
    }
    (start[0], start[1], payload)
}

fn connack(running: &Running) -> (Client, (u8, u8, Vec<u8>)) {
    let mut client = upgrade(running);
    client.send(&frame(0x82, &secret_connect("example1", 60, true)));
    let answer = next(&mut client);
    (client, answer)
}

#[test]
fn a_device_with_a_secret_over_both_kinds() {
    let running = start(&[]);
    let mut client = dial_ws(&running);
    client.send(REQUEST.as_bytes());
    let head = head(&mut client).to_lowercase();
    // The example of RFC 6455 section 1.3.
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"));
    assert!(head.contains("sec-websocket-protocol: mqtt\r\n"));
    let event = running.event("websocket", |event| event["ok"] == true);
    assert_eq!(
        (&event["path"], &event["protocol"]),
        (&"/mqtt".into(), &"mqtt".into())
    );
    assert_eq!(event["headers"]["host"], "localhost:443");
    assert!(event["headers"].get("sec-websocket-key").is_none());
    client.send(&frame(0x82, &secret_connect("example1", 60, true)));
    assert_eq!(next(&mut client), (0x82, 4, vec![0x20, 2, 0, 0]));
    let event = running.event("connect", |_| true);
    assert_eq!(
        (&event["accepted"], &event["transport"]),
        (&true.into(), &"ws".into())
    );
    // Two packets in one message, one packet in three frames with a ping between.
    client.send(&frame(0x82, &[0xC0, 0, 0xC0, 0]));
    for _ in 0..2 {
        assert_eq!(next(&mut client), (0x82, 2, vec![0xD0, 0]));
    }
    client.send(&frame(0x02, &[0xC0]));
    client.send(&frame(0x89, b"hallo"));
    assert_eq!(next(&mut client), (0x8A, 5, b"hallo".to_vec()));
    client.send(&frame(0x00, &[]));
    client.send(&frame(0x80, &[0]));
    assert_eq!(next(&mut client), (0x82, 2, vec![0xD0, 0]));
    let big = publish("/a1MZxOdcBnO/example1/user/x", &[b'y'; 9000], 1, 7);
    client.send(&frame(0x82, &big));
    assert_eq!(next(&mut client), (0x82, 4, vec![0x40, 2, 0, 7]));
    client.send(&frame(0x88, &1000_u16.to_be_bytes()));
    assert_eq!(next(&mut client).0, 0x88);
    let closed = running.event("closed", |_| true);
    assert_eq!(closed["reason"], "the client closed the WebSocket");

    let tls = TlsClient::device();
    let mut client = tls
        .dial(running.addresses.wss.expect("a listener"))
        .expect("handshake");
    client.send(REQUEST.as_bytes());
    assert!(self::head(&mut client).starts_with("HTTP/1.1 101 "));
    client.send(&frame(0x82, &x509_connect(true)));
    assert_eq!(next(&mut client), (0x82, 4, vec![0x20, 2, 0, 0]));
    let (first, _, message) = next(&mut client);
    assert_eq!((first, message[0] >> 4), (0x82, 3), "the identity");
    let event = running.event("connect", |event| event["transport"] == "wss");
    assert_eq!(event["mode"], "x509");
    let peer = running.event("tls", |_| true)["peer"].to_string();
    assert!(peer.contains("[::1]:"), "{peer}");
}

#[test]
fn the_securemode_follows_the_encryption() {
    let running = start(&[]);
    let mut client = upgrade(&running);
    client.send(&frame(0x82, &x509_connect(true)));
    assert_eq!(next(&mut client), (0x82, 4, vec![0x20, 2, 0, 4]));
    let event = running.event("connect", |_| true);
    assert_eq!(
        event["reason"],
        "securemode 2 where the transport asks for 3"
    );
}

#[test]
fn wrong_requests_are_refused_with_a_status() {
    let running = start(&[]);
    for (from, to, status) in [
        ("/mqtt", "/elsewhere", 404),
        ("GET", "POST", 405),
        ("HTTP/1.1", "HTTP/1.0", 400),
        ("Upgrade: websocket", "Upgrade: h2c", 400),
        ("Connection: Upgrade", "Connection: close", 400),
        ("Version: 13", "Version: 8", 426),
        ("Protocol: mqtt", "Protocol: chat", 400),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Kez", 400),
        ("Host: localhost:443\r\n", "", 400),
    ] {
        let mut client = dial_ws(&running);
        client.send(REQUEST.replace(from, to).as_bytes());
        let head = head(&mut client);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{to}: {head}"
        );
        assert_eq!(client.end(), Ended::Clean);
        running.event("websocket", |event| {
            event["ok"] == false && event["status"] == status
        });
    }
    let mut client = dial_ws(&running);
    client.send(b"no request\r\n\r\n");
    assert!(matches!(client.end(), Ended::Clean | Ended::Reset));
    assert_eq!(running.count("connect"), 0);
}

#[test]
fn wrong_frames_end_the_connection() {
    let running = start(&[]);
    let unmasked = [&[0x82, 2][..], &[0xC0, 0]].concat();
    for (bytes, reason) in [
        (unmasked, "unmasked"),
        (frame(0x81, b"text"), "text frame"),
        (frame(0xC2, &[0xC0, 0]), "reserved bits"),
        (frame(0x80, &[0]), "continue frame"),
        (frame(0x83, &[0]), "opcode"),
    ] {
        let (mut client, answer) = connack(&running);
        assert_eq!(answer.2, [0x20, 2, 0, 0]);
        client.send(&bytes);
        let (first, _, payload) = next(&mut client);
        assert_eq!(
            (first, &payload[..]),
            (0x88, &1002_u16.to_be_bytes()[..]),
            "{reason}"
        );
        running.event("protocol_error", |event| {
            let text = event["reason"].as_str().unwrap_or_default().to_lowercase();
            text.contains(reason)
        });
    }
}

#[test]
fn faults_of_the_answer() {
    let answer = |fault: &str| {
        let running = start(&[fault]);
        let mut client = dial_ws(&running);
        client.send(REQUEST.as_bytes());
        let text = head(&mut client).to_lowercase();
        running.event("fault", |event| {
            fault.starts_with(event["fault"].as_str().unwrap_or("-"))
        });
        text
    };
    assert!(answer("ws-status=503").starts_with("http/1.1 503 "));
    assert!(answer("ws-redirect").contains("location: wss://"));
    let text = answer("ws-accept");
    assert!(text.starts_with("http/1.1 101 ") && !text.contains("s3pplmbitxaq9kygzzhzrbk+xoo="));
    let text = answer("ws-no-protocol");
    assert!(text.starts_with("http/1.1 101 ") && !text.contains("sec-websocket-protocol"));
    assert!(answer("ws-headers=20000").len() > 20_000);
    let running = start(&["ws-stall"]);
    let mut client = dial_ws(&running);
    client.send(REQUEST.as_bytes());
    client.silent_for(std::time::Duration::from_millis(300));
    running.event("fault", |event| event["fault"] == "ws-stall");
}

#[test]
fn faults_of_frames() {
    let good = vec![0x20, 2, 0, 0];
    let running = start(&["ws-text"]);
    let (_, answer) = connack(&running);
    assert_eq!(answer, (0x81, 4, good.clone()));
    let running = start(&["ws-masked"]);
    let (_, answer) = connack(&running);
    assert_eq!(answer, (0x82, 0x84, good.clone()));
    let running = start(&["ws-rsv"]);
    let (_, answer) = connack(&running);
    assert_eq!(answer, (0xC2, 4, good.clone()));
    let running = start(&["ws-ping"]);
    let (mut client, answer) = connack(&running);
    assert_eq!(answer, (0x89, 13, b"iotx-platform".to_vec()));
    assert_eq!(next(&mut client), (0x82, 4, good.clone()));
    client.send(&frame(0x8A, b"iotx-platform"));
    running.event("websocket_frame", |event| {
        event["frame"] == "pong" && event["bytes"] == 13
    });
    // Each byte in a frame of its own.
    let running = start(&["ws-fragment"]);
    let (mut client, answer) = connack(&running);
    assert_eq!(answer, (0x02, 1, vec![0x20]));
    assert_eq!(next(&mut client), (0x00, 1, vec![2]));
    assert_eq!(next(&mut client), (0x00, 1, vec![0]));
    assert_eq!(next(&mut client), (0x80, 1, vec![0]));
    let running = start(&["ws-fragment=3"]);
    let (mut client, answer) = connack(&running);
    assert_eq!(answer, (0x02, 3, vec![0x20, 2, 0]));
    assert_eq!(next(&mut client), (0x80, 1, vec![0]));
    let running = start(&["ws-oversize=5000000000"]);
    let mut client = upgrade(&running);
    client.send(&frame(0x82, &secret_connect("example1", 60, true)));
    assert_eq!(client.take(2), [0x82, 127]);
    assert_eq!(client.take(8), 5_000_000_000_u64.to_be_bytes());
    let running = start(&["ws-close=1012"]);
    let (mut client, answer) = connack(&running);
    assert_eq!(answer.2, good);
    assert_eq!(
        next(&mut client),
        (0x88, 2, 1012_u16.to_be_bytes().to_vec())
    );
    assert_eq!(client.end(), Ended::Clean);
}

#[test]
fn a_request_that_comes_in_pieces_and_one_without_end() {
    let running = start(&[]);
    let mut client = dial_ws(&running);
    let (first, second) = REQUEST.split_at(50);
    client.send(first.as_bytes());
    // The CONNECT follows in the same piece as the rest of the request.
    let mut rest = second.as_bytes().to_vec();
    rest.extend(frame(0x82, &secret_connect("example1", 60, true)));
    client.send(&rest);
    assert!(head(&mut client).starts_with("HTTP/1.1 101 "));
    assert_eq!(next(&mut client).2, [0x20, 2, 0, 0]);
    let Stream::Tcp(mut socket) = dial_ws(&running).stream else {
        panic!("TCP");
    };
    let _ = socket.write_all(&vec![b'a'; 40_000]);
    running.event("websocket", |event| {
        event["error"]
            .as_str()
            .is_some_and(|error| error.contains("longer than"))
    });
}

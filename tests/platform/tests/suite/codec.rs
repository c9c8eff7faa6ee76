//! Decoding on exact bytes: what the standard shows, and what it forbids.

use iotx_platform::mqtt::decode::Decoder;
use iotx_platform::mqtt::{Connect, Packet, Publish, Subscribe, Unsubscribe};

fn decode(bytes: &[u8]) -> Result<Option<Packet>, String> {
    let mut decoder = Decoder::new(1000);
    decoder.push(bytes);
    decoder.next_packet().map_err(|error| error.to_string())
}

fn good(bytes: &[u8]) -> Packet {
    decode(bytes).expect("well-formed").expect("complete")
}

/// CONNECT with this variable header and payload behind protocol name and level.
fn connect(flags: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![
        0x10,
        (8 + rest.len()) as u8,
        0,
        4,
        b'M',
        b'Q',
        b'T',
        b'T',
        4,
        flags,
    ];
    bytes.extend(rest);
    bytes
}

#[test]
fn connect_with_everything() {
    // The variable header of figure 3.6 of the standard: user name, password, will, clean session, 10 s.
    let bytes = connect(
        0b1100_1110,
        &[
            0, 10, 0, 1, b'c', 0, 1, b't', 0, 2, b'w', b'm', 0, 1, b'u', 0, 2, 0x00, 0xFF,
        ],
    );
    assert_eq!(
        good(&bytes),
        Packet::Connect(Connect {
            level: 4,
            clean_session: true,
            keep_alive: 10,
            client_id: "c".into(),
            will: true,
            username: Some("u".into()),
            password: Some(vec![0, 0xFF]),
        })
    );
    let bare = good(&connect(0, &[0x04, 0xB0, 0, 0]));
    let Packet::Connect(bare) = bare else {
        panic!("{bare:?}")
    };
    assert_eq!(
        (bare.keep_alive, bare.client_id.as_str(), bare.clean_session),
        (1200, "", false)
    );
    assert_eq!(
        (bare.username, bare.password, bare.will),
        (None, None, false)
    );
}

#[test]
fn protocol_levels() {
    let old = [
        0x10, 15, 0, 6, b'M', b'Q', b'I', b's', b'd', b'p', 3, 2, 0, 60, 0, 1, b'c',
    ];
    assert!(matches!(
        good(&old),
        Packet::Connect(Connect { level: 3, .. })
    ));
    let five = [
        0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 60, 0, 0, 1, b'c',
    ];
    assert_eq!(good(&five), Packet::UnsupportedLevel(5));
    let mixed = [
        0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 3, 2, 0, 60, 0, 1, b'c',
    ];
    assert_eq!(good(&mixed), Packet::UnsupportedLevel(3));
}

#[test]
fn the_other_packets() {
    let message = Publish {
        dup: true,
        qos: 1,
        retain: true,
        topic: "a/b".into(),
        packet_id: 10,
        payload: b"hi".to_vec(),
    };
    assert_eq!(
        good(&[0x3B, 9, 0, 3, b'a', b'/', b'b', 0, 10, b'h', b'i']),
        Packet::Publish(message)
    );
    let empty = good(&[0x30, 5, 0, 3, b'a', b'/', b'b']);
    assert!(
        matches!(&empty, Packet::Publish(p) if p.qos == 0 && p.packet_id == 0 && p.payload.is_empty())
    );
    assert_eq!(good(&[0x40, 2, 0x12, 0x34]), Packet::PubAck(0x1234));
    // The payload of figure 3.23: a/b with QoS 1, c/d with QoS 2.
    assert_eq!(
        good(&[
            0x82, 14, 0, 10, 0, 3, b'a', b'/', b'b', 1, 0, 3, b'c', b'/', b'd', 2
        ]),
        Packet::Subscribe(Subscribe {
            packet_id: 10,
            filters: vec![("a/b".into(), 1), ("c/d".into(), 2)]
        })
    );
    assert_eq!(
        good(&[
            0xA2, 12, 0, 10, 0, 3, b'a', b'/', b'b', 0, 3, b'c', b'/', b'd'
        ]),
        Packet::Unsubscribe(Unsubscribe {
            packet_id: 10,
            filters: vec!["a/b".into(), "c/d".into()]
        })
    );
    assert_eq!(good(&[0xC0, 0]), Packet::PingReq);
    assert_eq!(good(&[0xE0, 0]), Packet::Disconnect);
    // A topic with every width of UTF-8, and U+FEFF kept [MQTT-1.5.3-3].
    let topic = "é€\u{10348}\u{FEFF}";
    let mut bytes = vec![0x30, 2 + topic.len() as u8, 0, topic.len() as u8];
    bytes.extend(topic.as_bytes());
    assert!(matches!(good(&bytes), Packet::Publish(p) if p.topic == topic));
}

#[test]
fn every_cut_needs_more_and_pieces_join() {
    let whole = [
        0x82, 14, 0, 10, 0, 3, b'a', b'/', b'b', 1, 0, 3, b'c', b'/', b'd', 2,
    ];
    for cut in 0..whole.len() {
        assert_eq!(decode(&whole[..cut]), Ok(None), "cut at {cut}");
    }
    let mut decoder = Decoder::new(1000);
    let mut packets = 0;
    for byte in whole.iter().chain(&[0xC0, 0]).chain(&whole) {
        decoder.push(&[*byte]);
        while let Some(packet) = decoder.next_packet().expect("well-formed") {
            packets += 1;
            assert!(matches!(packet, Packet::Subscribe(_) | Packet::PingReq));
        }
    }
    assert_eq!((packets, decoder.pending()), (3, 0));
    // Several packets in one piece.
    let mut decoder = Decoder::new(1000);
    decoder.push(&[0xC0, 0, 0x40, 2, 0, 1, 0xC0]);
    assert_eq!(decoder.next_packet(), Ok(Some(Packet::PingReq)));
    assert_eq!(decoder.next_packet(), Ok(Some(Packet::PubAck(1))));
    assert_eq!(decoder.next_packet(), Ok(None));
    assert_eq!(decoder.pending(), 1);
}

#[test]
fn size_limit_counts_the_remaining_length() {
    let mut bytes = vec![0x30, 0xE8, 0x07, 0, 1, b't'];
    bytes.resize(3 + 1000, b'x');
    assert!(matches!(decode(&bytes), Ok(Some(Packet::Publish(p))) if p.payload.len() == 997));
    // 1001 is refused from its header alone.
    assert!(decode(&[0x30, 0xE9, 0x07]).is_err());
}

#[test]
fn everything_forbidden_is_refused() {
    let table: &[(&str, &[u8])] = &[
        // Fixed header.
        ("reserved packet type 0", &[0x00, 0]),
        ("reserved packet type 15", &[0xF0, 0]),
        ("for servers only", &[0x20, 2, 0, 0]),
        ("for servers only", &[0x90, 3, 0, 1, 0]),
        ("for servers only", &[0xB0, 2, 0, 1]),
        ("for servers only", &[0xD0, 0]),
        ("QoS 2 exchange", &[0x50, 2, 0, 1]),
        ("QoS 2 exchange", &[0x62, 2, 0, 1]),
        ("QoS 2 exchange", &[0x70, 2, 0, 1]),
        (
            "more than four bytes",
            &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
        ),
        ("larger than", &[0x30, 0xFF, 0xFF, 0xFF, 0x7F]),
        ("CONNECT with fixed header flags 1", &[0x11, 0]),
        ("PUBACK with fixed header flags 2", &[0x42, 2, 0, 1]),
        (
            "SUBSCRIBE with fixed header flags 0",
            &[0x80, 6, 0, 1, 0, 1, b'a', 0],
        ),
        (
            "UNSUBSCRIBE with fixed header flags 0",
            &[0xA0, 5, 0, 1, 0, 1, b'a'],
        ),
        ("PINGREQ with fixed header flags 4", &[0xC4, 0]),
        ("DISCONNECT with fixed header flags 8", &[0xE8, 0]),
        // CONNECT.
        ("ends inside its protocol name", &[0x10, 0]),
        (
            "protocol name is not MQTT",
            &[0x10, 6, 0, 3, b'm', b'q', b't', 4],
        ),
        (
            "protocol name is not MQTT",
            &[0x10, 7, 0, 4, b'm', b'q', b't', b't', 4],
        ),
        (
            "ends inside its connect flags",
            &[0x10, 7, 0, 4, b'M', b'Q', b'T', b'T', 4],
        ),
        ("reserved flag", &connect(0x03, &[0, 60, 0, 1, b'c'])),
        (
            "impossible will flags",
            &connect(0x08, &[0, 60, 0, 1, b'c']),
        ),
        (
            "impossible will flags",
            &connect(0x20, &[0, 60, 0, 1, b'c']),
        ),
        (
            "impossible will flags",
            &connect(0x1C, &[0, 60, 0, 1, b'c', 0, 1, b't', 0, 0]),
        ),
        (
            "password but no user name",
            &connect(0x40, &[0, 60, 0, 1, b'c', 0, 1, b'p']),
        ),
        ("ends inside its keep-alive", &connect(0x00, &[0])),
        (
            "ends inside its client identifier",
            &connect(0x00, &[0, 60, 0, 2, b'c']),
        ),
        (
            "ends inside its will topic",
            &connect(0x04, &[0, 60, 0, 1, b'c']),
        ),
        (
            "will topic: wildcard",
            &connect(0x04, &[0, 60, 0, 1, b'c', 0, 1, b'#', 0, 0]),
        ),
        (
            "ends inside its will message",
            &connect(0x04, &[0, 60, 0, 1, b'c', 0, 1, b't']),
        ),
        (
            "ends inside its user name",
            &connect(0x80, &[0, 60, 0, 1, b'c', 0]),
        ),
        (
            "ends inside its password",
            &connect(0xC0, &[0, 60, 0, 1, b'c', 0, 1, b'u', 0, 9, b'p']),
        ),
        (
            "1 bytes behind the end",
            &connect(0x00, &[0, 60, 0, 1, b'c', 0]),
        ),
        (
            "client identifier is not UTF-8",
            &connect(0x00, &[0, 60, 0, 2, 0xC3, 0x28]),
        ),
        (
            "client identifier contains U+0000",
            &connect(0x00, &[0, 60, 0, 1, 0]),
        ),
        // PUBLISH.
        ("QoS 3", &[0x36, 5, 0, 1, b'a', 0, 1]),
        ("QoS 2", &[0x34, 5, 0, 1, b'a', 0, 1]),
        ("QoS 0 and DUP", &[0x38, 3, 0, 1, b'a']),
        ("empty topic name", &[0x30, 2, 0, 0]),
        (
            "wildcard in a topic name",
            &[0x30, 5, 0, 3, b'a', b'/', b'+'],
        ),
        ("wildcard in a topic name", &[0x30, 3, 0, 1, b'#']),
        ("ends inside its topic name", &[0x30, 4, 0, 16, b'a', b'b']),
        ("ends inside its topic name", &[0x30, 1, 0]),
        ("ends inside its packet identifier", &[0x32, 3, 0, 1, b'a']),
        (
            "ends inside its packet identifier",
            &[0x32, 4, 0, 1, b'a', 0],
        ),
        ("packet identifier 0", &[0x32, 5, 0, 1, b'a', 0, 0]),
        ("topic name is not UTF-8", &[0x30, 4, 0, 2, 0xC3, 0x28]),
        // A surrogate, which UTF-8 cannot hold [MQTT-1.5.3-1].
        (
            "topic name is not UTF-8",
            &[0x30, 5, 0, 3, 0xED, 0xA0, 0x80],
        ),
        (
            "topic name contains U+0000",
            &[0x30, 5, 0, 3, b'a', 0, b'b'],
        ),
        // PUBACK.
        ("packet identifier 0", &[0x40, 2, 0, 0]),
        ("ends inside its packet identifier", &[0x40, 1, 0]),
        ("1 bytes behind the end", &[0x40, 3, 0, 1, 0]),
        // SUBSCRIBE.
        ("packet identifier 0", &[0x82, 6, 0, 0, 0, 1, b'a', 0]),
        ("without a topic filter", &[0x82, 2, 0, 1]),
        ("ends inside its topic filter", &[0x82, 5, 0, 1, 0, 9, b'a']),
        (
            "ends inside its requested QoS",
            &[0x82, 5, 0, 1, 0, 1, b'a'],
        ),
        ("requested QoS byte 3", &[0x82, 6, 0, 1, 0, 1, b'a', 3]),
        ("requested QoS byte 4", &[0x82, 6, 0, 1, 0, 1, b'a', 4]),
        ("empty topic filter", &[0x82, 5, 0, 1, 0, 0, 0]),
        (
            "not the last level",
            &[0x82, 8, 0, 1, 0, 3, b'#', b'/', b'a', 0],
        ),
        (
            "does not fill its level",
            &[0x82, 7, 0, 1, 0, 2, b'a', b'+', 0],
        ),
        // UNSUBSCRIBE.
        ("packet identifier 0", &[0xA2, 5, 0, 0, 0, 1, b'a']),
        ("without a topic filter", &[0xA2, 2, 0, 1]),
        ("ends inside its topic filter", &[0xA2, 5, 0, 1, 0, 2, b'a']),
        // Packets without a body.
        ("1 bytes behind the end", &[0xC0, 1, 0]),
        ("2 bytes behind the end", &[0xE0, 2, 0, 0]),
    ];
    for (reason, bytes) in table {
        match decode(bytes) {
            Err(error) => assert!(
                error.contains(reason),
                "{bytes:02X?}: {error}, not {reason}"
            ),
            other => panic!("{bytes:02X?} gives {other:?}, not an error about {reason}"),
        }
    }
}

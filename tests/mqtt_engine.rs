//! The engine in virtual time: two peers in memory, no clock, no socket.

use bytes::BytesMut;
use iotx::mqtt::engine::{Message, SKIPPED_BEFORE_CONNACK};
use iotx::mqtt::{Engine, Event, Limits, Login, Timer};
use iotx::state;
use zeroize::Zeroizing;

const KEEPALIVE: u64 = 60_000;

fn engine() -> Engine {
    Engine::new(Limits {
        write_max: 3072,
        read_max: 3072,
        inflight_max: 4,
        request_timeout_ms: 5_000,
        keepalive_ms: KEEPALIVE,
    })
}

fn login(clean_session: bool) -> Login {
    Login {
        client_id: "a.b|securemode=2|".into(),
        username: "b&a".into(),
        password: Zeroizing::new("P".into()),
        clean_session,
        omit_empty: false,
    }
}

fn connected() -> Engine {
    let mut engine = engine();
    engine.connect(&login(false)).expect("fits");
    engine.receive(&[0x20, 2, 0, 0]);
    assert_eq!(
        engine.next_event(0),
        Ok(Some(Event::Connected {
            session_present: false
        }))
    );
    engine
}

fn message(qos1: bool) -> Message<'static> {
    Message {
        topic: "/t",
        payload: b"hi",
        qos1,
        retain: false,
        counted: true,
    }
}

#[test]
fn connect_packet_byte_by_byte() {
    for (clean, flags) in [(false, 0xc0), (true, 0xc2)] {
        let packet = engine().connect(&login(clean)).expect("fits");
        let mut want = vec![0x10, 37, 0, 4];
        want.extend(b"MQTT");
        want.extend([4, flags, 0, 120, 0, 17]); // level, flags, keep-alive 2 x 60 s
        want.extend(b"a.b|securemode=2|");
        want.extend([0, 3]);
        want.extend(b"b&a");
        want.extend([0, 1, b'P']);
        assert_eq!(*packet, want);
    }
}

#[test]
fn an_empty_password_is_sent_as_an_empty_field() {
    let mut login = login(false);
    login.password = Zeroizing::new(String::new());
    let packet = engine().connect(&login).expect("fits");
    assert_eq!(packet[1], 36);
    assert_eq!(packet[9], 0xc0);
    assert_eq!(packet[packet.len() - 7..], [0, 3, b'b', b'&', b'a', 0, 0]);
    login.client_id = "c".repeat(150);
    let packet = engine().connect(&login).expect("fits");
    assert_eq!(
        packet[..3],
        [0x10, 0xa9, 1],
        "remaining length 169 takes two bytes"
    );
    assert_eq!(packet.len(), 3 + 169);
}

#[test]
fn announced_keep_alive_is_twice_the_period_within_the_platform_limit() {
    for (period_ms, want) in [
        (30_000, 60),
        (60_999, 120),
        (600_000, 1200),
        (1_200_000, 1200),
    ] {
        let engine = Engine::new(Limits {
            write_max: 1,
            read_max: 1,
            inflight_max: 1,
            request_timeout_ms: 1,
            keepalive_ms: period_ms,
        });
        assert_eq!(engine.announced_keep_alive(), want, "{period_ms}");
    }
}

#[test]
fn refusals_carry_their_code_and_end_the_connection() {
    for code in [1, 2, 3, 4, 5, 6, 255] {
        let mut engine = engine();
        engine.connect(&login(false)).expect("fits");
        engine.receive(&[0x20, 2, 0, code, 0x30, 4, 0, 2, b'/', b't']);
        assert_eq!(engine.next_event(0), Ok(Some(Event::Refused { code })));
        assert!(!engine.is_connected());
        assert_eq!(
            engine.next_event(0),
            Ok(None),
            "nothing behind a refusal counts"
        );
    }
}

#[test]
fn other_packets_before_connack_are_skipped_up_to_a_limit() {
    let publish = [0x30, 4, 0, 2, b'/', b't'];
    for (count, connects) in [
        (SKIPPED_BEFORE_CONNACK, true),
        (SKIPPED_BEFORE_CONNACK + 1, false),
    ] {
        let mut engine = engine();
        engine.connect(&login(false)).expect("fits");
        for _ in 0..count {
            engine.receive(&publish);
        }
        engine.receive(&[0x20, 2, 1, 0]);
        let event = engine.next_event(0);
        assert_eq!(event.is_ok(), connects);
        assert_eq!(engine.is_connected(), connects);
    }
}

#[test]
fn publish_packets_byte_by_byte() {
    let mut engine = connected();
    assert_eq!(engine.publish(0, &message(false)), Ok(0));
    assert_eq!(engine.publish(0, &message(true)), Ok(1));
    let mut retained = message(false);
    retained.retain = true;
    retained.payload = b"";
    assert_eq!(engine.publish(0, &retained), Ok(0));
    let want = [
        &[0x30, 6, 0, 2, b'/', b't', b'h', b'i'][..],
        &[0x32, 8, 0, 2, b'/', b't', 0, 1, b'h', b'i'],
        &[0x31, 4, 0, 2, b'/', b't'],
    ];
    assert_eq!(&engine.take_output(BytesMut::new())[..], want.concat());
    engine.receive(&[0x40, 2, 0, 1]);
    assert_eq!(engine.next_event(0), Ok(Some(Event::Published(1))));
}

#[test]
fn late_duplicate_and_unknown_acknowledgements_are_ignored() {
    let mut engine = connected();
    engine.publish(0, &message(true)).expect("fits");
    engine.receive(&[
        0x40, 2, 0, 1, 0x40, 2, 0, 1, 0x40, 2, 0, 9, 0x90, 3, 0, 7, 0, 0xb0, 2, 0, 7,
    ]);
    assert_eq!(engine.next_event(0), Ok(Some(Event::Published(1))));
    assert_eq!(engine.next_event(0), Ok(None));
}

#[test]
fn the_in_flight_window_is_bounded_and_reports_do_not_count() {
    let mut engine = connected();
    let mut report = message(true);
    report.counted = false;
    engine.publish(0, &report).expect("fits");
    for _ in 0..4 {
        engine.publish(0, &message(true)).expect("fits");
    }
    assert_eq!(
        engine.publish(0, &message(true)),
        Err(state::STATE_MQTT_QOS1_REPUB_EXCEED_MAX)
    );
    assert!(engine.publish(0, &report).is_ok());
    engine.receive(&[0x40, 2, 0, 2]);
    engine.next_event(0).expect("well-formed");
    assert!(engine.publish(0, &message(true)).is_ok());
}

#[test]
fn unacknowledged_messages_are_repeated_with_dup_after_twice_the_time_out() {
    let mut engine = connected();
    engine.publish(100, &message(true)).expect("fits");
    engine.take_output(BytesMut::new());
    assert_eq!(engine.next_timer(10_099), None);
    assert_eq!(engine.next_timer_at(), Some(10_100));
    assert_eq!(engine.next_timer(10_100), Some(Timer::Send));
    let repeat = [0x3a, 8, 0, 2, b'/', b't', 0, 1, b'h', b'i'];
    assert_eq!(&engine.take_output(BytesMut::new())[..], repeat);
    assert_eq!(engine.next_timer(10_100), None);
    assert_eq!(engine.next_timer(20_100), Some(Timer::Send));
    engine.take_output(BytesMut::new());
    engine.receive(&[0x40, 2, 0, 1]);
    assert_eq!(engine.next_event(20_101), Ok(Some(Event::Published(1))));
    assert_eq!(engine.next_timer(40_000), None);
}

#[test]
fn a_reconnect_repeats_in_order_of_sending_with_dup() {
    let mut engine = connected();
    engine.publish(0, &message(true)).expect("fits");
    engine.publish(0, &message(true)).expect("fits");
    engine.disconnected();
    assert_eq!(engine.inflight(), 2, "messages survive the loss");
    assert!(!engine.has_output(), "bytes of the old connection do not");
    engine.connect(&login(false)).expect("fits");
    engine.receive(&[0x20, 2, 1, 0]);
    assert_eq!(
        engine.next_event(500),
        Ok(Some(Event::Connected {
            session_present: true
        }))
    );
    while engine.next_timer(500).is_some() {}
    let want = [
        [0x3a, 8, 0, 2, b'/', b't', 0, 1, b'h', b'i'],
        [0x3a, 8, 0, 2, b'/', b't', 0, 2, b'h', b'i'],
    ];
    assert_eq!(&engine.take_output(BytesMut::new())[..], want.concat());
}

#[test]
fn pings_keep_their_rhythm_and_three_unanswered_mean_lost() {
    let mut engine = connected();
    assert_eq!(engine.next_timer(KEEPALIVE - 1), None);
    for ping in 1..=2 {
        // Traffic of our own does not postpone the ping.
        engine
            .publish(ping * KEEPALIVE - 1, &message(false))
            .expect("fits");
        engine.take_output(BytesMut::new());
        assert_eq!(engine.next_timer(ping * KEEPALIVE), Some(Timer::Send));
        assert_eq!(&engine.take_output(BytesMut::new())[..], [0xc0, 0]);
    }
    assert_eq!(engine.next_timer(3 * KEEPALIVE), Some(Timer::Lost));
    assert!(!engine.is_connected());
}

#[test]
fn any_packet_resets_the_ping_count() {
    let mut engine = connected();
    for ping in 1..=10 {
        assert_eq!(engine.next_timer(ping * KEEPALIVE), Some(Timer::Send));
        engine.receive(&[0xd0, 0]);
        assert_eq!(engine.next_event(ping * KEEPALIVE), Ok(None));
    }
    assert!(engine.is_connected());
}

#[test]
fn packet_ids_wrap_and_skip_those_in_flight() {
    let mut engine = connected();
    assert_eq!(engine.publish(0, &message(true)), Ok(1));
    for want in 2..=65_535u16 {
        assert_eq!(engine.take_pkid(), want);
    }
    engine.subscribe(2, "/s", 1).expect("fits");
    assert_eq!(
        engine.take_pkid(),
        3,
        "0 is no id, 1 is in flight, 2 is subscribing"
    );
}

#[test]
fn subscribe_and_unsubscribe_byte_by_byte() {
    let mut engine = connected();
    for (pkid, qos) in [(1, 0), (2, 1), (3, 2)] {
        engine.subscribe(pkid, "/a/+", qos).expect("fits");
        let want = [0x82, 9, 0, pkid as u8, 0, 4, b'/', b'a', b'/', b'+', qos];
        assert_eq!(&engine.take_output(BytesMut::new())[..], want);
    }
    engine.unsubscribe(4, "/a/+").expect("fits");
    assert_eq!(
        &engine.take_output(BytesMut::new())[..],
        [0xa2, 8, 0, 4, 0, 4, b'/', b'a', b'/', b'+']
    );
    engine.receive(&[0x90, 3, 0, 1, 0, 0x90, 3, 0, 2, 0x80, 0xb0, 2, 0, 4]);
    assert_eq!(
        engine.next_event(0),
        Ok(Some(Event::Subscribed {
            pkid: 1,
            granted: true
        }))
    );
    assert_eq!(
        engine.next_event(0),
        Ok(Some(Event::Subscribed {
            pkid: 2,
            granted: false
        }))
    );
    assert_eq!(engine.next_event(0), Ok(Some(Event::Unsubscribed(4))));
}

#[test]
fn packets_over_the_write_limit_are_refused_whole() {
    let mut engine = connected();
    // "/q" and QoS 0: 3 bytes of fixed header, 4 of topic; 3065 is the largest payload.
    let payload = vec![b'x'; 3066];
    let fits = Message {
        topic: "/q",
        payload: &payload[..3065],
        qos1: false,
        retain: false,
        counted: true,
    };
    let over = Message {
        topic: "/q",
        payload: &payload,
        qos1: false,
        retain: false,
        counted: true,
    };
    assert_eq!(engine.publish(0, &fits), Ok(0));
    assert_eq!(engine.take_output(BytesMut::new()).len(), 3072);
    assert_eq!(
        engine.publish(0, &over),
        Err(state::STATE_MQTT_SERIALIZE_PUB_ERROR)
    );
    assert!(!engine.has_output());
    let long = format!("/{}", "s".repeat(3072));
    assert_eq!(
        engine.subscribe(1, &long, 0),
        Err(state::STATE_MQTT_SERIALIZE_SUB_ERROR)
    );
    assert_eq!(
        engine.unsubscribe(1, &long),
        Err(state::STATE_MQTT_SERIALIZE_UNSUB_ERROR)
    );
    let mut big = login(false);
    big.client_id = "c".repeat(4000);
    assert_eq!(
        engine.connect(&big),
        Err(state::STATE_MQTT_SERIALIZE_CONN_ERROR)
    );
}

#[test]
fn unwritten_bytes_go_back_to_the_front() {
    let mut engine = connected();
    engine.publish(0, &message(false)).expect("fits");
    let mut bytes = engine.take_output(BytesMut::new());
    engine.acknowledge(9);
    let unwritten = bytes.split_off(3);
    engine.put_back(unwritten);
    assert_eq!(
        &engine.take_output(BytesMut::new())[..],
        [2, b'/', b't', b'h', b'i', 0x40, 2, 0, 9]
    );
}

#[test]
fn a_malformed_packet_ends_the_session() {
    let mut engine = connected();
    engine.receive(&[0xf0]);
    assert!(engine.next_event(0).is_err());
    assert!(!engine.is_connected());
}

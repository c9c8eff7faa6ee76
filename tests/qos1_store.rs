//! Order of QoS 1 messages that are saved before they are sent, and of those of an earlier run:
//! the engine in virtual time.

use bytes::BytesMut;
use iotx::mqtt::engine::Message;
use iotx::mqtt::{Engine, Event, Limits, Login};
use iotx::state;
use proptest::prelude::*;
use zeroize::Zeroizing;

const TIMEOUT: u64 = 5_000;

fn engine(inflight_max: usize) -> Engine {
    Engine::new(Limits {
        write_max: 64,
        read_max: 64,
        inflight_max,
        request_timeout_ms: TIMEOUT,
        keepalive_ms: 600_000,
    })
}

fn connect(engine: &mut Engine, now: u64, clean_session: bool, session_present: bool) {
    let login = Login {
        client_id: "c".into(),
        username: String::new(),
        password: Zeroizing::new(String::new()),
        clean_session,
        omit_empty: false,
    };
    engine.connect(&login).expect("fits");
    engine.receive(&[0x20, 2, u8::from(session_present), 0]);
    let event = engine.next_event(now).expect("well-formed");
    assert_eq!(event, Some(Event::Connected { session_present }));
}

fn message(payload: &[u8]) -> Message<'_> {
    Message {
        topic: "/t",
        payload,
        qos1: true,
        retain: false,
        counted: true,
    }
}

/// The PUBLISH packets of the output: DUP, packet id (0 for QoS 0), payload.
fn sent(engine: &mut Engine) -> Vec<(bool, u16, Vec<u8>)> {
    let output = engine.take_output(BytesMut::new());
    let mut rest = &output[..];
    let mut packets = Vec::new();
    while let [first, len, ..] = *rest {
        assert!(len < 0x80, "the packets of this test are short");
        let (packet, behind) = rest[2..].split_at(usize::from(len));
        rest = behind;
        if first >> 4 == 3 {
            let (pkid, payload) = if first & 2 == 0 {
                (0, &packet[4..])
            } else {
                (u16::from_be_bytes([packet[4], packet[5]]), &packet[6..])
            };
            packets.push((first & 8 != 0, pkid, payload.to_vec()));
        }
    }
    packets
}

fn acknowledge(engine: &mut Engine, pkid: u16) -> Option<Event> {
    let [high, low] = pkid.to_be_bytes();
    engine.receive(&[0x40, 2, high, low]);
    engine.next_event(0).expect("well-formed")
}

#[test]
fn a_held_message_is_not_sent_before_it_is_ready() {
    let mut engine = engine(4);
    connect(&mut engine, 0, false, false);
    assert_eq!(engine.hold(&message(b"a")), Ok(1));
    assert!(!engine.has_output());
    assert_eq!(
        engine.next_timer(10 * TIMEOUT),
        None,
        "nor repeated before it was sent"
    );
    assert!(engine.ready(10 * TIMEOUT, 1));
    assert_eq!(sent(&mut engine), [(false, 1, b"a".to_vec())]);
    assert!(engine.next_timer(12 * TIMEOUT).is_some());
    assert_eq!(sent(&mut engine), [(true, 1, b"a".to_vec())]);
}

#[test]
fn the_order_is_that_of_the_packet_ids_whoever_is_ready_first() {
    let mut engine = engine(4);
    connect(&mut engine, 0, false, false);
    for payload in [b"a", b"b", b"c", b"d"] {
        engine.hold(&message(payload)).expect("room");
    }
    engine.ready(0, 3);
    engine.ready(0, 2);
    assert_eq!(sent(&mut engine), []);
    engine.ready(0, 1);
    let want = [(1, b"a"), (2, b"b"), (3, b"c")].map(|(id, text)| (false, id, text.to_vec()));
    assert_eq!(sent(&mut engine), want);
    engine.ready(0, 4);
    assert_eq!(sent(&mut engine), [(false, 4, b"d".to_vec())]);
}

#[test]
fn those_behind_a_refused_message_go_without_it() {
    let mut engine = engine(4);
    connect(&mut engine, 0, false, false);
    engine.hold(&message(b"a")).expect("room");
    engine.hold(&message(b"b")).expect("room");
    engine.ready(0, 2);
    engine.forget(0, 1);
    assert_eq!(sent(&mut engine), [(false, 2, b"b".to_vec())]);
    assert!(!engine.ready(0, 1), "it is gone");
}

#[test]
fn an_acknowledgement_of_what_was_not_sent_means_nothing() {
    let mut engine = engine(4);
    connect(&mut engine, 0, false, false);
    engine.hold(&message(b"a")).expect("room");
    assert_eq!(acknowledge(&mut engine, 1), None);
    engine.ready(0, 1);
    assert_eq!(sent(&mut engine), [(false, 1, b"a".to_vec())]);
    assert_eq!(acknowledge(&mut engine, 1), Some(Event::Published(1)));
    assert_eq!(acknowledge(&mut engine, 1), None);
}

#[test]
fn what_became_ready_offline_goes_without_dup_behind_the_repeats() {
    let mut engine = engine(8);
    connect(&mut engine, 0, false, false);
    engine.publish(0, &message(b"sent")).expect("room");
    engine.hold(&message(b"saved")).expect("room");
    engine.hold(&message(b"held")).expect("room");
    sent(&mut engine);
    engine.disconnected();
    engine.ready(10, 2);
    assert!(!engine.has_output());
    connect(&mut engine, 20, false, true);
    let want = [(true, 1, b"sent".to_vec()), (false, 2, b"saved".to_vec())];
    assert_eq!(sent(&mut engine), want);
    engine.ready(30, 3);
    assert_eq!(sent(&mut engine), [(false, 3, b"held".to_vec())]);
}

#[test]
fn messages_of_an_earlier_run_go_first_with_dup_and_their_ids() {
    for (clean_session, session_present) in [(false, true), (false, false), (true, false)] {
        let mut engine = engine(2);
        for (pkid, payload) in [(65_534, b"a"), (65_535, b"b"), (1, b"c")] {
            engine.restore(pkid, &message(payload)).expect("fits");
        }
        assert_eq!(engine.inflight(), 3, "more than new ones might be");
        connect(&mut engine, 0, clean_session, session_present);
        // New ones at once, before any timer was asked: they still come behind.
        let mut quick = message(b"q0");
        quick.qos1 = false;
        engine.publish(0, &quick).expect("fits");
        assert_eq!(
            engine.hold(&message(b"d")),
            Err(state::STATE_MQTT_QOS1_REPUB_EXCEED_MAX)
        );
        for pkid in [65_534, 65_535] {
            assert_eq!(acknowledge(&mut engine, pkid), Some(Event::Published(pkid)));
        }
        let pkid = engine.hold(&message(b"d")).expect("room");
        assert_eq!(pkid, 3, "ids go on behind the last one");
        engine.ready(0, pkid);
        let want = [
            (true, 65_534, b"a".to_vec()),
            (true, 65_535, b"b".to_vec()),
            (true, 1, b"c".to_vec()),
            (false, 0, b"q0".to_vec()),
            (false, 3, b"d".to_vec()),
        ];
        assert_eq!(sent(&mut engine), want);
    }
}

#[test]
fn a_restored_message_may_exceed_a_write_limit_that_was_larger_once() {
    let mut engine = engine(2);
    let long = [b'x'; 100];
    assert_eq!(
        engine.hold(&message(&long)),
        Err(state::STATE_MQTT_SERIALIZE_PUB_ERROR)
    );
    assert_eq!(engine.restore(9, &message(&long)), Ok(()));
    assert_eq!(
        engine.hold(&message(&long)),
        Err(state::STATE_MQTT_SERIALIZE_PUB_ERROR),
        "new ones may not"
    );
    connect(&mut engine, 0, false, false);
    assert_eq!(sent(&mut engine), [(true, 9, long.to_vec())]);
}

#[test]
fn the_oldest_to_drop_is_the_first_that_is_not_being_saved() {
    let mut engine = engine(8);
    connect(&mut engine, 0, false, false);
    let mut report = message(b"report");
    report.counted = false;
    engine.publish(0, &report).expect("fits");
    assert_eq!(
        engine.oldest(),
        None,
        "a report is no message of the application"
    );
    engine.hold(&message(b"a")).expect("room");
    engine.hold(&message(b"b")).expect("room");
    assert_eq!(engine.oldest(), None);
    engine.ready(0, 3);
    assert_eq!(engine.oldest(), Some(3), "also while it waits for its turn");
    engine.ready(0, 2);
    assert_eq!(engine.oldest(), Some(2));
}

#[derive(Debug, Clone)]
enum Step {
    Hold,
    Ready(usize),
    Forget(usize),
    Acknowledge(usize),
    Lose,
    Connect,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Hold),
        4 => (0..6usize).prop_map(Step::Ready),
        1 => (0..6usize).prop_map(Step::Forget),
        3 => (0..6usize).prop_map(Step::Acknowledge),
        1 => Just(Step::Lose),
        2 => Just(Step::Connect),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        // The same cases in every run.
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever happens: first sendings are in order and without DUP, repeats with it, nothing is
    /// sent that is not ready, and at the end everything accepted was sent.
    #[test]
    fn order_and_dup_hold_for_any_history(steps in proptest::collection::vec(step(), 1..60)) {
        let mut engine = engine(6);
        let mut online = false;
        // Packet ids by what the test knows of them.
        let (mut held, mut ready, mut seen): (Vec<u16>, Vec<u16>, Vec<u16>) = Default::default();
        let mut accepted: Vec<u16> = Vec::new();
        let pick = |list: &[u16], index: usize| (!list.is_empty()).then(|| list[index % list.len()]);
        let steps = steps.into_iter().chain([Step::Lose, Step::Connect]);
        for step in steps {
            match step {
                Step::Hold => {
                    if let Ok(pkid) = engine.hold(&message(b"m")) {
                        held.push(pkid);
                    }
                }
                Step::Ready(index) => if let Some(pkid) = pick(&held, index) {
                    held.retain(|id| *id != pkid);
                    ready.push(pkid);
                    accepted.push(pkid);
                    prop_assert!(engine.ready(0, pkid));
                },
                Step::Forget(index) => if let Some(pkid) = pick(&held, index) {
                    held.retain(|id| *id != pkid);
                    engine.forget(0, pkid);
                },
                Step::Acknowledge(index) => if let (true, Some(pkid)) = (online, pick(&seen, index)) {
                    let known = engine.inflight();
                    acknowledge(&mut engine, pkid);
                    ready.retain(|id| *id != pkid || engine.inflight() == known);
                },
                Step::Lose => {
                    engine.disconnected();
                    online = false;
                }
                Step::Connect => if !online {
                    connect(&mut engine, 0, false, true);
                    while engine.next_timer(0).is_some() {}
                    online = true;
                },
            }
            for (dup, pkid, _) in sent(&mut engine) {
                prop_assert!(ready.contains(&pkid), "{pkid} was not ready, or acknowledged");
                prop_assert_eq!(dup, seen.contains(&pkid));
                if !dup {
                    prop_assert!(seen.last().is_none_or(|last| *last < pkid));
                    prop_assert!(held.iter().all(|other| *other > pkid), "one before it is held");
                    seen.push(pkid);
                }
            }
        }
        for pkid in accepted {
            let behind_held = held.iter().any(|other| *other < pkid);
            prop_assert!(seen.contains(&pkid) || behind_held, "{pkid} was never sent");
        }
    }
}

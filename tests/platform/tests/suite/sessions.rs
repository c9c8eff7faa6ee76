//! Sessions over plain TCP: routing, topics, persistence, one connection a device, keep-alive.

use std::time::{Duration, Instant};

use iotx_platform::broker::DeliveryQos;
use iotx_platform::server::Options;
use serde_json::json;

use crate::support::*;

const GET: &str = "/a1MZxOdcBnO/example1/user/get";

#[test]
fn a_published_message_comes_back() {
    let running = Running::tcp();
    let mut client = running.device(true);
    assert_eq!(client.subscribe(1, &[(GET, 1)]), [1]);
    client.send(&publish(GET, b"zero", 0, 0));
    assert_eq!(client.publish(), (0, GET.into(), 0, b"zero".to_vec()));
    client.send(&publish(GET, b"one", 1, 77));
    assert_eq!(client.packet(), (0x40, vec![0, 77]));
    assert_eq!(client.publish(), (2, GET.into(), 1, b"one".to_vec()));
    client.send(&puback(1));
    running.event("puback", |event| {
        event["packet_id"] == 1 && event["known"] == true
    });
    client.send(&[0xE0, 0]);
    assert_eq!(client.end(), Ended::Clean);
    running.event("disconnect", |event| event["device"] == SECRET_DEVICE);
    let closed = running.event("closed", |event| event["device"] == SECRET_DEVICE);
    assert_eq!(closed["reason"], "DISCONNECT");
    assert_eq!(
        running.control(json!({"cmd": "devices"}))["devices"],
        json!([])
    );
}

#[test]
fn subscriptions_are_granted_refused_and_removed() {
    let running = Running::tcp();
    let mut client = running.device(true);
    let filters = [
        (GET, 0),
        ("/a1MZxOdcBnO/example1/#", 2),
        ("/a1MZxOdcBnO/example2/user/get", 1),
        ("#", 0),
    ];
    assert_eq!(client.subscribe(9, &filters), [0, 1, 0x80, 0x80]);
    // Two filters match: one copy.
    assert_eq!(running.publish(GET, "x", 0), 1);
    assert_eq!(client.publish().1, GET);
    client.ping();
    for filter in [GET, "/a1MZxOdcBnO/example1/#"] {
        assert_eq!(running.publish(GET, "x", 0), 1);
        client.publish();
        let mut body = vec![0, 3];
        body.extend(text(filter));
        client.send(&packet(0xA2, &body));
        assert_eq!(client.packet(), (0xB0, vec![0, 3]));
    }
    assert_eq!(running.publish(GET, "x", 0), 0);
    client.ping();
    let event = running.event("subscribe", |_| true);
    assert_eq!(event["filters"][2]["granted"], 128);
    assert_eq!(
        event["filters"][1],
        json!({"filter": "/a1MZxOdcBnO/example1/#", "qos": 2, "granted": 1, "reason": null})
    );
}

#[test]
fn a_foreign_topic_is_acknowledged_and_dropped() {
    let running = Running::tcp();
    let mut other = running.dial();
    assert_eq!(other.connect(&secret_connect("example2", 60, true)).1, 0);
    assert_eq!(
        other.subscribe(1, &[("/a1MZxOdcBnO/example2/user/get", 1)]),
        [1]
    );
    let mut client = running.device(true);
    client.send(&publish("/a1MZxOdcBnO/example2/user/get", b"x", 1, 5));
    assert_eq!(client.packet(), (0x40, vec![0, 5]));
    client.ping();
    other.ping();
    let event = running.event("publish", |event| event["accepted"] == false);
    assert_eq!(
        (&event["device"], &event["reason"]),
        (&json!(SECRET_DEVICE), &json!("not a topic of this device"))
    );
}

#[test]
fn nobody_speaks_for_the_cloud() {
    let running = Running::tcp();
    let mut other = running.dial();
    assert_eq!(other.connect(&secret_connect("example2", 60, true)).1, 0);
    assert_eq!(
        other.subscribe(1, &[("/ext/auth/identity/response", 1)]),
        [1]
    );
    let mut client = running.device(true);
    client.send(&publish("/ext/auth/identity/response", b"{}", 0, 0));
    client.ping();
    other.ping();
    assert_eq!(running.publish("/ext/auth/identity/response", "{}", 0), 1);
    assert_eq!(other.publish().3, b"{}");
}

#[test]
fn version_report_is_recorded() {
    let running = Running::tcp();
    let mut client = running.device(true);
    let payload = br#"{"id":"0","params":{"version":"1.2.3", "module":"m"}}"#;
    client.send(&publish(
        "/ota/device/inform/a1MZxOdcBnO/example1",
        payload,
        1,
        1,
    ));
    assert_eq!(client.packet(), (0x40, vec![0, 1]));
    let report = running.event("report", |_| true);
    assert_eq!(
        (&report["version"], &report["module"]),
        (&json!("1.2.3"), &json!("m"))
    );
}

#[test]
fn automatic_subscription_is_for_what_the_cloud_sends() {
    let running = Running::tcp();
    let password = sha256(
        "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X",
        "clientIdcdeviceNameexample1productKeya1MZxOdcBnO",
    );
    let id = "c|securemode=3,signmethod=hmacsha256,_ss=1|";
    let set = "/sys/a1MZxOdcBnO/example1/thing/service/property/set";
    let mut client = running.dial();
    assert_eq!(
        client.connect(&connect(id, "example1&a1MZxOdcBnO", &password, 60, false)),
        (false, 0)
    );
    assert_eq!(running.publish(set, "s", 0), 1);
    assert_eq!(client.publish().1, set);
    assert_eq!(running.publish(GET, "u", 0), 0);
    client.send(&publish(
        "/sys/a1MZxOdcBnO/example1/thing/event/property/post",
        b"p",
        0,
        0,
    ));
    client.ping();
    // A persistent session keeps it while the device is away.
    client.send(&[0xE0, 0]);
    running.event("closed", |_| true);
    assert_eq!(running.publish(set, "later", 1), 1);
    let mut again = running.dial();
    assert_eq!(
        again.connect(&connect(id, "example1&a1MZxOdcBnO", &password, 60, false)),
        (true, 0)
    );
    assert_eq!(again.publish().3, b"later");
    // Without _ss=1 there is none.
    let mut plain = running.device(true);
    assert_eq!(running.publish(set, "s", 0), 0);
    plain.ping();
}

#[test]
fn a_persistent_session_keeps_subscriptions_and_qos_1() {
    let running = Running::tcp();
    let mut client = running.dial();
    assert_eq!(
        client.connect(&secret_connect("example1", 60, false)),
        (false, 0)
    );
    assert_eq!(client.subscribe(1, &[(GET, 1)]), [1]);
    running.publish(GET, "unacknowledged", 1);
    assert_eq!(
        client.publish(),
        (2, GET.into(), 1, b"unacknowledged".to_vec())
    );
    drop(client);
    running.event("closed", |_| true);
    running.publish(GET, "away, QoS 1", 1);
    running.publish(GET, "away, QoS 0", 0);
    let mut client = running.dial();
    assert_eq!(
        client.connect(&secret_connect("example1", 60, false)),
        (true, 0)
    );
    // The old one again, with DUP and its identifier; then the new one; the QoS 0 one is gone.
    assert_eq!(
        client.publish(),
        (0x0A, GET.into(), 1, b"unacknowledged".to_vec())
    );
    assert_eq!(
        client.publish(),
        (2, GET.into(), 2, b"away, QoS 1".to_vec())
    );
    running.event("deliver", |event| {
        event["packet_id"] == 1 && event["dup"] == true
    });
    client.send(&[puback(1), puback(2)].concat());
    client.ping();
    client.send(&[0xE0, 0]);
    assert_eq!(client.end(), Ended::Clean);
    let mut client = running.dial();
    assert_eq!(
        client.connect(&secret_connect("example1", 60, false)),
        (true, 0)
    );
    client.ping();
    assert_eq!(running.publish(GET, "still subscribed", 0), 1);
    assert_eq!(client.publish().3, b"still subscribed");
    drop(client);
    // A clean session ends all that.
    let mut client = running.dial();
    assert_eq!(
        client.connect(&secret_connect("example1", 60, true)),
        (false, 0)
    );
    assert_eq!(running.publish(GET, "x", 1), 0);
    client.send(&[0xE0, 0]);
    assert_eq!(client.end(), Ended::Clean);
    let mut client = running.dial();
    assert_eq!(
        client.connect(&secret_connect("example1", 60, false)),
        (false, 0)
    );
}

#[test]
fn the_backlog_and_the_window_are_bounded() {
    use iotx_platform::session::{BACKLOG, WINDOW};
    let running = Running::tcp();
    let mut client = running.dial();
    assert_eq!(
        client.connect(&secret_connect("example1", 60, false)),
        (false, 0)
    );
    assert_eq!(client.subscribe(1, &[(GET, 1)]), [1]);
    client.send(&[0xE0, 0]);
    assert_eq!(client.end(), Ended::Clean);
    for number in 0..BACKLOG + 10 {
        running.publish(GET, &number.to_string(), 1);
    }
    let mut client = running.dial();
    assert_eq!(
        client.connect(&secret_connect("example1", 60, false)),
        (true, 0)
    );
    for number in 0..BACKLOG {
        let (_, _, id, payload) = client.publish();
        assert_eq!(payload, number.to_string().into_bytes());
        if number == WINDOW - 1 {
            // The window is full: nothing more until something is acknowledged.
            client.ping();
            for id in 1..=WINDOW {
                client.send(&puback(id as u16));
            }
        } else if number >= WINDOW {
            client.send(&puback(id));
        }
    }
    client.ping();
    let (events, _) = running.platform.events.since(0);
    assert!(events.iter().all(|event| event["known"] != false));
}

#[test]
fn the_newer_connection_wins() {
    let running = Running::tcp();
    let mut older = running.device(false);
    assert_eq!(older.subscribe(1, &[(GET, 1)]), [1]);
    let mut newer = running.dial();
    assert_eq!(
        newer.connect(&secret_connect("example1", 60, false)),
        (true, 0)
    );
    assert_eq!(older.end(), Ended::Clean);
    running.event("kicked", |event| {
        event["device"] == SECRET_DEVICE && event["conn"] == 1
    });
    assert_eq!(running.publish(GET, "x", 0), 1);
    assert_eq!(newer.publish().3, b"x");
    // The end of the older connection leaves the session of the newer one alone.
    running.event("closed", |event| event["conn"] == 1);
    assert_eq!(
        running.control(json!({"cmd": "devices"}))["devices"][0]["conn"],
        2
    );
}

#[test]
fn silence_is_measured_against_one_and_a_half_keep_alives() {
    let running = Running::tcp();
    let mut client = running.device(true);
    client.ping();
    let now = Instant::now();
    running
        .platform
        .broker
        .scan(now + Duration::from_millis(89_900));
    client.ping();
    assert_eq!(running.count("keepalive_timeout"), 0);
    running
        .platform
        .broker
        .scan(Instant::now() + Duration::from_millis(90_100));
    assert_eq!(client.end(), Ended::Clean);
    let event = running.event("keepalive_timeout", |event| {
        event["device"] == SECRET_DEVICE
    });
    assert!(event["silent_ms"].as_u64() > Some(90_000));
    assert_eq!(
        running.event("closed", |_| true)["reason"],
        "keep-alive exceeded"
    );
    assert_eq!(
        running.control(json!({"cmd": "devices"}))["devices"],
        json!([])
    );
}

#[test]
fn the_scan_runs_by_itself() {
    let mut options = options();
    options.rules.min_keep_alive = 1;
    options.scan = Duration::from_millis(50);
    let running = Running::start(options);
    let mut client = running.dial();
    assert_eq!(
        client.connect(&secret_connect("example1", 1, true)),
        (false, 0)
    );
    let since = Instant::now();
    assert_eq!(client.end(), Ended::Clean);
    assert!(
        since.elapsed() > Duration::from_millis(1400),
        "{:?}",
        since.elapsed()
    );
}

#[test]
fn delivery_qos_as_documented_or_as_in_the_standard() {
    for (choice, first) in [(DeliveryQos::Publisher, 2), (DeliveryQos::Min, 0)] {
        let running = Running::start(Options {
            delivery_qos: choice,
            ..options()
        });
        let mut client = running.device(true);
        assert_eq!(client.subscribe(1, &[(GET, 0)]), [0]);
        running.publish(GET, "x", 1);
        assert_eq!(client.publish().0, first, "{choice:?}");
    }
}

#[test]
fn will_and_retain_are_ignored() {
    let running = Running::tcp();
    let mut client = running.device(true);
    assert_eq!(client.subscribe(1, &[(GET, 0)]), [0]);
    let mut retained = publish(GET, b"r", 0, 0);
    retained[0] |= 1;
    client.send(&retained);
    assert_eq!(client.publish(), (0, GET.into(), 0, b"r".to_vec()));
    let mut client = running.device(true);
    assert_eq!(client.subscribe(1, &[(GET, 0)]), [0]);
    client.ping();
}

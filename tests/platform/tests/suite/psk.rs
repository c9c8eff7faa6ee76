//! TLS with pre-shared keys, seen by `openssl s_client`.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use iotx_platform::server::Options;

use crate::support::*;

const IDENTITY: &str = "devicename|hmacsha256|a1MZxOdcBnO&example1|2524608000000";

fn start() -> Running {
    Running::start(Options {
        listen_psk: Some("127.0.0.1:0".into()),
        ..options()
    })
}

/// The key of example1 as the option of s_client wants it.
fn key() -> String {
    let digest = sha256(
        "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X",
        "ida1MZxOdcBnO&example1timestamp2524608000000",
    );
    hex(&digest)
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Connects, sends, and gives the first bytes of the answer; none when the handshake fails.
fn exchange(running: &Running, identity: &str, key: &str, suite: &[&str], bytes: &[u8]) -> Vec<u8> {
    let address = running.addresses.psk.expect("TLS-PSK").to_string();
    let mut child = Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &address])
        .args(["-psk_identity", identity, "-psk", key])
        .args(suite)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl");
    // The program may end before it reads: the answer tells.
    let _ = child.stdin.as_mut().expect("stdin").write_all(bytes);
    let mut answer = [0; 4];
    let got = child
        .stdout
        .as_mut()
        .expect("stdout")
        .read_exact(&mut answer);
    let _ = child.kill();
    let _ = child.wait();
    got.map_or(Vec::new(), |()| answer.to_vec())
}

fn connect_of(device_name: &str) -> Vec<u8> {
    let secret = match device_name {
        "example1" => "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X",
        _ => "Zc3vQwTn8sLk1bXyR6dMh0fUe5gJp2Ao",
    };
    let content = format!("clientIdcdeviceName{device_name}productKeya1MZxOdcBnO");
    connect(
        "c|securemode=2,signmethod=hmacsha256|",
        &format!("{device_name}&a1MZxOdcBnO"),
        &sha256(secret, &content),
        60,
        true,
    )
}

#[test]
fn every_suite_lets_the_device_in() {
    let running = start();
    for (suite, name) in [
        ("PSK-AES128-CBC-SHA", "TLS_PSK_WITH_AES_128_CBC_SHA"),
        ("PSK-AES128-GCM-SHA256", "TLS_PSK_WITH_AES_128_GCM_SHA256"),
        ("PSK-AES256-GCM-SHA384", "TLS_PSK_WITH_AES_256_GCM_SHA384"),
        (
            "ECDHE-PSK-AES128-CBC-SHA256",
            "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256",
        ),
        (
            "ECDHE-PSK-CHACHA20-POLY1305",
            "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256",
        ),
    ] {
        let arguments = ["-tls1_2", "-cipher", suite];
        let answer = exchange(
            &running,
            IDENTITY,
            &key(),
            &arguments,
            &connect_of("example1"),
        );
        assert_eq!(answer, [0x20, 2, 0, 0], "{suite}");
        let event = running.event("tls", |event| event["suite"] == name);
        assert_eq!(
            (&event["ok"], &event["version"]),
            (&true.into(), &"TLS 1.2".into())
        );
        assert_eq!(event["psk_identity"], IDENTITY);
        let event = running.event("connect", |event| event["suite"] == name);
        assert_eq!(
            (&event["mode"], &event["transport"]),
            (&"psk".into(), &"psk".into())
        );
        assert_eq!(event["device"], SECRET_DEVICE);
    }
    // Larger than a record, both ways.
    let topic = "/a1MZxOdcBnO/example1/user/x";
    let mut bytes = connect_of("example1");
    bytes.extend(publish(topic, &[b'y'; 40_000], 0, 0));
    assert_eq!(
        exchange(&running, IDENTITY, &key(), &["-tls1_2"], &bytes),
        [0x20, 2, 0, 0]
    );
    running.event("publish", |event| event["bytes"] == 40_000);
}

#[test]
fn strangers_and_wrong_keys_are_refused() {
    let running = start();
    let wrong_key = hex(&"0".repeat(64));
    let unknown = "devicename|hmacsha256|a1MZxOdcBnO&nobody|2524608000000";
    let no_secret = "devicename|hmacsha256|a1X509Demo0&x509-device-1|2524608000000";
    let id2 = "id2|hmacsha256|a1MZxOdcBnO&example1|2524608000000";
    let other_time = "devicename|hmacsha256|a1MZxOdcBnO&example1|2524608000001";
    for (identity, key, reason) in [
        (
            IDENTITY,
            wrong_key.as_str(),
            "perhaps not the key of a1MZxOdcBnO/example1",
        ),
        (other_time, &key(), "perhaps not the key of"),
        (unknown, &key(), "there is no device a1MZxOdcBnO/nobody"),
        (no_secret, &key(), "has no secret"),
        (id2, &key(), "the identity is not"),
        ("Client_identity", &key(), "the identity is not"),
    ] {
        let answer = exchange(
            &running,
            identity,
            key,
            &["-tls1_2"],
            &connect_of("example1"),
        );
        assert_eq!(answer, [0_u8; 0], "{identity}");
        running.event("tls", |event| {
            event["ok"] == false
                && event["error"]
                    .as_str()
                    .is_some_and(|error| error.contains(reason))
        });
    }
    // TLS 1.3 and suites with certificates are not for this listener.
    for arguments in [
        &["-tls1_3"][..],
        &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
    ] {
        let answer = exchange(
            &running,
            IDENTITY,
            &key(),
            arguments,
            &connect_of("example1"),
        );
        assert_eq!(answer, [0_u8; 0], "{arguments:?}");
    }
    assert_eq!(running.count("connect"), 0);
    // The key of one device does not let another in.
    let answer = exchange(
        &running,
        IDENTITY,
        &key(),
        &["-tls1_2"],
        &connect_of("example2"),
    );
    assert_eq!(answer, [0x20, 2, 0, 4]);
    let event = running.event("connect", |_| true);
    assert_eq!(
        event["reason"],
        "the pre-shared key is that of a1MZxOdcBnO/example1"
    );
    let (events, _) = running.platform.events.since(0);
    let log = serde_json::to_string(&events).expect("JSON");
    assert!(!log.contains(&sha256(
        "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X",
        "ida1MZxOdcBnO&example1timestamp2524608000000"
    )));
}

#[test]
fn suites_can_be_chosen_and_wrong_ones_are_told() {
    let running = Running::start(Options {
        listen_psk: Some("[::1]:0".into()),
        psk_suites: "PSK-AES128-CBC-SHA".into(),
        ..options()
    });
    let offer = ["-tls1_2", "-cipher", "PSK-AES128-GCM-SHA256"];
    assert!(exchange(&running, IDENTITY, &key(), &offer, &connect_of("example1")).is_empty());
    let offer = [
        "-tls1_2",
        "-cipher",
        "PSK-AES128-GCM-SHA256:PSK-AES128-CBC-SHA",
    ];
    let answer = exchange(&running, IDENTITY, &key(), &offer, &connect_of("example1"));
    assert_eq!(answer, [0x20, 2, 0, 0]);
    let error = iotx_platform::server::Platform::start(Options {
        listen_psk: Some("127.0.0.1:0".into()),
        psk_suites: "nonsense".into(),
        ..options()
    })
    .err()
    .expect("no such suite");
    assert!(error.contains("nonsense"), "{error}");
}

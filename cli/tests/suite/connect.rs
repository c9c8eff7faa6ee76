//! `iotx connect`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::support::*;

fn secret_device(url: &str) -> Vec<String> {
    let secret = file("secret", &format!("{}\n", device_secret()));
    [
        "--json",
        "connect",
        "--product-key",
        PRODUCT_KEY,
        "--device-name",
        DEVICE_NAME,
        "--secret-file",
        &secret,
        "--ca",
        &in_pki("root.crt"),
        "--url",
        url,
    ]
    .map(ToOwned::to_owned)
    .to_vec()
}

fn with(mut arguments: Vec<String>, more: &[&str]) -> Vec<String> {
    arguments.extend(more.iter().map(ToString::to_string));
    arguments
}

fn run(arguments: &[String]) -> Run {
    iotx(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn stages(run: &Run) -> Vec<String> {
    let stages = run.of_kind("stage");
    stages
        .iter()
        .map(|stage| stage["stage"].as_str().expect("name").to_owned())
        .collect()
}

#[test]
fn every_transport_shows_its_stages() {
    let running = Running::start(options());
    for (scheme, want) in [
        ("mqtt", &["resolve", "tcp", "connack"][..]),
        ("mqtts", &["resolve", "tcp", "tls", "connack"]),
        ("ws", &["resolve", "tcp", "websocket", "connack"]),
        ("wss", &["resolve", "tcp", "tls", "websocket", "connack"]),
    ] {
        let run = run(&secret_device(&running.url(scheme)));
        assert_eq!(run.status, 0, "{scheme}: {}", run.all());
        assert_eq!(stages(&run), want, "{scheme}");
        for stage in run.of_kind("stage") {
            assert!(
                stage["ms"].as_u64().is_some_and(|ms| ms < 20_000),
                "{stage}"
            );
        }
    }
}

#[test]
fn tls_shows_version_suite_and_chain() {
    let running = Running::start(options());
    let run = run(&secret_device(&running.url("mqtts")));
    let tls = &run.of_kind("tls")[0];
    assert_eq!(tls["version"], "TLSv1.2");
    assert_eq!(tls["resumed"], false);
    assert_eq!(tls["server_name"], "localhost");
    assert!(
        tls["suite"]
            .as_str()
            .is_some_and(|suite| suite.starts_with("TLS-ECDHE-"))
    );
    let chain = tls["chain"].as_array().expect("chain");
    assert_eq!(chain.len(), 3, "leaf, intermediate, root");
    for pair in chain.windows(2) {
        assert_eq!(pair[0]["issuer"], pair[1]["subject"]);
    }
    assert_eq!(chain[2]["subject"], chain[2]["issuer"]);
    assert!(chain[0]["not_after"].as_str() > chain[0]["not_before"].as_str());
}

#[test]
fn the_chain_of_a_server_that_is_not_trusted() {
    let running = Running::with_server_cert("server-expired");
    let run = run(&secret_device(&running.url("mqtts")));
    assert_eq!(run.status, 4, "{}", run.all());
    let chain = &run.of_kind("chain")[0]["chain"];
    let ends = |place: usize| chain[place]["not_after"].as_str().expect("date");
    assert!(
        ends(0) < ends(1),
        "the first is the one that expired: {chain}"
    );
    assert!(run.of_kind("tls").is_empty());
}

#[test]
fn a_session_is_resumed_the_second_time() {
    let running = Running::start(options());
    let run = run(&with(secret_device(&running.url("mqtts")), &["--again"]));
    assert_eq!(run.status, 0, "{}", run.all());
    let tls = run.of_kind("tls");
    assert_eq!([&tls[0]["resumed"], &tls[1]["resumed"]], [false, true]);
    assert_eq!(tls[1]["chain"], json!([]));
}

#[test]
fn a_certificate_device_is_told_who_it_is() {
    let running = Running::start(options());
    let run = iotx(&[
        "--json",
        "connect",
        "--scheme",
        "x509",
        "--cert",
        &in_pki("device.crt"),
        "--key",
        &in_pki("device.key"),
        "--ca",
        &in_pki("root.crt"),
        "--url",
        &running.url("mqtts"),
        "--do",
        "sub /{pk}/{dn}/user/get 1",
        "--do",
        "pub1 /{pk}/{dn}/user/get there and back",
        "--do",
        "wait 1 message within 10s",
    ]);
    assert_eq!(run.status, 0, "{}", run.all());
    let identity = &run.of_kind("identity")[0];
    assert_eq!(identity["device_name"], "x509-device-1");
    let message = &run.of_kind("message")[0];
    assert_eq!(message["topic"], "/a1X509Demo0/x509-device-1/user/get");
    assert_eq!(message["payload"], "there and back");
    assert_eq!(
        run.events().last().expect("events")["event"],
        "disconnected"
    );
    wait_until("DISCONNECT", || running.saw("disconnect"));
}

#[test]
fn certificates_are_found_in_a_folder() {
    let running = Running::start(options());
    let folder = scratch("folder");
    for (from, to) in [("device.crt", "cer"), ("device.key", "key")] {
        let name = folder.join(format!("a1X509Demo0_x509-device-1_0A1B.{to}"));
        std::fs::copy(pki().join(from), name).expect("copy");
    }
    let url = running.url("mqtts");
    let ca = in_pki("root.crt");
    let arguments = [
        "--json",
        "connect",
        "--scheme",
        "private-ca",
        "--cert-dir",
        folder.to_str().expect("UTF-8"),
        "--ca",
        &ca,
        "--url",
        &url,
    ];
    let run = iotx(&arguments);
    assert_eq!(run.status, 0, "{}", run.all());
    assert_eq!(run.of_kind("identity")[0]["product_key"], "a1X509Demo0");
    std::fs::copy(
        pki().join("device.crt"),
        folder.join("a1X509Demo0_other_0A1C.cer"),
    )
    .expect("copy");
    let run = iotx(&arguments);
    assert_eq!(run.status, 1, "{}", run.all());
    assert!(run.stdout.contains("2 certificates fit"), "{}", run.all());
}

#[test]
fn rrpc_requests_are_answered() {
    let running = Running::start(options());
    let arguments = with(
        secret_device(&running.url("mqtts")),
        &[
            "--do",
            "rrpc all fine",
            "--do",
            "wait 1 messages within 20s",
        ],
    );
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let child = spawn(&mut command(&texts));
    wait_until("subscribed", || running.saw("subscribe"));
    let topic = format!("/sys/{PRODUCT_KEY}/{DEVICE_NAME}/rrpc/request/4711");
    publish(&running, &topic, "how are you");
    let run = ended(child);
    assert_eq!(run.status, 0, "{}", run.all());
    let answer = format!("/sys/{PRODUCT_KEY}/{DEVICE_NAME}/rrpc/response/4711");
    assert_eq!(
        run.of_kind("rrpc")[0],
        json!({"event": "rrpc", "ok": true, "topic": answer})
    );
    wait_until("the answer", || {
        let (events, _) = running.platform.events.since(0);
        events.iter().any(|event| {
            event["event"] == "publish"
                && event["topic"] == answer.as_str()
                && event["payload"] == "all fine"
        })
    });
}

#[test]
fn a_script_file_and_its_failures() {
    let running = Running::start(options());
    let script = file(
        "script",
        "# a comment\n\nsub /{pk}/{dn}/user/get\nwait 1 messages within 100ms\n",
    );
    let arguments = secret_device(&running.url("mqtts"));
    let run_it = run(&with(arguments.clone(), &["--script", &script]));
    assert_eq!(run_it.status, 6, "{}", run_it.all());
    assert!(
        run_it.stdout.contains("0 of 1 messages"),
        "{}",
        run_it.all()
    );
    assert_eq!(run_it.of_kind("disconnected").len(), 1);

    let refused = run(&with(
        arguments.clone(),
        &["--do", "sub /another/device/user/get"],
    ));
    assert_eq!(refused.status, 6, "{}", refused.all());

    let wrong = file("wrong", "sub a\nsubscribe b\n");
    let wrong = run(&with(arguments, &["--script", &wrong]));
    assert_eq!(wrong.status, 1, "{}", wrong.all());
    assert!(wrong.stdout.contains("line 2"), "{}", wrong.all());
    assert!(
        wrong.of_kind("connecting").is_empty(),
        "checked before connecting"
    );
}

#[test]
fn commands_from_standard_input() {
    let running = Running::start(options());
    let arguments = with(secret_device(&running.url("mqtts")), &["-i"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let input =
        "nonsense\nsub /{pk}/{dn}/user/get\npub /{pk}/{dn}/user/get a b\nwait 1 within 10s\nquit\n";
    let run = iotx_with_input(&arguments, input);
    assert_eq!(run.status, 0, "{}", run.all());
    assert_eq!(run.of_kind("command_failed").len(), 1);
    assert_eq!(run.of_kind("message")[0]["payload"], "a b");
}

#[test]
fn ctrl_c_ends_with_disconnect() {
    let running = Running::start(options());
    let mut arguments = with(secret_device(&running.url("mqtts")), &["--do", "sleep 10m"]);
    arguments.remove(0);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut child = spawn(&mut command(&arguments));
    let mut lines = BufReader::new(child.stdout.take().expect("standard output")).lines();
    let connected = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("connack")));
    assert!(connected.is_some(), "connects");
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.expect("kill").success());
    let rest: Vec<String> = lines.map(|line| line.expect("line")).collect();
    assert_eq!(rest, ["disconnected"]);
    assert_eq!(ended(child).status, 130);
    wait_until("DISCONNECT", || running.saw("disconnect"));
}

#[test]
fn each_kind_of_failure_has_its_status() {
    let running = Running::start(options());
    let wrong = file("wrong", "0123456789abcdef0123456789abcdef");
    let mut refused = secret_device(&running.url("mqtts"));
    refused[7] = wrong;
    let expired = Running::with_server_cert("server-expired");
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
        format!(
            "mqtts://127.0.0.1:{}",
            listener.local_addr().expect("address").port()
        )
    };
    let mut missing = secret_device(&running.url("mqtts"));
    missing[7] = "/no/such/file".to_owned();
    for (arguments, status, text) in [
        (refused, 5, "code 4"),
        (secret_device(&expired.url("mqtts")), 4, "expired"),
        (secret_device(&closed), 3, "refused"),
        (missing, 1, "cannot read"),
        (secret_device("http://localhost"), 1, "scheme"),
    ] {
        let run = run(&arguments);
        assert_eq!(run.status, status, "{}", run.all());
        let errors = run.of_kind("error");
        let said = errors[0]["text"].as_str().expect("text");
        assert!(said.contains(text), "{said}");
        assert_eq!(errors[0]["exit"], status);
    }
    assert_eq!(iotx(&["connect", "--no-such-option"]).status, 2);
}

#[test]
fn what_a_server_sends_does_not_move_the_cursor() {
    let running = Running::start(options());
    let mut arguments = with(
        secret_device(&running.url("mqtts")),
        &[
            "--do",
            "sub /{pk}/{dn}/user/get",
            "--do",
            "wait 1 within 20s",
        ],
    );
    arguments.remove(0);
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let child = spawn(&mut command(&texts));
    wait_until("subscribed", || running.saw("subscribe"));
    publish(
        &running,
        &format!("/{PRODUCT_KEY}/{DEVICE_NAME}/user/get"),
        "a\u{1b}[2Jb\r",
    );
    let run = ended(child);
    assert_eq!(run.status, 0, "{}", run.all());
    assert!(
        run.stdout.contains("a\u{fffd}[2Jb\u{fffd}"),
        "{}",
        run.all()
    );
    assert!(!run.stdout.contains('\u{1b}'));
}

/// A proxy that lets one connection through.
fn proxy() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let port = listener.local_addr().expect("address").port();
    std::thread::spawn(move || {
        let (mut near, _) = listener.accept().expect("connection");
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") {
            near.read_exact(&mut byte).expect("request");
            request.push(byte[0]);
        }
        let text = String::from_utf8(request).expect("text");
        let server = text.strip_prefix("CONNECT ").expect("CONNECT");
        let mut far =
            TcpStream::connect(server.split(' ').next().expect("server")).expect("server");
        near.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("answer");
        let (mut from, mut to) = (
            near.try_clone().expect("clone"),
            far.try_clone().expect("clone"),
        );
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        let _ = std::io::copy(&mut far, &mut near);
    });
    port
}

#[test]
fn a_proxy_is_a_stage() {
    let running = Running::start(options());
    let through = format!("http://127.0.0.1:{}", proxy());
    let run = run(&with(
        secret_device(&running.url("wss")),
        &["--proxy", &through],
    ));
    assert_eq!(run.status, 0, "{}", run.all());
    let want = ["resolve", "tcp", "proxy", "tls", "websocket", "connack"];
    assert_eq!(stages(&run), want);
}

#[test]
fn a_pre_shared_key_signs_in() {
    // The key by the documented rule, with a signer that is not the library's.
    let identity = format!("devicename|hmacsha256|{PRODUCT_KEY}&{DEVICE_NAME}|2524608000000");
    let content = format!("id{PRODUCT_KEY}&{DEVICE_NAME}timestamp2524608000000");
    let mut mac = Hmac::<Sha256>::new_from_slice(device_secret().as_bytes()).expect("any length");
    mac.update(content.as_bytes());
    let digest: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let key: String = digest.bytes().map(|byte| format!("{byte:02x}")).collect();
    let folder = scratch("psk");
    let write = |name: &str, content: String| {
        let path = folder.join(name);
        std::fs::write(&path, content).expect("file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let pairs = write("pairs", format!("{identity}:{key}\n"));
    let port = TcpListener::bind("127.0.0.1:0")
        .expect("port")
        .local_addr()
        .expect("address")
        .port();
    let config = write(
        "mosquitto.conf",
        format!(
            "listener {port} 127.0.0.1\npsk_file {pairs}\npsk_hint hint\nallow_anonymous true\nuser root\n"
        ),
    );
    let program = [
        "/usr/sbin/mosquitto",
        "/usr/bin/mosquitto",
        "/usr/local/sbin/mosquitto",
    ]
    .into_iter()
    .find(|path| std::path::Path::new(path).exists())
    .expect("mosquitto is installed");
    let mut broker = Command::new(program)
        .args(["-c", &config])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("mosquitto starts");
    wait_until("mosquitto listens", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let arguments = with(
        secret_device(&format!("mqtts://localhost:{port}")),
        &[
            "--scheme",
            "psk",
            "--do",
            "sub a/b 1",
            "--do",
            "pub1 a/b x",
            "--do",
            "wait 1 within 10s",
        ],
    );
    let good = run(&arguments);
    let mut wrong = arguments.clone();
    wrong[7] = file("wrong", "another secret");
    let refused = run(&wrong);
    broker.kill().expect("mosquitto ends");
    broker.wait().expect("mosquitto ends");
    assert_eq!(good.status, 0, "{}", good.all());
    let tls = &good.of_kind("tls")[0];
    assert!(
        tls["suite"]
            .as_str()
            .is_some_and(|suite| suite.contains("PSK")),
        "{tls}"
    );
    assert_eq!(tls["chain"], json!([]));
    assert_eq!(refused.status, 4, "{}", refused.all());
}

//! The program `iotx-platform`: start, ready file, log, end.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::*;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iotx-platform"));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn ready(path: &Path, child: &mut Child) -> Value {
    let deadline = Instant::now() + SOON;
    loop {
        if let Ok(text) = std::fs::read_to_string(path) {
            return serde_json::from_str(&text).expect("whole JSON");
        }
        if let Some(status) = child.try_wait().expect("status") {
            panic!("the program ended early with {status}");
        }
        assert!(Instant::now() < deadline, "not ready in time");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn output(mut child: Child) -> (Option<i32>, String, String) {
    let deadline = Instant::now() + SOON;
    let status = loop {
        match child.try_wait().expect("status") {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                let _ = child.kill();
                panic!("the program does not end");
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let (mut out, mut err) = (String::new(), String::new());
    child
        .stdout
        .take()
        .expect("stdout")
        .read_to_string(&mut out)
        .expect("stdout");
    child
        .stderr
        .take()
        .expect("stderr")
        .read_to_string(&mut err)
        .expect("stderr");
    (status.code(), out, err)
}

#[test]
fn whole_life_with_signal() {
    let folder = scratch("life");
    let made = program()
        .args(["pki", "--out"])
        .arg(folder.join("pki"))
        .status()
        .expect("pki");
    assert!(made.success());
    let (ready_file, log) = (folder.join("ready.json"), folder.join("log"));
    std::fs::write(&ready_file, "stale").expect("stale file");
    for signal in ["TERM", "INT"] {
        let _ = std::fs::remove_file(&ready_file);
        let mut child = program()
            .args(["serve", "--listen-tcp", "127.0.0.1:0", "--pki"])
            .arg(folder.join("pki"))
            .arg("--ready")
            .arg(&ready_file)
            .arg("--log")
            .arg(&log)
            .spawn()
            .expect("start");
        let ready = ready(&ready_file, &mut child);
        assert_eq!(ready["pid"], child.id());
        let port = |name: &str| u16::try_from(ready[name].as_u64().expect(name)).expect(name);
        assert_ne!(port("port"), port("tcp_port"));
        assert_ne!(port("control_port"), 0);
        let mut client = Client::new(Stream::Tcp(dial(([127, 0, 0, 1], port("tcp_port")).into())));
        assert_eq!(
            client.connect(&secret_connect("example1", 60, true)),
            (false, 0)
        );
        client.ping();
        let killed = Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status()
            .expect("kill");
        assert!(killed.success());
        assert_eq!(client.end(), Ended::Clean);
        let (code, out, err) = output(child);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
        for part in [
            "platform started: TLS on 127.0.0.1:",
            "CONNECT accepted: a1MZxOdcBnO/example1",
            "PINGREQ",
            "platform stopped: SIG",
        ] {
            assert!(out.contains(part), "{part:?} is missing in {out}");
        }
    }
    let log = std::fs::read_to_string(&log).expect("log");
    let events: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON line"))
        .collect();
    assert_eq!(
        events.first().map(|event| &event["event"]),
        Some(&"started".into())
    );
    assert_eq!(
        events.last().map(|event| &event["event"]),
        Some(&"stopped".into())
    );
    assert_eq!(
        events
            .iter()
            .filter(|event| event["event"] == "connect")
            .count(),
        2
    );
}

#[test]
fn plain_tcp_quiet_and_stopped_by_control() {
    use std::io::{BufRead, BufReader, Write};
    let folder = scratch("quiet");
    let ready_file = folder.join("ready.json");
    let mut child = program()
        .args(["serve", "--tcp", "--quiet", "--pki"])
        .arg(pki())
        .arg("--ready")
        .arg(&ready_file)
        .spawn()
        .expect("start");
    let ready = ready(&ready_file, &mut child);
    assert_eq!(ready["port"], ready["tcp_port"]);
    let port = |name: &str| ready[name].as_u64().expect(name) as u16;
    let mut client = Client::new(Stream::Tcp(dial(([127, 0, 0, 1], port("port")).into())));
    assert_eq!(
        client.connect(&secret_connect("example1", 60, true)),
        (false, 0)
    );
    let mut control = BufReader::new(dial(([127, 0, 0, 1], port("control_port")).into()));
    control
        .get_mut()
        .write_all(b"{\"cmd\":\"stop\"}\n")
        .expect("send");
    let mut answer = String::new();
    control.read_line(&mut answer).expect("answer");
    assert_eq!(answer, "{\"ok\":true}\n");
    let (code, out, err) = output(child);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(
        out.starts_with("platform started: TCP on 127.0.0.1:"),
        "{out}"
    );
}

#[test]
fn every_listener_and_the_proxy_with_credentials_from_a_file() {
    let folder = scratch("listeners");
    let (ready_file, credentials) = (folder.join("ready.json"), folder.join("proxy"));
    std::fs::write(&credentials, "user:word\n").expect("file");
    let any = "127.0.0.1:0";
    let mut child = program()
        .args(["serve", "--pki"])
        .arg(pki())
        .args(["--listen-tcp", any, "--listen-ws", any, "--listen-wss", any])
        .args(["--listen-psk", any, "--listen-proxy", any])
        .args([
            "--proxy-map",
            "iot.example.com:443=tcp",
            "--ws-path",
            "/other",
        ])
        .args(["--tickets", "off", "--proxy-auth-file"])
        .arg(&credentials)
        .arg("--ready")
        .arg(&ready_file)
        .spawn()
        .expect("start");
    let ready = ready(&ready_file, &mut child);
    let port = |name: &str| ready[name].as_u64().expect(name) as u16;
    assert_eq!(port("port"), port("tls_port"));
    let names = ["tcp", "ws", "wss", "psk", "proxy", "control"];
    let mut ports: Vec<u16> = names.map(|name| port(&format!("{name}_port"))).into();
    ports.push(port("port"));
    ports.sort();
    ports.dedup();
    assert_eq!(ports.len(), 7, "{ready}");
    for (credentials, status) in [("dXNlcjp3b3Jk", "200"), ("dXNlcjp3b3JkCg==", "407")] {
        let socket = dial(([127, 0, 0, 1], port("proxy_port")).into());
        let mut client = Client::new(Stream::Tcp(socket));
        let request = format!(
            "CONNECT iot.example.com:443 HTTP/1.1\r\nProxy-Authorization: Basic {credentials}\r\n\r\n"
        );
        client.send(request.as_bytes());
        assert_eq!(client.take(12), format!("HTTP/1.1 {status}").into_bytes());
    }
    let killed = Command::new("kill")
        .args(["-s", "TERM", &child.id().to_string()])
        .status()
        .expect("kill");
    assert!(killed.success());
    let (code, out, err) = output(child);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    for part in [
        "WebSocket on",
        "WebSocket over TLS on",
        "TLS-PSK on",
        "HTTP proxy on",
    ] {
        assert!(out.contains(part), "{part:?} is missing in {out}");
    }
    assert!(!out.contains("word"), "{out}");
}

#[test]
fn what_cannot_start_says_why() {
    let folder = scratch("errors");
    std::fs::write(folder.join("broken.json"), "{\"devices\":1}").expect("file");
    let missing = folder.join("missing");
    let broken = folder.join("broken.json");
    let words = folder.join("words");
    std::fs::write(&words, "no colon").expect("file");
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let taken = holder.local_addr().expect("address").to_string();
    let good = pki();
    let cases: [(&Path, Vec<&str>, &str); 8] = [
        (&missing, vec![], "cannot read the device registry"),
        (
            good,
            vec!["--devices", broken.to_str().expect("path")],
            "is not valid",
        ),
        (
            good,
            vec!["--server-cert", "nobody"],
            "cannot read the certificate",
        ),
        (
            good,
            vec!["--server-cert", "root", "--listen", "nonsense"],
            "cannot listen on nonsense for TLS",
        ),
        (
            good,
            vec!["--listen-tcp", &taken],
            "cannot listen on 127.0.0.1",
        ),
        (
            good,
            vec!["--proxy-auth-file", words.to_str().expect("path")],
            "the proxy's credentials are not user:password",
        ),
        (
            good,
            vec!["--listen-psk", "127.0.0.1:0", "--psk-suites", "x"],
            "names no cipher suite",
        ),
        (
            good,
            vec!["--fault", "nonsense"],
            "unknown fault \"nonsense\"",
        ),
    ];
    for (folder, extra, sentence) in cases {
        let child = program()
            .args(["serve", "--pki"])
            .arg(folder)
            .args(&extra)
            .spawn()
            .expect("start");
        let (code, out, err) = output(child);
        assert_eq!(code, Some(1), "{extra:?}: {out}");
        assert!(
            err.contains(sentence) && err.lines().count() == 1,
            "{extra:?}: {err}"
        );
    }
}

//! Handshakes with servers that are old, new, silent, or no TLS servers at all.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use iotx::hal::diagnostics::{Failure, Stage};
use iotx::hal::tls::{self, DEFAULT_HANDSHAKE_TIMEOUT_MS, Options, ServerName};

use crate::hal::{self, timed};
use crate::peer::{Server, scripted};
use crate::pki::pki;

fn attempt(port: u16, timeout_ms: u32) -> Result<std::sync::Arc<dyn tls::TlsSession>, Failure> {
    let name = ServerName::parse("localhost").expect("host name");
    let mut options = Options::new(name, port, pki().read("root.pem").into_bytes());
    options.handshake_timeout_ms = timeout_ms;
    tls::connect(&options)
}

#[track_caller]
fn assert_handshake(failure: &Failure, wanted: &str) {
    assert_eq!(failure.stage, Stage::TlsHandshake, "{failure}");
    assert!(
        failure.text.contains(wanted),
        "{wanted:?} is not in: {failure}"
    );
}

#[test]
fn modern_suites_are_chosen_one_by_one() {
    for (openssl, ours) in [
        (
            "ECDHE-RSA-AES128-GCM-SHA256",
            "TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256",
        ),
        (
            "ECDHE-RSA-AES256-GCM-SHA384",
            "TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384",
        ),
        (
            "ECDHE-RSA-CHACHA20-POLY1305",
            "TLS-ECDHE-RSA-WITH-CHACHA20-POLY1305-SHA256",
        ),
    ] {
        let server = Server::start("server", "rsa.key", &["-cipher", openssl]);
        let session = attempt(server.port, 5000).expect("session");
        assert_eq!(session.info().suite, ours);
    }
}

#[test]
fn old_suites_are_used_only_if_there_is_nothing_better() {
    for (openssl, ours) in [
        ("AES128-SHA", "TLS-RSA-WITH-AES-128-CBC-SHA"),
        ("AES256-SHA256", "TLS-RSA-WITH-AES-256-CBC-SHA256"),
        ("AES128-GCM-SHA256", "TLS-RSA-WITH-AES-128-GCM-SHA256"),
        (
            "ECDHE-RSA-AES128-SHA256",
            "TLS-ECDHE-RSA-WITH-AES-128-CBC-SHA256",
        ),
    ] {
        let server = Server::start("server", "rsa.key", &["-cipher", openssl]);
        let session = attempt(server.port, 5000).expect("session");
        assert_eq!(session.info().suite, ours);
    }
    // The server would take the old one first, but is not offered it.
    let both = [
        "-cipher",
        "AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256",
        "-serverpref",
    ];
    let server = Server::start("server", "rsa.key", &both);
    let session = attempt(server.port, 5000).expect("session");
    assert_eq!(
        session.info().suite,
        "TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256"
    );
}

#[test]
fn no_common_suite_at_all_is_said() {
    let server = Server::start("server", "rsa.key", &["-cipher", "CAMELLIA128-SHA"]);
    let failure = attempt(server.port, 5000).err().expect("refused");
    assert_handshake(&failure, "handshake_failure (no common cipher suite?)");
}

#[test]
fn other_protocol_versions_are_refused_with_clear_text() {
    let old = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"];
    let server = Server::with_versions("server", "rsa.key", &old);
    let failure = attempt(server.port, 5000).err().expect("refused");
    assert_handshake(&failure, "TLS 1.2");
    let server = Server::with_versions("server", "rsa.key", &["-tls1_3"]);
    let failure = attempt(server.port, 5000).err().expect("refused");
    assert_handshake(&failure, "protocol_version (it does not accept TLS 1.2)");
}

#[test]
fn plain_text_server_is_recognised() {
    for greeting in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"220 mail\r\n",
        b"\x20\x02\x00\x00",
    ] {
        let port = scripted(move |mut stream| {
            let _ = stream.write_all(greeting);
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.read(&mut [0; 4096]);
        });
        let failure = attempt(port, 1000).err().expect("refused");
        assert_handshake(&failure, "peer does not speak TLS");
    }
}

#[test]
fn server_that_closes_is_told_apart() {
    pki();
    let port = scripted(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
    });
    let (result, time) = timed(|| attempt(port, 5000));
    assert_handshake(
        &result.err().expect("refused"),
        "closed the connection during the TLS",
    );
    assert!(time < Duration::from_secs(3), "{time:?}");
}

#[test]
fn silent_server_costs_the_handshake_time_and_no_more() {
    pki();
    // The back log of the listener completes the connection; nobody ever answers on it.
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    let (result, time) = timed(|| attempt(port, 400));
    assert_handshake(
        &result.err().expect("refused"),
        "TLS handshake timed out after 400 ms",
    );
    assert!(
        time >= Duration::from_millis(400) && time < Duration::from_secs(2),
        "{time:?}"
    );
    assert_eq!(DEFAULT_HANDSHAKE_TIMEOUT_MS, 10_000);
}

#[test]
fn drip_feeding_server_does_not_stretch_the_time() {
    pki();
    let port = scripted(|mut stream| {
        // A handshake record of 16 KiB that takes seconds to come.
        let _ = stream.write_all(&[22, 3, 3, 63, 0, 2, 0, 62, 252]);
        while stream.write_all(&[0]).is_ok() {
            std::thread::sleep(Duration::from_micros(300));
        }
    });
    let (result, time) = timed(|| attempt(port, 500));
    assert_handshake(&result.err().expect("refused"), "timed out");
    assert!(time < Duration::from_secs(2), "{time:?}");
}

#[test]
fn refused_connection_is_a_connect_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    drop(listener);
    let failure = hal::establish("127.0.0.1", port, &pki().read("root.pem")).expect_err("refused");
    assert_eq!(failure.stage, Stage::Connect, "{failure}");
}

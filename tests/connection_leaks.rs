//! What connecting again and again leaves behind on real sockets: descriptors and bytes of the C
//! heap, which the TLS library uses too. Measured, not guessed: every figure must be flat.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

#[path = "tls/peer.rs"]
#[allow(dead_code)]
mod peer;
#[path = "tls/pki.rs"]
mod pki;

use std::ffi::{CStr, CString};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use iotx::device::{Callback, Client, ClientEvent, Config, ConnectBounds, Host, Names, Reconnect};
use iotx::hal::diagnostics::{Failure, Stage};
use iotx::mqtt::{Limits, Login, topic};
use iotx::transport::{DialBounds, Dialer, HalDialer, Proxy, Security, Target, WebSocket};
use peer::Server;
use pki::pki;

/// All allocations of the process in one arena, so that one call measures them.
extern "C" fn one_arena() {
    // SAFETY: called once before any thread is started.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

// SAFETY: the section holds pointers to functions that the C library calls before main.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = one_arena;

/// Descriptors and heap belong to the whole process, so tests take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("proc").count()
}

fn heap() -> usize {
    // SAFETY: no preconditions.
    unsafe { libc::mallinfo2() }.uordblks
}

/// Bytes that do not count: freed blocks that the C library keeps at hand, at most seven of a
/// size, and reports as in use. Handshakes ask for blocks of random sizes, so they are long in
/// filling up. One TLS session that is not given back has 40 000.
const SLACK: usize = 15_000;
/// Descriptors that do not count: the server's end of a connection just closed.
const SLACK_DESCRIPTORS: usize = 2;

/// Runs `round` `rounds` times and demands that the last half leaves nothing behind.
fn assert_flat(rounds: usize, mut round: impl FnMut()) {
    let mut before = (0, 0);
    for number in 0..rounds {
        round();
        if number == rounds / 2 {
            before = (descriptors(), heap());
        }
    }
    let after = (descriptors(), heap());
    assert!(
        after.0 <= before.0 + SLACK_DESCRIPTORS,
        "descriptors: {before:?}, then {after:?}"
    );
    assert!(
        after.1 <= before.1 + SLACK,
        "bytes: {before:?}, then {after:?}"
    );
    println!("{rounds} rounds: (descriptors, bytes) {before:?} at half time, {after:?} at the end");
}

#[derive(Default)]
struct Counter {
    reconnects: AtomicUsize,
}

impl Host for Counter {
    fn deliver(&self, _: Callback, event: ClientEvent<'_>) {
        if matches!(event, ClientEvent::Reconnected { .. }) {
            self.reconnects.fetch_add(1, Ordering::Relaxed);
        }
    }
    fn state(&self, _: i32, _: &str) {}
    fn identity_received(&self, _: &CStr) {}
    fn store_names(&self, _: &str, _: &str) {}
    fn names(&self) -> Names {
        Names {
            product_key: "pk".into(),
            device_name: "dn".into(),
            module: String::new(),
        }
    }
    fn next_report_id(&self) -> u32 {
        0
    }
}

fn target(host: &str, port: u16, security: Security) -> Target {
    Target::new(CString::new(host).expect("no NUL"), port, security)
}

fn trusted() -> Security {
    Security::Tls {
        ca_pem: CString::new(pki().read("root.pem")).expect("no NUL"),
        credentials: None,
    }
}

/// A server that accepts CONNECT and hangs up, for ever.
fn moody_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut connect = [0; 512];
            let _ = stream.read(&mut connect);
            let _ = stream.write_all(&[0x20, 2, 0, 0]);
        }
    });
    port
}

#[test]
fn a_thousand_reconnects() {
    let _alone = alone();
    let config = Config {
        target: target("127.0.0.1", moody_server(), Security::Tcp),
        login: Login {
            client_id: "c".into(),
            username: "u".into(),
            password: "p".to_owned().into(),
            clean_session: false,
            omit_empty: false,
        },
        limits: Limits {
            write_max: 3072,
            read_max: 3072,
            inflight_max: 10,
            request_timeout_ms: 5_000,
            keepalive_ms: 60_000,
        },
        connect: ConnectBounds::default(),
        reconnect: Reconnect {
            first_ms: 0,
            ceiling_ms: 0,
            floor_ms: 0,
            stable_ms: 0,
        },
        handler: Some(Callback {
            function: 1,
            context: 0,
        }),
        topics: topic::Rules::LinkSdk,
        platform: false,
        queue_max: None,
        store: None,
    };
    let host = Arc::new(Counter::default());
    let client = Client::new(config, host.clone());
    client.connect().expect("the server accepts");
    assert_flat(1_000, || {
        let before = host.reconnects.load(Ordering::Relaxed);
        for _ in 0..10_000 {
            client.yield_for(1);
            if host.reconnects.load(Ordering::Relaxed) > before {
                return;
            }
        }
        panic!("not back");
    });
    client.close();
}

/// Connects over the HAL as a client does, in steps of 5 ms.
fn open(target: &Target) {
    let bounds = DialBounds::default();
    let mut dialing = HalDialer.dial(target, &bounds).expect("starts");
    for _ in 0..4_000 {
        match dialing.step(5) {
            Ok(None) => {}
            Ok(Some(link)) => {
                assert_eq!(link.write(b"hello\n", 5_000), Ok(6));
                return;
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    panic!("no connection after 20 s");
}

/// Why no connection comes about.
fn fail(target: &Target) -> Failure {
    let bounds = DialBounds::default();
    let mut dialing = HalDialer.dial(target, &bounds).expect("starts");
    loop {
        match dialing.step(5) {
            Ok(None) => {}
            Ok(Some(_)) => panic!("a connection"),
            Err(failure) => return failure,
        }
    }
}

#[test]
fn tls_connections() {
    let _alone = alone();
    let server = Server::reversing();
    let target = target("localhost", server.port, trusted());
    assert_flat(150, || open(&target));
}

#[test]
fn refused_certificates() {
    let _alone = alone();
    let server = Server::reversing();
    let other = Security::Tls {
        ca_pem: CString::new(pki().read("stranger.pem")).expect("no NUL"),
        credentials: None,
    };
    let target = target("localhost", server.port, other);
    assert_flat(150, || assert_eq!(fail(&target).stage, Stage::TlsVerify));
}

/// A proxy that lets every other connection through to `server`, and how many it is done with.
fn proxy(server: u16) -> (Arc<Proxy>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    let done = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&done);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            if let Ok(stream) = stream {
                relay(stream, server, number % 2 == 0);
            }
            count.fetch_add(1, Ordering::Release);
        }
    });
    let proxy = Proxy::new(&format!("http://127.0.0.1:{port}"), Some("u"), Some("p"));
    (Arc::new(proxy.expect("a proxy")), done)
}

/// One connection of the proxy, until both ends are closed.
fn relay(mut client: TcpStream, server: u16, agrees: bool) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match client.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    if !agrees {
        let _ = client.write_all(b"HTTP/1.1 407 no\r\n\r\n");
        return;
    }
    let mut server = TcpStream::connect(("127.0.0.1", server)).expect("the server is there");
    let _ = client.write_all(b"HTTP/1.1 200 yes\r\n\r\n");
    let (mut from, mut to) = (
        client.try_clone().expect("a copy"),
        server.try_clone().expect("a copy"),
    );
    let up = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    up.join().expect("no panic");
}

#[test]
fn connections_through_a_proxy_that_agrees_and_refuses_in_turn() {
    let _alone = alone();
    let server = Server::reversing();
    let (proxy, done) = proxy(server.port);
    let target = Target {
        proxy: Some(proxy),
        ..target("localhost", server.port, trusted())
    };
    let mut round = 0;
    assert_flat(200, || {
        round += 1;
        if round % 2 == 1 {
            open(&target);
        } else {
            let failure = fail(&target);
            assert_eq!(failure.stage, Stage::ProxyRefused, "{failure}");
        }
        for _ in 0..10_000 {
            if done.load(Ordering::Acquire) == round {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("the proxy still has a connection");
    });
}

/// A server that hangs up in the middle of its answer.
#[test]
fn handshakes_of_websockets_that_fail() {
    let _alone = alone();
    let target = Target {
        websocket: Some(WebSocket::new("/mqtt", "A: b").expect("headers")),
        ..target("127.0.0.1", moody_server(), Security::Tcp)
    };
    assert_flat(200, || {
        let failure = fail(&target);
        assert_eq!(failure.stage, Stage::WebSocket, "{failure}");
    });
}

/// Attempts given up in the middle: the name, the connection, the handshake.
#[test]
fn abandoned_attempts() {
    let _alone = alone();
    // The back log of the listener completes the connection; nobody ever answers on it. It is
    // made anew now and then, before it is full.
    let mut listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let bounds = DialBounds::default();
    let mut round = 0;
    assert_flat(400, || {
        round += 1;
        if round % 50 == 0 {
            listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        }
        let port = listener.local_addr().expect("address").port();
        let target = target("127.0.0.1", port, trusted());
        let mut dialing = HalDialer.dial(&target, &bounds).expect("starts");
        for _ in 0..round % 4 {
            let start = Instant::now();
            assert!(matches!(dialing.step(1), Ok(None)));
            // Far below the bound of a stage, far above what a busy machine needs.
            assert!(start.elapsed() < Duration::from_secs(2), "a step of 1 ms");
        }
    });
}

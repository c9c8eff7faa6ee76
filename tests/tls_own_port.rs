//! TLS over an application's own TCP port: the contract path, and what needs a redirected name.
//!
//! The `HAL_TCP_*` of this file replace the library's in the whole test program.

#[path = "tls/peer.rs"]
#[allow(dead_code)]
mod peer;
#[path = "tls/pki.rs"]
mod pki;

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use iotx::hal::diagnostics::Stage;
use iotx::hal::tls::{self, Options, ServerName};
use peer::Server;
use pki::pki;
use sha2::{Digest, Sha256};

static OPEN: Mutex<Option<HashMap<usize, TcpStream>>> = Mutex::new(None);
static NEXT: AtomicUsize = AtomicUsize::new(500);
static LONGEST_READ: AtomicU32 = AtomicU32::new(0);

fn stream(handle: usize) -> TcpStream {
    let open = OPEN.lock().unwrap();
    open.as_ref().unwrap()[&handle].try_clone().unwrap()
}

/// A port that leads every name to this machine, like a modem with its own resolver.
#[unsafe(no_mangle)]
extern "C" fn HAL_TCP_Establish(_host: *const c_char, port: u16) -> usize {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return usize::MAX;
    };
    let handle = NEXT.fetch_add(1, Ordering::Relaxed);
    OPEN.lock()
        .unwrap()
        .get_or_insert_default()
        .insert(handle, stream);
    handle
}

#[unsafe(no_mangle)]
extern "C" fn HAL_TCP_Destroy(handle: usize) -> c_int {
    let mut open = OPEN.lock().unwrap();
    open.as_mut()
        .and_then(|open| open.remove(&handle))
        .map_or(-1, |_| 0)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn HAL_TCP_Write(
    handle: usize,
    buf: *const c_char,
    len: u32,
    timeout_ms: u32,
) -> i32 {
    let mut stream = stream(handle);
    stream
        .set_write_timeout(Some(Duration::from_millis(timeout_ms.into())))
        .unwrap();
    // SAFETY: the contract of the call.
    let bytes = unsafe { std::slice::from_raw_parts(buf.cast::<u8>(), len as usize) };
    match stream.write(bytes) {
        Ok(count) => count as i32,
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
        Err(_) => -1,
    }
}

/// Waits for all `len` bytes, as ports do; asking for too many would cost the whole time-out.
#[unsafe(no_mangle)]
unsafe extern "C" fn HAL_TCP_Read(
    handle: usize,
    buf: *mut c_char,
    len: u32,
    timeout_ms: u32,
) -> i32 {
    LONGEST_READ.fetch_max(timeout_ms, Ordering::Relaxed);
    let mut stream = stream(handle);
    let end = Instant::now() + Duration::from_millis(timeout_ms.into());
    // SAFETY: the contract of the call.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buf.cast::<u8>(), len as usize) };
    let mut filled = 0;
    while filled < bytes.len() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        stream.set_read_timeout(Some(left)).unwrap();
        match stream.read(&mut bytes[filled..]) {
            Ok(0) if filled == 0 => return -1,
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(_) if filled == 0 => return -2,
            Err(_) => break,
        }
    }
    filled as i32
}

fn options(host: &str, port: u16) -> Options {
    let name = ServerName::parse(host).expect("host name");
    Options::new(name, port, pki().read("root.pem").into_bytes())
}

#[test]
fn traffic_keeps_to_the_contract_of_the_port() {
    let server = Server::reversing();
    let start = Instant::now();
    let session = tls::connect(&options("localhost", server.port)).expect("session");
    for _ in 0..20 {
        assert_eq!(session.write(b"hello\n", 1000), Ok(6));
        let mut buf = [0; 6];
        assert_eq!(tls::read_full(&*session, &mut buf, 20_000), Ok(6));
        assert_eq!(&buf, b"olleh\n");
    }
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "a read waited for too many bytes"
    );
    // A little more than asked for, since the clock counts whole milliseconds and no wait may end
    // early.
    assert!(LONGEST_READ.load(Ordering::Relaxed) < 20_010);
    assert_eq!(session.read(&mut [0; 1], 50), Ok(0));
    drop(session);
}

#[test]
fn end_of_the_connection_is_seen_through_the_port() {
    let server = Server::good();
    let proxy = peer::Proxy::to(server.port);
    let session = tls::connect(&options("localhost", proxy.port)).expect("session");
    proxy.cut();
    let start = Instant::now();
    assert_eq!(
        session.read(&mut [0; 1], 20_000),
        Err(tls::TlsError::Closed)
    );
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[test]
fn failing_port_without_a_reason_gets_a_general_one() {
    let failure = tls::connect(&options("device.example.com", 1))
        .err()
        .expect("refused");
    assert_eq!(failure.stage, Stage::Connect);
    assert_eq!(failure.text, "cannot connect to device.example.com port 1");
}

/// The platform's name rule in a whole handshake, with our test root in the part of its root.
#[test]
fn platform_name_is_accepted_by_rule_only() {
    const HOST: &str = "a1b2c3.iot-as-mqtt.cn-shanghai.aliyuncs.com";
    let der = std::process::Command::new("openssl")
        .args(["x509", "-in", &pki().path("root.pem"), "-outform", "DER"])
        .output()
        .expect("openssl")
        .stdout;
    let root: [u8; 32] = Sha256::digest(der).into();
    let server = Server::start("platform", "rsa.key", &[]);

    let with_rule = Options {
        extra_name_root: Some(root),
        ..options(HOST, server.port)
    };
    let session = tls::connect(&with_rule).expect("the rule applies");
    assert_eq!(session.info().server_name, HOST);
    drop(session);

    let refused = [
        options(HOST, server.port),
        Options {
            extra_name_root: None,
            ..options(HOST, server.port)
        },
        Options {
            extra_name_root: Some(root),
            ..options("iot.example.com", server.port)
        },
    ];
    for options in refused {
        let failure = tls::connect(&options).err().expect("refused");
        assert_eq!(failure.stage, Stage::TlsVerify, "{failure}");
        assert!(failure.text.contains("not valid for host"), "{failure}");
    }
}

#[test]
fn test_port_gets_c_strings() {
    // The name handed to the port is the verified one, without brackets or a trailing dot.
    let name = ServerName::parse("[::1]").expect("address").for_socket();
    assert_eq!(name.as_c_str(), c"::1");
    let name: &CStr = &ServerName::parse("Example.COM.")
        .expect("name")
        .for_socket();
    assert_eq!(name, c"example.com");
}

//! The tcp group through the seam: every call goes through the C symbols.

use std::ffi::CString;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use iotx::hal::diagnostics::{self, Stage};
use iotx::hal::exchange::Exchange;
use iotx::hal::seam::{self, StreamError, raw};
use iotx::hal::tcp;

use crate::support::{self, socket_options::reset_on_close};

/// A connection: our end as a handle, the peer's as a stream.
struct Pair {
    handle: usize,
    peer: TcpStream,
}

impl Pair {
    fn new() -> Pair {
        Pair::on("127.0.0.1")
    }

    fn on(host: &str) -> Pair {
        let listener = TcpListener::bind((host, 0)).expect("bind");
        let port = listener.local_addr().expect("address").port();
        let host = CString::new(host).expect("no NUL");
        let handle = seam::tcp_establish(&host, port).expect("connect");
        let (peer, _) = listener.accept().expect("accept");
        Pair { handle, peer }
    }

    fn read(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, StreamError> {
        seam::tcp_read(self.handle, buf, timeout_ms)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        assert!(seam::tcp_destroy(self.handle));
    }
}

#[test]
fn a_read_waits_for_all_its_bytes() {
    let pair = Pair::new();
    let mut peer = pair.peer.try_clone().expect("clone");
    let sender = thread::spawn(move || {
        for part in [&b"ab"[..], b"c", b"defgh"] {
            peer.write_all(part).expect("write");
            thread::sleep(Duration::from_millis(30));
        }
    });
    let mut buf = [0u8; 6];
    assert_eq!(pair.read(&mut buf, 10_000), Ok(6));
    assert_eq!(&buf, b"abcdef");
    sender.join().expect("sender");
    let mut rest = [0u8; 6];
    assert_eq!(
        pair.read(&mut rest, 50),
        Ok(2),
        "fewer bytes than asked for at the time-out"
    );
    assert_eq!(&rest[..2], b"gh");
}

#[test]
fn a_read_without_data_ends_with_its_timeout() {
    let pair = Pair::new();
    let mut buf = [0u8; 4];
    let start = Instant::now();
    assert_eq!(pair.read(&mut buf, 120), Ok(0));
    let lasted = start.elapsed();
    assert!(lasted >= Duration::from_millis(120), "{lasted:?}");
    assert!(lasted < Duration::from_secs(5), "{lasted:?}");
    assert_eq!(pair.read(&mut buf, 0), Ok(0));
    assert_eq!(
        pair.read(&mut [], 60_000),
        Ok(0),
        "length 0 returns at once"
    );
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_zero_timeout_takes_what_is_there() {
    let mut pair = Pair::new();
    pair.peer.write_all(b"xyz").expect("write");
    let mut first = [0u8; 1];
    assert_eq!(pair.read(&mut first, 10_000), Ok(1));
    let mut rest = [0u8; 8];
    assert_eq!(pair.read(&mut rest, 0), Ok(2));
}

#[test]
fn an_orderly_close_is_reported_after_the_data() {
    let mut pair = Pair::new();
    pair.peer.write_all(b"hello").expect("write");
    pair.peer.shutdown(Shutdown::Write).expect("shutdown");
    let mut buf = [0u8; 10];
    assert_eq!(pair.read(&mut buf, 10_000), Ok(5));
    for _ in 0..2 {
        // SAFETY: a writable buffer of 10 bytes.
        let status = unsafe { raw::HAL_TCP_Read(pair.handle, buf.as_mut_ptr().cast(), 10, 10_000) };
        assert_eq!(status, -1);
    }
    let failure = diagnostics::take().expect("a reason");
    assert_eq!(failure.stage, Stage::Traffic);
    assert_eq!(failure.text, "connection closed by the peer");
}

#[test]
fn a_reset_is_an_error_and_comes_after_the_data() {
    let mut pair = Pair::new();
    pair.peer.write_all(b"abc").expect("write");
    let mut buf = [0u8; 10];
    assert_eq!(pair.read(&mut buf[..1], 10_000), Ok(1));
    reset_on_close(&pair.peer);
    let handle = pair.handle;
    let spare = TcpStream::connect(
        TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap(),
    );
    drop(std::mem::replace(
        &mut pair.peer,
        spare.expect("a stream to put in place"),
    ));
    assert_eq!(pair.read(&mut buf, 10_000), Ok(2));
    // SAFETY: a writable buffer of 10 bytes.
    let status = unsafe { raw::HAL_TCP_Read(handle, buf.as_mut_ptr().cast(), 10, 10_000) };
    assert_eq!(status, -2);
    assert!(
        diagnostics::take()
            .expect("a reason")
            .text
            .contains("reset")
    );
    assert_eq!(
        seam::tcp_write(handle, b"x", 1000),
        Err(StreamError::Failed)
    );
}

#[test]
fn a_write_that_finds_no_room_is_short() {
    let mut pair = Pair::new();
    let data = vec![7u8; 64 * 1024 * 1024];
    let start = Instant::now();
    let sent = seam::tcp_write(pair.handle, &data, 200).expect("no error");
    assert!(sent > 0 && sent < data.len(), "{sent}");
    assert!(start.elapsed() >= Duration::from_millis(200));
    let mut received = vec![0u8; sent];
    pair.peer
        .read_exact(&mut received)
        .expect("all that was sent arrives");
    assert!(received.iter().all(|&byte| byte == 7));
}

#[test]
fn the_fast_path_takes_what_has_arrived() {
    let mut pair = Pair::new();
    assert!(seam::tcp_is_default());
    let fd = tcp::fd_from_handle(pair.handle).expect("a descriptor");
    let mut buf = [0u8; 100];
    assert_eq!(
        tcp::read_some(
            fd,
            &mut buf,
            Duration::from_millis(20),
            &Exchange::default()
        )
        .expect("no error"),
        0
    );
    pair.peer.write_all(b"one").expect("write");
    assert_eq!(
        tcp::read_some(fd, &mut buf, Duration::from_secs(10), &Exchange::default()).expect("data"),
        3
    );
    pair.peer.shutdown(Shutdown::Write).expect("shutdown");
    let end = tcp::read_some(fd, &mut buf, Duration::from_secs(10), &Exchange::default());
    assert!(matches!(end, Err(tcp::StreamError::PeerClosed)));
}

#[test]
fn ipv6_connects() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6 loopback");
        return;
    }
    let mut pair = Pair::on("::1");
    assert_eq!(seam::tcp_write(pair.handle, b"six", 1000), Ok(3));
    let mut buf = [0u8; 3];
    pair.peer.read_exact(&mut buf).expect("read");
    assert_eq!(&buf, b"six");
}

#[test]
fn names_connect() {
    // The resolver may put ::1 first, where nobody listens: the next address must be tried.
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    let handle = seam::tcp_establish(c"localhost", port).expect("connect by name");
    assert!(seam::tcp_destroy(handle));
}

#[test]
fn sockets_send_without_delay() {
    let pair = Pair::new();
    let fd = tcp::fd_from_handle(pair.handle).expect("a descriptor");
    let mut value: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: value and length are valid to write to.
    let status = unsafe {
        libc::getsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_NODELAY,
            (&raw mut value).cast(),
            &raw mut len,
        )
    };
    assert_eq!((status, value != 0), (0, true));
}

#[test]
fn a_refused_connection_says_so() {
    let (_socket, port) = support::unlistened_port();
    assert_eq!(seam::tcp_establish(c"127.0.0.1", port), None);
    let failure = diagnostics::take().expect("a reason");
    assert_eq!(failure.stage, Stage::Connect);
    assert_eq!(
        failure.text,
        format!("connection refused by 127.0.0.1:{port}")
    );
    assert_eq!(diagnostics::take(), None);
}

#[test]
fn an_unknown_name_says_so_in_bounded_time() {
    let start = Instant::now();
    assert_eq!(seam::tcp_establish(c"nonexistent.invalid", 1883), None);
    assert!(start.elapsed() < Duration::from_secs(11));
    let failure = diagnostics::take().expect("a reason");
    assert_eq!(failure.stage, Stage::Resolve);
    assert!(
        failure
            .text
            .starts_with("cannot resolve host nonexistent.invalid: "),
        "{failure}"
    );
}

#[test]
fn unusable_host_names_are_refused_with_a_reason() {
    let too_long = CString::new(vec![b'a'; 254]).expect("no NUL");
    let cases = [
        (ptr::null(), "no host name given"),
        (c"".as_ptr(), "empty host name"),
        (too_long.as_ptr(), "host name longer than 253 bytes"),
        (c"\xff\xfe".as_ptr(), "host name is not text"),
    ];
    for (host, reason) in cases {
        // SAFETY: NULL or a terminated string.
        assert_eq!(unsafe { raw::HAL_TCP_Establish(host, 1883) }, usize::MAX);
        assert_eq!(diagnostics::take().expect("a reason").text, reason);
    }
}

#[test]
fn c_handles_signals_and_high_descriptors() {
    let directory = support::scratch("tcp");
    let program = support::c_program("tcp", &directory);
    let (echoing, resetting) = (support::echo_server(), support::resetting_server());
    support::run(
        Command::new(program)
            .arg(echoing.to_string())
            .arg(resetting.to_string()),
    );
}

#[test]
fn an_interrupted_wait_ends_at_once_and_leaves_the_handle_valid() {
    let pair = Pair::new();
    let handle = pair.handle;
    let start = Instant::now();
    let (waiting, began) = std::sync::mpsc::channel();
    let reader = thread::spawn(move || {
        waiting.send(()).expect("somebody waits");
        seam::tcp_read_available(handle, &mut [0; 10], 30_000, &Exchange::default())
    });
    began.recv().expect("the reader began");
    seam::tcp_interrupt(handle);
    let end = reader.join().expect("no panic");
    assert_eq!(end, Err(StreamError::PeerClosed));
    assert!(start.elapsed() < Duration::from_secs(10));
    // Dropping the pair shows that the handle still wants to be destroyed.
}

//! Reading and writing on an established session.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use iotx::hal::diagnostics::{self, Stage};

use crate::hal::{self, Session, timed};
use crate::peer::{Proxy, Server};
use crate::pki::pki;

fn connect(port: u16) -> Session {
    hal::establish("localhost", port, &pki().read("root.pem")).expect("session")
}

const MS_300: Duration = Duration::from_millis(300);
/// Far above what anything here takes, far below the time-outs it is compared with.
const SOON: Duration = Duration::from_secs(3);

#[test]
fn data_goes_both_ways() {
    let server = Server::reversing();
    let session = connect(server.port);
    assert_eq!(session.write(b"hello\n", 1000), 6);
    let mut buf = [0; 6];
    assert_eq!(session.read(&mut buf, 2000), 6);
    assert_eq!(&buf, b"olleh\n");
}

#[test]
fn read_fills_the_buffer_over_several_records() {
    let mut server = Server::good();
    let session = connect(server.port);
    server.send(b"01234\n");
    let reader = thread::spawn(move || {
        let mut buf = [0; 12];
        (timed(|| session.read(&mut buf, 20_000)), buf)
    });
    thread::sleep(Duration::from_millis(100));
    server.send(b"56789\n");
    let ((count, time), buf) = reader.join().unwrap();
    assert_eq!((count, &buf), (12, b"01234\n56789\n"));
    assert!(time < SOON, "{time:?}");
}

#[test]
fn read_gives_what_came_when_the_time_is_over() {
    let mut server = Server::good();
    let session = connect(server.port);
    server.send(b"01234\n");
    let mut buf = [0; 100];
    let (count, time) = timed(|| session.read(&mut buf, 300));
    assert_eq!((count, &buf[..6]), (6, &b"01234\n"[..]));
    assert!(time >= MS_300 && time < SOON, "{time:?}");
    let (count, time) = timed(|| session.read(&mut buf, 300));
    assert_eq!(count, 0);
    assert!(time >= MS_300 && time < SOON, "{time:?}");
}

#[test]
fn read_of_single_bytes_loses_nothing() {
    let mut server = Server::good();
    let session = connect(server.port);
    server.send(b"abcdefgh\n");
    let mut text = Vec::new();
    while text.len() < 9 {
        let mut byte = [0];
        assert_eq!(session.read(&mut byte, 2000), 1);
        text.push(byte[0]);
    }
    assert_eq!(text, b"abcdefgh\n");
}

#[test]
fn large_transfers_arrive_whole() {
    let mut server = Server::good();
    let session = Arc::new(connect(server.port));
    // More than three records, without the lines that s_server takes as commands.
    let line = format!("{}\n", "x".repeat(999));
    let text = line.repeat(60);
    let all = text.clone() + "the end\n";
    let writer = {
        let (session, all) = (session.clone(), all.clone());
        thread::spawn(move || assert_eq!(session.write(all.as_bytes(), 5000), 60_008))
    };
    let printed = server.wait_for("the end\n");
    writer.join().unwrap();
    assert!(printed.ends_with(&all));
    server.send(text.as_bytes());
    let mut buf = vec![0; 60_000];
    assert_eq!(session.read(&mut buf, 5000), 60_000);
    assert!(buf == text.as_bytes());
}

#[test]
fn close_notify_is_told_at_once() {
    let mut server = Server::good();
    let session = connect(server.port);
    server.end_session();
    let (code, time) = timed(|| session.read(&mut [0; 1], 20_000));
    assert_eq!(code, -2);
    assert!(time < SOON, "{time:?}");
    assert_eq!(session.read(&mut [0; 1], 20_000), -2, "stays closed");
    assert_eq!(session.write(b"x", 1000), -1);
}

#[test]
fn end_of_the_tcp_connection_is_told_at_once() {
    let server = Server::good();
    let proxy = Proxy::to(server.port);
    let session = connect(proxy.port);
    let other_server = Server::good();
    let other = connect(other_server.port);
    proxy.cut();
    let (code, time) = timed(|| session.read(&mut [0; 1], 20_000));
    assert_eq!(code, -2);
    assert!(time < SOON, "{time:?}");
    // Closed is a matter of one connection.
    assert_eq!(other.read(&mut [0; 1], 50), 0);
}

#[test]
fn data_before_the_end_is_delivered_first() {
    let mut server = Server::good();
    let session = connect(server.port);
    server.send(b"last words\n");
    let mut buf = [0; 100];
    // The first byte shows that s_server has taken the line; "Q" counts at the start of input only.
    assert_eq!(session.read(&mut buf[..1], 5000), 1);
    server.end_session();
    assert_eq!(session.read(&mut buf[1..], 5000), 10);
    assert_eq!(&buf[..11], b"last words\n");
    assert_eq!(session.read(&mut buf, 5000), -2);
}

#[test]
fn garbage_is_an_error_with_a_reason() {
    let server = Server::good();
    for garbage in [
        &b"garbage!"[..],
        &[23, 3, 3, 0, 32, 1, 2, 3],
        &[99; 64],
        &[23, 3, 3, 255, 255],
    ] {
        let proxy = Proxy::to(server.port);
        let session = connect(proxy.port);
        proxy.inject(garbage);
        proxy.inject(&[7; 64]);
        diagnostics::take();
        let (code, time) = timed(|| session.read(&mut [0; 10], 20_000));
        assert_eq!(code, -1);
        assert!(time < SOON, "{time:?}");
        let failure = diagnostics::take().expect("a reason");
        assert_eq!(failure.stage, Stage::Traffic);
        assert!(failure.text.contains("not valid TLS"), "{failure}");
        assert_eq!(session.read(&mut [0; 10], 20_000), -1, "stays broken");
        assert_eq!(session.write(b"x", 1000), -1);
        drop(session);
        drop(proxy);
    }
}

#[test]
fn waiting_reader_does_not_block_a_writer() {
    let server = Server::reversing();
    let session = Arc::new(connect(server.port));
    let reader = {
        let session = session.clone();
        thread::spawn(move || {
            let mut buf = [0; 4];
            (session.read(&mut buf, 20_000), buf)
        })
    };
    // Long enough for the reader to be waiting, in all likelihood; the test cannot fail if not.
    thread::sleep(Duration::from_millis(200));
    let (count, time) = timed(|| session.write(b"abc\n", 1000));
    assert_eq!(count, 4);
    assert!(time < Duration::from_millis(900), "{time:?}");
    assert_eq!(reader.join().unwrap(), (4, *b"cba\n"));
}

#[test]
fn one_thread_reads_while_another_writes() {
    const LINES: usize = 400;
    let server = Server::reversing();
    let session = Arc::new(connect(server.port));
    let line = |number: usize| format!("{number:06}{}\n", "abcdefghij".repeat(40));
    let writer = {
        let session = session.clone();
        thread::spawn(move || {
            for number in 0..LINES {
                let line = line(number);
                assert_eq!(session.write(line.as_bytes(), 5000), line.len() as i32);
            }
        })
    };
    for number in 0..LINES {
        let sent = line(number);
        let mut buf = vec![0; sent.len()];
        assert_eq!(session.read(&mut buf, 5000), sent.len() as i32);
        let reversed: String = sent.trim_end().chars().rev().chain(['\n']).collect();
        assert_eq!(String::from_utf8(buf).unwrap(), reversed);
    }
    writer.join().unwrap();
}

#[test]
fn stalled_write_ends_in_time_and_loses_nothing() {
    let mut server = Server::good();
    let proxy = Proxy::to(server.port);
    let session = connect(proxy.port);
    proxy.hold();
    let text: Vec<u8> = (0..1_000_000)
        .map(|n| format!("{n:07}\n"))
        .collect::<String>()
        .into_bytes();
    let mut accepted = 0;
    loop {
        let end = text.len().min(accepted + 200_000);
        let (count, time) = timed(|| session.write(&text[accepted..end], 300));
        assert!(count >= 0 && time < SOON, "{count} in {time:?}");
        accepted += count as usize;
        assert!(accepted < text.len(), "the connection never stalled");
        if count == 0 {
            break;
        }
    }
    proxy.release();
    let finish = b"\nthe end\n";
    let writer = thread::spawn(move || assert_eq!(session.write(finish, 20_000), 9));
    let printed = server.wait_for("the end\n");
    writer.join().unwrap();
    let expected = [&text[..accepted], finish].concat();
    assert!(
        printed.as_bytes().ends_with(&expected),
        "{accepted} bytes did not arrive in order"
    );
}

#[test]
fn destroy_ends_a_waiting_reader_and_makes_the_handle_stale() {
    let server = Server::good();
    let session = Arc::new(connect(server.port));
    let reader = {
        let session = session.clone();
        thread::spawn(move || timed(|| session.read(&mut [0; 1], 800)))
    };
    thread::sleep(Duration::from_millis(100));
    assert_eq!(session.destroy(), 0);
    assert_eq!(session.destroy(), -1, "second destroy");
    assert_eq!(session.read(&mut [0; 1], 5000), -1);
    assert_eq!(session.write(b"x", 5000), -1);
    let (code, time) = reader.join().unwrap();
    assert!(code < 0 && time < SOON, "{code} after {time:?}");
    let next = connect(server.port);
    assert_ne!(next.0, session.0, "handle used again at once");
}

#[test]
fn destroy_sends_close_notify() {
    let mut server = Server::start("server", "rsa.key", &["-state", "-msg"]);
    let session = connect(server.port);
    assert_eq!(session.destroy(), 0);
    server.wait_for("close_notify");
}

#[test]
fn foreign_handles_and_bad_arguments_are_errors() {
    for handle in [1 << 30, usize::MAX, usize::MAX - 1] {
        let session = Session(handle);
        assert_eq!(session.read(&mut [0; 1], 10), -1);
        assert_eq!(session.write(b"x", 10), -1);
        assert_eq!(session.destroy(), -1);
    }
    let nothing = Session(0);
    assert_eq!(nothing.read(&mut [0; 1], 10), -1);
    assert_eq!(nothing.write(b"x", 10), -1);
    assert_eq!(nothing.destroy(), 0, "destroying nothing is harmless");

    let server = Server::good();
    let session = connect(server.port);
    assert_eq!(session.read(&mut [], 5000), 0, "length 0 returns at once");
    assert_eq!(session.write(&[], 5000), 0);
    assert_eq!(session.read(&mut [0; 1], 0), 0);
    assert_eq!(session.read(&mut [0; 1], -5), 0);
    // SAFETY: null pointers and a negative length are what is tested; nothing is accessed.
    unsafe {
        assert_eq!(
            hal::HAL_SSL_Read(session.0, std::ptr::null_mut(), 4, 10),
            -1
        );
        assert_eq!(hal::HAL_SSL_Write(session.0, std::ptr::null(), 4, 10), -1);
        assert_eq!(hal::HAL_SSL_Read(session.0, [0].as_mut_ptr(), -4, 10), -1);
        assert_eq!(hal::HAL_SSL_Write(session.0, [0].as_ptr(), -4, 10), -1);
    }
}

#[test]
fn null_arguments_of_establish_are_refused_with_a_reason() {
    let host = c"localhost";
    // SAFETY: null pointers are what is tested; the rest are C strings with their lengths.
    unsafe {
        for (host, ca, len, wanted) in [
            (std::ptr::null(), c"x".as_ptr(), 2, "no host name"),
            (host.as_ptr(), std::ptr::null(), 2, "no CA certificate"),
            (host.as_ptr(), c"x".as_ptr(), 0, "no CA certificate"),
        ] {
            assert_eq!(hal::HAL_SSL_Establish(host, 1, ca, len), 0);
            let failure = diagnostics::take().expect("a reason");
            assert!(failure.text.contains(wanted), "{failure}");
        }
    }
}

#[test]
fn ca_text_need_not_be_terminated() {
    let server = Server::good();
    let ca = pki().read("root.pem").trim_end().as_bytes().to_vec();
    // The bytes behind the given length would spoil the text, and belong to the test.
    let spoiled = [&ca[..], b"garbage that must not be read"].concat();
    let host = c"localhost".as_ptr();
    // SAFETY: a C string, and a buffer longer than the length given.
    let handle = unsafe {
        hal::HAL_SSL_Establish(host, server.port, spoiled.as_ptr().cast(), ca.len() as u32)
    };
    assert_ne!(Session(handle).0, 0);
}

#[test]
fn allocator_hooks_are_taken_whole_or_refused() {
    unsafe extern "C" fn allocate(_: u32) -> *mut std::ffi::c_void {
        std::ptr::null_mut()
    }
    unsafe extern "C" fn free(_: *mut std::ffi::c_void) {}
    let mut good = hal::SslHooks {
        malloc: Some(allocate),
        free: Some(free),
    };
    let mut no_malloc = hal::SslHooks {
        malloc: None,
        free: Some(free),
    };
    let mut no_free = hal::SslHooks {
        malloc: Some(allocate),
        free: None,
    };
    // SAFETY: null, or structures of this function.
    unsafe {
        assert_eq!(hal::ssl_hooks_set(std::ptr::null_mut()), -1);
        assert_eq!(hal::ssl_hooks_set(&mut no_malloc), -1);
        assert_eq!(hal::ssl_hooks_set(&mut no_free), -1);
        assert_eq!(hal::ssl_hooks_set(&mut good), 0);
        assert_eq!(hal::iotx_port_tls_is_default(), 1);
    }
}

#[test]
fn an_interrupted_reader_returns_at_once() {
    let mut server = Server::start("server", "rsa.key", &["-state", "-msg"]);
    let session = connect(server.port);
    let inner = iotx::hal::tls::lookup(session.0).expect("open handle");
    assert!(inner.interruptible(), "the TCP port is ours");
    let (waiting, began) = std::sync::mpsc::channel();
    let reader = {
        let inner = Arc::clone(&inner);
        thread::spawn(move || {
            waiting.send(()).expect("somebody waits");
            timed(|| inner.read(&mut [0; 1], 30_000))
        })
    };
    began.recv().expect("the reader began");
    inner.interrupt();
    let (end, time) = reader.join().expect("no panic");
    assert_eq!(end, Err(iotx::hal::tls::TlsError::Closed));
    assert!(time < SOON, "{time:?}");
    // The peer was told.
    server.wait_for("close_notify");
}

//! Connection set-up against refusing and silent peers and a silent resolver.

use std::net::TcpListener;

use std::sync::mpsc;

use super::*;

fn short_limits() -> Limits {
    Limits {
        resolve: Duration::from_secs(10),
        per_address: Duration::from_millis(300),
        total: Duration::from_secs(10),
    }
}

/// An address that answers no connection: its queue is full.
fn silent_address() -> (TcpListener, Vec<OwnedFd>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    // SAFETY: our own listening socket; a second listen only changes the queue length.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let address = listener.local_addr().expect("address");
    let mut queued = Vec::new();
    while let Ok(socket) = connect_one(&address, Duration::from_millis(200)) {
        queued.push(socket);
        assert!(queued.len() < 100, "the queue never fills");
    }
    (listener, queued, address)
}

fn bind_loopback(socket: &OwnedFd) -> SocketAddr {
    let (mut raw, mut len) = to_raw(&SocketAddr::from(([127, 0, 0, 1], 0)));
    // SAFETY: address and length belong together.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const raw).cast(), len) };
    assert_eq!(bound, 0);
    // SAFETY: address and length are valid to write to.
    let named =
        unsafe { libc::getsockname(socket.as_raw_fd(), (&raw mut raw).cast(), &raw mut len) };
    assert_eq!(named, 0);
    // SAFETY: the system has filled in an IPv4 address.
    let port = unsafe { (*(&raw const raw).cast::<libc::sockaddr_in>()).sin_port };
    SocketAddr::from(([127, 0, 0, 1], u16::from_be(port)))
}

#[test]
fn the_next_address_is_tried_after_a_refusal_and_after_silence() {
    // Bound and not listening: refuses as long as the socket lives.
    let mute = new_socket(&SocketAddr::from(([127, 0, 0, 1], 0))).expect("socket");
    let refused = bind_loopback(&mute);
    let (_listener, _queued, silent) = silent_address();
    let good = TcpListener::bind("127.0.0.1:0").expect("bind");
    let addresses = [refused, silent, good.local_addr().expect("address")];
    let limits = short_limits();
    let socket = connect_first(&addresses, deadline_in(limits.total), &limits)
        .expect("the third address accepts");
    good.accept().expect("accept");
    drop(socket);
}

#[test]
fn a_silent_resolver_costs_a_bounded_time_and_a_bounded_number_of_threads() {
    static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Arc::new(std::sync::Mutex::new(released));
    let ask = |limit: Duration| {
        let released = released.clone();
        resolve("slow.example", 1883, limit, &UNDER_WAY, move |_, _| {
            // Ends when the test has dropped the sender.
            let _ = released.lock().map(|released| released.recv());
            Ok(Vec::new())
        })
    };
    for _ in 0..MAX_RESOLVERS {
        let failure = ask(Duration::from_millis(10)).expect_err("no answer");
        assert_eq!(
            failure.text,
            "cannot resolve host slow.example: no answer after 0.01 s"
        );
    }
    let failure = ask(Duration::from_secs(60)).expect_err("refused at once");
    assert!(
        failure
            .text
            .ends_with("too many earlier questions unanswered"),
        "{failure}"
    );
    drop(release);
    // Once the resolver answers again, names resolve again.
    let deadline = deadline_in(Duration::from_secs(10));
    while UNDER_WAY.load(Ordering::Acquire) > 0 && !left_until(deadline).is_zero() {
        std::thread::yield_now();
    }
    let failure = ask(Duration::from_secs(10)).expect_err("an empty answer");
    assert!(failure.text.ends_with(": no address"), "{failure}");
}

#[test]
fn silence_ends_with_the_total_time() {
    let (_listener, _queued, silent) = silent_address();
    let limits = Limits {
        total: Duration::from_millis(300),
        ..short_limits()
    };
    let start = Instant::now();
    let failure = connect("127.0.0.1", silent.port(), &limits).expect_err("nobody answers");
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(failure.stage, Stage::Connect);
    assert_eq!(
        failure.text,
        format!("connect to {silent} timed out after 0.3 s")
    );
}

#[test]
fn several_addresses_share_the_total_time() {
    let (_listener, _queued, silent) = silent_address();
    let limits = Limits {
        total: Duration::from_millis(1500),
        ..short_limits()
    };
    let start = Instant::now();
    connect_first(&[silent; 8], deadline_in(limits.total), &limits).expect_err("silence");
    let lasted = start.elapsed();
    assert!(
        lasted >= Duration::from_millis(1400) && lasted < Duration::from_secs(5),
        "{lasted:?}"
    );
}

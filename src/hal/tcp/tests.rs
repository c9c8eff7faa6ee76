//! Connection set-up against refusing and silent peers and a silent resolver.

use std::io::Write;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::connect::{Trying, alternate, begin, outcome};
use super::resolve::{Lookup, MAX_RESOLVERS};
use super::*;
use crate::hal::diagnostics::{Failure, Stage};

fn connect_one(address: &SocketAddr, limit: Duration) -> io::Result<OwnedFd> {
    let socket = begin(address)?;
    match outcome(&socket, deadline_in(limit))? {
        true => Ok(socket),
        false => Err(io::Error::from(io::ErrorKind::TimedOut)),
    }
}

/// Steps of `step` each until it is over, and how many there were.
fn connect_first(
    addresses: &[SocketAddr],
    limits: &Limits,
    step: Duration,
) -> (Result<OwnedFd, String>, usize) {
    let deadline = deadline_in(limits.total);
    let mut trying = Trying::new(addresses.to_vec(), limits);
    for steps in 1.. {
        match trying.step(deadline_in(step), deadline) {
            Ok(None) => {}
            Ok(Some(socket)) => return (Ok(socket), steps),
            Err(reason) => return (Err(reason), steps),
        }
    }
    unreachable!("the stage ends with its time")
}

fn short_limits() -> Limits {
    Limits {
        resolve: Duration::from_secs(10),
        per_address: Duration::from_millis(300),
        total: Duration::from_secs(10),
    }
}

/// An address that answers no connection: its queue is full.
fn silent_address() -> (TcpListener, Vec<OwnedFd>, SocketAddr) {
    silent_at("127.0.0.1:0").expect("bind")
}

/// The same at an address that the system may not have.
fn silent_at(address: &str) -> Option<(TcpListener, Vec<OwnedFd>, SocketAddr)> {
    let listener = TcpListener::bind(address).ok()?;
    // SAFETY: our own listening socket; a second listen only changes the queue length.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let address = listener.local_addr().expect("address");
    let mut queued = Vec::new();
    while let Ok(socket) = connect_one(&address, Duration::from_millis(200)) {
        queued.push(socket);
        assert!(queued.len() < 100, "the queue never fills");
    }
    Some((listener, queued, address))
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
    let (socket, steps) = connect_first(&addresses, &limits, Duration::from_millis(40));
    let _socket = socket.expect("the third address accepts");
    good.accept().expect("accept");
    assert!(
        steps >= 3,
        "{steps} steps of 40 ms passed 300 ms of silence"
    );
}

#[test]
fn a_silent_resolver_costs_a_bounded_time_and_a_bounded_number_of_threads() {
    static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Arc::new(std::sync::Mutex::new(released));
    let ask = |limit: Duration| -> Result<Vec<SocketAddr>, Failure> {
        let released = released.clone();
        let lookup = Lookup::asking("slow.example", 1883, &UNDER_WAY, move |_, _| {
            // Ends when the test has dropped the sender.
            let _ = released.lock().map(|released| released.recv());
            Ok(Vec::new())
        })?;
        lookup.wait(limit)?.ok_or_else(|| lookup.timed_out(limit))
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
    let (result, _) = connect_first(&[silent; 8], &limits, limits.total);
    result.expect_err("silence");
    let lasted = start.elapsed();
    assert!(
        lasted >= Duration::from_millis(1400) && lasted < Duration::from_secs(5),
        "{lasted:?}"
    );
}

#[test]
fn families_take_turns() {
    let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let all = |texts: &[&str]| texts.iter().map(|text| address(text)).collect::<Vec<_>>();
    for (given, wanted) in [
        (vec![], vec![]),
        (
            vec!["1.1.1.1:1", "1.1.1.2:1"],
            vec!["1.1.1.1:1", "1.1.1.2:1"],
        ),
        (
            vec!["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"],
            vec!["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"],
        ),
        (
            vec!["1.1.1.1:1", "[::1]:1", "[::2]:1"],
            vec!["1.1.1.1:1", "[::1]:1", "[::2]:1"],
        ),
    ] {
        assert_eq!(alternate(all(&given)), all(&wanted));
    }
}

/// Many addresses of IPv6 that lead nowhere, and one of IPv4 behind them.
#[test]
fn a_dead_family_costs_the_time_of_one_address() {
    static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
    let Some((_listener, _queued, silent)) = silent_at("[::1]:0") else {
        // A system without IPv6 cannot be asked.
        return;
    };
    let good = TcpListener::bind("127.0.0.1:0").expect("bind");
    let good = good
        .local_addr()
        .map(|address| (good, address))
        .expect("address");
    let answer = [vec![silent; 8], vec![good.1]].concat();
    let lookup = Lookup::asking("both.example", 1883, &UNDER_WAY, move |_, _| Ok(answer));
    let limits = short_limits();
    let mut connecting = Connecting::asking("both.example", &limits, lookup.expect("starts"));
    let start = Instant::now();
    let socket = connecting
        .step(limits.total)
        .expect("the IPv4 address accepts");
    assert!(socket.is_some());
    good.0.accept().expect("accept");
    let lasted = start.elapsed();
    assert!(lasted >= Duration::from_millis(250), "{lasted:?}");
    assert!(lasted < Duration::from_millis(2000), "{lasted:?}");
}

#[test]
fn a_step_lasts_no_longer_than_asked() {
    let (_listener, _queued, silent) = silent_address();
    let mut connecting =
        Connecting::start("127.0.0.1", silent.port(), &short_limits()).expect("starts");
    let start = Instant::now();
    let nothing = connecting.step(Duration::ZERO).expect("under way");
    assert!(nothing.is_none());
    assert!(
        connecting
            .step(Duration::from_millis(50))
            .expect("goes on")
            .is_none()
    );
    let lasted = start.elapsed();
    assert!(lasted >= Duration::from_millis(50), "{lasted:?}");
    assert!(lasted < Duration::from_millis(1000), "{lasted:?}");
}

/// Nothing is remembered: an attempt asks again, in a thread whose resolver starts afresh.
#[test]
fn every_lookup_asks_again_in_a_thread_of_its_own() {
    static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
    let (tell, told) = mpsc::channel();
    for answer in [1, 2] {
        let tell = tell.clone();
        let lookup = Lookup::asking("moved.example", 1883, &UNDER_WAY, move |_, port| {
            let _ = tell.send(std::thread::current().id());
            Ok(vec![SocketAddr::from(([192, 0, 2, answer], port))])
        });
        let found = lookup.expect("starts").wait(Duration::from_secs(10));
        let wanted = SocketAddr::from(([192, 0, 2, answer], 1883));
        assert_eq!(found.expect("answered"), Some(vec![wanted]));
    }
    let (first, second) = (told.recv(), told.recv());
    assert_ne!(first.expect("asked"), second.expect("asked again"));
}

#[test]
fn a_step_does_not_wait_for_a_silent_resolver() {
    static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address");
    let (release, released) = mpsc::channel::<()>();
    let lookup = Lookup::asking("slow.example", 1883, &UNDER_WAY, move |_, _| {
        let _ = released.recv();
        Ok(vec![address])
    });
    let limits = short_limits();
    let mut connecting = Connecting::asking("slow.example", &limits, lookup.expect("starts"));
    let start = Instant::now();
    for _ in 0..3 {
        let nothing = connecting.step(Duration::from_millis(20)).expect("goes on");
        assert!(nothing.is_none());
    }
    let lasted = start.elapsed();
    assert!(lasted >= Duration::from_millis(60), "{lasted:?}");
    assert!(lasted < Duration::from_secs(2), "{lasted:?}");
    release.send(()).expect("the resolver waits");
    let socket = connecting.step(Duration::from_secs(10)).expect("connects");
    assert!(socket.is_some());
}

/// A pair of connected sockets, the reading end non-blocking.
fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("socket pair")
}

#[test]
fn an_idle_connection_waits_first_and_still_sees_everything() {
    let (near, mut far) = pair();
    let exchange = Exchange::default();
    let mut buffer = [0u8; 16];
    let mut read = |wait: u64| {
        let wait = Duration::from_millis(wait);
        read_some(near.as_raw_fd(), &mut buffer, wait, &exchange).map(|got| buffer[..got].to_vec())
    };
    assert!(read(1).expect("time-out").is_empty());
    assert!(exchange.idle());
    assert!(read(1).expect("time-out").is_empty());
    far.write_all(b"one").expect("write");
    assert_eq!(read(1000).expect("data"), b"one");
    assert!(!exchange.idle(), "data ended it");
    assert!(read(0).expect("a look").is_empty());
    assert!(!exchange.idle(), "a look is no wait");
    assert!(read(1).expect("time-out").is_empty());
    // A look on an idle connection takes what is there without a wait before it.
    far.write_all(b"two").expect("write");
    assert_eq!(read(0).expect("data"), b"two");
    assert!(read(1).expect("time-out").is_empty());
    drop(far);
    assert!(matches!(read(1000), Err(StreamError::PeerClosed)));
}

//! TCP default of the HAL: IPv4 and IPv6, bounded set-up, poll, monotonic time-outs
//! (spec hal.md §4, transport.md §3).
//!
//! A connection is a plain socket descriptor. Sockets are non-blocking from birth; every wait is
//! one `poll` with the time left. Descriptor 0 is as good as any other.

mod connect;
mod resolve;

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use super::exchange::{Exchange, GATHER};

pub use connect::{Connecting, connect};

/// Longest host name, in bytes (RFC 1035 in text form).
pub const MAX_HOST_LEN: usize = 253;

/// How long setting up a connection may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Name resolution.
    pub resolve: Duration,
    /// One address, while another is left to try.
    pub per_address: Duration,
    /// Everything, resolution included.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            resolve: Duration::from_secs(10),
            per_address: Duration::from_secs(5),
            total: Duration::from_secs(10),
        }
    }
}

/// Why a read or write ended without result.
#[derive(Debug)]
pub enum StreamError {
    /// The peer has closed its side in an orderly way; everything it sent has been read.
    PeerClosed,
    /// The connection or the descriptor is unusable.
    Io(io::Error),
}

/// The instant `after` from now; a value too far away to represent counts as a day.
fn deadline_in(after: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(after)
        .unwrap_or_else(|| now + Duration::from_secs(86_400))
}

/// A deadline that begins to run with the first wait: traffic that never waits asks no clock.
struct Deadline {
    after: Duration,
    at: Option<Instant>,
}

impl Deadline {
    fn new(after: Duration) -> Self {
        Deadline { after, at: None }
    }

    fn at(&mut self) -> Instant {
        *self.at.get_or_insert_with(|| deadline_in(self.after))
    }
}

fn left_until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

// ---- sockets ---------------------------------------------------------------------------------

/// A stream socket, non-blocking and closed on exec from the start where the system can do that.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn new_socket(address: &SocketAddr) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers involved.
    let fd = unsafe { libc::socket(family(address), kind, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A stream socket; the flags follow in calls of their own.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn new_socket(address: &SocketAddr) -> io::Result<OwnedFd> {
    // SAFETY: no pointers involved.
    let fd = unsafe { libc::socket(family(address), libc::SOCK_STREAM, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: fcntl with integer arguments on our own descriptor.
    let status = unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL);
        libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC)
            | libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK)
    };
    if status < 0 {
        return Err(io::Error::last_os_error());
    }
    #[cfg(target_vendor = "apple")]
    set_int_option(fd, libc::SOL_SOCKET, libc::SO_NOSIGPIPE, 1)?;
    Ok(socket)
}

fn family(address: &SocketAddr) -> libc::c_int {
    match address {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    }
}

/// The address as the C library wants it.
fn to_raw(address: &SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: all-zero bytes are a valid sockaddr_storage.
    let mut raw: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let len = match address {
        SocketAddr::V4(v4) => {
            // SAFETY: sockaddr_storage is large enough and aligned for every address type.
            let to = unsafe { &mut *(&raw mut raw).cast::<libc::sockaddr_in>() };
            to.sin_family = libc::AF_INET as libc::sa_family_t;
            to.sin_port = v4.port().to_be();
            to.sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
            mem::size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            // SAFETY: sockaddr_storage is large enough and aligned for every address type.
            let to = unsafe { &mut *(&raw mut raw).cast::<libc::sockaddr_in6>() };
            to.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            to.sin6_port = v6.port().to_be();
            to.sin6_addr.s6_addr = v6.ip().octets();
            to.sin6_scope_id = v6.scope_id();
            to.sin6_flowinfo = v6.flowinfo();
            mem::size_of::<libc::sockaddr_in6>()
        }
    };
    (raw, len as libc::socklen_t)
}

// ---- traffic -----------------------------------------------------------------------------------

/// Reads until `buf` is full or `timeout` is over: the contract of `HAL_TCP_Read`.
///
/// Data first: once bytes have arrived, the end of the stream or an error is left for the next
/// call. `Ok(0)` is a time-out, or an empty `buf`. A zero `timeout` looks once.
pub fn read_exact_until(
    fd: RawFd,
    buf: &mut [u8],
    timeout: Duration,
) -> Result<usize, StreamError> {
    let mut deadline = Deadline::new(timeout);
    let mut filled = 0;
    while filled < buf.len() {
        match receive(fd, &mut buf[filled..]) {
            Ok(Some(0)) if filled == 0 => return Err(StreamError::PeerClosed),
            Ok(Some(0)) => break,
            Ok(Some(got)) => filled += got,
            Ok(None) => {}
            Err(_) if filled > 0 => break,
            Err(error) => return Err(StreamError::Io(error)),
        }
        if filled == buf.len() {
            break;
        }
        let ready = match wait_for(fd, libc::POLLIN, deadline.at()) {
            Ok(ready) => ready,
            Err(_) if filled > 0 => break,
            Err(error) => return Err(StreamError::Io(error)),
        };
        // The system reports an error once. With bytes in hand it must stay for the next call.
        let failed = ready & (libc::POLLERR | libc::POLLHUP) != 0;
        if ready == 0 || (filled > 0 && failed && queued(fd) == 0) {
            break;
        }
    }
    Ok(filled)
}

/// Reads what has arrived, with one system call when there is something; waits at most `timeout`
/// for the first byte. `Ok(0)` is a time-out, or an empty `buf`. `exchange` is that of the connection:
/// a thread that wrote on it looks for a near answer before it sleeps.
///
/// The fast path of the transport when nobody has replaced `HAL_TCP_Read`.
pub fn read_some(
    fd: RawFd,
    buf: &mut [u8],
    timeout: Duration,
    exchange: &Exchange,
) -> Result<usize, StreamError> {
    if buf.is_empty() {
        return Ok(0);
    }
    let mut deadline = Deadline::new(timeout);
    let mut answer = exchange.answer();
    let gathers = answer.is_none() && timeout > GATHER && exchange.gathers();
    if gathers {
        std::thread::sleep(GATHER);
    }
    if answer.is_none() && !timeout.is_zero() && exchange.idle() {
        let ready = wait_for(fd, libc::POLLIN, deadline.at()).map_err(StreamError::Io)?;
        if ready == 0 {
            return Ok(0);
        }
    }
    loop {
        let received = receive(fd, buf).map_err(StreamError::Io)?;
        if let Some(answer) = &mut answer {
            if received.is_some() {
                answer.ended(Instant::now());
            } else if !timeout.is_zero() && answer.look_again(Instant::now()) {
                std::thread::yield_now();
                continue;
            }
        }
        match received {
            Some(0) => return Err(StreamError::PeerClosed),
            Some(got) => {
                exchange.waited(false);
                exchange.arrived(Instant::now(), got, buf.len(), gathers);
                return Ok(got);
            }
            None => {}
        }
        if wait_for(fd, libc::POLLIN, deadline.at()).map_err(StreamError::Io)? == 0 {
            if let Some(answer) = &answer {
                answer.ended(Instant::now());
            }
            exchange.waited(!timeout.is_zero());
            return Ok(0);
        }
    }
}

/// Sends until all of `buf` is handed to the system or `timeout` is over: the contract of
/// `HAL_TCP_Write`. Gives the number of bytes taken; fewer than asked for is a time-out.
pub fn write_all_until(fd: RawFd, buf: &[u8], timeout: Duration) -> Result<usize, StreamError> {
    let mut deadline = Deadline::new(timeout);
    let mut sent = 0;
    while sent < buf.len() {
        let rest = &buf[sent..];
        // SAFETY: pointer and length describe `rest`.
        let got = unsafe {
            libc::send(
                fd,
                rest.as_ptr().cast(),
                rest.len(),
                NO_SIGNAL | libc::MSG_DONTWAIT,
            )
        };
        if let Ok(taken) = usize::try_from(got) {
            sent += taken.min(rest.len());
            continue;
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            io::ErrorKind::WouldBlock => {
                if wait_for(fd, libc::POLLOUT, deadline.at()).map_err(StreamError::Io)? == 0 {
                    break;
                }
            }
            _ => return Err(StreamError::Io(error)),
        }
    }
    Ok(sent)
}

#[cfg(not(target_vendor = "apple"))]
const NO_SIGNAL: libc::c_int = libc::MSG_NOSIGNAL;
/// The socket option does it there.
#[cfg(target_vendor = "apple")]
const NO_SIGNAL: libc::c_int = 0;

/// One non-blocking receive: None if nothing is there, `Some(0)` at the end of the stream.
fn receive(fd: RawFd, buf: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        // SAFETY: pointer and length describe `buf`, which is writable.
        let got = unsafe { libc::recv(fd, buf.as_mut_ptr().cast(), buf.len(), libc::MSG_DONTWAIT) };
        if let Ok(got) = usize::try_from(got) {
            return Ok(Some(got));
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            io::ErrorKind::WouldBlock => return Ok(None),
            _ => return Err(error),
        }
    }
}

/// Waits until one of `events` (or an error) is there; the events seen, 0 at the deadline.
fn wait_for(fd: RawFd, events: libc::c_short, deadline: Instant) -> io::Result<libc::c_short> {
    loop {
        let left = left_until(deadline);
        // Rounded up: a wait of 0 ms with time left would spin.
        let millis = left.as_nanos().div_ceil(1_000_000);
        let millis = libc::c_int::try_from(millis).unwrap_or(libc::c_int::MAX);
        let mut entry = libc::pollfd {
            fd,
            events,
            revents: 0,
        };
        // SAFETY: one valid entry.
        match unsafe { libc::poll(&raw mut entry, 1, millis) } {
            0 if left_until(deadline).is_zero() => return Ok(0),
            0 => {}
            count if count > 0 => {
                if entry.revents & libc::POLLNVAL != 0 {
                    return Err(io::Error::from_raw_os_error(libc::EBADF));
                }
                return Ok(entry.revents);
            }
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

/// Bytes waiting in the receive queue; 0 if the system does not say.
fn queued(fd: RawFd) -> libc::c_int {
    let mut bytes: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int.
    let status = unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut bytes) };
    if status == 0 { bytes } else { 0 }
}

fn int_option(fd: RawFd, option: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut len = mem::size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: value and length are valid to write to, the length is that of the value.
    let status = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            option,
            (&raw mut value).cast(),
            &raw mut len,
        )
    };
    if status == 0 {
        Ok(value)
    } else {
        Err(io::Error::last_os_error())
    }
}

fn set_int_option(
    fd: RawFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let len = mem::size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: value and length are valid to read.
    let status = unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), len) };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

// ---- end and handles ---------------------------------------------------------------------------

/// Shuts a socket down, which wakes every thread that waits on it. Fails if the peer is gone, and
/// then nobody waits: no matter.
pub fn interrupt(fd: RawFd) {
    // SAFETY: no pointers involved.
    unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
}

/// Shuts down and closes a socket. Anything that is not a socket is refused and left open: a
/// caller that mixes up its handles must not lose a file.
pub fn destroy(fd: RawFd) -> io::Result<()> {
    int_option(fd, libc::SO_TYPE)?;
    interrupt(fd);
    // SAFETY: the socket was handed out by `connect` and given up by the caller.
    if unsafe { libc::close(fd) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    // Interrupted or not, the descriptor is gone.
    if error.kind() == io::ErrorKind::Interrupted {
        Ok(())
    } else {
        Err(error)
    }
}

/// The descriptor behind a HAL handle; None for (uintptr_t)-1 and anything else out of range.
pub fn fd_from_handle(handle: usize) -> Option<RawFd> {
    RawFd::try_from(handle).ok()
}

#[cfg(test)]
mod tests;

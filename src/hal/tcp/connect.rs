//! Setting a connection up, step by step: name, then address after address.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use super::resolve::Lookup;
use super::{
    Limits, MAX_HOST_LEN, deadline_in, int_option, left_until, new_socket, set_int_option, to_raw,
    wait_for,
};
use crate::hal::diagnostics::{Failure, Stage};

/// Least time for one address while others are left to try.
const ADDRESS_MIN: Duration = Duration::from_secs(1);

/// Connects to `host` (a name or an address literal, no brackets) on `port`. Blocks within
/// `limits`.
///
/// Addresses are tried in the order of the resolver, its families in turns. The descriptor is non-blocking, closed on
/// exec, and sends without delay.
pub fn connect(host: &str, port: u16, limits: &Limits) -> Result<OwnedFd, Failure> {
    let mut connecting = Connecting::start(host, port, limits)?;
    loop {
        // Every stage ends by itself when its time is over.
        if let Some(socket) = connecting.step(limits.total)? {
            return Ok(socket);
        }
    }
}

/// A connection being set up. It advances in [`Connecting::step`] only; dropping it gives it up.
pub struct Connecting {
    host: String,
    limits: Limits,
    /// End of it all.
    deadline: Instant,
    stage: Where,
}

enum Where {
    Resolving { lookup: Lookup, until: Instant },
    Trying(Trying),
}

impl Connecting {
    /// Begins: a name is asked for, an address literal is tried in the first step. Does not block.
    pub fn start(host: &str, port: u16, limits: &Limits) -> Result<Self, Failure> {
        if host.is_empty() || host.len() > MAX_HOST_LEN || host.contains('\0') {
            let text = format!(
                "host name of {} bytes, 1 to {MAX_HOST_LEN} allowed",
                host.len()
            );
            return Err(Failure::new(Stage::Resolve, text));
        }
        match host.parse::<IpAddr>() {
            Ok(address) => {
                let trying = Trying::new(vec![SocketAddr::new(address, port)], limits);
                Ok(Self::at(host, limits, Where::Trying(trying)))
            }
            Err(_) => Ok(Self::asking(host, limits, Lookup::start(host, port)?)),
        }
    }

    /// Begins with a question that was asked already.
    pub(super) fn asking(host: &str, limits: &Limits, lookup: Lookup) -> Self {
        let until = deadline_in(limits.resolve.min(limits.total));
        Self::at(host, limits, Where::Resolving { lookup, until })
    }

    fn at(host: &str, limits: &Limits, stage: Where) -> Self {
        Connecting {
            host: host.to_owned(),
            limits: *limits,
            deadline: deadline_in(limits.total),
            stage,
        }
    }

    /// What the next step goes on with.
    pub fn stage(&self) -> Stage {
        match &self.stage {
            Where::Resolving { .. } => Stage::Resolve,
            Where::Trying(_) => Stage::Connect,
        }
    }

    /// Goes on for at most `wait`. `Ok(None)`: not connected yet, call again. After `Ok(Some(_))`
    /// or an error it is over, and the next step would begin again.
    pub fn step(&mut self, wait: Duration) -> Result<Option<OwnedFd>, Failure> {
        let step_end = deadline_in(wait);
        if let Where::Resolving { lookup, until } = &self.stage {
            let addresses = match lookup.wait(left_until(step_end.min(*until)))? {
                Some(addresses) => addresses,
                None if left_until(*until).is_zero() => {
                    return Err(lookup.timed_out(self.limits.resolve.min(self.limits.total)));
                }
                None => return Ok(None),
            };
            log::debug!("{} has {} addresses", self.host, addresses.len());
            self.stage = Where::Trying(Trying::new(alternate(addresses), &self.limits));
        }
        let Where::Trying(trying) = &mut self.stage else {
            return Ok(None);
        };
        match trying.step(step_end, self.deadline) {
            Ok(socket) => Ok(socket),
            Err(reason) => {
                let text = with_host(reason, &self.host, &trying.addresses);
                Err(Failure::new(Stage::Connect, text))
            }
        }
    }
}

/// Says which name led to the address, where that is not the same.
fn with_host(reason: String, host: &str, addresses: &[SocketAddr]) -> String {
    match addresses {
        [only] if only.ip().to_string() == host => reason,
        [_] => format!("{reason} ({host})"),
        _ => format!("{reason} ({host}, {} addresses)", addresses.len()),
    }
}

/// The families in turns, each in its own order, beginning with that of the first address (RFC 8305 §4): a
/// family that leads nowhere costs the time of one address, however many it has.
pub(super) fn alternate(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let count = addresses.len();
    let (preferred, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    let mut ordered = Vec::with_capacity(count);
    while ordered.len() < count {
        ordered.extend(preferred.next());
        ordered.extend(other.next());
    }
    ordered
}

/// Addresses, tried one after the other.
pub(super) struct Trying {
    addresses: Vec<SocketAddr>,
    /// The next one to try.
    next: usize,
    /// The one under way: its socket, how long it may take, and until when.
    under_way: Option<(OwnedFd, Duration, Instant)>,
    per_address: Duration,
    /// Why the last one failed.
    reason: String,
}

impl Trying {
    pub(super) fn new(addresses: Vec<SocketAddr>, limits: &Limits) -> Self {
        Trying {
            addresses,
            next: 0,
            under_way: None,
            per_address: limits.per_address,
            reason: format!("connect timed out after {} s", limits.total.as_secs_f32()),
        }
    }

    /// The first address that accepts, `None` at `step_end`, or the reason of the last one that
    /// did not, at the latest at `deadline`.
    pub(super) fn step(
        &mut self,
        step_end: Instant,
        deadline: Instant,
    ) -> Result<Option<OwnedFd>, String> {
        loop {
            let (socket, limit, until) = match self.under_way.take() {
                Some(under_way) => under_way,
                None => {
                    let limit = self.next_limit(left_until(deadline));
                    let Some(address) = self.addresses.get(self.next).filter(|_| !limit.is_zero())
                    else {
                        return Err(std::mem::take(&mut self.reason));
                    };
                    self.next += 1;
                    match begin(address) {
                        Ok(socket) => (socket, limit, deadline_in(limit)),
                        Err(error) => {
                            self.failed(&error, Duration::ZERO);
                            continue;
                        }
                    }
                }
            };
            match outcome(&socket, until.min(step_end)) {
                Ok(true) => return Ok(Some(socket)),
                Ok(false) if left_until(until).is_zero() => {
                    self.failed(&io::Error::from(io::ErrorKind::TimedOut), limit);
                }
                Ok(false) => {
                    self.under_way = Some((socket, limit, until));
                    return Ok(None);
                }
                Err(error) => self.failed(&error, limit),
            }
        }
    }

    /// How long the next address may take. Many addresses share the time that is left, so that a
    /// dead family does not use it up.
    fn next_limit(&self, left: Duration) -> Duration {
        let others = self.addresses.len().saturating_sub(self.next + 1);
        match u32::try_from(others).unwrap_or(u32::MAX) {
            0 => left,
            others => (left / others.saturating_add(1))
                .max(ADDRESS_MIN)
                .min(self.per_address)
                .min(left),
        }
    }

    fn failed(&mut self, error: &io::Error, limit: Duration) {
        let Some(address) = self.next.checked_sub(1).and_then(|i| self.addresses.get(i)) else {
            return;
        };
        self.reason = match error.kind() {
            io::ErrorKind::ConnectionRefused => format!("connection refused by {address}"),
            io::ErrorKind::TimedOut => {
                let seconds = limit.as_secs_f32();
                format!("connect to {address} timed out after {seconds:.1} s")
            }
            _ => format!("cannot connect to {address}: {error}"),
        };
        log::debug!("{}", self.reason);
    }
}

/// Starts a non-blocking connect.
pub(super) fn begin(address: &SocketAddr) -> io::Result<OwnedFd> {
    let socket = new_socket(address)?;
    let (raw, raw_len) = to_raw(address);
    // SAFETY: `raw` holds an address of `raw_len` bytes, and the descriptor is ours.
    let status = unsafe { libc::connect(socket.as_raw_fd(), (&raw const raw).cast(), raw_len) };
    if status != 0 {
        let error = io::Error::last_os_error();
        // Interrupted: the connection goes on in the background, as with in progress.
        let going_on = matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR));
        if !going_on {
            return Err(error);
        }
    }
    Ok(socket)
}

/// Waits until `until` for a connect that was begun; whether it is connected.
pub(super) fn outcome(socket: &OwnedFd, until: Instant) -> io::Result<bool> {
    let fd = socket.as_raw_fd();
    if wait_for(fd, libc::POLLOUT, until)? == 0 {
        return Ok(false);
    }
    match int_option(fd, libc::SO_ERROR)? {
        0 => {}
        error => return Err(io::Error::from_raw_os_error(error)),
    }
    set_int_option(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
    Ok(true)
}

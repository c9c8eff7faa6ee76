//! Name resolution that can be waited for in pieces.
//!
//! The system's resolver knows no time-out, so each question is asked in a short-lived thread of
//! its own. That also makes every question start from the present configuration of the system: the
//! C libraries keep the state of their resolver per thread and read `resolv.conf` for a new one,
//! and no answer is kept here. A device that changes networks needs no restart.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::hal::diagnostics::{Failure, Stage};

/// Resolver threads that may be under way at once. A resolver that hangs cannot be stopped, only
/// abandoned; without a limit, reconnecting to a dead name server would pile them up.
pub(super) const MAX_RESOLVERS: usize = 16;

/// Counts the resolver threads under way.
static RESOLVERS: AtomicUsize = AtomicUsize::new(0);

type Found = io::Result<Vec<SocketAddr>>;

/// One resolver thread's place among [`MAX_RESOLVERS`], given back however the thread ends.
struct Place(&'static AtomicUsize);

impl Place {
    fn take(under_way: &'static AtomicUsize) -> Option<Place> {
        let place = Place(under_way);
        (under_way.fetch_add(1, Ordering::AcqRel) < MAX_RESOLVERS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Asks the system's resolver, for as long as that takes.
fn system_lookup(host: &str, port: u16) -> Found {
    (host, port).to_socket_addrs().map(Iterator::collect)
}

/// A question under way. Dropping it abandons the question; its thread ends when the system
/// answers.
pub(super) struct Lookup {
    host: String,
    // Not a channel: waiting on one would allocate for each thread of the application.
    answer: Arc<(Mutex<Option<Found>>, Condvar)>,
}

impl Lookup {
    /// Asks the system for the addresses of `host`.
    pub(super) fn start(host: &str, port: u16) -> Result<Self, Failure> {
        Self::asking(host, port, &RESOLVERS, system_lookup)
    }

    pub(super) fn asking(
        host: &str,
        port: u16,
        under_way: &'static AtomicUsize,
        lookup: impl FnOnce(&str, u16) -> Found + Send + 'static,
    ) -> Result<Self, Failure> {
        let Some(place) = Place::take(under_way) else {
            return Err(failure(host, &"too many earlier questions unanswered"));
        };
        let answer = Arc::new((Mutex::new(None), Condvar::new()));
        let given = Arc::clone(&answer);
        let name = host.to_owned();
        std::thread::Builder::new()
            .name("iotx-resolve".into())
            .spawn(move || {
                let _place = place;
                let found = lookup(&name, port);
                // Nobody waits any more after a time-out; then the answer is of no use.
                *given.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                given.1.notify_one();
            })
            .map_err(|error| failure(host, &format_args!("no thread: {error}")))?;
        Ok(Lookup {
            host: host.to_owned(),
            answer,
        })
    }

    /// The addresses, at least one, waiting at most `wait` for them. `Ok(None)`: no answer yet.
    pub(super) fn wait(&self, wait: Duration) -> Result<Option<Vec<SocketAddr>>, Failure> {
        let (found, answered) = &*self.answer;
        let found = found.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut found, _) = answered
            .wait_timeout_while(found, wait, |found| found.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        match found.take() {
            Some(Ok(addresses)) if !addresses.is_empty() => Ok(Some(addresses)),
            Some(Ok(_)) => Err(failure(&self.host, &"no address")),
            Some(Err(error)) => Err(failure(&self.host, &error)),
            None => Ok(None),
        }
    }

    /// What there is to say when no answer came within `limit`.
    pub(super) fn timed_out(&self, limit: Duration) -> Failure {
        let text = format_args!("no answer after {} s", limit.as_secs_f32());
        failure(&self.host, &text)
    }
}

fn failure(host: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(Stage::Resolve, format!("cannot resolve host {host}: {why}"))
}

//! A session on the Mbed TLS context: one reader and one writer at a time, no lock held while
//! waiting for the network.
//!
//! Locks, in the order they are taken: `reader` or `writer`, then `context`, then the staging of
//! the wire. `context` and staging are held for computing only.

use std::os::fd::{IntoRawFd, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use mbedtls::error::codes;
use mbedtls::ssl::Context;
use mbedtls::ssl::io::Io;

use super::deadline::Deadline;
use super::mbed_resume::Keeper;
use super::mbed_wire::Wire;
use super::{TlsError, TlsSession, lock};
use crate::hal::diagnostics::TlsInfo;
use crate::hal::exchange::Exchange;
use crate::hal::seam::{self, StreamError};
use crate::hal::tcp;

/// Largest plaintext of one record (RFC 5246 §6.2.1).
const RECORD: usize = 16_384;
/// Most bytes taken from the network in one call on the fast path.
const CHUNK: usize = 16_384;
/// Answers of the library that the peer does not read are not kept beyond this.
const MAX_UNREAD_OUTPUT: usize = 64 * 1024;
/// What a reader may spend on sending an answer of the library (an alert).
const ANSWER_MS: u32 = 1;

/// A socket of `HAL_TCP_Establish`, destroyed when dropped.
pub struct Socket {
    handle: usize,
    /// Our own TCP default is in use: whatever has arrived can be read in one call.
    direct: bool,
    exchange: Exchange,
}

impl Socket {
    /// Takes over a handle of `HAL_TCP_Establish`.
    pub fn new(handle: usize) -> Self {
        Socket {
            handle,
            direct: seam::tcp_is_default(),
            exchange: Exchange::default(),
        }
    }

    /// Takes over a connected socket of our own TCP default.
    pub fn own(socket: OwnedFd) -> Self {
        // A descriptor is never negative, so it always converts.
        Socket::new(usize::try_from(socket.into_raw_fd()).unwrap_or(usize::MAX))
    }

    /// Waits for input and moves it to the wire. `Ok(false)` if none came in time.
    pub fn fill(&self, wire: &Wire, deadline: Deadline) -> Result<bool, StreamError> {
        let (mut input, wanted) = {
            let mut staging = wire.staging();
            // Asked for nothing: it has consumed a record and wants to be called again.
            let Some(wanted) = staging.wanted else {
                return Ok(true);
            };
            (staging.take_input(), wanted)
        };
        input.resize(if self.direct { CHUNK } else { wanted }, 0);
        let result = if self.direct {
            seam::tcp_read_available(
                self.handle,
                &mut input,
                deadline.remaining(),
                &self.exchange,
            )
        } else {
            seam::tcp_read(self.handle, &mut input, deadline.for_call())
        };
        match result {
            Ok(0) | Err(_) => input.clear(),
            Ok(count) => input.truncate(count),
        }
        let got = !input.is_empty();
        let mut staging = wire.staging();
        if got {
            staging.put_input(input);
        } else {
            staging.keep_buffer(input);
        }
        result.map(|_| got)
    }

    /// Sends `output` from `sent` on until it is done or the time is over. Whether it is done.
    fn send(
        &self,
        output: &[u8],
        sent: &mut usize,
        deadline: Deadline,
    ) -> Result<bool, StreamError> {
        while *sent < output.len() {
            *sent += seam::tcp_write(self.handle, &output[*sent..], deadline.for_call())?;
            self.exchange.wrote();
            if *sent < output.len() && deadline.passed() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        seam::tcp_destroy(self.handle);
    }
}

/// Encrypted bytes that a writer took from the wire, and how many of them are sent.
#[derive(Default)]
pub struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outgoing {
    /// Sends everything pending in order. Whether all of it went out in time.
    pub fn flush(
        &mut self,
        socket: &Socket,
        wire: &Wire,
        deadline: Deadline,
    ) -> Result<bool, StreamError> {
        loop {
            if self.sent == self.bytes.len() {
                self.bytes.clear();
                self.sent = 0;
                // The emptied buffer goes back, so that both are allocated once.
                std::mem::swap(&mut self.bytes, &mut wire.staging().output);
                if self.bytes.is_empty() {
                    return Ok(true);
                }
            }
            if !socket.send(&self.bytes, &mut self.sent, deadline)? {
                return Ok(false);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// The session; see the module text.
pub struct MbedSession {
    context: Mutex<Context<Wire>>,
    reader: Mutex<()>,
    writer: Mutex<Outgoing>,
    wire: Wire,
    socket: Socket,
    /// Why reading is over. It ends writing too.
    read_end: Mutex<Option<TlsError>>,
    /// Why writing is over. What the peer sent before can still be read.
    write_end: Mutex<Option<TlsError>>,
    closing: AtomicBool,
    info: TlsInfo,
    /// How to keep the session; `None` if it must not be resumed.
    keeper: Option<Keeper>,
}

impl MbedSession {
    /// A session on a context whose handshake is complete and verified.
    pub fn new(
        context: Context<Wire>,
        wire: Wire,
        socket: Socket,
        info: TlsInfo,
        keeper: Option<Keeper>,
    ) -> Self {
        wire.staging().watch = None;
        MbedSession {
            context: Mutex::new(context),
            reader: Mutex::new(()),
            writer: Mutex::default(),
            wire,
            socket,
            read_end: Mutex::new(None),
            write_end: Mutex::new(None),
            closing: AtomicBool::new(false),
            info,
            keeper,
        }
    }

    /// Fails if we closed the session, or if one of `ends` holds the reason why it is over.
    fn check(&self, ends: &[&Mutex<Option<TlsError>>]) -> Result<(), TlsError> {
        if self.closing.load(Ordering::Acquire) {
            return Err(TlsError::Closed);
        }
        match ends.iter().find_map(|end| lock(end).clone()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Notes the reason in `end`; the first one stays.
    fn end(&self, end: &Mutex<Option<TlsError>>, error: TlsError) -> TlsError {
        if self.closing.load(Ordering::Acquire) {
            return TlsError::Closed;
        }
        lock(end).get_or_insert(error).clone()
    }

    fn end_reading(&self, text: impl Into<String>) -> TlsError {
        self.end(&self.read_end, TlsError::Failed(text.into()))
    }

    fn end_writing(&self, text: impl Into<String>) -> TlsError {
        self.end(&self.write_end, TlsError::Failed(text.into()))
    }

    /// What the library has decrypted so far: some bytes, or 0 if it needs more input.
    fn decrypt(&self, buf: &mut [u8]) -> Result<usize, TlsError> {
        let result = lock(&self.context).recv(buf);
        match result {
            // The library's sign for end of input; a closed socket is noticed before it.
            Ok(0) => Err(self.end(&self.read_end, TlsError::Closed)),
            Ok(count) => Ok(count),
            Err(error) => match error.high_level() {
                Some(codes::SslWantRead | codes::SslWantWrite) => Ok(0),
                Some(codes::SslPeerCloseNotify) => Err(self.end(&self.read_end, TlsError::Closed)),
                Some(codes::SslFatalAlertMessage) => {
                    Err(self.end_reading("server ended the session with a fatal TLS alert"))
                }
                _ => Err(self.end_reading(format!("received data is not valid TLS ({error})"))),
            },
        }
    }

    /// Sends what the library produced while reading (alerts) and what an earlier write left
    /// over, unless a writer is at it anyway.
    fn send_answers(&self) -> Result<(), TlsError> {
        if let Ok(mut outgoing) = self.writer.try_lock() {
            if outgoing.is_empty() && self.wire.staging().output.is_empty() {
                return Ok(());
            }
            // A failure shows in the next read or write, which can tell a closed connection from
            // a broken one.
            let _ = outgoing.flush(&self.socket, &self.wire, Deadline::after(ANSWER_MS));
        }
        if self.wire.staging().output.len() > MAX_UNREAD_OUTPUT {
            return Err(self.end_reading("peer provokes answers and does not read them"));
        }
        Ok(())
    }
}

impl TlsSession for MbedSession {
    fn read(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TlsError> {
        let deadline = Deadline::after(timeout_ms);
        let _reader = lock(&self.reader);
        self.check(&[&self.read_end])?;
        if buf.is_empty() {
            return Ok(0);
        }
        let mut waited = false;
        loop {
            let decrypted = self.decrypt(buf);
            let answered = self.send_answers();
            match decrypted {
                Ok(0) => answered?,
                other => return other,
            }
            // A close() meanwhile outweighs the time-out.
            self.check(&[&self.read_end])?;
            // Also after input: a record that comes in drops must not stretch the time.
            if waited && deadline.passed() {
                return Ok(0);
            }
            match self.socket.fill(&self.wire, deadline) {
                Ok(_) => waited = true,
                Err(StreamError::PeerClosed) => {
                    return Err(self.end(&self.read_end, TlsError::Closed));
                }
                Err(StreamError::Failed) => {
                    return Err(self.end_reading("connection lost while receiving"));
                }
            }
        }
    }

    fn write(&self, buf: &[u8], timeout_ms: u32) -> Result<usize, TlsError> {
        let deadline = Deadline::after(timeout_ms);
        let mut outgoing = lock(&self.writer);
        let mut accepted = 0;
        loop {
            self.check(&[&self.read_end, &self.write_end])?;
            let flushed = outgoing
                .flush(&self.socket, &self.wire, deadline)
                .map_err(|_| self.end_writing("connection lost while sending"))?;
            if !flushed || accepted == buf.len() {
                return Ok(accepted);
            }
            let rest = &buf[accepted..];
            let record = &rest[..rest.len().min(RECORD)];
            let result = lock(&self.context).send(record);
            accepted += result.map_err(|error| {
                self.end_writing(format!("data could not be encrypted ({error})"))
            })?;
        }
    }

    fn close(&self) {
        if self.closing.swap(true, Ordering::AcqRel) {
            return;
        }
        // A writer under way holds this lock for up to its time-out; then the peer learns of the
        // end by the closing socket instead.
        let Ok(mut outgoing) = self.writer.try_lock() else {
            return;
        };
        if lock(&self.read_end).is_none() && lock(&self.write_end).is_none() {
            lock(&self.context).close();
            // Best effort: the peer sees the closing socket in any case.
            let _ = outgoing.flush(&self.socket, &self.wire, Deadline::after(ANSWER_MS));
        }
    }

    fn descriptor(&self) -> Option<i32> {
        if self.socket.direct {
            tcp::fd_from_handle(self.socket.handle)
        } else {
            None
        }
    }

    fn has_unsent(&self) -> bool {
        match self.writer.try_lock() {
            Ok(outgoing) => !outgoing.is_empty() || !self.wire.staging().output.is_empty(),
            // A writer is at it.
            Err(_) => false,
        }
    }

    fn interruptible(&self) -> bool {
        self.socket.direct
    }

    fn interrupt(&self) {
        self.close();
        if self.socket.direct {
            seam::tcp_interrupt(self.socket.handle);
        }
    }

    fn info(&self) -> TlsInfo {
        self.info.clone()
    }

    fn remember(&self) {
        if super::resumption()
            && let Some(keeper) = &self.keeper
        {
            keeper.keep(&self.context);
        }
    }
}

impl Drop for MbedSession {
    fn drop(&mut self) {
        self.close();
    }
}

//! One byte stream to a client, over TCP, TLS or WebSocket, that one thread reads while others write and close it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::secure::Secure;
use crate::websocket::{Channel, close_frame};

/// How long a write may wait for a client that does not read.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// How often a waiting reader looks whether the connection was closed on our side.
const READ_SLICE: Duration = Duration::from_millis(200);

/// How a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// TLS close_notify, then the end of the TCP stream.
    Graceful,
    /// The end of the TCP stream alone.
    Abrupt,
    /// TCP reset.
    Reset,
    /// As graceful; the close frame of a WebSocket has this code instead of 1000.
    Code(u16),
}

/// The outcome of one [`Link::receive`].
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Some bytes were appended.
    Data,
    /// Nothing came for a while.
    Nothing,
    /// The client ended TLS with close_notify.
    CloseNotify,
    /// The client sent a WebSocket close frame, with this code.
    CloseFrame(Option<u16>),
    /// The TCP stream ended.
    End,
}

/// The stream. Threads share it by reference.
pub struct Link {
    socket: TcpStream,
    secure: Option<Mutex<Box<dyn Secure>>>,
    websocket: Option<Channel>,
    /// Held from encryption to the end of sending, so that records leave in order. The TLS lock alone is
    /// released in between: a client that is slow to read must not keep us from reading.
    sending: Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}

impl Link {
    /// Plain TCP.
    pub fn tcp(socket: TcpStream) -> io::Result<Self> {
        Self::new(socket, None)
    }

    /// TLS, handshake done.
    pub fn tls(socket: TcpStream, secure: Box<dyn Secure>) -> io::Result<Self> {
        Self::new(socket, Some(Mutex::new(secure)))
    }

    fn new(socket: TcpStream, secure: Option<Mutex<Box<dyn Secure>>>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(READ_SLICE))?;
        socket.set_write_timeout(Some(WRITE_LIMIT))?;
        Ok(Self {
            socket,
            secure,
            websocket: None,
            sending: Mutex::new(()),
        })
    }

    /// From now on bytes travel in WebSocket messages.
    pub fn upgrade(mut self, channel: Channel) -> Self {
        self.websocket = Some(channel);
        self
    }

    /// The socket of a plain TCP link, without time limits.
    pub fn into_socket(self) -> io::Result<TcpStream> {
        self.socket.set_read_timeout(None)?;
        self.socket.set_write_timeout(None)?;
        Ok(self.socket)
    }

    /// Waits a short while for bytes and appends them to `out`. For one thread only.
    pub fn receive(&self, out: &mut Vec<u8>) -> io::Result<Received> {
        let Some(channel) = &self.websocket else {
            return self.receive_below(out);
        };
        let mut arrived = Vec::new();
        loop {
            let taken = channel.receive(&arrived, out);
            let answers = channel.outgoing();
            if !answers.is_empty() {
                // Pongs and the answer to a close frame: the client may be gone already.
                let _ = self.send_below(&answers);
            }
            if let Some(result) = taken? {
                return Ok(result);
            }
            arrived.clear();
            match self.receive_below(&mut arrived)? {
                Received::Data => {}
                other => return Ok(other),
            }
        }
    }

    /// [`Link::receive`] below a WebSocket.
    fn receive_below(&self, out: &mut Vec<u8>) -> io::Result<Received> {
        let mut raw = [0; 16 * 1024];
        let Some(secure) = &self.secure else {
            return match read_some(&self.socket, &mut raw)? {
                None => Ok(Received::Nothing),
                Some(0) => Ok(Received::End),
                Some(count) => {
                    out.extend_from_slice(&raw[..count]);
                    Ok(Received::Data)
                }
            };
        };
        let mut count = 0;
        loop {
            // Released before anything that waits: whoever sends needs it.
            let (taken, has_outgoing) = {
                let mut connection = lock(secure);
                let taken = connection.receive(&raw[..count], out);
                (taken, connection.has_outgoing())
            };
            if has_outgoing {
                // Alerts, mostly: a courtesy, the result below is what counts.
                let _order = lock(&self.sending);
                let records = lock(secure).outgoing();
                let _ = (&self.socket).write_all(&records);
            }
            if let Some(result) = taken? {
                return Ok(result);
            }
            count = match read_some(&self.socket, &mut raw)? {
                None => return Ok(Received::Nothing),
                Some(0) => return Ok(Received::End),
                Some(count) => count,
            };
        }
    }

    /// Sends `bytes`: with TLS in records of their own, with WebSocket as a message. For one thread at a time.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        match &self.websocket {
            None => self.send_below(bytes),
            Some(channel) => channel
                .frames(bytes)?
                .iter()
                .try_for_each(|frame| self.send_below(frame)),
        }
    }

    /// Sends bytes as they are, below a WebSocket.
    pub fn send_below(&self, bytes: &[u8]) -> io::Result<()> {
        let _order = lock(&self.sending);
        let Some(secure) = &self.secure else {
            return (&self.socket).write_all(bytes);
        };
        let records = {
            let mut connection = lock(secure);
            connection.encrypt(bytes)?;
            connection.outgoing()
        };
        (&self.socket).write_all(&records)
    }

    /// Ends the connection. The reading thread notices, drains what is still coming, and drops the link.
    pub fn close(&self, how: How) {
        match how {
            How::Graceful | How::Code(_) => {
                let frame = match (&self.websocket, how) {
                    (None, _) => Vec::new(),
                    (Some(_), How::Code(code)) => close_frame(code),
                    (Some(_), _) => close_frame(1000),
                };
                if let Some(_order) = self.wait_for_sender() {
                    let last = match &self.secure {
                        None => frame,
                        Some(secure) => {
                            let mut connection = lock(secure);
                            if !frame.is_empty() {
                                let _ = connection.encrypt(&frame);
                            }
                            connection.close();
                            connection.outgoing()
                        }
                    };
                    let _ = (&self.socket).write_all(&last);
                }
                let _ = self.socket.shutdown(Shutdown::Write);
            }
            How::Abrupt => {
                let _ = self.socket.shutdown(Shutdown::Write);
            }
            How::Reset => {
                // With this, dropping the socket resets; ending our reading first wakes the reader.
                let _ = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
                let _ = self.socket.shutdown(Shutdown::Read);
            }
        }
    }

    /// After our close: reads until the client has closed too, for a short while, so that what was sent arrives.
    pub fn drain(&self) {
        let deadline = Instant::now() + Duration::from_secs(1);
        let mut rest = Vec::new();
        while Instant::now() < deadline {
            match self.receive(&mut rest) {
                Ok(Received::Data | Received::Nothing) => rest.clear(),
                _ => return,
            }
        }
    }

    /// The right to send, unless a send is stuck: then the client does not read and would not see
    /// close_notify either.
    fn wait_for_sender(&self) -> Option<MutexGuard<'_, ()>> {
        let deadline = Instant::now() + Duration::from_millis(200);
        loop {
            match self.sending.try_lock() {
                Ok(guard) => return Some(guard),
                Err(TryLockError::Poisoned(poison)) => return Some(poison.into_inner()),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(1))
                }
                Err(TryLockError::WouldBlock) => return None,
            }
        }
    }
}

/// One read; `None` when nothing came within the slice.
fn read_some(mut socket: &TcpStream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        return match socket.read(buffer) {
            Ok(count) => Ok(Some(count)),
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => continue,
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ok(None),
                _ => Err(error),
            },
        };
    }
}

//! One byte stream to a client, TCP or TLS, that one thread reads while others write and close it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use rustls::ServerConnection;
use socket2::SockRef;

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
    /// The TCP stream ended.
    End,
}

/// The stream. Threads share it by reference.
pub struct Link {
    socket: TcpStream,
    tls: Option<Mutex<ServerConnection>>,
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
    pub fn tls(socket: TcpStream, mut connection: ServerConnection) -> io::Result<Self> {
        connection.set_buffer_limit(None);
        Self::new(socket, Some(Mutex::new(connection)))
    }

    fn new(socket: TcpStream, tls: Option<Mutex<ServerConnection>>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(READ_SLICE))?;
        socket.set_write_timeout(Some(WRITE_LIMIT))?;
        Ok(Self {
            socket,
            tls,
            sending: Mutex::new(()),
        })
    }

    /// Waits a short while for bytes and appends them to `out`. For one thread only.
    pub fn receive(&self, out: &mut Vec<u8>) -> io::Result<Received> {
        let mut raw = [0; 16 * 1024];
        let Some(tls) = &self.tls else {
            return match read_some(&self.socket, &mut raw)? {
                None => Ok(Received::Nothing),
                Some(0) => Ok(Received::End),
                Some(count) => {
                    out.extend_from_slice(&raw[..count]);
                    Ok(Received::Data)
                }
            };
        };
        loop {
            if let Some(result) = decrypted(&mut lock(tls), out)? {
                return Ok(result);
            }
            let count = match read_some(&self.socket, &mut raw)? {
                None => return Ok(Received::Nothing),
                Some(0) => return Ok(Received::End),
                Some(count) => count,
            };
            let mut arrived = &raw[..count];
            while !arrived.is_empty() {
                let mut connection = lock(tls);
                connection.read_tls(&mut arrived)?;
                if let Err(error) = connection.process_new_packets() {
                    let mut alert = Vec::new();
                    while connection.wants_write() {
                        connection.write_tls(&mut alert)?;
                    }
                    drop(connection);
                    // The alert is a courtesy; the error is what counts.
                    let _ = (&self.socket).write_all(&alert);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
                if let Some(result) = decrypted(&mut connection, out)?
                    && result != Received::Data
                {
                    return Ok(result);
                }
            }
            if !out.is_empty() {
                return Ok(Received::Data);
            }
        }
    }

    /// Sends `bytes`: with TLS, in records of their own.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let _order = lock(&self.sending);
        let Some(tls) = &self.tls else {
            return (&self.socket).write_all(bytes);
        };
        let mut records = Vec::with_capacity(bytes.len() + 64);
        {
            let mut connection = lock(tls);
            connection.writer().write_all(bytes)?;
            while connection.wants_write() {
                connection.write_tls(&mut records)?;
            }
        }
        (&self.socket).write_all(&records)
    }

    /// Ends the connection. The reading thread notices, drains what is still coming, and drops the link.
    pub fn close(&self, how: How) {
        match how {
            How::Graceful => {
                if let (Some(tls), Some(_order)) = (&self.tls, self.wait_for_sender()) {
                    let mut records = Vec::new();
                    let mut connection = lock(tls);
                    connection.send_close_notify();
                    while connection.wants_write() && connection.write_tls(&mut records).is_ok() {}
                    let _ = (&self.socket).write_all(&records);
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

/// Takes plain text that TLS has ready; `None` if there is none yet.
fn decrypted(connection: &mut ServerConnection, out: &mut Vec<u8>) -> io::Result<Option<Received>> {
    let before = out.len();
    let mut buffer = [0; 16 * 1024];
    loop {
        match connection.reader().read(&mut buffer) {
            Ok(0) if out.len() > before => return Ok(Some(Received::Data)),
            Ok(0) => return Ok(Some(Received::CloseNotify)),
            Ok(count) => out.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Ok((out.len() > before).then_some(Received::Data));
            }
            Err(error) => return Err(error),
        }
    }
}

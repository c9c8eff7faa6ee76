//! Encryption between a socket and the bytes of a protocol, without a socket of its own: two TLS stacks behind
//! one face.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use rustls::ServerConnection;

use crate::link::Received;

/// One encrypted connection, handshake done.
pub trait Secure: Send {
    /// Takes what arrived and appends plain text to `out`; `None` when more must arrive first.
    fn receive(&mut self, arrived: &[u8], out: &mut Vec<u8>) -> io::Result<Option<Received>>;
    /// Encrypts; the records are part of the next [`Secure::outgoing`].
    fn encrypt(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Adds close_notify.
    fn close(&mut self);
    /// Whether [`Secure::outgoing`] would give anything.
    fn has_outgoing(&self) -> bool;
    /// Takes the records that are to be sent.
    fn outgoing(&mut self) -> Vec<u8>;
}

impl Secure for ServerConnection {
    fn receive(&mut self, mut arrived: &[u8], out: &mut Vec<u8>) -> io::Result<Option<Received>> {
        let before = out.len();
        loop {
            match decrypted(self, out)? {
                // What was sent before the end counts first; the end is told again.
                Some(end) if end != Received::Data && out.len() == before => return Ok(Some(end)),
                Some(end) if end != Received::Data => return Ok(Some(Received::Data)),
                _ => {}
            }
            if arrived.is_empty() {
                return Ok((out.len() > before).then_some(Received::Data));
            }
            self.read_tls(&mut arrived)?;
            self.process_new_packets()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
    }

    fn encrypt(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer().write_all(bytes)
    }

    fn close(&mut self) {
        self.send_close_notify();
    }

    fn has_outgoing(&self) -> bool {
        self.wants_write()
    }

    fn outgoing(&mut self) -> Vec<u8> {
        let mut records = Vec::new();
        while self.wants_write() && self.write_tls(&mut records).is_ok() {}
        records
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

/// A stream in memory: what arrived is put in, what is to be sent is taken out. Reading more than arrived
/// would block.
#[derive(Debug, Default)]
pub struct Pipe {
    /// What arrived and was not read yet.
    pub arrived: VecDeque<u8>,
    /// What is to be sent.
    pub outgoing: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.arrived.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.arrived.read(buffer)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

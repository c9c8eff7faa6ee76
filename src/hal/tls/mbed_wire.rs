//! The memory between the TLS library and the network.
//!
//! The library never touches the network itself. What arrived is staged here and handed out; when
//! nothing is left it is told to come back, and the number of bytes it wanted is noted for the
//! reader. What it sends piles up here until a writer takes it to the network. So the context
//! lock is held for computing only.

use std::sync::{Arc, Mutex, MutexGuard};

use mbedtls::error::{Result, codes};
use mbedtls::ssl::io::Io;

use super::alert::Watch;
use super::lock;

/// Staged input, pending output, and the watch over the handshake.
#[derive(Default)]
pub struct Staging {
    input: Vec<u8>,
    taken: usize,
    /// Bytes the library wanted when it last found nothing.
    pub wanted: Option<usize>,
    /// Encrypted bytes on their way to the network, in order.
    pub output: Vec<u8>,
    /// Set during the handshake only.
    pub watch: Option<Watch>,
}

impl Staging {
    /// Takes the input buffer to read into from the network. It is empty: the library has
    /// consumed everything before it asks for more.
    pub fn take_input(&mut self) -> Vec<u8> {
        debug_assert_eq!(self.taken, self.input.len());
        self.taken = 0;
        std::mem::take(&mut self.input)
    }

    /// Puts the buffer back with what has arrived.
    pub fn put_input(&mut self, input: Vec<u8>) {
        if let Some(watch) = &mut self.watch {
            watch.feed(&input);
        }
        self.input = input;
        self.taken = 0;
        self.wanted = None;
    }

    /// Gives an empty buffer back when nothing has arrived; the wish for input stays.
    pub fn keep_buffer(&mut self, buffer: Vec<u8>) {
        debug_assert!(buffer.is_empty());
        self.input = buffer;
    }
}

/// [`Staging`], shared by the session and the library's I/O object.
#[derive(Clone, Default)]
pub struct Wire(Arc<Mutex<Staging>>);

impl Wire {
    /// A wire that watches the server's first flight.
    pub fn watching() -> Self {
        let staging = Staging {
            watch: Some(Watch::default()),
            ..Staging::default()
        };
        Wire(Arc::new(Mutex::new(staging)))
    }

    /// Exclusive access; never held across a network call.
    pub fn staging(&self) -> MutexGuard<'_, Staging> {
        lock(&self.0)
    }
}

impl Io for Wire {
    fn recv(&mut self, buf: &mut [u8]) -> Result<usize> {
        let mut staging = self.staging();
        let available = staging.input.len() - staging.taken;
        if available == 0 {
            staging.wanted = Some(buf.len());
            return Err(codes::SslWantRead.into());
        }
        let count = available.min(buf.len());
        let start = staging.taken;
        buf[..count].copy_from_slice(&staging.input[start..start + count]);
        staging.taken += count;
        Ok(count)
    }

    fn send(&mut self, buf: &[u8]) -> Result<usize> {
        self.staging().output.extend_from_slice(buf);
        Ok(buf.len())
    }
}

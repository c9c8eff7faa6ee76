//! An established WebSocket connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::NO_RANDOM;
use super::frame::{Control, Decoder, End, Opcode, encode};
use crate::hal::diagnostics::TlsInfo;
use crate::hal::seam;
use crate::transport::{Link, LinkError};

/// Most payload of one frame sent: more goes out in several, so that one buffer of this size is enough.
const FRAME: usize = 16 * 1024;
/// Masks drawn at a time.
const MASKS: usize = 8;
/// What a reader may spend on sending an answer.
const ANSWER_MS: u32 = 1;
/// Most bytes a reader takes in one call for nothing but control frames and heads of frames, beyond its time.
const CHATTER_MAX: usize = 64 * 1024;
/// Status codes to close with (RFC 6455 §7.4.1).
const NORMAL: u16 = 1000;

/// A link in binary frames. Locks in the order they are taken: `reader`, `writer`, `pong`.
pub(super) struct WsLink {
    inner: Arc<dyn Link>,
    reader: Mutex<Reader>,
    writer: Mutex<Writer>,
    /// The Ping to be answered; only the last one needs to be (RFC 6455 §5.5.3).
    pong: Mutex<Option<Control>>,
}

struct Reader {
    decoder: Decoder,
    /// What arrived with the answer of the handshake, and how much of it is used.
    early: Vec<u8>,
    used: usize,
    end: Option<LinkError>,
}

#[derive(Default)]
struct Writer {
    /// Frames on their way, and how many of their bytes are gone.
    out: Vec<u8>,
    sent: usize,
    end: Option<LinkError>,
    /// Masks of frames to come: each is used once, and asking for many at a time costs one system call.
    masks: [u8; 4 * MASKS],
    masks_left: usize,
}

/// A moment on the clock of the HAL.
#[derive(Clone, Copy)]
struct Deadline(u64);

impl Deadline {
    fn after(ms: u32) -> Self {
        Deadline(seam::uptime_ms().saturating_add(ms.into()))
    }

    fn left(self) -> u32 {
        u32::try_from(self.0.saturating_sub(seam::uptime_ms())).unwrap_or(u32::MAX)
    }
}

/// Locks without regard to poisoning: nothing here panics halfway through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(text: &str) -> LinkError {
    LinkError::Failed(format!("websocket: {text}"))
}

impl WsLink {
    /// Takes over a link behind its handshake; `early` arrived behind the answer.
    pub(super) fn new(inner: Arc<dyn Link>, early: Vec<u8>) -> Self {
        WsLink {
            inner,
            reader: Mutex::new(Reader {
                decoder: Decoder::default(),
                early,
                used: 0,
                end: None,
            }),
            writer: Mutex::default(),
            pong: Mutex::new(None),
        }
    }

    /// Sends what an earlier write left over, then the Pong that is due. Whether all of it is gone.
    fn flush(&self, writer: &mut Writer, deadline: Deadline) -> Result<bool, LinkError> {
        loop {
            while writer.sent < writer.out.len() {
                let rest = &writer.out[writer.sent..];
                match self.inner.write(rest, deadline.left().max(1)) {
                    Ok(count) => writer.sent += count.min(rest.len()),
                    Err(error) => return Err(writer.end.get_or_insert(error).clone()),
                }
                if writer.sent < writer.out.len() && deadline.left() == 0 {
                    return Ok(false);
                }
            }
            writer.out.clear();
            writer.sent = 0;
            let Some(ping) = lock(&self.pong).take() else {
                return Ok(true);
            };
            writer.frame(Opcode::Pong, ping.payload())?;
        }
    }

    /// Sends what is due unless a writer is at it, which sends it as well.
    fn send_due(&self) {
        if let Ok(mut writer) = self.writer.try_lock()
            && writer.end.is_none()
            && (!writer.out.is_empty() || lock(&self.pong).is_some())
        {
            // A failure shows in the next read or write.
            let _ = self.flush(&mut writer, Deadline::after(ANSWER_MS));
        }
    }

    /// Notes how the connection ended and says so to the server, as far as that is possible at once.
    fn ended(&self, end: End) -> LinkError {
        let (error, code) = match end {
            // Without a code there is nothing to repeat.
            End::Closed(None) => (LinkError::Closed, NORMAL),
            End::Closed(Some(NORMAL)) => (LinkError::Closed, NORMAL),
            End::Closed(Some(code)) => (failed(&format!("server closed with code {code}")), code),
            End::Violation { text, code } => (failed(text), code),
        };
        if let Ok(mut writer) = self.writer.try_lock() {
            self.say_goodbye(&mut writer, code, error.clone());
        }
        error
    }

    /// Sends a Close frame unless something is in its way; nothing is sent after it.
    fn say_goodbye(&self, writer: &mut Writer, code: u16, why: LinkError) {
        if writer.end.is_none()
            && writer.out.is_empty()
            && writer.frame(Opcode::Close, &code.to_be_bytes()).is_ok()
        {
            // Best effort: the server sees the closing connection in any case.
            let _ = self.inner.write(&writer.out, ANSWER_MS);
        }
        writer.end.get_or_insert(why);
    }
}

impl Writer {
    /// Appends a frame with a fresh mask.
    fn frame(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), LinkError> {
        if self.masks_left == 0 {
            if seam::random_fill(&mut self.masks).is_err() {
                return Err(failed(NO_RANDOM));
            }
            self.masks_left = MASKS;
        }
        self.masks_left -= 1;
        let (masks, _) = self.masks.as_chunks::<4>();
        encode(&mut self.out, opcode, payload, masks[self.masks_left]);
        Ok(())
    }
}

impl Reader {
    /// Some bytes of the connection, 0 if none came in time.
    fn take(
        &mut self,
        inner: &dyn Link,
        buffer: &mut [u8],
        wanted: usize,
        timeout_ms: u32,
    ) -> Result<usize, LinkError> {
        let early = &self.early[self.used..];
        if early.is_empty() {
            let wanted = self.decoder.wanted(wanted);
            return inner.read(buffer, wanted, timeout_ms);
        }
        let count = early.len().min(buffer.len());
        buffer[..count].copy_from_slice(&early[..count]);
        self.used += count;
        if self.used == self.early.len() {
            self.early = Vec::new();
            self.used = 0;
        }
        Ok(count)
    }
}

impl Link for WsLink {
    fn read(&self, buffer: &mut [u8], wanted: usize, timeout_ms: u32) -> Result<usize, LinkError> {
        let mut reader = lock(&self.reader);
        self.send_due();
        let deadline = (timeout_ms > 0).then(|| Deadline::after(timeout_ms));
        let mut wait = timeout_ms;
        let mut chatter = 0;
        loop {
            if let Some(end) = &reader.end {
                return Err(end.clone());
            }
            let count = match reader.take(&*self.inner, buffer, wanted, wait) {
                Ok(count) => count,
                Err(error) => return Err(reader.end.get_or_insert(error).clone()),
            };
            if count == 0 {
                return Ok(0);
            }
            let count = count.min(buffer.len());
            let payload = reader.decoder.decode(&mut buffer[..count]);
            if let Some(ping) = reader.decoder.take_ping() {
                *lock(&self.pong) = Some(ping);
                self.send_due();
            }
            if let Some(end) = reader.decoder.end() {
                reader.end = Some(self.ended(end));
            }
            if payload > 0 {
                return Ok(payload);
            }
            // What has arrived already is looked at even when time is over: the layer below may hold it
            // where no descriptor tells of it.
            chatter += count;
            wait = deadline.map_or(0, Deadline::left);
            if chatter >= CHATTER_MAX && wait == 0 {
                return Ok(0);
            }
        }
    }

    fn write(&self, bytes: &[u8], timeout_ms: u32) -> Result<usize, LinkError> {
        let deadline = Deadline::after(timeout_ms);
        let mut writer = lock(&self.writer);
        if let Some(end) = &writer.end {
            return Err(end.clone());
        }
        let mut accepted = 0;
        loop {
            if !self.flush(&mut writer, deadline)? || accepted == bytes.len() {
                return Ok(accepted);
            }
            let rest = &bytes[accepted..];
            let part = &rest[..rest.len().min(FRAME)];
            writer.frame(Opcode::Binary, part)?;
            accepted += part.len();
        }
    }

    fn descriptor(&self) -> Option<i32> {
        self.inner.descriptor()
    }

    fn has_unsent(&self) -> bool {
        let own = match self.writer.try_lock() {
            Ok(writer) => {
                writer.end.is_none() && (!writer.out.is_empty() || lock(&self.pong).is_some())
            }
            // A writer is at it.
            Err(_) => false,
        };
        own || self.inner.has_unsent()
    }

    fn tls(&self) -> Option<TlsInfo> {
        self.inner.tls()
    }

    fn accepted(&self) {
        self.inner.accepted();
    }

    fn interruptible(&self) -> bool {
        self.inner.interruptible()
    }

    fn interrupt(&self) {
        self.inner.interrupt();
    }
}

impl Drop for WsLink {
    fn drop(&mut self) {
        let ended = lock(&self.reader).end.is_some();
        if !ended {
            let mut writer = lock(&self.writer);
            self.say_goodbye(&mut writer, NORMAL, LinkError::Closed);
        }
    }
}

#[cfg(test)]
mod tests;

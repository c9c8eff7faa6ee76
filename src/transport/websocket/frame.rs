//! Frames (RFC 6455 §5), sans I/O. Payload is passed on as it arrives; nothing but the head of a frame and the
//! payload of a control frame is kept.

/// Longest frame accepted, bytes: the largest MQTT packet (MQTT 3.1.1 §2.2.3).
pub const FRAME_MAX: u64 = 268_435_460;
/// Longest payload of a control frame (RFC 6455 §5.5).
pub const CONTROL_MAX: usize = 125;

/// Opcode of a frame (RFC 6455 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// Goes on with the message.
    Continuation = 0,
    /// Begins a message of bytes.
    Binary = 2,
    /// Ends the connection.
    Close = 8,
    /// Asks for a Pong with the same payload.
    Ping = 9,
    /// The answer.
    Pong = 10,
}

/// How the server ended the connection, or what it did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It sent a Close frame, with its status code if it gave one.
    Closed(Option<u16>),
    /// It broke the protocol.
    Violation {
        /// What it did.
        text: &'static str,
        /// Status code to close with (RFC 6455 §7.4.1).
        code: u16,
    },
}

const fn violation(text: &'static str) -> End {
    End::Violation { text, code: 1002 }
}

/// A control frame's payload.
#[derive(Clone, Copy)]
pub struct Control {
    bytes: [u8; CONTROL_MAX],
    len: usize,
}

impl Control {
    const EMPTY: Control = Control {
        bytes: [0; CONTROL_MAX],
        len: 0,
    };

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Takes frames of a server apart.
pub struct Decoder {
    /// The head of the frame under way, as far as it has come; complete while `left` counts.
    head: [u8; 10],
    head_len: usize,
    in_payload: bool,
    opcode: Opcode,
    /// Bytes of the frame's payload to come.
    left: u64,
    /// A message has begun and not ended.
    in_message: bool,
    control: Control,
    ping: Option<Control>,
    end: Option<End>,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder {
            head: [0; 10],
            head_len: 0,
            in_payload: false,
            opcode: Opcode::Continuation,
            left: 0,
            in_message: false,
            control: Control::EMPTY,
            ping: None,
            end: None,
        }
    }
}

impl Decoder {
    /// Takes `buffer` apart in place: message payload moves to its beginning, and its length is returned.
    /// After the end of the connection, whatever follows is ignored.
    pub fn decode(&mut self, buffer: &mut [u8]) -> usize {
        let (mut from, mut to) = (0, 0);
        while from < buffer.len() && self.end.is_none() {
            if !self.in_payload {
                self.head[self.head_len] = buffer[from];
                self.head_len += 1;
                from += 1;
                if let Err(end) = self.judge_head() {
                    self.end = Some(end);
                }
                continue;
            }
            let available = buffer.len() - from;
            let count = usize::try_from(self.left).map_or(available, |left| left.min(available));
            match self.opcode {
                Opcode::Continuation | Opcode::Binary => {
                    buffer.copy_within(from..from + count, to);
                    to += count;
                }
                Opcode::Close | Opcode::Ping | Opcode::Pong => {
                    // At most 125 bytes: the head was judged.
                    let filled = self.control.len;
                    self.control.bytes[filled..filled + count]
                        .copy_from_slice(&buffer[from..from + count]);
                    self.control.len += count;
                }
            }
            from += count;
            self.left -= count as u64;
            if self.left == 0 {
                self.finish();
            }
        }
        to
    }

    /// How many bytes certainly follow, of which `payload` (at least 1) bytes of message are waited for.
    pub fn wanted(&self, payload: usize) -> usize {
        if !self.in_payload {
            return (self.head_size() - self.head_len).max(1);
        }
        match self.opcode {
            Opcode::Continuation | Opcode::Binary => {
                usize::try_from(self.left).map_or(payload, |left| left.min(payload))
            }
            // A control frame has at most 125 bytes.
            _ => self.left as usize,
        }
        .max(1)
    }

    /// The last Ping that came, once.
    pub fn take_ping(&mut self) -> Option<Control> {
        self.ping.take()
    }

    /// Whether the connection is over, and how.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Bytes of the head, as far as it is known.
    fn head_size(&self) -> usize {
        match (self.head_len, self.head[1] & 0x7f) {
            (0 | 1, _) => 2,
            (_, 126) => 4,
            (_, 127) => 10,
            _ => 2,
        }
    }

    /// Looks at the head as soon as something can be said about it.
    fn judge_head(&mut self) -> Result<(), End> {
        let (first, second) = (self.head[0], self.head[1]);
        if self.head_len == 1 {
            self.opcode = self.judge_first(first)?;
            return Ok(());
        }
        let control = !matches!(self.opcode, Opcode::Continuation | Opcode::Binary);
        if self.head_len == 2 {
            if second & 0x80 != 0 {
                return Err(violation("masked frame from the server"));
            }
            if control && usize::from(second) > CONTROL_MAX {
                return Err(violation("control frame larger than 125 bytes"));
            }
        }
        if self.head_len < self.head_size() {
            return Ok(());
        }
        let (length, shortest) = match second {
            126 => (
                u64::from(u16::from_be_bytes([self.head[2], self.head[3]])),
                126,
            ),
            127 => {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&self.head[2..]);
                (u64::from_be_bytes(bytes), 65_536)
            }
            short => (u64::from(short), 0),
        };
        if length < shortest {
            return Err(violation("frame length not in its shortest form"));
        }
        if length > FRAME_MAX {
            return Err(End::Violation {
                text: "frame larger than any MQTT packet",
                code: 1009,
            });
        }
        if !control {
            self.in_message = first & 0x80 == 0;
        }
        self.left = length;
        self.in_payload = true;
        self.control.len = 0;
        if length == 0 {
            self.finish();
        }
        Ok(())
    }

    fn judge_first(&self, first: u8) -> Result<Opcode, End> {
        if first & 0x70 != 0 {
            return Err(violation("frame with a reserved bit"));
        }
        let final_one = first & 0x80 != 0;
        let opcode = match first & 0x0f {
            0 if self.in_message => Opcode::Continuation,
            0 => return Err(violation("continuation without a start")),
            1 => {
                return Err(End::Violation {
                    text: "text frame",
                    code: 1003,
                });
            }
            2 if self.in_message => {
                return Err(violation("message inside a fragmented message"));
            }
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return Err(violation("frame with a reserved opcode")),
        };
        if first & 0x08 != 0 && !final_one {
            return Err(violation("fragmented control frame"));
        }
        Ok(opcode)
    }

    /// The frame is complete.
    fn finish(&mut self) {
        self.in_payload = false;
        self.head_len = 0;
        match self.opcode {
            Opcode::Ping => self.ping = Some(self.control),
            Opcode::Close => {
                self.end = Some(match *self.control.payload() {
                    [] => End::Closed(None),
                    [_] => violation("close frame of one byte"),
                    [high, low, ..] => End::Closed(Some(u16::from_be_bytes([high, low]))),
                });
            }
            _ => {}
        }
    }
}

/// Appends one complete frame, masked with `key` (RFC 6455 §5.3).
pub fn encode(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], key: [u8; 4]) {
    out.reserve(payload.len() + 14);
    out.push(0x80 | opcode as u8);
    match payload.len() {
        // The lengths fit their fields.
        short @ 0..=125 => out.push(0x80 | short as u8),
        middle @ 126..=65_535 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&key);
    let start = out.len();
    out.extend_from_slice(payload);
    let (words, rest) = out[start..].as_chunks_mut::<8>();
    let [a, b, c, d] = key;
    let mask = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ mask).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests;

//! An application message as it arrived.

use std::fmt;
use std::ops::Deref;

use bytes::{Buf, Bytes, BytesMut};
use rumqttc::mqttbytes::QoS;

/// A PUBLISH of the server. Topic and payload are parts of the buffer it was read into, so nothing
/// is copied or allocated for one; [`Publish::detach`] before keeping it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// DUP flag.
    pub dup: bool,
    /// Quality of service.
    pub qos: QoS,
    /// RETAIN flag.
    pub retain: bool,
    /// Topic name.
    pub topic: Topic,
    /// Packet id, 0 for QoS 0.
    pub pkid: u16,
    /// Payload.
    pub payload: Bytes,
}

impl Publish {
    /// Takes a packet apart whose rules were checked; `None` if it is cut short all the same.
    /// `first` is its first byte, `body` what follows the fixed header.
    pub(super) fn from_body(first: u8, mut body: BytesMut) -> Option<Self> {
        let qos = match (first >> 1) & 3 {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            2 => QoS::ExactlyOnce,
            _ => return None,
        };
        let topic_len = usize::from(body.try_get_u16().ok()?);
        if body.len() < topic_len {
            return None;
        }
        let topic = Topic(body.split_to(topic_len).freeze());
        let pkid = match qos {
            QoS::AtMostOnce => 0,
            _ => body.try_get_u16().ok()?,
        };
        Some(Publish {
            dup: first & 8 != 0,
            qos,
            retain: first & 1 != 0,
            topic,
            pkid,
            payload: body.freeze(),
        })
    }

    /// Copies topic and payload, so that keeping the message does not keep a large read buffer.
    pub fn detach(&mut self) {
        self.topic = Topic(Bytes::copy_from_slice(&self.topic.0));
        self.payload = Bytes::copy_from_slice(&self.payload);
    }
}

/// A topic name, UTF-8 as checked when it was received.
#[derive(Clone, PartialEq, Eq)]
pub struct Topic(Bytes);

impl Deref for Topic {
    type Target = str;

    fn deref(&self) -> &str {
        // Checked on receipt, so the empty text never shows.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Topic {
    /// The name as bytes, without another look at them.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq<str> for Topic {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Topic {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

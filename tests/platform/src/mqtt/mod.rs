//! MQTT 3.1.1 as the platform speaks it: strict decoding of what clients send, encoding of what a server
//! sends. Written after the OASIS standard alone; the numbers in brackets are its normative statements.

pub mod decode;
pub mod encode;
pub mod topic;

/// One packet that a client may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// CONNECT with a protocol level that the platform speaks (3 or 4).
    Connect(Connect),
    /// CONNECT with another protocol level; to be answered with return code 1 [MQTT-3.1.2-2].
    UnsupportedLevel(u8),
    /// PUBLISH of QoS 0 or 1.
    Publish(Publish),
    /// PUBACK with its packet identifier.
    PubAck(u16),
    /// SUBSCRIBE.
    Subscribe(Subscribe),
    /// UNSUBSCRIBE.
    Unsubscribe(Unsubscribe),
    /// PINGREQ.
    PingReq,
    /// DISCONNECT.
    Disconnect,
}

/// The fields of CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// 4 for MQTT 3.1.1, 3 for MQTT 3.1.
    pub level: u8,
    /// Clean session flag.
    pub clean_session: bool,
    /// Seconds; 0 switches keep-alive off.
    pub keep_alive: u16,
    /// Client identifier, possibly empty.
    pub client_id: String,
    /// The client asked for a will. The platform knows none and ignores it.
    pub will: bool,
    /// User name, when its flag is set.
    pub username: Option<String>,
    /// Password, when its flag is set.
    pub password: Option<Vec<u8>>,
}

/// The fields of PUBLISH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Redelivery flag.
    pub dup: bool,
    /// 0 or 1 when decoded; the encoder takes 2 as well, for tests of clients.
    pub qos: u8,
    /// Retain flag.
    pub retain: bool,
    /// Topic name.
    pub topic: String,
    /// Packet identifier; 0 with QoS 0.
    pub packet_id: u16,
    /// Application message.
    pub payload: Vec<u8>,
}

/// The fields of SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Packet identifier, never 0.
    pub packet_id: u16,
    /// Filters with the requested QoS, at least one.
    pub filters: Vec<(String, u8)>,
}

/// The fields of UNSUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Packet identifier, never 0.
    pub packet_id: u16,
    /// Filters, at least one.
    pub filters: Vec<String>,
}

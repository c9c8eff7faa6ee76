//! MQTT over WebSocket (RFC 6455, MQTT 3.1.1 section 6): the upgrade, then frames, right ones or, on request,
//! wrong ones.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Map, Value, json};
use tungstenite::error::ProtocolError;
use tungstenite::handshake::server::{create_response, write_response};
use tungstenite::http::header::{HeaderName, HeaderValue};
use tungstenite::http::{Request, Version};
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame, FrameHeader};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use crate::events::Events;
use crate::faults::Faults;
use crate::http::{self, Head};
use crate::link::{Link, Received};
use crate::secure::Pipe;
use crate::server::Platform;

/// Fields that are not written to the log.
const SECRET_FIELDS: [&str; 4] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "sec-websocket-key",
];

/// The frames of one connection.
pub struct Channel {
    incoming: Mutex<WebSocket<Pipe>>,
    conn: u64,
    faults: Arc<Faults>,
    events: Arc<Events>,
}

impl Channel {
    fn new(platform: &Platform, conn: u64, arrived: Vec<u8>) -> Self {
        let pipe = Pipe {
            arrived: arrived.into(),
            outgoing: Vec::new(),
        };
        let config = WebSocketConfig::default();
        Self {
            incoming: Mutex::new(WebSocket::from_raw_socket(pipe, Role::Server, Some(config))),
            conn,
            faults: Arc::clone(&platform.faults),
            events: Arc::clone(&platform.events),
        }
    }

    fn lock(&self) -> MutexGuard<'_, WebSocket<Pipe>> {
        self.incoming
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
    }

    /// Takes bytes that arrived and appends the content of whole messages to `out`; `None` when there was none.
    pub fn receive(&self, arrived: &[u8], out: &mut Vec<u8>) -> io::Result<Option<Received>> {
        let broken = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
        let mut incoming = self.lock();
        incoming.get_mut().arrived.extend(arrived);
        let before = out.len();
        loop {
            let seen = out.len() > before;
            match incoming.read() {
                Ok(Message::Binary(payload)) => out.extend_from_slice(&payload),
                Ok(Message::Text(_)) => {
                    self.event("text", json!({}));
                    return Err(broken("a text frame, where MQTT needs binary ones".into()));
                }
                Ok(Message::Ping(payload)) => self.event("ping", json!({"bytes": payload.len()})),
                Ok(Message::Pong(payload)) => self.event("pong", json!({"bytes": payload.len()})),
                Ok(Message::Close(frame)) => {
                    let code = frame.map(|frame| u16::from(frame.code));
                    self.event("close", json!({"code": code}));
                    let _ = incoming.flush();
                    return Ok(Some(if seen {
                        Received::Data
                    } else {
                        Received::CloseFrame(code)
                    }));
                }
                Ok(Message::Frame(_)) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    let _ = incoming.flush();
                    return Ok(seen.then_some(Received::Data));
                }
                Err(_) if seen => return Ok(Some(Received::Data)),
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => {
                    return Ok(Some(Received::CloseFrame(None)));
                }
                Err(error) => return Err(broken(format!("WebSocket: {error}"))),
            }
        }
    }

    /// What is to be sent in answer to control frames.
    pub fn outgoing(&self) -> Vec<u8> {
        std::mem::take(&mut self.lock().get_mut().outgoing)
    }

    /// The frames that carry these bytes as one message, spoiled by whatever fault is active.
    pub fn frames(&self, bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let mut frames = Vec::new();
        if self.applied("ws-ping").is_some() {
            frames.push(encoded(Frame::ping(&b"iotx-platform"[..]))?);
        }
        let kind = if self.applied("ws-text").is_some() {
            Data::Text
        } else {
            Data::Binary
        };
        if let Some(length) = self.applied("ws-oversize") {
            let header = FrameHeader {
                opcode: OpCode::Data(kind),
                ..FrameHeader::default()
            };
            let mut frame = Vec::new();
            header
                .format(length, &mut frame)
                .map_err(io::Error::other)?;
            frame.extend_from_slice(bytes);
            frames.push(frame);
            return Ok(frames);
        }
        let size = self
            .applied("ws-fragment")
            .and_then(|size| usize::try_from(size).ok())
            .map_or(bytes.len(), |size| size.clamp(1, bytes.len().max(1)));
        let mask = self.applied("ws-masked").map(|_| [0x12, 0x34, 0x56, 0x78]);
        let reserved = self.applied("ws-rsv").is_some();
        let count = bytes.len().div_ceil(size.max(1)).max(1);
        for index in 0..count {
            let piece = &bytes[index * size..bytes.len().min((index + 1) * size)];
            let opcode = OpCode::Data(if index == 0 { kind } else { Data::Continue });
            let mut frame = Frame::message(piece.to_vec(), opcode, index + 1 == count);
            frame.header_mut().mask = mask;
            frame.header_mut().rsv1 = reserved;
            frames.push(encoded(frame)?);
        }
        Ok(frames)
    }

    fn applied(&self, name: &str) -> Option<u64> {
        let number = self.faults.take(name)?;
        self.events
            .record("fault", json!({"fault": name, "conn": self.conn}));
        Some(number)
    }

    fn event(&self, frame: &str, mut fields: Value) {
        fields["frame"] = frame.into();
        fields["conn"] = self.conn.into();
        self.events.record("websocket_frame", fields);
    }
}

fn encoded(frame: Frame) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(frame.len());
    frame.format(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// A close frame with this code; empty if the code cannot be sent.
pub fn close_frame(code: u16) -> Vec<u8> {
    let frame = Frame::close(Some(CloseFrame {
        code: CloseCode::from(code),
        reason: "".into(),
    }));
    encoded(frame).unwrap_or_default()
}

/// Answers the request to change to WebSocket; gives the connection for MQTT, or `None` if there will be none.
pub fn open(platform: &Platform, link: Link, conn: u64) -> Option<Link> {
    let failed = |error: &str, status: Option<u16>| {
        let fields = json!({"conn": conn, "ok": false, "error": error, "status": status});
        platform.events.record("websocket", fields);
    };
    let (head, rest) = match http::read_head(&link, platform.options.patience) {
        Ok(read) => read,
        Err(error) => {
            failed(&error, None);
            return None;
        }
    };
    if applied(platform, conn, "ws-stall").is_some() {
        failed("never answered, by a fault", None);
        let mut rest = Vec::new();
        while !platform.is_stopping()
            && matches!(
                link.receive(&mut rest),
                Ok(Received::Data | Received::Nothing)
            )
        {
            rest.clear();
        }
        return None;
    }
    let refuse = |status: u16, reason: &str, error: &str| {
        failed(error, Some(status));
        let version = if status == 426 {
            "Sec-WebSocket-Version: 13\r\n"
        } else {
            ""
        };
        refuse(&link, status, reason, version);
    };
    if let Some(status) = applied(platform, conn, "ws-status") {
        refuse(status as u16, "As Asked", "this status was asked for");
        return None;
    }
    if applied(platform, conn, "ws-redirect").is_some() {
        failed("a redirection was asked for", Some(302));
        self::refuse(
            &link,
            302,
            "Found",
            "Location: wss://localhost/elsewhere\r\n",
        );
        return None;
    }
    let answer = match check(platform, &head) {
        Ok(answer) => answer,
        Err((status, reason, error)) => {
            refuse(status, reason, &error);
            return None;
        }
    };
    let (mut answer, protocol) = answer;
    let fields = answer.headers_mut();
    if applied(platform, conn, "ws-accept").is_some() {
        let wrong = HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        fields.insert("Sec-WebSocket-Accept", wrong);
    }
    if applied(platform, conn, "ws-no-protocol").is_none()
        && let Ok(value) = HeaderValue::from_str(protocol)
    {
        fields.insert("Sec-WebSocket-Protocol", value);
    }
    if let Some(size) = applied(platform, conn, "ws-headers")
        && let Ok(value) = HeaderValue::from_str(&"x".repeat(size as usize))
    {
        fields.insert("X-Padding", value);
    }
    platform.events.record(
        "websocket",
        json!({
            "conn": conn, "ok": true, "path": head.target, "protocol": protocol, "host": head.field("Host"),
            "headers": logged(&head),
        }),
    );
    let mut bytes = Vec::new();
    if write_response(&mut bytes, &answer).is_err() || link.send_below(&bytes).is_err() {
        return None;
    }
    Some(link.upgrade(Channel::new(platform, conn, rest)))
}

fn applied(platform: &Platform, conn: u64, name: &str) -> Option<u64> {
    crate::connection::applied(platform, conn, name)
}

type Answer<'a> = (tungstenite::handshake::server::Response, &'a str);

/// The 101 for a good request, with the sub-protocol chosen; or status, reason phrase, and the reason for the log.
fn check<'a>(
    platform: &Platform,
    head: &'a Head,
) -> Result<Answer<'a>, (u16, &'static str, String)> {
    let bad = |error: String| (400, "Bad Request", error);
    let path = &platform.options.ws_path;
    if head.target.split('?').next() != Some(path) {
        let error = format!("the path is {:?}, not {path:?}", head.target);
        return Err((404, "Not Found", error));
    }
    if head.field("Host").is_none() {
        return Err(bad("there is no Host".into()));
    }
    let mut request = Request::builder()
        .method(head.method.as_str())
        .uri(head.target.as_str())
        .version(if head.minor == 0 {
            Version::HTTP_10
        } else {
            Version::HTTP_11
        });
    for (name, value) in &head.fields {
        let name = HeaderName::try_from(name.as_str());
        let value = HeaderValue::try_from(value.as_str());
        if let (Ok(name), Ok(value)) = (name, value) {
            request = request.header(name, value);
        }
    }
    let request = request.body(()).map_err(|error| bad(error.to_string()))?;
    let answer = create_response(&request).map_err(|error| match error {
        Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader) => {
            (426, "Upgrade Required", error.to_string())
        }
        Error::Protocol(ProtocolError::WrongHttpMethod) => {
            (405, "Method Not Allowed", error.to_string())
        }
        error => bad(error.to_string()),
    })?;
    let protocol = head
        .fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Protocol"))
        .flat_map(|(_, value)| value.split(','))
        .map(str::trim)
        .find(|name| matches!(*name, "mqtt" | "mqttv3.1"));
    match protocol {
        Some(protocol) => Ok((answer, protocol)),
        None => Err(bad("the sub-protocol mqtt is not offered".into())),
    }
}

fn refuse(link: &Link, status: u16, reason: &str, fields: &str) {
    let text = format!(
        "HTTP/1.1 {status} {reason}\r\n{fields}Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let _ = link.send_below(text.as_bytes());
    link.close(crate::link::How::Graceful);
    link.drain();
}

/// The fields of a request for the log, without what may be secret.
fn logged(head: &Head) -> Value {
    let fields = head
        .fields
        .iter()
        .map(|(name, value)| (name.to_lowercase(), value))
        .filter(|(name, _)| !SECRET_FIELDS.contains(&name.as_str()))
        .map(|(name, value)| (name, Value::from(value.as_str())));
    Value::Object(fields.collect::<Map<_, _>>())
}

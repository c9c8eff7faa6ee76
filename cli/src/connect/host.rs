//! What the client tells, as news in one queue.

use std::ffi::CStr;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::Sender;
use std::time::Instant;

use iotx::device::{Callback, ClientEvent, Host, Names};
use iotx::hal::diagnostics::{Failure, TlsInfo};

use super::stages::Passed;

/// Something that happened, in the order it did.
pub enum News {
    /// A stage of connecting is over.
    Stage(Passed),
    /// The transport is open.
    Open {
        /// When.
        at: Instant,
        /// What TLS agreed on.
        tls: Option<TlsInfo>,
    },
    /// The transport failed.
    Failed(Failure),
    /// CONNACK 0.
    Connected {
        /// When.
        at: Instant,
        /// Whether the server kept the session.
        session_present: bool,
    },
    /// A connect attempt failed: state code and reason.
    AttemptFailed(i32, String),
    /// The connection is lost: the reason.
    Lost(String),
    /// SUBACK: packet id, granted or not.
    Subscribed(u16, bool),
    /// UNSUBACK.
    Unsubscribed(u16),
    /// PUBACK.
    Published(u16),
    /// A message.
    Message {
        /// Its topic.
        topic: String,
        /// Its payload.
        payload: Vec<u8>,
        /// Its QoS.
        qos: u8,
    },
    /// A packet that was too large and was skipped.
    TooLarge,
}

/// The host of the one client.
pub struct Reporter {
    news: Sender<News>,
    reason: Mutex<String>,
}

impl Reporter {
    /// Tells everything to `news`.
    pub fn new(news: Sender<News>) -> Self {
        Reporter {
            news,
            reason: Mutex::default(),
        }
    }

    fn tell(&self, news: News) {
        // Nobody listens any more when the program is about to end.
        let _ = self.news.send(news);
    }
}

impl Host for Reporter {
    fn deliver(&self, _: Callback, event: ClientEvent<'_>) {
        self.tell(match event {
            ClientEvent::Disconnected => {
                let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
                News::Lost(reason.clone())
            }
            ClientEvent::Reconnected { session_present } => News::Connected {
                at: Instant::now(),
                session_present,
            },
            ClientEvent::SubscribeSuccess(id) => News::Subscribed(id, true),
            ClientEvent::SubscribeNack(id) => News::Subscribed(id, false),
            ClientEvent::UnsubscribeSuccess(id) => News::Unsubscribed(id),
            ClientEvent::PublishSuccess(id) => News::Published(id),
            ClientEvent::Message(message) => News::Message {
                topic: String::from_utf8_lossy(message.topic).into_owned(),
                payload: message.payload.to_vec(),
                qos: message.qos,
            },
            ClientEvent::BufferOverflow => News::TooLarge,
        });
    }

    fn state(&self, code: i32, text: &str) {
        if code != 0 {
            let mut reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
            text.clone_into(&mut reason);
        }
    }

    fn attempt_failed(&self, code: i32, text: &str) {
        self.tell(News::AttemptFailed(code, text.to_owned()));
    }

    fn identity_received(&self, _: &CStr) {}

    fn store_names(&self, _: &str, _: &str) {}

    fn names(&self) -> Names {
        Names::default()
    }

    fn next_report_id(&self) -> u32 {
        1
    }
}

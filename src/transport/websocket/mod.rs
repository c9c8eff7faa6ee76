//! WebSocket over any other link (RFC 6455; spec transport.md §4).
//!
//! What the session writes becomes binary frames; what arrives in binary frames, however they cut it, is a
//! stream of bytes again. Frames of the server are taken apart in the reader's own buffer, so that reading
//! needs no memory of its own, however long a frame is.

pub mod frame;
pub mod handshake;
mod link;

use std::sync::Arc;

use self::handshake::{Key, WebSocket};
use self::link::WsLink;
use super::http::Asking;
use super::{DialBounds, Dialing, Link, Target};
use crate::hal::diagnostics::{Failure, Stage};
use crate::hal::seam;

/// What links say when there is no randomness for a mask.
const NO_RANDOM: &str = "no random source";

/// A WebSocket connection being set up.
pub(super) struct WsDialing {
    websocket: WebSocket,
    host: String,
    port: u16,
    answer_ms: u32,
    at: At,
}

enum At {
    Connecting(Box<dyn Dialing>),
    Asking(Arc<dyn Link>, Key, Asking),
    Over,
}

impl WsDialing {
    /// A connection over the one that `dialing` sets up.
    pub(super) fn over(
        dialing: Box<dyn Dialing>,
        websocket: &WebSocket,
        target: &Target,
        bounds: &DialBounds,
    ) -> Self {
        WsDialing {
            websocket: websocket.clone(),
            host: target.host.to_string_lossy().into_owned(),
            port: target.port,
            answer_ms: bounds.handshake_ms,
            at: At::Connecting(dialing),
        }
    }

    fn ask(&self, link: Arc<dyn Link>) -> Result<At, Failure> {
        let mut random = [0; 16];
        if seam::random_fill(&mut random).is_err() {
            return Err(Failure::new(Stage::WebSocket, NO_RANDOM));
        }
        let key = Key::new(random);
        let request = self.websocket.request(&self.host, self.port, &key);
        Ok(At::Asking(link, key, Asking::new(request, self.answer_ms)))
    }
}

impl Dialing for WsDialing {
    fn step(&mut self, wait_ms: u32) -> Result<Option<Arc<dyn Link>>, Failure> {
        match std::mem::replace(&mut self.at, At::Over) {
            At::Connecting(mut dialing) => {
                self.at = match dialing.step(wait_ms)? {
                    None => At::Connecting(dialing),
                    Some(link) => self.ask(link)?,
                };
                Ok(None)
            }
            At::Asking(link, key, mut asking) => {
                let asked = asking
                    .step(&*link, wait_ms)
                    .map_err(|text| Failure::new(Stage::WebSocket, text))?;
                let Some((answer, behind)) = asked else {
                    self.at = At::Asking(link, key, asking);
                    return Ok(None);
                };
                match handshake::check(&answer, &key) {
                    Ok(()) => Ok(Some(Arc::new(WsLink::new(link, behind)))),
                    Err(refusal) if refusal.passing => {
                        Err(Failure::new(Stage::WebSocket, refusal.text))
                    }
                    Err(refusal) => Err(Failure::new(Stage::WebSocketRefused, refusal.text)),
                }
            }
            At::Over => Err(Failure::new(Stage::WebSocket, "over")),
        }
    }

    fn stage(&self) -> Stage {
        match &self.at {
            At::Connecting(dialing) => dialing.stage(),
            At::Asking(..) | At::Over => Stage::WebSocket,
        }
    }
}

//! One connection from the first stage to DISCONNECT.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use iotx::device::{Callback, Client, OutMessage};
use iotx::hal::diagnostics::{Failure, Stage, TlsInfo};
use iotx::state;
use serde_json::{Value, json};

use super::host::{News, Reporter};
use super::stages::{Watched, chain_seen, tls_text};
use crate::account::certificate::{Summary, date};
use crate::account::{Account, Ready, Scheme};
use crate::output::{Exit, Output, Problem};

/// Longest time between two looks at Ctrl-C and at commands.
const LOOK_MS: u64 = 50;
/// Where the platform tells an X.509 device its names.
const IDENTITY_TOPIC: &str = "/ext/auth/identity/response";
/// How long the identity may take, as the library waits for it.
const IDENTITY_WAIT: Duration = Duration::from_millis(4_500);
const ANY: Callback = Callback {
    function: 1,
    context: 0,
};

/// Why there is no connection.
pub enum NoConnection {
    /// Ctrl-C.
    Interrupted,
    /// The transport: name, port, proxy, TLS, WebSocket.
    Transport(Failure),
    /// CONNECT: state code and text.
    Mqtt(i32, String),
}

impl NoConnection {
    /// As the end of a command.
    pub fn problem(&self) -> Problem {
        match self {
            NoConnection::Interrupted => Problem::new(Exit::Interrupted, "interrupted"),
            NoConnection::Transport(failure) => {
                let exit = match failure.stage {
                    Stage::TlsHandshake | Stage::TlsVerify => Exit::Tls,
                    Stage::TlsConfig => Exit::Input,
                    _ => Exit::Network,
                };
                Problem::new(exit, failure.to_string())
            }
            NoConnection::Mqtt(code, text) => {
                let refused = matches!(
                    *code,
                    state::STATE_MQTT_CONNACK_VERSION_UNACCEPT
                        | state::STATE_MQTT_CONNACK_IDENT_REJECT
                        | state::STATE_MQTT_CONNACK_SERVICE_NA
                        | state::STATE_MQTT_CONNACK_BAD_USERDATA
                        | state::STATE_MQTT_CONNACK_NOT_AUTHORIZED
                        | state::STATE_MQTT_CONNACK_UNKNOWN_ERROR
                );
                let exit = if refused {
                    Exit::Refused
                } else {
                    Exit::Network
                };
                Problem::new(exit, text.as_str())
            }
        }
    }
}

/// A client, what it tells, and what is known of the device.
pub struct Session<'a> {
    client: Client,
    news: Receiver<News>,
    output: &'a Output,
    stop: &'a AtomicBool,
    /// Product key and device name, empty if not known.
    pub names: (String, String),
    /// The chain of the server, its own certificate first.
    pub chain: Vec<Summary>,
    /// Payload to answer RRPC requests with; the inner `None` sends the request back.
    pub rrpc: Option<Option<Vec<u8>>>,
    awaits_identity: bool,
    /// Messages of the application received so far.
    pub received: u64,
    /// SUBACKs and PUBACKs that have not come: packet ids.
    pending: Vec<u16>,
    refused: bool,
    lost: bool,
    losses: u32,
}

impl<'a> Session<'a> {
    /// A session that is not connected.
    pub fn new(
        account: &Account,
        ready: &Ready,
        output: &'a Output,
        stop: &'a AtomicBool,
    ) -> Result<Self, Problem> {
        let (sender, news) = mpsc::channel();
        let dialer = Arc::new(Watched {
            news: sender.clone(),
        });
        let host = Arc::new(Reporter::new(sender));
        Ok(Session {
            client: Client::with_dialer(ready.config(account)?, host, dialer),
            news,
            output,
            stop,
            names: (ready.product_key.clone(), ready.device_name.clone()),
            chain: Vec::new(),
            rrpc: None,
            awaits_identity: matches!(account.scheme, Scheme::X509 | Scheme::PrivateCa)
                && ready.endpoint.tls
                && (ready.product_key.is_empty() || ready.device_name.is_empty()),
            received: 0,
            pending: Vec::new(),
            refused: false,
            lost: false,
            losses: 0,
        })
    }

    /// Connects, in one attempt; shows each stage.
    pub fn connect(&mut self) -> Result<(), NoConnection> {
        self.client.start();
        let mut since = Instant::now();
        let mut transport = None;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(NoConnection::Interrupted);
            }
            // No handler runs on this thread outside of poll.
            let _ = self.client.poll(LOOK_MS);
            while let Ok(news) = self.news.try_recv() {
                match news {
                    News::Open { at, tls } => {
                        since = at;
                        self.chain = chain_seen();
                        if let Some(info) = tls {
                            self.show_tls(&info);
                        }
                    }
                    News::Failed(failure) => {
                        self.chain = chain_seen();
                        if failure.stage == Stage::TlsVerify {
                            self.show_refused_chain();
                        }
                        transport = Some(failure);
                    }
                    News::Connected {
                        at,
                        session_present,
                    } => {
                        let ms = at.duration_since(since).as_millis() as u64;
                        let kept = if session_present {
                            ", session kept"
                        } else {
                            ""
                        };
                        self.output.event(
                            "stage",
                            json!({"stage": "connack", "ms": ms, "session_present": session_present}),
                            &format!("connack    {ms:>6} ms  accepted{kept}"),
                        );
                        self.await_identity(since);
                        return Ok(());
                    }
                    News::AttemptFailed(code, text) => {
                        self.client.stop();
                        return Err(match transport {
                            Some(failure) => NoConnection::Transport(failure),
                            None => NoConnection::Mqtt(code, text),
                        });
                    }
                    other => self.take(other),
                }
            }
        }
    }

    fn show_tls(&self, info: &TlsInfo) {
        self.output.event(
            "tls",
            json!({
                "version": info.version, "suite": info.suite, "resumed": info.resumed,
                "server_name": info.server_name, "dates_ignored": info.dates_ignored,
                "chain": self.chain_json(),
            }),
            &format!("{:22}{}{}", "", tls_text(info), self.chain_text()),
        );
    }

    /// The chain of a server that was not trusted.
    fn show_refused_chain(&self) {
        if !self.chain.is_empty() {
            let text = format!("not trusted:{}", self.chain_text());
            self.output
                .event("chain", json!({"chain": self.chain_json()}), &text);
        }
    }

    fn chain_json(&self) -> Vec<Value> {
        self.chain.iter().map(Summary::to_json).collect()
    }

    fn chain_text(&self) -> String {
        let line = |certificate: &Summary| {
            let from = date(certificate.not_before);
            let to = date(certificate.not_after);
            let (subject, issuer) = (&certificate.subject, &certificate.issuer);
            format!("\n{:22}{subject}, by {issuer}, {from} to {to}", "")
        };
        self.chain.iter().map(line).collect()
    }

    fn await_identity(&mut self, since: Instant) {
        let end = Instant::now() + IDENTITY_WAIT;
        while self.awaits_identity && Instant::now() < end && !self.stopped() && !self.lost {
            self.look(LOOK_MS);
        }
        if self.awaits_identity {
            let ms = since.elapsed().as_millis() as u64;
            self.output.event(
                "stage",
                json!({"stage": "identity", "ms": ms, "ok": false}),
                &format!("identity   {ms:>6} ms  none: the server does not say who this device is"),
            );
        }
    }

    /// Whether the server has told the names, or they need not be told.
    pub fn identified(&self) -> bool {
        !self.awaits_identity
    }

    /// Ctrl-C was pressed.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Lets things happen for up to `wait_ms`, and shows what did.
    pub fn look(&mut self, wait_ms: u64) {
        let _ = self.client.poll(wait_ms.max(1));
        while let Ok(news) = self.news.try_recv() {
            self.take(news);
        }
    }

    /// How often the connection was lost.
    pub fn losses(&self) -> u32 {
        self.losses
    }

    fn take(&mut self, news: News) {
        match news {
            News::Stage(passed) => {
                let ms = passed.time.as_millis() as u64;
                self.output.event(
                    "stage",
                    json!({"stage": passed.name, "ms": ms}),
                    &format!("{:<10} {ms:>6} ms", passed.name),
                );
            }
            News::Message {
                topic,
                payload,
                qos,
            } => self.message(&topic, &payload, qos),
            News::Subscribed(id, granted) => {
                self.settled(id);
                self.refused |= !granted;
                let text = if granted {
                    "granted"
                } else {
                    "refused by the server"
                };
                self.output.event(
                    "suback",
                    json!({"packet_id": id, "granted": granted}),
                    &format!("subscription {id}: {text}"),
                );
            }
            News::Unsubscribed(id) => {
                self.settled(id);
                self.output.event(
                    "unsuback",
                    json!({"packet_id": id}),
                    &format!("subscription ended ({id})"),
                );
            }
            News::Published(id) => {
                self.settled(id);
                self.output.event(
                    "puback",
                    json!({"packet_id": id}),
                    &format!("message {id}: acknowledged"),
                );
            }
            News::Lost(reason) => {
                self.lost = true;
                self.losses += 1;
                self.output.event(
                    "lost",
                    json!({"text": reason}),
                    &format!("connection lost: {reason}"),
                );
            }
            News::Connected {
                session_present, ..
            } => {
                self.lost = false;
                self.output.event(
                    "reconnected",
                    json!({"session_present": session_present}),
                    "connected again",
                );
            }
            News::AttemptFailed(code, text) => self.output.event(
                "attempt_failed",
                json!({"code": code, "text": text}),
                &format!("not connected: {text}"),
            ),
            News::TooLarge => {
                self.output
                    .event("too_large", json!({}), "a message over 1 MiB was skipped");
            }
            News::Open { .. } | News::Failed(_) => {}
        }
    }

    fn settled(&mut self, id: u16) {
        self.pending.retain(|pending| *pending != id);
    }

    fn message(&mut self, topic: &str, payload: &[u8], qos: u8) {
        if topic == IDENTITY_TOPIC && self.identity(payload) {
            return;
        }
        let shown = String::from_utf8_lossy(payload).into_owned();
        let mut fields = json!({"topic": topic, "qos": qos, "bytes": payload.len()});
        match std::str::from_utf8(payload) {
            Ok(text) => fields["payload"] = json!(text),
            Err(_) => fields["payload_hex"] = json!(hex(payload)),
        }
        self.output
            .event("message", fields, &format!("{topic}: {shown}"));
        self.received += 1;
        if let (Some(answer), Some(reply_to)) = (self.rrpc.clone(), reply_topic(topic)) {
            let answer = answer.unwrap_or_else(|| payload.to_vec());
            let sent = self.send(&reply_to, &answer, 0).err();
            let text = match sent {
                None => format!("answered on {reply_to}"),
                Some(code) => format!("not answered: {}", describe(code)),
            };
            self.output.event(
                "rrpc",
                json!({"topic": reply_to, "ok": sent.is_none()}),
                &text,
            );
        }
    }

    /// Takes the names in; false if the payload has none.
    fn identity(&mut self, payload: &[u8]) -> bool {
        let Ok(value) = serde_json::from_slice::<Value>(payload) else {
            return false;
        };
        let (Some(product_key), Some(device_name)) =
            (value["productKey"].as_str(), value["deviceName"].as_str())
        else {
            return false;
        };
        self.names = (product_key.to_owned(), device_name.to_owned());
        self.awaits_identity = false;
        self.output.event(
            "identity",
            json!({"product_key": product_key, "device_name": device_name}),
            &format!("identity              product key {product_key}, device name {device_name}"),
        );
        true
    }

    fn send(&mut self, topic: &str, payload: &[u8], qos: u8) -> Result<u16, i32> {
        self.client.publish(&OutMessage {
            topic: topic.as_bytes(),
            payload: Some(payload),
            qos: qos.into(),
            retain: false,
        })
    }

    /// `{pk}` and `{dn}` replaced by the names of the device.
    fn filled(&self, topic: &str) -> String {
        topic
            .replace("{pk}", &self.names.0)
            .replace("{dn}", &self.names.1)
    }

    /// Subscribes and waits for the answer.
    pub fn subscribe(&mut self, filter: &str, qos: u8) -> Result<(), String> {
        let filter = self.filled(filter);
        let id = self
            .client
            .subscribe(filter.as_bytes(), qos.into(), ANY)
            .map_err(describe)?;
        self.refused = false;
        self.answered(id, "SUBACK")?;
        if self.refused {
            return Err(format!("the server refuses the subscription to {filter}"));
        }
        Ok(())
    }

    /// Ends a subscription and waits for the answer.
    pub fn unsubscribe(&mut self, filter: &str) -> Result<(), String> {
        let filter = self.filled(filter);
        let id = self
            .client
            .unsubscribe(filter.as_bytes())
            .map_err(describe)?;
        self.answered(id, "UNSUBACK")
    }

    /// Publishes; with QoS 1 waits for the answer.
    pub fn publish(&mut self, topic: &str, payload: &[u8], qos: u8) -> Result<(), String> {
        let topic = self.filled(topic);
        let id = self.send(&topic, payload, qos).map_err(describe)?;
        if qos == 0 {
            return Ok(());
        }
        self.answered(id, "PUBACK")
    }

    fn answered(&mut self, id: u16, what: &str) -> Result<(), String> {
        const ANSWER: Duration = Duration::from_secs(10);
        self.pending.push(id);
        let end = Instant::now() + ANSWER;
        loop {
            self.look(LOOK_MS);
            if !self.pending.contains(&id) {
                return Ok(());
            }
            let why = if self.stopped() {
                "interrupted".to_owned()
            } else if self.lost {
                format!("the connection was lost before {what}")
            } else if Instant::now() >= end {
                format!("no {what} within {} s", ANSWER.as_secs())
            } else {
                continue;
            };
            self.settled(id);
            return Err(why);
        }
    }

    /// DISCONNECT.
    pub fn close(&self) {
        self.client.close();
    }
}

/// The topic of the answer to an RRPC request: the plain form, and the one with a topic of the user's.
fn reply_topic(topic: &str) -> Option<String> {
    if topic.starts_with("/ext/rrpc/") {
        return Some(topic.to_owned());
    }
    let (head, id) = topic.rsplit_once('/')?;
    let head = head.strip_suffix("/rrpc/request")?;
    Some(format!("{head}/rrpc/response/{id}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A state code in words.
fn describe(code: i32) -> String {
    format!("{} ({code})", state::describe(code).to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::{hex, reply_topic};

    #[test]
    fn topics_of_answers() {
        assert_eq!(
            reply_topic("/sys/pk/dn/rrpc/request/17").as_deref(),
            Some("/sys/pk/dn/rrpc/response/17")
        );
        assert_eq!(
            reply_topic("/ext/rrpc/17/pk/dn/user/get").as_deref(),
            Some("/ext/rrpc/17/pk/dn/user/get")
        );
        for other in [
            "/pk/dn/user/get",
            "/sys/pk/dn/rrpc/response/17",
            "request",
            "",
        ] {
            assert_eq!(reply_topic(other), None, "{other}");
        }
        assert_eq!(hex(&[0, 0xff]), "00ff");
    }
}

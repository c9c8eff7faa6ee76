//! One connected client: its queue of outgoing packets, the thread that writes them, its closing.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::auth::Accepted;
use crate::events::Events;
use crate::faults::Faults;
use crate::link::{How, Link};
use crate::tls::TlsInfo;
use crate::transport::Transport;

/// Packets that may wait for a client that reads slowly.
const QUEUE: usize = 4096;
/// How long `coalesce` waits for another packet.
const COALESCE: Duration = Duration::from_millis(30);

/// What the writing thread is told to do.
enum Out {
    Bytes(Vec<u8>),
    Freeze,
    Close(How, String),
}

/// A connected client. Shared by its two threads, the broker and the control port.
pub struct Client {
    /// Number of the connection.
    pub conn: u64,
    /// Its address.
    pub peer: SocketAddr,
    /// What the connection came over.
    pub transport: Transport,
    /// The byte stream.
    pub link: Link,
    /// What TLS settled, `None` on plain TCP.
    pub tls: Option<TlsInfo>,
    /// Set once CONNECT was accepted.
    pub accepted: OnceLock<Accepted>,
    queue: SyncSender<Out>,
    closed: AtomicBool,
    frozen: AtomicBool,
    deaf: AtomicBool,
    activity: Mutex<Instant>,
    events: Arc<Events>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}

impl Client {
    /// Starts the writing thread and returns the client.
    pub fn start(
        conn: u64,
        peer: SocketAddr,
        transport: Transport,
        link: Link,
        tls: Option<TlsInfo>,
        events: Arc<Events>,
        faults: Arc<Faults>,
    ) -> Arc<Self> {
        let (queue, receiver) = sync_channel(QUEUE);
        let client = Arc::new(Self {
            conn,
            peer,
            transport,
            link,
            tls,
            accepted: OnceLock::new(),
            queue,
            closed: AtomicBool::new(false),
            frozen: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            activity: Mutex::new(Instant::now()),
            events,
        });
        let writer = Arc::clone(&client);
        thread::spawn(move || write_loop(&writer, &receiver, &faults));
        client
    }

    /// The device as text, `None` before CONNECT was accepted.
    pub fn device(&self) -> Option<String> {
        self.accepted
            .get()
            .map(|accepted| accepted.device.to_string())
    }

    /// Records an event about this client; connection and device are added to `fields`.
    pub fn record(&self, event: &str, mut fields: Value) {
        fields["conn"] = self.conn.into();
        if fields.get("device").is_none() {
            fields["device"] = self.device().into();
        }
        self.events.record(event, fields);
    }

    /// Queues a packet. A client that lets its queue run full is disconnected: `false`.
    pub fn send(&self, bytes: Vec<u8>) -> bool {
        self.enqueue(Out::Bytes(bytes))
    }

    /// Stops reading and writing once everything queued so far is sent; the socket stays.
    pub fn freeze(&self) {
        self.enqueue(Out::Freeze);
    }

    /// Closes once everything queued so far is sent.
    pub fn close(&self, how: How, reason: &str) {
        self.enqueue(Out::Close(how, reason.to_owned()));
    }

    fn enqueue(&self, item: Out) -> bool {
        match self.queue.try_send(item) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.close_now(How::Abrupt, "the client does not read its messages");
                false
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }

    /// Closes at once, whatever is queued. The first call decides and logs the reason.
    pub fn close_now(&self, how: How, reason: &str) {
        if !self.closed.swap(true, Ordering::SeqCst) {
            self.record("closed", json!({"reason": reason}));
            self.link.close(how);
            // Wakes the writing thread, which ends.
            let _ = self.queue.try_send(Out::Freeze);
        }
    }

    /// Closed on our side, or by the client.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Stopped by [`Client::freeze`].
    pub fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::SeqCst)
    }

    /// Whether what the client sends is read but not looked at.
    pub fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::SeqCst)
    }

    /// From now on what the client sends is read but not looked at.
    pub fn deafen(&self) {
        self.deaf.store(true, Ordering::SeqCst);
    }

    /// The keep-alive timer starts again.
    pub fn touch(&self) {
        *lock(&self.activity) = Instant::now();
    }

    /// How long the client has been silent at `now`.
    pub fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(*lock(&self.activity))
    }
}

fn write_loop(client: &Client, receiver: &Receiver<Out>, faults: &Faults) {
    let mut waiting: Option<Out> = None;
    loop {
        let item = match waiting.take() {
            Some(item) => item,
            None => match receiver.recv_timeout(Duration::from_millis(200)) {
                Ok(item) => item,
                Err(RecvTimeoutError::Timeout) if !client.is_closed() => continue,
                Err(_) => return,
            },
        };
        if client.is_closed() {
            return;
        }
        match item {
            Out::Freeze => client.frozen.store(true, Ordering::SeqCst),
            Out::Close(how, reason) => client.close_now(how, &reason),
            Out::Bytes(_) if client.is_frozen() => {}
            Out::Bytes(mut bytes) => {
                if faults.take("coalesce").is_some() {
                    while bytes.len() < 1 << 20 {
                        match receiver.recv_timeout(COALESCE) {
                            Ok(Out::Bytes(more)) => bytes.extend(more),
                            Ok(other) => {
                                waiting = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                }
                if let Some(delay) = faults.take("delay") {
                    thread::sleep(Duration::from_millis(delay));
                }
                let sent = if faults.take("byte-by-byte").is_some() {
                    bytes.iter().try_for_each(|byte| client.link.send(&[*byte]))
                } else {
                    client.link.send(&bytes)
                };
                if let Err(error) = sent {
                    client.close_now(How::Abrupt, &format!("sending failed: {error}"));
                }
            }
        }
    }
}

//! A client, a broker, and the memory between them.

use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use iotx::device::states::Phase;
use iotx::device::{
    Callback, Client, ClientEvent, Config, ConnectBounds, Host, Names, OutMessage, Reconnect,
};
use iotx::hal::diagnostics::{Failure, Stage, TlsInfo};
use iotx::hal::seam;
use iotx::mqtt::{Limits, Login, topic};
use iotx::transport::{DialBounds, Dialer, Dialing, Link, LinkError, Security, Target};

use super::broker::{Broker, Manners, Packet};
use super::hal;

pub const REQUEST_TIMEOUT: u64 = 5_000;
pub const KEEPALIVE: u64 = 60_000;
pub const ATTEMPT_MAX: u64 = 40_000;

/// The default handler and a handler of a filter.
pub const DEFAULT: Callback = Callback {
    function: 1,
    context: 0,
};
pub const HANDLER: Callback = Callback {
    function: 2,
    context: 7,
};

/// What the next steps of a connection being set up come to.
#[derive(Clone)]
pub enum Dial {
    /// Nothing yet.
    Pending,
    Open,
    Fail(Failure),
}

type Hook = Box<dyn FnOnce() -> Result<usize, LinkError> + Send>;

/// The memory between the peers.
pub struct Net {
    pub broker: Broker,
    pub dial: Dial,
    /// Attempts begun.
    pub dials: usize,
    /// Number of the connection that works; 0 for none.
    open: usize,
    links_made: usize,
    to_client: Vec<u8>,
    /// The server ends the connection once everything has been read.
    closing: bool,
    /// The server's side takes bytes.
    pub takes: bool,
    /// Runs inside the next write of the client, without the lock.
    on_write: Option<Hook>,
    /// Runs inside each step of a dial, without the lock.
    on_dial: Option<Arc<dyn Fn() + Send + Sync>>,
    /// What a dial says it is at.
    pub stage: Stage,
    /// Where the client stood whenever it dialled or slept.
    pub seen: Vec<Phase>,
    client: Weak<Client>,
}

#[derive(Clone)]
pub struct SharedNet(Arc<Mutex<Net>>);

thread_local! {
    static SLEEPER: RefCell<Option<SharedNet>> = const { RefCell::new(None) };
}

/// A `HAL_SleepMs` of this thread.
pub fn slept() {
    SLEEPER.with(|sleeper| {
        if let Some(net) = &*sleeper.borrow() {
            net.note_phase();
        }
    });
}

impl SharedNet {
    pub fn lock(&self) -> MutexGuard<'_, Net> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_phase(&self) {
        let client = self.lock().client.upgrade();
        if let Some(client) = client {
            let phase = client.phase();
            self.lock().seen.push(phase);
        }
    }
}

/// Counts links and dials that exist.
#[derive(Clone, Default)]
pub struct Alive {
    pub links: Arc<AtomicUsize>,
    pub dials: Arc<AtomicUsize>,
}

struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::SeqCst);
        Counted(Arc::clone(counter))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct MemDialer {
    net: SharedNet,
    alive: Alive,
}

struct MemDialing {
    net: SharedNet,
    alive: Alive,
    _counted: Counted,
}

struct MemLink {
    net: SharedNet,
    number: usize,
    _counted: Counted,
}

impl Dialer for MemDialer {
    fn dial(&self, _: &Target, _: &DialBounds) -> Result<Box<dyn Dialing>, Failure> {
        self.net.lock().dials += 1;
        Ok(Box::new(MemDialing {
            net: self.net.clone(),
            alive: self.alive.clone(),
            _counted: Counted::new(&self.alive.dials),
        }))
    }
}

impl Dialing for MemDialing {
    fn step(&mut self, wait_ms: u32) -> Result<Option<Arc<dyn Link>>, Failure> {
        self.net.note_phase();
        let hook = self.net.lock().on_dial.clone();
        if let Some(hook) = hook {
            hook();
        }
        let mut net = self.net.lock();
        match net.dial.clone() {
            Dial::Pending => {
                drop(net);
                hal::advance(wait_ms.into());
                Ok(None)
            }
            Dial::Fail(failure) => Err(failure),
            Dial::Open => {
                net.links_made += 1;
                net.open = net.links_made;
                net.to_client.clear();
                net.closing = false;
                net.broker.new_connection();
                Ok(Some(Arc::new(MemLink {
                    net: self.net.clone(),
                    number: net.open,
                    _counted: Counted::new(&self.alive.links),
                })))
            }
        }
    }

    fn stage(&self) -> Stage {
        self.net.lock().stage
    }
}

impl Link for MemLink {
    fn read(&self, buffer: &mut [u8], _: usize, timeout_ms: u32) -> Result<usize, LinkError> {
        let mut net = self.net.lock();
        if net.open != self.number {
            return Err(LinkError::Closed);
        }
        if net.to_client.is_empty() {
            let closing = net.closing;
            drop(net);
            hal::advance(timeout_ms.into());
            return if closing {
                Err(LinkError::Closed)
            } else {
                Ok(0)
            };
        }
        let count = net.to_client.len().min(buffer.len());
        buffer[..count].copy_from_slice(&net.to_client[..count]);
        net.to_client.drain(..count);
        Ok(count)
    }

    fn write(&self, bytes: &[u8], timeout_ms: u32) -> Result<usize, LinkError> {
        let hook = self.net.lock().on_write.take();
        if let Some(hook) = hook {
            return hook();
        }
        let mut net = self.net.lock();
        if net.open != self.number {
            return Err(LinkError::Closed);
        }
        if !net.takes {
            drop(net);
            hal::advance(timeout_ms.into());
            return Ok(0);
        }
        let answer = net.broker.take(bytes);
        net.to_client.extend(answer);
        Ok(bytes.len())
    }

    fn tls(&self) -> Option<TlsInfo> {
        None
    }
}

/// What the application was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Disconnected,
    Reconnected,
    Granted(u16),
    Refused(u16),
    Left(u16),
    Published(u16),
    Message(Callback, String, Vec<u8>),
    Overflow,
    State(i32, String),
}

#[derive(Default)]
pub struct MemHost {
    pub told: Mutex<Vec<Told>>,
    /// The application destroys the client inside the handler of the event with this number.
    pub destroy_at: Mutex<Option<(usize, Weak<Client>)>>,
}

impl MemHost {
    fn note(&self, told: Told) {
        let number = {
            let mut list = self.told.lock().expect("told");
            list.push(told);
            list.len()
        };
        let mut destroy_at = self.destroy_at.lock().expect("destroy_at");
        let now = destroy_at.take_if(|(at, _)| *at == number);
        drop(destroy_at);
        if let Some((_, client)) = now {
            client.upgrade().expect("alive").close();
        }
    }
}

impl Host for MemHost {
    fn deliver(&self, callback: Callback, event: ClientEvent<'_>) {
        let told = match event {
            ClientEvent::Disconnected => Told::Disconnected,
            ClientEvent::Reconnected { .. } => Told::Reconnected,
            ClientEvent::SubscribeSuccess(id) => Told::Granted(id),
            ClientEvent::SubscribeNack(id) => Told::Refused(id),
            ClientEvent::UnsubscribeSuccess(id) => Told::Left(id),
            ClientEvent::PublishSuccess(id) => Told::Published(id),
            ClientEvent::BufferOverflow => Told::Overflow,
            ClientEvent::Message(delivery) => Told::Message(
                callback,
                String::from_utf8_lossy(delivery.topic).into_owned(),
                delivery.payload.to_vec(),
            ),
        };
        self.note(told);
    }

    fn state(&self, code: i32, text: &str) {
        self.note(Told::State(code, text.to_owned()));
    }

    fn identity_received(&self, _: &CStr) {}

    fn store_names(&self, _: &str, _: &str) {}

    fn names(&self) -> Names {
        Names {
            product_key: "pk".into(),
            device_name: "dn".into(),
            module: String::new(),
        }
    }

    fn next_report_id(&self) -> u32 {
        0
    }
}

/// Options of a world.
#[derive(Clone, Copy)]
pub struct Setting {
    pub default_handler: bool,
    pub inflight_max: usize,
    pub reconnect: Reconnect,
}

impl Default for Setting {
    fn default() -> Self {
        Setting {
            default_handler: true,
            inflight_max: 128,
            reconnect: Reconnect::default(),
        }
    }
}

/// A client with its peer, and the clock for itself.
pub struct World {
    parts: Parts,
    _turn: MutexGuard<'static, ()>,
}

/// The same without the clock, for code that runs inside the client's calls.
#[derive(Clone)]
pub struct Parts {
    pub client: Arc<Client>,
    pub net: SharedNet,
    pub alive: Alive,
    pub host: Arc<MemHost>,
}

impl Deref for World {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(Setting::default())
    }

    pub fn with(setting: Setting) -> Self {
        let turn = hal::clock();
        let net = SharedNet(Arc::new(Mutex::new(Net {
            broker: Broker::default(),
            dial: Dial::Open,
            dials: 0,
            open: 0,
            links_made: 0,
            to_client: Vec::new(),
            closing: false,
            takes: true,
            on_write: None,
            on_dial: None,
            stage: Stage::Connect,
            seen: Vec::new(),
            client: Weak::new(),
        })));
        let alive = Alive::default();
        let host = Arc::new(MemHost::default());
        let config = Config {
            target: Target::new(CString::new("memory").expect("no NUL"), 1883, Security::Tcp),
            login: Login {
                client_id: "pk.dn".into(),
                username: "dn&pk".into(),
                password: "secret".to_owned().into(),
                clean_session: false,
                omit_empty: false,
            },
            limits: Limits {
                write_max: 3072,
                read_max: 3072,
                inflight_max: setting.inflight_max,
                request_timeout_ms: REQUEST_TIMEOUT,
                keepalive_ms: KEEPALIVE,
            },
            connect: ConnectBounds {
                attempt_ms: ATTEMPT_MAX,
                ..ConnectBounds::default()
            },
            reconnect: setting.reconnect,
            handler: setting.default_handler.then_some(DEFAULT),
            topics: topic::Rules::LinkSdk,
            platform: true,
            queue_max: None,
            store: None,
        };
        let dialer = MemDialer {
            net: net.clone(),
            alive: alive.clone(),
        };
        let client = Client::with_dialer(config, host.clone(), Arc::new(dialer));
        let client = Arc::new(client);
        net.lock().client = Arc::downgrade(&client);
        SLEEPER.with(|sleeper| *sleeper.borrow_mut() = Some(net.clone()));
        World {
            parts: Parts {
                client,
                net,
                alive,
                host,
            },
            _turn: turn,
        }
    }

    /// A connected world with nothing in its logs.
    pub fn online(setting: Setting) -> Self {
        let world = Self::with(setting);
        assert_eq!(world.client.connect(), Ok(()));
        world.forget();
        world
    }

    /// What a hook may keep.
    pub fn parts(&self) -> Parts {
        self.parts.clone()
    }
}

impl Parts {
    pub fn manners(&self, change: impl FnOnce(&mut Manners)) {
        change(&mut self.net.lock().broker.manners);
    }

    pub fn dial(&self, dial: Dial) {
        self.net.lock().dial = dial;
    }

    /// Whether the server has a connection.
    pub fn has_link(&self) -> bool {
        self.alive.links.load(Ordering::SeqCst) > 0
    }

    pub fn is_dialing(&self) -> bool {
        self.alive.dials.load(Ordering::SeqCst) > 0
    }

    /// The server sends bytes. False when it has no connection to send them on.
    pub fn send(&self, bytes: &[u8]) -> bool {
        let there = self.has_link();
        if there {
            self.net.lock().to_client.extend_from_slice(bytes);
        }
        there
    }

    /// The server closes the connection. False when it has none.
    pub fn hang_up(&self) -> bool {
        let there = self.has_link();
        self.net.lock().closing = there;
        there
    }

    /// One Yield of `ms`; how long it lasted.
    pub fn pass(&self, ms: u64) -> u64 {
        let start = seam::uptime_ms();
        self.client.yield_for(ms);
        seam::uptime_ms() - start
    }

    /// Closes the connection from the server's side and lets the client notice and reconnect.
    pub fn reconnect(&self) {
        assert!(self.hang_up());
        for _ in 0..40 {
            self.pass(1_000);
            if self.client.is_online() {
                return;
            }
        }
        panic!("not back after 40 s");
    }

    /// Runs `hook` inside the next write.
    pub fn on_write(&self, hook: impl FnOnce() -> Result<usize, LinkError> + Send + 'static) {
        self.net.lock().on_write = Some(Box::new(hook));
    }

    /// Runs `hook` inside each step of a dial.
    pub fn on_dial(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.net.lock().on_dial = Some(Arc::new(hook));
    }

    pub fn publish(&self, payload: &[u8]) -> Result<u16, i32> {
        publish(&self.client, payload)
    }

    pub fn subscribe(&self, filter: &str) -> Result<u16, i32> {
        self.client.subscribe(filter.as_bytes(), 1, HANDLER)
    }

    pub fn unsubscribe(&self, filter: &str) -> Result<u16, i32> {
        self.client.unsubscribe(filter.as_bytes())
    }

    /// What the client has sent since the last look.
    pub fn sent(&self) -> Vec<Packet> {
        std::mem::take(&mut self.net.lock().broker.log)
    }

    /// What the application was told since the last look.
    pub fn told(&self) -> Vec<Told> {
        std::mem::take(&mut self.host.told.lock().expect("told"))
    }

    /// The state events among it.
    pub fn states(&self) -> Vec<(i32, String)> {
        self.told()
            .into_iter()
            .filter_map(|told| match told {
                Told::State(code, text) => Some((code, text)),
                _ => None,
            })
            .collect()
    }

    pub fn forget(&self) {
        self.sent();
        self.told();
        self.net.lock().seen.clear();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        SLEEPER.with(|sleeper| *sleeper.borrow_mut() = None);
        self.client.close();
        if !std::thread::panicking() {
            assert!(!self.has_link(), "a link outlives its client");
            assert!(!self.is_dialing(), "an attempt outlives its client");
        }
    }
}

/// QoS 1 on `/p`.
pub fn publish(client: &Client, payload: &[u8]) -> Result<u16, i32> {
    client.publish(&OutMessage {
        topic: b"/p",
        payload: Some(payload),
        qos: 1,
        retain: false,
    })
}

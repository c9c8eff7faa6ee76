//! TLS 1.2 client sessions: our default behind `HAL_SSL_*`.
//!
//! The rest of the library sees [`TlsSession`] and [`connect`]; the TLS library behind them
//! appears in the `mbed*` files only.
//!
//! What holds for every session (spec hal.md §5, "DO"):
//! * chain, dates and server name are verified; there is no way to open a session without a name.
//!   With a pre-shared key the server proves that it knows the key instead, and no cipher suite
//!   with certificates is offered;
//! * keys come from the random generator of the operating system only;
//! * the socket is opened and used through `HAL_TCP_*`, so an application's own TCP port carries
//!   our TLS as well;
//! * one thread may read while another writes; a waiting reader never blocks a writer;
//! * every wait is bounded by a total deadline on the monotonic clock.

mod alert;
mod application;
mod callbacks;
mod carrier;
mod clock;
mod credentials;
mod crl;
mod deadline;
mod der;
mod extra_name;
pub mod handles;
mod mbed;
mod mbed_credentials;
#[cfg(all(
    feature = "fast-gcm",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod mbed_gcm;
mod mbed_psk;
mod mbed_random;
mod mbed_resume;
mod mbed_session;
mod mbed_signer;
mod mbed_suites;
mod mbed_verify;
mod mbed_wire;
mod observer;
pub mod roots;
mod server_name;
mod session_store;

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::diagnostics::{Failure, Stage, TlsInfo};
use super::tcp;

pub use application::{set_key_password, set_signer};
pub use callbacks::{
    CallbackIdentity, CallbackKey, PASSWORD_MAX, PasswordSource, SIGNATURE_MAX, SignHash, Signer,
};
pub use carrier::{Carrier, Carriers};
pub use clock::{ClockPolicy, LIBRARY_DATE, clock_policy, set_clock_policy};
pub use credentials::{Credentials, Identity, PSK_IDENTITY_MAX, PSK_MAX, PreSharedKey};
pub use crl::{append as append_crl, set_crl, to_pem as crl_to_pem};
pub use handles::lookup;
pub use observer::{ChainObserver, observe_chains};
pub use server_name::ServerName;
pub use session_store::{SessionKey, set_session_store};

/// Total time for the TLS handshake unless an option says otherwise, in milliseconds. The TCP
/// connection before it has its own bound (spec hal.md §4).
pub const DEFAULT_HANDSHAKE_TIMEOUT_MS: u32 = 10_000;

/// Why a read or write on a session failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsError {
    /// The peer ended the connection, with or without close_notify, or we did.
    Closed,
    /// Anything else; the text gives the reason. The session is unusable from then on.
    Failed(String),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::Closed => f.write_str("connection closed by the peer"),
            TlsError::Failed(text) => f.write_str(text),
        }
    }
}

/// An established, verified TLS connection.
///
/// Methods take `&self` and may be called from any thread; one reader and one writer proceed at
/// the same time, further ones wait their turn. The socket closes when the last reference goes.
pub trait TlsSession: Send + Sync {
    /// Reads whatever decrypted data is available, waiting up to `timeout_ms` for the first byte.
    /// `Ok(0)` is a time-out (or an empty `buf`). Errors repeat on later calls.
    fn read(&self, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TlsError>;

    /// Writes `buf` for up to `timeout_ms` in total. Returns how many bytes were accepted, which
    /// is less than `buf.len()` (down to 0) at a time-out. Accepted bytes that did not reach the
    /// network in time are sent ahead of those of the next call.
    fn write(&self, buf: &[u8], timeout_ms: u32) -> Result<usize, TlsError>;

    /// Sends close_notify if that is possible at once, and ends the session: other calls under
    /// way return [`TlsError::Closed`] at the latest when their time is over. Repeated calls do
    /// nothing.
    fn close(&self);

    /// The descriptor of its socket; `None` where a TCP port of the application's own has it.
    fn descriptor(&self) -> Option<i32>;

    /// Whether bytes that a write accepted have not reached the network yet.
    fn has_unsent(&self) -> bool;

    /// Whether [`TlsSession::interrupt`] works: the socket is that of our own TCP port.
    fn interruptible(&self) -> bool;

    /// [`TlsSession::close`], and calls under way that wait for the network return at once.
    fn interrupt(&self);

    /// What the handshake agreed on.
    fn info(&self) -> TlsInfo;

    /// Keeps the session for the next connection to this server, which resumes it if the server
    /// agrees. To be called once the server has accepted the user of the connection: a server
    /// that resumes sessions but refuses those who do is then met with a full handshake.
    fn remember(&self);
}

/// What to connect to, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Server to connect to; its certificate must name it.
    pub server: ServerName,
    /// TCP port.
    pub port: u16,
    /// Trust anchors: one or more PEM certificates, and revocation lists if any.
    pub ca_pem: Vec<u8>,
    /// Client certificate, sent if the server asks for one, or a pre-shared key.
    pub credentials: Arc<Credentials>,
    /// Total time for the handshake in milliseconds.
    pub handshake_timeout_ms: u32,
    /// Bounds of the TCP connection before it, where our own TCP makes it.
    pub tcp: tcp::Limits,
    /// What makes the connection instead, for one that is not made by TCP alone.
    pub carriers: Option<Carriers>,
    /// What to do while the device's clock is not set.
    pub clock_policy: ClockPolicy,
    /// SHA-256 of the root whose chains may also name `*.iot-as.aliyuncs.com` instead of a host
    /// under `.aliyuncs.com`; `None` turns the extra name off. The default is the Aliyun IoT
    /// Root CA, whose leaf on port 8883 was reported to carry that name only.
    pub extra_name_root: Option<[u8; 32]>,
}

impl Options {
    /// Options for `server` and `port` with the trust anchors `ca_pem` and all defaults. Without
    /// revocation lists among the anchors, those of [`set_crl`] are added.
    pub fn new(server: ServerName, port: u16, ca_pem: Vec<u8>) -> Self {
        Options {
            server,
            port,
            ca_pem: crl::with_process(ca_pem),
            credentials: Arc::default(),
            handshake_timeout_ms: DEFAULT_HANDSHAKE_TIMEOUT_MS,
            tcp: tcp::Limits::default(),
            carriers: None,
            clock_policy: clock_policy(),
            extra_name_root: Some(roots::ALIYUN_IOT_ROOT_SHA256),
        }
    }
}

static RESUMPTION: AtomicBool = AtomicBool::new(true);

/// Whether sessions are kept and resumed (RFC 5246 §7.3, RFC 5077). Default: yes. They are kept in
/// memory, and in the KV store if that is turned on. Turning it off forgets those kept.
pub fn set_resumption(on: bool) {
    RESUMPTION.store(on, Ordering::Relaxed);
    if !on {
        mbed_resume::forget_all();
    }
}

/// The setting of [`set_resumption`].
pub fn resumption() -> bool {
    RESUMPTION.load(Ordering::Relaxed)
}

/// Opens a TCP connection by `HAL_TCP_Establish` and a verified TLS session on it.
///
/// Blocks for the TCP connection set-up plus at most `handshake_timeout_ms`. Offers cipher suites
/// with forward secrecy and authenticated encryption; a server that has none of them is asked
/// once more, on a new connection, with the older suites. The caller records the failure.
pub fn connect(options: &Options) -> Result<Arc<dyn TlsSession>, Failure> {
    mbed::connect(options).map(|session| session as Arc<dyn TlsSession>)
}

/// The same in steps, for a caller that has other things to do meanwhile.
pub struct Opening(mbed::Opening);

impl Opening {
    /// Checks trust anchors and identity. The network is first touched by [`Opening::step`].
    pub fn new(options: Options) -> Result<Self, Failure> {
        mbed::Opening::new(options).map(Opening)
    }

    /// Goes on for about `wait_ms` milliseconds: name resolution, connection, handshake. Longer
    /// only by the computing of one handshake message or by one `HAL_TCP_Establish` of the
    /// application's own. `Ok(None)`: not there yet, call again; after anything else it is over.
    pub fn step(&mut self, wait_ms: u32) -> Result<Option<Arc<dyn TlsSession>>, Failure> {
        let session = self.0.step(wait_ms)?;
        Ok(session.map(|session| session as Arc<dyn TlsSession>))
    }

    /// What the next step goes on with.
    pub fn stage(&self) -> Stage {
        self.0.stage()
    }
}

/// Whether trust anchors and credentials are usable: certificates readable, a key that opens and
/// belongs to its certificate. What [`connect`] would refuse later, without a connection.
pub fn check(ca_pem: &[u8], credentials: &Credentials) -> Result<(), Failure> {
    mbed_credentials::load(ca_pem, credentials).map(drop)
}

/// Reads until `buf` is full or `timeout_ms` is over, as `HAL_SSL_Read` promises. An error after
/// some bytes is reported by the next call.
pub fn read_full(
    session: &dyn TlsSession,
    buf: &mut [u8],
    timeout_ms: u32,
) -> Result<usize, TlsError> {
    let deadline = deadline::Deadline::after(timeout_ms);
    let mut filled = 0;
    while filled < buf.len() {
        match session.read(&mut buf[filled..], deadline.remaining()) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(_) if filled > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// What a connection made by `HAL_SSL_Establish` is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The MQTT endpoint: `g_cli_crt` and `g_cli_key` are offered.
    Mqtt,
    /// An HTTPS endpoint (authentication, registration, downloads): no client certificate.
    Https,
}

thread_local! {
    static PURPOSE: Cell<Purpose> = const { Cell::new(Purpose::Mqtt) };
}

/// Runs `body` with every `HAL_SSL_Establish` of this thread serving `purpose`; the C signature
/// has no parameter for it.
pub fn with_purpose<T>(purpose: Purpose, body: impl FnOnce() -> T) -> T {
    struct Restore(Purpose);
    impl Drop for Restore {
        fn drop(&mut self) {
            PURPOSE.set(self.0);
        }
    }
    let _restore = Restore(PURPOSE.replace(purpose));
    body()
}

/// The purpose in force on this thread; [`Purpose::Mqtt`] unless [`with_purpose`] says otherwise.
pub fn current_purpose() -> Purpose {
    PURPOSE.get()
}

/// Locks without regard to poisoning: no code of this module panics halfway through a change, and
/// a session must stay closable after a panic elsewhere.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

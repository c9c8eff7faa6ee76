//! Configuration and handshake on the `mbedtls` crate.

use std::sync::{Arc, Once};
use std::time::Duration;

use mbedtls::cipher::raw::{CipherId, CipherMode};
use mbedtls::cipher::{Cipher, Encryption, Fresh, Traditional};
use mbedtls::error::{Error, codes};
use mbedtls::pk::EcGroupId;
use mbedtls::ssl::config::{AuthMode, Endpoint, Preset, Transport, UseSessionTickets, Version};
use mbedtls::ssl::{Config, Context};
use mbedtls::x509::VerifyError;

use super::alert;
use super::crl;
use super::deadline::Deadline;
use super::mbed_credentials::{self, Loaded};
use super::mbed_psk;
use super::mbed_random;
use super::mbed_resume::{self, Binding, Keeper, Kept};
use super::mbed_session::{MbedSession, Outgoing, Socket};
use super::mbed_signer::Refusal;
use super::mbed_suites::{self, Offer};
use super::mbed_verify::Verifier;
use super::mbed_wire::Wire;
use super::{Carrier, Credentials, Options, ServerName};
use crate::hal::diagnostics::{self, Failure, Stage, TlsInfo};
use crate::hal::seam::{self, StreamError};
use crate::hal::tcp;

/// Why one handshake gave no session.
enum Attempt {
    /// The server has none of the cipher suites offered.
    NoCommonSuite(Failure),
    Failed(Failure),
}

/// A session being opened: one connection and handshake, or two when the server has old suites
/// only. It advances in [`Opening::step`]; dropping it gives it up.
pub struct Opening {
    options: Options,
    loaded: Loaded,
    offer: Offer,
    /// What is left of the handshakes' time.
    budget_ms: u32,
    stage: Where,
}

enum Where {
    /// The next connection is to be made.
    Start,
    /// Our own TCP sets it up.
    Connecting(tcp::Connecting),
    /// Something else does.
    Carried(Box<dyn Carrier>),
    Handshake(Box<Handshake>),
}

impl Opening {
    /// Checks the local material. Does not touch the network.
    pub fn new(options: Options) -> Result<Self, Failure> {
        prepare_library();
        let loaded = mbed_credentials::load(&options.ca_pem, &options.credentials)?;
        Ok(Opening {
            budget_ms: options.handshake_timeout_ms,
            options,
            offer: match loaded {
                Loaded::Certificates(..) => Offer::Preferred,
                Loaded::PreSharedKey(_) => Offer::PreSharedKey,
            },
            loaded,
            stage: Where::Start,
        })
    }

    /// Goes on for about `wait_ms`; longer only by computing, or by one `HAL_TCP_Establish` of the
    /// application's. `Ok(None)`: call again. After anything else it is over.
    pub fn step(&mut self, wait_ms: u32) -> Result<Option<Arc<MbedSession>>, Failure> {
        let until = Deadline::after(wait_ms);
        loop {
            match std::mem::replace(&mut self.stage, Where::Start) {
                Where::Start if let Some(carriers) = &self.options.carriers => {
                    self.stage = Where::Carried(carriers.start()?);
                }
                Where::Carried(mut carrier) => {
                    self.stage = match carrier.step(until.remaining())? {
                        Some(handle) => self.begin(Socket::new(handle))?,
                        None => Where::Carried(carrier),
                    };
                }
                Where::Start if seam::tcp_is_default() => {
                    let host = self.options.server.to_string();
                    let limits = &self.options.tcp;
                    let connecting = tcp::Connecting::start(&host, self.options.port, limits)?;
                    self.stage = Where::Connecting(connecting);
                }
                Where::Start => {
                    let socket = open(&self.options)?;
                    self.stage = self.begin(socket)?;
                }
                Where::Connecting(mut connecting) => {
                    let wait = Duration::from_millis(until.remaining().into());
                    self.stage = match connecting.step(wait)? {
                        Some(socket) => self.begin(Socket::own(socket))?,
                        None => Where::Connecting(connecting),
                    };
                }
                Where::Handshake(handshake) => {
                    if let Some(session) = self.advance(handshake, until)? {
                        return Ok(Some(session));
                    }
                }
            }
            if until.passed() {
                return Ok(None);
            }
        }
    }

    /// What the next step goes on with.
    pub fn stage(&self) -> Stage {
        match &self.stage {
            Where::Start => Stage::Connect,
            Where::Connecting(connecting) => connecting.stage(),
            Where::Carried(carrier) => carrier.stage(),
            Where::Handshake(_) => Stage::TlsHandshake,
        }
    }

    fn begin(&self, socket: Socket) -> Result<Where, Failure> {
        let verifier = Verifier::new(&self.options);
        let config = configure(&self.loaded, &verifier, self.offer)
            .map_err(|error| config_failure("TLS configuration failed", error))?;
        let binding = Binding::of(&self.options);
        Ok(Where::Handshake(Box::new(Handshake {
            binding,
            keep: self.offer == Offer::Preferred,
            // A key exchange without certificates is short already.
            offered: (super::resumption() && self.offer != Offer::PreSharedKey)
                .then(|| mbed_resume::take(binding))
                .flatten(),
            facts: Facts {
                server: self.options.server.clone(),
                port: self.options.port,
                timeout_ms: self.options.handshake_timeout_ms,
                credentials: Arc::clone(&self.options.credentials),
                refusal: match &self.loaded {
                    Loaded::Certificates(_, Some(identity)) => identity.refusal.clone(),
                    _ => Refusal::default(),
                },
            },
            verifier,
            wire: Wire::watching(),
            // Connection set-up has its own bound; the handshake's starts behind it.
            deadline: Deadline::after(self.budget_ms),
            context: Context::new(Arc::new(config)),
            socket,
            outgoing: Outgoing::default(),
            last: None,
        })))
    }

    /// Lets the handshake go on, or begins the second one.
    fn advance(
        &mut self,
        mut handshake: Box<Handshake>,
        until: Deadline,
    ) -> Result<Option<Arc<MbedSession>>, Failure> {
        match handshake.step(until) {
            Ok(true) => match handshake.finish() {
                Ok(session) => Ok(Some(Arc::new(session))),
                Err(failure) => Err(failure),
            },
            Ok(false) => {
                self.stage = Where::Handshake(handshake);
                Ok(None)
            }
            Err(Attempt::NoCommonSuite(_)) if self.offer == Offer::Preferred => {
                log::warn!(
                    "{} has no modern cipher suite; trying once more with older ones",
                    self.options.server
                );
                self.offer = Offer::Compatible;
                self.budget_ms = handshake.deadline.remaining();
                Ok(None)
            }
            Err(Attempt::NoCommonSuite(failure) | Attempt::Failed(failure)) => Err(failure),
        }
    }
}

/// See [`super::connect`].
pub fn connect(options: &Options) -> Result<Arc<MbedSession>, Failure> {
    let mut opening = Opening::new(options.clone())?;
    loop {
        // Every stage ends by itself when its time is over.
        if let Some(session) = opening.step(options.handshake_timeout_ms)? {
            return Ok(session);
        }
    }
}

/// Makes the library compute its tables (AES, processor features, lists of curves and suites)
/// before the first session: it guards them with plain flags, which two threads connecting at
/// the same time would race for.
fn prepare_library() {
    static READY: Once = Once::new();
    READY.call_once(|| {
        let _ = Config::new(Endpoint::Client, Transport::Stream, Preset::Default);
        // Setting a key fills the tables. A key of the right length cannot be refused, and if it
        // were, the handshake would report it.
        let _ = Cipher::<Encryption, Traditional, Fresh>::new(CipherId::Aes, CipherMode::CBC, 128)
            .and_then(|cipher| cipher.set_key_iv(&[0; 16], &[0; 16]).map(drop));
    });
}

fn open(options: &Options) -> Result<Socket, Failure> {
    // What an earlier call left must not pass as the reason of this one.
    diagnostics::take();
    let host = options.server.for_socket();
    match seam::tcp_establish(&host, options.port) {
        Some(handle) => Ok(Socket::new(handle)),
        None => Err(diagnostics::take().unwrap_or_else(|| {
            let text = format!("cannot connect to {} port {}", options.server, options.port);
            Failure::new(Stage::Connect, text)
        })),
    }
}

fn configure(loaded: &Loaded, verifier: &Verifier, offer: Offer) -> Result<Config, Error> {
    let mut config = Config::new(Endpoint::Client, Transport::Stream, Preset::Default);
    config.set_min_version(Version::Tls1_2)?;
    config.set_max_version(Version::Tls1_2)?;
    config.set_authmode(AuthMode::Required);
    config.set_ciphersuites(Arc::new(mbed_suites::numbers(offer)));
    config.set_curves(Arc::new(vec![
        EcGroupId::SecP256R1.into(),
        EcGroupId::Curve25519.into(),
        EcGroupId::SecP384R1.into(),
        EcGroupId::SecP521R1.into(),
        EcGroupId::None.into(),
    ]));
    config.set_session_tickets(UseSessionTickets::Enabled);
    config.set_rng(Arc::new(mbed_random::fill));
    let callback = verifier.clone();
    config.set_verify_callback(move |certificate: &_, depth, flags: &mut _| {
        callback.check(certificate, depth, flags)
    });
    match loaded {
        Loaded::Certificates(trust, identity) => {
            config.set_ca_list(
                trust.anchors.clone(),
                trust.lists.as_ref().map(crl::Lists::shared),
            );
            if let Some(identity) = identity {
                config.push_cert(identity.chain.clone(), identity.key.clone())?;
            }
        }
        Loaded::PreSharedKey(key) => mbed_psk::set(&mut config, key)?,
    }
    Ok(config)
}

fn config_failure(what: &str, error: Error) -> Failure {
    Failure::new(Stage::TlsConfig, format!("{what} ({error})"))
}

/// What a failing handshake has to know for its text.
struct Facts {
    server: ServerName,
    port: u16,
    timeout_ms: u32,
    credentials: Arc<Credentials>,
    /// Reasons of a key that signs outside.
    refusal: Refusal,
}

/// One handshake on one socket.
struct Handshake {
    facts: Facts,
    verifier: Verifier,
    wire: Wire,
    deadline: Deadline,
    context: Context<Wire>,
    socket: Socket,
    outgoing: Outgoing,
    binding: Binding,
    /// Whether the session may be resumed: not one with older suites, which are not offered first.
    keep: bool,
    /// The session offered for resumption.
    offered: Option<Kept>,
    /// What the library said last; `None` before the first time.
    last: Option<Result<(), Error>>,
}

impl Handshake {
    /// Goes on until it is complete or `until` has come. Whether it is complete.
    fn step(&mut self, until: Deadline) -> Result<bool, Attempt> {
        let end = until.earlier(self.deadline);
        if self.last.is_none() {
            let failed = |text| Attempt::Failed(Failure::new(Stage::TlsConfig, text));
            if !mbed_random::wait_for_seed(end).map_err(failed)? {
                return match self.deadline.passed() {
                    true => Err(failed("system random generator has no seed yet".into())),
                    false => Ok(false),
                };
            }
            // A DNS name goes in as SNI and for the library's name check. An address must not be
            // sent as SNI (RFC 6066 §3); the verifier checks it. With a pre-shared key there is
            // no certificate to choose by it, and the platform wants none (spec signing.md §5).
            let name = match &*self.facts.credentials {
                Credentials::PreSharedKey(_) => None,
                _ => self.facts.server.dns(),
            };
            let mut first = self.context.establish(self.wire.clone(), name);
            if matches!(&first, Err(error) if wants_more(error))
                && let Some(kept) = &self.offered
            {
                if !mbed_resume::offer(&mut self.context, &self.wire, kept) {
                    self.offered = None;
                }
                first = self.context.handshake();
            }
            self.last = Some(first);
        }
        loop {
            let sent = self.outgoing.flush(&self.socket, &self.wire, end);
            let complete = match &self.last {
                Some(Ok(())) => true,
                Some(Err(error)) if wants_more(error) => false,
                Some(Err(error)) => {
                    // Its alert to the server has just been sent, as far as that was possible.
                    return Err(self.failed(error, self.context.verify_result().err()));
                }
                None => false,
            };
            let input = match sent {
                Ok(true) if complete => return Ok(true),
                Ok(true) => self.socket.fill(&self.wire, end),
                // Not everything went out, so the time is over; what the server said before may
                // still be waiting, but it cannot complete the handshake any more.
                Ok(false) => Ok(false),
                // A server that refuses closes its end at once: its alert is worth reading.
                Err(error) if complete => Err(error),
                Err(_) => match self.socket.fill(&self.wire, end) {
                    Ok(true) => Ok(true),
                    _ => Err(StreamError::Failed),
                },
            };
            let got = input.map_err(|error| self.lost(error))?;
            if got {
                self.last = Some(self.context.handshake());
            }
            // Also after input: a flight that comes in drops must not stretch the time.
            let unfinished = matches!(&self.last, Some(Err(error)) if wants_more(error)) || !got;
            if unfinished && self.deadline.passed() {
                return Err(self.timed_out());
            }
            if unfinished && until.passed() {
                return Ok(false);
            }
        }
    }

    /// Turns a finished handshake into a session, after asking once more what must hold.
    fn finish(self) -> Result<MbedSession, Failure> {
        let context = self.context;
        // A server that resumes shows no certificate: it proved to be the one of the session that
        // was verified, by knowing its secret.
        let resumed = match &self.offered {
            Some(kept) if !self.verifier.was_asked() => Some(Keeper::resumed(kept)),
            _ => None,
        };
        let number = context.ciphersuite().unwrap_or_default();
        let verified = match &*self.facts.credentials {
            // The handshake completes only with a server that knows the key.
            Credentials::PreSharedKey(_) => mbed_suites::is_pre_shared_key(number),
            _ => {
                context.verify_result().is_ok()
                    && (resumed.is_some() || self.verifier.name_was_checked())
            }
        };
        if !verified {
            let text = "server was not verified";
            return Err(Failure::new(Stage::TlsVerify, text));
        }
        let suite = mbed_suites::name(number);
        let info = TlsInfo {
            version: "TLSv1.2".into(),
            suite,
            server_name: self.facts.server.to_string(),
            dates_ignored: self.verifier.dates_ignored(),
            resumed: resumed.is_some(),
        };
        log::info!(
            "TLS {}: {}, {}, server name {}",
            if info.resumed { "resumed" } else { "verified" },
            info.version,
            info.suite,
            info.server_name
        );
        if info.dates_ignored {
            log::warn!("clock not set: dates of the server certificate were not enforced");
        }
        let keeper = resumed.or_else(|| {
            // A chain whose dates nobody checked is verified anew each time.
            (self.keep && !info.dates_ignored)
                .then(|| Keeper::new(self.binding, self.verifier.validity()))
        });
        Ok(MbedSession::new(
            context,
            self.wire,
            self.socket,
            info,
            keeper,
        ))
    }

    /// Clear text for an error of the library.
    fn failed(&self, error: &Error, flags: Option<VerifyError>) -> Attempt {
        if let Some(text) = self.facts.refusal.take() {
            return Attempt::Failed(Failure::new(Stage::TlsHandshake, text));
        }
        let (answered, not_tls, fatal) = self.watched();
        let high = error.high_level();
        if let (Some(codes::SslFatalAlertMessage), Some(description)) = (high, fatal) {
            let text = alert::refusal(description, &self.facts.credentials, answered);
            let failure = Failure::new(Stage::TlsHandshake, text);
            if description == alert::HANDSHAKE_FAILURE && !answered {
                return Attempt::NoCommonSuite(failure);
            }
            return Attempt::Failed(failure);
        }
        if not_tls {
            return self.not_tls();
        }
        let low = error.low_level();
        let (stage, text) = match high {
            Some(codes::X509CertVerifyFailed) => {
                let reason = self.verifier.reason(None);
                let general = "server certificate verification failed";
                (Stage::TlsVerify, reason.unwrap_or(general.into()))
            }
            // Also reported when a key or its use is unsuitable although the chain is fine.
            Some(codes::SslBadHsCertificate) => {
                let reason = self.verifier.reason(flags);
                (
                    Stage::TlsVerify,
                    reason.unwrap_or("server certificate is not usable".into()),
                )
            }
            Some(codes::SslBadHsProtocolVersion) => {
                (Stage::TlsHandshake, "server does not offer TLS 1.2".into())
            }
            Some(codes::SslPeerCloseNotify) => (
                Stage::TlsHandshake,
                "server closed the session during the handshake".into(),
            ),
            _ if low == Some(codes::EntropySourceFailed) => {
                (Stage::TlsConfig, "system random generator failed".into())
            }
            _ => (
                Stage::TlsHandshake,
                format!("TLS handshake failed ({error})"),
            ),
        };
        Attempt::Failed(Failure::new(stage, text))
    }

    fn timed_out(&self) -> Attempt {
        if self.watched().1 {
            return self.not_tls();
        }
        let total = self.facts.timeout_ms;
        let time = match total % 1000 {
            0 => format!("{} s", total / 1000),
            _ => format!("{total} ms"),
        };
        Attempt::Failed(Failure::new(
            Stage::TlsHandshake,
            format!("TLS handshake timed out after {time}"),
        ))
    }

    fn lost(&self, error: StreamError) -> Attempt {
        if self.watched().1 {
            return self.not_tls();
        }
        let text = match error {
            StreamError::PeerClosed => "server closed the connection during the TLS handshake",
            StreamError::Failed => "connection lost during the TLS handshake",
        };
        Attempt::Failed(Failure::new(Stage::TlsHandshake, text))
    }

    fn not_tls(&self) -> Attempt {
        let text = format!("peer does not speak TLS (port {})", self.facts.port);
        Attempt::Failed(Failure::new(Stage::TlsHandshake, text))
    }

    /// What the watch saw: a handshake record, no TLS at all, a fatal alert.
    fn watched(&self) -> (bool, bool, Option<u8>) {
        let staging = self.wire.staging();
        match &staging.watch {
            Some(watch) => (watch.answered, watch.not_tls, watch.fatal),
            None => (false, false, None),
        }
    }
}

fn wants_more(error: &Error) -> bool {
    matches!(
        error.high_level(),
        Some(codes::SslWantRead | codes::SslWantWrite)
    )
}

//! Configuration and handshake on the `mbedtls` crate.

use std::sync::{Arc, Once};

use mbedtls::cipher::raw::{CipherId, CipherMode};
use mbedtls::cipher::{Authenticated, Cipher, Encryption, Fresh};
use mbedtls::error::{Error, codes};
use mbedtls::pk::EcGroupId;
use mbedtls::ssl::config::{AuthMode, Endpoint, Preset, Transport, UseSessionTickets, Version};
use mbedtls::ssl::{Config, Context};
use mbedtls::x509::VerifyError;

use super::Options;
use super::alert;
use super::deadline::Deadline;
use super::mbed_credentials::{self, ClientIdentity};
use super::mbed_random;
use super::mbed_resume::{self, Binding, Keeper, Kept};
use super::mbed_session::{MbedSession, Outgoing, Socket};
use super::mbed_suites::{self, Offer};
use super::mbed_verify::Verifier;
use super::mbed_wire::Wire;
use crate::hal::diagnostics::{self, Failure, Stage, TlsInfo};
use crate::hal::seam::{self, StreamError};

/// What one attempt came to, if not to a session.
enum Attempt {
    /// The server has none of the cipher suites offered.
    NoCommonSuite(Failure),
    Failed(Failure),
}

/// See [`super::connect`].
pub fn connect(options: &Options) -> Result<Arc<MbedSession>, Failure> {
    prepare_library();
    let anchors = mbed_credentials::trust_anchors(&options.ca_pem)?;
    let identity = match &options.identity {
        Some(identity) => Some(mbed_credentials::client_identity(identity)?),
        None => None,
    };
    let mut budget_ms = options.handshake_timeout_ms;
    let mut offer = Offer::Preferred;
    loop {
        let socket = open(options)?;
        // Connection set-up has its own bound; the handshake's starts behind it.
        let deadline = Deadline::after(budget_ms);
        let verifier = Verifier::new(options);
        let config = configure(&anchors, identity.as_ref(), &verifier, offer)
            .map_err(|error| config_failure("TLS configuration failed", error))?;
        let binding = Binding::of(options);
        let handshake = Handshake {
            options,
            verifier,
            wire: Wire::watching(),
            deadline,
            binding,
            keep: offer == Offer::Preferred,
            offered: super::resumption()
                .then(|| mbed_resume::take(binding))
                .flatten(),
        };
        match handshake.run(Arc::new(config), socket) {
            Ok(session) => return Ok(Arc::new(session)),
            Err(Attempt::NoCommonSuite(_)) if offer == Offer::Preferred => {
                log::warn!(
                    "{} has no modern cipher suite; trying once more with older ones",
                    options.server
                );
                offer = Offer::Compatible;
                budget_ms = deadline.remaining();
            }
            Err(Attempt::NoCommonSuite(failure) | Attempt::Failed(failure)) => return Err(failure),
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
        let _ =
            Cipher::<Encryption, Authenticated, Fresh>::new(CipherId::Aes, CipherMode::GCM, 128)
                .and_then(|cipher| cipher.set_key_iv(&[0; 16], &[0; 12]).map(drop));
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

fn configure(
    anchors: &Arc<mbedtls::alloc::List<mbedtls::x509::Certificate>>,
    identity: Option<&ClientIdentity>,
    verifier: &Verifier,
    offer: Offer,
) -> Result<Config, Error> {
    let mut config = Config::new(Endpoint::Client, Transport::Stream, Preset::Default);
    config.set_min_version(Version::Tls1_2)?;
    config.set_max_version(Version::Tls1_2)?;
    config.set_authmode(AuthMode::Required);
    config.set_ca_list(anchors.clone(), None);
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
    if let Some(identity) = identity {
        config.push_cert(identity.chain.clone(), identity.key.clone())?;
    }
    Ok(config)
}

fn config_failure(what: &str, error: Error) -> Failure {
    Failure::new(Stage::TlsConfig, format!("{what} ({error})"))
}

/// One handshake on one socket.
struct Handshake<'a> {
    options: &'a Options,
    verifier: Verifier,
    wire: Wire,
    deadline: Deadline,
    binding: Binding,
    /// Whether the session may be resumed: not one with older suites, which are not offered first.
    keep: bool,
    /// The session offered for resumption.
    offered: Option<Kept>,
}

impl Handshake<'_> {
    fn run(mut self, config: Arc<Config>, socket: Socket) -> Result<MbedSession, Attempt> {
        mbed_random::wait_for_seed(self.deadline)
            .map_err(|text| Attempt::Failed(Failure::new(Stage::TlsConfig, text)))?;
        let mut context = Context::new(config);
        let mut outgoing = Outgoing::default();
        // A DNS name goes in as SNI and for the library's name check. An address must not be
        // sent as SNI (RFC 6066 §3); the verifier checks it.
        let mut step = context.establish(self.wire.clone(), self.options.server.dns());
        if matches!(&step, Err(error) if wants_more(error))
            && let Some(kept) = &self.offered
        {
            if !mbed_resume::offer(&mut context, &self.wire, kept) {
                self.offered = None;
            }
            step = context.handshake();
        }
        loop {
            let sent = outgoing.flush(&socket, &self.wire, self.deadline);
            match step {
                Ok(()) => {}
                Err(ref error) if wants_more(error) => {}
                // Its alert to the server has just been sent, as far as that was possible.
                Err(ref error) => return Err(self.failed(error, context.verify_result().err())),
            }
            let progress = match sent {
                Ok(true) if step.is_ok() => break,
                Ok(true) => socket.fill(&self.wire, self.deadline),
                // Not everything went out, so the time is over; what the server said before may
                // still be waiting, but it cannot complete the handshake any more.
                Ok(false) => Ok(false),
                // A server that refuses closes its end at once: its alert is worth reading.
                Err(error) if step.is_ok() => Err(error),
                Err(_) => match socket.fill(&self.wire, self.deadline) {
                    Ok(true) => Ok(true),
                    _ => Err(StreamError::Failed),
                },
            };
            if let Err(error) = progress {
                return Err(self.lost(error));
            }
            step = context.handshake();
            // Also after input: a flight that comes in drops must not stretch the time.
            if matches!(&step, Err(error) if wants_more(error)) && self.deadline.passed() {
                return Err(self.timed_out());
            }
        }
        self.finish(context, socket)
    }

    /// Turns a finished handshake into a session, after asking once more what must hold.
    fn finish(self, context: Context<Wire>, socket: Socket) -> Result<MbedSession, Attempt> {
        // A server that resumes shows no certificate: it proved to be the one of the session that
        // was verified, by knowing its secret.
        let resumed = match &self.offered {
            Some(kept) if !self.verifier.was_asked() => Some(Keeper::resumed(kept)),
            _ => None,
        };
        let verified = context.verify_result().is_ok()
            && (resumed.is_some() || self.verifier.name_was_checked());
        if !verified {
            let text = "server certificate was not verified";
            return Err(Attempt::Failed(Failure::new(Stage::TlsVerify, text)));
        }
        let suite = context
            .ciphersuite()
            .map(mbed_suites::name)
            .unwrap_or_default();
        let info = TlsInfo {
            version: "TLSv1.2".into(),
            suite,
            server_name: self.options.server.to_string(),
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
        Ok(MbedSession::new(context, self.wire, socket, info, keeper))
    }

    /// Clear text for an error of the library.
    fn failed(&self, error: &Error, flags: Option<VerifyError>) -> Attempt {
        let (answered, not_tls, fatal) = self.watched();
        let high = error.high_level();
        if let (Some(codes::SslFatalAlertMessage), Some(description)) = (high, fatal) {
            let text = alert::refusal(description, self.options.identity.is_some(), answered);
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
        let total = self.options.handshake_timeout_ms;
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
        let text = format!("peer does not speak TLS (port {})", self.options.port);
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

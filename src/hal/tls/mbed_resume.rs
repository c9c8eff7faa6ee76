//! Resuming earlier sessions (RFC 5246 §7.3, RFC 5077): one round trip and no public-key
//! operation instead of a full handshake.
//!
//! A session is kept only after its user said that the server accepted it
//! ([`super::TlsSession::remember`]), and taken out while it is being offered: a server that resumes
//! and then refuses the device meets a full handshake the next time. What a full handshake
//! verified is bound to the session: it is offered again only to the same server under the same
//! trust anchors and client certificate, and only while every certificate of its chain is valid.

use std::sync::{Arc, Mutex};

use mbedtls::ssl::Context;
use mbedtls::x509::Time;
use mbedtls_sys::{
    ssl_context, ssl_get_session, ssl_session, ssl_session_free, ssl_session_init,
    ssl_session_load, ssl_session_reset, ssl_session_save, ssl_set_session, x509_time,
    x509_time_is_future, x509_time_is_past,
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::mbed_wire::Wire;
use super::{Credentials, Options, lock};
use crate::hal::memory::apart;
use crate::hal::seam;

/// Sessions kept at most; the oldest goes first. A device talks to one or two servers.
const KEPT_MAX: usize = 8;
/// Oldest session that is offered, milliseconds: the upper limit RFC 5246 §F.1.4 suggests.
const AGE_MAX_MS: u64 = 24 * 60 * 60 * 1000;
/// Largest session kept, bytes: the server's certificate, a ticket and some numbers.
const SIZE_MAX: usize = 16 * 1024;

/// What a session is bound to: a digest over everything its verification depended on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Binding([u8; 32]);

impl Binding {
    /// The binding of a connection with these options.
    pub fn of(options: &Options) -> Self {
        let mut digest = Sha256::new();
        let mut field = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        };
        field(options.server.to_string().as_bytes());
        field(&options.port.to_be_bytes());
        field(&options.ca_pem);
        // Which key belongs to the certificate is settled by the certificate.
        field(match &*options.credentials {
            Credentials::Certificate(identity) => &identity.certificate_pem,
            Credentials::Callback(identity) => &identity.certificate_pem,
            // With a pre-shared key no session is kept.
            Credentials::None | Credentials::PreSharedKey(_) => &[],
        });
        field(
            options
                .extra_name_root
                .as_ref()
                .map_or(&[][..], |root| &root[..]),
        );
        Binding(digest.finalize().into())
    }
}

/// Dates of a certificate of the verified chain.
pub type Validity = (Option<Time>, Option<Time>);

/// A session that can be offered.
pub struct Kept {
    binding: Binding,
    /// The library's own form, which holds the master secret.
    bytes: Zeroizing<Vec<u8>>,
    chain: Arc<[Validity]>,
    verified_at: u64,
}

/// What a session needs to be kept later.
pub struct Keeper {
    binding: Binding,
    chain: Arc<[Validity]>,
    /// When the chain was verified, milliseconds of the HAL's clock.
    verified_at: u64,
}

static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

/// Takes out the session for this binding, if one is kept and still good.
pub fn take(binding: Binding) -> Option<Kept> {
    let now = seam::uptime_ms();
    let mut kept = lock(&KEPT);
    kept.retain(|one| now.saturating_sub(one.verified_at) < AGE_MAX_MS && all_valid(&one.chain));
    let place = kept.iter().position(|one| one.binding == binding)?;
    Some(kept.remove(place))
}

/// Forgets every session.
pub fn forget_all() {
    lock(&KEPT).clear();
}

fn all_valid(chain: &[Validity]) -> bool {
    chain.iter().all(|(from, to)| {
        let (Some(from), Some(to)) = (from, to) else {
            return false;
        };
        let (from, to) = (raw_time(from), raw_time(to));
        // SAFETY: both functions read the time they are given and the system clock.
        unsafe { x509_time_is_future(&from) == 0 && x509_time_is_past(&to) == 0 }
    })
}

fn raw_time(time: &Time) -> x509_time {
    x509_time {
        year: time.year().into(),
        mon: time.month().into(),
        day: time.day().into(),
        hour: time.hour().into(),
        min: time.minute().into(),
        sec: time.second().into(),
    }
}

impl Keeper {
    /// For a session that a full handshake has verified with this chain.
    pub fn new(binding: Binding, chain: Vec<Validity>) -> Self {
        Keeper {
            binding,
            // Kept sessions outlive the client: they are no part of a port's memory.
            chain: apart(|| chain.into()),
            verified_at: seam::uptime_ms(),
        }
    }

    /// For a session that resumed `kept`: nothing was verified anew, so nothing lasts longer.
    pub fn resumed(kept: &Kept) -> Self {
        Keeper {
            binding: kept.binding,
            chain: Arc::clone(&kept.chain),
            verified_at: kept.verified_at,
        }
    }

    /// Keeps the session of `context`. Without effect if the server gave nothing to resume by.
    pub fn keep(&self, context: &Context<Wire>) {
        apart(|| self.keep_apart(context));
    }

    fn keep_apart(&self, context: &Context<Wire>) {
        let Some(bytes) = save(context) else {
            return;
        };
        let mut kept = lock(&KEPT);
        kept.retain(|one| one.binding != self.binding);
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push(Kept {
            binding: self.binding,
            bytes,
            chain: Arc::clone(&self.chain),
            verified_at: self.verified_at,
        });
    }
}

/// An `ssl_session` of the library, freed (which wipes it) when dropped.
struct RawSession(Box<ssl_session>);

impl RawSession {
    fn new() -> Self {
        let mut raw = Box::new(ssl_session::default());
        // SAFETY: a live structure, which the function fills with its empty value.
        unsafe { ssl_session_init(&mut *raw) };
        RawSession(raw)
    }
}

impl Drop for RawSession {
    fn drop(&mut self) {
        // SAFETY: initialised in new(); nothing points to it: the library copies.
        unsafe { ssl_session_free(&mut *self.0) };
    }
}

fn save(context: &Context<Wire>) -> Option<Zeroizing<Vec<u8>>> {
    let mut session = RawSession::new();
    let raw: *const ssl_context = context.into();
    // SAFETY: a live context whose handshake is complete; the session is a live empty one.
    if unsafe { ssl_get_session(raw, &mut *session.0) } != 0 {
        return None;
    }
    if session.0.id_len == 0 && session.0.ticket.is_null() {
        return None;
    }
    let mut size = 0;
    // Asked for the size first: an error by contract, with the size set.
    // SAFETY: a null buffer of length 0 is allowed for this question.
    unsafe { ssl_session_save(&*session.0, std::ptr::null_mut(), 0, &mut size) };
    if size == 0 || size > SIZE_MAX {
        return None;
    }
    let mut bytes = Zeroizing::new(vec![0; size]);
    // SAFETY: pointer and length describe the buffer.
    let status = unsafe { ssl_session_save(&*session.0, bytes.as_mut_ptr(), size, &mut size) };
    (status == 0).then_some(bytes)
}

/// Puts `kept` into a handshake whose first message has been composed and not sent: the handshake
/// starts over and offers it. `false` if the library refuses; the handshake then is a full one.
pub fn offer(context: &mut Context<Wire>, wire: &Wire, kept: &Kept) -> bool {
    let mut session = RawSession::new();
    let bytes = &kept.bytes;
    // SAFETY: a live empty session; pointer and length describe the bytes.
    if unsafe { ssl_session_load(&mut *session.0, bytes.as_ptr(), bytes.len()) } != 0 {
        return false;
    }
    let raw: *mut ssl_context = context.into();
    // SAFETY: a live context, used by this thread alone; reset leaves its configuration, name and
    // I/O object as they are. The session is copied.
    let accepted = unsafe { ssl_session_reset(raw) == 0 && ssl_set_session(raw, &*session.0) == 0 };
    // The message composed before the reset must not go out.
    wire.staging().output.clear();
    accepted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: u16) -> Option<Time> {
        Time::new(year, 6, 15, 12, 0, 0)
    }

    fn kept(binding: u8, chain: &[Validity], verified_at: u64) -> Kept {
        Kept {
            binding: Binding([binding; 32]),
            bytes: Zeroizing::new(vec![1]),
            chain: chain.into(),
            verified_at,
        }
    }

    #[test]
    fn only_what_is_still_valid_is_offered() {
        let now = seam::uptime_ms();
        let good = (at(2020), at(2099));
        let cases: [(&str, &[Validity], u64, bool); 6] = [
            ("valid", &[good], now, true),
            ("leaf expired", &[good, (at(2020), at(2021))], now, false),
            ("root expired", &[(at(2020), at(2021)), good], now, false),
            ("not yet valid", &[(at(2098), at(2099))], now, false),
            ("no date", &[(at(2020), None)], now, false),
            (
                "too old",
                &[good],
                now.saturating_sub(AGE_MAX_MS),
                now < AGE_MAX_MS,
            ),
        ];
        for (number, (name, chain, verified_at, wanted)) in (1..).zip(cases) {
            lock(&KEPT).push(kept(number, chain, verified_at));
            let taken = take(Binding([number; 32]));
            assert_eq!(taken.is_some(), wanted, "{name}");
            assert!(take(Binding([number; 32])).is_none(), "{name}: taken out");
        }
    }
}

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

use super::clock::wall_clock;
use super::mbed_wire::Wire;
use super::{Credentials, Options, lock, session_store};
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
    /// Until when it may be offered, milliseconds of the HAL's clock.
    good_until: u64,
}

/// What a session needs to be kept later.
pub struct Keeper {
    binding: Binding,
    chain: Arc<[Validity]>,
    /// A day after the chain was verified, milliseconds of the HAL's clock.
    good_until: u64,
}

static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

/// Takes out the session for this binding, if one is kept and still good: from memory, or from the
/// store. It is in neither afterwards. Runs `HAL_Kv_*` if the store is on.
pub fn take(binding: Binding) -> Option<Kept> {
    let Some(kept) = take_from_memory(binding) else {
        return from_record(binding, &session_store::take(&binding.0)?);
    };
    session_store::forget(&binding.0);
    Some(kept)
}

fn take_from_memory(binding: Binding) -> Option<Kept> {
    let now = seam::uptime_ms();
    let mut kept = lock(&KEPT);
    kept.retain(|one| now < one.good_until && all_valid(&one.chain));
    let place = kept.iter().position(|one| one.binding == binding)?;
    Some(kept.remove(place))
}

/// Forgets every session.
pub fn forget_all() {
    lock(&KEPT).clear();
    session_store::forget_all();
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
            good_until: seam::uptime_ms().saturating_add(AGE_MAX_MS),
        }
    }

    /// For a session that resumed `kept`: nothing was verified anew, so nothing lasts longer.
    pub fn resumed(kept: &Kept) -> Self {
        Keeper {
            binding: kept.binding,
            chain: Arc::clone(&kept.chain),
            good_until: kept.good_until,
        }
    }

    /// Keeps the session of `context`, which is locked meanwhile. Without effect if the server gave
    /// nothing to resume by. Runs `HAL_Kv_*` if the store is on, with nothing locked.
    pub fn keep(&self, context: &Mutex<Context<Wire>>) {
        apart(|| {
            let saved = save(&lock(context));
            if let Some(bytes) = saved {
                let record = to_record(&bytes, &self.chain, self.good_until);
                self.keep_in_memory(bytes);
                if let Some(record) = record {
                    session_store::put(&self.binding.0, &record);
                }
            }
        });
    }

    fn keep_in_memory(&self, bytes: Zeroizing<Vec<u8>>) {
        let mut kept = lock(&KEPT);
        kept.retain(|one| one.binding != self.binding);
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push(Kept {
            binding: self.binding,
            bytes,
            chain: Arc::clone(&self.chain),
            good_until: self.good_until,
        });
    }
}

/// Bytes of one date in a record.
const DATE: usize = 7;

/// What the store holds of a session: when it was verified, in seconds since 1970, the dates of its
/// chain, the session. `None` if that cannot be said.
fn to_record(bytes: &[u8], chain: &[Validity], good_until: u64) -> Option<Zeroizing<Vec<u8>>> {
    let left = good_until.saturating_sub(seam::uptime_ms());
    let age = i64::try_from(AGE_MAX_MS.checked_sub(left)? / 1000).ok()?;
    let verified = wall_clock()? - age;
    // All of it allocated at once, so that no copy of the secret stays behind.
    let size = 9 + chain.len() * 2 * DATE + bytes.len();
    let mut record = Zeroizing::new(Vec::with_capacity(size));
    record.extend_from_slice(&verified.to_be_bytes());
    record.push(u8::try_from(chain.len()).ok()?);
    for (from, to) in chain {
        for time in [from.as_ref()?, to.as_ref()?] {
            record.extend_from_slice(&time.year().to_be_bytes());
            record.extend_from_slice(&[time.month(), time.day()]);
            record.extend_from_slice(&[time.hour(), time.minute(), time.second()]);
        }
    }
    record.extend_from_slice(bytes);
    Some(record)
}

/// The session of a record, if it is still good.
fn from_record(binding: Binding, record: &[u8]) -> Option<Kept> {
    let (verified, rest) = record.split_at_checked(8)?;
    let verified = i64::from_be_bytes(verified.try_into().ok()?);
    let age_ms = u64::try_from(wall_clock()?.checked_sub(verified)?)
        .ok()?
        .checked_mul(1000)?;
    let left = AGE_MAX_MS.checked_sub(age_ms)?;
    let (count, rest) = rest.split_first()?;
    let (dates, bytes) = rest.split_at_checked(usize::from(*count) * 2 * DATE)?;
    let date = |at: &[u8]| match *at {
        [high, low, month, day, hour, minute, second] => {
            let year = u16::from_be_bytes([high, low]);
            Time::new(year, month, day, hour, minute, second)
        }
        _ => None,
    };
    let chain: Arc<[Validity]> = apart(|| {
        let pairs = dates.chunks_exact(2 * DATE);
        pairs
            .map(|pair| (date(&pair[..DATE]), date(&pair[DATE..])))
            .collect()
    });
    if chain.is_empty() || !all_valid(&chain) {
        return None;
    }
    Some(Kept {
        binding,
        bytes: Zeroizing::new(bytes.to_vec()),
        chain,
        good_until: seam::uptime_ms().saturating_add(left),
    })
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

    fn kept(binding: u8, chain: &[Validity], good_until: u64) -> Kept {
        Kept {
            binding: Binding([binding; 32]),
            bytes: Zeroizing::new(vec![1]),
            chain: chain.into(),
            good_until,
        }
    }

    #[test]
    fn only_what_is_still_valid_is_offered() {
        let now = seam::uptime_ms();
        let later = now + AGE_MAX_MS;
        let good = (at(2020), at(2099));
        let cases: [(&str, &[Validity], u64, bool); 6] = [
            ("valid", &[good], later, true),
            ("leaf expired", &[good, (at(2020), at(2021))], later, false),
            ("root expired", &[(at(2020), at(2021)), good], later, false),
            ("not yet valid", &[(at(2098), at(2099))], later, false),
            ("no date", &[(at(2020), None)], later, false),
            ("too old", &[good], now, false),
        ];
        for (number, (name, chain, good_until, wanted)) in (1..).zip(cases) {
            lock(&KEPT).push(kept(number, chain, good_until));
            let taken = take(Binding([number; 32]));
            assert_eq!(taken.is_some(), wanted, "{name}");
            assert!(take(Binding([number; 32])).is_none(), "{name}: taken out");
        }
    }

    #[test]
    fn records_are_bounded_by_their_age_and_their_chain() {
        let now = seam::uptime_ms();
        let wall = wall_clock().expect("a clock that is set");
        let good = (at(2020), at(2099));
        let binding = Binding([200; 32]);
        let record = to_record(b"bytes", &[good, good], now + AGE_MAX_MS).expect("record");
        let kept = from_record(binding, &record).expect("kept");
        assert_eq!(
            (kept.bytes.as_slice(), kept.chain.len()),
            (&b"bytes"[..], 2)
        );
        assert!(kept.good_until <= seam::uptime_ms() + AGE_MAX_MS);
        let aged = |seconds: i64| {
            let mut record = record.clone();
            record[..8].copy_from_slice(&(wall - seconds).to_be_bytes());
            from_record(binding, &record).map(|kept| kept.good_until)
        };
        assert!(aged(86_390).expect("nearly a day old") < seam::uptime_ms() + 20_000);
        assert!(aged(86_410).is_none(), "older than a day");
        assert!(aged(-100).is_none(), "the clock was set back");
        for verified in [i64::MIN, i64::MAX] {
            let mut record = record.clone();
            record[..8].copy_from_slice(&verified.to_be_bytes());
            assert!(from_record(binding, &record).is_none());
        }
        for length in 0..9 + 4 * DATE {
            assert!(
                from_record(binding, &record[..length]).is_none(),
                "{length}"
            );
        }
        let expired =
            to_record(b"bytes", &[(at(2020), at(2021))], now + AGE_MAX_MS).expect("record");
        assert!(from_record(binding, &expired).is_none());
        assert!(to_record(b"bytes", &[(None, at(2099))], now + AGE_MAX_MS).is_none());
    }
}

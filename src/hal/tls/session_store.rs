//! Sessions in the KV store, so that they are resumed across a restart. Off unless the application gives
//! a key.
//!
//! A record is sealed with AES-256-GCM. Its associated data is the whole binding of the session (server,
//! port, trust, certificate of the client), so a record of another connection does not open. Whatever
//! does not open or is too old is removed without a word to the user: the handshake is a full one then.
//!
//! ```text
//! version (1) | tag of the binding (8) | nonce (12) | sealed: time, dates, session | GCM tag (16)
//! ```

use std::ffi::CStr;
use std::sync::{Arc, Mutex};

use mbedtls_sys::{
    CIPHER_ID_AES, GCM_ENCRYPT, gcm_auth_decrypt, gcm_context, gcm_crypt_and_tag, gcm_free,
    gcm_init, gcm_setkey,
};
use zeroize::Zeroizing;

use super::{lock, mbed_random};
use crate::hal::seam;

/// Places for records; a device talks to one or two servers.
const PLACES: [&CStr; 4] = [
    c"iotx_tls_session_0",
    c"iotx_tls_session_1",
    c"iotx_tls_session_2",
    c"iotx_tls_session_3",
];
const VERSION: u8 = 1;
const TAG: usize = 8;
const NONCE: usize = 12;
const MAC: usize = 16;
const HEAD: usize = 1 + TAG + NONCE;
/// Longest record, bytes.
const RECORD_MAX: usize = 20 * 1024;

type Ask = dyn Fn(&mut [u8; 32]) -> bool + Send + Sync;

/// Tells the key of the store.
#[derive(Clone)]
pub struct SessionKey(Arc<Ask>);

impl SessionKey {
    /// `ask` fills in the key; `false` when it has none. It is called on the thread that connects,
    /// without a lock held.
    pub fn new(ask: impl Fn(&mut [u8; 32]) -> bool + Send + Sync + 'static) -> Self {
        SessionKey(Arc::new(ask))
    }
}

static KEY: Mutex<Option<SessionKey>> = Mutex::new(None);

/// Turns the store on with the key of `key`, or off.
pub fn set_session_store(key: Option<SessionKey>) {
    *lock(&KEY) = key;
}

/// The key, if the store is on and the application has one.
fn key() -> Option<Zeroizing<[u8; 32]>> {
    let ask = lock(&KEY).clone()?;
    let mut key = Zeroizing::new([0; 32]);
    if (ask.0)(&mut key) {
        return Some(key);
    }
    log::debug!("no key for stored TLS sessions");
    None
}

fn is_on() -> bool {
    lock(&KEY).is_some()
}

/// The place of the record for `binding`, and the record.
fn find(binding: &[u8; 32]) -> Option<(&'static CStr, Vec<u8>)> {
    let mut buffer = vec![0; RECORD_MAX];
    PLACES.into_iter().find_map(|place| {
        let size = seam::kv_get(place, &mut buffer)?;
        let record = buffer.get(..size)?;
        let tag = record.get(1..1 + TAG)?;
        (tag == &binding[..TAG]).then(|| (place, record.to_vec()))
    })
}

/// Takes the record for `binding` out of the store and opens it: it is offered once, and a server that
/// resumes sessions but refuses those who do meets a full handshake next.
pub(super) fn take(binding: &[u8; 32]) -> Option<Zeroizing<Vec<u8>>> {
    if !is_on() {
        return None;
    }
    let (place, record) = find(binding)?;
    seam::kv_del(place);
    let opened = key().and_then(|key| open(&key, binding, &record));
    if opened.is_none() {
        log::info!("a stored TLS session does not open and is removed");
    }
    opened
}

/// Removes the record for `binding`.
pub(super) fn forget(binding: &[u8; 32]) {
    if is_on()
        && let Some((place, _)) = find(binding)
    {
        seam::kv_del(place);
    }
}

/// Removes every record.
pub(super) fn forget_all() {
    if is_on() {
        for place in PLACES {
            seam::kv_del(place);
        }
    }
}

/// Seals `plain` and stores it for `binding`, in the place of an older record of the same, in a free one,
/// or in one that the binding picks.
pub(super) fn put(binding: &[u8; 32], plain: &[u8]) {
    let Some(key) = (if is_on() { key() } else { None }) else {
        return;
    };
    let Some(record) = seal(&key, binding, plain) else {
        return;
    };
    let mut probe = [0; 1];
    let place = find(binding).map(|found| found.0).unwrap_or_else(|| {
        let free = PLACES
            .into_iter()
            .find(|place| matches!(seam::kv_read(place, &mut probe), seam::KvValue::Nothing));
        free.unwrap_or(PLACES[usize::from(binding[31]) % PLACES.len()])
    });
    if record.len() > RECORD_MAX || !seam::kv_set(place, &record, true) {
        log::debug!("the TLS session could not be stored");
    }
}

/// AES-256-GCM of the TLS library, freed when dropped.
struct Gcm(Box<gcm_context>);

impl Gcm {
    fn new(key: &[u8; 32]) -> Option<Self> {
        let mut context = Box::new(gcm_context::default());
        // SAFETY: a live structure, which the function fills with its empty value.
        unsafe { gcm_init(&mut *context) };
        let mut gcm = Gcm(context);
        // SAFETY: initialised; a key of 256 bits.
        let status = unsafe { gcm_setkey(&mut *gcm.0, CIPHER_ID_AES, key.as_ptr(), 256) };
        (status == 0).then_some(gcm)
    }
}

impl Drop for Gcm {
    fn drop(&mut self) {
        // SAFETY: initialised in new().
        unsafe { gcm_free(&mut *self.0) };
    }
}

fn associated(binding: &[u8; 32]) -> [u8; 33] {
    let mut data = [VERSION; 33];
    data[1..].copy_from_slice(binding);
    data
}

fn seal(key: &[u8; 32], binding: &[u8; 32], plain: &[u8]) -> Option<Vec<u8>> {
    let mut gcm = Gcm::new(key)?;
    let mut record = vec![0; HEAD + plain.len() + MAC];
    record[0] = VERSION;
    record[1..1 + TAG].copy_from_slice(&binding[..TAG]);
    let (head, sealed) = record.split_at_mut(HEAD);
    let nonce = &mut head[1 + TAG..];
    if mbed_random::fill(nonce.as_mut_ptr(), NONCE) != 0 {
        return None;
    }
    let data = associated(binding);
    let (text, mac) = sealed.split_at_mut(plain.len());
    // SAFETY: pointers and lengths describe slices that do not overlap; `text` is as long as `plain`.
    let status = unsafe {
        gcm_crypt_and_tag(
            &mut *gcm.0,
            GCM_ENCRYPT,
            plain.len(),
            nonce.as_ptr(),
            NONCE,
            data.as_ptr(),
            data.len(),
            plain.as_ptr(),
            text.as_mut_ptr(),
            MAC,
            mac.as_mut_ptr(),
        )
    };
    (status == 0).then_some(record)
}

fn open(key: &[u8; 32], binding: &[u8; 32], record: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (head, sealed) = record.split_at_checked(HEAD)?;
    if head[0] != VERSION {
        return None;
    }
    let nonce = &head[1 + TAG..];
    let (text, mac) = sealed.split_at_checked(sealed.len().checked_sub(MAC)?)?;
    let mut gcm = Gcm::new(key)?;
    let data = associated(binding);
    let mut plain = Zeroizing::new(vec![0; text.len()]);
    // SAFETY: pointers and lengths describe slices that do not overlap; `plain` is as long as `text`.
    let status = unsafe {
        gcm_auth_decrypt(
            &mut *gcm.0,
            text.len(),
            nonce.as_ptr(),
            NONCE,
            data.as_ptr(),
            data.len(),
            mac.as_ptr(),
            MAC,
            text.as_ptr(),
            plain.as_mut_ptr(),
        )
    };
    (status == 0).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_record_with_its_key_and_binding_opens() {
        let (key, binding) = ([7; 32], [9; 32]);
        let record = seal(&key, &binding, b"session").expect("sealed");
        assert_eq!(
            open(&key, &binding, &record).expect("opens").as_slice(),
            b"session"
        );
        assert!(open(&[8; 32], &binding, &record).is_none(), "another key");
        let mut other = binding;
        other[31] ^= 1;
        assert!(open(&key, &other, &record).is_none(), "another binding");
        for length in 0..record.len() {
            assert!(
                open(&key, &binding, &record[..length]).is_none(),
                "{length}"
            );
        }
        for at in (0..record.len()).filter(|at| !(1..1 + TAG).contains(at)) {
            let mut changed = record.clone();
            changed[at] ^= 0x10;
            assert!(open(&key, &binding, &changed).is_none(), "byte {at}");
        }
        let again = seal(&key, &binding, b"session").expect("sealed");
        assert_ne!(record, again, "a nonce is used once");
    }
}

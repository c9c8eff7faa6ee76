//! Certificate revocation lists (RFC 5280 §5) the application gives.
//!
//! They travel behind the trust anchors in the same PEM text, so that whatever is bound to the trust of
//! a connection is bound to them as well. `iotx_ca_crt` may hold them itself in this way.

use std::sync::{Arc, Mutex};

use mbedtls::x509::Crl;
use mbedtls_sys::pem_write_buffer;

use super::lock;

const BEGIN: &str = "-----BEGIN X509 CRL-----";
const END: &str = "-----END X509 CRL-----";
const BEGIN_LINE: &std::ffi::CStr = c"-----BEGIN X509 CRL-----\n";
const END_LINE: &std::ffi::CStr = c"-----END X509 CRL-----\n";

/// Those of the process, PEM.
static OF_PROCESS: Mutex<Option<Arc<[u8]>>> = Mutex::new(None);

/// Sets the lists (PEM, as of [`to_pem`]) for connections that have none of their own; `None`: none.
pub fn set_crl(pem: Option<Vec<u8>>) {
    *lock(&OF_PROCESS) = pem.map(Into::into);
}

/// The trust anchors `ca_pem`, the lists of the process behind them unless it has some itself.
pub(super) fn with_process(mut ca_pem: Vec<u8>) -> Vec<u8> {
    let of_process = lock(&OF_PROCESS).clone();
    if let Some(lists) = of_process
        && next_block(&ca_pem).is_none()
    {
        append(&mut ca_pem, &lists);
    }
    ca_pem
}

/// Puts `lists` behind the trust anchors.
pub fn append(ca_pem: &mut Vec<u8>, lists: &[u8]) {
    ca_pem.push(b'\n');
    ca_pem.extend_from_slice(lists);
}

/// The first list in a PEM text, from its first to its last line, and what is behind it. A list
/// that does not end reaches to the end of the text, and is unreadable.
fn next_block(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let find = |text: &[u8], what: &str| {
        text.windows(what.len())
            .position(|window| window == what.as_bytes())
    };
    let from = find(text, BEGIN)?;
    let text = &text[from..];
    let end = find(text, END).map_or(text.len(), |at| at + END.len());
    Some(text.split_at(end))
}

/// Lists as a handshake uses them.
pub(super) struct Lists(Arc<Crl>);

// SAFETY: plain memory of its own, which nothing changes once `load` has made it: the TLS library
// only reads it, and every handshake loads its own.
unsafe impl Send for Lists {}
// SAFETY: as above.
unsafe impl Sync for Lists {}

impl Lists {
    /// For the configuration of the TLS library.
    pub(super) fn shared(&self) -> Arc<Crl> {
        Arc::clone(&self.0)
    }
}

/// Reads every list of a PEM text; `None` if it has none.
pub(super) fn load(text: &[u8]) -> Result<Option<Lists>, String> {
    let mut lists = None;
    let mut rest = text;
    while let Some((block, behind)) = next_block(rest) {
        let terminated = [block, b"\0"].concat();
        lists
            .get_or_insert_with(Crl::new)
            .push_from_pem(&terminated)
            .map_err(|error| format!("CRL is unreadable ({error})"))?;
        rest = behind;
    }
    // The library wants this type; `Lists` says why it may go from thread to thread.
    #[allow(clippy::arc_with_non_send_sync)]
    Ok(lists.map(|lists| Lists(Arc::new(lists))))
}

/// Checks lists given as PEM, one or several, or one as DER; the result is PEM.
pub fn to_pem(data: &[u8]) -> Result<Vec<u8>, String> {
    let end = data.len() - data.iter().rev().take_while(|byte| **byte == 0).count();
    let pem = if next_block(data).is_some() {
        data[..end].to_vec()
    } else {
        let mut list = Crl::new();
        list.push_from_der(data)
            .map_err(|_| "CRL is neither PEM nor DER".to_owned())?;
        encode(data).ok_or("CRL is unreadable")?
    };
    load(&pem).map(|_| pem)
}

fn encode(der: &[u8]) -> Option<Vec<u8>> {
    // Four characters for three bytes, a line feed for 64 characters, two lines around.
    let mut text = vec![0; der.len() / 3 * 4 + der.len() / 32 + 128];
    let mut size = 0;
    // SAFETY: terminated strings; pointers and lengths describe slices.
    let status = unsafe {
        pem_write_buffer(
            BEGIN_LINE.as_ptr(),
            END_LINE.as_ptr(),
            der.as_ptr(),
            der.len(),
            text.as_mut_ptr(),
            text.len(),
            &mut size,
        )
    };
    // The size counts the terminator.
    text.truncate(size.saturating_sub(1));
    (status == 0).then_some(text)
}

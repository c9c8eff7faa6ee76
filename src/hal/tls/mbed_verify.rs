//! Verification of the server's certificate chain: the callback of the TLS library, and the text
//! for what it found.

use std::sync::{Arc, Mutex};

use mbedtls::Error;
use mbedtls::x509::{Certificate, Time, VerifyError};
use sha2::{Digest, Sha256};

use super::clock::dates_may_be_ignored;
use super::der;
use super::extra_name;
use super::mbed_resume::Validity;
use super::server_name::ServerName;
use super::{ClockPolicy, Options, lock, observer};

/// Object identifier of the subjectAltName extension (RFC 5280 §4.2.1.6).
const OID_SUBJECT_ALT_NAME: [u64; 4] = [2, 5, 29, 17];

/// One certificate of the chain, as the library presented it.
struct Finding {
    depth: i32,
    flags: VerifyError,
    subject: String,
    issuer: String,
    self_issued: bool,
    not_before: Option<Time>,
    not_after: Option<Time>,
}

#[derive(Default)]
struct State {
    findings: Vec<Finding>,
    root_sha256: Option<[u8; 32]>,
    name_ok: bool,
    dates_ignored: bool,
}

/// Judges one handshake. Clones share their state: one is the callback, one asks afterwards.
#[derive(Clone)]
pub struct Verifier {
    server: ServerName,
    extra_name_root: Option<[u8; 32]>,
    clock_policy: ClockPolicy,
    state: Arc<Mutex<State>>,
}

impl Verifier {
    /// A verifier for one handshake with these options.
    pub fn new(options: &Options) -> Self {
        Verifier {
            server: options.server.clone(),
            extra_name_root: options.extra_name_root,
            clock_policy: options.clock_policy,
            state: Arc::default(),
        }
    }

    /// The verify callback. The library calls it from the end of the chain (highest depth) to the
    /// leaf (depth 0), with what it found wrong so far in `flags`; for a DNS name that includes
    /// the name check.
    pub fn check(
        &self,
        certificate: &Certificate,
        depth: i32,
        flags: &mut VerifyError,
    ) -> Result<(), Error> {
        observer::tell(depth, der_of(certificate));
        let mut state = lock(&self.state);
        let dates = VerifyError::CERT_EXPIRED | VerifyError::CERT_FUTURE;
        if flags.intersects(dates) && dates_may_be_ignored(self.clock_policy) {
            flags.remove(dates);
            state.dates_ignored = true;
        }
        // What an old list says about a certificate still holds, and a device must be able to fetch
        // a new one.
        let age = VerifyError::CRL_EXPIRED | VerifyError::CRL_FUTURE;
        if flags.intersects(age) {
            log::warn!("a CRL is out of date; what it lists is refused all the same");
            flags.remove(age);
        }
        if state.root_sha256.is_none() {
            state.root_sha256 = Some(Sha256::digest(der_of(certificate)).into());
        }
        if depth == 0 {
            self.check_name(certificate, flags, state.root_sha256.as_ref());
            state.name_ok = !flags.contains(VerifyError::CERT_CN_MISMATCH);
        }
        let subject = certificate.subject_raw().unwrap_or_default();
        let issuer = certificate.issuer_raw().unwrap_or_default();
        state.findings.push(Finding {
            depth,
            flags: *flags,
            subject: display_name(&subject),
            issuer: display_name(&issuer),
            self_issued: subject == issuer,
            not_before: certificate.not_before().ok(),
            not_after: certificate.not_after().ok(),
        });
        Ok(())
    }

    /// The part of the name check that the library does not do. Touches the name flag only.
    fn check_name(
        &self,
        leaf: &Certificate,
        flags: &mut VerifyError,
        chain_root: Option<&[u8; 32]>,
    ) {
        let extension = subject_alt_name(leaf);
        let names = extension.as_deref().map(der::alt_names);
        if self.server.ip().is_some() {
            // The library was given no name, since it would send an address as SNI; so the flag
            // is ours alone. The subject's common name does not count for addresses.
            let entries = names.unwrap_or_default().ip;
            if !entries
                .iter()
                .any(|entry| self.server.matches_ip_bytes(entry))
            {
                flags.insert(VerifyError::CERT_CN_MISMATCH);
            }
        } else if flags.contains(VerifyError::CERT_CN_MISMATCH) {
            let subject = leaf.subject_raw().unwrap_or_default();
            let leaf_dns = match names {
                Some(names) => names.dns,
                None => der::common_name(&subject).into_iter().collect(),
            };
            let allowed = self.extra_name_root.as_ref();
            if extra_name::applies(&self.server, allowed, chain_root, &leaf_dns) {
                flags.remove(VerifyError::CERT_CN_MISMATCH);
            }
        }
    }

    /// Whether the leaf was seen and its name found right. Asked after the handshake, so that a
    /// session without a name check cannot come into being even if the callback was not called.
    pub fn name_was_checked(&self) -> bool {
        lock(&self.state).name_ok
    }

    /// Whether the server showed a certificate at all; one that resumes a session does not.
    pub fn was_asked(&self) -> bool {
        !lock(&self.state).findings.is_empty()
    }

    /// First and last moment of every certificate of the chain.
    pub fn validity(&self) -> Vec<Validity> {
        let state = lock(&self.state);
        let dates = |finding: &Finding| (finding.not_before, finding.not_after);
        state.findings.iter().map(dates).collect()
    }

    /// Whether a date was wrong and the clock policy let it pass.
    pub fn dates_ignored(&self) -> bool {
        lock(&self.state).dates_ignored
    }

    /// Clear text for what is wrong with the chain, reason first; `None` if nothing was found.
    ///
    /// `leaf_flags` is what the library found about the leaf after the chain was walked.
    pub fn reason(&self, leaf_flags: Option<VerifyError>) -> Option<String> {
        let mut state = lock(&self.state);
        if let (Some(flags), Some(leaf)) = (leaf_flags, state.findings.last_mut())
            && leaf.depth == 0
            && leaf.flags.is_empty()
        {
            leaf.flags = flags;
        }
        // The order tells the user the thing to mend first: who issued it, when, for whom.
        type Describe = fn(&Verifier, &State, &Finding) -> String;
        let kinds: [(VerifyError, Describe); 5] = [
            (VerifyError::CERT_NOT_TRUSTED, Self::untrusted),
            (VerifyError::CERT_EXPIRED, Self::expired),
            (VerifyError::CERT_FUTURE, Self::future),
            (VerifyError::CERT_CN_MISMATCH, Self::mismatch),
            (VerifyError::all(), Self::other),
        ];
        kinds.into_iter().find_map(|(kind, describe)| {
            let mut findings = state.findings.iter().rev();
            let finding = findings.find(|finding| finding.flags.intersects(kind))?;
            Some(describe(self, &state, finding))
        })
    }

    fn untrusted(&self, state: &State, finding: &Finding) -> String {
        if finding.depth == 0 && finding.self_issued {
            return format!("server certificate is self-signed ({})", finding.subject);
        }
        // The first one the library presented is the end of what the server sent.
        let last = state.findings.first().unwrap_or(finding);
        format!(
            "server certificate issued by an unknown CA ({})",
            last.issuer
        )
    }

    fn expired(&self, _: &State, finding: &Finding) -> String {
        let date = date(finding.not_after);
        format!("{} expired {date} ({})", who(finding), finding.subject)
    }

    fn future(&self, _: &State, finding: &Finding) -> String {
        let date = date(finding.not_before);
        format!(
            "{} not yet valid before {date} ({})",
            who(finding),
            finding.subject
        )
    }

    fn mismatch(&self, _: &State, finding: &Finding) -> String {
        let subject = &finding.subject;
        format!(
            "server certificate not valid for host {} ({subject})",
            self.server
        )
    }

    fn other(&self, _: &State, finding: &Finding) -> String {
        let flags = finding.flags;
        let reasons = [
            (VerifyError::CERT_BAD_MD, "is signed with a weak hash"),
            (VerifyError::CERT_BAD_PK, "has a key of a kind not allowed"),
            (VerifyError::CERT_BAD_KEY, "has a key that is too weak"),
            (VerifyError::CERT_KEY_USAGE, "has the wrong key usage"),
            (VerifyError::CERT_EXT_KEY_USAGE, "is not for TLS servers"),
            (VerifyError::CERT_NS_CERT_TYPE, "is not for TLS servers"),
            (VerifyError::CERT_REVOKED, "is revoked"),
            (VerifyError::CERT_MISSING, "is missing"),
            (
                VerifyError::CRL_NOT_TRUSTED,
                "cannot be judged: the CRL is not signed by its issuer",
            ),
            (
                VerifyError::CRL_BAD_MD,
                "cannot be judged: the CRL is signed with a weak hash",
            ),
        ];
        let found = reasons.iter().find(|reason| flags.contains(reason.0));
        let text = found.map_or("is not acceptable", |reason| reason.1);
        format!("{} {text} ({})", who(finding), finding.subject)
    }
}

/// The certificate as it was sent. A server whose only certificate has a signature algorithm unknown to the
/// library makes it present an empty one (version 0), which must not be asked for its bytes: it has
/// a NULL pointer in place of them.
fn der_of(certificate: &Certificate) -> &[u8] {
    match certificate.version() {
        Ok(_) => certificate.as_der(),
        Err(_) => &[],
    }
}

fn who(finding: &Finding) -> &'static str {
    if finding.depth == 0 {
        "server certificate"
    } else {
        "CA certificate"
    }
}

fn date(time: Option<Time>) -> String {
    match time {
        Some(time) => format!("{:04}-{:02}-{:02}", time.year(), time.month(), time.day()),
        None => "at an unreadable date".into(),
    }
}

/// The value of the subjectAltName extension, if there is one.
fn subject_alt_name(certificate: &Certificate) -> Option<Vec<u8>> {
    let extensions = certificate.extensions().ok()?;
    let mut all = extensions.into_iter();
    all.find(|extension| extension.oid.components().as_slice() == OID_SUBJECT_ALT_NAME)
        .map(|extension| extension.value)
}

/// `CN=...` for log and error texts: the common name cut to a sane length, without control
/// characters, since it comes from the peer.
fn display_name(name: &[u8]) -> String {
    const MAX: usize = 64;
    let Some(raw) = der::common_name(name) else {
        return "no common name".into();
    };
    let text = String::from_utf8_lossy(raw);
    let clean = text
        .chars()
        .take(MAX)
        .map(|c| if c.is_control() { '?' } else { c });
    format!("CN={}", clean.collect::<String>())
}

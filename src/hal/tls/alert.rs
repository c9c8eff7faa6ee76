//! TLS alerts by name, and the watch that finds them in the handshake.

use super::Credentials;

/// handshake_failure, the answer of a server that shares no cipher suite with us.
pub const HANDSHAKE_FAILURE: u8 = 40;

/// The name of an alert (RFC 5246 §7.2, RFC 6066 §9, RFC 8446 §6); `None` if unassigned.
pub fn name(description: u8) -> Option<&'static str> {
    Some(match description {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        _ => return None,
    })
}

/// Clear text for an alert that ended the handshake, reason first.
///
/// `credentials`: what the client had to show. `answered`: the server had already sent a handshake
/// message, so the alert is not about the cipher suites offered.
pub fn refusal(description: u8, credentials: &Credentials, answered: bool) -> String {
    let identity_offered = matches!(
        credentials,
        Credentials::Certificate(_) | Credentials::Callback(_)
    );
    let key_offered = matches!(credentials, Credentials::PreSharedKey(_));
    let name = match name(description) {
        Some(name) => name.to_owned(),
        None => format!("alert {description}"),
    };
    let hint = match description {
        20 | 51 if key_offered => " (is it the right pre-shared key?)",
        115 if key_offered => " (it does not know this key identity)",
        40 if key_offered => " (has it pre-shared keys at all?)",
        41..=46 | 48 | 49 | 51 if identity_offered => " (is the device certificate registered?)",
        40..=46 | 48 | 49 | 116 if !identity_offered && answered => {
            " (does it want a client certificate?)"
        }
        40 | 71 => " (no common cipher suite?)",
        70 => " (it does not accept TLS 1.2)",
        112 => " (it does not know this host name)",
        _ => "",
    };
    format!("server refused the handshake: {name}{hint}")
}

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const HEADER: usize = 5;

/// Follows the record headers of the server's unencrypted flight.
///
/// The TLS library reports a fatal alert without its number, and anything that is not TLS as an
/// invalid record; both can be seen here, since alerts before ChangeCipherSpec are in clear.
#[derive(Debug, Default)]
pub struct Watch {
    header: [u8; HEADER],
    filled: usize,
    left: usize,
    alert: [u8; 2],
    alert_filled: usize,
    finished: bool,
    /// The server sent at least one handshake record.
    pub answered: bool,
    /// The peer's first bytes are not a TLS record.
    pub not_tls: bool,
    /// Description of the last alert with level fatal.
    pub fatal: Option<u8>,
}

impl Watch {
    /// Takes the next bytes as they came from the network.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.finished {
            if self.left == 0 {
                let take = bytes.len().min(HEADER - self.filled);
                self.header[self.filled..self.filled + take].copy_from_slice(&bytes[..take]);
                self.filled += take;
                bytes = &bytes[take..];
                self.check_header();
                continue;
            }
            let take = bytes.len().min(self.left);
            if self.header[0] == ALERT {
                for &byte in &bytes[..take.min(2 - self.alert_filled)] {
                    self.alert[self.alert_filled] = byte;
                    self.alert_filled += 1;
                }
                if self.alert_filled == 2 && self.alert[0] == 2 {
                    self.fatal = Some(self.alert[1]);
                }
            }
            self.left -= take;
            bytes = &bytes[take..];
        }
    }

    fn check_header(&mut self) {
        let kind_ok = (CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&self.header[0]);
        let major_ok = self.filled < 2 || self.header[1] == 3;
        if !kind_ok || !major_ok {
            self.not_tls = !self.answered;
            self.finished = true;
            return;
        }
        if self.filled < HEADER {
            return;
        }
        self.filled = 0;
        self.alert_filled = 0;
        self.left = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
        match self.header[0] {
            HANDSHAKE => self.answered = true,
            // Everything behind it is encrypted.
            CHANGE_CIPHER_SPEC | APPLICATION_DATA => self.finished = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Credentials, Watch, refusal};
    use crate::hal::tls::{Identity, PreSharedKey};

    #[test]
    fn fatal_alert_is_found_byte_by_byte() {
        let flight = [22, 3, 3, 0, 2, 9, 9, 21, 3, 3, 0, 2, 2, 42];
        let mut watch = Watch::default();
        for byte in flight {
            watch.feed(&[byte]);
        }
        assert!(watch.answered && !watch.not_tls);
        assert_eq!(watch.fatal, Some(42));
    }

    #[test]
    fn warnings_and_encrypted_records_are_not_fatal_alerts() {
        let mut watch = Watch::default();
        watch.feed(&[21, 3, 3, 0, 2, 1, 112]);
        watch.feed(&[20, 3, 3, 0, 1, 1, 21, 3, 3, 0, 2, 2, 42]);
        assert_eq!(watch.fatal, None);
    }

    #[test]
    fn plain_text_is_recognised() {
        let mut watch = Watch::default();
        watch.feed(b"HTTP/1.1 400 Bad Request\r\n");
        assert!(watch.not_tls);
    }

    #[test]
    fn refusals_give_the_alert_name_and_a_hint() {
        let identity = Credentials::Certificate(Identity {
            certificate_pem: Vec::new(),
            key_pem: Vec::new().into(),
            key_password: None,
        });
        let key = Credentials::PreSharedKey(PreSharedKey {
            identity: String::new(),
            key: Vec::new().into(),
        });
        let text = refusal(42, &identity, true);
        assert!(
            text.contains("bad_certificate") && text.contains("registered"),
            "{text}"
        );
        let none = &Credentials::None;
        assert!(refusal(40, none, true).contains("client certificate"));
        assert!(refusal(40, none, false).contains("cipher suite"));
        assert!(refusal(200, none, true).contains("alert 200"));
        assert!(refusal(115, &key, true).contains("key identity"));
        assert!(refusal(20, &key, true).contains("right pre-shared key"));
        assert!(refusal(40, &key, false).contains("pre-shared keys"));
    }
}

//! Checks that need no network: names, secret, certificate, connect parameters, keep-alive.

use iotx::hal::tls::{self, Credentials, LIBRARY_DATE};
use iotx::sign::{
    CLIENT_ID_MAX, DEVICE_NAME_MAX, DEVICE_SECRET_MAX, PRODUCT_KEY_MAX, SignMethod, platform,
};

use super::finding::Finding;
use crate::account::certificate::{Summary, date};
use crate::account::{Account, Ready, Scheme};

/// Shortest device name, bytes.
const DEVICE_NAME_MIN: usize = 4;
/// Keep-alive that the platform accepts, seconds.
const KEEP_ALIVE: std::ops::RangeInclusive<u16> = 30..=1200;
/// Certificates that end within this time are told of, seconds: 30 days.
const SOON: i64 = 30 * 24 * 3600;

/// All of them. `now` is the clock of the device, Unix time.
pub fn check(account: &Account, ready: &Ready, now: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(names(account));
    findings.extend(secret(ready));
    findings.extend(certificate(account, ready, now));
    findings.extend(parameters(ready));
    findings.push(keep_alive(account.keep_alive));
    findings.push(clock(now));
    findings
}

/// Product key and device name; `None` where there need be none.
pub fn names(account: &Account) -> Option<Finding> {
    const CHECK: &str = "names";
    let next = "Copy product key and device name from the device's page in the console.";
    let (product_key, device_name) = (&account.product_key, &account.device_name);
    let raw = account.scheme == Scheme::Raw;
    let certified = matches!(account.scheme, Scheme::X509 | Scheme::PrivateCa);
    if product_key.is_empty() && device_name.is_empty() && (raw || certified) {
        return None;
    }
    let foreign = |text: &str, also: &str| {
        text.chars()
            .find(|c| !c.is_ascii_alphanumeric() && !also.contains(*c))
    };
    for (what, text, min, max, also) in [
        ("product key", product_key, 1, PRODUCT_KEY_MAX, ""),
        (
            "device name",
            device_name,
            DEVICE_NAME_MIN,
            DEVICE_NAME_MAX,
            "-_@.:",
        ),
    ] {
        if text.is_empty() {
            return Some(Finding::bad(CHECK, format!("The {what} is missing."), next));
        }
        if text.trim() != text {
            return Some(Finding::bad(
                CHECK,
                format!("The {what} begins or ends with white space."),
                next,
            ));
        }
        if let Some(c) = foreign(text, also) {
            return Some(Finding::bad(
                CHECK,
                format!("The {what} has the character {c:?}, which none may have."),
                next,
            ));
        }
        if text.len() < min || text.len() > max {
            let len = text.len();
            return Some(Finding::bad(
                CHECK,
                format!("The {what} has {len} characters; {min} to {max} are possible."),
                next,
            ));
        }
    }
    Some(Finding::ok(
        CHECK,
        "Product key and device name are well formed.",
    ))
}

fn secret(ready: &Ready) -> Option<Finding> {
    const CHECK: &str = "secret";
    let secret = ready.secret.as_deref()?;
    let next = "Copy the device secret from the console again, without anything around it.";
    Some(if secret.trim() != secret.as_str() {
        Finding::bad(
            CHECK,
            "The device secret begins or ends with white space.",
            next,
        )
    } else if secret.len() > DEVICE_SECRET_MAX {
        Finding::bad(
            CHECK,
            "The device secret is longer than 64 characters.",
            next,
        )
    } else if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        Finding::bad(
            CHECK,
            "The device secret has characters that no secret has.",
            next,
        )
    } else {
        Finding::ok(CHECK, "The device secret is well formed.")
    })
}

fn certificate(account: &Account, ready: &Ready, now: i64) -> Option<Finding> {
    const CHECK: &str = "certificate";
    let pem = ready.certificate.as_deref()?;
    let text = String::from_utf8_lossy(pem);
    let has = |label: &str| text.contains(label);
    if has("PRIVATE KEY-----") && !has("BEGIN CERTIFICATE") {
        return Some(Finding::bad(
            CHECK,
            "The certificate file holds a private key.",
            "Exchange --cert and --key.",
        ));
    }
    if let Credentials::Certificate(identity) = &*ready.credentials
        && identity
            .key_pem
            .windows(27)
            .any(|part| part == b"-----BEGIN CERTIFICATE-----")
        && !String::from_utf8_lossy(&identity.key_pem).contains("PRIVATE KEY-----")
    {
        return Some(Finding::bad(
            CHECK,
            "The key file holds a certificate.",
            "Give the private key as --key.",
        ));
    }
    let Some(summary) = Summary::first_of_pem(pem) else {
        return Some(Finding::bad(
            CHECK,
            "The device certificate is not readable as PEM.",
            "Download it again; it begins with -----BEGIN CERTIFICATE-----.",
        ));
    };
    if let Err(failure) = tls::check(ready.ca_pem.as_bytes(), &ready.credentials) {
        return Some(Finding::bad(
            CHECK,
            format!(
                "Certificate, key or CA file cannot be used: {}.",
                failure.text
            ),
            "Use the certificate and the key that were made together, and a CA file with certificates in PEM.",
        ));
    }
    let (from, to) = (date(summary.not_before), date(summary.not_after));
    if now < summary.not_before {
        return Some(Finding::bad(
            CHECK,
            format!("The device certificate is valid from {from} on only."),
            "Set the clock, or wait, or have a certificate issued that is valid already.",
        ));
    }
    if now > summary.not_after {
        return Some(Finding::bad(
            CHECK,
            format!("The device certificate expired on {to}."),
            "Have a new certificate issued for the device.",
        ));
    }
    if account.scheme == Scheme::PrivateCa && !summary.rsa {
        return Some(Finding::bad(
            CHECK,
            "The device certificate has no RSA key; the platform takes RSA alone from a private CA.",
            "Issue the device certificate for an RSA key.",
        ));
    }
    Some(if summary.not_after - now < SOON {
        Finding::note(
            CHECK,
            format!("The device certificate ends on {to}."),
            "Have a new one issued before.",
        )
    } else {
        Finding::ok(
            CHECK,
            format!("The device certificate is valid until {to} and belongs to its key."),
        )
    })
}

/// The value of a parameter between the bars of a client id.
fn parameter<'a>(client_id: &'a str, name: &str) -> Option<&'a str> {
    let (_, parameters) = client_id.split_once('|')?;
    parameters
        .trim_end_matches('|')
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

fn parameters(ready: &Ready) -> Vec<Finding> {
    const CHECK: &str = "client id";
    let client_id = ready.login.client_id.as_str();
    let Some((own, rest)) = client_id.split_once('|') else {
        return vec![Finding::bad(
            CHECK,
            "The MQTT client id has no parameters.",
            "Write it as ID|securemode=2,signmethod=hmacsha256,timestamp=...|.",
        )];
    };
    if own.is_empty() || own.len() > CLIENT_ID_MAX || !rest.ends_with('|') {
        return vec![Finding::bad(
            CHECK,
            "The MQTT client id is not 1 to 64 characters followed by parameters between bars.",
            "Write it as ID|securemode=2,signmethod=hmacsha256,timestamp=...|.",
        )];
    }
    let mut findings = vec![secure_mode(client_id, ready.endpoint.tls)];
    findings.extend(password(ready, own));
    findings
}

fn secure_mode(client_id: &str, tls: bool) -> Finding {
    const CHECK: &str = "securemode";
    let transport = if tls { "TLS" } else { "plain TCP" };
    let wanted = if tls { 2 } else { 3 };
    match (parameter(client_id, "securemode"), tls) {
        (None, _) => Finding::bad(
            CHECK,
            "The client id does not say securemode.",
            format!("Add securemode={wanted} to it."),
        ),
        (Some("2" | "-2" | "8"), true) | (Some("3"), false) => {
            Finding::ok(CHECK, format!("securemode fits {transport}."))
        }
        (Some(mode), _) => Finding::bad(
            CHECK,
            format!("securemode={mode} in the client id does not fit {transport}."),
            format!("Use securemode={wanted}, or a URL with the other transport."),
        ),
    }
}

/// The password of a device with a secret, made again from the fields.
fn password(ready: &Ready, own: &str) -> Option<Finding> {
    const CHECK: &str = "signature";
    let secret = ready.secret.as_deref()?;
    let login = &ready.login;
    let next = "Sign clientId, deviceName, productKey and timestamp as sent, keyed with the device secret.";
    let Some((device_name, product_key)) = login.username.split_once('&') else {
        return Some(Finding::bad(
            CHECK,
            "The user name is not DEVICE NAME & PRODUCT KEY.",
            "Write device name, &, product key, in this order.",
        ));
    };
    let method = match parameter(&login.client_id, "signmethod") {
        Some("hmacmd5") => SignMethod::HmacMd5,
        Some("hmacsha1") | None => SignMethod::HmacSha1,
        Some("hmacsha256") => SignMethod::HmacSha256,
        Some(_) => {
            return Some(Finding::bad(
                CHECK,
                "signmethod in the client id is unknown.",
                "Use hmacmd5, hmacsha1 or hmacsha256.",
            ));
        }
    };
    let made = platform::connect_password(
        method,
        secret.as_bytes(),
        product_key.as_bytes(),
        device_name.as_bytes(),
        Some(own.as_bytes()),
        parameter(&login.client_id, "timestamp").map(str::as_bytes),
    );
    // Case of the digits does not matter to the platform.
    Some(if made.eq_ignore_ascii_case(&login.password) {
        Finding::ok(
            CHECK,
            "The password is the signature of the fields that are sent.",
        )
    } else {
        Finding::bad(
            CHECK,
            "The password is not the signature of the fields that are sent.",
            next,
        )
    })
}

fn keep_alive(seconds: u16) -> Finding {
    const CHECK: &str = "keep-alive";
    if KEEP_ALIVE.contains(&seconds) {
        Finding::ok(CHECK, format!("A keep-alive of {seconds} s is accepted."))
    } else {
        Finding::bad(
            CHECK,
            format!("A keep-alive of {seconds} s is outside of 30 to 1200 s."),
            "Use 300 s or more, up to 1200 s.",
        )
    }
}

fn clock(now: i64) -> Finding {
    const CHECK: &str = "clock";
    if now < LIBRARY_DATE {
        Finding::bad(
            CHECK,
            format!(
                "The clock shows {}, which is past: it is not set.",
                date(now)
            ),
            "Set the clock before connecting, by NTP or from the network.",
        )
    } else {
        Finding::ok(CHECK, format!("The clock shows {}.", date(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn parameters_of_a_client_id() {
        let id = "a.b|timestamp=1,securemode=2,signmethod=hmacsha1|";
        assert_eq!(parameter(id, "securemode"), Some("2"));
        assert_eq!(parameter(id, "signmethod"), Some("hmacsha1"));
        assert_eq!(parameter(id, "mode"), None);
        assert_eq!(parameter("securemode=2", "securemode"), None);
    }

    #[test]
    fn securemode_goes_with_the_transport() {
        for (mode, tls, want) in [
            ("2", true, Verdict::Ok),
            ("-2", true, Verdict::Ok),
            ("3", false, Verdict::Ok),
            ("3", true, Verdict::Bad),
            ("2", false, Verdict::Bad),
            ("x", true, Verdict::Bad),
        ] {
            let finding = secure_mode(&format!("a|securemode={mode}|"), tls);
            assert_eq!(finding.verdict, want, "{mode} {tls}");
        }
        assert_eq!(secure_mode("a|x=1|", true).verdict, Verdict::Bad);
    }

    #[test]
    fn keep_alive_has_a_range() {
        for (seconds, want) in [
            (29, Verdict::Bad),
            (30, Verdict::Ok),
            (1200, Verdict::Ok),
            (1201, Verdict::Bad),
        ] {
            assert_eq!(keep_alive(seconds).verdict, want, "{seconds}");
        }
    }
}

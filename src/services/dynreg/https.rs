//! Registration over HTTPS (spec dynamic-registration.md §2).

use super::{Applicant, Granted, Group, METHOD, Refused, answer, random};
use crate::services::http::{self, Bounds, Limits, Request};
use crate::sign::platform::registration_body;
use crate::state;
use crate::transport::{DialBounds, Dialer, Target};

/// Where devices register.
const PATH: &str = "/auth/register/device";
/// What the platform's own clients send.
const FIELDS: [(&str, &str); 2] = [
    (
        "Accept",
        "text/xml,text/javascript,text/html,application/json",
    ),
    ("Content-Type", "application/x-www-form-urlencoded"),
];

const BOUNDS: Bounds = Bounds {
    dial: DialBounds {
        resolve_ms: 10_000,
        address_ms: 5_000,
        network_ms: 10_000,
        handshake_ms: 10_000,
    },
    tries: 3,
    pause_ms: 1_000,
    connect_ms: 30_000,
    exchange_ms: 10_000,
    limits: Limits { body: 4 * 1024 },
};

/// Registers `applicant` at `target`. Blocks for 40 s at most: 30 s to connect, in up to three tries,
/// and 10 s for the exchange.
pub fn register(
    dialer: &dyn Dialer,
    target: &Target,
    applicant: &Applicant<'_>,
) -> Result<Granted, Refused> {
    applicant.check()?;
    // 64 bits, twice what the platform asks for at least.
    let random = random(8)?;
    let sign = applicant.sign(&random);
    let body = registration_body(
        METHOD,
        applicant.product_key,
        applicant.device_name,
        &random,
        &sign,
    );
    let request = Request {
        method: "POST",
        path: PATH,
        fields: &FIELDS,
        body: body.as_bytes(),
    };
    let response = http::perform(dialer, target, &request, &BOUNDS)
        .map_err(|error| Refused::new(Group::Http, error.code(), error.to_string()))?;
    match response.status {
        200..=299 => answer::over_https(&response.body, applicant),
        status @ 300..=399 => Err(Refused::new(
            Group::Http,
            state::ERROR_HTTP,
            format!("HTTP status {status}: redirects are not followed"),
        )),
        status => Err(Refused::new(
            Group::Http,
            state::ERROR_HTTP,
            format!("HTTP status {status}"),
        )),
    }
}

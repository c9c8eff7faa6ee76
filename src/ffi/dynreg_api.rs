//! `dynreg_api.h`: `IOT_Dynamic_Register`, and what `IOT_MQTT_Construct` does with
//! `IOTX_IOCTL_SET_DYNAMIC_REGISTER` (spec dynamic-registration.md §1).

use std::ffi::{CStr, CString, c_char, c_int};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use zeroize::{Zeroize, Zeroizing};

use super::dev_sign_api::replaceable_hmac_sha256;
use super::infra_defs::REGION_CUSTOM;
use super::infra_types::{
    IOTX_DEVICE_NAME_LEN, IOTX_DEVICE_SECRET_LEN, IOTX_PRODUCT_KEY_LEN, IOTX_PRODUCT_SECRET_LEN,
    iotx_dev_meta_info_t, iotx_http_region_types_t,
};
use super::ioctl::{self, Settings};
use super::registry::{self, StateSlot};
use super::{barrier, client_transport, cstr, mqtt_api, mqtt_params};
use crate::hal::memory;
use crate::hal::tls::Credentials;
use crate::services::dynreg::{self, Applicant, Granted, Group, Refused, kept};
use crate::sign::link_sdk::MQTT_PORT;
use crate::state;
use crate::transport::{HalDialer, Security, Target, authority};

/// Where HTTPS is served unless the host name says otherwise.
const HTTPS_PORT: u16 = 443;

static OVER_MQTT: AtomicBool = AtomicBool::new(false);
static KEEP_SECRET: AtomicBool = AtomicBool::new(false);
static REGISTERING: AtomicBool = AtomicBool::new(false);

/// `IOT_Dynamic_Register` behind its weak symbol: trades the product secret for the device secret, over
/// HTTPS.
///
/// Reads product key, product secret and device name of `meta` and writes its device secret, on success
/// only; `meta` may be the 184-byte block of older SDK versions. Blocks up to 40 s. Thread-safe.
///
/// Returns 0 or: `STATE_USER_INPUT_INVALID` (`meta` is NULL), `STATE_USER_INPUT_PK`, `_PS`, `_DN` (missing,
/// too long, not UTF-8; no network traffic), `STATE_USER_INPUT_HTTP_DOMAIN` (no host name for the region),
/// `STATE_HTTP_DYNREG_FAIL_RESP` (refused by the cloud), `STATE_HTTP_DYNREG_INVALID_DS` (unusable answer),
/// `STATE_SYS_DEPEND_NWK_CLOSE`, `STATE_SYS_DEPEND_NWK_TIMEOUT`, `ERROR_CERT_VERIFY_FAIL`, `ERROR_HTTP`,
/// `ERROR_HTTP_PRTCL`, `STATE_HTTP_RESP_MISSING_CONTENT_LEN`, `STATE_SYS_DEPEND_MALLOC`. A state event says
/// why.
///
/// # Safety
/// `meta` is NULL or points to at least 184 readable and writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_dynamic_register(
    region: iotx_http_region_types_t,
    meta: *mut iotx_dev_meta_info_t,
) -> i32 {
    super::log::init();
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        if meta.is_null() {
            return state::STATE_USER_INPUT_INVALID;
        }
        // SAFETY: not NULL; the fields read lie in the first 184 bytes, each one byte longer than its limit.
        let (product_key, product_secret, device_name) = unsafe {
            (
                cstr::bounded_str(
                    (&raw const (*meta).product_key).cast(),
                    IOTX_PRODUCT_KEY_LEN,
                ),
                cstr::bounded_str(
                    (&raw const (*meta).product_secret).cast(),
                    IOTX_PRODUCT_SECRET_LEN,
                ),
                cstr::bounded_str(
                    (&raw const (*meta).device_name).cast(),
                    IOTX_DEVICE_NAME_LEN,
                ),
            )
        };
        let watch = memory::Watch::begin();
        let checked =
            field(product_key, state::STATE_USER_INPUT_PK, "product key").and_then(|pk| {
                let ps = field(product_secret, state::STATE_USER_INPUT_PS, "product secret")?;
                let dn = field(device_name, state::STATE_USER_INPUT_DN, "device name")?;
                over_https(region, pk, ps, dn)
            });
        match checked {
            Ok(secret) => {
                // SAFETY: not NULL, writable; the secret was checked to have at most 64 bytes.
                unsafe {
                    cstr::write_terminated(
                        secret.as_bytes(),
                        (&raw mut (*meta).device_secret).cast::<c_char>(),
                    );
                }
                state::STATE_SUCCESS
            }
            Err(_) if watch.ran_out() => {
                mqtt_api::memory_event("IOT_Dynamic_Register");
                state::STATE_SYS_DEPEND_MALLOC
            }
            Err(refused) => report(&refused),
        }
    })
}

/// A field of the block: `None` where it has no terminator or is not UTF-8.
fn field<'a>(text: Option<&'a str>, code: i32, name: &str) -> Result<&'a str, Refused> {
    text.ok_or_else(|| input(code, format!("{name} is too long or not UTF-8")))
}

fn input(code: i32, text: impl Into<String>) -> Refused {
    Refused {
        group: Group::UserInput,
        code,
        text: text.into(),
    }
}

fn over_https(
    region: iotx_http_region_types_t,
    product_key: &str,
    product_secret: &str,
    device_name: &str,
) -> Result<Zeroizing<String>, Refused> {
    let applicant = applicant(product_key, product_secret, device_name);
    // Before the host name, as the SDK did.
    applicant.check()?;
    let target = https_target(&ioctl::store(), region)?;
    secret_of(dynreg::https::register(&HalDialer, &target, &applicant)?)
}

/// The device as the registration sees it.
pub(super) fn applicant<'a>(
    product_key: &'a str,
    product_secret: &'a str,
    device_name: &'a str,
) -> Applicant<'a> {
    Applicant {
        product_key,
        product_secret,
        device_name,
        hmac: replaceable_hmac_sha256,
    }
}

fn secret_of(granted: Granted) -> Result<Zeroizing<String>, Refused> {
    match granted {
        Granted::Secret(secret) => Ok(secret),
        // Only asked for without pre-registration.
        Granted::Token { .. } => Err(input(
            state::STATE_USER_INPUT_INVALID,
            "a token where a secret was asked for",
        )),
    }
}

/// The registration server of a region: a name of the table, or the application's own, which may have a
/// port behind it.
pub(super) fn https_target(settings: &Settings, region: u32) -> Result<Target, Refused> {
    let code = state::STATE_USER_INPUT_HTTP_DOMAIN;
    let Some(authority) = settings.http_host(region) else {
        return Err(input(code, "no HTTP host name for the region"));
    };
    target(&authority, HTTPS_PORT, code, None)
}

/// A TLS server from `host[:port]`; `ca_pem` stands for the trusted certificates of the process. No client
/// certificate is offered: this is not the MQTT endpoint.
pub(super) fn target(
    authority: &str,
    default_port: u16,
    code: i32,
    ca_pem: Option<CString>,
) -> Result<Target, Refused> {
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let Ok((host, port)) = authority::split(authority) else {
        return Err(input(code, "the host name or its port is malformed"));
    };
    let host = CString::new(host).map_err(|_| input(code, "the host name has a NUL"))?;
    let ca_pem = match ca_pem {
        Some(pem) => pem,
        None => mqtt_params::ca(None).map_err(|refused| input(refused.code, refused.text))?,
    };
    let security = Security::Tls {
        ca_pem,
        credentials: Some(Arc::new(Credentials::None)),
    };
    Ok(Target {
        proxy: client_transport::process_proxy(),
        ..Target::new(host, port.unwrap_or(default_port), security)
    })
}

/// The MQTT server that registers devices of `product_key`: that of the region, or the application's own.
pub(super) fn mqtt_target(
    settings: &Settings,
    region: u32,
    product_key: &str,
) -> Result<Target, Refused> {
    let code = state::STATE_USER_INPUT_MQTT_DOMAIN;
    let Some(domain) = settings.mqtt_host(region) else {
        return Err(input(code, "no MQTT host name for the region"));
    };
    let host = match region {
        REGION_CUSTOM => domain,
        _ => format!("{product_key}.{domain}"),
    };
    target(&host, settings.mqtt_port.unwrap_or(MQTT_PORT), code, None)
}

/// Reports a refusal as a state event and passes its code on.
pub(super) fn report(refused: &Refused) -> i32 {
    let slot = match refused.group {
        Group::UserInput => StateSlot::UserInput,
        Group::SysDepend => StateSlot::SysDepend,
        Group::Http => StateSlot::HttpComm,
        Group::Mqtt => StateSlot::MqttComm,
    };
    log::warn!("dynamic registration: {} ({})", refused.text, refused.code);
    registry::state_event(slot, refused.code, &refused.text);
    refused.code
}

// ---- inside Construct ----------------------------------------------------------------------------

/// Marks a Construct under way; a second one meanwhile would register the device twice.
pub(super) struct Registering;

impl Drop for Registering {
    fn drop(&mut self) {
        REGISTERING.store(false, Ordering::Release);
    }
}

/// Sees to it that the device secret is there, if `IOTX_IOCTL_SET_DYNAMIC_REGISTER` asks for it: it may be
/// set already, kept, or is obtained now and handed to ITE_DYNREG_DEVICE_SECRET. `None`: Construct fails;
/// state events say why.
pub(super) fn before_construct(keeps_secret: bool) -> Option<Registering> {
    let settings = ioctl::store();
    if REGISTERING.swap(true, Ordering::AcqRel) {
        registry::state_event(
            StateSlot::MqttComm,
            state::STATE_MQTT_CLI_EXCEED_MAX,
            "another Construct is under way",
        );
        return None;
    }
    let registering = Registering;
    if !settings.dynamic_register {
        return Some(registering);
    }
    if settings.product_secret.is_empty() {
        report(&input(
            state::STATE_USER_INPUT_PS,
            "dynamic registration needs the product secret",
        ));
        return None;
    }
    if !settings.device_secret.is_empty() {
        return Some(registering);
    }
    let keep = keeps_secret || KEEP_SECRET.load(Ordering::Relaxed);
    if keep && let Some(secret) = kept::find(&settings.product_key, &settings.device_name) {
        log::info!("the device secret of an earlier registration is used");
        return ioctl::set_device_secret(&secret)
            .is_ok()
            .then_some(registering);
    }
    match obtain(&settings) {
        Ok(secret) => {
            adopt(&settings, &secret, keep);
            Some(registering)
        }
        Err(code) => {
            let text = format!("dynamic registration failed, ret = {code}");
            registry::state_event(StateSlot::MqttComm, code, &text);
            None
        }
    }
}

unsafe extern "C" {
    /// The public function: ours, or that of registration sources that a firmware keeps in C.
    fn IOT_Dynamic_Register(
        region: iotx_http_region_types_t,
        meta: *mut iotx_dev_meta_info_t,
    ) -> i32;
}

/// Registers the device of the settings. The error is the code; its reason was reported.
fn obtain(settings: &Settings) -> Result<Zeroizing<String>, i32> {
    if OVER_MQTT.load(Ordering::Relaxed) {
        let applicant = applicant(
            &settings.product_key,
            &settings.product_secret,
            &settings.device_name,
        );
        let kind = dynreg::mqtt::Kind::Register { instance_id: None };
        return applicant
            .check()
            .and_then(|()| mqtt_target(settings, settings.region, &settings.product_key))
            .and_then(|target| dynreg::mqtt::register(&HalDialer, &target, &applicant, &kind))
            .and_then(secret_of)
            .map_err(|refused| report(&refused));
    }
    // SAFETY: all-zero is valid: arrays of characters.
    let mut meta: iotx_dev_meta_info_t = unsafe { std::mem::zeroed() };
    // SAFETY: the settings hold no more bytes than their limits, which leave room for the NUL.
    unsafe {
        cstr::write_terminated(
            settings.product_key.as_bytes(),
            meta.product_key.as_mut_ptr(),
        );
        cstr::write_terminated(
            settings.product_secret.as_bytes(),
            meta.product_secret.as_mut_ptr(),
        );
        cstr::write_terminated(
            settings.device_name.as_bytes(),
            meta.device_name.as_mut_ptr(),
        );
    }
    // SAFETY: a complete, writable block, every field terminated.
    let code = unsafe { IOT_Dynamic_Register(settings.http_region, &raw mut meta) };
    // SAFETY: the array is readable whole; what a function of the firmware's own wrote is checked here.
    let secret = unsafe { cstr::bounded_str(meta.device_secret.as_ptr(), IOTX_DEVICE_SECRET_LEN) }
        .map(|secret| Zeroizing::new(secret.to_owned()));
    meta.product_secret.zeroize();
    meta.device_secret.zeroize();
    match secret {
        _ if code < 0 => Err(code),
        Some(secret) if !secret.is_empty() => Ok(secret),
        _ => Err(state::STATE_HTTP_DYNREG_INVALID_DS),
    }
}

/// A new secret: kept if wished, set as if by `IOT_Ioctl`, handed to the application once.
fn adopt(settings: &Settings, secret: &str, keep: bool) {
    // Kept first: the cloud gives it out once, and the handler may never come back.
    if keep && !kept::keep(&settings.product_key, &settings.device_name, secret) {
        registry::state_event(
            StateSlot::SysDepend,
            state::STATE_SYS_DEPEND_KV_SET,
            "the device secret could not be kept",
        );
    }
    // Checked to fit when it was received.
    if ioctl::set_device_secret(secret).is_err() {
        log::error!("device secret not stored");
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(secret.len() + 1));
    bytes.extend_from_slice(secret.as_bytes());
    bytes.push(0);
    // A secret has no control characters, so no NUL inside.
    if let Ok(text) = CStr::from_bytes_with_nul(&bytes) {
        registry::dynreg_device_secret(text);
    }
}

// ---- choices -------------------------------------------------------------------------------------

/// Chooses how `IOT_MQTT_Construct` registers with IOTX_IOCTL_SET_DYNAMIC_REGISTER 1: 1 over MQTT, as an
/// SDK built with MQTT_DYNAMIC_REGISTER; 0 over HTTPS, the default. `IOT_Dynamic_Register` itself always
/// uses HTTPS.
///
/// Returns 0, or `STATE_USER_INPUT_OUT_RANGE` for another number. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_dynreg_use_mqtt(on: c_int) -> c_int {
    choose(&OVER_MQTT, on)
}

/// Chooses whether the library keeps the device secret that a registration inside `IOT_MQTT_Construct`
/// brought: 1 to store it by `HAL_Kv_Set` and use it at the next start, also one that SDK 3.0.1 has
/// stored; 0, the default, to leave that to ITE_DYNREG_DEVICE_SECRET.
///
/// The cloud gives the secret out once. The KV store of the default port is a file without encryption that
/// only its owner may read. Returns 0, or `STATE_USER_INPUT_OUT_RANGE` for another number. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_dynreg_keep_secret(on: c_int) -> c_int {
    choose(&KEEP_SECRET, on)
}

fn choose(choice: &AtomicBool, on: c_int) -> c_int {
    match on {
        0 | 1 => choice.store(on == 1, Ordering::Relaxed),
        _ => return state::STATE_USER_INPUT_OUT_RANGE,
    }
    state::STATE_SUCCESS
}

/// Removes the device secret that was kept, also that of SDK 3.0.1 for the device name in use: after a
/// reset of the device in the console. What `IOT_Ioctl` holds stays.
///
/// Returns 0, or `STATE_SYS_DEPEND_KV_DELETE` when nothing was kept or the store refuses. Thread-safe; blocks
/// for the store.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_dynreg_forget() -> c_int {
    super::log::init();
    barrier::guard(state::STATE_SYS_DEPEND_KV_DELETE, || {
        match kept::forget(&ioctl::store().device_name) {
            true => state::STATE_SUCCESS,
            false => state::STATE_SYS_DEPEND_KV_DELETE,
        }
    })
}

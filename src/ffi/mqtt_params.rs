//! From `iotx_mqtt_param_t` and the ioctl store to the parameters of a client: defaults, clamps,
//! sign-in (spec mqtt-session.md §3, §4; x509-identity.md §7).

use std::ffi::{CString, c_char};

use zeroize::Zeroizing;

use super::client_transport::PLATFORM_PORT;
use super::dev_sign_api::{domain, replaceable_hmac_sha256};
use super::mqtt_types::iotx_mqtt_param_t;
use super::registry::{self, StateSlot};
use super::{client_transport, cstr, ioctl, tls_api};
use crate::device::endpoint::{self, Endpoint};
use crate::device::{Config, ConnectBounds, Reconnect};
use crate::hal::seam;
use crate::mqtt::{Limits, Login, topic};
use crate::sign::link_sdk::{self, Device, Domain, SecureMode};
use crate::state;
use crate::transport::{Security, Target};

/// Where X.509 devices of the platform connect unless told otherwise.
const X509_HOST: &str = "x509.itls.cn-shanghai.aliyuncs.com";
const X509_PORT: u16 = 1883;
/// Port of MQTT over plain TCP (IANA), used only with an explicit `mqtt://` host.
const TCP_PORT: u16 = 1883;

const KEEPALIVE_MS: (u32, u32, u32) = (30_000, 1_200_000, 60_000);

/// What a version of the SDK makes of a parameter block (spec mqtt-session.md §4, §17).
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Request time-out in milliseconds: least, greatest, and what stands for values outside.
    pub request_timeout_ms: (u32, u32, u32),
    /// Size in bytes of a buffer that the block gives as 0.
    pub buffer_default: u32,
    /// How to connect to a host without a scheme, TLS or TCP.
    pub transport: SecureMode,
    /// The library itself keeps the secret that a dynamic registration brought.
    pub keeps_secret: bool,
}

impl Rules {
    /// SDK 3.1.0 and 3.2.0.
    pub const CURRENT: Rules = Rules {
        request_timeout_ms: (1_000, 10_000, 5_000),
        buffer_default: 3_072,
        transport: SecureMode::Tls,
        keeps_secret: false,
    };
}
/// QoS 1 messages of the application in flight; the SDK had 10.
const INFLIGHT_MAX: usize = 128;

/// Longest strings taken from the parameter block, bytes. Longer ones are refused, not cut.
const HOST_MAX: usize = 253 + "mqtts://".len();
/// The same with the path of WebSocket.
const URL_MAX: usize = 1_024;
const FIELD_MAX: usize = 1_024;
const PEM_MAX: usize = 256 * 1024;

/// Why the parameters were refused.
pub(super) struct Refused {
    /// Slot of the state event.
    pub slot: StateSlot,
    /// State code.
    pub code: i32,
    /// Text of the state event.
    pub text: String,
}

fn refuse<T>(code: i32, text: &str) -> Result<T, Refused> {
    let slot = if (state::STATE_SYS_DEPEND_BASE + 1..=state::STATE_USER_INPUT_BASE).contains(&code)
    {
        StateSlot::UserInput
    } else {
        StateSlot::MqttComm
    };
    Err(Refused {
        slot,
        code,
        text: text.to_owned(),
    })
}

/// One string of the block: `None` for NULL and "", which both select the default.
///
/// # Safety
/// `text` is NULL or terminated and outlives the result.
unsafe fn field<'a>(
    text: *const c_char,
    max: usize,
    what: &str,
) -> Result<Option<&'a str>, Refused> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, terminated by the caller's promise.
    let Some(bytes) = (unsafe { cstr::bounded(text, max) }) else {
        return refuse(
            state::STATE_USER_INPUT_OUT_RANGE,
            &format!("{what} is longer than {max} bytes"),
        );
    };
    match std::str::from_utf8(bytes) {
        Ok("") => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(_) => refuse(
            state::STATE_USER_INPUT_INVALID,
            &format!("{what} is not UTF-8"),
        ),
    }
}

fn clamp(value: u32, (min, max, default): (u32, u32, u32)) -> u64 {
    u64::from(if (min..=max).contains(&value) {
        value
    } else {
        default
    })
}

fn or_default(value: u32, default: u32) -> usize {
    // A buffer over 4 GiB cannot be asked for, and usize holds every u32 on the systems served.
    (if value == 0 { default } else { value }) as usize
}

/// Host without its scheme, and the transport the scheme asks for, `otherwise` without one.
pub(super) fn split_scheme(host: &str, otherwise: SecureMode) -> (&str, SecureMode) {
    for scheme in ["mqtt://", "tcp://", "ws://"] {
        if let Some(rest) = host.strip_prefix(scheme) {
            return (rest, SecureMode::Tcp);
        }
    }
    for scheme in ["mqtts://", "ssl://", "wss://"] {
        if let Some(rest) = host.strip_prefix(scheme) {
            return (rest, SecureMode::Tls);
        }
    }
    (host, otherwise)
}

/// Where a host with the scheme `ws://` or `wss://` leads; `None` for every other host.
fn websocket_host(host: &str) -> Result<Option<Endpoint>, Refused> {
    if !host.starts_with("ws://") && !host.starts_with("wss://") {
        return Ok(None);
    }
    match endpoint::parse(host) {
        Ok(endpoint) => Ok(Some(endpoint)),
        Err(text) => refuse(state::STATE_USER_INPUT_INVALID, text),
    }
}

/// Builds the parameters of the process's client.
///
/// # Safety
/// The strings of `param` are NULL or terminated.
pub(super) unsafe fn build(
    param: Option<&iotx_mqtt_param_t>,
    rules: &Rules,
) -> Result<Config, Refused> {
    let store = ioctl::store();
    // SAFETY: all-zero is a valid block: NULL strings, zero numbers, no handler.
    let defaults: iotx_mqtt_param_t = unsafe { std::mem::zeroed() };
    let param = param.unwrap_or(&defaults);
    // SAFETY: the caller promises strings that are NULL or terminated.
    let (host, client_id, username, password, customize_info, pub_key) = unsafe {
        (
            field(param.host, URL_MAX, "host")?,
            field(param.client_id, FIELD_MAX, "client id")?,
            field(param.username, FIELD_MAX, "user name")?,
            field(param.password, FIELD_MAX, "password")?,
            field(param.customize_info, FIELD_MAX, "customize_info")?,
            field(param.pub_key, PEM_MAX, "pub_key")?,
        )
    };
    let device = Device {
        product_key: store.product_key.as_bytes(),
        device_name: store.device_name.as_bytes(),
        device_secret: store.device_secret.as_bytes(),
    };
    // The domain that replaces the platform's may name WebSocket as well (spec transport.md §4).
    let region_host = store.mqtt_host(store.region);
    let host = host.or_else(|| {
        let domain = region_host.as_deref();
        domain.filter(|domain| domain.starts_with("ws://") || domain.starts_with("wss://"))
    });
    let websocket = host.map_or(Ok(None), websocket_host)?;
    if websocket.is_none() && host.is_some_and(|host| host.len() > HOST_MAX) {
        return refuse(
            state::STATE_USER_INPUT_OUT_RANGE,
            &format!("host is longer than {HOST_MAX} bytes"),
        );
    }
    let id2 = customize_info.is_some_and(|info| info.contains("authtype=id2"));
    let names_known = !device.product_key.is_empty() && !device.device_name.is_empty();
    let x509 = !names_known || (device.device_secret.is_empty() && !id2);
    let x509_default = x509 && host.is_none() && password.is_none() && store.mqtt_domain.is_none();
    let (given_host, transport) = host.map_or((None, rules.transport), |host| {
        let (name, transport) = split_scheme(host, rules.transport);
        let name = websocket.as_ref().map_or(name, |parsed| &parsed.host);
        (Some(name), transport)
    });
    let mode = if id2 { SecureMode::Id2 } else { transport };
    let signing_domain = if x509_default || given_host.is_some() {
        // The host is known without the signer, whose own would be useless or unused.
        Domain::Custom(Some(X509_HOST))
    } else {
        domain(store.region, region_host.as_deref())
    };
    let signed = match link_sdk::sign(&device, signing_domain, mode, replaceable_hmac_sha256) {
        Ok(signed) => signed,
        Err(code) => return refuse(code, "cannot sign the connect parameters"),
    };
    let generated_id = match link_sdk::client_id(&device, mode, customize_info.map(str::as_bytes)) {
        Ok(id) => id,
        Err(code) => return refuse(code, "client id with customize_info is too long"),
    };
    let text = |bytes: Vec<u8>| match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) => refuse(
            state::STATE_USER_INPUT_INVALID,
            "product key or device name is not UTF-8",
        ),
    };
    let default_port = match (x509_default, &websocket, transport) {
        (_, Some(_), _) => PLATFORM_PORT,
        (true, ..) => X509_PORT,
        (false, _, SecureMode::Tcp) => TCP_PORT,
        (false, ..) => signed.port,
    };
    // A port in the URL is that of this host.
    let url_port = websocket
        .as_ref()
        .filter(|parsed| parsed.port_given)
        .map_or(0, |parsed| parsed.port);
    let host = match given_host {
        Some(host) => host.to_owned(),
        None => text(signed.host)?,
    };
    if host.is_empty() {
        return refuse(state::STATE_USER_INPUT_INVALID, "host is empty");
    }
    let generated_password = if x509 && names_known && x509_default {
        // An X.509 device that knows its names: the certificate vouches, the password is empty.
        Zeroizing::new(String::new())
    } else {
        signed.password
    };
    let client_id = client_id.map_or_else(|| text(generated_id), |id| Ok(id.to_owned()))?;
    if mode == SecureMode::Tls && client_id.contains("securemode=3") {
        log::warn!("the client id says securemode=3 (TCP), the connection uses TLS");
    }
    Ok(Config {
        target: Target {
            host: c_string(host, "host")?,
            port: first_port(
                &[url_port, param.port, store.mqtt_port.unwrap_or(0)],
                default_port,
            ),
            security: match transport {
                SecureMode::Tcp => Security::Tcp,
                _ => Security::Tls {
                    ca_pem: ca(pub_key)?,
                    credentials: None,
                },
            },
            websocket: match websocket.as_ref().and_then(|parsed| parsed.path.as_ref()) {
                None => None,
                Some(path) => match client_transport::process_websocket(path) {
                    Ok(websocket) => Some(websocket),
                    Err(text) => return refuse(state::STATE_USER_INPUT_INVALID, text),
                },
            },
            proxy: client_transport::process_proxy(),
        },
        login: Login {
            client_id,
            username: username.map_or_else(|| text(signed.username), |name| Ok(name.to_owned()))?,
            password: password.map_or(generated_password, |given| Zeroizing::new(given.to_owned())),
            clean_session: param.clean_session == 1,
            omit_empty: false,
        },
        limits: Limits {
            write_max: or_default(param.write_buf_size, rules.buffer_default),
            read_max: or_default(param.read_buf_size, rules.buffer_default),
            inflight_max: INFLIGHT_MAX,
            request_timeout_ms: clamp(param.request_timeout_ms, rules.request_timeout_ms),
            keepalive_ms: clamp(param.keepalive_interval_ms, KEEPALIVE_MS),
        },
        connect: ConnectBounds::default(),
        reconnect: Reconnect::default(),
        handler: super::mqtt_host::callback(param.handle_event.h_fp, param.handle_event.pcontext),
        topics: topic::Rules::LinkSdk,
        platform: true,
        queue_max: None,
        store: super::store_api::chosen(),
    })
}

fn first_port(given: &[u16], default: u16) -> u16 {
    given
        .iter()
        .copied()
        .find(|port| *port != 0)
        .unwrap_or(default)
}

fn c_string(text: String, what: &str) -> Result<CString, Refused> {
    match CString::new(text) {
        Ok(text) => Ok(text),
        Err(_) => refuse(
            state::STATE_USER_INPUT_INVALID,
            &format!("{what} contains a NUL"),
        ),
    }
}

/// The CA certificates: those of the block alone, or of `iotx_tls_set_ca`, or the application's
/// `iotx_ca_crt`, or ours.
pub(super) fn ca(pub_key: Option<&str>) -> Result<CString, Refused> {
    if let Some(pem) = pub_key {
        return c_string(pem.to_owned(), "pub_key");
    }
    if let Some(pem) = tls_api::trust() {
        return Ok(pem);
    }
    let bundle = seam::ca_certificates()
        .map(|pem| pem.to_vec())
        .unwrap_or_default();
    let end = bundle.iter().position(|b| *b == 0).unwrap_or(bundle.len());
    match CString::new(&bundle[..end]) {
        Ok(pem) if !pem.is_empty() => Ok(pem),
        _ => refuse(
            state::STATE_USER_INPUT_INVALID,
            "iotx_ca_crt holds no certificate",
        ),
    }
}

/// The five state events before the first connect: what is used, the password masked.
pub(super) fn announce(config: &Config) {
    let parameters = config
        .login
        .client_id
        .split_once(',')
        .map_or("", |(_, behind_first_comma)| behind_first_comma);
    let host = config.target.host.to_string_lossy();
    let port = config.target.port.to_string();
    for text in [&*host, &*port, parameters, &*config.login.username, "***"] {
        registry::state_event(StateSlot::MqttComm, state::STATE_MQTT_CONN_USER_INFO, text);
    }
}

//! How a client of the client API signs in: schemes of the platform, or plain MQTT.
#![allow(non_camel_case_types)] // The names of the C types.

use std::ffi::{CString, c_char, c_int};
use std::mem::size_of;

use libc::size_t;
use zeroize::{Zeroize, Zeroizing};

use super::client_options::{self, Checked, STRING_MAX, URL_MAX, flag, invalid, refuse, string};
use super::client_types::{iotx_client_options_t, iotx_client_t};
use super::dev_sign_api::replaceable_hmac_sha256;
use super::{barrier, client_transport, cstr};
use crate::credentials::{
    self, CUSTOMIZE_INFO_MAX, Fields, REGION_MAX, SCHEMES, Scheme, TIMESTAMP_MAX, Transport,
};
use crate::device::endpoint::{self, Endpoint};
use crate::hal::seam;
use crate::hal::tls::{Credentials, PreSharedKey};
use crate::mqtt::Login;
use crate::sign::{
    DEVICE_NAME_MAX, DEVICE_SECRET_MAX, DEVICE_TOKEN_MAX, INSTANCE_ID_MAX, PRODUCT_KEY_MAX,
    SignMethod,
};
use crate::state;
use crate::transport::Security;

/// How a device signs in to the platform.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum iotx_client_scheme_t {
    /// With product key, device name and device secret: `IOTX_CLIENT_SCHEME_DEVICE_SECRET`. Without
    /// them: any MQTT server, with `client_id`, `username` and `password` as they are.
    IOTX_CLIENT_SCHEME_AUTO = 0,
    /// A signature with the secret of the device.
    IOTX_CLIENT_SCHEME_DEVICE_SECRET = 1,
    /// A client certificate, issued by the platform or by a private CA. The names may be left out: the
    /// platform tells them (`IOTX_CLIENT_EVENT_IDENTITY`).
    IOTX_CLIENT_SCHEME_X509 = 2,
    /// TLS with a pre-shared key made of the secret of the device.
    IOTX_CLIENT_SCHEME_PSK = 3,
    /// Without pre-registration: client id and device token of the registration.
    IOTX_CLIENT_SCHEME_CONNWL = 4,
    /// ID2, with a port that brings iTLS as its own `HAL_SSL_*`.
    IOTX_CLIENT_SCHEME_ID2 = 5,
}

/// How a connection is signed.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum iotx_sign_method_t {
    /// HMAC-SHA256.
    IOTX_SIGN_METHOD_DEFAULT = 0,
    /// HMAC-MD5.
    IOTX_SIGN_METHOD_HMAC_MD5 = 1,
    /// HMAC-SHA1.
    IOTX_SIGN_METHOD_HMAC_SHA1 = 2,
    /// HMAC-SHA256.
    IOTX_SIGN_METHOD_HMAC_SHA256 = 3,
}

/// The method with this number of `iotx_sign_method_t`.
pub(super) fn sign_method(number: u32) -> Checked<Option<SignMethod>> {
    match number {
        0 => Ok(None),
        1 => Ok(Some(SignMethod::HmacMd5)),
        2 => Ok(Some(SignMethod::HmacSha1)),
        3 => Ok(Some(SignMethod::HmacSha256)),
        _ => refuse(
            state::STATE_USER_INPUT_OUT_RANGE,
            format!("sign_method is {number}; it goes from 0 to 3"),
        ),
    }
}

/// What the options say about signing in.
pub(super) struct SignIn {
    pub(super) login: Login,
    pub(super) endpoint: Endpoint,
    /// Takes the place of certificates.
    pub(super) psk: Option<PreSharedKey>,
    /// The device signs in to the platform, which may tell it who it is.
    pub(super) platform: bool,
}

/// The members that matter here, each checked for itself.
struct Members<'a> {
    url: Option<&'a str>,
    client_id: Option<&'a str>,
    username: Option<&'a str>,
    password: Option<&'a str>,
    fields: Fields<'a>,
    scheme: Option<&'static dyn Scheme>,
    clean_session: bool,
}

/// # Safety
/// The strings of `options` are NULL or terminated and outlive the result.
unsafe fn members<'a>(options: &iotx_client_options_t) -> Checked<Members<'a>> {
    // SAFETY: the caller's promise.
    let text = |value: *const c_char, max: usize, name: &str| unsafe { string(value, max, name) };
    let fields = Fields {
        product_key: text(options.product_key, PRODUCT_KEY_MAX, "product_key")?.unwrap_or_default(),
        device_name: text(options.device_name, DEVICE_NAME_MAX, "device_name")?.unwrap_or_default(),
        device_secret: text(options.device_secret, DEVICE_SECRET_MAX, "device_secret")?
            .unwrap_or_default(),
        device_token: text(options.device_token, DEVICE_TOKEN_MAX, "device_token")?
            .unwrap_or_default(),
        timestamp: text(options.timestamp, TIMESTAMP_MAX, "timestamp")?.unwrap_or_default(),
        customize_info: text(options.customize_info, CUSTOMIZE_INFO_MAX, "customize_info")?
            .unwrap_or_default(),
        instance_id: text(options.instance_id, INSTANCE_ID_MAX, "instance_id")?.unwrap_or_default(),
        region: text(options.region, REGION_MAX, "region")?.unwrap_or_default(),
        method: sign_method(options.sign_method)?,
        has_certificate: !options.certificate.data.is_null() || !options.certificate.file.is_null(),
        hmac_sha256: replaceable_hmac_sha256,
        ..Fields::default()
    };
    let scheme = match options.scheme as usize {
        0 => None,
        number => match SCHEMES.get(number - 1) {
            Some(scheme) => Some(*scheme),
            None => {
                return refuse(
                    state::STATE_USER_INPUT_OUT_RANGE,
                    format!("scheme is {number}; it goes from 0 to {}", SCHEMES.len()),
                );
            }
        },
    };
    Ok(Members {
        url: text(options.url, URL_MAX, "url")?,
        client_id: text(options.client_id, STRING_MAX, "client_id")?,
        username: text(options.username, STRING_MAX, "username")?,
        password: text(options.password, STRING_MAX, "password")?,
        fields,
        scheme,
        clean_session: flag(options.clean_session, "clean_session")?,
    })
}

/// What CONNECT carries, and where it goes.
///
/// # Safety
/// The strings of `options` are NULL or terminated.
pub(super) unsafe fn sign_in(options: &iotx_client_options_t) -> Checked<SignIn> {
    // SAFETY: the caller's promise.
    let mut members = unsafe { members(options) }?;
    let endpoint = match members.url.map(endpoint::parse) {
        None => None,
        Some(Ok(endpoint)) => Some(endpoint),
        Some(Err(text)) => return invalid(text),
    };
    let scheme = match members.scheme {
        Some(scheme) => scheme,
        None => match of_names(&members)? {
            Some(scheme) => scheme,
            None => return plain(&members, endpoint),
        },
    };
    if members.username.or(members.password).is_some() {
        return invalid("username and password follow from the scheme; leave them out");
    }
    members.fields.client_id = members.client_id.unwrap_or_default();
    members.fields.transport = match &endpoint {
        Some(endpoint) => match (endpoint.tls, endpoint.path.is_some()) {
            (false, false) => Transport::Tcp,
            (true, false) => Transport::Tls,
            (false, true) => Transport::Ws,
            (true, true) => Transport::Wss,
        },
        None => Transport::Tls,
    };
    if scheme.name() == "id2" && seam::tls_is_default() {
        return invalid("the scheme id2 needs a port that brings iTLS as its own HAL_SSL_*");
    }
    let made = match credentials::connect(scheme, &members.fields) {
        Ok(made) => made,
        Err(refused) => return refuse(refused.code, refused.text),
    };
    let endpoint = match endpoint {
        // The platform has one port for both kinds of WebSocket.
        Some(endpoint) if endpoint.path.is_some() && !endpoint.port_given => Endpoint {
            port: client_transport::PLATFORM_PORT,
            ..endpoint
        },
        Some(endpoint) => endpoint,
        None => Endpoint {
            host: made.host,
            port: made.port,
            port_given: false,
            tls: true,
            path: None,
        },
    };
    Ok(SignIn {
        login: Login {
            client_id: made.client_id,
            username: made.username,
            password: made.password,
            clean_session: members.clean_session,
            omit_empty: false,
        },
        endpoint,
        psk: made.psk.map(|psk| PreSharedKey {
            identity: psk.identity,
            key: Zeroizing::new(psk.key.as_bytes().to_vec()),
        }),
        platform: true,
    })
}

/// The scheme of a device with its three names, as long as none is given; `None`: plain MQTT.
fn of_names(members: &Members<'_>) -> Checked<Option<&'static dyn Scheme>> {
    let fields = &members.fields;
    let names = [fields.product_key, fields.device_name, fields.device_secret];
    if names.iter().all(|name| name.is_empty()) {
        let others = [
            (fields.device_token, "device_token"),
            (fields.timestamp, "timestamp"),
            (fields.customize_info, "customize_info"),
            (fields.instance_id, "instance_id"),
            (fields.region, "region"),
            (fields.method.map_or("", SignMethod::as_str), "sign_method"),
        ];
        return match others.iter().find(|(value, _)| !value.is_empty()) {
            Some((_, name)) => invalid(format!("{name} without scheme")),
            None => Ok(None),
        };
    }
    if names.iter().any(|name| name.is_empty()) {
        return invalid(
            "product_key, device_name and device_secret are given together or not at all, unless scheme says more",
        );
    }
    if members
        .client_id
        .or(members.username)
        .or(members.password)
        .is_some()
    {
        return invalid(
            "client_id, username and password follow from the device's names; leave them out, or give a scheme",
        );
    }
    Ok(Some(SCHEMES[0]))
}

/// Any MQTT server.
fn plain(members: &Members<'_>, endpoint: Option<Endpoint>) -> Checked<SignIn> {
    let Some(endpoint) = endpoint else {
        return invalid("url is missing");
    };
    if members.client_id.is_none() && !members.clean_session {
        return invalid("client_id is missing; only a clean session can do without");
    }
    if members.password.is_some() && members.username.is_none() {
        return invalid("password without username");
    }
    Ok(SignIn {
        login: Login {
            client_id: members.client_id.unwrap_or_default().to_owned(),
            username: members.username.unwrap_or_default().to_owned(),
            password: Zeroizing::new(members.password.unwrap_or_default().to_owned()),
            clean_session: members.clean_session,
            omit_empty: true,
        },
        endpoint,
        psk: None,
        platform: false,
    })
}

/// TLS with the pre-shared key of a scheme: there is nothing else to show and nobody else to trust.
pub(super) fn security(options: &iotx_client_options_t, psk: PreSharedKey) -> Checked<Security> {
    let given = |data: &super::client_types::iotx_client_data_t| {
        !data.data.is_null() || data.size != 0 || !data.file.is_null()
    };
    let others = [
        (given(&options.ca), "ca"),
        (given(&options.key), "key"),
        (given(&options.psk), "psk"),
        (!options.psk_identity.is_null(), "psk_identity"),
        (!options.key_password.is_null(), "key_password"),
    ];
    if let Some((_, name)) = others.iter().find(|(given, _)| *given) {
        return invalid(format!("{name} means nothing to the scheme psk"));
    }
    if !seam::tls_is_default() {
        return invalid("the application's own HAL_SSL_Establish takes no pre-shared key");
    }
    Ok(Security::Tls {
        ca_pem: CString::default(),
        credentials: Some(std::sync::Arc::new(Credentials::PreSharedKey(psk))),
    })
}

// ---- iotx_client_sign ----------------------------------------------------------------------------

/// What a client sends to sign in. Holds secrets: wipe it with `iotx_client_signed_clear`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_client_signed_t {
    /// `sizeof(iotx_client_signed_t)` of the program, set before the call.
    pub struct_size: size_t,
    /// Host name of the server.
    pub host: [c_char; 256],
    /// Client identifier of CONNECT.
    pub client_id: [c_char; 512],
    /// User name of CONNECT.
    pub username: [c_char; 256],
    /// Password of CONNECT.
    pub password: [c_char; 512],
    /// Identity of the pre-shared key; "" where there is none.
    pub psk_identity: [c_char; 264],
    /// The key, as the text that TLS takes as its bytes; "" where there is none.
    pub psk: [c_char; 80],
    /// TCP port.
    pub port: u32,
    /// 1: over TLS.
    pub tls: u32,
}

/// What `iotx_client_create` with these options would sign in with, without making a client.
///
/// Reads no files and no clock, sends nothing. For other MQTT clients, and for looking. On failure
/// everything in `out` is zero and `iotx_client_last_error` with NULL tells the reason. Returns 0, or a code as
/// `iotx_client_create`; `STATE_USER_INPUT_OUT_RANGE` for text that does not fit. Any thread.
///
/// # Safety
/// As for `iotx_client_create`; `out` is NULL or has `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_client_sign(
    options: *const iotx_client_options_t,
    out: *mut iotx_client_signed_t,
) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        // SAFETY: the caller's promise.
        let result = unsafe { sign(options, out) };
        match result {
            Ok(()) => state::STATE_SUCCESS,
            Err(error) => super::client_api::refuse_creation(error),
        }
    })
}

/// # Safety
/// As for [`iotx_client_sign`].
unsafe fn sign(
    options: *const iotx_client_options_t,
    out: *mut iotx_client_signed_t,
) -> Checked<()> {
    if out.is_null() {
        return refuse(state::STATE_USER_INPUT_NULL_POINTER, "out is NULL");
    }
    // SAFETY: not NULL, and begins with its size by the caller's promise.
    let size = unsafe { (&raw const (*out).struct_size).read() };
    if size < size_of::<iotx_client_signed_t>() {
        return refuse(
            state::STATE_USER_INPUT_OUT_RANGE,
            "struct_size of out is smaller than iotx_client_signed_t",
        );
    }
    // SAFETY: not NULL, as many bytes by the caller's promise.
    unsafe { clear(out) };
    // SAFETY: the caller's promise.
    let options = unsafe { client_options::read(options) }?;
    // SAFETY: the caller's promise on its strings.
    let signed = unsafe { sign_in(&options) }?;
    // SAFETY: as above, and nobody else uses it during the call.
    let to = unsafe { &mut *out };
    let (identity, key) = match &signed.psk {
        Some(psk) => (psk.identity.as_bytes(), psk.key.as_slice()),
        None => (&[][..], &[][..]),
    };
    let fits = cstr::put(&mut to.host, signed.endpoint.host.as_bytes())
        && cstr::put(&mut to.client_id, signed.login.client_id.as_bytes())
        && cstr::put(&mut to.username, signed.login.username.as_bytes())
        && cstr::put(&mut to.password, signed.login.password.as_bytes())
        && cstr::put(&mut to.psk_identity, identity)
        && cstr::put(&mut to.psk, key);
    if !fits {
        // SAFETY: as above.
        unsafe { clear(out) };
        return refuse(
            state::STATE_USER_INPUT_OUT_RANGE,
            "client_id, username or password is too long for iotx_client_signed_t",
        );
    }
    to.port = signed.endpoint.port.into();
    to.tls = signed.endpoint.tls.into();
    Ok(())
}

/// Wipes everything behind the size.
///
/// # Safety
/// `signed` has the bytes of the structure.
unsafe fn clear(signed: *mut iotx_client_signed_t) {
    let skip = size_of::<size_t>();
    // SAFETY: the caller's promise; every byte is initialised behind a call of ours, and bytes of the
    // caller's are only written.
    let bytes = unsafe {
        std::slice::from_raw_parts_mut(
            signed.cast::<u8>().add(skip),
            size_of::<iotx_client_signed_t>() - skip,
        )
    };
    bytes.zeroize();
}

/// Wipes what `iotx_client_sign` wrote. NULL is ignored.
///
/// # Safety
/// `signed` is NULL or points to an `iotx_client_signed_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_client_signed_clear(signed: *mut iotx_client_signed_t) {
    barrier::guard((), || {
        if !signed.is_null() {
            // SAFETY: not NULL, a whole structure by the caller's promise.
            unsafe { clear(signed) };
        }
    });
}

// ---- iotx_client_identity ------------------------------------------------------------------------

/// Who the device is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_client_identity_t {
    /// `sizeof(iotx_client_identity_t)` of the program, set before the call.
    pub struct_size: size_t,
    /// Product key, at most 20 bytes and a NUL.
    pub product_key: [c_char; 24],
    /// Device name, at most 32 bytes and a NUL.
    pub device_name: [c_char; 40],
}

/// Who the platform said that the device is, with `IOTX_CLIENT_SCHEME_X509` and the others.
///
/// Returns 0; `STATE_USER_INPUT_NULL_POINTER`; `STATE_USER_INPUT_OUT_RANGE` for a size that no version has;
/// `STATE_USER_INPUT_INVALID` for a stale client, and as long as the platform has said nothing. Any thread,
/// in callbacks too.
///
/// # Safety
/// `identity` is NULL or has `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_client_identity(
    client: *mut iotx_client_t,
    identity: *mut iotx_client_identity_t,
) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        if identity.is_null() {
            return state::STATE_USER_INPUT_NULL_POINTER;
        }
        // SAFETY: not NULL, and begins with its size by the caller's promise.
        let size = unsafe { (&raw const (*identity).struct_size).read() };
        if size < size_of::<iotx_client_identity_t>() {
            return state::STATE_USER_INPUT_OUT_RANGE;
        }
        let Some((product_key, device_name)) = super::client_api::identity(client) else {
            return state::STATE_USER_INPUT_INVALID;
        };
        let mut told = iotx_client_identity_t {
            struct_size: size,
            product_key: [0; 24],
            device_name: [0; 40],
        };
        // The lengths were checked when the payload was read.
        if !cstr::put(&mut told.product_key, product_key.as_bytes())
            || !cstr::put(&mut told.device_name, device_name.as_bytes())
        {
            return state::STATE_USER_INPUT_OUT_RANGE;
        }
        // SAFETY: not NULL, room for the structure by the caller's promise.
        unsafe { identity.write(told) };
        state::STATE_SUCCESS
    })
}

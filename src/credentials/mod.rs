//! How a device signs in to the platform: each scheme is a value that turns into connect parameters.
//!
//! | file | scheme | who vouches for the device |
//! |---|---|---|
//! | `device_secret` | device secret | a signature with the device's secret |
//! | `x509` | X.509, platform-issued or by a private CA | the client certificate of the TLS session |
//! | `psk` | TLS-PSK | a pre-shared key made of the device's secret |
//! | `connwl` | without pre-registration | the token of its registration |
//! | `id2` | ID2 | the secure element behind the port's TLS |
//!
//! A scheme is one file and one line of [`SCHEMES`]. Pure: no I/O, no clock, no globals.

mod connwl;
mod device_secret;
mod id2;
mod psk;
mod x509;

use std::fmt;

use zeroize::Zeroizing;

use crate::sign::link_sdk::SecureMode;
use crate::sign::platform::Psk;
use crate::sign::{
    CLIENT_ID_MAX, DEVICE_NAME_MAX, DEVICE_SECRET_MAX, DEVICE_TOKEN_MAX, HmacSha256Fn,
    INSTANCE_ID_MAX, PRODUCT_KEY_MAX, SignMethod, hmac_sha256,
};
use crate::state;

/// Longest time stamp, bytes.
pub const TIMESTAMP_MAX: usize = 32;
/// Longest additional pairs, bytes.
pub const CUSTOMIZE_INFO_MAX: usize = 256;

/// Longest name of a region, bytes.
pub const REGION_MAX: usize = 32;
/// The region of the SDK's `IOTX_CLOUD_REGION_SHANGHAI`.
pub const DEFAULT_REGION: &str = "cn-shanghai";

/// Where devices with certificates of their own connect (spec transport.md §1).
pub const X509_HOST: &str = "x509.itls.cn-shanghai.aliyuncs.com";
/// Behind the product key: where TLS-PSK and ID2 devices connect.
const ITLS_DOMAIN: &str = "itls.cn-shanghai.aliyuncs.com";
/// Port of both.
const ITLS_PORT: u16 = 1883;
/// Port of every other endpoint (spec signing.md §1).
const MQTT_PORT: u16 = 443;

/// What the stream under MQTT is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
    /// WebSocket over TCP.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Transport {
    /// Whether TLS is under it.
    pub fn is_tls(self) -> bool {
        matches!(self, Transport::Tls | Transport::Wss)
    }

    /// Whether WebSocket is in it.
    pub fn is_websocket(self) -> bool {
        matches!(self, Transport::Ws | Transport::Wss)
    }

    /// `securemode` of what is signed for it (spec signing.md §3).
    fn secure_mode(self) -> SecureMode {
        if self.is_tls() {
            SecureMode::Tls
        } else {
            SecureMode::Tcp
        }
    }
}

/// What is known of the device. Empty texts are not known.
#[derive(Clone)]
pub struct Fields<'a> {
    /// Product key, at most 20 bytes.
    pub product_key: &'a str,
    /// Device name, at most 32 bytes.
    pub device_name: &'a str,
    /// Device secret, at most 64 bytes.
    pub device_secret: &'a str,
    /// Token of a registration without pre-registration.
    pub device_token: &'a str,
    /// Client id of the application's own, before the first bar.
    pub client_id: &'a str,
    /// Time stamp to sign and send, milliseconds as text.
    pub timestamp: &'a str,
    /// Additional pairs `name=value` for the client id, parted by commas.
    pub customize_info: &'a str,
    /// Instance of the platform, where it has several.
    pub instance_id: &'a str,
    /// How to sign; `None`: HMAC-SHA256.
    pub method: Option<SignMethod>,
    /// Region of a public instance, such as `cn-shanghai`, which is the default.
    pub region: &'a str,
    /// What is under MQTT.
    pub transport: Transport,
    /// Whether the device has a certificate and a key.
    pub has_certificate: bool,
    /// The HMAC-SHA256 in use: an application may bring its own.
    pub hmac_sha256: HmacSha256Fn,
}

impl Fields<'_> {
    /// Nothing is known; TLS.
    pub const NOTHING: Fields<'static> = Fields {
        product_key: "",
        device_name: "",
        device_secret: "",
        device_token: "",
        client_id: "",
        timestamp: "",
        customize_info: "",
        instance_id: "",
        method: None,
        region: "",
        transport: Transport::Tls,
        has_certificate: false,
        hmac_sha256,
    };
}

impl Default for Fields<'_> {
    fn default() -> Self {
        Fields::NOTHING
    }
}

/// What a scheme comes to. The password is wiped when dropped.
pub struct Connect {
    /// Client identifier, the pairs between bars included.
    pub client_id: String,
    /// User name.
    pub username: String,
    /// Password.
    pub password: Zeroizing<String>,
    /// Where the platform has such devices, unless the application knows better.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Pre-shared key of the TLS session, in the place of certificates.
    pub psk: Option<Psk>,
}

/// Why fields do not make a scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Code of [`crate::state`].
    pub code: i32,
    /// One sentence without any of the values.
    pub text: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

type Checked<T> = Result<T, Refused>;

fn refuse<T>(code: i32, text: impl Into<String>) -> Checked<T> {
    Err(Refused {
        code,
        text: text.into(),
    })
}

fn invalid<T>(text: impl Into<String>) -> Checked<T> {
    refuse(state::STATE_USER_INPUT_INVALID, text)
}

/// A way to sign in.
pub trait Scheme: Sync {
    /// The name users write: lower case, hyphens.
    fn name(&self) -> &'static str;

    /// Members of [`Fields`] that mean something to it, beyond product key and device name.
    fn takes(&self) -> &'static [Field];

    /// Connect parameters. The lengths and characters of the fields have been checked.
    fn connect(&self, fields: &Fields<'_>) -> Checked<Connect>;
}

/// A member of [`Fields`] that not every scheme takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// [`Fields::device_secret`].
    DeviceSecret,
    /// [`Fields::device_token`].
    DeviceToken,
    /// [`Fields::client_id`].
    ClientId,
    /// [`Fields::timestamp`].
    Timestamp,
    /// [`Fields::customize_info`].
    CustomizeInfo,
    /// [`Fields::instance_id`].
    InstanceId,
    /// [`Fields::method`].
    Method,
    /// [`Fields::has_certificate`].
    Certificate,
    /// [`Fields::region`]; the others have their devices in [`DEFAULT_REGION`].
    Region,
}

/// The schemes, in the order of `iotx_client_scheme_t` from 1.
pub const SCHEMES: [&dyn Scheme; 5] = [
    &device_secret::DeviceSecret,
    &x509::X509,
    &psk::TlsPsk,
    &connwl::Connwl,
    &id2::Id2,
];

/// The scheme with this name.
pub fn by_name(name: &str) -> Option<&'static dyn Scheme> {
    SCHEMES.into_iter().find(|scheme| scheme.name() == name)
}

/// Checks the fields and makes connect parameters of them.
pub fn connect(scheme: &dyn Scheme, fields: &Fields<'_>) -> Checked<Connect> {
    check(scheme, fields)?;
    scheme.connect(fields)
}

/// What every scheme asks of its fields.
fn check(scheme: &dyn Scheme, fields: &Fields<'_>) -> Checked<()> {
    let texts = [
        (fields.product_key, PRODUCT_KEY_MAX, "product_key", None),
        (fields.device_name, DEVICE_NAME_MAX, "device_name", None),
        (
            fields.device_secret,
            DEVICE_SECRET_MAX,
            "device_secret",
            Some(Field::DeviceSecret),
        ),
        (
            fields.device_token,
            DEVICE_TOKEN_MAX,
            "device_token",
            Some(Field::DeviceToken),
        ),
        (
            fields.client_id,
            CLIENT_ID_MAX,
            "client_id",
            Some(Field::ClientId),
        ),
        (
            fields.timestamp,
            TIMESTAMP_MAX,
            "timestamp",
            Some(Field::Timestamp),
        ),
        (
            fields.customize_info,
            CUSTOMIZE_INFO_MAX,
            "customize_info",
            Some(Field::CustomizeInfo),
        ),
        (
            fields.instance_id,
            INSTANCE_ID_MAX,
            "instance_id",
            Some(Field::InstanceId),
        ),
    ];
    let takes = scheme.takes();
    for (value, max, name, field) in texts {
        if value.is_empty() {
            continue;
        }
        if field.is_some_and(|field| !takes.contains(&field)) {
            return invalid(format!(
                "{name} means nothing to the scheme {}",
                scheme.name()
            ));
        }
        if value.len() > max {
            return refuse(
                state::STATE_USER_INPUT_OUT_RANGE,
                format!("{name} is longer than {max} bytes"),
            );
        }
        if value.chars().any(char::is_control) {
            return invalid(format!("{name} has a control character"));
        }
        // What would be read as another pair, or as the end of the pairs.
        let parts_pairs: &[char] = match name {
            "customize_info" => &['|'],
            "client_id" => &['|'],
            "timestamp" | "instance_id" => &['|', ',', '='],
            // The two names stand in the user name, parted by an ampersand, and in topics.
            "product_key" | "device_name" => &['|', ',', '&', '/', '+', '#'],
            _ => &[],
        };
        if value.contains(parts_pairs) {
            return invalid(format!("{name} has a character that it must not have"));
        }
    }
    if fields.method.is_some() && !takes.contains(&Field::Method) {
        return invalid(format!(
            "sign_method means nothing to the scheme {}",
            scheme.name()
        ));
    }
    if fields.has_certificate && !takes.contains(&Field::Certificate) {
        return invalid(format!(
            "certificate means nothing to the scheme {}",
            scheme.name()
        ));
    }
    let label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if fields.region.len() > REGION_MAX || !fields.region.bytes().all(label) {
        return invalid("region is not a name such as cn-shanghai");
    }
    let elsewhere = !matches!(fields.region, "" | DEFAULT_REGION);
    if elsewhere && !takes.contains(&Field::Region) {
        return invalid(format!(
            "the scheme {} is offered in {DEFAULT_REGION} only",
            scheme.name()
        ));
    }
    Ok(())
}

// ---- what several schemes need --------------------------------------------------------------------

/// Both names, which every scheme but X.509 needs.
fn names(fields: &Fields<'_>) -> Checked<()> {
    if fields.product_key.is_empty() {
        return refuse(state::STATE_USER_INPUT_PK, "product_key is missing");
    }
    if fields.device_name.is_empty() {
        return refuse(state::STATE_USER_INPUT_DN, "device_name is missing");
    }
    Ok(())
}

fn secret(fields: &Fields<'_>) -> Checked<()> {
    if fields.device_secret.is_empty() {
        return refuse(state::STATE_USER_INPUT_DS, "device_secret is missing");
    }
    Ok(())
}

fn tls(fields: &Fields<'_>, scheme: &str) -> Checked<()> {
    if fields.transport.is_tls() {
        return Ok(());
    }
    invalid(format!(
        "the scheme {scheme} needs TLS; use mqtts:// or wss://"
    ))
}

/// Client id of the application, or what the SDK makes of the names.
fn own_client_id(fields: &Fields<'_>) -> String {
    match fields.client_id {
        "" => format!("{}.{}", fields.product_key, fields.device_name),
        own => own.to_owned(),
    }
}

/// Appends the pairs that the application adds.
fn additional(fields: &Fields<'_>, pairs: &mut String) {
    if !fields.instance_id.is_empty() {
        pairs.push_str(",instanceId=");
        pairs.push_str(fields.instance_id);
    }
    if !fields.customize_info.is_empty() {
        pairs.push(',');
        pairs.push_str(fields.customize_info);
    }
}

fn public_host(fields: &Fields<'_>) -> String {
    let region = match fields.region {
        "" => DEFAULT_REGION,
        region => region,
    };
    format!("{}.iot-as-mqtt.{region}.aliyuncs.com", fields.product_key)
}

fn itls_host(fields: &Fields<'_>) -> String {
    format!("{}.{ITLS_DOMAIN}", fields.product_key)
}

fn username(fields: &Fields<'_>) -> String {
    format!("{}&{}", fields.device_name, fields.product_key)
}

#[cfg(test)]
mod tests;

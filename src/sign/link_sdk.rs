//! What `IOT_Sign_MQTT` produces, bit for bit (spec signing.md §1).

use zeroize::Zeroizing;

use super::digest::{HmacSha256Fn, hex_upper};
use super::{DEVICE_NAME_MAX, FIXED_TIMESTAMP, PRODUCT_KEY_MAX};
use crate::state;

/// The `_v` parameter: the console shows it, and recognises the SDK by the prefix.
const SDK_VERSION: &str = "sdk-c-3.2.0";

/// Longest client id the output field holds, without its NUL.
const CLIENT_ID_MAX: usize = 199;
/// The host name must be shorter than the 64 bytes of its field by two.
const HOST_NAME_FIELD: usize = 64;

/// MQTT host names of the five public regions, in the order of `iotx_mqtt_region_types_t`.
pub const MQTT_DOMAINS: [&str; 5] = [
    "iot-as-mqtt.cn-shanghai.aliyuncs.com",
    "iot-as-mqtt.ap-southeast-1.aliyuncs.com",
    "iot-as-mqtt.ap-northeast-1.aliyuncs.com",
    "iot-as-mqtt.us-west-1.aliyuncs.com",
    "iot-as-mqtt.eu-central-1.aliyuncs.com",
];

/// The port every region is signed for.
pub const MQTT_PORT: u16 = 443;

/// Where the device connects.
#[derive(Debug, Clone, Copy)]
pub enum Domain<'a> {
    /// A public region: the host is `{product key}.{domain}`.
    Region(&'a str),
    /// A domain of the application's own, used as it is; `None` when it was never set.
    Custom(Option<&'a str>),
}

/// `securemode` of the client id: how the connection is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecureMode {
    /// TLS.
    Tls,
    /// Plain TCP.
    Tcp,
    /// ID2 over iTLS.
    Id2,
}

impl SecureMode {
    /// The value of `securemode`.
    pub fn as_str(self) -> &'static str {
        match self {
            SecureMode::Tls => "2",
            SecureMode::Tcp => "3",
            SecureMode::Id2 => "8",
        }
    }
}

/// The device as the signer sees it. Empty fields are legal: that is an X.509 device.
pub struct Device<'a> {
    /// Product key, at most 20 bytes.
    pub product_key: &'a [u8],
    /// Device name, at most 32 bytes.
    pub device_name: &'a [u8],
    /// Device secret, any length.
    pub device_secret: &'a [u8],
}

/// A signed set of connect parameters.
pub struct Signed {
    /// MQTT host name.
    pub host: Vec<u8>,
    /// MQTT port.
    pub port: u16,
    /// Client id with its bar-enclosed parameters.
    pub client_id: Vec<u8>,
    /// User name.
    pub username: Vec<u8>,
    /// 64 upper-case hex digits, wiped when dropped.
    pub password: Zeroizing<String>,
}

/// Signs as `IOT_Sign_MQTT` does.
///
/// Errors are the SDK's state codes: `STATE_MQTT_SIGN_CLIENTID_BUF_SHORT`,
/// `STATE_USER_INPUT_MQTT_DOMAIN` (custom region without a domain),
/// `STATE_MQTT_SIGN_HOSTNAME_BUF_SHORT`, `STATE_USER_INPUT_INVALID` (a field over its length,
/// which the C structure cannot express but other callers can).
pub fn sign(
    device: &Device<'_>,
    domain: Domain<'_>,
    mode: SecureMode,
    hmac: HmacSha256Fn,
) -> Result<Signed, i32> {
    if device.product_key.len() > PRODUCT_KEY_MAX || device.device_name.len() > DEVICE_NAME_MAX {
        return Err(state::STATE_USER_INPUT_INVALID);
    }
    let client_id = client_id(device, mode, None)?;
    let host = match domain {
        Domain::Custom(None) => return Err(state::STATE_USER_INPUT_MQTT_DOMAIN),
        Domain::Custom(Some(domain)) => domain.as_bytes().to_vec(),
        Domain::Region(domain) => [device.product_key, b".", domain.as_bytes()].concat(),
    };
    if host.len() + 1 >= HOST_NAME_FIELD {
        return Err(state::STATE_MQTT_SIGN_HOSTNAME_BUF_SHORT);
    }
    Ok(Signed {
        host,
        port: MQTT_PORT,
        client_id,
        username: [device.device_name, b"&", device.product_key].concat(),
        password: password(device, hmac),
    })
}

/// The client id alone, with the `customize_info` that only the session layer appends.
///
/// An empty `customize_info` counts as none. It is appended as it is, without escaping.
pub fn client_id(
    device: &Device<'_>,
    mode: SecureMode,
    customize_info: Option<&[u8]>,
) -> Result<Vec<u8>, i32> {
    let mut id = [device.product_key, b".", device.device_name].concat();
    id.extend_from_slice(
        format!(
            "|timestamp={FIXED_TIMESTAMP},_v={SDK_VERSION},securemode={},signmethod=hmacsha256,\
             lan=C,_ss=1,gw=0,ext=0",
            mode.as_str()
        )
        .as_bytes(),
    );
    if let Some(info) = customize_info.filter(|info| !info.is_empty()) {
        id.push(b',');
        id.extend_from_slice(info);
    }
    id.push(b'|');
    if id.len() > CLIENT_ID_MAX {
        return Err(state::STATE_MQTT_SIGN_CLIENTID_BUF_SHORT);
    }
    Ok(id)
}

/// The signed text holds only `{product key}.{device name}` as client id, without the bars.
fn password(device: &Device<'_>, hmac: HmacSha256Fn) -> Zeroizing<String> {
    let text = Zeroizing::new(
        [
            b"clientId",
            device.product_key,
            b".",
            device.device_name,
            b"deviceName",
            device.device_name,
            b"productKey",
            device.product_key,
            b"timestamp",
            FIXED_TIMESTAMP.as_bytes(),
        ]
        .concat(),
    );
    hex_upper(&Zeroizing::new(hmac(device.device_secret, &text))[..])
}

//! The platform's sign rules beyond `IOT_Sign_MQTT` (spec signing.md §2, §4, §5).

use zeroize::Zeroizing;

use super::FIXED_TIMESTAMP;
use super::digest::SignMethod;

/// What a CONNECT packet carries; the password is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectParams {
    /// MQTT client identifier including the bar-enclosed parameters.
    pub client_id: String,
    /// MQTT user name.
    pub username: String,
    /// MQTT password.
    pub password: Zeroizing<String>,
}

/// Joins the parameters that go into a signature: sorted by name, each name immediately
/// followed by its value, nothing between.
pub fn sign_content(params: &[(&str, &[u8])]) -> Zeroizing<Vec<u8>> {
    let mut sorted: Vec<_> = params.to_vec();
    sorted.sort_by_key(|(name, _)| *name);
    let mut content = Zeroizing::new(Vec::new());
    for (name, value) in sorted {
        content.extend_from_slice(name.as_bytes());
        content.extend_from_slice(value);
    }
    content
}

/// The MQTT password of a device with a device secret, for a client id of the caller's own.
///
/// `client_id` and `timestamp` are part of the signature exactly when they are sent.
pub fn connect_password(
    method: SignMethod,
    device_secret: &[u8],
    product_key: &[u8],
    device_name: &[u8],
    client_id: Option<&[u8]>,
    timestamp: Option<&[u8]>,
) -> Zeroizing<String> {
    let mut params = vec![("deviceName", device_name), ("productKey", product_key)];
    params.extend(client_id.map(|v| ("clientId", v)));
    params.extend(timestamp.map(|v| ("timestamp", v)));
    method.sign(device_secret, &sign_content(&params))
}

/// What is signed of a dynamic registration request, over HTTPS or MQTT.
pub fn registration_content(
    product_key: &[u8],
    device_name: &[u8],
    random: &[u8],
) -> Zeroizing<Vec<u8>> {
    sign_content(&[
        ("deviceName", device_name),
        ("productKey", product_key),
        ("random", random),
    ])
}

/// The signature of a dynamic registration request.
pub fn registration_sign(
    method: SignMethod,
    product_secret: &[u8],
    product_key: &[u8],
    device_name: &[u8],
    random: &[u8],
) -> Zeroizing<String> {
    let content = registration_content(product_key, device_name, random);
    method.sign(product_secret, &content)
}

/// The form body of a dynamic registration request over HTTPS, with its signature.
pub fn registration_body(
    method: SignMethod,
    product_key: &str,
    device_name: &str,
    random: &str,
    sign: &str,
) -> Zeroizing<String> {
    Zeroizing::new(format!(
        "productKey={product_key}&deviceName={device_name}&random={random}&sign={sign}&signMethod={}",
        method.as_str()
    ))
}

/// The MQTT client id of a dynamic registration request over MQTT; `instance_id` for a purchased
/// instance (spec dynamic-registration.md §3).
pub fn registration_client_id(
    method: SignMethod,
    product_key: &str,
    device_name: &str,
    random: &str,
    instance_id: Option<&str>,
) -> String {
    format!(
        "{product_key}.{device_name}|authType=register,random={random},signmethod={},securemode=2{}|",
        method.as_str(),
        instance(instance_id)
    )
}

/// The same for a device that is not known yet, which is told apart by `client_id` (spec
/// dynamic-registration.md §4).
pub fn regnwl_client_id(
    method: SignMethod,
    client_id: &str,
    random: &str,
    instance_id: Option<&str>,
) -> String {
    let mode = if instance_id.is_some() { "-2" } else { "2" };
    format!(
        "{client_id}|securemode={mode},authType=regnwl,random={random},signmethod={}{}|",
        method.as_str(),
        instance(instance_id)
    )
}

fn instance(id: Option<&str>) -> String {
    id.map_or(String::new(), |id| format!(",instanceId={id}"))
}

/// Identity and key of a TLS-PSK session.
///
/// The key is the ASCII text of the upper-case digest, not its binary form.
pub struct Psk {
    /// The PSK identity sent in clear.
    pub identity: String,
    /// The pre-shared key, wiped when dropped.
    pub key: Zeroizing<String>,
}

/// TLS-PSK credentials of a device (spec signing.md §5).
pub fn psk(method: SignMethod, device_secret: &[u8], product_key: &str, device_name: &str) -> Psk {
    let id = format!("{product_key}&{device_name}");
    let content = sign_content(&[
        ("id", id.as_bytes()),
        ("timestamp", FIXED_TIMESTAMP.as_bytes()),
    ]);
    Psk {
        identity: format!("devicename|{}|{id}|{FIXED_TIMESTAMP}", method.as_str()),
        key: method.sign(device_secret, &content),
    }
}

/// Connect parameters of a device without pre-registration: the token is the password.
pub fn connwl(
    client_id: &str,
    product_key: &str,
    device_name: &str,
    device_token: &str,
) -> ConnectParams {
    ConnectParams {
        client_id: format!("{client_id}|securemode=-2,authType=connwl|"),
        username: format!("{device_name}&{product_key}"),
        password: Zeroizing::new(device_token.to_owned()),
    }
}

/// Connect parameters of an X.509 device that knows its names (spec x509-identity.md §6).
pub fn x509_known(
    client_id: &str,
    method: SignMethod,
    timestamp: Option<&str>,
    product_key: &str,
    device_name: &str,
) -> ConnectParams {
    let timestamp = timestamp.map_or(String::new(), |t| format!(",timestamp={t}"));
    ConnectParams {
        client_id: format!(
            "{client_id}|securemode=2,signmethod={}{timestamp}|",
            method.as_str()
        ),
        username: format!("{device_name}&{product_key}"),
        password: Zeroizing::new(String::new()),
    }
}

/// The smallest connect parameters the X.509 service accepts from a device without names.
pub fn x509_unknown() -> ConnectParams {
    ConnectParams {
        client_id: ".|securemode=2|".to_owned(),
        username: String::new(),
        password: Zeroizing::new(String::new()),
    }
}

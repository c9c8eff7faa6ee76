//! Who exists: devices with their secrets or certificates, as read from `devices.json`.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

/// Product key and device name: the identity of a device, and the key of its session.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId {
    /// Product key, at most 20 characters.
    pub product_key: String,
    /// Device name, at most 32 characters.
    pub device_name: String,
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.product_key, self.device_name)
    }
}

/// One device of the registry file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Device {
    /// Product key, 1 to 20 characters.
    pub product_key: String,
    /// Device name, 1 to 32 characters.
    pub device_name: String,
    /// Device secret, empty for a device that has only a certificate.
    #[serde(default)]
    pub device_secret: String,
    /// Product secret, empty if the product has no dynamic registration.
    #[serde(default)]
    pub product_secret: String,
    /// SHA-256 of the certificate's DER in hexadecimal.
    #[serde(default)]
    pub cert_sha256: Option<String>,
    /// Pushed instead of the usual identity payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<serde_json::Value>,
}

impl Device {
    /// The device's identity.
    pub fn id(&self) -> DeviceId {
        DeviceId {
            product_key: self.product_key.clone(),
            device_name: self.device_name.clone(),
        }
    }

    /// The identity payload in compact JSON, product key first.
    pub fn identity_payload(&self) -> String {
        match &self.identity {
            Some(payload) => payload.to_string(),
            None => identity_payload(&self.id()),
        }
    }
}

/// The identity payload of a device in compact JSON, product key first.
pub fn identity_payload(id: &DeviceId) -> String {
    // Strings always serialise.
    let quote = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        "{{\"productKey\":{},\"deviceName\":{}}}",
        quote(&id.product_key),
        quote(&id.device_name)
    )
}

/// The form of `devices.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryFile {
    /// All devices.
    pub devices: Vec<Device>,
}

/// The registry, ready for look-ups.
pub struct Registry {
    devices: HashMap<DeviceId, Device>,
    certificates: HashMap<String, DeviceId>,
    tokens: Mutex<HashMap<(DeviceId, String), String>>,
}

impl Registry {
    /// Reads and checks a registry file; the error is a sentence for the user.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            format!(
                "cannot read the device registry {}: {error}",
                path.display()
            )
        })?;
        let file: RegistryFile = serde_json::from_str(&text).map_err(|error| {
            format!(
                "the device registry {} is not valid: {error}",
                path.display()
            )
        })?;
        Self::new(file.devices).map_err(|error| {
            format!(
                "the device registry {} is not valid: {error}",
                path.display()
            )
        })
    }

    /// Checks the devices and indexes them.
    pub fn new(list: Vec<Device>) -> Result<Self, String> {
        let (mut devices, mut certificates) = (HashMap::new(), HashMap::new());
        for device in list {
            let id = device.id();
            if id.product_key.is_empty() || id.product_key.len() > 20 {
                return Err(format!(
                    "{id}: the product key must have 1 to 20 characters"
                ));
            }
            if id.device_name.is_empty() || id.device_name.len() > 32 {
                return Err(format!(
                    "{id}: the device name must have 1 to 32 characters"
                ));
            }
            if let Some(digest) = &device.cert_sha256 {
                if digest.len() != 64 || crate::sign::from_hex(digest).is_none() {
                    return Err(format!("{id}: certSha256 must have 64 hexadecimal digits"));
                }
                if certificates
                    .insert(digest.to_lowercase(), id.clone())
                    .is_some()
                {
                    return Err(format!(
                        "{id}: its certificate belongs to another device too"
                    ));
                }
            }
            if devices.insert(id.clone(), device).is_some() {
                return Err(format!("{id} is listed twice"));
            }
        }
        Ok(Self {
            devices,
            certificates,
            tokens: Mutex::default(),
        })
    }

    /// The device of that identity.
    pub fn device(&self, id: &DeviceId) -> Option<&Device> {
        self.devices.get(id)
    }

    /// The device that owns the certificate with this SHA-256 (lower-case hexadecimal).
    pub fn by_certificate(&self, sha256: &str) -> Option<&Device> {
        self.certificates
            .get(sha256)
            .and_then(|id| self.devices.get(id))
    }

    /// The product secret of a product, if any of its devices names one.
    pub fn product_secret(&self, product_key: &str) -> Option<&str> {
        self.devices
            .values()
            .find(|device| device.product_key == product_key && !device.product_secret.is_empty())
            .map(|device| device.product_secret.as_str())
    }

    /// Number of devices.
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// Whether there is no device.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// Keeps the token of a device registered without pre-registration, for this run of the platform.
    pub fn keep_token(&self, id: DeviceId, client_id: String, token: String) {
        let mut tokens = self
            .tokens
            .lock()
            .unwrap_or_else(|poison| poison.into_inner());
        tokens.insert((id, client_id), token);
    }

    /// Whether `token` is the one given to this device and client id.
    pub fn token_matches(&self, id: &DeviceId, client_id: &str, token: &[u8]) -> bool {
        let tokens = self
            .tokens
            .lock()
            .unwrap_or_else(|poison| poison.into_inner());
        tokens
            .get(&(id.clone(), client_id.to_owned()))
            .is_some_and(|kept| kept.as_bytes() == token)
    }
}

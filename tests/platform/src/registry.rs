//! Who exists: devices with their secrets or certificates, as read from `devices.json`.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use crate::private_ca::{Authority, PrivateCas};
use crate::registration::{Claim, Refusal};
use crate::sign;
use crate::tokens::Tokens;

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

/// What a product allows; products that are not listed allow registration of created devices only.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Product {
    /// Product key, 1 to 20 characters.
    pub product_key: String,
    /// Product secret; where it is empty, that of the product's devices counts.
    #[serde(default)]
    pub product_secret: String,
    /// Dynamic registration is switched on.
    #[serde(default = "yes")]
    pub registration: bool,
    /// Devices may register that were not created before.
    #[serde(default)]
    pub without_pre_registration: bool,
}

fn yes() -> bool {
    true
}

/// The form of `devices.json`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryFile {
    /// All devices.
    pub devices: Vec<Device>,
    /// Products with settings of their own.
    #[serde(default)]
    pub products: Vec<Product>,
    /// Private CAs with the certificates that belong to devices.
    #[serde(default)]
    pub private_cas: Vec<Authority>,
}

/// The registry, ready for look-ups.
pub struct Registry {
    devices: HashMap<DeviceId, Device>,
    certificates: HashMap<String, DeviceId>,
    products: HashMap<String, Product>,
    private: Mutex<PrivateCas>,
    tokens: Mutex<Tokens>,
    /// A device gets its secret once, until it is reset.
    once: bool,
    activated: Mutex<HashSet<DeviceId>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
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
        Self::new(file.devices)
            .and_then(|registry| registry.with_products(file.products))
            .and_then(|registry| {
                for authority in &file.private_cas {
                    registry.private().load(authority, &registry.devices)?;
                }
                Ok(registry)
            })
            .map_err(|error| {
                format!(
                    "the device registry {} is not valid: {error}",
                    path.display()
                )
            })
    }

    /// Adds the settings of products.
    pub fn with_products(mut self, list: Vec<Product>) -> Result<Self, String> {
        for product in list {
            let key = product.product_key.clone();
            if key.is_empty() || key.len() > 20 {
                return Err("the product key of a product must have 1 to 20 characters".into());
            }
            if self.products.insert(key.clone(), product).is_some() {
                return Err(format!("the product {key} is listed twice"));
            }
        }
        Ok(self)
    }

    /// Sets how registrations are remembered: whether a device gets its secret only once, and where the tokens
    /// of devices without pre-registration are kept beyond this run.
    pub fn remember(&mut self, once: bool, tokens: Option<&Path>) -> Result<(), String> {
        self.once = once;
        if let Some(path) = tokens {
            self.tokens = Mutex::new(Tokens::open(path)?);
        }
        Ok(())
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
            products: HashMap::new(),
            private: Mutex::default(),
            tokens: Mutex::default(),
            once: false,
            activated: Mutex::default(),
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

    /// The product secret of a product, if it or any of its devices names one.
    pub fn product_secret(&self, product_key: &str) -> Option<&str> {
        if let Some(product) = self.products.get(product_key)
            && !product.product_secret.is_empty()
        {
            return Some(&product.product_secret);
        }
        self.devices
            .values()
            .find(|device| device.product_key == product_key && !device.product_secret.is_empty())
            .map(|device| device.product_secret.as_str())
    }

    /// The private CAs; the registry's devices are those that certificates can be given to.
    pub fn private(&self) -> MutexGuard<'_, PrivateCas> {
        lock(&self.private)
    }

    /// All devices.
    pub fn devices(&self) -> &HashMap<DeviceId, Device> {
        &self.devices
    }

    /// Number of devices.
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// Whether there is no device.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// Whether a registration with these parameters is granted. The order is that of the real checks: product,
    /// switch, signature, device; so a stranger learns nothing about devices.
    pub fn check_claim(&self, claim: &Claim<'_>) -> Result<(), Refusal> {
        let id = claim.device;
        let secret = self
            .product_secret(&id.product_key)
            .ok_or(Refusal::UnknownProduct)?;
        let product = self.products.get(&id.product_key);
        if !product.is_none_or(|product| product.registration) {
            return Err(Refusal::SwitchedOff);
        }
        let content = sign::register_content(&id.device_name, &id.product_key, claim.random);
        if !sign::verify(
            claim.method,
            secret.as_bytes(),
            content.as_bytes(),
            claim.signature,
        ) {
            return Err(Refusal::WrongSign);
        }
        if let Some(client_id) = claim.new_client {
            if !product.is_some_and(|product| product.without_pre_registration) {
                return Err(Refusal::SwitchedOff);
            }
            return match lock(&self.tokens).has_room(id, client_id) {
                true => Ok(()),
                false => Err(Refusal::TooMany),
            };
        }
        match self.devices.get(id) {
            Some(device) if !device.device_secret.is_empty() => {}
            _ => return Err(Refusal::UnknownDevice),
        }
        match self.once && lock(&self.activated).contains(id) {
            true => Err(Refusal::AlreadyActive),
            false => Ok(()),
        }
    }

    /// Remembers that the device got its secret.
    pub fn activate(&self, id: &DeviceId) {
        lock(&self.activated).insert(id.clone());
    }

    /// Makes the device one that never registered: it may do so again, and its tokens are void.
    pub fn reset(&self, id: &DeviceId) -> Result<(), String> {
        let active = lock(&self.activated).remove(id);
        let tokens = lock(&self.tokens).forget(id)?;
        match active || tokens || self.devices.contains_key(id) {
            true => Ok(()),
            false => Err(format!("{id} is not known")),
        }
    }

    /// Keeps the token of a device registered without pre-registration.
    pub fn keep_token(&self, id: &DeviceId, client_id: &str, token: &str) -> Result<(), String> {
        lock(&self.tokens).keep(id, client_id, token)
    }

    /// Whether `token` is the one given to this device and client id.
    pub fn token_matches(&self, id: &DeviceId, client_id: &str, token: &[u8]) -> bool {
        lock(&self.tokens)
            .get(id, client_id)
            .is_some_and(|kept| kept.as_bytes() == token)
    }
}

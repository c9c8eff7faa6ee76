//! Dynamic registration: who gets a secret or a token, the answer over MQTT, and what may be wrong with it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::ring;
use serde_json::{Value, json};

use crate::auth::Mode;
use crate::client::Client;
use crate::connection::{applied, later};
use crate::link::How;
use crate::mqtt::{Publish, encode};
use crate::registry::DeviceId;
use crate::server::Platform;
use crate::sign::{Method, to_hex};

/// The topic of both answers, unless a fault names another.
const TOPIC: &str = "/ext/register";
/// The other topic on which a device without pre-registration may be answered.
const TOPIC_NEW: &str = "/ext/regnwl";
/// How long a registering device may stay.
const LIMIT_MS: u64 = 15_000;

/// How registration is set up.
#[derive(Default)]
pub struct RegistrationOptions {
    /// Address of the HTTPS endpoint.
    pub listen_https: Option<String>,
    /// A device gets its secret only once.
    pub once: bool,
    /// Codes of the HTTPS answer.
    pub codes: Codes,
    /// File of the tokens; without one they end with the platform.
    pub tokens: Option<PathBuf>,
}

/// What a device asks for.
pub struct Claim<'a> {
    /// Who it says it is.
    pub device: &'a DeviceId,
    /// The random text that it signed.
    pub random: &'a str,
    /// The method of the signature.
    pub method: Method,
    /// The signature in hexadecimal.
    pub signature: &'a [u8],
    /// Set for a device that was not created before: its client id.
    pub new_client: Option<&'a str>,
}

/// Why a registration is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// A parameter is missing or has no sense.
    Parameter,
    /// No such product, or one without a product secret.
    UnknownProduct,
    /// The product does not allow this kind of registration.
    SwitchedOff,
    /// The signature does not match.
    WrongSign,
    /// The device was not created, or has no secret.
    UnknownDevice,
    /// The device has its secret already.
    AlreadyActive,
    /// Five devices share the name already.
    TooMany,
}

impl Refusal {
    /// All of them.
    const ALL: [Self; 7] = [
        Self::Parameter,
        Self::UnknownProduct,
        Self::SwitchedOff,
        Self::WrongSign,
        Self::UnknownDevice,
        Self::AlreadyActive,
        Self::TooMany,
    ];

    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parameter => "parameter",
            Self::UnknownProduct => "product",
            Self::SwitchedOff => "off",
            Self::WrongSign => "sign",
            Self::UnknownDevice => "device",
            Self::AlreadyActive => "active",
            Self::TooMany => "too-many",
        }
    }

    /// The reason, for the log and the answer.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Parameter => "a parameter is missing or wrong",
            Self::UnknownProduct => "no such product",
            Self::SwitchedOff => "the product does not allow this registration",
            Self::WrongSign => "the signature is not that of the registration",
            Self::UnknownDevice => "the device to register was not created, or has no secret",
            Self::AlreadyActive => "the device is activated already",
            Self::TooMany => "five devices share that name already",
        }
    }

    fn default_code(self) -> u64 {
        match self {
            Self::Parameter => 460,
            Self::UnknownProduct => 5005,
            Self::SwitchedOff => 6288,
            Self::WrongSign => 6600,
            Self::UnknownDevice => 6100,
            Self::AlreadyActive => 6289,
            Self::TooMany => 6290,
        }
    }
}

/// The codes of refusals in the HTTPS answer. The public documents list none, so each can be chosen.
#[derive(Debug, Clone, Default)]
pub struct Codes(HashMap<Refusal, u64>);

impl Codes {
    /// Reads `name=number` items; the error is a sentence for the user.
    pub fn new(items: &[String]) -> Result<Self, String> {
        let mut codes = HashMap::new();
        for item in items {
            let known = item.split_once('=').and_then(|(name, code)| {
                let refusal = Refusal::ALL
                    .into_iter()
                    .find(|refusal| refusal.name() == name)?;
                Some((refusal, code.parse().ok()?))
            });
            let Some((refusal, code)) = known else {
                let names = Refusal::ALL.map(Refusal::name).join(", ");
                return Err(format!(
                    "{item:?} is not name=number with a name of {names}"
                ));
            };
            codes.insert(refusal, code);
        }
        Ok(Self(codes))
    }

    /// The code of a refusal.
    pub fn of(&self, refusal: Refusal) -> u64 {
        self.0
            .get(&refusal)
            .copied()
            .unwrap_or_else(|| refusal.default_code())
    }
}

/// CONNACK, then the secret or token. Neither is logged.
pub fn answer(
    platform: &Arc<Platform>,
    client: &Arc<Client>,
    device: &DeviceId,
    mode: Mode,
    client_id: &str,
) {
    client.record("connack", json!({"code": 0, "session_present": false}));
    client.send(encode::connack(false, 0));
    let conn = client.conn;
    let active = |fault: &str| applied(platform, conn, fault);
    later(client, LIMIT_MS, |client| {
        client.close(How::Graceful, "registration takes too long")
    });
    if active("reg-close").is_some() {
        client.close(How::Graceful, "fault reg-close");
        return;
    }
    if active("reg-never").is_some() {
        return;
    }
    let good = match grant(platform, device, mode, client_id) {
        Ok(good) => good,
        Err(error) => {
            client.close(How::Graceful, &error);
            return;
        }
    };
    let mut topic = TOPIC;
    if mode == Mode::RegisterNew && active("reg-nwl-topic").is_some() {
        topic = TOPIC_NEW;
    }
    let mut packets = Vec::new();
    if active("reg-wrong-topic").is_some() {
        // Close to the right one, with content that would do harm if it were taken.
        let payload = spoil(good.clone(), Spoiled::Secret(32)).to_string();
        packets.push(packet(&format!("{topic}XYZ"), payload.into_bytes()));
    }
    let mut payload = good;
    if active("reg-other-device").is_some() {
        payload = spoil(payload, Spoiled::OtherDevice);
    }
    if active("reg-wrong-types").is_some() {
        payload = spoil(payload, Spoiled::Types);
    }
    if let Some(length) = active("reg-secret") {
        payload = spoil(payload, Spoiled::Secret(length));
    }
    if let Some(length) = active("reg-huge") {
        payload["padding"] = "x".repeat(length as usize).into();
    }
    let mut bytes = payload.to_string().into_bytes();
    if active("reg-truncate").is_some() {
        bytes.truncate(bytes.len() / 2);
    }
    packets.push(packet(topic, bytes));
    let fields = json!({"topic": topic, "mode": mode.name(), "accepted": true});
    let send = move |client: &Client| {
        client.record("registration", fields);
        for packet in packets {
            client.send(packet);
        }
    };
    match active("reg-delay") {
        None => send(client),
        Some(delay) => later(client, delay, send),
    }
}

/// The right payload; from here on the device counts as registered.
fn grant(
    platform: &Platform,
    device: &DeviceId,
    mode: Mode,
    client_id: &str,
) -> Result<Value, String> {
    let (product_key, device_name) = (&device.product_key, &device.device_name);
    if mode != Mode::RegisterNew {
        let secret = platform
            .registry
            .device(device)
            .map(|known| known.device_secret.as_str());
        platform.registry.activate(device);
        return Ok(
            json!({"productKey": product_key, "deviceName": device_name, "deviceSecret": secret}),
        );
    }
    let mut random = [0; 16];
    ring::default_provider()
        .secure_random
        .fill(&mut random)
        .map_err(|_| "no random bytes for a token".to_owned())?;
    let token = to_hex(&random);
    platform.registry.keep_token(device, client_id, &token)?;
    Ok(json!({
        "productKey": product_key, "deviceName": device_name, "clientId": client_id, "deviceToken": token,
    }))
}

/// What can be wrong with the members of an answer.
#[derive(Debug, Clone, Copy)]
pub enum Spoiled {
    /// It is for another device.
    OtherDevice,
    /// The members are no texts.
    Types,
    /// The secret or token has this many characters and is not the right one.
    Secret(u64),
}

/// An answer with something wrong in it. What is secret in it is replaced: wrong answers must not do good.
pub fn spoil(mut answer: Value, how: Spoiled) -> Value {
    let Some(members) = answer.as_object_mut() else {
        return answer;
    };
    for (name, value) in members {
        let secret = matches!(name.as_str(), "deviceSecret" | "deviceToken");
        *value = match how {
            Spoiled::OtherDevice if name == "deviceName" => "another-device".into(),
            Spoiled::OtherDevice if secret => "s".repeat(32).into(),
            Spoiled::Types if secret => json!(12_345),
            Spoiled::Types => json!([null]),
            Spoiled::Secret(length) if secret => "s".repeat(length as usize).into(),
            _ => continue,
        };
    }
    answer
}

fn packet(topic: &str, payload: Vec<u8>) -> Vec<u8> {
    encode::publish(&Publish {
        dup: false,
        qos: 1,
        retain: false,
        topic: topic.to_owned(),
        packet_id: 1,
        payload,
    })
}

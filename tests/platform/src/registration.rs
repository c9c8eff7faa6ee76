//! Dynamic registration over MQTT: the answer to a device that came with the secret of its product.

use std::sync::Arc;

use rustls::crypto::ring;
use serde_json::json;

use crate::auth::Mode;
use crate::client::Client;
use crate::connection::later;
use crate::link::How;
use crate::mqtt::{Publish, encode};
use crate::registry::DeviceId;
use crate::server::Platform;
use crate::sign::to_hex;

/// The topic of both answers.
const TOPIC: &str = "/ext/register";
/// How long a registering device may stay.
const LIMIT_MS: u64 = 15_000;

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
    let (product_key, device_name) = (&device.product_key, &device.device_name);
    let payload = if mode == Mode::RegisterNew {
        let mut random = [0; 16];
        if ring::default_provider()
            .secure_random
            .fill(&mut random)
            .is_err()
        {
            client.close(How::Graceful, "no random bytes for a token");
            return;
        }
        let token = to_hex(&random);
        platform
            .registry
            .keep_token(device.clone(), client_id.to_owned(), token.clone());
        json!({
            "productKey": product_key, "deviceName": device_name, "clientId": client_id, "deviceToken": token,
        })
    } else {
        let secret = platform
            .registry
            .device(device)
            .map(|known| known.device_secret.as_str());
        json!({"productKey": product_key, "deviceName": device_name, "deviceSecret": secret})
    };
    client.record("registration", json!({"topic": TOPIC, "mode": mode.name()}));
    client.send(encode::publish(&Publish {
        dup: false,
        qos: 1,
        retain: false,
        topic: TOPIC.to_owned(),
        packet_id: 1,
        payload: payload.to_string().into_bytes(),
    }));
    later(client, LIMIT_MS, |client| {
        client.close(How::Graceful, "registration takes too long")
    });
}

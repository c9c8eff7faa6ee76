//! The control port: one JSON object a line in, one a line out.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};

use crate::client::Client;
use crate::link::How;
use crate::registry::DeviceId;
use crate::server::Platform;
use crate::session::Message;
use crate::sign::from_hex;

/// Longest line accepted, bytes.
const LINE: u64 = 64 << 20;

/// Accepts control connections until the platform stops.
pub fn serve(platform: &Arc<Platform>, listener: &TcpListener) {
    for socket in listener.incoming() {
        if platform.is_stopping() {
            return;
        }
        if let Ok(socket) = socket {
            let platform = Arc::clone(platform);
            thread::spawn(move || converse(&platform, &socket));
        }
    }
}

fn converse(platform: &Arc<Platform>, socket: &TcpStream) {
    let _ = socket.set_nodelay(true);
    let mut reader = BufReader::new(socket);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(LINE).read_until(b'\n', &mut line) {
            Ok(count) if count > 0 => {}
            _ => return,
        }
        let result = match serde_json::from_slice::<Value>(&line) {
            Ok(command) => execute(platform, &command),
            Err(error) => Err(format!("not a JSON object on one line: {error}")),
        };
        let answer = match result {
            Ok(mut fields) => {
                fields["ok"] = true.into();
                fields
            }
            Err(error) => json!({"ok": false, "error": error}),
        };
        let mut writer = socket;
        if writer.write_all(format!("{answer}\n").as_bytes()).is_err() {
            return;
        }
    }
}

/// Runs one command; the error is a sentence for the user.
pub fn execute(platform: &Arc<Platform>, command: &Value) -> Result<Value, String> {
    let name = command["cmd"]
        .as_str()
        .ok_or("the command has no \"cmd\"")?;
    match name {
        "devices" => Ok(json!({"devices": platform.broker.devices()})),
        "events" => {
            let (events, next) = platform
                .events
                .since(command["since"].as_u64().unwrap_or(0));
            Ok(json!({"events": events, "next": next}))
        }
        "publish" => publish(platform, command),
        "raw" => {
            let bytes = command["hex"]
                .as_str()
                .and_then(from_hex)
                .ok_or("\"hex\" must be hexadecimal digits")?;
            let clients = addressed(platform, command, "to")?;
            for client in &clients {
                client.send(bytes.clone());
            }
            Ok(json!({"sent": clients.len()}))
        }
        "kick" => {
            let clients = addressed(platform, command, "device")?;
            for client in &clients {
                client.record("kicked", json!({"reason": "by the control port"}));
                client.close(How::Graceful, "kicked by the control port");
            }
            Ok(json!({"kicked": clients.len()}))
        }
        "drop" => {
            let how = if command["rst"] == true {
                How::Reset
            } else {
                How::Abrupt
            };
            let clients = addressed(platform, command, "device")?;
            for client in &clients {
                client.close_now(how, "dropped by the control port");
                platform.broker.offline(client);
            }
            Ok(json!({"dropped": clients.len()}))
        }
        "fault" => {
            let spec = command["spec"].as_str().ok_or("\"spec\" must be a text")?;
            let fault = platform.faults.set(spec)?;
            if fault == "half-open" {
                // Concerns who is connected already, too.
                for client in platform.broker.clients() {
                    if platform.faults.take(&fault).is_some() {
                        client.record("fault", json!({"fault": fault}));
                        client.freeze();
                    }
                }
            }
            Ok(json!({"active": platform.faults.active()}))
        }
        "clear" if command["name"].is_string() => {
            platform
                .faults
                .unset(command["name"].as_str().unwrap_or_default());
            Ok(json!({"active": platform.faults.active()}))
        }
        "clear" => {
            platform.faults.clear();
            Ok(json!({}))
        }
        "identity" => identity(platform, command),
        "registration-code" => {
            Ok(json!({"code": platform.registry.private().registration_code()?}))
        }
        "register-ca" => {
            let text = |name: &str| {
                command[name]
                    .as_str()
                    .ok_or_else(|| format!("{name:?} must be a text"))
            };
            let name = text("name")?;
            platform
                .registry
                .private()
                .register(name, text("ca")?, text("verification")?)?;
            platform.use_private_cas()?;
            platform.events.record("ca", json!({"name": name}));
            Ok(json!({}))
        }
        "associate" => {
            let name = command["name"].as_str().ok_or("\"name\" must be a text")?;
            let csv = command["csv"].as_str().ok_or("\"csv\" must be a text")?;
            let devices = platform.registry.devices();
            let count = platform.registry.private().associate(name, csv, devices)?;
            let fields = json!({"name": name, "certificates": count});
            platform.events.record("associated", fields);
            Ok(json!({"associated": count}))
        }
        "reset-device" => {
            let device = command["device"]
                .as_str()
                .ok_or("\"device\" must be a text")?;
            platform.registry.reset(&device_id(device)?)?;
            platform.events.record("reset", json!({"device": device}));
            Ok(json!({}))
        }
        "server-cert" => {
            platform.use_server_cert(command["name"].as_str().ok_or("\"name\" must be a text")?)?;
            Ok(json!({}))
        }
        "rotate-tickets" => {
            platform.rotate_tickets()?;
            Ok(json!({}))
        }
        "stop" => {
            platform.stop("asked by the control port");
            Ok(json!({}))
        }
        other => Err(format!("unknown command {other:?}")),
    }
}

fn device_id(text: &str) -> Result<DeviceId, String> {
    match text.split_once('/') {
        Some((product_key, device_name)) if !product_key.is_empty() && !device_name.is_empty() => {
            Ok(DeviceId {
                product_key: product_key.to_owned(),
                device_name: device_name.to_owned(),
            })
        }
        _ => Err(format!("{text:?} is not productKey/deviceName")),
    }
}

/// The on-line clients that a member names: one device, or all with `*`.
fn addressed(
    platform: &Platform,
    command: &Value,
    member: &str,
) -> Result<Vec<Arc<Client>>, String> {
    match command[member].as_str() {
        None => Err(format!("{member:?} must be productKey/deviceName or \"*\"")),
        Some("*") => Ok(platform.broker.clients()),
        Some(text) => match platform.broker.client(&device_id(text)?) {
            Some(client) => Ok(vec![client]),
            None => Err(format!("{text} is not on-line")),
        },
    }
}

/// A whole number below 2 given by a member, `default` without it.
fn qos(command: &Value, default: u8) -> Result<u8, String> {
    match &command["qos"] {
        Value::Null => Ok(default),
        value => match value.as_u64() {
            Some(qos @ 0..=1) => Ok(qos as u8),
            _ => Err("\"qos\" must be 0 or 1".into()),
        },
    }
}

fn publish(platform: &Platform, command: &Value) -> Result<Value, String> {
    let topic = command["topic"]
        .as_str()
        .ok_or("\"topic\" must be a text")?;
    if topic.is_empty() || topic.len() > 65_535 {
        return Err("\"topic\" must have 1 to 65535 bytes".into());
    }
    let payload = match (
        &command["payload"],
        &command["payload_hex"],
        &command["payload_size"],
    ) {
        (Value::String(text), Value::Null, Value::Null) => text.as_bytes().to_vec(),
        (Value::Null, Value::String(text), Value::Null) => {
            from_hex(text).ok_or("\"payload_hex\" must be hexadecimal digits")?
        }
        (Value::Null, Value::Null, Value::Number(size)) => match size.as_u64() {
            Some(size) if size <= 200_000_000 => vec![b'x'; size as usize],
            _ => return Err("\"payload_size\" must be at most 200000000".into()),
        },
        (Value::Null, Value::Null, Value::Null) => Vec::new(),
        _ => return Err("give one of \"payload\", \"payload_hex\" and \"payload_size\"".into()),
    };
    let message = Message {
        retain: command["retain"] == true,
        dup: command["dup"] == true,
        ..Message::new(topic, payload, qos(command, 0)?)
    };
    match command["to"].as_str() {
        Some(device) => {
            platform.broker.send_to(&device_id(device)?, message)?;
            Ok(json!({"delivered": 1}))
        }
        None => {
            if let Some(problem) = crate::mqtt::topic::name_problem(topic) {
                return Err(format!("\"topic\": {problem}"));
            }
            Ok(json!({"delivered": platform.broker.route(&message, None)}))
        }
    }
}

fn identity(platform: &Platform, command: &Value) -> Result<Value, String> {
    let id = device_id(
        command["device"]
            .as_str()
            .ok_or("\"device\" must be a text")?,
    )?;
    let client = platform
        .broker
        .client(&id)
        .ok_or_else(|| format!("{id} is not on-line"))?;
    let payload = match (&command["payload"], platform.registry.device(&id)) {
        (Value::String(text), _) => text.clone(),
        (Value::Null, Some(device)) => device.identity_payload(),
        (Value::Null, None) => crate::registry::identity_payload(&id),
        // An object is sent in compact form.
        (value, _) => value.to_string(),
    };
    let mut message = platform.identity(payload);
    message.qos = qos(command, platform.options.identity.qos)?;
    message.retain = command["retain"] == true;
    platform.broker.send_identity(&client, message);
    Ok(json!({}))
}

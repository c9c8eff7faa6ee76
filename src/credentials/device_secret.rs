//! One secret per device: HMAC over what is sent (spec signing.md §1, §2).

use super::{
    Checked, Connect, Field, Fields, MQTT_PORT, Scheme, additional, invalid, names, own_client_id,
    public_host, refuse, secret, username,
};
use crate::sign::SignMethod;
use crate::sign::link_sdk::{self, Device, Domain};
use crate::sign::platform;

/// The scheme of `IOT_Sign_MQTT`, and with any client id, time stamp or method of the platform.
pub(super) struct DeviceSecret;

impl Scheme for DeviceSecret {
    fn name(&self) -> &'static str {
        "device-secret"
    }

    fn takes(&self) -> &'static [Field] {
        &[
            Field::DeviceSecret,
            Field::ClientId,
            Field::Timestamp,
            Field::CustomizeInfo,
            Field::InstanceId,
            Field::Method,
            Field::Region,
            Field::Certificate,
        ]
    }

    fn connect(&self, fields: &Fields<'_>) -> Checked<Connect> {
        names(fields)?;
        secret(fields)?;
        if super::id2::asked_for(fields.customize_info) {
            return invalid("customize_info asks for ID2, which is a scheme of its own");
        }
        let plain = fields.client_id.is_empty()
            && fields.timestamp.is_empty()
            && !matches!(
                fields.method,
                Some(SignMethod::HmacMd5 | SignMethod::HmacSha1)
            );
        let (client_id, password) = if plain {
            as_the_sdk(
                fields,
                fields.transport.secure_mode(),
                fields.customize_info,
            )?
        } else {
            as_the_platform(fields)
        };
        Ok(Connect {
            client_id,
            username: username(fields),
            password,
            host: public_host(fields),
            port: MQTT_PORT,
            psk: None,
        })
    }
}

/// Client id and password as the Link SDK for C makes them, with its constant time stamp.
pub(super) fn as_the_sdk(
    fields: &Fields<'_>,
    mode: link_sdk::SecureMode,
    customize_info: &str,
) -> Checked<(String, zeroize::Zeroizing<String>)> {
    let device = Device {
        product_key: fields.product_key.as_bytes(),
        device_name: fields.device_name.as_bytes(),
        device_secret: fields.device_secret.as_bytes(),
    };
    let more = match (fields.instance_id, customize_info) {
        ("", info) => info.to_owned(),
        (instance, "") => format!("instanceId={instance}"),
        (instance, info) => format!("instanceId={instance},{info}"),
    };
    // The signer's own host is not used: it knows public instances only.
    let domain = Domain::Custom(Some("-"));
    let signed = link_sdk::sign(&device, domain, mode, fields.hmac_sha256);
    let client_id = link_sdk::client_id(&device, mode, Some(more.as_bytes()));
    match (signed, client_id) {
        (Ok(signed), Ok(client_id)) => Ok((
            // Made of texts only.
            String::from_utf8_lossy(&client_id).into_owned(),
            signed.password,
        )),
        (Err(code), _) | (_, Err(code)) => refuse(
            code,
            "the client id is too long; shorten customize_info or give a client_id",
        ),
    }
}

/// The platform's general form.
fn as_the_platform(fields: &Fields<'_>) -> (String, zeroize::Zeroizing<String>) {
    let method = fields.method.unwrap_or(SignMethod::HmacSha256);
    let own = own_client_id(fields);
    let mut client_id = format!(
        "{own}|securemode={},signmethod={}",
        fields.transport.secure_mode().as_str(),
        method.as_str()
    );
    if !fields.timestamp.is_empty() {
        client_id.push_str(",timestamp=");
        client_id.push_str(fields.timestamp);
    }
    additional(fields, &mut client_id);
    client_id.push('|');
    let timestamp = Some(fields.timestamp.as_bytes()).filter(|text| !text.is_empty());
    let password = platform::connect_password(
        method,
        fields.device_secret.as_bytes(),
        fields.product_key.as_bytes(),
        fields.device_name.as_bytes(),
        Some(own.as_bytes()),
        timestamp,
    );
    (client_id, password)
}

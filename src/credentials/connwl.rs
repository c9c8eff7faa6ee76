//! Without pre-registration: the token of the registration is the password (spec
//! dynamic-registration.md §5).

use super::{
    Checked, Connect, Field, Fields, MQTT_PORT, Scheme, additional, invalid, names, own_client_id,
    public_host, tls,
};
use crate::sign::platform;

/// `authType=connwl`.
pub(super) struct Connwl;

impl Scheme for Connwl {
    fn name(&self) -> &'static str {
        "connwl"
    }

    fn takes(&self) -> &'static [Field] {
        &[
            Field::DeviceToken,
            Field::ClientId,
            Field::CustomizeInfo,
            Field::InstanceId,
            Field::Region,
            Field::Certificate,
        ]
    }

    fn connect(&self, fields: &Fields<'_>) -> Checked<Connect> {
        names(fields)?;
        tls(fields, self.name())?;
        if fields.device_token.is_empty() {
            return invalid("device_token is missing");
        }
        if fields.client_id.is_empty() {
            return invalid("client_id is missing: the one that came with the device token");
        }
        let parameters = platform::connwl(
            &own_client_id(fields),
            fields.product_key,
            fields.device_name,
            fields.device_token,
        );
        let mut client_id = parameters.client_id;
        client_id.pop();
        additional(fields, &mut client_id);
        client_id.push('|');
        Ok(Connect {
            client_id,
            username: parameters.username,
            password: parameters.password,
            host: public_host(fields),
            port: MQTT_PORT,
            psk: None,
        })
    }
}

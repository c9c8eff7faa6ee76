//! TLS with a pre-shared key made of the device's secret: no certificates at all (spec signing.md §5).

use super::device_secret::as_the_sdk;
use super::{
    Checked, Connect, Field, Fields, ITLS_PORT, Scheme, invalid, itls_host, names, secret, username,
};
use crate::sign::SignMethod;
use crate::sign::platform;

/// As the SDK does it when it is built with `TLS_AUTH_MODE_PSK`.
pub(super) struct TlsPsk;

impl Scheme for TlsPsk {
    fn name(&self) -> &'static str {
        "psk"
    }

    fn takes(&self) -> &'static [Field] {
        &[Field::DeviceSecret, Field::CustomizeInfo, Field::InstanceId]
    }

    fn connect(&self, fields: &Fields<'_>) -> Checked<Connect> {
        names(fields)?;
        secret(fields)?;
        if !fields.transport.is_tls() || fields.transport.is_websocket() {
            return invalid("the scheme psk needs TLS without WebSocket; use mqtts://");
        }
        let mode = fields.transport.secure_mode();
        let (client_id, password) = as_the_sdk(fields, mode, fields.customize_info)?;
        Ok(Connect {
            client_id,
            username: username(fields),
            password,
            host: itls_host(fields),
            port: ITLS_PORT,
            psk: Some(platform::psk(
                SignMethod::HmacSha256,
                fields.device_secret.as_bytes(),
                fields.product_key,
                fields.device_name,
            )),
        })
    }
}

//! X.509: the client certificate vouches for the device, whether the platform issued it or a private
//! CA registered there (spec x509-identity.md §2, §6, §10).

use super::{
    Checked, Connect, Field, Fields, Scheme, X509_HOST, additional, invalid, own_client_id,
};
use crate::sign::SignMethod;
use crate::sign::platform;

/// Port of the endpoint.
const PORT: u16 = 1883;

/// With the names, or without them: the platform then tells them after CONNACK.
pub(super) struct X509;

impl Scheme for X509 {
    fn name(&self) -> &'static str {
        "x509"
    }

    fn takes(&self) -> &'static [Field] {
        &[
            Field::ClientId,
            Field::Timestamp,
            Field::CustomizeInfo,
            Field::Method,
            Field::Certificate,
        ]
    }

    fn connect(&self, fields: &Fields<'_>) -> Checked<Connect> {
        if !fields.transport.is_tls() || fields.transport.is_websocket() {
            return invalid("the scheme x509 needs TLS without WebSocket; use mqtts://");
        }
        if !fields.has_certificate {
            return invalid("certificate is missing, which the scheme x509 lives on");
        }
        let parameters = match (fields.product_key, fields.device_name) {
            ("", "") => {
                let more = [fields.client_id, fields.timestamp, fields.customize_info];
                if fields.method.is_some() || more.iter().any(|text| !text.is_empty()) {
                    return invalid(
                        "client_id, timestamp, customize_info and sign_method need product_key and device_name",
                    );
                }
                platform::x509_unknown()
            }
            ("", _) | (_, "") => {
                return invalid("product_key and device_name are given together or not at all");
            }
            (product_key, device_name) => platform::x509_known(
                &own_client_id(fields),
                fields.method.unwrap_or(SignMethod::HmacSha256),
                Some(fields.timestamp).filter(|text| !text.is_empty()),
                product_key,
                device_name,
            ),
        };
        let mut client_id = parameters.client_id;
        if !fields.customize_info.is_empty() {
            // Before the bar that ends the pairs.
            client_id.pop();
            additional(fields, &mut client_id);
            client_id.push('|');
        }
        Ok(Connect {
            client_id,
            username: parameters.username,
            password: parameters.password,
            host: X509_HOST.to_owned(),
            port: PORT,
            psk: None,
        })
    }
}

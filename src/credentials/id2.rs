//! ID2: a secure element vouches for the device, through iTLS (spec signing.md §3, transport.md §1).
//!
//! iTLS is closed: a port brings it as its own `HAL_SSL_*`. What is built here is what such a port is
//! spoken to about: endpoint, client id, user name, and a password of what secret there is.

use super::device_secret::as_the_sdk;
use super::{
    Checked, Connect, Field, Fields, ITLS_PORT, Scheme, invalid, itls_host, names, tls, username,
};
use crate::sign::link_sdk::SecureMode;

/// The pair that tells the platform.
const AUTHTYPE: &str = "authtype=id2";

/// Whether these pairs tell it.
pub(super) fn asked_for(pairs: &str) -> bool {
    pairs.split(',').any(|pair| pair == AUTHTYPE)
}

/// `securemode=8`.
pub(super) struct Id2;

impl Scheme for Id2 {
    fn name(&self) -> &'static str {
        "id2"
    }

    fn takes(&self) -> &'static [Field] {
        &[Field::DeviceSecret, Field::CustomizeInfo, Field::InstanceId]
    }

    fn connect(&self, fields: &Fields<'_>) -> Checked<Connect> {
        names(fields)?;
        tls(fields, self.name())?;
        if fields.transport.is_websocket() {
            return invalid("the scheme id2 needs TLS without WebSocket; use mqtts://");
        }
        let info = match fields.customize_info {
            "" => AUTHTYPE.to_owned(),
            info if asked_for(info) => info.to_owned(),
            info => format!("{AUTHTYPE},{info}"),
        };
        let (client_id, password) = as_the_sdk(fields, SecureMode::Id2, &info)?;
        Ok(Connect {
            client_id,
            username: username(fields),
            password,
            host: itls_host(fields),
            port: ITLS_PORT,
            psk: None,
        })
    }
}

//! placeholder until abi branch
#![allow(missing_docs)]
pub const STATE_USER_INPUT_INVALID: i32 = -275;
pub const STATE_USER_INPUT_MQTT_DOMAIN: i32 = -264;
pub const STATE_MQTT_SIGN_HOSTNAME_BUF_SHORT: i32 = -775;
pub const STATE_MQTT_SIGN_CLIENTID_BUF_SHORT: i32 = -777;

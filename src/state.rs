//! The table of state codes and the older return codes.
//!
//! One table gives the Rust constants, the names, the English description behind
//! `IOT_Extension_StateDesc` and the C header `infra_state.h` (written by `tests/headers.rs`).
//! A state code is `base - n`: the base names the part of the library, the low byte the case
//! (spec events-and-ioctl.md §5). The older return codes of `infra_defs.h` are in
//! [`return_codes`].

use std::ffi::CStr;

pub mod return_codes;
pub use return_codes::*;

/// One code with its C name and its description.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// The C name, e.g. `STATE_USER_INPUT_INVALID`.
    pub name: &'static str,
    /// The number, zero or negative.
    pub value: i32,
    /// One English sentence.
    pub text: &'static CStr,
}

/// A table text as a C string.
const fn c_text(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        // Only evaluated while compiling: a NUL inside a table text stops the build.
        Err(_) => panic!("NUL inside a description"),
    }
}

/// Writes the constants and the table from one list.
macro_rules! codes {
    ($(#[$doc:meta])* $table:ident: $($name:ident = $value:expr, $text:literal;)+) => {
        $(
            #[doc = $text]
            pub const $name: i32 = $value;
        )+

        $(#[$doc])*
        pub static $table: &[Code] = &[
            $(Code { name: stringify!($name), value: $name, text: c_text(concat!($text, "\0")) },)+
        ];
    };
}
use codes;

codes! {
    /// The bases of the groups, in the order of the header. A base itself means "something in this
    /// group" and is used where no finer code fits.
    STATE_BASES:
    STATE_BASE = 0, "Success.";
    STATE_USER_INPUT_BASE = -0x0100, "An argument given by the application was not accepted.";
    STATE_SYS_DEPEND_BASE = -0x0200, "A service of the system below failed.";
    STATE_MQTT_BASE = -0x0300, "An MQTT operation reported this code.";
    STATE_WIFI_BASE = -0x0400, "Wi-Fi provisioning reported this code.";
    STATE_COAP_BASE = -0x0500, "CoAP communication reported this code.";
    STATE_HTTP_BASE = -0x0600, "HTTP communication reported this code.";
    STATE_OTA_BASE = -0x0700, "Firmware update reported this code.";
    STATE_BIND_BASE = -0x0800, "Device binding reported this code.";
    STATE_DEV_MODEL_BASE = -0x0900, "The device model reported this code.";
}

codes! {
    /// Every state code, in the order of the header.
    STATE_CODES:
    STATE_SUCCESS = STATE_BASE, "Success.";

    STATE_USER_INPUT_NULL_POINTER = STATE_USER_INPUT_BASE - 0x01, "An argument that must point to something is NULL.";
    STATE_USER_INPUT_OUT_RANGE = STATE_USER_INPUT_BASE - 0x02, "An argument lies outside its allowed range.";
    STATE_USER_INPUT_PK = STATE_USER_INPUT_BASE - 0x03, "The product key is missing or longer than 20 characters.";
    STATE_USER_INPUT_PS = STATE_USER_INPUT_BASE - 0x04, "The product secret is missing or longer than 64 characters.";
    STATE_USER_INPUT_DN = STATE_USER_INPUT_BASE - 0x05, "The device name is missing or longer than 32 characters.";
    STATE_USER_INPUT_DS = STATE_USER_INPUT_BASE - 0x06, "The device secret is missing or longer than 64 characters.";
    STATE_USER_INPUT_HTTP_DOMAIN = STATE_USER_INPUT_BASE - 0x07, "The HTTP host name of the custom region is missing or invalid.";
    STATE_USER_INPUT_MQTT_DOMAIN = STATE_USER_INPUT_BASE - 0x08, "The MQTT host name of the custom region is missing or invalid.";
    STATE_USER_INPUT_HTTP_PORT = STATE_USER_INPUT_BASE - 0x09, "The HTTP port is invalid.";
    STATE_USER_INPUT_HTTP_TIMEOUT = STATE_USER_INPUT_BASE - 0x0A, "The HTTP time-out is invalid.";
    STATE_USER_INPUT_HTTP_OPTION = STATE_USER_INPUT_BASE - 0x0B, "The HTTP option is unknown.";
    STATE_USER_INPUT_HTTP_POST_DATA = STATE_USER_INPUT_BASE - 0x0C, "The body of the HTTP request is missing.";
    STATE_USER_INPUT_HTTP_URL = STATE_USER_INPUT_BASE - 0x0D, "The HTTP URL is missing or malformed.";
    STATE_USER_INPUT_HTTP_PATH = STATE_USER_INPUT_BASE - 0x0E, "The path of the HTTP request is missing or malformed.";
    STATE_USER_INPUT_META_INFO = STATE_USER_INPUT_BASE - 0x0F, "The device description (product key, device name, secrets) is invalid.";
    STATE_USER_INPUT_DEVID = STATE_USER_INPUT_BASE - 0x10, "The device id is not known to the device model.";
    STATE_USER_INPUT_DEVICE_TYPE = STATE_USER_INPUT_BASE - 0x11, "The device type is neither a gateway nor a sub-device.";
    STATE_USER_INPUT_MSG_TYPE = STATE_USER_INPUT_BASE - 0x12, "The message type is not supported here.";
    STATE_USER_INPUT_INVALID = STATE_USER_INPUT_BASE - 0x13, "An argument is invalid, or no client exists for this call.";

    STATE_SYS_DEPEND_MALLOC = STATE_SYS_DEPEND_BASE - 0x01, "The system has no memory left.";
    STATE_SYS_DEPEND_KV_GET = STATE_SYS_DEPEND_BASE - 0x02, "Reading from the key-value store failed.";
    STATE_SYS_DEPEND_KV_SET = STATE_SYS_DEPEND_BASE - 0x03, "Writing to the key-value store failed.";
    STATE_SYS_DEPEND_KV_DELETE = STATE_SYS_DEPEND_BASE - 0x04, "Deleting from the key-value store failed.";
    STATE_SYS_DEPEND_MUTEX_CREATE = STATE_SYS_DEPEND_BASE - 0x05, "The system could not create a mutex.";
    STATE_SYS_DEPEND_MUTEX_LOCK = STATE_SYS_DEPEND_BASE - 0x06, "The system could not lock a mutex.";
    STATE_SYS_DEPEND_MUTEX_UNLOCK = STATE_SYS_DEPEND_BASE - 0x07, "The system could not unlock a mutex.";
    STATE_SYS_DEPEND_NWK_CLOSE = STATE_SYS_DEPEND_BASE - 0x08, "The network connection could not be opened or was closed.";
    STATE_SYS_DEPEND_NWK_TIMEOUT = STATE_SYS_DEPEND_BASE - 0x09, "The network did not answer in time.";
    STATE_SYS_DEPEND_NWK_INVALID_HANDLE = STATE_SYS_DEPEND_BASE - 0x0A, "The network handle is not valid.";
    STATE_SYS_DEPEND_NWK_READ_ERROR = STATE_SYS_DEPEND_BASE - 0x0B, "Reading from the network failed.";
    STATE_SYS_DEPEND_SEMAPHORE_CREATE = STATE_SYS_DEPEND_BASE - 0x0C, "The system could not create a semaphore.";
    STATE_SYS_DEPEND_SEMAPHORE_WAIT = STATE_SYS_DEPEND_BASE - 0x0D, "Waiting for a semaphore failed.";
    STATE_SYS_DEPEND_SNPRINTF = STATE_SYS_DEPEND_BASE - 0x0E, "Formatting a text failed.";
    STATE_SYS_DEPEND_FIRMWAIRE_WIRTE = STATE_SYS_DEPEND_BASE - 0x0F, "Writing the firmware image to flash failed.";

    STATE_MQTT_CONNACK_VERSION_UNACCEPT = STATE_MQTT_BASE - 0x01, "The server refused the connection: MQTT protocol version not accepted.";
    STATE_MQTT_CONNACK_IDENT_REJECT = STATE_MQTT_BASE - 0x02, "The server refused the connection: client identifier rejected.";
    STATE_MQTT_CONNACK_SERVICE_NA = STATE_MQTT_BASE - 0x03, "The server refused the connection: service unavailable.";
    STATE_MQTT_CONNACK_NOT_AUTHORIZED = STATE_MQTT_BASE - 0x04, "The server refused the connection: not authorized.";
    STATE_MQTT_CONNACK_BAD_USERDATA = STATE_MQTT_BASE - 0x05, "The server refused the connection: bad user name or password.";
    STATE_MQTT_WAIT_RECONN_TIMER = STATE_MQTT_BASE - 0x06, "The client is off-line and waits for the next reconnect attempt.";
    STATE_MQTT_SIGN_HOSTNAME_BUF_SHORT = STATE_MQTT_BASE - 0x07, "The MQTT host name does not fit into its buffer.";
    STATE_MQTT_SIGN_USERNAME_BUF_SHORT = STATE_MQTT_BASE - 0x08, "The MQTT user name does not fit into its buffer.";
    STATE_MQTT_SIGN_CLIENTID_BUF_SHORT = STATE_MQTT_BASE - 0x09, "The MQTT client identifier does not fit into its buffer.";
    STATE_MQTT_SIGN_SOURCE_BUF_SHORT = STATE_MQTT_BASE - 0x0A, "The text to be signed does not fit into its buffer.";
    STATE_MQTT_WRAPPER_INIT_FAIL = STATE_MQTT_BASE - 0x0B, "The MQTT client could not be created.";
    STATE_MQTT_SERIALIZE_CONN_ERROR = STATE_MQTT_BASE - 0x0C, "The CONNECT packet could not be encoded.";
    STATE_MQTT_SERIALIZE_PUBACK_ERROR = STATE_MQTT_BASE - 0x0D, "The PUBACK packet could not be encoded.";
    STATE_MQTT_SERIALIZE_PINGREQ_ERROR = STATE_MQTT_BASE - 0x0E, "The PINGREQ packet could not be encoded.";
    STATE_MQTT_SERIALIZE_SUB_ERROR = STATE_MQTT_BASE - 0x0F, "The SUBSCRIBE packet could not be encoded or is too large.";
    STATE_MQTT_SERIALIZE_UNSUB_ERROR = STATE_MQTT_BASE - 0x10, "The UNSUBSCRIBE packet could not be encoded or is too large.";
    STATE_MQTT_SERIALIZE_PUB_ERROR = STATE_MQTT_BASE - 0x11, "The PUBLISH packet could not be encoded or is too large.";
    STATE_MQTT_DESERIALIZE_CONNACK_ERROR = STATE_MQTT_BASE - 0x12, "The received CONNACK packet is malformed.";
    STATE_MQTT_DESERIALIZE_SUBACK_ERROR = STATE_MQTT_BASE - 0x13, "The received SUBACK packet is malformed.";
    STATE_MQTT_DESERIALIZE_PUB_ERROR = STATE_MQTT_BASE - 0x14, "The received PUBLISH packet is malformed.";
    STATE_MQTT_DESERIALIZE_UNSUBACK_ERROR = STATE_MQTT_BASE - 0x15, "The received UNSUBACK packet is malformed.";
    STATE_MQTT_PACKET_READ_ERROR = STATE_MQTT_BASE - 0x16, "An MQTT packet could not be read completely.";
    STATE_MQTT_CONNACK_UNKNOWN_ERROR = STATE_MQTT_BASE - 0x17, "The server refused the connection with an unknown return code.";
    STATE_MQTT_RX_BUFFER_TOO_SHORT = STATE_MQTT_BASE - 0x18, "A received packet is larger than the read buffer and was dropped.";
    STATE_MQTT_TX_BUFFER_TOO_SHORT = STATE_MQTT_BASE - 0x19, "The packet to send is larger than the write buffer.";
    STATE_MQTT_TOPIC_BUF_TOO_SHORT = STATE_MQTT_BASE - 0x1A, "The topic is longer than 128 characters.";
    STATE_MQTT_CONN_RETRY_EXCEED_MAX = STATE_MQTT_BASE - 0x1B, "Every permitted attempt to connect has failed.";
    STATE_MQTT_QOS1_REPUB_EXCEED_MAX = STATE_MQTT_BASE - 0x1C, "Too many QoS 1 messages wait for their acknowledgement.";
    STATE_MQTT_PUB_QOS_INVALID = STATE_MQTT_BASE - 0x1D, "Only QoS 0 and QoS 1 can be published.";
    STATE_MQTT_IN_OFFLINE_STATUS = STATE_MQTT_BASE - 0x1E, "The client is off-line.";
    STATE_MQTT_RECV_UNKNOWN_PACKET = STATE_MQTT_BASE - 0x1F, "A packet of an unknown type was received.";
    STATE_MQTT_CLI_EXCEED_MAX = STATE_MQTT_BASE - 0x20, "No further MQTT client can be created.";
    STATE_MQTT_SUB_EXCEED_MAX = STATE_MQTT_BASE - 0x21, "No further subscription can be stored.";
    STATE_MQTT_UNEXP_TOPIC_FORMAT = STATE_MQTT_BASE - 0x22, "The topic or topic filter is malformed.";
    STATE_MQTT_SYNC_SUB_TIMEOUT = STATE_MQTT_BASE - 0x23, "The subscription was not acknowledged in time.";
    STATE_MQTT_ASYNC_STACK_CONN_IN_PROG = STATE_MQTT_BASE - 0x24, "The asynchronous network stack is still connecting.";
    STATE_MQTT_ASYNC_STACK_NOT_SUPPORT = STATE_MQTT_BASE - 0x25, "Asynchronous network stacks are not supported by this build.";
    STATE_MQTT_ASYNC_STACK_UNKNOWN_EVENT = STATE_MQTT_BASE - 0x26, "The event of the asynchronous network stack is unknown.";
    STATE_MQTT_CONN_USER_INFO = STATE_MQTT_BASE - 0x27, "Reports one of the values used to connect.";
    STATE_MQTT_SUB_INFO = STATE_MQTT_BASE - 0x28, "Reports a subscription or its removal.";
    STATE_MQTT_PUB_INFO = STATE_MQTT_BASE - 0x29, "Reports a publication.";

    STATE_WIFI_ENABLE_AWSS = STATE_WIFI_BASE - 0x01, "Wi-Fi provisioning was enabled.";
    STATE_WIFI_PROCESS_FRAME = STATE_WIFI_BASE - 0x02, "Wi-Fi provisioning is processing a captured frame.";
    STATE_WIFI_CHAN_SCAN = STATE_WIFI_BASE - 0x03, "Wi-Fi provisioning is scanning the channels.";
    STATE_WIFI_CONNECT_AP_SUCCESS = STATE_WIFI_BASE - 0x04, "The device joined the access point.";
    STATE_WIFI_CONNECT_AP_FAILED = STATE_WIFI_BASE - 0x05, "The device could not join the access point.";
    STATE_WIFI_IN_PROGRESS = STATE_WIFI_BASE - 0x06, "Wi-Fi provisioning is already in progress.";
    STATE_WIFI_FORCE_STOPPED = STATE_WIFI_BASE - 0x07, "Wi-Fi provisioning was stopped by the application.";
    STATE_WIFI_DESTROY = STATE_WIFI_BASE - 0x08, "Wi-Fi provisioning released its resources.";
    STATE_WIFI_GOT_HINT_FRAME = STATE_WIFI_BASE - 0x09, "A frame that starts Wi-Fi provisioning was captured.";
    STATE_WIFI_ENCRYPT_TYPE = STATE_WIFI_BASE - 0x0A, "Reports the encryption type of the access point.";
    STATE_WIFI_CRC_ERROR = STATE_WIFI_BASE - 0x0B, "Provisioning data failed its checksum.";
    STATE_WIFI_PASSWD_DECODE_FAILED = STATE_WIFI_BASE - 0x0C, "The Wi-Fi password could not be decoded.";
    STATE_WIFI_PASSWD_DECODE_SUCCESS = STATE_WIFI_BASE - 0x0D, "The Wi-Fi password was decoded.";
    STATE_WIFI_STATISTIC = STATE_WIFI_BASE - 0x0E, "Reports counters of Wi-Fi provisioning.";
    STATE_WIFI_UNEXP_PROT_VERSION = STATE_WIFI_BASE - 0x0F, "The provisioning protocol version is not supported.";
    STATE_WIFI_MCAST_DEBUG = STATE_WIFI_BASE - 0x10, "Reports a detail of multicast provisioning.";
    STATE_WIFI_BCAST_DEBUG = STATE_WIFI_BASE - 0x11, "Reports a detail of broadcast provisioning.";
    STATE_WIFI_ZCONFIG_ENROLLEE_DEBUG = STATE_WIFI_BASE - 0x12, "Reports a detail of zero-configuration provisioning on the new device.";
    STATE_WIFI_ZCONFIG_REGISTAR_PARAMS_ERROR = STATE_WIFI_BASE - 0x13, "A parameter of the zero-configuration registrar is invalid.";
    STATE_WIFI_ZCONFIG_REGISTAR_DEBUG = STATE_WIFI_BASE - 0x14, "Reports a detail of the zero-configuration registrar.";
    STATE_WIFI_P2P_DEBUG = STATE_WIFI_BASE - 0x15, "Reports a detail of peer-to-peer provisioning.";
    STATE_WIFI_DEV_AP_DEBUG = STATE_WIFI_BASE - 0x16, "Reports a detail of access-point provisioning.";
    STATE_WIFI_OTHERS = STATE_WIFI_BASE - 0x17, "Reports another detail of Wi-Fi provisioning.";
    STATE_WIFI_MQTT_INIT_FAILED = STATE_WIFI_BASE - 0x18, "The MQTT part of Wi-Fi provisioning could not start.";
    STATE_WIFI_COAP_INIT_FAILED = STATE_WIFI_BASE - 0x19, "The CoAP part of Wi-Fi provisioning could not start.";
    STATE_WIFI_COAP_UNINIT = STATE_WIFI_BASE - 0x1A, "The CoAP part of Wi-Fi provisioning is not running.";
    STATE_WIFI_COAP_RSP_INVALID = STATE_WIFI_BASE - 0x1B, "A CoAP answer received during provisioning is invalid.";
    STATE_WIFI_COAP_PKTBLD_FAILED = STATE_WIFI_BASE - 0x1C, "A CoAP packet for provisioning could not be built.";
    STATE_WIFI_INVALID_MQTT_EVENT = STATE_WIFI_BASE - 0x1D, "An unexpected MQTT event arrived during provisioning.";
    STATE_WIFI_SENT_DEVINFO_NOTIFY = STATE_WIFI_BASE - 0x1E, "The device information was announced on the local network.";
    STATE_WIFI_SENT_CONNECTAP_NOTIFY = STATE_WIFI_BASE - 0x1F, "The successful Wi-Fi connection was announced on the local network.";
    STATE_WIFI_GOT_CONNECTAP_QUERY = STATE_WIFI_BASE - 0x20, "A query about the Wi-Fi connection was received.";
    STATE_WIFI_GOT_DEVINFO_QUERY = STATE_WIFI_BASE - 0x21, "A query about the device information was received.";
    STATE_WIFI_SENT_CONNECTAP_RESP = STATE_WIFI_BASE - 0x22, "The query about the Wi-Fi connection was answered.";
    STATE_WIFI_SENT_DEVINFO_RESP = STATE_WIFI_BASE - 0x23, "The query about the device information was answered.";

    STATE_HTTP_DYNREG_FAIL_RESP = STATE_HTTP_BASE - 0x01, "The cloud refused the dynamic registration.";
    STATE_HTTP_DYNREG_INVALID_DS = STATE_HTTP_BASE - 0x02, "The answer to the dynamic registration holds no valid device secret.";
    STATE_HTTP_PREAUTH_REQ_BUF_SHORT = STATE_HTTP_BASE - 0x03, "The request for the connection address does not fit into its buffer.";
    STATE_HTTP_PREAUTH_INVALID_RESP = STATE_HTTP_BASE - 0x04, "The answer with the connection address is invalid.";
    STATE_HTTP_RESP_MISSING_CONTENT_LEN = STATE_HTTP_BASE - 0x05, "The HTTP answer states no usable content length.";
    STATE_HTTP_PREAUTH_REQ = STATE_HTTP_BASE - 0x06, "Reports the request for the connection address.";
    STATE_HTTP_PREAUTH_RSP = STATE_HTTP_BASE - 0x07, "Reports the answer with the connection address.";

    STATE_BIND_SET_APP_TOKEN = STATE_BIND_BASE - 0x01, "Reports the binding token set by the application.";
    STATE_BIND_COAP_INIT_FAIL = STATE_BIND_BASE - 0x02, "The CoAP part of device binding could not start.";
    STATE_BIND_REPORT_TOKEN = STATE_BIND_BASE - 0x03, "Reports that the binding token is sent to the cloud.";
    STATE_BIND_REPORT_TOKEN_SUCCESS = STATE_BIND_BASE - 0x04, "The cloud accepted the binding token.";
    STATE_BIND_NOTIFY_TOKEN_SENT = STATE_BIND_BASE - 0x05, "The binding token was announced on the local network.";
    STATE_BIND_RECV_TOKEN_QUERY = STATE_BIND_BASE - 0x06, "A query for the binding token was received.";
    STATE_BIND_SENT_TOKEN_RESP = STATE_BIND_BASE - 0x07, "The query for the binding token was answered.";
    STATE_BIND_MQTT_RSP_INVALID = STATE_BIND_BASE - 0x08, "An MQTT answer about device binding is invalid.";
    STATE_BIND_MQTT_MSGID_INVALID = STATE_BIND_BASE - 0x09, "An MQTT answer about device binding carries an unknown message id.";
    STATE_BIND_COAP_RSP_INVALID = STATE_BIND_BASE - 0x0A, "A CoAP answer about device binding is invalid.";
    STATE_BIND_COAP_REQ_INVALID = STATE_BIND_BASE - 0x0B, "A CoAP request about device binding is invalid.";
    STATE_BIND_ASSEMBLE_APP_TOKEN_FAILED = STATE_BIND_BASE - 0x0C, "The message with the binding token could not be built.";
    STATE_BIND_COAP_REGISTER_FAILED = STATE_BIND_BASE - 0x0D, "The CoAP resource for device binding could not be registered.";
    STATE_BIND_TOKEN_EXPIRED = STATE_BIND_BASE - 0x0E, "The binding token is no longer valid.";
    STATE_BIND_REPORT_RESET_SUCCESS = STATE_BIND_BASE - 0x0F, "The cloud acknowledged the factory reset.";
    STATE_BIND_RECV_CLOUD_NOTIFY = STATE_BIND_BASE - 0x10, "A notification about device binding arrived from the cloud.";

    STATE_DEV_MODEL_MASTER_ALREADY_OPEN = STATE_DEV_MODEL_BASE - 0x01, "The master device is already open.";
    STATE_DEV_MODEL_MASTER_ALREADY_CONNECT = STATE_DEV_MODEL_BASE - 0x02, "The master device is already connected.";
    STATE_DEV_MODEL_MASTER_NOT_OPEN_YET = STATE_DEV_MODEL_BASE - 0x03, "The master device has not been opened.";
    STATE_DEV_MODEL_MASTER_NOT_CONNECT_YET = STATE_DEV_MODEL_BASE - 0x04, "The master device has not been connected.";
    STATE_DEV_MODEL_DEVICE_ALREADY_EXIST = STATE_DEV_MODEL_BASE - 0x05, "The device already exists in the device model.";
    STATE_DEV_MODEL_DEVICE_NOT_FOUND = STATE_DEV_MODEL_BASE - 0x06, "The device does not exist in the device model.";
    STATE_DEV_MODEL_SUBD_NOT_DELETEABLE = STATE_DEV_MODEL_BASE - 0x07, "The sub-device cannot be deleted now.";
    STATE_DEV_MODEL_SUBD_NOT_LOGIN = STATE_DEV_MODEL_BASE - 0x08, "The sub-device is not logged in.";
    STATE_DEV_MODEL_INTERNAL_ERROR = STATE_DEV_MODEL_BASE - 0x09, "The device model found an internal error.";
    STATE_DEV_MODEL_INTERNAL_MQTT_DUP_INIT = STATE_DEV_MODEL_BASE - 0x0A, "The MQTT connection of the device model already exists.";
    STATE_DEV_MODEL_INTERNAL_MQTT_NOT_INIT_YET = STATE_DEV_MODEL_BASE - 0x0B, "The MQTT connection of the device model does not exist.";
    STATE_DEV_MODEL_CM_OPEN_FAILED = STATE_DEV_MODEL_BASE - 0x0C, "The connection of the device model could not be opened.";
    STATE_DEV_MODEL_CM_FD_NOT_FOUND = STATE_DEV_MODEL_BASE - 0x0D, "The connection of the device model was not found.";
    STATE_DEV_MODEL_CM_FD_ERROR = STATE_DEV_MODEL_BASE - 0x0E, "The connection number of the device model is invalid.";
    STATE_DEV_MODEL_MQTT_CONNECT_FAILED = STATE_DEV_MODEL_BASE - 0x0F, "The device model could not connect by MQTT.";
    STATE_DEV_MODEL_RECV_UNEXP_MQTT_PUB = STATE_DEV_MODEL_BASE - 0x10, "The device model received a message on an unexpected topic.";
    STATE_DEV_MODEL_WRONG_JSON_FORMAT = STATE_DEV_MODEL_BASE - 0x11, "The JSON text is malformed.";
    STATE_DEV_MODEL_GET_JSON_ITEM_FAILED = STATE_DEV_MODEL_BASE - 0x12, "A required member is missing in the JSON text.";
    STATE_DEV_MODEL_SERVICE_CTX_NOT_EXIST = STATE_DEV_MODEL_BASE - 0x13, "The service request to be answered is unknown.";
    STATE_DEV_MODEL_OTA_NOT_ENABLED = STATE_DEV_MODEL_BASE - 0x14, "Firmware update is not part of this build.";
    STATE_DEV_MODEL_OTA_NOT_INITED = STATE_DEV_MODEL_BASE - 0x15, "Firmware update has not been started.";
    STATE_DEV_MODEL_OTA_INIT_FAILED = STATE_DEV_MODEL_BASE - 0x16, "Firmware update could not be started.";
    STATE_DEV_MODEL_OTA_STILL_IN_PROGRESS = STATE_DEV_MODEL_BASE - 0x17, "Another firmware update is still in progress.";
    STATE_DEV_MODEL_OTA_IMAGE_CHECK_FAILED = STATE_DEV_MODEL_BASE - 0x18, "The firmware image failed its check.";
    STATE_DEV_MODEL_OTA_TYPE_ERROR = STATE_DEV_MODEL_BASE - 0x19, "The kind of update is unknown.";
    STATE_DEV_MODEL_OTA_FETCH_FAILED = STATE_DEV_MODEL_BASE - 0x1A, "The firmware image could not be downloaded.";
    STATE_DEV_MODEL_ALCS_CONSTRUCT_FAILED = STATE_DEV_MODEL_BASE - 0x1B, "Local control could not be started.";
    STATE_DEV_MODEL_GATEWAY_NOT_ENABLED = STATE_DEV_MODEL_BASE - 0x1C, "Gateway functions are not part of this build.";
    STATE_DEV_MODEL_RRPCID_TOO_LONG = STATE_DEV_MODEL_BASE - 0x1D, "The identifier of the synchronous request is too long.";
    STATE_DEV_MODEL_IN_RAWDATA_SOLO = STATE_DEV_MODEL_BASE - 0x1E, "The operation is not available for a raw-data device.";
    STATE_DEV_MODEL_DUP_UPSTREAM_MSG = STATE_DEV_MODEL_BASE - 0x1F, "The same message is already on its way to the cloud.";
    STATE_DEV_MODEL_UPSTREAM_REC_NOT_FOUND = STATE_DEV_MODEL_BASE - 0x20, "No message sent to the cloud belongs to this answer.";
    STATE_DEV_MODEL_REFUSED_BY_CLOUD = STATE_DEV_MODEL_BASE - 0x21, "The cloud refused the request.";
    STATE_DEV_MODEL_INVALID_DM_OPTION = STATE_DEV_MODEL_BASE - 0x22, "The option of the device model is unknown.";
    STATE_DEV_MODEL_URL_SPLIT_FAILED = STATE_DEV_MODEL_BASE - 0x23, "The topic could not be split into its parts.";
    STATE_DEV_MODEL_ALINK_MSG_PARSE_FAILED = STATE_DEV_MODEL_BASE - 0x24, "The message of the device-model protocol could not be parsed.";
    STATE_DEV_MODEL_LOG_REPORT_ERROR = STATE_DEV_MODEL_BASE - 0x25, "The log could not be reported to the cloud.";
    STATE_DEV_MODEL_IN_AUTOSUB_MODE = STATE_DEV_MODEL_BASE - 0x26, "The topic is subscribed by the cloud itself.";
    STATE_DEV_MODEL_RX_CLOUD_MESSAGE = STATE_DEV_MODEL_BASE - 0x27, "Reports a message received from the cloud.";
    STATE_DEV_MODEL_TX_CLOUD_MESSAGE = STATE_DEV_MODEL_BASE - 0x28, "Reports a message sent to the cloud.";
    STATE_DEV_MODLE_RX_LOCAL_MESSAGE = STATE_DEV_MODEL_BASE - 0x29, "Reports a message received over local control.";
    STATE_DEV_MODLE_TX_LOCAL_MESSAGE = STATE_DEV_MODEL_BASE - 0x2A, "Reports a message sent over local control.";
    STATE_DEV_MODLE_ALCS_CONTROL = STATE_DEV_MODEL_BASE - 0x2B, "Reports an operation of local control.";
    STATE_DEV_MODEL_MSGQ_OPERATION = STATE_DEV_MODEL_BASE - 0x2C, "Reports an operation on the message queue.";
    STATE_DEV_MODEL_MSGQ_FULL = STATE_DEV_MODEL_BASE - 0x2D, "The message queue of the device model is full.";
    STATE_DEV_MODEL_MSGQ_EMPTY = STATE_DEV_MODEL_BASE - 0x2E, "The message queue of the device model is empty.";
    STATE_DEV_MODEL_CTX_LIST_INSERT = STATE_DEV_MODEL_BASE - 0x2F, "Reports that a pending request was stored.";
    STATE_DEV_MODEL_CTX_LIST_REMOVE = STATE_DEV_MODEL_BASE - 0x30, "Reports that a pending request was removed.";
    STATE_DEV_MODEL_CTX_LIST_FADEOUT = STATE_DEV_MODEL_BASE - 0x31, "A pending request was dropped because it was never answered.";
    STATE_DEV_MODEL_CTX_LIST_FULL = STATE_DEV_MODEL_BASE - 0x32, "The list of pending requests is full.";
    STATE_DEV_MODEL_CTX_LIST_EMPTY = STATE_DEV_MODEL_BASE - 0x33, "The list of pending requests is empty.";
    STATE_DEV_MODLE_LOG_REPORT_STOP = STATE_DEV_MODEL_BASE - 0x34, "Reporting the log to the cloud stopped.";
    STATE_DEV_MODLE_LOG_REPORT_SWITCH = STATE_DEV_MODEL_BASE - 0x35, "The cloud switched the reporting of the log on or off.";
    STATE_DEV_MODLE_LOG_REPORT_SEND = STATE_DEV_MODEL_BASE - 0x36, "Reports that a part of the log was sent to the cloud.";
    STATE_DEV_MODEL_SYNC_REQ_LIST = STATE_DEV_MODEL_BASE - 0x37, "Reports an operation on the list of blocking requests.";
    STATE_DEV_MODEL_ALINK_PROT_EVENT = STATE_DEV_MODEL_BASE - 0x38, "Reports an event of the device-model protocol.";
    STATE_DEV_MODEL_ALCS_SEND_FAILED = STATE_DEV_MODEL_BASE - 0x39, "Sending over local control failed.";
    STATE_DEV_MODEL_INVALID_ALINK_PAYLOAD = STATE_DEV_MODEL_BASE - 0x3A, "The payload does not follow the device-model protocol.";
    STATE_DEV_MODEL_INVALID_ALINK_TOPIC = STATE_DEV_MODEL_BASE - 0x3B, "The topic does not belong to the device-model protocol.";
    STATE_DEV_MODEL_YIELD_STOPPED = STATE_DEV_MODEL_BASE - 0x3C, "The receiving loop of the device model has stopped.";
    STATE_DEV_MODEL_YIELD_RUNNING = STATE_DEV_MODEL_BASE - 0x3D, "The receiving loop of the device model is running.";
}

/// The C name of `code`: a state code first, then an older return code.
pub fn name(code: i32) -> Option<&'static str> {
    find(code).map(|entry| entry.name)
}

/// The English description of `code`.
///
/// Total: an unknown code gets a text that names its group, a code of no group a general text.
pub fn describe(code: i32) -> &'static CStr {
    match find(code) {
        Some(entry) => entry.text,
        None if code > 0 => c"Not a state code; positive results are counts or identifiers.",
        None => group(code).map_or(c"Unknown state code.", |base| base.text),
    }
}

/// The entry of `code` among state codes, bases and older return codes.
fn find(code: i32) -> Option<&'static Code> {
    [STATE_CODES, STATE_BASES, return_codes::RETURN_CODES]
        .into_iter()
        .flatten()
        .find(|entry| entry.value == code)
}

/// The group an unknown negative code belongs to.
fn group(code: i32) -> Option<&'static Code> {
    let base = code.checked_neg()? & !0xFF;
    STATE_BASES
        .iter()
        .filter(|entry| entry.value != STATE_BASE)
        .find(|entry| -entry.value == base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn every_code_has_one_name_and_its_own_sentence() {
        let mut seen = HashMap::new();
        for entry in STATE_CODES {
            assert_eq!(name(entry.value), Some(entry.name));
            let text = describe(entry.value).to_str().expect("ASCII");
            assert_eq!(text, entry.text.to_str().expect("ASCII"));
            assert!(text.is_ascii() && text.ends_with('.'), "{text}");
            assert_eq!(seen.insert(text, entry.name), None, "{text}");
        }
        assert_eq!(STATE_CODES.len() + STATE_BASES.len(), 205);
    }

    #[test]
    fn describe_is_total() {
        assert_eq!(describe(0), c"Success.");
        assert_eq!(describe(-0x01FF), describe(STATE_USER_INPUT_BASE));
        assert_eq!(describe(-0x0700), describe(STATE_OTA_BASE));
        assert_eq!(describe(-0x09FF), describe(STATE_DEV_MODEL_BASE));
        assert_eq!(
            describe(return_codes::FAIL_RETURN),
            c"The operation failed."
        );
        assert_eq!(describe(-0x7F), c"Unknown state code.");
        assert_eq!(describe(i32::MIN), c"Unknown state code.");
        assert_eq!(describe(i32::MAX), describe(1));
        for code in (-70_000..70_000).chain(i32::MIN..i32::MIN + 300) {
            assert!(!describe(code).is_empty());
        }
    }

    #[test]
    fn numbers_are_those_of_the_sdk() {
        assert_eq!(STATE_USER_INPUT_INVALID, -275);
        assert_eq!(STATE_MQTT_IN_OFFLINE_STATUS, -0x031E);
        assert_eq!(STATE_DEV_MODEL_YIELD_RUNNING, -2365);
        assert_eq!(return_codes::ERROR_CERT_VERIFY_FAIL, -309);
        assert_eq!(name(-309), Some("ERROR_CERT_VERIFY_FAIL"));
    }
}

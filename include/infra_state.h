/* SPDX-License-Identifier: Apache-2.0 */
/* State codes, generated from src/state.rs; do not edit. A code is its base minus a number;
 * IOT_Extension_StateDesc gives the sentences below at run time. */
#ifndef __INFRA_STATE_H__
#define __INFRA_STATE_H__

/* Success. */
#define STATE_BASE                                     0
/* Success. */
#define STATE_SUCCESS                                  (STATE_BASE - 0x00)

/* An argument given by the application was not accepted. */
#define STATE_USER_INPUT_BASE                          (-0x0100)
/* An argument that must point to something is NULL. */
#define STATE_USER_INPUT_NULL_POINTER                  (STATE_USER_INPUT_BASE - 0x01)
/* An argument lies outside its allowed range. */
#define STATE_USER_INPUT_OUT_RANGE                     (STATE_USER_INPUT_BASE - 0x02)
/* The product key is missing or longer than 20 characters. */
#define STATE_USER_INPUT_PK                            (STATE_USER_INPUT_BASE - 0x03)
/* The product secret is missing or longer than 64 characters. */
#define STATE_USER_INPUT_PS                            (STATE_USER_INPUT_BASE - 0x04)
/* The device name is missing or longer than 32 characters. */
#define STATE_USER_INPUT_DN                            (STATE_USER_INPUT_BASE - 0x05)
/* The device secret is missing or longer than 64 characters. */
#define STATE_USER_INPUT_DS                            (STATE_USER_INPUT_BASE - 0x06)
/* The HTTP host name of the custom region is missing or invalid. */
#define STATE_USER_INPUT_HTTP_DOMAIN                   (STATE_USER_INPUT_BASE - 0x07)
/* The MQTT host name of the custom region is missing or invalid. */
#define STATE_USER_INPUT_MQTT_DOMAIN                   (STATE_USER_INPUT_BASE - 0x08)
/* The HTTP port is invalid. */
#define STATE_USER_INPUT_HTTP_PORT                     (STATE_USER_INPUT_BASE - 0x09)
/* The HTTP time-out is invalid. */
#define STATE_USER_INPUT_HTTP_TIMEOUT                  (STATE_USER_INPUT_BASE - 0x0A)
/* The HTTP option is unknown. */
#define STATE_USER_INPUT_HTTP_OPTION                   (STATE_USER_INPUT_BASE - 0x0B)
/* The body of the HTTP request is missing. */
#define STATE_USER_INPUT_HTTP_POST_DATA                (STATE_USER_INPUT_BASE - 0x0C)
/* The HTTP URL is missing or malformed. */
#define STATE_USER_INPUT_HTTP_URL                      (STATE_USER_INPUT_BASE - 0x0D)
/* The path of the HTTP request is missing or malformed. */
#define STATE_USER_INPUT_HTTP_PATH                     (STATE_USER_INPUT_BASE - 0x0E)
/* The device description (product key, device name, secrets) is invalid. */
#define STATE_USER_INPUT_META_INFO                     (STATE_USER_INPUT_BASE - 0x0F)
/* The device id is not known to the device model. */
#define STATE_USER_INPUT_DEVID                         (STATE_USER_INPUT_BASE - 0x10)
/* The device type is neither a gateway nor a sub-device. */
#define STATE_USER_INPUT_DEVICE_TYPE                   (STATE_USER_INPUT_BASE - 0x11)
/* The message type is not supported here. */
#define STATE_USER_INPUT_MSG_TYPE                      (STATE_USER_INPUT_BASE - 0x12)
/* An argument is invalid, or no client exists for this call. */
#define STATE_USER_INPUT_INVALID                       (STATE_USER_INPUT_BASE - 0x13)

/* A service of the system below failed. */
#define STATE_SYS_DEPEND_BASE                          (-0x0200)
/* The system has no memory left. */
#define STATE_SYS_DEPEND_MALLOC                        (STATE_SYS_DEPEND_BASE - 0x01)
/* Reading from the key-value store failed. */
#define STATE_SYS_DEPEND_KV_GET                        (STATE_SYS_DEPEND_BASE - 0x02)
/* Writing to the key-value store failed. */
#define STATE_SYS_DEPEND_KV_SET                        (STATE_SYS_DEPEND_BASE - 0x03)
/* Deleting from the key-value store failed. */
#define STATE_SYS_DEPEND_KV_DELETE                     (STATE_SYS_DEPEND_BASE - 0x04)
/* The system could not create a mutex. */
#define STATE_SYS_DEPEND_MUTEX_CREATE                  (STATE_SYS_DEPEND_BASE - 0x05)
/* The system could not lock a mutex. */
#define STATE_SYS_DEPEND_MUTEX_LOCK                    (STATE_SYS_DEPEND_BASE - 0x06)
/* The system could not unlock a mutex. */
#define STATE_SYS_DEPEND_MUTEX_UNLOCK                  (STATE_SYS_DEPEND_BASE - 0x07)
/* The network connection could not be opened or was closed. */
#define STATE_SYS_DEPEND_NWK_CLOSE                     (STATE_SYS_DEPEND_BASE - 0x08)
/* The network did not answer in time. */
#define STATE_SYS_DEPEND_NWK_TIMEOUT                   (STATE_SYS_DEPEND_BASE - 0x09)
/* The network handle is not valid. */
#define STATE_SYS_DEPEND_NWK_INVALID_HANDLE            (STATE_SYS_DEPEND_BASE - 0x0A)
/* Reading from the network failed. */
#define STATE_SYS_DEPEND_NWK_READ_ERROR                (STATE_SYS_DEPEND_BASE - 0x0B)
/* The system could not create a semaphore. */
#define STATE_SYS_DEPEND_SEMAPHORE_CREATE              (STATE_SYS_DEPEND_BASE - 0x0C)
/* Waiting for a semaphore failed. */
#define STATE_SYS_DEPEND_SEMAPHORE_WAIT                (STATE_SYS_DEPEND_BASE - 0x0D)
/* Formatting a text failed. */
#define STATE_SYS_DEPEND_SNPRINTF                      (STATE_SYS_DEPEND_BASE - 0x0E)
/* Writing the firmware image to flash failed. */
#define STATE_SYS_DEPEND_FIRMWAIRE_WIRTE               (STATE_SYS_DEPEND_BASE - 0x0F)

/* An MQTT operation reported this code. */
#define STATE_MQTT_BASE                                (-0x0300)
/* The server refused the connection: MQTT protocol version not accepted. */
#define STATE_MQTT_CONNACK_VERSION_UNACCEPT            (STATE_MQTT_BASE - 0x01)
/* The server refused the connection: client identifier rejected. */
#define STATE_MQTT_CONNACK_IDENT_REJECT                (STATE_MQTT_BASE - 0x02)
/* The server refused the connection: service unavailable. */
#define STATE_MQTT_CONNACK_SERVICE_NA                  (STATE_MQTT_BASE - 0x03)
/* The server refused the connection: not authorized. */
#define STATE_MQTT_CONNACK_NOT_AUTHORIZED              (STATE_MQTT_BASE - 0x04)
/* The server refused the connection: bad user name or password. */
#define STATE_MQTT_CONNACK_BAD_USERDATA                (STATE_MQTT_BASE - 0x05)
/* The client is off-line and waits for the next reconnect attempt. */
#define STATE_MQTT_WAIT_RECONN_TIMER                   (STATE_MQTT_BASE - 0x06)
/* The MQTT host name does not fit into its buffer. */
#define STATE_MQTT_SIGN_HOSTNAME_BUF_SHORT             (STATE_MQTT_BASE - 0x07)
/* The MQTT user name does not fit into its buffer. */
#define STATE_MQTT_SIGN_USERNAME_BUF_SHORT             (STATE_MQTT_BASE - 0x08)
/* The MQTT client identifier does not fit into its buffer. */
#define STATE_MQTT_SIGN_CLIENTID_BUF_SHORT             (STATE_MQTT_BASE - 0x09)
/* The text to be signed does not fit into its buffer. */
#define STATE_MQTT_SIGN_SOURCE_BUF_SHORT               (STATE_MQTT_BASE - 0x0A)
/* The MQTT client could not be created. */
#define STATE_MQTT_WRAPPER_INIT_FAIL                   (STATE_MQTT_BASE - 0x0B)
/* The CONNECT packet could not be encoded. */
#define STATE_MQTT_SERIALIZE_CONN_ERROR                (STATE_MQTT_BASE - 0x0C)
/* The PUBACK packet could not be encoded. */
#define STATE_MQTT_SERIALIZE_PUBACK_ERROR              (STATE_MQTT_BASE - 0x0D)
/* The PINGREQ packet could not be encoded. */
#define STATE_MQTT_SERIALIZE_PINGREQ_ERROR             (STATE_MQTT_BASE - 0x0E)
/* The SUBSCRIBE packet could not be encoded or is too large. */
#define STATE_MQTT_SERIALIZE_SUB_ERROR                 (STATE_MQTT_BASE - 0x0F)
/* The UNSUBSCRIBE packet could not be encoded or is too large. */
#define STATE_MQTT_SERIALIZE_UNSUB_ERROR               (STATE_MQTT_BASE - 0x10)
/* The PUBLISH packet could not be encoded or is too large. */
#define STATE_MQTT_SERIALIZE_PUB_ERROR                 (STATE_MQTT_BASE - 0x11)
/* The received CONNACK packet is malformed. */
#define STATE_MQTT_DESERIALIZE_CONNACK_ERROR           (STATE_MQTT_BASE - 0x12)
/* The received SUBACK packet is malformed. */
#define STATE_MQTT_DESERIALIZE_SUBACK_ERROR            (STATE_MQTT_BASE - 0x13)
/* The received PUBLISH packet is malformed. */
#define STATE_MQTT_DESERIALIZE_PUB_ERROR               (STATE_MQTT_BASE - 0x14)
/* The received UNSUBACK packet is malformed. */
#define STATE_MQTT_DESERIALIZE_UNSUBACK_ERROR          (STATE_MQTT_BASE - 0x15)
/* An MQTT packet could not be read completely. */
#define STATE_MQTT_PACKET_READ_ERROR                   (STATE_MQTT_BASE - 0x16)
/* The server refused the connection with an unknown return code. */
#define STATE_MQTT_CONNACK_UNKNOWN_ERROR               (STATE_MQTT_BASE - 0x17)
/* A received packet is larger than the read buffer and was dropped. */
#define STATE_MQTT_RX_BUFFER_TOO_SHORT                 (STATE_MQTT_BASE - 0x18)
/* The packet to send is larger than the write buffer. */
#define STATE_MQTT_TX_BUFFER_TOO_SHORT                 (STATE_MQTT_BASE - 0x19)
/* The topic is longer than 128 characters. */
#define STATE_MQTT_TOPIC_BUF_TOO_SHORT                 (STATE_MQTT_BASE - 0x1A)
/* Every permitted attempt to connect has failed. */
#define STATE_MQTT_CONN_RETRY_EXCEED_MAX               (STATE_MQTT_BASE - 0x1B)
/* Too many QoS 1 messages wait for their acknowledgement. */
#define STATE_MQTT_QOS1_REPUB_EXCEED_MAX               (STATE_MQTT_BASE - 0x1C)
/* Only QoS 0 and QoS 1 can be published. */
#define STATE_MQTT_PUB_QOS_INVALID                     (STATE_MQTT_BASE - 0x1D)
/* The client is off-line. */
#define STATE_MQTT_IN_OFFLINE_STATUS                   (STATE_MQTT_BASE - 0x1E)
/* A packet of an unknown type was received. */
#define STATE_MQTT_RECV_UNKNOWN_PACKET                 (STATE_MQTT_BASE - 0x1F)
/* No further MQTT client can be created. */
#define STATE_MQTT_CLI_EXCEED_MAX                      (STATE_MQTT_BASE - 0x20)
/* No further subscription can be stored. */
#define STATE_MQTT_SUB_EXCEED_MAX                      (STATE_MQTT_BASE - 0x21)
/* The topic or topic filter is malformed. */
#define STATE_MQTT_UNEXP_TOPIC_FORMAT                  (STATE_MQTT_BASE - 0x22)
/* The subscription was not acknowledged in time. */
#define STATE_MQTT_SYNC_SUB_TIMEOUT                    (STATE_MQTT_BASE - 0x23)
/* The asynchronous network stack is still connecting. */
#define STATE_MQTT_ASYNC_STACK_CONN_IN_PROG            (STATE_MQTT_BASE - 0x24)
/* Asynchronous network stacks are not supported by this build. */
#define STATE_MQTT_ASYNC_STACK_NOT_SUPPORT             (STATE_MQTT_BASE - 0x25)
/* The event of the asynchronous network stack is unknown. */
#define STATE_MQTT_ASYNC_STACK_UNKNOWN_EVENT           (STATE_MQTT_BASE - 0x26)
/* Reports one of the values used to connect. */
#define STATE_MQTT_CONN_USER_INFO                      (STATE_MQTT_BASE - 0x27)
/* Reports a subscription or its removal. */
#define STATE_MQTT_SUB_INFO                            (STATE_MQTT_BASE - 0x28)
/* Reports a publication. */
#define STATE_MQTT_PUB_INFO                            (STATE_MQTT_BASE - 0x29)

/* Wi-Fi provisioning reported this code. */
#define STATE_WIFI_BASE                                (-0x0400)
/* Wi-Fi provisioning was enabled. */
#define STATE_WIFI_ENABLE_AWSS                         (STATE_WIFI_BASE - 0x01)
/* Wi-Fi provisioning is processing a captured frame. */
#define STATE_WIFI_PROCESS_FRAME                       (STATE_WIFI_BASE - 0x02)
/* Wi-Fi provisioning is scanning the channels. */
#define STATE_WIFI_CHAN_SCAN                           (STATE_WIFI_BASE - 0x03)
/* The device joined the access point. */
#define STATE_WIFI_CONNECT_AP_SUCCESS                  (STATE_WIFI_BASE - 0x04)
/* The device could not join the access point. */
#define STATE_WIFI_CONNECT_AP_FAILED                   (STATE_WIFI_BASE - 0x05)
/* Wi-Fi provisioning is already in progress. */
#define STATE_WIFI_IN_PROGRESS                         (STATE_WIFI_BASE - 0x06)
/* Wi-Fi provisioning was stopped by the application. */
#define STATE_WIFI_FORCE_STOPPED                       (STATE_WIFI_BASE - 0x07)
/* Wi-Fi provisioning released its resources. */
#define STATE_WIFI_DESTROY                             (STATE_WIFI_BASE - 0x08)
/* A frame that starts Wi-Fi provisioning was captured. */
#define STATE_WIFI_GOT_HINT_FRAME                      (STATE_WIFI_BASE - 0x09)
/* Reports the encryption type of the access point. */
#define STATE_WIFI_ENCRYPT_TYPE                        (STATE_WIFI_BASE - 0x0A)
/* Provisioning data failed its checksum. */
#define STATE_WIFI_CRC_ERROR                           (STATE_WIFI_BASE - 0x0B)
/* The Wi-Fi password could not be decoded. */
#define STATE_WIFI_PASSWD_DECODE_FAILED                (STATE_WIFI_BASE - 0x0C)
/* The Wi-Fi password was decoded. */
#define STATE_WIFI_PASSWD_DECODE_SUCCESS               (STATE_WIFI_BASE - 0x0D)
/* Reports counters of Wi-Fi provisioning. */
#define STATE_WIFI_STATISTIC                           (STATE_WIFI_BASE - 0x0E)
/* The provisioning protocol version is not supported. */
#define STATE_WIFI_UNEXP_PROT_VERSION                  (STATE_WIFI_BASE - 0x0F)
/* Reports a detail of multicast provisioning. */
#define STATE_WIFI_MCAST_DEBUG                         (STATE_WIFI_BASE - 0x10)
/* Reports a detail of broadcast provisioning. */
#define STATE_WIFI_BCAST_DEBUG                         (STATE_WIFI_BASE - 0x11)
/* Reports a detail of zero-configuration provisioning on the new device. */
#define STATE_WIFI_ZCONFIG_ENROLLEE_DEBUG              (STATE_WIFI_BASE - 0x12)
/* A parameter of the zero-configuration registrar is invalid. */
#define STATE_WIFI_ZCONFIG_REGISTAR_PARAMS_ERROR       (STATE_WIFI_BASE - 0x13)
/* Reports a detail of the zero-configuration registrar. */
#define STATE_WIFI_ZCONFIG_REGISTAR_DEBUG              (STATE_WIFI_BASE - 0x14)
/* Reports a detail of peer-to-peer provisioning. */
#define STATE_WIFI_P2P_DEBUG                           (STATE_WIFI_BASE - 0x15)
/* Reports a detail of access-point provisioning. */
#define STATE_WIFI_DEV_AP_DEBUG                        (STATE_WIFI_BASE - 0x16)
/* Reports another detail of Wi-Fi provisioning. */
#define STATE_WIFI_OTHERS                              (STATE_WIFI_BASE - 0x17)
/* The MQTT part of Wi-Fi provisioning could not start. */
#define STATE_WIFI_MQTT_INIT_FAILED                    (STATE_WIFI_BASE - 0x18)
/* The CoAP part of Wi-Fi provisioning could not start. */
#define STATE_WIFI_COAP_INIT_FAILED                    (STATE_WIFI_BASE - 0x19)
/* The CoAP part of Wi-Fi provisioning is not running. */
#define STATE_WIFI_COAP_UNINIT                         (STATE_WIFI_BASE - 0x1A)
/* A CoAP answer received during provisioning is invalid. */
#define STATE_WIFI_COAP_RSP_INVALID                    (STATE_WIFI_BASE - 0x1B)
/* A CoAP packet for provisioning could not be built. */
#define STATE_WIFI_COAP_PKTBLD_FAILED                  (STATE_WIFI_BASE - 0x1C)
/* An unexpected MQTT event arrived during provisioning. */
#define STATE_WIFI_INVALID_MQTT_EVENT                  (STATE_WIFI_BASE - 0x1D)
/* The device information was announced on the local network. */
#define STATE_WIFI_SENT_DEVINFO_NOTIFY                 (STATE_WIFI_BASE - 0x1E)
/* The successful Wi-Fi connection was announced on the local network. */
#define STATE_WIFI_SENT_CONNECTAP_NOTIFY               (STATE_WIFI_BASE - 0x1F)
/* A query about the Wi-Fi connection was received. */
#define STATE_WIFI_GOT_CONNECTAP_QUERY                 (STATE_WIFI_BASE - 0x20)
/* A query about the device information was received. */
#define STATE_WIFI_GOT_DEVINFO_QUERY                   (STATE_WIFI_BASE - 0x21)
/* The query about the Wi-Fi connection was answered. */
#define STATE_WIFI_SENT_CONNECTAP_RESP                 (STATE_WIFI_BASE - 0x22)
/* The query about the device information was answered. */
#define STATE_WIFI_SENT_DEVINFO_RESP                   (STATE_WIFI_BASE - 0x23)

/* CoAP communication reported this code. */
#define STATE_COAP_BASE                                (-0x0500)

/* HTTP communication reported this code. */
#define STATE_HTTP_BASE                                (-0x0600)
/* The cloud refused the dynamic registration. */
#define STATE_HTTP_DYNREG_FAIL_RESP                    (STATE_HTTP_BASE - 0x01)
/* The answer to the dynamic registration holds no valid device secret. */
#define STATE_HTTP_DYNREG_INVALID_DS                   (STATE_HTTP_BASE - 0x02)
/* The request for the connection address does not fit into its buffer. */
#define STATE_HTTP_PREAUTH_REQ_BUF_SHORT               (STATE_HTTP_BASE - 0x03)
/* The answer with the connection address is invalid. */
#define STATE_HTTP_PREAUTH_INVALID_RESP                (STATE_HTTP_BASE - 0x04)
/* The HTTP answer states no usable content length. */
#define STATE_HTTP_RESP_MISSING_CONTENT_LEN            (STATE_HTTP_BASE - 0x05)
/* Reports the request for the connection address. */
#define STATE_HTTP_PREAUTH_REQ                         (STATE_HTTP_BASE - 0x06)
/* Reports the answer with the connection address. */
#define STATE_HTTP_PREAUTH_RSP                         (STATE_HTTP_BASE - 0x07)

/* Firmware update reported this code. */
#define STATE_OTA_BASE                                 (-0x0700)

/* Device binding reported this code. */
#define STATE_BIND_BASE                                (-0x0800)
/* Reports the binding token set by the application. */
#define STATE_BIND_SET_APP_TOKEN                       (STATE_BIND_BASE - 0x01)
/* The CoAP part of device binding could not start. */
#define STATE_BIND_COAP_INIT_FAIL                      (STATE_BIND_BASE - 0x02)
/* Reports that the binding token is sent to the cloud. */
#define STATE_BIND_REPORT_TOKEN                        (STATE_BIND_BASE - 0x03)
/* The cloud accepted the binding token. */
#define STATE_BIND_REPORT_TOKEN_SUCCESS                (STATE_BIND_BASE - 0x04)
/* The binding token was announced on the local network. */
#define STATE_BIND_NOTIFY_TOKEN_SENT                   (STATE_BIND_BASE - 0x05)
/* A query for the binding token was received. */
#define STATE_BIND_RECV_TOKEN_QUERY                    (STATE_BIND_BASE - 0x06)
/* The query for the binding token was answered. */
#define STATE_BIND_SENT_TOKEN_RESP                     (STATE_BIND_BASE - 0x07)
/* An MQTT answer about device binding is invalid. */
#define STATE_BIND_MQTT_RSP_INVALID                    (STATE_BIND_BASE - 0x08)
/* An MQTT answer about device binding carries an unknown message id. */
#define STATE_BIND_MQTT_MSGID_INVALID                  (STATE_BIND_BASE - 0x09)
/* A CoAP answer about device binding is invalid. */
#define STATE_BIND_COAP_RSP_INVALID                    (STATE_BIND_BASE - 0x0A)
/* A CoAP request about device binding is invalid. */
#define STATE_BIND_COAP_REQ_INVALID                    (STATE_BIND_BASE - 0x0B)
/* The message with the binding token could not be built. */
#define STATE_BIND_ASSEMBLE_APP_TOKEN_FAILED           (STATE_BIND_BASE - 0x0C)
/* The CoAP resource for device binding could not be registered. */
#define STATE_BIND_COAP_REGISTER_FAILED                (STATE_BIND_BASE - 0x0D)
/* The binding token is no longer valid. */
#define STATE_BIND_TOKEN_EXPIRED                       (STATE_BIND_BASE - 0x0E)
/* The cloud acknowledged the factory reset. */
#define STATE_BIND_REPORT_RESET_SUCCESS                (STATE_BIND_BASE - 0x0F)
/* A notification about device binding arrived from the cloud. */
#define STATE_BIND_RECV_CLOUD_NOTIFY                   (STATE_BIND_BASE - 0x10)

/* The device model reported this code. */
#define STATE_DEV_MODEL_BASE                           (-0x0900)
/* The master device is already open. */
#define STATE_DEV_MODEL_MASTER_ALREADY_OPEN            (STATE_DEV_MODEL_BASE - 0x01)
/* The master device is already connected. */
#define STATE_DEV_MODEL_MASTER_ALREADY_CONNECT         (STATE_DEV_MODEL_BASE - 0x02)
/* The master device has not been opened. */
#define STATE_DEV_MODEL_MASTER_NOT_OPEN_YET            (STATE_DEV_MODEL_BASE - 0x03)
/* The master device has not been connected. */
#define STATE_DEV_MODEL_MASTER_NOT_CONNECT_YET         (STATE_DEV_MODEL_BASE - 0x04)
/* The device already exists in the device model. */
#define STATE_DEV_MODEL_DEVICE_ALREADY_EXIST           (STATE_DEV_MODEL_BASE - 0x05)
/* The device does not exist in the device model. */
#define STATE_DEV_MODEL_DEVICE_NOT_FOUND               (STATE_DEV_MODEL_BASE - 0x06)
/* The sub-device cannot be deleted now. */
#define STATE_DEV_MODEL_SUBD_NOT_DELETEABLE            (STATE_DEV_MODEL_BASE - 0x07)
/* The sub-device is not logged in. */
#define STATE_DEV_MODEL_SUBD_NOT_LOGIN                 (STATE_DEV_MODEL_BASE - 0x08)
/* The device model found an internal error. */
#define STATE_DEV_MODEL_INTERNAL_ERROR                 (STATE_DEV_MODEL_BASE - 0x09)
/* The MQTT connection of the device model already exists. */
#define STATE_DEV_MODEL_INTERNAL_MQTT_DUP_INIT         (STATE_DEV_MODEL_BASE - 0x0A)
/* The MQTT connection of the device model does not exist. */
#define STATE_DEV_MODEL_INTERNAL_MQTT_NOT_INIT_YET     (STATE_DEV_MODEL_BASE - 0x0B)
/* The connection of the device model could not be opened. */
#define STATE_DEV_MODEL_CM_OPEN_FAILED                 (STATE_DEV_MODEL_BASE - 0x0C)
/* The connection of the device model was not found. */
#define STATE_DEV_MODEL_CM_FD_NOT_FOUND                (STATE_DEV_MODEL_BASE - 0x0D)
/* The connection number of the device model is invalid. */
#define STATE_DEV_MODEL_CM_FD_ERROR                    (STATE_DEV_MODEL_BASE - 0x0E)
/* The device model could not connect by MQTT. */
#define STATE_DEV_MODEL_MQTT_CONNECT_FAILED            (STATE_DEV_MODEL_BASE - 0x0F)
/* The device model received a message on an unexpected topic. */
#define STATE_DEV_MODEL_RECV_UNEXP_MQTT_PUB            (STATE_DEV_MODEL_BASE - 0x10)
/* The JSON text is malformed. */
#define STATE_DEV_MODEL_WRONG_JSON_FORMAT              (STATE_DEV_MODEL_BASE - 0x11)
/* A required member is missing in the JSON text. */
#define STATE_DEV_MODEL_GET_JSON_ITEM_FAILED           (STATE_DEV_MODEL_BASE - 0x12)
/* The service request to be answered is unknown. */
#define STATE_DEV_MODEL_SERVICE_CTX_NOT_EXIST          (STATE_DEV_MODEL_BASE - 0x13)
/* Firmware update is not part of this build. */
#define STATE_DEV_MODEL_OTA_NOT_ENABLED                (STATE_DEV_MODEL_BASE - 0x14)
/* Firmware update has not been started. */
#define STATE_DEV_MODEL_OTA_NOT_INITED                 (STATE_DEV_MODEL_BASE - 0x15)
/* Firmware update could not be started. */
#define STATE_DEV_MODEL_OTA_INIT_FAILED                (STATE_DEV_MODEL_BASE - 0x16)
/* Another firmware update is still in progress. */
#define STATE_DEV_MODEL_OTA_STILL_IN_PROGRESS          (STATE_DEV_MODEL_BASE - 0x17)
/* The firmware image failed its check. */
#define STATE_DEV_MODEL_OTA_IMAGE_CHECK_FAILED         (STATE_DEV_MODEL_BASE - 0x18)
/* The kind of update is unknown. */
#define STATE_DEV_MODEL_OTA_TYPE_ERROR                 (STATE_DEV_MODEL_BASE - 0x19)
/* The firmware image could not be downloaded. */
#define STATE_DEV_MODEL_OTA_FETCH_FAILED               (STATE_DEV_MODEL_BASE - 0x1A)
/* Local control could not be started. */
#define STATE_DEV_MODEL_ALCS_CONSTRUCT_FAILED          (STATE_DEV_MODEL_BASE - 0x1B)
/* Gateway functions are not part of this build. */
#define STATE_DEV_MODEL_GATEWAY_NOT_ENABLED            (STATE_DEV_MODEL_BASE - 0x1C)
/* The identifier of the synchronous request is too long. */
#define STATE_DEV_MODEL_RRPCID_TOO_LONG                (STATE_DEV_MODEL_BASE - 0x1D)
/* The operation is not available for a raw-data device. */
#define STATE_DEV_MODEL_IN_RAWDATA_SOLO                (STATE_DEV_MODEL_BASE - 0x1E)
/* The same message is already on its way to the cloud. */
#define STATE_DEV_MODEL_DUP_UPSTREAM_MSG               (STATE_DEV_MODEL_BASE - 0x1F)
/* No message sent to the cloud belongs to this answer. */
#define STATE_DEV_MODEL_UPSTREAM_REC_NOT_FOUND         (STATE_DEV_MODEL_BASE - 0x20)
/* The cloud refused the request. */
#define STATE_DEV_MODEL_REFUSED_BY_CLOUD               (STATE_DEV_MODEL_BASE - 0x21)
/* The option of the device model is unknown. */
#define STATE_DEV_MODEL_INVALID_DM_OPTION              (STATE_DEV_MODEL_BASE - 0x22)
/* The topic could not be split into its parts. */
#define STATE_DEV_MODEL_URL_SPLIT_FAILED               (STATE_DEV_MODEL_BASE - 0x23)
/* The message of the device-model protocol could not be parsed. */
#define STATE_DEV_MODEL_ALINK_MSG_PARSE_FAILED         (STATE_DEV_MODEL_BASE - 0x24)
/* The log could not be reported to the cloud. */
#define STATE_DEV_MODEL_LOG_REPORT_ERROR               (STATE_DEV_MODEL_BASE - 0x25)
/* The topic is subscribed by the cloud itself. */
#define STATE_DEV_MODEL_IN_AUTOSUB_MODE                (STATE_DEV_MODEL_BASE - 0x26)
/* Reports a message received from the cloud. */
#define STATE_DEV_MODEL_RX_CLOUD_MESSAGE               (STATE_DEV_MODEL_BASE - 0x27)
/* Reports a message sent to the cloud. */
#define STATE_DEV_MODEL_TX_CLOUD_MESSAGE               (STATE_DEV_MODEL_BASE - 0x28)
/* Reports a message received over local control. */
#define STATE_DEV_MODLE_RX_LOCAL_MESSAGE               (STATE_DEV_MODEL_BASE - 0x29)
/* Reports a message sent over local control. */
#define STATE_DEV_MODLE_TX_LOCAL_MESSAGE               (STATE_DEV_MODEL_BASE - 0x2A)
/* Reports an operation of local control. */
#define STATE_DEV_MODLE_ALCS_CONTROL                   (STATE_DEV_MODEL_BASE - 0x2B)
/* Reports an operation on the message queue. */
#define STATE_DEV_MODEL_MSGQ_OPERATION                 (STATE_DEV_MODEL_BASE - 0x2C)
/* The message queue of the device model is full. */
#define STATE_DEV_MODEL_MSGQ_FULL                      (STATE_DEV_MODEL_BASE - 0x2D)
/* The message queue of the device model is empty. */
#define STATE_DEV_MODEL_MSGQ_EMPTY                     (STATE_DEV_MODEL_BASE - 0x2E)
/* Reports that a pending request was stored. */
#define STATE_DEV_MODEL_CTX_LIST_INSERT                (STATE_DEV_MODEL_BASE - 0x2F)
/* Reports that a pending request was removed. */
#define STATE_DEV_MODEL_CTX_LIST_REMOVE                (STATE_DEV_MODEL_BASE - 0x30)
/* A pending request was dropped because it was never answered. */
#define STATE_DEV_MODEL_CTX_LIST_FADEOUT               (STATE_DEV_MODEL_BASE - 0x31)
/* The list of pending requests is full. */
#define STATE_DEV_MODEL_CTX_LIST_FULL                  (STATE_DEV_MODEL_BASE - 0x32)
/* The list of pending requests is empty. */
#define STATE_DEV_MODEL_CTX_LIST_EMPTY                 (STATE_DEV_MODEL_BASE - 0x33)
/* Reporting the log to the cloud stopped. */
#define STATE_DEV_MODLE_LOG_REPORT_STOP                (STATE_DEV_MODEL_BASE - 0x34)
/* The cloud switched the reporting of the log on or off. */
#define STATE_DEV_MODLE_LOG_REPORT_SWITCH              (STATE_DEV_MODEL_BASE - 0x35)
/* Reports that a part of the log was sent to the cloud. */
#define STATE_DEV_MODLE_LOG_REPORT_SEND                (STATE_DEV_MODEL_BASE - 0x36)
/* Reports an operation on the list of blocking requests. */
#define STATE_DEV_MODEL_SYNC_REQ_LIST                  (STATE_DEV_MODEL_BASE - 0x37)
/* Reports an event of the device-model protocol. */
#define STATE_DEV_MODEL_ALINK_PROT_EVENT               (STATE_DEV_MODEL_BASE - 0x38)
/* Sending over local control failed. */
#define STATE_DEV_MODEL_ALCS_SEND_FAILED               (STATE_DEV_MODEL_BASE - 0x39)
/* The payload does not follow the device-model protocol. */
#define STATE_DEV_MODEL_INVALID_ALINK_PAYLOAD          (STATE_DEV_MODEL_BASE - 0x3A)
/* The topic does not belong to the device-model protocol. */
#define STATE_DEV_MODEL_INVALID_ALINK_TOPIC            (STATE_DEV_MODEL_BASE - 0x3B)
/* The receiving loop of the device model has stopped. */
#define STATE_DEV_MODEL_YIELD_STOPPED                  (STATE_DEV_MODEL_BASE - 0x3C)
/* The receiving loop of the device model is running. */
#define STATE_DEV_MODEL_YIELD_RUNNING                  (STATE_DEV_MODEL_BASE - 0x3D)

#endif /* __INFRA_STATE_H__ */

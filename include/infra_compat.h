/* SPDX-License-Identifier: Apache-2.0 */
/* Events, settings and log of the library. */
#ifndef _INFRA_COMPAT_H_
#define _INFRA_COMPAT_H_

#include "infra_defs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Verbosity of the log, see IOT_SetLogLevel. */
typedef enum _IOT_LogLevel {
    IOT_LOG_NONE = 0,
    IOT_LOG_CRIT = 1,
    IOT_LOG_ERROR = 2,
    IOT_LOG_WARNING = 3,
    IOT_LOG_INFO = 4,
    IOT_LOG_DEBUG = 5
} IOT_LogLevel;

#define IOT_LOG_EMERG                    IOT_LOG_NONE

/* Numbers of iotx_event_post, an older notification the MQTT client itself does not use. */
enum iotx_event_t {
    IOTX_AWSS_START = 4096,
    IOTX_AWSS_ENABLE = 4097,
    IOTX_AWSS_LOCK_CHAN = 4098,
    IOTX_AWSS_CS_ERR = 4099,
    IOTX_AWSS_PASSWD_ERR = 4100,
    IOTX_AWSS_GOT_SSID_PASSWD = 4101,
    IOTX_AWSS_CONNECT_ADHA = 4102,
    IOTX_AWSS_CONNECT_ADHA_FAIL = 4103,
    IOTX_AWSS_CONNECT_AHA = 4104,
    IOTX_AWSS_CONNECT_AHA_FAIL = 4105,
    IOTX_AWSS_SETUP_NOTIFY = 4106,
    IOTX_AWSS_CONNECT_ROUTER = 4107,
    IOTX_AWSS_CONNECT_ROUTER_FAIL = 4108,
    IOTX_AWSS_GOT_IP = 4109,
    IOTX_AWSS_SUC_NOTIFY = 4110,
    IOTX_AWSS_BIND_NOTIFY = 4111,
    IOTX_AWSS_ENABLE_TIMEOUT = 4112,
    IOTX_CONN_CLOUD = 8192,
    IOTX_CONN_CLOUD_FAIL = 8193,
    IOTX_CONN_CLOUD_SUC = 8194,
    IOTX_RESET = 12288
};

/* Older names of regions and options. */
#define IOTX_CLOUD_DOMAIN_SH             IOTX_CLOUD_REGION_SHANGHAI
#define IOTX_CLOUD_DOMAIN_SG             IOTX_CLOUD_REGION_SINGAPORE
#define IOTX_CLOUD_DOMAIN_JP             IOTX_CLOUD_REGION_JAPAN
#define IOTX_CLOUD_DOMAIN_US             IOTX_CLOUD_REGION_USA_WEST
#define IOTX_CLOUD_DOMAIN_GER            IOTX_CLOUD_REGION_GERMANY
#define IOTX_IOCTL_SET_DOMAIN            IOTX_IOCTL_SET_REGION
#define IOTX_IOCTL_GET_DOMAIN            IOTX_IOCTL_GET_REGION

/* Connection parameters as handed out by IOT_SetupConnInfo. */
typedef struct {
    uint16_t port;
    uint8_t init;
    char *host_name;
    char *client_id;
    char *username;
    char *password;
    const char *pub_key;
} iotx_conn_info_t, *iotx_conn_info_pt;

/* Events of IOT_RegisterCallback, from 0 to 32 in 3.2.0. The numbers are those of a build without
 * DEVICE_MODEL_SHADOW, whatever macro the firmware defines; ITE_PROPERTY_DESIRED_GET_REPLY has
 * no number and can be registered by name only. */
typedef enum {
    ITE_AWSS_STATUS = 0,
    ITE_CONNECT_SUCC,
    ITE_CONNECT_FAIL,
    ITE_DISCONNECTED,
    ITE_RAWDATA_ARRIVED,
    ITE_SERVICE_REQUEST,
#if IOTX_SDK_ABI_MINOR >= 1
    ITE_SERVICE_REQUEST_EXT,
#endif
    ITE_PROPERTY_SET,
    ITE_PROPERTY_GET,
    ITE_REPORT_REPLY,
    ITE_TRIGGER_EVENT_REPLY,
    ITE_TIMESTAMP_REPLY,
    ITE_TOPOLIST_REPLY,
    ITE_PERMIT_JOIN,
    ITE_INITIALIZE_COMPLETED,
    ITE_FOTA,
#if IOTX_SDK_ABI_MINOR >= 2
    ITE_FOTA_MODULE,
#endif
    ITE_COTA,
#if IOTX_SDK_ABI_MINOR >= 1
    ITE_MQTT_CONNECT_SUCC,
    ITE_CLOUD_ERROR,
    ITE_DYNREG_DEVICE_SECRET,
    ITE_IDENTITY_RESPONSE,
#if IOTX_SDK_ABI_MINOR >= 2
    ITE_BIND_EVENT,
#endif
    ITE_STATE_EVERYTHING,
    ITE_STATE_USER_INPUT,
    ITE_STATE_SYS_DEPEND,
    ITE_STATE_MQTT_COMM,
    ITE_STATE_WIFI_PROV,
    ITE_STATE_COAP_LOCAL,
    ITE_STATE_HTTP_COMM,
    ITE_STATE_OTA,
    ITE_STATE_DEV_BIND,
    ITE_STATE_DEV_MODEL
#else
    ITE_MQTT_CONNECT_SUCC
#endif
} iotx_ioctl_event_t;

/* Options of IOT_Ioctl. Type of the data and effect of each are listed there. */
typedef enum {
    IOTX_IOCTL_SET_REGION = 0,
    IOTX_IOCTL_GET_REGION = 1,
    IOTX_IOCTL_SET_MQTT_DOMAIN = 2,
    IOTX_IOCTL_SET_HTTP_DOMAIN = 3,
    IOTX_IOCTL_SET_DYNAMIC_REGISTER = 4,
    IOTX_IOCTL_GET_DYNAMIC_REGISTER = 5,
    IOTX_IOCTL_RECV_PROP_REPLY = 6,
    IOTX_IOCTL_RECV_EVENT_REPLY = 7,
    IOTX_IOCTL_SEND_PROP_SET_REPLY = 8,
    IOTX_IOCTL_SET_SUBDEV_SIGN = 9,
    IOTX_IOCTL_GET_SUBDEV_LOGIN = 10,
    IOTX_IOCTL_SET_OTA_DEV_ID = 11,
#if IOTX_SDK_ABI_MINOR >= 1
    IOTX_IOCTL_FOTA_TIMEOUT_MS = 12,
    IOTX_IOCTL_SET_CUSTOMIZE_INFO = 13,
    IOTX_IOCTL_SET_MQTT_PORT = 14,
    IOTX_IOCTL_SET_AWSS_ENABLE_INTERVAL = 15,
    IOTX_IOCTL_SET_AWSS_CHANNEL_SCAN_INTERVAL = 16,
    IOTX_IOCTL_SET_PROXY_REGISTER = 17,
    IOTX_IOCTL_QUERY_DEVID = 18,
    IOTX_IOCTL_SUB_USER_TOPIC = 19,
    IOTX_IOCTL_SET_PRODUCT_KEY = 20,
    IOTX_IOCTL_GET_PRODUCT_KEY = 21,
    IOTX_IOCTL_SET_PRODUCT_SECRET = 22,
    IOTX_IOCTL_GET_PRODUCT_SECRET = 23,
    IOTX_IOCTL_SET_DEVICE_NAME = 24,
    IOTX_IOCTL_GET_DEVICE_NAME = 25,
    IOTX_IOCTL_SET_DEVICE_SECRET = 26,
    IOTX_IOCTL_GET_DEVICE_SECRET = 27,
#if IOTX_SDK_ABI_MINOR >= 2
    IOTX_IOCTL_SET_MODULE = 28,
    IOTX_IOCTL_GET_MODULE = 29
#endif
#else
    IOTX_IOCTL_QUERY_DEVID = 12,
    IOTX_IOCTL_SET_CUSTOMIZE_INFO = 13
#endif
} iotx_ioctl_option_t;

/* Older switches of the device model. */
typedef enum {
    IMPL_LINKKIT_IOCTL_SWITCH_PROPERTY_POST_REPLY = 0,
    IMPL_LINKKIT_IOCTL_SWITCH_EVENT_POST_REPLY = 1,
    IMPL_LINKKIT_IOCTL_SWITCH_PROPERTY_SET_REPLY = 2,
    IMPL_LINKKIT_IOCTL_MAX = 3
} impl_linkkit_ioctl_cmd_t;

/* Type of an AES-128 context and direction of the cipher in ports. */
#if IOTX_SDK_ABI_MINOR >= 1
typedef void *p_Aes128_t;
#else
typedef void *p_HAL_Aes128_t;
#endif
typedef enum {
    HAL_AES_ENCRYPTION = 0,
    HAL_AES_DECRYPTION = 1
} AES_DIR_t;
#define AES_DECRYPTION                   HAL_AES_DECRYPTION
#define AES_ENCRYPTION                   HAL_AES_ENCRYPTION

/* Address of a UDP peer in ports. */
#ifndef NETWORK_ADDR_LEN
#define NETWORK_ADDR_LEN 16
#endif
typedef struct _network_addr_t {
    unsigned char addr[NETWORK_ADDR_LEN];
    unsigned short port;
} NetworkAddr;

/* Handler of a state event: a code of infra_state.h and a text of at most 63 characters that
 * lives until the handler returns. The result is ignored. */
typedef int (*state_handler_t)(const int state_code, const char *state_message);

#define being_deprecated
#define IOT_Linkkit_Post IOT_Linkkit_Report

/* The log needs no opening; closing it silences it. */
#define IOT_OpenLog(arg)
#define IOT_CloseLog() IOT_SetLogLevel(IOT_LOG_NONE)

/* Registers cb for the event evt, an ITE_* name. One handler per event; a new one replaces the old
 * one, NULL removes it. Registering ITE_STATE_EVERYTHING writes the slots of all ITE_STATE_*
 * events, so register it first and specific ones after. Always returns 0. Any thread; handlers run
 * on the thread that causes the event, without a lock held. */
#if IOTX_SDK_ABI_MINOR >= 1
#define IOT_RegisterCallback(evt, cb) iotx_register_for_##evt(cb)
#else
/* 3.0.1 had the semicolon inside, so sources may leave theirs out. */
#define IOT_RegisterCallback(evt, cb) iotx_register_for_##evt(cb);
#endif

#define IOCTL_FUNC(evt, params) iotx_ioctl_##evt(params)
#define DECLARE_EVENT_CALLBACK(evt, cb) int iotx_register_for_##evt(cb);
#define DEFINE_EVENT_CALLBACK(evt, cb) int iotx_register_for_##evt(cb)


/* Sets the one callback of iotx_event_post; NULL removes it. Returns 0. */
int iotx_event_regist_cb(void (*monitor_cb)(int));

/* Calls that callback with event on this thread. Returns 0, or -1 without a callback. */
int iotx_event_post(int event);

/* One function per event, the target of IOT_RegisterCallback. Return 0. */
int iotx_register_for_ITE_AWSS_STATUS(int (*cb)(int));
int iotx_register_for_ITE_CONNECT_SUCC(int (*cb)(void));
int iotx_register_for_ITE_CONNECT_FAIL(int (*cb)(void));
int iotx_register_for_ITE_DISCONNECTED(int (*cb)(void));
int iotx_register_for_ITE_RAWDATA_ARRIVED(
    int (*cb)(const int, const unsigned char *, const int));
int iotx_register_for_ITE_SERVICE_REQUEST(
    int (*cb)(const int, const char *, const int, const char *, const int, char **, int *));
int iotx_register_for_ITE_SERVICE_REQUEST_EXT(
    int (*cb)(int, const char *, int, const char *, int, const char *, int, void *));
int iotx_register_for_ITE_PROPERTY_SET(int (*cb)(const int, const char *, const int));
int iotx_register_for_ITE_PROPERTY_DESIRED_GET_REPLY(int (*cb)(const char *, const int));
int iotx_register_for_ITE_PROPERTY_GET(
    int (*cb)(const int, const char *, const int, char **, int *));
int iotx_register_for_ITE_REPORT_REPLY(
    int (*cb)(const int, const int, const int, const char *, const int));
int iotx_register_for_ITE_TRIGGER_EVENT_REPLY(
    int (*cb)(const int, const int, const int, const char *, const int, const char *, const int));
int iotx_register_for_ITE_TIMESTAMP_REPLY(int (*cb)(const char *));
int iotx_register_for_ITE_TOPOLIST_REPLY(
    int (*cb)(const int, const int, const int, const char *, const int));
int iotx_register_for_ITE_PERMIT_JOIN(int (*cb)(const char *, const int));
int iotx_register_for_ITE_INITIALIZE_COMPLETED(int (*cb)(const int));
int iotx_register_for_ITE_FOTA(int (*cb)(const int, const char *));
int iotx_register_for_ITE_FOTA_MODULE(int (*cb)(const int, const char *, const char *));
int iotx_register_for_ITE_COTA(
    
    int (*cb)(const int, const char *, int, const char *, const char *, const char *, const char *));
int iotx_register_for_ITE_MQTT_CONNECT_SUCC(int (*cb)(void));
int iotx_register_for_ITE_CLOUD_ERROR(int (*cb)(const int, const char *, const char *));
int iotx_register_for_ITE_DYNREG_DEVICE_SECRET(int (*cb)(const char *));
int iotx_register_for_ITE_IDENTITY_RESPONSE(int (*cb)(const char *));
int iotx_register_for_ITE_BIND_EVENT(int (*cb)(const char *));
int iotx_register_for_ITE_STATE_EVERYTHING(state_handler_t cb);
int iotx_register_for_ITE_STATE_USER_INPUT(state_handler_t cb);
int iotx_register_for_ITE_STATE_SYS_DEPEND(state_handler_t cb);
int iotx_register_for_ITE_STATE_MQTT_COMM(state_handler_t cb);
int iotx_register_for_ITE_STATE_WIFI_PROV(state_handler_t cb);
int iotx_register_for_ITE_STATE_COAP_LOCAL(state_handler_t cb);
int iotx_register_for_ITE_STATE_HTTP_COMM(state_handler_t cb);
int iotx_register_for_ITE_STATE_OTA(state_handler_t cb);
int iotx_register_for_ITE_STATE_DEV_BIND(state_handler_t cb);
int iotx_register_for_ITE_STATE_DEV_MODEL(state_handler_t cb);

/* Formats a text and hands it with state_code to the handler of event (an ITE_STATE_* number),
 * then to that of ITE_STATE_EVERYTHING if that is another function. The text is cut at 63
 * characters; a NULL format gives an empty text. Text from outside must be an argument, never
 * the format. Returns 0, or -1 when event has no handler or is no state event. */
int iotx_state_event(
    const int event, const int state_code, const char *state_message_format, ...);

/* The handler registered for the event number evt, or NULL when there is none or evt is out of
 * range. */
void *iotx_event_callback(int evt);

/* Reads or writes a process-wide setting. Strings are copied; a string longer than the stated
 * number of characters is refused and the old value stays; an empty string clears. GET writes
 * a terminated string into a buffer of the stated length + 1. int *: SET_REGION 0...5,
 * GET_REGION, SET_DYNAMIC_REGISTER 0 or 1, GET_DYNAMIC_REGISTER. char *: SET_MQTT_DOMAIN and
 * SET_HTTP_DOMAIN (253; select the custom region), PRODUCT_KEY (20), PRODUCT_SECRET (64),
 * DEVICE_NAME (32), DEVICE_SECRET (64), MODULE (64), SET_CUSTOMIZE_INFO (80). uint16_t *:
 * SET_MQTT_PORT. RECV_PROP_REPLY, RECV_EVENT_REPLY, SEND_PROP_SET_REPLY and GET_SUBDEV_LOGIN
 * return 0 without effect; the other options belong to parts this library does not hold and
 * return -1. Settings are read when a client is constructed. Any thread. Returns 0, or -1 for
 * a bad option, NULL or a refused value. */
int IOT_Ioctl(int option, void *data);

/* Checks the three strings (20, 32, 64 characters) and, if info_ptr is not NULL, stores there
 * the address of a static iotx_conn_info_t with empty strings and port 0, which select the
 * defaults when copied into iotx_mqtt_param_t. The strings themselves are not stored; use
 * IOT_Ioctl. Returns 0, or NULL_VALUE_ERROR for a NULL or too long string. The block belongs
 * to the library. */
int IOT_SetupConnInfo(
    const char *product_key, const char *device_name, const char *device_secret, void **info_ptr);

/* Prints messages up to level from now on, starting with one line that states the level. An
 * unknown level changes nothing. Default IOT_LOG_INFO. Any thread. */
void IOT_SetLogLevel(IOT_LogLevel level);

/* Prints counters of the library if level is printed now; an unknown level counts as
 * IOT_LOG_DEBUG. Can be repeated. Any thread. */
void IOT_DumpMemoryStats(IOT_LogLevel level);

#ifdef __cplusplus
}
#endif

#endif /* _INFRA_COMPAT_H_ */

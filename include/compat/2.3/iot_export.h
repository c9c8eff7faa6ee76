/* SPDX-License-Identifier: Apache-2.0 */
/* The interface of SDK 2.3.0 to applications: identity, settings, log, events, MQTT. */
#ifndef __IOT_EXPORT_H__
#define __IOT_EXPORT_H__

#include "iotx_config.h"

#undef being_deprecated
#define being_deprecated

#define LINKKIT_VERSION                  "2.3.0"

#ifdef __cplusplus
extern "C" {
#endif

/* Verbosity of the log, see IOT_SetLogLevel. */
typedef enum _IOT_LogLevel {
    IOT_LOG_NONE = 0,
    IOT_LOG_CRIT,
    IOT_LOG_ERROR,
    IOT_LOG_WARNING,
    IOT_LOG_INFO,
    IOT_LOG_DEBUG
} IOT_LogLevel;

/* Region of the endpoints. */
typedef enum IOTX_CLOUD_REGION_TYPES {
    IOTX_CLOUD_REGION_SHANGHAI = 0,
    IOTX_CLOUD_REGION_SINGAPORE,
    IOTX_CLOUD_REGION_JAPAN,
    IOTX_CLOUD_REGION_USA_WEST,
    IOTX_CLOUD_REGION_GERMANY,
    IOTX_CLOUD_REGION_CUSTOM,
    IOTX_CLOUD_DOMAIN_MAX
} iotx_cloud_region_types_t;

typedef struct {
    char product_key[PRODUCT_KEY_LEN + 1];
    char device_name[DEVICE_NAME_LEN + 1];
    char device_id[DEVICE_ID_LEN + 1];
    char device_secret[DEVICE_SECRET_LEN + 1];
    char module_vendor_id[MODULE_VENDOR_ID + 1];
} iotx_device_info_t;

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

/* Data of IOTX_IOCTL_SET_SUBDEV_SIGN and IOTX_IOCTL_GET_SUBDEV_LOGIN. */
typedef struct {
    int devid;
    const char *sign;
} iotx_ioctl_set_subdev_sign_t;

typedef struct {
    int devid;
    int status;
} iotx_ioctl_get_subdev_info_t;

/* Options of IOT_Ioctl. */
typedef enum {
    IOTX_IOCTL_SET_REGION = 0,
    IOTX_IOCTL_GET_REGION,
    IOTX_IOCTL_SET_MQTT_DOMAIN,
    IOTX_IOCTL_SET_MQTT_PORT,
    IOTX_IOCTL_SET_ENV,
    IOTX_IOCTL_SET_HTTP_DOMAIN,
    IOTX_IOCTL_SET_DYNAMIC_REGISTER,
    IOTX_IOCTL_GET_DYNAMIC_REGISTER,
    IOTX_IOCTL_RECV_PROP_REPLY,
    IOTX_IOCTL_RECV_EVENT_REPLY,
    IOTX_IOCTL_SEND_PROP_SET_REPLY,
    IOTX_IOCTL_SET_SUBDEV_SIGN,
    IOTX_IOCTL_GET_SUBDEV_LOGIN,
    IOTX_IOCTL_SET_ENDPOINT,
    IOTX_IOCTL_QUERY_DEVID,
    IOTX_IOCTL_SET_UUID_ENABLED,
    IOTX_IOCTL_SET_BOOTSTRAP_ENABLED
} iotx_ioctl_option_t;

/* Events of IOT_RegisterCallback. */
typedef enum {
    ITE_AWSS_STATUS,
    ITE_CONNECT_SUCC,
    ITE_CONNECT_FAIL,
    ITE_DISCONNECTED,
    ITE_RAWDATA_ARRIVED,
    ITE_SERVICE_REQUST,
    ITE_PROPERTY_SET,
    ITE_PROPERTY_GET,
    ITE_REPORT_REPLY,
    ITE_TRIGGER_EVENT_REPLY,
    ITE_TIMESTAMP_REPLY,
    ITE_TOPOLIST_REPLY,
    ITE_PERMIT_JOIN,
    ITE_INITIALIZE_COMPLETED,
    ITE_FOTA,
    ITE_COTA,
    ITE_MQTT_CONNECT_SUCC,
    ITE_CLOUD_ERROR,
    ITE_STATE_EVERYTHING,
    ITE_STATE_USER_INPUT,
    ITE_STATE_SYS_DEPEND,
    ITE_STATE_MQTT_COMM,
    ITE_STATE_WIFI_PROV,
    ITE_STATE_COAP_LOCAL,
    ITE_STATE_HTTP_COMM,
    ITE_STATE_OTA,
    ITE_STATE_DEV_BIND,
    ITE_STATE_SUB_DEVICE,
    ITE_EVENT_NOTIFY,
    ITE_STATE_DEV_MODEL
} iotx_ioctl_event_t;

/* Handler of a state event: a code of iot_export_state.h and a text that lives until it returns. */
typedef int (*state_handler_t)(const int state_code, const char *state_message);

/* Registers cb for the event evt, an ITE_* name; NULL removes it. The semicolon is inside, as in
 * 2.3.0, so sources may leave theirs out. */
#define IOT_RegisterCallback(evt, cb)    iotx_register_for_##evt(cb);
#define DECLARE_EVENT_CALLBACK(evt, cb)  DLL_IOT_API int iotx_register_for_##evt(cb);

DLL_IOT_API int iotx_register_for_ITE_AWSS_STATUS(int (*cb)(int));
DLL_IOT_API int iotx_register_for_ITE_CONNECT_SUCC(int (*cb)(void));
DLL_IOT_API int iotx_register_for_ITE_CONNECT_FAIL(int (*cb)(void));
DLL_IOT_API int iotx_register_for_ITE_DISCONNECTED(int (*cb)(void));
DLL_IOT_API int iotx_register_for_ITE_RAWDATA_ARRIVED(int (*cb)(const int, const unsigned char *, const int));
DLL_IOT_API int iotx_register_for_ITE_SERVICE_REQUST(
    int (*cb)(const int, const char *, const int, const char *, const int, char **, int *));
DLL_IOT_API int iotx_register_for_ITE_PROPERTY_SET(int (*cb)(const int, const char *, const int));
DLL_IOT_API int iotx_register_for_ITE_PROPERTY_GET(
    int (*cb)(const int, const char *, const int, char **, int *));
DLL_IOT_API int iotx_register_for_ITE_REPORT_REPLY(
    int (*cb)(const int, const int, const int, const char *, const int));
DLL_IOT_API int iotx_register_for_ITE_TRIGGER_EVENT_REPLY(
    int (*cb)(const int, const int, const int, const char *, const int, const char *, const int));
DLL_IOT_API int iotx_register_for_ITE_TIMESTAMP_REPLY(int (*cb)(const char *));
DLL_IOT_API int iotx_register_for_ITE_TOPOLIST_REPLY(
    int (*cb)(const int, const int, const int, const char *, const int));
DLL_IOT_API int iotx_register_for_ITE_PERMIT_JOIN(int (*cb)(const char *, const int));
DLL_IOT_API int iotx_register_for_ITE_INITIALIZE_COMPLETED(int (*cb)(const int));
DLL_IOT_API int iotx_register_for_ITE_FOTA(int (*cb)(const int, const char *));
DLL_IOT_API int iotx_register_for_ITE_COTA(
    int (*cb)(const int, const char *, int, const char *, const char *, const char *, const char *));
DLL_IOT_API int iotx_register_for_ITE_MQTT_CONNECT_SUCC(int (*cb)(void));
DLL_IOT_API int iotx_register_for_ITE_CLOUD_ERROR(int (*cb)(const int, const char *, const char *));
DLL_IOT_API int iotx_register_for_ITE_STATE_EVERYTHING(state_handler_t cb);
DLL_IOT_API int iotx_register_for_ITE_STATE_USER_INPUT(state_handler_t cb);
DLL_IOT_API int iotx_register_for_ITE_STATE_SYS_DEPEND(state_handler_t cb);
DLL_IOT_API int iotx_register_for_ITE_STATE_MQTT_COMM(state_handler_t cb);
DLL_IOT_API int iotx_register_for_ITE_STATE_WIFI_PROV(state_handler_t cb);
DLL_IOT_API int iotx_register_for_ITE_STATE_COAP_LOCAL(state_handler_t cb);
DLL_IOT_API int iotx_register_for_ITE_STATE_HTTP_COMM(state_handler_t cb);
DLL_IOT_API int iotx_register_for_ITE_STATE_OTA(state_handler_t cb);
DLL_IOT_API int iotx_register_for_ITE_STATE_DEV_BIND(state_handler_t cb);
DLL_IOT_API int iotx_register_for_ITE_STATE_SUB_DEVICE(state_handler_t cb);
DLL_IOT_API int iotx_register_for_ITE_EVENT_NOTIFY(int (*cb)(const int, const char *, const int));
DLL_IOT_API int iotx_register_for_ITE_STATE_DEV_MODEL(state_handler_t cb);

/* Hands state_code with a finished text to the handler of event (an ITE_STATE_* number), then to that
 * of ITE_STATE_EVERYTHING. Returns 0, or -1 when event has no handler. */
int iotx_state_event(const int event, const int state_code, const char *state_message);

/* Prints messages up to level from now on. Any thread. */
DLL_IOT_API void IOT_SetLogLevel(IOT_LogLevel level);

/* Prints counters of the library if level is printed now. */
DLL_IOT_API void IOT_DumpMemoryStats(IOT_LogLevel level);

/* Makes the three strings the identity of the device (also for HAL_SetProductKey and its siblings),
 * signs it, and stores in *info_ptr the address of an iotx_conn_info_t of the library that is ready for
 * iotx_mqtt_param_t and valid until the next call. info_ptr may be NULL. Returns 0 or -1. */
DLL_IOT_API int IOT_SetupConnInfo(
    const char *product_key, const char *device_name, const char *device_secret, void **info_ptr);

/* Reads or writes a process-wide setting. int *: SET_REGION, GET_REGION, SET_ and
 * GET_DYNAMIC_REGISTER, and SET_ENV, SET_UUID_ENABLED, SET_BOOTSTRAP_ENABLED, which accept 0 only.
 * const char *: SET_MQTT_DOMAIN, SET_ENDPOINT, SET_HTTP_DOMAIN. uint16_t *: SET_MQTT_PORT. The options
 * of the device model have no effect. Returns 0 or -1. */
DLL_IOT_API int IOT_Ioctl(int option, void *data);

#ifdef __cplusplus
}
#endif

#include "exports/iot_export_compat.h"
#include "exports/iot_export_errno.h"
#include "exports/iot_export_mqtt.h"
#include "exports/iot_export_event.h"
#include "exports/iot_export_state.h"

#endif /* __IOT_EXPORT_H__ */

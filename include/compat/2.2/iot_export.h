/* SPDX-License-Identifier: Apache-2.0 */
/* The interface of SDK 2.2.1 to applications: identity, settings, log, MQTT. */
#ifndef __IOT_EXPORT_H__
#define __IOT_EXPORT_H__

#include "iotx_config.h"

#define LINKKIT_VERSION                  "2.2.1.1"

#ifdef __cplusplus
extern "C" {
#endif

/* Verbosity of the log, see IOT_SetLogLevel. */
typedef enum _IOT_LogLevel {
    IOT_LOG_EMERG = 0,
    IOT_LOG_CRIT,
    IOT_LOG_ERROR,
    IOT_LOG_WARNING,
    IOT_LOG_INFO,
    IOT_LOG_DEBUG
} IOT_LogLevel;

/* Region of the endpoints. */
typedef enum IOTX_CLOUD_DOMAIN_TYPES {
    IOTX_CLOUD_DOMAIN_SH = 0,
    IOTX_CLOUD_DOMAIN_SG,
    IOTX_CLOUD_DOMAIN_JP,
    IOTX_CLOUD_DOMAIN_US,
    IOTX_CLOUD_DOMAIN_GER,
    IOTX_CLOUD_DOMAIN_MAX
} iotx_cloud_domain_types_t;

typedef struct {
    char product_key[PRODUCT_KEY_LEN + 1];
    char device_name[DEVICE_NAME_LEN + 1];
    char device_id[DEVICE_ID_LEN + 1];
    char device_secret[DEVICE_SECRET_LEN + 1];
    char module_vendor_id[MODULE_VENDOR_ID + 1];
} iotx_device_info_t, *iotx_device_info_pt;

/* Connection parameters as handed out by IOT_SetupConnInfo. */
typedef struct {
    uint16_t port;
    char host_name[HOST_ADDRESS_LEN + 1];
    char client_id[CLIENT_ID_LEN + 1];
    char username[USER_NAME_LEN + 1];
    char password[PASSWORD_LEN + 1];
    const char *pub_key;
} iotx_conn_info_t, *iotx_conn_info_pt;

/* Options of IOT_Ioctl; the data is an int. */
typedef enum {
    IOTX_IOCTL_SET_DOMAIN = 0,
    IOTX_IOCTL_GET_DOMAIN,
    IOTX_IOCTL_SET_DYNAMIC_REGISTER,
    IOTX_IOCTL_GET_DYNAMIC_REGISTER
} iotx_ioctl_option_t;

/* The log needs no opening; closing it silences it until IOT_SetLogLevel. */
void IOT_OpenLog(const char *ident);
void IOT_CloseLog(void);

/* Prints messages up to level from now on. Any thread. */
void IOT_SetLogLevel(IOT_LogLevel level);

/* Prints counters of the library if level is printed now. */
void IOT_DumpMemoryStats(IOT_LogLevel level);

/* Makes the three strings the identity of the device, signs it, and stores in *info_ptr the address of
 * an iotx_conn_info_t of the library that is ready for iotx_mqtt_param_t and valid until the next
 * call. Returns 0 or -1. */
int IOT_SetupConnInfo(
    const char *product_key, const char *device_name, const char *device_secret, void **info_ptr);

/* Reads or writes a process-wide setting. Returns 0 or -1. */
int IOT_Ioctl(int option, void *data);

#ifdef __cplusplus
}
#endif

#include "exports/iot_export_errno.h"
#include "exports/iot_export_mqtt.h"
#include "exports/iot_export_event.h"

#endif /* __IOT_EXPORT_H__ */

/* SPDX-License-Identifier: Apache-2.0 */
/* Selects the interface of SDK 2.2.1. Every header of this folder includes it first. What differs from
 * the library's own interface in layout, numbers or results goes to entry points that know it. */
#ifndef IOTX_COMPAT_2_2_CONFIG_H
#define IOTX_COMPAT_2_2_CONFIG_H

#ifdef IOTX_SDK_ABI_MAJOR
#error "headers of two SDK versions in one source file: include those of 2.2.1 only"
#endif

#define IOTX_SDK_ABI_MAJOR 2
#define IOTX_SDK_ABI_MINOR 2
#define IOTX_SDK_ABI_PATCH 1

/* Parameter block and connection information have other layouts, a subscription that waits has one
 * parameter more, the log has functions, and options have other numbers. */
#define IOT_OpenLog iotx_v22_OpenLog
#define IOT_CloseLog iotx_v22_CloseLog
#define IOT_SetupConnInfo iotx_v22_SetupConnInfo
#define IOT_Ioctl iotx_v22_Ioctl
#define IOT_MQTT_Construct iotx_v22_MQTT_Construct
#define IOT_MQTT_Subscribe_Sync iotx_v22_MQTT_Subscribe_Sync

/* The firmware version under its older name. */
#define HAL_GetFirmwareVesion HAL_GetFirmwareVersion

/* Errors are iotx_err_t, and a subscription made before the connection waits for it. */
#define IOT_MQTT_Destroy iotx_v30_MQTT_Destroy
#define IOT_MQTT_Yield iotx_v30_MQTT_Yield
#define IOT_MQTT_CheckStateNormal iotx_v30_MQTT_CheckStateNormal
#define IOT_MQTT_Subscribe iotx_v30_MQTT_Subscribe
#define IOT_MQTT_Unsubscribe iotx_v30_MQTT_Unsubscribe
#define IOT_MQTT_Publish iotx_v30_MQTT_Publish

/* The stack size of a thread is a size_t; the hooks have another name. A port that defines these
 * functions defines the new names, and replaces the library's. */
#define HAL_ThreadCreate iotx_v23_ThreadCreate
#define HAL_SSLHooks_set ssl_hooks_set

#include <stddef.h>
#include <stdint.h>
#include "../../infra_config.h"

/* Direction marks of parameters, and marks of exported functions. */
#ifndef _IN_
#define _IN_
#endif
#ifndef _OU_
#define _OU_
#endif
#ifndef DLL_IOT_API
#define DLL_IOT_API
#endif
#ifndef DLL_HAL_API
#define DLL_HAL_API
#endif

#define IOT_TRUE                         1
#define IOT_FALSE                        0

/* Greatest lengths in characters, without the terminating NUL. */
#define PRODUCT_KEY_LEN                  20
#define DEVICE_NAME_LEN                  32
#define DEVICE_ID_LEN                    64
#define DEVICE_SECRET_LEN                64
#define PRODUCT_SECRET_LEN               64
#define MODULE_VENDOR_ID                 32
#define HOST_ADDRESS_LEN                 128
#define HOST_PORT_LEN                    8
#define CLIENT_ID_LEN                    256
#define USER_NAME_LEN                    512
#define PASSWORD_LEN                     256
#define AESKEY_STR_LEN                   32
#define AESKEY_HEX_LEN                   16

#endif /* IOTX_COMPAT_2_2_CONFIG_H */

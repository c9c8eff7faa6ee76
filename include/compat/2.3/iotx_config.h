/* SPDX-License-Identifier: Apache-2.0 */
/* Selects the interface of SDK 2.3.0. Every header of this folder includes it first. What differs from
 * the library's own interface in layout, numbers or results goes to entry points that know it. */
#ifndef IOTX_COMPAT_2_3_CONFIG_H
#define IOTX_COMPAT_2_3_CONFIG_H

#ifdef IOTX_SDK_ABI_MAJOR
#error "headers of two SDK versions in one source file: include those of 2.3.0 only"
#endif

#define IOTX_SDK_ABI_MAJOR 2
#define IOTX_SDK_ABI_MINOR 3
#define IOTX_SDK_ABI_PATCH 0

/* The parameter block is shorter; options, events and state codes have other numbers. */
#define IOT_SetupConnInfo iotx_v23_SetupConnInfo
#define IOT_Ioctl iotx_v23_Ioctl
#define IOT_MQTT_Construct iotx_v23_MQTT_Construct
#define IOT_MQTT_Subscribe_Sync iotx_v30_MQTT_Subscribe_Sync
#define IOT_MQTT_Publish_Simple iotx_v30_MQTT_Publish_Simple
#define iotx_state_event iotx_v23_state_event
#define iotx_register_for_ITE_SERVICE_REQUST iotx_register_for_ITE_SERVICE_REQUEST
#define iotx_register_for_ITE_EVENT_NOTIFY iotx_v23_register_for_ITE_EVENT_NOTIFY
#define iotx_register_for_ITE_STATE_EVERYTHING iotx_v23_register_for_ITE_STATE_EVERYTHING
#define iotx_register_for_ITE_STATE_USER_INPUT iotx_v23_register_for_ITE_STATE_USER_INPUT
#define iotx_register_for_ITE_STATE_SYS_DEPEND iotx_v23_register_for_ITE_STATE_SYS_DEPEND
#define iotx_register_for_ITE_STATE_MQTT_COMM iotx_v23_register_for_ITE_STATE_MQTT_COMM
#define iotx_register_for_ITE_STATE_WIFI_PROV iotx_v23_register_for_ITE_STATE_WIFI_PROV
#define iotx_register_for_ITE_STATE_COAP_LOCAL iotx_v23_register_for_ITE_STATE_COAP_LOCAL
#define iotx_register_for_ITE_STATE_HTTP_COMM iotx_v23_register_for_ITE_STATE_HTTP_COMM
#define iotx_register_for_ITE_STATE_OTA iotx_v23_register_for_ITE_STATE_OTA
#define iotx_register_for_ITE_STATE_DEV_BIND iotx_v23_register_for_ITE_STATE_DEV_BIND
#define iotx_register_for_ITE_STATE_SUB_DEVICE iotx_v23_register_for_ITE_STATE_SUB_DEVICE
#define iotx_register_for_ITE_STATE_DEV_MODEL iotx_v23_register_for_ITE_STATE_DEV_MODEL

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

#endif /* IOTX_COMPAT_2_3_CONFIG_H */

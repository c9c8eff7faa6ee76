/* SPDX-License-Identifier: Apache-2.0 */
/* Selects the interface of SDK 3.0.1: put this folder before, or in place of, the one with the headers
 * of 3.2.0. What differs in layout, numbers or results goes to entry points that know it. */
#ifndef IOTX_COMPAT_3_0_CONFIG_H
#define IOTX_COMPAT_3_0_CONFIG_H

#ifdef IOTX_SDK_ABI_MAJOR
#error "headers of two SDK versions in one source file: the folder compat/3.0 must be searched first"
#endif

#define IOTX_SDK_ABI_MAJOR 3
#define IOTX_SDK_ABI_MINOR 0
#define IOTX_SDK_ABI_PATCH 1

/* iotx_sign_mqtt_t is longer; options and events have other numbers. */
#define IOT_Sign_MQTT iotx_v30_Sign_MQTT
#define IOT_Ioctl iotx_v30_Ioctl
#define iotx_event_callback iotx_v30_event_callback

/* The identity comes from HAL_GetProductKey and its siblings, a subscription made before the
 * connection waits for it, errors are iotx_err_t, and some defaults differ. */
#define IOT_MQTT_Construct iotx_v30_MQTT_Construct
#define IOT_MQTT_Destroy iotx_v30_MQTT_Destroy
#define IOT_MQTT_Yield iotx_v30_MQTT_Yield
#define IOT_MQTT_CheckStateNormal iotx_v30_MQTT_CheckStateNormal
#define IOT_MQTT_Subscribe iotx_v30_MQTT_Subscribe
#define IOT_MQTT_Subscribe_Sync iotx_v30_MQTT_Subscribe_Sync
#define IOT_MQTT_Unsubscribe iotx_v30_MQTT_Unsubscribe
#define IOT_MQTT_Publish iotx_v30_MQTT_Publish
#define IOT_MQTT_Publish_Simple iotx_v30_MQTT_Publish_Simple

#include "../../infra_config.h"

#endif /* IOTX_COMPAT_3_0_CONFIG_H */

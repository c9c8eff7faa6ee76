/* SPDX-License-Identifier: Apache-2.0 */
/* The MQTT client of SDK 2.2.1. */
#ifndef _IOT_EXPORT_MQTT_H_
#define _IOT_EXPORT_MQTT_H_

#include "../iotx_config.h"
#include "../../iot_mqtt_2x.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Parameters of a client; strings are copied. pub_key NULL connects over TCP, otherwise over TLS with
 * these certificates. pwrite_buf and pread_buf are not used, their sizes limit the packets. */
typedef struct {
    uint16_t port;
    const char *host;
    const char *client_id;
    const char *username;
    const char *password;
    const char *pub_key;
    uint8_t clean_session;
    uint32_t request_timeout_ms;
    uint32_t keepalive_interval_ms;
    char *pwrite_buf;
    uint32_t write_buf_size;
    char *pread_buf;
    uint32_t read_buf_size;
    iotx_mqtt_event_handle_t handle_event;
} iotx_mqtt_param_t, *iotx_mqtt_param_pt;

/* Creates, connects and returns the client, or the existing one. host, client_id, username and
 * password must be given. NULL on failure. */
DLL_IOT_API void *IOT_MQTT_Construct(iotx_mqtt_param_t *pInitParams);

/* Disconnects and frees the client *phandle (NULL phandle: the existing one) and clears *phandle.
 * Returns 0 or an iotx_err_t. */
DLL_IOT_API int IOT_MQTT_Destroy(void **phandle);

/* Receives, keeps alive and reconnects for timeout_ms milliseconds; handlers run inside. Returns 0 or
 * an iotx_err_t. In all functions below a NULL handle means the existing client. */
DLL_IOT_API int IOT_MQTT_Yield(void *handle, int timeout_ms);

/* 1 connected, 0 off-line, an iotx_err_t without a client. */
DLL_IOT_API int IOT_MQTT_CheckStateNormal(void *handle);

/* Subscribes and registers a handler for topic_filter. Returns the packet id, 0 when the subscription
 * waits for the first connection, or an iotx_err_t. */
DLL_IOT_API int IOT_MQTT_Subscribe(
    void *handle, const char *topic_filter, iotx_mqtt_qos_t qos,
    iotx_mqtt_event_handle_func_fpt topic_handle_func, void *pcontext);

/* As IOT_MQTT_Subscribe, and waits up to timeout_ms for the acknowledgement, reading by itself
 * whatever do_yield says. */
DLL_IOT_API int IOT_MQTT_Subscribe_Sync(
    void *handle, const char *topic_filter, iotx_mqtt_qos_t qos,
    iotx_mqtt_event_handle_func_fpt topic_handle_func, void *pcontext, int timeout_ms, int do_yield);

/* Unsubscribes and removes the handlers of topic_filter. Returns the packet id or an iotx_err_t. */
DLL_IOT_API int IOT_MQTT_Unsubscribe(void *handle, const char *topic_filter);

/* Publishes topic_msg. Returns 0 for QoS 0, the packet id for QoS 1, or an iotx_err_t. */
DLL_IOT_API int IOT_MQTT_Publish(void *handle, const char *topic_name, iotx_mqtt_topic_info_pt topic_msg);

#ifdef __cplusplus
}
#endif

#endif /* _IOT_EXPORT_MQTT_H_ */

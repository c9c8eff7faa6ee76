/* SPDX-License-Identifier: Apache-2.0 */
/* The MQTT client. */
#ifndef _IOT_EXPORT_MQTT_H_
#define _IOT_EXPORT_MQTT_H_

#include "infra_types.h"
#include "infra_defs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sizes and limits. Times without unit are in seconds for KEEPALIVE, in milliseconds for REQ
 * and REQUEST; the lengths are in bytes. */
#define MUTLI_SUBSCIRBE_MAX              5
#if IOTX_SDK_ABI_MINOR >= 1
#define CONFIG_MQTT_MESSAGE_MAXLEN       3072
#else
#define CONFIG_MQTT_MESSAGE_MAXLEN       1024
#endif
#define CONFIG_MQTT_TOPIC_MAXLEN         128
#define CONFIG_MQTT_KEEPALIVE_INTERVAL   60
#if IOTX_SDK_ABI_MINOR >= 1
#define CONFIG_MQTT_REQUEST_TIMEOUT      5000
#define CONFIG_MQTT_REQ_TIMEOUT_MIN      1000
#define CONFIG_MQTT_REQ_TIMEOUT_MAX      10000
#else
#define CONFIG_MQTT_REQUEST_TIMEOUT      2000
#define CONFIG_MQTT_REQ_TIMEOUT_MIN      500
#define CONFIG_MQTT_REQ_TIMEOUT_MAX      5000
#endif
#define CONFIG_MQTT_KEEPALIVE_INTERVAL_MIN 30
#define CONFIG_MQTT_KEEPALIVE_INTERVAL_MAX 1200

/* Quality of service. QOS3_SUB_LOCAL registers a handler without a SUBSCRIBE packet. */
typedef enum {
    IOTX_MQTT_QOS0 = 0,
    IOTX_MQTT_QOS1 = 1,
    IOTX_MQTT_QOS2 = 2,
    IOTX_MQTT_QOS3_SUB_LOCAL = 3
} iotx_mqtt_qos_t;

/* What happened to a client; the value of msg is named behind each. */
typedef enum {
    IOTX_MQTT_EVENT_UNDEF = 0, /* not fired */
    IOTX_MQTT_EVENT_DISCONNECT = 1, /* NULL */
    IOTX_MQTT_EVENT_RECONNECT = 2, /* NULL */
    IOTX_MQTT_EVENT_SUBCRIBE_SUCCESS = 3, /* packet id as (void *)(uintptr_t) */
    IOTX_MQTT_EVENT_SUBCRIBE_TIMEOUT = 4, /* not fired */
    IOTX_MQTT_EVENT_SUBCRIBE_NACK = 5, /* packet id */
    IOTX_MQTT_EVENT_UNSUBCRIBE_SUCCESS = 6, /* packet id */
    IOTX_MQTT_EVENT_UNSUBCRIBE_TIMEOUT = 7, /* not fired */
    IOTX_MQTT_EVENT_UNSUBCRIBE_NACK = 8, /* not fired */
    IOTX_MQTT_EVENT_PUBLISH_SUCCESS = 9, /* packet id */
    IOTX_MQTT_EVENT_PUBLISH_TIMEOUT = 10, /* not fired */
    IOTX_MQTT_EVENT_PUBLISH_NACK = 11, /* not fired */
    IOTX_MQTT_EVENT_PUBLISH_RECEIVED = 12, /* iotx_mqtt_topic_info_t * */
    IOTX_MQTT_EVENT_BUFFER_OVERFLOW = 13 /* const char * */
} iotx_mqtt_event_type_t;

/* Events of an asynchronous network stack. */
typedef enum {
    IOTX_MQTT_SOC_CONNECTED = 0,
    IOTX_MQTT_SOC_CLOSE = 1,
    IOTX_MQTT_SOC_READ = 2,
    IOTX_MQTT_SOC_WRITE = 3,
    IOTX_MQTT_SOC_MAX = 4
} iotx_mqtt_nwk_event_t;

typedef struct {
    uintptr_t fd;
} iotx_mqtt_nwk_param_t;

/* A message. Pointers of a received one live until the handler returns; its payload is
 * followed by one NUL. */
typedef struct {
    uint16_t packet_id;
    uint8_t qos;
    uint8_t dup;
    uint8_t retain;
    uint16_t topic_len;
    uint32_t payload_len;
    const char *ptopic;
    const char *payload;
} iotx_mqtt_topic_info_t, *iotx_mqtt_topic_info_pt;

/* An event as handed to a handler. */
typedef struct {
    iotx_mqtt_event_type_t event_type;
    void *msg;
} iotx_mqtt_event_msg_t, *iotx_mqtt_event_msg_pt;

/* A handler: its own context, the handle of the client, the event. */
typedef void (*iotx_mqtt_event_handle_func_fpt)(void *pcontext, void *pclient, iotx_mqtt_event_msg_pt msg);

typedef struct {
    iotx_mqtt_event_handle_func_fpt h_fp;
    void *pcontext;
} iotx_mqtt_event_handle_t, *iotx_mqtt_event_handle_pt;

/* Parameters of a client. NULL, "" and 0 select the defaults; strings are copied. */
typedef struct {
    uint16_t port;
    const char *host;
    const char *client_id;
    const char *username;
    const char *password;
    const char *customize_info;
    const char *pub_key;
    uint8_t clean_session;
    uint32_t request_timeout_ms;
    uint32_t keepalive_interval_ms;
    uint32_t write_buf_size;
    uint32_t read_buf_size;
    iotx_mqtt_event_handle_t handle_event;
} iotx_mqtt_param_t, *iotx_mqtt_param_pt;


/* Creates, connects and returns the client, or the existing one. NULL parameters select all
 * defaults. NULL on failure; the reason is reported as a state event. */
void *IOT_MQTT_Construct(iotx_mqtt_param_t *pInitParams);

/* Disconnects and frees the client *phandle (NULL phandle: the existing one) and clears
 * *phandle. Returns 0 or STATE_USER_INPUT_INVALID. */
int IOT_MQTT_Destroy(void **phandle);

/* Receives, keeps alive and reconnects for timeout_ms milliseconds; handlers run inside.
 * Returns 0, or STATE_USER_INPUT_INVALID. In all functions below a NULL handle means the
 * existing client. */
int IOT_MQTT_Yield(void *handle, int timeout_ms);

/* 1 connected, 0 off-line, STATE_USER_INPUT_INVALID without a client. */
int IOT_MQTT_CheckStateNormal(void *handle);

/* Subscribes and registers a handler for topic_filter. Returns the packet id or a negative
 * code. */
int IOT_MQTT_Subscribe(
    void *handle, const char *topic_filter, iotx_mqtt_qos_t qos,
    iotx_mqtt_event_handle_func_fpt topic_handle_func, void *pcontext);

/* As IOT_MQTT_Subscribe, and waits up to timeout_ms for the acknowledgement. */
int IOT_MQTT_Subscribe_Sync(
    void *handle, const char *topic_filter, iotx_mqtt_qos_t qos,
    iotx_mqtt_event_handle_func_fpt topic_handle_func, void *pcontext, int timeout_ms);

/* Unsubscribes and removes the handlers of topic_filter. Returns the packet id or a negative
 * code. */
int IOT_MQTT_Unsubscribe(void *handle, const char *topic_filter);

/* Publishes topic_msg. Returns 0 for QoS 0, the packet id for QoS 1, or a negative code. */
int IOT_MQTT_Publish(void *handle, const char *topic_name, iotx_mqtt_topic_info_pt topic_msg);

/* Publishes len bytes of data. Returns as IOT_MQTT_Publish. */
int IOT_MQTT_Publish_Simple(void *handle, const char *topic_name, int qos, void *data, int len);

/* For asynchronous network stacks; STATE_MQTT_ASYNC_STACK_NOT_SUPPORT in this build. */
int IOT_MQTT_Nwk_Event_Handler(
    void *handle, iotx_mqtt_nwk_event_t event, iotx_mqtt_nwk_param_t *param);

#ifdef __cplusplus
}
#endif

#endif /* _IOT_EXPORT_MQTT_H_ */

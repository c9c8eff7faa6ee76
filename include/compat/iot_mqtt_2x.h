/* SPDX-License-Identifier: Apache-2.0 */
/* Types of the MQTT client that 2.2.1 and 2.3.0 share; included by their iot_export_mqtt.h. */
#ifndef IOTX_COMPAT_MQTT_2X_H
#define IOTX_COMPAT_MQTT_2X_H

#include <stdint.h>

#define MUTLI_SUBSCIRBE_MAX              5

/* Quality of service. */
typedef enum {
    IOTX_MQTT_QOS0 = 0,
    IOTX_MQTT_QOS1 = 1,
    IOTX_MQTT_QOS2 = 2
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

/* An older spelling. */
#define IOTX_MQTT_EVENT_PUBLISH_RECVEIVED IOTX_MQTT_EVENT_PUBLISH_RECEIVED

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

#endif /* IOTX_COMPAT_MQTT_2X_H */

/*
 * A device with a secret that reports a value every second and prints what the cloud sends.
 *
 *   dev_secret_example PRODUCT_KEY DEVICE_NAME DEVICE_SECRET [REPORTS]
 *
 * It publishes REPORTS messages (default 5) with QoS 1 to /{product key}/{device name}/user/update,
 * listens on /{product key}/{device name}/user/get and ends when all reports are acknowledged.
 * Exit status: 0 all acknowledged, 1 no connection, 2 wrong arguments, 3 not all acknowledged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infra_compat.h"
#include "infra_state.h"
#include "dev_sign_api.h"
#include "mqtt_api.h"
#include "wrappers.h"

#define TOPIC_SIZE  (128 + 1)
#define MAX_REPORTS 100

/* Packet ids that wait for their acknowledgement. */
typedef struct {
    int pending[MAX_REPORTS];
    int sent;
    int acknowledged;
} reports_t;

static void on_event(void *pcontext, void *pclient, iotx_mqtt_event_msg_pt msg)
{
    reports_t *reports = (reports_t *)pcontext;
    int        id;
    int        i;
    (void)pclient;

    switch (msg->event_type) {
        case IOTX_MQTT_EVENT_PUBLISH_SUCCESS:
            id = (int)(uintptr_t)msg->msg;
            for (i = 0; i < reports->sent; i++) {
                if (reports->pending[i] == id) {
                    reports->pending[i] = 0;
                    reports->acknowledged++;
                    HAL_Printf("acknowledged   report %d\n", i + 1);
                    break;
                }
            }
            break;
        case IOTX_MQTT_EVENT_DISCONNECT:
            HAL_Printf("lost           the connection is gone, the library connects again\n");
            break;
        case IOTX_MQTT_EVENT_RECONNECT:
            HAL_Printf("back           connected again\n");
            break;
        default:
            break;
    }
}

static void on_message(void *pcontext, void *pclient, iotx_mqtt_event_msg_pt msg)
{
    iotx_mqtt_topic_info_pt info;
    (void)pcontext;
    (void)pclient;

    if (msg->event_type == IOTX_MQTT_EVENT_PUBLISH_RECEIVED) {
        info = (iotx_mqtt_topic_info_pt)msg->msg;
        HAL_Printf("received       %.*s\n", (int)info->payload_len, info->payload);
    }
}

static int on_state(int code, const char *message)
{
    if (code != 0 && code != STATE_MQTT_CONN_USER_INFO && code != STATE_MQTT_SUB_INFO && code != STATE_MQTT_PUB_INFO) {
        HAL_Printf("state          -0x%04X %s\n", (unsigned int)-code, message != NULL ? message : "");
    }
    return 0;
}

int main(int argc, char **argv)
{
    reports_t         reports;
    iotx_mqtt_param_t param;
    char              get[TOPIC_SIZE];
    char              update[TOPIC_SIZE];
    char              text[64];
    void             *client;
    uint64_t          end;
    int               wanted = 5;
    int               res;

    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: %s PRODUCT_KEY DEVICE_NAME DEVICE_SECRET [REPORTS]\n", argv[0]);
        return 2;
    }
    if (argc == 5) {
        wanted = atoi(argv[4]);
        if (wanted < 1 || wanted > MAX_REPORTS) {
            fprintf(stderr, "REPORTS is a number from 1 to %d\n", MAX_REPORTS);
            return 2;
        }
    }

    memset(&reports, 0, sizeof(reports));
    IOT_SetLogLevel(IOT_LOG_INFO);
    IOT_RegisterCallback(ITE_STATE_EVERYTHING, on_state);

    /* A value that is too long is refused here, and the old one stays. */
    if (IOT_Ioctl(IOTX_IOCTL_SET_PRODUCT_KEY, argv[1]) != 0
        || IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_NAME, argv[2]) != 0
        || IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_SECRET, argv[3]) != 0) {
        fprintf(stderr, "product key, device name or secret is too long\n");
        return 2;
    }
    if (snprintf(get, sizeof(get), "/%s/%s/user/get", argv[1], argv[2]) >= (int)sizeof(get)
        || snprintf(update, sizeof(update), "/%s/%s/user/update", argv[1], argv[2]) >= (int)sizeof(update)) {
        fprintf(stderr, "the topics do not fit\n");
        return 2;
    }

    memset(&param, 0, sizeof(param));
    param.handle_event.h_fp     = on_event;
    param.handle_event.pcontext = &reports;
    client = IOT_MQTT_Construct(&param);
    if (client == NULL) {
        HAL_Printf("no connection: the state lines above say why\n");
        return 1;
    }

    res = IOT_MQTT_Subscribe_Sync(client, get, IOTX_MQTT_QOS0, on_message, NULL, 5000);
    if (res < 0) {
        HAL_Printf("subscribe failed: -0x%04X\n", (unsigned int)-res);
    }

    while (reports.sent < wanted) {
        snprintf(text, sizeof(text), "{\"report\":%d,\"uptime_ms\":%lu}", reports.sent + 1,
                 (unsigned long)HAL_UptimeMs());
        res = IOT_MQTT_Publish_Simple(client, update, IOTX_MQTT_QOS1, text, (int)strlen(text));
        if (res > 0) {
            reports.pending[reports.sent++] = res;
            HAL_Printf("published      %s\n", text);
        } else if (res == STATE_MQTT_IN_OFFLINE_STATUS || res == STATE_MQTT_QOS1_REPUB_EXCEED_MAX) {
            HAL_Printf("waiting        -0x%04X\n", (unsigned int)-res);
        } else {
            HAL_Printf("publish failed: -0x%04X\n", (unsigned int)-res);
            break;
        }
        /* Yield lasts its full time, connected or not: it is the program's clock. */
        IOT_MQTT_Yield(client, 1000);
    }

    end = HAL_UptimeMs() + 15000;
    while (reports.acknowledged < reports.sent && HAL_UptimeMs() < end) {
        IOT_MQTT_Yield(client, 100);
    }
    IOT_MQTT_Destroy(&client);
    HAL_Printf("done           %d of %d reports acknowledged\n", reports.acknowledged, wanted);
    return reports.acknowledged == wanted ? 0 : 3;
}

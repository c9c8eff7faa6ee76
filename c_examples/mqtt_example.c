/*
 * A device that connects, learns who it is, subscribes, publishes and gets its own message back.
 *
 *   mqtt_example                                  X.509: the identity comes from the cloud
 *   mqtt_example PRODUCT_KEY DEVICE_NAME SECRET   device secret
 *
 * The three values may also be given as IOTX_PRODUCT_KEY, IOTX_DEVICE_NAME and IOTX_DEVICE_SECRET
 * in the environment. In X.509 mode the certificate and the key are the symbols g_cli_crt and
 * g_cli_key, which an application defines for itself; see docs/tls.md.
 *
 * Exit status: 0 everything happened, 1 no connection, 2 wrong arguments, 3 something is missing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infra_compat.h"
#include "infra_state.h"
#include "dev_sign_api.h"
#include "mqtt_api.h"
#include "wrappers.h"

#define TOPIC_SIZE      (128 + 1)
#define MESSAGE         "{\"greeting\":\"hello from iotx\"}"
#define WAIT_MS         10000
#define YIELD_MS        100

/* What the callbacks have seen. All of them run on the thread that calls into the library. */
typedef struct {
    int subscribed;
    int published;
    int arrived;
} progress_t;

static char product_key[IOTX_PRODUCT_KEY_LEN + 1];
static char device_name[IOTX_DEVICE_NAME_LEN + 1];
static char device_secret[IOTX_DEVICE_SECRET_LEN + 1];

static void say(const char *what, const char *detail)
{
    HAL_Printf("%-14s %s\n", what, detail);
    fflush(stdout);
}

/* Called from inside IOT_MQTT_Construct, before it returns. The payload is valid during the call. */
static int on_identity(const char *payload)
{
    say("identity", payload);
    return 0;
}

static int on_connected(void)
{
    say("connected", "the cloud accepted the device");
    return 0;
}

/* Progress and failures, in words. Codes of the connection parameters and of single messages are
 * left out: they carry no news here. */
static int on_state(int code, const char *message)
{
    char line[96];

    if (code == STATE_MQTT_CONN_USER_INFO || code == STATE_MQTT_SUB_INFO || code == STATE_MQTT_PUB_INFO || code == 0) {
        return 0;
    }
    snprintf(line, sizeof(line), "-0x%04X %s", (unsigned int)-code, message != NULL ? message : "");
    say("state", line);
    return 0;
}

/* Everything that is not a message for a subscribed topic. */
static void on_event(void *pcontext, void *pclient, iotx_mqtt_event_msg_pt msg)
{
    progress_t *progress = (progress_t *)pcontext;
    (void)pclient;

    switch (msg->event_type) {
        case IOTX_MQTT_EVENT_SUBCRIBE_SUCCESS:
            progress->subscribed = 1;
            break;
        case IOTX_MQTT_EVENT_SUBCRIBE_NACK:
            say("refused", "the cloud does not allow this subscription");
            break;
        case IOTX_MQTT_EVENT_PUBLISH_SUCCESS:
            progress->published = 1;
            break;
        case IOTX_MQTT_EVENT_DISCONNECT:
            say("lost", "the connection is gone, the library connects again");
            break;
        case IOTX_MQTT_EVENT_RECONNECT:
            say("back", "connected again");
            break;
        default:
            break;
    }
}

static void on_message(void *pcontext, void *pclient, iotx_mqtt_event_msg_pt msg)
{
    progress_t *progress = (progress_t *)pcontext;
    iotx_mqtt_topic_info_pt info;
    (void)pclient;

    if (msg->event_type != IOTX_MQTT_EVENT_PUBLISH_RECEIVED) {
        return;
    }
    info = (iotx_mqtt_topic_info_pt)msg->msg;
    HAL_Printf("%-14s %.*s  %.*s\n", "arrived", (int)info->topic_len, info->ptopic,
               (int)info->payload_len, info->payload);
    fflush(stdout);
    if (info->payload_len == strlen(MESSAGE) && memcmp(info->payload, MESSAGE, info->payload_len) == 0) {
        progress->arrived = 1;
    }
}

/* Yields until *flag is set or the time is over. */
static int wait_for(void *client, const int *flag, uint32_t ms)
{
    uint64_t end = HAL_UptimeMs() + ms;

    while (!*flag && HAL_UptimeMs() < end) {
        IOT_MQTT_Yield(client, YIELD_MS);
    }
    return *flag;
}

static int copy_argument(char *to, size_t size, const char *value, const char *name)
{
    if (strlen(value) >= size) {
        HAL_Printf("%s is longer than %u characters\n", name, (unsigned int)(size - 1));
        return -1;
    }
    memcpy(to, value, strlen(value) + 1);
    return 0;
}

static int read_triple(int argc, char **argv)
{
    const char *pk = getenv("IOTX_PRODUCT_KEY");
    const char *dn = getenv("IOTX_DEVICE_NAME");
    const char *ds = getenv("IOTX_DEVICE_SECRET");

    if (argc == 4) {
        pk = argv[1];
        dn = argv[2];
        ds = argv[3];
    } else if (argc != 1) {
        HAL_Printf("usage: %s [PRODUCT_KEY DEVICE_NAME DEVICE_SECRET]\n", argv[0]);
        return -1;
    }
    if (copy_argument(product_key, sizeof(product_key), pk != NULL ? pk : "", "the product key") != 0
        || copy_argument(device_name, sizeof(device_name), dn != NULL ? dn : "", "the device name") != 0
        || copy_argument(device_secret, sizeof(device_secret), ds != NULL ? ds : "", "the device secret") != 0) {
        return -1;
    }
    return 0;
}

static int exchange(void *client, progress_t *progress)
{
    char topic[TOPIC_SIZE];
    int res = HAL_Snprintf(topic, sizeof(topic), "/%s/%s/user/get", product_key, device_name);

    if (res < 0 || res >= (int)sizeof(topic)) {
        HAL_Printf("the topic does not fit\n");
        return -1;
    }

    res = IOT_MQTT_Subscribe(client, topic, IOTX_MQTT_QOS1, on_message, progress);
    if (res < 0 || !wait_for(client, &progress->subscribed, WAIT_MS)) {
        HAL_Printf("subscribe failed: %d\n", res);
        return -1;
    }
    say("subscribed", topic);

    /* The library's own version report also ends in an acknowledgement: count from here. */
    progress->published = 0;
    res = IOT_MQTT_Publish_Simple(client, topic, IOTX_MQTT_QOS1, (void *)MESSAGE, (int)strlen(MESSAGE));
    if (res < 0) {
        HAL_Printf("publish failed: %d\n", res);
        return -1;
    }
    say("published", MESSAGE);

    if (!wait_for(client, &progress->arrived, WAIT_MS)) {
        HAL_Printf("the message did not come back within %d ms\n", WAIT_MS);
        return -1;
    }
    if (!wait_for(client, &progress->published, WAIT_MS)) {
        HAL_Printf("the message was not acknowledged within %d ms\n", WAIT_MS);
        return -1;
    }

    res = IOT_MQTT_Unsubscribe(client, topic);
    if (res < 0) {
        HAL_Printf("unsubscribe failed: %d\n", res);
        return -1;
    }
    IOT_MQTT_Yield(client, YIELD_MS);
    return 0;
}

int main(int argc, char **argv)
{
    progress_t        progress = {0, 0, 0};
    iotx_mqtt_param_t param;
    void             *client;
    int               status;

    if (read_triple(argc, argv) != 0) {
        return 2;
    }

    IOT_SetLogLevel(IOT_LOG_INFO);
    IOT_RegisterCallback(ITE_STATE_EVERYTHING, on_state);
    IOT_RegisterCallback(ITE_IDENTITY_RESPONSE, on_identity);
    IOT_RegisterCallback(ITE_MQTT_CONNECT_SUCC, on_connected);

    IOT_Ioctl(IOTX_IOCTL_SET_PRODUCT_KEY, product_key);
    IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_NAME, device_name);
    IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_SECRET, device_secret);

    /* Everything that stays zero takes its documented default: host and port by the kind of sign-in,
     * client id, user name and password from the signature. */
    memset(&param, 0, sizeof(param));
    param.keepalive_interval_ms = 300 * 1000;
    param.handle_event.h_fp     = on_event;
    param.handle_event.pcontext = &progress;

    client = IOT_MQTT_Construct(&param);
    if (client == NULL) {
        HAL_Printf("no connection: the state lines above say why\n");
        return 1;
    }

    IOT_Ioctl(IOTX_IOCTL_GET_PRODUCT_KEY, product_key);
    IOT_Ioctl(IOTX_IOCTL_GET_DEVICE_NAME, device_name);
    if (product_key[0] == '\0' || device_name[0] == '\0') {
        HAL_Printf("the cloud did not say who this device is\n");
        status = 3;
    } else {
        HAL_Printf("%-14s product key %s, device name %s\n", "this is", product_key, device_name);
        status = exchange(client, &progress) == 0 ? 0 : 3;
    }

    if (IOT_MQTT_Destroy(&client) != 0) {
        HAL_Printf("disconnect failed\n");
        return 3;
    }
    say("disconnected", status == 0 ? "cleanly" : "after an error");
    return status;
}

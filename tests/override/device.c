/*
 * An X.509 device over whatever HAL is linked: mutual TLS, identity, and a message with QoS 0 and one with
 * QoS 1 both ways. Prints whose HAL it was, and what happened. Exit status 0: everything did.
 */
#include <stdio.h>
#include <string.h>

#include "infra_compat.h"
#include "iotx.h"
#include "mqtt_api.h"
#include "wrappers.h"

static int identities, second, acknowledged, arrived[2], wrong;

static const char *const messages[2] = {"with QoS 0", "with QoS 1"};

static int on_identity(const char *payload)
{
    identities++;
    printf("identity %s\n", payload);
    return 0;
}

static void on_event(void *context, void *client, iotx_mqtt_event_msg_pt msg)
{
    (void)context;
    (void)client;
    /* The library's own reports are acknowledged, too. */
    acknowledged += msg->event_type == IOTX_MQTT_EVENT_PUBLISH_SUCCESS && second > 0 && (uintptr_t)msg->msg == (uintptr_t)second;
}

static void on_message(void *context, void *client, iotx_mqtt_event_msg_pt msg)
{
    iotx_mqtt_topic_info_pt info = (iotx_mqtt_topic_info_pt)msg->msg;

    (void)context;
    (void)client;
    if (msg->event_type != IOTX_MQTT_EVENT_PUBLISH_RECEIVED) {
        return;
    }
    if (info->qos <= 1 && info->payload_len == 10 && memcmp(info->payload, messages[info->qos], 10) == 0) {
        arrived[info->qos]++;
    } else {
        wrong++;
    }
}

int main(void)
{
    iotx_mqtt_param_t param;
    char              product_key[IOTX_PRODUCT_KEY_LEN + 1] = "", device_name[IOTX_DEVICE_NAME_LEN + 1] = "";
    char              topic[128], whose[80] = "";
    void             *client;
    int               subscribed, first, turn;

    IOT_SetLogLevel(IOT_LOG_WARNING);
    IOT_RegisterCallback(ITE_IDENTITY_RESPONSE, on_identity);
    iotx_hal_in_use(whose, (int)sizeof(whose));
    printf("%s\n", whose);
    memset(&param, 0, sizeof(param));
    param.handle_event.h_fp = on_event;
    client                  = IOT_MQTT_Construct(&param);
    if (client == NULL) {
        printf("no connection\n");
        return 1;
    }
    IOT_Ioctl(IOTX_IOCTL_GET_PRODUCT_KEY, product_key);
    IOT_Ioctl(IOTX_IOCTL_GET_DEVICE_NAME, device_name);
    snprintf(topic, sizeof(topic), "/%s/%s/user/get", product_key, device_name);
    subscribed = IOT_MQTT_Subscribe_Sync(client, topic, IOTX_MQTT_QOS1, on_message, NULL, 5000);
    first      = IOT_MQTT_Publish_Simple(client, topic, IOTX_MQTT_QOS0, (void *)messages[0], 10);
    second     = IOT_MQTT_Publish_Simple(client, topic, IOTX_MQTT_QOS1, (void *)messages[1], 10);
    for (turn = 0; turn < 100 && (arrived[0] == 0 || arrived[1] == 0 || acknowledged == 0); turn++) {
        IOT_MQTT_Yield(client, 50);
    }
    printf("subscribed %d sent %d %d acknowledged %d arrived %d %d wrong %d\n", subscribed > 0, first == 0, second > 0,
           acknowledged, arrived[0], arrived[1], wrong);
    printf("destroyed %d\n", IOT_MQTT_Destroy(&client));
    return identities == 1 && subscribed > 0 && first == 0 && second > 0 && acknowledged == 1 && arrived[0] == 1
                   && arrived[1] == 1 && wrong == 0
               ? 0 : 1;
}

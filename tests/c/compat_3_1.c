/* iotx-test: compat 3.1 platform c++ shared
 *
 * A device of SDK 3.1.0: identity by IOT_Ioctl, the shorter device description, the event numbers of
 * that version, publishing with handle 0.
 */
#include <string.h>
#include "infra_compat.h"
#include "dev_sign_api.h"
#include "mqtt_api.h"
#include "wrappers.h"

static char product_key[IOTX_PRODUCT_KEY_LEN + 1]       = "a1MZxOdcBnO";
static char product_secret[IOTX_PRODUCT_SECRET_LEN + 1] = "unused";
static char device_name[IOTX_DEVICE_NAME_LEN + 1]       = "example1";
static char device_secret[IOTX_DEVICE_SECRET_LEN + 1]   = "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X";

static int arrived, connected, states, last_code;

#define CHECK(condition)                                         \
    do {                                                         \
        if (!(condition)) {                                      \
            HAL_Printf("line %d: %s\n", __LINE__, #condition);   \
            return 1;                                            \
        }                                                        \
    } while (0)

#ifdef __cplusplus
extern "C" {
#endif
static int on_identity(const char *payload) { return payload == NULL; }
static int on_connect(void) { connected++; return 0; }
static int on_state(const int code, const char *message)
{
    states += message != NULL;
    last_code = code;
    return 0;
}
static void on_message(void *context, void *client, iotx_mqtt_event_msg_pt msg)
{
    iotx_mqtt_topic_info_t *info = (iotx_mqtt_topic_info_pt)msg->msg;

    (void)client;
    if (msg->event_type == IOTX_MQTT_EVENT_PUBLISH_RECEIVED && context == &arrived && info->payload_len == 5 &&
        memcmp(info->payload, "hello", 5) == 0) {
        arrived++;
    }
}
#ifdef __cplusplus
}
#endif

static int sign(void)
{
    struct {
        iotx_dev_meta_info_t meta;
        char                 behind[65];
    } block;
    iotx_sign_mqtt_t out;

    memset(&block, 0, sizeof(block));
    memset(block.behind, 0x5A, sizeof(block.behind));
    strcpy(block.meta.product_key, product_key);
    strcpy(block.meta.device_name, device_name);
    strcpy(block.meta.device_secret, device_secret);
    CHECK(IOT_Sign_MQTT(IOTX_CLOUD_REGION_SHANGHAI, &block.meta, &out) == 0);
    CHECK(strcmp(out.hostname, "a1MZxOdcBnO.iot-as-mqtt.cn-shanghai.aliyuncs.com") == 0);
    CHECK(strcmp(out.username, "example1&a1MZxOdcBnO") == 0);
    CHECK(strlen(out.password) == 64 && out.port == 443);
    CHECK(block.behind[0] == 0x5A && block.behind[64] == 0x5A);
    return 0;
}

static int events(void)
{
    CHECK(IOT_RegisterCallback(ITE_IDENTITY_RESPONSE, on_identity) == 0);
    CHECK(IOT_RegisterCallback(ITE_MQTT_CONNECT_SUCC, on_connect) == 0);
    CHECK(IOT_RegisterCallback(ITE_STATE_EVERYTHING, on_state) == 0);
    CHECK(ITE_MQTT_CONNECT_SUCC == 17 && ITE_STATE_DEV_MODEL == 30);
    CHECK((uintptr_t)iotx_event_callback(ITE_MQTT_CONNECT_SUCC) == (uintptr_t)on_connect);
    CHECK((uintptr_t)iotx_event_callback(ITE_IDENTITY_RESPONSE) == (uintptr_t)on_identity);
    CHECK((uintptr_t)iotx_event_callback(ITE_STATE_DEV_MODEL) == (uintptr_t)on_state);
    CHECK(iotx_event_callback(ITE_COTA) == NULL);
    CHECK(iotx_event_callback(ITE_STATE_DEV_MODEL + 1) == NULL);
    CHECK(iotx_state_event(ITE_STATE_DEV_MODEL, -0x0999, "%d of %s", 1, "two") == 0);
    CHECK(states == 1 && last_code == -0x0999);
    CHECK(iotx_state_event(ITE_IDENTITY_RESPONSE, -1, "no state event") == -1);
    return 0;
}

int main(void)
{
    iotx_mqtt_param_t params;
    char              topic[80];
    char              payload[] = "hello";
    char              got[IOTX_DEVICE_NAME_LEN + 1];
    void             *client;
    int               round;

    if (sign() != 0 || events() != 0) {
        return 1;
    }
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_PRODUCT_KEY, product_key) == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_PRODUCT_SECRET, product_secret) == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_NAME, device_name) == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_SECRET, device_secret) == 0);

    memset(&params, 0, sizeof(params));
    client = IOT_MQTT_Construct(&params);
    CHECK(client != NULL && connected == 1);
    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_DEVICE_NAME, got) == 0 && strcmp(got, device_name) == 0);

    HAL_Snprintf(topic, sizeof(topic), "/%s/%s/user/get", product_key, device_name);
    CHECK(IOT_MQTT_Subscribe(client, topic, IOTX_MQTT_QOS0, on_message, &arrived) > 0);
    CHECK(IOT_MQTT_Publish_Simple(0, topic, IOTX_MQTT_QOS0, payload, 5) == 0);
    for (round = 0; round < 100 && arrived == 0; round++) {
        IOT_MQTT_Yield(client, 100);
    }
    CHECK(arrived == 1);
    CHECK(IOT_MQTT_Destroy(&client) == 0 && client == NULL);
    CHECK(IOT_MQTT_Publish_Simple(0, topic, IOTX_MQTT_QOS0, payload, 5) == -0x0113);
    return 0;
}

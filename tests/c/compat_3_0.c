/* iotx-test: compat 3.0 platform c++ shared valgrind
 *
 * A device of SDK 3.0.1: it includes two headers, declares the HAL functions it uses itself, answers
 * HAL_GetProductKey and its siblings, subscribes before it connects, and expects the results of 3.0.1. Then the
 * same device without a secret of its own: it registers once, and the library keeps the secret, as 3.0.1 did.
 */
#include <stdlib.h>

#include "dev_sign_api.h"
#include "mqtt_api.h"
#include "infra_compat.h"
#include "dynreg_api.h"
#include "iotx.h"

#ifdef __cplusplus
extern "C" {
#endif
int   HAL_GetProductKey(char product_key[IOTX_PRODUCT_KEY_LEN + 1]);
int   HAL_GetDeviceName(char device_name[IOTX_DEVICE_NAME_LEN + 1]);
int   HAL_GetDeviceSecret(char device_secret[IOTX_DEVICE_SECRET_LEN + 1]);
void  HAL_Printf(const char *fmt, ...);
int   HAL_Snprintf(char *str, const int len, const char *fmt, ...);
void *HAL_Malloc(uint32_t size);
void  HAL_Free(void *ptr);
#ifdef __cplusplus
}
#endif

#define CHECK(condition)                                         \
    do {                                                         \
        if (!(condition)) {                                      \
            HAL_Printf("line %d: %s\n", __LINE__, #condition);   \
            return 1;                                            \
        }                                                        \
    } while (0)

typedef struct {
    int         number;
    list_head_t linked_list;
} item_t;

static const char *secret = "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X";
static int         asked, arrived, first, connected, registered;

#ifdef __cplusplus
extern "C" {
#endif
int HAL_GetProductKey(char product_key[IOTX_PRODUCT_KEY_LEN + 1])
{
    asked++;
    strcpy(product_key, "a1MZxOdcBnO");
    return (int)strlen(product_key);
}
int HAL_GetProductSecret(char product_secret[IOTX_PRODUCT_SECRET_LEN + 1])
{
    strcpy(product_secret, "h4I4dneEFp7EImTv");
    return (int)strlen(product_secret);
}
int32_t IOT_Dynamic_Register(iotx_http_region_types_t region, iotx_dev_meta_info_t *meta)
{
    registered++;
    strcpy(meta->device_secret, "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X");
    return region == IOTX_HTTP_REGION_SHANGHAI && strcmp(meta->product_secret, "h4I4dneEFp7EImTv") == 0 ? 0 : -1;
}
int HAL_GetDeviceName(char device_name[IOTX_DEVICE_NAME_LEN + 1])
{
    asked++;
    strcpy(device_name, "example1");
    return (int)strlen(device_name);
}
int HAL_GetDeviceSecret(char device_secret[IOTX_DEVICE_SECRET_LEN + 1])
{
    asked++;
    strcpy(device_secret, secret);
    return (int)strlen(device_secret);
}
static int on_connect(void) { connected++; return 0; }
static void on_message(void *context, void *client, iotx_mqtt_event_msg_pt msg)
{
    (void)client;
    if (msg->event_type == IOTX_MQTT_EVENT_PUBLISH_RECEIVED) {
        ++*(int *)context;
    }
}
#ifdef __cplusplus
}
#endif

static int sign(void)
{
    iotx_dev_meta_info_t meta;
    iotx_sign_mqtt_t     out;

    memset(&meta, 0, sizeof(meta));
    memset(&out, 0x5A, sizeof(out));
    HAL_GetProductKey(meta.product_key);
    HAL_GetDeviceName(meta.device_name);
    HAL_GetDeviceSecret(meta.device_secret);
    CHECK(IOT_Sign_MQTT(IOTX_CLOUD_REGION_JAPAN, &meta, &out) == 0);
    CHECK(strcmp(out.hostname, "a1MZxOdcBnO.iot-as-mqtt.ap-northeast-1.aliyuncs.com") == 0);
    CHECK(strncmp(out.clientid, "a1MZxOdcBnO.example1|", 21) == 0 && out.port == 443);
    CHECK(strcmp(out.username, "example1&a1MZxOdcBnO") == 0 && strlen(out.password) == 64);
    CHECK(IOT_Sign_MQTT(IOTX_CLOUD_REGION_CUSTOM, &meta, &out) == ERROR_DEV_SIGN_CUSTOM_DOMAIN_IS_NULL);
    CHECK(IOT_Sign_MQTT(IOTX_CLOUD_REGION_JAPAN, NULL, &out) == -1);
    return 0;
}

/* The lists that infra_compat.h of 3.0.1 brings along. */
static int lists(void)
{
    item_t      items[3];
    item_t     *item = NULL;
    list_head_t head;
    int         sum = 0, number;

    INIT_LIST_HEAD(&head);
    for (number = 0; number < 3; number++) {
        items[number].number = number + 1;
        list_add_tail(&items[number].linked_list, &head);
    }
    list_del_init(&items[1].linked_list);
    list_for_each_entry(item, &head, linked_list, item_t) {
        sum = sum * 10 + item->number;
    }
    CHECK(sum == 13 && list_is_last(&items[2].linked_list, &head));
    return 0;
}

static int results_without_client(char *topic)
{
    void *none = NULL;

    CHECK(IOT_MQTT_Publish_Simple(0, topic, IOTX_MQTT_QOS0, topic, 1) == NULL_VALUE_ERROR);
    CHECK(IOT_MQTT_Yield(0, 10) == NULL_VALUE_ERROR && IOT_MQTT_Destroy(&none) == NULL_VALUE_ERROR);
    CHECK(IOT_MQTT_CheckStateNormal(0) == NULL_VALUE_ERROR);
    CHECK(IOT_MQTT_Subscribe(0, NULL, IOTX_MQTT_QOS0, on_message, &first) == NULL_VALUE_ERROR);
    CHECK(IOT_MQTT_Subscribe(0, topic, IOTX_MQTT_QOS0, on_message, &arrived) == 0);
    /* The later one for a filter replaces the one that waits. */
    CHECK(IOT_MQTT_Subscribe(0, topic, IOTX_MQTT_QOS0, on_message, &first) == 0);
    return 0;
}

static int registration(iotx_mqtt_param_t *params)
{
    char  path[256];
    int   on = 1, life;
    void *client;

    CHECK(getenv("IOTX_TMP") != NULL);
    HAL_Snprintf(path, sizeof(path), "%s/kv.bin", getenv("IOTX_TMP"));
    CHECK(iotx_kv_set_path(path) == 0 && IOT_Ioctl(IOTX_IOCTL_SET_DYNAMIC_REGISTER, &on) == 0);
    secret = "";
    for (life = 0; life < 2; life++) {
        client = IOT_MQTT_Construct(params);
        CHECK(client != NULL && registered == 1 && IOT_MQTT_Destroy(&client) == 0);
    }
    CHECK(iotx_dynreg_forget() == 0 && iotx_dynreg_forget() != 0);
    client = IOT_MQTT_Construct(params);
    CHECK(client != NULL && registered == 2 && IOT_MQTT_Destroy(&client) == 0);
    return 0;
}

int main(void)
{
    iotx_mqtt_param_t params;
    char             *topic = (char *)HAL_Malloc(80);
    int               region = IOTX_CLOUD_REGION_SHANGHAI, round;
    uint16_t          not_an_option = 1;
    void             *client;

    CHECK(topic != NULL && sign() == 0 && lists() == 0);
    CHECK(sizeof(iotx_sign_mqtt_t) == 588 && CONFIG_MQTT_REQUEST_TIMEOUT == 2000);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_REGION, &region) == 0 && IOT_Ioctl(14, &not_an_option) == -1);
    /* With the semicolon of the macro, as 3.0.1 allowed. */
    IOT_RegisterCallback(ITE_MQTT_CONNECT_SUCC, on_connect)
    CHECK(ITE_MQTT_CONNECT_SUCC == 16 && (uintptr_t)iotx_event_callback(ITE_MQTT_CONNECT_SUCC) == (uintptr_t)on_connect);
    HAL_Snprintf(topic, 80, "/%s/%s/user/get", "a1MZxOdcBnO", "example1");
    CHECK(results_without_client(topic) == 0);

    memset(&params, 0, sizeof(params));
    /* Nothing to connect with: no try is made. */
    secret = "";
    CHECK(IOT_MQTT_Construct(&params) == NULL && connected == 0);
    secret = "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X";
    asked  = 0;
    client = IOT_MQTT_Construct(&params);
    CHECK(client != NULL && asked >= 3 && connected == 1);
    CHECK(IOT_MQTT_Construct(NULL) == client && IOT_MQTT_CheckStateNormal(client) == 1);

    CHECK(IOT_MQTT_Publish_Simple(0, topic, IOTX_MQTT_QOS1, topic, (int)strlen(topic)) > 0);
    for (round = 0; round < 100 && first == 0; round++) {
        IOT_MQTT_Yield(client, 100);
    }
    CHECK(first == 1 && arrived == 0);
    CHECK(IOT_MQTT_Publish_Simple(0, "/a/+", IOTX_MQTT_QOS0, topic, 1) == -1);
    CHECK(IOT_MQTT_Publish_Simple(0, topic, 2, topic, 1) == -1);
    /* The buffer has 1024 bytes by default, the rest is not looked at. */
    CHECK(IOT_MQTT_Publish_Simple(0, topic, IOTX_MQTT_QOS0, topic, 1100) == -1);
    CHECK(IOT_MQTT_Subscribe(client, "no/slash", IOTX_MQTT_QOS0, on_message, &first) == MQTT_TOPIC_FORMAT_ERROR);
    CHECK(IOT_MQTT_Unsubscribe(client, topic) > 0);
    CHECK(IOT_MQTT_Destroy(&client) == 0 && client == NULL);
    HAL_Free(topic);
    return registration(&params);
}

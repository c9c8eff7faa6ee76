/* iotx-test: platform shared c++ valgrind
 *
 * Every name of the core and the HAL that the parts of SDK 3.2.0 which may stay in C import: device model with
 * client, server, gateway and its older interface, OTA, shadow, device reset, dynamic registration. Each is
 * here, and each is used the way those parts use it, in one life of a device at the local platform. A name
 * that the list has and the program does not use is a failure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infra_cjson.h"
#include "infra_compat.h"
#include "infra_json_parser.h"
#include "infra_log.h"
#include "infra_md5.h"
#include "infra_report.h"
#include "infra_sha256.h"
#include "infra_state.h"
#include "infra_string.h"
#include "infra_timer.h"
#include "mqtt_api.h"
#include "wrappers.h"

/* Declared by the parts themselves. */
#ifdef __cplusplus
extern "C" {
#endif
extern const char *iotx_ca_crt;
#ifdef __cplusplus
}
#endif

#define IMPORTS(X)                                                                                             \
    X(HAL_Free) X(HAL_Malloc) X(HAL_MutexCreate) X(HAL_MutexDestroy) X(HAL_MutexLock) X(HAL_MutexUnlock)         \
    X(HAL_SemaphoreCreate) X(HAL_SemaphoreDestroy) X(HAL_SemaphorePost) X(HAL_SemaphoreWait) X(HAL_SleepMs)      \
    X(HAL_Snprintf) X(HAL_UptimeMs) X(IOT_Ioctl) X(IOT_MQTT_CheckStateNormal) X(IOT_MQTT_Construct)              \
    X(IOT_MQTT_Destroy) X(IOT_MQTT_Publish) X(IOT_MQTT_Publish_Simple) X(IOT_MQTT_Subscribe)                     \
    X(IOT_MQTT_Subscribe_Sync) X(IOT_MQTT_Unsubscribe) X(IOT_MQTT_Yield) X(IOT_SetLogLevel)                      \
    X(LITE_hexstr_convert) X(LITE_json_value_of) X(LITE_rich_hexdump) X(LITE_syslog) X(g_infra_http_domain)      \
    X(infra_hex2char) X(infra_hex2str) X(infra_int2str) X(infra_json_value) X(infra_str2int) X(iotx_ca_crt)      \
    X(iotx_event_callback) X(iotx_event_post) X(iotx_facility_json_print) X(iotx_report_id) X(iotx_state_event)  \
    X(iotx_time_init) X(json_get_value_by_name) X(lite_cjson_add_item_to_array)                                  \
    X(lite_cjson_add_item_to_object) X(lite_cjson_array_item) X(lite_cjson_create_array)                         \
    X(lite_cjson_create_number) X(lite_cjson_create_object) X(lite_cjson_create_string) X(lite_cjson_delete)     \
    X(lite_cjson_init_hooks) X(lite_cjson_is_array) X(lite_cjson_is_number) X(lite_cjson_is_object)              \
    X(lite_cjson_is_string) X(lite_cjson_object_item) X(lite_cjson_object_item_by_index) X(lite_cjson_parse)     \
    X(lite_cjson_print_unformatted) X(utils_hmac_sha256) X(utils_md5_finish) X(utils_md5_init)                   \
    X(utils_md5_starts) X(utils_md5_update) X(utils_sha256_finish) X(utils_sha256_free) X(utils_sha256_init)     \
    X(utils_sha256_starts) X(utils_sha256_update) X(utils_time_countdown_ms) X(utils_time_get_ms)                \
    X(utils_time_is_expired)

#define NUMBER(name) USE_##name,
#define TEXT(name)   #name,
enum { IMPORTS(NUMBER) NAMES };
static const char *const names[NAMES] = {IMPORTS(TEXT)};
static int               used[NAMES];

/* A name of the list, marked as used. */
#define U(name) (*(used[USE_##name] = 1, &name))

static int   failures, arrived, acknowledged, posted, states, blocks;
static char  lines[4096];
static char  product_key[] = "a1MZxOdcBnO", device_name[] = "example1";
static char  device_secret[] = "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X";

#define CHECK(condition)                                   \
    do {                                                   \
        if (!(condition)) {                                \
            failures++;                                    \
            printf("line %d: %s\n", __LINE__, #condition); \
        }                                                  \
    } while (0)

#ifdef __cplusplus
extern "C" {
#endif
void iotx_log_write(const char *line)
{
    size_t length = strlen(lines);

    snprintf(lines + length, sizeof(lines) - length, "%s\n", line);
}

static void *item_malloc(unsigned int size) { blocks++; return malloc(size); }
static void  item_free(void *block) { blocks -= block != NULL; free(block); }
static void  on_post(int event) { posted = event; }

static int on_state(const int code, const char *text)
{
    states += code == -0x0901 && strcmp(text, "node 7 of shadow") == 0;
    return 0;
}

static void on_message(void *context, void *client, iotx_mqtt_event_msg_pt msg)
{
    iotx_mqtt_topic_info_pt info = (iotx_mqtt_topic_info_pt)msg->msg;

    (void)client;
    if (msg->event_type == IOTX_MQTT_EVENT_PUBLISH_RECEIVED && context == product_key) {
        char    *value;
        uint32_t length;

        CHECK(U(infra_json_value)(info->payload, info->payload_len, "id", 2, &value, &length) == 0);
        CHECK(length == 3 && (memcmp(value, "\"1\"", 3) == 0 || memcmp(value, "\"2\"", 3) == 0));
        arrived++;
    }
    acknowledged += msg->event_type == IOTX_MQTT_EVENT_PUBLISH_SUCCESS;
}
#ifdef __cplusplus
}
#endif

static void digests(void)
{
    static const unsigned char abc[] = "abc";
    iot_sha256_context         sha;
    iot_md5_context            md5;
    unsigned char              sum[32], back[4];
    char                       hex[65] = "", number[11] = "", first[] = "BA7816bf";
    int                        value = 0;

    U(utils_sha256_init)(&sha);
    U(utils_sha256_starts)(&sha);
    U(utils_sha256_update)(&sha, abc, 1);
    U(utils_sha256_update)(&sha, abc + 1, 2);
    U(utils_sha256_finish)(&sha, sum);
    U(utils_sha256_free)(&sha);
    U(infra_hex2str)(sum, 32, hex);
    CHECK(strncmp(hex, "BA7816BF8F01CFEA", 16) == 0 && strlen(hex) == 64);
    U(LITE_hexstr_convert)(first, 8, back, 4);
    CHECK(memcmp(back, sum, 4) == 0);
    U(utils_md5_init)(&md5);
    U(utils_md5_starts)(&md5);
    U(utils_md5_update)(&md5, abc, 3);
    U(utils_md5_finish)(&md5, sum);
    CHECK(sum[0] == 0x90 && sum[15] == 0x72);
    U(utils_hmac_sha256)((const uint8_t *)"what do ya want for nothing?", 28, (const uint8_t *)"Jefe", 4, sum);
    CHECK(sum[0] == 0x5b && sum[31] == 0x43);
    CHECK(U(infra_hex2char)(0xFC) == 'c');
    U(infra_int2str)(4294967295U, number);
    CHECK(strcmp(number, "4294967295") == 0);
    CHECK(U(infra_str2int)("-17", &value) == 0 && value == -17);
}

static int member(lite_cjson_t *from, const char *key, lite_cjson_t *to)
{
    return U(lite_cjson_object_item)(from, key, (int)strlen(key), to);
}

static void json(void)
{
    static char        text[] = "{\"data\":{\"list\":[{\"n\":\"one\"},2],\"code\":200},\"nope\":null}";
    static char        key[] = "data.code", name[] = "data", tail[] = "{\"x\":{\"key\":\"a,b]\"},\"keys\":1}";
    lite_cjson_hooks   hooks = {item_malloc, item_free};
    lite_cjson_t       root, at, list, label;
    lite_cjson_item_t *object, *array;
    char              *printed, *value;
    int                length = 0, type = 0;
    uint32_t           size = 0;

    CHECK(U(lite_cjson_parse)(text, (int)strlen(text), &root) == 0 && U(lite_cjson_is_object)(&root) == 1);
    CHECK(member(&root, "data.list", &list) == 0 && U(lite_cjson_is_array)(&list) == 1);
    CHECK(U(lite_cjson_array_item)(&list, 1, &at) == 0 && U(lite_cjson_is_number)(&at) == 1 && at.value_int == 2);
    CHECK(member(&root, "data.list[0].n", &at) == 0 && U(lite_cjson_is_string)(&at) == 1);
    CHECK(at.value_length == 3 && memcmp(at.value, "one", 3) == 0);
    CHECK(U(lite_cjson_object_item_by_index)(&root, 0, &label, &at) == 0 && label.value_length == 4);
    value = U(json_get_value_by_name)(text, (int)strlen(text), name, &length, &type);
    CHECK(value == strchr(text + 1, '{') && length == 35 && type == JOBJECT);
    value = U(LITE_json_value_of)(key, text, 0, "note");
    CHECK(value != NULL && strcmp(value, "200") == 0);
    U(HAL_Free)(value);

    U(lite_cjson_init_hooks)(&hooks);
    object = U(lite_cjson_create_object)();
    array  = U(lite_cjson_create_array)();
    U(lite_cjson_add_item_to_array)(array, U(lite_cjson_create_number)(7));
    U(lite_cjson_add_item_to_array)(array, U(lite_cjson_create_string)("a\"b"));
    U(lite_cjson_add_item_to_object)(object, "list", array);
    printed = U(lite_cjson_print_unformatted)(object);
    CHECK(printed != NULL && strcmp(printed, "{\"list\":[7,\"a\\\"b\"]}") == 0);
    item_free(printed);
    U(lite_cjson_delete)(object);
    CHECK(blocks == 0);
    U(lite_cjson_init_hooks)(NULL);

    /* The first member of this name at any level, whole, and nothing but a whole name. */
    CHECK(U(infra_json_value)(tail, (uint32_t)strlen(tail), "key", 3, &value, &size) == 0);
    CHECK(value == strstr(tail, "\"a,b]\"") && size == 6);
    CHECK(U(infra_json_value)(tail, (uint32_t)strlen(tail), "keys", 4, &value, &size) == 0 && size == 1);
    CHECK(U(infra_json_value)(text, (uint32_t)strlen(text), "nope", 4, &value, &size) == 0);
    CHECK(size == 4 && memcmp(value, "null", 4) == 0);
    CHECK(U(infra_json_value)(text, (uint32_t)strlen(text), "n", 1, &value, &size) == 0 && size == 5);
    size = 99;
    CHECK(U(infra_json_value)(tail, (uint32_t)strlen(tail), "ke", 2, &value, &size) == -1);
    CHECK(U(infra_json_value)(tail, 10, "key", 3, &value, &size) == -1 && size == 99);
    CHECK(U(infra_json_value)(NULL, 4, "key", 3, &value, &size) == -1);
    CHECK(U(infra_json_value)(tail, (uint32_t)strlen(tail), NULL, 3, &value, &size) == -1);
    CHECK(U(infra_json_value)(tail, (uint32_t)strlen(tail), "key", 3, NULL, &size) == -1);
    CHECK(U(infra_json_value)(tail, (uint32_t)strlen(tail), "key", 3, &value, NULL) == -1);
}

static void logging(void)
{
    char module[] = "dm";

    U(IOT_SetLogLevel)(IOT_LOG_INFO);
    lines[0] = '\0';
    U(LITE_syslog)(module, "f", 3, LOG_INFO_LEVEL, "%s %d", "node", 7);
    CHECK(strcmp(lines, "[info] dm: f(3): node 7\n") == 0);
    lines[0] = '\0';
    U(LITE_rich_hexdump)("f", 1, LOG_INFO_LEVEL, "t", "AB", 2);
    CHECK(strstr(lines, "| 00000000: 4142 ") != NULL);
    lines[0] = '\0';
    CHECK(U(iotx_facility_json_print)("{\"a\":[1,{ }], \"b\" : \"x,{\\\"\"} tail", LOG_INFO_LEVEL, '<') == 0);
    CHECK(strcmp(lines, "< {\n<     \"a\": [\n<         1,\n<         {}\n<     ],\n<     \"b\": \"x,{\\\"\"\n< }\n") == 0);
    lines[0] = '\0';
    lines[0] = '\0';
    CHECK(U(iotx_facility_json_print)("{\"a\":1}", LOG_DEBUG_LEVEL, '>') == 0 && lines[0] == '\0');
    CHECK(U(iotx_facility_json_print)("{\"deviceSecret\":\"hush\",\"sign\":[\"x\"],\"t\":\"sign\",\"u\":\"v\"}", LOG_INFO_LEVEL, 0) == 0);
    CHECK(strcmp(lines, "{\n    \"deviceSecret\": \"***\",\n    \"sign\": [\n        \"x\"\n    ],\n    \"t\": \"sign\",\n"
                        "    \"u\": \"v\"\n}\n") == 0);
    lines[0] = '\0';
    CHECK(U(iotx_facility_json_print)("", LOG_INFO_LEVEL, '>') == -1);
    CHECK(U(iotx_facility_json_print)(NULL, LOG_INFO_LEVEL, '>') == -1);
    CHECK(U(iotx_facility_json_print)("[1]", LOG_INFO_LEVEL, '>') == -2);
    CHECK(U(iotx_facility_json_print)("{\"a\":", LOG_INFO_LEVEL, '>') == -2 && lines[0] == '\0');
    U(IOT_SetLogLevel)(IOT_LOG_NONE);
}

static void system_below(void)
{
    void       *mutex = U(HAL_MutexCreate)(), *semaphore = U(HAL_SemaphoreCreate)();
    char       *block = (char *)U(HAL_Malloc)(40);
    uint64_t    start = U(HAL_UptimeMs)();
    iotx_time_t timer;

    CHECK(mutex != NULL && semaphore != NULL && block != NULL);
    U(HAL_MutexLock)(mutex);
    CHECK(U(HAL_Snprintf)(block, 40, "/sys/%s/%s", "pk", "dn") == 10 && strcmp(block, "/sys/pk/dn") == 0);
    U(HAL_MutexUnlock)(mutex);
    CHECK(U(HAL_SemaphoreWait)(semaphore, 0) == -1);
    U(HAL_SemaphorePost)(semaphore);
    CHECK(U(HAL_SemaphoreWait)(semaphore, 0) == 0);
    U(iotx_time_init)(&timer);
    U(utils_time_countdown_ms)(&timer, 1);
    U(HAL_SleepMs)(2);
    CHECK(U(utils_time_is_expired)(&timer) == 1);
    CHECK(U(HAL_UptimeMs)() >= start + 2 && U(utils_time_get_ms)() - (uint32_t)start < 60000);
    U(HAL_Free)(block);
    U(HAL_SemaphoreDestroy)(semaphore);
    U(HAL_MutexDestroy)(mutex);
}

static void events(void)
{
    int id = U(iotx_report_id)();

    CHECK(U(iotx_report_id)() == id + 1);
    iotx_event_regist_cb(on_post);
    CHECK(U(iotx_event_post)(IOTX_CONN_CLOUD) == 0 && posted == IOTX_CONN_CLOUD);
    iotx_register_for_ITE_STATE_DEV_MODEL(on_state);
    CHECK(U(iotx_event_callback)(ITE_STATE_DEV_MODEL) == (void *)(uintptr_t)on_state);
    CHECK(U(iotx_event_callback)(ITE_COTA) == NULL);
    CHECK(U(iotx_state_event)(ITE_STATE_DEV_MODEL, -0x0901, "node %d of %s", 7, "shadow") == 0 && states == 1);
    CHECK(U(iotx_state_event)(ITE_STATE_OTA, -0x0901, "nobody listens") == -1);
    CHECK(strncmp(U(g_infra_http_domain)[0], "iot-auth.", 9) == 0);
    CHECK(U(iotx_ca_crt) != NULL);
}

static void traffic(void)
{
    iotx_mqtt_param_t      param;
    iotx_mqtt_topic_info_t message;
    char                   topic[128], one[] = "{\"id\":\"1\"}", name[IOTX_DEVICE_NAME_LEN + 1] = "";
    void                  *client;
    int                    round;

    CHECK(U(IOT_Ioctl)(IOTX_IOCTL_SET_PRODUCT_KEY, product_key) == 0);
    CHECK(U(IOT_Ioctl)(IOTX_IOCTL_SET_DEVICE_NAME, device_name) == 0);
    CHECK(U(IOT_Ioctl)(IOTX_IOCTL_SET_DEVICE_SECRET, device_secret) == 0);
    CHECK(U(IOT_Ioctl)(IOTX_IOCTL_GET_DEVICE_NAME, name) == 0 && strcmp(name, device_name) == 0);
    memset(&param, 0, sizeof(param));
    param.handle_event.h_fp     = on_message;
    param.handle_event.pcontext = device_name;
    client                      = U(IOT_MQTT_Construct)(&param);
    CHECK(client != NULL && U(IOT_MQTT_CheckStateNormal)(client) == 1);
    if (client == NULL) {
        return;
    }
    snprintf(topic, sizeof(topic), "/%s/%s/user/get", product_key, device_name);
    CHECK(U(IOT_MQTT_Subscribe_Sync)(client, topic, IOTX_MQTT_QOS0, on_message, product_key, 2000) > 0);
    CHECK(U(IOT_MQTT_Publish_Simple)(client, topic, IOTX_MQTT_QOS0, one, (int)strlen(one)) == 0);
    memset(&message, 0, sizeof(message));
    message.qos         = IOTX_MQTT_QOS1;
    message.payload     = "{\"id\":\"2\"}";
    message.payload_len = (uint32_t)strlen(message.payload);
    CHECK(U(IOT_MQTT_Publish)(client, topic, &message) > 0 && message.packet_id > 0);
    for (round = 0; round < 100 && (arrived < 2 || acknowledged == 0); round++) {
        CHECK(U(IOT_MQTT_Yield)(client, 100) == 0);
    }
    CHECK(arrived == 2 && acknowledged > 0);
    CHECK(U(IOT_MQTT_Unsubscribe)(client, topic) > 0);
    CHECK(U(IOT_MQTT_Subscribe)(client, topic, IOTX_MQTT_QOS3_SUB_LOCAL, on_message, product_key) > 0);
    CHECK(U(IOT_MQTT_Destroy)(&client) == 0 && client == NULL);
    CHECK(U(IOT_MQTT_Publish_Simple)(NULL, topic, IOTX_MQTT_QOS0, one, 1) == STATE_USER_INPUT_INVALID);
}

int main(void)
{
    int name;

    digests();
    json();
    logging();
    system_below();
    events();
    traffic();
    for (name = 0; name < NAMES; name++) {
        if (!used[name]) {
            failures++;
            printf("%s is listed and not used\n", names[name]);
        }
    }
    printf("%d names, %d failures\n", (int)NAMES, failures);
    return failures == 0 ? 0 : 1;
}

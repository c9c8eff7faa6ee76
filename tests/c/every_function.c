/* iotx-test: c++ shared valgrind
 *
 * Every function and variable that the library exports, used as a program would: without a client,
 * and as an X.509 device on the local platform. The helpers for C parts kept from the SDK are in
 * kept_parts_helpers.c and kept_parts_json.c. tests/python/test_c_programs.py checks that none is missing.
 */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dev_sign_api.h"
#include "infra_compat.h"
#include "infra_md5.h"
#include "infra_sha1.h"
#include "infra_sha256.h"
#include "infra_state.h"
#include "infra_string.h"
#include "iotx.h"
#include "mqtt_api.h"
#include "wrappers.h"

#ifdef __cplusplus
extern "C" {
#endif
/* Names of older SDK versions, in no header of 3.2.0. */
int HAL_GetProductKey(char product_key[21]);
int HAL_GetProductSecret(char product_secret[65]);
int HAL_GetDeviceName(char device_name[33]);
int HAL_GetDeviceSecret(char device_secret[65]);
int HAL_SetProductKey(char *product_key);
int HAL_SetProductSecret(char *product_secret);
int HAL_SetDeviceName(char *device_name);
int HAL_SetDeviceSecret(char *device_secret);
int HAL_GetFirmwareVesion(char version[33]);
void HAL_ThreadDetach(void *handle);

static int  on_plain(void) { return 0; }
static int  on_text(const char *text) { (void)text; return 0; }
static int  on_number(int number) { (void)number; return 0; }
static int  last_code;
static char last_text[64];
static int  on_state(int code, const char *text)
{
    last_code = code;
    snprintf(last_text, sizeof(last_text), "%s", text);
    return 0;
}
static int  posted;
static void on_monitor(int event) { posted = event; }
static void on_message(void *context, void *client, iotx_mqtt_event_msg_pt message)
{
    (void)context;
    (void)client;
    (void)message;
}
#ifdef __cplusplus
}
#endif

#define CHECK(condition)                               \
    do {                                               \
        if (!(condition)) {                            \
            printf("line %d: %s\n", __LINE__, #condition); \
            return 1;                                  \
        }                                              \
    } while (0)

static int registry(void)
{
    CHECK(IOT_RegisterCallback(ITE_STATE_EVERYTHING, on_state) == 0);
    CHECK(IOT_RegisterCallback(ITE_IDENTITY_RESPONSE, on_text) == 0);
    CHECK(IOT_RegisterCallback(ITE_MQTT_CONNECT_SUCC, on_plain) == 0);
    CHECK(IOT_RegisterCallback(ITE_AWSS_STATUS, on_number) == 0);
#define REGISTERS(event) CHECK(IOT_RegisterCallback(event, NULL) == 0)
    REGISTERS(ITE_CONNECT_SUCC);
    REGISTERS(ITE_CONNECT_FAIL);
    REGISTERS(ITE_DISCONNECTED);
    REGISTERS(ITE_RAWDATA_ARRIVED);
    REGISTERS(ITE_SERVICE_REQUEST);
    REGISTERS(ITE_SERVICE_REQUEST_EXT);
    REGISTERS(ITE_PROPERTY_SET);
    REGISTERS(ITE_PROPERTY_GET);
    REGISTERS(ITE_PROPERTY_DESIRED_GET_REPLY);
    REGISTERS(ITE_REPORT_REPLY);
    REGISTERS(ITE_TRIGGER_EVENT_REPLY);
    REGISTERS(ITE_TIMESTAMP_REPLY);
    REGISTERS(ITE_TOPOLIST_REPLY);
    REGISTERS(ITE_PERMIT_JOIN);
    REGISTERS(ITE_INITIALIZE_COMPLETED);
    REGISTERS(ITE_FOTA);
    REGISTERS(ITE_FOTA_MODULE);
    REGISTERS(ITE_COTA);
    REGISTERS(ITE_CLOUD_ERROR);
    REGISTERS(ITE_DYNREG_DEVICE_SECRET);
    REGISTERS(ITE_BIND_EVENT);
    REGISTERS(ITE_STATE_USER_INPUT);
    REGISTERS(ITE_STATE_SYS_DEPEND);
    REGISTERS(ITE_STATE_WIFI_PROV);
    REGISTERS(ITE_STATE_COAP_LOCAL);
    REGISTERS(ITE_STATE_HTTP_COMM);
    REGISTERS(ITE_STATE_OTA);
    REGISTERS(ITE_STATE_DEV_BIND);
    REGISTERS(ITE_STATE_DEV_MODEL);
    CHECK(IOT_RegisterCallback(ITE_STATE_MQTT_COMM, on_state) == 0);
    CHECK(iotx_event_callback(ITE_AWSS_STATUS) != NULL);
    CHECK(iotx_event_callback(-1) == NULL);
    CHECK(iotx_state_event(ITE_STATE_MQTT_COMM, -5, "%s %d", "text", 7) == 0);
    CHECK(last_code == -5 && strcmp(last_text, "text 7") == 0);
    CHECK(iotx_event_regist_cb(on_monitor) == 0);
    CHECK(iotx_event_post(0x2002) == 0 && posted == 0x2002);
    CHECK(IOT_Extension_StateDesc(STATE_USER_INPUT_INVALID) != NULL);
    return 0;
}

static int settings(void)
{
    char  name[IOTX_DEVICE_NAME_LEN + 1];
    void *info   = NULL;
    int   region = IOTX_CLOUD_REGION_SINGAPORE;

    memset(name, 'x', sizeof(name));
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_REGION, &region) == 0);
    region = -1;
    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_REGION, &region) == 0 && region == IOTX_CLOUD_REGION_SINGAPORE);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_NAME, (void *)"lamp") == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_DEVICE_NAME, name) == 0 && strcmp(name, "lamp") == 0);
    CHECK(IOT_SetupConnInfo("pk", "dn", "ds", &info) == 0 && info != NULL);
    CHECK(IOT_SetupConnInfo(NULL, "dn", "ds", &info) == -2);
    IOT_SetLogLevel(IOT_LOG_ERROR);
    IOT_DumpMemoryStats(IOT_LOG_DEBUG);
    return 0;
}

static int signing(void)
{
    static const char    wanted[] = "E157285389659C45DDB66E19B5C2385377E3CE627C712129DEB32263D3ACB227";
    iotx_dev_meta_info_t meta;
    iotx_sign_mqtt_t     sign;
    uint8_t              digest[32];

    memset(&meta, 0, sizeof(meta));
    strcpy(meta.product_key, "a1MZxOdcBnO");
    strcpy(meta.device_name, "example1");
    strcpy(meta.device_secret, "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X");
    CHECK(IOT_Sign_MQTT(IOTX_CLOUD_REGION_SHANGHAI, &meta, &sign) == 0);
    CHECK(strcmp(sign.password, wanted) == 0);
    CHECK(IOT_Sign_MQTT(IOTX_CLOUD_REGION_SHANGHAI, NULL, &sign) == STATE_USER_INPUT_INVALID);
    CHECK(strcmp(g_infra_mqtt_domain[0], "iot-as-mqtt.cn-shanghai.aliyuncs.com") == 0);
    CHECK(strcmp(g_infra_http_domain[0], "iot-auth.cn-shanghai.aliyuncs.com") == 0);
    utils_hmac_sha256((const uint8_t *)"what do ya want for nothing?", 28, (const uint8_t *)"Jefe", 4, digest);
    CHECK(digest[0] == 0x5B && digest[31] == 0x43);
    return 0;
}

static int mqtt_without_client(void)
{
    iotx_mqtt_topic_info_t info;
    char                   data[] = "x";

    memset(&info, 0, sizeof(info));
    info.payload     = data;
    info.payload_len = 1;
    CHECK(IOT_MQTT_Yield(NULL, 1) == STATE_USER_INPUT_INVALID);
    CHECK(IOT_MQTT_CheckStateNormal(NULL) == STATE_USER_INPUT_INVALID);
    CHECK(IOT_MQTT_Subscribe(NULL, "/a", IOTX_MQTT_QOS0, on_message, NULL) == STATE_USER_INPUT_INVALID);
    CHECK(IOT_MQTT_Subscribe_Sync(NULL, "/a", IOTX_MQTT_QOS0, on_message, NULL, 10) == STATE_USER_INPUT_INVALID);
    CHECK(IOT_MQTT_Unsubscribe(NULL, "/a") == STATE_USER_INPUT_INVALID);
    CHECK(IOT_MQTT_Publish(NULL, "/a", &info) == STATE_USER_INPUT_INVALID);
    CHECK(IOT_MQTT_Publish_Simple(NULL, "/a", 0, data, 1) == STATE_USER_INPUT_INVALID);
    CHECK(IOT_MQTT_Nwk_Event_Handler(NULL, IOTX_MQTT_SOC_READ, NULL) == STATE_MQTT_ASYNC_STACK_NOT_SUPPORT);
    CHECK(IOT_MQTT_Destroy(NULL) == STATE_USER_INPUT_INVALID);
    return 0;
}

static int hal(void)
{
    char     text[16];
    char     version[IOTX_FIRMWARE_VER_LEN + 1];
    uint64_t before = HAL_UptimeMs();
    void    *block  = HAL_Malloc(16);
    void    *mutex  = HAL_MutexCreate();
    void    *semaphore = HAL_SemaphoreCreate();

    CHECK(block != NULL && mutex != NULL && semaphore != NULL);
    HAL_Free(block);
    HAL_Free(NULL);
    HAL_MutexLock(mutex);
    HAL_MutexUnlock(mutex);
    HAL_MutexDestroy(mutex);
    CHECK(HAL_SemaphoreWait(semaphore, 1) == -1);
    HAL_SemaphorePost(semaphore);
    CHECK(HAL_SemaphoreWait(semaphore, 1000) == 0);
    HAL_SemaphoreDestroy(semaphore);
    HAL_SleepMs(5);
    CHECK(HAL_UptimeMs() >= before + 5);
    HAL_Srandom(1);
    CHECK(HAL_Random(10) < 10);
    CHECK(HAL_Snprintf(text, sizeof(text), "%d-%s", 7, "x") == 3 && strcmp(text, "7-x") == 0);
    memset(version, 0, sizeof(version));
    CHECK(HAL_GetFirmwareVersion(version) == (int)strlen(version));
    CHECK(HAL_SSL_Establish(NULL, 0, NULL, 0) == 0);
    CHECK(HAL_SSL_Destroy(0) == 0);
    return 0;
}

static int digests(void)
{
    static const unsigned char abc[] = "abc";
    iot_sha256_context         sha256;
    iot_sha1_context           sha1, sha1_copy;
    iot_md5_context            md5, md5_copy;
    unsigned char              block[64], whole[32], parts[32];
    char                       text[65];

    memset(block, 'b', sizeof(block));
    utils_sha256(abc, 3, whole);
    CHECK(whole[0] == 0xBA && whole[31] == 0xAD);
    utils_sha256_init(&sha256);
    utils_sha256_starts(&sha256);
    utils_sha256_update(&sha256, abc, 1);
    utils_sha256_update(&sha256, abc + 1, 2);
    utils_sha256_finish(&sha256, parts);
    CHECK(memcmp(whole, parts, 32) == 0);
    utils_sha256_process(&sha256, block);
    utils_sha256_free(&sha256);

    utils_sha1(abc, 3, whole);
    CHECK(whole[0] == 0xA9 && whole[19] == 0x9D);
    utils_sha1_init(&sha1);
    utils_sha1_starts(&sha1);
    utils_sha1_update(&sha1, abc, 3);
    utils_sha1_clone(&sha1_copy, &sha1);
    utils_sha1_finish(&sha1_copy, parts);
    CHECK(memcmp(whole, parts, 20) == 0);
    utils_sha1_process(&sha1, block);
    utils_sha1_free(&sha1);
    memset(text, 0, sizeof(text));
    utils_hmac_sha1("what do ya want for nothing?", 28, text, "Jefe", 4);
    CHECK(strncmp(text, "effcdf6a", 8) == 0 || strncmp(text, "EFFCDF6A", 8) == 0);
    utils_hmac_sha1_hex("what do ya want for nothing?", 28, text, "Jefe", 4);
    CHECK((unsigned char)text[0] == 0xEF && (unsigned char)text[19] == 0x79);

    utils_md5(abc, 3, whole);
    CHECK(whole[0] == 0x90 && whole[15] == 0x72);
    utils_md5_init(&md5);
    utils_md5_starts(&md5);
    utils_md5_update(&md5, abc, 3);
    utils_md5_clone(&md5_copy, &md5);
    utils_md5_finish(&md5_copy, parts);
    CHECK(memcmp(whole, parts, 16) == 0);
    utils_md5_process(&md5, block);
    utils_md5_free(&md5);
    memset(text, 0, sizeof(text));
    utils_hmac_md5("what do ya want for nothing?", 28, text, "Jefe", 4);
    CHECK(strncmp(text, "750c783e", 8) == 0 || strncmp(text, "750C783E", 8) == 0);
    return 0;
}

static int strings(void)
{
    char          text[65] = {0}, digits[10] = {0}, list[] = "a,b", number[] = "42", hex[] = "0aFF";
    unsigned char bytes[2] = {0x0A, 0xFF};
    char         *found    = NULL;
    int           value    = 0;
    uint32_t      unsigned_value = 0;

    CHECK(infra_hex2char(10) == 'a');
    infra_hex2str(bytes, 2, text);
    CHECK(memcmp(text, "0AFF", 4) == 0);
    infra_int2str(70, digits);
    CHECK(strcmp(digits, "70") == 0);
    CHECK(strcmp(infra_strtok(list, ","), "a") == 0 && strcmp(infra_strtok(NULL, ","), "b") == 0);
    CHECK(infra_str2int("-5", &value) == 0 && value == -5);
    CHECK(utils_str2uint(number, 2, &unsigned_value) == 0 && unsigned_value == 42);
    LITE_hexstr_convert(hex, 4, bytes, 2);
    CHECK(bytes[0] == 0x0A && bytes[1] == 0xFF);
    memset(text, 0, sizeof(text));
    LITE_hexbuf_convert(bytes, text, 2, 1);
    CHECK(memcmp(text, "0AFF", 4) == 0);
    CHECK(infra_randstr(text, 8) == 0);
    CHECK(infra_json_value("{\"a\":\"b\"}", 9, "a", 1, &found, &unsigned_value) == 0 && unsigned_value == 3);
    CHECK(found[1] == 'b');
    return 0;
}

static int format(char *text, int size, const char *fmt, ...)
{
    va_list arguments;
    int     length;

    va_start(arguments, fmt);
    length = HAL_Vsnprintf(text, size, fmt, arguments);
    va_end(arguments);
    return length;
}

static void *started(void *argument)
{
    HAL_SemaphorePost(argument);
    return NULL;
}

static void *hook_malloc(uint32_t size)
{
    return malloc(size);
}

#undef HAL_Printf
#ifdef __cplusplus
extern "C"
#endif
void HAL_Printf(const char *fmt, ...);

static int hal_more(void)
{
    char        text[65], path[300];
    char        kept[] = "kept", secret[] = "secret";
    int         size       = (int)sizeof(text), stack = 1;
    void       *thread     = NULL;
    void       *semaphore  = HAL_SemaphoreCreate();
    ssl_hooks_t hooks      = {hook_malloc, free};
    iotx_store_t       store;
    iotx_store_stats_t stats;
    iotx_proxy_t       proxy;
    iotx_client_data_t material;

    HAL_Printf("%s", "");
    CHECK(format(text, sizeof(text), "%d", 7) == 1 && strcmp(text, "7") == 0);
    CHECK(HAL_ThreadCreate(&thread, started, semaphore, NULL, &stack) == 0 && stack == 0);
    HAL_ThreadDetach(thread);
    CHECK(HAL_SemaphoreWait(semaphore, 5000) == 0);
    HAL_SleepMs(20); /* the thread is out of the semaphore */
    HAL_SemaphoreDestroy(semaphore);
    memset(text, 0, sizeof(text));
    CHECK(HAL_GetFirmwareVesion(text) > 0);
    CHECK(HAL_SetProductKey(kept) == 4 && HAL_GetProductKey(text) == 4 && memcmp(text, kept, 4) == 0);
    CHECK(HAL_SetDeviceName(kept) == 4 && HAL_GetDeviceName(text) == 4);
    CHECK(HAL_SetProductSecret(secret) == 6 && HAL_GetProductSecret(text) == 6);
    CHECK(HAL_SetDeviceSecret(secret) == 6 && HAL_GetDeviceSecret(text) == 6);
    CHECK(ssl_hooks_set(NULL) == -1 && ssl_hooks_set(&hooks) == 0);
    CHECK(iotx_tls_set_clock_policy(2) == -1 && iotx_tls_set_clock_policy(0) == 0);
    CHECK(iotx_tls_set_session_resumption(2) == -1 && iotx_tls_set_session_resumption(1) == 0);
    CHECK(iotx_tls_set_key_password_callback(NULL, NULL) == 0 && iotx_tls_set_sign_callback(NULL, NULL) == 0);
    CHECK(iotx_tls_set_session_store(NULL, NULL) == 0);
    memset(&material, 0, sizeof(material));
    material.data = "no list";
    CHECK(iotx_tls_set_crl(&material) == STATE_USER_INPUT_INVALID && iotx_tls_set_ca(&material) == STATE_USER_INPUT_INVALID);
    material.size = 7;
    CHECK(iotx_tls_set_crl(&material) == STATE_USER_INPUT_INVALID && iotx_tls_set_ca(&material) == STATE_USER_INPUT_INVALID);
    CHECK(iotx_tls_set_crl(NULL) == 0 && iotx_tls_set_ca(NULL) == 0);
    snprintf(path, sizeof(path), "%s/kv.bin", getenv("IOTX_TMP"));
    CHECK(iotx_kv_set_path(NULL) == -1 && iotx_kv_set_path(path) == 0);
    CHECK(iotx_hal_in_use(NULL, 80) == -1 && iotx_hal_in_use(path, 10) == -1 && iotx_hal_in_use(path, -1) == -1);
    CHECK(iotx_hal_in_use(path, (int)sizeof(path)) == (int)strlen(path) && strncmp(path, "os=", 3) == 0);
    CHECK(HAL_Kv_Get("key", text, &size) == -1);
    CHECK(HAL_Kv_Set("key", "value", 5, 1) == 0);
    size = (int)sizeof(text);
    CHECK(HAL_Kv_Get("key", text, &size) == 0 && size == 5 && memcmp(text, "value", 5) == 0);
    CHECK(HAL_Kv_Del("key") == 0 && HAL_Kv_Del("key") == -1);
    memset(&store, 0, sizeof(store));
    memset(&stats, 0, sizeof(stats));
    store.struct_size = sizeof(store);
    stats.struct_size = sizeof(stats);
    CHECK(iotx_store_kv(NULL, NULL) == STATE_USER_INPUT_NULL_POINTER && iotx_store_kv(&store, NULL) == 0);
    CHECK(iotx_mqtt_set_store(&store) == 0 && iotx_mqtt_set_store(NULL) == 0);
    CHECK(iotx_mqtt_store_stats(NULL, &stats) == STATE_USER_INPUT_INVALID);
    CHECK(iotx_client_store_stats(NULL, &stats) == STATE_USER_INPUT_INVALID);
    memset(&proxy, 0, sizeof(proxy));
    CHECK(iotx_mqtt_set_proxy(&proxy) == STATE_USER_INPUT_OUT_RANGE);
    proxy.struct_size = sizeof(proxy);
    CHECK(iotx_mqtt_set_proxy(&proxy) == STATE_USER_INPUT_INVALID);
    proxy.url = "http://proxy:3128";
    CHECK(iotx_mqtt_set_proxy(&proxy) == 0 && iotx_mqtt_set_proxy(NULL) == 0);
    CHECK(iotx_mqtt_set_websocket_headers("Host: x") == STATE_USER_INPUT_INVALID);
    CHECK(iotx_mqtt_set_websocket_headers("X-A: b") == 0 && iotx_mqtt_set_websocket_headers(NULL) == 0);
    iotx_log_write("");
    return 0;
}

/* ---- an X.509 device on the local platform ---- */

static char *read_file(const char *folder, const char *name)
{
    char   path[300];
    char  *text = (char *)calloc(1, 20000);
    FILE  *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (file == NULL || text == NULL || fread(text, 1, 19999, file) == 0) {
        printf("cannot read %s\n", path);
        exit(1);
    }
    fclose(file);
    return text;
}

static pid_t start(const char *program, const char *const *arguments)
{
    pid_t child = fork();

    if (child == 0) {
        execv(program, (char *const *)arguments);
        _exit(127);
    }
    return child;
}

static int received;
static int lived_through;
#ifdef __cplusplus
extern "C" {
#endif
static void on_live_message(void *context, void *client, iotx_mqtt_event_msg_pt message)
{
    iotx_mqtt_topic_info_pt info = (iotx_mqtt_topic_info_pt)message->msg;

    if (context == &received && client != NULL && message->event_type == IOTX_MQTT_EVENT_PUBLISH_RECEIVED &&
        info->payload_len == 5 && strcmp(info->payload, "hello") == 0) {
        received++;
    }
}
static int on_connected(void) { return ++lived_through; }
static void on_client_message(void *context, iotx_client_t *client, const iotx_client_message_t *message)
{
    if (context == &received && client != NULL && message->payload_len == 5 && memcmp(message->payload, "hello", 5) == 0) {
        received++;
    }
}
static unsigned int client_events;
static void on_client_event(void *context, iotx_client_t *client, const iotx_client_event_t *event)
{
    if (context == &received && client != NULL) {
        client_events |= 1u << event->type;
    }
}
static int log_lines;
static void on_log(void *context, int level, const char *line)
{
    log_lines += context == &log_lines && level >= 1 && level <= 4 && line[0] == '[';
}
static int on_identity(const char *payload)
{
    lived_through += strstr(payload, "productKey") != NULL;
    return 0;
}
#ifdef __cplusplus
}
#endif

static int device(int port, int tcp_port)
{
    char                   key[IOTX_PRODUCT_KEY_LEN + 1], name[IOTX_DEVICE_NAME_LEN + 1], topic[128], host[] = "localhost";
    char                   data[] = "hello", byte[1];
    iotx_mqtt_param_t      param;
    iotx_mqtt_topic_info_t info;
    iotx_client_stats_t    stats;
    void                  *client;
    uintptr_t              handle;
    int                    i;

    IOT_RegisterCallback(ITE_IDENTITY_RESPONSE, on_identity);
    IOT_RegisterCallback(ITE_MQTT_CONNECT_SUCC, on_connected);
    IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_NAME, (void *)"");
    memset(&param, 0, sizeof(param));
    param.host = host;
    param.port = (uint16_t)port;
    client     = IOT_MQTT_Construct(&param);
    CHECK(client != NULL && IOT_MQTT_CheckStateNormal(client) == 1 && lived_through == 2);
    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_PRODUCT_KEY, key) == 0 && IOT_Ioctl(IOTX_IOCTL_GET_DEVICE_NAME, name) == 0);
    CHECK(iotx_identity_save() == 0 && iotx_identity_load() == 0 && iotx_identity_forget() == 0);
    snprintf(topic, sizeof(topic), "/%s/%s/user/get", key, name);
    CHECK(IOT_MQTT_Subscribe_Sync(client, topic, IOTX_MQTT_QOS1, on_live_message, &received, 5000) > 0);
    CHECK(IOT_MQTT_Subscribe(client, "/ext/ntp/+", IOTX_MQTT_QOS0, on_live_message, NULL) > 0);
    memset(&info, 0, sizeof(info));
    info.qos         = IOTX_MQTT_QOS1;
    info.payload     = data;
    info.payload_len = 5;
    CHECK(IOT_MQTT_Publish(client, topic, &info) == info.packet_id && info.packet_id > 0);
    CHECK(IOT_MQTT_Publish_Simple(NULL, topic, IOTX_MQTT_QOS0, data, 5) == 0);
    for (i = 0; i < 50 && received < 2; i++) {
        CHECK(IOT_MQTT_Yield(client, 100) == 0);
    }
    CHECK(received == 2);
    stats.struct_size = sizeof(stats);
    CHECK(iotx_mqtt_stats(client, &stats) == 0 && stats.messages_out >= 2 && stats.messages_in >= 2);
    CHECK(IOT_MQTT_Unsubscribe(client, topic) > 0);
    CHECK(IOT_MQTT_Destroy(&client) == 0 && client == NULL);

    handle = HAL_SSL_Establish(host, (uint16_t)port, iotx_ca_crt, (uint32_t)strlen(iotx_ca_crt) + 1);
    CHECK(handle != 0);
    CHECK(HAL_SSL_Write(handle, "\xC0\x00", 2, 2000) == 2); /* PINGREQ before CONNECT: the server closes */
    CHECK(HAL_SSL_Read(handle, byte, 1, 5000) < 0);
    CHECK(HAL_SSL_Destroy(handle) == 0);
    handle = HAL_TCP_Establish(host, (uint16_t)tcp_port);
    CHECK(handle != (uintptr_t)-1);
    CHECK(HAL_TCP_Write(handle, "\xC0\x00", 2, 2000) == 2);
    CHECK(HAL_TCP_Read(handle, byte, 1, 5000) < 0);
    CHECK(HAL_TCP_Destroy(handle) == 0);
    return 0;
}

/* The same device with the client API; the certificate tells the platform who it is. */
static int clients(int port, const char *folder)
{
    char                  url[64], topic[128], ca[300], text[80], key[IOTX_PRODUCT_KEY_LEN + 1], name[IOTX_DEVICE_NAME_LEN + 1];
    iotx_client_options_t options;
    iotx_client_stats_t   stats;
    iotx_client_signed_t   signed_in;
    iotx_client_identity_t identity;
    iotx_client_t        *client = NULL;
    int                   code = 1, i;

    CHECK(iotx_log_set_callback(on_log, &log_lines, 4) == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_PRODUCT_KEY, key) == 0 && IOT_Ioctl(IOTX_IOCTL_GET_DEVICE_NAME, name) == 0);
    snprintf(topic, sizeof(topic), "/%s/%s/user/get", key, name);
    snprintf(url, sizeof(url), "mqtts://localhost:%d", port);
    snprintf(ca, sizeof(ca), "%s/root.crt", folder);
    CHECK(iotx_client_options_init(&options, sizeof(options)) == 0);
    CHECK(iotx_client_create(&options, &client) == STATE_USER_INPUT_INVALID && client == NULL);
    CHECK(iotx_client_last_error(NULL, &code, text, sizeof(text)) == 0 && code == STATE_USER_INPUT_INVALID);
    CHECK(strcmp(text, "url is missing") == 0);
    options.url              = url;
    options.scheme           = IOTX_CLIENT_SCHEME_X509;
    options.ca.file          = ca;
    options.certificate.data = g_cli_crt;
    options.certificate.size = strlen(g_cli_crt);
    options.key.data         = g_cli_key;
    options.key.size         = strlen(g_cli_key);
    options.on_event         = on_client_event;
    options.on_message       = on_client_message;
    options.context          = &received;
    memset(&signed_in, 0xff, sizeof(signed_in));
    signed_in.struct_size = sizeof(signed_in);
    CHECK(iotx_client_sign(&options, &signed_in) == 0 && strcmp(signed_in.client_id, ".|securemode=2|") == 0);
    CHECK(signed_in.port == (uint32_t)port && signed_in.tls == 1 && signed_in.password[0] == 0 && signed_in.psk[0] == 0);
    iotx_client_signed_clear(&signed_in);
    CHECK(signed_in.client_id[0] == 0 && signed_in.port == 0 && signed_in.struct_size == sizeof(signed_in));
    CHECK(iotx_client_create(&options, &client) == 0 && client != NULL);
    identity.struct_size = sizeof(identity);
    CHECK(iotx_client_identity(client, &identity) == STATE_USER_INPUT_INVALID);
    CHECK(iotx_client_fd(client) == -1 && iotx_client_next_timeout_ms(client) == -1 && iotx_client_is_connected(client) == 0);
    received = 0;
    CHECK(iotx_client_connect(client, 10000) == 0 && iotx_client_is_connected(client) == 1);
    CHECK(iotx_client_fd(client) >= 0 && iotx_client_wants_write(client) == 0 && iotx_client_next_timeout_ms(client) > 0);
    CHECK(iotx_client_subscribe(client, topic, 1, on_client_message, &received) > 0);
    CHECK(iotx_client_publish(client, topic, "hello", 5, 1, 0) > 0);
    CHECK(iotx_client_process(client) == 0);
    for (i = 0; i < 50 && (received < 1 || !(client_events & 1u << IOTX_CLIENT_EVENT_PUBLISHED)); i++) {
        CHECK(iotx_client_poll(client, 100) == 0);
    }
    CHECK(received == 1 && client_events & 1u << IOTX_CLIENT_EVENT_CONNECTED);
    stats.struct_size = sizeof(stats);
    CHECK(iotx_client_stats(client, &stats) == 0 && stats.messages_in >= 1 && stats.connected == 1);
    CHECK(iotx_mqtt_stats(NULL, &stats) == STATE_USER_INPUT_INVALID);
    CHECK(iotx_client_unsubscribe(client, topic) > 0);
    CHECK(iotx_client_disconnect(client) == 0 && iotx_client_is_connected(client) == 0);
    CHECK(iotx_client_start(client) == 0 && iotx_client_next_timeout_ms(client) >= 0);
    CHECK(iotx_client_destroy(client) == 0 && iotx_client_destroy(client) == STATE_USER_INPUT_INVALID);
    CHECK(log_lines > 0 && iotx_log_set_callback(NULL, NULL, 4) == 0);
    return 0;
}

static int live(void)
{
    const char     *platform = getenv("IOTX_PLATFORM"), *folder = getenv("IOTX_TMP");
    char            ready[300], *state, *ca, *certificate, *private_key;
    const char     *pki[]   = {platform, "pki", "--out", folder, NULL};
    const char     *serve[] = {platform, "serve", "--pki", folder, "--listen", "127.0.0.1:0", "--listen-tcp",
                               "127.0.0.1:0", "--client-cert", "optional", "--ready", ready, "--quiet", NULL};
    struct timespec pause   = {0, 10000000};
    pid_t           child;
    int             status = 1, result, i, port = 0, tcp_port = 0;

    CHECK(platform != NULL && folder != NULL);
    snprintf(ready, sizeof(ready), "%s/ready", folder);
    child = start(platform, pki);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    child = start(platform, serve);
    for (i = 0; i < 2000 && access(ready, R_OK) != 0; i++) {
        nanosleep(&pause, NULL);
    }
    state = read_file(folder, "ready");
    CHECK(strstr(state, "\"port\"") != NULL && strstr(state, "\"tcp_port\"") != NULL);
    port     = atoi(strchr(strstr(state, "\"port\""), ':') + 1);
    tcp_port = atoi(strchr(strstr(state, "\"tcp_port\""), ':') + 1);
    iotx_ca_crt = ca = read_file(folder, "root.crt");
    g_cli_crt = certificate = read_file(folder, "device.crt");
    g_cli_key = private_key = read_file(folder, "device.key");
    result = device(port, tcp_port) || clients(port, folder);
    kill(child, SIGTERM);
    waitpid(child, &status, 0);
    iotx_ca_crt = "";
    g_cli_crt = g_cli_key = NULL;
    free(state);
    free(ca);
    free(certificate);
    free(private_key);
    return result;
}

int main(void)
{
    int region = IOTX_CLOUD_REGION_SHANGHAI;

    if (registry() || settings() || signing() || mqtt_without_client() || hal() || digests() || strings() || hal_more()) {
        return 1;
    }
    IOT_Ioctl(IOTX_IOCTL_SET_REGION, &region);
    return live();
}

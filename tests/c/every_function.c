/* iotx-test: c++ shared valgrind
 *
 * One call of every function of the SDK headers that the library serves, without a network: that all of
 * them link from C and from C++, and that each answers as documented when there is no client.
 */
#include <stdio.h>
#include <string.h>

#include "dev_sign_api.h"
#include "infra_compat.h"
#include "infra_sha256.h"
#include "infra_state.h"
#include "mqtt_api.h"
#include "wrappers.h"

#ifdef __cplusplus
extern "C" {
#endif
const char *IOT_Extension_StateDesc(const int code);
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

int main(void)
{
    return registry() || settings() || signing() || mqtt_without_client() || hal();
}

/* iotx-test: c++ shared valgrind
 *
 * Which host and port a device connects to when the application names none, and how an X.509
 * device that has stored its names comes back. A port of the application's own records the
 * connection instead of making it, and keeps the key-value store in memory.
 */
#include <stdio.h>
#include <string.h>

#include "infra_compat.h"
#include "infra_state.h"
#include "iotx.h"
#include "mqtt_api.h"
#include "wrappers.h"

#define CHECK(condition)                                   \
    do {                                                   \
        if (!(condition)) {                                \
            printf("line %d: %s\n", __LINE__, #condition); \
            return 1;                                      \
        }                                                  \
    } while (0)

static char     host[256];
static uint16_t port;
static char     stored_key[64];
static char     stored_value[512];
static int      stored_len = -1;
static char     announced[5][64];
static int      announcements;

#ifdef __cplusplus
extern "C" {
#endif

uintptr_t HAL_TCP_Establish(const char *to_host, uint16_t to_port)
{
    snprintf(host, sizeof(host), "%s", to_host);
    port = to_port;
    return (uintptr_t)-1;
}

void HAL_SleepMs(uint32_t ms)
{
    (void)ms;
}

int HAL_Kv_Set(const char *key, const void *val, int len, int sync)
{
    (void)sync;
    if (len < 0 || len > (int)sizeof(stored_value)) {
        return -1;
    }
    snprintf(stored_key, sizeof(stored_key), "%s", key);
    memcpy(stored_value, val, (size_t)len);
    stored_len = len;
    return 0;
}

int HAL_Kv_Get(const char *key, void *val, int *buffer_len)
{
    if (stored_len < 0 || strcmp(key, stored_key) != 0 || *buffer_len < stored_len) {
        return -1;
    }
    memcpy(val, stored_value, (size_t)stored_len);
    *buffer_len = stored_len;
    return 0;
}

int HAL_Kv_Del(const char *key)
{
    if (stored_len < 0 || strcmp(key, stored_key) != 0) {
        return -1;
    }
    stored_len = -1;
    return 0;
}

static int on_state(int code, const char *message)
{
    if (code == STATE_MQTT_CONN_USER_INFO && announcements < 5) {
        snprintf(announced[announcements++], sizeof(announced[0]), "%s", message);
    }
    return 0;
}

#ifdef __cplusplus
}
#endif

static void set(int option, const char *value)
{
    char copy[256];

    snprintf(copy, sizeof(copy), "%s", value);
    IOT_Ioctl(option, copy);
}

static void triple(const char *key, const char *name, const char *secret)
{
    set(IOTX_IOCTL_SET_PRODUCT_KEY, key);
    set(IOTX_IOCTL_SET_DEVICE_NAME, name);
    set(IOTX_IOCTL_SET_DEVICE_SECRET, secret);
}

/* Where a Construct without host and port goes. */
static int goes_to(iotx_mqtt_param_t *param, const char *to_host, uint16_t to_port)
{
    host[0] = '\0';
    announcements = 0;
    if (IOT_MQTT_Construct(param) != NULL) {
        return 0;
    }
    if (strcmp(host, to_host) != 0 || port != to_port) {
        printf("connected to %s:%d instead of %s:%d\n", host, port, to_host, to_port);
        return 0;
    }
    return 1;
}

static int endpoints(void)
{
    const char       *x509 = "x509.itls.cn-shanghai.aliyuncs.com";
    int               region = IOTX_CLOUD_REGION_GERMANY;
    uint16_t          ioctl_port = 8883;
    iotx_mqtt_param_t param;

    memset(&param, 0, sizeof(param));
    CHECK(goes_to(NULL, x509, 1883));
    triple("pk", "", "");
    CHECK(goes_to(&param, x509, 1883));
    triple("", "dn", "secret");
    CHECK(goes_to(&param, x509, 1883));
    triple("pk", "dn", "");
    CHECK(goes_to(&param, x509, 1883));
    param.customize_info = "authtype=id2";
    CHECK(goes_to(&param, "pk.iot-as-mqtt.cn-shanghai.aliyuncs.com", 443));
    param.customize_info = NULL;
    triple("pk", "dn", "secret");
    CHECK(goes_to(&param, "pk.iot-as-mqtt.cn-shanghai.aliyuncs.com", 443));
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_REGION, &region) == 0);
    CHECK(goes_to(&param, "pk.iot-as-mqtt.eu-central-1.aliyuncs.com", 443));
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_MQTT_PORT, &ioctl_port) == 0);
    CHECK(goes_to(&param, "pk.iot-as-mqtt.eu-central-1.aliyuncs.com", 8883));
    param.port = 1883;
    CHECK(goes_to(&param, "pk.iot-as-mqtt.eu-central-1.aliyuncs.com", 1883));
    param.port = 0;
    ioctl_port = 0;
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_MQTT_PORT, &ioctl_port) == 0);

    /* The application's host wins; an own x509 host with port 0 means 443. */
    triple("", "", "");
    param.host = x509;
    CHECK(goes_to(&param, x509, 443));
    param.host = "mqtts://10.0.0.1";
    CHECK(goes_to(&param, "10.0.0.1", 443));
    param.host = "mqtt://10.0.0.1";
    CHECK(goes_to(&param, "10.0.0.1", 1883));
    CHECK(strstr(announced[2], "securemode=3") != NULL);
    param.host = "";

    /* A password of its own is no X.509 device; without names its host would begin with a dot. */
    param.password = "own";
    host[0] = '\0';
    CHECK(IOT_MQTT_Construct(&param) == NULL && host[0] == '\0');
    param.password = NULL;
    set(IOTX_IOCTL_SET_MQTT_DOMAIN, "mqtt.example.com");
    CHECK(goes_to(&param, "mqtt.example.com", 443));
    return 0;
}

static int announcement(void)
{
    triple("pk", "dn", "secret");
    CHECK(goes_to(NULL, "mqtt.example.com", 443));
    CHECK(announcements == 5);
    CHECK(strcmp(announced[0], "mqtt.example.com") == 0);
    CHECK(strcmp(announced[1], "443") == 0);
    CHECK(strncmp(announced[2], "_v=sdk-c-3.2.0,securemode=2,", 28) == 0);
    CHECK(strcmp(announced[3], "dn&pk") == 0);
    CHECK(strcmp(announced[4], "***") == 0);
    return 0;
}

static int identity_store(void)
{
    char name[IOTX_DEVICE_NAME_LEN + 1];
    char key[IOTX_PRODUCT_KEY_LEN + 1];

    triple("", "", "");
    CHECK(iotx_identity_load() == STATE_SYS_DEPEND_KV_GET);
    CHECK(iotx_identity_forget() == STATE_SYS_DEPEND_KV_DELETE);
    CHECK(iotx_identity_save() == STATE_USER_INPUT_PK);
    set(IOTX_IOCTL_SET_PRODUCT_KEY, "a1X509Demo0");
    CHECK(iotx_identity_save() == STATE_USER_INPUT_DN);
    CHECK(stored_len == -1);
    set(IOTX_IOCTL_SET_DEVICE_NAME, "d-_@.:\"\\9");
    CHECK(iotx_identity_save() == 0);

    triple("", "", "");
    CHECK(iotx_identity_load() == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_PRODUCT_KEY, key) == 0 && strcmp(key, "a1X509Demo0") == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_DEVICE_NAME, name) == 0 && strcmp(name, "d-_@.:\"\\9") == 0);

    /* Damaged flash is refused and changes nothing. */
    stored_value[0] = '[';
    triple("kept", "kept", "");
    CHECK(iotx_identity_load() == STATE_SYS_DEPEND_KV_GET);
    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_PRODUCT_KEY, key) == 0 && strcmp(key, "kept") == 0);

    CHECK(iotx_identity_forget() == 0);
    CHECK(iotx_identity_load() == STATE_SYS_DEPEND_KV_GET);
    return 0;
}

int main(void)
{
    IOT_RegisterCallback(ITE_STATE_EVERYTHING, on_state);
    return endpoints() || announcement() || identity_store();
}

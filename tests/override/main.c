/*
 * Comes through two connections and the key-value store, and says whose HAL was called.
 *
 * -DOWN=mask says which groups of port.c are in the link (OWN_OS ...): their functions must have been
 * called, all others must not exist. -DDIRECT also calls every function by its name, as an application
 * does; without it the program refers to no HAL symbol at all, so that nothing but the library can ask
 * the linker for the port.
 */
#include "port.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infra_compat.h"
#include "iotx.h"
#include "mqtt_api.h"
#include "wrappers.h"
#undef HAL_Printf

#define OWN_OS   1
#define OWN_TCP  2
#define OWN_TLS  4
#define OWN_KV   8
#define OWN_DATA 16
#ifndef OWN
#define OWN 31
#endif
#define HAS(group) ((OWN & OWN_##group) != 0)
#define OWNER(group) (HAS(group) ? "port" : "default")

int  port_calls[CALLS_COUNT];
int  port_saw_ca;
int  port_live;
char port_log[8192];
char port_report[512];

static int failures;

#define CHECK(condition)                                   \
    do {                                                   \
        if (!(condition)) {                                \
            failures++;                                    \
            printf("line %d: %s\n", __LINE__, #condition); \
        }                                                  \
    } while (0)

/* The core called the port's function if the group is the port's. */
#define CALLED(group, name) CHECK((port_calls[CALLS_##name] > 0) == HAS(group))

static void on_message(void *context, void *client, iotx_mqtt_event_msg_pt msg)
{
    (void)context;
    (void)client;
    (void)msg;
}

static int use(const char *host)
{
    iotx_mqtt_param_t param;
    void             *client;
    int               id;

    memset(&param, 0, sizeof(param));
    param.host = host;
    param.port = 1;
    client     = IOT_MQTT_Construct(&param);
    if (client == NULL) {
        return -1;
    }
    id = IOT_MQTT_Subscribe_Sync(client, "/override/one/user/get", IOTX_MQTT_QOS1, on_message, NULL, 1000);
    id = id < 0 ? id : IOT_MQTT_Publish_Simple(client, "/override/one/user/update", IOTX_MQTT_QOS1, "x", 1);
    IOT_MQTT_Yield(client, 20);
    IOT_MQTT_Destroy(&client);
    return id;
}

#ifdef DIRECT

extern void HAL_Printf(const char *fmt, ...);
extern void HAL_ThreadDetach(void *thread_handle);
extern int HAL_GetFirmwareVesion(char *version);
extern int HAL_GetProductKey(char *text);
extern int HAL_GetProductSecret(char *text);
extern int HAL_GetDeviceName(char *text);
extern int HAL_GetDeviceSecret(char *text);
extern int HAL_SetProductKey(char *text);
extern int HAL_SetProductSecret(char *text);
extern int HAL_SetDeviceName(char *text);
extern int HAL_SetDeviceSecret(char *text);

static int formatted(char *buf, int len, const char *format, ...)
{
    va_list ap;
    int     res;

    va_start(ap, format);
    res = HAL_Vsnprintf(buf, len, format, ap);
    va_end(ap);
    return res;
}

static void *nothing(void *arg)
{
    return arg;
}

/* Every symbol, called once by name. Only for a port that owns everything. */
static void call_everything(void)
{
    static void *(*const memory)(uint32_t) = HAL_Malloc;
    ssl_hooks_t  hooks                     = {HAL_Malloc, HAL_Free};
    char         text[128]                 = "text";
    int          len                       = sizeof(text);
    void        *thread;
    int          stack;
    int          name;

    memset(port_calls, 0, sizeof(port_calls));
    HAL_Free(memory(1));
    CHECK(HAL_UptimeMs() > 0);
    HAL_SleepMs(100000);
    HAL_Srandom(1);
    CHECK(HAL_Random(0) == PORT_ANSWER);
    CHECK(HAL_Snprintf(text, sizeof(text), "%d", 1) == PORT_ANSWER);
    CHECK(formatted(text, sizeof(text), "%d", 1) == PORT_ANSWER);
    HAL_Printf("%d", 1);
    CHECK(HAL_MutexCreate() == &port_calls);
    HAL_MutexLock(&port_calls);
    HAL_MutexUnlock(&port_calls);
    HAL_MutexDestroy(&port_calls);
    CHECK(HAL_SemaphoreCreate() == &port_calls);
    HAL_SemaphorePost(&port_calls);
    CHECK(HAL_SemaphoreWait(&port_calls, 0) == PORT_ANSWER);
    HAL_SemaphoreDestroy(&port_calls);
    CHECK(HAL_ThreadCreate(&thread, nothing, NULL, NULL, &stack) == PORT_ANSWER);
    HAL_ThreadDetach(NULL);
    CHECK(HAL_GetFirmwareVersion(text) == (int)strlen(PORT_VERSION));
    CHECK(HAL_GetFirmwareVesion(text) == PORT_ANSWER);
    CHECK(HAL_GetProductKey(text) == PORT_ANSWER);
    CHECK(HAL_GetProductSecret(text) == PORT_ANSWER);
    CHECK(HAL_GetDeviceName(text) == PORT_ANSWER);
    CHECK(HAL_GetDeviceSecret(text) == PORT_ANSWER);
    CHECK(HAL_SetProductKey(text) == PORT_ANSWER);
    CHECK(HAL_SetProductSecret(text) == PORT_ANSWER);
    CHECK(HAL_SetDeviceName(text) == PORT_ANSWER);
    CHECK(HAL_SetDeviceSecret(text) == PORT_ANSWER);
    CHECK(HAL_TCP_Establish("h", 1) == PORT_ANSWER);
    CHECK(HAL_TCP_Write(PORT_ANSWER, text, 1, 1) == 1);
    CHECK(HAL_TCP_Read(PORT_ANSWER, text, 1, 1) == 0);
    CHECK(HAL_TCP_Destroy(PORT_ANSWER) == 0);
    CHECK(HAL_SSL_Establish("h", 1, "x", 2) == PORT_ANSWER);
    CHECK(HAL_SSL_Write(PORT_ANSWER, text, 1, 1) == 1);
    CHECK(HAL_SSL_Read(PORT_ANSWER, text, 1, 1) == 0);
    CHECK(HAL_SSL_Destroy(PORT_ANSWER) == 0);
    CHECK(ssl_hooks_set(&hooks) == PORT_ANSWER);
    CHECK(HAL_Kv_Set("k", "v", 1, 0) == 0);
    CHECK(HAL_Kv_Get("k", text, &len) == 0);
    CHECK(HAL_Kv_Del("k") == 0);
    for (name = 0; name < CALLS_COUNT; name++) {
        if (port_calls[name] == 0) {
            failures++;
            printf("function %d of PORT_FUNCTIONS was not the port's\n", name);
        }
    }
    CHECK(strcmp(iotx_ca_crt, PORT_CA) == 0);
    CHECK(strcmp(g_cli_crt, PORT_CERT) == 0);
    CHECK(strcmp(g_cli_key, PORT_KEY) == 0);
}

#endif

int main(void)
{
    char expected[80];
    char in_use[80];
    int  tls;
    int  tcp;

    IOT_SetLogLevel(IOT_LOG_DEBUG);
    IOT_Ioctl(IOTX_IOCTL_SET_PRODUCT_KEY, "override");
    IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_NAME, "one");
    IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_SECRET, "secret");

    /* Nobody listens at port 1 of this machine: a connection comes about in the port only. */
    tls = use("mqtts://127.0.0.1");
    CHECK((tls >= 0) == HAS(TLS));
    CALLED(TLS, HAL_SSL_Establish);
    CALLED(TLS, HAL_SSL_Read);
    CALLED(TLS, HAL_SSL_Write);
    CALLED(TLS, HAL_SSL_Destroy);
    CHECK(port_saw_ca == (HAS(TLS) && HAS(DATA)));
    if (HAS(TLS)) {
        /* The port's TLS goes its own way. */
        CHECK(port_calls[CALLS_HAL_TCP_Establish] == 0);
    } else if (!HAS(DATA)) {
        /* Our TLS goes over the port's TCP. */
        CALLED(TCP, HAL_TCP_Establish);
    }

    tcp = use("tcp://127.0.0.1");
    CHECK((tcp >= 0) == HAS(TCP));
    CALLED(TCP, HAL_TCP_Establish);
    CALLED(TCP, HAL_TCP_Read);
    CALLED(TCP, HAL_TCP_Write);
    CALLED(TCP, HAL_TCP_Destroy);

    CALLED(OS, HAL_UptimeMs);
    CALLED(OS, HAL_Printf);
    if (HAS(TLS) || HAS(TCP)) {
        CALLED(OS, HAL_GetFirmwareVersion);
    }
    if (!HAS(TLS) || !HAS(TCP)) {
        /* Between the attempts. */
        CALLED(OS, HAL_SleepMs);
    }

    CHECK(iotx_identity_save() == 0);
    CHECK(iotx_identity_load() == 0);
    CHECK(iotx_identity_forget() == 0);
    CALLED(KV, HAL_Kv_Set);
    CALLED(KV, HAL_Kv_Get);
    CALLED(KV, HAL_Kv_Del);

    /* The library says whose HAL it uses, to C and in its log. */
    snprintf(expected, sizeof(expected), "os=%s tcp=%s tls=%s kv=%s data=%s", OWNER(OS), OWNER(TCP), OWNER(TLS),
             OWNER(KV), OWNER(DATA));
    CHECK(iotx_hal_in_use(in_use, (int)sizeof(in_use)) == (int)strlen(expected));
    CHECK(strcmp(in_use, expected) == 0);
    CHECK((strstr(port_log, expected) != NULL) == HAS(OS));

    /* What the port printed is the library's log. */
    CHECK((strstr(port_log, "log: level set to 5\n") != NULL) == HAS(OS));
    printf("report %s\n", port_report);
    /* The library's own memory came from the port, and went back. */
    CHECK((port_calls[CALLS_HAL_Malloc] > 0) == HAS(OS));
    CHECK(port_live == 0);

#ifdef DIRECT
    call_everything();
#endif
    printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}

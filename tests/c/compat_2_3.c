/* iotx-test: compat 2.3 platform c++ shared
 *
 * A device of SDK 2.3.0: it hands its triple to IOT_SetupConnInfo and copies the answer into the
 * parameter block; options, events and state codes have the numbers of that version.
 */
#define _POSIX_C_SOURCE 200112L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdarg.h>

#include "iot_import.h"
#include "iot_export.h"

#define PRODUCT_KEY   "a1MZxOdcBnO"
#define DEVICE_NAME   "example1"
#define DEVICE_SECRET "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X"
#define TOPIC_DATA    "/" PRODUCT_KEY "/" DEVICE_NAME "/user/data"
#define MSGLEN        1024

#define CHECK(condition)                                         \
    do {                                                         \
        if (!(condition)) {                                      \
            HAL_Printf("line %d: %s\n", __LINE__, #condition);   \
            return 1;                                            \
        }                                                        \
    } while (0)

typedef struct {
    int    argc;
    char **argv;
} app_main_paras_t;

static int seen[14], arrived, late, state_code, states, others;
static int thread_ran;

#ifdef __cplusplus
extern "C" {
#endif
static void event_handle(void *pcontext, void *pclient, iotx_mqtt_event_msg_pt msg)
{
    (void)pcontext;
    (void)pclient;
    switch (msg->event_type) {
        case IOTX_MQTT_EVENT_UNDEF:
        case IOTX_MQTT_EVENT_DISCONNECT:
        case IOTX_MQTT_EVENT_RECONNECT:
        case IOTX_MQTT_EVENT_SUBCRIBE_SUCCESS:
        case IOTX_MQTT_EVENT_SUBCRIBE_TIMEOUT:
        case IOTX_MQTT_EVENT_SUBCRIBE_NACK:
        case IOTX_MQTT_EVENT_UNSUBCRIBE_SUCCESS:
        case IOTX_MQTT_EVENT_UNSUBCRIBE_TIMEOUT:
        case IOTX_MQTT_EVENT_UNSUBCRIBE_NACK:
        case IOTX_MQTT_EVENT_PUBLISH_SUCCESS:
        case IOTX_MQTT_EVENT_PUBLISH_TIMEOUT:
        case IOTX_MQTT_EVENT_PUBLISH_NACK:
        case IOTX_MQTT_EVENT_PUBLISH_RECVEIVED:
        case IOTX_MQTT_EVENT_BUFFER_OVERFLOW:
            seen[msg->event_type]++;
            break;
        default:
            break;
    }
}
static void on_data(void *pcontext, void *pclient, iotx_mqtt_event_msg_pt msg)
{
    iotx_mqtt_topic_info_pt info = (iotx_mqtt_topic_info_pt)msg->msg;

    (void)pclient;
    if (msg->event_type == IOTX_MQTT_EVENT_PUBLISH_RECEIVED && info->topic_len == strlen(TOPIC_DATA)) {
        ++*(int *)pcontext;
    }
}
static int on_state(const int code, const char *message)
{
    state_code = code;
    states += message != NULL;
    return 0;
}
static int on_other(const int code, const char *message)
{
    others += code < 0 && message != NULL;
    return 0;
}
static int on_service(const int device, const char *id, const int id_len, const char *request, const int request_len,
                      char **response, int *response_len)
{
    return device + id_len + request_len + (id == NULL) + (request == NULL) + (response == NULL) + (response_len == NULL);
}
static int on_notify(const int device, const char *text, const int len) { return device + len + (text == NULL); }
static void *work(void *arg)
{
    ++*(int *)arg;
    return NULL;
}
#ifdef __cplusplus
}
#endif

static int events(void)
{
    IOT_RegisterCallback(ITE_SERVICE_REQUST, on_service)
    IOT_RegisterCallback(ITE_EVENT_NOTIFY, on_notify)
    IOT_RegisterCallback(ITE_STATE_EVERYTHING, on_state)
    IOT_RegisterCallback(ITE_STATE_USER_INPUT, on_state)
    IOT_RegisterCallback(ITE_STATE_SYS_DEPEND, on_state)
    IOT_RegisterCallback(ITE_STATE_WIFI_PROV, NULL)
    IOT_RegisterCallback(ITE_STATE_COAP_LOCAL, on_state)
    IOT_RegisterCallback(ITE_STATE_HTTP_COMM, on_other)
    IOT_RegisterCallback(ITE_STATE_OTA, on_state)
    IOT_RegisterCallback(ITE_STATE_DEV_BIND, on_state)
    IOT_RegisterCallback(ITE_STATE_DEV_MODEL, on_state)
    IOT_RegisterCallback(ITE_STATE_MQTT_COMM, on_other)
    IOT_RegisterCallback(ITE_STATE_SUB_DEVICE, on_other)
    CHECK(ITE_STATE_SUB_DEVICE == 27 && ITE_EVENT_NOTIFY == 28 && ITE_STATE_DEV_MODEL == 29);
    CHECK(iotx_state_event(ITE_STATE_SUB_DEVICE, -0x0A01, "one %s") == 0);
    CHECK(others == 1 && states == 1 && state_code == -0x0A01);
    /* An event with a handler of its own calls that one and the one for everything. */
    CHECK(iotx_state_event(ITE_STATE_SYS_DEPEND, STATE_SYS_DEPEND_NWK_CLOSE, NULL) == 0);
    CHECK(states == 3 && others == 1 && state_code == STATE_SYS_DEPEND_NWK_CLOSE);
    CHECK(iotx_state_event(ITE_STATE_SYS_DEPEND, STATE_SYS_DEPEND_TIMER_CREATE, "") == 0);
    CHECK(state_code == STATE_SYS_DEPEND_TIMER_CREATE);
    CHECK(iotx_state_event(ITE_STATE_WIFI_PROV, -0x0401, "nobody listens") == -1);
    CHECK(iotx_state_event(ITE_EVENT_NOTIFY, -1, "no state event") == -1);
    return 0;
}

static int settings(void)
{
    int      region = IOTX_CLOUD_REGION_SHANGHAI, dynamic = 0, off = 0, on = 1, got = -1;
    uint16_t port = 8883;

    CHECK(IOTX_IOCTL_SET_MQTT_PORT == 3 && IOTX_IOCTL_SET_DYNAMIC_REGISTER == 6 && IOTX_IOCTL_SET_BOOTSTRAP_ENABLED == 16);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DOMAIN, &region) == 0 && IOT_Ioctl(IOTX_IOCTL_GET_REGION, &got) == 0 && got == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DYNAMIC_REGISTER, &dynamic) == 0);
    got = -1;
    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_DYNAMIC_REGISTER, &got) == 0 && got == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_ENV, &off) == 0 && IOT_Ioctl(IOTX_IOCTL_SET_UUID_ENABLED, &on) == -1);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_MQTT_PORT, &port) == 0);
    CHECK(IOT_Ioctl(17, &on) == -1 && IOT_Ioctl(IOTX_IOCTL_SET_REGION, NULL) == -1);
    return 0;
}

/* A thread with the parameters of 2.3.0, whose stack size is wider. */
static int threads(void)
{
    hal_os_thread_param_t param;
    void                 *thread = NULL;
    int                   used, round;
    char                  name[] = "compat";

    memset(&param, 0, sizeof(param));
    param.priority     = os_thread_priority_normal;
    param.stack_size   = 128 * 1024;
    param.detach_state = 1;
    param.name         = name;
    CHECK(HAL_ThreadCreate(&thread, work, &thread_ran, &param, &used) == 0);
    for (round = 0; round < 200 && *(volatile int *)&thread_ran == 0; round++) {
        HAL_SleepMs(10);
    }
    CHECK(*(volatile int *)&thread_ran == 1);
    return 0;
}

static int linkkit_main(void *paras)
{
    iotx_conn_info_pt      info = NULL;
    iotx_mqtt_param_t      params;
    iotx_mqtt_topic_info_t msg;
    void                  *client;
    char                   name[DEVICE_NAME_MAXLEN] = "", key[] = PRODUCT_KEY;
    char                   host[160], tls_port[8];
    const char            *tcp_port = getenv("IOTX_DEMO_TCP_PORT");
    int                    round;

    HAL_Snprintf(tls_port, sizeof(tls_port), "%s", getenv("IOTX_DEMO_PORT"));
    CHECK(((app_main_paras_t *)paras)->argc > 0);
    CHECK(IOT_SetupConnInfo("", DEVICE_NAME, DEVICE_SECRET, (void **)&info) == -1);
    CHECK(IOT_SetupConnInfo(PRODUCT_KEY, DEVICE_NAME, NULL, (void **)&info) == -1);
    CHECK(IOT_SetupConnInfo(PRODUCT_KEY, DEVICE_NAME, DEVICE_SECRET, (void **)&info) == 0 && info != NULL);
    CHECK(info->port == 8883 && strcmp(info->host_name, PRODUCT_KEY ".iot-as-mqtt.cn-shanghai.aliyuncs.com") == 0);
    CHECK(strcmp(info->username, DEVICE_NAME "&" PRODUCT_KEY) == 0 && strlen(info->password) == 64);
    CHECK(strncmp(info->pub_key, "-----BEGIN", 10) == 0);
    CHECK(HAL_GetDeviceName(name) == 8 && strcmp(name, DEVICE_NAME) == 0);
    CHECK(HAL_SetProductKey(key) == 11);

    memset(&params, 0, sizeof(params));
    CHECK(IOT_MQTT_Construct(&params) == NULL);
    CHECK(IOT_MQTT_Subscribe(NULL, TOPIC_DATA, IOTX_MQTT_QOS1, on_data, &arrived) == 0);
    params.port                  = info->port;
    params.host                  = info->host_name;
    params.client_id             = info->client_id;
    params.username              = info->username;
    params.password              = info->password;
    params.pub_key               = info->pub_key;
    params.request_timeout_ms    = 2000;
    params.clean_session         = 1;
    params.keepalive_interval_ms = 60000;
    params.read_buf_size         = MSGLEN;
    params.write_buf_size        = MSGLEN;
    params.handle_event.h_fp     = event_handle;
    client = IOT_MQTT_Construct(&params);
    CHECK(client != NULL);

    memset(&msg, 0, sizeof(msg));
    msg.qos         = IOTX_MQTT_QOS1;
    msg.payload     = "data: hello";
    msg.payload_len = 11;
    CHECK(IOT_MQTT_Publish(client, TOPIC_DATA, &msg) > 0 && msg.packet_id > 0);
    for (round = 0; round < 100 && (arrived == 0 || seen[IOTX_MQTT_EVENT_PUBLISH_SUCCESS] == 0); round++) {
        IOT_MQTT_Yield(client, 100);
    }
    CHECK(arrived == 1 && seen[IOTX_MQTT_EVENT_SUBCRIBE_SUCCESS] == 1 && seen[IOTX_MQTT_EVENT_PUBLISH_SUCCESS] >= 1);
    CHECK(IOT_MQTT_Subscribe_Sync(client, TOPIC_DATA, IOTX_MQTT_QOS0, on_data, &late, 2000) > 0);
    CHECK(IOT_MQTT_Publish_Simple(client, TOPIC_DATA, 3, key, 1) == -1);
    CHECK(IOT_MQTT_Unsubscribe(client, TOPIC_DATA) > 0);
    CHECK(IOT_MQTT_Destroy(&client) == 0);

    /* A scheme selects TCP. */
    CHECK(tcp_port != NULL);
    HAL_Snprintf(host, sizeof(host), "mqtt://%s", info->host_name);
    params.host = host;
    CHECK(setenv("IOTX_DEMO_PORT", tcp_port, 1) == 0);
    client = IOT_MQTT_Construct(&params);
    CHECK(client != NULL && IOT_MQTT_Destroy(&client) == 0);
    CHECK(setenv("IOTX_DEMO_PORT", tls_port, 1) == 0);

    /* Without a parameter block the port says who the device is. */
    client = IOT_MQTT_Construct(NULL);
    CHECK(client != NULL && IOT_MQTT_Destroy(&client) == 0);
    return 0;
}

int main(int argc, char **argv)
{
    app_main_paras_t paras;

    IOT_OpenLog("mqtt");
    IOT_SetLogLevel(IOT_LOG_INFO);
    paras.argc = argc;
    paras.argv = argv;
    if (events() != 0 || settings() != 0 || threads() != 0 || linkkit_main(&paras) != 0) {
        return 1;
    }
    IOT_DumpMemoryStats(IOT_LOG_DEBUG);
    IOT_CloseLog();
    return 0;
}

/* iotx-test: compat 2.2 platform c++ shared
 *
 * A device of SDK 2.2.1: connection information with embedded strings, buffers of its own, the log
 * functions, seven parameters of IOT_MQTT_Subscribe_Sync; over TLS, and without pub_key over TCP. Its
 * port brings the firmware version, under the name of 2.2.1, and threads.
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
#define TOPIC_DATA    "/" PRODUCT_KEY "/" DEVICE_NAME "/data"
#define MSGLEN        1024

#define CHECK(condition)                                         \
    do {                                                         \
        if (!(condition)) {                                      \
            HAL_Printf("line %d: %s\n", __LINE__, #condition);   \
            return 1;                                            \
        }                                                        \
    } while (0)

static char product_key[PRODUCT_KEY_LEN + 1], device_name[DEVICE_NAME_LEN + 1], device_secret[DEVICE_SECRET_LEN + 1];
static int  arrived, acknowledged, version_asked, threads;

#ifdef __cplusplus
extern "C" {
#endif
int HAL_GetFirmwareVesion(char version[FIRMWARE_VERSION_MAXLEN])
{
    version_asked++;
    strcpy(version, "port-2.2");
    return 8;
}
int HAL_ThreadCreate(void **thread_handle, void *(*work_routine)(void *), void *arg,
                     hal_os_thread_param_t *hal_os_thread_param, int *stack_used)
{
    *thread_handle = work_routine(arg);
    *stack_used    = (int)hal_os_thread_param->stack_size;
    return hal_os_thread_param->detach_state;
}
static void *work(void *arg)
{
    ++*(int *)arg;
    return arg;
}
static void event_handle(void *pcontext, void *pclient, iotx_mqtt_event_msg_pt msg)
{
    (void)pcontext;
    (void)pclient;
    if (msg->event_type == IOTX_MQTT_EVENT_PUBLISH_SUCCESS) {
        acknowledged++;
    }
}
static void on_data(void *pcontext, void *pclient, iotx_mqtt_event_msg_pt msg)
{
    iotx_mqtt_topic_info_pt info = (iotx_mqtt_topic_info_pt)msg->msg;

    (void)pcontext;
    (void)pclient;
    if (msg->event_type == IOTX_MQTT_EVENT_PUBLISH_RECVEIVED && info->payload_len == 5) {
        arrived++;
    }
}
#ifdef __cplusplus
}
#endif

static int session(int over_tcp)
{
    iotx_conn_info_pt      info = NULL;
    iotx_mqtt_param_t      params;
    iotx_mqtt_topic_info_t msg;
    void                  *client;
    char                  *write_buf = (char *)HAL_Malloc(MSGLEN), *read_buf = (char *)HAL_Malloc(MSGLEN);
    int                    round;

    CHECK(write_buf != NULL && read_buf != NULL);
    memset(write_buf, 0x5A, MSGLEN);
    HAL_GetProductKey(product_key);
    HAL_GetDeviceName(device_name);
    HAL_GetDeviceSecret(device_secret);
    CHECK(IOT_SetupConnInfo(product_key, device_name, device_secret, NULL) == -1);
    CHECK(IOT_SetupConnInfo(product_key, device_name, device_secret, (void **)&info) == 0);
    CHECK(info->port == 1883 && strcmp(info->username, DEVICE_NAME "&" PRODUCT_KEY) == 0);
    CHECK(strcmp(info->host_name, PRODUCT_KEY ".iot-as-mqtt.cn-shanghai.aliyuncs.com") == 0);
    CHECK(strlen(info->password) == 64 && strncmp(info->pub_key, "-----BEGIN", 10) == 0);

    memset(&params, 0, sizeof(params));
    CHECK(IOT_MQTT_Construct(&params) == NULL && IOT_MQTT_Construct(NULL) == NULL);
    params.port                  = info->port;
    params.host                  = info->host_name;
    params.client_id             = info->client_id;
    params.username              = info->username;
    params.password              = info->password;
    params.pub_key               = over_tcp ? NULL : info->pub_key;
    params.request_timeout_ms    = 2000;
    params.clean_session         = 1;
    params.keepalive_interval_ms = 60000;
    params.pread_buf             = read_buf;
    params.read_buf_size         = MSGLEN;
    params.pwrite_buf            = write_buf;
    params.write_buf_size        = MSGLEN;
    params.handle_event.h_fp     = event_handle;
    version_asked = 0;
    client        = IOT_MQTT_Construct(&params);
    CHECK(client != NULL && version_asked > 0);

    arrived = acknowledged = 0;
    CHECK(IOT_MQTT_Subscribe_Sync(client, TOPIC_DATA, IOTX_MQTT_QOS1, on_data, NULL, 3000, 1) > 0);
    memset(&msg, 0, sizeof(msg));
    msg.qos         = IOTX_MQTT_QOS1;
    msg.payload     = "hello";
    msg.payload_len = 5;
    CHECK(IOT_MQTT_Publish(client, TOPIC_DATA, &msg) > 0);
    for (round = 0; round < 100 && (arrived == 0 || acknowledged == 0); round++) {
        IOT_MQTT_Yield(client, 100);
    }
    CHECK(arrived == 1 && acknowledged >= 1);
    msg.payload     = read_buf;
    msg.payload_len = MSGLEN;
    CHECK(IOT_MQTT_Publish(client, TOPIC_DATA, &msg) == MQTT_PUBLISH_PACKET_ERROR);
    CHECK(IOT_MQTT_Unsubscribe(client, TOPIC_DATA) > 0);
    CHECK(IOT_MQTT_Destroy(&client) == 0);
    CHECK(write_buf[0] == 0x5A && write_buf[MSGLEN - 1] == 0x5A);
    HAL_Free(write_buf);
    HAL_Free(read_buf);
    return 0;
}

int main(void)
{
    char        key[] = PRODUCT_KEY, name[] = DEVICE_NAME, secret[] = DEVICE_SECRET;
    char        version[FIRMWARE_VERSION_MAXLEN];
    int         domain = IOTX_CLOUD_DOMAIN_SH, dynamic = 0, got = -1;
    const char *tcp_port = getenv("IOTX_DEMO_TCP_PORT");

    hal_os_thread_param_t param;
    void                 *thread = NULL;
    int                   used   = 0;

    IOT_OpenLog("mqtt");
    IOT_SetLogLevel(IOT_LOG_INFO);
    CHECK(sizeof(iotx_conn_info_t) > 1160 && IOT_LOG_EMERG == 0 && IOTX_CLOUD_DOMAIN_MAX == 5);
    CHECK(HAL_SetProductKey(key) > 0 && HAL_SetDeviceName(name) > 0 && HAL_SetDeviceSecret(secret) > 0);
    CHECK(HAL_GetFirmwareVesion(version) > 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DOMAIN, &domain) == 0 && IOT_Ioctl(IOTX_IOCTL_GET_DOMAIN, &got) == 0 && got == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DYNAMIC_REGISTER, &dynamic) == 0 && IOT_Ioctl(4, &dynamic) == -1);
    memset(&param, 0, sizeof(param));
    param.stack_size   = 4096;
    param.detach_state = 7;
    CHECK(HAL_ThreadCreate(&thread, work, &threads, &param, &used) == 7 && threads == 1 && used == 4096);
    CHECK(session(0) == 0);

    CHECK(tcp_port != NULL && setenv("IOTX_DEMO_PORT", tcp_port, 1) == 0);
    CHECK(session(1) == 0);
    IOT_DumpMemoryStats(IOT_LOG_DEBUG);
    IOT_CloseLog();
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* IOT_Ioctl, IOT_SetupConnInfo and the host-name tables. */
#include "iotx.h"

#include <limits.h>

#include "check.h"

static int set(int option, const char *text)
{
    return IOT_Ioctl(option, (void *)(uintptr_t)text);
}

/* A text option: limit, GET with a terminator, refusal without side effect, clearing. */
static void text_option(int set_option, int get_option, size_t limit)
{
    char longest[300];
    char out[300];

    memset(longest, 'k', sizeof(longest));
    longest[limit] = '\0';

    memset(out, '#', sizeof(out));
    CHECK(IOT_Ioctl(get_option, out) == 0);
    CHECK(out[0] == '\0' && out[1] == '#');

    CHECK(set(set_option, longest) == 0);
    memset(out, '#', sizeof(out));
    CHECK(IOT_Ioctl(get_option, out) == 0);
    CHECK(strcmp(out, longest) == 0);
    CHECK(out[limit + 1] == '#');

    /* One character too many, and an array without terminator of exactly the documented size. */
    longest[limit] = 'k';
    longest[limit + 1] = '\0';
    CHECK(set(set_option, longest) == -1);
    longest[limit + 1] = 'k';
    CHECK(set(set_option, longest) == -1);
    CHECK(set(set_option, "\xff\xfe") == -1);
    CHECK(IOT_Ioctl(set_option, NULL) == -1);
    CHECK(IOT_Ioctl(get_option, NULL) == -1);
    CHECK(IOT_Ioctl(get_option, out) == 0 && strlen(out) == limit);

    CHECK(set(set_option, "abc") == 0);
    memset(out, '#', sizeof(out));
    CHECK(IOT_Ioctl(get_option, out) == 0);
    CHECK(strcmp(out, "abc") == 0 && out[4] == '#');
    CHECK(set(set_option, "") == 0);
    CHECK(IOT_Ioctl(get_option, out) == 0 && out[0] == '\0');
}

static void regions(void)
{
    int region = -1;

    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_REGION, &region) == 0 && region == IOTX_CLOUD_REGION_SHANGHAI);
    for (int wanted = 0; wanted < 6; wanted++) {
        CHECK(IOT_Ioctl(IOTX_IOCTL_SET_REGION, &wanted) == 0);
        CHECK(IOT_Ioctl(IOTX_IOCTL_GET_DOMAIN, &region) == 0 && region == wanted);
    }
    int keep = IOTX_CLOUD_DOMAIN_GER;
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DOMAIN, &keep) == 0);
    const int bad[] = {6, 7, -1, INT_MAX, INT_MIN};
    for (size_t at = 0; at < sizeof(bad) / sizeof(bad[0]); at++) {
        int wanted = bad[at];
        CHECK(IOT_Ioctl(IOTX_IOCTL_SET_REGION, &wanted) == -1);
        CHECK(IOT_Ioctl(IOTX_IOCTL_GET_REGION, &region) == 0 && region == keep);
    }
}

static void domains(void)
{
    char name[300];
    int region = -1;
    int shanghai = 0;

    CHECK(strcmp(g_infra_mqtt_domain[0], "iot-as-mqtt.cn-shanghai.aliyuncs.com") == 0);
    CHECK(strcmp(g_infra_mqtt_domain[4], "iot-as-mqtt.eu-central-1.aliyuncs.com") == 0);
    CHECK(strcmp(g_infra_http_domain[1], "iot-auth.ap-southeast-1.aliyuncs.com") == 0);
    CHECK(g_infra_mqtt_domain[IOTX_CLOUD_REGION_CUSTOM] == NULL);
    CHECK(g_infra_http_domain[IOTX_HTTP_REGION_CUSTOM] == NULL);

    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_REGION, &shanghai) == 0);
    memset(name, 'd', sizeof(name));
    name[254] = '\0';
    CHECK(set(IOTX_IOCTL_SET_MQTT_DOMAIN, name) == -1);
    CHECK(set(IOTX_IOCTL_SET_HTTP_DOMAIN, name) == -1);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_MQTT_DOMAIN, NULL) == -1);
    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_REGION, &region) == 0 && region == 0);
    CHECK(g_infra_mqtt_domain[5] == NULL && g_infra_http_domain[5] == NULL);

    name[253] = '\0';
    CHECK(set(IOTX_IOCTL_SET_HTTP_DOMAIN, name) == 0);
    CHECK(g_infra_http_domain[5] != NULL && strcmp(g_infra_http_domain[5], name) == 0);
    /* The HTTP host says nothing about MQTT. */
    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_REGION, &region) == 0 && region == 0);
    CHECK(g_infra_mqtt_domain[5] == NULL);

    CHECK(set(IOTX_IOCTL_SET_MQTT_DOMAIN, name) == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_REGION, &region) == 0 && region == IOTX_CLOUD_REGION_CUSTOM);
    CHECK(strcmp(g_infra_mqtt_domain[5], name) == 0);
    CHECK(set(IOTX_IOCTL_SET_MQTT_DOMAIN, "mqtt.example.com") == 0);
    CHECK(strcmp(g_infra_mqtt_domain[5], "mqtt.example.com") == 0);
    CHECK(set(IOTX_IOCTL_SET_MQTT_DOMAIN, "") == 0);
    CHECK(g_infra_mqtt_domain[5] == NULL);

    /* The tables may be written. */
    g_infra_mqtt_domain[2] = "mqtt.example.org";
    CHECK(strcmp(g_infra_mqtt_domain[2], "mqtt.example.org") == 0);
}

static void other_options(void)
{
    int number = 1;
    uint16_t port = 1883;
    char text[300];
    iotx_dev_meta_info_t meta;
    iotx_user_subscribe_context context = {"/a/b", NULL};

    memset(&meta, 0, sizeof(meta));
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DYNAMIC_REGISTER, &number) == 0);
    number = 2;
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DYNAMIC_REGISTER, &number) == -1);
    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_DYNAMIC_REGISTER, &number) == 0 && number == 1);
    number = 0;
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DYNAMIC_REGISTER, &number) == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_DYNAMIC_REGISTER, &number) == 0 && number == 0);
    number = 1;

    CHECK(IOT_Ioctl(IOTX_IOCTL_RECV_PROP_REPLY, &number) == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_RECV_EVENT_REPLY, &number) == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SEND_PROP_SET_REPLY, &number) == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_SUBDEV_LOGIN, &number) == 0);
    CHECK(set(IOTX_IOCTL_SET_SUBDEV_SIGN, "x") == -1);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_OTA_DEV_ID, &number) == -1);
    CHECK(IOT_Ioctl(IOTX_IOCTL_FOTA_TIMEOUT_MS, &number) == -1);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_MQTT_PORT, &port) == 0);
    uint32_t interval = 1000;
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_AWSS_ENABLE_INTERVAL, &interval) == -1);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_AWSS_CHANNEL_SCAN_INTERVAL, &interval) == -1);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_PROXY_REGISTER, &number) == -1);
    CHECK(IOT_Ioctl(IOTX_IOCTL_QUERY_DEVID, &meta) == -1);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SUB_USER_TOPIC, &context) == -1);

    memset(text, 'c', sizeof(text));
    text[80] = '\0';
    CHECK(set(IOTX_IOCTL_SET_CUSTOMIZE_INFO, text) == -1);

    for (int option = 0; option < 30; option++) {
        CHECK(IOT_Ioctl(option, NULL) == -1);
    }
    CHECK(IOT_Ioctl(-1, text) == -1);
    CHECK(IOT_Ioctl(30, text) == -1);
    CHECK(IOT_Ioctl(INT_MAX, text) == -1);
    CHECK(IOT_Ioctl(INT_MIN, text) == -1);
}

static void connection_info(void)
{
    void *block = NULL;
    char longest[100];

    CHECK(IOT_SetupConnInfo("pk", "dn", "ds", &block) == 0);
    CHECK(block != NULL);
    iotx_conn_info_pt info = (iotx_conn_info_pt)block;
    CHECK(info->port == 0 && info->init == 0);
    CHECK(info->host_name != NULL && info->host_name[0] == '\0');
    CHECK(info->client_id != NULL && info->client_id[0] == '\0');
    CHECK(info->username != NULL && info->username[0] == '\0');
    CHECK(info->password != NULL && info->password[0] == '\0');
    CHECK(info->pub_key != NULL && info->pub_key[0] == '\0');
    info->port = 1;
    info->port = 0;

    void *again = NULL;
    CHECK(IOT_SetupConnInfo("", "", "", &again) == 0 && again == block);
    CHECK(IOT_SetupConnInfo("pk", "dn", "ds", NULL) == 0);

    /* Nothing is stored. */
    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_PRODUCT_KEY, longest) == 0 && longest[0] == '\0');

    again = longest;
    CHECK(IOT_SetupConnInfo(NULL, "dn", "ds", &again) == NULL_VALUE_ERROR);
    CHECK(IOT_SetupConnInfo("pk", NULL, "ds", &again) == NULL_VALUE_ERROR);
    CHECK(IOT_SetupConnInfo("pk", "dn", NULL, &again) == NULL_VALUE_ERROR);
    memset(longest, 'l', sizeof(longest));
    longest[20] = '\0';
    CHECK(IOT_SetupConnInfo(longest, "dn", "ds", NULL) == 0);
    longest[20] = 'l';
    CHECK(IOT_SetupConnInfo(longest, "dn", "ds", &again) == NULL_VALUE_ERROR);
    longest[32] = '\0';
    CHECK(IOT_SetupConnInfo("pk", longest, "ds", NULL) == 0);
    longest[32] = 'l';
    CHECK(IOT_SetupConnInfo("pk", longest, "ds", &again) == NULL_VALUE_ERROR);
    longest[64] = '\0';
    CHECK(IOT_SetupConnInfo("pk", "dn", longest, NULL) == 0);
    longest[64] = 'l';
    CHECK(IOT_SetupConnInfo("pk", "dn", longest, &again) == NULL_VALUE_ERROR);
    CHECK(again == (void *)longest);
}

int main(void)
{
    text_option(IOTX_IOCTL_SET_PRODUCT_KEY, IOTX_IOCTL_GET_PRODUCT_KEY, IOTX_PRODUCT_KEY_LEN);
    text_option(IOTX_IOCTL_SET_PRODUCT_SECRET, IOTX_IOCTL_GET_PRODUCT_SECRET, IOTX_PRODUCT_SECRET_LEN);
    text_option(IOTX_IOCTL_SET_DEVICE_NAME, IOTX_IOCTL_GET_DEVICE_NAME, IOTX_DEVICE_NAME_LEN);
    text_option(IOTX_IOCTL_SET_DEVICE_SECRET, IOTX_IOCTL_GET_DEVICE_SECRET, IOTX_DEVICE_SECRET_LEN);
    text_option(IOTX_IOCTL_SET_MODULE, IOTX_IOCTL_GET_MODULE, IOTX_MODULE_LEN);
    regions();
    domains();
    other_options();
    connection_info();
    return finish();
}

/* iotx-test: c++ shared valgrind
 *
 * Dynamic registration over TLS of the application's own (HAL_SSL_*), as a modem has it: reads of an exact
 * number of bytes. Asking for bytes that never come would make such a port wait, so it is counted. The
 * server is in memory: HTTPS with three framings, MQTT with both registrations.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dynreg_api.h"
#include "infra_compat.h"
#include "infra_state.h"
#include "iotx.h"
#include "wrappers_tls.h"

#define CHECK(condition)                                   \
    do {                                                   \
        if (!(condition)) {                                \
            printf("line %d: %s\n", __LINE__, #condition); \
            return 1;                                      \
        }                                                  \
    } while (0)

static char     received[4096], host_asked[64];
static size_t   received_len, answer_len, answer_at;
static char     answer[4096];
static uint16_t port_asked;
static int      opened, closed, over_asked, ends, ca_given, refusals;

#ifdef __cplusplus
extern "C" {
#endif
uintptr_t HAL_SSL_Establish(const char *host, uint16_t port, const char *ca_crt, uint32_t ca_crt_len)
{
    if (refusals > 0) {
        refusals--;
        return 0;
    }
    opened++;
    port_asked = port;
    ca_given   = ca_crt != NULL && ca_crt_len == strlen(ca_crt) + 1;
    snprintf(host_asked, sizeof(host_asked), "%s", host);
    received_len = answer_at = 0;
    return 1;
}

int32_t HAL_SSL_Destroy(uintptr_t handle)
{
    closed += handle == 1;
    return 0;
}

int HAL_SSL_Write(uintptr_t handle, const char *buf, int len, int timeout_ms)
{
    /* In small portions, as a modem takes them. */
    int taken = len < 100 ? len : 100;

    if (handle != 1 || timeout_ms < 1 || received_len + (size_t)taken >= sizeof(received)) {
        return -1;
    }
    memcpy(received + received_len, buf, (size_t)taken);
    received_len += (size_t)taken;
    received[received_len] = '\0';
    return taken;
}

int HAL_SSL_Read(uintptr_t handle, char *buf, int len, int timeout_ms)
{
    size_t left = answer_len - answer_at;

    if (handle != 1 || timeout_ms < 1 || len < 1) {
        return -1;
    }
    if ((size_t)len > left) {
        if (left == 0 && ends) {
            return -2;
        }
        over_asked++;
        len = (int)left;
    }
    memcpy(buf, answer + answer_at, (size_t)len);
    answer_at += (size_t)len;
    return len;
}
#ifdef __cplusplus
}
#endif

static void answer_with(const void *bytes, size_t len)
{
    memcpy(answer, bytes, len);
    answer_len = len;
    over_asked = ends = opened = closed = 0;
}

static const char *const body =
    "{\"code\":200,\"data\":{\"productKey\":\"pk\",\"deviceName\":\"dn\",\"deviceSecret\":\"the secret\"}}";

static int https(const char *text, int until_close, int fails_before)
{
    iotx_dev_meta_info_t meta;

    memset(&meta, 0, sizeof(meta));
    strcpy(meta.product_key, "pk");
    strcpy(meta.product_secret, "ps");
    strcpy(meta.device_name, "dn");
    answer_with(text, strlen(text));
    ends     = until_close;
    refusals = fails_before;
    CHECK(IOT_Dynamic_Register(IOTX_HTTP_REGION_SHANGHAI, &meta) == 0);
    CHECK(strcmp(meta.device_secret, "the secret") == 0);
    CHECK(strcmp(host_asked, "iot-auth.cn-shanghai.aliyuncs.com") == 0 && port_asked == 443 && ca_given);
    CHECK(strstr(received, "POST /auth/register/device HTTP/1.1\r\nHost: iot-auth.cn-shanghai.aliyuncs.com\r\n") == received);
    CHECK(strstr(received, "\r\n\r\nproductKey=pk&deviceName=dn&random=") != NULL);
    CHECK(opened == 1 && closed == 1 && over_asked == 0);
    return 0;
}

static size_t put(char *out, const char *text)
{
    size_t len = strlen(text);

    out[0] = (char)(len >> 8);
    out[1] = (char)(len & 255);
    memcpy(out + 2, text, len);
    return len + 2;
}

static int mqtt(iotx_register_method_t method, const char *topic, const char *payload)
{
    iotx_register_options_t options;
    iotx_register_result_t  result;
    char                    packet[512];
    size_t                  topic_len = strlen(topic), body_len = 2 + topic_len + strlen(payload), at = 0;

    memcpy(packet, "\x20\x02\x00\x00\x30", 5);
    at           = 5;
    packet[at++] = (char)(0x80 | (body_len & 127));
    packet[at++] = (char)(body_len >> 7);
    at += put(packet + at, topic);
    memcpy(packet + at, payload, strlen(payload));
    answer_with(packet, at + strlen(payload));

    CHECK(iotx_register_options_init(&options, sizeof(options)) == 0);
    options.method         = method;
    options.region         = IOTX_CLOUD_REGION_GERMANY;
    options.product_key    = "pk";
    options.product_secret = "ps";
    options.device_name    = "dn";
    CHECK(iotx_register(&options, &result) == 0);
    CHECK(strcmp(host_asked, "pk.iot-as-mqtt.eu-central-1.aliyuncs.com") == 0 && port_asked == 443);
    CHECK(received_len > 4 && memcmp(received + received_len - 2, "\xe0\x00", 2) == 0);
    CHECK(opened == 1 && closed == 1 && over_asked == 0);
    if (method == IOTX_REGISTER_MQTT) {
        CHECK(strcmp(result.device_secret, "the secret") == 0 && result.device_token[0] == '\0');
    } else {
        CHECK(strcmp(result.client_id, "c-1") == 0 && strcmp(result.device_token, "the token") == 0);
        CHECK(result.device_secret[0] == '\0');
    }
    iotx_register_result_clear(&result);
    CHECK(result.device_secret[0] == '\0' && result.device_token[0] == '\0');
    return 0;
}

int main(void)
{
    char text[1024];

    snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\ncontent-length: %u\r\n\r\n%s", (unsigned)strlen(body), body);
    CHECK(https(text, 0, 0) == 0);
    snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n%x\r\n%s\r\n0\r\n\r\n",
             (unsigned)strlen(body) - 1, body + 1);
    CHECK(https(text, 0, 0) == 0);
    snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n\r\n%s", body);
    CHECK(https(text, 1, 0) == 0);
    /* The third try. */
    CHECK(https(text, 1, 2) == 0);

    CHECK(mqtt(IOTX_REGISTER_MQTT, "/ext/register",
               "{\"productKey\":\"pk\",\"deviceName\":\"dn\",\"deviceSecret\":\"the secret\"              "
               "                                      }") == 0);
    CHECK(mqtt(IOTX_REGISTER_MQTT_NO_PREREGISTRATION, "/ext/regnwl",
               "{\"productKey\":\"pk\",\"deviceName\":\"dn\",\"clientId\":\"c-1\",\"deviceToken\":\"the token\"    "
               "                                      }") == 0);
    return 0;
}

/* iotx-test: c++ shared valgrind platform
 *
 * Clients on a TLS port of the application's own: HAL_SSL_Establish has no parameter for the
 * certificate or key of a client, so such options are refused with a reason; the CA reaches the port, and the
 * session runs. The port here is no protection at all: it passes bytes through to plain TCP.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dev_sign_api.h"
#include "infra_state.h"
#include "iotx.h"

#define CHECK(condition)                                   \
    do {                                                   \
        if (!(condition)) {                                \
            printf("line %d: %s\n", __LINE__, #condition); \
            return 1;                                      \
        }                                                  \
    } while (0)

#define CA "-----BEGIN CERTIFICATE-----\nfor the port alone\n"

static char     asked_host[64];
static uint16_t asked_port;
static char     asked_ca[256];

#ifdef __cplusplus
extern "C" {
#endif
uintptr_t HAL_SSL_Establish(const char *host, uint16_t port, const char *ca_crt, uint32_t ca_crt_len)
{
    snprintf(asked_host, sizeof(asked_host), "%s", host);
    snprintf(asked_ca, sizeof(asked_ca), "%.*s", (int)ca_crt_len, ca_crt);
    asked_port = port;
    /* 0 would mean failure, and a descriptor may be 0. */
    return HAL_TCP_Establish(host, port) + 1;
}

int32_t HAL_SSL_Destroy(uintptr_t handle)
{
    return HAL_TCP_Destroy(handle - 1);
}

int HAL_SSL_Write(uintptr_t handle, const char *buf, int len, int timeout_ms)
{
    return HAL_TCP_Write(handle - 1, buf, (uint32_t)len, (uint32_t)timeout_ms);
}

int HAL_SSL_Read(uintptr_t handle, char *buf, int len, int timeout_ms)
{
    return HAL_TCP_Read(handle - 1, buf, (uint32_t)len, (uint32_t)timeout_ms);
}
#ifdef __cplusplus
}
#endif

static int refused(const iotx_client_options_t *options)
{
    iotx_client_t *client;
    char           text[120];
    int            code = 0;

    CHECK(iotx_client_create(options, &client) == STATE_USER_INPUT_INVALID && client == NULL);
    CHECK(iotx_client_last_error(NULL, &code, text, sizeof(text)) == 0 && code == STATE_USER_INPUT_INVALID);
    CHECK(strstr(text, "HAL_SSL_Establish") != NULL);
    return 0;
}

int main(void)
{
    iotx_client_options_t options;
    iotx_dev_meta_info_t  meta;
    iotx_sign_mqtt_t      sign;
    iotx_client_t        *client;

    CHECK(setenv("IOTX_DEMO_PORT", getenv("IOTX_DEMO_TCP_PORT"), 1) == 0);
    CHECK(iotx_client_options_init(&options, sizeof(options)) == 0);
    options.url              = "mqtts://broker.example:4711";
    options.client_id        = "a";
    options.certificate.data = options.key.data = "PEM";
    options.certificate.size = options.key.size = 3;
    CHECK(refused(&options) == 0);

    memset(&options.certificate, 0, sizeof(options.certificate));
    memset(&options.key, 0, sizeof(options.key));
    options.psk_identity = "me";
    options.psk.data     = "key";
    options.psk.size     = 3;
    CHECK(refused(&options) == 0);

    memset(&options.psk, 0, sizeof(options.psk));
    options.psk_identity  = NULL;
    memset(&meta, 0, sizeof(meta));
    strcpy(meta.product_key, "a1MZxOdcBnO");
    strcpy(meta.device_name, "example1");
    strcpy(meta.device_secret, "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X");
    CHECK(IOT_Sign_MQTT(IOTX_CLOUD_REGION_SHANGHAI, &meta, &sign) == 0);
    /* The platform is told the truth about the protection. */
    CHECK(strstr(sign.clientid, "securemode=2") != NULL);
    strstr(sign.clientid, "securemode=2")[sizeof("securemode=") - 1] = '3';
    options.client_id     = sign.clientid;
    options.username      = sign.username;
    options.password      = sign.password;
    options.ca.data       = CA;
    options.ca.size       = sizeof(CA);
    CHECK(iotx_client_create(&options, &client) == 0);
    CHECK(iotx_client_connect(client, 10000) == 0);
    CHECK(strcmp(asked_host, "broker.example") == 0 && asked_port == 4711 && strcmp(asked_ca, CA) == 0);
    CHECK(iotx_client_is_connected(client) == 1 && iotx_client_fd(client) == -1);
    CHECK(iotx_client_destroy(client) == 0);
    return 0;
}

/* iotx-test: c++ shared valgrind
 *
 * Firmware that still compiles the SDK's own dynamic registration defines IOT_Dynamic_Register: it links, and
 * Construct calls it, hands its secret out once before the connection, and believes nothing that is no secret.
 */
#include <stdio.h>
#include <string.h>

#include "dynreg_api.h"
#include "infra_compat.h"
#include "infra_state.h"
#include "mqtt_api.h"

#define CHECK(condition)                                   \
    do {                                                   \
        if (!(condition)) {                                \
            printf("line %d: %s\n", __LINE__, #condition); \
            return 1;                                      \
        }                                                  \
    } while (0)

static int  calls, handed_out, region_asked, result;
static char answer[65], secret_seen[65];

#ifdef __cplusplus
extern "C" {
#endif
int32_t IOT_Dynamic_Register(iotx_http_region_types_t region, iotx_dev_meta_info_t *meta)
{
    calls++;
    region_asked = (int)region;
    if (strcmp(meta->product_key, "pk") != 0 || strcmp(meta->product_secret, "ps") != 0 ||
        strcmp(meta->device_name, "dn") != 0 || meta->device_secret[0] != '\0') {
        return -99;
    }
    memcpy(meta->device_secret, answer, sizeof(answer));
    return result;
}

static int on_secret(const char *secret)
{
    handed_out++;
    snprintf(secret_seen, sizeof(secret_seen), "%s", secret);
    return 0;
}
#ifdef __cplusplus
}
#endif

/* Nobody listens there: the connection itself fails at once. */
static void *construct(void)
{
    iotx_mqtt_param_t param;
    char              host[] = "mqtt://127.0.0.1";

    memset(&param, 0, sizeof(param));
    param.host = host;
    param.port = 1;
    return IOT_MQTT_Construct(&param);
}

static void set(iotx_ioctl_option_t option, const char *text)
{
    char copy[128];

    snprintf(copy, sizeof(copy), "%s", text);
    IOT_Ioctl(option, copy);
}

int main(void)
{
    int  region = IOTX_CLOUD_REGION_JAPAN, on = 1, off = 0;
    char secret[65];

    IOT_RegisterCallback(ITE_DYNREG_DEVICE_SECRET, on_secret);
    IOT_Ioctl(IOTX_IOCTL_SET_REGION, &region);
    set(IOTX_IOCTL_SET_PRODUCT_KEY, "pk");
    set(IOTX_IOCTL_SET_PRODUCT_SECRET, "ps");
    set(IOTX_IOCTL_SET_DEVICE_NAME, "dn");

    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DYNAMIC_REGISTER, &off) == 0);
    CHECK(construct() == NULL && calls == 0);

    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DYNAMIC_REGISTER, &on) == 0);
    result = STATE_HTTP_DYNREG_FAIL_RESP;
    CHECK(construct() == NULL && calls == 1 && handed_out == 0 && region_asked == IOTX_HTTP_REGION_JAPAN);
    result = 0;
    CHECK(construct() == NULL && calls == 2 && handed_out == 0);
    memset(answer, 'x', sizeof(answer));
    CHECK(construct() == NULL && calls == 3 && handed_out == 0);

    memset(answer, 0, sizeof(answer));
    strcpy(answer, "the secret");
    CHECK(construct() == NULL && calls == 4 && handed_out == 1 && strcmp(secret_seen, "the secret") == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_GET_DEVICE_SECRET, secret) == 0 && strcmp(secret, "the secret") == 0);
    /* There is a secret now. */
    CHECK(construct() == NULL && calls == 4 && handed_out == 1);
    return 0;
}

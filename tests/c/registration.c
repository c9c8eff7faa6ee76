/* iotx-test: c++ shared valgrind
 *
 * Dynamic registration from C: every function, and what is refused before anything is sent. Against servers:
 * tests/python/test_registration*.py; with a function of the firmware's own: registration_own.c.
 */
#include <stdio.h>
#include <string.h>

#include "dynreg_api.h"
#include "infra_compat.h"
#include "infra_state.h"
#include "iotx.h"

#define CHECK(condition)                                   \
    do {                                                   \
        if (!(condition)) {                                \
            printf("line %d: %s\n", __LINE__, #condition); \
            return 1;                                      \
        }                                                  \
    } while (0)

static int  last_code;
static char last_text[64];

#ifdef __cplusplus
extern "C" {
#endif
static int on_state(int code, const char *text)
{
    last_code = code;
    snprintf(last_text, sizeof(last_text), "%s", text);
    return 0;
}
#ifdef __cplusplus
}
#endif

static int sdk_function(void)
{
    iotx_dev_meta_info_t meta;

    memset(&meta, 0, sizeof(meta));
    memset(meta.device_secret, 'x', sizeof(meta.device_secret));
    CHECK(IOT_Dynamic_Register(IOTX_HTTP_REGION_SHANGHAI, NULL) == STATE_USER_INPUT_INVALID);
    CHECK(IOT_Dynamic_Register(IOTX_HTTP_REGION_SHANGHAI, &meta) == STATE_USER_INPUT_PK);
    CHECK(last_code == STATE_USER_INPUT_PK && strcmp(last_text, "product key is missing") == 0);
    strcpy(meta.product_key, "a1MZxOdcBnO");
    CHECK(IOT_Dynamic_Register(IOTX_HTTP_REGION_SHANGHAI, &meta) == STATE_USER_INPUT_PS);
    /* No terminator inside the array. */
    memset(meta.product_secret, 's', sizeof(meta.product_secret));
    CHECK(IOT_Dynamic_Register(IOTX_HTTP_REGION_SHANGHAI, &meta) == STATE_USER_INPUT_PS);
    meta.product_secret[64] = '\0';
    CHECK(IOT_Dynamic_Register(IOTX_HTTP_REGION_SHANGHAI, &meta) == STATE_USER_INPUT_DN);
    memset(meta.device_name, 'd', sizeof(meta.device_name));
    CHECK(IOT_Dynamic_Register(IOTX_HTTP_REGION_SHANGHAI, &meta) == STATE_USER_INPUT_DN);
    meta.device_name[32] = '\0';
    CHECK(IOT_Dynamic_Register(IOTX_HTTP_REGION_CUSTOM, &meta) == STATE_USER_INPUT_HTTP_DOMAIN);
    CHECK(meta.device_secret[0] == 'x' && meta.device_secret[64] == 'x');
    CHECK(MQTT_DYNREG_TIMEOUT_MS == 15000);
    return 0;
}

static int choices(void)
{
    CHECK(iotx_dynreg_use_mqtt(1) == 0 && iotx_dynreg_use_mqtt(2) == STATE_USER_INPUT_OUT_RANGE);
    CHECK(iotx_dynreg_keep_secret(1) == 0 && iotx_dynreg_keep_secret(-1) == STATE_USER_INPUT_OUT_RANGE);
    CHECK(iotx_dynreg_forget() == STATE_SYS_DEPEND_KV_DELETE);
    CHECK(iotx_dynreg_use_mqtt(0) == 0 && iotx_dynreg_keep_secret(0) == 0);
    return 0;
}

/* What iotx_register answers, with the text in last_text. */
static int refusal(const iotx_register_options_t *options)
{
    iotx_register_result_t result;
    int                    code;

    memset(&result, 'x', sizeof(result));
    code = iotx_register(options, &result);
    snprintf(last_text, sizeof(last_text), "%.63s", result.text);
    if (result.device_secret[0] != '\0' || result.client_id[0] != '\0' || result.device_token[0] != '\0') {
        return 0;
    }
    iotx_register_result_clear(&result);
    return result.text[0] == '\0' ? code : 0;
}

static int with_options(void)
{
    iotx_register_options_t options;

    CHECK(iotx_register_options_init(NULL, sizeof(options)) == STATE_USER_INPUT_NULL_POINTER);
    CHECK(iotx_register_options_init(&options, 7) == STATE_USER_INPUT_OUT_RANGE);
    CHECK(iotx_register_options_init(&options, sizeof(options)) == 0);
    CHECK(options.struct_size == sizeof(options) && options.method == IOTX_REGISTER_HTTPS && options.url == NULL);
    CHECK(iotx_register(&options, NULL) == STATE_USER_INPUT_NULL_POINTER);
    CHECK(refusal(NULL) == STATE_USER_INPUT_NULL_POINTER);
    CHECK(refusal(&options) == STATE_USER_INPUT_PK && strcmp(last_text, "product key is missing") == 0);
    options.product_key    = "a1MZxOdcBnO";
    options.product_secret = "h4I4dneEFp7EImTv";
    options.device_name    = "a device name that is longer than 32 bytes";
    CHECK(refusal(&options) == STATE_USER_INPUT_DN);
    options.device_name = "meter-1";
    options.region      = 6;
    CHECK(refusal(&options) == STATE_USER_INPUT_OUT_RANGE && strcmp(last_text, "region is 6; it goes from 0 to 5") == 0);
    options.region = IOTX_CLOUD_REGION_CUSTOM;
    CHECK(refusal(&options) == STATE_USER_INPUT_HTTP_DOMAIN);
    options.method = IOTX_REGISTER_MQTT;
    CHECK(refusal(&options) == STATE_USER_INPUT_MQTT_DOMAIN);
    options.url = "mqtt://localhost:1883";
    CHECK(refusal(&options) == STATE_USER_INPUT_MQTT_DOMAIN && strstr(last_text, "mqtts://") != NULL);
    options.client_id = "mac";
    CHECK(refusal(&options) == STATE_USER_INPUT_INVALID);
    options.method      = IOTX_REGISTER_HTTPS;
    options.client_id   = NULL;
    options.instance_id = "iot-1";
    CHECK(refusal(&options) == STATE_USER_INPUT_INVALID);
    options.instance_id = NULL;
    options.url         = "http://localhost";
    CHECK(refusal(&options) == STATE_USER_INPUT_HTTP_URL && strstr(last_text, "https://") != NULL);
    options.method = 3;
    CHECK(refusal(&options) == STATE_USER_INPUT_OUT_RANGE);
    options.method = IOTX_REGISTER_MQTT_NO_PREREGISTRATION;
    options.url    = "mqtts://localhost";
    options.client_id = "a|b";
    CHECK(refusal(&options) == STATE_USER_INPUT_OUT_RANGE);
    iotx_register_result_clear(NULL);
    return 0;
}

int main(void)
{
    iotx_register_for_ITE_STATE_USER_INPUT(on_state);
    return sdk_function() || choices() || with_options();
}

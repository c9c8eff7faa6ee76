/* SPDX-License-Identifier: Apache-2.0 */
/* Events: every register function, state events, the monitor callback, descriptions. */
#include "iotx.h"

#include <limits.h>

#include "check.h"

static int calls;
static int last_code;
static char last_text[128];
static int order[8];

static void note(int who, int code, const char *text)
{
    if (calls < 8) {
        order[calls] = who;
    }
    calls++;
    last_code = code;
    strncpy(last_text, text, sizeof(last_text) - 1);
}

static int everything(const int code, const char *text)
{
    note(1, code, text);
    return -7;
}

static int mqtt_only(const int code, const char *text)
{
    note(2, code, text);
    return 0;
}

static int nested(const int code, const char *text)
{
    note(3, code, text);
    /* A handler may use the registry and cause another event. */
    IOT_RegisterCallback(ITE_STATE_OTA, everything);
    CHECK(iotx_state_event(ITE_STATE_OTA, -2, "inner") == 0);
    IOT_RegisterCallback(ITE_STATE_OTA, NULL);
    return 0;
}

static void reset(void)
{
    calls = 0;
    last_code = 1;
    memset(last_text, 0, sizeof(last_text));
    memset(order, 0, sizeof(order));
}

/* One callback per event type; their addresses are compared. */
static int cb_int(int a) { return a; }
static int cb_cint(const int a) { return a; }
static int cb_void(void) { return 0; }
static int cb_raw(const int a, const unsigned char *b, const int c) { return a + c + (b != NULL); }
static int cb_service(const int a, const char *b, const int c, const char *d, const int e, char **f, int *g)
{
    return a + c + e + (b != NULL) + (d != NULL) + (f != NULL) + (g != NULL);
}
static int cb_service_ext(int a, const char *b, int c, const char *d, int e, const char *f, int g, void *h)
{
    return a + c + e + g + (b != NULL) + (d != NULL) + (f != NULL) + (h != NULL);
}
static int cb_set(const int a, const char *b, const int c) { return a + c + (b != NULL); }
static int cb_desired(const char *a, const int b) { return b + (a != NULL); }
static int cb_get(const int a, const char *b, const int c, char **d, int *e)
{
    return a + c + (b != NULL) + (d != NULL) + (e != NULL);
}
static int cb_report(const int a, const int b, const int c, const char *d, const int e)
{
    return a + b + c + e + (d != NULL);
}
static int cb_trigger(const int a, const int b, const int c, const char *d, const int e, const char *f,
                      const int g)
{
    return a + b + c + e + g + (d != NULL) + (f != NULL);
}
static int cb_text(const char *a) { return a != NULL; }
static int cb_fota(const int a, const char *b) { return a + (b != NULL); }
static int cb_module(const int a, const char *b, const char *c) { return a + (b != NULL) + (c != NULL); }
static int cb_cota(const int a, const char *b, int c, const char *d, const char *e, const char *f,
                   const char *g)
{
    return a + c + (b != NULL) + (d != NULL) + (e != NULL) + (f != NULL) + (g != NULL);
}

/* Compares without converting a function pointer to void *, which pedantic C refuses. */
#define SAME(evt, cb)                                                    \
    do {                                                                 \
        void *slot = iotx_event_callback(evt);                           \
        CHECK(IOT_RegisterCallback(evt, cb) == 0);                       \
        CHECK(slot == NULL);                                             \
        slot = iotx_event_callback(evt);                                 \
        CHECK(slot != NULL && (uintptr_t)slot == (uintptr_t)(cb));       \
        CHECK(IOT_RegisterCallback(evt, NULL) == 0);                     \
        CHECK(iotx_event_callback(evt) == NULL);                         \
    } while (0)

static void every_register_function(void)
{
    SAME(ITE_AWSS_STATUS, cb_int);
    SAME(ITE_CONNECT_SUCC, cb_void);
    SAME(ITE_CONNECT_FAIL, cb_void);
    SAME(ITE_DISCONNECTED, cb_void);
    SAME(ITE_RAWDATA_ARRIVED, cb_raw);
    SAME(ITE_SERVICE_REQUEST, cb_service);
    SAME(ITE_SERVICE_REQUEST_EXT, cb_service_ext);
    SAME(ITE_PROPERTY_SET, cb_set);
    SAME(ITE_PROPERTY_GET, cb_get);
    SAME(ITE_REPORT_REPLY, cb_report);
    SAME(ITE_TRIGGER_EVENT_REPLY, cb_trigger);
    SAME(ITE_TIMESTAMP_REPLY, cb_text);
    SAME(ITE_TOPOLIST_REPLY, cb_report);
    SAME(ITE_PERMIT_JOIN, cb_desired);
    SAME(ITE_INITIALIZE_COMPLETED, cb_cint);
    SAME(ITE_FOTA, cb_fota);
    SAME(ITE_FOTA_MODULE, cb_module);
    SAME(ITE_COTA, cb_cota);
    SAME(ITE_MQTT_CONNECT_SUCC, cb_void);
    SAME(ITE_CLOUD_ERROR, cb_module);
    SAME(ITE_DYNREG_DEVICE_SECRET, cb_text);
    SAME(ITE_IDENTITY_RESPONSE, cb_text);
    SAME(ITE_BIND_EVENT, cb_text);
    SAME(ITE_STATE_USER_INPUT, everything);
    SAME(ITE_STATE_SYS_DEPEND, everything);
    SAME(ITE_STATE_MQTT_COMM, everything);
    SAME(ITE_STATE_WIFI_PROV, everything);
    SAME(ITE_STATE_COAP_LOCAL, everything);
    SAME(ITE_STATE_HTTP_COMM, everything);
    SAME(ITE_STATE_OTA, everything);
    SAME(ITE_STATE_DEV_BIND, everything);
    SAME(ITE_STATE_DEV_MODEL, everything);

    /* Has a register function, but no number and no influence on any. */
    CHECK(IOT_RegisterCallback(ITE_PROPERTY_DESIRED_GET_REPLY, cb_desired) == 0);
    for (int number = -2; number < 40; number++) {
        CHECK(iotx_event_callback(number) == NULL);
    }
    CHECK(iotx_event_callback(INT_MAX) == NULL);
    CHECK(iotx_event_callback(INT_MIN) == NULL);
    CHECK(IOT_RegisterCallback(ITE_PROPERTY_DESIRED_GET_REPLY, NULL) == 0);
}

static void registering_everything(void)
{
    IOT_RegisterCallback(ITE_BIND_EVENT, cb_text);
    IOT_RegisterCallback(ITE_STATE_EVERYTHING, everything);
    for (int number = ITE_STATE_EVERYTHING; number <= ITE_STATE_DEV_MODEL; number++) {
        CHECK((uintptr_t)iotx_event_callback(number) == (uintptr_t)everything);
    }
    CHECK((uintptr_t)iotx_event_callback(ITE_BIND_EVENT) == (uintptr_t)cb_text);
    CHECK(iotx_event_callback(ITE_IDENTITY_RESPONSE) == NULL);

    /* The same function in both slots is called once. */
    reset();
    CHECK(iotx_state_event(ITE_STATE_MQTT_COMM, STATE_MQTT_SUB_INFO, "a %d", 5) == 0);
    CHECK(calls == 1 && last_code == STATE_MQTT_SUB_INFO && strcmp(last_text, "a 5") == 0);
    reset();
    CHECK(iotx_state_event(ITE_STATE_EVERYTHING, -3, "all") == 0);
    CHECK(calls == 1 && order[0] == 1 && last_code == -3);

    /* A specific handler comes first, then the one for everything. */
    IOT_RegisterCallback(ITE_STATE_MQTT_COMM, mqtt_only);
    reset();
    CHECK(iotx_state_event(ITE_STATE_MQTT_COMM, -1, "both") == 0);
    CHECK(calls == 2 && order[0] == 2 && order[1] == 1);
    reset();
    CHECK(iotx_state_event(ITE_STATE_OTA, -1, "one") == 0);
    CHECK(calls == 1 && order[0] == 1);

    /* An empty slot means nobody, even while everything is registered. */
    IOT_RegisterCallback(ITE_STATE_OTA, NULL);
    reset();
    CHECK(iotx_state_event(ITE_STATE_OTA, -1, "nobody") == -1);
    CHECK(calls == 0);

    IOT_RegisterCallback(ITE_STATE_SYS_DEPEND, nested);
    reset();
    CHECK(iotx_state_event(ITE_STATE_SYS_DEPEND, -1, "outer") == 0);
    CHECK(calls == 3 && order[0] == 3 && order[1] == 1 && order[2] == 1);

    IOT_RegisterCallback(ITE_STATE_EVERYTHING, NULL);
    for (int number = ITE_STATE_EVERYTHING; number <= ITE_STATE_DEV_MODEL; number++) {
        CHECK(iotx_event_callback(number) == NULL);
        CHECK(iotx_state_event(number, -1, "gone") == -1);
    }
    IOT_RegisterCallback(ITE_BIND_EVENT, NULL);
}

static void texts_of_state_events(void)
{
    char text[200];
    const char *const no_format = NULL;
    int written = 0;

    IOT_RegisterCallback(ITE_STATE_HTTP_COMM, mqtt_only);

    /* Text from outside is an argument and stays as it is. */
    reset();
    CHECK(iotx_state_event(ITE_STATE_HTTP_COMM, -1, "%s", "%n%s%s%x") == 0);
    CHECK(strcmp(last_text, "%n%s%s%x") == 0);

    reset();
    CHECK(iotx_state_event(ITE_STATE_HTTP_COMM, -1, no_format) == 0);
    CHECK(calls == 1 && last_text[0] == '\0');

    /* 63 characters fit, the 64th does not. */
    memset(text, 'x', sizeof(text));
    text[63] = '\0';
    reset();
    iotx_state_event(ITE_STATE_HTTP_COMM, -1, "%s", text);
    CHECK(strlen(last_text) == 63);
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    reset();
    CHECK(iotx_state_event(ITE_STATE_HTTP_COMM, INT_MIN, "%s", text) == 0);
    CHECK(strlen(last_text) == 63 && last_code == INT_MIN);

    /* Without a handler nothing is formatted: %n would have been written. */
    IOT_RegisterCallback(ITE_STATE_HTTP_COMM, NULL);
    written = -1;
    CHECK(iotx_state_event(ITE_STATE_HTTP_COMM, -1, "abc%n", &written) == -1);
    CHECK(written == -1);

    /* Only state events are state events. */
    IOT_RegisterCallback(ITE_MQTT_CONNECT_SUCC, cb_void);
    CHECK(iotx_state_event(ITE_MQTT_CONNECT_SUCC, -1, "x") == -1);
    IOT_RegisterCallback(ITE_MQTT_CONNECT_SUCC, NULL);
    CHECK(iotx_state_event(-1, -1, "x") == -1);
    CHECK(iotx_state_event(33, -1, "x") == -1);
    CHECK(iotx_state_event(INT_MAX, -1, "x") == -1);
}

static int monitored;
static void monitor(int event) { monitored = event; }

static void monitor_events(void)
{
    CHECK(iotx_event_post(IOTX_CONN_CLOUD) == -1);
    CHECK(iotx_event_regist_cb(monitor) == 0);
    CHECK(iotx_event_post(IOTX_CONN_CLOUD_SUC) == 0);
    CHECK(monitored == 0x2002);
    CHECK(iotx_event_regist_cb(NULL) == 0);
    CHECK(iotx_event_post(IOTX_RESET) == -1);
}

static void descriptions(void)
{
    CHECK(strcmp(IOT_Extension_StateDesc(STATE_SUCCESS), "Success.") == 0);
    CHECK(strstr(IOT_Extension_StateDesc(STATE_MQTT_CONNACK_BAD_USERDATA), "password") != NULL);
    CHECK(strstr(IOT_Extension_StateDesc(ERROR_CERT_VERIFY_FAIL), "certificate") != NULL);
    for (int code = -3000; code < 300; code++) {
        const char *text = IOT_Extension_StateDesc(code);
        CHECK(text != NULL && strlen(text) > 5);
    }
    CHECK(IOT_Extension_StateDesc(INT_MIN) != NULL);
    CHECK(IOT_Extension_StateDesc(INT_MAX) != NULL);
}

int main(void)
{
    every_register_function();
    registering_everything();
    texts_of_state_events();
    monitor_events();
    descriptions();
    return finish();
}

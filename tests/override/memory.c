/*
 * Memory that is refused: a port's HAL_Malloc fails at its n-th call, or from its n-th call on, for every n
 * that a whole life of a client has: construct, subscribe, publish, receive, unsubscribe, sign, destroy.
 * Each call succeeds, or returns the documented error and has done nothing; everything is freed in the end.
 *
 * The port is an unpleasant one: its blocks are aligned to 8 bytes only, and it takes a lock and a semaphore
 * of the HAL for every call. The server is in memory, behind HAL_TCP_*, and time passes only while somebody
 * waits.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dev_sign_api.h"
#include "infra_compat.h"
#include "iotx.h"
#include "mqtt_api.h"
#include "wrappers.h"

static int failures;

#define CHECK(condition)                                                             \
    do {                                                                             \
        if (!(condition)) {                                                          \
            failures++;                                                              \
            printf("line %d, n %ld%s: %s\n", __LINE__, fail_at, fail_on, #condition); \
        }                                                                            \
    } while (0)

/* ---- the port ---------------------------------------------------------------------------------- */

static long        fail_at;
static const char *fail_on = "";
static long        calls, live, refused;
static void       *lock;
static uint64_t    now_ms = 1000;

void *HAL_Malloc(uint32_t size)
{
    void  *semaphore = HAL_SemaphoreCreate();
    char  *block     = NULL;

    if (lock == NULL) {
        lock = HAL_MutexCreate();
    }
    HAL_MutexLock(lock);
    calls++;
    if (fail_at == 0 || (fail_on[0] != '\0' ? calls < fail_at : calls != fail_at)) {
        block = malloc((size_t)size + 16);
    }
    live += block != NULL;
    refused += block == NULL;
    HAL_MutexUnlock(lock);
    HAL_SemaphoreDestroy(semaphore);
    if (block == NULL) {
        return NULL;
    }
    memset(block, 0xA5, (size_t)size + 16);
    return block + 8;
}

void HAL_Free(void *ptr)
{
    if (ptr == NULL) {
        return;
    }
    HAL_MutexLock(lock);
    live--;
    HAL_MutexUnlock(lock);
    free((char *)ptr - 8);
}

uint64_t HAL_UptimeMs(void)
{
    return now_ms;
}

void HAL_SleepMs(uint32_t ms)
{
    now_ms += ms;
}

/* ---- the server -------------------------------------------------------------------------------- */

static unsigned char from_device[4096], to_device[4096];
static size_t        from_len, to_len;
static int           subscribes, publishes, unsubscribes, acknowledged;

static void to(const void *bytes, size_t len)
{
    if (to_len + len <= sizeof(to_device)) {
        memcpy(to_device + to_len, bytes, len);
        to_len += len;
    }
}

static void serve(const unsigned char *packet, const unsigned char *body)
{
    static const unsigned char message[] = "\x32\x15\x00\x0C/mem/dev/get\x00\x09hello";
    unsigned char              ack[5]    = {0, 2, 0, 0, 1};
    size_t                     topic;

    switch (packet[0] >> 4) {
        case 1:
            ack[0] = 0x20;
            to(ack, 4);
            break;
        case 3:
            topic = (size_t)body[0] << 8 | body[1];
            if (strncmp((const char *)body + 2, "/mem/dev/up", 11) == 0) {
                publishes++;
                to(message, sizeof(message) - 1);
            }
            if ((packet[0] & 6) != 0) {
                ack[0] = 0x40;
                memcpy(ack + 2, body + 2 + topic, 2);
                to(ack, 4);
            }
            break;
        case 4:
            acknowledged++;
            break;
        case 8:
            subscribes++;
            ack[0] = 0x90;
            ack[1] = 3;
            memcpy(ack + 2, body, 2);
            to(ack, 5);
            break;
        case 10:
            unsubscribes++;
            ack[0] = 0xB0;
            memcpy(ack + 2, body, 2);
            to(ack, 4);
            break;
        default:
            break;
    }
}

uintptr_t HAL_TCP_Establish(const char *host, uint16_t port)
{
    (void)host;
    (void)port;
    from_len = to_len = 0;
    return 7;
}

int HAL_TCP_Destroy(uintptr_t fd)
{
    (void)fd;
    return 0;
}

int32_t HAL_TCP_Write(uintptr_t fd, const char *buf, uint32_t len, uint32_t timeout_ms)
{
    (void)fd;
    (void)timeout_ms;
    if (from_len + len > sizeof(from_device)) {
        return -1;
    }
    memcpy(from_device + from_len, buf, len);
    from_len += len;
    while (from_len >= 2) {
        size_t header = 1, length = 0;

        do {
            length |= (size_t)(from_device[header] & 0x7F) << (7 * (header - 1));
        } while ((from_device[header++] & 0x80) && header < from_len);
        if (from_len < header + length) {
            break;
        }
        serve(from_device, from_device + header);
        from_len -= header + length;
        memmove(from_device, from_device + header + length, from_len);
    }
    return (int32_t)len;
}

int32_t HAL_TCP_Read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms)
{
    (void)fd;
    if (to_len == 0) {
        now_ms += timeout_ms;
        return 0;
    }
    len = len < to_len ? len : (uint32_t)to_len;
    memcpy(buf, to_device, len);
    to_len -= len;
    memmove(to_device, to_device + len, to_len);
    return (int32_t)len;
}

/* ---- one life of a client ---------------------------------------------------------------------- */

static int told, received;
static int construct_failed, subscribe_failed, create_failed;

static int on_state(int code, const char *text)
{
    (void)text;
    told += code == STATE_SYS_DEPEND_MALLOC;
    return 0;
}

static void on_message(void *context, void *client, iotx_mqtt_event_msg_pt msg)
{
    (void)context;
    (void)client;
    if (msg->event_type == IOTX_MQTT_EVENT_PUBLISH_RECEIVED) {
        iotx_mqtt_topic_info_pt info = (iotx_mqtt_topic_info_pt)msg->msg;

        CHECK(info->payload_len == 5 && memcmp(info->payload, "hello", 5) == 0);
        received++;
    }
}

/* The call did all of its work, or refused, did nothing, and said so. */
static int whole_or_not(int code, int count_before, int count_now, int told_before)
{
    if (code == STATE_SYS_DEPEND_MALLOC) {
        CHECK(count_now == count_before);
        CHECK(told == told_before + 1);
        return 0;
    }
    CHECK(code >= 0);
    CHECK(count_now == count_before + 1);
    return 1;
}

static void sign(void)
{
    iotx_dev_meta_info_t meta;
    iotx_sign_mqtt_t     out;
    int                  code;

    memset(&meta, 0, sizeof(meta));
    strcpy(meta.product_key, "memory");
    strcpy(meta.device_name, "one");
    strcpy(meta.device_secret, "secret");
    memset(&out, 1, sizeof(out));
    code = IOT_Sign_MQTT(IOTX_CLOUD_REGION_SHANGHAI, &meta, &out);
    CHECK(code == 0 || code == STATE_SYS_DEPEND_MALLOC);
    CHECK((code == 0) == (strlen(out.username) == strlen("one&memory")));
}

/* A client of the library's own interface: made, used off-line, destroyed. */
static void own_client(void)
{
    iotx_client_options_t options;
    iotx_client_t        *client = NULL;
    int                   code;

    iotx_client_options_init(&options, sizeof(options));
    options.url       = "mqtt://127.0.0.1";
    options.client_id = "memory";
    code              = iotx_client_create(&options, &client);
    CHECK((code == 0 && client != NULL) || (code == STATE_SYS_DEPEND_MALLOC && client == NULL));
    create_failed += code != 0;
    CHECK(iotx_client_destroy(client) == 0);
    CHECK(live == 0);
}

static void session(void)
{
    iotx_mqtt_param_t      param;
    iotx_mqtt_topic_info_t message;
    void                  *client;
    int                    handled, before, events, code, sent = 0;

    memset(&param, 0, sizeof(param));
    param.host           = "tcp://127.0.0.1";
    param.port           = 1883;
    param.customize_info = "a=b";
    param.handle_event.h_fp = on_message;
    events               = told;
    client               = IOT_MQTT_Construct(&param);
    if (client == NULL) {
        CHECK(told == events + 1);
        construct_failed++;
        return;
    }
    before  = subscribes;
    events  = told;
    code    = IOT_MQTT_Subscribe_Sync(client, "/mem/dev/get", IOTX_MQTT_QOS1, on_message, NULL, 1000);
    handled = whole_or_not(code, before, subscribes, events);
    subscribe_failed += !handled;

    before = subscribes;
    events = told;
    code   = IOT_MQTT_Subscribe(client, "/mem/dev/other", IOTX_MQTT_QOS0, on_message, NULL);
    whole_or_not(code, before, subscribes, events);

    before = publishes;
    events = told;
    code   = IOT_MQTT_Publish_Simple(client, "/mem/dev/up", IOTX_MQTT_QOS0, (void *)"0", 1);
    sent += whole_or_not(code, before, publishes, events);

    memset(&message, 0, sizeof(message));
    message.qos         = IOTX_MQTT_QOS1;
    message.payload     = "a payload that needs room: ...............................................";
    message.payload_len = (uint32_t)strlen(message.payload);
    before              = publishes;
    events              = told;
    code                = IOT_MQTT_Publish(client, "/mem/dev/up", &message);
    sent += whole_or_not(code, before, publishes, events);

    received = acknowledged = 0;
    CHECK(IOT_MQTT_Yield(client, 200) == 0);
    /* What arrives is delivered whether the port has memory or not. Unhandled messages go to the handler of
       the client, so that they count too. */
    CHECK(received == sent);
    CHECK(acknowledged == sent);

    before = unsubscribes;
    events = told;
    code   = IOT_MQTT_Unsubscribe(client, "/mem/dev/get");
    whole_or_not(code, before, unsubscribes, events);
    CHECK(IOT_MQTT_Yield(client, 50) == 0);
    CHECK(IOT_MQTT_CheckStateNormal(client) == 1);
    CHECK(IOT_MQTT_Destroy(&client) == 0);
    CHECK(client == NULL);
}

static long life(long n, const char *on)
{
    void *mutex;

    calls   = 0;
    fail_at = n;
    fail_on = on;
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_PRODUCT_KEY, "memory") == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_NAME, "one") == 0);
    CHECK(IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_SECRET, "secret") == 0);
    mutex = HAL_MutexCreate();
    CHECK(mutex != NULL);
    HAL_MutexDestroy(mutex);
    sign();
    own_client();
    session();
    CHECK(live == 0);
    return calls;
}

int main(void)
{
    long all, n, failed;

    IOT_SetLogLevel(IOT_LOG_NONE);
    IOT_RegisterCallback(ITE_STATE_SYS_DEPEND, on_state);
    all = life(0, "");
    CHECK(all > 10 && refused == 0 && told == 0 && received == 2);
    for (n = 1; n <= all; n++) {
        failed = refused;
        life(n, "");
        /* A call that gave up makes fewer requests than the whole life has. */
        CHECK(refused == failed || refused == failed + 1);
    }
    CHECK(refused > all / 2);
    for (n = 1; n <= all; n++) {
        life(n, " and on");
    }
    CHECK(construct_failed > 2 && subscribe_failed > 2 && create_failed > 2);
    life(0, "");
    printf("requests %ld refused %ld construct %d subscribe %d failures %d\n", all, refused, construct_failed,
           subscribe_failed, failures);
    HAL_MutexDestroy(lock);
    lock = NULL;
    return failures == 0 ? 0 : 1;
}

/* iotx-test: c++ shared valgrind platform
 *
 * Clients on a TCP port of the application's own. HAL_TCP_Establish comes from demo_port.c, so the library
 * keeps to the contract of HAL_TCP_*: there is no descriptor, and everything else works, from an event
 * loop and blocking, with the library's TLS on top.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infra_state.h"
#include "iotx.h"

#define CHECK(condition)                                   \
    do {                                                   \
        if (!(condition)) {                                \
            printf("line %d: %s\n", __LINE__, #condition); \
            return 1;                                      \
        }                                                  \
    } while (0)

#define TOPIC "/a1MZxOdcBnO/example1/user/get"

struct seen {
    int messages;
    int connected;
    int granted;
    int acknowledged;
};

#ifdef __cplusplus
extern "C" {
#endif
static void on_message(void *context, iotx_client_t *client, const iotx_client_message_t *message)
{
    struct seen *seen = (struct seen *)context;

    (void)client;
    seen->messages += strcmp(message->topic, TOPIC) == 0 && strcmp((const char *)message->payload, "hello") == 0;
}

static void on_event(void *context, iotx_client_t *client, const iotx_client_event_t *event)
{
    struct seen *seen = (struct seen *)context;

    (void)client;
    seen->connected += event->type == IOTX_CLIENT_EVENT_CONNECTED;
    seen->granted += event->type == IOTX_CLIENT_EVENT_SUBSCRIBED;
    seen->acknowledged += event->type == IOTX_CLIENT_EVENT_PUBLISHED;
}
#ifdef __cplusplus
}
#endif

static void device(iotx_client_options_t *options, struct seen *seen)
{
    memset(seen, 0, sizeof(*seen));
    iotx_client_options_init(options, sizeof(*options));
    options->url           = "mqtts://localhost";
    options->product_key   = "a1MZxOdcBnO";
    options->device_name   = "example1";
    options->device_secret = "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X";
    options->on_message    = on_message;
    options->on_event      = on_event;
    options->context       = seen;
}

/* As an event loop would, without a descriptor to wait on. */
static int loop(iotx_client_t *client, const int *until)
{
    int i;

    for (i = 0; i < 1000 && *until == 0; i++) {
        int wait = iotx_client_next_timeout_ms(client);

        CHECK(wait >= 0 && iotx_client_fd(client) == -1);
        if (iotx_client_is_connected(client) == 1) {
            CHECK(wait <= 20);
        }
        HAL_SleepMs((uint32_t)(wait < 20 ? wait : 20));
        CHECK(iotx_client_process(client) == 0);
    }
    CHECK(*until > 0);
    return 0;
}

int main(void)
{
    iotx_client_options_t options;
    iotx_client_stats_t   stats;
    iotx_client_t        *client;
    struct seen           seen;

    device(&options, &seen);
    options.nonblocking = 1;
    CHECK(iotx_client_create(&options, &client) == 0);
    CHECK(iotx_client_start(client) == 0);
    CHECK(loop(client, &seen.connected) == 0);
    CHECK(iotx_client_subscribe(client, TOPIC, 1, NULL, NULL) > 0);
    CHECK(loop(client, &seen.granted) == 0);
    CHECK(iotx_client_publish(client, TOPIC, "hello", 5, 1, 0) > 0);
    CHECK(loop(client, &seen.messages) == 0 && loop(client, &seen.acknowledged) == 0);
    CHECK(iotx_client_destroy(client) == 0);

    /* The blocking style, and a second client beside the first. */
    device(&options, &seen);
    CHECK(iotx_client_create(&options, &client) == 0);
    CHECK(iotx_client_connect(client, 10000) == 0);
    CHECK(iotx_client_subscribe(client, TOPIC, 0, NULL, NULL) > 0);
    while (seen.granted == 0) {
        CHECK(iotx_client_poll(client, 1000) == 0);
    }
    CHECK(iotx_client_publish(client, TOPIC, "hello", 5, 0, 0) == 0);
    while (seen.messages == 0) {
        CHECK(iotx_client_poll(client, 1000) == 0);
    }
    stats.struct_size = sizeof(stats);
    CHECK(iotx_client_stats(client, &stats) == 0 && stats.bytes_in > 0 && stats.messages_in == 1);
    CHECK(iotx_client_disconnect(client) == 0 && iotx_client_destroy(client) == 0);
    return 0;
}

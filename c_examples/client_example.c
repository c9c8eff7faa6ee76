/*
 * Several MQTT clients in one process with the client API of iotx.h: a sensor that publishes and a display
 * that subscribes, served by one event loop without threads.
 *
 *   client_example URL [CA-FILE [USER PASSWORD]]
 *
 * e.g. client_example mqtt://localhost, client_example mqtts://broker.example.com ca.pem
 * Ends when the display has received three readings, or after 20 seconds. Exit status 0: all received.
 */
#define _POSIX_C_SOURCE 200809L

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "infra_state.h"
#include "iotx.h"

#define TOPIC    "example/kitchen/temperature"
#define READINGS 3
#define SECONDS  20

struct device {
    const char    *name;
    iotx_client_t *client;
    int            ready;
    int            count;
};

/* Messages of the subscription: only the display has one. */
static void on_reading(void *context, iotx_client_t *client, const iotx_client_message_t *message)
{
    struct device *display = context;

    (void)client;
    display->count++;
    printf("%-8s %s: %.*s degrees\n", display->name, message->topic, (int)message->payload_len,
           (const char *)message->payload);
}

static void on_event(void *context, iotx_client_t *client, const iotx_client_event_t *event)
{
    struct device *device = context;

    switch (event->type) {
        case IOTX_CLIENT_EVENT_CONNECTED:
        case IOTX_CLIENT_EVENT_RECONNECTED:
            printf("%-8s connected\n", device->name);
            if (strcmp(device->name, "sensor") == 0) {
                device->ready = 1;
            } else if (event->type == IOTX_CLIENT_EVENT_CONNECTED) {
                /* After a reconnect the library subscribes by itself. */
                int code = iotx_client_subscribe(client, TOPIC, 1, on_reading, device);

                if (code < 0) {
                    printf("%-8s cannot subscribe: %s\n", device->name, IOT_Extension_StateDesc(code));
                }
            }
            break;
        case IOTX_CLIENT_EVENT_SUBSCRIBED:
            device->ready = 1;
            break;
        case IOTX_CLIENT_EVENT_DISCONNECTED:
        case IOTX_CLIENT_EVENT_CONNECT_FAILED:
            device->ready = 0;
            printf("%-8s offline: %s (%d)\n", device->name, event->text, event->code);
            break;
        default:
            break; /* events that this program does not need, and those of later versions */
    }
}

static int create(struct device *device, int argc, char **argv)
{
    iotx_client_options_t options;
    char                  why[160];

    iotx_client_options_init(&options, sizeof(options));
    options.url           = argv[1];
    options.client_id     = device->name;
    options.ca.file       = argc > 2 ? argv[2] : NULL;
    options.username      = argc > 4 ? argv[3] : NULL;
    options.password      = argc > 4 ? argv[4] : NULL;
    options.clean_session = 1;
    options.nonblocking   = 1;
    options.on_event      = on_event;
    options.context       = device;
    if (iotx_client_create(&options, &device->client) != 0) {
        iotx_client_last_error(NULL, NULL, why, sizeof(why));
        printf("%-8s %s\n", device->name, why);
        return -1;
    }
    return iotx_client_start(device->client);
}

static long long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
    struct device devices[2] = {{"sensor", NULL, 0, 0}, {"display", NULL, 0, 0}};
    struct device *sensor = &devices[0], *display = &devices[1];
    iotx_client_stats_t stats;
    long long           end = now_ms() + SECONDS * 1000;
    int                 i;

    if (argc < 2) {
        printf("usage: %s URL [CA-FILE [USER PASSWORD]]\n", argv[0]);
        return 2;
    }
    for (i = 0; i < 2; i++) {
        if (create(&devices[i], argc, argv) != 0) {
            iotx_client_destroy(sensor->client);
            return 1;
        }
    }
    while (display->count < READINGS && now_ms() < end) {
        struct pollfd entries[2];
        int           wait = 1000;

        for (i = 0; i < 2; i++) {
            int timeout = iotx_client_next_timeout_ms(devices[i].client);

            entries[i].fd      = iotx_client_fd(devices[i].client);
            entries[i].events  = (short)(POLLIN | (iotx_client_wants_write(devices[i].client) == 1 ? POLLOUT : 0));
            entries[i].revents = 0;
            if (timeout >= 0 && timeout < wait) {
                wait = timeout;
            }
        }
        poll(entries, 2, wait);
        for (i = 0; i < 2; i++) {
            iotx_client_process(devices[i].client);
        }
        /* One reading at a time: the next when the display has shown the last. */
        if (sensor->ready && display->ready && sensor->count == display->count) {
            char reading[16];
            int  length = snprintf(reading, sizeof(reading), "%d.5", 20 + sensor->count);

            if (iotx_client_publish(sensor->client, TOPIC, reading, (size_t)length, 1, 0) >= 0) {
                sensor->count++;
            }
        }
    }
    stats.struct_size = sizeof(stats);
    if (iotx_client_stats(sensor->client, &stats) == 0) {
        printf("%-8s %llu bytes out, %llu in, %llu acknowledged\n", sensor->name, (unsigned long long)stats.bytes_out,
               (unsigned long long)stats.bytes_in, (unsigned long long)stats.messages_acknowledged);
    }
    for (i = 0; i < 2; i++) {
        iotx_client_destroy(devices[i].client);
    }
    return display->count == READINGS ? 0 : 1;
}

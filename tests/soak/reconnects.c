/*
 * Loses its session and comes back COUNT times, with subscriptions, with a message in flight, and
 * looks at heap, descriptors and threads on the way. Time is the program's own: a sleep moves the
 * clock, so that waits before a reconnect cost nothing.
 *
 * usage: reconnects PORT CA_FILE COUNT
 *
 * The server ends the connection when it gets a message on /go. Standard output: a line
 * "at RECONNECTS HEAP_BYTES DESCRIPTORS THREADS" ten times.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dev_sign_api.h"
#include "infra_compat.h"
#include "mqtt_api.h"
#include "wrappers.h"

extern const char *iotx_ca_crt;

static _Atomic uint64_t ahead;
static int reconnects, acknowledged, messages;
static char ca[64 * 1024];

uint64_t HAL_UptimeMs(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + ahead;
}

void HAL_SleepMs(uint32_t ms)
{
    ahead += ms;
}

static int entries(const char *folder)
{
    DIR *directory = opendir(folder);
    int count = -2; /* "." and ".."; what the folder itself takes is the same each time */

    if (directory == NULL) {
        return -1;
    }
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}

static void on_event(void *context, void *client, iotx_mqtt_event_msg_pt message)
{
    (void)context;
    (void)client;
    if (message->event_type == IOTX_MQTT_EVENT_RECONNECT) {
        reconnects++;
    } else if (message->event_type == IOTX_MQTT_EVENT_PUBLISH_SUCCESS) {
        acknowledged++;
    }
}

static void on_message(void *context, void *client, iotx_mqtt_event_msg_pt message)
{
    (void)context;
    (void)client;
    messages += message->event_type == IOTX_MQTT_EVENT_PUBLISH_RECEIVED;
}

int main(int argc, char **argv)
{
    iotx_mqtt_param_t param;
    void *client;
    FILE *file;
    int count, step, done = 0, accepted = 0;

    if (argc != 4 || (file = fopen(argv[2], "rb")) == NULL || fread(ca, 1, sizeof ca - 1, file) == 0) {
        fprintf(stderr, "usage: reconnects PORT CA_FILE COUNT\n");
        return 2;
    }
    fclose(file);
    count       = atoi(argv[3]);
    step        = count / 10;
    iotx_ca_crt = ca;
    IOT_SetLogLevel(IOT_LOG_NONE);
    IOT_Ioctl(IOTX_IOCTL_SET_PRODUCT_KEY, "pk");
    IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_NAME, "dn");
    IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_SECRET, "secret");
    memset(&param, 0, sizeof param);
    param.host               = "localhost";
    param.port               = (uint16_t)atoi(argv[1]);
    param.handle_event.h_fp  = on_event;
    client = IOT_MQTT_Construct(&param);
    if (client == NULL) {
        fprintf(stderr, "Construct failed\n");
        return 1;
    }
    IOT_MQTT_Subscribe(client, "/a/#", IOTX_MQTT_QOS1, on_message, NULL);
    IOT_MQTT_Subscribe(client, "/b", IOTX_MQTT_QOS0, on_message, NULL);
    while (reconnects < count) {
        if (IOT_MQTT_CheckStateNormal(client) == 1 && done == reconnects) {
            /* Acknowledged in this session or, with DUP, in the next one. */
            accepted += IOT_MQTT_Publish_Simple(client, "/q", IOTX_MQTT_QOS1, "in flight", 9) > 0;
            if (IOT_MQTT_Publish_Simple(client, "/go", IOTX_MQTT_QOS0, "end it", 6) == 0) {
                done++;
            }
        }
        IOT_MQTT_Yield(client, 2);
        if (step > 0 && reconnects >= step && IOT_MQTT_CheckStateNormal(client) == 1) {
            struct mallinfo2 heap;
            uint64_t end = HAL_UptimeMs() + 20000;

            /* The same moment of each session: everything is acknowledged. */
            while (acknowledged < accepted && HAL_UptimeMs() < end) {
                IOT_MQTT_Yield(client, 2);
                ahead += 100;
            }
            IOT_MQTT_Yield(client, 20);
            heap = mallinfo2();
            printf("at %d %zu %d %d\n", reconnects, heap.uordblks + heap.hblkhd, entries("/proc/self/fd"), entries("/proc/self/task"));
            fflush(stdout);
            step += count / 10;
        }
    }
    printf("accepted %d acknowledged %d messages %d\n", accepted, acknowledged, messages);
    return IOT_MQTT_Destroy(&client) == 0 ? 0 : 1;
}

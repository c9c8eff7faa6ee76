/*
 * A device's day against the local platform, told in lines that must be the same whichever way the
 * bytes travel: behaviour tcp|tls PORT CONTROL_PORT CA_FILE PRODUCT_KEY DEVICE_NAME SECRET
 */
#define _XOPEN_SOURCE 700

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "infra_compat.h"
#include "iotx.h"
#include "mqtt_api.h"

#define LARGEST 3000

static void *client;
static char  topic[128];
static char  update[128];
static int   control;
static int   acknowledged;
static int   messages;
static int   lost;
static int   back;

static void fail(const char *what)
{
    printf("failed: %s\n", what);
    exit(1);
}

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the control port ------------------------------------------------------------------------- */

static void control_connect(int port)
{
    struct sockaddr_in address;

    memset(&address, 0, sizeof(address));
    address.sin_family      = AF_INET;
    address.sin_port        = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    control                 = socket(AF_INET, SOCK_STREAM, 0);
    if (control < 0 || connect(control, (struct sockaddr *)&address, sizeof(address)) != 0) {
        fail("control port");
    }
}

/* Sends a command and waits for its answer, which must be a good one. */
static void command(const char *text)
{
    char   answer[4096];
    size_t len = 0;

    if (write(control, text, strlen(text)) != (ssize_t)strlen(text) || write(control, "\n", 1) != 1) {
        fail("control command");
    }
    do {
        ssize_t got = read(control, answer + len, sizeof(answer) - 1 - len);
        if (got <= 0) {
            fail("control answer");
        }
        len += (size_t)got;
    } while (answer[len - 1] != '\n');
    answer[len] = '\0';
    if (strstr(answer, "\"ok\":true") == NULL) {
        fail(answer);
    }
}

static void fault(const char *spec)
{
    char text[128];

    snprintf(text, sizeof(text), "{\"cmd\":\"fault\",\"spec\":\"%s\"}", spec);
    command(text);
}

/* ---- messages --------------------------------------------------------------------------------- */

static char pattern(int size, int index)
{
    return (char)(' ' + (index * 7 + size) % 90);
}

static void on_message(void *context, void *pclient, iotx_mqtt_event_msg_pt msg)
{
    iotx_mqtt_topic_info_pt info;
    int                     i;
    int                     wrong = 0;

    (void)context;
    (void)pclient;
    if (msg->event_type != IOTX_MQTT_EVENT_PUBLISH_RECEIVED) {
        return;
    }
    info = (iotx_mqtt_topic_info_pt)msg->msg;
    for (i = 0; i < (int)info->payload_len; i++) {
        wrong += info->payload[i] != pattern((int)info->payload_len, i);
    }
    messages++;
    printf("  received %u bytes, QoS %d, topic %s, %d wrong\n", (unsigned)info->payload_len, info->qos,
           info->topic_len == strlen(topic) && memcmp(info->ptopic, topic, info->topic_len) == 0 ? "right" : "wrong", wrong);
}

static void on_event(void *context, void *pclient, iotx_mqtt_event_msg_pt msg)
{
    (void)context;
    (void)pclient;
    switch (msg->event_type) {
        case IOTX_MQTT_EVENT_PUBLISH_SUCCESS:
            acknowledged++;
            break;
        case IOTX_MQTT_EVENT_DISCONNECT:
            lost++;
            break;
        case IOTX_MQTT_EVENT_RECONNECT:
            back++;
            break;
        default:
            break;
    }
}

/* Yields in slices until the counter has the value; whether it came to that. */
static int until(const int *counter, int value, int slice_ms)
{
    long end = now_ms() + 20000;

    while (*counter < value && now_ms() < end) {
        IOT_MQTT_Yield(client, slice_ms);
    }
    return *counter == value;
}

/* A message from the cloud. */
static void push(int size, int qos)
{
    static char text[2 * LARGEST + 300];
    int         len = snprintf(text, sizeof(text), "{\"cmd\":\"publish\",\"topic\":\"%s\",\"qos\":%d,\"payload_hex\":\"", topic, qos);
    int         i;

    for (i = 0; i < size; i++) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%02x", (unsigned char)pattern(size, i));
    }
    snprintf(text + len, sizeof(text) - (size_t)len, "\"}");
    command(text);
}

/* Appends a PUBLISH packet with QoS 0 in hexadecimal. */
static int packet_hex(char *hex, int size)
{
    unsigned char packet[2 * LARGEST];
    int           name = (int)strlen(topic);
    int           rest = 2 + name + size;
    int           len  = 0;
    int           i;

    packet[len++] = 0x30;
    while (rest >= 128) {
        packet[len++] = (unsigned char)(rest % 128 | 128);
        rest /= 128;
    }
    packet[len++] = (unsigned char)rest;
    packet[len++] = 0;
    packet[len++] = (unsigned char)name;
    memcpy(packet + len, topic, (size_t)name);
    len += name;
    for (i = 0; i < size; i++) {
        packet[len++] = (unsigned char)pattern(size, i);
    }
    for (i = 0; i < len; i++) {
        snprintf(hex + 2 * i, 3, "%02x", packet[i]);
    }
    return 2 * len;
}

static void raw(const char *hex, int len)
{
    static char text[2 * LARGEST + 1000];

    snprintf(text, sizeof(text), "{\"cmd\":\"raw\",\"to\":\"*\",\"hex\":\"%.*s\"}", len, hex);
    command(text);
}

static void read_ca(const char *path)
{
    static char text[65536];
    FILE       *file = fopen(path, "rb");

    if (file == NULL || fread(text, 1, sizeof(text) - 1, file) == 0) {
        fail("CA file");
    }
    fclose(file);
    iotx_ca_crt = text;
}

int main(int argc, char **argv)
{
    static const int  sizes[] = {0, 1, 2, 60, 127, 128, 129, 1000, LARGEST};
    static char       hex[2 * LARGEST + 1000];
    iotx_mqtt_param_t param;
    char              host[64];
    char              payload[LARGEST];
    unsigned          i;
    int               j;
    int               len;
    int               part;
    int               qos;
    int               before;
    long              start;

    if (argc != 8) {
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    IOT_SetLogLevel(IOT_LOG_NONE);
    read_ca(argv[4]);
    control_connect(atoi(argv[3]));
    IOT_Ioctl(IOTX_IOCTL_SET_PRODUCT_KEY, argv[5]);
    IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_NAME, argv[6]);
    IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_SECRET, argv[7]);
    snprintf(topic, sizeof(topic), "/%s/%s/user/get", argv[5], argv[6]);
    snprintf(update, sizeof(update), "/%s/%s/user/update", argv[5], argv[6]);
    snprintf(host, sizeof(host), "%s://localhost", strcmp(argv[1], "tls") == 0 ? "mqtts" : "tcp");

    memset(&param, 0, sizeof(param));
    param.host                = host;
    param.port                = (uint16_t)atoi(argv[2]);
    param.read_buf_size       = 4096;
    param.write_buf_size      = 4096;
    param.handle_event.h_fp   = on_event;
    client                    = IOT_MQTT_Construct(&param);
    printf("connect: %s\n", client != NULL ? "yes" : "no");
    if (client == NULL) {
        return 1;
    }
    printf("subscribe: %s\n", IOT_MQTT_Subscribe_Sync(client, topic, IOTX_MQTT_QOS1, on_message, NULL, 5000) > 0 ? "granted" : "no");

    for (qos = 0; qos < 2; qos++) {
        for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            for (j = 0; j < sizes[i]; j++) {
                payload[j] = pattern(sizes[i], j);
            }
            before = acknowledged;
            j      = IOT_MQTT_Publish_Simple(client, update, qos, payload, sizes[i]);
            printf("publish %d bytes, QoS %d: %s", sizes[i], qos, j < 0 ? "refused" : "sent");
            printf("%s\n", qos == 1 && until(&acknowledged, before + 1, 20) ? ", acknowledged" : "");
            push(sizes[i], qos);
            if (!until(&messages, messages + 1, 20)) {
                fail("nothing received");
            }
        }
    }

    printf("byte by byte\n");
    fault("byte-by-byte");
    for (qos = 0; qos < 2; qos++) {
        push(600, qos);
        until(&messages, messages + 1, 1);
    }
    command("{\"cmd\":\"clear\"}");

    /* A packet that comes in parts, with Yields too short for it in between. */
    len = packet_hex(hex, 400);
    for (i = 0; i < 4; i++) {
        part   = i < 3 ? 2 * (int)(i * 60 + 1) : len;
        before = messages;
        for (j = 0; j < 3; j++) {
            IOT_MQTT_Yield(client, 5);
        }
        printf("part %u: %d messages so far\n", i, messages - before);
        raw(hex, part);
        memmove(hex, hex + part, (size_t)(len - part));
        len -= part;
    }
    until(&messages, messages + 1, 5);

    printf("six packets in one piece\n");
    for (i = 0, len = 0; i < 6; i++) {
        len += packet_hex(hex + len, (int)i * 17);
    }
    raw(hex, len);
    until(&messages, messages + 6, 50);

    printf("coalesced\n");
    fault("coalesce");
    for (i = 0; i < 5; i++) {
        push(10 + (int)i, i % 2 == 0);
    }
    until(&messages, messages + 5, 50);
    command("{\"cmd\":\"clear\"}");

    for (i = 0; i < 3; i++) {
        part  = i == 0 ? 50 : i == 1 ? 200 : 450;
        start = now_ms();
        IOT_MQTT_Yield(client, part);
        start = now_ms() - start;
        printf("yield %d: %s\n", part, start < part ? "too short" : start > part + 2000 ? "too long" : "right");
    }

    printf("the connection breaks\n");
    command("{\"cmd\":\"drop\",\"device\":\"*\"}");
    printf("  noticed: %s\n", until(&lost, 1, 20) ? "yes" : "no");
    printf("  back: %s\n", until(&back, 1, 20) ? "yes" : "no");
    /* A subscription that the library makes again is not announced; this answer comes behind it. */
    printf("  subscribe: %s\n", IOT_MQTT_Subscribe_Sync(client, topic, IOTX_MQTT_QOS1, on_message, NULL, 10000) > 0 ? "granted" : "no");
    before = messages;
    push(33, 1);
    until(&messages, before + 1, 20);
    printf("disconnect: %d\n", IOT_MQTT_Destroy(&client));
    printf("messages: %d\n", messages);
    return 0;
}

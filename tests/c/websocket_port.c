/* iotx-test: c++ shared valgrind
 *
 * WebSocket and proxy over a TCP port of the application's own. Its HAL_TCP_* are a server in memory that keeps
 * to the letter of the contract: a read that asks for more than the server has said is counted, since a
 * real port would wait for bytes that need not come. Both APIs, and servers that misbehave.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "infra_compat.h"
#include "infra_sha1.h"
#include "infra_state.h"
#include "iotx.h"
#include "mqtt_api.h"
#include "wrappers.h"

#define CHECK(condition)                                   \
    do {                                                   \
        if (!(condition)) {                                \
            printf("line %d: %s\n", __LINE__, #condition); \
            return 1;                                      \
        }                                                  \
    } while (0)

#define TOPIC "/a1MZxOdcBnO/example1/user/get"

/* What the server does; several may be set. */
enum {
    WITH_PROXY = 1,  /* a proxy stands in front */
    REFUSE     = 2,  /* 403 to the handshake */
    PROXY_SAYS = 4,  /* 407 to CONNECT */
    TEXT       = 8,  /* a text frame behind CONNACK */
    FRAGMENTS  = 16, /* every byte a fragment, with Pings in between */
    CLOSES     = 32  /* a Close frame in place of a SUBACK */
};
static int mode;

static struct {
    unsigned char in[8192], out[65536], mqtt[8192];
    size_t        in_len, out_len, out_from, mqtt_len;
    int           tunnel, upgraded, pongs, pings, closed;
} server;
static char   to_host[128];
static int    to_port, connects, over_reads;
static char   first_line[128];

static void say(const void *bytes, size_t len)
{
    if (server.out_len + len <= sizeof(server.out)) {
        memcpy(server.out + server.out_len, bytes, len);
        server.out_len += len;
    }
}

static void frame(int first, const void *bytes, size_t len)
{
    unsigned char head[4] = {(unsigned char)first, (unsigned char)len, 0, 0};

    if (len > 125) {
        head[1] = 126;
        head[2] = (unsigned char)(len >> 8);
        head[3] = (unsigned char)len;
    }
    say(head, len > 125 ? 4 : 2);
    say(bytes, len);
}

static void packet(const void *bytes, size_t len)
{
    const unsigned char *from = (const unsigned char *)bytes;
    size_t               index;

    if ((mode & FRAGMENTS) == 0) {
        frame(0x82, bytes, len);
        return;
    }
    for (index = 0; index < len; index++) {
        frame((index == 0 ? 2 : 0) | (index == len - 1 ? 0x80 : 0), from + index, 1);
        if (index < len - 1) {
            frame(0x89, "?", 1);
            server.pings++;
        }
    }
}

static void base64(const unsigned char *bytes, size_t len, char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t            at;

    for (at = 0; at < len; at += 3) {
        size_t   left = len - at;
        uint32_t word = (uint32_t)bytes[at] << 16;

        word |= left > 1 ? (uint32_t)bytes[at + 1] << 8 : 0;
        word |= left > 2 ? bytes[at + 2] : 0;
        *text++ = digits[word >> 18];
        *text++ = digits[word >> 12 & 63];
        *text++ = left > 1 ? digits[word >> 6 & 63] : '=';
        *text++ = left > 2 ? digits[word & 63] : '=';
    }
    *text = '\0';
}

/* Answers the head of a request, which is complete. */
static void answer_head(char *head)
{
    char          text[300], accept[32], *key;
    unsigned char digest[20];

    sscanf(head, "%127[^\r]", first_line);
    if ((mode & WITH_PROXY) != 0 && !server.tunnel) {
        server.tunnel = 1;
        snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nVia: test\r\n\r\n", (mode & PROXY_SAYS) != 0 ? "407 no" : "200 yes");
        say(text, strlen(text));
        return;
    }
    key = strstr(head, "Sec-WebSocket-Key: ");
    if (key == NULL || (mode & REFUSE) != 0) {
        say("HTTP/1.1 403 Forbidden\r\n\r\n", 26);
        return;
    }
    snprintf(text, sizeof(text), "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + 19);
    utils_sha1((const unsigned char *)text, (uint32_t)strlen(text), digest);
    base64(digest, 20, accept);
    snprintf(text, sizeof(text),
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
             accept);
    say(text, strlen(text));
    server.upgraded = 1;
}

/* Answers one packet of the client. */
static void answer_packet(const unsigned char *bytes, size_t head, size_t len)
{
    unsigned char reply[5] = {0};

    switch (bytes[0] >> 4) {
    case 1:
        packet("\x20\x02\x00\x00", 4);
        if ((mode & TEXT) != 0) {
            frame(0x81, "hello", 5);
        }
        break;
    case 3: /* back as it came, with QoS 1 acknowledged */
        if ((bytes[0] & 6) != 0) {
            size_t at = head + 2 + ((size_t)bytes[head] << 8 | bytes[head + 1]);

            reply[0] = 0x40;
            reply[1] = 2;
            memcpy(reply + 2, bytes + at, 2);
            packet(reply, 4);
        }
        packet(bytes, len);
        break;
    case 8:
        if ((mode & CLOSES) != 0) {
            frame(0x88, "\x03\xf0", 2);
            break;
        }
        reply[0] = 0x90;
        reply[1] = 3;
        memcpy(reply + 2, bytes + head, 2);
        packet(reply, 5);
        break;
    case 12:
        packet("\xd0\x00", 2);
        break;
    default:
        break;
    }
}

static void answer_packets(void)
{
    for (;;) {
        size_t len = 0, head = 1, shift = 0;

        do {
            if (head >= server.mqtt_len) {
                return;
            }
            len |= (size_t)(server.mqtt[head] & 127) << shift;
            shift += 7;
        } while (server.mqtt[head++] >= 128);
        if (server.mqtt_len < head + len) {
            return;
        }
        answer_packet(server.mqtt, head, head + len);
        server.mqtt_len -= head + len;
        memmove(server.mqtt, server.mqtt + head + len, server.mqtt_len);
    }
}

/* Takes one frame of the client from what has come; 0 when there is none. */
static int take_frame(void)
{
    size_t               head = 6, len, index;
    const unsigned char *mask;

    if (server.in_len < 2) {
        return 0;
    }
    len = server.in[1] & 127;
    if (len == 126) {
        head = 8;
        len  = server.in_len < 4 ? sizeof(server.in) : (size_t)server.in[2] << 8 | server.in[3];
    }
    if (server.in_len < head + len) {
        return 0;
    }
    mask = server.in + head - 4;
    for (index = 0; index < len; index++) {
        server.in[head + index] ^= mask[index % 4];
    }
    switch (server.in[0]) {
    case 0x82:
        memcpy(server.mqtt + server.mqtt_len, server.in + head, len);
        server.mqtt_len += len;
        break;
    case 0x8a:
        server.pongs += len == 1 && server.in[head] == '?';
        break;
    case 0x88:
        server.closed = server.in[head] << 8 | server.in[head + 1];
        break;
    default:
        break;
    }
    server.in_len -= head + len;
    memmove(server.in, server.in + head + len, server.in_len);
    return 1;
}

#ifdef __cplusplus
extern "C" {
#endif

uintptr_t HAL_TCP_Establish(const char *host, uint16_t port)
{
    int closed = server.closed;

    snprintf(to_host, sizeof(to_host), "%s", host);
    to_port = port;
    connects++;
    memset(&server, 0, sizeof(server));
    server.closed = closed;
    return 1;
}

int HAL_TCP_Destroy(uintptr_t fd)
{
    return fd == 1 ? 0 : -1;
}

int32_t HAL_TCP_Write(uintptr_t fd, const char *buf, uint32_t len, uint32_t timeout_ms)
{
    (void)timeout_ms;
    if (fd != 1 || server.in_len + len > sizeof(server.in) - 1) {
        return -1;
    }
    memcpy(server.in + server.in_len, buf, len);
    server.in_len += len;
    if (!server.upgraded) {
        server.in[server.in_len] = '\0';
        if (strstr((char *)server.in, "\r\n\r\n") != NULL) {
            answer_head((char *)server.in);
            server.in_len = 0;
        }
        return (int32_t)len;
    }
    while (take_frame()) {
    }
    answer_packets();
    return (int32_t)len;
}

int32_t HAL_TCP_Read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms)
{
    size_t          there = server.out_len - server.out_from;
    struct timespec pause = {0, 1000000};

    if (fd != 1 || len == 0 || timeout_ms == 0) {
        over_reads++;
        return -2;
    }
    if (there == 0) {
        nanosleep(&pause, NULL);
        return 0;
    }
    if (there < len) {
        over_reads++;
        len = (uint32_t)there;
    }
    memcpy(buf, server.out + server.out_from, len);
    server.out_from += len;
    return (int32_t)len;
}

static int  messages, granted, acknowledged;
static char lost[128];

static void on_message(void *context, iotx_client_t *client, const iotx_client_message_t *message)
{
    (void)context;
    (void)client;
    messages += strcmp((const char *)message->payload, "hello") == 0;
}

static void on_event(void *context, iotx_client_t *client, const iotx_client_event_t *event)
{
    (void)context;
    (void)client;
    granted += event->type == IOTX_CLIENT_EVENT_SUBSCRIBED;
    acknowledged += event->type == IOTX_CLIENT_EVENT_PUBLISHED;
    if (event->type == IOTX_CLIENT_EVENT_DISCONNECTED) {
        snprintf(lost, sizeof(lost), "%s", event->text);
    }
}

static void on_sdk_message(void *context, void *client, iotx_mqtt_event_msg_pt msg)
{
    (void)context;
    (void)client;
    messages += msg->event_type == IOTX_MQTT_EVENT_PUBLISH_RECEIVED;
}

#ifdef __cplusplus
}
#endif

static iotx_client_t *create(int with)
{
    iotx_client_options_t options;
    iotx_client_t        *client = NULL;

    mode     = with;
    messages = granted = acknowledged = connects = 0;
    lost[0]                            = '\0';
    memset(&server, 0, sizeof(server));
    iotx_client_options_init(&options, sizeof(options));
    options.url               = "ws://broker.example.com/mqtt";
    options.client_id         = "a";
    options.reconnect_min_ms  = 100;
    options.websocket_headers = "X-One: 1";
    options.on_message        = on_message;
    options.on_event          = on_event;
    if ((with & WITH_PROXY) != 0) {
        options.proxy          = "http://proxy.example.com:3128";
        options.proxy_username = "u";
        options.proxy_password = "p";
    }
    return iotx_client_create(&options, &client) == 0 ? client : NULL;
}

static int whole(int with)
{
    iotx_client_t *client = create(with);
    int            round;

    CHECK(client != NULL && iotx_client_connect(client, 5000) == 0);
    CHECK(strcmp(to_host, (with & WITH_PROXY) != 0 ? "proxy.example.com" : "broker.example.com") == 0);
    CHECK(to_port == ((with & WITH_PROXY) != 0 ? 3128 : 80));
    CHECK(strcmp(first_line, "GET /mqtt HTTP/1.1") == 0);
    CHECK(iotx_client_fd(client) == -1);
    CHECK(iotx_client_subscribe(client, "t", 1, NULL, NULL) > 0);
    CHECK(iotx_client_publish(client, "t", "hello", 5, 1, 0) > 0);
    CHECK(iotx_client_publish(client, "t", "hello", 5, 0, 0) == 0);
    for (round = 0; round < 1000 && (messages < 2 || acknowledged < 1 || granted < 1); round++) {
        CHECK(iotx_client_poll(client, 5) == 0);
    }
    CHECK(messages == 2 && acknowledged == 1 && granted == 1);
    if ((with & FRAGMENTS) != 0) {
        CHECK(server.pongs > 0 && server.pongs <= server.pings);
    }
    CHECK(iotx_client_destroy(client) == 0);
    CHECK(server.closed == 1000 && over_reads == 0 && connects == 1);
    return 0;
}

static int refused(int with, const char *text)
{
    iotx_client_t *client = create(with);
    char           why[128];
    int            code;

    CHECK(client != NULL);
    CHECK(iotx_client_connect(client, 2000) == STATE_SYS_DEPEND_NWK_CLOSE && connects == 1);
    CHECK(iotx_client_last_error(client, &code, why, sizeof(why)) == 0);
    CHECK(code == STATE_SYS_DEPEND_NWK_CLOSE && strcmp(why, text) == 0);
    CHECK(iotx_client_destroy(client) == 0 && over_reads == 0);
    return 0;
}

static int ends(int with, const char *text, int code)
{
    iotx_client_t *client = create(with);
    int            round;

    CHECK(client != NULL && iotx_client_connect(client, 5000) == 0);
    iotx_client_subscribe(client, "t", 0, NULL, NULL);
    for (round = 0; round < 1000 && lost[0] == '\0'; round++) {
        CHECK(iotx_client_poll(client, 5) == 0);
    }
    CHECK(strcmp(lost, text) == 0 && server.closed == code);
    CHECK(iotx_client_destroy(client) == 0 && over_reads == 0);
    return 0;
}

static int sdk(void)
{
    iotx_mqtt_param_t param;
    iotx_proxy_t      proxy;
    void             *client;
    int               round;

    mode = WITH_PROXY | FRAGMENTS;
    memset(&proxy, 0, sizeof(proxy));
    proxy.struct_size = sizeof(proxy);
    proxy.url         = "http://proxy.example.com";
    CHECK(iotx_mqtt_set_proxy(&proxy) == 0);
    CHECK(iotx_mqtt_set_websocket_headers("X-One: 1") == 0);
    IOT_Ioctl(IOTX_IOCTL_SET_PRODUCT_KEY, (void *)"a1MZxOdcBnO");
    IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_NAME, (void *)"example1");
    IOT_Ioctl(IOTX_IOCTL_SET_DEVICE_SECRET, (void *)"jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X");
    memset(&param, 0, sizeof(param));
    param.host = "ws://broker.example.com/sdk";
    client     = IOT_MQTT_Construct(&param);
    CHECK(client != NULL);
    CHECK(strcmp(to_host, "proxy.example.com") == 0 && to_port == 80);
    CHECK(strcmp(first_line, "GET /sdk HTTP/1.1") == 0);
    messages = 0;
    CHECK(IOT_MQTT_Subscribe_Sync(client, TOPIC, IOTX_MQTT_QOS1, on_sdk_message, NULL, 2000) >= 0);
    CHECK(IOT_MQTT_Publish_Simple(client, TOPIC, IOTX_MQTT_QOS0, (void *)"hello", 5) == 0);
    for (round = 0; round < 1000 && messages == 0; round++) {
        CHECK(IOT_MQTT_Yield(client, 5) == 0);
    }
    CHECK(messages == 1 && IOT_MQTT_Destroy(&client) == 0);
    CHECK(iotx_mqtt_set_proxy(NULL) == 0 && iotx_mqtt_set_websocket_headers(NULL) == 0);
    CHECK(over_reads == 0 && server.closed == 1000);
    return 0;
}

int main(void)
{
    if (whole(0) || whole(FRAGMENTS) || whole(WITH_PROXY) || whole(WITH_PROXY | FRAGMENTS)) {
        return 1;
    }
    if (refused(REFUSE, "websocket: status 403 (forbidden)") ||
        refused(WITH_PROXY | PROXY_SAYS, "proxy: status 407 (proxy authentication required)")) {
        return 1;
    }
    if (ends(TEXT, "disconnected: websocket: text frame", 1003) ||
        ends(CLOSES, "disconnected: websocket: server closed with code 1008", 1008)) {
        return 1;
    }
    return sdk();
}

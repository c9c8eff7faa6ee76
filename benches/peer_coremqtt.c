/* Benchmark peer on coreMQTT 2.x, whose sources are not part of this project: build with
 * BENCH_COREMQTT=/path/to/its/source. Plain TCP only, since it brings no TLS. The transport is what
 * its interface asks for: receive without waiting, one system call per packet for sending. */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core_mqtt.h"
#include "core_mqtt_state.h"

#define WINDOW 128

struct NetworkContext {
    int fd;
};

static bench_args a;
static struct NetworkContext network;
static TransportInterface_t transport;
static MQTTContext_t context;
static MQTTPubAckInfo_t outgoing[WINDOW], incoming[WINDOW];
static uint8_t buffer[65536];
static int received, acknowledged, subscribed;
static double asked_at;
static char *payload;

static int32_t receive(NetworkContext_t *net, void *bytes, size_t length)
{
    ssize_t got = recv(net->fd, bytes, length, MSG_DONTWAIT);
    if (got > 0) {
        return (int32_t)got;
    }
    return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static int32_t transmit(NetworkContext_t *net, const void *bytes, size_t length)
{
    ssize_t sent = send(net->fd, bytes, length, MSG_NOSIGNAL);
    return sent < 0 ? -1 : (int32_t)sent;
}

static int32_t transmit_vector(NetworkContext_t *net, TransportOutVector_t *vector, size_t count)
{
    struct msghdr message;
    struct iovec parts[8];
    ssize_t sent;
    size_t i;
    for (i = 0; i < count && i < 8; i++) {
        parts[i].iov_base = (void *)vector[i].iov_base;
        parts[i].iov_len = vector[i].iov_len;
    }
    memset(&message, 0, sizeof message);
    message.msg_iov = parts;
    message.msg_iovlen = i;
    sent = sendmsg(net->fd, &message, MSG_NOSIGNAL);
    return sent < 0 ? -1 : (int32_t)sent;
}

static uint32_t now_ms(void)
{
    return (uint32_t)(uint64_t)(bench_now() * 1e3);
}

static void publish(MQTTQoS_t qos, uint16_t id)
{
    MQTTPublishInfo_t info;
    MQTTStatus_t status;
    memset(&info, 0, sizeof info);
    info.qos = qos;
    info.pTopicName = BENCH_TOPIC;
    info.topicNameLength = sizeof BENCH_TOPIC - 1;
    info.pPayload = payload;
    info.payloadLength = (size_t)a.size;
    status = MQTT_Publish(&context, &info, id);
    if (status != MQTTSuccess) {
        bench_fail(MQTT_Status_strerror(status));
    }
}

static void on_packet(MQTTContext_t *client, MQTTPacketInfo_t *packet, MQTTDeserializedInfo_t *info)
{
    (void)client;
    (void)info;
    if ((packet->type & 0xf0U) == MQTT_PACKET_TYPE_PUBLISH) {
        double now = bench_now();
        if (bench_is(&a, "rtt")) {
            bench_note(&a, now - asked_at);
        } else if (received == 0) {
            bench_begin(&a);
        }
        if (++received == a.count) {
            a.ended = now;
        } else if (bench_is(&a, "rtt")) {
            asked_at = bench_now();
            publish(MQTTQoS0, 0);
        }
    } else if (packet->type == MQTT_PACKET_TYPE_PUBACK) {
        acknowledged++;
    } else if (packet->type == MQTT_PACKET_TYPE_SUBACK) {
        subscribed = 1;
    }
}

static void process(void)
{
    MQTTStatus_t status = MQTT_ProcessLoop(&context);
    if (status != MQTTSuccess && status != MQTTNeedMoreBytes) {
        bench_fail(MQTT_Status_strerror(status));
    }
}

static void open_connection(void)
{
    MQTTFixedBuffer_t space = {buffer, sizeof buffer};
    MQTTConnectInfo_t info;
    struct sockaddr_in address;
    bool present;
    int one = 1;
    network.fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)a.port);
    inet_pton(AF_INET, a.host, &address.sin_addr);
    if (connect(network.fd, (struct sockaddr *)&address, sizeof address) != 0) {
        bench_fail("connect");
    }
    setsockopt(network.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    transport.recv = receive;
    transport.send = transmit;
    transport.writev = transmit_vector;
    transport.pNetworkContext = &network;
    memset(&info, 0, sizeof info);
    info.cleanSession = true;
    info.pClientIdentifier = "bench-core";
    info.clientIdentifierLength = 10;
    info.keepAliveSeconds = 60;
    info.pUserName = "bench";
    info.userNameLength = 5;
    info.pPassword = "secret";
    info.passwordLength = 6;
    if (MQTT_Init(&context, &transport, now_ms, on_packet, &space) != MQTTSuccess ||
        MQTT_InitStatefulQoS(&context, outgoing, WINDOW, incoming, WINDOW) != MQTTSuccess ||
        MQTT_Connect(&context, &info, NULL, 5000, &present) != MQTTSuccess) {
        bench_fail("MQTT_Connect");
    }
}

static void close_connection(void)
{
    MQTT_Disconnect(&context);
    close(network.fd);
}

int main(int argc, char **argv)
{
    double before;
    int i;

    a = bench_parse(argc, argv);
    payload = calloc(1, (size_t)a.size + 1);
    memset(payload, 'x', (size_t)a.size);
    if (bench_is(&a, "connect")) {
        bench_begin(&a);
        for (i = 0; i < a.count; i++) {
            before = bench_now();
            open_connection();
            bench_note(&a, bench_now() - before);
            close_connection();
        }
        bench_report(&a);
        return 0;
    }
    open_connection();
    if (bench_is(&a, "pub0")) {
        bench_begin(&a);
        for (i = 0; i < a.count; i++) {
            publish(MQTTQoS0, 0);
        }
        bench_report(&a);
    } else if (bench_is(&a, "pub1")) {
        bench_begin(&a);
        for (i = 0; i < a.count; i++) {
            while (i - acknowledged >= WINDOW) {
                process();
            }
            publish(MQTTQoS1, MQTT_GetPacketId(&context));
        }
        while (acknowledged < a.count) {
            process();
        }
        bench_report(&a);
    } else if (bench_is(&a, "flood") || bench_is(&a, "rtt")) {
        MQTTSubscribeInfo_t filter = {MQTTQoS0, BENCH_TOPIC, sizeof BENCH_TOPIC - 1};
        MQTT_Subscribe(&context, &filter, 1, MQTT_GetPacketId(&context));
        while (!subscribed) {
            process();
        }
        if (bench_is(&a, "flood")) {
            bench_ready();
        } else {
            bench_begin(&a);
            asked_at = a.started;
            publish(MQTTQoS0, 0);
        }
        while (received < a.count) {
            process();
        }
        bench_report(&a);
    } else if (bench_is(&a, "idle")) {
        struct pollfd entry = {network.fd, POLLIN, 0};
        bench_begin(&a);
        before = a.started;
        while (bench_now() - before < a.size / 1e3) {
            poll(&entry, 1, 1000);
            process();
        }
        bench_report(&a);
    } else {
        bench_fail("unknown mode");
    }
    close_connection();
    return 0;
}

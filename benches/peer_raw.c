/* The physical limit: a blocking socket, or a session of the distribution's Mbed TLS on one, that
 * moves the bytes of the same packets with one write per message and knows no MQTT beyond them. It
 * is also the sender of every "flood". */
#include "peer.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static bench_args a;
static mbedtls_net_context net;
static mbedtls_ssl_context tls;
static mbedtls_ssl_config config;
static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context random_generator;
static mbedtls_x509_crt roots, certificate;
static mbedtls_pk_context key;

static void forget_tls(void)
{
    mbedtls_ssl_config_free(&config);
    mbedtls_entropy_free(&entropy);
    mbedtls_ctr_drbg_free(&random_generator);
    mbedtls_x509_crt_free(&roots);
    mbedtls_x509_crt_free(&certificate);
    mbedtls_pk_free(&key);
}

static void prepare_tls(void)
{
    mbedtls_ssl_config_init(&config);
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random_generator);
    mbedtls_x509_crt_init(&roots);
    mbedtls_x509_crt_init(&certificate);
    mbedtls_pk_init(&key);
    if (mbedtls_ctr_drbg_seed(&random_generator, mbedtls_entropy_func, &entropy, NULL, 0) != 0 ||
        mbedtls_x509_crt_parse_file(&roots, a.ca_file) != 0 ||
        mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
        bench_fail("TLS set-up");
    }
    mbedtls_ssl_conf_ca_chain(&config, &roots, NULL);
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random_generator);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_min_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    if (a.cert_file != NULL && (mbedtls_x509_crt_parse_file(&certificate, a.cert_file) != 0 ||
                                mbedtls_pk_parse_keyfile(&key, a.key_file, NULL) != 0 ||
                                mbedtls_ssl_conf_own_cert(&config, &certificate, &key) != 0)) {
        bench_fail("client certificate");
    }
}

static void send_all(const unsigned char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = a.ca_file != NULL ? mbedtls_ssl_write(&tls, bytes, length)
                                         : send(net.fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0) {
            bench_fail("write");
        }
        bytes += sent;
        length -= (size_t)sent;
    }
}

static void receive_all(unsigned char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t got = a.ca_file != NULL ? mbedtls_ssl_read(&tls, bytes, length)
                                        : recv(net.fd, bytes, length, 0);
        if (got <= 0) {
            bench_fail("read");
        }
        bytes += got;
        length -= (size_t)got;
    }
}

static size_t remaining_length(unsigned char *out, size_t value)
{
    size_t used = 0;
    do {
        out[used] = (unsigned char)(value & 0x7f);
        value >>= 7;
        if (value > 0) {
            out[used] |= 0x80;
        }
        used++;
    } while (value > 0);
    return used;
}

/* One connection up to CONNACK. */
static void open_connection(void)
{
    unsigned char connect[64] = "\x10\x27\0\4MQTT\4\xc2\0\x3c\0\xcrawNNNNNNNNN\0\5bench\0\6secret";
    unsigned char connack[4];
    char port[16], number[16];
    int one = 1, status;
    snprintf(port, sizeof port, "%d", a.port);
    mbedtls_net_init(&net);
    if (mbedtls_net_connect(&net, a.host, port, MBEDTLS_NET_PROTO_TCP) != 0) {
        bench_fail("connect");
    }
    setsockopt(net.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (a.ca_file != NULL) {
        mbedtls_ssl_init(&tls);
        if (mbedtls_ssl_setup(&tls, &config) != 0 || mbedtls_ssl_set_hostname(&tls, a.host) != 0) {
            bench_fail("TLS session");
        }
        mbedtls_ssl_set_bio(&tls, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
        while ((status = mbedtls_ssl_handshake(&tls)) != 0) {
            if (status != MBEDTLS_ERR_SSL_WANT_READ && status != MBEDTLS_ERR_SSL_WANT_WRITE) {
                bench_fail("handshake");
            }
        }
    }
    /* Two of them run at the same time in a flood: the client id needs a number. */
    snprintf(number, sizeof number, "%09d", (int)getpid());
    memcpy(connect + 17, number, 9);
    send_all(connect, 41);
    receive_all(connack, sizeof connack);
    if (connack[0] != 0x20 || connack[3] != 0) {
        bench_fail("CONNACK");
    }
}

static void close_connection(void)
{
    static const unsigned char disconnect[] = {0xe0, 0};
    send_all(disconnect, sizeof disconnect);
    if (a.ca_file != NULL) {
        mbedtls_ssl_close_notify(&tls);
        mbedtls_ssl_free(&tls);
    }
    mbedtls_net_free(&net);
}

static void subscribe(void)
{
    const size_t topic = strlen(BENCH_TOPIC);
    unsigned char packet[64] = {0x82, 0, 0, 1, 0, 0}, suback[5];
    packet[1] = (unsigned char)(topic + 5);
    packet[5] = (unsigned char)topic;
    memcpy(packet + 6, BENCH_TOPIC, topic);
    packet[6 + topic] = 0;
    send_all(packet, topic + 7);
    receive_all(suback, sizeof suback);
}

int main(int argc, char **argv)
{
    const size_t topic = strlen(BENCH_TOPIC);
    unsigned char *packet;
    size_t length = 1;
    double before;
    int i;

    a = bench_parse(argc, argv);
    if (a.ca_file != NULL) {
        prepare_tls();
    }
    if (bench_is(&a, "connect")) {
        bench_begin(&a);
        for (i = 0; i < a.count; i++) {
            before = bench_now();
            /* As a device that has just started: certificates and key are read for each connection. With
             * a kept key the blinding of RSA would be prepared only once. */
            if (a.ca_file != NULL) {
                forget_tls();
                prepare_tls();
            }
            open_connection();
            bench_note(&a, bench_now() - before);
            close_connection();
        }
        bench_report(&a);
        return 0;
    }
    packet = calloc(1, (size_t)a.size + topic + 16);
    packet[0] = 0x30;
    length += remaining_length(packet + 1, (size_t)a.size + topic + 2);
    packet[length + 1] = (unsigned char)topic;
    memcpy(packet + length + 2, BENCH_TOPIC, topic);
    memset(packet + length + 2 + topic, 'x', (size_t)a.size);
    length += 2 + topic + (size_t)a.size;
    open_connection();
    if (bench_is(&a, "pub0")) {
        bench_begin(&a);
        for (i = 0; i < a.count; i++) {
            send_all(packet, length);
        }
        bench_report(&a);
    } else if (bench_is(&a, "flood") || bench_is(&a, "rtt")) {
        int flood = bench_is(&a, "flood");
        unsigned char *answer = malloc(length);

        subscribe();
        if (flood) {
            bench_ready();
            receive_all(answer, length);
        }
        bench_begin(&a);
        for (i = flood; i < a.count; i++) {
            before = bench_now();
            if (!flood) {
                send_all(packet, length);
            }
            receive_all(answer, length);
            if (!flood) {
                bench_note(&a, bench_now() - before);
            }
        }
        bench_report(&a);
    } else if (bench_is(&a, "idle")) {
        bench_begin(&a);
        bench_sleep_ms(a.size);
        bench_report(&a);
    } else {
        bench_fail("unknown mode");
    }
    close_connection();
    return 0;
}

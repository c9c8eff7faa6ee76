/* A program with two TLS libraries: an Mbed TLS of its own, and the library's HAL. One connection
 * with each.
 *
 * usage: two_tls HOST PORT CA_FILE */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>

#include "wrappers.h"

static char ca[65536];
static size_t ca_size;

typedef struct {
    mbedtls_net_context      net;
    mbedtls_ssl_context      ssl;
    mbedtls_ssl_config       config;
    mbedtls_x509_crt         roots;
    mbedtls_entropy_context  entropy;
    mbedtls_ctr_drbg_context random;
} own_session;

static int own_open(own_session *s, const char *host, const char *port)
{
    mbedtls_net_init(&s->net);
    mbedtls_ssl_init(&s->ssl);
    mbedtls_ssl_config_init(&s->config);
    mbedtls_x509_crt_init(&s->roots);
    mbedtls_entropy_init(&s->entropy);
    mbedtls_ctr_drbg_init(&s->random);
    if (mbedtls_ctr_drbg_seed(&s->random, mbedtls_entropy_func, &s->entropy, NULL, 0) != 0
        || mbedtls_x509_crt_parse(&s->roots, (const unsigned char *)ca, ca_size + 1) != 0
        || mbedtls_ssl_config_defaults(&s->config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                       MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
        return -1;
    }
    mbedtls_ssl_conf_authmode(&s->config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&s->config, &s->roots, NULL);
    mbedtls_ssl_conf_rng(&s->config, mbedtls_ctr_drbg_random, &s->random);
    if (mbedtls_ssl_setup(&s->ssl, &s->config) != 0 || mbedtls_ssl_set_hostname(&s->ssl, host) != 0
        || mbedtls_net_connect(&s->net, host, port, MBEDTLS_NET_PROTO_TCP) != 0) {
        return -2;
    }
    mbedtls_ssl_set_bio(&s->ssl, &s->net, mbedtls_net_send, mbedtls_net_recv, NULL);
    return mbedtls_ssl_handshake(&s->ssl);
}

static int own_echo(own_session *s)
{
    unsigned char answer[8] = "";
    int           got = 0;

    if (mbedtls_ssl_write(&s->ssl, (const unsigned char *)"hello\n", 6) != 6) {
        return -1;
    }
    while (got < 6) {
        int result = mbedtls_ssl_read(&s->ssl, answer + got, (size_t)(6 - got));

        if (result <= 0) {
            return -2;
        }
        got += result;
    }
    return strcmp((char *)answer, "olleh\n");
}

static void own_close(own_session *s)
{
    mbedtls_ssl_close_notify(&s->ssl);
    mbedtls_net_free(&s->net);
    mbedtls_ssl_free(&s->ssl);
    mbedtls_ssl_config_free(&s->config);
    mbedtls_x509_crt_free(&s->roots);
    mbedtls_ctr_drbg_free(&s->random);
    mbedtls_entropy_free(&s->entropy);
}

static int hal_echo(uintptr_t session)
{
    char answer[8] = "";

    return HAL_SSL_Write(session, "hello\n", 6, 5000) != 6 || HAL_SSL_Read(session, answer, 6, 5000) != 6
           || strcmp(answer, "olleh\n") != 0;
}

#define CHECK(condition)                                   \
    do {                                                   \
        if (!(condition)) {                                \
            printf("line %d: %s\n", __LINE__, #condition); \
            return 1;                                      \
        }                                                  \
    } while (0)

int main(int argc, char **argv)
{
    static own_session own;
    uintptr_t          session;
    uint16_t           port;
    FILE              *file;
    char               version[32] = "";

    CHECK(argc == 4 && (file = fopen(argv[3], "rb")) != NULL);
    ca_size = fread(ca, 1, sizeof(ca) - 1, file);
    fclose(file);
    port = (uint16_t)atoi(argv[2]);

    mbedtls_version_get_string(version);
    CHECK(strcmp(version, MBEDTLS_VERSION_STRING) == 0);

    CHECK(own_open(&own, argv[1], argv[2]) == 0);
    CHECK(own_echo(&own) == 0);
    own_close(&own);

    session = HAL_SSL_Establish(argv[1], port, ca, (uint32_t)ca_size + 1);
    CHECK(session != 0);
    CHECK(hal_echo(session) == 0);
    CHECK(HAL_SSL_Destroy(session) == 0);
    puts("both");
    return 0;
}

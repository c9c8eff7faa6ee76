/*
 * A complete TLS HAL of a port on an Mbed TLS of its own, that of the distribution: HAL_SSL_*, ssl_hooks_set and
 * the client certificate. It verifies chain, dates and name, and works with sockets of its own.
 *
 *   PORT_TLS_PORT  port of the server on 127.0.0.1, to which every host name leads
 *   PORT_TLS_CA, PORT_TLS_CERT, PORT_TLS_KEY  PEM files
 */
#define _POSIX_C_SOURCE 200809L

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>

#include "wrappers.h"

#define HANDSHAKE_MS 10000
#define PEM_LIMIT    (64L * 1024L)

extern const char *iotx_ca_crt, *g_cli_crt, *g_cli_key;
const char        *iotx_ca_crt, *g_cli_crt, *g_cli_key;

typedef struct {
    mbedtls_net_context      net;
    mbedtls_ssl_context      ssl;
    mbedtls_ssl_config       config;
    mbedtls_x509_crt         roots, certificate;
    mbedtls_pk_context       key;
    mbedtls_entropy_context  entropy;
    mbedtls_ctr_drbg_context random;
    /* One thread may read while another writes; Mbed TLS knows one at a time. */
    void                    *lock;
} session_t;

static const char *load(const char *variable)
{
    const char *path = getenv(variable);
    FILE       *file = path != NULL ? fopen(path, "rb") : NULL;
    char       *text = calloc(1, PEM_LIMIT + 1);

    if (file == NULL || text == NULL || fread(text, 1, PEM_LIMIT, file) == 0) {
        fprintf(stderr, "TLS port: %s names no file\n", variable);
        exit(2);
    }
    fclose(file);
    return text;
}

__attribute__((constructor)) static void load_all(void)
{
    iotx_ca_crt = load("PORT_TLS_CA");
    g_cli_crt   = load("PORT_TLS_CERT");
    g_cli_key   = load("PORT_TLS_KEY");
}

/* Waits until the socket can do what Mbed TLS wants. Returns 0 when the time is over. */
static int ready(session_t *session, int wanted, uint64_t end)
{
    struct pollfd one = {0, 0, 0};
    uint64_t      now = HAL_UptimeMs();

    one.fd     = session->net.fd;
    one.events = wanted == MBEDTLS_ERR_SSL_WANT_WRITE ? POLLOUT : POLLIN;
    return now < end && poll(&one, 1, (int)(end - now)) > 0;
}

static int unfinished(int result)
{
    return result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE;
}

static int parse(session_t *session, const char *ca, size_t ca_len)
{
    size_t cert_len = strlen(g_cli_crt) + 1, key_len = strlen(g_cli_key) + 1;
    int    result;

    if (mbedtls_ctr_drbg_seed(&session->random, mbedtls_entropy_func, &session->entropy, NULL, 0) != 0
        || mbedtls_x509_crt_parse(&session->roots, (const unsigned char *)ca, ca_len) != 0
        || mbedtls_x509_crt_parse(&session->certificate, (const unsigned char *)g_cli_crt, cert_len) != 0) {
        return -1;
    }
#if MBEDTLS_VERSION_MAJOR >= 3
    result = mbedtls_pk_parse_key(&session->key, (const unsigned char *)g_cli_key, key_len, NULL, 0,
                                  mbedtls_ctr_drbg_random, &session->random);
#else
    result = mbedtls_pk_parse_key(&session->key, (const unsigned char *)g_cli_key, key_len, NULL, 0);
#endif
    return result;
}

static int open_session(session_t *session, const char *host, const char *ca, size_t ca_len)
{
    uint64_t end = HAL_UptimeMs() + HANDSHAKE_MS;
    int      result;

    if (parse(session, ca, ca_len) != 0
        || mbedtls_ssl_config_defaults(&session->config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                       MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
        return -1;
    }
#if MBEDTLS_VERSION_MAJOR >= 3
    /* 1.3 would want the initialisation of its own crypto layer. */
    mbedtls_ssl_conf_max_tls_version(&session->config, MBEDTLS_SSL_VERSION_TLS1_2);
#endif
    mbedtls_ssl_conf_authmode(&session->config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&session->config, &session->roots, NULL);
    mbedtls_ssl_conf_rng(&session->config, mbedtls_ctr_drbg_random, &session->random);
    if (mbedtls_ssl_conf_own_cert(&session->config, &session->certificate, &session->key) != 0
        || mbedtls_ssl_setup(&session->ssl, &session->config) != 0
        || mbedtls_ssl_set_hostname(&session->ssl, host) != 0
        || mbedtls_net_connect(&session->net, "127.0.0.1", getenv("PORT_TLS_PORT"), MBEDTLS_NET_PROTO_TCP) != 0
        || mbedtls_net_set_nonblock(&session->net) != 0) {
        return -1;
    }
    mbedtls_ssl_set_bio(&session->ssl, &session->net, mbedtls_net_send, mbedtls_net_recv, NULL);
    do {
        result = mbedtls_ssl_handshake(&session->ssl);
    } while (unfinished(result) && ready(session, result, end));
    if (result == 0) {
        printf("tls port: %s %s for %s\n", mbedtls_ssl_get_version(&session->ssl),
               mbedtls_ssl_get_ciphersuite(&session->ssl), host);
    } else {
        printf("tls port: handshake -0x%04X, verification 0x%X\n", (unsigned)-result,
               (unsigned)mbedtls_ssl_get_verify_result(&session->ssl));
    }
    return result;
}

static void close_session(session_t *session)
{
    mbedtls_ssl_close_notify(&session->ssl);
    mbedtls_net_free(&session->net);
    mbedtls_ssl_free(&session->ssl);
    mbedtls_ssl_config_free(&session->config);
    mbedtls_x509_crt_free(&session->roots);
    mbedtls_x509_crt_free(&session->certificate);
    mbedtls_pk_free(&session->key);
    mbedtls_ctr_drbg_free(&session->random);
    mbedtls_entropy_free(&session->entropy);
    HAL_MutexDestroy(session->lock);
    HAL_Free(session);
}

uintptr_t HAL_SSL_Establish(const char *host, uint16_t port, const char *ca_crt, uint32_t ca_crt_len)
{
    session_t *session;

    (void)port;
    if (host == NULL || ca_crt == NULL || ca_crt_len == 0 || (session = HAL_Malloc(sizeof(*session))) == NULL) {
        return 0;
    }
    memset(session, 0, sizeof(*session));
    mbedtls_net_init(&session->net);
    mbedtls_ssl_init(&session->ssl);
    mbedtls_ssl_config_init(&session->config);
    mbedtls_x509_crt_init(&session->roots);
    mbedtls_x509_crt_init(&session->certificate);
    mbedtls_pk_init(&session->key);
    mbedtls_entropy_init(&session->entropy);
    mbedtls_ctr_drbg_init(&session->random);
    session->lock = HAL_MutexCreate();
    if (session->lock == NULL || open_session(session, host, ca_crt, ca_crt_len) != 0) {
        close_session(session);
        return 0;
    }
    return (uintptr_t)session;
}

int HAL_SSL_Read(uintptr_t handle, char *buf, int len, int timeout_ms)
{
    session_t *session = (session_t *)handle;
    uint64_t   end     = HAL_UptimeMs() + (uint64_t)timeout_ms;
    int        got = 0, result;

    while (got < len) {
        HAL_MutexLock(session->lock);
        result = mbedtls_ssl_read(&session->ssl, (unsigned char *)buf + got, (size_t)(len - got));
        HAL_MutexUnlock(session->lock);
        if (result > 0) {
            got += result;
        } else if (unfinished(result)) {
            if (!ready(session, result, end)) {
                break;
            }
        } else if (got > 0) {
            /* Data first; the next call says it again. */
            break;
        } else {
            return result == 0 || result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || result == MBEDTLS_ERR_SSL_CONN_EOF
                       ? -2 : -1;
        }
    }
    return got;
}

int HAL_SSL_Write(uintptr_t handle, const char *buf, int len, int timeout_ms)
{
    session_t *session = (session_t *)handle;
    uint64_t   end     = HAL_UptimeMs() + (uint64_t)timeout_ms;
    int        sent = 0, result;

    while (sent < len) {
        HAL_MutexLock(session->lock);
        result = mbedtls_ssl_write(&session->ssl, (const unsigned char *)buf + sent, (size_t)(len - sent));
        HAL_MutexUnlock(session->lock);
        if (result > 0) {
            sent += result;
        } else if (!unfinished(result)) {
            return -1;
        } else if (!ready(session, result, end)) {
            break;
        }
    }
    return sent;
}

int32_t HAL_SSL_Destroy(uintptr_t handle)
{
    if (handle != 0) {
        close_session((session_t *)handle);
    }
    return 0;
}

int ssl_hooks_set(ssl_hooks_t *hooks)
{
    return hooks == NULL || hooks->malloc == NULL || hooks->free == NULL ? -1 : 0;
}

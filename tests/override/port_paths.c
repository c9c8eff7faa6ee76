/*
 * Ports that carry the bytes in their own way (one -DPATH_... each). They hand over to the default port
 * under its inner names; that they are an application's definitions alone makes the library keep to
 * the contract of the HAL instead of its fast path.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "wrappers_defs.h"

extern uint64_t iotx_port_uptime_ms(void);
extern uintptr_t iotx_port_tcp_establish(const char *host, uint16_t port);
extern int iotx_port_tcp_destroy(uintptr_t fd);
extern int32_t iotx_port_tcp_write(uintptr_t fd, const char *buf, uint32_t len, uint32_t timeout_ms);
extern int32_t iotx_port_tcp_read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms);
extern uintptr_t iotx_port_ssl_establish(const char *host, uint16_t port, const char *ca, uint32_t ca_len);
extern int iotx_port_ssl_read(uintptr_t handle, char *buf, int len, int timeout_ms);
extern int iotx_port_ssl_write(uintptr_t handle, const char *buf, int len, int timeout_ms);
extern int32_t iotx_port_ssl_destroy(uintptr_t handle);

static unsigned long uses;

/* A port that was not used proves nothing. */
static void used(void)
{
    if (uses < 10) {
        fprintf(stderr, "the port was used %lu times\n", uses);
        _Exit(9);
    }
}

static void use(void)
{
    if (uses++ == 0) {
        atexit(used);
    }
}

#if defined(PATH_TCP) || defined(PATH_TCP_MODEM)

uintptr_t HAL_TCP_Establish(const char *host, uint16_t port)
{
    use();
    return iotx_port_tcp_establish(host, port);
}

int HAL_TCP_Destroy(uintptr_t fd)
{
    return iotx_port_tcp_destroy(fd);
}

int32_t HAL_TCP_Write(uintptr_t fd, const char *buf, uint32_t len, uint32_t timeout_ms)
{
    use();
#ifdef PATH_TCP_MODEM
    /* A modem takes little at a time. */
    len = len > 100 ? 100 : len;
#endif
    return iotx_port_tcp_write(fd, buf, len, timeout_ms);
}

int32_t HAL_TCP_Read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms)
{
    use();
#ifdef PATH_TCP_MODEM
    /* And hands over byte by byte. */
    len = len > 1 ? 1 : len;
#endif
    return iotx_port_tcp_read(fd, buf, len, timeout_ms);
}

#elif defined(PATH_TLS) || defined(PATH_TLS_BYTES)

uintptr_t HAL_SSL_Establish(const char *host, uint16_t port, const char *ca, uint32_t ca_len)
{
    use();
    return iotx_port_ssl_establish(host, port, ca, ca_len);
}

int HAL_SSL_Read(uintptr_t handle, char *buf, int len, int timeout_ms)
{
    use();
#ifdef PATH_TLS_BYTES
    len = len > 1 ? 1 : len;
#endif
    return iotx_port_ssl_read(handle, buf, len, timeout_ms);
}

int HAL_SSL_Write(uintptr_t handle, const char *buf, int len, int timeout_ms)
{
    use();
#ifdef PATH_TLS_BYTES
    len = len > 100 ? 100 : len;
#endif
    return iotx_port_ssl_write(handle, buf, len, timeout_ms);
}

int32_t HAL_SSL_Destroy(uintptr_t handle)
{
    return iotx_port_ssl_destroy(handle);
}

int ssl_hooks_set(ssl_hooks_t *hooks)
{
    (void)hooks;
    return 0;
}

#elif defined(PATH_CLOCK_64) || defined(PATH_CLOCK_32) || defined(PATH_CLOCK_SET)

/* 2^32 milliseconds are reached half a second after the first call. */
uint64_t HAL_UptimeMs(void)
{
    static uint64_t start;
    uint64_t        now = iotx_port_uptime_ms();

    use();
    if (start == 0) {
        start = now;
    }
    now = now - start + (UINT64_C(1) << 32) - 500;
#if defined(PATH_CLOCK_32)
    now = (uint32_t)now;
#elif defined(PATH_CLOCK_SET)
    /* Set back by an hour twice a second. */
    now += UINT64_C(1) << 40;
    now -= (now / 500 - ((UINT64_C(1) << 40) + (UINT64_C(1) << 32)) / 500) * 3600000;
#endif
    return now;
}

#endif

/* Rows of the tls group. */
#define _XOPEN_SOURCE 700

#include <stdio.h>
#include <string.h>

#include "hal_check.h"
#include "iotx.h"
#include "wrappers.h"

static uintptr_t tls_to(const char *host, uint16_t port, const char *ca)
{
    return HAL_SSL_Establish(host, port, ca, (uint32_t)strlen(ca) + 1);
}

void tls_arguments(void)
{
    ssl_hooks_t none = {NULL, NULL};
    uintptr_t   host = HAL_SSL_Establish(NULL, 443, iotx_ca_crt, 1);
    uintptr_t   ca   = tls_to("127.0.0.1", peer(SILENT), "no certificate");
    int         res  = HAL_SSL_Destroy(0);

    see(host == 0 && ca == 0 && res == 0 && ssl_hooks_set(&none) == -1, "host NULL: %s, no certificate: %s, Destroy(0): %d",
        host == 0 ? "0" : "a handle", ca == 0 ? "0" : "a handle", res);
}

static void tls_peer(behaviour_t behaviour)
{
    long      start  = now_ms();
    uintptr_t handle = tls_to("127.0.0.1", peer(behaviour), iotx_ca_crt);

    see(handle == 0 && now_ms() - start < 45000, "%s after %ld ms", handle == 0 ? "0" : "a handle", now_ms() - start);
}

void tls_nonsense(void)
{
    tls_peer(NONSENSE);
}

void tls_hang_up(void)
{
    tls_peer(HANG_UP);
}

void tls_silent(void)
{
    tls_peer(SILENT);
}

void tls_handshake(void)
{
    uintptr_t handle = tls_to(tls_host, (uint16_t)tls_port, tls_ca);
    char      byte;
    long      start = now_ms();
    int       got;

    if (handle == 0) {
        see(0, "0");
        return;
    }
    got = HAL_SSL_Read(handle, &byte, 1, 200);
    see(got == 0 && took(start, 200), "a handle; Read returned %d after %ld ms", got, now_ms() - start);
    got = HAL_SSL_Destroy(handle);
    see(got == 0, "a handle; Destroy returned %d", got);
}

void tls_untrusted(void)
{
    /* Real root certificates, but not those of this server. */
    uintptr_t handle = tls_to(tls_host, (uint16_t)tls_port, iotx_ca_crt);

    see(handle == 0, handle == 0 ? "0" : "a handle");
}

/*
 * TLS group of the HAL: the public symbols, weak, in front of the Rust default.
 *
 * Weak, since the application may define any of them itself: functions of its own TLS port, its
 * own root certificates, its client certificate. Its definition then replaces ours, in the static
 * and in the shared library.
 */
#include <stddef.h>
#include <stdint.h>

#include "wrappers_defs.h"

#define WEAK __attribute__((visibility("default"), weak))
#define WEAK_ALIAS(target) __attribute__((visibility("default"), weak, alias(#target)))

uintptr_t iotx_port_ssl_establish(const char *host, uint16_t port, const char *ca, uint32_t ca_len);
int iotx_port_ssl_read(uintptr_t handle, char *buf, int len, int timeout_ms);
int iotx_port_ssl_write(uintptr_t handle, const char *buf, int len, int timeout_ms);
int32_t iotx_port_ssl_destroy(uintptr_t handle);
int iotx_port_ssl_hooks_set(ssl_hooks_t *hooks);
extern const char iotx_port_roots[];

/* Trust anchors handed to HAL_SSL_Establish by the core. */
WEAK const char *iotx_ca_crt = iotx_port_roots;

/* Client certificate and key, PEM. None unless the application provides them. */
WEAK const char *g_cli_crt = NULL;
WEAK const char *g_cli_key = NULL;

static uintptr_t default_HAL_SSL_Establish(const char *host, uint16_t port, const char *ca,
                                           uint32_t ca_len)
{
    return iotx_port_ssl_establish(host, port, ca, ca_len);
}

static int default_HAL_SSL_Read(uintptr_t handle, char *buf, int len, int timeout_ms)
{
    return iotx_port_ssl_read(handle, buf, len, timeout_ms);
}

static int default_HAL_SSL_Write(uintptr_t handle, const char *buf, int len, int timeout_ms)
{
    return iotx_port_ssl_write(handle, buf, len, timeout_ms);
}

static int32_t default_HAL_SSL_Destroy(uintptr_t handle)
{
    return iotx_port_ssl_destroy(handle);
}

static int default_ssl_hooks_set(ssl_hooks_t *hooks)
{
    return iotx_port_ssl_hooks_set(hooks);
}

uintptr_t HAL_SSL_Establish(const char *host, uint16_t port, const char *ca, uint32_t ca_len)
    WEAK_ALIAS(default_HAL_SSL_Establish);
int HAL_SSL_Read(uintptr_t handle, char *buf, int len, int timeout_ms)
    WEAK_ALIAS(default_HAL_SSL_Read);
int HAL_SSL_Write(uintptr_t handle, const char *buf, int len, int timeout_ms)
    WEAK_ALIAS(default_HAL_SSL_Write);
int32_t HAL_SSL_Destroy(uintptr_t handle) WEAK_ALIAS(default_HAL_SSL_Destroy);
int ssl_hooks_set(ssl_hooks_t *hooks) WEAK_ALIAS(default_ssl_hooks_set);

typedef void (*any_function)(void);

/* How many of the group's functions are the application's own. */
unsigned iotx_port_tls_replaced(unsigned *count)
{
    /* Volatile: compilers would fold the comparison of a symbol with its alias. */
    any_function volatile in_use[] = {
        (any_function)HAL_SSL_Establish, (any_function)HAL_SSL_Read, (any_function)HAL_SSL_Write,
        (any_function)HAL_SSL_Destroy, (any_function)ssl_hooks_set,
    };
    any_function volatile ours[] = {
        (any_function)default_HAL_SSL_Establish, (any_function)default_HAL_SSL_Read,
        (any_function)default_HAL_SSL_Write, (any_function)default_HAL_SSL_Destroy,
        (any_function)default_ssl_hooks_set,
    };
    unsigned number = 0;
    size_t   index;

    *count = (unsigned)(sizeof(ours) / sizeof(ours[0]));
    for (index = 0; index < sizeof(ours) / sizeof(ours[0]); index++) {
        number += in_use[index] != ours[index];
    }
    return number;
}

/* 1 if every function of the group is ours, 0 if the application replaced one. */
int iotx_port_tls_is_default(void)
{
    unsigned count;

    return iotx_port_tls_replaced(&count) == 0;
}

/*
 * How many of the three variables the application has set. By value: it may define or assign them, and
 * a program that refers to one has it in its own memory either way.
 */
unsigned iotx_port_data_replaced(unsigned *count)
{
    *count = 3;
    return (unsigned)((iotx_ca_crt != iotx_port_roots) + (g_cli_crt != NULL) + (g_cli_key != NULL));
}

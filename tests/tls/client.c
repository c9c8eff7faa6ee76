/*
 * A firmware's use of the TLS HAL, for checks that Rust cannot make: symbols replaced by the
 * application, and memory checked by valgrind.
 *
 *   client HOST PORT CA_FILE [CERTIFICATE_FILE KEY_FILE]
 *
 * Connects to a server that sends lines back reversed. Prints one line per step; exit status 0 if
 * all went as the contract says.
 *
 * OWN_IDENTITY  the application defines g_cli_crt and g_cli_key, as its TLS port does
 * OWN_CLOCK     the application's clock shows 1970
 * OWN_TLS       the application defines the whole TLS group
 */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    void *(*malloc)(uint32_t size);
    void (*free)(void *ptr);
} ssl_hooks_t;

uintptr_t HAL_SSL_Establish(const char *host, uint16_t port, const char *ca, uint32_t ca_len);
int HAL_SSL_Read(uintptr_t handle, char *buf, int len, int timeout_ms);
int HAL_SSL_Write(uintptr_t handle, const char *buf, int len, int timeout_ms);
int32_t HAL_SSL_Destroy(uintptr_t handle);
int ssl_hooks_set(ssl_hooks_t *hooks);
int iotx_port_tls_is_default(void);
int iotx_tls_set_clock_policy(int policy);

#if defined(OWN_IDENTITY) || defined(OWN_TLS)
const char *g_cli_crt = NULL;
const char *g_cli_key = NULL;
#else
extern const char *g_cli_crt;
extern const char *g_cli_key;
#endif
extern const char *iotx_ca_crt;

#ifdef OWN_CLOCK
time_t time(time_t *result)
{
    if (result != NULL) {
        *result = 1000;
    }
    return 1000;
}
#endif

#ifdef OWN_TLS
const char *iotx_ca_crt = "own roots";

uintptr_t HAL_SSL_Establish(const char *host, uint16_t port, const char *ca, uint32_t ca_len)
{
    (void)host;
    (void)port;
    (void)ca;
    (void)ca_len;
    return 77;
}

int HAL_SSL_Read(uintptr_t handle, char *buf, int len, int timeout_ms)
{
    (void)timeout_ms;
    memset(buf, 'x', (size_t)len);
    return handle == 77 ? len : -1;
}

int HAL_SSL_Write(uintptr_t handle, const char *buf, int len, int timeout_ms)
{
    (void)buf;
    (void)timeout_ms;
    return handle == 77 ? len : -1;
}

int32_t HAL_SSL_Destroy(uintptr_t handle)
{
    return handle == 77 ? 0 : -1;
}

int ssl_hooks_set(ssl_hooks_t *hooks)
{
    return hooks != NULL ? 5 : -5;
}
#endif

static int failures;

static void check(int good, const char *what)
{
    printf("%s %s\n", good ? "ok" : "FAILED", what);
    failures += !good;
}

#ifdef OWN_TLS
int main(void)
{
    char buf[3];
    ssl_hooks_t hooks = {NULL, NULL};

    check(iotx_port_tls_is_default() == 0, "the library knows that the group is not its own");
    check(HAL_SSL_Establish("h", 1, iotx_ca_crt, 10) == 77, "own establish");
    check(HAL_SSL_Read(77, buf, 3, 1) == 3 && HAL_SSL_Write(77, buf, 3, 1) == 3, "own traffic");
    check(HAL_SSL_Destroy(77) == 0 && ssl_hooks_set(&hooks) == 5, "own rest");
    check(strcmp(iotx_ca_crt, "own roots") == 0 && g_cli_crt == NULL && g_cli_key == NULL, "own data");
    return failures != 0;
}
#else
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 100000);

    if (file == NULL || text == NULL || fread(text, 1, 99999, file) == 0) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    fclose(file);
    return text;
}

static void use(const char *host, uint16_t port, const char *ca)
{
    uint32_t ca_len = (uint32_t)strlen(ca) + 1;
    uintptr_t handle;
    char buf[16];

    check(HAL_SSL_Establish("wrong.host.invalid", port, NULL, 0) == 0, "no CA, no connection");
    handle = HAL_SSL_Establish(host, port, ca, ca_len);
    check(handle != 0, "establish");
    check(HAL_SSL_Write(handle, "hello\n", 6, 2000) == 6, "write");
    memset(buf, 0, sizeof(buf));
    check(HAL_SSL_Read(handle, buf, 6, 5000) == 6 && strcmp(buf, "olleh\n") == 0, "read");
    check(HAL_SSL_Read(handle, buf, 6, 20) == 0, "time-out");
    check(HAL_SSL_Destroy(handle) == 0, "destroy");
    check(HAL_SSL_Destroy(handle) == -1, "destroy again");
    check(HAL_SSL_Read(handle, buf, 6, 20) == -1, "read from a stale handle");
    check(HAL_SSL_Write(handle, buf, 6, 20) == -1, "write to a stale handle");
    check(HAL_SSL_Destroy(0) == 0, "destroy nothing");
}

int main(int argc, char **argv)
{
    uint16_t port;
    char *ca, *certificate = NULL, *key = NULL;

    if (argc != 4 && argc != 6) {
        return 2;
    }
    port = (uint16_t)atoi(argv[2]);
    ca = read_file(argv[3]);
    if (argc == 6) {
        certificate = read_file(argv[4]);
        key = read_file(argv[5]);
        g_cli_crt = certificate;
        g_cli_key = key;
    }
    check(iotx_port_tls_is_default() == 1, "the library's own TLS is in use");
    check(strstr(iotx_ca_crt, "BEGIN CERTIFICATE") != NULL, "roots are there");
#ifdef OWN_CLOCK
    check(HAL_SSL_Establish(argv[1], port, ca, (uint32_t)strlen(ca) + 1) == 0, "strict by default");
    check(iotx_tls_set_clock_policy(2) == -1, "unknown policy");
    check(iotx_tls_set_clock_policy(1) == 0, "until-clock-set");
    check(HAL_SSL_Establish("elsewhere.test", port, ca, (uint32_t)strlen(ca) + 1) == 0
          && HAL_SSL_Establish("127.0.0.2", port, ca, (uint32_t)strlen(ca) + 1) == 0,
          "the name is still checked");
    check(HAL_SSL_Establish(argv[1], port, iotx_ca_crt, (uint32_t)strlen(iotx_ca_crt) + 1) == 0,
          "the chain is still checked");
#endif
    use(argv[1], port, ca);
    use(argv[1], port, ca);
    g_cli_crt = NULL;
    g_cli_key = NULL;
    free(ca);
    free(certificate);
    free(key);
    return failures != 0;
}
#endif

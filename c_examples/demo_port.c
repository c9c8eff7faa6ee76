/*
 * Redirects an example to the local platform, by nothing but symbols that the SDK lets every
 * application define: HAL_TCP_Establish, iotx_ca_crt, g_cli_crt, g_cli_key. It is an object file of
 * its own, linked into the demo programs only; the examples know nothing of it.
 *
 *   IOTX_DEMO_PORT  port of the local platform on 127.0.0.1
 *   IOTX_DEMO_CA    file with its root certificate (PEM)
 *   IOTX_DEMO_CERT  file with the device certificate (PEM), may be unset
 *   IOTX_DEMO_KEY   file with the device key (PEM), may be unset
 *
 * The host name still goes into the TLS handshake and is still verified: only the address changes.
 */
#define _POSIX_C_SOURCE 200112L

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wrappers.h"

#define PEM_LIMIT (256L * 1024L)

/* The library reads these three when it connects. They replace its own, weak definitions. */
extern const char *iotx_ca_crt;
extern const char *g_cli_crt;
extern const char *g_cli_key;
const char *iotx_ca_crt = "";
const char *g_cli_crt   = "";
const char *g_cli_key   = "";

static void give_up(const char *what, const char *detail)
{
    fprintf(stderr, "demo port: %s: %s\n", what, detail);
    exit(2);
}

/* The text of the file that the environment variable names, or "" when it is not set. The memory
 * lives as long as the program, like a string constant would. */
static const char *load(const char *variable)
{
    const char *path = getenv(variable);
    FILE       *file;
    char       *text;
    long        size = -1;

    if (path == NULL || path[0] == '\0') {
        return "";
    }
    file = fopen(path, "rb");
    if (file == NULL) {
        give_up("cannot open", path);
    }
    if (fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 || size > PEM_LIMIT || fseek(file, 0, SEEK_SET) != 0) {
        give_up("cannot read", path);
    }
    text = malloc((size_t)size + 1);
    if (text == NULL || fread(text, 1, (size_t)size, file) != (size_t)size) {
        give_up("cannot read", path);
    }
    text[size] = '\0';
    fclose(file);
    return text;
}

__attribute__((constructor)) static void load_certificates(void)
{
    iotx_ca_crt = load("IOTX_DEMO_CA");
    g_cli_crt   = load("IOTX_DEMO_CERT");
    g_cli_key   = load("IOTX_DEMO_KEY");
}

/* Returns a socket number, so that the library's own HAL_TCP_Read, HAL_TCP_Write and
 * HAL_TCP_Destroy go on working with it. */
uintptr_t HAL_TCP_Establish(const char *host, uint16_t port)
{
    const char        *wanted = getenv("IOTX_DEMO_PORT");
    struct sockaddr_in address;
    int                fd;

    if (wanted == NULL || atoi(wanted) <= 0 || atoi(wanted) > 65535) {
        fprintf(stderr, "demo port: IOTX_DEMO_PORT is not a port number\n");
        return (uintptr_t)-1;
    }
    memset(&address, 0, sizeof(address));
    address.sin_family      = AF_INET;
    address.sin_port        = htons((uint16_t)atoi(wanted));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) {
        return (uintptr_t)-1;
    }
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return (uintptr_t)-1;
    }
    printf("%-14s %s:%u is the local platform, 127.0.0.1:%s\n", "redirected", host, (unsigned int)port, wanted);
    fflush(stdout);
    return (uintptr_t)fd;
}

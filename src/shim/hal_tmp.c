/* Local scaffolding: HAL_TCP_* over POSIX sockets, HAL_UptimeMs. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t default_HAL_UptimeMs(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}
uint64_t HAL_UptimeMs(void) __attribute__((weak, alias("default_HAL_UptimeMs")));

static uintptr_t default_HAL_TCP_Establish(const char *host, uint16_t port)
{
    struct addrinfo hints, *list, *a;
    char text[8];
    int fd = -1;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    snprintf(text, sizeof text, "%u", port);
    if (getaddrinfo(host, text, &hints, &list)) return (uintptr_t)-1;
    for (a = list; a; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0) break;
        if (fd >= 0) close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    if (fd >= 0) fcntl(fd, F_SETFL, O_NONBLOCK);
    return (uintptr_t)(intptr_t)fd;
}
static int32_t default_HAL_TCP_Read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms)
{
    uint64_t end = HAL_UptimeMs() + timeout_ms;
    uint32_t got = 0;
    while (got < len) {
        uint64_t now = HAL_UptimeMs();
        struct pollfd p = {(int)fd, POLLIN, 0};
        ssize_t n;
        if (now >= end || poll(&p, 1, (int)(end - now)) == 0) break;
        n = recv((int)fd, buf + got, len - got, 0);
        if (n == 0) return got ? (int32_t)got : -1;
        if (n < 0) { if (errno == EAGAIN) continue; return got ? (int32_t)got : -2; }
        got += (uint32_t)n;
    }
    return (int32_t)got;
}
static int32_t default_HAL_TCP_Write(uintptr_t fd, const char *buf, uint32_t len, uint32_t timeout_ms)
{
    uint64_t end = HAL_UptimeMs() + timeout_ms;
    uint32_t sent = 0;
    while (sent < len) {
        uint64_t now = HAL_UptimeMs();
        struct pollfd p = {(int)fd, POLLOUT, 0};
        ssize_t n;
        if (now >= end || poll(&p, 1, (int)(end - now)) == 0) break;
        n = send((int)fd, buf + sent, len - sent, MSG_NOSIGNAL);
        if (n < 0) { if (errno == EAGAIN) continue; return -1; }
        sent += (uint32_t)n;
    }
    return (int32_t)sent;
}
static int default_HAL_TCP_Destroy(uintptr_t fd) { return close((int)fd); }
uintptr_t HAL_TCP_Establish(const char *h, uint16_t p) __attribute__((weak, alias("default_HAL_TCP_Establish")));
int32_t HAL_TCP_Read(uintptr_t f, char *b, uint32_t l, uint32_t t) __attribute__((weak, alias("default_HAL_TCP_Read")));
int32_t HAL_TCP_Write(uintptr_t f, const char *b, uint32_t l, uint32_t t) __attribute__((weak, alias("default_HAL_TCP_Write")));
int HAL_TCP_Destroy(uintptr_t f) __attribute__((weak, alias("default_HAL_TCP_Destroy")));
typedef void (*fn)(void);
int iotx_port_tcp_is_default(void)
{
    fn volatile a[] = {(fn)HAL_TCP_Establish, (fn)HAL_TCP_Read, (fn)HAL_TCP_Write, (fn)HAL_TCP_Destroy};
    fn volatile b[] = {(fn)default_HAL_TCP_Establish, (fn)default_HAL_TCP_Read, (fn)default_HAL_TCP_Write, (fn)default_HAL_TCP_Destroy};
    return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

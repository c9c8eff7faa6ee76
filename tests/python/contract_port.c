/*
 * A port that keeps to the letter of its contract, preloaded in front of the library: HAL_TCP_Read and
 * HAL_SSL_Read wait for all the bytes asked for, and end the program when they would wait for bytes that
 * have not come 3 s later. With OWN_TLS the TLS is its own as well: plain TCP, since what matters is the
 * shape of the calls.
 */
#define _POSIX_C_SOURCE 200809L
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 3000

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uintptr_t HAL_TCP_Establish(const char *host, uint16_t port)
{
    struct addrinfo  hints = {.ai_socktype = SOCK_STREAM}, *found, *entry;
    char             service[8];
    int              fd = -1;

    snprintf(service, sizeof(service), "%u", port);
    if (getaddrinfo(host, service, &hints, &found) != 0) {
        return (uintptr_t)-1;
    }
    for (entry = found; entry != NULL; entry = entry->ai_next) {
        fd = socket(entry->ai_family, SOCK_STREAM, 0);
        if (fd >= 0 && connect(fd, entry->ai_addr, entry->ai_addrlen) == 0) {
            break;
        }
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return (uintptr_t)fd;
}

int HAL_TCP_Destroy(uintptr_t fd)
{
    return close((int)fd);
}

int32_t HAL_TCP_Write(uintptr_t fd, const char *buf, uint32_t len, uint32_t timeout_ms)
{
    uint32_t sent = 0;

    (void)timeout_ms;
    while (sent < len) {
        ssize_t got = send((int)fd, buf + sent, len - sent, MSG_NOSIGNAL);

        if (got <= 0) {
            return -1;
        }
        sent += (uint32_t)got;
    }
    return (int32_t)sent;
}

/* All of it or nothing: a port that has begun to wait for `len` bytes waits for them. */
int32_t HAL_TCP_Read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms)
{
    int64_t  end  = now_ms() + timeout_ms;
    int64_t  stop = now_ms() + timeout_ms + PATIENCE_MS;
    uint32_t got  = 0;

    if (timeout_ms == 0 || len == 0) {
        fprintf(stderr, "contract port: read of %u bytes in %u ms\n", len, timeout_ms);
        abort();
    }
    while (got < len) {
        struct pollfd wait = {(int)fd, POLLIN, 0};
        int64_t       left = (got > 0 ? stop : end) - now_ms();
        ssize_t       count;

        if (left <= 0 && got > 0) {
            fprintf(stderr, "contract port: %u of %u bytes, and no more\n", got, len);
            abort();
        }
        if (left <= 0 || poll(&wait, 1, (int)left) == 0) {
            if (got > 0) {
                continue;
            }
            return 0;
        }
        count = recv((int)fd, buf + got, len - got, 0);
        if (count <= 0) {
            return got > 0 ? (int32_t)got : -1;
        }
        got += (uint32_t)count;
    }
    return (int32_t)got;
}

#ifdef OWN_TLS
uintptr_t HAL_SSL_Establish(const char *host, uint16_t port, const char *ca_crt, uint32_t ca_crt_len)
{
    uintptr_t fd = HAL_TCP_Establish(host, port);

    (void)ca_crt;
    (void)ca_crt_len;
    return fd == (uintptr_t)-1 ? 0 : fd + 1;
}

int32_t HAL_SSL_Destroy(uintptr_t handle)
{
    return HAL_TCP_Destroy(handle - 1);
}

int HAL_SSL_Write(uintptr_t handle, const char *buf, int len, int timeout_ms)
{
    return HAL_TCP_Write(handle - 1, buf, (uint32_t)len, (uint32_t)timeout_ms);
}

int HAL_SSL_Read(uintptr_t handle, char *buf, int len, int timeout_ms)
{
    int got = HAL_TCP_Read(handle - 1, buf, (uint32_t)len, (uint32_t)timeout_ms);

    return got == -1 ? -2 : got;
}
#endif

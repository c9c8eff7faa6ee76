/* Rows of the tcp group. */
#define _XOPEN_SOURCE 700

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "hal_check.h"
#include "iotx.h"
#include "wrappers.h"

static uintptr_t tcp_to(behaviour_t behaviour)
{
    uintptr_t fd = HAL_TCP_Establish("127.0.0.1", peer(behaviour));

    if (fd == NO_HANDLE) {
        see(0, "HAL_TCP_Establish failed");
    }
    return fd;
}

void tcp_names(void)
{
    uint16_t  port    = peer(ECHO);
    uintptr_t literal = HAL_TCP_Establish("127.0.0.1", port);
    int       closed  = literal == NO_HANDLE ? -1 : HAL_TCP_Destroy(literal);
    uintptr_t name    = HAL_TCP_Establish("localhost", port);

    see(literal != NO_HANDLE && closed == 0 && name != NO_HANDLE, "address: %s, Destroy: %d, name: %s",
        literal == NO_HANDLE ? "failed" : "connected", closed, name == NO_HANDLE ? "failed" : "connected");
}

void tcp_refused(void)
{
    int       port;
    uintptr_t fd;

    (void)bound_socket(&port); /* bound, but nobody listens */
    fd = HAL_TCP_Establish("127.0.0.1", (uint16_t)port);
    see(fd == NO_HANDLE, fd == NO_HANDLE ? "-1" : "a handle");
}

void tcp_unknown_name(void)
{
    long      start = now_ms();
    uintptr_t fd    = HAL_TCP_Establish("no-such-host.invalid", 1883);

    see(fd == NO_HANDLE && now_ms() - start < 30000, "%s after %ld ms", fd == NO_HANDLE ? "-1" : "a handle", now_ms() - start);
}

void tcp_fill(void)
{
    char      buf[8] = "";
    uintptr_t fd     = tcp_to(HALVES);
    int       got    = HAL_TCP_Read(fd, buf, 6, 3000);

    see(got == 6 && memcmp(buf, "abcdef", 6) == 0, "%d bytes \"%.6s\"", got, buf);
}

void tcp_drip(void)
{
    char      buf[50];
    uintptr_t fd  = tcp_to(DRIP);
    int       got = HAL_TCP_Read(fd, buf, 50, 3000);

    see(got == 50 && memcmp(buf + 40, "0123456789", 10) == 0, "%d bytes", got);
}

void tcp_partial(void)
{
    char      buf[8] = "";
    uintptr_t fd     = tcp_to(HALVES);
    int       first  = HAL_TCP_Read(fd, buf, 6, 150);
    int       rest   = HAL_TCP_Read(fd, buf + 3, 3, 3000);

    see(first == 3 && rest == 3 && memcmp(buf, "abcdef", 6) == 0, "%d, then %d, \"%.6s\"", first, rest, buf);
}

void tcp_timeout(void)
{
    char      buf[4];
    uintptr_t fd    = tcp_to(SILENT);
    long      start = now_ms();
    int       got   = HAL_TCP_Read(fd, buf, 4, 200);

    see(got == 0 && took(start, 200), "returned %d after %ld ms", got, now_ms() - start);
}

void tcp_nothing(void)
{
    char      buf[1];
    uintptr_t fd    = tcp_to(SILENT);
    long      start = now_ms();
    int       got   = HAL_TCP_Read(fd, buf, 0, 2000);

    see(got == 0 && took(start, 0), "returned %d after %ld ms", got, now_ms() - start);
}

void tcp_close(void)
{
    char      buf[10];
    uintptr_t fd    = tcp_to(LAST_WORDS);
    int       first = HAL_TCP_Read(fd, buf, 10, 2000);
    int       then  = HAL_TCP_Read(fd, buf, 10, 2000);

    see(first == 4 && then == -1, "%d, then %d", first, then);
}

void tcp_reset(void)
{
    char      buf[10];
    uintptr_t fd = tcp_to(RESET);
    int       got;

    (void)HAL_TCP_Write(fd, "x", 1, 1000);
    got = HAL_TCP_Read(fd, buf, 10, 2000);
    see(got < 0, "returned %d", got);
}

void tcp_write_timeout(void)
{
    static char block[4 << 20];
    uintptr_t   fd    = tcp_to(SILENT);
    long        start = now_ms();
    long        total = 0;
    int         sent  = 0;
    int         i;

    for (i = 0; i < 8 && sent >= 0; i++) {
        start = now_ms();
        sent  = HAL_TCP_Write(fd, block, sizeof(block), 300);
        total += sent;
        if (sent < (int)sizeof(block)) {
            break;
        }
    }
    see(sent >= 0 && sent < (int)sizeof(block) && took(start, 300), "returned %d after %ld ms, %ld bytes in all", sent,
        now_ms() - start, total);
}

void tcp_write_closed(void)
{
    uintptr_t fd   = tcp_to(HANG_UP);
    int       sent = 0;
    int       i;

    pause_ms(50);
    for (i = 0; i < 20 && sent >= 0; i++) {
        sent = HAL_TCP_Write(fd, "x", 1, 200);
        pause_ms(10);
    }
    see(sent < 0, "returned %d at last", sent);
}

#define ROUND_TRIP 200000

static void *write_all(void *arg)
{
    uintptr_t fd   = *(uintptr_t *)arg;
    long      done = 0;
    char      buf[1000];
    int       sent;

    while (done < ROUND_TRIP) {
        memset(buf, (int)(done / 1000), sizeof(buf));
        sent = HAL_TCP_Write(fd, buf, sizeof(buf), 5000);
        if (sent != (int)sizeof(buf)) {
            break;
        }
        done += sent;
    }
    return NULL;
}

void tcp_both_ways(void)
{
    uintptr_t fd     = tcp_to(ECHO);
    pthread_t thread = start_thread(write_all, &fd);
    char      buf[1000];
    long      done = 0;
    int       got;

    while (done < ROUND_TRIP) {
        got = HAL_TCP_Read(fd, buf, sizeof(buf), 5000);
        if (got != (int)sizeof(buf) || buf[0] != (char)(done / 1000) || buf[999] != buf[0]) {
            see(0, "a read returned %d behind %ld bytes, or the bytes are wrong", got, done);
            return;
        }
        done += got;
    }
    pthread_join(thread, NULL);
    see(1, "%ld bytes came back", done);
}

void tcp_release(void)
{
    struct rlimit few  = {48, 48};
    uint16_t      port = peer(HANG_UP);
    int           i;

    setrlimit(RLIMIT_NOFILE, &few);
    for (i = 0; i < 100; i++) {
        uintptr_t fd = HAL_TCP_Establish("127.0.0.1", port);
        if (fd == NO_HANDLE || HAL_TCP_Destroy(fd) != 0) {
            see(0, "connection %d of 100 failed", i + 1);
            return;
        }
    }
    see(1, "100 connections, one after the other");
}

/*
 * An application's own HAL functions must win over the library's, one by one.
 *
 * With OVERRIDE the program defines some of them and checks that the library calls these; the rest
 * stays ours. Without, everything is ours. Argument: port of an echo server.
 */
#include "hal.h"

#include <string.h>
#include <unistd.h>

uint64_t probe_uptime(void);
uint32_t probe_random(uint32_t region);
int probe_memory(uint32_t size);
int probe_tcp_is_default(void);
int probe_exchange(const char *host, uint16_t port, char *answer);
int probe_kv(void);
int probe_firmware_version(void);

#ifdef OVERRIDE

static int mallocs;
static int frees;
static int destroyed;

void *HAL_Malloc(uint32_t size)
{
    mallocs++;
    return malloc(size);
}

void HAL_Free(void *ptr)
{
    frees++;
    free(ptr);
}

uint64_t HAL_UptimeMs(void)
{
    return 4711;
}

uint32_t HAL_Random(uint32_t region)
{
    return region + 3; /* out of range: the core must cope */
}

int HAL_GetFirmwareVersion(char *version)
{
    memset(version, 'v', 65); /* no terminator, and a length that is too large */
    return 500;
}

/* A modem port: no sockets at all. */
uintptr_t HAL_TCP_Establish(const char *host, uint16_t port)
{
    return strcmp(host, "modem") == 0 && port == 9 ? 0 : (uintptr_t)-1;
}

int HAL_TCP_Destroy(uintptr_t fd)
{
    destroyed++;
    return fd == 0 ? 0 : -1;
}

int32_t HAL_TCP_Write(uintptr_t fd, const char *buf, uint32_t len, uint32_t timeout_ms)
{
    (void)buf;
    (void)timeout_ms;
    return fd == 0 ? (int32_t)len : -1;
}

int32_t HAL_TCP_Read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms)
{
    (void)timeout_ms;
    memset(buf, 'm', len);
    return fd == 0 ? (int32_t)len : -2;
}

int HAL_Kv_Get(const char *key, void *val, int *buffer_len)
{
    (void)key;
    (void)val;
    *buffer_len = 1000; /* more than the buffer: the core must not believe it */
    return 0;
}

int main(int argc, char **argv)
{
    char answer[4] = {0};

    (void)argv;
    CHECK(argc == 2);
    CHECK(probe_uptime() == 4711);
    CHECK(probe_random(10) < 10);
    CHECK(probe_memory(100) == 1 && mallocs == 1 && frees == 1);
    CHECK(probe_tcp_is_default() == 0);
    CHECK(probe_exchange("modem", 9, answer) == 0 && memcmp(answer, "mmmm", 4) == 0);
    CHECK(destroyed == 1);
    CHECK(probe_exchange("other", 9, answer) == -1);
    CHECK(probe_kv() == -1);
    CHECK(probe_firmware_version() == 64);
    CHECK(HAL_Kv_Del("probe") == 0); /* not overridden: stored by the library's own Set */
    return 0;
}

#else

int main(int argc, char **argv)
{
    char answer[4] = {0};
    uint64_t before;

    CHECK(argc == 2);
    before = HAL_UptimeMs();
    CHECK(probe_uptime() - before < 1000);
    CHECK(probe_random(1) == 0);
    CHECK(probe_memory(100) == 1);
    CHECK(probe_tcp_is_default() == 1);
    CHECK(probe_exchange("127.0.0.1", (uint16_t)atoi(argv[1]), answer) >= 0);
    CHECK(memcmp(answer, "ping", 4) == 0);
    CHECK(probe_kv() == 5);
    CHECK(probe_firmware_version() == 23);
    CHECK(HAL_Kv_Del("probe") == 0);
    return 0;
}

#endif

/*
 * The default port with one thing broken (-DBREAK_...), to prove that hal_check sees it. What is not
 * broken goes to the default port under its inner names, which libiotx_core.a shows.
 */
#define _XOPEN_SOURCE 700

#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wrappers_defs.h"

extern uint64_t iotx_port_uptime_ms(void);
extern void iotx_port_sleep_ms(uint32_t ms);
extern uint32_t iotx_port_random(uint32_t region);
extern int iotx_port_semaphore_wait(void *sem, uint32_t timeout_ms);
extern int iotx_port_thread_create(void **thread_handle, void *(*work_routine)(void *), void *arg,
                                   hal_os_thread_param_t *param, int *stack_used);
extern uintptr_t iotx_port_tcp_establish(const char *host, uint16_t port);
extern int32_t iotx_port_tcp_read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms);
extern int iotx_port_kv_set(const char *key, const void *val, int len, int sync);
extern int iotx_port_kv_get(const char *key, void *val, int *buffer_len);
extern uintptr_t iotx_port_ssl_establish(const char *host, uint16_t port, const char *ca, uint32_t ca_len);

#if defined(BREAK_MALLOC)
void *HAL_Malloc(uint32_t size)
{
    static uint64_t only[1024];
    return size <= sizeof(only) ? only : NULL;
}
void HAL_Free(void *ptr)
{
    (void)ptr;
}
#elif defined(BREAK_FREE)
void *HAL_Malloc(uint32_t size)
{
    char *block = malloc(size + 16u);
    return block == NULL ? NULL : block + 16;
}
void HAL_Free(void *ptr)
{
    free((char *)ptr - 16); /* NULL - 16 */
}
#elif defined(BREAK_UPTIME_STUCK)
uint64_t HAL_UptimeMs(void)
{
    return 4711;
}
#elif defined(BREAK_UPTIME_SECONDS)
uint64_t HAL_UptimeMs(void)
{
    return iotx_port_uptime_ms() / 1000;
}
#elif defined(BREAK_UPTIME_BACK)
uint64_t HAL_UptimeMs(void)
{
    return iotx_port_uptime_ms() ^ 64;
}
#elif defined(BREAK_SLEEP)
void HAL_SleepMs(uint32_t ms)
{
    iotx_port_sleep_ms(ms / 2);
}
#elif defined(BREAK_RANDOM_CONSTANT)
uint32_t HAL_Random(uint32_t region)
{
    return region == 0 ? 4 : iotx_port_random(region);
}
#elif defined(BREAK_RANDOM_16_BITS)
uint32_t HAL_Random(uint32_t region)
{
    return region == 0 ? iotx_port_random(65536) : iotx_port_random(region);
}
#elif defined(BREAK_RANDOM_BOUND)
uint32_t HAL_Random(uint32_t region)
{
    return region == 0 ? iotx_port_random(0) : iotx_port_random(region + 1);
}
#elif defined(BREAK_FORMAT)
int HAL_Snprintf(char *str, const int len, const char *fmt, ...)
{
    va_list ap;
    int     needed;

    va_start(ap, fmt);
    needed = vsnprintf(str, (size_t)len, fmt, ap);
    va_end(ap);
    return needed < len ? needed : len - 1;
}
#elif defined(BREAK_MUTEX)
void HAL_MutexLock(void *mutex)
{
    (void)mutex;
}
void HAL_MutexUnlock(void *mutex)
{
    (void)mutex;
}
#elif defined(BREAK_SEMAPHORE_TIMEOUT)
int HAL_SemaphoreWait(void *sem, uint32_t timeout_ms)
{
    return iotx_port_semaphore_wait(sem, timeout_ms == 0xFFFFFFFFu ? timeout_ms : 0);
}
#elif defined(BREAK_SEMAPHORE_FOREVER)
int HAL_SemaphoreWait(void *sem, uint32_t timeout_ms)
{
    return iotx_port_semaphore_wait(sem, timeout_ms == 0xFFFFFFFFu ? 10 : timeout_ms);
}
#elif defined(BREAK_SEMAPHORE_COUNT)
static volatile int posted;
void HAL_SemaphorePost(void *sem)
{
    (void)sem;
    posted = 1;
}
int HAL_SemaphoreWait(void *sem, uint32_t timeout_ms)
{
    uint64_t end = iotx_port_uptime_ms() + timeout_ms;
    (void)sem;
    while (!posted) {
        if (timeout_ms != 0xFFFFFFFFu && iotx_port_uptime_ms() >= end) {
            return -1;
        }
        iotx_port_sleep_ms(1);
    }
    posted = 0;
    return 0;
}
#elif defined(BREAK_THREAD)
int HAL_ThreadCreate(void **thread_handle, void *(*work_routine)(void *), void *arg, hal_os_thread_param_t *param,
                     int *stack_used)
{
    return param == NULL ? -1 : iotx_port_thread_create(thread_handle, work_routine, arg, param, stack_used);
}
#elif defined(BREAK_VERSION)
int HAL_GetFirmwareVersion(char *version)
{
    memset(version, 'v', 70);
    return 70;
}
#elif defined(BREAK_TCP_CLOSE)
int32_t HAL_TCP_Read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms)
{
    int32_t got = iotx_port_tcp_read(fd, buf, len, timeout_ms);
    return got == -1 ? 0 : got;
}
#elif defined(BREAK_TCP_FILL)
int32_t HAL_TCP_Read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms)
{
    return iotx_port_tcp_read(fd, buf, len > 5 && len != 10 && len != 1000 ? 5 : len, timeout_ms);
}
#elif defined(BREAK_TCP_PARTIAL)
int32_t HAL_TCP_Read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms)
{
    int32_t got = iotx_port_tcp_read(fd, buf, len, timeout_ms);
    /* Throws away what came in time if it is not all. */
    return got > 0 && got < (int32_t)len && len != 10 ? 0 : got;
}
#elif defined(BREAK_TCP_TIMEOUT)
int32_t HAL_TCP_Read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms)
{
    int32_t got = iotx_port_tcp_read(fd, buf, len, timeout_ms);
    return got == 0 && len > 0 ? -2 : got;
}
#elif defined(BREAK_TCP_NOTHING)
int32_t HAL_TCP_Read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms)
{
    if (len == 0) {
        iotx_port_sleep_ms(timeout_ms);
    }
    return iotx_port_tcp_read(fd, buf, len, timeout_ms);
}
#elif defined(BREAK_TCP_SIGPIPE)
int32_t HAL_TCP_Write(uintptr_t fd, const char *buf, uint32_t len, uint32_t timeout_ms)
{
    uint64_t      end  = iotx_port_uptime_ms() + timeout_ms;
    uint32_t      sent = 0;
    struct pollfd wait;

    wait.fd     = (int)fd;
    wait.events = POLLOUT;
    while (sent < len && iotx_port_uptime_ms() < end) {
        ssize_t done;
        if (poll(&wait, 1, (int)(end - iotx_port_uptime_ms())) <= 0) {
            continue;
        }
        done = send((int)fd, buf + sent, len - sent, MSG_DONTWAIT);
        if (done < 0) {
            return -1;
        }
        sent += (uint32_t)done;
    }
    return (int32_t)sent;
}
#elif defined(BREAK_TCP_WRITE_BLOCKS)
int32_t HAL_TCP_Write(uintptr_t fd, const char *buf, uint32_t len, uint32_t timeout_ms)
{
    (void)timeout_ms;
    return (int32_t)send((int)fd, buf, len, MSG_NOSIGNAL);
}
#elif defined(BREAK_TCP_RELEASE)
int HAL_TCP_Destroy(uintptr_t fd)
{
    return shutdown((int)fd, SHUT_RDWR) == 0 || 1 ? 0 : -1;
}
#elif defined(BREAK_TCP_REFUSED)
uintptr_t HAL_TCP_Establish(const char *host, uint16_t port)
{
    uintptr_t fd = iotx_port_tcp_establish(host, port);
    return fd == (uintptr_t)-1 && strcmp(host, "127.0.0.1") == 0 ? 0 : fd;
}
#elif defined(BREAK_SSL_ANYTHING)
/* Fine with every peer it reaches: it never shakes hands. */
uintptr_t HAL_SSL_Establish(const char *host, uint16_t port, const char *ca, uint32_t ca_len)
{
    (void)ca;
    (void)ca_len;
    return host == NULL ? 0 : iotx_port_tcp_establish(host, port) + 1;
}
#elif defined(BREAK_SSL_TRUST)
/* Trusts the test server whatever certificates the caller names. */
uintptr_t HAL_SSL_Establish(const char *host, uint16_t port, const char *ca, uint32_t ca_len)
{
    static char text[65536];
    FILE       *file = fopen(getenv("BROKEN_CA"), "rb");
    size_t      len;

    if (host == NULL || ca_len < 100 || file == NULL) {
        return 0;
    }
    (void)ca;
    len       = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    fclose(file);
    return iotx_port_ssl_establish(host, port, text, (uint32_t)len + 1);
}
#elif defined(BREAK_KV_SMALL_BUFFER)
int HAL_Kv_Get(const char *key, void *val, int *buffer_len)
{
    char whole[8192];
    int  len = sizeof(whole);
    int  res = iotx_port_kv_get(key, whole, &len);
    if (res == 0) {
        *buffer_len = len < *buffer_len ? len : *buffer_len;
        memcpy(val, whole, (size_t)*buffer_len);
    }
    return res;
}
#elif defined(BREAK_KV_CUT)
int HAL_Kv_Set(const char *key, const void *val, int len, int sync)
{
    return iotx_port_kv_set(key, val, len > 512 ? 512 : len, sync);
}
#elif defined(BREAK_KV_MISSING)
int HAL_Kv_Del(const char *key)
{
    return iotx_port_kv_set(key, "", 0, 1);
}
#elif defined(BREAK_KV_RAM) || defined(BREAK_KV_TORN)

/* A small store of its own: in memory, or in one file per key that is written over in place. */
typedef struct {
    char key[64];
    char value[4096];
    int  len;
} item_t;

static item_t items[4];

#ifdef BREAK_KV_TORN
static const char *path_of(const char *key)
{
    static char path[80];

    snprintf(path, sizeof(path), "%s.kv", key);
    return path;
}
#endif

static item_t *find(const char *key)
{
    int i;

    for (i = 0; i < 4; i++) {
        if (strcmp(items[i].key, key) == 0) {
            break;
        }
    }
    if (i == 4) {
        for (i = 0; i < 3 && items[i].key[0] != '\0'; i++) {
        }
        snprintf(items[i].key, sizeof(items[i].key), "%s", key);
        items[i].len = -1;
    }
#ifdef BREAK_KV_TORN
    {
        FILE *file = fopen(path_of(key), "rb");

        items[i].len = -1;
        if (file != NULL) {
            items[i].len = (int)fread(items[i].value, 1, sizeof(items[i].value), file);
            fclose(file);
        }
    }
#endif
    return &items[i];
}

int HAL_Kv_Set(const char *key, const void *val, int len, int sync)
{
    item_t *item = find(key);

    (void)sync;
    if (len > (int)sizeof(item->value)) {
        return -1;
    }
    memcpy(item->value, val, (size_t)len);
    item->len = len;
#ifdef BREAK_KV_TORN
    {
        FILE *file = fopen(path_of(key), "wb");

        if (file == NULL) {
            return -1;
        }
        fwrite(val, 1, (size_t)len / 2, file);
        fflush(file);
        iotx_port_sleep_ms(1);
        fwrite((const char *)val + len / 2, 1, (size_t)(len - len / 2), file);
        fclose(file);
    }
#endif
    return 0;
}

int HAL_Kv_Get(const char *key, void *val, int *buffer_len)
{
    item_t *item = find(key);
    int     room = *buffer_len;

    if (item->len < 0) {
        return -1;
    }
    *buffer_len = item->len;
    if (item->len > room) {
        return -1;
    }
    memcpy(val, item->value, (size_t)item->len);
    return 0;
}

int HAL_Kv_Del(const char *key)
{
    item_t *item = find(key);
    int     had  = item->len >= 0;

    item->len = -1;
#ifdef BREAK_KV_TORN
    (void)remove(path_of(key));
#endif
    return had ? 0 : -1;
}

#else
#error "say what shall be broken"
#endif

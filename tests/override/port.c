/*
 * A port that replaces whole groups: compiled once per group (-DPORT_OS, -DPORT_TCP, -DPORT_TLS,
 * -DPORT_KV, -DPORT_DATA). PORT_VERSION_AS=zero|error|unterminated|long in the environment chooses what
 * HAL_GetFirmwareVersion does. Its network is a small MQTT server in memory, behind HAL_TCP_* and behind
 * HAL_SSL_* alike, so that the library comes through a whole connection without any socket.
 */
#define _POSIX_C_SOURCE 200809L

#include "port.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wrappers_defs.h"

#define COUNT(name) (port_calls[CALLS_##name]++)

#ifdef PORT_OS

void *HAL_Malloc(uint32_t size)
{
    void *block = malloc(size);

    COUNT(HAL_Malloc);
    port_live += block != NULL;
    return block;
}

void HAL_Free(void *ptr)
{
    COUNT(HAL_Free);
    port_live -= ptr != NULL;
    free(ptr);
}

uint64_t HAL_UptimeMs(void)
{
    struct timespec now;

    COUNT(HAL_UptimeMs);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Counts and goes on: the library's pauses between attempts would only take time. */
void HAL_SleepMs(uint32_t ms)
{
    (void)ms;
    COUNT(HAL_SleepMs);
}

void HAL_Srandom(uint32_t seed)
{
    (void)seed;
    COUNT(HAL_Srandom);
}

uint32_t HAL_Random(uint32_t region)
{
    COUNT(HAL_Random);
    return region == 0 ? PORT_ANSWER : PORT_ANSWER % region;
}

int HAL_Vsnprintf(char *str, const int len, const char *format, va_list ap)
{
    COUNT(HAL_Vsnprintf);
    (void)vsnprintf(str, (size_t)len, format, ap);
    return PORT_ANSWER;
}

int HAL_Snprintf(char *str, const int len, const char *fmt, ...)
{
    (void)fmt;
    COUNT(HAL_Snprintf);
    if (len > 0) {
        str[0] = '\0';
    }
    return PORT_ANSWER;
}

/* wrappers_os.h is not included: there HAL_Printf is a macro. */
void HAL_Printf(const char *fmt, ...)
{
    size_t  len = strlen(port_log);
    va_list ap;

    COUNT(HAL_Printf);
    va_start(ap, fmt);
    (void)vsnprintf(port_log + len, sizeof(port_log) - len, fmt, ap);
    va_end(ap);
}

void *HAL_MutexCreate(void)
{
    COUNT(HAL_MutexCreate);
    return &port_calls;
}

void HAL_MutexDestroy(void *mutex)
{
    (void)mutex;
    COUNT(HAL_MutexDestroy);
}

void HAL_MutexLock(void *mutex)
{
    (void)mutex;
    COUNT(HAL_MutexLock);
}

void HAL_MutexUnlock(void *mutex)
{
    (void)mutex;
    COUNT(HAL_MutexUnlock);
}

void *HAL_SemaphoreCreate(void)
{
    COUNT(HAL_SemaphoreCreate);
    return &port_calls;
}

void HAL_SemaphoreDestroy(void *sem)
{
    (void)sem;
    COUNT(HAL_SemaphoreDestroy);
}

void HAL_SemaphorePost(void *sem)
{
    (void)sem;
    COUNT(HAL_SemaphorePost);
}

int HAL_SemaphoreWait(void *sem, uint32_t timeout_ms)
{
    (void)sem;
    (void)timeout_ms;
    COUNT(HAL_SemaphoreWait);
    return PORT_ANSWER;
}

int HAL_ThreadCreate(void **thread_handle, void *(*work_routine)(void *), void *arg,
                     hal_os_thread_param_t *param, int *stack_used)
{
    (void)thread_handle;
    (void)work_routine;
    (void)arg;
    (void)param;
    (void)stack_used;
    COUNT(HAL_ThreadCreate);
    return PORT_ANSWER;
}

void HAL_ThreadDetach(void *thread_handle)
{
    (void)thread_handle;
    COUNT(HAL_ThreadDetach);
}

int HAL_GetFirmwareVersion(char *version)
{
    const char *as = getenv("PORT_VERSION_AS");

    COUNT(HAL_GetFirmwareVersion);
    if (as != NULL && strcmp(as, "zero") == 0) {
        return 0;
    }
    if (as != NULL && strcmp(as, "error") == 0) {
        return -1;
    }
    if (as != NULL && strcmp(as, "unterminated") == 0) {
        memset(version, '#', 64 + 1);
        memcpy(version, PORT_VERSION, strlen(PORT_VERSION));
        return (int)strlen(PORT_VERSION);
    }
    if (as != NULL && strcmp(as, "long") == 0) {
        memset(version, 'v', 64 + 1);
        return 500;
    }
    strcpy(version, PORT_VERSION);
    return (int)strlen(PORT_VERSION);
}

#define IDENTITY(name)      \
    int name(char *text)    \
    {                       \
        (void)text;         \
        COUNT(name);        \
        return PORT_ANSWER; \
    }
IDENTITY(HAL_GetFirmwareVesion)
IDENTITY(HAL_GetProductKey)
IDENTITY(HAL_GetProductSecret)
IDENTITY(HAL_GetDeviceName)
IDENTITY(HAL_GetDeviceSecret)
IDENTITY(HAL_SetProductKey)
IDENTITY(HAL_SetProductSecret)
IDENTITY(HAL_SetDeviceName)
IDENTITY(HAL_SetDeviceSecret)

#endif

#if defined(PORT_TCP) || defined(PORT_TLS)

/* The server: bytes of the device that are no whole packet yet, and bytes for the device. */
static unsigned char from_device[8192];
static size_t        from_device_len;
static unsigned char to_device[256];
static size_t        to_device_len;

static void answer(const unsigned char *bytes, size_t len)
{
    if (to_device_len + len <= sizeof(to_device)) {
        memcpy(to_device + to_device_len, bytes, len);
        to_device_len += len;
    }
}

/* Keeps the payload if the topic is that of a version report. */
static void keep_report(const unsigned char *text, size_t topic, const unsigned char *end)
{
    static const char inform[] = "/ota/device/inform/";
    size_t            len      = (size_t)(end - text) - topic - 2;

    if (topic > sizeof(inform) && memcmp(text, inform, sizeof(inform) - 1) == 0 && len < sizeof(port_report)) {
        memcpy(port_report, text + topic + 2, len);
        port_report[len] = '\0';
    }
}

/* Acts on one packet, whose variable header starts at body. */
static void serve(const unsigned char *packet, const unsigned char *body, const unsigned char *end)
{
    unsigned char ack[5] = {0, 2, 0, 0, 0};
    size_t        topic;

    switch (packet[0] >> 4) {
        case 1: /* CONNECT */
            ack[0] = 0x20;
            answer(ack, 4);
            break;
        case 3: /* PUBLISH */
            if ((packet[0] & 6) != 0) {
                topic = (size_t)body[0] << 8 | body[1];
                keep_report(body + 2, topic, end);
                ack[0] = 0x40;
                memcpy(ack + 2, body + 2 + topic, 2);
                answer(ack, 4);
            }
            break;
        case 8: /* SUBSCRIBE */
            ack[0] = 0x90;
            ack[1] = 3;
            memcpy(ack + 2, body, 2);
            answer(ack, 5);
            break;
        default:
            break;
    }
}

static int take(const char *buf, size_t len)
{
    size_t header;
    size_t length;

    if (len > sizeof(from_device) - from_device_len) {
        return -1;
    }
    memcpy(from_device + from_device_len, buf, len);
    from_device_len += len;
    while (from_device_len >= 2) {
        header = 1;
        length = 0;
        do {
            if (header >= from_device_len) {
                return 0;
            }
            length |= (size_t)(from_device[header] & 0x7F) << (7 * (header - 1));
        } while (from_device[header++] & 0x80);
        if (from_device_len < header + length) {
            return 0;
        }
        serve(from_device, from_device + header, from_device + header + length);
        from_device_len -= header + length;
        memmove(from_device, from_device + header + length, from_device_len);
    }
    return 0;
}

static int give(char *buf, size_t len)
{
    if (len > to_device_len) {
        len = to_device_len;
    }
    memcpy(buf, to_device, len);
    to_device_len -= len;
    memmove(to_device, to_device + len, to_device_len);
    return (int)len;
}

static void fresh(void)
{
    from_device_len = 0;
    to_device_len   = 0;
}

#endif

#ifdef PORT_TCP

uintptr_t HAL_TCP_Establish(const char *host, uint16_t port)
{
    (void)host;
    (void)port;
    COUNT(HAL_TCP_Establish);
    fresh();
    return PORT_ANSWER;
}

int HAL_TCP_Destroy(uintptr_t fd)
{
    COUNT(HAL_TCP_Destroy);
    return fd == PORT_ANSWER ? 0 : -1;
}

int32_t HAL_TCP_Write(uintptr_t fd, const char *buf, uint32_t len, uint32_t timeout_ms)
{
    (void)timeout_ms;
    COUNT(HAL_TCP_Write);
    return fd == PORT_ANSWER && take(buf, len) == 0 ? (int32_t)len : -1;
}

int32_t HAL_TCP_Read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms)
{
    (void)timeout_ms;
    COUNT(HAL_TCP_Read);
    return fd == PORT_ANSWER ? give(buf, len) : -2;
}

#endif

#ifdef PORT_TLS

uintptr_t HAL_SSL_Establish(const char *host, uint16_t port, const char *ca, uint32_t ca_len)
{
    (void)host;
    (void)port;
    COUNT(HAL_SSL_Establish);
    if (ca != NULL && ca_len == sizeof(PORT_CA) && memcmp(ca, PORT_CA, sizeof(PORT_CA)) == 0) {
        port_saw_ca = 1;
    }
    fresh();
    return PORT_ANSWER;
}

int32_t HAL_SSL_Destroy(uintptr_t handle)
{
    (void)handle;
    COUNT(HAL_SSL_Destroy);
    return 0;
}

int HAL_SSL_Write(uintptr_t handle, const char *buf, int len, int timeout_ms)
{
    (void)timeout_ms;
    COUNT(HAL_SSL_Write);
    return handle == PORT_ANSWER && take(buf, (size_t)len) == 0 ? len : -1;
}

int HAL_SSL_Read(uintptr_t handle, char *buf, int len, int timeout_ms)
{
    (void)timeout_ms;
    COUNT(HAL_SSL_Read);
    return handle == PORT_ANSWER ? give(buf, (size_t)len) : -1;
}

int ssl_hooks_set(ssl_hooks_t *hooks)
{
    (void)hooks;
    COUNT(ssl_hooks_set);
    return PORT_ANSWER;
}

#endif

#ifdef PORT_KV

static unsigned char stored[1024];
static int           stored_len = -1;

int HAL_Kv_Set(const char *key, const void *val, int len, int sync)
{
    (void)key;
    (void)sync;
    COUNT(HAL_Kv_Set);
    if (len > (int)sizeof(stored)) {
        return -1;
    }
    memcpy(stored, val, (size_t)len);
    stored_len = len;
    return 0;
}

int HAL_Kv_Get(const char *key, void *val, int *buffer_len)
{
    (void)key;
    COUNT(HAL_Kv_Get);
    if (stored_len < 0 || stored_len > *buffer_len) {
        return -1;
    }
    memcpy(val, stored, (size_t)stored_len);
    *buffer_len = stored_len;
    return 0;
}

int HAL_Kv_Del(const char *key)
{
    (void)key;
    COUNT(HAL_Kv_Del);
    stored_len = -1;
    return 0;
}

#endif

#ifdef PORT_DATA

extern const char *iotx_ca_crt;
extern const char *g_cli_crt;
extern const char *g_cli_key;
const char *iotx_ca_crt = PORT_CA;
const char *g_cli_crt   = PORT_CERT;
const char *g_cli_key   = PORT_KEY;

#endif

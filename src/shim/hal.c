/*
 * The public HAL_* symbols of the os, tcp and kv groups.
 *
 * Each is a weak alias of a local default that hands over to the Rust port (iotx_port_*), so that
 * a definition in the application replaces it, one by one, in the static and in the shared
 * library. The printf family is complete here: stable Rust cannot define variadic functions.
 *
 * The prototypes are those of SDK 3.2.0; the last section holds the functions that only its
 * predecessors (2.x, 3.0) had.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Defines the public symbol as a weak alias of its default. */
#define PUBLISH(ret, name, params) \
    extern __attribute__((weak, alias("default_" #name))) ret name params

/* Only the pointer is passed on; the layout lives in the Rust port. */
typedef struct _hal_os_thread hal_os_thread_param_t;

/* ---- memory, time, randomness ---------------------------------------------------------------- */

extern void *iotx_port_malloc(uint32_t size);
extern void iotx_port_free(void *ptr);
extern uint64_t iotx_port_uptime_ms(void);
extern void iotx_port_sleep_ms(uint32_t ms);
extern void iotx_port_srandom(uint32_t seed);
extern uint32_t iotx_port_random(uint32_t region);

static void *default_HAL_Malloc(uint32_t size)
{
    return iotx_port_malloc(size);
}
PUBLISH(void *, HAL_Malloc, (uint32_t size));

static void default_HAL_Free(void *ptr)
{
    iotx_port_free(ptr);
}
PUBLISH(void, HAL_Free, (void *ptr));

static uint64_t default_HAL_UptimeMs(void)
{
    return iotx_port_uptime_ms();
}
PUBLISH(uint64_t, HAL_UptimeMs, (void));

static void default_HAL_SleepMs(uint32_t ms)
{
    iotx_port_sleep_ms(ms);
}
PUBLISH(void, HAL_SleepMs, (uint32_t ms));

static void default_HAL_Srandom(uint32_t seed)
{
    iotx_port_srandom(seed);
}
PUBLISH(void, HAL_Srandom, (uint32_t seed));

static uint32_t default_HAL_Random(uint32_t region)
{
    return iotx_port_random(region);
}
PUBLISH(uint32_t, HAL_Random, (uint32_t region));

/* ---- printf family --------------------------------------------------------------------------- */

/* A negative length would become a huge size_t. */
static int default_HAL_Vsnprintf(char *str, const int len, const char *format, va_list ap)
{
    if (len < 0 || format == NULL || (str == NULL && len > 0)) {
        return -1;
    }
    return vsnprintf(str, (size_t)len, format, ap);
}
PUBLISH(int, HAL_Vsnprintf, (char *str, const int len, const char *format, va_list ap));

static int default_HAL_Snprintf(char *str, const int len, const char *fmt, ...)
{
    va_list ap;
    int needed;

    va_start(ap, fmt);
    needed = default_HAL_Vsnprintf(str, len, fmt, ap);
    va_end(ap);
    return needed;
}
PUBLISH(int, HAL_Snprintf, (char *str, const int len, const char *fmt, ...));

/* A macro for printf in 3.1 and 3.2, a function before: programs of both kinds link. */
static void default_HAL_Printf(const char *fmt, ...)
{
    va_list ap;

    if (fmt == NULL) {
        return;
    }
    va_start(ap, fmt);
    (void)vprintf(fmt, ap);
    va_end(ap);
    (void)fflush(stdout);
}
PUBLISH(void, HAL_Printf, (const char *fmt, ...));

/* ---- mutexes, semaphores, threads ------------------------------------------------------------ */

extern void *iotx_port_mutex_create(void);
extern void iotx_port_mutex_destroy(void *mutex);
extern void iotx_port_mutex_lock(void *mutex);
extern void iotx_port_mutex_unlock(void *mutex);
extern void *iotx_port_semaphore_create(void);
extern void iotx_port_semaphore_destroy(void *sem);
extern void iotx_port_semaphore_post(void *sem);
extern int iotx_port_semaphore_wait(void *sem, uint32_t timeout_ms);
extern int iotx_port_thread_create(void **thread_handle, void *(*work_routine)(void *), void *arg,
                                   hal_os_thread_param_t *param, int *stack_used);
extern void iotx_port_thread_detach(void *thread_handle);

static void *default_HAL_MutexCreate(void)
{
    return iotx_port_mutex_create();
}
PUBLISH(void *, HAL_MutexCreate, (void));

static void default_HAL_MutexDestroy(void *mutex)
{
    iotx_port_mutex_destroy(mutex);
}
PUBLISH(void, HAL_MutexDestroy, (void *mutex));

static void default_HAL_MutexLock(void *mutex)
{
    iotx_port_mutex_lock(mutex);
}
PUBLISH(void, HAL_MutexLock, (void *mutex));

static void default_HAL_MutexUnlock(void *mutex)
{
    iotx_port_mutex_unlock(mutex);
}
PUBLISH(void, HAL_MutexUnlock, (void *mutex));

static void *default_HAL_SemaphoreCreate(void)
{
    return iotx_port_semaphore_create();
}
PUBLISH(void *, HAL_SemaphoreCreate, (void));

static void default_HAL_SemaphoreDestroy(void *sem)
{
    iotx_port_semaphore_destroy(sem);
}
PUBLISH(void, HAL_SemaphoreDestroy, (void *sem));

static void default_HAL_SemaphorePost(void *sem)
{
    iotx_port_semaphore_post(sem);
}
PUBLISH(void, HAL_SemaphorePost, (void *sem));

static int default_HAL_SemaphoreWait(void *sem, uint32_t timeout_ms)
{
    return iotx_port_semaphore_wait(sem, timeout_ms);
}
PUBLISH(int, HAL_SemaphoreWait, (void *sem, uint32_t timeout_ms));

static int default_HAL_ThreadCreate(void **thread_handle, void *(*work_routine)(void *), void *arg,
                                    hal_os_thread_param_t *param, int *stack_used)
{
    return iotx_port_thread_create(thread_handle, work_routine, arg, param, stack_used);
}
PUBLISH(int, HAL_ThreadCreate, (void **thread_handle, void *(*work_routine)(void *), void *arg,
                                hal_os_thread_param_t *param, int *stack_used));

/* ---- firmware version ------------------------------------------------------------------------ */

extern int iotx_port_firmware_version(char *version);

static int default_HAL_GetFirmwareVersion(char *version)
{
    return iotx_port_firmware_version(version);
}
PUBLISH(int, HAL_GetFirmwareVersion, (char *version));

/* ---- tcp ------------------------------------------------------------------------------------- */

extern uintptr_t iotx_port_tcp_establish(const char *host, uint16_t port);
extern int iotx_port_tcp_destroy(uintptr_t fd);
extern int32_t iotx_port_tcp_write(uintptr_t fd, const char *buf, uint32_t len,
                                   uint32_t timeout_ms);
extern int32_t iotx_port_tcp_read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms);

static uintptr_t default_HAL_TCP_Establish(const char *host, uint16_t port)
{
    return iotx_port_tcp_establish(host, port);
}
PUBLISH(uintptr_t, HAL_TCP_Establish, (const char *host, uint16_t port));

static int default_HAL_TCP_Destroy(uintptr_t fd)
{
    return iotx_port_tcp_destroy(fd);
}
PUBLISH(int, HAL_TCP_Destroy, (uintptr_t fd));

static int32_t default_HAL_TCP_Write(uintptr_t fd, const char *buf, uint32_t len,
                                     uint32_t timeout_ms)
{
    return iotx_port_tcp_write(fd, buf, len, timeout_ms);
}
PUBLISH(int32_t, HAL_TCP_Write, (uintptr_t fd, const char *buf, uint32_t len,
                                 uint32_t timeout_ms));

static int32_t default_HAL_TCP_Read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms)
{
    return iotx_port_tcp_read(fd, buf, len, timeout_ms);
}
PUBLISH(int32_t, HAL_TCP_Read, (uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms));

/* ---- kv -------------------------------------------------------------------------------------- */

extern int iotx_port_kv_set(const char *key, const void *val, int len, int sync);
extern int iotx_port_kv_get(const char *key, void *val, int *buffer_len);
extern int iotx_port_kv_del(const char *key);

static int default_HAL_Kv_Set(const char *key, const void *val, int len, int sync)
{
    return iotx_port_kv_set(key, val, len, sync);
}
PUBLISH(int, HAL_Kv_Set, (const char *key, const void *val, int len, int sync));

static int default_HAL_Kv_Get(const char *key, void *val, int *buffer_len)
{
    return iotx_port_kv_get(key, val, buffer_len);
}
PUBLISH(int, HAL_Kv_Get, (const char *key, void *val, int *buffer_len));

static int default_HAL_Kv_Del(const char *key)
{
    return iotx_port_kv_del(key);
}
PUBLISH(int, HAL_Kv_Del, (const char *key));

/* ---- which port is in use -------------------------------------------------------------------- */

typedef void (*any_function)(void);

/*
 * The two names of one definition look equal to the compiler, which would answer "yes" without
 * asking the linker. Volatile pointers make it compare the addresses found at run time.
 */
static int same(any_function volatile used, any_function volatile ours)
{
    return used == ours;
}

#define IS_OURS(name) same((any_function)(name), (any_function)(default_##name))

/* 1 if the whole tcp group is the default port, 0 if the application replaced any part of it. */
int iotx_port_tcp_is_default(void)
{
    return IS_OURS(HAL_TCP_Establish) && IS_OURS(HAL_TCP_Destroy) && IS_OURS(HAL_TCP_Write) &&
           IS_OURS(HAL_TCP_Read);
}

/* 1 if HAL_Malloc and HAL_Free are both the default port: the library's own memory is the system's then. */
int iotx_port_memory_is_default(void)
{
    return IS_OURS(HAL_Malloc) && IS_OURS(HAL_Free);
}

/* 1 if HAL_Random is the default port. */
int iotx_port_random_is_default(void)
{
    return IS_OURS(HAL_Random);
}

/* 1 if HAL_UptimeMs is the default port, which never goes back. */
int iotx_port_clock_is_default(void)
{
    return IS_OURS(HAL_UptimeMs);
}

/* ---- only in 2.x and 3.0 --------------------------------------------------------------------- */

extern int iotx_port_get_product_key(char *product_key);
extern int iotx_port_get_product_secret(char *product_secret);
extern int iotx_port_get_device_name(char *device_name);
extern int iotx_port_get_device_secret(char *device_secret);
extern int iotx_port_set_product_key(const char *product_key);
extern int iotx_port_set_product_secret(const char *product_secret);
extern int iotx_port_set_device_name(const char *device_name);
extern int iotx_port_set_device_secret(const char *device_secret);

static void default_HAL_ThreadDetach(void *thread_handle)
{
    iotx_port_thread_detach(thread_handle);
}
PUBLISH(void, HAL_ThreadDetach, (void *thread_handle));

/* The spelling of 2.2.1, whose buffer holds 33 bytes; the default version fits. */
static int default_HAL_GetFirmwareVesion(char *version)
{
    return iotx_port_firmware_version(version);
}
PUBLISH(int, HAL_GetFirmwareVesion, (char *version));

static int default_HAL_GetProductKey(char *product_key)
{
    return iotx_port_get_product_key(product_key);
}
PUBLISH(int, HAL_GetProductKey, (char *product_key));

static int default_HAL_GetProductSecret(char *product_secret)
{
    return iotx_port_get_product_secret(product_secret);
}
PUBLISH(int, HAL_GetProductSecret, (char *product_secret));

static int default_HAL_GetDeviceName(char *device_name)
{
    return iotx_port_get_device_name(device_name);
}
PUBLISH(int, HAL_GetDeviceName, (char *device_name));

static int default_HAL_GetDeviceSecret(char *device_secret)
{
    return iotx_port_get_device_secret(device_secret);
}
PUBLISH(int, HAL_GetDeviceSecret, (char *device_secret));

static int default_HAL_SetProductKey(char *product_key)
{
    return iotx_port_set_product_key(product_key);
}
PUBLISH(int, HAL_SetProductKey, (char *product_key));

static int default_HAL_SetProductSecret(char *product_secret)
{
    return iotx_port_set_product_secret(product_secret);
}
PUBLISH(int, HAL_SetProductSecret, (char *product_secret));

static int default_HAL_SetDeviceName(char *device_name)
{
    return iotx_port_set_device_name(device_name);
}
PUBLISH(int, HAL_SetDeviceName, (char *device_name));

static int default_HAL_SetDeviceSecret(char *device_secret)
{
    return iotx_port_set_device_secret(device_secret);
}
PUBLISH(int, HAL_SetDeviceSecret, (char *device_secret));

/* ---- which groups are the port's --------------------------------------------------------------- */

struct pair {
    any_function used, ours;
};

#define PAIR(name) {(any_function)(name), (any_function)default_##name}

/* How many of the pairs are the port's own. */
static unsigned replaced(const struct pair *pairs, size_t count)
{
    unsigned number = 0;
    size_t   index;

    for (index = 0; index < count; index++) {
        number += !same(pairs[index].used, pairs[index].ours);
    }
    return number;
}

/* In the order of enum Group in seam.rs: the functions of the group, and how many of them are the port's. */
#define GROUP(...)                                                 \
    do {                                                           \
        const struct pair pairs[] = {__VA_ARGS__};                 \
                                                                   \
        *count = (unsigned)(sizeof(pairs) / sizeof(pairs[0]));     \
        return replaced(pairs, sizeof(pairs) / sizeof(pairs[0]));  \
    } while (0)

/* Those of 3.2.0: what only older versions had does not make a port incomplete. */
unsigned iotx_port_os_replaced(unsigned *count)
{
    GROUP(PAIR(HAL_Malloc), PAIR(HAL_Free), PAIR(HAL_UptimeMs), PAIR(HAL_SleepMs), PAIR(HAL_Srandom),
          PAIR(HAL_Random), PAIR(HAL_Vsnprintf), PAIR(HAL_Snprintf), PAIR(HAL_Printf),
          PAIR(HAL_MutexCreate), PAIR(HAL_MutexDestroy), PAIR(HAL_MutexLock), PAIR(HAL_MutexUnlock),
          PAIR(HAL_SemaphoreCreate), PAIR(HAL_SemaphoreDestroy), PAIR(HAL_SemaphorePost),
          PAIR(HAL_SemaphoreWait), PAIR(HAL_ThreadCreate), PAIR(HAL_GetFirmwareVersion));
}

unsigned iotx_port_tcp_replaced(unsigned *count)
{
    GROUP(PAIR(HAL_TCP_Establish), PAIR(HAL_TCP_Destroy), PAIR(HAL_TCP_Write), PAIR(HAL_TCP_Read));
}

unsigned iotx_port_kv_replaced(unsigned *count)
{
    GROUP(PAIR(HAL_Kv_Set), PAIR(HAL_Kv_Get), PAIR(HAL_Kv_Del));
}

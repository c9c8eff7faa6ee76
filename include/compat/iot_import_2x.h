/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the HAL that 2.2.1 and 2.3.0 share; included by their iot_import.h. What the library has no
 * default for is provided by the port. */
#ifndef IOTX_COMPAT_IMPORT_2X_H
#define IOTX_COMPAT_IMPORT_2X_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Waits for ever, time-out of HAL_SemaphoreWait. */
#define PLATFORM_WAIT_INFINITE           (~0)

typedef enum {
    os_thread_priority_idle = -3,
    os_thread_priority_low = -2,
    os_thread_priority_belowNormal = -1,
    os_thread_priority_normal = 0,
    os_thread_priority_aboveNormal = 1,
    os_thread_priority_high = 2,
    os_thread_priority_realtime = 3,
    os_thread_priority_error = 132
} hal_os_thread_priority_t;

typedef struct _hal_os_thread {
    hal_os_thread_priority_t priority;
    void *stack_addr;
    size_t stack_size;
    int detach_state;
    char *name;
} hal_os_thread_param_t;

#define NETWORK_ADDR_LEN                 16
typedef struct _network_addr_t {
    unsigned char addr[NETWORK_ADDR_LEN];
    unsigned short port;
} NetworkAddr;

/* Mutexes are not recursive. NULL on failure. */
void *HAL_MutexCreate(void);
void HAL_MutexDestroy(void *mutex);
void HAL_MutexLock(void *mutex);
void HAL_MutexUnlock(void *mutex);

/* Starts a thread. Returns 0 or a negative value. */
int HAL_ThreadCreate(
    void **thread_handle, void *(*work_routine)(void *), void *arg,
    hal_os_thread_param_t *hal_os_thread_param, int *stack_used);
void HAL_ThreadDetach(void *thread_handle);
void HAL_ThreadDelete(void *thread_handle);

void *HAL_SemaphoreCreate(void);
void HAL_SemaphoreDestroy(void *sem);
void HAL_SemaphorePost(void *sem);
/* Returns 0, or -1 after timeout_ms milliseconds or an error. */
int HAL_SemaphoreWait(void *sem, uint32_t timeout_ms);

/* NULL on failure; HAL_Free(NULL) is harmless. */
void *HAL_Malloc(uint32_t size);
void HAL_Free(void *ptr);

/* Milliseconds from any start, never going back. */
uint64_t HAL_UptimeMs(void);
char *HAL_GetTimeStr(char *buf, int len);
void HAL_SleepMs(uint32_t ms);
void HAL_Srandom(uint32_t seed);
/* A number in 0...region-1, from the whole range for region 0. */
uint32_t HAL_Random(uint32_t region);

/* Console output; as snprintf; as vsnprintf. */
void HAL_Printf(const char *fmt, ...);
int HAL_Snprintf(char *str, const int len, const char *fmt, ...);
int HAL_Vsnprintf(char *str, const int len, const char *fmt, va_list ap);

/* Stores, reads and deletes a value. Return 0 or -1. */
int HAL_Kv_Set(const char *key, const void *val, int len, int sync);
int HAL_Kv_Get(const char *key, void *buffer, int *buffer_len);
int HAL_Kv_Del(const char *key);

void *HAL_Timer_Create(const char *name, void (*func)(void *), void *user_data);
int HAL_Timer_Start(void *t, int ms);
int HAL_Timer_Stop(void *t);
int HAL_Timer_Delete(void *timer);
void HAL_Reboot(void);
void HAL_UTC_Set(long long ms);
long long HAL_UTC_Get(void);
uint32_t HAL_Wifi_Get_IP(char ip_str[NETWORK_ADDR_LEN], const char *ifname);

/* Storing of a firmware image, in order: start, write repeatedly, stop. */
void HAL_Firmware_Persistence_Start(void);
int HAL_Firmware_Persistence_Write(char *buffer, uint32_t length);
int HAL_Firmware_Persistence_Stop(void);

#ifdef __cplusplus
}
#endif

#endif /* IOTX_COMPAT_IMPORT_2X_H */

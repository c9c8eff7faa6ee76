/* SPDX-License-Identifier: Apache-2.0 */
/* The operating system below the library. Every function can be replaced by the application. */
#ifndef _WRAPPERS_OS_H_
#define _WRAPPERS_OS_H_

#include <stdarg.h>
#include "infra_types.h"
#include "infra_defs.h"
#include "wrappers_defs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Console output of applications and ports. The library itself prints through the function
 * HAL_Printf. */
#if IOTX_SDK_ABI_MINOR >= 1
#define HAL_Printf printf
#else
void HAL_Printf(const char *fmt, ...);
#endif

/* Memory of the library and of blocks that cross its interface. NULL on failure;
 * HAL_Free(NULL) is harmless. */
void *HAL_Malloc(uint32_t size);
void HAL_Free(void *ptr);

/* Milliseconds from any start, never going back. */
uint64_t HAL_UptimeMs(void);
void HAL_SleepMs(uint32_t ms);
void HAL_Srandom(uint32_t seed);

/* A number in 0...region-1, from the whole range for region 0. */
uint32_t HAL_Random(uint32_t region);

/* As snprintf and vsnprintf. */
int HAL_Snprintf(char *str, const int len, const char *fmt, ...);
int HAL_Vsnprintf(char *str, const int len, const char *format, va_list ap);
void *HAL_SemaphoreCreate(void);
void HAL_SemaphoreDestroy(void *sem);
void HAL_SemaphorePost(void *sem);

/* Returns 0, or -1 after timeout_ms milliseconds or an error. */
int HAL_SemaphoreWait(void *sem, uint32_t timeout_ms);

/* Starts a thread. stack_used receives 0 when the system provides the stack. Returns 0 or a
 * negative value. */
int HAL_ThreadCreate(
    void **thread_handle, void *(*work_routine)(void *), void *arg,
    hal_os_thread_param_t *hal_os_thread_param, int *stack_used);

/* Mutexes are not recursive. NULL on failure. */
void *HAL_MutexCreate(void);
void HAL_MutexDestroy(void *mutex);
void HAL_MutexLock(void *mutex);
void HAL_MutexUnlock(void *mutex);
void HAL_Reboot(void);

/* Writes the version into a buffer of IOTX_FIRMWARE_VER_LEN + 1 bytes. Returns its length, or
 * 0 and less when there is none. */
int HAL_GetFirmwareVersion(char *version);

/* Storing of a firmware image, in order: start, write repeatedly, stop. Return 0 or -1. */
void HAL_Firmware_Persistence_Start(void);
int HAL_Firmware_Persistence_Write(char *buffer, uint32_t length);
int HAL_Firmware_Persistence_Stop(void);

#ifdef __cplusplus
}
#endif

#endif /* _WRAPPERS_OS_H_ */

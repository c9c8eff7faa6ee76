/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of a port. The contract is that of wrappers_tls.h. */
#ifndef __IMPORT_TLS_H__
#define __IMPORT_TLS_H__

#include "../iotx_config.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Memory functions for a TLS port. */
typedef struct {
    void *(*malloc)(uint32_t size);
    void (*free)(void *ptr);
} ssl_hooks_t;

DLL_HAL_API int HAL_SSLHooks_set(ssl_hooks_t *hooks);
DLL_HAL_API uintptr_t HAL_SSL_Establish(
    const char *host, uint16_t port, const char *ca_crt, size_t ca_crt_len);
DLL_HAL_API int32_t HAL_SSL_Destroy(uintptr_t handle);
DLL_HAL_API int32_t HAL_SSL_Write(uintptr_t handle, const char *buf, int len, int timeout_ms);
DLL_HAL_API int32_t HAL_SSL_Read(uintptr_t handle, char *buf, int len, int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif /* __IMPORT_TLS_H__ */

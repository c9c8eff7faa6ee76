/* SPDX-License-Identifier: Apache-2.0 */
/* The HAL of SDK 2.2.1, and with it iot_export.h. */
#ifndef __IOT_IMPORT_H__
#define __IOT_IMPORT_H__

#include "iotx_config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "iot_export.h"
#include "imports/iot_import_config.h"
#include "imports/iot_import_product.h"
#include "../iot_import_2x.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Memory functions for a TLS port. */
typedef struct {
    void *(*malloc)(uint32_t size);
    void (*free)(void *ptr);
} ssl_hooks_t;

/* TLS and TCP; the contracts are those of wrappers_tls.h and wrappers_tcp.h. */
int HAL_SSLHooks_set(ssl_hooks_t *hooks);
uintptr_t HAL_SSL_Establish(const char *host, uint16_t port, const char *ca_crt, size_t ca_crt_len);
int32_t HAL_SSL_Destroy(uintptr_t handle);
int32_t HAL_SSL_Write(uintptr_t handle, const char *buf, int len, int timeout_ms);
int32_t HAL_SSL_Read(uintptr_t handle, char *buf, int len, int timeout_ms);
uintptr_t HAL_TCP_Establish(const char *host, uint16_t port);
int32_t HAL_TCP_Destroy(uintptr_t fd);
int32_t HAL_TCP_Write(uintptr_t fd, const char *buf, uint32_t len, uint32_t timeout_ms);
int32_t HAL_TCP_Read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms);

/* Provided by the port. */
int HAL_Kv_Erase_All(void);
void HAL_Sys_reboot(void);

#ifdef __cplusplus
}
#endif

#endif /* __IOT_IMPORT_H__ */

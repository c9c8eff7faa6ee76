/* SPDX-License-Identifier: Apache-2.0 */
/* TCP of a port. The contract is that of wrappers_tcp.h. */
#ifndef __IMPORT_TCP_H__
#define __IMPORT_TCP_H__

#include "../iotx_config.h"

#ifdef __cplusplus
extern "C" {
#endif

DLL_HAL_API uintptr_t HAL_TCP_Establish(const char *host, uint16_t port);
DLL_HAL_API int32_t HAL_TCP_Destroy(uintptr_t fd);
DLL_HAL_API int32_t HAL_TCP_Write(uintptr_t fd, const char *buf, uint32_t len, uint32_t timeout_ms);
DLL_HAL_API int32_t HAL_TCP_Read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms);

#ifdef __cplusplus
}
#endif

#endif /* __IMPORT_TCP_H__ */

/* SPDX-License-Identifier: Apache-2.0 */
/* TCP below the library. Every function can be replaced by the application. */
#ifndef _WRAPPERS_TCP_H_
#define _WRAPPERS_TCP_H_

#include "infra_types.h"
#include "infra_defs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Resolves host and connects. Returns a handle (0 is valid) or (uintptr_t)-1. */
uintptr_t HAL_TCP_Establish(const char *host, uint16_t port);

/* Closes the connection. Returns 0 or -1. */
int HAL_TCP_Destroy(uintptr_t fd);

/* Returns the number of bytes sent, less than len after the time-out, -1 on error. */
int32_t HAL_TCP_Write(uintptr_t fd, const char *buf, uint32_t len, uint32_t timeout_ms);

/* Fills buf up to len bytes until the time-out. Returns the number of bytes, 0 for none, -1
 * closed by the peer, -2 error. Bytes come before an error. */
int32_t HAL_TCP_Read(uintptr_t fd, char *buf, uint32_t len, uint32_t timeout_ms);

#ifdef __cplusplus
}
#endif

#endif /* _WRAPPERS_TCP_H_ */

/* SPDX-License-Identifier: Apache-2.0 */
/* TLS below the library. Every function can be replaced by the application. */
#ifndef _WRAPPERS_TLS_H_
#define _WRAPPERS_TLS_H_

#include "infra_types.h"
#include "infra_defs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fills buf up to len bytes until the time-out. Returns the number of bytes, 0 for none, -1
 * error, -2 closed by the peer. */
int HAL_SSL_Read(uintptr_t handle, char *buf, int len, int timeout_ms);

/* Returns the number of bytes sent, 0 after the time-out, -1 on error. */
int HAL_SSL_Write(uintptr_t handle, const char *buf, int len, int timeout_ms);

/* Closes the session; 0 is harmless. Returns 0. */
int32_t HAL_SSL_Destroy(uintptr_t handle);

/* Connects and verifies the server against the PEM certificates ca_crt; ca_crt_len counts the
 * terminating NUL. Returns a handle, or 0. */
uintptr_t HAL_SSL_Establish(
    const char *host, uint16_t port, const char *ca_crt, uint32_t ca_crt_len);

#ifdef __cplusplus
}
#endif

#endif /* _WRAPPERS_TLS_H_ */

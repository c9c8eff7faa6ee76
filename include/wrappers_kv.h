/* SPDX-License-Identifier: Apache-2.0 */
/* Key-value store below the library. Every function can be replaced by the application. */
#ifndef _WRAPPERS_KV_H_
#define _WRAPPERS_KV_H_

#include "infra_types.h"
#include "infra_defs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Stores len bytes under key; sync asks for durability before the return. Returns 0 or -1. */
int HAL_Kv_Set(const char *key, const void *val, int len, int sync);

/* Reads the value of key. buffer_len holds the size of val, then the stored length. Returns 0
 * or -1. */
int HAL_Kv_Get(const char *key, void *val, int *buffer_len);

/* Deletes key. Returns 0 or -1. */
int HAL_Kv_Del(const char *key);

#ifdef __cplusplus
}
#endif

#endif /* _WRAPPERS_KV_H_ */

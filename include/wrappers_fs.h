/* SPDX-License-Identifier: Apache-2.0 */
/* File contract of ports. The functions are provided by the port. */
#ifndef _WRAPPERS_FS_H_
#define _WRAPPERS_FS_H_

#include "infra_types.h"
#include "infra_defs.h"

#ifdef __cplusplus
extern "C" {
#endif

void *HAL_Fopen(const char *path, const char *mode);
uint32_t HAL_Fread(void *buff, uint32_t size, uint32_t count, void *stream);
int HAL_Fseek(void *stream, long offset, int framewhere);
int HAL_Fclose(void *stream);
long HAL_Ftell(void *stream);

#ifdef __cplusplus
}
#endif

#endif /* _WRAPPERS_FS_H_ */

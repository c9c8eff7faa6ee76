/* SPDX-License-Identifier: Apache-2.0 */
/* The HAL of SDK 2.3.0, and with it iot_export.h. */
#ifndef __IOT_IMPORT_H__
#define __IOT_IMPORT_H__

#include "iotx_config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../iot_import_2x.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HAL_MAC_LEN                      18

/* Provided by the port. */
void *HAL_Realloc(void *ptr, uint32_t size);
void *HAL_Calloc(uint32_t nmemb, uint32_t size);
char *HAL_Wifi_Get_Mac(char mac_str[HAL_MAC_LEN]);
int HAL_Sys_Net_Is_Ready(void);

typedef enum {
    HAL_SEEK_SET = 0,
    HAL_SEEK_CUR = 1,
    HAL_SEEK_END = 2
} hal_fs_seek_type_t;

void *HAL_Fopen(const char *path, const char *mode);
uint32_t HAL_Fread(void *buff, uint32_t size, uint32_t count, void *stream);
uint32_t HAL_Fwrite(const void *ptr, uint32_t size, uint32_t count, void *stream);
int HAL_Fseek(void *stream, long offset, int origin);
int HAL_Fclose(void *stream);
long HAL_Ftell(void *stream);

#ifdef __cplusplus
}
#endif

#include "iot_export.h"
#include "imports/iot_import_config.h"
#include "imports/iot_import_product.h"
#include "imports/iot_import_tls.h"
#include "imports/iot_import_tcp.h"

#endif /* __IOT_IMPORT_H__ */

/* SPDX-License-Identifier: Apache-2.0 */
/* What a port of SDK 2.2.1 knows about the device. The defaults of the library remember what was set;
 * those without a default are provided by the port. */
#ifndef __IMPORT_PRODUCT_H__
#define __IMPORT_PRODUCT_H__

#include "../iotx_config.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sizes of arrays in bytes. */
#define MAC_ADDR_LEN_MAX                 10
#define PID_STRLEN_MAX                   64
#define MID_STRLEN_MAX                   64
#define IOTX_URI_MAX_LEN                 135
#define PID_STR_MAXLEN                   64
#define MID_STR_MAXLEN                   64
#define PRODUCT_KEY_MAXLEN               21
#define DEVICE_NAME_MAXLEN               33
#define DEVICE_ID_MAXLEN                 65
#define DEVICE_SECRET_MAXLEN             65
#define PRODUCT_SECRET_MAXLEN            65
#define FIRMWARE_VERSION_MAXLEN          33
#define HAL_CID_LEN                      65

/* Store a copy; return its length, or a negative value for NULL or a value that is too long. */
DLL_HAL_API int HAL_SetProductKey(char *product_key);
DLL_HAL_API int HAL_SetDeviceName(char *device_name);
DLL_HAL_API int HAL_SetDeviceSecret(char *device_secret);
DLL_HAL_API int HAL_SetProductSecret(char *product_secret);

/* Write the value, with its NUL where the array has room for it; return its length. */
DLL_HAL_API int HAL_GetProductKey(char product_key[PRODUCT_KEY_LEN]);
DLL_HAL_API int HAL_GetDeviceName(char device_name[DEVICE_NAME_LEN]);
DLL_HAL_API int HAL_GetDeviceSecret(char device_secret[DEVICE_SECRET_LEN]);
DLL_HAL_API int HAL_GetProductSecret(char product_secret[DEVICE_SECRET_LEN]);

/* Writes the version; returns its length, or 0 and less when there is none. */
DLL_HAL_API int HAL_GetFirmwareVesion(char version[FIRMWARE_VERSION_MAXLEN]);

/* Not asked by the library. */
DLL_HAL_API int HAL_GetPartnerID(char pid_str[PID_STR_MAXLEN]);
DLL_HAL_API int HAL_GetModuleID(char mid_str[MID_STR_MAXLEN]);
DLL_HAL_API int HAL_GetDeviceID(char device_id[DEVICE_ID_LEN]);
char *HAL_GetChipID(char cid_str[HAL_CID_LEN]);

#ifdef __cplusplus
}
#endif

#endif /* __IMPORT_PRODUCT_H__ */

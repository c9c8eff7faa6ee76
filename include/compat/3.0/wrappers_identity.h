/* SPDX-License-Identifier: Apache-2.0 */
/* Where a device of SDK 3.0.1 keeps who it is, and the thread functions that 3.1.0 dropped. Every
 * function can be replaced by the application; the defaults remember what was set. */
#ifndef IOTX_COMPAT_3_0_WRAPPERS_IDENTITY_H
#define IOTX_COMPAT_3_0_WRAPPERS_IDENTITY_H

#include "infra_types.h"
#include "infra_defs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Write the value with its NUL; return its length, or a negative value. */
int HAL_GetProductKey(char product_key[IOTX_PRODUCT_KEY_LEN + 1]);
int HAL_GetProductSecret(char product_secret[IOTX_PRODUCT_SECRET_LEN + 1]);
int HAL_GetDeviceName(char device_name[IOTX_DEVICE_NAME_LEN + 1]);
int HAL_GetDeviceSecret(char device_secret[IOTX_DEVICE_SECRET_LEN + 1]);

/* Store a copy; return its length, or a negative value for NULL or a value that is too long. */
int HAL_SetProductKey(char *product_key);
int HAL_SetProductSecret(char *product_secret);
int HAL_SetDeviceName(char *device_name);
int HAL_SetDeviceSecret(char *device_secret);

void HAL_ThreadDetach(void *thread_handle);

#ifdef __cplusplus
}
#endif

#endif /* IOTX_COMPAT_3_0_WRAPPERS_IDENTITY_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* Dynamic registration: trades the product secret for a device secret. */
#ifndef _DYNREG_API_H_
#define _DYNREG_API_H_

#include "infra_types.h"
#include "infra_defs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Longest wait for the answer of a registration over MQTT, in milliseconds. */
#define MQTT_DYNREG_TIMEOUT_MS           15000


#ifdef __cplusplus
}
#endif

#endif /* _DYNREG_API_H_ */

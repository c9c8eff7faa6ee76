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

/* Registers the device of `meta` (product key, product secret, device name) over HTTPS and writes its
 * device secret, on success only. The cloud gives it out once: store it. Blocks up to 40 s.
 *
 * Returns 0 or a negative STATE_* code: -0x0103, -0x0104, -0x0105 for a missing or over-long product key,
 * product secret, device name; -0x0107 without a host name for the region; -0x0601 refused by the cloud, whose
 * answer is the text of the state event; -0x0602 for an unusable answer; others for network and HTTP. */
int32_t IOT_Dynamic_Register(iotx_http_region_types_t region, iotx_dev_meta_info_t *meta);

#ifdef __cplusplus
}
#endif

#endif /* _DYNREG_API_H_ */

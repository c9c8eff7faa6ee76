/* SPDX-License-Identifier: Apache-2.0 */
/* Signing of a device for MQTT. */
#ifndef _DEV_SIGN_H_
#define _DEV_SIGN_H_

#include "infra_types.h"
#include "infra_defs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Computes host name, port, client identifier, user name and password of the device meta in
 * region. Pure: nothing is kept; any thread. Returns 0 or a negative code of infra_state.h
 * (STATE_USER_INPUT_INVALID for a bad region, a NULL pointer or an unterminated member);
 * signout is then zeroed or untouched. */
int32_t IOT_Sign_MQTT(
    iotx_mqtt_region_types_t region, iotx_dev_meta_info_t *meta, iotx_sign_mqtt_t *signout);

#ifdef __cplusplus
}
#endif

#endif /* _DEV_SIGN_H_ */
